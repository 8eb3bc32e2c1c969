/* Every reader of der/ over the same bytes. */
#include "der/alg.h"
#include "der/name.h"
#include "der/reader.h"
#include "der/time.h"
#include "tests/fuzz/fuzz.h"
#include <stdlib.h>

/* A view that comes back must lie inside the input. */
static void read_fields(struct bytes in)
{
	struct der start = der_of(in), d, sub;
	struct der_item item;
	struct bytes view;
	enum sig_alg alg;
	unsigned unused;
	uint32_t bits;
	uint64_t u;
	int64_t t;
	bool b;

#define TRY(call)                                                              \
	do {                                                                   \
		d = start;                                                     \
		view = BYTES_NONE;                                             \
		if ((call) != RC_OK && d.rest.n != in.n)                       \
			abort();                                               \
		must(inside(d.rest, in));                                      \
		must(inside(view, in));                                        \
	} while (0)
	TRY(der_next(&d, &item, "x", NULL));
	TRY(der_enter(&d, DER_SEQUENCE, &sub, "x", NULL));
	TRY(der_optional(&d, DER_OCTET_STRING, &view, &b, "x", NULL));
	TRY(der_bool(&d, &b, "x", NULL));
	TRY(der_integer(&d, &view, "x", NULL));
	TRY(der_integer_unsigned(&d, &view, "x", NULL));
	TRY(der_integer_u64(&d, 1000, &u, "x", NULL));
	TRY(der_null(&d, "x", NULL));
	TRY(der_oid(&d, &view, "x", NULL));
	TRY(der_octet_string(&d, &view, "x", NULL));
	TRY(der_bit_string(&d, &view, &unused, "x", NULL));
	TRY(der_bit_octets(&d, &view, "x", NULL));
	TRY(der_named_bits(&d, &bits, "x", NULL));
	TRY(der_time(&d, &t, "x", NULL));
	TRY(der_generalized_time(&d, &t, "x", NULL));
	TRY(alg_read(&d, &alg, "x", NULL));
#undef TRY
}

static void read_name(struct bytes in)
{
	struct name_walk w = name_walk(in);
	struct buf text = BUF_INIT(1u << 16);
	struct name_attr a;
	enum rc rc;

	/* a walk must be safe on what was never checked */
	while (name_next(&w, &a)) {
		must(inside(a.oid, in));
		must(inside(a.value, in));
	}
	rc = name_print(&text, in);
	if (name_check(in, NULL) == RC_OK && rc != RC_OK && rc != RC_TOOBIG)
		abort();
	buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size);
	struct der top = der_of(in);
	struct why why = WHY_NONE;
	struct der_item item;
	struct spki spki;

	if (der_check(in, "x", &why) != RC_OK && why.text[0] == '\0')
		abort();
	read_fields(in);
	read_name(in);
	(void)!der_check_set_of(in, "x", NULL);
	if (spki_parse(&spki, in, NULL) == RC_OK) {
		must(inside(spki.key, in));
		must(inside(spki.modulus, in));
		must(inside(spki.exponent, in));
	}
	/* the same, one level down */
	if (der_next(&top, &item, "x", NULL) == RC_OK) {
		read_fields(item.body);
		read_name(item.body);
	}
	return 0;
}
