#include "tests/unit/tbs_make.h"
#include "der/alg.h"
#include "der/name.h"
#include "der/time.h"
#include "der/writer.h"
#include <string.h>

#define AKI                                                                    \
	BYTES_LIT("\x30\x16\x80\x14"                                           \
	          "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a"                   \
	          "\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14")
#define SKI                                                                    \
	BYTES_LIT("\x04\x14"                                                   \
	          "\x21\x22\x23\x24\x25\x26\x27\x28\x29\x2a"                   \
	          "\x2b\x2c\x2d\x2e\x2f\x30\x31\x32\x33\x34")
#define SERIAL                                                                 \
	BYTES_LIT("\x41\x02\x03\x04\x05\x06\x07\x08\x09\x0a"                   \
	          "\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14")
#define HW_TYPE BYTES_LIT("\x2b\x06\x01\x04\x01\x82\xa2\x7c")

/* SEQUENCE { SEQUENCE { ecPublicKey, prime256v1 }, BIT STRING 04 … } */
static const uint8_t spki[91] = { 0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a,
	0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
	0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04, 0x55 };

struct bytes spec_spki(void)
{
	return BYTES_ARRAY(spki);
}

void tbs_spec_drop(struct tbs_spec *s, enum oid oid)
{
	for (size_t i = 0; i < s->n_ext; i++) {
		if (!oid_is(s->ext[i].oid, oid))
			continue;
		s->n_ext--;
		memmove(&s->ext[i], &s->ext[i + 1],
		        (s->n_ext - i) * sizeof(*s->ext));
		return;
	}
}

void tbs_spec_ext(
        struct tbs_spec *s, enum oid oid, bool critical, struct bytes value)
{
	tbs_spec_drop(s, oid);
	s->ext[s->n_ext++] =
	        (struct spec_ext){ oid_bytes(oid), critical, value };
}

void tbs_spec_init(struct tbs_spec *s, int64_t now_s)
{
	memset(s, 0, sizeof(*s));
	s->version = 2;
	s->serial = SERIAL;
	s->sig_alg = alg_bytes(ALG_ECDSA_SHA256);
	s->issuer = "Issuing";
	s->not_before_s = now_s - 300;
	s->not_after_s = now_s + 365 * SPEC_DAY_S;
	s->subject[0] = (struct spec_attr){ OID_O, "Example Meters", false };
	s->subject[1] = (struct spec_attr){ OID_CN, SPEC_CN, false };
	s->n_subject = 2;
	s->spki = spec_spki();
	s->san[0] = (struct spec_name){ DER_CONTEXT(6),
		BYTES_LIT("urn:dev:" SPEC_CN) };
	s->n_san = 1;
	tbs_spec_ext(s, OID_KEY_USAGE, true, SPEC_KU_SIGN);
	tbs_spec_ext(s, OID_EXT_KEY_USAGE, false, SPEC_EKU_CLIENT);
	tbs_spec_ext(s, OID_SUBJECT_KEY_ID, false, SKI);
	tbs_spec_ext(s, OID_AUTHORITY_KEY_ID, false, AKI);
}

static void put_rdns(struct buf *b, const struct tbs_spec *s)
{
	size_t name = der_begin(b, DER_SEQUENCE);
	size_t i = 0;

	while (i < s->n_subject) {
		size_t set = der_begin(b, DER_SET);

		do {
			size_t pair = der_begin(b, DER_SEQUENCE);

			der_put_oid(b, oid_bytes(s->subject[i].type));
			der_put_utf8(b, bytes_str(s->subject[i].text));
			der_end(b, pair);
			i++;
		} while (i < s->n_subject && s->subject[i].same_rdn);
		der_end_set_of(b, set);
	}
	der_end(b, name);
}

void spec_issuer(struct buf *out, const char *cn)
{
	struct name_part part = { oid_bytes(OID_CN), bytes_str(cn) };

	if (name_write(out, &part, 1, NULL))
		out->failed = RC_INTERNAL;
}

static void put_ext(
        struct buf *b, struct bytes oid, bool critical, struct bytes value)
{
	size_t ext = der_begin(b, DER_SEQUENCE);

	der_put_oid(b, oid);
	if (critical)
		der_put_bool(b, true);
	der_put_octets(b, value);
	der_end(b, ext);
}

static void put_san(struct buf *b, const struct tbs_spec *s)
{
	struct buf value = BUF_INIT(TBS_CHECK_MAX_BYTES);
	size_t seq = der_begin(&value, DER_SEQUENCE);

	for (size_t i = 0; i < s->n_san; i++)
		der_put(&value, s->san[i].tag, s->san[i].body);
	der_end(&value, seq);
	put_ext(b, oid_bytes(OID_SUBJECT_ALT_NAME), s->san_critical,
	        buf_bytes(&value));
	buf_free(&value);
}

static void put_exts(struct buf *b, const struct tbs_spec *s)
{
	size_t wrap, list;

	if (s->n_san + s->n_ext == 0)
		return;
	wrap = der_begin(b, DER_CONTEXT_CONS(3));
	list = der_begin(b, DER_SEQUENCE);
	if (s->n_san > 0)
		put_san(b, s);
	for (size_t i = 0; i < s->n_ext; i++)
		put_ext(b, s->ext[i].oid, s->ext[i].critical, s->ext[i].value);
	der_end(b, list);
	der_end(b, wrap);
}

void tbs_spec_build(const struct tbs_spec *s, struct buf *out)
{
	size_t tbs = der_begin(out, DER_SEQUENCE);
	size_t inside = der_begin(out, DER_CONTEXT_CONS(0));

	der_put_u64(out, s->version);
	der_end(out, inside);
	der_put_unsigned(out, s->serial);
	der_put_raw(out, s->sig_alg);
	spec_issuer(out, s->issuer);
	inside = der_begin(out, DER_SEQUENCE);
	der_put_time(out, s->not_before_s);
	der_put_time(out, s->not_after_s);
	der_end(out, inside);
	put_rdns(out, s);
	der_put_raw(out, s->spki);
	der_put_raw(out, s->after_spki);
	put_exts(out, s);
	der_put_raw(out, s->after_all);
	der_end(out, tbs);
}

/* --- the policy */

#define TEXT_FIXED(s)                                                          \
	{                                                                      \
		TBS_FIXED, BYTES_LIT(s), BYTES_NONE                            \
	}
#define TEXT_AFFIX(head, tail)                                                 \
	{                                                                      \
		TBS_AFFIX, BYTES_LIT(head), BYTES_LIT(tail)                    \
	}
#define TEXT_ANY                                                               \
	{                                                                      \
		TBS_ANY, BYTES_NONE, BYTES_NONE                                \
	}

struct tbs_policy *spec_policy(
        const char *issuer, struct bytes sig_alg, int64_t now_s)
{
	const struct tbs_attr sensor_subject[] = {
		{ oid_bytes(OID_C), TEXT_FIXED("DE"), true },
		{ oid_bytes(OID_O), TEXT_FIXED("Example Meters"), false },
		{ oid_bytes(OID_CN), TEXT_AFFIX("dev-", ""), false },
	};
	const struct tbs_attr any_cn[] = {
		{ oid_bytes(OID_CN), TEXT_ANY, true },
	};
	const struct tbs_san sensor_san[] = {
		{ TBS_SAN_URI, BYTES_NONE, TEXT_AFFIX("urn:dev:", ""), 1, 1 },
		{ TBS_SAN_DNS, BYTES_NONE, TEXT_AFFIX("", ".meters.example"), 0,
		        1 },
	};
	const struct tbs_san server_san[] = {
		{ TBS_SAN_DNS, BYTES_NONE, TEXT_ANY, 0, 0 },
		{ TBS_SAN_IP, BYTES_NONE, TEXT_ANY, 0, 2 },
		{ TBS_SAN_EMAIL, BYTES_NONE, TEXT_FIXED("ops@example.com"), 0,
		        1 },
	};
	const struct tbs_san module_san[] = {
		{ TBS_SAN_HARDWARE_MODULE, HW_TYPE, TEXT_AFFIX("SN-", ""), 0,
		        1 },
		{ TBS_SAN_PERMANENT_ID, HW_TYPE, TEXT_ANY, 0, 1 },
		{ TBS_SAN_PERMANENT_ID, BYTES_NONE, TEXT_FIXED("p-1"), 0, 1 },
	};
	const struct tbs_eku client[] = {
		{ oid_bytes(OID_KP_CLIENT_AUTH), true },
		{ oid_bytes(OID_KP_IPSEC_IKE), false },
	};
	const struct tbs_eku server[] = {
		{ oid_bytes(OID_KP_SERVER_AUTH), true },
	};
	const struct tbs_eku any[] = { { oid_bytes(OID_ANY_EKU), true } };
	const struct tbs_eku responder[] = {
		{ oid_bytes(OID_KP_OCSP_SIGNING), false },
		{ oid_bytes(OID_KP_CMC_RA), false },
	};
	const struct tbs_ext ids[] = {
		{ oid_bytes(OID_SUBJECT_KEY_ID), false, true, false, BYTES_NONE,
		        0 },
		{ oid_bytes(OID_AUTHORITY_KEY_ID), false, true, true, AKI, 0 },
		{ oid_bytes(OID_NO_REV_AVAIL), false, false, true, SPEC_NULL,
		        0 },
	};
	const struct tbs_ext responder_ext[] = {
		ids[0],
		ids[1],
		{ oid_bytes(OID_OCSP_NOCHECK), false, false, true, SPEC_NULL,
		        0 },
	};
	const struct tbs_shape shapes[] = {
		{ BYTES_LIT("sensor"), sensor_subject, 3, sensor_san, 2, client,
		        2, false, 0x01, false, ids, 3, 731 * SPEC_DAY_S, false,
		        false, BYTES_NONE },
		{ BYTES_LIT("server"), any_cn, 1, server_san, 3, server, 1,
		        true, 0x05, true, ids, 3, 90 * SPEC_DAY_S, false, false,
		        BYTES_NONE },
		{ BYTES_LIT("module"), NULL, 0, module_san, 3, NULL, 0, false,
		        0x01, false, ids, 3, 90 * SPEC_DAY_S, false, false,
		        BYTES_NONE },
		{ BYTES_LIT("forever"), any_cn, 1, NULL, 0, any, 1, false, 0,
		        false, ids, 3, 0, true, false, BYTES_NONE },
		{ BYTES_LIT("responder"), any_cn, 1, NULL, 0, responder, 2,
		        false, 0x01, false, responder_ext, 3, 30 * SPEC_DAY_S,
		        false, true, BYTES_NONE },
	};
	struct buf name = BUF_INIT(NAME_MAX_BYTES);
	struct buf packed = BUF_INIT(TBS_POLICY_MAX_BYTES);
	struct tbs_policy policy = { .purposes =
		                             SIGNER_PURPOSE_BIT(SIGNER_CERT) |
		        SIGNER_PURPOSE_BIT(SIGNER_CRL) |
		        SIGNER_PURPOSE_BIT(SIGNER_OCSP),
		.not_before_s = now_s - SPEC_DAY_S,
		.not_after_s = now_s + 3652 * SPEC_DAY_S,
		.sig_alg = sig_alg,
		.shapes = shapes,
		.n_shapes = sizeof(shapes) / sizeof(*shapes),
		.crl = { SPEC_KEY_ID, SPEC_CRL_MAX_S },
		.ocsp = { SPEC_NAME_SHA1, SPEC_KEY_SHA1, SPEC_NAME_SHA256,
		        SPEC_KEY_SHA256, SPEC_OCSP_MAX_S } };
	struct tbs_policy *out = NULL;

	spec_issuer(&name, issuer);
	policy.issuer = buf_bytes(&name);
	tbs_policy_pack(&packed, &policy);
	if (name.failed || packed.failed ||
	        tbs_policy_unpack(&out, buf_bytes(&packed), NULL))
		out = NULL;
	buf_free(&name);
	buf_free(&packed);
	return out;
}
