/* ca/signer/ca_urls.c - the URLs of CRLs and issuers in a CA's certificate. */
#include "ca/signer/ca_urls.h"

#include "base/text.h"
#include "der/oid.h"
#include "der/writer.h"

#include <ctype.h>
#include <openssl/x509v3.h>
#include <string.h>

#define SCHEME "http://"
#define GENERAL_NAME_URI DER_CONTEXT(6) /* RFC 5280 section 4.2.1.6 */

enum rc ca_urls_add(struct ca_urls *u, const char *url, struct why *why)
{
	if (u->n == CA_URLS_MAX)
		return why_set(why, RC_TOOBIG, "over %d URLs", CA_URLS_MAX);
	u->list[u->n++] = url;
	return RC_OK;
}

/* --- what may stand there */

/* RFC 3986 section 2, without `#`: a fragment is not sent to a server. */
static bool is_url_text(struct bytes text)
{
	for (size_t i = 0; i < text.n; i++) {
		uint8_t c = text.p[i];
		bool escape = c == '%' && text.n - i > 2 &&
		        isxdigit(text.p[i + 1]) && isxdigit(text.p[i + 2]);

		if (!escape &&
		        (c <= ' ' || c >= 0x7f ||
		                strchr("\"#%<>\\^`{|}", c) != NULL))
			return false;
	}
	return true;
}

/* 1 to 65535 */
static bool is_port(struct bytes text)
{
	uint64_t n;

	return !text_u64(text, UINT16_MAX, &n) && n > 0;
}

/* A name or IPv4 address; or an IPv6 address in brackets. */
static bool is_host(struct bytes host)
{
	bool literal =
	        host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']';

	if (literal)
		host = bytes_slice(host, 1, host.n - 2);
	for (size_t i = 0; i < host.n; i++)
		if (literal ? !isxdigit(host.p[i]) && host.p[i] != ':' &&
		                        host.p[i] != '.'
		            : !isalnum(host.p[i]) && host.p[i] != '-' &&
		                        host.p[i] != '.')
			return false;
	return host.n > 0;
}

/* host [":" port]: nobody's name and password. */
static bool is_authority(struct bytes text)
{
	size_t colon = text.n;

	for (size_t i = text.n; i > 0 && text.p[i - 1] != ']'; i--)
		if (text.p[i - 1] == ':')
			colon = i - 1;
	return is_host(bytes_slice(text, 0, colon)) &&
	        (colon == text.n || is_port(bytes_skip(text, colon + 1)));
}

static bool is_url(struct bytes url)
{
	struct bytes rest;
	size_t n = 0;

	if (url.n > CA_URL_MAX_BYTES || !bytes_starts(url, BYTES_LIT(SCHEME)) ||
	        !is_url_text(url))
		return false;
	rest = bytes_skip(url, sizeof(SCHEME) - 1);
	while (n < rest.n && rest.p[n] != '/' && rest.p[n] != '?')
		n++;
	return is_authority(bytes_slice(rest, 0, n));
}

enum rc ca_urls_check(const struct ca_urls *u, struct why *why)
{
	for (size_t i = 0; i < u->n; i++) {
		if (!is_url(bytes_str(u->list[i])))
			return why_set(why, RC_DENIED,
			        "want an http:// URL of at most %d "
			        "characters, and not %s",
			        CA_URL_MAX_BYTES, u->list[i]);
		for (size_t j = 0; j < i; j++)
			if (strcmp(u->list[i], u->list[j]) == 0)
				return why_set(why, RC_DENIED,
				        "%s: stands twice", u->list[i]);
	}
	return RC_OK;
}

/* --- writing */

static size_t begin_ext(struct buf *b, enum oid oid, size_t *in)
{
	size_t ext = der_begin(b, DER_SEQUENCE);

	der_put_oid(b, oid_bytes(oid));
	*in = der_begin(b, DER_OCTET_STRING);
	return ext;
}

static void put_uri(struct buf *b, const char *url)
{
	der_put(b, GENERAL_NAME_URI, bytes_str(url));
}

/* One distribution point; its names are ways to one CRL. */
void ca_urls_put_crls(struct buf *b, const struct ca_urls *u)
{
	size_t ext, in, points, point, name, full;

	if (u->n == 0)
		return;
	ext = begin_ext(b, OID_CRL_DISTRIBUTION_POINTS, &in);
	points = der_begin(b, DER_SEQUENCE);
	point = der_begin(b, DER_SEQUENCE);
	name = der_begin(b, DER_CONTEXT_CONS(0));
	full = der_begin(b, DER_CONTEXT_CONS(0));
	for (size_t i = 0; i < u->n; i++)
		put_uri(b, u->list[i]);
	der_end(b, full);
	der_end(b, name);
	der_end(b, point);
	der_end(b, points);
	der_end(b, in);
	der_end(b, ext);
}

void ca_urls_put_issuers(struct buf *b, const struct ca_urls *u)
{
	size_t ext, in, list, access;

	if (u->n == 0)
		return;
	ext = begin_ext(b, OID_AUTHORITY_INFO_ACCESS, &in);
	list = der_begin(b, DER_SEQUENCE);
	for (size_t i = 0; i < u->n; i++) {
		access = der_begin(b, DER_SEQUENCE);
		der_put_oid(b, oid_bytes(OID_AD_CA_ISSUERS));
		put_uri(b, u->list[i]);
		der_end(b, access);
	}
	der_end(b, list);
	der_end(b, in);
	der_end(b, ext);
}

/* --- reading back */

static bool is_uri(const GENERAL_NAME *name, const char *url)
{
	int type;
	const ASN1_STRING *s = GENERAL_NAME_get0_value(name, &type);

	return type == GEN_URI &&
	        bytes_eq(bytes_of(ASN1_STRING_get0_data(s),
	                         (size_t)ASN1_STRING_length(s)),
	                bytes_str(url));
}

static bool names_are(const GENERAL_NAMES *names, const struct ca_urls *u)
{
	bool same = sk_GENERAL_NAME_num(names) == (int)u->n;

	for (int i = 0; same && i < (int)u->n; i++)
		same = is_uri(sk_GENERAL_NAME_value(names, i), u->list[i]);
	return same;
}

static bool crls_stand(X509 *cert, const struct ca_urls *u)
{
	STACK_OF(DIST_POINT) *points =
	        X509_get_ext_d2i(cert, NID_crl_distribution_points, NULL, NULL);
	const DIST_POINT *p = sk_DIST_POINT_num(points) == 1
	        ? sk_DIST_POINT_value(points, 0)
	        : NULL;
	bool same = u->n == 0
	        ? points == NULL
	        : p != NULL && p->reasons == NULL && p->CRLissuer == NULL &&
	                p->distpoint != NULL && p->distpoint->type == 0 &&
	                names_are(p->distpoint->name.fullname, u);

	CRL_DIST_POINTS_free(points);
	return same;
}

static bool issuers_stand(X509 *cert, const struct ca_urls *u)
{
	AUTHORITY_INFO_ACCESS *list =
	        X509_get_ext_d2i(cert, NID_info_access, NULL, NULL);
	int n = list != NULL ? sk_ACCESS_DESCRIPTION_num(list) : 0;
	bool same = n == (int)u->n && (list == NULL) == (u->n == 0);

	for (int i = 0; same && i < n; i++) {
		const ACCESS_DESCRIPTION *a =
		        sk_ACCESS_DESCRIPTION_value(list, i);

		same = OBJ_obj2nid(a->method) == NID_ad_ca_issuers &&
		        is_uri(a->location, u->list[i]);
	}
	AUTHORITY_INFO_ACCESS_free(list);
	return same;
}

bool ca_urls_stand(
        X509 *cert, const struct ca_urls *crls, const struct ca_urls *issuers)
{
	return crls_stand(cert, crls) && issuers_stand(cert, issuers);
}
