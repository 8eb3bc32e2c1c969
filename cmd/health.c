#include "cmd/health.h"
#include "base/clock.h"
#include "net/http.h"
#include <stdio.h>
#include <stdlib.h>

#define METRICS_MAX_BYTES (1u << 20)
#define ROUTES 3

struct health {
	struct metrics *metrics;
	struct crl_plan *crls;
	struct http_route table[ROUTES];
	struct http_routes routes;
	bool processes, halted;
	char away[768]; /* "": none */
	int64_t clock_floor_us;
};

static void get_metrics(void *ctx, struct http_req *req)
{
	static const struct http_header type = { "Content-Type",
		"text/plain; version=0.0.4" };
	struct health *h = ctx;
	struct buf b = BUF_INIT(METRICS_MAX_BYTES);

	metrics_render(h->metrics, &b);
	if (b.failed == RC_OK)
		http_answer(req, 200, &type, 1, buf_bytes(&b));
	else
		http_answer_text(req, 503, "out of memory");
	buf_free(&b);
}

static void get_healthz(void *ctx, struct http_req *req)
{
	(void)ctx;
	http_answer_text(req, 200, "ok");
}

static void answer_crl(unsigned status, const char *name, const char *what,
        struct http_req *req)
{
	char text[CRL_NAME_MAX + 64];

	(void)snprintf(text, sizeof(text), "the CRL %s %s", name, what);
	http_answer_text(req, status, text);
}

static void answer_processes(const struct health *h, struct http_req *req)
{
	char text[sizeof(h->away) + 32];

	(void)snprintf(text, sizeof(text), "a process is not ready%s%s",
	        h->away[0] != '\0' ? "; " : "", h->away);
	http_answer_text(req, 503, text);
}

static void get_readyz(void *ctx, struct http_req *req)
{
	const struct health *h = ctx;
	struct crl_plan_state crls;

	crl_plan_state(h->crls, &crls);
	if (!h->processes)
		answer_processes(h, req);
	else if (h->halted)
		http_answer_text(
		        req, 503, "the store is halted: run mica store check");
	else if (crls.n_out > 0)
		answer_crl(503, crls.ends, "has run out or is missing", req);
	else if (clock_now_us() < h->clock_floor_us)
		http_answer_text(req, 503, "the clock is below its floor");
	else if (h->away[0] != '\0')
		http_answer_text(req, 200, h->away);
	else if (crls.n_late > 0)
		answer_crl(200, crls.late, "is about to run out", req);
	else
		http_answer_text(req, 200, "ready");
}

enum rc health_new(
        struct health **out, struct metrics *metrics, struct crl_plan *crls)
{
	struct health *h = calloc(1, sizeof(*h));
	const struct http_route table[ROUTES] = {
		{ HTTP_GET, HTTP_EXACT, "/metrics", 0, get_metrics, h },
		{ HTTP_GET, HTTP_EXACT, "/healthz", 0, get_healthz, h },
		{ HTTP_GET, HTTP_EXACT, "/readyz", 0, get_readyz, h },
	};

	*out = h;
	if (h == NULL)
		return RC_NOMEM;
	h->metrics = metrics;
	h->crls = crls;
	for (unsigned i = 0; i < ROUTES; i++)
		h->table[i] = table[i];
	h->routes = (struct http_routes){ h->table, ROUTES };
	return RC_OK;
}

void health_free(struct health *h)
{
	free(h);
}

const struct http_routes *health_routes(const struct health *h)
{
	return &h->routes;
}

void health_set_ready(struct health *h, bool all_processes)
{
	h->processes = all_processes;
}

void health_set_away(struct health *h, const struct proto_away *list, size_t n)
{
	h->away[0] = '\0';
	if (n > 0)
		(void)snprintf(h->away, sizeof(h->away),
		        "token %s: keys %s cannot be used: %s%s", list[0].token,
		        list[0].keys, list[0].why.text,
		        n > 1 ? "; and others" : "");
}

void health_set_store(struct health *h, const struct store_stat *stat)
{
	h->halted = stat->halted;
	h->clock_floor_us = stat->clock_floor_us;
}
