/* storage/audit.h - the hash chain of audit entries: an entry's hash is
 * SHA-256(hash of the entry before, bytes of the entry). The first follows 32
 * zero bytes. A stored entry is its hash, then its bytes. */
#ifndef MICA_STORAGE_AUDIT_H
#define MICA_STORAGE_AUDIT_H

#include "storage/record.h"

struct chain; /* SHA-256, fetched once; for one thread at a time */

MUST_CHECK enum rc chain_new(struct chain **out);
void chain_free(struct chain *c); /* NULL is a no-op */

/* False when libcrypto fails. */
MUST_CHECK bool chain_link(struct chain *c,
        const uint8_t before[STORE_HASH_BYTES], struct bytes entry,
        uint8_t out[STORE_HASH_BYTES]);

/* Split a stored entry and read it; *entry is borrowed from in. */
MUST_CHECK bool chain_read(
        struct bytes in, struct store_audit_row *row, struct bytes *entry);

#endif
