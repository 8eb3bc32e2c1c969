/* tests/unit/store_help.h - what storage tests share: a loop, a folder, ways to
 * wait for an operation, and filled-in operations to start from. */
#ifndef MICA_TESTS_UNIT_STORE_HELP_H
#define MICA_TESTS_UNIT_STORE_HELP_H

#include "storage/check.h"
#include "storage/store.h"

struct help {
	struct loop *loop;
	struct store *store;
	char folder[64];
	struct store_opts opts;
	uint32_t authority;
	uint64_t authority_version;
	uint32_t serials; /* given out by help_serial() */
};

/* A temporary folder (in memory where there is /dev/shm) and a loop. */
void help_begin(struct help *h);
void help_end(struct help *h);  /* closes the store, removes the folder */
void help_open(struct help *h); /* the LMDB engine on h->opts */

/* Run the loop until op has called back, if rc says it will. Gives op->rc. */
enum rc help_wait(struct help *h, struct store_op *op, enum rc rc);
/* As an honest caller: what was not applied, and what is in doubt, is sent
 * again, HELP_TRIES times at most. */
#define HELP_TRIES 40
typedef enum rc help_send_fn(struct store *s, struct store_op *op);
enum rc help_do(struct help *h, struct store_op *op, help_send_fn *send);
#define HELP_DO(h, call, operation)                                            \
	help_do((h), &(operation)->op, (help_send_fn *)(void (*)(void))(call))

/* Send all, then wait for all; what was not applied goes again. Gives how many
 * ended as RC_OK. */
size_t help_do_all(
        struct help *h, struct store_op **ops, size_t n, help_send_fn *send);

/* Enter "factory" and remember its id and version. */
void help_authority(struct help *h);
struct cert_key help_serial(struct help *h);
void help_hash(uint8_t out[STORE_HASH_BYTES], const char *text);
/* A DER-like certificate around a TBS: outer SEQUENCE, TBS, two bytes. */
struct bytes help_cert(struct bytes tbs, uint8_t *out, size_t size);

/* T1 of a device under an operator's credential; text makes its key, request
 * hash and TBS. The device must be at device_version. */
struct help_issue {
	struct store_issue_begin t1;
	struct store_issue_finish t2;
	uint8_t tbs[64];
	uint8_t der[80];
};
void help_issue(struct help *h, struct help_issue *i, const char *device,
        uint64_t device_version, const char *text);
enum rc help_t1(struct help *h, struct help_issue *i);
enum rc help_t2(struct help *h, struct help_issue *i);
/* Both, expected to succeed. */
struct cert_key help_certificate(struct help *h, const char *device,
        uint64_t device_version, const char *text);

uint64_t help_device(struct help *h, const char *id); /* its version */
void help_token(struct help *h, const char *text, const char *device);
enum rc help_revoke(struct help *h, const struct cert_key *key);
enum cert_state help_state(struct help *h, const struct cert_key *key);
struct store_stat help_stat(struct help *h);

struct store_check_report help_check(struct help *h);
/* And it is sound. */
struct store_check_report help_close_and_check(struct help *h);

#endif
