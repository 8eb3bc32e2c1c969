/* A CMS message as a stranger sends it: SignedData, and EnvelopedData in it or
 * alone, in DER or BER. */
#include "ca/cms_read.h"
#include "der/reader.h"
#include "tests/fuzz/fuzz.h"

static void id_inside(const struct cms_id *id, struct bytes in)
{
	must(inside(id->issuer, in));
	must(inside(id->serial, in));
	must(inside(id->key_id, in));
	must((id->issuer.n > 0) != (id->key_id.n > 0));
}

static void read_enveloped(struct bytes in)
{
	struct buf text = BUF_INIT(CMS_READ_MAX_BYTES);
	struct why why = WHY_NONE;
	struct cms_enveloped e;

	if (cms_read_enveloped(&e, in, &why) != RC_OK) {
		must(why.text[0] != '\0');
		return;
	}
	must(e.n_recipients > 0 && e.n_recipients <= CMS_READ_RECIPIENTS_MAX);
	for (size_t i = 0; i < e.n_recipients; i++) {
		id_inside(&e.recipients[i].id, in);
		must(inside(e.recipients[i].encrypted_key, in));
	}
	must(e.iv.n == cms_cipher_block_bytes(e.cipher));
	if (cms_put_ciphertext(&text, &e, &why) == RC_OK)
		must(text.n > 0 && text.n % e.iv.n == 0);
	buf_free(&text);
}

static void read_signed(struct bytes in)
{
	struct buf what = BUF_INIT(CMS_READ_MAX_BYTES);
	struct why why = WHY_NONE;
	struct cms_signed s;
	struct bytes value;

	if (cms_read_signed(&s, in, &why) != RC_OK) {
		must(why.text[0] != '\0');
		return;
	}
	id_inside(&s.signer, in);
	must(inside(s.signature, in));
	must(inside(s.content, in));
	must(s.n_certs <= CMS_READ_CERTS_MAX);
	for (size_t i = 0; i < s.n_certs; i++)
		must(inside(s.certs[i], in));
	must(s.n_attrs <= CMS_READ_ATTRS_MAX);
	for (size_t i = 0; i < s.n_attrs; i++)
		must(inside(s.attrs[i].values, in));
	if (cms_attr_value(&s, OID_CONTENT_TYPE, &value, &why) == RC_OK)
		must(der_check(value, "value", NULL) == RC_OK);
	cms_put_what_is_signed(&what, &s);
	must(what.failed == RC_OK);
	buf_free(&what);
	read_enveloped(s.content);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size);
	struct buf der = BUF_INIT(CMS_READ_MAX_BYTES);
	struct buf again = BUF_INIT(CMS_READ_MAX_BYTES);
	struct why why = WHY_NONE;

	read_signed(in);
	read_enveloped(in);
	if (cms_from_ber(&der, in, &why) == RC_OK) {
		must(cms_from_ber(&again, buf_bytes(&der), &why) == RC_OK);
		must(bytes_eq(buf_bytes(&again), buf_bytes(&der)));
		read_signed(buf_bytes(&der));
		read_enveloped(buf_bytes(&der));
	} else {
		must(why.text[0] != '\0' || der.failed != RC_OK);
	}
	buf_free(&again);
	buf_free(&der);
	return 0;
}
