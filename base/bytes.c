#include "base/bytes.h"

#include <string.h>

struct bytes bytes_of(const void *p, size_t n)
{
	return (struct bytes){ p, n };
}

struct bytes bytes_str(const char *s)
{
	return s == NULL ? BYTES_NONE : bytes_of(s, strlen(s));
}

bool bytes_eq(struct bytes a, struct bytes b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool bytes_eq_str(struct bytes a, const char *s)
{
	return bytes_eq(a, bytes_str(s));
}

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

bool bytes_eq_nocase(struct bytes a, struct bytes b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++) {
		if (lower(a.p[i]) != lower(b.p[i]))
			return false;
	}
	return true;
}

bool bytes_eq_secret(struct bytes a, struct bytes b)
{
	volatile uint8_t differ = 0;

	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		differ = (uint8_t)(differ | (a.p[i] ^ b.p[i]));
	return differ == 0;
}

int bytes_cmp(struct bytes a, struct bytes b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int d = n == 0 ? 0 : memcmp(a.p, b.p, n);

	if (d != 0)
		return d < 0 ? -1 : 1;
	return (a.n > b.n) - (a.n < b.n);
}

bool bytes_starts(struct bytes a, struct bytes head)
{
	return a.n >= head.n && bytes_eq(bytes_slice(a, 0, head.n), head);
}

struct bytes bytes_slice(struct bytes a, size_t off, size_t n)
{
	if (off >= a.n)
		return BYTES_NONE;
	if (n > a.n - off)
		n = a.n - off;
	return bytes_of(a.p + off, n);
}

struct bytes bytes_skip(struct bytes a, size_t n)
{
	return bytes_slice(a, n, SIZE_MAX);
}

bool bytes_cut(
        struct bytes a, uint8_t sep, struct bytes *head, struct bytes *tail)
{
	const uint8_t *at = a.n == 0 ? NULL : memchr(a.p, sep, a.n);
	size_t n;

	if (at == NULL) {
		*head = a;
		*tail = BYTES_NONE;
		return false;
	}
	n = (size_t)(at - a.p);
	*head = bytes_slice(a, 0, n);
	*tail = bytes_skip(a, n + 1);
	return true;
}

void bytes_wipe(void *p, size_t n)
{
	if (n > 0)
		explicit_bzero(p, n);
}
