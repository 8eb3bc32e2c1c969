#include "ocsp/answer.h"

#include <stdio.h>
#include <string.h>

#define OCSP_TYPE "application/ocsp-response"

static void put_etag(char out[ANSWER_ETAG_BYTES], const uint8_t hash[32])
{
	static const char digits[] = "0123456789abcdef";
	char *p = out;

	*p++ = '"';
	for (size_t i = 0; i < 32; i++) {
		*p++ = digits[hash[i] >> 4];
		*p++ = digits[hash[i] & 15];
	}
	*p++ = '"';
	*p = '\0';
}

/* The first line, which an answer without content leaves out. */
#define CONTENT_TYPE_LINE "Content-Type: " OCSP_TYPE "\r\n"

/* The directives of RFC 9919 section 7.2. */
enum rc answer_make(struct ocsp_answer *out, struct buf *lines,
        struct bytes body, struct bytes singles, const struct answer_life *life,
        struct digest *digest)
{
	char changed[HTTP_DATE_BYTES], expires[HTTP_DATE_BYTES], control[72];
	const struct http_header headers[] = {
		{ "Content-Type", OCSP_TYPE },
		{ "Cache-Control", control },
		{ "Last-Modified",
		        http_date_format(changed, life->this_update_s) },
		{ "Expires", http_date_format(expires, life->next_update_s) },
		{ "ETag", out->etag },
	};
	uint8_t hash[DIGEST_SHA256_BYTES];
	enum rc rc = digest_sha256(digest, singles, hash);

	if (rc != RC_OK)
		return rc;
	put_etag(out->etag, hash);
	(void)snprintf(control, sizeof(control),
	        "max-age=%lld, public, no-transform, must-revalidate",
	        (long long)life->max_age_s);
	rc = http_header_lines(
	        lines, headers, sizeof(headers) / sizeof(headers[0]));
	out->body = body;
	out->lines = buf_bytes(lines);
	out->this_update_s = life->this_update_s;
	out->fresh_until_s = life->fresh_until_s;
	return rc;
}

bool answer_is_fresh(const struct ocsp_answer *a, int64_t now_s)
{
	return now_s >= a->this_update_s && now_s < a->fresh_until_s;
}

static bool has_it(const struct http_req *req, const struct ocsp_answer *a)
{
	enum http_method m = http_req_method(req);

	return (m == HTTP_GET || m == HTTP_HEAD) &&
	        http_not_modified(http_req_header(req, "If-None-Match"),
	                http_req_header(req, "If-Modified-Since"), a->etag,
	                a->this_update_s);
}

void answer_send(struct http_req *req, const struct ocsp_answer *a)
{
	if (has_it(req, a))
		http_answer_lines(req, 304,
		        bytes_skip(a->lines, sizeof(CONTENT_TYPE_LINE) - 1),
		        BYTES_NONE);
	else
		http_answer_lines(req, 200, a->lines, a->body);
}

void answer_send_once(struct http_req *req, struct bytes body)
{
	static const struct http_header headers[] = {
		{ "Content-Type", OCSP_TYPE },
		{ "Cache-Control", "no-store" },
	};

	http_answer(
	        req, 200, headers, sizeof(headers) / sizeof(headers[0]), body);
}

void answer_send_error(struct http_req *req, enum response_status status)
{
	answer_send_once(req, response_error(status));
}
