/* One child process: start, notice its death, start it again. */
#include "base/clock.h"
#include "base/log.h"
#include "ca/signer/proto.h"
#include "cmd/supervisor.h"
#include "der/alg.h"
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

const char *process_name(const struct process *p, char out[24])
{
	static const char *const names[] = { "signer", "keeper", "worker" };

	if (p->kind == PROCESS_WORKER)
		snprintf(out, 24, "worker-%u", p->index + 1);
	else
		snprintf(out, 24, "%s", names[p->kind]);
	return out;
}

static void on_message(void *ctx, const struct ipc_msg *msg)
{
	struct process *p = ctx;

	if (p->kind == PROCESS_SIGNER)
		supervisor_signer_message(p->sup, msg);
	else
		generation_message(p->gen, p, msg);
}

/* The pair closes a moment before an ending process is reaped. One that goes on
 * has sent a frame that is none, and is not to be trusted any more. */
static void on_dead(void *ctx, const struct why *why)
{
	struct process *p = ctx;
	char name[24];

	log_event(LOG_INFO, "process.silent", "process", process_name(p, name),
	        "why", why->text, NULL);
	if (p->pid > 0 && !p->leaving && !p->sup->stopping)
		kill(p->pid, SIGKILL);
}

static void signer_fds(
        const struct process *p, int control, int fds[], unsigned *n)
{
	const struct supervisor *s = p->sup;
	unsigned k = 0;

	fds[k++] = control;
	fds[k++] = s->keys_fd;
	fds[k++] = s->metrics_fd;
	for (unsigned set = 0; set < 2; set++)
		for (unsigned i = 0; i < s->n_pairs; i++)
			fds[k++] = s->pairs[set][i][1];
	for (unsigned i = 0; i < s->n_pin_fds; i++)
		fds[k++] = s->pin_fds[i];
	*n = k;
}

static void child_fd_list(
        const struct process *p, int control, int fds[], unsigned *n)
{
	const struct supervisor *s = p->sup;
	const struct generation *g = p->gen;
	bool keeper = p->kind == PROCESS_KEEPER;
	unsigned w = p->index;

#define FD(which) fds[CHILD_FD_##which - CHILD_FIRST_FD]
	FD(CONTROL) = control;
	FD(BUNDLE) = g->bundle_fd;
	FD(METRICS) = s->metrics_fd;
	FD(SHARED) = s->shared_fd;
	FD(SIGNER) = s->pairs[g->set][keeper ? 0 : w + 1][0];
	FD(STORE) = s->store_fd;
	FD(EST) = keeper || g->est.n == 0 ? -1 : g->est.fds[w];
	FD(HTTP) = keeper || g->http.n == 0 ? -1 : g->http.fds[w];
	FD(TLS) = keeper ? -1 : g->tls_fd;
	FD(ADMIN) = keeper ? g->admin_fd : -1;
	FD(PROMETHEUS) = keeper ? g->prometheus_fd : -1;
	FD(PUBLISH) = keeper ? s->publish_fd : -1;
#undef FD
	*n = CHILD_FD_END - CHILD_FIRST_FD;
}

#define ENV_MAX 128

/* The words of a child's argv, kept while it is spawned. */
#define WORDS_A_KEY 8
#define WORDS_MAX (CHILD_FDS_MAX + WORDS_A_KEY * CONF_ENTRIES_MAX)
struct words {
	char *argv[WORDS_MAX + 1];
	unsigned n;
	bool failed;
};

static void word(struct words *w, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void word(struct words *w, const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	if (w->n == WORDS_MAX || vasprintf(&text, fmt, ap) < 0)
		w->failed = true;
	else
		w->argv[w->n++] = text;
	va_end(ap);
}

static void words_free(struct words *w)
{
	for (unsigned i = 0; w != NULL && i < w->n; i++)
		free(w->argv[i]);
	free(w);
}

bool process_pin_is_credential(const struct conf_key *k)
{
	return k->pin != NULL &&
	        strncmp(k->pin, CONF_CREDENTIAL_PREFIX,
	                sizeof(CONF_CREDENTIAL_PREFIX) - 1) == 0;
}

static void public_word(
        struct words *w, const struct generation *g, const char *name)
{
	struct buf text = BUF_INIT(2 * SPKI_RSA_MAX_BYTES + 1024);

	key_public(&text, g->conf, buf_bytes(&g->signer_keys), name);
	if (text.n > 0 && buf_cstr(&text) != NULL)
		word(w, "--public=%s", buf_cstr(&text));
	buf_free(&text);
}

/* *fd is the next of the PINs' descriptors. */
static void key_words(struct words *w, const struct generation *g,
        const struct conf_key *k, int *fd)
{
	const char *locked = k->passphrase_file;

	if (k->uri == NULL) {
		word(w, "--key=%s:%s%s%s", k->name, k->file,
		        locked != NULL ? ":" : "",
		        locked != NULL ? locked : "");
	} else {
		word(w, "--token-key=%s", k->name);
		word(w, "--uri=%s", k->uri);
		word(w, "--module=%s", k->module);
		word(w, "--sessions=%u", (unsigned)k->sessions);
		public_word(w, g, k->name);
		if (process_pin_is_credential(k))
			word(w, "--pin-fd=%d", (*fd)++);
		else if (k->pin != NULL)
			word(w, "--pin-file=%s", k->pin);
	}
	if (k->padding == CONF_PADDING_PSS)
		word(w, "--pss");
}

/* What modules are told by the environment; nothing else of ours is theirs. A
 * name that ends with `_` stands for all that begin so. */
static const char *const signer_names[] = { "ASAN_OPTIONS",
	"ChrystokiConfigurationPath", "CKNFAST_", "CS_PKCS11_R2_CFG",
	"DBUS_SYSTEM_BUS_ADDRESS", "HOME", "LSAN_OPTIONS", "MICA_", "NFAST_",
	"PCSCLITE_", "SOFTHSM2_CONF", "TPM2_PKCS11_", "TSS2_", "TZ",
	"UBSAN_OPTIONS", "YUBIHSM_PKCS11_" };

static bool is_signers(const char *variable)
{
	for (size_t i = 0; i < sizeof(signer_names) / sizeof(char *); i++) {
		size_t n = strlen(signer_names[i]);

		if (strncmp(variable, signer_names[i], n) == 0 &&
		        (signer_names[i][n - 1] == '_' || variable[n] == '='))
			return true;
	}
	return false;
}

static void signer_env(const char **out, size_t max)
{
	size_t n = 0;

	for (char **v = environ; *v != NULL && n + 1 < max; v++)
		if (is_signers(*v))
			out[n++] = *v;
	out[n] = NULL;
}

/* mica-signer(8) has the options. */
static void signer_words(const struct process *p, struct words *w)
{
	static const char *const levels[] = { "error", "warn", "notice", "info",
		"debug" };
	const struct supervisor *s = p->sup;
	const struct conf *c = s->now->conf;
	int fd = CHILD_FIRST_FD;

	word(w, "mica-signer");
	word(w, "--serve");
	word(w, "--control-fd=%d", fd++);
	word(w, "--keys-fd=%d", fd++);
	word(w, "--metrics-fd=%d", fd++);
	word(w, "--metrics-row=%u", p->row);
	for (unsigned i = 0; i < 2 * s->n_pairs; i++)
		word(w, "--%s-fd=%d", i % s->n_pairs == 0 ? "keeper" : "client",
		        fd++);
	for (size_t i = 0; i < c->n_keys; i++)
		key_words(w, s->now, &c->keys[i], &fd);
	if (c->listen.est_key != NULL)
		word(w, "--listener-key=%s", c->listen.est_key);
	word(w, "--log-level=%s", levels[c->log_level]);
	word(w, "--log-form=%s", c->log_form == LOG_JSON ? "json" : "text");
}

static void child_words(const struct process *p, struct words *w)
{
	bool keeper = p->kind == PROCESS_KEEPER;

	word(w, "micad");
	word(w, "--role=%s", keeper ? "keeper" : "worker");
	word(w, "--index=%u", p->index);
	word(w, "--row=%u", p->row);
	word(w, "--workers=%u", p->gen->n_workers);
	word(w, "--parent=%u", (unsigned)getpid());
	if (keeper && !p->sup->store_known)
		word(w, "--daemon-start");
	if (p->sup->root)
		word(w, "--own-uid");
	if (p->gen->est_off)
		word(w, "--no-est");
}

static enum rc spawn(struct process *p, int control, struct why *why)
{
	struct supervisor *s = p->sup;
	bool signer = p->kind == PROCESS_SIGNER;
	struct words *w = calloc(1, sizeof(*w));
	int fds[CHILD_FDS_MAX];
	const char *env[ENV_MAX];
	struct child_spec spec = { .become = s->root, .fds = fds };
	enum rc rc;

	if (w == NULL)
		return RC_NOMEM;
	if (signer) {
		signer_fds(p, control, fds, &spec.n_fds);
		signer_words(p, w);
		signer_env(env, ENV_MAX);
		spec.env = env;
	} else {
		child_fd_list(p, control, fds, &spec.n_fds);
		child_words(p, w);
	}
	spec.argv = (const char *const *)w->argv;
	spec.exe_fd = signer ? s->signer_exe_fd : s->exe_fd;
	spec.uid = signer ? s->signer_uid : s->uid;
	spec.gid = signer ? s->signer_gid : s->gid;
	rc = w->failed ? why_set(why, RC_NOMEM, "out of memory")
	               : child_spawn(&p->pid, &spec, why);
	words_free(w);
	return rc;
}

enum rc process_start(struct process *p, struct why *why)
{
	int pair[2] = { -1, -1 };
	enum rc rc;
	char name[24];
	struct log_num pid;

	p->ready = p->leaving = p->stays_down = p->held_up = false;
	p->slot = 0;
	ipc_free(p->control);
	p->control = NULL;
	rc = ipc_pair(pair);
	if (rc != RC_OK)
		return why_set(why, rc, "socketpair: %s", strerror(errno));
	rc = ipc_new(
	        &p->control, p->sup->loop, pair[0], on_message, on_dead, p);
	if (rc != RC_OK) {
		close(pair[0]);
		close(pair[1]);
		return why_set(why, rc, "out of memory");
	}
	rc = spawn(p, pair[1], why);
	close(pair[1]);
	if (rc != RC_OK)
		return rc;
	if (p->kind != PROCESS_SIGNER)
		p->sup->store_known = true;
	if (p->kind == PROCESS_WORKER) {
		responders_tell_worker(p);
		ras_tell_worker(p);
		published_tell_worker(p);
	}
	log_event(LOG_INFO, "process.start", "process", process_name(p, name),
	        "pid", log_i64(&pid, p->pid), NULL);
	return RC_OK;
}

/* Deaths within the window, this one counted. */
static unsigned recent_deaths(struct process *p)
{
	int64_t now = clock_mono_us();
	unsigned n = 0;

	memmove(p->deaths_us + 1, p->deaths_us,
	        (DEATHS_MAX - 1) * sizeof(p->deaths_us[0]));
	p->deaths_us[0] = now;
	while (n < DEATHS_MAX && p->deaths_us[n] != 0 &&
	        now - p->deaths_us[n] < DEATHS_WINDOW_S * 1000000LL)
		n++;
	return n;
}

static void again(void *ctx)
{
	struct process *p = ctx;
	struct why why = WHY_NONE;
	char name[24];

	if (p->pid != 0 || p->leaving || p->sup->stopping)
		return;
	if (p->kind == PROCESS_WORKER &&
	        generation_open_ports(p->gen, p->index, &why) != RC_OK)
		goto failed;
	if (process_start(p, &why) == RC_OK)
		return;
failed:
	log_event(LOG_ERROR, "process.start_failed", "process",
	        process_name(p, name), "why", why.text, NULL);
	loop_timer_set_ms(p->again, BACKOFF_FIRST_MS);
}

static void start_again(struct process *p)
{
	unsigned deaths = recent_deaths(p);
	struct why why = WHY_NONE;

	p->restarts++;
	metric_add(p->sup->metrics, METRIC_PROCESS_RESTARTS, 1);
	if (p->again == NULL &&
	        loop_timer_new(&p->again, p->sup->loop, again, p) != RC_OK) {
		supervisor_fail(p->sup, "process", "out of memory");
		return;
	}
	if (deaths < DEATHS_MAX) {
		p->backoff_ms = BACKOFF_FIRST_MS;
		if (process_start(p, &why) != RC_OK)
			loop_timer_set_ms(p->again, BACKOFF_FIRST_MS);
		return;
	}
	if (p->kind == PROCESS_WORKER)
		generation_close_ports(p->gen, p->index);
	loop_timer_set_ms(p->again, p->backoff_ms);
	p->backoff_ms *= 2;
	if (p->backoff_ms > BACKOFF_MAX_MS)
		p->backoff_ms = BACKOFF_MAX_MS;
}

static void log_death(const struct process *p, int status)
{
	char name[24];
	struct log_num pid, how;
	bool clean =
	        p->leaving && WIFEXITED(status) && WEXITSTATUS(status) == 0;

	log_event(clean ? LOG_INFO : LOG_WARN, "process.end", "process",
	        process_name(p, name), "pid", log_i64(&pid, p->pid),
	        WIFSIGNALED(status) ? "signal" : "status",
	        log_i64(&how,
	                WIFSIGNALED(status) ? WTERMSIG(status)
	                                    : WEXITSTATUS(status)),
	        NULL);
}

/* Each start would try the PIN again, until the token locks it. */
static void stay_down(struct process *p)
{
	char name[24];

	p->stays_down = true;
	log_event(LOG_ERROR, "process.stays_down", "process",
	        process_name(p, name), "why", "a token refused its PIN", "what",
	        "mend that, then send SIGHUP", NULL);
}

void process_try_again(struct process *p)
{
	if (p->stays_down)
		start_again(p);
}

void process_died(struct process *p, int status)
{
	bool was_up = p->ready || p->restarts > 0 || p->held_up;
	bool pin_refused = p->kind == PROCESS_SIGNER && WIFEXITED(status) &&
	        WEXITSTATUS(status) == SIGNER_EXIT_PIN;

	log_death(p, status);
	p->pid = 0;
	p->ready = false;
	ipc_free(p->control);
	p->control = NULL;
	supervisor_process_down(p->sup, p);
	if (p->leaving || p->sup->stopping)
		return;
	if (was_up && pin_refused)
		stay_down(p);
	else if (was_up)
		start_again(p);
	else
		supervisor_start_failed(p->sup, p);
	/* Ours too: whoever starts us again starts it. */
	if (!was_up && pin_refused)
		p->sup->exit_status = SIGNER_EXIT_PIN;
}

enum rc process_send(struct process *p, uint16_t type, struct bytes body)
{
	struct ipc_msg msg = { .type = type, .body = body };

	return p->control == NULL ? RC_CLOSED : ipc_send(p->control, &msg);
}

void process_leave(struct process *p)
{
	uint16_t type = p->kind == PROCESS_SIGNER ? PROTO_STOP : CONTROL_DRAIN;

	p->leaving = true;
	if (p->again != NULL)
		loop_timer_cancel(p->again);
	if (p->pid > 0 && process_send(p, type, BYTES_NONE) != RC_OK)
		kill(p->pid, SIGTERM);
}

void process_kill(struct process *p)
{
	p->leaving = true;
	if (p->pid > 0)
		kill(p->pid, SIGKILL);
}

void process_close(struct process *p)
{
	loop_timer_free(p->again);
	p->again = NULL;
	ipc_free(p->control);
	p->control = NULL;
}
