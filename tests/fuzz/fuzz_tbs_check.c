/* A policy is read back as it was packed, and the check neither faults nor
 * allows what no policy can: an independent look at the bytes says so. The
 * first two bytes are the length of a packed policy, or zero for our own. */
#include "ca/tbs_check.h"
#include "ca/tbs_read.h"
#include "der/alg.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/tbs_make.h"

static bool held_none(void *ctx, struct bytes name, struct bytes spki)
{
	(void)name;
	(void)ctx;
	(void)spki;
	return false;
}

static void check(const struct tbs_policy *p, struct bytes tbs)
{
	struct why why = WHY_NONE;
	enum rc rc = tbs_check(p, tbs, SPEC_NOW_S, held_none, NULL, &why);
	struct tbs_view v;

	if (rc) {
		must(why.text[0] != '\0');
		return;
	}
	must(tbs_read(&v, tbs, NULL) == RC_OK);
	must(!v.ca && !v.path_len);
	must((v.key_usage & (TBS_KEY_CERT_SIGN | TBS_CRL_SIGN)) == 0);
	must(bytes_eq(v.issuer, p->issuer));
	if (v.eku) {
		must(!contains(v.eku->value, oid_bytes(OID_KP_OCSP_SIGNING)));
		must(!contains(v.eku->value, oid_bytes(OID_KP_CMC_RA)));
	}
}

static struct tbs_policy *given_policy(struct bytes packed)
{
	struct buf again = BUF_INIT(TBS_POLICY_MAX_BYTES);
	struct tbs_policy *p;

	if (tbs_policy_unpack(&p, packed, NULL))
		return NULL;
	tbs_policy_pack(&again, p);
	must(bytes_eq(buf_bytes(&again), packed));
	buf_free(&again);
	return p;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size);
	struct tbs_policy *p;
	size_t n;

	if (size < 2)
		return 0;
	n = (size_t)data[0] << 8 | data[1];
	in = bytes_skip(in, 2);
	if (n > in.n)
		return 0;
	if (n > 0)
		p = given_policy(bytes_slice(in, 0, n));
	else
		p = spec_policy(
		        "Issuing", alg_bytes(ALG_ECDSA_SHA256), SPEC_NOW_S);
	if (p)
		check(p, bytes_skip(in, n));
	tbs_policy_free(p);
	return 0;
}
