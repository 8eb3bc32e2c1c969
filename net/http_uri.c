#include "net/http_uri.h"
#include "base/text.h"

enum rc http_uri_decode(struct buf *out, struct bytes in)
{
	struct bytes plain, rest;

	while (bytes_cut(in, '%', &plain, &rest)) {
		int hi = rest.n >= 2 ? hex_value(rest.p[0]) : -1;
		int lo = rest.n >= 2 ? hex_value(rest.p[1]) : -1;

		if (hi < 0 || lo < 0 || (hi | lo) == 0)
			return RC_MALFORMED;
		buf_add(out, plain);
		buf_add_u8(out, (uint8_t)(hi << 4 | lo));
		in = bytes_skip(rest, 2);
	}
	buf_add(out, plain);
	return out->failed;
}

bool http_uri_param(struct bytes query, const char *name, struct bytes *value)
{
	struct bytes want = bytes_str(name), pair, key, v;
	unsigned found = 0;

	*value = BYTES_NONE;
	while (query.n > 0) {
		bytes_cut(query, '&', &pair, &query);
		bytes_cut(pair, '=', &key, &v);
		if (!bytes_eq(key, want))
			continue;
		*value = v;
		found++;
	}
	return found == 1;
}
