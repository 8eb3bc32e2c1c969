/* cmd/responder_certs.h - OCSP responders' certificates, issued by the keeper
 * under system grants for keys that the signer made and keeps: on record and
 * audited like any other. Before one ends it is followed by that of a new key. */
#ifndef MICA_CMD_RESPONDER_CERTS_H
#define MICA_CMD_RESPONDER_CERTS_H

#include "base/bytes.h"
#include "base/rc.h"

struct runtime;
struct responder_certs;

MUST_CHECK enum rc responder_certs_new(
        struct responder_certs **out, struct runtime *r);
void responder_certs_free(struct responder_certs *c); /* NULL is a no-op */
/* CONTROL_RESPONDER_KEY's body. CONTROL_RESPONDER follows, without certificate
 * when none could be issued; that is tried again. */
void responder_certs_issue(struct responder_certs *c, struct bytes body);
/* Once a second: what failed, and what is about to end. */
void responder_certs_tick(struct responder_certs *c);

#endif
