#include "storage/check_walk.h"

#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FAULT_BYTES 256

void check_fault(struct checker *c, const char *fmt, ...)
{
	char what[FAULT_BYTES / 2], text[FAULT_BYTES], key[HEX_BYTES(32)];
	size_t n = c->key.n < 32 ? c->key.n : 32;
	va_list ap;

	c->r->faults++;
	if (c->r->fault == NULL)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	(void)snprintf(text, sizeof(text), "%s %s: %s", db_tree_names[c->tree],
	        rec_hex(key, c->key.p, n), what);
	c->r->fault(c->r->ctx, text);
}

typedef void check_fn(struct checker *c, struct bytes value);

static void walk_tree(struct checker *c, enum tree t, check_fn *fn)
{
	struct walk w;

	c->tree = t;
	walk_open(&w, c->v, t, BYTES_NONE);
	for (bool on = walk_from(&w, BYTES_NONE); on; on = walk_next(&w)) {
		c->key = w.key;
		fn(c, w.value);
	}
	walk_close(&w);
	c->key = BYTES_NONE;
}

bool check_have(struct checker *c, enum tree t, const struct key *k,
        struct bytes *value)
{
	return view_get(c->v, t, k, value);
}

bool check_key_is(const struct checker *c, const struct key *k)
{
	return bytes_eq(c->key, key_bytes(k));
}

bool check_body_at(struct checker *c, uint64_t sequence, struct rec_issue *r)
{
	struct key k = key_u64(sequence);
	struct bytes value;

	return check_have(c, TREE_BODY, &k, &value) &&
	        rec_issue_unpack(value, r);
}

static bool is_bad(enum cert_state s)
{
	return s == CERT_HELD || s == CERT_REVOKED;
}

/* --- status leads to everything else */

static void check_references(struct checker *c, const struct rec_issue *body)
{
	const struct store_cert *cert = &body->cert;
	struct key expiry = key_time_u64(cert->not_after_s, cert->sequence);
	struct key device = key_u64_pair(body->device_number, cert->sequence);
	struct bytes value;

	if (!check_have(c, TREE_EXPIRY, &expiry, &value))
		check_fault(c, "is not in the expiry index");
	if (body->device_number != 0 &&
	        !check_have(c, TREE_DEVICE_CERT, &device, &value))
		check_fault(c, "is not in its device's index");
}

static void check_body_of(
        struct checker *c, const struct cert_key *k, const struct rec_status *s)
{
	struct key sequence = key_u64(s->sequence);
	struct rec_issue body;
	struct bytes value;

	if (!check_have(c, TREE_BODY, &sequence, &value))
		check_fault(c, "has no body at sequence %llu",
		        (unsigned long long)s->sequence);
	else if (!rec_issue_unpack(value, &body) ||
	        !cert_key_eq(&body.cert.key, k))
		check_fault(c, "its body is of another certificate");
	else
		check_references(c, &body);
}

static void check_revoked_of(
        struct checker *c, const struct cert_key *k, const struct rec_status *s)
{
	struct key key = key_listed(k, s->listed), at = key_u64(s->position);
	struct store_status_row row;
	struct bytes value;
	bool listed = check_have(c, TREE_REVOKED, &key, &value);

	key = key_scope_listed(s->shard, k, s->listed);
	if (check_have(c, TREE_SHARD, &key, &value) !=
	        (is_bad(s->state) && s->shard != 0))
		check_fault(c, "its shard does not say its state");
	if (listed != is_bad(s->state))
		check_fault(c,
		        listed ? "is good, and in the revocation tree"
		               : "is bad, and not in the revocation tree");
	if (!is_bad(s->state) && s->listed != 0)
		check_fault(c, "is good, and says where it is listed");
	if (s->position == 0) {
		if (is_bad(s->state))
			check_fault(
			        c, "is bad, and has no position in the feed");
		return;
	}
	if (!check_have(c, TREE_FEED, &at, &value) ||
	        !rec_feed_unpack(value, &row) || !cert_key_eq(&row.key, k) ||
	        row.state != s->state)
		check_fault(c, "the feed does not say its state");
}

static void check_status(struct checker *c, struct bytes value)
{
	struct rec_status s;
	struct cert_key k;
	struct key key;
	struct bytes found;

	if (!key_read_cert(c->key, &k) || !rec_status_unpack(value, &s)) {
		check_fault(c, "does not read");
		return;
	}
	key = key_cert(&k);
	if (check_have(c, TREE_INTENT, &key, &found))
		check_fault(c, "has a status, and is an intent");
	if (s.state == CERT_ABANDONED) {
		c->r->abandoned++;
		if (!check_have(c, TREE_ABANDONED, &key, &found))
			check_fault(c, "is abandoned, and not listed as such");
		return;
	}
	c->r->certificates++;
	c->r->held += s.state == CERT_HELD;
	c->r->revoked += s.state == CERT_REVOKED;
	if (s.state != CERT_ISSUED && !is_bad(s.state))
		check_fault(c, "has the unknown state %d", (int)s.state);
	check_body_of(c, &k, &s);
	check_revoked_of(c, &k, &s);
}

/* --- and the others lead back to it */

static void check_body(struct checker *c, struct bytes value)
{
	uint8_t hash[STORE_HASH_BYTES];
	struct rec_issue body;
	struct bytes found;
	struct key k;

	if (!rec_issue_unpack(value, &body)) {
		check_fault(c, "does not read");
		return;
	}
	k = key_u64(body.cert.sequence);
	if (!check_key_is(c, &k))
		check_fault(c, "has another sequence inside");
	k = key_cert(&body.cert.key);
	if (!check_have(c, TREE_STATUS, &k, &found))
		check_fault(c, "has no status");
	if (EVP_Digest(body.data.p, body.data.n, hash, NULL, EVP_sha256(),
	            NULL) != 1 ||
	        memcmp(hash, body.cert.cert_hash, sizeof(hash)) != 0)
		check_fault(c, "its certificate has another SHA-256");
}

static void check_intent(struct checker *c, struct bytes value)
{
	struct rec_issue r;
	struct bytes found;
	struct key k;

	c->r->intents++;
	if (!rec_issue_unpack(value, &r)) {
		check_fault(c, "does not read");
		return;
	}
	k = key_cert(&r.cert.key);
	if (!check_key_is(c, &k))
		check_fault(c, "has another key inside");
	k = key_u64_cert(r.device_number, &r.cert.key);
	if (!check_have(c, TREE_PENDING, &k, &found))
		check_fault(c, "is not among its device's intents");
}

static void check_pending(struct checker *c, struct bytes value)
{
	struct key k = { .n = 0 };
	struct rec_pending p;
	struct cert_key cert;
	struct bytes found;

	if (!key_read_cert(bytes_skip(c->key, 8), &cert) ||
	        !rec_pending_unpack(value, &p)) {
		check_fault(c, "does not read");
		return;
	}
	k = key_cert(&cert);
	if (!check_have(c, TREE_INTENT, &k, &found))
		check_fault(c, "is no intent");
}

static void check_abandoned(struct checker *c, struct bytes value)
{
	struct rec_status s;
	struct rec_issue r;
	struct bytes found;
	struct key k;

	if (!rec_issue_unpack(value, &r)) {
		check_fault(c, "does not read");
		return;
	}
	k = key_cert(&r.cert.key);
	if (!check_key_is(c, &k) || !check_have(c, TREE_STATUS, &k, &found) ||
	        !rec_status_unpack(found, &s) || s.state != CERT_ABANDONED)
		check_fault(c, "its status is not abandoned");
}

static void check_revoked(struct checker *c, struct bytes value)
{
	struct rec_status s;
	uint64_t listed;
	struct cert_key k;
	struct bytes found;
	struct key key;

	if (!key_read_listed(c->key, &k, &listed)) {
		check_fault(c, "does not read");
		return;
	}
	key = key_cert(&k);
	if (!check_have(c, TREE_STATUS, &key, &found) ||
	        !bytes_eq(found, value) || !rec_status_unpack(value, &s) ||
	        !is_bad(s.state) || s.listed != listed)
		check_fault(c, "its status differs");
}

static void check_shard(struct checker *c, struct bytes value)
{
	struct rec_status s;
	uint64_t listed;
	uint16_t shard;
	struct cert_key k;
	struct bytes found;
	struct key key;

	if (!key_read_scope_listed(c->key, &shard, &k, &listed) ||
	        !rec_status_unpack(value, &s)) {
		check_fault(c, "does not read");
		return;
	}
	key = key_cert(&k);
	if (!check_have(c, TREE_STATUS, &key, &found) ||
	        !bytes_eq(found, value) || s.shard != shard ||
	        s.listed != listed)
		check_fault(c, "its status differs");
}

static uint64_t count_below(struct checker *c, enum tree t, struct key prefix)
{
	struct walk w;
	uint64_t n = 0;

	walk_open(&w, c->v, t, key_bytes(&prefix));
	for (bool on = walk_from(&w, BYTES_NONE); on; on = walk_next(&w))
		n++;
	walk_close(&w);
	return n;
}

static void check_crl(struct checker *c, struct bytes value)
{
	struct store_crl r;
	uint64_t listed;
	struct key k;

	if (!rec_crl_unpack(value, &r)) {
		check_fault(c, "does not read");
		return;
	}
	k = key_scope(r.authority, r.shard);
	if (!check_key_is(c, &k))
		check_fault(c, "is of another scope");
	if (r.given < r.number)
		check_fault(c, "its CRL has a number that was not given out");
	listed = r.shard != 0
	        ? count_below(c, TREE_SHARD, k)
	        : count_below(c, TREE_REVOKED, key_u32(r.authority));
	if (listed != r.listed)
		check_fault(c, "%llu certificates are listed, %llu on record",
		        (unsigned long long)listed,
		        (unsigned long long)r.listed);
}

/* An index entry: its sequence stands at off in the key. */
static bool index_body(struct checker *c, size_t off, struct rec_issue *body)
{
	uint64_t sequence;

	if (!key_read_u64_at(c->key, off, &sequence) || c->key.n != off + 8) {
		check_fault(c, "does not read");
		return false;
	}
	if (check_body_at(c, sequence, body))
		return true;
	check_fault(c, "leads to no certificate");
	return false;
}

static void check_expiry(struct checker *c, struct bytes value)
{
	struct rec_issue body;
	struct key k;

	(void)value;
	if (!index_body(c, 8, &body))
		return;
	k = key_time_u64(body.cert.not_after_s, body.cert.sequence);
	if (!check_key_is(c, &k))
		check_fault(c, "its certificate ends at another time");
}

static void check_supersede(struct checker *c, struct bytes value)
{
	struct rec_issue body;

	(void)value;
	(void)index_body(c, 8, &body);
}

static void check_key(struct checker *c, struct bytes value)
{
	struct rec_issue body;
	struct key k;

	(void)value;
	if (!index_body(c, STORE_HASH_BYTES, &body))
		return;
	k = key_hash_u64(body.cert.spki_hash, body.cert.sequence);
	if (!check_key_is(c, &k))
		check_fault(c, "its certificate has another public key");
}

static void check_device_cert(struct checker *c, struct bytes value)
{
	struct rec_device_cert r;
	struct rec_issue body;
	struct key k;

	if (!index_body(c, 8, &body))
		return;
	k = key_u64_pair(body.device_number, body.cert.sequence);
	if (!check_key_is(c, &k) || !rec_device_cert_unpack(value, &r) ||
	        !cert_key_eq(&r.key, &body.cert.key) ||
	        r.not_after_s != body.cert.not_after_s ||
	        r.max_end_s < r.not_after_s)
		check_fault(c, "does not agree with its certificate");
}

static void check_device(struct checker *c, struct bytes value)
{
	struct rec_device r;
	struct key k;

	c->r->devices++;
	if (!rec_device_unpack(value, &r)) {
		check_fault(c, "does not read");
		return;
	}
	k = key_text(r.device.id);
	if (!check_key_is(c, &k) || r.number == 0 ||
	        r.number > c->ledger.device)
		check_fault(c, "has another id or number inside");
}

/* Spent by something that happened, or unspent. */
static void check_token(struct checker *c, struct bytes value)
{
	struct store_token t;
	struct rec_status s;
	struct bytes found;
	struct key k;

	c->r->tokens++;
	if (!rec_token_unpack(value, &t)) {
		check_fault(c, "does not read");
		return;
	}
	k = key_text(t.device);
	if (!check_have(c, TREE_DEVICE, &k, &found))
		check_fault(c, "its device does not exist");
	if (t.state != TOKEN_SPENT)
		return;
	k = key_cert(&t.spent_by);
	if (check_have(c, TREE_STATUS, &k, &found) &&
	        rec_status_unpack(found, &s) && s.state != CERT_ABANDONED)
		return;
	if (!check_have(c, TREE_INTENT, &k, &found))
		check_fault(c, "was spent by a serial that was never issued");
}

static void check_feed(struct checker *c, struct bytes value)
{
	struct store_status_row row;
	struct key k = key_u64(++c->r->feed_entries);
	struct bytes found;

	if (!check_key_is(c, &k))
		check_fault(c, "does not follow the entry before");
	if (!rec_feed_unpack(value, &row)) {
		check_fault(c, "does not read");
		return;
	}
	k = key_cert(&row.key);
	if (!check_have(c, TREE_STATUS, &k, &found))
		check_fault(c, "is of no certificate");
}

/* --- the rest */

struct audit_state {
	struct chain *chain;
	uint8_t hash[STORE_HASH_BYTES];
};

static void check_audit_entry(
        struct checker *c, struct bytes value, struct audit_state *a)
{
	struct key k = key_u64(++c->r->audit_entries);
	uint8_t link[STORE_HASH_BYTES];
	struct store_audit_row row;
	struct bytes entry;

	if (!chain_read(value, &row, &entry)) {
		check_fault(c, "does not read");
		return;
	}
	if (!check_key_is(c, &k) || row.number != c->r->audit_entries)
		check_fault(c, "does not follow the entry before");
	if (!chain_link(a->chain, a->hash, entry, link) ||
	        memcmp(link, row.hash, sizeof(link)) != 0)
		check_fault(
		        c, "its hash does not follow: the trail was changed");
	memcpy(a->hash, row.hash, sizeof(a->hash));
}

static void check_audit(struct checker *c)
{
	struct audit_state a = { .chain = c->v->db->read_chain };
	struct walk w;

	c->tree = TREE_AUDIT;
	walk_open(&w, c->v, TREE_AUDIT, BYTES_NONE);
	for (bool on = walk_from(&w, BYTES_NONE); on; on = walk_next(&w)) {
		c->key = w.key;
		check_audit_entry(c, w.value, &a);
	}
	walk_close(&w);
	c->key = BYTES_NONE;
	if (memcmp(a.hash, c->ledger.audit_head, sizeof(a.hash)) != 0)
		check_fault(c, "the trail ends before its recorded head");
}

static void compare(
        struct checker *c, const char *what, uint64_t found, uint64_t recorded)
{
	if (found != recorded)
		check_fault(c, "%s: %llu found, %llu on record", what,
		        (unsigned long long)found,
		        (unsigned long long)recorded);
}

static void check_counts(struct checker *c)
{
	const struct rec_ledger *l = &c->ledger;
	struct store_check_report *r = c->r;

	c->tree = TREE_META;
	compare(c, "certificates", r->certificates, l->sequence);
	compare(c, "bodies", view_count(c->v, TREE_BODY), l->sequence);
	compare(c, "expiry index", view_count(c->v, TREE_EXPIRY), l->sequence);
	compare(c, "held", r->held, l->held);
	compare(c, "revoked", r->revoked, l->revoked);
	compare(c, "revocation tree", view_count(c->v, TREE_REVOKED),
	        l->held + l->revoked);
	compare(c, "feed", r->feed_entries, l->feed);
	compare(c, "audit entries", r->audit_entries, l->audit);
	compare(c, "intents of devices", view_count(c->v, TREE_PENDING),
	        r->intents);
	compare(c, "abandoned", view_count(c->v, TREE_ABANDONED), r->abandoned);
}

static enum rc db_check(
        struct db *db, struct store_check_report *r, struct why *why)
{
	struct view v = { .db = db };
	struct checker c = { .v = &v, .r = r };

	v.err = mdb_txn_begin(db->env, NULL, MDB_RDONLY, &v.txn);
	if (v.err != 0)
		return db_rc(why, v.err);
	if (!view_ledger(&v, &c.ledger))
		view_broken(&v);
	walk_tree(&c, TREE_STATUS, check_status);
	walk_tree(&c, TREE_BODY, check_body);
	walk_tree(&c, TREE_INTENT, check_intent);
	walk_tree(&c, TREE_PENDING, check_pending);
	walk_tree(&c, TREE_ABANDONED, check_abandoned);
	walk_tree(&c, TREE_REVOKED, check_revoked);
	walk_tree(&c, TREE_EXPIRY, check_expiry);
	walk_tree(&c, TREE_SUPERSEDE, check_supersede);
	walk_tree(&c, TREE_KEY, check_key);
	walk_tree(&c, TREE_DEVICE_CERT, check_device_cert);
	walk_tree(&c, TREE_DEVICE, check_device);
	walk_tree(&c, TREE_TOKEN, check_token);
	walk_tree(&c, TREE_FEED, check_feed);
	walk_tree(&c, TREE_SHARD, check_shard);
	walk_tree(&c, TREE_CRL, check_crl);
	walk_tree(&c, TREE_APPROVAL, check_approval);
	walk_tree(&c, TREE_WAITING, check_waiting);
	check_audit(&c);
	check_counts(&c);
	mdb_txn_abort(v.txn);
	if (v.err != 0)
		return why_set(
		        why, RC_IO, "the store: %s", mdb_strerror(v.err));
	return RC_OK;
}

enum rc store_check(
        const char *path, struct store_check_report *r, struct why *why)
{
	struct store_opts o = { .path = path, .readonly = true };
	struct store *s;
	enum rc rc;

	*r = (struct store_check_report){ .fault = r->fault, .ctx = r->ctx };
	rc = lmdb_store_open(&s, &o, NULL, why);
	if (rc != RC_OK)
		return rc;
	rc = db_check((struct db *)s, r, why);
	store_close(s);
	return rc;
}
