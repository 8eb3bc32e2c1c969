#include "tests/unit/signer_run.h"
#include "base/clock.h"
#include "der/alg.h"
#include "tests/unit/softhsm.h"
#include <check.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECRET_FD 9
#define ARGS_MAX 64
#define WORD_BYTES 128
#define TEXT_MAX_BYTES 8192

/* Of this process, which a fixture shares with one test alone. */
static struct softhsm token;
static bool in_token;

const char *run_program(void)
{
	return MICA_SIGNER_PATH;
}

static void exec_with(const char *const *args)
{
	const char *argv[ARGS_MAX] = { run_program() };

	for (size_t i = 0; args[i] && i + 2 < ARGS_MAX; i++)
		argv[i + 1] = args[i];
	execv(argv[0], (char *const *)(uintptr_t)argv);
	_exit(127);
}

int run_to_end_secret(
        const char *const *args, const char *secret, const char **text)
{
	static char out[TEXT_MAX_BYTES];
	int err[2], in[2], status;
	size_t n = 0;
	ssize_t got;
	pid_t pid;

	ck_assert_int_eq(pipe2(err, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(in, O_CLOEXEC), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		if (dup2(err[1], 2) < 0 ||
		        (secret && dup2(in[0], SECRET_FD) < 0))
			_exit(126);
		exec_with(args);
	}
	close(err[1]);
	close(in[0]);
	if (secret)
		ck_assert_int_eq(write(in[1], secret, strlen(secret)),
		        (ssize_t)strlen(secret));
	close(in[1]);
	while (n < sizeof(out) - 1 &&
	        (got = read(err[0], out + n, sizeof(out) - 1 - n)) > 0)
		n += (size_t)got;
	out[n] = '\0';
	close(err[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status), "%s", out);
	if (text)
		*text = out;
	return WEXITSTATUS(status);
}

int run_to_end(const char *const *args, const char **text)
{
	return run_to_end_secret(args, NULL, text);
}

void run_open(struct signer_run *r)
{
	static const char pattern[] = "/tmp/mica-signer-test-XXXXXX";

	memset(r, 0, sizeof(*r));
	memcpy(r->dir, pattern, sizeof(pattern));
	ck_assert_ptr_nonnull(mkdtemp(r->dir));
	r->dir_fd = open(r->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r->log_fd = openat(r->dir_fd, "log",
	        O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	ck_assert_int_ge(r->log_fd, 0);
	ck_assert_int_eq(loop_new(&r->loop), RC_OK);
	ck_assert_int_eq(ipc_pair(r->control), RC_OK);
	for (unsigned i = 0; i < RUN_CLIENTS; i++)
		ck_assert_int_eq(ipc_pair(r->clients[i]), RC_OK);
	run_open_peer(r, &r->supervisor, r->control[0]);
	r->next_id = 1;
}

/* --- keys in a token */

void run_token_open(void)
{
	softhsm_open(&token);
	in_token = true;
}

void run_token_close(void)
{
	in_token = false;
	softhsm_close(&token);
}

static void make_token_key(const char *name, const char *type)
{
	static const char *const types[][2] = { { "p256", "EC:secp256r1" },
		{ "p384", "EC:secp384r1" }, { "ed25519", "EC:edwards25519" },
		{ "rsa2048", "rsa:2048" } };
	static char last_id = '0';
	const char id[] = { '0', ++last_id, '\0' };

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (strcmp(types[i][0], type) == 0)
			softhsm_key(&token, types[i][1], name, id);
}

/* --key=NAME:FILE, or what else it is, as words; how many. A word that is made
 * here stands in room. */
static size_t key_words(struct signer_run *r, const char *arg,
        const char **words, char room[2][WORD_BYTES])
{
	static const char head[] = "--key=";
	const char *name = arg + sizeof(head) - 1;
	int n = (int)strcspn(name, ":");
	int fd;

	words[0] = arg;
	if (!in_token || strncmp(arg, head, sizeof(head) - 1) != 0)
		return 1;
	fd = openat(r->dir_fd, "pin", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (write(fd, SOFTHSM_PIN, sizeof(SOFTHSM_PIN) - 1) < 0)
		_exit(126);
	(void)close(fd);
	(void)snprintf(room[0], WORD_BYTES, "--token-key=%.*s", n, name);
	(void)snprintf(room[1], WORD_BYTES,
	        "--uri=pkcs11:token=mica;object=%.*s", n, name);
	words[0] = room[0];
	words[1] = room[1];
	words[2] = "--module=" SOFTHSM_MODULE;
	words[3] = "--pin-file=pin";
	words[4] = "--sessions=2";
	return 5;
}

void run_make_key(struct signer_run *r, const char *name, const char *type)
{
	char path[128];
	const char *args[] = { "--ceremony", "make-key", "--out", path,
		"--type", type, NULL };
	const char *text;

	if (in_token) {
		make_token_key(name, type);
		return;
	}
	(void)snprintf(path, sizeof(path), "%s/%s.key", r->dir, name);
	ck_assert_msg(run_to_end(args, &text) == 0, "%s", text);
}

/* An inherited copy of fd, at a number above those in use. */
static void give(char *arg, size_t size, const char *option, int fd)
{
	int copy = fcntl(fd, F_DUPFD, 20);

	(void)snprintf(arg, size, "--%s=%d", option, copy);
}

static void child(struct signer_run *r)
{
	char control[32], client[RUN_CLIENTS][32], keys[32];
	char room[ARGS_MAX][2][WORD_BYTES];
	const char *args[ARGS_MAX] = { "--serve", "--threads=2", control,
		keys };
	size_t n = 4;

	if (dup2(r->log_fd, 2) < 0)
		_exit(126);
	give(control, sizeof(control), "control-fd", r->control[1]);
	give(keys, sizeof(keys), "keys-fd", r->dir_fd);
	for (unsigned i = 0; i < RUN_CLIENTS; i++) {
		give(client[i], sizeof(client[i]),
		        i == RUN_KEEPER ? "keeper-fd" : "client-fd",
		        r->clients[i][1]);
		args[n++] = client[i];
	}
	for (size_t i = 0; r->key_args[i]; i++)
		n += key_words(r, r->key_args[i], &args[n], room[i]);
	exec_with(args);
}

static size_t hellos(const struct peer *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++)
		n += p->replies[i].type == PROTO_HELLO;
	return n;
}

void run_start(struct signer_run *r, const char *const *key_args)
{
	size_t before = hellos(&r->supervisor);
	int64_t end_us = clock_mono_us() + RUN_WAIT_MS * 1000;

	r->key_args = key_args;
	r->pid = fork();
	ck_assert_int_ge(r->pid, 0);
	if (r->pid == 0)
		child(r);
	while (hellos(&r->supervisor) == before && clock_mono_us() < end_us)
		run_turn(r);
	ck_assert_uint_gt(hellos(&r->supervisor), before);
}

void run_policy(struct signer_run *r, uint64_t generation)
{
	struct tbs_policy *p = spec_policy(
	        "Issuing", alg_bytes(ALG_ECDSA_SHA256), clock_now_s());
	struct proto_policy_item item = { "issuing", p };
	struct buf body = BUF_INIT(PROTO_POLICY_MAX_BYTES);
	const struct reply *reply;
	struct proto_done done;

	ck_assert_ptr_nonnull(p);
	proto_policy_pack(&body, generation, &item, 1);
	ck_assert_int_eq(body.failed, RC_OK);
	reply = run_ask(r, &r->supervisor, PROTO_POLICY, buf_bytes(&body));
	ck_assert_int_eq(reply->type, PROTO_DONE);
	ck_assert_int_eq(
	        proto_done_unpack(&done, buf_bytes(&reply->body)), RC_OK);
	ck_assert_msg(done.rc == RC_OK, "%s", done.why.text);
	tbs_policy_free(p);
	buf_free(&body);
}

void run_kill(struct signer_run *r)
{
	int status;

	ck_assert_int_eq(kill(r->pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(r->pid, &status, 0), r->pid);
	r->pid = 0;
}

static void remove_dir(struct signer_run *r)
{
	static const char *const names[] = { "log", "issuing.key", "p384.key",
		"ed25519.key", "rsa.key", "root.key", "root.pem", "issuing.pem",
		"other.pem", "list", "pass", "link.key", "new.key", "new.pem",
		"cross.pem", "pin" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		(void)unlinkat(r->dir_fd, names[i], 0);
	ck_assert_int_eq(rmdir(r->dir), 0);
}

void run_close(struct signer_run *r)
{
	if (r->pid)
		run_kill(r);
	run_close_peer(&r->supervisor);
	run_close_peer(&r->client);
	close(r->control[1]);
	for (unsigned i = 0; i < RUN_CLIENTS; i++) {
		if (r->clients[i][0] >= 0)
			close(r->clients[i][0]);
		close(r->clients[i][1]);
	}
	remove_dir(r);
	close(r->dir_fd);
	close(r->log_fd);
	loop_free(r->loop);
}

/* --- by hand */

static void on_message(void *ctx, const struct ipc_msg *msg)
{
	struct peer *p = ctx;
	struct reply *reply = &p->replies[p->n];

	ck_assert_uint_lt(p->n, RUN_REPLIES_MAX);
	ck_assert_uint_eq(msg->n_fds, 0);
	*reply = (struct reply){ msg->type, msg->id,
		BUF_INIT(IPC_BODY_MAX_BYTES) };
	buf_add(&reply->body, msg->body);
	p->n++;
}

static void on_dead(void *ctx, const struct why *why)
{
	struct peer *p = ctx;

	(void)why;
	p->dead = true;
}

void run_open_peer(struct signer_run *r, struct peer *p, int fd)
{
	*p = (struct peer){ 0 };
	p->replies = calloc(RUN_REPLIES_MAX, sizeof(*p->replies));
	ck_assert_ptr_nonnull(p->replies);
	ck_assert_int_eq(
	        ipc_new(&p->ipc, r->loop, fd, on_message, on_dead, p), RC_OK);
}

void run_close_peer(struct peer *p)
{
	for (size_t i = 0; i < p->n; i++)
		buf_free(&p->replies[i].body);
	free(p->replies);
	ipc_free(p->ipc);
	*p = (struct peer){ 0 };
}

void run_open_client(struct signer_run *r)
{
	run_open_peer(r, &r->client, r->clients[0][0]);
	r->clients[0][0] = -1;
}

void run_turn(struct signer_run *r)
{
	loop_poll(r->loop);
	(void)usleep(200);
}

const struct reply *run_find(const struct peer *p, uint64_t id)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->replies[i].id == id && p->replies[i].type != PROTO_HELLO)
			return &p->replies[i];
	return NULL;
}

const struct reply *run_ask(
        struct signer_run *r, struct peer *p, uint16_t type, struct bytes body)
{
	struct ipc_msg msg = { .type = type, .id = r->next_id++, .body = body };
	int64_t end_us = clock_mono_us() + RUN_WAIT_MS * 1000;
	const struct reply *reply;

	ck_assert_int_eq(ipc_send(p->ipc, &msg), RC_OK);
	do {
		run_turn(r);
		reply = run_find(p, msg.id);
	} while (!reply && clock_mono_us() < end_us);
	ck_assert_msg(reply != NULL, "no answer to message type %u", type);
	return reply;
}

void run_sign(struct signer_run *r, const char *key, uint32_t purpose,
        struct bytes tbs, struct proto_signature *out)
{
	struct buf body = BUF_INIT(IPC_BODY_MAX_BYTES);
	const struct reply *reply;

	proto_sign_pack(&body, key, (enum signer_purpose)purpose, tbs);
	reply = run_ask(r, &r->client, PROTO_SIGN, buf_bytes(&body));
	ck_assert_int_eq(reply->type, PROTO_SIGNATURE);
	ck_assert_int_eq(
	        proto_signature_unpack(out, buf_bytes(&reply->body)), RC_OK);
	buf_free(&body);
}

bool run_logged(struct signer_run *r, const char *text)
{
	static char log[1u << 20];
	int64_t end_us = clock_mono_us() + 2000000;
	ssize_t n;

	do {
		n = pread(r->log_fd, log, sizeof(log) - 1, 0);
		log[n > 0 ? n : 0] = '\0';
		if (strstr(log, text))
			return true;
		run_turn(r);
	} while (clock_mono_us() < end_us);
	return false;
}

struct bytes run_spki(struct signer_run *r, const char *key)
{
	static struct proto_key_entry keys[PROTO_KEYS_MAX];
	const struct reply *reply =
	        run_ask(r, &r->supervisor, PROTO_KEYS, BYTES_NONE);
	size_t n;

	ck_assert_int_eq(reply->type, PROTO_KEY_LIST);
	ck_assert_int_eq(proto_key_list_unpack(keys, PROTO_KEYS_MAX, &n,
	                         buf_bytes(&reply->body)),
	        RC_OK);
	for (size_t i = 0; i < n; i++)
		if (strcmp(keys[i].name, key) == 0)
			return keys[i].spki;
	return BYTES_NONE;
}

void run_tbs(struct buf *out, void (*change)(struct tbs_spec *s))
{
	struct tbs_spec s;

	tbs_spec_init(&s, clock_now_s());
	if (change)
		change(&s);
	*out = BUF_INIT(4 * TBS_CHECK_MAX_BYTES);
	tbs_spec_build(&s, out);
	ck_assert_int_eq(out->failed, RC_OK);
}

bool run_verifies(struct bytes spki, struct bytes tbs, struct bytes signature)
{
	const unsigned char *p = spki.p;
	EVP_PKEY *key = d2i_PUBKEY(NULL, &p, (long)spki.n);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	const EVP_MD *md = EVP_sha256();
	bool ok;

	ck_assert_ptr_nonnull(key);
	if (EVP_PKEY_get_id(key) == EVP_PKEY_ED25519)
		md = NULL;
	else if (EVP_PKEY_get_bits(key) == 384)
		md = EVP_sha384();
	ok = EVP_DigestVerifyInit(ctx, NULL, md, NULL, key) == 1 &&
	        EVP_DigestVerify(ctx, signature.p, signature.n, tbs.p, tbs.n) ==
	                1;
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return ok;
}
