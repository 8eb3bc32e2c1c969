#include "base/clock.h"
#include "base/pack.h"
#include "base/rand.h"
#include "der/alg.h"
#include "der/time.h"
#include "tests/unit/signer_run.h"
#include "tests/unit/test_signer.h"
#include <fcntl.h>
#include <openssl/x509.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct signer_run run;
static const char *const one_key[] = { "--key=issuing:issuing.key", NULL };

static void open_one(void)
{
	run_open(&run);
	run_make_key(&run, "issuing", "p256");
	run_start(&run, one_key);
	run_policy(&run, 1);
	run_open_client(&run);
}

static void close_one(void)
{
	run_close(&run);
}

static void sign_tbs(const char *key, uint32_t purpose,
        void (*change)(struct tbs_spec *s), struct proto_signature *out)
{
	struct buf tbs;

	run_tbs(&tbs, change);
	run_sign(&run, key, purpose, buf_bytes(&tbs), out);
	buf_free(&tbs);
}

START_TEST(signer_signs_what_the_policy_allows)
{
	struct proto_signature m;
	struct buf tbs;

	run_tbs(&tbs, NULL);
	run_sign(&run, "issuing", SIGNER_CERT, buf_bytes(&tbs), &m);
	ck_assert_msg(m.rc == RC_OK, "%s", m.why.text);
	ck_assert(run_verifies(
	        run_spki(&run, "issuing"), buf_bytes(&tbs), m.signature));
	buf_free(&tbs);
}
END_TEST

/* --- the worker taken over */

static void as_ca(struct tbs_spec *s)
{
	tbs_spec_ext(s, OID_BASIC_CONSTRAINTS, true, SPEC_CA_TRUE);
}
static void as_responder(struct tbs_spec *s)
{
	tbs_spec_ext(s, OID_EXT_KEY_USAGE, false, SPEC_EKU_OCSP);
}
static void as_other_issuer(struct tbs_spec *s)
{
	s->issuer = "Another";
}
static void as_server(struct tbs_spec *s)
{
	tbs_spec_ext(s, OID_EXT_KEY_USAGE, false, SPEC_EKU_SERVER);
}
static void as_other_name(struct tbs_spec *s)
{
	s->subject[1].text = "www.example.com";
}
static void as_eternal(struct tbs_spec *s)
{
	s->not_after_s = clock_now_s() + 20 * 366 * SPEC_DAY_S;
}

START_TEST(signer_refuses_a_worker_that_was_taken_over)
{
	static const struct {
		const char *name;
		void (*change)(struct tbs_spec *s);
		const char *clause;
	} rows[] = {
		{ "a CA certificate", as_ca, "a CA certificate" },
		{ "an OCSP responder for its own key", as_responder,
		        "id-kp-OCSPSigning for a key that the signer does not "
		        "hold" },
		{ "a foreign issuer", as_other_issuer, "issuer is not" },
		{ "an EKU outside", as_server,
		        "id-kp-serverAuth is outside the profile" },
		{ "a name outside", as_other_name,
		        "attribute CN is outside the profile" },
		{ "a validity past the issuer's", as_eternal,
		        "notAfter is past the issuer's" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct proto_signature m;

		sign_tbs("issuing", SIGNER_CERT, rows[i].change, &m);
		ck_assert_msg(m.rc == RC_DENIED, "%s: %s", rows[i].name,
		        rc_info(m.rc)->name);
		ck_assert_msg(strstr(m.why.text, rows[i].clause) != NULL,
		        "%s: %s", rows[i].name, m.why.text);
		ck_assert_uint_eq(m.signature.n, 0);
		ck_assert_msg(run_logged(&run, rows[i].clause), "%s: no log",
		        rows[i].name);
	}
	ck_assert(run_logged(&run, "signer.refused"));
}
END_TEST

/* CertificationRequestInfo (RFC 2986 section 4.1), as an offline root is asked
 * by. */
static void put_csr(struct buf *out, EVP_PKEY *key)
{
	X509_REQ *req = X509_REQ_new();
	unsigned char *der = NULL;
	int n;

	ck_assert_int_eq(X509_REQ_set_pubkey(req, key), 1);
	ck_assert_int_eq(
	        X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(req), "CN",
	                MBSTRING_UTF8, (const unsigned char *)"Issuing", -1, -1,
	                0),
	        1);
	n = i2d_re_X509_REQ_tbs(req, &der);
	ck_assert_int_gt(n, 0);
	buf_add(out, bytes_of(der, (size_t)n));
	OPENSSL_free(der);
	X509_REQ_free(req);
	EVP_PKEY_free(key);
}

static EVP_PKEY *issuing_key(void)
{
	struct bytes spki = run_spki(&run, "issuing");
	const unsigned char *p = spki.p;

	return d2i_PUBKEY(NULL, &p, (long)spki.n);
}

static EVP_PKEY *own_key(void)
{
	return EVP_EC_gen("P-256");
}

/* That is a ceremony's, for whatever key and whatever it is called. */
START_TEST(signer_signs_no_certification_request_while_serving)
{
	EVP_PKEY *(*const keys[])(void) = { issuing_key, own_key };
	struct buf csr = BUF_INIT(4096);

	put_csr(&csr, keys[_i]());
	for (uint32_t purpose = 0; purpose < 32; purpose++) {
		struct proto_signature m;

		run_sign(&run, "issuing", purpose, buf_bytes(&csr), &m);
		ck_assert_msg(m.rc == RC_DENIED || m.rc == RC_MALFORMED,
		        "purpose %u: %s", (unsigned)purpose,
		        rc_info(m.rc)->name);
		ck_assert_uint_eq(m.signature.n, 0);
	}
	ck_assert(run_logged(&run, "signer.refused"));
	buf_free(&csr);
}
END_TEST

START_TEST(signer_refuses_unknown_keys_and_purposes)
{
	struct proto_signature m;

	sign_tbs("other", SIGNER_CERT, NULL, &m);
	ck_assert_int_eq(m.rc, RC_NOTFOUND);
	sign_tbs("issuing", 7, NULL, &m);
	ck_assert_int_eq(m.rc, RC_DENIED);
	sign_tbs("issuing", UINT32_MAX, NULL, &m);
	ck_assert_int_eq(m.rc, RC_DENIED);
	ck_assert(run_logged(&run, "unknown purpose"));
}
END_TEST

START_TEST(signer_refuses_control_messages_from_clients)
{
	static const uint16_t types[] = { PROTO_HELLO, PROTO_SIGNATURE,
		PROTO_POLICY, PROTO_POLICY_DROP, PROTO_MAKE_KEY, PROTO_KEYS,
		PROTO_KEEP_KEY, PROTO_RENEW_KEY, PROTO_LISTENER_KEY, PROTO_STOP,
		PROTO_FLOOR, PROTO_LOG, PROTO_PING, PROTO_DONE, PROTO_KEY, 0,
		65535 };
	struct buf policy = BUF_INIT(1024);
	struct proto_signature m;

	proto_policy_pack(&policy, 1, NULL, 0);
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		const struct reply *reply = run_ask(
		        &run, &run.client, types[i], buf_bytes(&policy));

		ck_assert_int_eq(reply->type, PROTO_SIGNATURE);
		ck_assert_int_eq(
		        proto_signature_unpack(&m, buf_bytes(&reply->body)),
		        RC_OK);
		ck_assert_int_eq(m.rc, RC_DENIED);
	}
	/* Nothing came of it. */
	sign_tbs("issuing", SIGNER_CERT, NULL, &m);
	ck_assert_int_eq(m.rc, RC_OK);
	buf_free(&policy);
}
END_TEST

START_TEST(signer_refuses_malformed_and_huge_requests)
{
	struct buf body = BUF_INIT(16u << 20);
	struct proto_signature m;
	const struct reply *reply;
	struct buf huge;

	reply = run_ask(&run, &run.client, PROTO_SIGN, BYTES_LIT("nonsense"));
	ck_assert_int_eq(
	        proto_signature_unpack(&m, buf_bytes(&reply->body)), RC_OK);
	ck_assert_int_eq(m.rc, RC_MALFORMED);
	/* By memfd, and far over what a certificate may be. */
	ck_assert_ptr_nonnull(buf_room(&body, 8u << 20));
	memset(body.p, 0, 8u << 20);
	buf_added(&body, 8u << 20);
	run_sign(&run, "issuing", SIGNER_CERT, buf_bytes(&body), &m);
	ck_assert_int_eq(m.rc, RC_TOOBIG);
	/* By memfd as well, and of a size that is parsed. */
	huge = BUF_INIT(TBS_CHECK_MAX_BYTES);
	buf_add(&huge, bytes_of(body.p, TBS_CHECK_MAX_BYTES));
	run_sign(&run, "issuing", SIGNER_CERT, buf_bytes(&huge), &m);
	ck_assert_int_eq(m.rc, RC_MALFORMED);
	buf_free(&huge);
	buf_free(&body);
}
END_TEST

START_TEST(signer_outlives_malformed_frames)
{
	static const uint8_t frame[] = { 0, 2, 0xff, 0xff, 0, 0, 0, 9, 1 };
	struct proto_signature m;
	struct peer second;
	int fd = fcntl(run.clients[1][0], F_DUPFD_CLOEXEC, 3);

	ck_assert_int_eq(send(run.clients[1][0], frame, sizeof(frame), 0),
	        sizeof(frame));
	ck_assert(run_logged(&run, "signer.client_lost"));
	/* The others are served, */
	sign_tbs("issuing", SIGNER_CERT, NULL, &m);
	ck_assert_int_eq(m.rc, RC_OK);
	/* and whoever inherits the pair is so again. */
	run_open_peer(&run, &second, fd);
	ck_assert_int_eq(run_ask(&run, &second, PROTO_STOP, BYTES_NONE)->type,
	        PROTO_SIGNATURE);
	run_close_peer(&second);
}
END_TEST

START_TEST(signer_survives_random_bodies)
{
	uint8_t junk[300];

	for (unsigned i = 0; i < 200; i++) {
		struct proto_signature m;
		const struct reply *reply;

		rand_fill(junk, sizeof(junk));
		reply = run_ask(
		        &run, &run.client, PROTO_SIGN, bytes_of(junk, i));
		ck_assert_int_eq(
		        proto_signature_unpack(&m, buf_bytes(&reply->body)),
		        RC_OK);
		ck_assert_int_eq(m.rc, RC_MALFORMED);
	}
	/* So many lines are not all written. */
	sleep(1);
	(void)run_ask(&run, &run.client, PROTO_STOP, BYTES_NONE);
	ck_assert(run_logged(&run, "signer.refused_more"));
}
END_TEST

/* --- the supervisor's side */

static enum rc control_rc(uint16_t type, struct bytes body)
{
	const struct reply *reply = run_ask(&run, &run.supervisor, type, body);
	struct proto_done done;

	ck_assert_int_eq(reply->type, PROTO_DONE);
	ck_assert_int_eq(
	        proto_done_unpack(&done, buf_bytes(&reply->body)), RC_OK);
	return done.rc;
}

static enum rc send_policy(
        uint64_t generation, const char *key, enum sig_alg alg)
{
	struct tbs_policy *p =
	        spec_policy("Issuing", alg_bytes(alg), clock_now_s());
	struct proto_policy_item item = { key, p };
	struct buf body = BUF_INIT(PROTO_POLICY_MAX_BYTES);
	enum rc rc;

	proto_policy_pack(&body, generation, &item, 1);
	rc = control_rc(PROTO_POLICY, buf_bytes(&body));
	tbs_policy_free(p);
	buf_free(&body);
	return rc;
}

static enum rc drop_policy(uint64_t generation)
{
	struct buf body = BUF_INIT(64);
	enum rc rc;

	proto_policy_drop_pack(&body, generation);
	rc = control_rc(PROTO_POLICY_DROP, buf_bytes(&body));
	buf_free(&body);
	return rc;
}

START_TEST(signer_keeps_the_old_policy_until_it_is_dropped)
{
	struct proto_signature m;
	struct buf none = BUF_INIT(64);

	proto_policy_pack(&none, 2, NULL, 0);
	ck_assert_int_eq(control_rc(PROTO_POLICY, buf_bytes(&none)), RC_OK);
	sign_tbs("issuing", SIGNER_CERT, NULL, &m);
	ck_assert_int_eq(m.rc, RC_OK);
	ck_assert_int_eq(drop_policy(1), RC_OK);
	sign_tbs("issuing", SIGNER_CERT, NULL, &m);
	ck_assert_int_eq(m.rc, RC_DENIED);
	ck_assert_int_eq(drop_policy(1), RC_NOTFOUND);
	ck_assert_int_eq(send_policy(2, "issuing", ALG_ECDSA_SHA256), RC_OK);
	sign_tbs("issuing", SIGNER_CERT, NULL, &m);
	ck_assert_int_eq(m.rc, RC_OK);
	buf_free(&none);
}
END_TEST

START_TEST(signer_takes_no_policy_that_does_not_fit_its_keys)
{
	struct proto_signature m;

	ck_assert_int_eq(
	        send_policy(2, "other", ALG_ECDSA_SHA256), RC_NOTFOUND);
	ck_assert_int_eq(
	        send_policy(2, "issuing", ALG_RSA_SHA256), RC_CONFLICT);
	ck_assert_int_eq(
	        control_rc(PROTO_POLICY, BYTES_LIT("?")), RC_MALFORMED);
	ck_assert_int_eq(control_rc(999, BYTES_NONE), RC_UNSUPPORTED);
	ck_assert_int_eq(drop_policy(2), RC_NOTFOUND);
	sign_tbs("issuing", SIGNER_CERT, NULL, &m);
	ck_assert_int_eq(m.rc, RC_OK);
}
END_TEST

static uint8_t made_spki[256];
static size_t made_spki_n;

static void for_made_key(struct tbs_spec *s)
{
	s->subject[0] = (struct spec_attr){ OID_CN, "Responder", false };
	s->n_subject = 1;
	s->n_san = 0;
	s->spki = bytes_of(made_spki, made_spki_n);
	s->not_after_s = s->not_before_s + SPEC_DAY_S;
	tbs_spec_ext(s, OID_EXT_KEY_USAGE, false, SPEC_EKU_OCSP);
}
static void for_another_key(struct tbs_spec *s)
{
	for_made_key(s);
	s->spki = spec_spki();
}

static void make_key(const char *name, struct proto_key *key)
{
	struct buf body = BUF_INIT(256);
	const struct reply *reply;

	proto_make_key_pack(&body, name, KEY_P256);
	reply = run_ask(
	        &run, &run.supervisor, PROTO_MAKE_KEY, buf_bytes(&body));
	ck_assert_int_eq(reply->type, PROTO_KEY);
	ck_assert_int_eq(proto_key_unpack(key, buf_bytes(&reply->body)), RC_OK);
	ck_assert_uint_le(key->spki.n, sizeof(made_spki));
	buf_free(&body);
}

START_TEST(signer_holds_the_keys_that_it_makes)
{
	struct proto_signature m;
	struct proto_key key;

	make_key("tls", &key);
	ck_assert_uint_gt(key.private_der.n, 0);
	memcpy(made_spki, key.spki.p, key.spki.n);
	made_spki_n = key.spki.n;
	sign_tbs("issuing", SIGNER_CERT, for_made_key, &m);
	ck_assert_msg(m.rc == RC_OK, "%s", m.why.text);
	sign_tbs("issuing", SIGNER_CERT, for_another_key, &m);
	ck_assert_int_eq(m.rc, RC_DENIED);
	/* The next key of that name takes its place. */
	make_key("tls", &key);
	sign_tbs("issuing", SIGNER_CERT, for_made_key, &m);
	ck_assert_int_eq(m.rc, RC_DENIED);
}
END_TEST

START_TEST(signer_makes_p256_keys_alone)
{
	struct buf body = BUF_INIT(256);

	proto_make_key_pack(&body, "tls", KEY_RSA);
	ck_assert_int_eq(
	        control_rc(PROTO_MAKE_KEY, buf_bytes(&body)), RC_UNSUPPORTED);
	buf_free(&body);
}
END_TEST

/* Reads all that still comes. */
static int run_out(void)
{
	int status;

	while (waitpid(run.pid, &status, WNOHANG) == 0)
		run_turn(&run);
	run.pid = 0;
	for (unsigned i = 0; i < 50; i++)
		run_turn(&run);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

START_TEST(signer_answers_what_it_has_before_it_stops)
{
	struct buf tbs, body = BUF_INIT(4096);
	struct ipc_msg stop = { .type = PROTO_STOP };
	const struct reply *reply;
	struct proto_signature m;

	run_tbs(&tbs, NULL);
	proto_sign_pack(&body, "issuing", SIGNER_CERT, buf_bytes(&tbs));
	for (uint64_t id = 1; id <= 64; id++) {
		struct ipc_msg msg = {
			.type = PROTO_SIGN, .id = id, .body = buf_bytes(&body)
		};

		ck_assert_int_eq(ipc_send(run.client.ipc, &msg), RC_OK);
	}
	/* They came in one packet: with one answered, all are in its hands. */
	while (run.client.n < 2)
		run_turn(&run);
	ck_assert_int_eq(ipc_send(run.supervisor.ipc, &stop), RC_OK);
	ck_assert_int_eq(run_out(), 0);
	for (uint64_t id = 1; id <= 64; id++) {
		reply = run_find(&run.client, id);
		ck_assert_ptr_nonnull(reply);
		ck_assert_int_eq(
		        proto_signature_unpack(&m, buf_bytes(&reply->body)),
		        RC_OK);
		ck_assert_int_eq(m.rc, RC_OK);
	}
	buf_free(&tbs);
	buf_free(&body);
}
END_TEST

START_TEST(signer_stops_on_sigterm)
{
	ck_assert_int_eq(kill(run.pid, SIGTERM), 0);
	ck_assert_int_eq(run_out(), 0);
}
END_TEST

/* --- starting */

START_TEST(signer_signs_with_every_type_of_key)
{
	static const struct {
		const char *name, *type;
		enum sig_alg alg;
	} rows[] = {
		{ "p384", "p384", ALG_ECDSA_SHA384 },
		{ "ed25519", "ed25519", ALG_ED25519 },
		{ "rsa", "rsa2048", ALG_RSA_SHA256 },
	};
	static const char *const args[] = { "--key=p384:p384.key",
		"--key=ed25519:ed25519.key", "--key=rsa:rsa.key", NULL };
	struct proto_signature m;
	struct tbs_spec s;

	run_open(&run);
	for (size_t i = 0; i < 3; i++)
		run_make_key(&run, rows[i].name, rows[i].type);
	run_start(&run, args);
	run_open_client(&run);
	for (size_t i = 0; i < 3; i++) {
		struct buf tbs = BUF_INIT(TBS_CHECK_MAX_BYTES);

		ck_assert_int_eq(
		        send_policy(i, rows[i].name, rows[i].alg), RC_OK);
		tbs_spec_init(&s, clock_now_s());
		s.sig_alg = alg_bytes(rows[i].alg);
		tbs_spec_build(&s, &tbs);
		/* Twice: contexts are used again. */
		for (int n = 0; n < 4; n++) {
			run_sign(&run, rows[i].name, SIGNER_CERT,
			        buf_bytes(&tbs), &m);
			ck_assert_msg(m.rc == RC_OK, "%s: %s", rows[i].name,
			        m.why.text);
			ck_assert_msg(run_verifies(run_spki(&run, rows[i].name),
			                      buf_bytes(&tbs), m.signature),
			        "%s", rows[i].name);
		}
		buf_free(&tbs);
	}
	run_close(&run);
}
END_TEST

/* Start it with these keys and read why it ended. */
static int start_status(const char *key, const char **text)
{
	char keys[32], control[32];
	const char *args[] = { "--serve", control, keys, key, NULL };
	int keys_fd = fcntl(run.dir_fd, F_DUPFD, 20);
	int control_fd = fcntl(run.control[1], F_DUPFD, 20);
	int status;

	(void)snprintf(keys, sizeof(keys), "--keys-fd=%d", keys_fd);
	(void)snprintf(control, sizeof(control), "--control-fd=%d", control_fd);
	status = run_to_end(args, text);
	close(keys_fd);
	close(control_fd);
	return status;
}

static void put_file(const char *name, const char *content, mode_t mode)
{
	int fd = openat(run.dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(
	        write(fd, content, strlen(content)), (ssize_t)strlen(content));
	ck_assert_int_eq(fchmod(fd, mode), 0);
	close(fd);
}

START_TEST(signer_reads_no_key_that_is_open_to_others)
{
	const char *text;

	run_open(&run);
	run_make_key(&run, "issuing", "p256");
	ck_assert_int_eq(fchmodat(run.dir_fd, "issuing.key", 0644, 0), 0);
	ck_assert_int_eq(start_status(one_key[0], &text), 5);
	ck_assert_msg(strstr(text, "mode 0644") != NULL, "%s", text);
	ck_assert_int_eq(fchmodat(run.dir_fd, "issuing.key", 0600, 0), 0);
	ck_assert_int_eq(symlinkat("issuing.key", run.dir_fd, "link.key"), 0);
	ck_assert_int_eq(start_status("--key=i:link.key", &text), 5);
	ck_assert_msg(strstr(text, "symbolic link") != NULL, "%s", text);
	ck_assert_int_eq(start_status("--key=i:none.key", &text), 3);
	ck_assert_int_eq(start_status("--key=i:../issuing.key", &text), 2);
	put_file("other.pem", "-----BEGIN NOTHING-----\n", 0600);
	ck_assert_int_eq(start_status("--key=i:other.pem", &text), 3);
	run_close(&run);
}
END_TEST

START_TEST(signer_says_that_a_passphrase_is_wrong)
{
	char path[128];
	const char *make[] = { "--ceremony", "make-key", "--out", path,
		"--type", "p256", "--passphrase-fd", "9", NULL };
	static const char *const good[] = { "--key=issuing:issuing.key:pass",
		NULL };
	const char *text;

	run_open(&run);
	(void)snprintf(path, sizeof(path), "%s/issuing.key", run.dir);
	ck_assert_int_eq(run_to_end_secret(make, "right\n", &text), 0);
	put_file("pass", "wrong\n", 0600);
	ck_assert_int_eq(start_status(good[0], &text), 4);
	ck_assert_msg(strstr(text, "wrong passphrase") != NULL, "%s", text);
	ck_assert_int_eq(start_status(one_key[0], &text), 4);
	ck_assert_msg(
	        strstr(text, "there is no passphrase") != NULL, "%s", text);
	put_file("pass", "right\n", 0644);
	ck_assert_int_eq(start_status(good[0], &text), 5);
	put_file("pass", "right\n", 0600);
	run_start(&run, good);
	ck_assert_uint_gt(run_spki(&run, "issuing").n, 0);
	run_close(&run);
}
END_TEST

START_TEST(signer_refuses_arguments_that_it_does_not_know)
{
	static const char *const rows[][6] = {
		{ "--serve", NULL },
		{ "--serve", "--control-fd=2", NULL },
		{ "--serve", "--control-fd=900", NULL },
		{ "--serve", "--control-fd=x", NULL },
		{ "--serve", "--wrong", NULL },
		{ "--ceremony", "bake", NULL },
		{ "--nothing", NULL },
		{ NULL },
	};
	const char *text;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		ck_assert_int_eq(run_to_end(rows[i], &text), 2);
}
END_TEST

TCase *test_signer_serve(void)
{
	TCase *t = tcase_create("serve");

	tcase_add_checked_fixture(t, open_one, close_one);
	tcase_add_test(t, signer_signs_what_the_policy_allows);
	tcase_add_test(t, signer_refuses_a_worker_that_was_taken_over);
	tcase_add_loop_test(
	        t, signer_signs_no_certification_request_while_serving, 0, 2);
	tcase_add_test(t, signer_refuses_unknown_keys_and_purposes);
	tcase_add_test(t, signer_refuses_control_messages_from_clients);
	tcase_add_test(t, signer_refuses_malformed_and_huge_requests);
	tcase_add_test(t, signer_outlives_malformed_frames);
	tcase_add_test(t, signer_survives_random_bodies);
	tcase_add_test(t, signer_keeps_the_old_policy_until_it_is_dropped);
	tcase_add_test(t, signer_takes_no_policy_that_does_not_fit_its_keys);
	tcase_add_test(t, signer_holds_the_keys_that_it_makes);
	tcase_add_test(t, signer_makes_p256_keys_alone);
	tcase_add_test(t, signer_answers_what_it_has_before_it_stops);
	tcase_add_test(t, signer_stops_on_sigterm);
	return t;
}

TCase *test_signer_serve_token(void)
{
	TCase *t = tcase_create("serve_token");

	tcase_add_checked_fixture(t, run_token_open, run_token_close);
	tcase_add_checked_fixture(t, open_one, close_one);
	tcase_add_test(t, signer_signs_what_the_policy_allows);
	tcase_add_test(t, signer_refuses_a_worker_that_was_taken_over);
	tcase_add_loop_test(
	        t, signer_signs_no_certification_request_while_serving, 0, 2);
	tcase_add_test(t, signer_refuses_unknown_keys_and_purposes);
	tcase_add_test(t, signer_refuses_control_messages_from_clients);
	tcase_add_test(t, signer_refuses_malformed_and_huge_requests);
	tcase_add_test(t, signer_takes_no_policy_that_does_not_fit_its_keys);
	tcase_add_test(t, signer_answers_what_it_has_before_it_stops);
	return t;
}

TCase *test_signer_start(void)
{
	TCase *t = tcase_create("start");

	tcase_add_test(t, signer_signs_with_every_type_of_key);
	tcase_add_test(t, signer_reads_no_key_that_is_open_to_others);
	tcase_add_test(t, signer_says_that_a_passphrase_is_wrong);
	tcase_add_test(t, signer_refuses_arguments_that_it_does_not_know);
	return t;
}
