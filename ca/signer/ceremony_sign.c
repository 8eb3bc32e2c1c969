/* ca/signer/ceremony_sign.c - where an issuer's key is, offline: answer a
 * request for a CA's certificate, after saying what will be signed. */
#include "ca/signer/ceremony_ops.h"

#include "base/clock.h"
#include "ca/signer/ca_csr.h"
#include "ca/signer/ceremony_file.h"
#include "ca/signer/transcript.h"
#include "der/oid.h"

#include <stdio.h>
#include <string.h>

#define ANSWER_MAX_BYTES 16

/* What the issuer and its subjects share, where the issuer has it. */
static const enum oid shared[] = { OID_C, OID_O };

struct work {
	struct vault *vault; /* the issuer's key alone */
	struct ca_issuer *issuer;
	struct ca_csr csr;
	struct ca_cert_opts cert;
	bool cut; /* the validity asked for lies past the issuer's end */
};

/* --- what may be signed */

static enum rc check_as_given(
        const struct args *a, struct bytes subject, struct why *why)
{
	struct buf want = BUF_INIT(NAME_MAX_BYTES);
	enum rc rc = name_write(&want, a->parts, a->n_parts, why);

	if (!rc && !bytes_eq(buf_bytes(&want), subject))
		rc = why_set(why, RC_DENIED,
		        "the request's subject is not that of --subject");
	buf_free(&want);
	return rc;
}

/* Country and organization are those of the issuer: with the issuer's word, a
 * stranger must not get a CA by slipping a file in. --subject overrides. */
static enum rc check_as_issuer(
        struct bytes issuer, struct bytes subject, struct why *why)
{
	struct name_attr want, got;

	for (size_t i = 0; i < sizeof(shared) / sizeof(*shared); i++) {
		if (!name_get(issuer, oid_bytes(shared[i]), 0, &want))
			continue;
		if (name_count(subject, oid_bytes(shared[i])) != 1 ||
		        !name_get(subject, oid_bytes(shared[i]), 0, &got) ||
		        !bytes_eq(got.value, want.value))
			return why_set(why, RC_DENIED,
			        "the request's subject has not the issuer's "
			        "%s; --subject says that another is meant",
			        oid_name(shared[i]));
	}
	if (name_count(subject, oid_bytes(OID_CN)) != 1)
		return why_set(why, RC_DENIED,
		        "the request's subject has not exactly one CN");
	return RC_OK;
}

static enum rc check_request(
        const struct args *a, const struct work *w, struct why *why)
{
	struct bytes subject = buf_bytes(&w->csr.subject);
	enum rc rc = a->n_parts > 0
	        ? check_as_given(a, subject, why)
	        : check_as_issuer(ca_issuer_subject(w->issuer), subject, why);

	if (!rc)
		rc = ca_issuer_permits(w->issuer, subject, why);
	if (!rc &&
	        bytes_eq(buf_bytes(&w->csr.spki), vault_at(w->vault, 0)->spki))
		rc = why_set(
		        why, RC_DENIED, "the request's key is the issuer's");
	return rc;
}

static void plan(const struct args *a, struct work *w)
{
	int64_t now_s = clock_now_s();
	int64_t first_s = ca_issuer_not_before_s(w->issuer);
	int64_t last_s = ca_issuer_not_after_s(w->issuer);
	struct ca_cert_opts *o = &w->cert;

	o->issuer = w->issuer;
	o->subject = buf_bytes(&w->csr.subject);
	o->subject_spki = buf_bytes(&w->csr.spki);
	o->path_length = a->path_length;
	o->crls = a->crls;
	o->issuers = a->issuers;
	o->not_before_s = now_s - CEREMONY_BACKDATE_S;
	if (o->not_before_s < first_s)
		o->not_before_s = first_s;
	o->not_after_s = now_s + a->validity_s;
	w->cut = o->not_after_s > last_s;
	if (w->cut)
		o->not_after_s = last_s;
}

/* --- saying so */

/* A line each; the title at the first. */
static void describe_urls(
        struct buf *t, const char *title, const struct ca_urls *u)
{
	for (size_t i = 0; i < u->n; i++)
		transcript_line(t, i == 0 ? title : "", "%s", u->list[i]);
}

static void describe(struct buf *t, const struct args *a, const struct work *w)
{
	const struct ca_cert_opts *o = &w->cert;

	transcript_section(t, "To be signed: a CA's certificate");
	transcript_name(t, "Subject:", o->subject);
	transcript_key(t, o->subject_spki);
	transcript_sha256(t, "Request SHA-256:", buf_bytes(&w->csr.der));
	transcript_file(t, "Request file:", a->request);
	transcript_time(t, "Valid from:", o->not_before_s);
	transcript_time(t, "Valid until:", o->not_after_s);
	if (w->cut)
		transcript_line(
		        t, "", "(the issuer's end: --validity is longer)");
	if (o->path_length == CA_CERT_NO_PATH_LENGTH)
		transcript_line(t, "CAs below it:", "any number");
	else
		transcript_line(t, "CAs below it:", "%d", o->path_length);
	transcript_line(t, "It may sign:", "certificates, CRLs");
	describe_urls(t, "Its issuer's CRL:", &o->crls);
	describe_urls(t, "Its issuer:", &o->issuers);
	transcript_section(t, "By");
	transcript_name(t, "Issuer:", ca_issuer_subject(w->issuer));
	transcript_file(t, "Issuer's key:", a->issuer_key);
	transcript_key(t, vault_at(w->vault, 0)->spki);
	transcript_sha256(t, "Certificate SHA-256:", ca_issuer_der(w->issuer));
}

/* Whoever holds the key decides on what this process will sign, not on what
 * another has shown. */
static enum rc ask(const struct args *a, const struct work *w, struct why *why)
{
	struct buf text = BUF_INIT(TRANSCRIPT_MAX_BYTES);
	char answer[ANSWER_MAX_BYTES] = "";
	enum rc rc;

	describe(&text, a, w);
	rc = text.failed;
	if (!rc)
		(void)fwrite(text.p, 1, text.n, stdout);
	buf_free(&text);
	if (rc || (a->given & BIT(OPT_YES))) {
		(void)fflush(stdout);
		return rc;
	}
	(void)fputs("\nSign this? Type yes: ", stdout);
	(void)fflush(stdout);
	if (!fgets(answer, sizeof(answer), stdin) ||
	        strcmp(answer, "yes\n") != 0)
		return why_set(why, RC_DENIED,
		        "nothing was signed: the answer was not yes");
	return RC_OK;
}

/* --- doing it */

static enum rc write_sign_transcript(const struct args *a, const struct work *w,
        struct bytes der, struct why *why)
{
	struct buf t = BUF_INIT(TRANSCRIPT_MAX_BYTES);

	transcript_begin(&t, "mica-signer",
	        "mica ceremony: a CA's certificate is signed");
	describe(&t, a, w);
	transcript_line(&t, "Confirmed:", "%s",
	        a->given & BIT(OPT_YES) ? "--yes was given" : "yes was typed");
	transcript_file(&t, "Written to:", a->out);
	transcript_request(
	        &t, "Request (DER; PEM below)", buf_bytes(&w->csr.der));
	transcript_cert(&t, "Certificate (DER; PEM below)", der);
	return ceremony_write_transcript(a->transcript, &t, why);
}

static enum rc write_cert(
        const struct args *a, const struct work *w, struct why *why)
{
	struct buf der = BUF_INIT(CA_CERT_MAX_BYTES);
	enum rc rc = ca_cert_sign(&der, w->vault, 0, &w->cert, why);

	if (!rc)
		rc = ceremony_write_pem(
		        a->out, "CERTIFICATE", buf_bytes(&der), why);
	if (!rc && a->transcript)
		rc = write_sign_transcript(a, w, buf_bytes(&der), why);
	buf_free(&der);
	return rc;
}

static enum rc load(const struct args *a, struct work *w, struct why *why)
{
	struct buf pem = BUF_INIT(2 * CA_CSR_MAX_BYTES);
	enum rc rc = ceremony_read(a->request, &pem, why);

	if (!rc)
		rc = why_prefix(why, ca_csr_read(&w->csr, buf_bytes(&pem), why),
		        "%s", a->request);
	if (!rc)
		rc = vault_new(&w->vault);
	if (!rc)
		rc = ceremony_load_key(
		        w->vault, "issuer", ceremony_issuer_key(a), why);
	if (!rc)
		rc = ceremony_load_issuer(
		        &w->issuer, a->issuer_cert, vault_at(w->vault, 0), why);
	buf_free(&pem);
	return rc;
}

enum rc ceremony_sign(const struct args *a, struct why *why)
{
	struct work w = { .vault = NULL };
	enum rc rc = ceremony_absent(a->out, why);

	if (!rc)
		rc = ceremony_absent(a->transcript, why);
	if (!rc)
		rc = load(a, &w, why);
	if (!rc)
		rc = check_request(a, &w, why);
	if (!rc) {
		plan(a, &w);
		rc = w.cert.not_after_s > clock_now_s()
		        ? ca_cert_check(&w.cert, why)
		        : why_set(why, RC_DENIED,
		                  "the issuer's certificate has expired");
	}
	if (!rc)
		rc = ask(a, &w, why);
	if (!rc)
		rc = write_cert(a, &w, why);
	ca_issuer_free(w.issuer);
	ca_csr_free(&w.csr);
	vault_free(w.vault);
	return rc;
}
