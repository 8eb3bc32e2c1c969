#include "base/text.h"

#include <stdio.h>
#include <string.h>

static const char base64_digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char hex_digits[] = "0123456789abcdef";

static void base64_triple(char out[4], const uint8_t *in, size_t n)
{
	uint32_t v = (uint32_t)in[0] << 16;

	if (n > 1)
		v |= (uint32_t)in[1] << 8;
	if (n > 2)
		v |= in[2];
	out[0] = base64_digits[v >> 18];
	out[1] = base64_digits[v >> 12 & 63];
	out[2] = n > 1 ? base64_digits[v >> 6 & 63] : '=';
	out[3] = n > 2 ? base64_digits[v & 63] : '=';
}

static void base64_line(struct buf *out, struct bytes in)
{
	size_t n = in.n / 3 * 4 + (in.n % 3 != 0 ? 4 : 0);
	char *p = (char *)buf_room(out, n);

	if (p == NULL)
		return;
	for (size_t i = 0; i < in.n; i += 3, p += 4)
		base64_triple(p, in.p + i, in.n - i);
	buf_added(out, n);
}

void base64_encode(struct buf *out, struct bytes in, unsigned columns)
{
	/* A line holds whole groups of four, at least one. */
	size_t step = columns < 4 ? 3 : (size_t)columns / 4 * 3;

	if (columns == 0) {
		base64_line(out, in);
		return;
	}
	for (; in.n > 0; in = bytes_skip(in, step)) {
		base64_line(out, bytes_slice(in, 0, step));
		buf_add_u8(out, '\n');
	}
}

/* What a byte is: a digit's value and one, white space, padding; 0 is none. */
#define BASE64_SPACE 65
#define BASE64_PAD 66
/* clang-format off */
static const uint8_t base64_kinds[256] = {
	['A'] = 1, ['B'] = 2, ['C'] = 3, ['D'] = 4, ['E'] = 5, ['F'] = 6,
	['G'] = 7, ['H'] = 8, ['I'] = 9, ['J'] = 10, ['K'] = 11, ['L'] = 12,
	['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18,
	['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
	['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30,
	['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36,
	['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42,
	['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
	['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54,
	['2'] = 55, ['3'] = 56, ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60,
	['8'] = 61, ['9'] = 62, ['+'] = 63, ['/'] = 64,
	[' '] = BASE64_SPACE, ['\t'] = BASE64_SPACE,
	['\r'] = BASE64_SPACE, ['\n'] = BASE64_SPACE, ['='] = BASE64_PAD,
};
/* clang-format on */

/* Count digits and padding; RFC 4648 section 3.3: anything else is refused. */
static enum rc base64_count(struct bytes in, size_t *digits)
{
	size_t pads = 0;

	*digits = 0;
	for (size_t i = 0; i < in.n; i++) {
		uint8_t kind = base64_kinds[in.p[i]];

		if (kind == BASE64_SPACE)
			continue;
		if (kind == BASE64_PAD)
			pads++;
		else if (pads > 0 || kind == 0)
			return RC_MALFORMED;
		else
			(*digits)++;
	}
	if (*digits % 4 == 1)
		return RC_MALFORMED;
	if (pads > 0 && pads != (4 - *digits % 4) % 4)
		return RC_MALFORMED;
	return RC_OK;
}

/* Four digits side by side make three bytes; false when they are not. */
static bool base64_four(uint8_t *out, const uint8_t *in)
{
	/* Of what is no digit, 0 less one is large too. */
	uint32_t a = base64_kinds[in[0]] - UINT32_C(1);
	uint32_t b = base64_kinds[in[1]] - UINT32_C(1);
	uint32_t c = base64_kinds[in[2]] - UINT32_C(1);
	uint32_t d = base64_kinds[in[3]] - UINT32_C(1);
	uint32_t v = a << 18 | b << 12 | c << 6 | d;

	if ((a | b | c | d) > 63)
		return false;
	out[0] = (uint8_t)(v >> 16);
	out[1] = (uint8_t)(v >> 8);
	out[2] = (uint8_t)v;
	return true;
}

enum rc base64_decode(struct buf *out, struct bytes in)
{
	uint32_t acc = 0;
	unsigned bits = 0;
	size_t digits, n = 0, i = 0;
	uint8_t *p;
	enum rc rc;

	rc = base64_count(in, &digits);
	if (rc != RC_OK)
		return rc;
	p = buf_room(
	        out, digits / 4 * 3 + (digits % 4 != 0) * (digits % 4 - 1));
	if (p == NULL)
		return out->failed;
	while (i < in.n) {
		uint8_t kind = base64_kinds[in.p[i]];

		if (bits == 0 && in.n - i >= 4 &&
		        base64_four(p + n, in.p + i)) {
			n += 3;
			i += 4;
			continue;
		}
		i++;
		if (kind > 64)
			continue;
		acc = acc << 6 | (kind - UINT32_C(1));
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			p[n++] = (uint8_t)(acc >> bits);
		}
	}
	/* RFC 4648 section 3.5: pad bits are zero. */
	if ((acc & ((1u << bits) - 1)) != 0)
		return RC_MALFORMED;
	buf_added(out, n);
	return RC_OK;
}

void hex_encode(struct buf *out, struct bytes in)
{
	uint8_t *p;

	if (in.n > SIZE_MAX / 2) {
		(void)buf_room(out, SIZE_MAX);
		return;
	}
	p = buf_room(out, 2 * in.n);
	if (p == NULL)
		return;
	for (size_t i = 0; i < in.n; i++) {
		p[2 * i] = (uint8_t)hex_digits[in.p[i] >> 4];
		p[2 * i + 1] = (uint8_t)hex_digits[in.p[i] & 15];
	}
	buf_added(out, 2 * in.n);
}

int hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

enum rc hex_decode(struct buf *out, struct bytes in)
{
	uint8_t *p;

	if (in.n % 2 != 0)
		return RC_MALFORMED;
	p = buf_room(out, in.n / 2);
	if (p == NULL)
		return out->failed;
	for (size_t i = 0; i < in.n; i += 2) {
		int high = hex_value(in.p[i]);
		int low = hex_value(in.p[i + 1]);

		if (high < 0 || low < 0)
			return RC_MALFORMED;
		p[i / 2] = (uint8_t)(high << 4 | low);
	}
	buf_added(out, in.n / 2);
	return RC_OK;
}

enum rc text_u64(struct bytes in, uint64_t max, uint64_t *out)
{
	bool over = false;
	uint64_t v = 0;

	*out = 0;
	if (in.n == 0)
		return RC_MALFORMED;
	for (size_t i = 0; i < in.n; i++) {
		uint64_t digit = (uint64_t)in.p[i] - '0';

		if (in.p[i] < '0' || in.p[i] > '9')
			return RC_MALFORMED;
		over = over || digit > max || v > (max - digit) / 10;
		v = v * 10 + digit;
	}
	if (over)
		return RC_TOOBIG;
	*out = v;
	return RC_OK;
}

static bool is_print(uint8_t c)
{
	return c >= 0x20 && c <= 0x7e;
}

void text_escape(struct buf *out, struct bytes in)
{
	for (size_t i = 0; i < in.n; i++) {
		uint8_t c = in.p[i];

		if (is_print(c) && c != '"' && c != '\\') {
			buf_add_u8(out, c);
			continue;
		}
		buf_add_str(out, "\\x");
		buf_add_u8(out, (uint8_t)hex_digits[c >> 4]);
		buf_add_u8(out, (uint8_t)hex_digits[c & 15]);
	}
}

/* Length of the sequence that starts with lead, 0 when none does, and the
 * range of its second byte (RFC 3629 section 4). */
static size_t utf8_shape(uint8_t lead, uint8_t *low, uint8_t *high)
{
	*low = 0x80;
	*high = 0xbf;
	if (lead < 0x80)
		return 1;
	if (lead >= 0xc2 && lead <= 0xdf)
		return 2;
	if (lead >= 0xe0 && lead <= 0xef) {
		if (lead == 0xe0)
			*low = 0xa0;
		if (lead == 0xed)
			*high = 0x9f;
		return 3;
	}
	if (lead >= 0xf0 && lead <= 0xf4) {
		if (lead == 0xf0)
			*low = 0x90;
		if (lead == 0xf4)
			*high = 0x8f;
		return 4;
	}
	return 0;
}

bool text_is_utf8(struct bytes in)
{
	size_t i = 0;

	while (i < in.n) {
		uint8_t low;
		uint8_t high;
		size_t n = utf8_shape(in.p[i], &low, &high);

		if (n == 0 || n > in.n - i)
			return false;
		if (n > 1 && (in.p[i + 1] < low || in.p[i + 1] > high))
			return false;
		for (size_t k = 2; k < n; k++) {
			if ((in.p[i + k] & 0xc0) != 0x80)
				return false;
		}
		i += n;
	}
	return true;
}

bool text_is_print(struct bytes in)
{
	for (size_t i = 0; i < in.n; i++) {
		if (!is_print(in.p[i]))
			return false;
	}
	return true;
}

/* Years 0000 to 9999 in seconds: what RFC 3339 can say. */
#define TIME_MIN_S INT64_C(-62167219200)
#define TIME_MAX_S INT64_C(253402300799)
#define DAY_S 86400

/* Not gmtime_r(): glibc's opens the time zone file at first use, which the
 * sandbox forbids. Years are counted from March, in eras of 400 years, so that
 * the leap day is the last of its year and every era has the same days. */
const char *text_time(char *out, int64_t time_s)
{
	int64_t days;
	int64_t second;
	int64_t era;
	int64_t year;
	int64_t day;
	int64_t month;

	if (time_s < TIME_MIN_S)
		time_s = TIME_MIN_S;
	if (time_s > TIME_MAX_S)
		time_s = TIME_MAX_S;
	days = (time_s - TIME_MIN_S) / DAY_S;
	second = (time_s - TIME_MIN_S) % DAY_S;
	/* Day 0 is 0000-01-01, 60 days before March; one era back keeps
	 * January and February of year 0 positive. */
	days += 146097 - 60;
	era = days / 146097;
	day = days % 146097;
	year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	day -= 365 * year + year / 4 - year / 100;
	month = (5 * day + 2) / 153;
	day -= (153 * month + 2) / 5;
	year += 400 * (era - 1) + (month >= 10);
	month += month < 10 ? 3 : -9;
	(void)snprintf(out, TEXT_TIME_BYTES, "%04d-%02d-%02dT%02d:%02d:%02dZ",
	        (int)year, (int)month, (int)day + 1, (int)(second / 3600),
	        (int)(second / 60 % 60), (int)(second % 60));
	return out;
}

#define DISTANCE_MAX_BYTES 32

static size_t min(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* --- and back */

static bool take(const char **p, const char *pattern, int64_t *fields)
{
	for (; *pattern != '\0'; pattern++, (*p)++) {
		char c = **p;

		if (*pattern != '9' && *pattern != '0') {
			if (c != *pattern)
				return false;
			continue;
		}
		if (c < '0' || c > '9')
			return false;
		/* '0' begins a number, '9' goes on with it. */
		if (*pattern == '0')
			*++fields = 0;
		*fields = *fields * 10 + (c - '0');
	}
	return true;
}

/* "Z" or "+01:00" */
static bool take_offset(const char **p, int64_t *offset_s)
{
	int64_t f[3] = { 0 };
	bool west = **p == '-';

	*offset_s = 0;
	if (take(p, "Z", f))
		return true;
	if (!take(p, west ? "-09:09" : "+09:09", f) || f[1] > 23 || f[2] > 59)
		return false;
	*offset_s = (f[1] * 60 + f[2]) * (west ? -60 : 60);
	return true;
}

/* As text_time() counts; year, month, day need not be sound. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
	year += 400 - (month <= 2);
	month = (month + 9) % 12;
	return year * 365 + year / 4 - year / 100 + year / 400 +
	        (153 * month + 2) / 5 + day - 1 - 719468 - 146097;
}

enum rc text_time_parse(const char *text, int64_t *out)
{
	char same[TEXT_TIME_BYTES];
	int64_t date[4] = { 0 }, time[4] = { 0 }, offset_s = 0, days;
	const char *p = text;

	if (!take(&p, "0999-09-09", date))
		return RC_MALFORMED;
	if (*p != '\0' &&
	        (!take(&p, "T09:09:09", time) || !take_offset(&p, &offset_s)))
		return RC_MALFORMED;
	days = days_of(date[1], date[2], date[3]);
	/* A day that there is comes back as it was. */
	if (*p != '\0' || time[1] > 23 || time[2] > 59 || time[3] > 59 ||
	        strncmp(text_time(same, days * DAY_S), text, 10) != 0)
		return RC_MALFORMED;
	*out = days * DAY_S + (time[1] * 60 + time[2]) * 60 + time[3] -
	        offset_s;
	return RC_OK;
}

size_t text_distance(const char *a, const char *b)
{
	size_t row[DISTANCE_MAX_BYTES + 1];
	size_t a_n = strlen(a);
	size_t b_n = strlen(b);

	if (a_n > DISTANCE_MAX_BYTES || b_n > DISTANCE_MAX_BYTES)
		return SIZE_MAX;
	for (size_t j = 0; j <= b_n; j++)
		row[j] = j;
	for (size_t i = 1; i <= a_n; i++) {
		size_t corner = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b_n; j++) {
			size_t swap = corner + (a[i - 1] != b[j - 1]);

			corner = row[j];
			row[j] = min(swap, min(row[j], row[j - 1]) + 1);
		}
	}
	return row[b_n];
}
