#include "cmd/control.h"
#include <stdio.h>
#include <string.h>

void control_processes_pack(
        struct buf *b, const struct control_process *list, size_t n)
{
	pack_u32(b, (uint32_t)n);
	for (size_t i = 0; i < n; i++) {
		pack_str(b, list[i].name);
		pack_u32(b, (uint32_t)list[i].pid);
		pack_u8(b, list[i].ready);
		pack_u32(b, list[i].restarts);
	}
}

size_t control_processes_unpack(
        struct bytes body, struct control_process *list, size_t max)
{
	struct unpack u = unpack_of(body);
	size_t n = unpack_u32(&u);

	if (n > max)
		return 0;
	for (size_t i = 0; i < n; i++) {
		unpack_str(&u, list[i].name, sizeof(list[i].name));
		list[i].pid = (pid_t)unpack_u32(&u);
		list[i].ready = unpack_u8(&u) != 0;
		list[i].restarts = unpack_u32(&u);
	}
	return unpack_done(&u) ? n : 0;
}

void control_tls_pack(struct buf *b, struct bytes chain_pem,
        struct bytes key_pem,
        const uint8_t ticket_secret[TLS_TICKET_SECRET_BYTES])
{
	pack_bytes(b, chain_pem);
	pack_bytes(b, key_pem);
	pack_bytes(b, bytes_of(ticket_secret, TLS_TICKET_SECRET_BYTES));
}

enum rc control_tls_unpack(struct bytes body, struct bytes *chain_pem,
        struct bytes *key_pem, struct bytes *secret)
{
	struct unpack u = unpack_of(body);

	*chain_pem = unpack_bytes(&u);
	*key_pem = unpack_bytes(&u);
	*secret = unpack_bytes(&u);
	if (!unpack_done(&u) || secret->n != TLS_TICKET_SECRET_BYTES)
		return RC_MALFORMED;
	return RC_OK;
}

void control_responder_pack(
        struct buf *b, const char *authority, struct bytes der)
{
	pack_str(b, authority);
	pack_bytes(b, der);
}

enum rc control_responder_unpack(struct control_responder *r, struct bytes body)
{
	struct unpack u = unpack_of(body);

	unpack_str(&u, r->authority, sizeof(r->authority));
	r->der = unpack_bytes(&u);
	return unpack_done(&u) ? RC_OK : RC_MALFORMED;
}

const char *control_responder_key(
        char out[PROTO_KEY_NAME_MAX + 1], const char *authority)
{
	(void)snprintf(out, PROTO_KEY_NAME_MAX + 1, "%s%s",
	        PROTO_OCSP_KEY_PREFIX, authority);
	return out;
}

void control_published_pack(struct buf *b, const struct publish_crl *crl)
{
	pack_str(b, crl->name);
	pack_raw(b, BYTES_ARRAY(crl->hash));
	pack_u64(b, (uint64_t)crl->this_update_s);
	pack_u64(b, (uint64_t)crl->next_update_s);
	pack_u64(b, (uint64_t)crl->fresh_s);
}

enum rc control_published_unpack(struct publish_crl *crl, struct bytes body)
{
	struct unpack u = unpack_of(body);
	struct bytes hash;

	*crl = (struct publish_crl){ .fresh_s = 0 };
	unpack_str(&u, crl->name, sizeof(crl->name));
	hash = unpack_raw(&u, sizeof(crl->hash));
	if (hash.n == sizeof(crl->hash))
		memcpy(crl->hash, hash.p, hash.n);
	crl->this_update_s = (int64_t)unpack_u64(&u);
	crl->next_update_s = (int64_t)unpack_u64(&u);
	crl->fresh_s = (int64_t)unpack_u64(&u);
	return unpack_done(&u) ? RC_OK : RC_MALFORMED;
}
