/* enroll/scep_priv.h - what enroll/scep.c and enroll/scep_exchange.c share. */
#ifndef MICA_ENROLL_SCEP_PRIV_H
#define MICA_ENROLL_SCEP_PRIV_H

#include "enroll/scep.h"
#include "enroll/scep_message.h"
#include "net/http.h"

#define SCEP_ROUTES 10

enum scep_next_by { /* enroll/scep_next.c */
	SCEP_NEXT_BY_CA,
	SCEP_NEXT_BY_RA,
	SCEP_NEXT_SIGNERS
};

/* An authority's registration authority. What it was replaced by is another
 * one; a message holds on to what it began with. */
struct ra {
	unsigned refs;
	struct buf cert; /* DER */
	struct cert parsed;
	struct scep_ra view; /* borrowed from both */
	struct buf answer;   /* of GetCACert */
	/* Of GetNextCACert, by who signs; empty: not signed yet. */
	struct buf next[SCEP_NEXT_SIGNERS];
	const char *key_name; /* the signer's */
};
struct ra *ra_ref(struct ra *ra);
void ra_unref(struct ra *ra); /* NULL is a no-op */

struct scep_label {
	const struct conf_label *conf;
	const struct authority *authority;
	struct scep_legacy legacy;
	struct ra *ra; /* NULL: has no certificate yet */
	int crl_fd;    /* -1: none yet */
};

struct scep {
	struct scep_opts o;
	struct pubkey_ctx *keys;
	struct scep_crypt *crypt;
	struct scep_label *labels;
	size_t n_labels;
	size_t pending;
	struct http_route routes[SCEP_ROUTES];
};

/* Refusals without a CertRep: 4xx, 5xx, and a reference that the log has. */
struct scep_refusal {
	enum rc rc;
	const struct why *why;
	const char *device; /* "" when not known */
	bool verified;      /* the clause may be told */
	const char *label;  /* NULL when not known */
};
#define SCEP_REFUSAL_TEXT_BYTES (WHY_MAX_BYTES + 32)
/* Log and count it; text is what may be told. */
void scep_refused(const struct scep *s, const struct http_req *req,
        const struct scep_refusal *r, char text[SCEP_REFUSAL_TEXT_BYTES]);
void scep_refuse_plain(const struct scep *s, struct http_req *req,
        const struct scep_refusal *r);

/* GetNextCACert. Who replaces the label's authority; NULL: nobody does. */
const struct authority *scep_next_ca(
        const struct scep *s, const struct scep_label *l);
/* The label has an RA's certificate. Answers req, now or later. */
void scep_answer_next(
        struct scep *s, struct http_req *req, const struct scep_label *l);

/* One PKIOperation: answers req, now or later. */
void scep_exchange(struct scep *s, struct http_req *req,
        const struct scep_label *label, struct bytes message);

#endif
