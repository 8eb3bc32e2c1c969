/* ca/signer/main.c - mica-signer's arguments. */
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/sandbox.h"
#include "base/text.h"
#include "ca/signer/ceremony.h"
#include "ca/signer/secret_file.h"
#include "ca/signer/serve.h"

#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char usage[] =
        "usage: mica-signer --serve --control-fd=N\n"
        "           --keeper-fd=N ... --client-fd=N ...\n"
        "           --keys-fd=N --key=NAME:FILE[:PASSPHRASE-FILE] ...\n"
        "           --token-key=NAME --uri=URI --module=PATH\n"
        "           [--pin-file=FILE|--pin-fd=N] [--sessions=N]\n"
        "           [--public=BASE64] ...\n"
        "           [--pss] [--listener-key=FILE]\n"
        "           [--uid=N --gid=N] [--threads=N]\n"
        "           [--metrics-fd=N --metrics-row=N]\n"
        "           [--log-level=LEVEL] [--log-form=text|json]\n"
        "       mica-signer --ceremony "
        "make-key|create-key|root|authority|crl|\n"
        "           request|sign|check-key OPTION ...\n"
        "mica-signer(8) says what each means.\n";

enum option_id {
	OPT_SERVE = 256,
	OPT_CONTROL_FD,
	OPT_CLIENT_FD,
	OPT_KEEPER_FD,
	OPT_KEYS_FD,
	OPT_KEY,
	OPT_TOKEN_KEY,
	OPT_URI,
	OPT_MODULE,
	OPT_PIN_FILE,
	OPT_PIN_FD,
	OPT_PUBLIC,
	OPT_SESSIONS,
	OPT_PSS,
	OPT_LISTENER_KEY,
	OPT_UID,
	OPT_GID,
	OPT_THREADS,
	OPT_METRICS_FD,
	OPT_METRICS_ROW,
	OPT_LOG_LEVEL,
	OPT_LOG_FORM,
};

static const struct option options[] = {
	{ "serve", no_argument, NULL, OPT_SERVE },
	{ "control-fd", required_argument, NULL, OPT_CONTROL_FD },
	{ "client-fd", required_argument, NULL, OPT_CLIENT_FD },
	{ "keeper-fd", required_argument, NULL, OPT_KEEPER_FD },
	{ "keys-fd", required_argument, NULL, OPT_KEYS_FD },
	{ "key", required_argument, NULL, OPT_KEY },
	{ "token-key", required_argument, NULL, OPT_TOKEN_KEY },
	{ "uri", required_argument, NULL, OPT_URI },
	{ "module", required_argument, NULL, OPT_MODULE },
	{ "pin-file", required_argument, NULL, OPT_PIN_FILE },
	{ "pin-fd", required_argument, NULL, OPT_PIN_FD },
	{ "public", required_argument, NULL, OPT_PUBLIC },
	{ "sessions", required_argument, NULL, OPT_SESSIONS },
	{ "pss", no_argument, NULL, OPT_PSS },
	{ "listener-key", required_argument, NULL, OPT_LISTENER_KEY },
	{ "uid", required_argument, NULL, OPT_UID },
	{ "gid", required_argument, NULL, OPT_GID },
	{ "threads", required_argument, NULL, OPT_THREADS },
	{ "metrics-fd", required_argument, NULL, OPT_METRICS_FD },
	{ "metrics-row", required_argument, NULL, OPT_METRICS_ROW },
	{ "log-level", required_argument, NULL, OPT_LOG_LEVEL },
	{ "log-form", required_argument, NULL, OPT_LOG_FORM },
	{ NULL, 0, NULL, 0 },
};

static bool number(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
	return !text_u64(bytes_str(text), max, out) && *out >= min;
}

/* A descriptor that we were really given; the first three are not ours. */
static bool descriptor(const char *text, int *out)
{
	uint64_t n;

	if (!number(text, 3, INT_MAX, &n) || fcntl((int)n, F_GETFD) < 0)
		return false;
	*out = (int)n;
	return fcntl(*out, F_SETFD, FD_CLOEXEC) == 0;
}

static bool add_client(struct serve_opts *o, bool keeper, const char *text)
{
	if (o->n_clients == SERVE_CLIENTS_MAX)
		return false;
	o->keepers[o->n_clients] = keeper;
	return descriptor(text, &o->client_fds[o->n_clients++]);
}

static bool add_key(struct serve_opts *o, char *text)
{
	struct serve_key *k = &o->keys[o->n_keys];
	char *file = strchr(text, ':');
	char *passphrase;

	if (!file || o->n_keys == PROTO_KEYS_MAX)
		return false;
	*file++ = '\0';
	passphrase = strchr(file, ':');
	if (passphrase)
		*passphrase++ = '\0';
	*k = (struct serve_key){ .name = text,
		.file = file,
		.passphrase_file = passphrase,
		.pin_fd = -1 };
	o->n_keys++;
	return proto_name_ok(k->name) && secret_file_name_ok(k->file) &&
	        (!k->passphrase_file ||
	                secret_file_name_ok(k->passphrase_file));
}

static bool add_token_key(struct serve_opts *o, const char *name)
{
	if (o->n_keys == PROTO_KEYS_MAX)
		return false;
	o->keys[o->n_keys++] = (struct serve_key){ .name = name,
		.uri = "",
		.module = "",
		.pin_fd = -1,
		.sessions = SERVE_SESSIONS };
	return proto_name_ok(name);
}

/* What is said of the last --token-key. */
static bool token_option(struct serve_opts *o, int id, const char *text)
{
	struct serve_key *k = o->n_keys > 0 ? &o->keys[o->n_keys - 1] : NULL;
	uint64_t n = 0;

	if (!k || !k->uri)
		return false;
	switch (id) {
	case OPT_URI:
		k->uri = text;
		return true;
	case OPT_MODULE:
		k->module = text;
		return true;
	case OPT_PUBLIC:
		k->spki = text;
		return true;
	case OPT_PIN_FILE:
		k->pin_file = text;
		return secret_file_name_ok(text);
	case OPT_PIN_FD:
		return k->pin_fd < 0 && descriptor(text, &k->pin_fd);
	default:
		if (!number(text, 1, VAULT_SESSIONS_MAX, &n))
			return false;
		k->sessions = (unsigned)n;
		return true;
	}
}

static bool use_pss(struct serve_opts *o)
{
	if (o->n_keys == 0)
		return false;
	o->keys[o->n_keys - 1].pss = true;
	return true;
}

static bool word(const char *text, const char *const *words, int *out)
{
	for (int i = 0; words[i]; i++) {
		if (strcmp(words[i], text) == 0) {
			*out = i;
			return true;
		}
	}
	return false;
}

static bool log_option(struct serve_opts *o, int id, const char *text)
{
	static const char *const levels[] = { "error", "warn", "notice", "info",
		"debug", NULL };
	static const char *const forms[] = { "text", "json", NULL };
	int i;

	if (!word(text, id == OPT_LOG_LEVEL ? levels : forms, &i))
		return false;
	if (id == OPT_LOG_LEVEL)
		o->log_level = (enum log_level)i;
	else
		o->log_form = (enum log_form)i;
	return true;
}

/* Which of the two were given: uid and gid come together. */
struct ids {
	bool uid, gid;
};

static bool apply(struct serve_opts *o, struct ids *ids, int id, char *text)
{
	uint64_t n = 0;

	switch (id) {
	case OPT_SERVE:
		return true;
	case OPT_CONTROL_FD:
		return o->control_fd < 0 && descriptor(text, &o->control_fd);
	case OPT_CLIENT_FD:
	case OPT_KEEPER_FD:
		return add_client(o, id == OPT_KEEPER_FD, text);
	case OPT_KEYS_FD:
		return o->keys_fd < 0 && descriptor(text, &o->keys_fd);
	case OPT_KEY:
		return add_key(o, text);
	case OPT_TOKEN_KEY:
		return add_token_key(o, text);
	case OPT_URI:
	case OPT_MODULE:
	case OPT_PIN_FILE:
	case OPT_PIN_FD:
	case OPT_PUBLIC:
	case OPT_SESSIONS:
		return token_option(o, id, text);
	case OPT_PSS:
		return use_pss(o);
	case OPT_LISTENER_KEY:
		o->listener = (struct serve_key){
			.name = "listener", .file = text, .pin_fd = -1
		};
		return secret_file_name_ok(text);
	case OPT_UID:
		ids->uid = number(text, 0, UINT32_MAX - 1, &n);
		o->uid = (uid_t)n;
		return ids->uid;
	case OPT_GID:
		ids->gid = number(text, 0, UINT32_MAX - 1, &n);
		o->gid = (gid_t)n;
		return ids->gid;
	case OPT_THREADS:
		if (!number(text, 1, POOL_THREADS_MAX, &n))
			return false;
		o->threads = (unsigned)n;
		return true;
	case OPT_METRICS_FD:
		return o->metrics_fd < 0 && descriptor(text, &o->metrics_fd);
	case OPT_METRICS_ROW:
		if (!number(text, 0, METRICS_PROCESSES_MAX - 1, &n))
			return false;
		o->metrics_row = (unsigned)n;
		return true;
	case OPT_LOG_LEVEL:
	case OPT_LOG_FORM:
		return log_option(o, id, text);
	}
	return false;
}

static unsigned cores(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1                   ? 1
	        : n > POOL_THREADS_MAX ? POOL_THREADS_MAX
	                               : (unsigned)n;
}

static bool same_fd_twice(const struct serve_opts *o)
{
	for (unsigned i = 0; i < o->n_clients; i++) {
		if (o->client_fds[i] == o->control_fd)
			return true;
		for (unsigned j = 0; j < i; j++)
			if (o->client_fds[i] == o->client_fds[j])
				return true;
	}
	return false;
}

static bool parse(struct serve_opts *o, int argc, char **argv)
{
	struct ids ids = { false, false };
	int id;

	*o = (struct serve_opts){ .control_fd = -1,
		.keys_fd = -1,
		.metrics_fd = -1,
		.threads = cores(),
		.log_level = LOG_NOTICE };
	opterr = 0;
	while ((id = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (!apply(o, &ids, id, optarg))
			return false;
	o->has_ids = ids.uid;
	return optind == argc && o->control_fd >= 0 && ids.uid == ids.gid &&
	        ((o->n_keys == 0 && o->listener.file == NULL) ||
	                o->keys_fd >= 0) &&
	        !same_fd_twice(o);
}

static enum signer_exit serve_main(int argc, char **argv, pid_t parent)
{
	struct serve_opts o;

	if (!parse(&o, argc, argv)) {
		(void)fputs(usage, stderr);
		return SIGNER_EXIT_USAGE;
	}
	log_open("signer", o.log_level, o.log_form);
	return serve(&o, parent);
}

int main(int argc, char **argv)
{
	pid_t parent = getppid();

	clock_init();
	sandbox_undumpable();
	(void)umask(077);
	(void)signal(SIGPIPE, SIG_IGN);
	if (argc >= 2 && strcmp(argv[1], "--serve") == 0) {
		/* A terminal's interrupt goes to all of its processes, but
		 * the supervisor says when. */
		(void)signal(SIGINT, SIG_IGN);
		return (int)serve_main(argc, argv, parent);
	}
	if (argc >= 3 && strcmp(argv[1], "--ceremony") == 0)
		return (int)ceremony(argc - 2, argv + 2);
	(void)fputs(usage, stderr);
	return SIGNER_EXIT_USAGE;
}
