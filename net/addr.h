/* net/addr.h - who is at the other end: an IP address and port, or a process
 * behind a Unix socket. Pure but for the kernel's sockaddr. Needs base/. */
#ifndef MICA_NET_ADDR_H
#define MICA_NET_ADDR_H

#include "base/bytes.h"
#include "base/rc.h"
#include "base/why.h"
#include <sys/socket.h>

struct net_addr {
	uint8_t ip[16]; /* IPv4 as ::ffff:a.b.c.d (RFC 4291 2.5.5.2) */
	uint16_t port;
	bool local; /* a Unix socket; ip and port are zero */
};

/* "[2001:db8::1]:65535" and "unix" fit, with their NUL. */
#define NET_ADDR_TEXT_BYTES 64

/* Numeric only, no lookup: "192.0.2.1:8443", "[::1]:8443"; port 0 lets the
 * kernel choose. Errors: RC_MALFORMED. */
MUST_CHECK enum rc net_addr_parse(
        struct net_addr *out, const char *text, struct why *why);
void net_addr_from(struct net_addr *out, const struct sockaddr_storage *sa);
/* The family is AF_INET for a mapped address. */
void net_addr_to(
        const struct net_addr *a, struct sockaddr_storage *sa, socklen_t *n);
/* "192.0.2.1:8443"; out holds NET_ADDR_TEXT_BYTES. */
const char *net_addr_text(char *out, const struct net_addr *a);

/* What caps and rates count as one peer: an IPv4 address, an IPv6 /64 (whoever
 * has one address of it has all). */
struct net_peer {
	uint64_t key[2];
};
struct net_peer net_addr_peer(const struct net_addr *a);
bool net_peer_eq(struct net_peer a, struct net_peer b);
/* A keyed hash: with a random seed, a peer cannot choose its slot. */
uint64_t net_peer_hash(struct net_peer p, uint64_t seed);

#endif
