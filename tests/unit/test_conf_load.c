/* What stands in mica.yaml lands in struct conf. */
#include "tests/unit/test_conf.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Every option of the table, none as its default is. */
static const char everything[] =
        "process: { user: u1, signer_user: u2, keys: /k, workers: 3 }\n"
        "log: { level: debug, format: json }\n"
        "store:\n"
        "  lmdb: { path: db, size: 1GiB, low: 1MiB, index_keys: yes }\n"
        "admin:\n"
        "  socket: run/sock\n"
        "  access:\n"
        "    - { user: root, role: admin }\n"
        "    - { group: 77, role: operator }\n"
        "approvals: 2\n"
        "approval_life: 2h\n"
        "listen:\n"
        "  est:\n"
        "    address: 127.0.0.1:1\n"
        "    authority: beta\n"
        "    names: [a.example, 192.0.2.1]\n"
        "    validity: 7d\n"
        "    certificate: tls.pem\n"
        "    key: tls.key\n"
        "    tls12: no\n"
        "  http: { address: '[::1]:2' }\n"
        "  metrics: { address: '' }\n"
        "limits:\n"
        "  handshake: 1s\n"
        "  header: 1500ms\n"
        "  body: 1min\n"
        "  idle: 2min\n"
        "  connections: 11\n"
        "  connections_per_address: 12\n"
        "  requests_per_connection: 13\n"
        "  est_rate_per_address: 14\n"
        "  est_burst: 15\n"
        "  ocsp_rate_per_address: 16\n"
        "  ocsp_burst: 17\n"
        "  scep_rate_per_address: 18\n"
        "  scep_burst: 19\n"
        "ocsp: { cache: 3MiB }\n"
        "keys:\n"
        "  one: { file: one.key, passphrase_file: one.pass }\n"

        "  two: { file: sub/two.key }\n"
        "  three: { uri: 'pkcs11:token=t;object=o', module: /m.so,\n"
        "    pin: 'credential:p', sessions: 9, padding: pss }\n"
        "  four: { file: four.key }\n"
        "  five: { file: five.key }\n"
        "  ra: { file: ra.key }\n"
        "authorities:\n"
        "  alpha: { certificate: alpha.pem, key: two }\n"
        "  beta:\n"
        "    certificate: beta.pem\n"
        "    chain: alpha.pem\n"
        "    issuer_crl: alpha.pem\n"
        "    key: one\n"
        "    profiles: [full, bare]\n"
        "    aia: ['http://x/a.crt']\n"
        "    ocsp_urls: ['http://x/ocsp', 'http://y/ocsp']\n"
        "    crl_urls: ['http://x/c-%{shard}.crl']\n"
        "    ocsp: { valid: 2h, key: ca, unissued: revoked }\n"
        "    crl: { every: 5min, valid: 2h, after_revocation: 10s, shards: 3 "
        "}\n"
        "  gamma: { certificate: gamma.pem, key: two, retired: yes }\n"
        "  delta:\n"
        "    { certificate: delta.pem, key: two, replaces: gamma, cross: "
        "x.pem,\n"
        "      ra: { key: ra, validity: 3d } }\n"
        "publish: { path: pub, url: 'http://pki.example/' }\n"
        "profiles:\n"
        "  other: { subject: { CN: x } }\n"
        "  full:\n"
        "    keys: [p384, rsa3072]\n"
        "    validity: 90d\n"
        "    backdate: 1h\n"
        "    subject: { C: DE, OU: [one, two], 1.2.3: v }\n"
        "    san:\n"
        "      dns: [d1, d2]\n"
        "      ip: 192.0.2.7\n"
        "      email: e@x\n"
        "      uri: 'urn:x'\n"
        "      hardware_module: 1.2.3 serial\n"
        "      permanent_id: pid\n"
        "    san_critical: yes\n"
        "    key_usage: [keyAgreement, digitalSignature]\n"
        "    eku: [client_auth, 1.2.3.4]\n"
        "    eku_critical: yes\n"
        "    policies: [1.2.3.5]\n"
        "    extensions:\n"
        "      - { oid: 1.2.3.6, critical: yes, der: '0500' }\n"
        "      - { oid: 1.2.3.7, der: 0101FF }\n"
        "    basic_constraints: yes\n"
        "    subject_key_id: no\n"
        "    no_rev_avail: yes\n"
        "    channel_binding: yes\n"
        "    max_active: 4\n"
        "    renew:\n"
        "      { from: 50.5%, grace: 3d, new_key: required, supersede_after: "
        "1d }\n"
        "  bare: { san: { uri: x }, validity: never, renew: { from: 2d } }\n"
        "  firm: { subject: { CN: x }, eku: [code_signing] }\n"
        "code:\n"
        "  boot:\n"
        "    key: four\n"
        "    authority: alpha\n"
        "    profile: firm\n"
        "    device: Boot 1\n"
        "    approvals: 2\n"
        "    access: [{ user: 7 }, { group: 8 }]\n"
        "  app: { key: five, authority: alpha, profile: firm }\n"
        "trust:\n"
        "  acme: { certificates: acme.pem, identity: CN }\n"
        "  bcme: { certificates: alpha.pem }\n"
        "enroll:\n"
        "  retry_window: 10min\n"
        "  token_life: 1d\n"
        "  approve_life: 2d\n"
        "  est:\n"
        "    - { authority: alpha, profile: other }\n"
        "    - label: line1\n"
        "      authority: beta\n"
        "      profile: bare\n"
        "      allow: [idevid, token]\n"
        "      approve: manual\n"
        "      anchors: [bcme, acme]\n"
        "  scep:\n"
        "    - label: old\n"
        "      authority: delta\n"
        "      profile: bare\n"
        "      allow: [idevid]\n"
        "      approve: manual\n"
        "      anchors: [acme]\n"
        "      legacy: [des3, shared_challenge]\n"
        "      challenge: { file: old.challenge, identity: serialNumber }\n";

static void note_option(void *ctx, size_t option, const struct node *n)
{
	char text[256];
	size_t count;
	const char *fallback = conf_options(&count)[option].fallback;

	if (fallback == NULL ||
	        strcmp(node_text(text, sizeof(text), n), fallback) != 0)
		((bool *)ctx)[option] = true;
}

START_TEST(everything_sets_every_option_away_from_its_default)
{
	static struct conf_errors errors;
	struct arena arena = ARENA_INIT;
	bool seen[256] = { false };
	struct node *root;
	size_t count;
	const struct conf_option *o = conf_options(&count);

	ck_assert_int_eq(
	        node_parse(&root, &arena, bytes_str(everything), &errors),
	        RC_OK);
	each_option(root, note_option, seen);
	for (size_t i = 0; i < count; i++)
		ck_assert_msg(seen[i], "%s", o[i].path);
	arena_free(&arena);
}
END_TEST

START_TEST(processes_store_and_admin_land)
{
	struct conf *c = load(everything);

	ck_assert_str_eq(c->path, "etc/mica.yaml");
	ck_assert_str_eq(c->user, "u1");
	ck_assert_str_eq(c->signer_user, "u2");
	ck_assert_str_eq(c->keys_dir, "/k");
	ck_assert_uint_eq(c->workers, 3);
	ck_assert_int_eq(c->log_level, LOG_DEBUG);
	ck_assert_int_eq(c->log_form, LOG_JSON);
	ck_assert_str_eq(c->store.path, "etc/db");
	ck_assert_uint_eq(c->store.size_bytes, 1u << 30);
	ck_assert_uint_eq(c->store.low_bytes, 1u << 20);
	ck_assert(c->store.index_keys);
	ck_assert_str_eq(c->admin_socket, "etc/run/sock");
	ck_assert_uint_eq(c->n_access, 2);
	ck_assert(!c->access[0].is_group);
	ck_assert_uint_eq(c->access[0].id, 0);
	ck_assert_int_eq(c->access[0].role, CONF_ROLE_ADMIN);
	ck_assert(c->access[1].is_group);
	ck_assert_uint_eq(c->access[1].id, 77);
	ck_assert_int_eq(c->access[1].role, CONF_ROLE_OPERATOR);
	ck_assert_uint_eq(c->approvals, 2);
	ck_assert_int_eq(c->approval_life_s, 7200);
	conf_free(c);
}
END_TEST

static void check_file(const struct conf_file *f, const char *path)
{
	char content[64];

	(void)snprintf(content, sizeof(content), "content of %s", path);
	ck_assert_str_eq(f->path, path);
	ck_assert(bytes_eq_str(f->content, content));
}

START_TEST(listeners_and_limits_land)
{
	struct conf *c = load(everything);

	ck_assert_str_eq(c->listen.est, "127.0.0.1:1");
	/* A certificate that is given needs no issuer. */
	ck_assert_ptr_null(c->listen.est_authority);
	ck_assert_uint_eq(c->listen.n_est_names, 2);
	ck_assert_str_eq(c->listen.est_names[0], "a.example");
	ck_assert_str_eq(c->listen.est_names[1], "192.0.2.1");
	ck_assert_int_eq(c->listen.est_validity_s, 7 * 86400);
	check_file(&c->listen.est_certificate, "tls.pem");
	ck_assert_str_eq(c->listen.est_key, "tls.key");
	ck_assert(!c->listen.tls12);
	ck_assert_str_eq(c->listen.http, "[::1]:2");
	ck_assert_str_eq(c->listen.metrics, "");
	ck_assert_int_eq(c->limits.handshake_ms, 1000);
	ck_assert_int_eq(c->limits.header_ms, 1500);
	ck_assert_int_eq(c->limits.body_ms, 60000);
	ck_assert_int_eq(c->limits.idle_ms, 120000);
	ck_assert_uint_eq(c->limits.connections, 11);
	ck_assert_uint_eq(c->limits.connections_per_address, 12);
	ck_assert_uint_eq(c->limits.requests_per_connection, 13);
	ck_assert_uint_eq(c->limits.est_rate_per_address, 14);
	ck_assert_uint_eq(c->limits.est_burst, 15);
	ck_assert_uint_eq(c->limits.ocsp_rate_per_address, 16);
	ck_assert_uint_eq(c->limits.ocsp_burst, 17);
	ck_assert_uint_eq(c->limits.scep_rate_per_address, 18);
	ck_assert_uint_eq(c->limits.scep_burst, 19);
	ck_assert_uint_eq(c->ocsp_cache_bytes, 3u << 20);
	conf_free(c);
}
END_TEST

START_TEST(urls_follow_from_publish_url_where_none_are_given)
{
	struct conf *c = load(everything);
	const struct conf_authority *a = conf_authority(c, "alpha");

	ck_assert_str_eq(c->publish_path, "etc/pub");
	ck_assert_str_eq(c->publish_url, "http://pki.example");
	ck_assert_uint_eq(a->n_crl_urls, 1);
	ck_assert_str_eq(a->crl_urls[0], "http://pki.example/crl/alpha.crl");
	ck_assert_uint_eq(a->n_aia_urls, 1);
	ck_assert_str_eq(a->aia_urls[0], "http://pki.example/ca/alpha.cer");
	ck_assert_uint_eq(a->n_ocsp_urls, 1);
	ck_assert_str_eq(a->ocsp_urls[0], "http://pki.example/ocsp");
	conf_free(c);
	c = load("store: { lmdb: { path: /var/lib/x/db } }\n"
	         "publish: { url: http://h }\n"
	         "listen: { est: { address: '' } }\n"
	         "keys: { k: { file: k.key } }\n"
	         "authorities:\n"
	         "  a: { certificate: a.pem, key: k, crl_urls: [], aia: [],\n"
	         "    ocsp_urls: [] }\n"
	         "  b: { certificate: a.pem, key: k, crl: { shards: 2,\n"
	         "    valid: 10min } }\n");
	ck_assert_str_eq(c->publish_path, "/var/lib/x/published");
	ck_assert_uint_eq(c->authorities[0].n_crl_urls, 0);
	ck_assert_uint_eq(c->authorities[0].n_aia_urls, 0);
	ck_assert_uint_eq(c->authorities[0].n_ocsp_urls, 0);
	ck_assert_str_eq(
	        c->authorities[1].crl_urls[0], "http://h/crl/b-%{shard}.crl");
	ck_assert_int_eq(c->authorities[1].crl.every_s, 300);
	conf_free(c);
	c = load("keys: { k: { file: k.key } }\n"
	         "authorities: { a: { certificate: a.pem, key: k } }\n");
	ck_assert_str_eq(c->publish_path, "/var/lib/mica/published");
	ck_assert_uint_eq(c->authorities[0].n_crl_urls, 0);
	ck_assert_int_eq(c->authorities[0].crl.every_s, 3600);
	ck_assert_int_eq(c->authorities[0].crl.valid_s, 86400);
	conf_free(c);
}
END_TEST

START_TEST(keys_authorities_and_anchors_land)
{
	struct conf *c = load(everything);
	const struct conf_authority *a = conf_authority(c, "alpha");
	const struct conf_authority *b = conf_authority(c, "beta");
	const struct conf_authority *d;

	ck_assert_uint_eq(c->n_keys, 6);
	ck_assert_str_eq(c->keys[0].name, "one");
	ck_assert_str_eq(c->keys[0].file, "one.key");
	ck_assert_str_eq(c->keys[0].passphrase_file, "one.pass");
	ck_assert_str_eq(c->keys[1].file, "sub/two.key");
	ck_assert_ptr_null(c->keys[1].passphrase_file);
	ck_assert_ptr_null(c->keys[1].uri);
	ck_assert_ptr_null(c->keys[1].pin);
	ck_assert_uint_eq(c->keys[1].sessions, 8);
	ck_assert_int_eq(c->keys[1].padding, CONF_PADDING_PKCS1);
	ck_assert_ptr_null(c->keys[2].file);
	ck_assert_str_eq(c->keys[2].uri, "pkcs11:token=t;object=o");
	ck_assert_str_eq(c->keys[2].module, "/m.so");
	ck_assert_str_eq(c->keys[2].pin, "credential:p");
	ck_assert_uint_eq(c->keys[2].sessions, 9);
	ck_assert_int_eq(c->keys[2].padding, CONF_PADDING_PSS);
	ck_assert_uint_eq(c->n_authorities, 4);
	ck_assert_ptr_eq(a->key, &c->keys[1]);
	check_file(&a->certificate, "alpha.pem");
	ck_assert_ptr_null(a->chain.path);
	ck_assert_uint_eq(a->n_profiles, 3); /* all of them */
	ck_assert_ptr_eq(a->profiles[2], &c->profiles[2]);
	ck_assert_ptr_eq(b->key, &c->keys[0]);
	check_file(&b->chain, "alpha.pem");
	check_file(&b->issuer_crl, "alpha.pem");
	ck_assert_uint_eq(b->n_profiles, 2);
	ck_assert_ptr_eq(b->profiles[0], conf_profile(c, "full"));
	ck_assert_ptr_eq(b->profiles[1], conf_profile(c, "bare"));
	ck_assert_uint_eq(b->n_aia_urls, 1);
	ck_assert_str_eq(b->aia_urls[0], "http://x/a.crt");
	ck_assert_uint_eq(b->n_ocsp_urls, 2);
	ck_assert_str_eq(b->ocsp_urls[1], "http://y/ocsp");
	ck_assert_uint_eq(b->n_crl_urls, 1);
	ck_assert_int_eq(a->ocsp_valid_s, 43200);
	ck_assert_int_eq(a->ocsp_key, CONF_OCSP_RESPONDER);
	ck_assert_int_eq(a->ocsp_unissued, CONF_UNISSUED_UNKNOWN);
	ck_assert_int_eq(b->ocsp_valid_s, 7200);
	ck_assert_int_eq(b->ocsp_key, CONF_OCSP_CA);
	ck_assert_int_eq(b->ocsp_unissued, CONF_UNISSUED_REVOKED);
	ck_assert_str_eq(b->crl_urls[0], "http://x/c-%{shard}.crl");
	ck_assert_int_eq(b->crl.every_s, 300);
	ck_assert_int_eq(b->crl.valid_s, 7200);
	ck_assert_int_eq(b->crl.after_revocation_s, 10);
	ck_assert_uint_eq(b->crl.shards, 3);
	ck_assert(!b->retired);
	ck_assert(conf_authority(c, "gamma")->retired);
	d = conf_authority(c, "delta");
	ck_assert_ptr_eq(d->replaces, conf_authority(c, "gamma"));
	ck_assert_ptr_eq(conf_authority_next(c, d->replaces), d);
	ck_assert_ptr_null(conf_authority_next(c, d));
	ck_assert_str_eq(d->cross.path, "x.pem");
	ck_assert(!conf_authority_is_staged(d));
	ck_assert_uint_eq(conf_authority(c, "gamma")->n_profiles, 0);
	ck_assert_uint_eq(c->n_anchors, 2);
	ck_assert_str_eq(c->anchors[0].name, "acme");
	check_file(&c->anchors[0].certificates, "acme.pem");
	ck_assert_str_eq(c->anchors[0].identity, "CN");
	ck_assert_str_eq(c->anchors[1].identity, "serialNumber");
	ck_assert_ptr_null(conf_authority(c, "epsilon"));
	ck_assert_ptr_null(conf_profile(c, "gamma"));
	conf_free(c);
}
END_TEST

START_TEST(names_of_a_profile_land)
{
	static const struct conf_attribute subject[] = { { "C", "DE" },
		{ "OU", "one" }, { "OU", "two" }, { "1.2.3", "v" } };
	static const struct conf_san san[] = { { CONF_SAN_DNS, "d1" },
		{ CONF_SAN_DNS, "d2" }, { CONF_SAN_IP, "192.0.2.7" },
		{ CONF_SAN_EMAIL, "e@x" }, { CONF_SAN_URI, "urn:x" },
		{ CONF_SAN_HARDWARE_MODULE, "1.2.3 serial" },
		{ CONF_SAN_PERMANENT_ID, "pid" } };
	struct conf *c = load(everything);
	const struct conf_profile *p = conf_profile(c, "full");

	ck_assert_uint_eq(p->n_subject, 4);
	for (size_t i = 0; i < p->n_subject; i++) {
		ck_assert_str_eq(p->subject[i].type, subject[i].type);
		ck_assert_str_eq(p->subject[i].value, subject[i].value);
	}
	ck_assert_uint_eq(p->n_san, 7);
	for (size_t i = 0; i < p->n_san; i++) {
		ck_assert_int_eq(p->san[i].kind, san[i].kind);
		ck_assert_str_eq(p->san[i].value, san[i].value);
	}
	ck_assert(p->san_critical);
	ck_assert(conf_profile(c, "bare")->san_critical); /* no subject */
	ck_assert(!conf_profile(c, "other")->san_critical);
	conf_free(c);
}
END_TEST

START_TEST(code_keys_land)
{
	struct conf *c = load(everything);
	const struct conf_authority *a = conf_authority(c, "alpha");
	const struct conf_code *k = c->code;

	ck_assert_uint_eq(c->n_code, 2);
	ck_assert_str_eq(k[0].name, "boot");
	ck_assert_ptr_eq(k[0].key, &c->keys[3]);
	ck_assert_ptr_eq(k[0].authority, a);
	ck_assert_ptr_eq(k[0].profile, conf_profile(c, "firm"));
	ck_assert_str_eq(k[0].device, "Boot 1");
	ck_assert_uint_eq(k[0].approvals, 2);
	ck_assert_uint_eq(k[0].n_access, 2);
	ck_assert_uint_eq(k[0].access[0].id, 7);
	ck_assert(k[0].access[1].is_group);
	ck_assert_str_eq(k[1].device, "code:app");
	ck_assert_uint_eq(k[1].approvals, 1);
	ck_assert_uint_eq(k[1].n_access, 0);
	/* Every profile but theirs. */
	ck_assert_uint_eq(a->n_profiles, 3);
	/* By default nobody else's authority issues it either. */
	for (size_t j = 0; j < c->n_authorities; j++)
		for (size_t i = 0; i < c->authorities[j].n_profiles; i++)
			ck_assert_ptr_ne(
			        c->authorities[j].profiles[i], k[0].profile);
	conf_free(c);
}
END_TEST

START_TEST(extensions_of_a_profile_land)
{
	struct conf *c = load(everything);
	const struct conf_profile *p = conf_profile(c, "full");

	ck_assert_uint_eq(p->n_key_usage, 2);
	ck_assert_str_eq(p->key_usage[0], "keyAgreement");
	ck_assert_uint_eq(p->n_eku, 2);
	ck_assert_str_eq(p->eku[0], "client_auth");
	ck_assert_str_eq(p->eku[1], "1.2.3.4");
	ck_assert(p->eku_critical);
	ck_assert_uint_eq(p->n_policies, 1);
	ck_assert_str_eq(p->policies[0], "1.2.3.5");
	ck_assert_uint_eq(p->n_extensions, 2);
	ck_assert_str_eq(p->extensions[0].oid, "1.2.3.6");
	ck_assert(p->extensions[0].critical);
	ck_assert(bytes_eq(p->extensions[0].der, BYTES_LIT("\x05\x00")));
	ck_assert(!p->extensions[1].critical);
	ck_assert(bytes_eq(p->extensions[1].der, BYTES_LIT("\x01\x01\xff")));
	ck_assert(p->basic_constraints);
	ck_assert(!p->subject_key_id);
	ck_assert(p->no_rev_avail);
	conf_free(c);
}
END_TEST

START_TEST(times_and_rules_of_a_profile_land)
{
	struct conf *c = load(everything);
	const struct conf_profile *p = conf_profile(c, "full");
	const struct conf_profile *bare = conf_profile(c, "bare");

	ck_assert_uint_eq(p->keys, CONF_KEY_P384 | CONF_KEY_RSA3072);
	ck_assert_int_eq(p->validity_s, 90 * 86400);
	ck_assert_int_eq(p->backdate_s, 3600);
	ck_assert(p->channel_binding);
	ck_assert_uint_eq(p->max_active, 4);
	ck_assert_int_eq(p->renew_from_s, 0);
	ck_assert_uint_eq(p->renew_from_permille, 505);
	ck_assert_int_eq(p->renew_grace_s, 3 * 86400);
	ck_assert_int_eq(p->renew_new_key, CONF_NEW_KEY_REQUIRED);
	ck_assert_int_eq(p->supersede_after_s, 86400);
	ck_assert_int_eq(bare->validity_s, 0);
	ck_assert_int_eq(bare->renew_from_s, 2 * 86400);
	ck_assert_uint_eq(bare->renew_from_permille, 0);
	conf_free(c);
}
END_TEST

START_TEST(labels_land)
{
	struct conf *c = load(everything);
	const struct conf_label *l = c->labels;

	ck_assert_int_eq(c->retry_window_s, 600);
	ck_assert_int_eq(c->token_life_s, 86400);
	ck_assert_int_eq(c->approve_life_s, 2 * 86400);
	ck_assert_uint_eq(c->n_labels, 2);
	ck_assert_str_eq(l[0].label, "");
	ck_assert_ptr_eq(l[0].authority, &c->authorities[0]);
	ck_assert_ptr_eq(l[0].profile, conf_profile(c, "other"));
	ck_assert_uint_eq(l[0].allow, CONF_ALLOW_TOKEN | CONF_ALLOW_RENEWAL);
	ck_assert_uint_eq(l[0].n_anchors, 0);
	ck_assert_str_eq(l[1].label, "line1");
	ck_assert_ptr_eq(l[1].authority, &c->authorities[1]);
	ck_assert_ptr_eq(l[1].profile, conf_profile(c, "bare"));
	ck_assert_uint_eq(l[1].allow, CONF_ALLOW_TOKEN | CONF_ALLOW_IDEVID);
	ck_assert_uint_eq(l[1].n_anchors, 2);
	ck_assert_ptr_eq(l[1].anchors[0], &c->anchors[1]);
	ck_assert_ptr_eq(l[1].anchors[1], &c->anchors[0]);
	ck_assert_uint_eq(c->n_scep, 1);
	ck_assert_str_eq(c->scep[0].label, "old");
	ck_assert_uint_eq(c->scep[0].allow, CONF_ALLOW_IDEVID);
	ck_assert_uint_eq(c->scep[0].legacy,
	        CONF_LEGACY_DES3 | CONF_LEGACY_SHARED_CHALLENGE);
	ck_assert(bytes_eq_str(
	        c->scep[0].challenge.content, "content of old.challenge"));
	ck_assert_str_eq(c->scep[0].challenge_identity, "serialNumber");
	ck_assert_str_eq(c->scep[0].authority->ra_key->name, "ra");
	ck_assert_int_eq(c->scep[0].authority->ra_validity_s, 3 * 86400);
	conf_free(c);
}
END_TEST

START_TEST(defaults_are_those_of_the_table)
{
	struct conf *c = load(MINIMAL);
	const struct conf_profile *p = c->profiles;

	ck_assert_str_eq(c->user, "mica");
	ck_assert_str_eq(c->keys_dir, "etc/keys");
	ck_assert_uint_eq(c->workers, 0);
	ck_assert_int_eq(c->log_level, LOG_NOTICE);
	ck_assert_str_eq(c->store.path, "/var/lib/mica/store");
	ck_assert_uint_eq(c->store.size_bytes, UINT64_C(64) << 30);
	ck_assert_uint_eq(c->store.low_bytes, 64u << 20);
	ck_assert_uint_eq(c->n_access, 0);
	ck_assert_str_eq(c->listen.est, "0.0.0.0:8443");
	ck_assert_ptr_eq(c->listen.est_authority, &c->authorities[0]);
	ck_assert_uint_eq(c->listen.n_est_names, 1);
	ck_assert_ptr_null(c->listen.est_certificate.path);
	ck_assert_ptr_null(c->listen.est_key);
	ck_assert(c->listen.tls12);
	ck_assert_uint_eq(p->keys, CONF_KEY_P256);
	ck_assert_int_eq(p->validity_s, 2 * 365 * 86400);
	ck_assert_int_eq(p->backdate_s, 300);
	ck_assert_uint_eq(p->n_san, 0);
	ck_assert_uint_eq(p->n_key_usage, 1);
	ck_assert_str_eq(p->key_usage[0], "digitalSignature");
	ck_assert_uint_eq(p->n_eku, 0);
	ck_assert(p->subject_key_id);
	ck_assert_uint_eq(p->renew_from_permille, 660);
	ck_assert_int_eq(p->renew_new_key, CONF_NEW_KEY_ALLOWED);
	ck_assert_int_eq(c->retry_window_s, 3600);
	ck_assert_int_eq(c->token_life_s, 86400);
	ck_assert_uint_eq(c->n_labels, 0);
	conf_free(c);
}
END_TEST

/* As an operator would write it down first. */
START_TEST(a_short_configuration_is_enough)
{
	struct conf *c = load(
	        "store:\n"
	        "  lmdb: { path: /var/lib/mica/store, size: 64GiB }\n"
	        "keys:\n"
	        "  issuing: { file: issuing.key }\n"
	        "authorities:\n"
	        "  factory: { certificate: factory.pem, chain: root.pem, "
	        "key: issuing }\n"
	        "profiles:\n"
	        "  sensor:\n"
	        "    keys: [p256, ed25519]            # may bring\n"
	        "    validity: 2y\n"
	        "    subject: { CN: \"%{device}\", O: \"Example Meters\" }\n"
	        "    san: { uri: \"urn:dev:%{device}\" }\n"
	        "    eku: [client_auth]\n"
	        "    renew: { from: 66%, grace: 90d, new_key: required }\n"
	        "trust:\n"
	        "  vendor: { certificates: vendor.pem }\n"
	        "enroll:\n"
	        "  est:\n"
	        "    - { label: line1, authority: factory, profile: sensor, "
	        "allow: [token, idevid, renewal], anchors: [vendor] }\n");

	ck_assert_str_eq(c->profiles[0].subject[1].value, "Example Meters");
	ck_assert_int_eq(c->profiles[0].renew_grace_s, 90 * 86400);
	ck_assert_uint_eq(c->labels[0].allow,
	        CONF_ALLOW_TOKEN | CONF_ALLOW_IDEVID | CONF_ALLOW_RENEWAL);
	conf_free(c);
}
END_TEST

START_TEST(sections_may_be_empty)
{
	conf_free(load(MINIMAL "log:\nstore: { lmdb: }\ntrust: ~\n"
	                       "listen: {}\nenroll: { est: }\n"));
}
END_TEST

START_TEST(a_byte_order_mark_and_crlf_do_not_matter)
{
	conf_free(load("\xef\xbb\xbf" MINIMAL "log:\r\n  level: info\r\n"));
}
END_TEST

/* --- from disk, and as a bundle */
static char folder[] = "/tmp/mica-test-conf.XXXXXX";

static void write_file(const char *name, const char *content)
{
	char path[256];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(content, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

static const char *in_folder(char *out, size_t size, const char *name)
{
	(void)snprintf(out, size, "%s/%s", folder, name);
	return out;
}

static void folder_make(void)
{
	(void)snprintf(folder, sizeof(folder), "/tmp/mica-test-conf.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	write_file("a.pem", "the certificate");
	write_file("mica.yaml",
	        MINIMAL "admin: { access: [ { user: root, role: admin } ] }\n");
}

static void folder_remove(void)
{
	static const char *const names[] = { "a.pem", "mica.yaml", "fifo",
		"secret", "link" };
	char path[256];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		(void)unlink(in_folder(path, sizeof(path), names[i]));
	ck_assert_int_eq(rmdir(folder), 0);
}

static struct conf_errors errors;

START_TEST(disk_paths_are_below_the_configurations_folder)
{
	char path[256];
	char keys[256];
	struct conf *c;

	in_folder(path, sizeof(path), "mica.yaml");
	ck_assert_int_eq(conf_load_file(&c, path, &errors), RC_OK);
	ck_assert_str_eq(c->path, path);
	ck_assert_str_eq(c->keys_dir, in_folder(keys, sizeof(keys), "keys"));
	ck_assert(bytes_eq_str(
	        c->authorities[0].certificate.content, "the certificate"));
	conf_free(c);
}
END_TEST

START_TEST(disk_a_missing_configuration_is_an_error_of_the_whole_file)
{
	char path[256];
	struct conf *c;

	in_folder(path, sizeof(path), "none.yaml");
	ck_assert_int_eq(conf_load_file(&c, path, &errors), RC_CONFIG);
	ck_assert_ptr_null(c);
	ck_assert_uint_eq(errors.n, 1);
	ck_assert_uint_eq(errors.list[0].line, 0);
	ck_assert_str_eq(errors.list[0].text,
	        "cannot be read: No such file or directory");
}
END_TEST

START_TEST(disk_only_regular_files_are_read)
{
	char path[256];
	struct conf *c;

	ck_assert_int_eq(
	        mkfifo(in_folder(path, sizeof(path), "fifo"), 0600), 0);
	write_file("mica.yaml",
	        MINIMAL "trust: { t: { certificates: fifo },"
	                " u: { certificates: . } }\n");
	in_folder(path, sizeof(path), "mica.yaml");
	ck_assert_int_eq(conf_load_file(&c, path, &errors), RC_CONFIG);
	ck_assert_uint_eq(errors.n, 2);
	ck_assert_str_eq(errors.list[0].text,
	        "cannot read the file \"fifo\": not a regular file");
	ck_assert_str_eq(errors.list[1].text,
	        "cannot read the file \".\": not a regular file");
}
END_TEST

#define WITH_SECRET                                                            \
	"keys: { k: { file: k.key }, r: { file: r.key } }\n"                   \
	"authorities: { a: { certificate: a.pem, key: k, ra: { key: r } } }\n" \
	"profiles: { p: { subject: { CN: x } } }\n"                            \
	"enroll: { scep: [ { authority: a, profile: p,\n"                      \
	"  legacy: [shared_challenge], challenge: { file: %s } } ] }\n"

static enum rc load_secret(struct conf **c, const char *name)
{
	char path[256], yaml[512];

	(void)snprintf(yaml, sizeof(yaml), WITH_SECRET, name);
	write_file("mica.yaml", yaml);
	in_folder(path, sizeof(path), "mica.yaml");
	return conf_load_file(c, path, &errors);
}

START_TEST(disk_secret_is_one_line_that_nobody_else_reads)
{
	static const struct {
		const char *content;
		mode_t mode;
		const char *text; /* NULL: it loads */
	} rows[] = {
		{ "0123456789abcdef\n", 0600, NULL },
		{ "0123456789abcdef", 0400, NULL },
		{ "0123456789abcdef\n", 0640,
		        "cannot read the file \"secret\": mode 0640 is open to "
		        "others: chmod 600" },
		{ "0123456789abcdef\n", 0604,
		        "cannot read the file \"secret\": mode 0604 is open to "
		        "others: chmod 600" },
		{ "0123456789abcde\n", 0600,
		        "must name a file of one line of 16 to 128 printable "
		        "characters" },
		{ "0123456789abcdef\n\n", 0600,
		        "must name a file of one line of 16 to 128 printable "
		        "characters" },
	};
	char path[256];
	struct conf *c;

	in_folder(path, sizeof(path), "secret");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		(void)unlink(path);
		write_file("secret", rows[i].content);
		ck_assert_int_eq(chmod(path, rows[i].mode), 0);
		ck_assert_int_eq(load_secret(&c, "secret"),
		        rows[i].text == NULL ? RC_OK : RC_CONFIG);
		if (rows[i].text != NULL)
			ck_assert_str_eq(errors.list[0].text, rows[i].text);
		else
			ck_assert(bytes_eq_str(c->scep[0].challenge.content,
			        "0123456789abcdef"));
		conf_free(c);
	}
}
END_TEST

START_TEST(disk_secret_is_no_symbolic_link)
{
	char path[256], link[256];
	struct conf *c;

	in_folder(path, sizeof(path), "secret");
	write_file("secret", "0123456789abcdef\n");
	ck_assert_int_eq(chmod(path, 0600), 0);
	ck_assert_int_eq(
	        symlink(path, in_folder(link, sizeof(link), "link")), 0);
	ck_assert_int_eq(load_secret(&c, "link"), RC_CONFIG);
	ck_assert_str_eq(errors.list[0].text,
	        "cannot read the file \"link\": is a symbolic link");
}
END_TEST

START_TEST(warning_is_there_while_the_challenge_is_shared)
{
	char text[CONF_WARNING_BYTES];
	struct conf *c = load(everything);

	ck_assert(conf_warning(c, 0, text));
	ck_assert_ptr_nonnull(strstr(text, "\"old\""));
	ck_assert_ptr_nonnull(strstr(text, "once an operator approves"));
	ck_assert_ptr_null(strstr(text, "any speed"));
	ck_assert(!conf_warning(c, 1, text));
	c->limits.scep_rate_per_address = 0;
	ck_assert(conf_warning(c, 0, text));
	ck_assert_ptr_nonnull(strstr(text, "any speed"));
	conf_free(c);
	c = load(MINIMAL);
	ck_assert(!conf_warning(c, 0, text));
	conf_free(c);
}
END_TEST

static struct buf bundle_of(const char *name)
{
	struct buf b = BUF_INIT(CONF_BUNDLE_MAX_BYTES);
	char path[256];

	ck_assert_int_eq(
	        conf_bundle(in_folder(path, sizeof(path), name), &b, &errors),
	        RC_OK);
	return b;
}

START_TEST(bundle_needs_no_file_any_more)
{
	struct buf b = bundle_of("mica.yaml");
	char path[256];
	struct conf *c;

	ck_assert_int_eq(unlink(in_folder(path, sizeof(path), "a.pem")), 0);
	ck_assert_int_eq(unlink(in_folder(path, sizeof(path), "mica.yaml")), 0);
	ck_assert_int_eq(conf_load_bundle(&c, buf_bytes(&b), &errors), RC_OK);
	ck_assert_str_eq(c->path, path);
	ck_assert(bytes_eq_str(
	        c->authorities[0].certificate.content, "the certificate"));
	ck_assert_uint_eq(c->access[0].id, 0);
	conf_free(c);
	buf_free(&b);
}
END_TEST

START_TEST(bundle_cut_or_lengthened_is_refused)
{
	struct buf b = bundle_of("mica.yaml");
	struct conf *c;

	for (size_t n = 0; n < b.n; n++) {
		ck_assert_int_eq(
		        conf_load_bundle(
		                &c, bytes_slice(buf_bytes(&b), 0, n), &errors),
		        RC_CONFIG);
		ck_assert_str_eq(
		        errors.list[0].text, "is not a configuration bundle");
	}
	buf_add_u8(&b, 0);
	ck_assert_int_eq(
	        conf_load_bundle(&c, buf_bytes(&b), &errors), RC_CONFIG);
	buf_free(&b);
}
END_TEST

START_TEST(bundle_of_a_wrong_configuration_is_not_made)
{
	struct buf b = BUF_INIT(CONF_BUNDLE_MAX_BYTES);
	char path[256];

	write_file("mica.yaml", "log: x\n");
	ck_assert_int_eq(conf_bundle(in_folder(path, sizeof(path), "mica.yaml"),
	                         &b, &errors),
	        RC_CONFIG);
	ck_assert_uint_eq(errors.n, 2);
	ck_assert_uint_eq(b.n, 0);
	buf_free(&b);
}
END_TEST

void test_conf_load(Suite *suite)
{
	TCase *t = tcase_create("load");
	TCase *disk = tcase_create("disk");

	tcase_add_test(t, everything_sets_every_option_away_from_its_default);
	tcase_add_test(t, processes_store_and_admin_land);
	tcase_add_test(t, listeners_and_limits_land);
	tcase_add_test(t, urls_follow_from_publish_url_where_none_are_given);
	tcase_add_test(t, keys_authorities_and_anchors_land);
	tcase_add_test(t, names_of_a_profile_land);
	tcase_add_test(t, code_keys_land);
	tcase_add_test(t, extensions_of_a_profile_land);
	tcase_add_test(t, times_and_rules_of_a_profile_land);
	tcase_add_test(t, labels_land);
	tcase_add_test(t, defaults_are_those_of_the_table);
	tcase_add_test(t, a_short_configuration_is_enough);
	tcase_add_test(t, sections_may_be_empty);
	tcase_add_test(t, a_byte_order_mark_and_crlf_do_not_matter);
	suite_add_tcase(suite, t);
	tcase_add_checked_fixture(disk, folder_make, folder_remove);
	tcase_add_test(disk, disk_paths_are_below_the_configurations_folder);
	tcase_add_test(disk,
	        disk_a_missing_configuration_is_an_error_of_the_whole_file);
	tcase_add_test(disk, disk_only_regular_files_are_read);
	tcase_add_test(disk, disk_secret_is_one_line_that_nobody_else_reads);
	tcase_add_test(disk, disk_secret_is_no_symbolic_link);
	tcase_add_test(disk, warning_is_there_while_the_challenge_is_shared);
	tcase_add_test(disk, bundle_needs_no_file_any_more);
	tcase_add_test(disk, bundle_cut_or_lengthened_is_refused);
	tcase_add_test(disk, bundle_of_a_wrong_configuration_is_not_made);
	suite_add_tcase(suite, disk);
}
