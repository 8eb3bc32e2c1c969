/* cmd/health.h - /metrics, /healthz and /readyz on the metrics listener. healthz:
 * this process answers. readyz: every process serves, the store takes writes,
 * no CRL has run out, the clock is not below its floor; else 503 and a line that
 * says what is not. 200 has a line, too: ready, or which CRL is about to run
 * out, or which token is away: status is answered without it. */
#ifndef MICA_CMD_HEALTH_H
#define MICA_CMD_HEALTH_H

#include "base/metrics.h"
#include "ca/signer/proto.h"
#include "ca/crl_plan.h"
#include "net/route.h"
#include "storage/store.h"

struct health;

/* Both are borrowed; the CRLs are looked at when somebody asks. */
MUST_CHECK enum rc health_new(
        struct health **out, struct metrics *metrics, struct crl_plan *crls);
void health_free(struct health *h); /* NULL is a no-op */
/* Borrowed from h. */
const struct http_routes *health_routes(const struct health *h);
void health_set_ready(struct health *h, bool all_processes);
/* What the signer cannot use now, or what holds up its start. */
void health_set_away(struct health *h, const struct proto_away *list, size_t n);
void health_set_store(struct health *h, const struct store_stat *stat);

#endif
