/* scep_load - SCEP clients with RSA-2048 keys that want certificates (RFC 8894
 * PKCSReq, by POST), made with libcrypto's CMS and none of our code. Messages
 * are made before the clock starts, and none is sent twice; answers are checked
 * after it stopped: each has to be a CertRep that the RA signed, of status 0,
 * for this transaction and nonce, with an envelope that the device's key opens,
 * and in it a certificate for this device and key.
 *
 *   scep_load PORT fresh|kept CONNECTIONS PATH RA-CERT PIDS KEYS DEVICES
 *
 * KEYS: RSA keys in PEM, which the devices take turns with: they take long to
 * make, and a server keeps nothing of a key from one message to the next.
 * DEVICES: a file with a line for each device that there is to be, its id and
 * what it proves itself with: "id challengePassword". fresh: each on a
 * connection of its own, asked for by HTTP/1.0 (a server that answers in chunks
 * does not then); kept: over CONNECTIONS that are opened before. PIDS: the
 * server's processes, comma-separated. Prints
 *   us=CPU-TIME-AN-ENROLMENT rate=A-SECOND p50_ms= p99_ms= bytes=OF-AN-ANSWER */
#include "bench/asker.h"
#include "base/rand.h"
#include "tests/unit/scep_make.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEVICES_MAX 100000
#define KEYS_MAX 64
#define ID_MAX 64
#define ANSWER_MAX_BYTES 32768
#define NONCE_BYTES 16

struct device {
	char id[ID_MAX], challenge[ID_MAX];
	struct party party; /* its certificate is its own, its key is shared */
	uint8_t nonce[NONCE_BYTES];
	struct buf answer;
};

struct load {
	struct asker asker;
	const char *path;
	struct party ra;
	EVP_PKEY *keys[KEYS_MAX];
	size_t n_keys;
	struct device *devices;
	struct buf *requests;
	size_t n;
};

static void need(bool ok, const struct device *d, const char *what)
{
	if (ok)
		return;
	ERR_print_errors_fp(stderr);
	die("scep_load: %s: %s", d != NULL ? d->id : "start", what);
}

/* --- what is made before the clock starts */
static void read_devices(struct load *l, const char *path)
{
	FILE *f = fopen(path, "re");
	char line[2 * ID_MAX];

	l->devices = calloc(DEVICES_MAX, sizeof(*l->devices));
	need(f != NULL && l->devices != NULL, NULL, path);
	while (l->n < DEVICES_MAX && fgets(line, sizeof(line), f) != NULL) {
		struct device *d = &l->devices[l->n++];
		struct bytes id, challenge;

		line[strcspn(line, "\n")] = '\0';
		need(bytes_cut(bytes_str(line), ' ', &id, &challenge) &&
		                id.n < ID_MAX && challenge.n < ID_MAX,
		        NULL, "a device is \"id challengePassword\"");
		memcpy(d->id, id.p, id.n);
		memcpy(d->challenge, challenge.p, challenge.n);
	}
	(void)fclose(f);
	need(l->n > 0, NULL, "no devices");
}

static struct buf http_request(const struct load *l, struct bytes message)
{
	struct buf out = BUF_INIT(ANSWER_MAX_BYTES);

	buf_addf(&out,
	        "POST %s HTTP/1.%d\r\nHost: localhost\r\n"
	        "Content-Type: application/x-pki-message\r\n"
	        "Content-Length: %zu\r\n\r\n",
	        l->path, l->asker.kept ? 1 : 0, message.n);
	buf_add(&out, message);
	return out;
}

static void make_message(struct load *l, size_t i)
{
	struct device *d = &l->devices[i];
	struct make_scep m = { .type = "19",
		.transaction = d->id,
		.nonce = BYTES_ARRAY(d->nonce),
		.from = &d->party,
		.to = &l->ra };
	struct buf csr, message;

	rand_fill(d->nonce, sizeof(d->nonce));
	party_make_with(&d->party, d->id, l->keys[i % l->n_keys]);
	csr = make_request(d->party.key, d->id, d->challenge);
	m.content = buf_bytes(&csr);
	message = make_scep(&m);
	l->requests[i] = http_request(l, buf_bytes(&message));
	need(l->requests[i].failed == RC_OK, d, "request");
	buf_free(&message);
	buf_free(&csr);
}

static void read_keys(struct load *l, const char *path)
{
	FILE *f = fopen(path, "re");
	EVP_PKEY *key = NULL;

	need(f != NULL, NULL, path);
	while (l->n_keys < KEYS_MAX &&
	        (key = PEM_read_PrivateKey(f, NULL, NULL, NULL)) != NULL)
		l->keys[l->n_keys++] = key;
	ERR_clear_error(); /* of the file's end */
	(void)fclose(f);
	need(l->n_keys > 0, NULL, path);
}

static void read_ra(struct load *l, const char *path)
{
	FILE *f = fopen(path, "re");

	need(f != NULL, NULL, path);
	l->ra.cert = PEM_read_X509(f, NULL, NULL, NULL);
	need(l->ra.cert != NULL, NULL, path);
	(void)fclose(f);
}

static void make_messages(struct load *l)
{
	l->requests = calloc(l->n, sizeof(*l->requests));
	need(l->requests != NULL, NULL, "memory");
	for (size_t i = 0; i < l->n; i++)
		make_message(l, i);
}

static void end(struct load *l)
{
	for (size_t i = 0; i < l->n; i++) {
		party_free(&l->devices[i].party);
		buf_free(&l->devices[i].answer);
		buf_free(&l->requests[i]);
	}
	for (size_t i = 0; i < l->n_keys; i++)
		EVP_PKEY_free(l->keys[i]);
	party_free(&l->ra);
	free(l->devices);
	free(l->requests);
}

/* --- what comes back */
static void keep(void *ctx, size_t nth, struct bytes body)
{
	struct load *l = ctx;

	l->devices[nth].answer = BUF_INIT(ANSWER_MAX_BYTES);
	buf_add(&l->devices[nth].answer, body);
}

static CMS_ContentInfo *read_cms(const struct device *d, struct bytes der)
{
	const uint8_t *p = der.p;
	CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &p, (long)der.n);

	need(cms != NULL && p == der.p + der.n, d, "an answer that is no CMS");
	return cms;
}

static struct bytes text_of(BIO *bio)
{
	char *p;
	long n = BIO_get_mem_data(bio, &p);

	return bytes_of(p, n > 0 ? (size_t)n : 0);
}

static struct bytes attr(CMS_SignerInfo *si, const char *oid, int type)
{
	ASN1_OBJECT *obj = OBJ_txt2obj(oid, 1);
	ASN1_STRING *s = CMS_signed_get0_data_by_OBJ(si, obj, -3, type);

	ASN1_OBJECT_free(obj);
	return s == NULL ? BYTES_NONE
	                 : bytes_of(ASN1_STRING_get0_data(s),
	                           (size_t)ASN1_STRING_length(s));
}

static void check_attrs(const struct device *d, CMS_SignerInfo *si)
{
	need(bytes_eq_str(attr(si, SCEP_OID "2", V_ASN1_PRINTABLESTRING), "3"),
	        d, "an answer that is no CertRep");
	need(bytes_eq_str(attr(si, SCEP_OID "3", V_ASN1_PRINTABLESTRING), "0"),
	        d, "refused");
	need(bytes_eq_str(
	             attr(si, SCEP_OID "7", V_ASN1_PRINTABLESTRING), d->id) &&
	                bytes_eq(attr(si, SCEP_OID "6", V_ASN1_OCTET_STRING),
	                        BYTES_ARRAY(d->nonce)),
	        d, "an answer to something else");
}

static bool is_for(X509 *cert, const struct device *d)
{
	char cn[ID_MAX];

	return X509_NAME_get_text_by_NID(X509_get_subject_name(cert),
	               NID_commonName, cn, sizeof(cn)) > 0 &&
	        strcmp(cn, d->id) == 0 &&
	        EVP_PKEY_eq(X509_get0_pubkey(cert), d->party.key) == 1;
}

/* The message that the envelope holds: certificates, not signed. */
static void check_certs(const struct device *d, struct bytes der)
{
	CMS_ContentInfo *cms = read_cms(d, der);
	STACK_OF(X509) *certs = CMS_get1_certs(cms);
	bool found = false;

	for (int i = 0; i < sk_X509_num(certs); i++)
		found = found || is_for(sk_X509_value(certs, i), d);
	need(found, d, "no certificate for this device and key");
	sk_X509_pop_free(certs, X509_free);
	CMS_ContentInfo_free(cms);
}

static void check_envelope(const struct device *d, struct bytes der)
{
	CMS_ContentInfo *cms = read_cms(d, der);
	BIO *text = BIO_new(BIO_s_mem());

	need(CMS_decrypt(cms, d->party.key, d->party.cert, NULL, text,
	             CMS_BINARY) == 1,
	        d, "the envelope does not open");
	check_certs(d, text_of(text));
	BIO_free(text);
	CMS_ContentInfo_free(cms);
}

static void check_answer(const struct load *l, const struct device *d)
{
	CMS_ContentInfo *cms = read_cms(d, buf_bytes(&d->answer));
	STACK_OF(X509) *signer = sk_X509_new_null();
	BIO *content = BIO_new(BIO_s_mem());

	need(sk_X509_push(signer, l->ra.cert) > 0 &&
	                CMS_verify(cms, signer, NULL, NULL, content,
	                        CMS_NO_SIGNER_CERT_VERIFY | CMS_NOINTERN |
	                                CMS_BINARY) == 1,
	        d, "the RA did not sign this");
	check_attrs(d, sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(cms), 0));
	check_envelope(d, text_of(content));
	sk_X509_free(signer);
	BIO_free(content);
	CMS_ContentInfo_free(cms);
}

int main(int argc, char **argv)
{
	/* Some servers answer in single DES. */
	OSSL_PROVIDER *usual = OSSL_PROVIDER_load(NULL, "default");
	OSSL_PROVIDER *legacy = OSSL_PROVIDER_load(NULL, "legacy");
	struct load l = { .n = 0 };
	struct asked result;

	if (argc != 9)
		die("usage: scep_load PORT fresh|kept CONNECTIONS PATH RA-CERT "
		    "PIDS KEYS DEVICES");
	need(usual != NULL, NULL, "libcrypto");
	ERR_clear_error(); /* legacy may be missing */
	l.asker.port = (unsigned)number_arg(argv[1], 1, 65535);
	l.asker.kept = strcmp(argv[2], "kept") == 0;
	l.asker.n_links = (size_t)number_arg(argv[3], 1, 4096);
	l.path = argv[4];
	pids_parse(&l.asker.pids, argv[6]);
	read_ra(&l, argv[5]);
	read_keys(&l, argv[7]);
	read_devices(&l, argv[8]);
	make_messages(&l);
	l.asker.requests = l.requests;
	l.asker.n_requests = l.asker.n_made = l.n;
	l.asker.answered = keep;
	l.asker.ctx = &l;
	result = asker_run(&l.asker);
	for (size_t i = 0; i < l.n; i++)
		check_answer(&l, &l.devices[i]);
	asked_print(&result);
	end(&l);
	(void)OSSL_PROVIDER_unload(usual);
	if (legacy != NULL)
		(void)OSSL_PROVIDER_unload(legacy);
	return 0;
}
