/* A published CRL, as the keeper finds it: read, and all that it says lies in
 * the bytes that were read. */
#include "ca/crl.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes der = bytes_of(data, size);
	struct why why = WHY_NONE;
	struct crl crl;

	if (crl_parse(&crl, der, &why) != RC_OK) {
		must(why.text[0] != '\0');
		return 0;
	}
	must(inside(crl.tbs, der) && inside(crl.sig_alg, der));
	must(crl.tbs.n > 0 && crl.issuer.n > 0 && crl.sig_alg.n > 0);
	must(inside(crl.signature, der) && !inside(crl.signature, crl.tbs));
	must(inside(crl.issuer, crl.tbs) && inside(crl.entries, crl.tbs));
	must(inside(crl.key_id, crl.tbs) && inside(crl.idp, crl.tbs));
	must(crl.has_number || crl.number == 0);
	return 0;
}
