/* ca/signer_client.h - asks mica-signer for signatures. Many in flight, answered
 * out of order; what is queued in one turn of the loop travels together. When
 * the signer dies and a new one says hello, everything unanswered is sent
 * again; an answer with an id we do not know is dropped. */
#ifndef MICA_CA_SIGNER_CLIENT_H
#define MICA_CA_SIGNER_CLIENT_H

#include "base/bytes.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "base/why.h"
#include "ca/tbs_check.h" /* enum signer_purpose */

#define SIGNER_IN_FLIGHT_MAX 4096        /* then RC_BUSY */
#define SIGNER_SIGNATURE_MAX_BYTES 65536 /* post-quantum ones are large */
#define SIGNER_KEY_NAME_MAX 80

struct signer_client;

/* A TBS that is too large to be held in memory. The file is sealed
 * (ipc_memfd_seal()) and ends with proto_sign_pack_head() and then the TBS: n
 * bytes in all, at most IPC_LEAD_MAX_BYTES behind its start. */
struct signer_sealed {
	int fd; /* borrowed */
	size_t n;
};

/* The call is the caller's and holds still until done or cancelled; key and
 * tbs are borrowed as long. */
struct signer_call {
	/* in */
	const char *key; /* the configuration's name of the key */
	enum signer_purpose purpose;
	struct bytes tbs;
	/* NULL, or the TBS with its key and purpose; tbs is not looked at. */
	const struct signer_sealed *sealed;
	void (*done)(struct signer_call *call); /* on the loop */
	void *ctx;
	int64_t deadline_us; /* clock_mono_us(); 0: none. RC_TIMEOUT */
	/* out */
	enum rc rc; /* RC_OK RC_DENIED (policy; why) RC_UNAVAILABLE RC_NOTFOUND
		     * RC_TIMEOUT RC_MALFORMED RC_UNSUPPORTED RC_BUSY
		     * RC_CLOSED RC_INTERNAL */
	struct why why;
	struct bytes signature; /* the BIT STRING's content; borrowed until
				 * done returns */
	/* the client's */
	struct signer_call *next, *prev;
	uint64_t id;
};

/* fd: our end of the pair, taken on RC_OK. */
MUST_CHECK enum rc signer_client_new(struct signer_client **out,
        struct loop *loop, int fd, struct metrics *metrics); /* NULL: none */
void signer_client_free(struct signer_client *c); /* calls end RC_CLOSED */

/* RC_PENDING: done will be called, never before this returns. At once, with
 * call->why: RC_BUSY RC_TOOBIG RC_NOMEM, and RC_UNAVAILABLE when the socket is
 * lost for good. */
MUST_CHECK enum rc signer_sign(
        struct signer_client *c, struct signer_call *call);
/* Only for a call that is in flight. done will not be called. */
void signer_cancel(struct signer_client *c, struct signer_call *call);

#endif
