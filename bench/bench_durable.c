/* durable - issue.durable: certificates through the real mica-signer and a
 * real store, IN-FLIGHT at a time, from the CSR's DER to the record's callback.
 *
 *   durable MICA-SIGNER FOLDER IN-FLIGHT SECONDS
 *
 * FOLDER has mica.yaml with the authority `factory` and the profile `sensor`,
 * and its key as keys/factory.key; the store is made in FOLDER/store. Prints
 *   us=CPU-TIME-AN-OPERATION rate=A-SECOND p50_ms= p99_ms= commit_p50_us=
 *   commit_p99_us= batch=OPERATIONS-A-COMMIT
 * The CPU time is this process's and the signer's. */
#include "bench/measure.h"
#include "base/clock.h"
#include "base/ipc.h"
#include "base/rand.h"
#include "base/text.h"
#include "ca/grant_make.h"
#include "ca/issuer.h"
#include "ca/policy.h"
#include "ca/signer/proto.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define CSRS 1024
#define WARM_US 500000
#define GRANT_LIFE_US 30000000

struct durable;
struct slot {
	struct durable *d;
	double since_us;
};

struct durable {
	const char *folder;
	struct loop *loop;
	struct conf *conf;
	struct metrics *metrics;
	struct store *store;
	struct authorities *authorities;
	struct profiles *profiles;
	struct policy_set *policy;
	struct ipc *control;
	struct signer_client *signer;
	struct issuer *issuer;
	struct pubkey_ctx *keys;
	struct slot *slots;
	size_t in_flight;
	struct {
		uint8_t *der;
		size_t n;
		uint8_t spki_hash[STORE_HASH_BYTES];
	} csrs[CSRS];
	uint32_t run;
	size_t begun;
	bool measuring, stopping;
	size_t done; /* while measuring */
	size_t took_max;
	double *took_us;
	struct measure_pids pids; /* this process and the signer */
};

static void must(enum rc rc, const struct why *why, const char *what)
{
	if (rc != RC_OK)
		die("durable: %s: %s %s", what, rc_info(rc)->name,
		        why != NULL ? why->text : "");
}

/* --- requests */
static void make_csr(struct durable *d, size_t i)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509_REQ *csr = X509_REQ_new();
	uint8_t *spki = NULL;
	int n;

	if (key == NULL || csr == NULL || X509_REQ_set_pubkey(csr, key) != 1 ||
	        X509_REQ_sign(csr, key, EVP_sha256()) <= 0)
		die("durable: cannot make requests");
	n = i2d_X509_REQ(csr, &d->csrs[i].der);
	d->csrs[i].n = (size_t)n;
	n = i2d_PUBKEY(key, &spki);
	if (n <= 0 ||
	        EVP_Digest(spki, (size_t)n, d->csrs[i].spki_hash, NULL,
	                EVP_sha256(), NULL) != 1)
		die("durable: cannot make requests");
	OPENSSL_free(spki);
	X509_REQ_free(csr);
	EVP_PKEY_free(key);
}

static void begin(struct slot *s);

static void on_issued(void *ctx, const struct issued *result)
{
	struct slot *s = ctx;
	struct durable *d = s->d;

	must(result->rc, &result->why, "issue");
	if (d->measuring && d->done < d->took_max)
		d->took_us[d->done] = mono_us() - s->since_us;
	if (d->measuring)
		d->done++;
	if (!d->stopping)
		begin(s);
	else if (issuer_pending(d->issuer) <= 1)
		loop_stop(d->loop);
}

/* Each is the first certificate of a new device, as an operator asks for it:
 * T1 makes the device's record too. */
static void begin(struct slot *s)
{
	struct durable *d = s->d;
	const struct authority *a = authorities_at(d->authorities, 0);
	size_t i = d->begun++ % CSRS;
	char device[64];
	struct grant_spec spec = { .device = device,
		.authority = a,
		.profile = conf_profile(d->conf, "sensor"),
		.credential = { .kind = CREDENTIAL_OPERATOR },
		.requester = "operator bench",
		.deadline_us = clock_now_us() + GRANT_LIFE_US,
		.authority_version = a->version };
	struct grant *grant;
	struct csr *csr;
	struct why why;

	s->since_us = mono_us();
	(void)snprintf(
	        device, sizeof(device), "meter-%08x-%zu", d->run, d->begun);
	must(csr_parse(&csr, d->keys, bytes_of(d->csrs[i].der, d->csrs[i].n),
	             &why),
	        &why, "request");
	memcpy(spec.spki_hash, d->csrs[i].spki_hash, sizeof(spec.spki_hash));
	must(grant_make(&grant, &spec, &why), &why, "grant");
	issuer_issue(d->issuer, grant, csr, on_issued, s);
	csr_free(csr);
}

/* --- the signer */
static void on_control(void *ctx, const struct ipc_msg *msg)
{
	struct durable *d = ctx;
	struct proto_done done;
	struct buf b = BUF_INIT(PROTO_POLICY_MAX_BYTES);
	struct ipc_msg policy = { .type = PROTO_POLICY, .id = 1 };
	const struct proto_policy_item *items;
	size_t n;

	if (msg->type == PROTO_HELLO) {
		items = policy_items(d->policy, &n);
		proto_policy_pack(&b, 1, items, n);
		policy.body = buf_bytes(&b);
		must(ipc_send(d->control, &policy), NULL, "policy");
	} else if (msg->type == PROTO_DONE) {
		must(proto_done_unpack(&done, msg->body), NULL, "answer");
		must(done.rc, &done.why, "policy");
		loop_stop(d->loop);
	}
	buf_free(&b);
}

static void on_control_dead(void *ctx, const struct why *why)
{
	(void)ctx;
	die("durable: the signer is gone: %s", why->text);
}

static void give(int from, int to)
{
	if (dup2(from, to) < 0)
		die("durable: dup2");
}

static void start_signer(struct durable *d, const char *program)
{
	int control[2], client[2], keys;
	char path[1024];
	pid_t pid;

	(void)snprintf(path, sizeof(path), "%s/keys", d->folder);
	keys = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (keys < 0 || ipc_pair(control) != RC_OK || ipc_pair(client) != RC_OK)
		die("durable: %s", path);
	pid = fork();
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		give(control[1], 60);
		give(client[1], 61);
		give(keys, 62);
		(void)execl(program, "mica-signer", "--serve",
		        "--control-fd=60", "--client-fd=61", "--keys-fd=62",
		        "--key=factory:factory.key", (char *)NULL);
		die("durable: %s", program);
	}
	(void)close(control[1]);
	(void)close(client[1]);
	(void)close(keys);
	d->pids = (struct measure_pids){ { getpid(), pid }, 2 };
	must(ipc_new(&d->control, d->loop, control[0], on_control,
	             on_control_dead, d),
	        NULL, "control");
	must(signer_client_new(&d->signer, d->loop, client[0], d->metrics),
	        NULL, "signer");
	must(loop_run(d->loop), NULL, "loop");
}

/* --- the store and what stands on it */
static void on_entered(struct store_op *op)
{
	struct durable *d = op->ctx;

	must(op->rc, &op->why, "authority");
	loop_stop(d->loop);
}

static void open_store(struct durable *d)
{
	char path[1024];
	struct store_opts o = { .path = path,
		.size_bytes = d->conf->store.size_bytes,
		.create = true,
		.backdate_us = INT64_C(300000000),
		.metrics = d->metrics };
	struct why why = WHY_NONE;

	(void)snprintf(path, sizeof(path), "%s/store", d->folder);
	(void)mkdir(path, 0700);
	must(store_open(&d->store, &o, d->loop, &why), &why, path);
}

static void enter_authority(struct durable *d)
{
	const struct authority *a = authorities_at(d->authorities, 0);
	struct store_authority_put put = {
		.op = { .done = on_entered, .ctx = d, .actor = "bench" },
		.der = a->der,
	};

	(void)snprintf(put.authority.name, sizeof(put.authority.name), "%s",
	        a->conf->name);
	memcpy(put.authority.cert_hash, a->cert_hash, STORE_HASH_BYTES);
	if (store_authority_put(d->store, &put) != RC_PENDING)
		die("durable: authority: %s", put.op.why.text);
	must(loop_run(d->loop), NULL, "loop");
}

static void open_all(struct durable *d, const char *signer)
{
	static struct conf_errors errors;
	struct issuer_opts io = { .retry_window_us = INT64_C(3600000000) };
	char path[1024];
	struct why why = WHY_NONE;
	int fd = metrics_create();

	(void)snprintf(path, sizeof(path), "%s/mica.yaml", d->folder);
	if (conf_load_file(&d->conf, path, &errors) != RC_OK)
		die("%s:%u: %s: %s", path, errors.list[0].line,
		        errors.list[0].path, errors.list[0].text);
	must(loop_new(&d->loop), NULL, "loop");
	must(metrics_map(&d->metrics, fd, 0), NULL, "metrics");
	open_store(d);
	must(authorities_new(&d->authorities, d->conf, &why), &why, "CA");
	enter_authority(d);
	must(authorities_resolve(d->authorities, d->store, &why), &why, "CA");
	must(profiles_new(&d->profiles, d->conf, d->authorities, &why), &why,
	        "profiles");
	must(policy_compile(
	             &d->policy, d->conf, d->authorities, d->profiles, &why),
	        &why, "policy");
	must(pubkey_ctx_new(&d->keys), NULL, "keys");
	start_signer(d, signer);
	io.loop = d->loop;
	io.store = d->store;
	io.signer = d->signer;
	io.profiles = d->profiles;
	io.metrics = d->metrics;
	must(issuer_new(&d->issuer, &io), NULL, "issuer");
}

static void close_all(struct durable *d)
{
	issuer_free(d->issuer);
	signer_client_free(d->signer);
	ipc_free(d->control);
	(void)kill((pid_t)d->pids.pid[1], SIGTERM);
	(void)waitpid((pid_t)d->pids.pid[1], NULL, 0);
	pubkey_ctx_free(d->keys);
	policy_free(d->policy);
	profiles_free(d->profiles);
	authorities_free(d->authorities);
	store_close(d->store);
	metrics_unmap(d->metrics);
	loop_free(d->loop);
	conf_free(d->conf);
}

/* --- the measure */
static void on_timer(void *ctx)
{
	loop_stop(((struct durable *)ctx)->loop);
}

static void run_for(struct durable *d, int64_t us)
{
	struct loop_timer *t;

	must(loop_timer_new(&t, d->loop, on_timer, d), NULL, "timer");
	loop_timer_set_ms(t, us / 1000);
	must(loop_run(d->loop), NULL, "loop");
	loop_timer_free(t);
}

/* The histogram's bounds are powers of two: the one that q of all is under. */
static double commit_us(struct durable *d, double q)
{
	const struct bytes head =
	        BYTES_LIT("mica_store_commit_seconds_bucket{le=\"");
	double want =
	        q * (double)metric_total(d->metrics, METRIC_STORE_COMMIT_US);
	struct buf b = BUF_INIT(1u << 20);
	struct bytes rest, line, part;
	uint64_t s = 0, us = 0, n = 0;

	metrics_render(d->metrics, &b);
	rest = buf_bytes(&b);
	while (bytes_cut(rest, '\n', &line, &rest) && (double)n < want) {
		if (!bytes_starts(line, head))
			continue;
		(void)bytes_cut(bytes_skip(line, head.n), '.', &part, &line);
		if (text_u64(part, 3600, &s) != RC_OK)
			break; /* +Inf */
		(void)bytes_cut(line, '"', &part, &line);
		if (text_u64(part, 999999, &us) != RC_OK ||
		        text_u64(bytes_skip(line, 2), UINT64_MAX, &n) != RC_OK)
			die("durable: the metrics look different now");
	}
	buf_free(&b);
	return (double)s * 1e6 + (double)us;
}

static void measure(struct durable *d, int64_t us)
{
	double commits = (double)metric_total(d->metrics, METRIC_STORE_COMMITS);
	double ops = (double)metric_total(d->metrics, METRIC_STORE_COMMIT_OPS);
	double cpu = pids_cpu_us(&d->pids), since = mono_us(), n;

	d->measuring = true;
	run_for(d, us);
	d->measuring = false;
	n = (double)d->done;
	since = mono_us() - since;
	cpu = pids_cpu_us(&d->pids) - cpu;
	commits = (double)metric_total(d->metrics, METRIC_STORE_COMMITS) -
	        commits;
	ops = (double)metric_total(d->metrics, METRIC_STORE_COMMIT_OPS) - ops;
	(void)printf("us=%.1f rate=%.0f p50_ms=%.2f p99_ms=%.2f "
	             "commit_p50_us=%.0f commit_p99_us=%.0f batch=%.0f\n",
	        cpu / n, n * 1e6 / since,
	        quantile(d->took_us, d->done, 0.5) / 1e3,
	        quantile(d->took_us, d->done, 0.99) / 1e3, commit_us(d, 0.5),
	        commit_us(d, 0.99), ops / commits);
}

int main(int argc, char **argv)
{
	struct durable d = { .took_max = 1u << 20 };

	if (argc != 5)
		die("usage: durable MICA-SIGNER FOLDER IN-FLIGHT SECONDS");
	d.folder = argv[2];
	d.in_flight = (size_t)number_arg(argv[3], 1, 4096);
	d.took_us = calloc(d.took_max, sizeof(*d.took_us));
	d.slots = calloc(d.in_flight, sizeof(*d.slots));
	if (d.took_us == NULL || d.slots == NULL)
		die("durable: out of memory");
	rand_fill(&d.run, sizeof(d.run));
	for (size_t i = 0; i < CSRS; i++)
		make_csr(&d, i);
	open_all(&d, argv[1]);
	for (size_t i = 0; i < d.in_flight; i++) {
		d.slots[i].d = &d;
		begin(&d.slots[i]);
	}
	run_for(&d, WARM_US);
	measure(&d, number_arg(argv[4], 1, 60) * 1000000);
	d.stopping = true;
	must(loop_run(d.loop), NULL, "loop");
	close_all(&d);
	return 0;
}
