#include "bench/signer_peer.h"

#include "base/ipc.h"
#include "bench/measure.h"
#include "ca/signer/proto.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGS_MAX 32

static void need(bool ok, const char *what)
{
	if (!ok)
		die("mica-signer: %s", what);
}

static double us_of(clockid_t clock)
{
	struct timespec t;

	need(clock_gettime(clock, &t) == 0, "CPU clock");
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

void peer_folder(char *dir)
{
	(void)snprintf(dir, 128, "/tmp/bench-signer-XXXXXX");
	need(mkdtemp(dir) != NULL, "folder");
}

static void child(
        struct signer_peer *p, const char *path, const char *const *key_args)
{
	const char *argv[ARGS_MAX] = { "mica-signer", "--serve",
		"--log-level=error" };
	char control[32], client[32], keys[32];
	int dir = open(path, O_RDONLY | O_DIRECTORY);
	unsigned n = 3;

	(void)snprintf(control, sizeof(control), "--control-fd=%d",
	        fcntl(p->control_fd, F_DUPFD, 20));
	(void)snprintf(client, sizeof(client), "--client-fd=%d",
	        fcntl(p->client_fd, F_DUPFD, 20));
	(void)snprintf(
	        keys, sizeof(keys), "--keys-fd=%d", fcntl(dir, F_DUPFD, 20));
	argv[n++] = control;
	argv[n++] = client;
	argv[n++] = keys;
	while (*key_args && n < ARGS_MAX - 1)
		argv[n++] = *key_args++;
	execv(MICA_SIGNER_PATH, (char **)(uintptr_t)argv);
	_exit(127);
}

static void on_keys(struct signer_peer *p, struct bytes body)
{
	struct proto_key_entry key;
	uint8_t *copy;
	size_t n;

	need(proto_key_list_unpack(&key, 1, &n, body) == RC_OK && n == 1,
	        "one key");
	copy = malloc(key.spki.n);
	need(copy != NULL, "memory");
	memcpy(copy, key.spki.p, key.spki.n);
	p->spki = bytes_of(copy, key.spki.n);
}

static void on_control(void *ctx, const struct ipc_msg *msg)
{
	struct signer_peer *p = ctx;
	struct proto_done done;

	if (msg->type == PROTO_KEY_LIST) {
		on_keys(p, msg->body);
	} else if (msg->type == PROTO_DONE) {
		need(proto_done_unpack(&done, msg->body) == RC_OK, "policy");
		need(!done.rc, done.why.text);
	} else {
		return;
	}
	p->ready = true;
}

static void on_dead(void *ctx, const struct why *why)
{
	(void)ctx;
	need(false, why->text);
}

static void tell(struct signer_peer *p, uint16_t type, struct bytes body)
{
	struct ipc_msg msg = { .type = type, .id = 1, .body = body };

	p->ready = false;
	need(ipc_send(p->control, &msg) == RC_OK, "control");
	while (!p->ready)
		loop_poll(p->loop);
}

void peer_policy(struct signer_peer *p, const struct tbs_policy *policy)
{
	struct proto_policy_item item = { PEER_KEY, policy };
	struct buf body = BUF_INIT(PROTO_POLICY_MAX_BYTES);

	proto_policy_pack(&body, 1, &item, 1);
	need(body.failed == RC_OK, "policy");
	tell(p, PROTO_POLICY, buf_bytes(&body));
	buf_free(&body);
}

void peer_begin(struct signer_peer *p, const char *dir,
        const char *const *key_args, const struct tbs_policy *policy)
{
	int control[2], client[2];

	*p = (struct signer_peer){ 0 };
	need(loop_new(&p->loop) == RC_OK && ipc_pair(control) == RC_OK &&
	                ipc_pair(client) == RC_OK,
	        "pairs");
	p->control_fd = control[1];
	p->client_fd = client[1];
	p->pid = fork();
	if (p->pid == 0)
		child(p, dir, key_args);
	need(ipc_new(&p->control, p->loop, control[0], on_control, on_dead,
	             p) == RC_OK,
	        "control");
	need(signer_client_new(&p->client, p->loop, client[0], NULL) == RC_OK,
	        "client");
	tell(p, PROTO_KEYS, BYTES_NONE);
	peer_policy(p, policy);
	need(clock_getcpuclockid(p->pid, &p->signer_clock) == 0, "CPU clock");
}

void peer_end(struct signer_peer *p)
{
	(void)kill(p->pid, SIGTERM);
	(void)waitpid(p->pid, NULL, 0);
	signer_client_free(p->client);
	ipc_free(p->control);
	(void)close(p->control_fd);
	(void)close(p->client_fd);
	loop_free(p->loop);
	free((void *)(uintptr_t)p->spki.p);
}

double peer_cpu_us(const struct signer_peer *p)
{
	return us_of(CLOCK_PROCESS_CPUTIME_ID) + us_of(p->signer_clock);
}

static void ask(struct signer_peer *p, struct signer_call *call)
{
	need(signer_sign(p->client, call) == RC_PENDING, "ask");
	p->left--;
	p->in_flight++;
}

static void on_done(struct signer_call *call)
{
	struct signer_peer *p = call->ctx;

	need(call->rc == RC_OK, call->why.text);
	p->in_flight--;
	if (p->left > 0)
		ask(p, call);
	else if (p->in_flight == 0)
		loop_stop(p->loop);
}

void peer_sign(struct signer_peer *p, unsigned in_flight, unsigned n,
        enum signer_purpose purpose, struct bytes tbs)
{
	p->left = n;
	for (unsigned i = 0; i < in_flight; i++) {
		p->calls[i] = (struct signer_call){ .key = PEER_KEY,
			.purpose = purpose,
			.tbs = tbs,
			.done = on_done,
			.ctx = p };
		ask(p, &p->calls[i]);
	}
	need(loop_run(p->loop) == RC_OK, "loop");
}
