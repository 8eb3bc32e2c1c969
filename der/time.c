#include "der/time.h"

/* Days from 0000-03-01 to 1970-01-01, and in 400 years: years counted from
 * March put the leap day last. */
#define DAYS_TO_1970 INT64_C(719468)
#define DAYS_IN_400_YEARS INT64_C(146097)

#define DAY_S INT64_C(86400)

struct civil {
	int year, month, day;
	int hour, minute, second;
};

static int64_t days_from_civil(int year, int month, int day)
{
	/* 400 more years, so that no division sees a negative number */
	int64_t y = year + 400 - (month <= 2);
	int64_t m = (month + 9) % 12;

	return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day -
	        1 - DAYS_IN_400_YEARS - DAYS_TO_1970;
}

static void civil_from_days(int64_t days, struct civil *out)
{
	int64_t z = days + DAYS_TO_1970 + DAYS_IN_400_YEARS;
	int64_t in_era = z % DAYS_IN_400_YEARS;
	int64_t y =
	        (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) /
	        365;
	int64_t in_year = in_era - (365 * y + y / 4 - y / 100);
	int64_t m = (5 * in_year + 2) / 153;

	out->day = (int)(in_year - (153 * m + 2) / 5 + 1);
	out->month = (int)(m < 10 ? m + 3 : m - 9);
	out->year = (int)(y + z / DAYS_IN_400_YEARS * 400 - 400) +
	        (out->month <= 2);
}

static int days_in_month(int year, int month)
{
	static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31,
		30, 31 };
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return days[month - 1] + (month == 2 && leap);
}

static bool digits(const uint8_t *p, unsigned n, int *out)
{
	int v = 0;

	for (unsigned i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9')
			return false;
		v = v * 10 + (p[i] - '0');
	}
	*out = v;
	return true;
}

/* MMDDHHMMSSZ in p, the year known. */
static enum rc parse_rest(const uint8_t *p, struct civil *c, int64_t *out)
{
	if (!digits(p, 2, &c->month) || !digits(p + 2, 2, &c->day) ||
	        !digits(p + 4, 2, &c->hour) || !digits(p + 6, 2, &c->minute) ||
	        !digits(p + 8, 2, &c->second) || p[10] != 'Z')
		return RC_MALFORMED;
	if (c->month < 1 || c->month > 12 || c->day < 1 ||
	        c->day > days_in_month(c->year, c->month))
		return RC_MALFORMED;
	if (c->hour > 23 || c->minute > 59 || c->second > 59)
		return RC_MALFORMED;
	*out = days_from_civil(c->year, c->month, c->day) * DAY_S +
	        c->hour * 3600 + c->minute * 60 + c->second;
	return RC_OK;
}

enum rc time_parse_utc(struct bytes body, int64_t *out)
{
	struct civil c;

	if (body.n != TIME_UTC_BYTES || !digits(body.p, 2, &c.year))
		return RC_MALFORMED;
	/* RFC 5280 section 4.1.2.5.1 */
	c.year += c.year >= 50 ? 1900 : 2000;
	return parse_rest(body.p + 2, &c, out);
}

enum rc time_parse_generalized(struct bytes body, int64_t *out)
{
	struct civil c;

	if (body.n != TIME_GENERALIZED_BYTES || !digits(body.p, 4, &c.year))
		return RC_MALFORMED;
	return parse_rest(body.p + 4, &c, out);
}

static uint8_t *put2(uint8_t *p, int v)
{
	p[0] = (uint8_t)('0' + v / 10);
	p[1] = (uint8_t)('0' + v % 10);
	return p + 2;
}

static void civil_from_s(int64_t time_s, struct civil *c)
{
	int64_t from_min = time_s - TIME_MIN_S;
	int in_day = (int)(from_min % DAY_S);

	civil_from_days(from_min / DAY_S + TIME_MIN_S / DAY_S, c);
	c->hour = in_day / 3600;
	c->minute = in_day / 60 % 60;
	c->second = in_day % 60;
}

static void put_rest(uint8_t *p, const struct civil *c)
{
	p = put2(p, c->year % 100);
	p = put2(p, c->month);
	p = put2(p, c->day);
	p = put2(p, c->hour);
	p = put2(p, c->minute);
	p = put2(p, c->second);
	*p = 'Z';
}

bool time_format_utc(uint8_t *out, int64_t time_s)
{
	struct civil c;

	if (time_s < TIME_UTC_MIN_S || time_s > TIME_UTC_MAX_S)
		return false;
	civil_from_s(time_s, &c);
	put_rest(out, &c);
	return true;
}

bool time_format_generalized(uint8_t *out, int64_t time_s)
{
	struct civil c;

	if (time_s < TIME_MIN_S || time_s > TIME_NEVER_S)
		return false;
	civil_from_s(time_s, &c);
	put_rest(put2(out, c.year / 100), &c);
	return true;
}
