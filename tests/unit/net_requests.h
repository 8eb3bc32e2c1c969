/* tests/unit/net_requests.h - malformed requests and the status each gets, for
 * the parser and for the server. The body cap is NET_REQUEST_BODY_MAX_BYTES. */
#ifndef MICA_TESTS_UNIT_NET_REQUESTS_H
#define MICA_TESTS_UNIT_NET_REQUESTS_H

#include "base/bytes.h"

#define NET_REQUEST_BODY_MAX_BYTES 100

struct net_refused {
	const char *name;
	struct bytes input;
	unsigned status;
};

extern const struct net_refused net_refused[];
extern const size_t net_refused_count;

#endif
