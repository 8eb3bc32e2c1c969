#include "tests/unit/ca_signer.h"
#include "ca/signer/proto.h"
#include <check.h>
#include <string.h>

/* As an authority's key of that type signs. */
static const EVP_MD *md_of(EVP_PKEY *key)
{
	if (EVP_PKEY_is_a(key, "ED25519"))
		return NULL;
	return EVP_PKEY_get_bits(key) == 384 ? EVP_sha384() : EVP_sha256();
}

static size_t sign(EVP_PKEY *key, struct bytes tbs, uint8_t *out, size_t size)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t n = size;

	ck_assert_int_eq(
	        EVP_DigestSignInit(ctx, NULL, md_of(key), NULL, key), 1);
	ck_assert_int_eq(EVP_DigestSign(ctx, out, &n, tbs.p, tbs.n), 1);
	EVP_MD_CTX_free(ctx);
	return n;
}

static void answer(struct fake_signer *f, uint64_t id,
        const struct proto_signature *signature)
{
	struct buf body = BUF_INIT(4096);
	struct ipc_msg msg = { .type = PROTO_SIGNATURE, .id = id };

	proto_signature_pack(&body, signature);
	msg.body = buf_bytes(&body);
	ck_assert_int_eq(ipc_send(f->ipc, &msg), RC_OK);
	buf_free(&body);
}

static void on_message(void *ctx, const struct ipc_msg *msg)
{
	struct fake_signer *f = ctx;
	struct proto_signature s = { .rc = RC_OK };
	EVP_PKEY *key = f->mode == FAKE_SIGNS ? f->key : f->other;
	struct proto_sign m;
	uint8_t sig[512];

	ck_assert_int_eq(msg->type, PROTO_SIGN);
	ck_assert_int_eq(proto_sign_unpack(&m, msg->body), RC_OK);
	if (f->kept != NULL && strcmp(m.key, "ocsp/factory") == 0)
		key = f->kept;
	else
		ck_assert_str_eq(m.key, "factory");
	f->asked++;
	if (f->mode == FAKE_SILENT)
		return;
	if (f->mode == FAKE_REFUSES)
		s.rc = why_set(&s.why, RC_DENIED, "policy");
	else
		s.signature = bytes_of(sig, sign(key, m.tbs, sig, sizeof sig));
	answer(f, msg->id, &s);
}

static void on_dead(void *ctx, const struct why *why)
{
	(void)ctx;
	(void)why;
}

void fake_signer_begin(struct fake_signer *f, struct loop *loop, EVP_PKEY *key)
{
	int fds[2];

	memset(f, 0, sizeof *f);
	f->key = key;
	f->other = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	ck_assert_int_eq(ipc_pair(fds), RC_OK);
	ck_assert_int_eq(
	        ipc_new(&f->ipc, loop, fds[0], on_message, on_dead, f), RC_OK);
	ck_assert_int_eq(
	        signer_client_new(&f->client, loop, fds[1], NULL), RC_OK);
}

void fake_signer_hello(struct fake_signer *f)
{
	const struct proto_hello hello = { ++f->generation, PROTO_VERSION };
	struct buf body = BUF_INIT(64);
	struct ipc_msg msg = { .type = PROTO_HELLO };

	proto_hello_pack(&body, &hello);
	msg.body = buf_bytes(&body);
	ck_assert_int_eq(ipc_send(f->ipc, &msg), RC_OK);
	buf_free(&body);
}

void fake_signer_end(struct fake_signer *f)
{
	signer_client_free(f->client);
	ipc_free(f->ipc);
	EVP_PKEY_free(f->other);
}
