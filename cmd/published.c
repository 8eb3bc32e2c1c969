/* The supervisor's part in published CRLs: the keeper hands each over open, and
 * it goes on to the workers, also to those that start later. So a worker needs
 * no path, and serves what was there when a request came. */
#include "base/log.h"
#include "cmd/supervisor.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BODY_MAX_BYTES 1024

struct published_file {
	struct publish_crl crl;
	struct buf body; /* of CONTROL_PUBLISHED */
	int fd;
};

static void send(struct process *p, const struct published_file *f)
{
	struct ipc_msg msg = { .type = CONTROL_PUBLISHED,
		.body = buf_bytes(&f->body),
		.fds = { f->fd },
		.n_fds = 1 };
	char name[24];

	if (p->control != NULL && ipc_send(p->control, &msg) != RC_OK)
		log_event(LOG_WARN, "crl.not_told", "process",
		        process_name(p, name), "file", f->crl.name, NULL);
}

static struct published_file *place_for(
        struct published *l, const struct publish_crl *crl)
{
	struct published_file *grown;

	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->list[i].crl.name, crl->name) == 0)
			return &l->list[i];
	if (l->n == PUBLISH_CRLS_MAX)
		return NULL;
	grown = realloc(l->list, (l->n + 1) * sizeof(*l->list));
	if (grown == NULL)
		return NULL;
	l->list = grown;
	l->list[l->n] =
	        (struct published_file){ .body = BUF_INIT(BODY_MAX_BYTES),
		        .fd = -1 };
	return &l->list[l->n++];
}

void published_take(struct generation *g, const struct ipc_msg *msg)
{
	struct published_file *f;
	struct publish_crl crl;
	int fd;

	if (msg->n_fds != 1 ||
	        control_published_unpack(&crl, msg->body) != RC_OK)
		return;
	f = place_for(&g->published, &crl);
	fd = fcntl(msg->fds[0], F_DUPFD_CLOEXEC, 3);
	if (f == NULL || fd < 0) {
		log_event(LOG_ERROR, "crl.not_told", "file", crl.name, NULL);
		if (fd >= 0)
			close(fd);
		return;
	}
	if (f->fd >= 0)
		close(f->fd);
	f->fd = fd;
	f->crl = crl;
	buf_reset(&f->body);
	buf_add(&f->body, msg->body);
	for (unsigned i = 0; i < g->n_workers; i++)
		if (g->workers[i].pid > 0)
			send(&g->workers[i], f);
}

void published_tell_worker(struct process *p)
{
	const struct published *l = &p->gen->published;

	for (size_t i = 0; i < l->n; i++)
		send(p, &l->list[i]);
}

void published_clear(struct generation *g)
{
	struct published *l = &g->published;

	for (size_t i = 0; i < l->n; i++) {
		buf_free(&l->list[i].body);
		if (l->list[i].fd >= 0)
			close(l->list[i].fd);
	}
	free(l->list);
	*l = (struct published){ .n = 0 };
}
