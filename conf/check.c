/* References by name, and the rules between options that no row of the table
 * can say. */
#include "conf/error.h"
#include "conf/load.h"

#include <stdio.h>
#include <string.h>

/* --- references */
static const uint8_t *elements_of(
        const struct load *l, const struct collection *g, size_t *n)
{
	const uint8_t *base = (const uint8_t *)&l->conf;

	*n = *(const size_t *)(const void *)(base + g->at_n);
	return *(const uint8_t *const *)(const void *)(base + g->at);
}

static void resolve_ref(struct load *l, const struct load_ref *ref)
{
	const struct collection *g = &schema_collections()[ref->target];
	struct nearest near = nearest_to(ref->node->text);
	size_t n;
	const uint8_t *element = elements_of(l, g, &n);

	for (size_t i = 0; i < n; i++, element += g->size) {
		const char *name = *(const char *const *)(const void *)element;

		if (strcmp(name, ref->node->text) == 0) {
			*ref->slot = element;
			return;
		}
		nearest_offer(&near, name);
	}
	if (near.best[0] != '\0')
		node_error(l->errors, ref->node,
		        "there is no %s \"%.60s\" (did you mean \"%s\"?)",
		        g->singular, ref->node->text, near.best);
	else
		node_error(l->errors, ref->node,
		        "there is no %s \"%.60s\": no such entry below %.*s",
		        g->singular, ref->node->text, (int)strlen(g->path) - 2,
		        g->path);
}

void load_resolve(struct load *l)
{
	for (const struct load_ref *r = l->refs; r != NULL; r = r->next)
		resolve_ref(l, r);
}

/* --- rules. Each finds its node beside its struct: entry i of a list in the
 * struct is entry i of the map or list in the file. */
static const struct node *entry(
        const struct load *l, const char *section, const char *list, size_t i)
{
	const struct node *n = node_get(l->root, section);

	return node_at(list != NULL ? node_get(n, list) : n, i);
}

/* None of a code key's, whose authority may be another: below one root it is the
 * same to whoever verifies, and so it is for the next generation. */
static void default_profiles(struct load *l, struct conf_authority *a)
{
	const struct conf_profile **all =
	        arena_array(&l->arena, l->conf.n_profiles, sizeof(*all));

	if (all == NULL)
		return;
	for (size_t i = 0; i < l->conf.n_profiles; i++)
		if (!load_is_code(l, NULL, &l->conf.profiles[i]))
			all[a->n_profiles++] = &l->conf.profiles[i];
	a->profiles = all;
}

/* One URL below publish.url, where the authority lists none itself; an empty
 * list says that there is none. */
static void default_url(struct load *l, const struct node *given,
        const char *path, const char ***urls, size_t *n)
{
	struct buf b = BUF_INIT(4096);
	const char *text;

	if (given != NULL || l->conf.publish_url[0] == '\0')
		return;
	buf_addf(&b, "%s%s", l->conf.publish_url, path);
	text = b.failed == RC_OK ? arena_copy(&l->arena, buf_bytes(&b)) : NULL;
	buf_free(&b);
	*urls = arena_array(&l->arena, 1, sizeof(**urls));
	if (*urls == NULL || text == NULL)
		return;
	(*urls)[0] = text;
	*n = 1;
}

static void default_urls(
        struct load *l, struct conf_authority *a, const struct node *n)
{
	char path[CONF_NAME_MAX + 32];

	(void)snprintf(path, sizeof(path), "/crl/%.64s%s.crl", a->name,
	        a->crl.shards > 0 ? "-" CONF_SHARD_VARIABLE : "");
	default_url(
	        l, node_get(n, "crl_urls"), path, &a->crl_urls, &a->n_crl_urls);
	(void)snprintf(path, sizeof(path), "/ca/%.64s.cer", a->name);
	default_url(l, node_get(n, "aia"), path, &a->aia_urls, &a->n_aia_urls);
	default_url(l, node_get(n, "ocsp_urls"), "/ocsp", &a->ocsp_urls,
	        &a->n_ocsp_urls);
}

/* A certificate of a shard must lead to that shard's CRL, and to no other. */
static void check_shard_urls(
        struct load *l, const struct conf_authority *a, const struct node *n)
{
	const struct node *urls = node_get(n, "crl_urls");

	if (a->crl.shards > 0 && a->n_crl_urls == 0)
		node_error(l->errors, node_get(node_get(n, "crl"), "shards"),
		        "needs crl_urls or publish.url: certificates must say "
		        "where their shard is");
	for (size_t i = 0; urls != NULL && i < a->n_crl_urls; i++) {
		const char *at = strstr(a->crl_urls[i], CONF_SHARD_VARIABLE);

		if (at == NULL && a->crl.shards > 0)
			node_error(l->errors, node_at(urls, i),
			        "needs %s: there are shards",
			        CONF_SHARD_VARIABLE);
		else if (at != NULL && a->crl.shards == 0)
			node_error(l->errors, node_at(urls, i),
			        "has %s, and there are no shards",
			        CONF_SHARD_VARIABLE);
		else if (at != NULL && strstr(at + 1, CONF_SHARD_VARIABLE))
			node_error(l->errors, node_at(urls, i), "has %s twice",
			        CONF_SHARD_VARIABLE);
	}
}

/* NAME-001 is also a shard of NAME. */
static void check_shard_names(
        struct load *l, const struct conf_authority *a, size_t i)
{
	for (size_t k = 0; k < l->conf.n_authorities; k++) {
		const struct conf_authority *other = &l->conf.authorities[k];
		size_t n = strlen(other->name);
		const char *rest = a->name + n;

		if (k == i || other->crl.shards == 0 ||
		        strncmp(a->name, other->name, n) != 0 ||
		        rest[0] != '-' || strlen(rest) != 4 ||
		        strspn(rest + 1, "0123456789") != 3)
			continue;
		node_error_key(l->errors, entry(l, "authorities", NULL, i),
		        "is a shard's name of \"%s\": choose another",
		        other->name);
	}
}

static void check_crl(
        struct load *l, struct conf_authority *a, const struct node *n)
{
	const struct node *crl = node_get(n, "crl");
	const struct node *every = node_get(crl, "every");

	if (a->crl.every_s * 2 > a->crl.valid_s) {
		if (every != NULL)
			node_error(l->errors, every,
			        "is over half of crl.valid: one CRL that "
			        "fails would leave none");
		a->crl.every_s = a->crl.valid_s / 2;
	}
	check_shard_urls(l, a, n);
}

static void check_authority(struct load *l, struct conf_authority *a, size_t i)
{
	const struct node *n = entry(l, "authorities", NULL, i);

	default_urls(l, a, n);
	check_crl(l, a, n);
	check_shard_names(l, a, i);
	if (a->retired && node_get(n, "profiles") != NULL)
		node_error(l->errors, node_get(n, "profiles"),
		        "does nothing: the authority is retired");
	else if (a->retired)
		a->n_profiles = 0;
	else if (a->profiles == NULL)
		default_profiles(l, a);
}

/* Generations stand in a line: each replaces one, and is replaced by one. */
static void check_generation(
        struct load *l, const struct conf_authority *a, size_t i)
{
	const struct node *n = entry(l, "authorities", NULL, i);
	const struct node *replaces = node_get(n, "replaces");
	const struct conf_authority *before = a->replaces;
	size_t steps = 0;

	if (before == NULL && a->cross.path != NULL)
		node_error(l->errors, node_get(n, "cross"),
		        "needs replaces: which generation is the other one?");
	if (before == NULL)
		return;
	for (; before != NULL && steps <= l->conf.n_authorities; steps++)
		before = before->replaces;
	if (before != NULL)
		node_error(l->errors, replaces,
		        "goes round in a circle: the first generation "
		        "replaces none");
	else if (conf_authority_next(&l->conf, a->replaces) != a)
		node_error(l->errors, replaces,
		        "authority \"%s\" replaces it already",
		        conf_authority_next(&l->conf, a->replaces)->name);
	else if (a->retired && !a->replaces->retired)
		node_error(l->errors, replaces,
		        "authority \"%s\" is the older one, and not retired",
		        a->replaces->name);
}

static void check_authorities(struct load *l)
{
	struct conf_authority *a = (struct conf_authority *)l->conf.authorities;

	for (size_t i = 0; i < l->conf.n_authorities; i++)
		check_authority(l, &a[i], i);
	for (size_t i = 0; i < l->conf.n_authorities; i++)
		check_generation(l, &a[i], i);
}

/* --- publish */
static void check_publish(struct load *l)
{
	const struct node *publish = node_get(l->root, "publish");
	struct conf *c = &l->conf;
	struct bytes url = bytes_str(c->publish_url);
	const char *slash;
	struct buf b = BUF_INIT(4096);

	while (url.n > 0 && url.p[url.n - 1] == '/')
		url.n--;
	c->publish_url = arena_copy(&l->arena, url);
	if (strchr(c->publish_url != NULL ? c->publish_url : "", '?') != NULL)
		node_error(l->errors, node_get(publish, "url"),
		        "must be a URL that paths can be added to");
	if (c->publish_path != NULL || c->store.path == NULL)
		return;
	slash = strrchr(c->store.path, '/');
	buf_add(&b,
	        bytes_of(c->store.path,
	                slash != NULL ? (size_t)(slash + 1 - c->store.path)
	                              : 0));
	buf_add_str(&b, "published");
	c->publish_path = arena_copy(&l->arena, buf_bytes(&b));
	buf_free(&b);
}

static void check_profile(
        struct load *l, struct conf_profile *p, const struct node *n)
{
	/* RFC 5280 section 4.1.2.6: an empty subject takes a critical SAN. */
	if (p->n_subject == 0)
		p->san_critical = true;
	if (p->n_subject == 0 && p->n_san == 0)
		node_error_key(l->errors, n,
		        "needs a subject or a san: a certificate must name "
		        "its holder");
	if (p->validity_s > 0 && p->renew_from_s >= p->validity_s)
		node_error(l->errors, node_get(node_get(n, "renew"), "from"),
		        "is not shorter than the validity: nothing could ever "
		        "be renewed");
	if (p->eku_critical && p->n_eku == 0)
		node_error(l->errors, node_get(n, "eku_critical"),
		        "has no eku to mark critical");
}

static void check_extensions(
        struct load *l, const struct conf_profile *p, const struct node *n)
{
	const struct node *list = node_get(n, "extensions");

	for (size_t i = 0; i < p->n_extensions; i++) {
		for (size_t k = 0; k < i; k++) {
			const char *a = p->extensions[i].oid;
			const char *b = p->extensions[k].oid;

			/* RFC 5280 section 4.2: each at most once. */
			if (a == NULL || b == NULL || strcmp(a, b) != 0)
				continue;
			node_error(l->errors, node_get(node_at(list, i), "oid"),
			        "%s stands here twice", a);
		}
	}
}

static void check_profiles(struct load *l)
{
	struct conf_profile *p = (struct conf_profile *)l->conf.profiles;

	for (size_t i = 0; i < l->conf.n_profiles; i++) {
		const struct node *n = entry(l, "profiles", NULL, i);

		check_profile(l, &p[i], n);
		check_extensions(l, &p[i], n);
	}
}

void load_check_grantee(struct load *l, const struct node *n)
{
	bool user = node_get(n, "user") != NULL;
	bool group = node_get(n, "group") != NULL;

	if (user && group)
		node_error(l->errors, n,
		        "has both user and group: give one of them");
	else if (!user && !group && n->kind == NODE_MAP)
		node_error(l->errors, n, "needs a user or a group");
}

static void check_access(struct load *l)
{
	for (size_t i = 0; i < l->conf.n_access; i++)
		load_check_grantee(l, entry(l, "admin", "access", i));
}

static bool may_issue(
        const struct conf_authority *a, const struct conf_profile *p)
{
	for (size_t i = 0; i < a->n_profiles; i++) {
		if (a->profiles[i] == p || a->profiles[i] == NULL)
			return true;
	}
	return false;
}

/* Those of one protocol, entries of the list of that name below enroll. */
struct label_list {
	const char *name;
	const struct conf_label *labels;
	size_t n;
};

static void check_unique_label(struct load *l, const struct label_list *list,
        const struct node *n, size_t i)
{
	const char *label = list->labels[i].label;
	const struct node *at = node_get(n, "label");

	for (size_t k = 0; k < i; k++) {
		const char *other = list->labels[k].label;

		if (label == NULL || other == NULL || strcmp(label, other) != 0)
			continue;
		node_error(l->errors, at != NULL ? at : n,
		        "the label \"%s\" is taken by enroll.%s[%zu]", label,
		        list->name, k);
		return;
	}
}

static void check_label(struct load *l, const struct label_list *list,
        const struct node *n, size_t i)
{
	const struct conf_label *label = &list->labels[i];
	bool idevid = (label->allow & CONF_ALLOW_IDEVID) != 0;

	check_unique_label(l, list, n, i);
	if (idevid && label->n_anchors == 0 && node_get(n, "anchors") == NULL)
		node_error(l->errors, node_get(n, "allow"),
		        "idevid needs anchors: name the entries of trust that "
		        "may vouch for devices here");
	if (!idevid && label->n_anchors > 0)
		node_error(l->errors, node_get(n, "anchors"),
		        "does nothing here: allow has no idevid");
	if (label->authority != NULL && label->authority->retired)
		node_error(l->errors, node_get(n, "authority"),
		        "authority \"%s\" is retired", label->authority->name);
	else if (label->authority != NULL && label->profile != NULL &&
	        load_is_code(l, label->authority, label->profile))
		node_error(l->errors, node_get(n, "profile"),
		        "authority \"%s\" issues profile \"%s\" to code keys "
		        "alone",
		        label->authority->name, label->profile->name);
	else if (label->authority != NULL && label->profile != NULL &&
	        !may_issue(label->authority, label->profile))
		node_error(l->errors, node_get(n, "profile"),
		        "authority \"%s\" may not issue profile \"%s\": add "
		        "it to authorities.%s.profiles",
		        label->authority->name, label->profile->name,
		        label->authority->name);
}

static void check_list(struct load *l, const struct label_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		check_label(l, list, entry(l, "enroll", list->name, i), i);
}

/* What clients encrypt for it an authority's key must not open, and what it
 * signs must not pass for a certificate. */
static void check_ra_key(
        struct load *l, const struct conf_authority *a, const struct node *n)
{
	const struct conf *c = &l->conf;
	const char *whose = NULL;

	for (size_t i = 0; i < c->n_authorities; i++)
		if (c->authorities[i].key == a->ra_key)
			whose = c->authorities[i].name;
	for (size_t i = 0; i < c->n_code; i++)
		if (c->code[i].key == a->ra_key)
			whose = c->code[i].name;
	if (whose != NULL)
		node_error(l->errors, node_get(node_get(n, "ra"), "key"),
		        "is the key of \"%s\", too: a registration "
		        "authority has one of its own",
		        whose);
}

/* One secret for all devices: it stands in the configuration by its name, and
 * nowhere by chance. */
static void check_challenge(
        struct load *l, const struct conf_label *label, const struct node *n)
{
	bool on = (label->legacy & CONF_LEGACY_SHARED_CHALLENGE) != 0;
	const struct node *challenge = node_get(n, "challenge");

	if (on && node_get(challenge, "file") == NULL)
		node_error(l->errors, node_get(n, "legacy"),
		        "shared_challenge needs challenge.file, which has it");
	if (!on && challenge != NULL)
		node_error(l->errors, challenge,
		        "does nothing here: legacy has no shared_challenge");
	if (on && label->label != NULL &&
	        strlen(label->label) > CONF_CHALLENGE_LABEL_MAX)
		node_error(l->errors, node_get(n, "label"),
		        "is over %d characters, and legacy has "
		        "shared_challenge",
		        CONF_CHALLENGE_LABEL_MAX);
}

static void check_scep(struct load *l)
{
	for (size_t i = 0; i < l->conf.n_authorities; i++)
		if (l->conf.authorities[i].ra_key != NULL)
			check_ra_key(l, &l->conf.authorities[i],
			        entry(l, "authorities", NULL, i));
	for (size_t i = 0; i < l->conf.n_scep; i++) {
		const struct conf_authority *a = l->conf.scep[i].authority;

		check_challenge(
		        l, &l->conf.scep[i], entry(l, "enroll", "scep", i));
		if (a != NULL && a->ra_key == NULL)
			node_error(l->errors,
			        node_get(entry(l, "enroll", "scep", i),
			                "authority"),
			        "authority \"%s\" has no ra.key, an RSA key "
			        "that SCEP needs",
			        a->name);
	}
}

static void check_labels(struct load *l)
{
	const struct conf *c = &l->conf;

	check_list(l, &(struct label_list){ "est", c->labels, c->n_labels });
	check_list(l, &(struct label_list){ "scep", c->scep, c->n_scep });
	check_scep(l);
}

/* NULL: none, or one of several. */
static const struct conf_authority *only_issuer(const struct conf *c)
{
	const struct conf_authority *only = NULL;

	for (size_t i = 0; i < c->n_authorities; i++) {
		if (c->authorities[i].retired ||
		        conf_authority_is_staged(&c->authorities[i]))
			continue;
		if (only != NULL)
			return NULL;
		only = &c->authorities[i];
	}
	return only;
}

static void check_listen(struct load *l)
{
	const struct node *est = node_get(node_get(l->root, "listen"), "est");
	const struct node *certificate = node_get(est, "certificate");
	const struct node *key = node_get(est, "key");
	struct conf_listen *c = &l->conf.listen;

	if (certificate != NULL && key == NULL)
		node_error(l->errors, certificate,
		        "needs listen.est.key, its private key");
	if (certificate == NULL && key != NULL)
		node_error(l->errors, key,
		        "needs listen.est.certificate, which it belongs to");
	if (certificate != NULL || key != NULL) {
		c->est_authority = NULL;
		return;
	}
	if (c->est_authority != NULL && c->est_authority->retired)
		node_error(l->errors, node_get(est, "authority"),
		        "authority \"%s\" is retired", c->est_authority->name);
	if (c->est == NULL || c->est[0] == '\0' ||
	        node_get(est, "authority") != NULL)
		return;
	c->est_authority = only_issuer(&l->conf);
	if (c->est_authority == NULL && l->conf.n_authorities > 0)
		node_error_child(l->errors, est != NULL ? est : l->root,
		        est != NULL ? "authority" : "listen.est.authority",
		        "is missing: which of the authorities issues this "
		        "listener's certificate?");
}

/* A key is in a file or in a token, and each has options of its own. */
static void check_key(struct load *l, const struct node *n)
{
	static const char *const of_files[] = { "file", "passphrase_file" };
	static const char *const of_tokens[] = { "module", "pin", "sessions" };
	const struct node *uri = node_get(n, "uri");

	if (uri == NULL && node_get(n, "file") == NULL)
		node_error_child(l->errors, n, "file",
		        "is missing: private key in PEM, in process.keys; or "
		        "uri, for one in a token");
	if (uri != NULL && node_get(n, "module") == NULL)
		node_error(l->errors, uri,
		        "needs module, the PKCS#11 module that knows the "
		        "token");
	for (size_t i = 0; uri != NULL && i < 2; i++)
		if (node_get(n, of_files[i]) != NULL)
			node_error(l->errors, node_get(n, of_files[i]),
			        "is for a key in a file, and uri says that it "
			        "is in a token");
	for (size_t i = 0; uri == NULL && i < 3; i++)
		if (node_get(n, of_tokens[i]) != NULL)
			node_error(l->errors, node_get(n, of_tokens[i]),
			        "is for a key in a token, which needs uri");
}

static void check_keys(struct load *l)
{
	for (size_t i = 0; i < l->conf.n_keys; i++)
		check_key(l, entry(l, "keys", NULL, i));
}

void load_check(struct load *l)
{
	check_keys(l);
	check_publish(l);
	load_check_code(l);
	check_authorities(l);
	check_profiles(l);
	check_access(l);
	check_labels(l);
	check_listen(l);
}
