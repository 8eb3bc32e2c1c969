/* An OCSP request as a stranger sends it; what is read goes into an answer, which
 * must be DER. */
#include "der/alg.h"
#include "ocsp/response.h"
#include "tests/fuzz/fuzz.h"

static void read_all(const struct ocsp_request *r, struct bytes in)
{
	must(r->n > 0 && r->n <= OCSP_REQUEST_CERTS_MAX);
	for (size_t i = 0; i < r->n; i++) {
		const struct certid *id = &r->list[i];

		must(inside(id->der, in));
		must(inside(id->serial, in));
		must(der_check(id->der, "CertID", NULL) == RC_OK);
		must(der_body_is_integer(id->serial));
		must(id->hash != CERTID_SHA1 || id->name_hash.n == 20);
		must(id->hash != CERTID_SHA256 || id->key_hash.n == 32);
	}
	must(inside(r->nonce, in));
	must(r->has_nonce == (r->nonce.n > 0));
	/* its octets, and at most a header around them */
	must(r->nonce.n <= OCSP_REQUEST_NONCE_MAX_BYTES + 3);
}

static void answer(const struct ocsp_request *r)
{
	static const uint8_t hash[RESPONSE_KEY_HASH_BYTES];
	struct single list[OCSP_REQUEST_CERTS_MAX];
	struct buf data_der = BUF_INIT(OCSP_RESPONSE_MAX_BYTES);
	struct buf out = BUF_INIT(OCSP_RESPONSE_MAX_BYTES);
	struct response_data d = { .key_hash = hash,
		.produced_s = 1900000000,
		.this_update_s = 1900000000,
		.next_update_s = 1900000600,
		.list = list,
		.n = r->n,
		.nonce = r->nonce };

	for (size_t i = 0; i < r->n; i++)
		list[i] = (struct single){ .certid = r->list[i].der,
			.status = (enum single_status)(i % 3),
			.revoked_s = 1800000000,
			.reason = REASON_SUPERSEDED };
	response_put_data(&data_der, &d);
	response_put(&out, buf_bytes(&data_der), alg_bytes(ALG_ED25519),
	        BYTES_LIT("signature"), BYTES_NONE);
	must(out.failed == RC_OK);
	must(der_check(buf_bytes(&out), "OCSPResponse", NULL) == RC_OK);
	buf_free(&out);
	buf_free(&data_der);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size);
	struct ocsp_request r;
	struct why why = WHY_NONE;
	enum rc rc = ocsp_request_parse(&r, in, &why);

	must(rc == RC_OK || why.text[0] != '\0');
	if (rc != RC_OK)
		return 0;
	read_all(&r, in);
	answer(&r);
	return 0;
}
