/* ca/signer/ca_crl.c - a CRL from a list of lines. */
#include "ca/signer/ca_crl.h"

#include "base/text.h"
#include "der/oid.h"
#include "der/time.h"
#include "der/writer.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#define VERSION_2 1 /* RFC 5280 section 5.1.2.1 */

struct entry {
	uint8_t serial[TBS_SERIAL_BYTES];
	size_t n;
	int64_t revoked_s;
	uint8_t reason;
};

struct entries {
	struct entry list[CA_CRL_ENTRIES_MAX];
	size_t n;
};

/* CRLReason, RFC 5280 section 5.3.1, of those that a full CRL has; 0 is said
 * by leaving it out. */
static const struct reason {
	const char *name;
	uint8_t value;
} reasons[] = {
	{ "unspecified", 0 },
	{ "keyCompromise", 1 },
	{ "cACompromise", 2 },
	{ "affiliationChanged", 3 },
	{ "superseded", 4 },
	{ "cessationOfOperation", 5 },
	{ "certificateHold", 6 },
	{ "privilegeWithdrawn", 9 },
	{ "aACompromise", 10 },
};

/* --- the list */

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The next word of *line, empty at its end. */
static struct bytes next_word(struct bytes *line)
{
	struct bytes word;

	while (line->n > 0 && is_blank(line->p[0]))
		*line = bytes_skip(*line, 1);
	word = bytes_slice(*line, 0, 0);
	while (word.n < line->n && !is_blank(line->p[word.n]))
		word.n++;
	*line = bytes_skip(*line, word.n);
	return word;
}

static bool read_serial(struct entry *e, struct bytes hex)
{
	struct buf octets = BUF_INIT(sizeof(e->serial));
	bool ok = hex_decode(&octets, hex) == RC_OK && octets.n > 0;
	struct bytes serial = buf_bytes(&octets);

	while (ok && serial.n > 1 && serial.p[0] == 0)
		serial = bytes_skip(serial, 1);
	if (ok)
		memcpy(e->serial, serial.p, serial.n);
	e->n = serial.n;
	buf_free(&octets);
	return ok;
}

/* "2026-11-22T10:00:00Z" is "20261122100000Z" with signs between. */
static bool read_time(struct entry *e, struct bytes text)
{
	static const char form[] = "dddd-dd-ddTdd:dd:ddZ";
	uint8_t digits[TIME_GENERALIZED_BYTES];
	size_t n = 0;

	if (text.n != sizeof(form) - 1)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		if (form[i] != 'd' && text.p[i] != form[i])
			return false;
		if (form[i] == 'd' || form[i] == 'Z')
			digits[n++] = text.p[i];
	}
	return time_parse_generalized(BYTES_ARRAY(digits), &e->revoked_s) ==
	        RC_OK;
}

static bool read_reason(struct entry *e, struct bytes name)
{
	for (size_t i = 0; i < sizeof(reasons) / sizeof(*reasons); i++) {
		e->reason = reasons[i].value;
		if (name.n == 0 ||
		        bytes_eq_nocase(name, bytes_str(reasons[i].name)))
			return true;
	}
	return false;
}

static bool is_listed(const struct entries *all, const struct entry *e)
{
	for (size_t i = 0; i < all->n; i++)
		if (bytes_eq(bytes_of(all->list[i].serial, all->list[i].n),
		            bytes_of(e->serial, e->n)))
			return true;
	return false;
}

static enum rc read_line(struct entries *all, struct bytes line, size_t number,
        int64_t now_s, struct why *why)
{
	struct bytes serial = next_word(&line);
	struct bytes time = next_word(&line);
	struct bytes reason = next_word(&line);
	struct entry e = { .n = 0 };

	if (serial.n == 0 || serial.p[0] == '#')
		return RC_OK;
	if (!read_serial(&e, serial) || !read_time(&e, time) ||
	        !read_reason(&e, reason) || next_word(&line).n > 0)
		return why_set(why, RC_MALFORMED,
		        "--revoked: line %zu: want a serial number in hex, a "
		        "time as in 2026-11-22T10:00:00Z and perhaps a reason",
		        number);
	if (e.revoked_s > now_s)
		return why_set(why, RC_DENIED,
		        "--revoked: line %zu: lies in the future", number);
	if (is_listed(all, &e))
		return why_set(why, RC_MALFORMED,
		        "--revoked: line %zu: that serial number stands twice",
		        number);
	if (all->n == CA_CRL_ENTRIES_MAX)
		return why_set(why, RC_TOOBIG, "--revoked: over %d entries",
		        CA_CRL_ENTRIES_MAX);
	all->list[all->n++] = e;
	return RC_OK;
}

static enum rc read_list(
        struct entries *all, struct bytes text, int64_t now_s, struct why *why)
{
	struct bytes line;
	size_t number = 0;
	enum rc rc = RC_OK;

	all->n = 0;
	while (!rc && text.n > 0) {
		(void)bytes_cut(text, '\n', &line, &text);
		rc = read_line(all, line, ++number, now_s, why);
	}
	return rc;
}

/* --- the CRL before */

static bool is_issuers(X509_CRL *crl, const struct ca_issuer *issuer)
{
	unsigned char *der = NULL;
	int n = i2d_X509_NAME(X509_CRL_get_issuer(crl), &der);
	bool same = n > 0 &&
	        bytes_eq(bytes_of(der, (size_t)n), ca_issuer_subject(issuer));

	OPENSSL_free(der);
	return same;
}

/* Absent: none, which every number is above. */
static bool number_is_below(X509_CRL *crl, uint64_t number)
{
	ASN1_INTEGER *before =
	        X509_CRL_get_ext_d2i(crl, NID_crl_number, NULL, NULL);
	uint64_t n = 0;
	bool below = !before ||
	        (ASN1_INTEGER_get_uint64(&n, before) == 1 && n < number);

	ASN1_INTEGER_free(before);
	return below;
}

/* Of all reasons one alone is not for good (RFC 5280 section 5.3.1). */
static bool was_held(const X509_REVOKED *r)
{
	ASN1_ENUMERATED *reason =
	        X509_REVOKED_get_ext_d2i(r, NID_crl_reason, NULL, NULL);
	bool held = reason &&
	        ASN1_ENUMERATED_get(reason) == CRL_REASON_CERTIFICATE_HOLD;

	ASN1_ENUMERATED_free(reason);
	return held;
}

static enum rc check_stands(
        const struct entries *all, const X509_REVOKED *r, struct why *why)
{
	BIGNUM *bn =
	        ASN1_INTEGER_to_BN(X509_REVOKED_get0_serialNumber(r), NULL);
	struct buf hex = BUF_INIT(2 * TBS_SERIAL_BYTES + 1);
	struct entry e = { .n = 0 };
	enum rc rc = RC_OK;

	if (!bn || BN_num_bytes(bn) > (int)sizeof(e.serial)) {
		BN_free(bn);
		return why_set(why, RC_MALFORMED,
		        "--before: a serial number that is too long");
	}
	e.n = (size_t)BN_bn2bin(bn, e.serial);
	BN_free(bn);
	if (!is_listed(all, &e) && !was_held(r)) {
		hex_encode(&hex, bytes_of(e.serial, e.n));
		rc = why_set(why, RC_DENIED,
		        "--revoked: %s is missing, which the CRL before has",
		        buf_cstr(&hex) ? buf_cstr(&hex) : "a serial number");
	}
	buf_free(&hex);
	return rc;
}

static enum rc check_before(
        const struct ca_crl_opts *o, const struct entries *all, struct why *why)
{
	const unsigned char *p = o->before.p;
	X509_CRL *crl;
	STACK_OF(X509_REVOKED) * revoked;
	enum rc rc = RC_OK;

	if (o->before.n == 0)
		return RC_OK;
	crl = d2i_X509_CRL(NULL, &p, (long)o->before.n);
	ERR_clear_error();
	if (!crl)
		return why_set(
		        why, RC_MALFORMED, "--before: it is no CRL in DER");
	if (!is_issuers(crl, o->issuer))
		rc = why_set(why, RC_DENIED, "--before: it is another CA's");
	else if (!number_is_below(crl, o->number))
		rc = why_set(why, RC_DENIED,
		        "--number: it is not above that of the CRL before");
	revoked = X509_CRL_get_REVOKED(crl);
	for (int i = 0; !rc && i < sk_X509_REVOKED_num(revoked); i++)
		rc = check_stands(all, sk_X509_REVOKED_value(revoked, i), why);
	X509_CRL_free(crl);
	return rc;
}

/* --- building */

static void put_ext(struct buf *b, enum oid oid, const struct buf *value)
{
	size_t ext = der_begin(b, DER_SEQUENCE);

	der_put_oid(b, oid_bytes(oid));
	der_put_octets(b, buf_bytes(value));
	der_end(b, ext);
}

static void put_entry(struct buf *b, const struct entry *e)
{
	size_t entry = der_begin(b, DER_SEQUENCE), exts;
	struct buf reason = BUF_INIT(8);

	der_put_unsigned(b, bytes_of(e->serial, e->n));
	der_put_time(b, e->revoked_s);
	if (e->reason != 0) {
		der_put(&reason, DER_ENUMERATED, bytes_of(&e->reason, 1));
		exts = der_begin(b, DER_SEQUENCE);
		put_ext(b, OID_CRL_REASON, &reason);
		der_end(b, exts);
	}
	der_end(b, entry);
	buf_free(&reason);
}

static void put_exts(struct buf *b, const struct ca_crl_opts *o)
{
	size_t wrap = der_begin(b, DER_CONTEXT_CONS(0));
	size_t list = der_begin(b, DER_SEQUENCE), seq;
	struct buf value = BUF_INIT(1024);

	seq = der_begin(&value, DER_SEQUENCE);
	der_put(&value, DER_CONTEXT(0), ca_issuer_key_id(o->issuer));
	der_end(&value, seq);
	put_ext(b, OID_AUTHORITY_KEY_ID, &value);
	if (value.failed)
		b->failed = value.failed;
	buf_reset(&value);
	der_put_u64(&value, o->number);
	put_ext(b, OID_CRL_NUMBER, &value);
	der_end(b, list);
	der_end(b, wrap);
	buf_free(&value);
}

static enum rc build_tbs(struct buf *b, const struct ca_crl_opts *o,
        const struct entries *all, enum sig_alg alg)
{
	size_t tbs = der_begin(b, DER_SEQUENCE), list;

	der_put_u64(b, VERSION_2);
	alg_put(b, alg);
	der_put_raw(b, ca_issuer_subject(o->issuer));
	der_put_time(b, o->this_update_s);
	der_put_time(b, o->next_update_s);
	if (all->n > 0) { /* section 5.1.2.6 */
		list = der_begin(b, DER_SEQUENCE);
		for (size_t i = 0; i < all->n; i++)
			put_entry(b, &all->list[i]);
		der_end(b, list);
	}
	put_exts(b, o);
	der_end(b, tbs);
	return b->failed;
}

/* --- checking */

/* As the serving signer would look at it. */
static enum rc check_tbs(struct bytes tbs, const struct ca_crl_opts *o,
        enum sig_alg alg, struct why *why)
{
	const struct tbs_policy policy = {
		.purposes = SIGNER_PURPOSE_BIT(SIGNER_CRL),
		.issuer = ca_issuer_subject(o->issuer),
		.not_before_s = ca_issuer_not_before_s(o->issuer),
		.sig_alg = alg_bytes(alg),
		.crl = { ca_issuer_key_id(o->issuer),
		        o->next_update_s - o->this_update_s },
	};

	return tbs_check_crl(&policy, tbs, o->this_update_s, why);
}

/* By eyes other than those that wrote it: every serial, and no more. */
static bool lists_all(X509_CRL *crl, const struct entries *all)
{
	int n = sk_X509_REVOKED_num(X509_CRL_get_REVOKED(crl));
	bool ok = (n < 0 ? 0 : (size_t)n) == all->n;

	for (size_t i = 0; ok && i < all->n; i++) {
		const struct entry *e = &all->list[i];
		BIGNUM *bn = BN_bin2bn(e->serial, (int)e->n, NULL);
		ASN1_INTEGER *serial = bn ? BN_to_ASN1_INTEGER(bn, NULL) : NULL;
		X509_REVOKED *found = NULL;

		ok = serial &&
		        X509_CRL_get0_by_serial(crl, &found, serial) == 1;
		ASN1_INTEGER_free(serial);
		BN_free(bn);
	}
	return ok;
}

static enum rc check_result(struct bytes der, const struct vault_key *signer,
        const struct entries *all, struct why *why)
{
	const unsigned char *p = der.p, *q = signer->spki.p;
	X509_CRL *crl = d2i_X509_CRL(NULL, &p, (long)der.n);
	EVP_PKEY *key = d2i_PUBKEY(NULL, &q, (long)signer->spki.n);
	bool ok = crl && key && p == der.p + der.n &&
	        X509_CRL_verify(crl, key) == 1 && lists_all(crl, all);

	X509_CRL_free(crl);
	EVP_PKEY_free(key);
	ERR_clear_error();
	return ok ? RC_OK
	          : why_set(why, RC_BADSIG,
	                    "libcrypto does not accept what was signed");
}

static enum rc sign_entries(struct buf *out, struct vault *vault,
        const struct vault_key *key, const struct ca_crl_opts *o,
        const struct entries *all, struct why *why)
{
	struct buf signature = BUF_INIT(PROTO_SIGNATURE_MAX_BYTES);
	struct buf tbs = BUF_INIT(CA_CRL_MAX_BYTES);
	struct vault_hand *hand = NULL;
	size_t start = out->n, crl;
	enum rc rc = vault_hand_new(&hand, vault, key->token);

	if (!rc)
		rc = build_tbs(&tbs, o, all, key->alg);
	if (!rc)
		rc = check_tbs(buf_bytes(&tbs), o, key->alg, why);
	if (!rc)
		rc = vault_sign(hand, key, buf_bytes(&tbs), &signature, why);
	if (rc)
		goto out;
	crl = der_begin(out, DER_SEQUENCE);
	der_put_raw(out, buf_bytes(&tbs));
	alg_put(out, key->alg);
	der_put_bits(out, buf_bytes(&signature));
	der_end(out, crl);
	rc = out->failed;
	if (!rc)
		rc = check_result(
		        bytes_skip(buf_bytes(out), start), key, all, why);
out:
	vault_hand_free(hand);
	buf_free(&signature);
	buf_free(&tbs);
	return rc;
}

enum rc ca_crl_sign(struct buf *out, struct vault *vault, size_t signer,
        const struct ca_crl_opts *o, struct why *why)
{
	struct entries *all;
	enum rc rc;

	if (!ca_issuer_signs_crls(o->issuer))
		return why_set(why, RC_DENIED,
		        "issuer certificate: keyUsage has no cRLSign");
	all = calloc(1, sizeof(*all));
	if (!all)
		return RC_NOMEM;
	rc = read_list(all, o->list, o->now_s, why);
	if (!rc)
		rc = check_before(o, all, why);
	if (!rc)
		rc = sign_entries(
		        out, vault, vault_at(vault, signer), o, all, why);
	free(all);
	return rc;
}
