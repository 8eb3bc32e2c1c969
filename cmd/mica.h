/* cmd/mica.h - the admin command: its options, its table of commands, and what
 * they share. One process, one command, then it ends: memory that it holds to
 * its end is not given back. */
#ifndef MICA_CMD_MICA_H
#define MICA_CMD_MICA_H

#include "base/buf.h"
#include "base/why.h"
#include <jansson.h>
#include <stdio.h>

#define CLI_VALUES_MAX 32 /* of one option */
#define CLI_ARGS_MAX 10   /* words beside options */

/* mica(1) has them, too. */
enum cli_exit {
	CLI_OK = 0,
	CLI_FAILED = 1, /* refused, or it did not work */
	CLI_USAGE = 2,
	CLI_NO_DAEMON = 3,
	CLI_WAITS = 4, /* until another operator approves */
	CLI_BAD = 5,   /* what was to be verified is not good */
};

enum cli_option {
	OPT_CONFIG,
	OPT_SOCKET,
	OPT_JSON,
	OPT_HELP,
	OPT_VERSION,
	/* of some commands */
	OPT_AT,
	OPT_AUTHORITY,
	OPT_CA,
	OPT_CA_ISSUERS_URL,
	OPT_CRL,
	OPT_CRL_URL,
	OPT_CSR,
	OPT_CURSOR,
	OPT_DECRYPT,
	OPT_DEVICE,
	OPT_DIGEST,
	OPT_DNS,
	OPT_DRY_RUN,
	OPT_EMAIL,
	OPT_EST,
	OPT_EST_NAME,
	OPT_EXPIRES_WITHIN,
	OPT_FILE,
	OPT_FORCE,
	OPT_FROM,
	OPT_HSM,
	OPT_HTTP,
	OPT_INVALID_SINCE,
	OPT_IP,
	OPT_KEY,
	OPT_LIFE,
	OPT_MAX,
	OPT_METRICS,
	OPT_MODULE,
	OPT_NAME,
	OPT_NOTE,
	OPT_NOW,
	OPT_OUT,
	OPT_PATH_LENGTH,
	OPT_PEM,
	OPT_PIN_FILE,
	OPT_PROFILE,
	OPT_REASON,
	OPT_REVOKE,
	OPT_REVOKED,
	OPT_ROOT,
	OPT_ROOT_HSM,
	OPT_ROOT_PASSPHRASE_FILE,
	OPT_SERIAL,
	OPT_STATE,
	OPT_STORE,
	OPT_SUBJECT,
	OPT_TO,
	OPT_TOKEN,
	OPT_TRANSCRIPT,
	OPT_TYPE,
	OPT_URI,
	OPT_VALIDITY,
	OPT_VERIFY,
	OPT_YES,
	OPT_COUNT
};

struct cli_values {
	const char *v[CLI_VALUES_MAX];
	size_t n;
};

struct cli {
	const struct cli_command *command;
	const char *config; /* --config, $MICA_CONFIG or the default */
	bool config_given;  /* not the default */
	bool json;
	struct cli_values option[OPT_COUNT];
	const char *args[CLI_ARGS_MAX];
	size_t n_args;
};

typedef enum cli_exit cli_fn(struct cli *cli);

struct cli_command {
	const char *group; /* "device" */
	const char *verb;  /* "add"; NULL: the group is all */
	const char *usage; /* what stands behind */
	const char *help;
	uint64_t options; /* 1 << enum cli_option */
	size_t args_min, args_max;
	cli_fn *run;
};

cli_fn mica_init;
cli_fn mica_status;
cli_fn mica_device_add, mica_device_list, mica_device_show;
cli_fn mica_device_suspend, mica_device_resume;
cli_fn mica_token_create;
cli_fn mica_cert_issue, mica_cert_list, mica_cert_show;
cli_fn mica_revoke, mica_hold, mica_release;
cli_fn mica_authority_list, mica_authority_plan;
cli_fn mica_authority_revoke, mica_authority_roll;
cli_fn mica_key_create;
cli_fn mica_request_list, mica_request_show;
cli_fn mica_request_approve, mica_request_deny;
cli_fn mica_approval_list, mica_approval_show;
cli_fn mica_approval_approve, mica_approval_deny;
cli_fn mica_authority_crl, mica_authority_install, mica_authority_request;
cli_fn mica_authority_root, mica_authority_sign;
cli_fn mica_crl_show, mica_crl_generate;
cli_fn mica_sign, mica_code_list;
cli_fn mica_store_check, mica_store_floor;
cli_fn mica_audit_list, mica_audit_export, mica_audit_verify;

/* --- mica.c */
/* The option's first value; NULL: not given. */
const char *cli_value(const struct cli *cli, enum cli_option o);
const char *cli_value_or(
        const struct cli *cli, enum cli_option o, const char *fallback);
bool cli_given(const struct cli *cli, enum cli_option o);
/* Say what is wrong with the command line. */
enum cli_exit cli_usage(const struct cli *cli, const char *fmt, ...)
        PRINTF_LIKE(2, 3);
/* Say why it did not work: text on standard error, or with --json the same
 * object as the API's on standard output. */
enum cli_exit cli_fail(
        const struct cli *cli, enum rc rc, const struct why *why);

/* --- mica_target.c */
#define TARGET_PATH_MAX 4096
struct target {
	const char *path; /* NULL: standard output */
	bool replace;
	char part[TARGET_PATH_MAX];
	FILE *f; /* to be written to */
};
/* Before anything is done for it, so that a folder we may not write to costs
 * nothing. Errors: RC_EXISTS (and replace is off) RC_TOOBIG RC_IO. */
MUST_CHECK enum rc target_open(
        struct target *t, const char *path, bool replace, struct why *why);
/* What was written stays, readable to all. Errors: RC_EXISTS RC_IO. */
MUST_CHECK enum rc target_keep(struct target *t, struct why *why);
void target_drop(struct target *t);

/* --- mica_verify.c */
enum cli_exit mica_verify(struct cli *cli);

/* --- mica_sign.c */
/* The digest of a file ("-": standard input), read once from end to end, and
 * how long it is. name: "SHA256". Errors: RC_IO RC_UNSUPPORTED RC_NOMEM. */
#define FILE_DIGEST_MAX_BYTES 64
struct file_digest {
	uint8_t b[FILE_DIGEST_MAX_BYTES];
	size_t n;
	uint64_t size;
};
MUST_CHECK enum rc file_digest(struct file_digest *out, const char *path,
        const char *name, struct why *why);

/* --- mica_cert.c */
/* The serial number of a certificate in PEM, appended in hexadecimal.
 * Errors: RC_IO RC_MALFORMED RC_TOOBIG. */
MUST_CHECK enum rc cert_file_serial(
        const char *path, struct buf *out, struct why *why);

/* --- mica_config.c */
/* A path that the configuration names ("admin.socket"), or its default; read
 * without judging the rest, so that an operator who may not read what else is
 * named there, or who is amid a change, still reaches the daemon.
 * Errors: RC_IO RC_TOOBIG RC_NOMEM. */
MUST_CHECK enum rc config_path(const struct cli *cli, const char *option,
        struct buf *out, struct why *why);

/* A value that is no path, as it stands there ("approvals"), or its default. */
MUST_CHECK enum rc config_text(const struct cli *cli, const char *option,
        struct buf *out, struct why *why);

/* What the schema says of an option that does not stand in the file. */
const char *config_fallback(const char *option);
/* --- mica_approval.c */
/* Before a command does by itself what the two-person rule covers: CLI_OK, go
 * on, once; or it waits for another operator (CLI_WAITS), or is refused, and
 * that was said. With `approvals: 1` no daemon is asked. action: "key.create",
 * "authority.install"; parameters: an object with all that is asked for, at
 * most STORE_TEXT_MAX bytes (hashes of what is long); taken. */
enum cli_exit cli_approve(struct cli *cli, const char *action,
        const char *object, json_t *parameters);

/* --- mica_api.c */
/* One request to the daemon. body is taken, and NULL for GET. On CLI_OK *out is
 * the caller's; on anything else it was said why (CLI_WAITS: another operator
 * must approve, then the same request goes again). */
enum cli_exit api_call(struct cli *cli, const char *method, const char *path,
        json_t *body, json_t **out);
/* The answer to GET, for the caller to decref; NULL: no daemon, or it refused.
 * Nothing is said about it. */
json_t *api_ask(struct cli *cli, const char *path);
/* For a path or a query: what is not unreserved (RFC 3986 2.3) is escaped. */
void api_escape(struct buf *out, const char *text);
/* Follow a list through its pages: up to --max rows of `key` from --cursor on,
 * from path with its query, as one answer. */
enum cli_exit api_list(
        struct cli *cli, const char *path, const char *key, json_t **out);

/* --- mica_print.c */
/* A column of a table, or a line of a description. */
struct print_field {
	const char *title;
	const char *key; /* of the JSON object */
};
void print_json(const json_t *json);
void print_json_new(json_t *json); /* takes it */
/* Aligned, one object a row. */
void print_table(
        const json_t *rows, const struct print_field *fields, size_t n);
/* "title  value" lines; what is absent or empty is left out. */
void print_fields(
        const json_t *object, const struct print_field *fields, size_t n);
/* Of an array of objects that a list gave: the table, and how to go on. */
void print_list(const json_t *answer, const char *key,
        const struct print_field *fields, size_t n);
/* A uid under key, with the user's name beside it. */
void print_user(json_t *row, const char *key);
/* What the list at that path of the API has under key, of --state alone where
 * that was given; make_readable is called on each row for people. */
enum cli_exit list_by_state(struct cli *cli, const char *at, const char *key,
        const struct print_field *fields, size_t n,
        void (*make_readable)(json_t *row));
const char *json_text(const json_t *object, const char *key); /* "" if absent */

#endif
