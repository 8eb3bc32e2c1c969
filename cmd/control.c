#include "cmd/control.h"

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
