/* One configuration: its sockets, its processes, their order. */
#include "cmd/supervisor.h"
#include "base/log.h"
#include "ca/policy.h"
#include "cmd/files.h"
#include "enroll/trust.h"
#include "net/listen.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define POLICY_MAX_BYTES (16u << 20)
#define TLS_MAX_BYTES (256u << 10)

void conf_errors_log(const char *path, const struct conf_errors *e)
{
	for (size_t i = 0; i < e->n; i++) {
		const struct conf_error *x = &e->list[i];
		struct log_num line, column;

		if (x->line == 0) { /* of the file as a whole */
			log_event(LOG_ERROR, "config", "file", path, "why",
			        x->text, NULL);
			continue;
		}
		log_event(LOG_ERROR, "config", "file", path, "line",
		        log_i64(&line, x->line), "column",
		        log_i64(&column, x->column), "option", x->path, "why",
		        x->text, NULL);
	}
}

/* --- sockets */
static void ports_close(struct ports *p)
{
	for (unsigned i = 0; i < p->n; i++)
		if (p->fds[i] >= 0)
			close(p->fds[i]);
	p->n = 0;
}

/* SO_REUSEPORT would let two daemons share a port, and each of their devices
 * would meet one CA or the other. */
static enum rc port_is_free(const struct net_addr *addr, struct why *why)
{
	enum rc rc;
	int fd;

	if (addr->port == 0)
		return RC_OK;
	rc = listen_tcp(&fd, addr, false, NULL, why);
	if (rc == RC_OK)
		close(fd);
	return rc;
}

/* Port 0 is the kernel's choice once: all sockets share what the first got. */
static enum rc ports_open(struct ports *p, const char *address, unsigned n,
        bool first, const char *what, struct why *why)
{
	struct net_addr want, bound;
	enum rc rc;

	p->n = 0;
	snprintf(p->address, sizeof(p->address), "%s", address);
	if (address[0] == '\0')
		return RC_OK;
	rc = net_addr_parse(&want, address, why);
	if (rc == RC_OK && first)
		rc = port_is_free(&want, why);
	for (unsigned i = 0; rc == RC_OK && i < n; i++) {
		rc = listen_tcp(&p->fds[i], &want, true, &bound, why);
		if (rc != RC_OK)
			break;
		want.port = bound.port;
		p->n++;
	}
	if (rc != RC_OK) {
		ports_close(p);
		return why_prefix(why, rc, "listen.%s", what);
	}
	return RC_OK;
}

static enum rc port_reopen(struct ports *p, unsigned w, struct why *why)
{
	struct net_addr addr;
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	enum rc rc;

	if (p->n == 0 || p->fds[w] >= 0)
		return RC_OK;
	rc = net_addr_parse(&addr, p->address, why);
	if (rc != RC_OK)
		return rc;
	for (unsigned i = 0; i < p->n; i++)
		if (p->fds[i] >= 0 &&
		        getsockname(p->fds[i], (struct sockaddr *)&sa, &len) ==
		                0) {
			net_addr_from(&addr, &sa);
			break;
		}
	return listen_tcp(&p->fds[w], &addr, true, NULL, why);
}

/* Those of a worker that kept dying are closed: the new one gets new ones. */
static enum rc ports_share(
        struct ports *p, const struct ports *before, struct why *why)
{
	enum rc rc = RC_OK;

	*p = *before;
	for (unsigned i = 0; i < p->n; i++)
		p->fds[i] = before->fds[i] < 0 ? -1 : dup(before->fds[i]);
	for (unsigned i = 0; rc == RC_OK && i < p->n; i++)
		rc = port_reopen(p, i, why);
	if (rc != RC_OK)
		ports_close(p);
	return rc;
}

static enum rc ports_get(struct ports *p, const char *address, unsigned n,
        const struct ports *before, const char *what, struct why *why)
{
	if (before != NULL && strcmp(before->address, address) == 0 &&
	        before->n == n)
		return ports_share(p, before, why);
	return ports_open(p, address, n, before == NULL, what, why);
}

void generation_close_ports(struct generation *g, unsigned w)
{
	struct ports *const both[] = { &g->est, &g->http };

	for (unsigned i = 0; i < 2; i++)
		if (both[i]->n > 0 && both[i]->fds[w] >= 0) {
			close(both[i]->fds[w]);
			both[i]->fds[w] = -1;
		}
}

enum rc generation_open_ports(struct generation *g, unsigned w, struct why *why)
{
	enum rc rc = g->est_off ? RC_OK : port_reopen(&g->est, w, why);

	return rc != RC_OK ? rc : port_reopen(&g->http, w, why);
}

static enum rc single_open(int *fd, const char *address, struct why *why)
{
	struct net_addr addr;
	enum rc rc;

	if (address[0] == '\0')
		return RC_OK;
	rc = net_addr_parse(&addr, address, why);
	if (rc == RC_OK)
		rc = listen_tcp(fd, &addr, false, NULL, why);
	return rc == RC_OK ? RC_OK : why_prefix(why, rc, "listen.metrics");
}

/* Anyone may connect: the admin API asks the kernel who it is. */
static enum rc admin_open(
        struct generation *g, const struct generation *before, struct why *why)
{
	if (before != NULL &&
	        strcmp(before->conf->admin_socket, g->conf->admin_socket) ==
	                0) {
		g->admin_fd = dup(before->admin_fd);
		return RC_OK;
	}
	return listen_unix(&g->admin_fd, g->conf->admin_socket, 0666, why);
}

static enum rc sockets_open(
        struct generation *g, const struct generation *before, struct why *why)
{
	const struct conf_listen *l = &g->conf->listen;
	enum rc rc = ports_get(&g->est, l->est, g->n_workers,
	        before != NULL ? &before->est : NULL, "est", why);

	if (rc == RC_OK)
		rc = ports_get(&g->http, l->http, g->n_workers,
		        before != NULL ? &before->http : NULL, "http", why);
	if (rc == RC_OK && before != NULL && before->prometheus_fd >= 0 &&
	        strcmp(before->conf->listen.metrics, l->metrics) == 0)
		g->prometheus_fd = dup(before->prometheus_fd);
	else if (rc == RC_OK)
		rc = single_open(&g->prometheus_fd, l->metrics, why);
	if (rc == RC_OK)
		rc = admin_open(g, before, why);
	return rc;
}

static void sockets_close(struct generation *g)
{
	ports_close(&g->est);
	ports_close(&g->http);
	if (g->admin_fd >= 0)
		close(g->admin_fd);
	if (g->prometheus_fd >= 0)
		close(g->prometheus_fd);
	g->admin_fd = g->prometheus_fd = -1;
}

static void log_listener(const char *what, int fd)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	struct net_addr addr;
	char text[NET_ADDR_TEXT_BYTES];

	if (fd < 0 || getsockname(fd, (struct sockaddr *)&sa, &len) != 0)
		return;
	net_addr_from(&addr, &sa);
	log_event(LOG_NOTICE, "listen", "what", what, "address",
	        net_addr_text(text, &addr), NULL);
}

static void log_listeners(const struct generation *g)
{
	log_listener("est", g->est.n > 0 ? g->est.fds[0] : -1);
	log_listener("http", g->http.n > 0 ? g->http.fds[0] : -1);
	log_listener("metrics", g->prometheus_fd);
}

static enum rc sockets_open_at_start(struct generation *g, struct why *why)
{
	const struct timespec pause = { 0, 1000000000 / START_TRIES_A_S };
	enum rc rc = RC_EXISTS;

	for (int i = 0; rc == RC_EXISTS && i < START_WAIT_S * START_TRIES_A_S;
	        i++) {
		if (i > 0)
			nanosleep(&pause, NULL);
		rc = sockets_open(g, NULL, why);
		if (rc != RC_OK)
			sockets_close(g);
	}
	return rc;
}

/* --- making one */
static enum rc compile_policy(
        const struct conf *c, uint32_t number, struct buf *out, struct why *why)
{
	struct authorities *a = NULL;
	struct profiles *p = NULL;
	struct policy_set *set = NULL;
	const struct proto_policy_item *items;
	size_t n;
	enum rc rc = authorities_new(&a, c, why);

	if (rc == RC_OK)
		rc = profiles_new(&p, c, a, why);
	if (rc == RC_OK)
		rc = trust_check(c, why);
	if (rc == RC_OK)
		rc = policy_compile(&set, c, a, p, why);
	if (rc == RC_OK) {
		items = policy_items(set, &n);
		proto_policy_pack(out, number, items, n);
		rc = out->failed;
	}
	policy_free(set);
	profiles_free(p);
	authorities_free(a);
	return rc;
}

enum rc generation_check(const struct conf *c, struct why *why)
{
	struct buf policy = BUF_INIT(POLICY_MAX_BYTES);
	enum rc rc = compile_policy(c, 1, &policy, why);

	buf_free(&policy);
	return rc;
}

/* The same configuration again, whatever stands in the file by now. */
static enum rc load_again(
        struct generation *g, const struct generation *before, struct why *why)
{
	struct conf_errors *e = calloc(1, sizeof(*e));
	struct bytes bundle;
	enum rc rc = e == NULL
	        ? RC_NOMEM
	        : ipc_memfd_map(before->bundle_fd, POLICY_MAX_BYTES, &bundle);

	if (rc == RC_OK) {
		rc = conf_load_bundle(&g->conf, bundle, e);
		ipc_memfd_unmap(bundle);
	}
	g->bundle_fd = dup(before->bundle_fd);
	free(e);
	return rc == RC_OK && g->bundle_fd >= 0
	        ? RC_OK
	        : why_set(why, RC_IO, "the configuration in memory");
}

static enum rc load(struct generation *g, struct why *why)
{
	struct buf bundle = BUF_INIT(POLICY_MAX_BYTES);
	struct conf_errors *e = calloc(1, sizeof(*e));
	const char *path = g->sup->conf_path;
	enum rc rc = e == NULL ? RC_NOMEM : conf_bundle(path, &bundle, e);

	if (rc == RC_OK)
		rc = conf_load_bundle(&g->conf, buf_bytes(&bundle), e);
	if (rc == RC_CONFIG) {
		conf_errors_log(path, e);
		why_set(why, rc, "%s has errors", path);
	}
	if (rc == RC_OK) {
		g->bundle_fd = ipc_memfd("mica-conf", buf_bytes(&bundle));
		if (g->bundle_fd < 0)
			rc = why_set(why, RC_IO, "memfd_create failed");
	}
	buf_wipe(&bundle); /* secrets are in it */
	free(e);
	return rc;
}

static unsigned workers_wanted(const struct conf *c)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned n = c->workers != 0 ? c->workers
	        : cores > 0          ? (unsigned)cores
	                             : 1;

	return n > WORKERS_MAX ? WORKERS_MAX : n;
}

static bool same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* The signer reads its keys once, before it closes its doors. */
static bool same_keys(const struct conf *a, const struct conf *b)
{
	if (a->n_keys != b->n_keys ||
	        !same_text(a->listen.est_key, b->listen.est_key))
		return false;
	for (size_t i = 0; i < a->n_keys; i++) {
		const struct conf_key *x = &a->keys[i], *y = &b->keys[i];

		if (!same_text(x->name, y->name) ||
		        !same_text(x->file, y->file) ||
		        !same_text(x->passphrase_file, y->passphrase_file) ||
		        !same_text(x->uri, y->uri) ||
		        !same_text(x->module, y->module) ||
		        !same_text(x->pin, y->pin) ||
		        x->sessions != y->sessions || x->padding != y->padding)
			return false;
	}
	return true;
}

/* What the processes hold open from the start cannot change under them. */
static enum rc check_unchanged(const struct generation *g,
        const struct generation *before, struct why *why)
{
	const struct conf *a = g->conf, *b = before->conf;
	const char *what = NULL;

	if (strcmp(a->store.path, b->store.path) != 0 ||
	        a->store.size_bytes != b->store.size_bytes)
		what = "store.lmdb";
	else if (strcmp(a->keys_dir, b->keys_dir) != 0)
		what = "process.keys";
	else if (strcmp(a->publish_path, b->publish_path) != 0)
		what = "publish.path";
	else if (strcmp(a->user, b->user) != 0 ||
	        strcmp(a->signer_user, b->signer_user) != 0)
		what = "process.user";
	else if (g->n_workers != before->n_workers)
		what = "process.workers";
	else if (!same_keys(a, b))
		what = "keys";
	if (what != NULL)
		return why_set(why, RC_CONFIG,
		        "%s changed: that takes a restart", what);
	return RC_OK;
}

static void processes_init(struct generation *g)
{
	g->keeper = (struct process){ .sup = g->sup,
		.gen = g,
		.kind = PROCESS_KEEPER,
		.row = 2 + g->set };
	for (unsigned i = 0; i < g->n_workers; i++)
		g->workers[i] = (struct process){ .sup = g->sup,
			.gen = g,
			.kind = PROCESS_WORKER,
			.index = i,
			.row = 4 + 2 * i + g->set };
}

/* What a worker cannot have open it refuses: better told now than then. */
static void warn_of_connections(const struct generation *g)
{
	uint32_t all = g->conf->limits.connections;
	uint32_t wanted = (all + g->n_workers - 1) / g->n_workers;
	uint32_t served = files_connections(wanted);
	struct log_num configured, possible;

	if (served < wanted)
		log_event(LOG_WARN, "limits.connections", "configured",
		        log_i64(&configured, all), "served",
		        log_i64(&possible, (int64_t)served * g->n_workers),
		        "why",
		        "each is an open file, and the hard limit of those "
		        "leaves room for no more: raise it (ulimit -Hn, or "
		        "LimitNOFILE of systemd)",
		        NULL);
}

static void warn_of_configuration(const struct generation *g)
{
	char text[CONF_WARNING_BYTES];

	for (size_t i = 0; conf_warning(g->conf, i, text); i++)
		log_event(LOG_WARN, "config.warning", "why", text, NULL);
}

/* What is counted by a label of the configuration. */
static void name_labels(const struct generation *g)
{
	const struct conf *c = g->conf;

	for (size_t i = 0; i < c->n_scep; i++)
		if ((c->scep[i].legacy & CONF_LEGACY_SHARED_CHALLENGE) != 0 &&
		        !metrics_name(g->sup->metrics, c->scep[i].label))
			log_event(LOG_WARN, "metrics.full", "label",
			        c->scep[i].label, NULL);
}

enum rc generation_new(struct generation **out, struct supervisor *s,
        const struct generation *before, bool reread)
{
	struct generation *g = calloc(1, sizeof(*g));
	struct why why = WHY_NONE;
	enum rc rc;

	*out = NULL;
	if (g == NULL)
		return RC_NOMEM;
	*g = (struct generation){ .sup = s,
		.number = s->last_number + 1,
		.set = before != NULL ? 1 - before->set : 0,
		.bundle_fd = -1,
		.tls_fd = -1,
		.admin_fd = -1,
		.prometheus_fd = -1,
		.policy = BUF_INIT(POLICY_MAX_BYTES),
		.signer_keys = BUF_INIT(POLICY_MAX_BYTES),
		.tls_spki = BUF_INIT(TLS_MAX_BYTES),
		.tls_key = BUF_INIT(TLS_MAX_BYTES),
		.tls_chain = BUF_INIT(TLS_MAX_BYTES) };
	rc = reread ? load(g, &why) : load_again(g, before, &why);
	if (rc == RC_OK) {
		g->n_workers = workers_wanted(g->conf);
		rc = compile_policy(g->conf, g->number, &g->policy, &why);
		if (rc == RC_OK)
			rc = responders_init(g);
		if (rc == RC_OK)
			rc = ras_init(g);
	}
	if (rc == RC_OK && before != NULL)
		rc = check_unchanged(g, before, &why);
	if (rc == RC_OK)
		rc = before != NULL ? sockets_open(g, before, &why)
		                    : sockets_open_at_start(g, &why);
	if (rc != RC_OK) {
		log_event(LOG_ERROR, "config.refused", "why",
		        why.text[0] != '\0' ? why.text : rc_info(rc)->text,
		        NULL);
		generation_free(g);
		return rc;
	}
	log_listeners(g);
	warn_of_connections(g);
	warn_of_configuration(g);
	name_labels(g);
	processes_init(g);
	s->last_number = g->number;
	*out = g;
	return RC_OK;
}

void generation_free(struct generation *g)
{
	if (g == NULL)
		return;
	process_close(&g->keeper);
	for (unsigned i = 0; i < g->n_workers; i++)
		process_close(&g->workers[i]);
	sockets_close(g);
	if (g->bundle_fd >= 0)
		close(g->bundle_fd);
	if (g->tls_fd >= 0)
		close(g->tls_fd);
	responders_clear(g);
	ras_clear(g);
	published_clear(g);
	buf_free(&g->policy);
	buf_free(&g->signer_keys);
	buf_free(&g->tls_spki);
	buf_wipe(&g->tls_key);
	buf_free(&g->tls_chain);
	conf_free(g->conf);
	free(g);
}

/* --- bringing it up: signer, TLS key, keeper, certificate, workers */
static void start_keeper(struct generation *g)
{
	struct why why = WHY_NONE;

	/* What the signer answers may come after the order to stop. */
	if (g->leaving || g->sup->stopping)
		return;
	if (g->keeper.pid == 0 && process_start(&g->keeper, &why) != RC_OK)
		supervisor_fail(g->sup, "keeper", why.text);
}

/* Once the keeper, and what they are to be given, are there. */
void generation_start_workers(struct generation *g)
{
	struct buf b = BUF_INIT(TLS_MAX_BYTES * 2);
	struct why why = WHY_NONE;

	if (g->leaving || g->sup->stopping || g->started || !g->ruled ||
	        !g->keeper.ready || !responders_answered(g) ||
	        (g->est.n > 0 && !g->est_off && g->tls_chain.n == 0))
		return;
	g->started = true;
	if (g->est.n > 0 && !g->est_off) {
		control_tls_pack(&b, buf_bytes(&g->tls_chain),
		        buf_bytes(&g->tls_key), g->sup->ticket_secret);
		g->tls_fd = b.failed == RC_OK
		        ? ipc_memfd("mica-tls", buf_bytes(&b))
		        : -1;
		buf_wipe(&b);
		if (g->tls_fd < 0) {
			supervisor_fail(g->sup, "workers", "memfd failed");
			return;
		}
	}
	for (unsigned i = 0; i < g->n_workers; i++)
		if (process_start(&g->workers[i], &why) != RC_OK) {
			supervisor_fail(g->sup, "workers", why.text);
			return;
		}
}

void generation_signer_ready(struct generation *g)
{
	g->ruled = true;
	if (g->serving || (g->est.n > 0 && g->tls_spki.n > 0))
		return;
	if (g->est.n > 0)
		supervisor_want_tls_key(g->sup, g);
	else
		start_keeper(g);
	generation_start_workers(g);
}

void generation_signer_late(struct generation *g)
{
	if (!g->serving)
		start_keeper(g);
}

static void tell_tls_key(struct generation *g)
{
	bool wants_cert =
	        g->est.n > 0 && g->tls_spki.n > 0 && g->tls_chain.n == 0;

	if (wants_cert &&
	        process_send(&g->keeper, CONTROL_TLS_KEY,
	                buf_bytes(&g->tls_spki)) != RC_OK)
		supervisor_fail(g->sup, "keeper", "cannot be reached");
}

/* key_pem empty: not the signer's to give; chain_pem not empty: configured. */
void generation_tls_key(
        struct generation *g, struct bytes spki, struct bytes key_pem)
{
	if (g->tls_key.n > 0)
		return;
	buf_add(&g->tls_spki, spki);
	buf_add(&g->tls_key, key_pem);
	if (g->conf->listen.est_certificate.path != NULL)
		buf_add(&g->tls_chain, g->conf->listen.est_certificate.content);
	start_keeper(g);
	if (g->keeper.ready)
		tell_tls_key(g);
	generation_start_workers(g);
}

static void check_all_ready(struct generation *g)
{
	if (g->serving || !g->keeper.ready)
		return;
	for (unsigned i = 0; i < g->n_workers; i++)
		if (!g->workers[i].ready)
			return;
	g->serving = true;
	supervisor_generation_up(g->sup, g);
}

static void keeper_ready(struct generation *g)
{
	struct supervisor *s = g->sup;
	struct buf b = BUF_INIT(16);

	for (unsigned i = 0; i < s->n_dead_slots; i++) {
		buf_reset(&b);
		pack_u64(&b, s->dead_slots[i]);
		if (process_send(&g->keeper, CONTROL_SLOT_DEAD,
		            buf_bytes(&b)) != RC_OK)
			break;
	}
	buf_free(&b);
	tell_tls_key(g);
	responders_tell_keeper(g);
	supervisor_tell_away(s);
	code_keys_tell_keeper(g);
	generation_start_workers(g);
}

static void tls_cert(struct generation *g, struct bytes chain_pem)
{
	if (g->tls_chain.n > 0)
		return;
	buf_add(&g->tls_chain, chain_pem);
	if (g->est_off) {
		supervisor_rotate(g->sup);
		return;
	}
	loop_timer_set_ms(
	        g->sup->rotate, g->conf->listen.est_validity_s * 1000 * 2 / 3);
	generation_start_workers(g);
}

/* A full disk, a clock behind its floor, an issuer that expired: revocations
 * and what was published are served all the same. Processes that come up by the
 * side of others leave the serving to these. */
static void tls_none(struct generation *g)
{
	if (g->tls_chain.n > 0)
		return;
	if (g != g->sup->now) {
		supervisor_generation_stuck(g->sup, g);
		return;
	}
	if (g->serving || g->est_off)
		return;
	log_event(LOG_ERROR, "est.off", "why",
	        "no certificate for its listener; it is tried for again", NULL);
	g->est_off = true;
	/* A socket that nobody reads would keep devices waiting. */
	for (unsigned i = 0; i < g->est.n; i++) {
		close(g->est.fds[i]);
		g->est.fds[i] = -1;
	}
	generation_start_workers(g);
}

void generation_message(
        struct generation *g, struct process *p, const struct ipc_msg *msg)
{
	struct unpack u = unpack_of(msg->body);
	bool keeper = p->kind == PROCESS_KEEPER;

	switch (msg->type) {
	case CONTROL_READY:
		p->slot = unpack_u64(&u);
		p->ready = true;
		if (keeper)
			keeper_ready(g);
		check_all_ready(g);
		supervisor_tell_processes(g->sup);
		break;
	case CONTROL_SLOT_CLEARED:
		if (keeper)
			supervisor_slot_cleared(g->sup, unpack_u64(&u));
		break;
	case CONTROL_PUBLISHED:
		if (keeper)
			published_take(g, msg);
		break;
	case CONTROL_RESPONDER:
		if (keeper) {
			responders_cert(g, msg->body);
			generation_start_workers(g);
		}
		break;
	case CONTROL_RA:
		if (keeper)
			ras_cert(g, msg->body);
		break;
	case CONTROL_RESPONDER_RENEW:
		if (keeper)
			responders_renew(g, msg->body);
		break;
	case CONTROL_TLS_CERT:
		if (keeper)
			tls_cert(g, msg->body);
		break;
	case CONTROL_FLOOR:
		if (keeper)
			supervisor_floor(g->sup, (int64_t)unpack_u64(&u));
		break;
	case CONTROL_TLS_NONE:
		if (keeper)
			tls_none(g);
		break;
	default:
		break;
	}
	for (unsigned i = 0; i < msg->n_fds; i++)
		close(msg->fds[i]);
}

/* --- letting it go */
bool generation_running(const struct generation *g)
{
	if (g->keeper.pid != 0)
		return true;
	for (unsigned i = 0; i < g->n_workers; i++)
		if (g->workers[i].pid != 0)
			return true;
	return false;
}

/* Workers first: what they finish may still need the keeper. */
void generation_leave(struct generation *g)
{
	bool any = false;

	g->leaving = true;
	for (unsigned i = 0; i < g->n_workers; i++) {
		any = any || g->workers[i].pid != 0;
		if (!g->workers[i].leaving)
			process_leave(&g->workers[i]);
	}
	if (!any && !g->keeper.leaving)
		process_leave(&g->keeper);
}

void generation_kill(struct generation *g)
{
	g->leaving = true;
	for (unsigned i = 0; i < g->n_workers; i++)
		process_kill(&g->workers[i]);
	process_kill(&g->keeper);
}
