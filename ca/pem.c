#include "ca/pem.h"
#include "base/text.h"
#include <string.h>

#define PEM_LABEL_MAX_BYTES 64

/* The next line, without its end; false at the end of the text. */
static bool next_line(struct bytes *text, struct bytes *line)
{
	if (text->n == 0)
		return false;
	bytes_cut(*text, '\n', line, text);
	while (line->n > 0 &&
	        (line->p[line->n - 1] == '\r' || line->p[line->n - 1] == ' '))
		line->n--;
	return true;
}

/* The label when line is "-----BEGIN label-----" (head says which). */
static bool boundary(struct bytes line, struct bytes head, struct bytes *label)
{
	const struct bytes dashes = BYTES_LIT("-----");

	if (!bytes_starts(line, head) || line.n < head.n + dashes.n ||
	        !bytes_eq(bytes_skip(line, line.n - dashes.n), dashes))
		return false;
	*label = bytes_slice(line, head.n, line.n - head.n - dashes.n);
	return label->n <= PEM_LABEL_MAX_BYTES;
}

/* From behind a BEGIN line to its END line: the base64 between. */
static enum rc body_until_end(
        struct bytes *text, struct bytes label, struct bytes *body)
{
	struct bytes line, end;

	body->p = text->p;
	while (next_line(text, &line)) {
		if (!boundary(line, BYTES_LIT("-----END "), &end))
			continue;
		body->n = (size_t)(line.p - body->p);
		return bytes_eq(label, end) ? RC_OK : RC_MALFORMED;
	}
	return RC_MALFORMED;
}

enum rc pem_next(
        struct bytes *text, const char *label, struct buf *der, struct why *why)
{
	struct bytes line, found, body;
	size_t before = der->n;
	enum rc rc;

	while (next_line(text, &line)) {
		if (!boundary(line, BYTES_LIT("-----BEGIN "), &found))
			continue;
		if (body_until_end(text, found, &body) != RC_OK)
			return why_set(why, RC_MALFORMED,
			        "PEM: no END line (RFC 7468 section 2)");
		if (!bytes_eq_str(found, label))
			continue;
		rc = base64_decode(der, body);
		if (rc == RC_OK && der->n == before)
			rc = RC_MALFORMED;
		if (rc != RC_OK)
			why_set(why, rc, "PEM: not base64 of a %s", label);
		return rc;
	}
	return RC_NOTFOUND;
}
