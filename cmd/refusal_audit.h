/* cmd/refusal_audit.h - what strangers and clients were refused, in the audit
 * trail: summed up once a minute from the metrics, because a refusal must not
 * cost a commit, or an attacker could buy them. How far the trail is stands in
 * memory that all keepers share: what a keeper that died or left did not enter,
 * the next one does, and none twice. */
#ifndef MICA_CMD_REFUSAL_AUDIT_H
#define MICA_CMD_REFUSAL_AUDIT_H

#include "base/rc.h"
#include <stdbool.h>

#define REFUSAL_AUDIT_EVERY_S 60

struct runtime;
struct refusal_audit;

/* Uses r's store, metrics, shared memory and actor. */
MUST_CHECK enum rc refusal_audit_new(
        struct refusal_audit **out, struct runtime *r);
/* After the store is closed: it may still hold our write. NULL is a no-op. */
void refusal_audit_free(struct refusal_audit *a);
/* To be called about once a second. */
void refusal_audit_tick(struct refusal_audit *a);
/* Enter what there is, now. False: a write is under way, ask again. */
bool refusal_audit_flush(struct refusal_audit *a);
bool refusal_audit_busy(const struct refusal_audit *a);

#endif
