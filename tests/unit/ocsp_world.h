/* A responder on a true store, with an authority, one certificate and a signer
 * that can be made to fail; libcrypto asks and judges. HTTP is a struct here. */
#ifndef MICA_TESTS_UNIT_OCSP_WORLD_H
#define MICA_TESTS_UNIT_OCSP_WORLD_H

#include "net/http.h"
#include "ocsp/responder.h"
#include "tests/unit/ca_signer.h"
#include "tests/unit/ca_world.h"
#include "tests/unit/store_help.h"

#include <openssl/ocsp.h>

#define VALID_S 7200

struct ocsp_world {
	struct world world;
	struct help store;
	struct fake_signer signer;
	struct limit *limit;
	struct responder *responder;
	struct cert_key issued;
};
extern struct ocsp_world ow;

struct http_req {
	enum http_method method;
	char path[4096];
	struct buf body;
	const char *if_none_match;
	/* out */
	bool answered;
	unsigned status;
	struct buf answer;
	char cache_control[128], etag[128], expires[64], last_modified[64];
	char type[64];
	struct net_addr addr;
};

/* What is asked. */
struct asked {
	const EVP_MD *md; /* NULL: SHA-1 */
	X509 *issuer;     /* NULL: the factory's */
	struct cert_key cert[3];
	size_t n;
	int nonce_bytes;
	const char *raw; /* instead of all that */
};

/* What is answered. */
#define TOLD_MAX 3
struct told {
	int error; /* OCSPResponseStatus */
	int status[TOLD_MAX], reason[TOLD_MAX];
	int64_t revoked_s, this_s, next_s;
	bool nonce, extended;
	int n_certs;
};

void ow_dispatch(struct http_req *req);
void ow_wait_answered(struct http_req *req);
void ow_req_free(struct http_req *req);
void ow_encode(struct buf *out, const struct asked *a);
struct http_req ow_post(const struct asked *a);
struct asked ow_about(struct cert_key key);
struct told ow_read_answer(const struct http_req *req);
struct told ow_ask(const struct asked *a);
int ow_status_of(struct cert_key key);
void ow_enter(const char *name, struct bytes der, const uint8_t *hash);
void ow_enter_factory(void);
void ow_start(void);
void ow_open_ca(void);
void ow_open_revoked(void);
void ow_open_responder(void);
void ow_close(void);
void ow_set(struct cert_key key, enum store_status_change change,
        enum cert_reason reason);
struct cert_key ow_never_issued(void);
void ow_advance(int64_t s);

#endif
