#include "net/addr.h"
#include "base/text.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

static bool is_v4(const struct net_addr *a)
{
	return bytes_eq(bytes_of(a->ip, sizeof(mapped)), BYTES_ARRAY(mapped));
}

static bool ip_parse(struct net_addr *out, struct bytes host)
{
	char text[INET6_ADDRSTRLEN];
	bool v6 = host.n > 1 && host.p[0] == '[' && host.p[host.n - 1] == ']';

	if (v6)
		host = bytes_slice(host, 1, host.n - 2);
	if (host.n == 0 || host.n >= sizeof(text))
		return false;
	memcpy(text, host.p, host.n);
	text[host.n] = '\0';
	if (v6)
		return inet_pton(AF_INET6, text, out->ip) == 1;
	memcpy(out->ip, mapped, sizeof(mapped));
	return inet_pton(AF_INET, text, out->ip + sizeof(mapped)) == 1;
}

enum rc net_addr_parse(struct net_addr *out, const char *text, struct why *why)
{
	const char *colon = strrchr(text, ':');
	uint64_t port;

	memset(out, 0, sizeof(*out));
	if (colon == NULL ||
	        !ip_parse(out, bytes_of(text, (size_t)(colon - text))) ||
	        text_u64(bytes_str(colon + 1), UINT16_MAX, &port) != RC_OK)
		return why_set(why, RC_MALFORMED,
		        "not an address and port as 192.0.2.1:80 or [::1]:80");
	out->port = (uint16_t)port;
	return RC_OK;
}

void net_addr_from(struct net_addr *out, const struct sockaddr_storage *sa)
{
	memset(out, 0, sizeof(*out));
	if (sa->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)sa;

		memcpy(out->ip, mapped, sizeof(mapped));
		memcpy(out->ip + sizeof(mapped), &in->sin_addr, 4);
		out->port = ntohs(in->sin_port);
	} else if (sa->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)sa;

		memcpy(out->ip, &in6->sin6_addr, 16);
		out->port = ntohs(in6->sin6_port);
	} else {
		out->local = true;
	}
}

void net_addr_to(
        const struct net_addr *a, struct sockaddr_storage *sa, socklen_t *n)
{
	memset(sa, 0, sizeof(*sa));
	if (is_v4(a)) {
		struct sockaddr_in *in = (void *)sa;

		in->sin_family = AF_INET;
		in->sin_port = htons(a->port);
		memcpy(&in->sin_addr, a->ip + sizeof(mapped), 4);
		*n = sizeof(*in);
	} else {
		struct sockaddr_in6 *in6 = (void *)sa;

		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(a->port);
		memcpy(&in6->sin6_addr, a->ip, 16);
		*n = sizeof(*in6);
	}
}

const char *net_addr_text(char *out, const struct net_addr *a)
{
	char ip[INET6_ADDRSTRLEN];

	if (a->local) {
		snprintf(out, NET_ADDR_TEXT_BYTES, "unix");
	} else if (is_v4(a)) {
		inet_ntop(AF_INET, a->ip + sizeof(mapped), ip, sizeof(ip));
		snprintf(out, NET_ADDR_TEXT_BYTES, "%s:%u", ip, a->port);
	} else {
		inet_ntop(AF_INET6, a->ip, ip, sizeof(ip));
		snprintf(out, NET_ADDR_TEXT_BYTES, "[%s]:%u", ip, a->port);
	}
	return out;
}

struct net_peer net_addr_peer(const struct net_addr *a)
{
	struct net_peer p;

	memcpy(p.key, a->ip, sizeof(p.key));
	if (!is_v4(a))
		p.key[1] = 0;
	return p;
}

bool net_peer_eq(struct net_peer a, struct net_peer b)
{
	return a.key[0] == b.key[0] && a.key[1] == b.key[1];
}

/* Two rounds of multiply and fold. The factors are odd and without pattern
 * (from the hexadecimal digits of pi); the seed is what keeps it secret. */
static uint64_t fold(uint64_t a, uint64_t b)
{
	__extension__ unsigned __int128 m = (unsigned __int128)a * b;

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

uint64_t net_peer_hash(struct net_peer p, uint64_t seed)
{
	uint64_t h = fold(p.key[0] ^ seed, UINT64_C(0x243f6a8885a308d3));

	h = fold(h ^ p.key[1] ^ seed, UINT64_C(0x13198a2e03707345));
	return fold(h ^ seed, UINT64_C(0xa4093822299f31d1));
}
