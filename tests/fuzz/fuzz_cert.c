/* A peer's certificate as DER or in PEM: read, asked for its facts, linted. */
#include "ca/cert.h"
#include "ca/lint.h"
#include "ca/pem.h"
#include "tests/fuzz/fuzz.h"

static void read_all(const struct cert *c)
{
	struct why why = WHY_NONE;
	struct bytes id;
	uint32_t usage;
	bool yes;
	size_t i;

	must(c->version >= 1 && c->version <= 3 && c->serial.n > 0);
	must(inside(c->issuer, c->tbs) && inside(c->spki, c->tbs));
	for (i = 0; i < c->n_ext; i++)
		must(inside(c->ext[i].value, c->tbs));
	if (cert_is_ca(c, &yes, &why) != RC_OK)
		must(why.text[0] != '\0');
	if (cert_key_usage(c, &usage, &yes, &why) == RC_OK)
		must(yes || usage == 0);
	if (cert_subject_key_id(c, &id, &why) == RC_OK)
		must(inside(id, c->tbs));
	if (cert_authority_key_id(c, &id, &why) == RC_OK)
		must(inside(id, c->tbs));
	why = WHY_NONE;
	if (lint_tbs(c->tbs, c->tbs_alg, c->issuer, &why) != RC_OK)
		must(why.text[0] != '\0');
}

static void parse(struct bytes der)
{
	struct why why = WHY_NONE;
	struct cert c;

	if (cert_parse_key(&c, der, &why) == RC_OK)
		must(inside(c.issuer, der) && inside(c.spki, der));
	else
		must(cert_parse(&c, der, NULL) != RC_OK);
	if (cert_parse(&c, der, &why) == RC_OK)
		read_all(&c);
	else
		must(why.text[0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size);
	struct buf der = BUF_INIT(PEM_DER_MAX_BYTES);
	struct why why;

	parse(in);
	while (pem_next(&in, "CERTIFICATE", &der, &why) == RC_OK) {
		parse(buf_bytes(&der));
		buf_reset(&der);
	}
	buf_free(&der);
	return 0;
}
