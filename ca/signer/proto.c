/* ca/signer/proto.c - the bodies of the messages. */
#include "ca/signer/proto.h"

#include "base/pack.h"

#include <string.h>

bool proto_name_ok(const char *name)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                              "abcdefghijklmnopqrstuvwxyz"
	                              "0123456789._-";
	size_t n = strlen(name);

	return n > 0 && n <= PROTO_KEY_NAME_MAX && strspn(name, allowed) == n;
}

bool proto_kept_name_ok(const char *name)
{
	const size_t head = sizeof(PROTO_OCSP_KEY_PREFIX) - 1;

	return strncmp(name, PROTO_OCSP_KEY_PREFIX, head) == 0 &&
	        strlen(name) <= PROTO_KEY_NAME_MAX &&
	        proto_name_ok(name + head);
}

static void read_name(struct unpack *u, char *out)
{
	unpack_str(u, out, PROTO_KEY_NAME_MAX + 1);
	if (!proto_name_ok(out) && !proto_kept_name_ok(out))
		u->failed = true;
}

static enum rc read_rc(struct unpack *u)
{
	uint32_t rc = unpack_u32(u);

	if (rc >= RC_COUNT)
		u->failed = true;
	return (enum rc)rc;
}

static enum rc done(const struct unpack *u)
{
	return unpack_done(u) ? RC_OK : RC_MALFORMED;
}

void proto_hello_pack(struct buf *b, const struct proto_hello *m)
{
	pack_u64(b, m->generation);
	pack_u32(b, m->version);
}

enum rc proto_hello_unpack(struct proto_hello *m, struct bytes body)
{
	struct unpack u = unpack_of(body);

	m->generation = unpack_u64(&u);
	m->version = unpack_u32(&u);
	return done(&u);
}

void proto_sign_pack(struct buf *b, const char *key,
        enum signer_purpose purpose, struct bytes tbs)
{
	proto_sign_pack_head(b, key, purpose, tbs.n);
	pack_raw(b, tbs);
}

void proto_sign_pack_head(struct buf *b, const char *key,
        enum signer_purpose purpose, size_t tbs_bytes)
{
	pack_str(b, key);
	pack_u32(b, (uint32_t)purpose);
	pack_u32(b, (uint32_t)tbs_bytes);
}

enum rc proto_sign_unpack(struct proto_sign *m, struct bytes body)
{
	struct unpack u = unpack_of(body);

	read_name(&u, m->key);
	m->purpose = unpack_u32(&u);
	m->tbs = unpack_bytes(&u);
	return done(&u);
}

void proto_signature_pack(struct buf *b, const struct proto_signature *m)
{
	pack_u32(b, (uint32_t)m->rc);
	pack_str(b, m->why.text);
	pack_bytes(b, m->signature);
}

enum rc proto_signature_unpack(struct proto_signature *m, struct bytes body)
{
	struct unpack u = unpack_of(body);

	m->rc = read_rc(&u);
	unpack_str(&u, m->why.text, sizeof(m->why.text));
	m->signature = unpack_bytes(&u);
	/* A signature comes exactly with success. */
	if ((m->rc == RC_OK) != (m->signature.n > 0) ||
	        m->signature.n > PROTO_SIGNATURE_MAX_BYTES)
		return RC_MALFORMED;
	return done(&u);
}

void proto_policy_pack(struct buf *b, uint64_t generation,
        const struct proto_policy_item *items, size_t n)
{
	struct buf one = BUF_INIT(TBS_POLICY_MAX_BYTES);

	pack_u64(b, generation);
	pack_u32(b, (uint32_t)n);
	for (size_t i = 0; i < n; i++) {
		buf_reset(&one);
		tbs_policy_pack(&one, items[i].policy);
		if (one.failed)
			b->failed = one.failed;
		pack_str(b, items[i].key);
		pack_bytes(b, buf_bytes(&one));
	}
	buf_free(&one);
}

enum rc proto_policy_unpack_head(struct proto_policy_head *m, struct unpack *u)
{
	m->generation = unpack_u64(u);
	m->count = unpack_u32(u);
	return u->failed || m->count > PROTO_POLICIES_MAX ? RC_MALFORMED
	                                                  : RC_OK;
}

enum rc proto_policy_unpack_item(char *key, struct tbs_policy **policy,
        struct unpack *u, struct why *why)
{
	struct bytes packed;

	*policy = NULL;
	read_name(u, key);
	packed = unpack_bytes(u);
	if (u->failed)
		return why_set(why, RC_MALFORMED, "policy: cut short");
	return tbs_policy_unpack(policy, packed, why);
}

void proto_policy_drop_pack(struct buf *b, uint64_t generation)
{
	pack_u64(b, generation);
}

enum rc proto_policy_drop_unpack(uint64_t *generation, struct bytes body)
{
	struct unpack u = unpack_of(body);

	*generation = unpack_u64(&u);
	return done(&u);
}

void proto_floor_pack(struct buf *b, int64_t floor_s)
{
	pack_u64(b, (uint64_t)floor_s);
}

enum rc proto_floor_unpack(int64_t *floor_s, struct bytes body)
{
	struct unpack u = unpack_of(body);

	*floor_s = (int64_t)unpack_u64(&u);
	return unpack_done(&u) ? RC_OK : RC_MALFORMED;
}

void proto_log_pack(struct buf *b, enum log_level level, enum log_form form)
{
	pack_u8(b, (uint8_t)level);
	pack_u8(b, (uint8_t)form);
}

enum rc proto_log_unpack(
        enum log_level *level, enum log_form *form, struct bytes body)
{
	struct unpack u = unpack_of(body);
	uint8_t l = unpack_u8(&u), f = unpack_u8(&u);

	if (!unpack_done(&u) || l > LOG_DEBUG || f > LOG_JSON)
		return RC_MALFORMED;
	*level = (enum log_level)l;
	*form = (enum log_form)f;
	return RC_OK;
}

void proto_make_key_pack(struct buf *b, const char *name, uint32_t type)
{
	pack_str(b, name);
	pack_u32(b, type);
}

enum rc proto_make_key_unpack(struct proto_make_key *m, struct bytes body)
{
	struct unpack u = unpack_of(body);

	read_name(&u, m->name);
	m->type = unpack_u32(&u);
	return done(&u);
}

void proto_key_pack(struct buf *b, const struct proto_key *m)
{
	pack_bytes(b, m->private_der);
	pack_bytes(b, m->spki);
}

enum rc proto_key_unpack(struct proto_key *m, struct bytes body)
{
	struct unpack u = unpack_of(body);

	m->private_der = unpack_bytes(&u);
	m->spki = unpack_bytes(&u);
	return done(&u);
}

void proto_key_list_pack(
        struct buf *b, const struct proto_key_entry *keys, size_t n)
{
	pack_u32(b, (uint32_t)n);
	for (size_t i = 0; i < n; i++) {
		pack_str(b, keys[i].name);
		pack_bytes(b, keys[i].spki);
	}
}

enum rc proto_key_list_unpack(
        struct proto_key_entry *keys, size_t max, size_t *n, struct bytes body)
{
	struct unpack u = unpack_of(body);
	uint32_t count = unpack_u32(&u);

	*n = 0;
	if (count > max)
		return RC_TOOBIG;
	for (uint32_t i = 0; i < count; i++) {
		read_name(&u, keys[i].name);
		keys[i].spki = unpack_bytes(&u);
	}
	*n = count;
	return done(&u);
}

void proto_loading_pack(struct buf *b, const char *key)
{
	pack_str(b, key);
}

enum rc proto_loading_unpack(char *key, struct bytes body)
{
	struct unpack u = unpack_of(body);

	read_name(&u, key);
	return done(&u);
}

void proto_away_pack(struct buf *b, const struct proto_away *list, size_t n)
{
	pack_u32(b, (uint32_t)n);
	for (size_t i = 0; i < n; i++) {
		pack_str(b, list[i].token);
		pack_str(b, list[i].keys);
		pack_u64(b, (uint64_t)list[i].since_s);
		pack_str(b, list[i].why.text);
	}
}

enum rc proto_away_unpack(struct proto_away *list, size_t *n, struct bytes body)
{
	struct unpack u = unpack_of(body);
	uint32_t count = unpack_u32(&u);

	*n = 0;
	if (count > PROTO_AWAY_MAX)
		return RC_TOOBIG;
	for (uint32_t i = 0; i < count; i++) {
		unpack_str(&u, list[i].token, sizeof(list[i].token));
		unpack_str(&u, list[i].keys, sizeof(list[i].keys));
		list[i].since_s = (int64_t)unpack_u64(&u);
		unpack_str(&u, list[i].why.text, sizeof(list[i].why.text));
	}
	*n = count;
	return done(&u);
}

void proto_done_pack(struct buf *b, enum rc rc, const struct why *why)
{
	pack_u32(b, (uint32_t)rc);
	pack_str(b, why ? why->text : "");
}

enum rc proto_done_unpack(struct proto_done *m, struct bytes body)
{
	struct unpack u = unpack_of(body);

	m->rc = read_rc(&u);
	unpack_str(&u, m->why.text, sizeof(m->why.text));
	return done(&u);
}
