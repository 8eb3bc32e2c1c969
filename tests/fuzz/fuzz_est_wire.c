/* What an EST client writes before it has proven anything: the path and the
 * Authorization field, the same bytes as each. */
#include "base/text.h"
#include "enroll/device.h"
#include "enroll/est_wire.h"
#include "tests/fuzz/fuzz.h"
#include <stdlib.h>
#include <string.h>

static void path(struct bytes in)
{
	struct est_path out;

	if (est_path_parse(&out, in) != RC_OK)
		return;
	/* A label is a piece of the path, and plain. */
	if (out.label.n > EST_LABEL_MAX || out.label.n >= in.n)
		abort();
	if (out.label.n > 0 &&
	        (out.label.p < in.p ||
	                out.label.p + out.label.n > in.p + in.n ||
	                memchr(out.label.p, '/', out.label.n) != NULL))
		abort();
}

static void basic(struct bytes in)
{
	struct basic out;

	if (basic_parse(&out, in) != RC_OK)
		return;
	if (out.user[0] == '\0' || out.secret[0] == '\0' ||
	        strchr(out.secret, ':') != NULL ||
	        !text_is_print(bytes_str(out.user)) ||
	        !text_is_print(bytes_str(out.secret)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size);

	path(in);
	basic(in);
	if (est_quirk(in)->columns % 4 != 0) /* whole quanta a line */
		abort();
	if (device_id_check(in, NULL) == RC_OK &&
	        (in.n == 0 || memchr(in.p, '/', in.n) != NULL))
		abort();
	return 0;
}
