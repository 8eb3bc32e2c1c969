/* The checks of CRLs, OCSP answers, code and CertReps neither fault nor allow
 * what no policy can: an independent look at the bytes says so. The first byte
 * tells which of the four it is. */
#include "ca/tbs_check.h"
#include "der/alg.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/tbs_make.h"

#define RESPONDER BYTES_LIT("the responder's key.")
#define CERT_HASH BYTES_LIT("hash of a certificate, 32 octets")

static void check_crl(const struct tbs_policy *p, struct bytes tbs)
{
	struct why why = WHY_NONE;

	if (tbs_check_crl(p, tbs, SPEC_NOW_S, &why)) {
		must(why.text[0] != '\0');
		return;
	}
	must(contains(tbs, p->issuer));
	must(contains(tbs, p->sig_alg));
	must(contains(tbs, p->crl.key_id));
	must(contains(tbs, oid_bytes(OID_CRL_NUMBER)));
}

static void check_ocsp(const struct tbs_policy *p, struct bytes tbs)
{
	struct why why = WHY_NONE;
	struct bytes responder;

	if (tbs_check_ocsp(p, tbs, SPEC_NOW_S, RESPONDER, &why)) {
		must(why.text[0] != '\0');
		return;
	}
	must(tbs_ocsp_responder(&responder, tbs, NULL) == RC_OK);
	must(bytes_eq(responder, RESPONDER));
	must((contains(tbs, p->ocsp.name_sha1) &&
	             contains(tbs, p->ocsp.key_sha1)) ||
	        (contains(tbs, p->ocsp.name_sha256) &&
	                contains(tbs, p->ocsp.key_sha256)));
}

static void check_code(const struct tbs_policy *p, struct bytes tbs)
{
	const struct tbs_code_key key = { spec_spki(), p->sig_alg, CERT_HASH };
	struct bytes cert = BYTES_NONE, attrs = BYTES_NONE;
	struct why why = WHY_NONE;

	if (tbs_check_code(p, tbs, SPEC_NOW_S, &key, &why)) {
		must(why.text[0] != '\0');
		return;
	}
	must(tbs_code_parts(&cert, &attrs, tbs, NULL) == RC_OK);
	must(contains(cert, p->issuer));
	must(contains(cert, spec_spki()));
	must(contains(cert, oid_bytes(OID_KP_CODE_SIGNING)));
	must(contains(attrs, CERT_HASH));
	must(contains(attrs, oid_bytes(OID_SHA256)));
}

static void check_certrep(struct bytes tbs)
{
	struct why why = WHY_NONE;

	if (tbs_check_certrep(tbs, &why)) {
		must(why.text[0] != '\0');
		return;
	}
	must(contains(tbs, oid_bytes(OID_SCEP_PKI_STATUS)));
	must(contains(tbs, oid_bytes(OID_SCEP_RECIPIENT_NONCE)));
	must(contains(tbs, oid_bytes(OID_PKCS7_DATA)));
	must(!contains(tbs, oid_bytes(OID_SIGNING_TIME)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes tbs = bytes_skip(bytes_of(data, size), 1);
	struct tbs_policy *p =
	        spec_policy("Issuing", alg_bytes(ALG_ECDSA_SHA256), SPEC_NOW_S);

	must(p != NULL);
	if (size > 0 && data[0] == 0)
		check_crl(p, tbs);
	else if (size > 0 && data[0] == 2)
		check_code(p, tbs);
	else if (size > 0 && data[0] == 3)
		check_certrep(tbs);
	else if (size > 0)
		check_ocsp(p, tbs);
	tbs_policy_free(p);
	return 0;
}
