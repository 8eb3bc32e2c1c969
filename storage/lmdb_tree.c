#include "storage/lmdb.h"

#include <errno.h>
#include <string.h>

static MDB_val val_of(struct bytes b)
{
	return (MDB_val){ b.n, (void *)(uintptr_t)b.p };
}

bool view_get(
        struct view *v, enum tree t, const struct key *k, struct bytes *value)
{
	MDB_val key = val_of(key_bytes(k)), val;
	int err;

	*value = BYTES_NONE;
	if (v->err != 0)
		return false;
	err = mdb_get(v->txn, v->db->dbi[t], &key, &val);
	if (err == MDB_NOTFOUND)
		return false;
	if (err != 0) {
		v->err = err;
		return false;
	}
	*value = bytes_of(val.mv_data, val.mv_size);
	return true;
}

void view_broken(struct view *v)
{
	if (v->err == 0)
		v->err = MDB_CORRUPTED;
}

bool view_status(struct view *v, const struct cert_key *c, struct rec_status *r)
{
	struct key k = key_cert(c);
	struct bytes value;

	if (!view_get(v, TREE_STATUS, &k, &value))
		return false;
	if (rec_status_unpack(value, r))
		return true;
	view_broken(v);
	return false;
}

bool view_issue(
        struct view *v, enum tree t, const struct key *k, struct rec_issue *r)
{
	struct bytes value;

	if (!view_get(v, t, k, &value))
		return false;
	if (rec_issue_unpack(value, r))
		return true;
	view_broken(v);
	return false;
}

bool view_device(struct view *v, const char *id, struct rec_device *r)
{
	struct key k = key_text(id);
	struct bytes value;

	if (!view_get(v, TREE_DEVICE, &k, &value))
		return false;
	if (rec_device_unpack(value, r))
		return true;
	view_broken(v);
	return false;
}

bool view_authority(struct view *v, uint32_t id, struct store_authority *r,
        struct bytes *der)
{
	struct key k = key_u32(id);
	struct bytes value;

	if (!view_get(v, TREE_AUTHORITY, &k, &value))
		return false;
	if (rec_authority_unpack(value, r, der))
		return true;
	view_broken(v);
	return false;
}

bool view_may_issue(struct view *v, const struct store_authority *a,
        const char *profile, const struct store_credential *c, int64_t now_us)
{
	struct store_crl r;

	if (a->state == AUTHORITY_ACTIVE)
		return true;
	return c->kind == CREDENTIAL_SYSTEM &&
	        strcmp(profile, STORE_PROFILE_RESPONDER) == 0 &&
	        view_crl(v, a->id, 0, &r) && r.ends_s > now_us / 1000000;
}

bool view_token(struct view *v, const uint8_t *hash, struct store_token *r)
{
	struct key k = key_hash(hash);
	struct bytes value;

	if (!view_get(v, TREE_TOKEN, &k, &value))
		return false;
	if (rec_token_unpack(value, r))
		return true;
	view_broken(v);
	return false;
}

bool view_quota(struct view *v, const char *name, struct store_quota *r)
{
	struct key k = key_text(name);
	struct bytes value;

	if (!view_get(v, TREE_QUOTA, &k, &value))
		return false;
	if (rec_quota_unpack(value, r))
		return true;
	view_broken(v);
	return false;
}

bool view_crl(
        struct view *v, uint32_t authority, uint16_t shard, struct store_crl *r)
{
	struct key k = key_scope(authority, shard);
	struct bytes value;

	*r = (struct store_crl){ .authority = authority, .shard = shard };
	if (!view_get(v, TREE_CRL, &k, &value))
		return false;
	if (rec_crl_unpack(value, r))
		return true;
	view_broken(v);
	return false;
}

bool view_foreign_blocked(struct view *v, const struct store_credential *c)
{
	struct key k = key_hash(c->spki_hash);
	struct bytes value;

	return c->kind == CREDENTIAL_FOREIGN &&
	        view_get(v, TREE_BLOCKED, &k, &value);
}

bool view_unordered(struct view *v)
{
	struct key k = key_text("unordered");
	struct bytes value;

	return view_get(v, TREE_META, &k, &value);
}

bool view_ledger(struct view *v, struct rec_ledger *r)
{
	struct key k = key_text("ledger");
	struct bytes value;

	if (!view_get(v, TREE_META, &k, &value))
		return false;
	if (rec_ledger_unpack(value, r))
		return true;
	view_broken(v);
	return false;
}

uint64_t view_count(struct view *v, enum tree t)
{
	MDB_stat st;
	int err;

	if (v->err != 0)
		return 0;
	err = mdb_stat(v->txn, v->db->dbi[t], &st);
	if (err != 0) {
		v->err = err;
		return 0;
	}
	return st.ms_entries;
}

void walk_open(struct walk *w, struct view *v, enum tree t, struct bytes prefix)
{
	*w = (struct walk){ .v = v, .prefix = prefix };
	if (v->err != 0)
		return;
	v->err = mdb_cursor_open(v->txn, v->db->dbi[t], &w->cursor);
	if (v->err != 0)
		w->cursor = NULL;
}

void walk_close(struct walk *w)
{
	if (w->cursor != NULL)
		mdb_cursor_close(w->cursor);
	w->cursor = NULL;
}

static bool walk_step(struct walk *w, struct bytes from, MDB_cursor_op op)
{
	MDB_val key = val_of(from), val;
	int err;

	if (w->cursor == NULL || w->v->err != 0)
		return false;
	err = mdb_cursor_get(w->cursor, &key, &val, op);
	if (err == MDB_NOTFOUND)
		return false;
	if (err != 0) {
		w->v->err = err;
		return false;
	}
	w->key = bytes_of(key.mv_data, key.mv_size);
	w->value = bytes_of(val.mv_data, val.mv_size);
	return true;
}

static bool walk_inside(const struct walk *w)
{
	return bytes_starts(w->key, w->prefix);
}

bool walk_from(struct walk *w, struct bytes from)
{
	if (from.n == 0)
		from = w->prefix;
	if (from.n == 0)
		return walk_step(w, from, MDB_FIRST);
	return walk_step(w, from, MDB_SET_RANGE) && walk_inside(w);
}

bool walk_next(struct walk *w)
{
	return walk_step(w, BYTES_NONE, MDB_NEXT) && walk_inside(w);
}

/* The least key after all that begin with prefix is prefix plus one. */
bool walk_last(struct walk *w)
{
	uint8_t after[64];
	size_t n = w->prefix.n;

	if (n > sizeof(after))
		return false;
	if (n > 0)
		memcpy(after, w->prefix.p, n);
	while (n > 0 && after[n - 1] == 0xff)
		n--;
	if (n == 0)
		return walk_step(w, BYTES_NONE, MDB_LAST) && walk_inside(w);
	after[n - 1]++;
	if (!walk_step(w, bytes_of(after, n), MDB_SET_RANGE))
		return walk_step(w, BYTES_NONE, MDB_LAST) && walk_inside(w);
	return walk_back(w);
}

bool walk_back(struct walk *w)
{
	return walk_step(w, BYTES_NONE, MDB_PREV) && walk_inside(w);
}

enum rc db_rc(struct why *why, int err)
{
	switch (err) {
	case MDB_MAP_FULL:
		return why_set(why, RC_UNAVAILABLE,
		        "the store is full: its map has no room");
	case MDB_READERS_FULL:
		return why_set(
		        why, RC_UNAVAILABLE, "the store has too many readers");
	case ENOSPC:
		return why_set(why, RC_UNAVAILABLE, "the store's disk is full");
	case ENOMEM:
		return why_set(why, RC_NOMEM, "out of memory");
	default:
		return why_set(why, RC_UNAVAILABLE, "the store: %s",
		        mdb_strerror(err));
	}
}
