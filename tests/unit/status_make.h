/* tests/unit/status_make.h - a TBSCertList and a ResponseData to order: what
 * spec_policy() allows, until a test changes it. */
#ifndef MICA_TESTS_UNIT_STATUS_MAKE_H
#define MICA_TESTS_UNIT_STATUS_MAKE_H

#include "tests/unit/tbs_make.h"

struct crl_spec {
	uint64_t version;
	struct bytes sig_alg;
	const char *issuer; /* its CN */
	int64_t this_s, next_s;
	size_t n_entries;
	struct bytes serial; /* of each; magnitude */
	struct spec_ext entry_ext[4];
	size_t n_entry_ext;
	struct spec_ext ext[SPEC_LIST_MAX];
	size_t n_ext;
	bool empty_list, no_next, empty_exts;
	struct bytes after_all; /* raw */
};
#define CRL_SPEC_MAX_BYTES (80u << 20)
void crl_spec_init(struct crl_spec *s, int64_t now_s);
void crl_spec_build(const struct crl_spec *s, struct buf *out);
/* Replace or add. */
void crl_spec_ext(
        struct crl_spec *s, enum oid oid, bool critical, struct bytes value);
void crl_spec_drop(struct crl_spec *s, enum oid oid);

struct ocsp_spec {
	uint8_t responder_tag;
	struct bytes key_hash;
	int64_t produced_s, this_s, next_s;
	enum oid hash;
	bool no_params; /* of hash */
	struct bytes name, key;
	struct bytes serial; /* magnitude */
	struct bytes status; /* raw; empty: good */
	size_t n_singles;
	struct spec_ext single_ext[4];
	size_t n_single_ext;
	struct spec_ext ext[4];
	size_t n_ext;
	bool no_next, with_version;
	struct bytes after_all; /* raw */
};
/* key_hash is the responder's, borrowed. */
void ocsp_spec_init(struct ocsp_spec *s, int64_t now_s, struct bytes key_hash);
void ocsp_spec_build(const struct ocsp_spec *s, struct buf *out);
void ocsp_spec_ext(
        struct ocsp_spec *s, enum oid oid, bool critical, struct bytes value);

/* 20250101000000Z */
#define SPEC_DATE                                                              \
	BYTES_LIT("\x18\x0f"                                                   \
	          "20250101000000Z")
#define SPEC_REASON BYTES_LIT("\x0a\x01\x01") /* keyCompromise */
#define SPEC_NONCE                                                             \
	BYTES_LIT("\x04\x10"                                                   \
	          "nonce of 16 octs")
/* SEQUENCE { [0] { [0] { [6] "http://crl/0" } } }, with more fields behind */
#define SPEC_IDP                                                               \
	BYTES_LIT("\x30\x12\xa0\x10\xa0\x0e\x86\x0c"                           \
	          "http://crl/0")

#endif
