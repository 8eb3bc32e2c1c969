/* ca/signer/serve.c - the serving signer from start to end. */
#include "ca/signer/serve.h"

#include "base/clock.h"
#include "base/ipc.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "base/rand.h"
#include "base/sandbox.h"
#include "base/text.h"
#include "ca/signer/clients.h"
#include "ca/signer/control.h"
#include "ca/signer/secret_file.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

struct server {
	const struct serve_opts *opts;
	struct buf hello; /* body of our PROTO_HELLO */
	struct loop *loop;
	struct vault *vault, *listener;
	struct rules *rules;
	struct metrics *metrics;
	struct pool *pool;
	struct clients *clients;
	struct control *control;
	struct loop_watch *terminate;
	bool failed; /* the end is not one that was asked for */
};

/* Keys must not reach swap. Where the limit does not allow it we go on: as
 * root we lift the limit, and a locked process that runs into one could not
 * even start a thread. Only pages that are used count. */
static void lock_memory(void)
{
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };

	(void)setrlimit(RLIMIT_MEMLOCK, &limit);
	if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0 ||
	        limit.rlim_cur != RLIM_INFINITY ||
	        mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0)
		log_event(LOG_INFO, "signer.memory_not_locked", NULL);
}

static enum signer_exit failed(const char *what, enum rc rc,
        const struct why *why, enum signer_exit status)
{
	log_event(LOG_ERROR, "signer.failed", "at", what, "rc",
	        rc_info(rc)->name, "why", why->text, NULL);
	return status;
}

static enum signer_exit token_status(enum rc rc)
{
	return rc == RC_NOCRED ? SIGNER_EXIT_PIN : SIGNER_EXIT_TOKEN;
}

static enum signer_exit key_status(const struct serve_key *k, enum rc rc)
{
	if (k->uri && rc != RC_PERMISSION)
		return token_status(rc);
	switch (rc) {
	case RC_PERMISSION:
		return SIGNER_EXIT_PERMISSION;
	case RC_NOCRED:
		return SIGNER_EXIT_PASSPHRASE;
	default:
		return SIGNER_EXIT_KEY;
	}
}

/* Who we are from now on. */
static enum signer_exit become(const struct serve_opts *o, pid_t parent)
{
	struct why why = WHY_NONE;
	enum rc rc;

	lock_memory();
	if (o->has_ids) {
		rc = sandbox_become(o->uid, o->gid, &why);
		if (rc)
			return failed("ids", rc, &why, SIGNER_EXIT_SANDBOX);
	}
	/* A change of uid resets it. */
	sandbox_undumpable();
	if (sandbox_die_with_parent(parent))
		return SIGNER_EXIT_OK;
	return failed("parent", RC_CLOSED, &why, SIGNER_EXIT_FAILED);
}

/* The descriptor is the supervisor's, which hands it to each signer in turn. */
static enum rc read_pin(const struct serve_opts *o, const struct serve_key *k,
        struct buf *pin, struct why *why)
{
	enum rc rc;

	if (k->pin_file)
		return secret_file_read_line(o->keys_fd, k->pin_file, pin, why);
	if (k->pin_fd < 0)
		return RC_OK;
	if (lseek(k->pin_fd, 0, SEEK_SET) != 0)
		return why_set(why, RC_IO, "the PIN's descriptor: %s",
		        strerror(errno));
	rc = secret_file_read_fd(k->pin_fd, "of the PIN", pin, why);
	secret_file_strip(pin);
	return rc;
}

static enum rc load_token_key(struct server *s, const struct serve_opts *o,
        const struct serve_key *k, struct why *why)
{
	struct buf pin = BUF_INIT(VAULT_PASSPHRASE_MAX_BYTES);
	struct buf spki = BUF_INIT(SERVE_SPKI_MAX_BYTES);
	struct vault_token_key key = { .name = k->name,
		.uri = k->uri,
		.module = k->module,
		.sessions = k->sessions,
		.expect = true };
	enum rc rc = read_pin(o, k, &pin, why);

	key.pin = buf_bytes(&pin);
	if (!rc && k->spki && base64_decode(&spki, bytes_str(k->spki)))
		rc = why_set(why, RC_MALFORMED, "--public is no base64");
	key.spki = buf_bytes(&spki);
	if (!rc)
		rc = vault_load_token(s->vault, &key, why);
	buf_wipe(&pin);
	buf_free(&spki);
	return rc;
}

static enum rc load_key(struct server *s, const struct serve_opts *o,
        const struct serve_key *k, struct why *why)
{
	enum rc rc = k->uri ? load_token_key(s, o, k, why)
	                    : vault_load(s->vault, o->keys_fd, k->name, k->file,
	                              k->passphrase_file, why);

	if (!rc && k->pss)
		rc = why_prefix(why,
		        vault_use_pss(
		                vault_at(s->vault, vault_count(s->vault) - 1),
		                why),
		        "key %s", k->name);
	return rc;
}

/* A module may hold us up for as long as it likes: the supervisor knows. */
static void tell_loading(const struct serve_opts *o, const struct serve_key *k)
{
	struct buf b = BUF_INIT(IPC_NOW_MAX_BYTES);

	proto_loading_pack(&b, k->name);
	if (b.failed ||
	        ipc_send_now(o->control_fd, PROTO_LOADING, buf_bytes(&b)))
		log_event(LOG_INFO, "signer.progress_untold", NULL);
	buf_free(&b);
}

static enum signer_exit load_keys(struct server *s, const struct serve_opts *o)
{
	const struct serve_key *k = &o->listener;
	struct why why = WHY_NONE;
	enum rc rc = vault_new(&s->vault);

	for (size_t i = 0; i < o->n_keys && !rc; i++) {
		k = &o->keys[i];
		tell_loading(o, k);
		rc = load_key(s, o, k, &why);
	}
	if (!rc)
		rc = vault_new(&s->listener);
	if (!rc && o->listener.file != NULL) {
		k = &o->listener;
		rc = vault_load(
		        s->listener, o->keys_fd, k->name, k->file, NULL, &why);
	}
	if (o->keys_fd >= 0)
		(void)close(o->keys_fd);
	for (size_t i = 0; i < o->n_keys; i++)
		if (o->keys[i].pin_fd >= 0)
			(void)close(o->keys[i].pin_fd);
	return rc ? failed("keys", rc, &why, key_status(k, rc))
	          : SIGNER_EXIT_OK;
}

static void on_idle(void *ctx)
{
	struct server *s = ctx;

	loop_stop(s->loop);
}

static void drain(struct server *s)
{
	if (s->clients)
		clients_drain(s->clients);
	else
		loop_stop(s->loop);
}

static void on_stop(void *ctx)
{
	log_event(LOG_NOTICE, "signer.stopping", NULL);
	drain(ctx);
}

static void on_lost(void *ctx)
{
	struct server *s = ctx;

	s->failed = true;
	drain(s);
}

/* No thread may be waited for any more, and nothing freed that one of them has:
 * the end is at once. Clients send again what was not answered. */
static void on_dead(void *ctx, enum rc rc, const struct why *why)
{
	(void)ctx;
	_exit((int)failed("token", rc, why, token_status(rc)));
}

static void on_away(void *ctx)
{
	struct server *s = ctx;

	if (s->control)
		control_tell_away(s->control, s->pool);
}

/* Clients are heard from the first policy on. What they sent before waits in
 * their sockets: answered without a policy, it would be refused for good. */
static void on_ruled(void *ctx)
{
	struct server *s = ctx;
	struct clients_opts o = { s->loop, s->rules, s->pool, s->metrics,
		s->opts->client_fds, s->opts->keepers, s->opts->n_clients,
		on_idle, s };

	if (s->clients)
		return;
	if (clients_new(&s->clients, &o)) {
		log_event(LOG_ERROR, "signer.failed", "at", "clients", NULL);
		on_lost(s);
		return;
	}
	clients_tell(s->clients, PROTO_HELLO, buf_bytes(&s->hello));
}

static enum rc open_metrics(struct server *s, const struct serve_opts *o)
{
	enum rc rc;

	if (o->metrics_fd < 0)
		return RC_OK;
	rc = metrics_map(&s->metrics, o->metrics_fd, o->metrics_row);
	(void)close(o->metrics_fd);
	return rc;
}

static enum rc open_control(struct server *s, const struct serve_opts *o)
{
	struct control_opts control = { s->loop, s->vault, s->listener,
		s->rules, o->control_fd, on_ruled, on_stop, on_lost, s };
	enum rc rc = control_new(&s->control, &control);

	if (!rc)
		rc = loop_watch_new_signal(
		        &s->terminate, s->loop, SIGTERM, on_stop, s);
	return rc;
}

/* The filter first: a thread inherits it. */
static enum signer_exit set_up(struct server *s, const struct serve_opts *o)
{
	struct pool_opts pool = { .vault = s->vault,
		.n_threads = o->threads,
		.done = clients_done,
		.dead = on_dead,
		.away = on_away,
		.ctx = s };
	struct why why = WHY_NONE;
	enum rc rc = open_metrics(s, o);

	if (!rc)
		rc = loop_new(&s->loop);
	if (!rc)
		rc = rules_new(&s->rules, s->vault);
	if (rc)
		return failed("set-up", rc, &why, SIGNER_EXIT_FAILED);
	loop_measure(s->loop, s->metrics);
	rc = sandbox_enter(vault_tokens(s->vault) > 0 ? SANDBOX_SIGNER_TOKENS
	                                              : SANDBOX_SIGNER,
	        NULL, 0, &why);
	if (rc)
		return failed("sandbox", rc, &why, SIGNER_EXIT_SANDBOX);
	pool.loop = s->loop;
	pool.rules = s->rules;
	pool.metrics = s->metrics;
	rc = pool_new(&s->pool, &pool);
	if (!rc)
		rc = open_control(s, o);
	return rc ? failed("set-up", rc, &why, SIGNER_EXIT_FAILED)
	          : SIGNER_EXIT_OK;
}

static void say_hello(struct server *s)
{
	struct proto_hello hello = { 0, PROTO_VERSION };

	rand_fill(&hello.generation, sizeof(hello.generation));
	proto_hello_pack(&s->hello, &hello);
	control_tell(s->control, PROTO_HELLO, buf_bytes(&s->hello));
}

static void tear_down(struct server *s, enum signer_exit status)
{
	loop_watch_free(s->terminate);
	clients_free(s->clients);
	control_free(s->control);
	if (!pool_free(s->pool)) {
		log_event(LOG_WARN, "signer.module_hangs", NULL);
		_exit((int)status);
	}
	rules_free(s->rules);
	vault_free(s->vault);
	vault_free(s->listener);
	loop_free(s->loop);
	metrics_unmap(s->metrics);
	buf_free(&s->hello);
}

enum signer_exit serve(const struct serve_opts *o, pid_t parent)
{
	struct server s = { .opts = o, .hello = BUF_INIT(64) };
	struct log_num keys, threads;
	enum signer_exit status = become(o, parent);

	if (!status)
		status = load_keys(&s, o);
	if (!status)
		status = set_up(&s, o);
	if (!status) {
		say_hello(&s);
		log_event(LOG_NOTICE, "signer.ready", "keys",
		        log_i64(&keys, (long long)vault_count(s.vault)),
		        "threads", log_i64(&threads, o->threads), NULL);
		if (loop_run(s.loop) || s.failed)
			status = SIGNER_EXIT_FAILED;
	}
	tear_down(&s, status);
	return status;
}
