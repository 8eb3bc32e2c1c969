/* ca/signer/control.h - the door of mica-signer that the supervisor alone holds:
 * policies, keys to make, and the end. */
#ifndef MICA_CA_SIGNER_CONTROL_H
#define MICA_CA_SIGNER_CONTROL_H

#include "base/loop.h"
#include "base/rc.h"
#include "ca/signer/rules.h"
#include "ca/signer/vault.h"

struct control;

struct control_opts {
	struct loop *loop;
	const struct vault *vault;
	const struct vault *listener; /* at most one key, to hand over */
	struct rules *rules;
	int fd;                   /* taken */
	void (*ruled)(void *ctx); /* a policy was taken */
	void (*stop)(void *ctx);  /* PROTO_STOP */
	void (*lost)(void *ctx); /* the supervisor is gone, or talks nonsense */
	void *ctx;
};
MUST_CHECK enum rc control_new(
        struct control **out, const struct control_opts *o);
void control_free(struct control *c); /* NULL is a no-op */
void control_tell(struct control *c, uint16_t type, struct bytes body);
/* PROTO_AWAY: what is away now. */
struct pool;
void control_tell_away(struct control *c, struct pool *pool);

#endif
