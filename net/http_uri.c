#include "net/http_uri.h"
#include "base/text.h"

enum rc http_uri_decode(struct buf *out, struct bytes in)
{
	for (size_t i = 0; i < in.n; i++) {
		int hi, lo;

		if (in.p[i] != '%') {
			buf_add_u8(out, in.p[i]);
			continue;
		}
		if (in.n - i < 3)
			return RC_MALFORMED;
		hi = hex_value(in.p[i + 1]);
		lo = hex_value(in.p[i + 2]);
		if (hi < 0 || lo < 0 || (hi | lo) == 0)
			return RC_MALFORMED;
		buf_add_u8(out, (uint8_t)(hi << 4 | lo));
		i += 2;
	}
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
