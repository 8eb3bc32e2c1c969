/* ca/signer/rules.c - policy sets and held keys. */
#include "ca/signer/rules.h"

#include "base/clock.h"
#include "base/pack.h"
#include "der/alg.h"

#include <inttypes.h>
#include <openssl/err.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct item {
	size_t key; /* its number in the vault */
	struct tbs_policy *policy;
};

struct set {
	uint64_t generation;
	struct item *items;
	size_t n;
};

struct made {
	char name[PROTO_KEY_NAME_MAX + 1];
	struct buf spki;
};

/* The newest key of a name, and the one before, which signs beside it. */
struct kept {
	char name[PROTO_KEY_NAME_MAX + 1]; /* empty: nobody's */
	struct vault_key *now, *before;
};

/* Numbers of kept keys begin here. */
#define KEPT_FROM PROTO_KEYS_MAX

struct rules {
	const struct vault *vault;
	pthread_rwlock_t lock; /* of all below */
	struct set sets[PROTO_GENERATIONS_MAX];
	size_t n_sets;
	struct made made[RULES_MADE_MAX];
	size_t n_made;
	struct kept kept[PROTO_KEPT_MAX];
	size_t n_kept;       /* those from here on never had a key */
	uint64_t last_stamp; /* of kept keys; the loop's */
	/* The latest time that the clock showed us since we were told the
	 * store's clock floor, or the floor: when the clock is set back, what
	 * is dated at the floor is still signed. */
	_Atomic int64_t latest_s;
};

enum rc rules_new(struct rules **out, const struct vault *vault)
{
	struct rules *r = calloc(1, sizeof(*r));
	pthread_rwlockattr_t attr;

	*out = NULL;
	if (!r)
		return RC_NOMEM;
	r->vault = vault;
	/* Or busy threads would keep the loop from ever changing them. */
	(void)pthread_rwlockattr_init(&attr);
	(void)pthread_rwlockattr_setkind_np(
	        &attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	(void)pthread_rwlock_init(&r->lock, &attr);
	(void)pthread_rwlockattr_destroy(&attr);
	*out = r;
	return RC_OK;
}

static void set_clear(struct set *s)
{
	for (size_t i = 0; i < s->n; i++)
		tbs_policy_free(s->items[i].policy);
	free(s->items);
	*s = (struct set){ 0 };
}

static void kept_clear(struct kept *k)
{
	vault_key_unref(k->now);
	vault_key_unref(k->before);
	*k = (struct kept){ 0 };
}

void rules_free(struct rules *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n_sets; i++)
		set_clear(&r->sets[i]);
	for (size_t i = 0; i < r->n_made; i++)
		buf_free(&r->made[i].spki);
	for (size_t i = 0; i < PROTO_KEPT_MAX; i++)
		kept_clear(&r->kept[i]);
	(void)pthread_rwlock_destroy(&r->lock);
	free(r);
}

size_t rules_find(const struct rules *r, const char *name)
{
	size_t i = vault_find(r->vault, name);

	if (i < vault_count(r->vault))
		return i;
	for (i = 0; i < r->n_kept; i++)
		if (r->kept[i].now && strcmp(r->kept[i].name, name) == 0)
			return KEPT_FROM + i;
	return RULES_NO_KEY;
}

/* --- kept keys */

static struct kept *kept_place(struct rules *r, const char *name)
{
	size_t i = rules_find(r, name);

	if (i != RULES_NO_KEY)
		return &r->kept[i - KEPT_FROM];
	for (i = 0; i < PROTO_KEPT_MAX; i++)
		if (!r->kept[i].now)
			return &r->kept[i];
	return NULL;
}

/* The places of a name's keys in turn: a new one has that of the one it ends. */
static size_t next_place(const struct rules *r, const struct kept *k)
{
	size_t first = 2 * (size_t)(k - r->kept);

	return k->now && k->now->place == KEPT_FROM + first ? first + 1 : first;
}

enum rc rules_keep(struct rules *r, const char *name, bool fresh,
        struct bytes *spki, struct why *why)
{
	struct vault_key *key, *ended;
	struct kept *k;
	enum rc rc;

	if (!proto_kept_name_ok(name))
		return why_set(why, RC_UNSUPPORTED,
		        "key %s: not the name of one that is kept", name);
	k = kept_place(r, name);
	if (!k)
		return why_set(
		        why, RC_TOOBIG, "over %d kept keys", PROTO_KEPT_MAX);
	if (fresh || !k->now) {
		rc = vault_keep(&key, name, next_place(r, k), ++r->last_stamp);
		if (rc)
			return rc;
		(void)pthread_rwlock_wrlock(&r->lock);
		memcpy(k->name, name, strlen(name) + 1);
		ended = k->before;
		k->before = k->now;
		k->now = key;
		if (k == &r->kept[r->n_kept])
			r->n_kept++;
		(void)pthread_rwlock_unlock(&r->lock);
		vault_key_unref(ended);
	}
	*spki = k->now->spki;
	return RC_OK;
}

/* --- policy sets */

static enum rc read_item(
        struct rules *r, struct item *item, struct unpack *u, struct why *why)
{
	char name[PROTO_KEY_NAME_MAX + 1];
	enum rc rc = proto_policy_unpack_item(name, &item->policy, u, why);
	const struct vault_key *k;
	struct bytes spki;

	if (rc)
		return rc;
	item->key = rules_find(r, name);
	if (item->key == RULES_NO_KEY && proto_kept_name_ok(name)) {
		rc = rules_keep(r, name, false, &spki, why);
		if (rc)
			return rc;
		item->key = rules_find(r, name);
	}
	if (item->key == RULES_NO_KEY)
		return why_set(why, RC_NOTFOUND,
		        "policy for key %s, which is not loaded", name);
	k = item->key < KEPT_FROM ? vault_at(r->vault, item->key)
	                          : r->kept[item->key - KEPT_FROM].now;
	if (item->key >= KEPT_FROM &&
	        item->policy->purposes != SIGNER_PURPOSE_BIT(SIGNER_OCSP))
		return why_set(why, RC_CONFLICT,
		        "key %s signs OCSP answers and nothing else", name);
	if (vault_key_is_known(k) && item->policy->sig_alg.n > 0 &&
	        !bytes_eq(item->policy->sig_alg, alg_bytes(k->alg)))
		return why_set(why, RC_CONFLICT, "key %s signs %s", name,
		        alg_name(k->alg));
	return RC_OK;
}

static enum rc read_set(struct rules *r, struct set *s, struct bytes body,
        struct proto_policy_head *head, struct why *why)
{
	struct unpack u = unpack_of(body);
	enum rc rc = proto_policy_unpack_head(head, &u);

	if (rc)
		return why_set(why, rc, "policy: malformed");
	s->generation = head->generation;
	s->items = calloc(head->count ? head->count : 1, sizeof(*s->items));
	if (!s->items)
		return RC_NOMEM;
	for (; s->n < head->count && !rc; s->n++)
		rc = read_item(r, &s->items[s->n], &u, why);
	if (!rc && !unpack_done(&u))
		rc = why_set(why, RC_MALFORMED, "policy: bytes left over");
	return rc;
}

static struct set *find_set(struct rules *r, uint64_t generation)
{
	for (size_t i = 0; i < r->n_sets; i++)
		if (r->sets[i].generation == generation)
			return &r->sets[i];
	return NULL;
}

static bool set_names(const struct set *s, size_t key)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->items[i].key == key)
			return true;
	return false;
}

static bool is_named(const struct rules *r, size_t key)
{
	for (size_t i = 0; i < r->n_sets; i++)
		if (set_names(&r->sets[i], key))
			return true;
	return false;
}

/* Under the lock: kept keys that were named by old, which is out, and by no set
 * any more. Whoever signs with one holds it still. */
static void end_unnamed(struct rules *r, const struct set *old)
{
	for (size_t i = 0; i < PROTO_KEPT_MAX; i++)
		if (set_names(old, KEPT_FROM + i) &&
		        !is_named(r, KEPT_FROM + i))
			kept_clear(&r->kept[i]);
}

enum rc rules_put(struct rules *r, struct bytes body,
        struct proto_policy_head *head, struct why *why)
{
	struct set fresh = { 0 };
	struct set old = { 0 };
	enum rc rc = read_set(r, &fresh, body, head, why);
	struct set *place;

	if (rc) {
		set_clear(&fresh);
		return rc;
	}
	(void)pthread_rwlock_wrlock(&r->lock);
	place = find_set(r, fresh.generation);
	if (place)
		old = *place;
	else if (r->n_sets < PROTO_GENERATIONS_MAX)
		place = &r->sets[r->n_sets++];
	if (place)
		*place = fresh;
	end_unnamed(r, &old);
	(void)pthread_rwlock_unlock(&r->lock);
	set_clear(&old);
	if (place)
		return RC_OK;
	set_clear(&fresh);
	return why_set(why, RC_TOOBIG, "over %d policy generations",
	        PROTO_GENERATIONS_MAX);
}

enum rc rules_drop(struct rules *r, uint64_t generation, struct why *why)
{
	struct set old = { 0 };
	struct set *place;

	(void)pthread_rwlock_wrlock(&r->lock);
	place = find_set(r, generation);
	if (place) {
		old = *place;
		*place = r->sets[--r->n_sets];
		end_unnamed(r, &old);
	}
	(void)pthread_rwlock_unlock(&r->lock);
	set_clear(&old);
	return place ? RC_OK
	             : why_set(why, RC_NOTFOUND,
	                       "no policy generation %" PRIu64, generation);
}

/* --- keys that were made */

static struct made *find_made(struct rules *r, const char *name)
{
	for (size_t i = 0; i < r->n_made; i++)
		if (strcmp(r->made[i].name, name) == 0)
			return &r->made[i];
	return NULL;
}

enum rc rules_hold(struct rules *r, const char *name, struct bytes spki)
{
	struct buf copy = BUF_INIT(SPKI_RSA_MAX_BYTES + 512);
	struct made *place;
	enum rc rc = RC_OK;

	buf_add(&copy, spki);
	if (copy.failed)
		return copy.failed;
	(void)pthread_rwlock_wrlock(&r->lock);
	place = find_made(r, name);
	if (!place && r->n_made < RULES_MADE_MAX) {
		place = &r->made[r->n_made++];
		memcpy(place->name, name, strlen(name) + 1);
		place->spki = BUF_INIT(0);
	}
	if (place) {
		struct buf old = place->spki;

		place->spki = copy;
		copy = old;
	} else {
		rc = RC_TOOBIG;
	}
	(void)pthread_rwlock_unlock(&r->lock);
	buf_free(&copy);
	return rc;
}

/* --- checks */

static bool is_key(const struct vault_key *k, struct bytes spki)
{
	return k && vault_key_is_known(k) && bytes_eq(k->spki, spki);
}

/* By that name, if it is not empty. */
static bool is_named_key(
        const struct vault_key *k, struct bytes name, struct bytes spki)
{
	return is_key(k, spki) &&
	        (name.n == 0 || bytes_eq(bytes_str(k->name), name));
}

/* tbs_held_fn, under the lock. A key that was made has left us: it is held by
 * whom it was made for, and by no name. */
static bool is_held(void *ctx, struct bytes name, struct bytes spki)
{
	const struct rules *r = ctx;

	for (size_t i = 0; i < vault_count(r->vault); i++)
		if (is_named_key(vault_at(r->vault, i), name, spki))
			return true;
	for (size_t i = 0; i < r->n_kept; i++)
		if (is_named_key(r->kept[i].now, name, spki) ||
		        is_named_key(r->kept[i].before, name, spki))
			return true;
	for (size_t i = 0; name.n == 0 && i < r->n_made; i++)
		if (bytes_eq(buf_bytes(&r->made[i].spki), spki))
			return true;
	return false;
}

void rules_floor(struct rules *r, int64_t floor_s)
{
	atomic_store(&r->latest_s, floor_s);
}

static int64_t time_s(struct rules *r)
{
	int64_t now_s = clock_now_s();
	int64_t latest_s = atomic_load(&r->latest_s);

	while (now_s > latest_s &&
	        !atomic_compare_exchange_weak(&r->latest_s, &latest_s, now_s))
		;
	return now_s > latest_s ? now_s : latest_s;
}

struct question {
	size_t key;
	uint32_t purpose;
	struct bytes tbs;
	const struct vault_key *use;
	bool purposed;            /* some policy is for the purpose */
	struct bytes cert, attrs; /* SIGNER_CODE: its parts */
	uint8_t cert_sha256[TBS_CODE_CERT_HASH_BYTES];
};

static enum rc check_code(
        const struct tbs_policy *p, const struct question *q, struct why *why)
{
	const struct tbs_code_key key = { q->use->spki, alg_bytes(q->use->alg),
		BYTES_ARRAY(q->cert_sha256) };

	return tbs_check_code(p, q->tbs, clock_now_s(), &key, why);
}

/* Form alone: what is in it, only the key can tell. */
static enum rc check_decrypt(const struct question *q, struct why *why)
{
	struct bytes encrypted = BYTES_NONE;
	size_t n;
	enum rc rc = tbs_decrypt_parts(&n, &encrypted, q->tbs, why);

	if (!rc && encrypted.n != (size_t)EVP_PKEY_get_size(q->use->pkey))
		rc = why_set(why, RC_DENIED,
		        "encrypted content key: not of the key's length");
	return rc;
}

static enum rc check_policy(struct rules *r, const struct tbs_policy *p,
        const struct question *q, struct why *why)
{
	switch (q->purpose) {
	case SIGNER_CERT:
		return tbs_check(p, q->tbs, clock_now_s(), is_held, r, why);
	case SIGNER_CRL:
		return tbs_check_crl(p, q->tbs, time_s(r), why);
	case SIGNER_CODE:
		return check_code(p, q, why);
	case SIGNER_CERTREP:
		return tbs_check_certrep(q->tbs, why);
	case SIGNER_DECRYPT:
		return check_decrypt(q, why);
	case SIGNER_NEXT_CA:
		return tbs_check_next_ca(p, q->tbs, why);
	default:
		return tbs_check_ocsp(
		        p, q->tbs, time_s(r), BYTES_ARRAY(q->use->hash), why);
	}
}

static enum rc check_set(struct rules *r, const struct set *s,
        struct question *q, struct why *why)
{
	enum rc rc = RC_DENIED;

	for (size_t i = 0; i < s->n && rc; i++) {
		const struct item *item = &s->items[i];

		if (item->key != q->key ||
		        !(item->policy->purposes &
		                SIGNER_PURPOSE_BIT(q->purpose)))
			continue;
		q->purposed = true;
		rc = check_policy(r, item->policy, q, why);
	}
	return rc;
}

/* Of the keys of a name, the one that the answer says it is by. */
static enum rc pick_kept(const struct kept *k, const struct question *q,
        struct vault_key **out, struct why *why)
{
	struct vault_key *const both[] = { k->now, k->before };
	struct bytes responder;
	enum rc rc;

	if (!k->now)
		return why_set(why, RC_NOTFOUND, "the key has ended");
	if (q->purpose != SIGNER_OCSP)
		return why_set(why, RC_DENIED,
		        "the key signs OCSP answers and nothing else");
	rc = tbs_ocsp_responder(&responder, q->tbs, why);
	if (rc)
		return rc;
	for (unsigned i = 0; i < 2; i++) {
		*out = both[i];
		if (*out && bytes_eq(BYTES_ARRAY((*out)->hash), responder))
			return RC_OK;
	}
	return why_set(why, RC_DENIED, "responderID is not the key's");
}

static enum rc pick(const struct rules *r, const struct question *q,
        struct vault_key **out, struct why *why)
{
	if (q->key >= KEPT_FROM)
		return pick_kept(&r->kept[q->key - KEPT_FROM], q, out, why);
	*out = vault_at(r->vault, q->key);
	return vault_key_is_known(*out)
	        ? RC_OK
	        : why_set(why, RC_UNAVAILABLE,
	                  "the key cannot be found in its token");
}

/* Under the lock. */
static enum rc check_sets(struct rules *r, struct question *q, struct why *why)
{
	enum rc rc = RC_DENIED;

	for (size_t i = 0; i < r->n_sets && rc; i++)
		rc = check_set(r, &r->sets[i], q, why);
	if (rc && !q->purposed)
		rc = why_set(why, RC_DENIED,
		        "the key has no policy for this purpose");
	return rc;
}

/* Under the lock. Who has an RSA key decrypt at will has it sign in the end
 * (Bleichenbacher): one that does is for nothing else, under any name. */
static enum rc check_alone(const struct rules *r, const struct set *s,
        const struct question *q, struct why *why)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct item *item = &s->items[i];
		const struct vault_key *k;

		if (item->key >= KEPT_FROM ||
		        (item->policy->purposes & SIGNER_RA_PURPOSES))
			continue;
		k = vault_at(r->vault, item->key);
		if (is_key(k, q->use->spki))
			return why_set(why, RC_CONFIG,
			        "key %s is key %s, too: a registration "
			        "authority has one of its own",
			        q->use->name, k->name);
	}
	return RC_OK;
}

/* The certificate that code is to be signed under, and what is signed. */
static enum rc take_apart(struct question *q, struct why *why)
{
	enum rc rc = tbs_code_parts(&q->cert, &q->attrs, q->tbs, why);

	if (!rc &&
	        EVP_Digest(q->cert.p, q->cert.n, q->cert_sha256, NULL,
	                EVP_sha256(), NULL) != 1) {
		ERR_clear_error();
		rc = RC_INTERNAL;
	}
	return rc;
}

enum rc rules_check(struct rules *r, size_t key, uint32_t purpose,
        struct bytes tbs, struct rules_verdict *verdict, struct why *why)
{
	struct question q = { .key = key, .purpose = purpose, .tbs = tbs };
	bool code = purpose == SIGNER_CODE;
	struct vault_key *picked = NULL;
	enum rc rc = RC_OK;

	*verdict = (struct rules_verdict){ .data = tbs };
	if (tbs_max_bytes(purpose) == 0)
		return why_set(why, RC_DENIED, "unknown purpose %u",
		        (unsigned)purpose);
	if (code)
		rc = take_apart(&q, why);
	if (rc)
		return rc;
	(void)pthread_rwlock_rdlock(&r->lock);
	rc = pick(r, &q, &picked, why);
	q.use = picked;
	if (!rc)
		rc = check_sets(r, &q, why);
	for (size_t i = 0; i < r->n_sets && !rc && purpose == SIGNER_DECRYPT;
	        i++)
		rc = check_alone(r, &r->sets[i], &q, why);
	if (!rc)
		verdict->use = vault_key_ref(picked);
	(void)pthread_rwlock_unlock(&r->lock);
	if (code)
		verdict->data = q.attrs;
	else if (!rc && purpose == SIGNER_DECRYPT)
		rc = tbs_decrypt_parts(
		        &verdict->key_bytes, &verdict->data, tbs, why);
	return rc;
}
