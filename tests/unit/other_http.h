/* tests/unit/other_http.h - a request as Debian's libhttp-parser reads it, to
 * hold our parser against. Apart, since its header claims our names. */
#ifndef MICA_TESTS_UNIT_OTHER_HTTP_H
#define MICA_TESTS_UNIT_OTHER_HTTP_H

#include "base/buf.h"

struct other_request {
	const char *method;
	struct buf fields; /* "\nname=value" each */
	struct buf body;
	bool done;
};

#define OTHER_REQUEST_INIT                                                     \
	((struct other_request){                                               \
	        NULL, BUF_INIT(65536), BUF_INIT(65536), false })

/* The first request of in; false if it is not read to its end. */
bool other_request_read(
        struct other_request *r, struct bytes in, const char **why);
void other_request_free(struct other_request *r);

#endif
