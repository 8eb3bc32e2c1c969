#include "enroll/token.h"

#include "base/rand.h"

void token_make(char out[TOKEN_TEXT_CHARS + 1])
{
	static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";
	uint8_t random[TOKEN_RANDOM_BYTES];
	unsigned held = 0;
	unsigned bits = 0;
	size_t n = 0;

	rand_fill(random, sizeof(random));
	for (size_t i = 0; i < sizeof(random); i++) {
		held = (held << 8 | random[i]) & 0xfff;
		for (bits += 8; bits >= 5; bits -= 5)
			out[n++] = alphabet[held >> (bits - 5) & 31];
	}
	out[n++] = alphabet[held << (5 - bits) & 31];
	out[n] = '\0';
	bytes_wipe(random, sizeof(random));
}

enum rc token_hash(
        struct digest *d, struct bytes text, uint8_t out[STORE_HASH_BYTES])
{
	return digest_sha256(d, text, out);
}
