#include "ca/keypolicy.h"
#include <openssl/bn.h>
#include <openssl/err.h>
#include <string.h>

uint32_t keypolicy_type(const struct spki *spki)
{
	switch (spki->type) {
	case KEY_P256:
		return CONF_KEY_P256;
	case KEY_P384:
		return CONF_KEY_P384;
	case KEY_ED25519:
		return CONF_KEY_ED25519;
	case KEY_RSA:
		if (spki->bits < KEYPOLICY_RSA_MIN_BITS ||
		        spki->bits > KEYPOLICY_RSA_MAX_BITS)
			return 0;
		if (spki->bits < 3072)
			return CONF_KEY_RSA2048;
		return spki->bits < 4096 ? CONF_KEY_RSA3072 : CONF_KEY_RSA4096;
	default:
		return 0;
	}
}

/* Public keys whose private half is public: X of G, 2G and 3G, which also
 * stand for the largest private keys, and the examples of RFC 6979 (appendix
 * A.2); Ed25519 of the zero seed and of RFC 8032 section 7.1. */
struct known_key {
	enum key_type type;
	struct bytes head; /* Ed25519: all of it */
};

static const struct known_key known_keys[] = {
	{ KEY_P256,
	        BYTES_LIT("\x6b\x17\xd1\xf2\xe1\x2c\x42\x47"
	                  "\xf8\xbc\xe6\xe5\x63\xa4\x40\xf2") },
	{ KEY_P256,
	        BYTES_LIT("\x7c\xf2\x7b\x18\x8d\x03\x4f\x7e"
	                  "\x8a\x52\x38\x03\x04\xb5\x1a\xc3") },
	{ KEY_P256,
	        BYTES_LIT("\x5e\xcb\xe4\xd1\xa6\x33\x0a\x44"
	                  "\xc8\xf7\xef\x95\x1d\x4b\xf1\x65") },
	{ KEY_P256,
	        BYTES_LIT("\x60\xfe\xd4\xba\x25\x5a\x9d\x31"
	                  "\xc9\x61\xeb\x74\xc6\x35\x6d\x68") },
	{ KEY_P384,
	        BYTES_LIT("\xaa\x87\xca\x22\xbe\x8b\x05\x37"
	                  "\x8e\xb1\xc7\x1e\xf3\x20\xad\x74") },
	{ KEY_P384,
	        BYTES_LIT("\x08\xd9\x99\x05\x7b\xa3\xd2\xd9"
	                  "\x69\x26\x00\x45\xc5\x5b\x97\xf0") },
	{ KEY_P384,
	        BYTES_LIT("\x07\x7a\x41\xd4\x60\x6f\xfa\x14"
	                  "\x64\x79\x3c\x7e\x5f\xdc\x7d\x98") },
	{ KEY_P384,
	        BYTES_LIT("\xec\x3a\x4e\x41\x5b\x4e\x19\xa4"
	                  "\x56\x86\x18\x02\x9f\x42\x7f\xa5") },
	{ KEY_ED25519,
	        BYTES_LIT("\x3b\x6a\x27\xbc\xce\xb6\xa4\x2d"
	                  "\x62\xa3\xa8\xd0\x2a\x6f\x0d\x73") },
	{ KEY_ED25519,
	        BYTES_LIT("\xd7\x5a\x98\x01\x82\xb1\x0a\xb7"
	                  "\xd5\x4b\xfe\xd3\xc9\x64\x07\x3a") },
	{ KEY_ED25519,
	        BYTES_LIT("\x3d\x40\x17\xc3\xe8\x43\x89\x5a"
	                  "\x92\xb7\x0a\xa7\x4d\x1b\x7e\xbc") },
	{ KEY_ED25519,
	        BYTES_LIT("\xfc\x51\xcd\x8e\x62\x18\xa1\xa3"
	                  "\x8d\xa4\x7e\xd0\x02\x30\xf0\x58") },
};

/* The first half of an X or a key tells these from all others: a chance match
 * is one in 2^128. */
static bool is_known(enum key_type type, struct bytes key)
{
	struct bytes x = type == KEY_ED25519 ? key : bytes_skip(key, 1);

	for (size_t i = 0; i < sizeof(known_keys) / sizeof(known_keys[0]);
	        i++) {
		if (known_keys[i].type == type &&
		        bytes_starts(x, known_keys[i].head))
			return true;
	}
	return false;
}

/* y of the Ed25519 points whose order divides 8, little endian, sign apart. */
static const uint8_t small_order[][32] = {
	{ 0x00 },
	{ 0x01 },
	{ 0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
	        0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3,
	        0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc,
	        0x05 },
	{ 0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
	        0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c,
	        0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03,
	        0x7a },
	{ 0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	        0x7f },
};

/* RFC 8032 section 5.1.3: y is under p = 2^255 - 19. */
static bool is_reduced(const uint8_t y[32])
{
	if (y[31] != 0x7f || y[0] < 0xed)
		return true;
	for (unsigned i = 1; i < 31; i++) {
		if (y[i] != 0xff)
			return true;
	}
	return false;
}

static enum rc check_ed25519(struct bytes key, struct why *why)
{
	uint8_t y[32];

	memcpy(y, key.p, sizeof(y));
	y[31] &= 0x7f;
	if (!is_reduced(y))
		return why_set(
		        why, RC_WEAKKEY, "key: Ed25519 point is not reduced");
	for (size_t i = 0; i < sizeof(small_order) / sizeof(small_order[0]);
	        i++) {
		if (bytes_eq(BYTES_ARRAY(y), BYTES_ARRAY(small_order[i])))
			return why_set(why, RC_WEAKKEY,
			        "key: Ed25519 point of small order");
	}
	return RC_OK;
}

/* Remainders of one number by several divisors side by side: a division waits
 * for the one before it, and not for those of the others. */
#define LANES 4

/* n modulo each of m, n big endian. */
static void mod_u32(
        uint32_t out[LANES], struct bytes n, const uint32_t m[LANES])
{
	size_t head = n.n % 4;
	uint64_t r[LANES] = { 0 };

	for (size_t i = 0; i < head; i++)
		r[0] = r[0] << 8 | n.p[i];
	for (size_t k = LANES; k-- > 0;)
		r[k] = r[0] % m[k];
	for (size_t i = head; i < n.n; i += 4) {
		uint32_t word = (uint32_t)n.p[i] << 24 |
		        (uint32_t)n.p[i + 1] << 16 | (uint32_t)n.p[i + 2] << 8 |
		        n.p[i + 3];

		for (size_t k = 0; k < LANES; k++)
			r[k] = (r[k] << 32 | word) % m[k];
	}
	for (size_t k = 0; k < LANES; k++)
		out[k] = (uint32_t)r[k];
}

/* CA/Browser Forum Baseline Requirements section 6.1.6 (NIST SP 800-89): no
 * factor under 752. ROCA's generator made primes k·M + 65537^a mod M, M a
 * product of small primes of which 3 to 167 are in all of its key sizes, so
 * that modulo each of those the modulus is a power of 65537 (Nemec et al.,
 * "The Return of Coppersmith's Attack", section 2). */
#define FACTOR_END 752
#define ROCA_PRIME_MAX 167

static bool is_power_of_65537(uint32_t residue, uint32_t prime)
{
	uint32_t x = 1;

	do {
		if (x == residue)
			return true;
		x = x * (65537 % prime) % prime;
	} while (x != 1);
	return false;
}

static unsigned odd_primes(uint16_t *out)
{
	bool composite[FACTOR_END] = { false };
	unsigned n = 0;

	for (unsigned p = 3; p < FACTOR_END; p += 2) {
		if (composite[p])
			continue;
		out[n++] = (uint16_t)p;
		for (unsigned m = p * p; m < FACTOR_END; m += 2 * p)
			composite[m] = true;
	}
	return n;
}

/* What is known of a modulus after some primes. */
struct residues {
	const uint16_t *primes;
	unsigned n;
	bool roca; /* every prime so far bears it out */
};

/* Primes from at on whose product fits a word; *end: the first that is not of
 * them. */
static uint32_t product_of(const struct residues *s, unsigned at, unsigned *end)
{
	uint32_t product = 1;

	for (; at < s->n && product <= UINT32_MAX / s->primes[at]; at++)
		product *= s->primes[at];
	*end = at;
	return product;
}

/* residue: of the modulus, by the product of the primes from at to end. */
static enum rc judge_residue(struct residues *s, uint32_t residue, unsigned at,
        unsigned end, struct why *why)
{
	for (; at < end; at++) {
		uint32_t r = residue % s->primes[at];

		if (r == 0)
			return why_set(why, RC_WEAKKEY,
			        "key: RSA modulus has the factor %u",
			        s->primes[at]);
		if (s->roca && s->primes[at] <= ROCA_PRIME_MAX)
			s->roca = is_power_of_65537(r, s->primes[at]);
	}
	return RC_OK;
}

static enum rc check_residues(struct bytes modulus, struct why *why)
{
	uint16_t primes[FACTOR_END / 2];
	struct residues s = { primes, odd_primes(primes), true };
	uint32_t product[LANES], residue[LANES];
	unsigned at[LANES + 1] = { 0 };
	enum rc rc = RC_OK;

	while (rc == RC_OK && at[0] < s.n) {
		for (unsigned k = 0; k < LANES; k++)
			product[k] = product_of(&s, at[k], &at[k + 1]);
		mod_u32(residue, modulus, product);
		for (unsigned k = 0; rc == RC_OK && k < LANES; k++)
			rc = judge_residue(
			        &s, residue[k], at[k], at[k + 1], why);
		at[0] = at[LANES];
	}
	if (rc == RC_OK && s.roca)
		rc = why_set(why, RC_WEAKKEY,
		        "key: RSA modulus bears the ROCA fingerprint "
		        "(CVE-2017-15361)");
	return rc;
}

/* Integer square root by Newton's method from above. Each step doubles the bits
 * that are right, and the first ones are had in a word. */
#define ROOT_HEAD_BITS 30

static uint32_t isqrt_u32(uint32_t v)
{
	uint32_t root = 0;

	for (uint32_t bit = 1u << 15; bit > 0; bit >>= 1)
		if ((root + bit) * (root + bit) <= v)
			root += bit;
	return root;
}

static bool bn_root_above(BIGNUM *root, const BIGNUM *n)
{
	int bits = BN_num_bits(n);
	int cut = bits > ROOT_HEAD_BITS ? (bits - ROOT_HEAD_BITS + 1) & ~1 : 0;
	uint32_t head;

	if (!BN_rshift(root, n, cut))
		return false;
	head = isqrt_u32((uint32_t)BN_get_word(root)) + 1;
	return BN_set_word(root, head) && BN_lshift(root, root, cut / 2);
}

static bool bn_isqrt(BIGNUM *root, const BIGNUM *n, BN_CTX *ctx)
{
	BIGNUM *next;
	bool ok = false;

	BN_CTX_start(ctx);
	next = BN_CTX_get(ctx);
	if (!next || !bn_root_above(root, n))
		goto out;
	for (;;) {
		if (!BN_div(next, NULL, n, root, ctx) ||
		        !BN_add(next, next, root) || !BN_rshift1(next, next))
			goto out;
		if (BN_cmp(next, root) >= 0)
			break;
		if (!BN_copy(root, next))
			goto out;
	}
	ok = true;
out:
	BN_CTX_end(ctx);
	return ok;
}

static enum rc is_square(bool *out, const BIGNUM *n, BN_CTX *ctx)
{
	enum rc rc = RC_NOMEM;
	BIGNUM *root;

	*out = false;
	BN_CTX_start(ctx);
	root = BN_CTX_get(ctx);
	if (root && bn_isqrt(root, n, ctx) && BN_sqr(root, root, ctx)) {
		*out = BN_cmp(root, n) == 0;
		rc = RC_OK;
	}
	BN_CTX_end(ctx);
	return rc;
}

/* Squares have 12 of the 64 residues modulo 64, and half of those modulo each
 * odd prime: together these let 1 number in 500 past. */
#define SIEVE_EVEN 64
#define SIEVE_ODD (3u * 5 * 7 * 11 * 13 * 17 * 19 * 23)

static bool may_be_square(uint64_t mod_even, uint64_t mod_odd)
{
	static const uint64_t squares64 = UINT64_C(0x0202021202030213);
	static const unsigned primes[] = { 3, 5, 7, 11, 13, 17, 19, 23 };

	if (!(squares64 >> mod_even & 1))
		return false;
	for (size_t i = 0; i < sizeof(primes) / sizeof(primes[0]); i++) {
		unsigned r = (unsigned)(mod_odd % primes[i]), x = 0;

		while (x <= primes[i] / 2 && x * x % primes[i] != r)
			x++;
		if (x > primes[i] / 2)
			return false;
	}
	return true;
}

/* a^2 - n modulo m, of their residues. */
static uint64_t difference(uint64_t a, uint64_t n, uint64_t m)
{
	return (a % m * (a % m) + m - n) % m;
}

/* Is a^2 - n a square? */
static enum rc try_fermat(
        bool *found, const BIGNUM *a, const BIGNUM *n, BN_CTX *ctx)
{
	enum rc rc = RC_NOMEM;
	BIGNUM *b2;

	BN_CTX_start(ctx);
	b2 = BN_CTX_get(ctx);
	if (b2 && BN_sqr(b2, a, ctx) && BN_sub(b2, b2, n))
		rc = is_square(found, b2, ctx);
	BN_CTX_end(ctx);
	return rc;
}

/* Fermat: N = a^2 - b^2 for a just above the root of N when the primes are
 * close (CVE-2022-26320). The Baseline Requirements (section 6.1.1.3) ask for
 * 100 rounds: of most, the residues tell that they find nothing. */
#define FERMAT_ROUNDS 100

static enum rc fermat(bool *found, const BIGNUM *n, BN_CTX *ctx)
{
	BIGNUM *root = BN_CTX_get(ctx), *a = BN_CTX_get(ctx);
	uint64_t n_even, n_odd, a_even, a_odd;
	enum rc rc;

	*found = false;
	if (!a || !bn_isqrt(root, n, ctx) || !BN_sqr(a, root, ctx))
		return RC_NOMEM;
	if (BN_cmp(a, n) == 0) {
		*found = true;
		return RC_OK;
	}
	n_even = BN_mod_word(n, SIEVE_EVEN);
	n_odd = BN_mod_word(n, SIEVE_ODD);
	a_even = BN_mod_word(root, SIEVE_EVEN);
	a_odd = BN_mod_word(root, SIEVE_ODD);
	for (unsigned i = 1; i <= FERMAT_ROUNDS && !*found; i++) {
		if (!may_be_square(difference(a_even + i, n_even, SIEVE_EVEN),
		            difference(a_odd + i, n_odd, SIEVE_ODD)))
			continue;
		if (!BN_copy(a, root) || !BN_add_word(a, i))
			return RC_NOMEM;
		rc = try_fermat(found, a, n, ctx);
		if (rc != RC_OK)
			return rc;
	}
	return RC_OK;
}

static enum rc check_close_primes(struct bytes modulus, struct why *why)
{
	BN_CTX *ctx = BN_CTX_new();
	BIGNUM *n = BN_bin2bn(modulus.p, (int)modulus.n, NULL);
	enum rc rc = RC_NOMEM;
	bool found = false;

	if (ctx && n) {
		BN_CTX_start(ctx);
		rc = fermat(&found, n, ctx);
		BN_CTX_end(ctx);
	}
	BN_free(n);
	BN_CTX_free(ctx);
	if (rc != RC_OK) {
		ERR_clear_error();
		return why_set(why, rc, "key: %s", rc_info(rc)->text);
	}
	if (found)
		return why_set(why, RC_WEAKKEY,
		        "key: RSA primes are close (CVE-2022-26320)");
	return RC_OK;
}

/* Odd and over 2^16 (FIPS 186-5 section 5.1); its upper bound of 2^256 is cut
 * to 31 bits, which is what all verifiers hold: Go's refuses more. */
static enum rc check_exponent(struct bytes e, struct why *why)
{
	uint32_t v = 0;

	for (size_t i = 0; i < e.n && e.n <= 4; i++)
		v = v << 8 | e.p[i];
	if (e.n > 4 || v > INT32_MAX)
		return why_set(why, RC_WEAKKEY,
		        "key: RSA exponent of more than 31 bits");
	if (v < 65537)
		return why_set(
		        why, RC_WEAKKEY, "key: RSA exponent under 65537");
	if (v % 2 == 0)
		return why_set(why, RC_WEAKKEY, "key: RSA exponent is even");
	return RC_OK;
}

static enum rc check_rsa(const struct spki *spki, struct why *why)
{
	enum rc rc;

	if (spki->bits < KEYPOLICY_RSA_MIN_BITS ||
	        spki->bits > KEYPOLICY_RSA_MAX_BITS)
		return why_set(why, RC_WEAKKEY,
		        "key: RSA of %u bits, not %d to %d", spki->bits,
		        KEYPOLICY_RSA_MIN_BITS, KEYPOLICY_RSA_MAX_BITS);
	rc = check_exponent(spki->exponent, why);
	if (rc != RC_OK)
		return rc;
	if (spki->modulus.p[spki->modulus.n - 1] % 2 == 0)
		return why_set(why, RC_WEAKKEY, "key: RSA modulus is even");
	rc = check_residues(spki->modulus, why);
	if (rc == RC_OK)
		rc = check_close_primes(spki->modulus, why);
	return rc;
}

enum rc keypolicy_check(const struct spki *spki, struct why *why)
{
	if (spki->type == KEY_RSA)
		return check_rsa(spki, why);
	if (keypolicy_type(spki) == 0)
		return why_set(why, RC_WEAKKEY, "key: %s is not permitted",
		        key_type_name(spki->type));
	if (is_known(spki->type, spki->key))
		return why_set(why, RC_WEAKKEY,
		        "key: its private key is public knowledge");
	if (spki->type == KEY_ED25519)
		return check_ed25519(spki->key, why);
	return RC_OK;
}
