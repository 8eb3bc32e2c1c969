/* base/ipc.h - framed messages between our own processes over a SEQPACKET
 * socket pair. Messages sent in one turn of the loop travel in one packet; a
 * body over IPC_INLINE_MAX_BYTES goes by sealed memfd, and the reader never
 * sees the difference. Every frame is checked: a process that was taken over
 * can close its end, not harm ours.
 *
 * Frame: u16 type, u16 flags, u32 length, u64 id, body. */
#ifndef MICA_BASE_IPC_H
#define MICA_BASE_IPC_H

#include "base/bytes.h"
#include "base/loop.h"
#include "base/rc.h"
#include "base/why.h"

#define IPC_INLINE_MAX_BYTES 65536
#define IPC_BODY_MAX_BYTES (1u << 30)
#define IPC_FDS_MAX 8

struct ipc;

struct ipc_msg {
	uint16_t type;
	uint64_t id;
	struct bytes body;
	int fds[IPC_FDS_MAX]; /* sent: borrowed; received: the handler's */
	unsigned n_fds;
};

/* A message arrived; body is borrowed until the handler returns. The handler
 * owns received fds and must close or keep each. */
typedef void ipc_fn(void *ctx, const struct ipc_msg *msg);
/* In the handler of a message: keep its body, which stands in a memfd, beyond the
 * handler's return. The result holds the body and is for ipc_memfd_unmap().
 * BYTES_NONE: it came inline and must be copied. */
struct bytes ipc_take_map(struct ipc *ipc);
/* The peer closed, or sent a frame that is malformed (why names it). The ipc
 * is dead then and only ipc_free() is left. Since a supervisor may hold both
 * ends open, a dead peer need not show here. */
typedef void ipc_dead_fn(void *ctx, const struct why *why);

/* A pair, close-on-exec. Errors: RC_IO. */
MUST_CHECK enum rc ipc_pair(int fds[2]);
/* Takes fd on RC_OK. Bodies that the socket's send buffer cannot take go by
 * memfd. Errors: RC_NOMEM RC_IO. */
MUST_CHECK enum rc ipc_new(struct ipc **out, struct loop *loop, int fd,
        ipc_fn *fn, ipc_dead_fn *dead, void *ctx);
/* Closes fd; what was sent leaves first, if the socket takes it at once. May be
 * called from a handler. NULL is a no-op. */
void ipc_free(struct ipc *ipc);
/* Free ipc but hand back its fd, for a process that only looked. What waits to
 * be sent is lost. */
int ipc_detach(struct ipc *ipc);

/* Queue a message; body is copied, fds are duplicated. It leaves at the end of
 * this turn of the loop, or when the peer reads. Thread: the loop's.
 * Errors: RC_TOOBIG RC_NOMEM RC_BUSY (IPC_QUEUE_MAX_BYTES waiting) RC_CLOSED */
#define IPC_QUEUE_MAX_BYTES (64u << 20)
MUST_CHECK enum rc ipc_send(struct ipc *ipc, const struct ipc_msg *msg);

/* At once, by a process that has no loop yet, over what is later given to
 * ipc_new(); a body of at most IPC_NOW_MAX_BYTES.
 * Errors: RC_TOOBIG; RC_BUSY: the peer has not read what came before; RC_CLOSED
 */
#define IPC_NOW_MAX_BYTES 1024
MUST_CHECK enum rc ipc_send_now(int fd, uint16_t type, struct bytes body);

/* As ipc_send, of a body that stands in a memfd already, as its last n bytes
 * and at most IPC_LEAD_MAX_BYTES behind its start. fd is duplicated; it must
 * have been sealed by ipc_memfd_seal(). For what is too large to be copied. */
#define IPC_LEAD_MAX_BYTES 65536
MUST_CHECK enum rc ipc_send_sealed(
        struct ipc *ipc, uint16_t type, uint64_t id, int fd, size_t n);

/* A sealed memfd (no write, grow, shrink) that holds data. Returns fd or -1 */
int ipc_memfd(const char *name, struct bytes data);
/* One that can be written until it is sealed. Returns fd or -1. It must have
 * no hole then, or its reader will refuse it. */
int ipc_memfd_open(const char *name);
MUST_CHECK enum rc ipc_memfd_seal(int fd);
/* Map a sealed memfd read-only; refuses one whose seals are missing.
 * munmap with ipc_memfd_unmap(). Errors: RC_IO RC_TOOBIG RC_PERMISSION. */
MUST_CHECK enum rc ipc_memfd_map(int fd, size_t max, struct bytes *out);
void ipc_memfd_unmap(struct bytes map);

#endif
