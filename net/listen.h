/* net/listen.h - listening sockets, all non-blocking and close-on-exec. They
 * are opened by the supervisor and inherited by who serves on them. Needs
 * base/. */
#ifndef MICA_NET_LISTEN_H
#define MICA_NET_LISTEN_H

#include "net/addr.h"
#include <sys/types.h>

/* With SO_REUSEPORT several sockets share one port, and the kernel spreads
 * connections over them. "::" serves IPv4 too. TCP_NODELAY is set here and
 * inherited by what is accepted. bound, if not NULL, tells the port that the
 * kernel chose. Errors: RC_IO RC_EXISTS (address in use) RC_PERMISSION. */
MUST_CHECK enum rc listen_tcp(int *fd, const struct net_addr *addr,
        bool reuseport, struct net_addr *bound, struct why *why);

/* A socket file with that mode from the first moment on. A file left by a dead
 * process is replaced; RC_EXISTS if somebody listens or it is no socket.
 * Errors: RC_IO RC_EXISTS RC_PERMISSION RC_TOOBIG (path over 107 bytes). */
MUST_CHECK enum rc listen_unix(
        int *fd, const char *path, mode_t mode, struct why *why);

/* An inherited descriptor: is it a listening stream socket? Makes it
 * non-blocking and close-on-exec. Errors: RC_CONFIG. */
MUST_CHECK enum rc listen_inherited(int fd, struct why *why);

#endif
