#include "conf/value.h"
#include "base/text.h"
#include "conf/conf.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define DNS_NAME_MAX 253 /* RFC 1035 section 2.3.4, without the length octets */
#define DNS_LABEL_MAX 63

struct unit {
	const char *name;
	uint64_t factor;
};

/* From the smallest. */
static const struct unit durations[] = {
	{ "ms", 1 },
	{ "s", VALUE_SECOND_MS },
	{ "min", VALUE_MINUTE_MS },
	{ "h", VALUE_HOUR_MS },
	{ "d", VALUE_DAY_MS },
	{ "w", 7 * VALUE_DAY_MS },
	{ "y", VALUE_YEAR_MS },
};
static const struct unit sizes[] = {
	{ "B", 1 },
	{ "KiB", UINT64_C(1) << 10 },
	{ "MiB", UINT64_C(1) << 20 },
	{ "GiB", UINT64_C(1) << 30 },
	{ "TiB", UINT64_C(1) << 40 },
};
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool number_with_unit(
        const char *text, const struct unit *units, size_t n, uint64_t *out)
{
	size_t digits = 0;
	uint64_t number;

	while (is_digit(text[digits]))
		digits++;
	for (size_t i = 0; i < n; i++) {
		uint64_t max = INT64_MAX / units[i].factor;

		if (strcmp(text + digits, units[i].name) != 0)
			continue;
		if (text_u64(bytes_of(text, digits), max, &number) != RC_OK)
			return false;
		*out = number * units[i].factor;
		return true;
	}
	return false;
}

bool value_duration_ms(const char *text, int64_t *out)
{
	uint64_t v = 0;

	if (strcmp(text, "0") != 0 &&
	        !number_with_unit(text, durations, COUNT(durations), &v))
		return false;
	*out = (int64_t)v;
	return true;
}

bool value_size_bytes(const char *text, uint64_t *out)
{
	return number_with_unit(text, sizes, COUNT(sizes), out);
}

bool value_permille(const char *text, uint32_t *out)
{
	struct bytes whole;
	struct bytes rest;
	struct bytes tenth;
	uint64_t percent;
	uint64_t decimal = 0;

	if (!bytes_cut(bytes_str(text), '%', &rest, &tenth) || tenth.n > 0)
		return false;
	if (bytes_cut(rest, '.', &whole, &tenth) &&
	        (tenth.n != 1 || text_u64(tenth, 9, &decimal) != RC_OK))
		return false;
	if (text_u64(whole, 1000, &percent) != RC_OK)
		return false;
	*out = (uint32_t)(percent * 10 + decimal);
	return true;
}

bool value_bool(const char *text, bool *out)
{
	*out = strcmp(text, "yes") == 0 || strcmp(text, "true") == 0;
	return *out || strcmp(text, "no") == 0 || strcmp(text, "false") == 0;
}

static const char *with_unit(
        char *out, uint64_t v, const struct unit *units, size_t n)
{
	while (n > 1 && v % units[n - 1].factor != 0)
		n--;
	(void)snprintf(out, VALUE_TEXT_BYTES, "%llu%s",
	        (unsigned long long)(v / units[n - 1].factor),
	        units[n - 1].name);
	return out;
}

const char *value_duration_text(char *out, int64_t ms)
{
	if (ms == 0)
		return "0s";
	return with_unit(out, (uint64_t)ms, durations, COUNT(durations));
}

const char *value_size_text(char *out, uint64_t bytes)
{
	if (bytes == 0)
		return "0B";
	return with_unit(out, bytes, sizes, COUNT(sizes));
}

bool value_is_name(const char *text)
{
	size_t n = strlen(text);

	for (size_t i = 0; i < n; i++) {
		if (!is_alnum(text[i]) && strchr("._-", text[i]) == NULL)
			return false;
	}
	return n > 0 && n <= CONF_NAME_MAX;
}

static bool is_ip(int family, struct bytes text)
{
	char copy[INET6_ADDRSTRLEN];
	uint8_t ip[16];

	if (text.n == 0 || text.n >= sizeof(copy))
		return false;
	memcpy(copy, text.p, text.n);
	copy[text.n] = '\0';
	return inet_pton(family, copy, ip) == 1;
}

bool value_is_address(const char *text)
{
	const char *colon = strrchr(text, ':');
	struct bytes host;
	uint64_t port;

	if (colon == NULL ||
	        text_u64(bytes_str(colon + 1), UINT16_MAX, &port) != RC_OK)
		return false;
	host = bytes_of(text, (size_t)(colon - text));
	if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		return is_ip(AF_INET6, bytes_slice(host, 1, host.n - 2));
	return is_ip(AF_INET, host);
}

static bool is_dns_label(struct bytes label)
{
	if (label.n == 0 || label.n > DNS_LABEL_MAX || label.p[0] == '-' ||
	        label.p[label.n - 1] == '-')
		return false;
	for (size_t i = 0; i < label.n; i++) {
		if (!is_alnum((char)label.p[i]) && label.p[i] != '-')
			return false;
	}
	return true;
}

static bool is_dns_name(struct bytes name)
{
	struct bytes label;
	bool more = true;

	if (name.n > DNS_NAME_MAX)
		return false;
	if (bytes_starts(name, BYTES_LIT("*.")))
		name = bytes_skip(name, 2);
	while (more) {
		more = bytes_cut(name, '.', &label, &name);
		if (!is_dns_label(label))
			return false;
	}
	return true;
}

bool value_is_host(const char *text)
{
	struct bytes host = bytes_str(text);

	return is_ip(AF_INET, host) || is_ip(AF_INET6, host) ||
	        is_dns_name(host);
}

bool value_is_url(const char *text)
{
	struct bytes url = bytes_str(text);
	struct bytes host;

	if (bytes_starts(url, BYTES_LIT("http://")))
		host = bytes_skip(url, 7);
	else if (bytes_starts(url, BYTES_LIT("https://")))
		host = bytes_skip(url, 8);
	else
		return false;
	return host.n > 0 && host.p[0] != '/' && text_is_print(url) &&
	        strchr(text, ' ') == NULL;
}

/* pk11-pchar with "&" (RFC 7512 section 2.3), but for "%". */
static bool is_pchar(char c)
{
	return is_alnum(c) || (c != '\0' && strchr("-._~:[]@!$'()*+,=&", c));
}

static bool is_pct_text(struct bytes text)
{
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] != '%' && !is_pchar((char)text.p[i]))
			return false;
		if (text.p[i] == '%' &&
		        (text.n - i < 3 || !isxdigit(text.p[i + 1]) ||
		                !isxdigit(text.p[i + 2])))
			return false;
	}
	return true;
}

static const char *pkcs11_attribute_fault(struct bytes attribute, bool *names)
{
	static const char *const known[] = { "token", "manufacturer", "serial",
		"model", "library-manufacturer", "library-description",
		"library-version", "slot-manufacturer", "slot-description",
		"slot-id", "type", "object", "id" };
	struct bytes name, value;

	if (!bytes_cut(attribute, '=', &name, &value))
		return "has an attribute without \"=\"";
	if (!is_pct_text(value))
		return "has a character that must be written as %XX";
	*names = *names ||
	        ((bytes_eq_str(name, "object") || bytes_eq_str(name, "id")) &&
	                value.n > 0);
	for (size_t i = 0; i < COUNT(known); i++)
		if (bytes_eq_str(name, known[i]))
			return NULL;
	return "has an attribute that RFC 7512 does not";
}

const char *value_pkcs11_fault(const char *text)
{
	static const char scheme[] = "pkcs11:";
	struct bytes rest = bytes_str(text), attribute;
	const char *fault = NULL;
	bool names = false;

	if (!bytes_starts(rest, bytes_str(scheme)))
		return "begins with \"pkcs11:\"";
	if (strchr(text, '?') != NULL)
		return "has no query here: its module and PIN have options of "
		       "their own";
	rest = bytes_skip(rest, sizeof(scheme) - 1);
	while (fault == NULL && rest.n > 0) {
		(void)bytes_cut(rest, ';', &attribute, &rest);
		fault = pkcs11_attribute_fault(attribute, &names);
	}
	if (fault == NULL && !names)
		return "names the key by object= or id=";
	return fault;
}

bool value_is_below(const char *text)
{
	struct bytes rest = bytes_str(text);
	struct bytes part;
	bool more = true;

	if (rest.n == 0 || rest.p[0] == '/')
		return false;
	while (more) {
		more = bytes_cut(rest, '/', &part, &rest);
		if (bytes_eq_str(part, ".."))
			return false;
	}
	return true;
}
