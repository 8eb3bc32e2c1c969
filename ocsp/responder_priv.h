/* ocsp/responder_priv.h - what the parts of the responder share: responder.c
 * has requests and the cache, reply.c what must be read and signed. Private to
 * them. */
#ifndef MICA_OCSP_RESPONDER_PRIV_H
#define MICA_OCSP_RESPONDER_PRIV_H

#include "net/http.h"
#include "ocsp/answer.h"
#include "ocsp/cache.h"
#include "ocsp/issuers.h"
#include "ocsp/request.h"
#include "ocsp/responder.h"
#include <sys/queue.h>

#define REPLY_BUCKETS 256 /* a power of two */
/* Longer than a busy HSM takes. */
#define REPLY_SIGN_TIMEOUT_US INT64_C(10000000)
/* Times that a reply begins anew because a status changed meanwhile. */
#define REPLY_TRIES_MAX 5
/* How long it may be said that a serial was not issued: it could be. */
#define UNISSUED_VALID_S 300

struct waiter {
	struct http_req *req;
	SLIST_ENTRY(waiter) next;
};

LIST_HEAD(reply_list, reply);

/* One answer in the making, for one request or for several that ask alike. */
struct reply {
	struct responder *r;
	LIST_ENTRY(reply) of_all;
	LIST_ENTRY(reply) of_key;
	/* In the list of its key: about one certificate, no nonce. */
	bool has_key;
	bool joinable; /* others may wait for it */
	bool keep;     /* the answer goes into the cache */
	bool stale;    /* a status changed after it was read */
	bool signing;
	unsigned tries;
	struct cache_key key;
	const struct issuer *issuer;
	unsigned issuer_version;
	SLIST_HEAD(, waiter) waiters;
	struct waiter first;
	struct store_status status;
	struct signer_call call;
	struct buf data;   /* ResponseData */
	size_t singles_at; /* in it */
	struct response_data parts;
	struct answer_life life;
	struct single *singles;        /* parts.n of them */
	struct store_status_row *rows; /* issuer->n_ids for each */
	bool has_nonce;
	uint8_t request[]; /* DER, which views of singles and parts are of */
};

struct responder {
	struct responder_opts o;
	struct issuers *issuers;
	struct cache *cache;
	struct digest *digest;
	struct store_changes look;
	struct store_status_row changed[STORE_ROWS_MAX];
	struct reply_list all, by_key[REPLY_BUCKETS];
	size_t pending;
	uint64_t answered;
	struct buf text, der; /* of a GET */
	int64_t warned_us;
	struct http_route routes[3];
};

/* --- responder.c */
/* Take what changed in the store since the last look: nothing in the cache, and
 * no reply that is not marked stale, is older than this call. False: that could
 * not be told, and all is dropped or stale. */
bool responder_look(struct responder *r);
/* Whole seconds, never below the store's clock floor (DESIGN.md, rule 11). */
int64_t responder_now_s(const struct responder *r);
void responder_refuse(
        struct responder *r, struct http_req *req, enum response_status status);

/* --- reply.c */
/* Begins an answer to request, whose CertIDs are all issuer's. key is NULL when
 * nobody else may have it. req is answered by the reply from here on. */
void reply_begin(struct responder *r, struct http_req *req, struct bytes der,
        const struct ocsp_request *request, const struct issuer *issuer,
        const struct cache_key *key);
/* Wait for one that is under way. False: there is none. */
bool reply_join(
        struct responder *r, struct http_req *req, const struct cache_key *key);
/* A status changed: key NULL stands for all. */
void reply_mark_stale(struct responder *r, const struct cache_key *key);
void reply_cancel_all(struct responder *r);

/* Left-padded; false when no serial of ours can be that one. */
bool serial_pad(uint8_t out[STORE_SERIAL_BYTES], struct bytes serial);

#endif
