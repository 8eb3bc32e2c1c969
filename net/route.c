#include "net/route.h"

static bool fits(const struct http_route *r, struct bytes path)
{
	if (r->match == HTTP_PREFIX)
		return bytes_starts(path, bytes_str(r->path));
	return bytes_eq_str(path, r->path);
}

enum rc http_route_find(const struct http_routes *table,
        enum http_method method, struct bytes path,
        const struct http_route **out, unsigned *allowed)
{
	enum http_method as = method == HTTP_HEAD ? HTTP_GET : method;

	*allowed = 0;
	for (size_t i = 0; i < table->n; i++) {
		const struct http_route *r = &table->routes[i];

		if (!fits(r, path))
			continue;
		if (r->method == as || r->method == method) {
			*out = r;
			return RC_OK;
		}
		*allowed |= 1u << r->method;
		if (r->method == HTTP_GET)
			*allowed |= 1u << HTTP_HEAD;
	}
	return *allowed != 0 ? RC_UNSUPPORTED : RC_NOTFOUND;
}
