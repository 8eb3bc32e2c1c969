#include "der/alg.h"
#include "der/oid.h"
#include "der/writer.h"

/* AlgorithmIdentifiers in full: what is compared first, and what is written. */
#define OID_RSA "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01"
#define RSA_PKCS1(hash) "\x30\x0d" OID_RSA hash "\x05\x00"
#define ECDSA(hash) "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03" hash
#define SHA2(n) "\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02" n "\x05\x00"
/* RFC 4055 section 3.1: [0] hash, [1] MGF1 of that hash, [2] salt length;
 * trailerField is at its default, which DER leaves out. */
#define RSA_PSS(hash, salt)                                                    \
	"\x30\x41" OID_RSA "\x0a\x30\x34"                                      \
	"\xa0\x0f" SHA2(hash) "\xa1\x1c\x30\x1a" OID_RSA                       \
	                      "\x08" SHA2(hash) "\xa2\x03\x02\x01" salt

struct sig_row {
	const char *name;
	enum oid oid;
	enum oid digest; /* alg_digest() */
	unsigned keys;   /* set of enum key_type */
	struct bytes der;
};

#define EC_KEYS (KEY_P256 | KEY_P384 | KEY_P521)

static const struct sig_row sigs[ALG_COUNT] = {
	[ALG_NONE] = { "none", OID_NONE, OID_NONE, 0, { NULL, 0 } },
	[ALG_ECDSA_SHA256] = { "ecdsa-sha256", OID_ECDSA_SHA256, OID_SHA256,
	        EC_KEYS, BYTES_LIT(ECDSA("\x02")) },
	[ALG_ECDSA_SHA384] = { "ecdsa-sha384", OID_ECDSA_SHA384, OID_SHA384,
	        EC_KEYS, BYTES_LIT(ECDSA("\x03")) },
	[ALG_ECDSA_SHA512] = { "ecdsa-sha512", OID_ECDSA_SHA512, OID_SHA512,
	        EC_KEYS, BYTES_LIT(ECDSA("\x04")) },
	[ALG_ED25519] = { "ed25519", OID_ED25519, OID_SHA512, KEY_ED25519,
	        BYTES_LIT("\x30\x05\x06\x03\x2b\x65\x70") },
	[ALG_RSA_SHA256] = { "rsa-sha256", OID_RSA_SHA256, OID_SHA256, KEY_RSA,
	        BYTES_LIT(RSA_PKCS1("\x0b")) },
	[ALG_RSA_SHA384] = { "rsa-sha384", OID_RSA_SHA384, OID_SHA384, KEY_RSA,
	        BYTES_LIT(RSA_PKCS1("\x0c")) },
	[ALG_RSA_SHA512] = { "rsa-sha512", OID_RSA_SHA512, OID_SHA512, KEY_RSA,
	        BYTES_LIT(RSA_PKCS1("\x0d")) },
	[ALG_RSA_PSS_SHA256] = { "rsa-pss-sha256", OID_RSASSA_PSS, OID_SHA256,
	        KEY_RSA, BYTES_LIT(RSA_PSS("\x01", "\x20")) },
	[ALG_RSA_PSS_SHA384] = { "rsa-pss-sha384", OID_RSASSA_PSS, OID_SHA384,
	        KEY_RSA, BYTES_LIT(RSA_PSS("\x02", "\x30")) },
	[ALG_RSA_PSS_SHA512] = { "rsa-pss-sha512", OID_RSASSA_PSS, OID_SHA512,
	        KEY_RSA, BYTES_LIT(RSA_PSS("\x03", "\x40")) },
};

struct pss_row {
	enum oid hash;
	unsigned salt_bytes;
	enum sig_alg alg;
};

static const struct pss_row pss[] = {
	{ OID_SHA256, 32, ALG_RSA_PSS_SHA256 },
	{ OID_SHA384, 48, ALG_RSA_PSS_SHA384 },
	{ OID_SHA512, 64, ALG_RSA_PSS_SHA512 },
};

struct key_row {
	enum key_type type;
	const char *name;
	enum oid curve;
	unsigned bits;
	struct bytes alg; /* the key's AlgorithmIdentifier */
	size_t key_bytes; /* of the public key; RSA: 0 */
};

#define EC_KEY(size, oid) "\x30" size "\x06\x07\x2a\x86\x48\xce\x3d\x02\x01" oid

static const struct key_row keys[] = {
	{ KEY_P256, "p256", OID_P256, 256,
	        BYTES_LIT(EC_KEY(
	                "\x13", "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07")),
	        65 },
	{ KEY_P384, "p384", OID_P384, 384,
	        BYTES_LIT(EC_KEY("\x10", "\x06\x05\x2b\x81\x04\x00\x22")), 97 },
	{ KEY_P521, "p521", OID_P521, 521,
	        BYTES_LIT(EC_KEY("\x10", "\x06\x05\x2b\x81\x04\x00\x23")),
	        133 },
	{ KEY_ED25519, "ed25519", OID_NONE, 256,
	        BYTES_LIT("\x30\x05\x06\x03\x2b\x65\x70"), 32 },
	{ KEY_RSA, "rsa", OID_NONE, 0, BYTES_LIT(RSA_PKCS1("\x01")), 0 },
};
#define KEY_ROWS (sizeof(keys) / sizeof(keys[0]))

static const struct sig_row *sig_of(enum sig_alg alg)
{
	return &sigs[(unsigned)alg < ALG_COUNT ? alg : ALG_NONE];
}

static const struct key_row *key_of(enum key_type type)
{
	for (size_t i = 0; i < KEY_ROWS; i++) {
		if (keys[i].type == type)
			return &keys[i];
	}
	return NULL;
}

const char *alg_name(enum sig_alg alg)
{
	return sig_of(alg)->name;
}

enum oid alg_digest(enum sig_alg alg)
{
	return sig_of(alg)->digest;
}

size_t alg_digest_bytes(enum oid digest)
{
	switch (digest) {
	case OID_SHA256:
		return 32;
	case OID_SHA384:
		return 48;
	case OID_SHA512:
		return 64;
	default:
		return 0;
	}
}

const char *key_type_name(enum key_type type)
{
	const struct key_row *row = key_of(type);

	return row ? row->name : "none";
}

unsigned key_type_by_name(struct bytes name)
{
	for (size_t i = 0; i < KEY_ROWS; i++) {
		if (bytes_eq_str(name, keys[i].name))
			return keys[i].type;
	}
	return 0;
}

bool alg_fits_key(enum sig_alg alg, enum key_type type)
{
	return (sig_of(alg)->keys & (unsigned)type) != 0;
}

struct bytes alg_bytes(enum sig_alg alg)
{
	return sig_of(alg)->der;
}

void alg_put(struct buf *b, enum sig_alg alg)
{
	der_put_raw(b, alg_bytes(alg));
}

/* Name what is not on the list, by its name or by its arcs. */
static enum rc refuse_oid(
        const char *what, const char *kind, struct bytes oid, struct why *why)
{
	struct buf text = BUF_INIT(DER_OID_MAX_BYTES * 4);
	enum oid known = oid_find(oid);
	const char *name = known == OID_NONE ? NULL : oid_name(known);
	enum rc rc;

	if (!name && oid_print(&text, oid) == RC_OK)
		name = buf_cstr(&text);
	rc = why_set(why, RC_UNSUPPORTED, "%s: %s %s is not accepted", what,
	        kind, name ? name : "unknown");
	buf_free(&text);
	return rc;
}

/* A hash's AlgorithmIdentifier; NULL and absent parameters mean the same
 * (RFC 4055 section 2.1). */
static enum rc read_hash(struct der *d, struct bytes *oid, struct why *why)
{
	struct der alg;
	enum rc rc;

	rc = der_enter(d, DER_SEQUENCE, &alg, "hashAlgorithm", why);
	if (rc == RC_OK)
		rc = der_oid(&alg, oid, "hashAlgorithm", why);
	if (rc == RC_OK && der_more(&alg))
		rc = der_null(&alg, "hashAlgorithm parameters", why);
	if (rc == RC_OK)
		rc = der_done(&alg, "hashAlgorithm", why);
	return rc;
}

/* [n] EXPLICIT, alone inside its tag. */
static enum rc read_explicit(struct der *d, unsigned n, struct der *inside,
        const char *what, struct why *why)
{
	/* its DEFAULT is SHA-1's, which is not on the list */
	if (!der_at(d, DER_CONTEXT_CONS(n)))
		return why_set(
		        why, RC_UNSUPPORTED, "%s: SHA-1's default", what);
	return der_enter(d, DER_CONTEXT_CONS(n), inside, what, why);
}

static enum rc read_mgf(struct der *d, struct bytes *hash, struct why *why)
{
	struct der mgf;
	struct bytes oid;
	enum rc rc;

	rc = der_enter(d, DER_SEQUENCE, &mgf, "maskGenAlgorithm", why);
	if (rc == RC_OK)
		rc = der_oid(&mgf, &oid, "maskGenAlgorithm", why);
	if (rc == RC_OK && !oid_is(oid, OID_MGF1))
		rc = why_set(why, RC_UNSUPPORTED, "maskGenAlgorithm: not MGF1");
	if (rc == RC_OK)
		rc = read_hash(&mgf, hash, why);
	if (rc == RC_OK)
		rc = der_done(&mgf, "maskGenAlgorithm", why);
	return rc;
}

/* RSASSA-PSS-params (RFC 4055 section 3.1). */
static enum rc read_pss(struct der *alg, enum sig_alg *out, struct why *why)
{
	struct der params, field;
	struct bytes hash, mgf_hash;
	uint64_t salt_bytes;
	enum rc rc;

	rc = der_enter(alg, DER_SEQUENCE, &params, "RSASSA-PSS-params", why);
	if (rc == RC_OK)
		rc = read_explicit(&params, 0, &field, "hashAlgorithm", why);
	if (rc == RC_OK)
		rc = read_hash(&field, &hash, why);
	if (rc == RC_OK)
		rc = der_done(&field, "hashAlgorithm", why);
	if (rc == RC_OK)
		rc = read_explicit(&params, 1, &field, "maskGenAlgorithm", why);
	if (rc == RC_OK)
		rc = read_mgf(&field, &mgf_hash, why);
	if (rc == RC_OK)
		rc = der_done(&field, "maskGenAlgorithm", why);
	if (rc == RC_OK)
		rc = read_explicit(&params, 2, &field, "saltLength", why);
	if (rc == RC_OK)
		rc = der_integer_u64(
		        &field, 1024, &salt_bytes, "saltLength", why);
	if (rc == RC_OK)
		rc = der_done(&field, "saltLength", why);
	/* trailerField has one value, its DEFAULT: DER never writes it */
	if (rc == RC_OK)
		rc = der_done(&params, "RSASSA-PSS-params", why);
	if (rc != RC_OK)
		return rc;
	for (size_t i = 0; i < sizeof(pss) / sizeof(pss[0]); i++) {
		if (!oid_is(hash, pss[i].hash) || !bytes_eq(hash, mgf_hash) ||
		        salt_bytes != pss[i].salt_bytes)
			continue;
		*out = pss[i].alg;
		return RC_OK;
	}
	return why_set(why, RC_UNSUPPORTED,
	        "RSASSA-PSS-params: not SHA-2 with its own MGF1 and salt");
}

/* What has another encoding than the table's: RSASSA-PSS with absent hash
 * parameters, PKCS#1 v1.5 with absent parameters, which "implementations MUST
 * accept" (RFC 4055 section 5); everything else is named and refused. */
static enum rc read_other(
        struct bytes full, enum sig_alg *out, const char *what, struct why *why)
{
	enum sig_alg found = ALG_NONE;
	struct bytes oid;
	struct der alg;
	enum rc rc;

	rc = der_open(full, DER_SEQUENCE, &alg, what, why);
	if (rc == RC_OK)
		rc = der_oid(&alg, &oid, what, why);
	if (rc != RC_OK)
		return rc;
	for (unsigned i = ALG_NONE + 1; i < ALG_COUNT; i++) {
		if (oid_is(oid, sigs[i].oid))
			found = (enum sig_alg)i;
	}
	if (found == ALG_NONE)
		return refuse_oid(what, "algorithm", oid, why);
	if (sigs[found].oid == OID_RSASSA_PSS) {
		rc = read_pss(&alg, &found, why);
		if (rc == RC_OK)
			rc = der_done(&alg, what, why);
	} else if (sigs[found].keys != KEY_RSA || der_more(&alg)) {
		rc = why_set(why, RC_MALFORMED, "%s: parameters", what);
	}
	if (rc == RC_OK)
		*out = found;
	return rc;
}

enum rc alg_read(
        struct der *d, enum sig_alg *out, const char *what, struct why *why)
{
	struct der at = *d;
	struct bytes full;
	enum rc rc = der_expect_full(&at, DER_SEQUENCE, &full, what, why);

	if (rc != RC_OK)
		return rc;
	for (unsigned i = ALG_NONE + 1; i < ALG_COUNT; i++) {
		if (bytes_eq(full, sigs[i].der)) {
			*out = (enum sig_alg)i;
			*d = at;
			return RC_OK;
		}
	}
	rc = read_other(full, out, what, why);
	if (rc == RC_OK)
		*d = at;
	return rc;
}

/* Why a key's AlgorithmIdentifier is not in the table. */
static enum rc refuse_key_alg(struct bytes full, struct why *why)
{
	const char *what = "SubjectPublicKeyInfo.algorithm";
	struct bytes oid, curve;
	struct der alg;
	enum rc rc;

	rc = der_open(full, DER_SEQUENCE, &alg, what, why);
	if (rc == RC_OK)
		rc = der_oid(&alg, &oid, what, why);
	if (rc != RC_OK)
		return rc;
	if (oid_is(oid, OID_RSA_ENCRYPTION) || oid_is(oid, OID_ED25519))
		return why_set(why, RC_MALFORMED, "%s: parameters", what);
	if (!oid_is(oid, OID_EC_PUBLIC_KEY))
		return refuse_oid(what, "key type", oid, why);
	/* RFC 5480 section 2.1.1: implicitCurve and specifiedCurve are out */
	if (!der_at(&alg, DER_OID))
		return why_set(
		        why, RC_UNSUPPORTED, "%s: not a named curve", what);
	rc = der_oid(&alg, &curve, what, why);
	if (rc == RC_OK)
		rc = der_done(&alg, what, why);
	if (rc == RC_OK)
		rc = refuse_oid(what, "curve", curve, why);
	return rc;
}

static unsigned bit_length(struct bytes magnitude)
{
	unsigned bits = (unsigned)magnitude.n * 8;

	if (magnitude.n == 0)
		return 0;
	for (uint8_t top = magnitude.p[0]; !(top & 0x80);
	        top = (uint8_t)(top << 1))
		bits--;
	return bits;
}

/* RSAPublicKey (RFC 8017 appendix A.1.1). */
static enum rc read_rsa(struct spki *s, struct why *why)
{
	struct der rsa;
	enum rc rc;

	rc = der_open(s->key, DER_SEQUENCE, &rsa, "RSAPublicKey", why);
	if (rc == RC_OK)
		rc = der_integer_unsigned(&rsa, &s->modulus, "modulus", why);
	if (rc == RC_OK)
		rc = der_integer_unsigned(
		        &rsa, &s->exponent, "publicExponent", why);
	if (rc == RC_OK)
		rc = der_done(&rsa, "RSAPublicKey", why);
	if (rc != RC_OK)
		return rc;
	if (s->modulus.n > SPKI_RSA_MAX_BYTES ||
	        s->exponent.n > SPKI_RSA_MAX_BYTES)
		return why_set(why, RC_TOOBIG, "RSAPublicKey: over %d bits",
		        SPKI_RSA_MAX_BYTES * 8);
	if (s->modulus.n == 0 || s->exponent.n == 0)
		return why_set(why, RC_MALFORMED, "RSAPublicKey: zero");
	s->bits = bit_length(s->modulus);
	return RC_OK;
}

/* RFC 5480 section 2.2: the uncompressed form, at its exact length. */
static enum rc check_point(struct bytes point, size_t want, struct why *why)
{
	bool compressed = point.n == want / 2 + 1 && point.n > 0 &&
	        (point.p[0] == 2 || point.p[0] == 3);

	if (compressed)
		return why_set(why, RC_UNSUPPORTED, "ECPoint: compressed");
	if (point.n != want || point.p[0] != 4)
		return why_set(why, RC_MALFORMED,
		        "ECPoint: not an uncompressed point of the curve");
	return RC_OK;
}

static enum rc read_key(
        struct spki *s, const struct key_row *row, struct why *why)
{
	s->type = row->type;
	s->bits = row->bits;
	if (row->type == KEY_RSA)
		return read_rsa(s, why);
	if (row->curve != OID_NONE)
		return check_point(s->key, row->key_bytes, why);
	if (s->key.n != row->key_bytes)
		return why_set(
		        why, RC_MALFORMED, "Ed25519 public key: not 32 bytes");
	return RC_OK;
}

enum rc spki_parse(struct spki *out, struct bytes der, struct why *why)
{
	const struct key_row *row = NULL;
	struct spki s = { .der = der };
	struct bytes alg;
	struct der info;
	enum rc rc;

	rc = der_open(der, DER_SEQUENCE, &info, "SubjectPublicKeyInfo", why);
	if (rc == RC_OK)
		rc = der_expect_full(&info, DER_SEQUENCE, &alg,
		        "SubjectPublicKeyInfo.algorithm", why);
	if (rc == RC_OK)
		rc = der_bit_octets(&info, &s.key, "subjectPublicKey", why);
	if (rc == RC_OK)
		rc = der_done(&info, "SubjectPublicKeyInfo", why);
	if (rc != RC_OK)
		return rc;
	for (size_t i = 0; i < KEY_ROWS && !row; i++) {
		if (bytes_eq(alg, keys[i].alg))
			row = &keys[i];
	}
	rc = row ? read_key(&s, row, why) : refuse_key_alg(alg, why);
	if (rc == RC_OK)
		*out = s;
	return rc;
}

void spki_put_raw(struct buf *b, enum key_type type, struct bytes key)
{
	const struct key_row *row = key_of(type);
	size_t info = der_begin(b, DER_SEQUENCE);

	if (row && key.n == row->key_bytes)
		der_put_raw(b, row->alg);
	else if (b->failed == RC_OK)
		b->failed = RC_MALFORMED;
	der_put_bits(b, key);
	der_end(b, info);
}

void spki_put_rsa(struct buf *b, struct bytes modulus, struct bytes exponent)
{
	size_t info = der_begin(b, DER_SEQUENCE);
	size_t bits, rsa;

	der_put_raw(b, key_of(KEY_RSA)->alg);
	bits = der_begin_bits(b);
	rsa = der_begin(b, DER_SEQUENCE);
	der_put_unsigned(b, modulus);
	der_put_unsigned(b, exponent);
	der_end(b, rsa);
	der_end(b, bits);
	der_end(b, info);
}
