#include "cmd/runtime.h"
#include "base/log.h"
#include "cmd/supervisor.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define BUNDLE_MAX_BYTES (64u << 20)

static enum rc load_conf(struct runtime *r, struct why *why)
{
	struct conf_errors *e = calloc(1, sizeof(*e));
	struct bytes bundle;
	enum rc rc = e == NULL
	        ? RC_NOMEM
	        : ipc_memfd_map(CHILD_FD_BUNDLE, BUNDLE_MAX_BYTES, &bundle);

	if (rc == RC_OK) {
		rc = conf_load_bundle(&r->conf, bundle, e);
		ipc_memfd_unmap(bundle);
	}
	free(e);
	/* The supervisor read the same bytes and found them good. */
	return rc == RC_OK ? rc
	                   : why_set(why, rc, "inherited configuration: %s",
	                             rc_info(rc)->text);
}

static enum rc watch_signals(struct runtime *r, loop_fn *on_stop, void *ctx)
{
	enum rc rc = loop_watch_new_signal(
	        &r->sigterm, r->loop, SIGTERM, on_stop, ctx);

	/* A terminal's ^C reaches every process: the supervisor decides. */
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	return rc;
}

static void on_control(void *ctx, const struct ipc_msg *msg)
{
	struct runtime *r = ctx;

	if (msg->type == CONTROL_DRAIN)
		r->on_stop(r->ctx);
	else if (r->on_control != NULL)
		r->on_control(r->ctx, msg);
	for (unsigned i = 0; i < msg->n_fds; i++)
		close(msg->fds[i]);
}

/* Nobody is left to finish anything for; the kernel is about to kill this
 * process as well. What is in flight holds callbacks into all that an orderly
 * end would free. */
static void on_control_dead(void *ctx, const struct why *why)
{
	(void)ctx;
	log_event(LOG_ERROR, "control.lost", "why", why->text, NULL);
	_exit(1);
}

static enum rc open_store(struct runtime *r, struct why *why)
{
	char path[64];
	struct store_opts o = { .path = path,
		.size_bytes = r->conf->store.size_bytes,
		.create = r->args->role == CHILD_KEEPER,
		.index_keys = r->conf->store.index_keys,
		.low_bytes = r->conf->store.low_bytes,
		.halt = &r->shared->store_halt,
		.metrics = r->metrics };
	enum rc rc;

	for (size_t i = 0; i < r->conf->n_profiles; i++) {
		int64_t us = r->conf->profiles[i].backdate_s * 1000000;
		if (us > o.backdate_us)
			o.backdate_us = us;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", CHILD_FD_STORE);
	rc = store_open(&r->store, &o, r->loop, why);
	return rc == RC_OK
	        ? RC_OK
	        : why_prefix(why, rc, "store %s", r->conf->store.path);
}

enum rc runtime_open(struct runtime *r, const struct child_args *args,
        ipc_fn *handler, loop_fn *on_stop, void *ctx, struct why *why)
{
	bool keeper = args->role == CHILD_KEEPER;
	char name[24];
	enum rc rc;

	*r = (struct runtime){ .args = args,
		.on_control = handler,
		.on_stop = on_stop,
		.ctx = ctx };
	if (keeper)
		snprintf(name, sizeof(name), "keeper");
	else
		snprintf(name, sizeof(name), "worker-%u", args->index + 1);
	snprintf(r->actor, sizeof(r->actor), "system %s", name);
	log_open(name, LOG_INFO, LOG_TEXT);
	sandbox_undumpable();
	if (!sandbox_die_with_parent((pid_t)args->parent))
		return why_set(why, RC_CLOSED, "the supervisor is gone");
	rc = load_conf(r, why);
	if (rc != RC_OK)
		return rc;
	log_open(name, r->conf->log_level, r->conf->log_form);
	rc = loop_new(&r->loop);
	if (rc == RC_OK)
		rc = watch_signals(r, on_stop, ctx);
	if (rc == RC_OK)
		rc = metrics_map(
		        &r->metrics, CHILD_FD_METRICS, args->metrics_row);
	if (rc == RC_OK)
		loop_measure(r->loop, r->metrics);
	if (rc == RC_OK && (r->shared = shared_map(CHILD_FD_SHARED)) == NULL)
		rc = RC_IO;
	if (rc == RC_OK)
		rc = ipc_new(&r->control, r->loop, CHILD_FD_CONTROL, on_control,
		        on_control_dead, r);
	if (rc == RC_OK)
		rc = open_store(r, why);
	if (rc == RC_OK)
		rc = authorities_new(&r->authorities, r->conf, why);
	return rc;
}

enum rc runtime_open_ca(struct runtime *r, struct why *why)
{
	struct issuer_opts io = { .loop = r->loop,
		.store = r->store,
		.metrics = r->metrics,
		.retry_window_us = r->conf->retry_window_s * 1000000 };
	struct authorizer_opts ao = { .store = r->store,
		.approve_life_us = r->conf->approve_life_s * 1000000 };
	enum rc rc = authorities_resolve(r->authorities, r->store, why);

	if (rc == RC_OK)
		rc = profiles_new(&r->profiles, r->conf, r->authorities, why);
	if (rc == RC_OK)
		rc = trust_new(&r->trust, r->conf, r->store, why);
	if (rc == RC_OK)
		rc = signer_client_new(
		        &r->signer, r->loop, CHILD_FD_SIGNER, r->metrics);
	io.signer = r->signer;
	io.profiles = r->profiles;
	if (rc == RC_OK)
		rc = issuer_new(&r->issuer, &io);
	ao.authorities = r->authorities;
	ao.trust = r->trust;
	if (rc == RC_OK)
		rc = authorizer_new(&r->authorizer, &ao);
	return rc;
}

enum rc runtime_tell(struct runtime *r, uint16_t type, struct bytes body)
{
	struct ipc_msg msg = { .type = type, .body = body };

	return ipc_send(r->control, &msg);
}

enum rc runtime_ready(struct runtime *r)
{
	struct buf b = BUF_INIT(16);
	enum rc rc;

	pack_u64(&b, store_slot(r->store));
	rc = b.failed != RC_OK ? b.failed
	                       : runtime_tell(r, CONTROL_READY, buf_bytes(&b));
	buf_free(&b);
	return rc;
}

void runtime_close(struct runtime *r)
{
	authorizer_free(r->authorizer);
	issuer_free(r->issuer);
	signer_client_free(r->signer);
	store_close(r->store);
	trust_free(r->trust);
	profiles_free(r->profiles);
	authorities_free(r->authorities);
	ipc_free(r->control);
	metrics_unmap(r->metrics);
	loop_watch_free(r->sigterm);
	loop_free(r->loop);
	conf_free(r->conf);
}
