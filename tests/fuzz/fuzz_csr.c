/* A body as an EST client sends it, to a request that was read. */
#include "ca/csr.h"
#include "ca/keypolicy.h"
#include "der/oid.h"
#include "tests/fuzz/fuzz.h"

/* What came through is what the header promises. */
static void read_all(const struct csr *csr)
{
	const struct san_list *sans = csr_sans(csr);
	struct bytes view;
	uint32_t bits;

	must(csr_key_type(csr) != 0);
	must(csr_spki(csr)->key.n > 0);
	if (csr_challenge(csr, &view))
		must(view.n > 0 && view.n <= CSR_CHALLENGE_MAX_BYTES);
	for (unsigned i = 0; csr_eku(csr, i, &view); i++)
		must(der_body_is_oid(view));
	for (size_t i = 0; i < sans->n; i++) {
		struct buf text = BUF_INIT(1u << 17);
		enum rc rc = san_text(&text, &sans->entries[i]);

		must(rc == RC_OK || rc == RC_TOOBIG);
		buf_free(&text);
	}
	(void)csr_key_usage(csr, &bits);
	(void)csr_wants_ca(csr);
}

static void parse(struct pubkey_ctx *keys, struct bytes der)
{
	struct why why = WHY_NONE;
	struct csr *csr;
	enum rc rc = csr_parse(&csr, keys, der, &why);

	must((rc == RC_OK) == (csr != NULL));
	must(rc == RC_OK || why.text[0] != '\0');
	must(rc != RC_INTERNAL);
	if (csr)
		read_all(csr);
	csr_free(csr);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct pubkey_ctx *keys; /* as long as the process */
	struct bytes in = bytes_of(data, size);
	struct buf der = BUF_INIT(CSR_DER_MAX_BYTES);
	struct san_list sans;

	if (!keys)
		must(pubkey_ctx_new(&keys) == RC_OK);
	if (csr_from_wire(&der, in, NULL) == RC_OK)
		parse(keys, buf_bytes(&der));
	buf_free(&der);
	/* a read that the signature would hide from most inputs */
	if (san_parse(&sans, in, NULL) == RC_OK)
		must(sans.n > 0 && sans.n <= SAN_MAX);
	return 0;
}
