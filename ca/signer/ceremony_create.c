/* ca/signer/ceremony_create.c - a key pair made inside a token, and the proof
 * that it is one that cannot leave. */
#include "ca/signer/ceremony_ops.h"

#include "base/text.h"
#include "ca/signer/ceremony_file.h"
#include "ca/signer/token_key.h"
#include "ca/signer/transcript.h"

#include <stdio.h>

/* What is found out on the way, to be told when all went well. */
struct made {
	struct token_key key;
	CK_TOKEN_INFO token;
	CK_INFO module;
};

/* --- saying so */

/* Blank-padded text of a fixed size (PKCS#11 section 3). */
static void put_padded(
        struct buf *t, const char *title, const unsigned char *text, size_t n)
{
	while (n > 0 && text[n - 1] == ' ')
		n--;
	transcript_line(t, title, "%.*s", (int)n, (const char *)text);
}

static void describe_token(struct buf *t, const struct made *m)
{
	put_padded(t, "Token:", m->token.label, sizeof(m->token.label));
	put_padded(t, "Model:", m->token.model, sizeof(m->token.model));
	put_padded(t, "Maker:", m->token.manufacturerID,
	        sizeof(m->token.manufacturerID));
	put_padded(t, "Serial number:", m->token.serialNumber,
	        sizeof(m->token.serialNumber));
	transcript_line(t, "Module's version:", "%u.%u, of PKCS#11 %u.%u",
	        m->module.libraryVersion.major, m->module.libraryVersion.minor,
	        m->module.cryptokiVersion.major,
	        m->module.cryptokiVersion.minor);
}

static void describe_proof(struct buf *t, const struct made *m)
{
	transcript_section(t, "As the token has it");
	for (size_t i = 0; i < m->key.n_facts; i++)
		transcript_line(t, "", "%-24s %s", m->key.facts[i].name,
		        m->key.facts[i].value ? "true" : "false");
	for (size_t i = 0; i < m->key.n_hidden; i++)
		transcript_line(
		        t, "", "%-24s cannot be read", m->key.hidden[i]);
	transcript_line(t, "", "a signature by the key verifies");
}

static void describe(struct buf *t, const struct args *a, const struct made *m,
        const struct vault_key *key)
{
	struct buf id = BUF_INIT(2 * TOKEN_KEY_ID_BYTES + 1);

	hex_encode(&id, bytes_of(m->key.id, m->key.n_id));
	transcript_section(t, "Key");
	transcript_line(t, "Where:", "%s", a->key);
	transcript_line(t, "CKA_ID:", "%.*s", (int)id.n, (const char *)id.p);
	transcript_key(t, key->spki);
	transcript_section(t, "Token");
	transcript_line(t, "Module:", "%s", a->module);
	describe_token(t, m);
	describe_proof(t, m);
	buf_free(&id);
}

static enum rc tell(const struct args *a, const struct made *m,
        const struct vault_key *key, struct why *why)
{
	struct buf text = BUF_INIT(TRANSCRIPT_MAX_BYTES);
	enum rc rc;

	describe(&text, a, m, key);
	rc = text.failed;
	if (!rc && !(a->given & BIT(OPT_QUIET))) {
		(void)fwrite(text.p, 1, text.n, stdout);
		(void)fflush(stdout);
	}
	if (rc || !a->transcript) {
		buf_free(&text);
		return rc;
	}
	buf_reset(&text);
	transcript_begin(&text, "mica-signer",
	        "mica ceremony: a key is made in a token");
	describe(&text, a, m, key);
	return ceremony_write_transcript(a->transcript, &text, why);
}

/* --- doing it */

static enum rc read_infos(
        struct made *m, const struct p11_token *t, struct why *why)
{
	CK_RV rv =
	        p11_functions(t)->C_GetTokenInfo(p11_token_slot(t), &m->token);

	if (rv != CKR_OK)
		return p11_failed(why, rv, "C_GetTokenInfo");
	rv = p11_functions(t)->C_GetInfo(&m->module);
	return rv == CKR_OK ? RC_OK : p11_failed(why, rv, "C_GetInfo");
}

static enum rc make_in_token(struct made *m, const struct args *a,
        struct p11_token *t, const struct p11_uri *uri, struct why *why)
{
	const struct token_key_want want = {
		.type = a->kind->type,
		.rsa_bits = a->kind->bits,
		.label = p11_uri_label(uri),
		.id = p11_uri_id(uri),
		.decrypt = a->given & BIT(OPT_DECRYPT),
	};
	struct p11_session *s = NULL;
	enum rc rc = read_infos(m, t, why);

	if (!rc && want.label.n == 0)
		rc = why_set(why, RC_MALFORMED,
		        "--key: the URI wants the new key's object=LABEL");
	if (!rc)
		rc = p11_session_open(&s, t, P11_WRITE, why);
	if (!rc)
		rc = token_key_make(&m->key, s, &want, why);
	p11_session_close(s);
	return rc;
}

static enum rc make(
        struct made *m, const struct args *a, struct bytes pin, struct why *why)
{
	struct p11_module *module = NULL;
	struct p11_token *token = NULL;
	struct p11_uri *uri = NULL;
	enum rc rc = p11_uri_parse(&uri, a->key, why);

	if (!rc)
		rc = p11_module_open(&module, a->module, why);
	if (!rc)
		rc = p11_token_open(&token, module, uri, pin, why);
	if (!rc)
		rc = make_in_token(m, a, token, uri, why);
	p11_token_close(token);
	p11_module_close(module);
	p11_uri_free(uri);
	return rc;
}

/* As whoever serves will find it: by the URI, and it signs once. */
static enum rc load(struct vault **v, const struct args *a, struct bytes pin,
        struct why *why)
{
	const struct vault_token_key k = { .name = "key",
		.uri = a->key,
		.module = a->module,
		.pin = pin,
		.sessions = 1 };
	enum rc rc = vault_new(v);

	return rc ? rc : vault_load_token(*v, &k, why);
}

static enum rc make_and_load(struct made *m, struct vault **v,
        const struct args *a, struct bytes pin, struct why *why)
{
	enum rc rc = ceremony_become(a, why);

	if (!rc)
		rc = make(m, a, pin, why);
	if (!rc)
		rc = load(v, a, pin, why);
	ceremony_come_back(a);
	return rc;
}

enum rc ceremony_create_key(const struct args *a, struct why *why)
{
	struct buf pin = BUF_INIT(P11_PIN_MAX_BYTES);
	struct vault *v = NULL;
	struct made m = { .key = { .n_id = 0 } };
	enum rc rc = ceremony_absent(a->transcript, why);

	if (!rc && a->passphrase_fd >= 0)
		rc = ceremony_read_passphrase(a->passphrase_fd, &pin, why);
	if (!rc)
		rc = make_and_load(&m, &v, a, buf_bytes(&pin), why);
	if (!rc)
		rc = tell(a, &m, vault_at(v, 0), why);
	vault_free(v);
	buf_wipe(&pin);
	return rc;
}
