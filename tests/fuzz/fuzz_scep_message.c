/* A pkiMessage as a stranger sends it, up to where the RA's key is needed; what
 * is answered must be DER. */
#include "enroll/scep_message.h"
#include "der/reader.h"
#include "tests/fuzz/fuzz.h"
#include <stdlib.h>

static void answer(const struct scep_message *m, struct scep_crypt *crypt)
{
	const struct scep_ra ra = { .cert = BYTES_LIT("\x30\x00"),
		.id = { .issuer = BYTES_LIT("\x30\x00"),
		        .serial = BYTES_LIT("\x01") } };
	struct scep_reply r = { .to = m,
		.status = SCEP_FAILURE,
		.fail = 2,
		.fail_text = "refused" };
	struct buf attrs = BUF_INIT(8192), out = BUF_INIT(65536);

	must(scep_reply_put_attrs(&attrs, &r, crypt) == RC_OK);
	must(scep_reply_put(&out, &r, &ra, buf_bytes(&attrs),
	             BYTES_LIT("signature")) == RC_OK);
	must(der_check(buf_bytes(&out), "CertRep", NULL) == RC_OK);
	buf_free(&attrs);
	buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct scep_legacy legacy = { true, true };
	const struct cms_id us = { .key_id = BYTES_LIT("nobody's") };
	struct scep_message *m = malloc(sizeof(*m));
	struct buf content = BUF_INIT(65536);
	struct scep_crypt *crypt = NULL;
	struct why why = WHY_NONE;
	struct bytes key = BYTES_NONE;

	must(m != NULL && scep_crypt_new(&crypt) == RC_OK);
	if (scep_message_read(m, bytes_of(data, size), &why) == RC_OK) {
		must(m->transaction_id.n > 0 && m->nonce.n > 0);
		if (scep_message_check(m, crypt, &legacy, &why) != RC_OK)
			must(why.text[0] != '\0');
		if (scep_message_envelope(m, &legacy, &us, &key, &why) == RC_OK)
			must(key.n <= CMS_READ_KEY_MAX_BYTES);
		(void)!scep_crypt_open(crypt, &m->envelope,
		        BYTES_LIT("0123456789abcdef"), &content, &why);
		answer(m, crypt);
	} else {
		must(why.text[0] != '\0');
	}
	buf_free(&content);
	scep_crypt_free(crypt);
	scep_message_free(m);
	free(m);
	return 0;
}
