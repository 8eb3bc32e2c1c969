#include "tests/unit/enroll_world.h"

#include "base/clock.h"
#include "base/text.h"
#include "ca/cert.h"
#include <openssl/asn1.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/pkcs7.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ANSWER_MAX_US (20 * INT64_C(1000000))

static const char yaml[] =
        "store: { lmdb: { path: store } }\n"
        "keys: { factory: { file: factory.key } }\n"
        "authorities:\n"
        "  factory: { certificate: factory.pem, key: factory }\n"
        "profiles:\n"
        "  rotate:\n"
        "    validity: 10d\n"
        "    subject: { CN: \"%{device}\", O: Example Meters }\n"
        "    san: { uri: \"urn:dev:%{device}\" }\n"
        "    eku: [client_auth]\n"
        "    renew: { from: 50%, grace: 5d, new_key: required }\n"
        "  keep:\n"
        "    validity: 10d\n"
        "    subject: { CN: \"%{device}\", O: Example Meters }\n"
        "    san: { uri: \"urn:dev:%{device}\" }\n"
        "    eku: [client_auth]\n"
        "    renew: { from: 50%, grace: 5d, new_key: allowed }\n"
        "  bound:\n"
        "    subject: { CN: \"%{device}\" }\n"
        "    channel_binding: yes\n"
        "  server:\n"
        "    validity: 10d\n"
        "    subject: { CN: \"%{device}\" }\n"
        "    san: { dns: \"%{dns}\", ip: \"%{ip}\" }\n"
        "    eku: [server_auth, client_auth]\n"
        "    renew: { from: 0% }\n"
        "trust:\n"
        "  acme: { certificates: acme.pem }\n"
        "  umbra: { certificates: umbra.pem }\n"
        "  own: { certificates: factory.pem, identity: CN }\n"
        "enroll:\n"
        "  est:\n"
        "    - { authority: factory, profile: keep, allow: [token] }\n"
        "    - { label: rotate, authority: factory, profile: rotate,\n"
        "        allow: [token, idevid, renewal], anchors: [acme, umbra] }\n"
        "    - { label: keep, authority: factory, profile: keep,\n"
        "        allow: [token, idevid, renewal], anchors: [acme, umbra] }\n"
        "    - { label: again, authority: factory, profile: keep,\n"
        "        allow: [token] }\n"
        "    - { label: bound, authority: factory, profile: bound,\n"
        "        allow: [token] }\n"
        "    - { label: server, authority: factory, profile: server,\n"
        "        allow: [renewal] }\n"
        "    - { label: ldevid, authority: factory, profile: keep,\n"
        "        allow: [idevid], anchors: [own] }\n";

/* --- keys and certificates */
EVP_PKEY *world_key(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");

	ck_assert_ptr_nonnull(key);
	return key;
}

static struct bytes take(uint8_t *der, int n)
{
	ck_assert_int_gt(n, 0);
	return bytes_of(der, (size_t)n);
}

void world_free(struct bytes b)
{
	OPENSSL_free((void *)b.p);
}

static void extend(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	ck_assert_ptr_nonnull(e);
	ck_assert_int_eq(X509_add_ext(x, e, -1), 1);
	X509_EXTENSION_free(e);
}

static X509 *certificate(const struct world_ca *ca, EVP_PKEY *key,
        const char *attr, const char *value, bool is_ca, const char *eku)
{
	static long serial = 1;
	X509 *x = X509_new();
	X509_NAME *name = X509_get_subject_name(x);
	EVP_PKEY *signer = ca != NULL ? ca->key : key;

	ck_assert_int_eq(X509_set_version(x, X509_VERSION_3), 1);
	ASN1_INTEGER_set(X509_get_serialNumber(x), serial++);
	ck_assert_int_eq(X509_NAME_add_entry_by_txt(name, attr, MBSTRING_UTF8,
	                         (const unsigned char *)value, -1, -1, 0),
	        1);
	X509_set_issuer_name(
	        x, ca != NULL ? X509_get_subject_name(ca->cert) : name);
	X509_gmtime_adj(X509_getm_notBefore(x), -WORLD_DAY_S);
	X509_gmtime_adj(X509_getm_notAfter(x), 3650 * WORLD_DAY_S);
	X509_set_pubkey(x, key);
	if (is_ca) {
		extend(x, NID_basic_constraints, "critical,CA:TRUE");
		extend(x, NID_key_usage, "critical,keyCertSign,cRLSign");
		extend(x, NID_subject_key_identifier, "0102030405060708");
	} else {
		extend(x, NID_key_usage, "critical,digitalSignature");
	}
	if (eku != NULL)
		extend(x, NID_ext_key_usage, eku);
	ck_assert_int_gt(X509_sign(x, signer, EVP_sha256()), 0);
	return x;
}

static struct world_ca authority(const char *name)
{
	struct world_ca ca = { .key = world_key() };

	ca.cert = certificate(NULL, ca.key, "CN", name, true, NULL);
	return ca;
}

void world_ca_free(struct world_ca *ca)
{
	X509_free(ca->cert);
	EVP_PKEY_free(ca->key);
}

struct world_ca world_ca_below(const struct world_ca *ca, bool is_ca)
{
	struct world_ca below = { .key = world_key() };

	below.cert = certificate(ca, below.key, "CN", "Between", is_ca, NULL);
	return below;
}

struct bytes world_der(X509 *x)
{
	uint8_t *der = NULL;
	int n = i2d_X509(x, &der);

	return take(der, n);
}

struct bytes world_idevid(
        const struct world_ca *ca, const char *serial_number, const char *eku)
{
	EVP_PKEY *key = world_key();
	X509 *x =
	        certificate(ca, key, "serialNumber", serial_number, false, eku);
	struct bytes der = world_der(x);

	X509_free(x);
	EVP_PKEY_free(key);
	return der;
}

static void csr_extend(X509_REQ *req, const char *uri)
{
	STACK_OF(X509_EXTENSION) *list = sk_X509_EXTENSION_new_null();
	char value[256];
	X509_EXTENSION *e;

	(void)snprintf(value, sizeof(value), "URI:%s", uri);
	e = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, value);
	ck_assert_ptr_nonnull(e);
	sk_X509_EXTENSION_push(list, e);
	ck_assert_int_eq(X509_REQ_add_extensions(req, list), 1);
	sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
}

struct bytes world_csr(
        EVP_PKEY *key, const char *cn, const char *uri, const char *challenge)
{
	X509_REQ *req = X509_REQ_new();
	X509_NAME *name = X509_REQ_get_subject_name(req);
	uint8_t *der = NULL;
	int n;

	if (cn[0] != '\0')
		ck_assert_int_eq(
		        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
		                (const unsigned char *)cn, -1, -1, 0),
		        1);
	if (uri != NULL) {
		/* A whole name of the profiles, then. */
		ck_assert_int_eq(
		        X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8,
		                (const unsigned char *)"Example Meters", -1, -1,
		                0),
		        1);
		csr_extend(req, uri);
	}
	if (challenge != NULL)
		ck_assert_int_eq(
		        X509_REQ_add1_attr_by_NID(req,
		                NID_pkcs9_challengePassword, MBSTRING_ASC,
		                (const unsigned char *)challenge, -1),
		        1);
	X509_REQ_set_pubkey(req, key);
	ck_assert_int_gt(X509_REQ_sign(req, key, EVP_sha256()), 0);
	n = i2d_X509_REQ(req, &der);
	X509_REQ_free(req);
	return take(der, n);
}

/* --- the signer's stand-in */
struct signer_client {
	struct loop *loop;
	EVP_PKEY *key;
};

struct signing {
	struct loop_task task;
	struct signer_call *call;
	uint8_t signature[128];
};

static void on_signed(void *ctx)
{
	struct signing *s = ctx;

	s->call->done(s->call);
	free(s);
}

enum rc signer_sign(struct signer_client *c, struct signer_call *call)
{
	struct signing *s = calloc(1, sizeof(*s));
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t n = sizeof(s->signature);

	ck_assert_ptr_nonnull(s);
	ck_assert_int_eq(call->purpose, SIGNER_CERT);
	ck_assert_int_eq(
	        EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, c->key), 1);
	ck_assert_int_eq(
	        EVP_DigestSign(ctx, s->signature, &n, call->tbs.p, call->tbs.n),
	        1);
	EVP_MD_CTX_free(ctx);
	call->rc = RC_OK;
	call->signature = bytes_of(s->signature, n);
	s->call = call;
	s->task = (struct loop_task){ .fn = on_signed, .ctx = s };
	loop_post(c->loop, &s->task);
	return RC_PENDING;
}

void signer_cancel(struct signer_client *c, struct signer_call *call)
{
	(void)c;
	(void)call;
}

/* --- the HTTP server's stand-in */
enum http_method http_req_method(const struct http_req *req)
{
	return req->method;
}

struct bytes http_req_path(const struct http_req *req)
{
	return bytes_str(req->path);
}

struct bytes http_req_header(const struct http_req *req, const char *name)
{
	if (strcmp(name, "Authorization") == 0)
		return bytes_str(req->authorization);
	if (strcmp(name, "User-Agent") == 0)
		return bytes_str(req->user_agent);
	return BYTES_NONE;
}

struct bytes http_req_body(const struct http_req *req)
{
	return req->body;
}

const struct net_addr *http_req_addr(const struct http_req *req)
{
	return &req->addr;
}

const struct tls_peer *http_req_tls_peer(struct http_req *req)
{
	return &req->peer;
}

enum rc http_req_channel_binding(
        struct http_req *req, struct tls_binding *out, struct why *why)
{
	if (req->binding_rc != RC_OK)
		return why_set(why, req->binding_rc, "no binding");
	*out = req->binding;
	return RC_OK;
}

const char *http_status_text(unsigned status)
{
	return status == 404 ? "Not Found" : "Status";
}

static void keep_header(struct http_req *req, const struct http_header *h)
{
	static const char *const names[] = { "Content-Type", "WWW-Authenticate",
		"Retry-After", "Allow" };
	char *const to[] = { req->content_type, req->challenge,
		req->retry_after, req->allow };
	const size_t size[] = { sizeof(req->content_type),
		sizeof(req->challenge), sizeof(req->retry_after),
		sizeof(req->allow) };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (strcmp(h->name, names[i]) == 0)
			ck_assert_int_lt(
			        snprintf(to[i], size[i], "%s", h->value),
			        (int)size[i]);
	}
}

void http_answer(struct http_req *req, unsigned status,
        const struct http_header *headers, size_t n_headers, struct bytes body)
{
	ck_assert(!req->answered);
	ck_assert_uint_le(n_headers, HTTP_ANSWER_HEADERS_MAX);
	req->answered = true;
	req->status = status;
	for (size_t i = 0; i < n_headers; i++)
		keep_header(req, &headers[i]);
	req->answer = BUF_INIT(1u << 20);
	buf_add(&req->answer, body);
}

static void ask_once(struct world *w, struct http_req *req)
{
	const struct timespec pause = { 0, 20000 };
	int64_t since_us = clock_mono_us();
	unsigned allowed;

	ck_assert_int_eq(
	        http_route_find(
	                req->routes != NULL ? req->routes : est_routes(w->est),
	                req->method, bytes_str(req->path), &req->route,
	                &allowed),
	        RC_OK);
	req->route->fn(req->route->ctx, req);
	while (!req->answered) {
		loop_poll(w->h.loop);
		if (!req->answered)
			(void)nanosleep(&pause, NULL);
		ck_assert_msg(clock_mono_us() - since_us < ANSWER_MAX_US,
		        "no answer");
	}
	ck_assert_uint_eq(est_pending(w->est), 0);
}

unsigned world_ask(struct world *w, struct http_req *req)
{
	memset(&req->peer, 0, sizeof(req->peer));
	for (size_t i = 0; i < req->n_chain; i++)
		req->peer.cert[i] = req->chain[i];
	req->peer.n = req->n_chain;
	req->peer.verified = req->n_chain > 0;
	ck_assert_int_eq(
	        net_addr_parse(&req->addr, "192.0.2.7:4711", NULL), RC_OK);
	ask_once(w, req);
	while (w->seed != 0 && req->status == 503) {
		world_forget(req);
		ask_once(w, req);
	}
	return req->status;
}

void world_forget(struct http_req *req)
{
	buf_free(&req->answer);
	req->answered = false;
}

struct bytes world_answer_cert(const struct http_req *req)
{
	struct buf der = BUF_INIT(1u << 20);
	const uint8_t *p;
	uint8_t *out = NULL;
	PKCS7 *message;
	int n;

	ck_assert_uint_eq(req->status, 200);
	ck_assert_int_eq(base64_decode(&der, buf_bytes(&req->answer)), RC_OK);
	p = der.p;
	message = d2i_PKCS7(NULL, &p, (long)der.n);
	ck_assert_ptr_nonnull(message);
	ck_assert(PKCS7_type_is_signed(message));
	ck_assert_int_eq(sk_X509_num(message->d.sign->cert), 1);
	n = i2d_X509(sk_X509_value(message->d.sign->cert, 0), &out);
	PKCS7_free(message);
	buf_free(&der);
	return take(out, n);
}

/* --- the authority */
static void add_pem(struct buf *out, X509 *x)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	long n;

	ck_assert_int_eq(PEM_write_bio_X509(bio, x), 1);
	n = BIO_get_mem_data(bio, &text);
	buf_add(out, bytes_of(text, (size_t)n));
	BIO_free(bio);
}

static enum rc read_file(
        void *ctx, const char *path, struct buf *out, struct why *why)
{
	const struct world *w = ctx;

	if (strcmp(path, "factory.pem") == 0)
		add_pem(out, w->factory.cert);
	else if (strcmp(path, "acme.pem") == 0)
		add_pem(out, w->acme.cert);
	else if (strcmp(path, "umbra.pem") == 0)
		add_pem(out, w->umbra.cert);
	else
		return why_set(why, RC_NOTFOUND, "%s: no such file", path);
	return out->failed;
}

static void load_conf(struct world *w)
{
	static struct conf_errors errors;
	enum rc rc = conf_load(
	        &w->conf, "mica.yaml", BYTES_LIT(yaml), read_file, w, &errors);

	ck_assert_msg(rc == RC_OK, "%u: %s: %s", errors.list[0].line,
	        errors.list[0].path, errors.list[0].text);
}

static void must(enum rc rc, const struct why *why)
{
	ck_assert_msg(rc == RC_OK, "%s: %s", rc_info(rc)->name, why->text);
}

static void enter_authority(struct world *w)
{
	const struct authority *a = authorities_at(w->authorities, 0);
	struct store_authority_put put = { .der = a->der };

	memcpy(put.authority.name, "factory", sizeof("factory"));
	memcpy(put.authority.cert_hash, a->cert_hash, STORE_HASH_BYTES);
	ck_assert_int_eq(HELP_DO(&w->h, store_authority_put, &put), RC_OK);
}

static void open_modules(struct world *w, struct limit *limit)
{
	struct why why = WHY_NONE;

	must(authorities_new(&w->authorities, w->conf, &why), &why);
	enter_authority(w);
	must(authorities_resolve(w->authorities, w->h.store, &why), &why);
	must(profiles_new(&w->profiles, w->conf, w->authorities, &why), &why);
	must(trust_new(&w->trust, w->conf, w->h.store, &why), &why);
	/* What is read at start is read inline. */
	if (w->seed != 0)
		w->h.store = shim_new(w->h.store, w->h.loop, w->seed);
	must(issuer_new(&w->issuer,
	             &(struct issuer_opts){ .loop = w->h.loop,
	                     .store = w->h.store,
	                     .signer = w->signer,
	                     .profiles = w->profiles,
	                     .retry_window_us = 3600 * INT64_C(1000000) }),
	        &why);
	must(authorizer_new(&w->authorizer,
	             &(struct authorizer_opts){ .store = w->h.store,
	                     .authorities = w->authorities,
	                     .trust = w->trust,
	                     .approve_life_us =
	                             w->conf->approve_life_s * 1000000 }),
	        &why);
	must(est_new(&w->est,
	             &(struct est_opts){ .conf = w->conf,
	                     .authorities = w->authorities,
	                     .authorizer = w->authorizer,
	                     .issuer = w->issuer,
	                     .limit = limit },
	             &why),
	        &why);
}

static void begin(struct world *w, struct limit *limit, uint32_t seed)
{
	memset(w, 0, sizeof(*w));
	w->seed = seed;
	clock_set_shift_s(0);
	help_begin(&w->h);
	help_open(&w->h);
	w->factory = authority("Example Factory CA");
	w->acme = authority("Acme Device CA");
	w->umbra = authority("Umbra Device CA");
	/* As much as a name can lie: it calls itself as a known one. */
	w->stranger = authority("Acme Device CA");
	w->keys[0] = world_key();
	w->keys[1] = world_key();
	w->signer = calloc(1, sizeof(*w->signer));
	ck_assert_ptr_nonnull(w->signer);
	*w->signer = (struct signer_client){ w->h.loop, w->factory.key };
	ck_assert_int_eq(digest_new(&w->digest), RC_OK);
	load_conf(w);
	open_modules(w, limit);
}

void world_begin(struct world *w, struct limit *limit)
{
	begin(w, limit, 0);
}

void world_begin_shimmed(struct world *w, uint32_t seed)
{
	begin(w, NULL, seed);
}

static void close_modules(struct world *w)
{
	est_free(w->est);
	authorizer_free(w->authorizer);
	issuer_free(w->issuer);
	trust_free(w->trust);
	profiles_free(w->profiles);
	authorities_free(w->authorities);
	conf_free(w->conf);
}

void world_roll(struct world *w)
{
	close_modules(w);
	w->factory_before = w->factory;
	w->factory = authority("Example Factory CA");
	w->signer->key = w->factory.key;
	load_conf(w);
	open_modules(w, NULL);
}

void world_end(struct world *w)
{
	close_modules(w);
	digest_free(w->digest);
	free(w->signer);
	EVP_PKEY_free(w->keys[0]);
	EVP_PKEY_free(w->keys[1]);
	world_ca_free(&w->factory);
	world_ca_free(&w->factory_before);
	world_ca_free(&w->acme);
	world_ca_free(&w->umbra);
	world_ca_free(&w->stranger);
	help_end(&w->h);
	clock_set_shift_s(0);
}

/* --- requests */
const char *world_basic(char *out, const char *user, const char *secret)
{
	struct buf plain = BUF_INIT(512);
	struct buf text = BUF_INIT(512);

	buf_addf(&plain, "%s:%s", user, secret);
	buf_add_str(&text, "Basic ");
	base64_encode(&text, buf_bytes(&plain), 0);
	ck_assert_int_eq(text.failed, RC_OK);
	memcpy(out, buf_cstr(&text), text.n + 1);
	buf_free(&plain);
	buf_free(&text);
	return out;
}

void world_token(struct world *w, const char *device, const char *profile,
        int64_t life_s, char out[TOKEN_TEXT_CHARS + 1])
{
	struct store_token_put
	        put = { .token = {
		                .authority =
		                        authorities_at(w->authorities, 0)->id,
		                .expires_us = clock_now_us() + life_s * 1000000,
		        } };

	token_make(out);
	ck_assert_int_eq(
	        token_hash(w->digest, bytes_str(out), put.token.hash), RC_OK);
	(void)snprintf(
	        put.token.device, sizeof(put.token.device), "%s", device);
	(void)snprintf(
	        put.token.profile, sizeof(put.token.profile), "%s", profile);
	ck_assert_int_eq(HELP_DO(&w->h, store_token_put, &put), RC_OK);
}

struct bytes world_enrol(
        struct world *w, const char *label, const char *device, EVP_PKEY *key)
{
	char token[TOKEN_TEXT_CHARS + 1];
	struct bytes csr = world_csr(key, "", NULL, NULL);
	struct bytes cert;
	char basic[512];
	char path[128];
	struct http_req req = {
		.method = HTTP_POST,
		.path = path,
		.body = csr,
		.authorization = basic,
	};

	world_token(w, device, label, WORLD_DAY_S, token);
	world_basic(basic, device, token);
	(void)snprintf(
	        path, sizeof(path), "/.well-known/est/%s/simpleenroll", label);
	ck_assert_msg(world_ask(w, &req) == 200, "%.*s", (int)req.answer.n,
	        (const char *)req.answer.p);
	cert = world_answer_cert(&req);
	world_forget(&req);
	world_free(csr);
	return cert;
}

struct cert_key world_cert_key(struct world *w, struct bytes der)
{
	struct cert_key key = {
		.authority = authorities_at(w->authorities, 0)->id,
	};
	struct cert cert;

	ck_assert_int_eq(cert_parse(&cert, der, NULL), RC_OK);
	ck_assert_uint_eq(cert.serial.n, STORE_SERIAL_BYTES);
	memcpy(key.serial, cert.serial.p, STORE_SERIAL_BYTES);
	return key;
}

uint64_t world_issued(struct world *w)
{
	return help_stat(&w->h).issued;
}
