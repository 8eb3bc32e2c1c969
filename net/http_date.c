#include "net/http_date.h"

#include "base/text.h"
#include <string.h>
#include <time.h>

static const char days[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri",
	"Sat" };
static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
	"Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };

static char *put_digits(char *p, int value, int digits)
{
	for (int i = digits - 1; i >= 0; i--) {
		p[i] = (char)('0' + value % 10);
		value /= 10;
	}
	return p + digits;
}

static char *put_text(char *p, const char *text)
{
	size_t n = strlen(text);

	memcpy(p, text, n);
	return p + n;
}

const char *http_date_format(char out[HTTP_DATE_BYTES], int64_t time_s)
{
	time_t t = (time_t)time_s;
	struct tm tm = { .tm_mday = 1 };
	char *p = out;

	(void)gmtime_r(&t, &tm);
	p = put_text(p, days[tm.tm_wday]);
	p = put_text(p, ", ");
	p = put_digits(p, tm.tm_mday, 2);
	*p++ = ' ';
	p = put_text(p, months[tm.tm_mon]);
	*p++ = ' ';
	p = put_digits(p, tm.tm_year + 1900, 4);
	*p++ = ' ';
	p = put_digits(p, tm.tm_hour, 2);
	*p++ = ':';
	p = put_digits(p, tm.tm_min, 2);
	*p++ = ':';
	p = put_digits(p, tm.tm_sec, 2);
	memcpy(p, " GMT", 5);
	return out;
}

static bool read_digits(
        struct bytes in, size_t at, size_t n, uint64_t max, int *out)
{
	uint64_t v;

	if (text_u64(bytes_slice(in, at, n), max, &v) != RC_OK)
		return false;
	*out = (int)v;
	return true;
}

static bool read_month(struct bytes in, int *out)
{
	for (int m = 0; m < 12; m++)
		if (bytes_eq_str(in, months[m])) {
			*out = m;
			return true;
		}
	return false;
}

static bool separators_ok(struct bytes in)
{
	static const char form[] = "...,_.._..._...._..:..:.._GMT";

	for (size_t i = 0; i < in.n; i++) {
		char want = form[i] == '_' ? ' ' : form[i];

		if (want != '.' && in.p[i] != (uint8_t)want)
			return false;
	}
	return true;
}

bool http_date_parse(struct bytes in, int64_t *time_s)
{
	struct tm tm = { .tm_isdst = 0 };
	int year;

	if (in.n != HTTP_DATE_BYTES - 1 || !separators_ok(in) ||
	        !read_digits(in, 5, 2, 31, &tm.tm_mday) ||
	        !read_month(bytes_slice(in, 8, 3), &tm.tm_mon) ||
	        !read_digits(in, 12, 4, 9999, &year) ||
	        !read_digits(in, 17, 2, 23, &tm.tm_hour) ||
	        !read_digits(in, 20, 2, 59, &tm.tm_min) ||
	        !read_digits(in, 23, 2, 60, &tm.tm_sec))
		return false;
	tm.tm_year = year - 1900;
	*time_s = (int64_t)timegm(&tm);
	return true;
}

static struct bytes trim(struct bytes in)
{
	while (in.n > 0 && (in.p[0] == ' ' || in.p[0] == '\t'))
		in = bytes_skip(in, 1);
	while (in.n > 0 && (in.p[in.n - 1] == ' ' || in.p[in.n - 1] == '\t'))
		in.n--;
	return in;
}

/* Our tags hold no comma, so a foreign one that is cut apart matches nothing.
 * The comparison is the weak one (section 8.8.3.2). */
static bool tag_in_list(struct bytes list, const char *etag)
{
	struct bytes one;

	while (list.n > 0) {
		(void)bytes_cut(list, ',', &one, &list);
		one = trim(one);
		if (bytes_starts(one, BYTES_LIT("W/")))
			one = bytes_skip(one, 2);
		if (bytes_eq_str(one, etag))
			return true;
	}
	return false;
}

bool http_not_modified(struct bytes if_none_match,
        struct bytes if_modified_since, const char *etag,
        int64_t last_modified_s)
{
	int64_t since_s;

	if (if_none_match.p != NULL)
		return bytes_eq_str(trim(if_none_match), "*") ||
		        tag_in_list(if_none_match, etag);
	return if_modified_since.p != NULL &&
	        http_date_parse(if_modified_since, &since_s) &&
	        last_modified_s <= since_s;
}
