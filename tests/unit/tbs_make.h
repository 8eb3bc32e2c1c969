/* tests/unit/tbs_make.h - a TBSCertificate to order, and a policy that allows
 * the one that tbs_spec_init() makes: for tests, and for the bench. */
#ifndef MICA_TESTS_UNIT_TBS_MAKE_H
#define MICA_TESTS_UNIT_TBS_MAKE_H

#include "base/buf.h"
#include "ca/tbs_check.h"
#include "der/oid.h"

#define SPEC_NOW_S INT64_C(1790000000)
#define SPEC_DAY_S INT64_C(86400)
#define SPEC_LIST_MAX 80
#define SPEC_CN "dev-000417"

/* What spec_policy()'s issuer is known by, and how long what it says lasts. */
#define SPEC_KEY_ID                                                            \
	BYTES_LIT("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a"                   \
	          "\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14")
#define SPEC_NAME_SHA1 BYTES_LIT("name hash of 20 byte")
#define SPEC_KEY_SHA1 BYTES_LIT("key hash of 20 bytes")
#define SPEC_NAME_SHA256 BYTES_LIT("name hash that has of octets 32.")
#define SPEC_KEY_SHA256 BYTES_LIT("key hash that has of octets 32..")
#define SPEC_CRL_MAX_S (7 * SPEC_DAY_S)
#define SPEC_OCSP_MAX_S (SPEC_DAY_S / 2)

struct spec_attr {
	enum oid type;
	const char *text;
	bool same_rdn; /* as the one before */
};
struct spec_name { /* one GeneralName */
	uint8_t tag;
	struct bytes body;
};
struct spec_ext {
	struct bytes oid;
	bool critical;
	struct bytes value;
};
struct tbs_spec {
	uint64_t version;
	struct bytes serial; /* magnitude */
	struct bytes sig_alg;
	const char *issuer; /* its CN */
	int64_t not_before_s, not_after_s;
	struct spec_attr subject[SPEC_LIST_MAX];
	size_t n_subject;
	struct bytes spki;
	struct spec_name san[SPEC_LIST_MAX];
	size_t n_san; /* 0: no extension */
	bool san_critical;
	struct spec_ext ext[SPEC_LIST_MAX];
	size_t n_ext;
	struct bytes after_spki; /* raw, before the extensions */
	struct bytes after_all;  /* raw */
};

/* Dummy P-256 key: spki_parse() takes it. Static. */
struct bytes spec_spki(void);
/* What the shape "sensor" allows. */
void tbs_spec_init(struct tbs_spec *s, int64_t now_s);
/* Replace or add. */
void tbs_spec_ext(
        struct tbs_spec *s, enum oid oid, bool critical, struct bytes value);
void tbs_spec_drop(struct tbs_spec *s, enum oid oid);
void tbs_spec_build(const struct tbs_spec *s, struct buf *out);
/* Name of one CN, appended. */
void spec_issuer(struct buf *out, const char *cn);

/* Shapes sensor, server, module, forever and responder; valid from a day
 * before now_s for ten years. Packed and read back, so that tests see
 * what the signer sees. For tbs_policy_free(). NULL: failed. */
struct tbs_policy *spec_policy(
        const char *issuer, struct bytes sig_alg, int64_t now_s);

#define SPEC_EKU_CLIENT                                                        \
	BYTES_LIT("\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x02")
#define SPEC_EKU_SERVER                                                        \
	BYTES_LIT("\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01")
#define SPEC_EKU_OCSP                                                          \
	BYTES_LIT("\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x09")
#define SPEC_EKU_CMC_RA                                                        \
	BYTES_LIT("\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x1c")
#define SPEC_EKU_ANY BYTES_LIT("\x30\x06\x06\x04\x55\x1d\x25\x00")
#define SPEC_KU_SIGN BYTES_LIT("\x03\x02\x07\x80") /* digitalSignature */
#define SPEC_CA_TRUE BYTES_LIT("\x30\x03\x01\x01\xff")
#define SPEC_CA_FALSE BYTES_LIT("\x30\x00")
#define SPEC_NULL BYTES_LIT("\x05\x00")

#endif
