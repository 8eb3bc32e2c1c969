/* tests/unit/code_make.h - what a signer is asked for purpose SIGNER_CODE, to
 * order: what tbs_check_code() allows, until a test changes it. */
#ifndef MICA_TESTS_UNIT_CODE_MAKE_H
#define MICA_TESTS_UNIT_CODE_MAKE_H

#include "der/alg.h"
#include "tests/unit/tbs_make.h"

#define CODE_ATTRS_MAX 8

struct code_attr {
	struct bytes oid;
	struct bytes value; /* DER; empty: the one that belongs there */
	bool twice;         /* two values */
};
struct code_spec {
	struct tbs_spec cert;
	enum sig_alg alg;    /* of cmsAlgorithmProtect */
	enum oid digest_alg; /* of it */
	struct bytes digest;
	enum oid content_type;
	int64_t signing_s;
	struct bytes cert_sha256; /* empty: the right one */
	struct code_attr attrs[CODE_ATTRS_MAX];
	size_t n_attrs;
	bool unsorted;
	struct bytes after_attrs; /* raw, in the sequence */
};
#define CODE_SPEC_MAX_BYTES (1u << 18)
#define CODE_SPEC_DIGEST                                                       \
	BYTES_LIT("0123456789abcdef0123456789abcdef"                           \
	          "0123456789abcdef0123456789abcdef")

/* alg is the key's, spki its public half. Borrowed. */
void code_spec_init(struct code_spec *s, int64_t now_s, enum sig_alg alg,
        struct bytes spki);
/* The first attribute of that type; NULL: none. */
struct code_attr *code_spec_attr(struct code_spec *s, enum oid type);
void code_spec_build(const struct code_spec *s, struct buf *out);

#endif
