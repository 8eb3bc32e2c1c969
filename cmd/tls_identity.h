/* cmd/tls_identity.h - the EST listener's own certificate, issued by the keeper
 * under a system grant for a key that the signer made, like any other
 * certificate: on record, audited, by T1 and T2. */
#ifndef MICA_CMD_TLS_IDENTITY_H
#define MICA_CMD_TLS_IDENTITY_H

#include "base/bytes.h"
#include "base/rc.h"

struct runtime;
struct tls_identity;

MUST_CHECK enum rc tls_identity_new(
        struct tls_identity **out, struct runtime *r);
void tls_identity_free(struct tls_identity *t); /* NULL is a no-op */
/* Issue for that SubjectPublicKeyInfo; CONTROL_TLS_CERT follows. A failure is
 * logged and tried again. */
void tls_identity_issue(struct tls_identity *t, struct bytes spki);
/* Once a second: tries again what failed. */
void tls_identity_tick(struct tls_identity *t);

#endif
