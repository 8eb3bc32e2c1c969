#include "cmd/crls.h"

#include "base/log.h"
#include "cmd/control.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BODY_MAX_BYTES 1024

static void on_published(void *ctx, const struct crl_published *p)
{
	struct runtime *r = ctx;
	struct buf b = BUF_INIT(BODY_MAX_BYTES);
	struct publish_crl crl = { .this_update_s = p->crl->this_update_s,
		.next_update_s = p->crl->next_update_s,
		.fresh_s = p->fresh_s };
	struct ipc_msg msg = {
		.type = CONTROL_PUBLISHED, .fds = { p->fd }, .n_fds = 1
	};

	(void)snprintf(crl.name, sizeof(crl.name), "%s", p->name);
	memcpy(crl.hash, p->crl->hash, sizeof(crl.hash));
	control_published_pack(&b, &crl);
	msg.body = buf_bytes(&b);
	if (b.failed != RC_OK || ipc_send(r->control, &msg) != RC_OK)
		log_event(LOG_ERROR, "crl.not_told", "file", p->name, NULL);
	buf_free(&b);
}

/* Files are read by a thread meanwhile, and the loop answers. */
static void on_looked(void *ctx)
{
	struct runtime *r = ctx;

	loop_stop(r->loop);
}

/* What a keeper that died left half written: no other is at work. */
static void remove_leftovers(void)
{
	int fd = openat(CHILD_FD_PUBLISH, ".", O_RDONLY | O_DIRECTORY);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *e;

	if (d == NULL) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((e = readdir(d)) != NULL)
		if (crl_is_temp(e->d_name))
			(void)unlinkat(CHILD_FD_PUBLISH, e->d_name, 0);
	(void)closedir(d);
}

enum rc crls_new(struct crl_plan **out, struct runtime *r, struct why *why)
{
	const struct crl_plan_opts o = { .loop = r->loop,
		.store = r->store,
		.authorities = r->authorities,
		.signer = r->signer,
		.metrics = r->metrics,
		.dir = CHILD_FD_PUBLISH,
		.actor = r->actor,
		.published = on_published,
		.looked = on_looked,
		.ctx = r };

	enum rc rc;

	if (r->args->daemon_start)
		remove_leftovers();
	rc = crl_plan_new(out, &o, why);
	return rc == RC_OK ? loop_run(r->loop) : rc;
}
