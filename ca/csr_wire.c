#include "ca/csr.h"
#include "base/text.h"

static const char *const labels[] = {
	"CERTIFICATE REQUEST",
	"NEW CERTIFICATE REQUEST",
};

static bool is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct bytes trim(struct bytes in)
{
	while (in.n > 0 && is_space(in.p[0]))
		in = bytes_skip(in, 1);
	while (in.n > 0 && is_space(in.p[in.n - 1]))
		in.n--;
	return in;
}

static bool strip_head(struct bytes *in, const char *s)
{
	struct bytes head = bytes_str(s);

	if (!bytes_starts(*in, head))
		return false;
	*in = bytes_skip(*in, head.n);
	return true;
}

static bool strip_tail(struct bytes *in, const char *s)
{
	struct bytes tail = bytes_str(s);

	if (in->n < tail.n || !bytes_eq(bytes_skip(*in, in->n - tail.n), tail))
		return false;
	in->n -= tail.n;
	return true;
}

/* RFC 7468 section 3: what stands between the two lines of one label. */
static bool unarmour(struct bytes *in)
{
	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
		struct bytes b = *in;

		if (strip_head(&b, "-----BEGIN ") &&
		        strip_head(&b, labels[i]) && strip_head(&b, "-----") &&
		        strip_tail(&b, "-----") && strip_tail(&b, labels[i]) &&
		        strip_tail(&b, "-----END ")) {
			*in = b;
			return true;
		}
	}
	return false;
}

/* RFC 7468 section 5.2: certtool and openssl -text say in words what follows. */
static struct bytes skip_words(struct bytes in)
{
	struct bytes begin = BYTES_LIT("-----BEGIN ");

	for (size_t i = 0; i < in.n; i++) {
		if ((i == 0 || in.p[i - 1] == '\n') &&
		        bytes_starts(bytes_skip(in, i), begin))
			return bytes_skip(in, i);
	}
	return in;
}

enum rc csr_from_wire(struct buf *out, struct bytes body, struct why *why)
{
	struct buf der = BUF_INIT(CSR_DER_MAX_BYTES);
	struct bytes text = trim(body);
	enum rc rc;

	if (body.n > CSR_WIRE_MAX_BYTES)
		return why_set(why, RC_TOOBIG, "request body: over %d bytes",
		        CSR_WIRE_MAX_BYTES);
	if (text.n == 0)
		return why_set(why, RC_MALFORMED, "request body: empty");
	/* SEQUENCE's octet is the digit 0, which no base64 of one begins with */
	if (body.p[0] == DER_SEQUENCE) {
		rc = body.n > CSR_DER_MAX_BYTES ? RC_TOOBIG : RC_OK;
		if (rc == RC_OK)
			buf_add(&der, body);
	} else {
		text = skip_words(text);
		if (text.p[0] == '-' && !unarmour(&text))
			return why_set(why, RC_MALFORMED,
			        "request body: PEM is not one whole "
			        "CERTIFICATE REQUEST");
		rc = base64_decode(&der, text);
	}
	if (rc == RC_OK)
		rc = der.failed;
	if (rc == RC_OK) {
		buf_add(out, buf_bytes(&der));
		rc = out->failed;
	} else {
		why_set(why, rc, "request body: %s",
		        rc == RC_MALFORMED ? "neither DER, base64 nor PEM"
		                           : rc_info(rc)->text);
	}
	buf_free(&der);
	return rc;
}
