/* tests/unit/enroll_world.h - a whole authority for the tests of enroll/: a
 * store on disk, an issuer, EST. Stand-ins are the signer (it signs in this
 * process) and the HTTP server (a request is a struct). */
#ifndef MICA_TESTS_UNIT_ENROLL_WORLD_H
#define MICA_TESTS_UNIT_ENROLL_WORLD_H

#include "ca/authority.h"
#include "ca/issuer.h"
#include "ca/profile.h"
#include "conf/conf.h"
#include "enroll/authorize.h"
#include "enroll/est.h"
#include "enroll/token.h"
#include "enroll/trust.h"
#include "net/http.h"
#include "tests/unit/store_help.h"
#include "tests/unit/store_shim.h"
#include <check.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#define WORLD_DAY_S INT64_C(86400)
/* Certificates of the profiles `rotate` and `keep` live 10 days, renew from the
 * fifth on, and until 5 days after. */
#define WORLD_VALIDITY_DAYS 10

struct world_ca {
	X509 *cert;
	EVP_PKEY *key;
};

struct world {
	struct help h; /* loop and store */
	struct world_ca factory;
	struct world_ca factory_before; /* world_roll() */
	struct world_ca acme, umbra;    /* configured anchors */
	struct world_ca stranger;       /* not configured */
	struct conf *conf;
	struct authorities *authorities;
	struct profiles *profiles;
	struct trust *trust;
	struct signer_client *signer;
	struct issuer *issuer;
	struct authorizer *authorizer;
	struct digest *digest;
	uint32_t seed; /* of the shim; 0: there is none */
	struct est *est;
	EVP_PKEY *keys[2]; /* device keys: [0] first, [1] for renewal */
};

void world_begin(struct world *w, struct limit *limit); /* NULL: no limit */
/* Behind a store that delays, reorders, refuses and leaves in doubt; what is
 * answered with 503 for that is asked again. */
void world_begin_shimmed(struct world *w, uint32_t seed);
void world_end(struct world *w);
/* A new CA certificate and key under the old name, as at a restart with a new
 * configuration: the old generation is retired. */
void world_roll(struct world *w);

/* A request, and the answer it got. */
struct http_req {
	enum http_method method;
	const char *path;
	struct bytes body;
	const char *authorization; /* NULL: none */
	const char *user_agent;    /* NULL: none */
	struct bytes chain[2];
	size_t n_chain; /* what the client showed over TLS */
	struct tls_binding binding;
	enum rc binding_rc;
	/* what admin/ looks at, whose tests define the getters */
	const struct http_routes *routes; /* NULL: EST's */
	const char *query;
	uid_t uid;
	gid_t gid, groups[2];
	size_t n_groups;
	/* out */
	bool answered;
	unsigned status;
	char content_type[128], challenge[64], retry_after[16], allow[32];
	char first_header[64];
	struct buf answer;
	/* private */
	struct tls_peer peer;
	struct net_addr addr;
	const struct http_route *route;
};
/* Run it until it is answered, and with other than 503 behind a shim; gives the
 * status. */
unsigned world_ask(struct world *w, struct http_req *req);
void world_forget(struct http_req *req); /* the answer's memory */
/* The one certificate in a 200 answer, DER; the caller frees it. */
struct bytes world_answer_cert(const struct http_req *req);

/* "Basic …"; out holds at least 512 bytes. */
const char *world_basic(char *out, const char *user, const char *secret);
/* A token for profile of factory; gives its text. */
void world_token(struct world *w, const char *device, const char *profile,
        int64_t life_s, char out[TOKEN_TEXT_CHARS + 1]);
/* A request of that key; subject "" or "CN", dns may be NULL, challenge too.
 * The caller frees it. */
struct bytes world_csr(
        EVP_PKEY *key, const char *cn, const char *uri, const char *challenge);
/* A client certificate of ca with that serialNumber and EKU (NULL: none). The
 * caller frees it. */
struct bytes world_idevid(
        const struct world_ca *ca, const char *serial_number, const char *eku);
/* An authority below ca, which may issue certificates or not; world_ca_free() */
struct world_ca world_ca_below(const struct world_ca *ca, bool is_ca);
void world_ca_free(struct world_ca *ca);
struct bytes world_der(X509 *x); /* the caller frees it */
EVP_PKEY *world_key(void);
void world_free(struct bytes b);

/* Enrol with a token; gives the certificate. */
struct bytes world_enrol(
        struct world *w, const char *label, const char *device, EVP_PKEY *key);
/* The record's key of a certificate of ours. */
struct cert_key world_cert_key(struct world *w, struct bytes der);
uint64_t world_issued(struct world *w); /* certificates on record */

#endif
