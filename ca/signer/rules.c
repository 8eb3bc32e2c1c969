/* ca/signer/rules.c - policy sets and held keys. */
#include "ca/signer/rules.h"

#include "base/clock.h"
#include "base/pack.h"
#include "der/alg.h"

#include <inttypes.h>
#include <pthread.h>
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

struct rules {
	const struct vault *vault;
	pthread_rwlock_t lock; /* of all below */
	struct set sets[PROTO_GENERATIONS_MAX];
	size_t n_sets;
	struct made made[RULES_MADE_MAX];
	size_t n_made;
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

void rules_free(struct rules *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n_sets; i++)
		set_clear(&r->sets[i]);
	for (size_t i = 0; i < r->n_made; i++)
		buf_free(&r->made[i].spki);
	(void)pthread_rwlock_destroy(&r->lock);
	free(r);
}

static enum rc read_item(const struct rules *r, struct item *item,
        struct unpack *u, struct why *why)
{
	char name[PROTO_KEY_NAME_MAX + 1];
	enum rc rc = proto_policy_unpack_item(name, &item->policy, u, why);
	const struct vault_key *k;

	if (rc)
		return rc;
	item->key = vault_find(r->vault, name);
	if (item->key == vault_count(r->vault))
		return why_set(why, RC_NOTFOUND,
		        "policy for key %s, which is not loaded", name);
	k = vault_at(r->vault, item->key);
	if (!bytes_eq(item->policy->sig_alg, alg_bytes(k->alg)))
		return why_set(why, RC_CONFLICT, "key %s signs %s", name,
		        alg_name(k->alg));
	return RC_OK;
}

static enum rc read_set(const struct rules *r, struct set *s, struct bytes body,
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
	}
	(void)pthread_rwlock_unlock(&r->lock);
	set_clear(&old);
	return place ? RC_OK
	             : why_set(why, RC_NOTFOUND,
	                       "no policy generation %" PRIu64, generation);
}

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

/* tbs_held_fn, under the lock. */
static bool is_held(void *ctx, struct bytes spki)
{
	const struct rules *r = ctx;

	for (size_t i = 0; i < vault_count(r->vault); i++)
		if (bytes_eq(vault_at(r->vault, i)->spki, spki))
			return true;
	for (size_t i = 0; i < r->n_made; i++)
		if (bytes_eq(buf_bytes(&r->made[i].spki), spki))
			return true;
	return false;
}

static enum rc check_set(struct rules *r, const struct set *s, size_t key,
        uint32_t purpose, struct bytes tbs, bool *purposed, struct why *why)
{
	enum rc rc = RC_DENIED;

	for (size_t i = 0; i < s->n && rc; i++) {
		const struct item *item = &s->items[i];

		if (item->key != key ||
		        !(item->policy->purposes & SIGNER_PURPOSE_BIT(purpose)))
			continue;
		*purposed = true;
		rc = tbs_check(
		        item->policy, tbs, clock_now_s(), is_held, r, why);
	}
	return rc;
}

enum rc rules_check(struct rules *r, size_t key, uint32_t purpose,
        struct bytes tbs, struct why *why)
{
	bool purposed = false;
	enum rc rc = RC_DENIED;

	if (purpose != SIGNER_CERT)
		return why_set(why, RC_DENIED, "unknown purpose %u",
		        (unsigned)purpose);
	(void)pthread_rwlock_rdlock(&r->lock);
	for (size_t i = 0; i < r->n_sets && rc; i++)
		rc = check_set(
		        r, &r->sets[i], key, purpose, tbs, &purposed, why);
	(void)pthread_rwlock_unlock(&r->lock);
	if (rc && !purposed)
		rc = why_set(why, RC_DENIED,
		        "the key has no policy for this purpose");
	return rc;
}
