/* An SCEP client's half that is not HTTP, by libcrypto's CMS and none of our
 * code but a buffer:
 *   scep_client make OUT CONTENT KEY CERT RA TYPE TRANSACTION DIGEST CIPHER
 *   scep_client pad OUT CONTENT KEY CERT RA TRANSACTION WAY
 *   scep_client blocks OUT CONTENT KEY CERT RA TRANSACTION TYPE
 *   scep_client read IN KEY CERT RA OUT
 *   scep_client check RA IN...
 * make puts CONTENT (DER) into an envelope for RA, signs it, and writes the
 * pkiMessage; pad does, too, but what stands for the content key is another one
 * (WAY: right) or padded as RFC 8017 section 7.2 does not; blocks does, but
 * CONTENT has its padding already, right or wrong; read verifies a CertRep by
 * RA's key, prints its attributes, and
 * writes what the envelope for CERT holds; check does the former for many. */
#include "tests/unit/scep_make.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX_BYTES (1u << 20)

static void must(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "scep_client: %s\n", what);
	ERR_print_errors_fp(stderr);
	exit(EXIT_FAILURE);
}

static struct buf file_read(const char *path)
{
	struct buf out = BUF_INIT(FILE_MAX_BYTES);
	uint8_t *room = buf_room(&out, FILE_MAX_BYTES);
	FILE *f = fopen(path, "rb");

	must(f != NULL, path);
	buf_added(&out, fread(room, 1, FILE_MAX_BYTES, f));
	fclose(f);
	return out;
}

static void file_write(const char *path, struct bytes content)
{
	FILE *f = fopen(path, "wb");

	must(f != NULL && fwrite(content.p, 1, content.n, f) == content.n &&
	                fclose(f) == 0,
	        path);
}

/* key may be NULL. */
static struct party party_read(const char *key, const char *cert)
{
	struct party p = { .key = NULL };
	FILE *f = fopen(cert, "r");

	must(f != NULL, cert);
	p.cert = PEM_read_X509(f, NULL, NULL, NULL);
	must(p.cert != NULL, cert);
	fclose(f);
	if (key == NULL)
		return p;
	f = fopen(key, "r");
	must(f != NULL, key);
	p.key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
	must(p.key != NULL, key);
	fclose(f);
	return p;
}

static void make(char **arg)
{
	struct party from = party_read(arg[2], arg[3]);
	struct party to = party_read(NULL, arg[4]);
	struct buf content = file_read(arg[1]);
	struct make_scep m = { .type = arg[5],
		.transaction = arg[6],
		.nonce = BYTES_LIT("0123456789abcdef"),
		.content = buf_bytes(&content),
		.from = &from,
		.to = &to,
		.md = EVP_get_digestbyname(arg[7]),
		.cipher = EVP_get_cipherbyname(arg[8]) };
	struct buf message;

	must(m.md != NULL && m.cipher != NULL, "unknown algorithm");
	message = make_scep(&m);
	file_write(arg[0], buf_bytes(&message));
	buf_free(&message);
	buf_free(&content);
	party_free(&from);
	party_free(&to);
}

/* --- content keys in wrong padding */
#define BLOCK_BYTES 256 /* RSA-2048 */
#define KEY_BYTES 16
#define IV_BYTES 16

/* 00 02, octets that are not zero, 00, the key, but for one or two octets. */
static const struct {
	const char *name;
	struct {
		size_t at;
		uint8_t value;
	} change[2];
} ways[] = {
	{ "right", { { 2, 0x5a }, { 2, 0x5a } } },
	{ "first-octet", { { 0, 1 }, { 0, 1 } } },
	{ "block-type", { { 1, 1 }, { 1, 1 } } },
	{ "no-end", { { 239, 1 }, { 239, 1 } } },
	{ "empty-padding", { { 2, 0 }, { 2, 0 } } },
	{ "early-end", { { 5, 0 }, { 5, 0 } } },
	{ "end-in-padding", { { 100, 0 }, { 100, 0 } } },
	{ "long-key", { { 239, 0x5a }, { 231, 0 } } },
	{ "short-key", { { 239, 0x5a }, { 247, 0 } } },
};

static void block_make(uint8_t block[BLOCK_BYTES], const char *way)
{
	size_t i = 0;

	while (i < sizeof(ways) / sizeof(*ways) &&
	        strcmp(ways[i].name, way) != 0)
		i++;
	must(i < sizeof(ways) / sizeof(*ways), "unknown way");
	must(RAND_bytes(block, BLOCK_BYTES) == 1, "no random bytes");
	for (size_t k = 0; k < BLOCK_BYTES; k++)
		block[k] |= 0x10; /* no zero among them */
	block[0] = 0;
	block[1] = 2;
	block[BLOCK_BYTES - KEY_BYTES - 1] = 0;
	for (size_t k = 0; k < 2; k++)
		block[ways[i].change[k].at] = ways[i].change[k].value;
}

static void block_encrypt(uint8_t out[BLOCK_BYTES], const struct party *to,
        const uint8_t block[BLOCK_BYTES])
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(X509_get0_pubkey(to->cert), NULL);
	size_t n = BLOCK_BYTES;

	must(ctx != NULL && EVP_PKEY_encrypt_init(ctx) == 1 &&
	                EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING) ==
	                        1 &&
	                EVP_PKEY_encrypt(ctx, out, &n, block, BLOCK_BYTES) ==
	                        1 &&
	                n == BLOCK_BYTES,
	        "the block does not encrypt");
	EVP_PKEY_CTX_free(ctx);
}

/* The one OCTET STRING of the modulus' length. */
static uint8_t *encrypted_key(struct buf *envelope)
{
	static const uint8_t head[] = { 4, 0x82, BLOCK_BYTES >> 8, 0 };
	size_t i = 0;

	while (i + sizeof(head) + BLOCK_BYTES < envelope->n &&
	        memcmp(envelope->p + i, head, sizeof(head)) != 0)
		i++;
	must(i + sizeof(head) + BLOCK_BYTES < envelope->n, "no encryptedKey");
	return envelope->p + i + sizeof(head);
}

/* The ciphertext is the envelope's end, and its IV stands before its header. */
static void content_encrypt(
        struct buf *envelope, struct bytes content, const uint8_t *key)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	size_t head = content.n < 0x80 ? 2 : content.n < 0x100 ? 3 : 4;
	uint8_t *at = envelope->p + envelope->n - content.n;
	int n;

	must(ctx != NULL &&
	                EVP_EncryptInit_ex(ctx, EVP_aes_128_cbc(), NULL, key,
	                        at - head - IV_BYTES) == 1 &&
	                EVP_CIPHER_CTX_set_padding(ctx, 0) == 1 &&
	                EVP_EncryptUpdate(
	                        ctx, at, &n, content.p, (int)content.n) == 1 &&
	                (size_t)n == content.n,
	        "the content is not of whole blocks");
	EVP_CIPHER_CTX_free(ctx);
}

/* type NULL: pad, with that way; else blocks. */
static void pad(char **arg, const char *type, const char *way)
{
	struct party from = party_read(arg[2], arg[3]);
	struct party to = party_read(NULL, arg[4]);
	struct buf content = file_read(arg[1]);
	/* The envelope's own padding adds an octet. */
	struct make_enveloped e = { .content = bytes_slice(buf_bytes(&content),
		                            0, content.n - (type != NULL)),
		.to = &to };
	struct buf envelope = make_enveloped(&e), message;
	struct make_scep m = { .type = type != NULL ? type : "19",
		.transaction = arg[5],
		.nonce = BYTES_LIT("0123456789abcdef"),
		.from = &from,
		.to = &to };
	uint8_t block[BLOCK_BYTES];

	block_make(block, way);
	block_encrypt(encrypted_key(&envelope), &to, block);
	if (type != NULL)
		content_encrypt(&envelope, buf_bytes(&content),
		        block + BLOCK_BYTES - KEY_BYTES);
	m.bare = buf_bytes(&envelope);
	message = make_scep(&m);
	file_write(arg[0], buf_bytes(&message));
	buf_free(&message);
	buf_free(&envelope);
	buf_free(&content);
	party_free(&from);
	party_free(&to);
}

static void print_attr(CMS_SignerInfo *si, const char *name, const char *oid,
        int type, const char *nonce)
{
	ASN1_OBJECT *obj = OBJ_txt2obj(oid, 1);
	ASN1_STRING *s = CMS_signed_get0_data_by_OBJ(si, obj, -3, type);

	ASN1_OBJECT_free(obj);
	if (s == NULL)
		return;
	if (nonce == NULL)
		printf("%s=%.*s\n", name, ASN1_STRING_length(s),
		        (const char *)ASN1_STRING_get0_data(s));
	else
		printf("%s=%s\n", name,
		        ASN1_STRING_length(s) == (int)strlen(nonce) &&
		                        memcmp(ASN1_STRING_get0_data(s), nonce,
		                                strlen(nonce)) == 0
		                ? "same"
		                : "other");
}

static void print_all(CMS_SignerInfo *si)
{
	print_attr(si, "type", SCEP_OID "2", V_ASN1_PRINTABLESTRING, NULL);
	print_attr(si, "status", SCEP_OID "3", V_ASN1_PRINTABLESTRING, NULL);
	print_attr(si, "fail", SCEP_OID "4", V_ASN1_PRINTABLESTRING, NULL);
	print_attr(si, "text", SCEP_TEXT_OID, V_ASN1_UTF8STRING, NULL);
	print_attr(
	        si, "transaction", SCEP_OID "7", V_ASN1_PRINTABLESTRING, NULL);
	print_attr(si, "nonce", SCEP_OID "6", V_ASN1_OCTET_STRING,
	        "0123456789abcdef");
}

static void open_envelope(
        struct bytes der, const struct party *us, const char *out)
{
	const unsigned char *p = der.p;
	CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &p, (long)der.n);
	BIO *text = BIO_new(BIO_s_mem());
	char *got;
	long n;

	must(cms != NULL, "the content is no CMS");
	must(CMS_decrypt(cms, us->key, us->cert, NULL, text, CMS_BINARY) == 1,
	        "the envelope does not open");
	n = BIO_get_mem_data(text, &got);
	file_write(out, bytes_of(got, (size_t)n));
	BIO_free(text);
	CMS_ContentInfo_free(cms);
}

/* A CertRep that ra signed; its content goes to text. */
static CMS_ContentInfo *verified(
        const struct buf *der, const struct party *ra, BIO *text)
{
	const unsigned char *p = der->p;
	CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &p, (long)der->n);
	STACK_OF(X509) *certs = sk_X509_new_null();

	must(cms != NULL && p == der->p + der->n, "no CMS");
	must(sk_X509_push(certs, ra->cert) > 0, "out of memory");
	must(CMS_verify(cms, certs, NULL, NULL, text,
	             CMS_NO_SIGNER_CERT_VERIFY | CMS_NOINTERN | CMS_BINARY) ==
	                1,
	        "the registration authority did not sign this");
	sk_X509_free(certs);
	return cms;
}

static void check_reply(const char *path, const struct party *ra)
{
	struct buf der = file_read(path);
	BIO *text = BIO_new(BIO_s_mem());
	CMS_ContentInfo *cms = verified(&der, ra, text);
	CMS_SignerInfo *si =
	        sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(cms), 0);

	print_attr(si, "status", SCEP_OID "3", V_ASN1_PRINTABLESTRING, NULL);
	CMS_ContentInfo_free(cms);
	BIO_free(text);
	buf_free(&der);
}

static void read_reply(char **arg)
{
	struct party us = party_read(arg[1], arg[2]);
	struct party ra = party_read(NULL, arg[3]);
	struct buf der = file_read(arg[0]);
	BIO *text = BIO_new(BIO_s_mem());
	CMS_ContentInfo *cms = verified(&der, &ra, text);
	char *content;
	long n;

	print_all(sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(cms), 0));
	n = BIO_get_mem_data(text, &content);
	if (n > 0)
		open_envelope(bytes_of(content, (size_t)n), &us, arg[4]);
	BIO_free(text);
	CMS_ContentInfo_free(cms);
	buf_free(&der);
	party_free(&us);
	party_free(&ra);
}

int main(int argc, char **argv)
{
	struct party ra;

	if (argc == 11 && strcmp(argv[1], "make") == 0)
		make(argv + 2);
	else if (argc == 9 && strcmp(argv[1], "pad") == 0)
		pad(argv + 2, NULL, argv[8]);
	else if (argc == 9 && strcmp(argv[1], "blocks") == 0)
		pad(argv + 2, argv[8], "right");
	else if (argc == 7 && strcmp(argv[1], "read") == 0)
		read_reply(argv + 2);
	else if (argc > 3 && strcmp(argv[1], "check") == 0) {
		ra = party_read(NULL, argv[2]);
		for (int i = 3; i < argc; i++)
			check_reply(argv[i], &ra);
		party_free(&ra);
	} else
		must(0,
		        "make OUT CONTENT KEY CERT RA TYPE TRANSACTION DIGEST "
		        "CIPHER, pad OUT CONTENT KEY CERT RA TRANSACTION WAY, "
		        "blocks OUT CONTENT KEY CERT RA TRANSACTION TYPE, "
		        "read IN KEY CERT RA OUT, or check RA IN...");
	return EXIT_SUCCESS;
}
