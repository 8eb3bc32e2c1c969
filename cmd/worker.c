#include "cmd/worker.h"
#include "base/log.h"
#include "cmd/files.h"
#include "cmd/runtime.h"
#include "enroll/est.h"
#include "enroll/scep.h"
#include "net/http.h"
#include "net/limit.h"
#include "net/listen.h"
#include "ocsp/publish.h"
#include "ocsp/responder.h"
#include <string.h>
#include <unistd.h>

#define TLS_MEMFD_MAX_BYTES (1u << 20)
/* What one worker remembers of whom it served lately. */
#define RATE_SLOTS 16384

/* OCSP, CRLs, CA certificates, SCEP. */
#define PLAIN_ROUTES_MAX 32

struct worker {
	struct runtime r;
	struct tls_server *tls;
	struct limit *rate;
	struct est *est;
	struct limit *scep_rate;
	struct scep *scep;
	struct limit *ocsp_rate;
	struct responder *responder;
	struct publish *publish;
	struct http_route routes[PLAIN_ROUTES_MAX];
	struct http_server *http;
	struct http_routes plain; /* of the listener without TLS */
	struct loop_timer *pending;
	bool draining;
};

/* Requests are answered, but an intent may still be on its way to T2. */
static void finish(void *ctx)
{
	struct worker *w = ctx;

	if (issuer_pending(w->r.issuer) == 0 &&
	        (w->responder == NULL || responder_pending(w->responder) == 0))
		loop_stop(w->r.loop);
	else
		loop_timer_set_ms(w->pending, 20);
}

static void on_stop(void *ctx)
{
	struct worker *w = ctx;

	if (w->draining)
		return;
	w->draining = true;
	/* Told so while it starts: that comes to its end first. */
	if (w->http != NULL)
		http_server_drain(w->http, finish, w);
}

static enum rc open_tls(struct worker *w, struct why *why)
{
	struct tls_conf tc = { .n_anchors = 0 };
	struct bytes map, secret;
	enum rc rc = ipc_memfd_map(CHILD_FD_TLS, TLS_MEMFD_MAX_BYTES, &map);

	if (rc != RC_OK)
		return why_set(why, rc, "inherited TLS identity");
	rc = control_tls_unpack(map, &tc.chain_pem, &tc.key_pem, &secret);
	if (rc == RC_OK) {
		memcpy(tc.ticket_secret, secret.p, sizeof(tc.ticket_secret));
		tc.anchors = trust_tls_anchors(w->r.trust, &tc.n_anchors);
		rc = tls_server_new(&w->tls, &tc, why);
		bytes_wipe(tc.ticket_secret, sizeof(tc.ticket_secret));
	}
	ipc_memfd_unmap(map);
	return rc;
}

/* A configured figure is the daemon's; each worker has its part, rounded up. */
static unsigned share(const struct worker *w, uint32_t total)
{
	unsigned n = w->r.args->workers;

	return (total + n - 1) / n;
}

static enum rc open_est(struct worker *w, struct why *why)
{
	const struct conf_limits *l = &w->r.conf->limits;
	struct limit_conf rate = { .per_s = share(w, l->est_rate_per_address),
		.burst = share(w, l->est_burst),
		.slots = RATE_SLOTS };
	struct est_opts o = { .conf = w->r.conf,
		.authorities = w->r.authorities,
		.authorizer = w->r.authorizer,
		.issuer = w->r.issuer,
		.metrics = w->r.metrics };
	enum rc rc = RC_OK;

	if (l->est_rate_per_address > 0)
		rc = limit_new(&w->rate, &rate);
	o.limit = w->rate;
	return rc != RC_OK ? rc : est_new(&w->est, &o, why);
}

static void add_routes(
        struct worker *w, const struct http_route *routes, size_t n)
{
	for (size_t i = 0; i < n && w->plain.n < PLAIN_ROUTES_MAX; i++)
		w->routes[w->plain.n++] = routes[i];
}

static enum rc open_responder(struct worker *w, struct why *why)
{
	const struct conf *c = w->r.conf;
	struct limit_conf rate = { .per_s = share(
		                           w, c->limits.ocsp_rate_per_address),
		.burst = share(w, c->limits.ocsp_burst),
		.slots = RATE_SLOTS };
	struct responder_opts o = { .store = w->r.store,
		.authorities = w->r.authorities,
		.signer = w->r.signer,
		.cache_bytes =
		        (size_t)(c->ocsp_cache_bytes / w->r.args->workers),
		.metrics = w->r.metrics };
	const struct http_route *routes;
	enum rc rc = RC_OK;
	size_t n;

	if (c->limits.ocsp_rate_per_address > 0)
		rc = limit_new(&w->ocsp_rate, &rate);
	o.limit = w->ocsp_rate;
	if (rc == RC_OK)
		rc = responder_new(&w->responder, &o, why);
	if (rc != RC_OK)
		return rc;
	routes = responder_routes(w->responder, &n);
	add_routes(w, routes, n);
	return RC_OK;
}

static enum rc open_scep(struct worker *w, struct why *why)
{
	const struct conf_limits *l = &w->r.conf->limits;
	struct limit_conf rate = { .per_s = share(w, l->scep_rate_per_address),
		.burst = share(w, l->scep_burst),
		.slots = RATE_SLOTS };
	struct scep_opts o = { .conf = w->r.conf,
		.store = w->r.store,
		.authorities = w->r.authorities,
		.authorizer = w->r.authorizer,
		.issuer = w->r.issuer,
		.signer = w->r.signer,
		.metrics = w->r.metrics };
	const struct http_route *routes;
	enum rc rc = RC_OK;
	size_t n;

	if (w->r.conf->n_scep == 0)
		return RC_OK;
	if (l->scep_rate_per_address > 0)
		rc = limit_new(&w->scep_rate, &rate);
	o.limit = w->scep_rate;
	if (rc == RC_OK)
		rc = scep_new(&w->scep, &o, why);
	if (rc != RC_OK)
		return rc;
	routes = scep_routes(w->scep, &n);
	add_routes(w, routes, n);
	return RC_OK;
}

static enum rc open_plain(struct worker *w, struct why *why)
{
	const struct http_route *routes;
	size_t n;
	enum rc rc = publish_new(&w->publish, w->r.authorities);

	if (rc != RC_OK)
		return rc;
	w->plain.routes = w->routes;
	routes = publish_routes(w->publish, &n);
	add_routes(w, routes, n);
	rc = open_responder(w, why);
	if (rc == RC_OK)
		rc = open_scep(w, why);
	/* What the supervisor has to say is there before we serve. */
	if (rc == RC_OK)
		loop_poll(w->r.loop);
	return rc;
}

static void set_responder(struct worker *w, struct bytes body)
{
	char key[PROTO_KEY_NAME_MAX + 1];
	struct control_responder m;
	struct why why = WHY_NONE;
	enum rc rc = control_responder_unpack(&m, body);

	if (rc == RC_OK && w->responder != NULL)
		rc = responder_set_key(w->responder, m.authority,
		        control_responder_key(key, m.authority), m.der, &why);
	if (rc != RC_OK)
		log_event(LOG_ERROR, "ocsp.responder_refused", "why", why.text,
		        NULL);
}

static void set_ra(struct worker *w, struct bytes body)
{
	struct control_responder m;
	struct why why = WHY_NONE;
	enum rc rc = control_responder_unpack(&m, body);

	if (rc == RC_OK && w->scep != NULL)
		rc = scep_set_ra(w->scep, m.authority, m.der, &why);
	/* An authority may have one that no label uses. */
	if (rc != RC_OK && rc != RC_NOTFOUND)
		log_event(LOG_ERROR, "scep.ra_refused", "why", why.text, NULL);
}

static void set_crl(struct worker *w, const struct ipc_msg *msg)
{
	struct publish_crl crl;
	enum rc rc = RC_MALFORMED;
	int fd = -1;

	if (w->publish == NULL)
		return;
	if (msg->n_fds == 1 &&
	        control_published_unpack(&crl, msg->body) == RC_OK) {
		fd = dup(msg->fds[0]);
		rc = fd < 0 ? RC_IO : publish_crl_put(w->publish, &crl, fd);
		if (rc == RC_OK && w->scep != NULL)
			scep_set_crl(w->scep, crl.name, fd);
	}
	if (rc == RC_OK)
		return;
	if (fd >= 0)
		close(fd);
	log_event(LOG_ERROR, "crl.not_served", "why", rc_info(rc)->text, NULL);
}

static void on_control(void *ctx, const struct ipc_msg *msg)
{
	if (msg->type == CONTROL_RESPONDER)
		set_responder(ctx, msg->body);
	else if (msg->type == CONTROL_RA)
		set_ra(ctx, msg->body);
	else if (msg->type == CONTROL_PUBLISHED)
		set_crl(ctx, msg);
}

static enum rc open_http(struct worker *w, struct why *why)
{
	const struct conf *c = w->r.conf;
	struct http_limits l = HTTP_LIMITS_DEFAULT;
	struct http_listener est = { .fd = CHILD_FD_EST, .tls = w->tls };
	struct http_listener plain = { .fd = CHILD_FD_HTTP,
		.routes = &w->plain };
	enum rc rc;

	l.handshake_timeout_ms = c->limits.handshake_ms;
	l.header_timeout_ms = c->limits.header_ms;
	l.body_timeout_ms = c->limits.body_ms;
	l.idle_timeout_ms = c->limits.idle_ms;
	l.connections = files_connections(share(w, c->limits.connections));
	l.connections_per_address = share(w, c->limits.connections_per_address);
	l.requests_per_connection = c->limits.requests_per_connection;
	rc = http_server_new(&w->http, w->r.loop, &l, w->r.metrics);
	if (rc == RC_OK && w->tls != NULL) {
		est.routes = est_routes(w->est);
		rc = listen_inherited(est.fd, why);
		if (rc == RC_OK)
			rc = http_server_listen(w->http, &est);
	}
	if (rc == RC_OK && c->listen.http[0] != '\0') {
		rc = listen_inherited(plain.fd, why);
		if (rc == RC_OK)
			rc = http_server_listen(w->http, &plain);
	}
	return rc;
}

static enum rc open_all(
        struct worker *w, const struct child_args *args, struct why *why)
{
	enum rc rc = runtime_open(&w->r, args, on_control, on_stop, w, why);

	if (rc == RC_OK)
		rc = runtime_open_ca(&w->r, why);
	if (rc == RC_OK)
		rc = loop_timer_new(&w->pending, w->r.loop, finish, w);
	if (rc == RC_OK && w->r.conf->listen.est[0] != '\0' && !args->no_est) {
		rc = open_tls(w, why);
		if (rc == RC_OK)
			rc = open_est(w, why);
	}
	if (rc == RC_OK && w->r.conf->listen.http[0] != '\0')
		rc = open_plain(w, why);
	if (rc == RC_OK)
		rc = open_http(w, why);
	if (rc == RC_OK)
		rc = sandbox_enter(SANDBOX_WORKER, NULL, 0, why);
	return rc != RC_OK ? rc : runtime_ready(&w->r);
}

/* Who answered what cannot be seen from outside: the sockets share a port. */
static void log_served(const struct worker *w)
{
	struct log_num pid, n;

	if (w->responder != NULL)
		log_event(LOG_INFO, "ocsp.served", "pid",
		        log_i64(&pid, getpid()), "answers",
		        log_i64(&n,
		                (long long)responder_answered(w->responder)),
		        NULL);
}

int worker_run(const struct child_args *args)
{
	struct worker w = { .draining = false };
	struct why why = WHY_NONE;
	enum rc rc = open_all(&w, args, &why);

	if (rc == RC_OK && w.draining)
		http_server_drain(w.http, finish, &w);
	if (rc == RC_OK)
		rc = loop_run(w.r.loop);
	if (rc != RC_OK)
		log_event(LOG_ERROR, "worker.failed", "why",
		        why.text[0] != '\0' ? why.text : rc_info(rc)->text,
		        NULL);
	log_served(&w);
	http_server_free(w.http);
	est_free(w.est);
	scep_free(w.scep);
	responder_free(w.responder);
	publish_free(w.publish);
	limit_free(w.scep_rate);
	limit_free(w.ocsp_rate);
	limit_free(w.rate);
	tls_server_free(w.tls);
	loop_timer_free(w.pending);
	runtime_close(&w.r);
	return rc == RC_OK && w.draining ? 0 : 1;
}
