/* cmd/mica_install.c - mica authority install: a certificate that was checked
 * takes its place, the one before is kept, and the daemon is told. */
#include "cmd/mica_install.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "ca/cert.h"
#include "ca/signer/transcript.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define RELOAD_WAIT_S 40 /* the old processes drain for 30 s */
#define RELOAD_TURN_MS 100
#define STAMP_BYTES 20
#define STAMP_TRIES 10

/* What was done to a file: previous is empty where there was none. */
struct placed {
	char path[CEREMONY_PATH_BYTES], fresh[CEREMONY_PATH_BYTES];
	char previous[CEREMONY_PATH_BYTES];
};

enum daemon { DAEMON_NONE, DAEMON_RELOADED, DAEMON_SILENT, DAEMON_REFUSED };

/* --- files */
static enum rc failed(const char *path, struct why *why)
{
	return why_set(why, errno == EEXIST ? RC_EXISTS : RC_IO, "%s: %s", path,
	        strerror(errno));
}

/* "20261122T100000Z": behind the names of what is kept. */
static void stamp(char out[STAMP_BYTES], int64_t time_s)
{
	time_t t = (time_t)time_s;
	struct tm tm;

	(void)gmtime_r(&t, &tm);
	(void)strftime(out, STAMP_BYTES, "%Y%m%dT%H%M%SZ", &tm);
}

/* PATH.STAMP, with a stamp that nothing has yet: two within a second are a
 * script's. */
static enum rc kept_name(
        const char *path, char out[CEREMONY_PATH_BYTES], struct why *why)
{
	int64_t now_s = clock_now_s();
	char when[STAMP_BYTES], transcript[CEREMONY_PATH_BYTES];

	for (int64_t i = 0; i < STAMP_TRIES; i++) {
		stamp(when, now_s + i);
		if (snprintf(out, CEREMONY_PATH_BYTES, "%s.%s", path, when) >=
		                CEREMONY_PATH_BYTES ||
		        snprintf(transcript, sizeof(transcript),
		                "%s.transcript",
		                out) >= (int)sizeof(transcript))
			return why_set(why, RC_TOOBIG, "%s: too long", path);
		if (access(out, F_OK) != 0 && access(transcript, F_OK) != 0)
			return RC_OK;
	}
	return why_set(why, RC_EXISTS, "%s: exists", out);
}

static enum rc write_file(
        const char *path, struct bytes content, struct why *why)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	bool good = fd >= 0 && fchmod(fd, 0644) == 0 &&
	        file_write_all(fd, content) && fsync(fd) == 0;

	if (fd >= 0 && close(fd) != 0)
		good = false;
	return good ? RC_OK : failed(path, why);
}

static void sync_folder_of(const char *path)
{
	char folder[CEREMONY_PATH_BYTES];
	const char *slash = strrchr(path, '/');
	int fd;

	(void)snprintf(folder, sizeof(folder), "%.*s",
	        slash != NULL ? (int)(slash - path) + 1 : 1,
	        slash != NULL ? path : ".");
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		(void)fsync(fd);
		close(fd);
	}
}

/* The new content beside the old. */
static enum rc prepare(struct placed *p, const char *path, struct bytes content,
        struct why *why)
{
	enum rc rc = kept_name(path, p->previous, why);

	if (rc != RC_OK)
		return rc;
	if (snprintf(p->path, sizeof(p->path), "%s", path) >=
	                (int)sizeof(p->path) ||
	        snprintf(p->fresh, sizeof(p->fresh), "%s.new", path) >=
	                (int)sizeof(p->fresh))
		return why_set(why, RC_TOOBIG, "%s: too long", path);
	(void)unlink(p->fresh); /* of an attempt that was cut off */
	return write_file(p->fresh, content, why);
}

/* At no time is there no file, or half of one. */
static enum rc settle(struct placed *p, struct why *why)
{
	if (link(p->path, p->previous) != 0) {
		if (errno != ENOENT)
			return failed(p->previous, why);
		p->previous[0] = '\0';
	}
	if (rename(p->fresh, p->path) != 0)
		return failed(p->path, why);
	sync_folder_of(p->path);
	return RC_OK;
}

static bool has_content(const char *path, struct bytes content)
{
	struct buf old = BUF_INIT(2 * PEM_DER_MAX_BYTES);
	bool same = file_read(&old, path, NULL) == RC_OK &&
	        bytes_eq(buf_bytes(&old), content);

	buf_free(&old);
	return same;
}

/* --- the key: a signature of it verifies by the certificate */
static enum rc check_key(
        const struct install *in, const char *cert, struct why *why)
{
	struct ceremony c;
	enum rc rc;

	ceremony_begin(&c, "check-key");
	ceremony_add(&c, "--cert", cert);
	rc = key_conf_add(&c, &in->conf.key, why);
	return rc == RC_OK ? ceremony_run(&c, why) : rc;
}

/* --- the daemon */
static pid_t supervisor_pid(const json_t *status)
{
	const json_t *list = json_object_get(status, "processes"), *row;
	size_t i;

	json_array_foreach(list, i, row)
	{
		if (strcmp(json_text(row, "name"), "supervisor") == 0)
			return (pid_t)json_integer_value(
			        json_object_get(row, "pid"));
	}
	return 0;
}

static bool in_force(const json_t *status, const char *name, const char *sha256)
{
	const json_t *list = json_object_get(status, "authorities"), *row;
	size_t i;

	json_array_foreach(list, i, row)
	{
		if (strcmp(json_text(row, "name"), name) == 0)
			return strcmp(json_text(row, "sha256"), sha256) == 0;
	}
	return false;
}

/* Until its new processes answer with the certificate, or too long. */
static enum daemon wait_for_it(
        struct cli *cli, const char *name, const char *sha256)
{
	const struct timespec turn = { 0, RELOAD_TURN_MS * 1000000L };
	int64_t end_us = clock_mono_us() + RELOAD_WAIT_S * INT64_C(1000000);

	while (clock_mono_us() < end_us) {
		json_t *status = api_ask(cli, "/v1/status");
		bool there = in_force(status, name, sha256);

		json_decref(status);
		if (there)
			return DAEMON_RELOADED;
		(void)nanosleep(&turn, NULL);
	}
	return DAEMON_SILENT;
}

static enum daemon tell_daemon(struct cli *cli, const struct install *in)
{
	json_t *status = api_ask(cli, "/v1/status");
	pid_t pid = supervisor_pid(status);
	enum daemon said = DAEMON_NONE;

	if (pid > 0)
		said = kill(pid, SIGHUP) == 0
		        ? wait_for_it(cli, in->name, in->sha256)
		        : DAEMON_REFUSED;
	json_decref(status);
	return said;
}

static const char *daemon_text(enum daemon said)
{
	switch (said) {
	case DAEMON_NONE:
		return "no daemon runs; it reads the certificate when it "
		       "starts";
	case DAEMON_RELOADED:
		return "has taken it up";
	case DAEMON_SILENT:
		return "was told and has not taken it up: see its log";
	case DAEMON_REFUSED:
		return "runs and could not be told: send it SIGHUP";
	}
	return "";
}

/* --- the two-person rule. The very first certificate has no daemon yet that
 * could keep a request; that of a further authority has. */
static bool nobody_to_ask(struct cli *cli, const struct install *in)
{
	json_t *status;
	bool none;

	if (access(in->conf.certificate, F_OK) == 0)
		return false;
	status = api_ask(cli, "/v1/status");
	none = status == NULL;
	json_decref(status);
	return none;
}

static enum cli_exit approve(struct cli *cli, const struct install *in)
{
	if (nobody_to_ask(cli, in))
		return CLI_OK;
	return cli_approve(cli, "authority.install", in->name,
	        json_pack("{s:s, s:s, s:s}", "subject", in->subject, "sha256",
	                in->sha256, "chain_sha256", in->chain_sha256));
}

/* --- what is left of it */
static void describe_placed(struct buf *t, const struct placed *p)
{
	transcript_line(t, "Installed as:", "%s", p->path);
	transcript_line(t, "The one before:", "%s",
	        p->previous[0] != '\0' ? p->previous : "there was none");
}

static enum rc write_transcript(const struct install *in,
        const struct placed *cert, const struct placed *chain, enum daemon said,
        const char *path, struct why *why)
{
	struct buf t = BUF_INIT(TRANSCRIPT_MAX_BYTES);
	struct cert c;
	enum rc rc;

	transcript_begin(&t, "mica",
	        "mica ceremony: an authority's certificate is installed");
	transcript_section(&t, "Authority");
	transcript_line(&t, "Name:", "%s", in->name);
	transcript_line(
	        &t, "Key:", "%s, %s", in->conf.key.name, in->conf.key.key);
	if (cert_parse(&c, buf_bytes(&in->given.der[0]), NULL) == RC_OK)
		transcript_key(&t, c.spki);
	describe_placed(&t, cert);
	if (in->new_chain)
		describe_placed(&t, chain);
	transcript_line(&t, "Checked:",
	        "a signature by the key; the chain up to the root; %s",
	        in->crl_path != NULL ? in->crl_path : "no CRL was there");
	transcript_line(&t, "Daemon:", "%s", daemon_text(said));
	transcript_cert(&t, "Certificate (DER; PEM below)",
	        buf_bytes(&in->given.der[0]));
	for (size_t i = 0; i < in->chain.n; i++)
		transcript_cert(&t, "Above it (DER; PEM below)",
		        buf_bytes(&in->chain.der[i]));
	rc = transcript_end(&t);
	if (rc == RC_OK)
		rc = write_file(path, buf_bytes(&t), why);
	buf_free(&t);
	return rc;
}

static enum rc transcript_path(const struct cli *cli, const struct install *in,
        char out[CEREMONY_PATH_BYTES], struct why *why)
{
	char base[CEREMONY_PATH_BYTES];
	enum rc rc = kept_name(in->conf.certificate, base, why);

	if (rc == RC_OK)
		rc = authority_transcript(cli, base, out, why);
	if (rc == RC_OK && access(out, F_OK) == 0)
		rc = why_set(why, RC_EXISTS, "%s: exists", out);
	return rc;
}

static void show(const struct install *in, const struct placed *cert,
        enum daemon said, const char *transcript)
{
	char when[TEXT_TIME_BYTES];

	printf("%s    %s, until %s\n", cert->path, in->subject,
	        text_time(when, in->not_after_s));
	if (cert->previous[0] != '\0')
		printf("%s    the one before\n", cert->previous);
	printf("%s    for the witnesses to sign\n", transcript);
	printf("daemon: %s\n", daemon_text(said));
}

/* --- all of it */
static void forget(const struct install *in, const struct placed *cert,
        const struct placed *chain)
{
	(void)unlink(cert->fresh);
	if (in->new_chain)
		(void)unlink(chain->fresh);
}

/* All that can be wrong is found while nothing has changed. */
static enum rc prepare_all(const struct install *in, struct placed *cert,
        struct placed *chain, struct why *why)
{
	enum rc rc = prepare(
	        cert, in->conf.certificate, buf_bytes(&in->cert_pem), why);

	if (rc == RC_OK)
		rc = check_key(in, cert->fresh, why);
	if (rc == RC_OK && in->new_chain)
		rc = prepare(
		        chain, in->conf.chain, buf_bytes(&in->chain_pem), why);
	if (rc != RC_OK)
		forget(in, cert, chain);
	return rc;
}

static enum rc settle_all(const struct install *in, struct placed *cert,
        struct placed *chain, struct why *why)
{
	enum rc rc = in->new_chain ? settle(chain, why) : RC_OK;

	return rc == RC_OK ? settle(cert, why) : rc;
}

static enum cli_exit install(struct cli *cli, struct install *in)
{
	static struct placed cert, chain;
	char transcript[CEREMONY_PATH_BYTES];
	struct why why = WHY_NONE;
	enum cli_exit status;
	enum daemon said;
	enum rc rc = install_read(in, cli, &why);

	if (rc == RC_OK)
		rc = install_check(in, cli, &why);
	if (rc == RC_OK && !in->new_chain &&
	        has_content(in->conf.certificate, buf_bytes(&in->cert_pem)))
		rc = why_set(&why, RC_EXISTS,
		        "%s: that certificate is installed already",
		        in->conf.certificate);
	if (rc == RC_OK)
		rc = transcript_path(cli, in, transcript, &why);
	if (rc == RC_OK)
		rc = prepare_all(in, &cert, &chain, &why);
	if (rc != RC_OK)
		return cli_fail(cli, rc, &why);
	status = approve(cli, in);
	if (status == CLI_OK) {
		rc = settle_all(in, &cert, &chain, &why);
		status = rc == RC_OK ? CLI_OK : cli_fail(cli, rc, &why);
	}
	if (status != CLI_OK) {
		forget(in, &cert, &chain);
		return status;
	}
	said = tell_daemon(cli, in);
	rc = write_transcript(in, &cert, &chain, said, transcript, &why);
	show(in, &cert, said, transcript);
	if (rc != RC_OK)
		return cli_fail(cli, rc, &why);
	return said == DAEMON_SILENT || said == DAEMON_REFUSED ? CLI_FAILED
	                                                       : CLI_OK;
}

enum cli_exit mica_authority_install(struct cli *cli)
{
	enum cli_exit status;
	struct install in;

	install_init(&in, cli->args[0]);
	status = install(cli, &in);
	install_free(&in);
	return status;
}
