/* enroll/authorize.h - who may have which certificate: the one module that makes
 * grants (DESIGN rule 4). Default deny. Every message type of every protocol
 * passes through here; a front only says what was asked and what was shown.
 *
 * Credentials, and what they are good for:
 *   a one-time token         enrol, where the label allows `token`
 *   a foreign certificate    enrol, where the label allows `idevid` and one of
 *                            its anchors vouches (IEEE 802.1AR)
 *   our own certificate      renew, where the label allows `renewal`; enrol as
 *                            a foreign one would, if the label's anchors have
 *                            our CA among them
 *   a shared challenge       enrol for the first time, where the label's legacy
 *                            has it (enroll/challenge.h)
 * With a token and a certificate, the token decides on enrolling and the
 * certificate on renewing, and both must name the same device. */
#ifndef MICA_ENROLL_AUTHORIZE_H
#define MICA_ENROLL_AUTHORIZE_H

#include "ca/authority.h"
#include "ca/cert.h"
#include "ca/csr.h"
#include "ca/digest.h"
#include "ca/grant.h"
#include "conf/conf.h"
#include "enroll/est_wire.h"
#include "enroll/trust.h"
#include "storage/store.h"

/* From the decision to T1; a queue longer than this is a busy server. */
#define GRANT_LIFE_S 30

struct authorizer;

struct authorizer_opts { /* all borrowed */
	struct store *store;
	struct authorities *authorities; /* resolved */
	const struct trust *trust;       /* NULL where no device asks */
	int64_t approve_life_us;         /* of what waits for an operator */
};
/* Errors: RC_NOMEM RC_INTERNAL. */
MUST_CHECK enum rc authorizer_new(
        struct authorizer **out, const struct authorizer_opts *o);
void authorizer_free(struct authorizer *z); /* NULL is a no-op */

enum enroll_message { MESSAGE_ENROLL, MESSAGE_RENEW };

/* One decision. The struct is the caller's and holds still until it is made. */
struct authorize {
	/* in: a device's request */
	enum enroll_message message;
	const struct conf_label *label;
	const struct basic *basic; /* NULL: none came. user "": a token
				    * alone, whose device it is */
	/* What the client showed and proved to hold the key of, own
	 * certificate first; trusted for nothing until judged here. */
	const struct bytes *chain;
	size_t n_chain;
	bool chain_verified;     /* struct trust_chain */
	const char *from;        /* the peer's address, for the audit trail */
	const char *transaction; /* the client's name for it; NULL: none */
	/* SCEP: the SubjectPublicKeyInfo of who signed the message, who may
	 * poll for the answer. Empty: nobody may. */
	struct bytes poller;
	/* The request is of another key than what was shown is: only one who
	 * is known by that may bring a request that he need not have made. */
	bool brought;
	/* A poll: only what is on record is taken up. With the hash of the
	 * token that it came with, which a poll does not bring again. */
	bool poll;
	const uint8_t *poll_token;
	bool poll_shared; /* it came with the label's shared challenge */

	/* in: an operator's */
	const struct conf_authority *authority;
	const struct conf_profile *profile;
	struct bytes device_id;
	const struct grant_names *names; /* NULL: none */
	const char *actor;               /* "operator uid 0" */

	/* Bring the certification request: called once, when the credential is
	 * verified and not before, so that no stranger has us do public-key
	 * work and its clause may be told. Sets csr, which is the caller's. */
	enum rc (*bring_csr)(struct authorize *a, struct why *why);
	/* Called if it was RC_PENDING; rc is the result then. */
	void (*done)(struct authorize *a);
	void *ctx;

	/* out */
	enum rc rc;
	struct why why;
	struct csr *csr;
	struct grant *grant; /* RC_OK: the caller's */
	bool verified; /* the credential is good: the clause may be told */
	bool shared;   /* it is the label's shared challenge */
	char device[STORE_DEVICE_ID_MAX + 1]; /* "" until known */

	/* authorize.c's */
	struct authorizer *z;
	int step;
	enum rc read_rc;
	const struct authority *issuer;
	size_t generation;
	uint32_t own_authority;
	bool own; /* leaf is of a certificate on record */
	struct cert leaf;
	struct store_credential credential;
	char anchor[STORE_NAME_MAX + 1];
	char credential_text[STORE_NAME_MAX + 32];
	struct store_fetch cert;
	struct store_token_get token;
	struct store_device_get record;
};

/* RC_PENDING: done will be called, not before this returns. Anything else is
 * the result, and done is not called. Refusals: RC_NOCRED (no credential, or
 * none that verifies), RC_DENIED, what bring_csr and the store said. */
MUST_CHECK enum rc authorize_device(struct authorizer *z, struct authorize *a);
/* Whose request a poll is for: of that label, that name, that key.
 * Errors: RC_NOMEM RC_INTERNAL. */
MUST_CHECK enum rc authorize_poll_hash(struct authorizer *z,
        uint8_t out[STORE_HASH_BYTES], const struct conf_label *label,
        const char *transaction, struct bytes poller);
/* For `mica cert issue`: creates the device where it is absent. */
MUST_CHECK enum rc authorize_operator(
        struct authorizer *z, struct authorize *a);

/* For the daemon's own certificates, whose keys the signer holds: reads no
 * record, so the answer comes at once. spki: SubjectPublicKeyInfo, DER. */
MUST_CHECK enum rc authorize_system(struct authorizer *z, struct grant **out,
        const struct conf_authority *authority,
        const struct conf_profile *profile, struct bytes spki,
        const struct grant_names *names, struct why *why);
/* The same for a code key, whose certificates belong to its device as that was
 * read (version 0: there is none yet). spki is the signer's by that name. */
MUST_CHECK enum rc authorize_code(struct authorizer *z, struct grant **out,
        const struct conf_code *code, uint64_t device_version,
        struct bytes spki, struct why *why);

#endif
