/* cmd/mica.c - the command line: which command, which options. */
#include "cmd/mica.h"

#include "base/clock.h"
#include "config.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONFIG_DEFAULT "/etc/mica/mica.yaml"

#define O(id) (UINT64_C(1) << (OPT_##id))
#define GLOBALS (O(CONFIG) | O(SOCKET) | O(JSON) | O(HELP))
#define LISTS (O(MAX) | O(CURSOR))
/* Which certificates, and of what authority. */
#define WHICH                                                                  \
	(O(SERIAL) | O(FILE) | O(KEY) | O(FROM) | O(TO) | O(AUTHORITY) |       \
	        O(DRY_RUN))

static const struct cli_command commands[] = {
	{ "init", NULL,
	        "DIR [--name NAME] [--est ADDR:PORT] [--est-name HOST]... "
	        "[--http ADDR:PORT] [--metrics ADDR:PORT] "
	        "[--root CERT | --root-passphrase-file FILE] "
	        "[--hsm --module PATH --pin-file FILE [--token LABEL] "
	        "[--root-hsm]]",
	        "make a root, an issuing CA and a configuration in DIR",
	        O(NAME) | O(EST) | O(EST_NAME) | O(HTTP) | O(METRICS) |
	                O(ROOT) | O(ROOT_PASSPHRASE_FILE) | O(HSM) | O(MODULE) |
	                O(PIN_FILE) | O(TOKEN) | O(ROOT_HSM),
	        1, 1, mica_init },
	{ "status", NULL, "", "the daemon's processes, store and warnings", 0,
	        0, 0, mica_status },
	{ "device", "add", "ID [--note TEXT]", "enter a device", O(NOTE), 1, 1,
	        mica_device_add },
	{ "device", "list", "[--max N] [--cursor C]", "devices, by id", LISTS,
	        0, 0, mica_device_list },
	{ "device", "show", "ID", "a device and its certificates", 0, 1, 1,
	        mica_device_show },
	{ "device", "suspend", "ID",
	        "hold all its certificates, let none renew", 0, 1, 1,
	        mica_device_suspend },
	{ "device", "resume", "ID", "release what suspend held", 0, 1, 1,
	        mica_device_resume },
	{ "token", "create",
	        "--device ID [--profile P] [--authority A] [--life 24h]",
	        "make a one-time token, shown once",
	        O(DEVICE) | O(PROFILE) | O(AUTHORITY) | O(LIFE), 0, 0,
	        mica_token_create },
	{ "cert", "issue",
	        "--csr FILE --profile P [--authority A] [--device ID] "
	        "[--dns N]... [--ip A]... [--email E]... [--uri U]... "
	        "[--out FILE]",
	        "issue a certificate on your word",
	        O(CSR) | O(PROFILE) | O(AUTHORITY) | O(DEVICE) | O(DNS) |
	                O(IP) | O(EMAIL) | O(URI) | O(OUT),
	        0, 0, mica_cert_issue },
	{ "cert", "list",
	        "[--device ID | --state S | --expires-within 30d] "
	        "[--authority A] [--max N] [--cursor C]",
	        "certificates, oldest first",
	        LISTS | O(DEVICE) | O(STATE) | O(AUTHORITY) | O(EXPIRES_WITHIN),
	        0, 0, mica_cert_list },
	{ "cert", "show", "SERIAL | --file FILE [--authority A] [--pem]",
	        "a certificate on record", O(FILE) | O(AUTHORITY) | O(PEM), 0,
	        1, mica_cert_show },
	{ "revoke", NULL,
	        "--serial S | --file CERT | --device ID | --key FILE | "
	        "--from T [--to T] [--authority A] [--reason R] "
	        "[--invalid-since T] [--dry-run]",
	        "take certificates back, for good",
	        WHICH | O(DEVICE) | O(REASON) | O(INVALID_SINCE), 0, 0,
	        mica_revoke },
	{ "hold", NULL,
	        "--serial S | --file CERT | --key FILE | --from T [--to T] "
	        "[--authority A] [--dry-run]",
	        "take certificates back until they are released", WHICH, 0, 0,
	        mica_hold },
	{ "release", NULL,
	        "--serial S | --file CERT | --key FILE | --from T [--to T] "
	        "[--authority A] [--dry-run]",
	        "make held certificates good again", WHICH, 0, 0,
	        mica_release },
	{ "authority", "root",
	        "DIR [--name NAME] [--type p384] [--validity 30y] "
	        "[--path-length N] [--root-passphrase-file FILE | "
	        "--key URI --module PATH [--pin-file FILE]]",
	        "make a root on a machine that stays offline",
	        O(NAME) | O(TYPE) | O(VALIDITY) | O(PATH_LENGTH) | O(KEY) |
	                O(MODULE) | O(PIN_FILE) | O(ROOT_PASSPHRASE_FILE),
	        1, 1, mica_authority_root },
	{ "authority", "request",
	        "NAME --out REQUEST [--subject ATTRIBUTE=VALUE]... "
	        "[--path-length 0] [--transcript FILE]",
	        "ask for an authority's certificate, with its key",
	        O(OUT) | O(SUBJECT) | O(PATH_LENGTH) | O(TRANSCRIPT), 1, 1,
	        mica_authority_request },
	{ "authority", "sign",
	        "REQUEST --out CERT [--key FILE] [--file CERT] "
	        "[--root-passphrase-file FILE | --module PATH [--pin-file "
	        "FILE]] "
	        "[--validity 10y] "
	        "[--path-length 0] [--subject ATTRIBUTE=VALUE]... "
	        "[--crl-url URL]... [--ca-issuers-url URL]... "
	        "[--transcript FILE] [--yes]",
	        "answer a request where the root's key is",
	        O(OUT) | O(KEY) | O(MODULE) | O(PIN_FILE) | O(FILE) |
	                O(ROOT_PASSPHRASE_FILE) | O(VALIDITY) | O(PATH_LENGTH) |
	                O(SUBJECT) | O(TRANSCRIPT) | O(YES) | O(CRL_URL) |
	                O(CA_ISSUERS_URL),
	        1, 1, mica_authority_sign },
	{ "authority", "install",
	        "NAME CERT... [--crl FILE] [--transcript FILE]",
	        "check an authority's certificate and put it in force",
	        O(CRL) | O(TRANSCRIPT), 2, CLI_ARGS_MAX,
	        mica_authority_install },
	{ "authority", "crl",
	        "--out FILE [--revoked FILE [--revoke CERT]... [--reason R]] "
	        "[--validity 90d] [--key FILE] [--file CERT] "
	        "[--root-passphrase-file FILE | "
	        "--module PATH [--pin-file FILE]] [--transcript FILE] "
	        "[--force]",
	        "sign the CRL of a root, by its key (no daemon needed)",
	        O(OUT) | O(REVOKED) | O(REVOKE) | O(REASON) | O(VALIDITY) |
	                O(KEY) | O(FILE) | O(MODULE) | O(PIN_FILE) |
	                O(ROOT_PASSPHRASE_FILE) | O(TRANSCRIPT) | O(FORCE),
	        0, 0, mica_authority_crl },
	{ "authority", "list", "",
	        "generations: keys, ends, CRLs, and the devices at each", 0, 0,
	        0, mica_authority_list },
	{ "authority", "plan", "NAME",
	        "which step of a rollover comes next, and when it is safe", 0,
	        1, 1, mica_authority_plan },
	{ "authority", "roll",
	        "NAME [--name NEW] [--type p256] [--validity 10y] "
	        "[--key FILE] [--file CERT] [--root-passphrase-file FILE] "
	        "[--crl-url URL]... [--ca-issuers-url URL]... [--yes]",
	        "make its next generation: key, certificate, cross "
	        "certificates",
	        O(NAME) | O(TYPE) | O(VALIDITY) | O(KEY) | O(FILE) |
	                O(ROOT_PASSPHRASE_FILE) | O(YES) | O(CRL_URL) |
	                O(CA_ISSUERS_URL),
	        1, 1, mica_authority_roll },
	{ "authority", "revoke", "NAME --reason R",
	        "it issues nothing more, for good; status goes on", O(REASON),
	        1, 1, mica_authority_revoke },
	{ "key", "create",
	        "NAME [--type p256] [--decrypt] [--uri URI --module PATH "
	        "[--pin-file FILE]] [--transcript FILE]",
	        "make a key inside a token, and prove that it cannot leave",
	        O(TYPE) | O(DECRYPT) | O(URI) | O(MODULE) | O(PIN_FILE) |
	                O(TRANSCRIPT),
	        1, 1, mica_key_create },
	{ "request", "list", "[--state open|closed] [--max N] [--cursor C]",
	        "devices' requests that wait for an operator, or did",
	        LISTS | O(STATE), 0, 0, mica_request_list },
	{ "request", "show", "ID", "who asks, for which names and key", 0, 1, 1,
	        mica_request_show },
	{ "request", "approve", "ID", "let it have its certificate", 0, 1, 1,
	        mica_request_approve },
	{ "request", "deny", "ID",
	        "refuse it; also once approved, until issued", 0, 1, 1,
	        mica_request_deny },
	{ "approval", "list", "[--state open|closed] [--max N] [--cursor C]",
	        "what waits for a second operator, or did", LISTS | O(STATE), 0,
	        0, mica_approval_list },
	{ "approval", "show", "ID", "what is asked for, by whom", 0, 1, 1,
	        mica_approval_show },
	{ "approval", "approve", "ID",
	        "agree to what another operator asked for", 0, 1, 1,
	        mica_approval_approve },
	{ "approval", "deny", "ID", "refuse it, or withdraw what you asked for",
	        0, 1, 1, mica_approval_deny },
	{ "sign", NULL,
	        "FILE [--key NAME] [--digest D] [-o FILE.p7s] [--pem] "
	        "[--force]\n"
	        "       mica sign --verify FILE FILE.p7s --ca FILE [--crl "
	        "FILE] "
	        "[--at T]",
	        "sign firmware or software; --verify: check a signature (no "
	        "daemon needed)",
	        O(KEY) | O(DIGEST) | O(OUT) | O(PEM) | O(FORCE) | O(VERIFY) |
	                O(CA) | O(CRL) | O(AT),
	        1, 2, mica_sign },
	{ "code", "list", "", "the keys that sign code, and their certificates",
	        0, 0, 0, mica_code_list },
	{ "crl", "show", "[--authority A]",
	        "the CRLs: number, dates, entries, and what is wrong",
	        O(AUTHORITY), 0, 0, mica_crl_show },
	{ "crl", "generate", "[--authority A]",
	        "make new CRLs now, and wait for them", O(AUTHORITY), 0, 0,
	        mica_crl_generate },
	{ "store", "check", "[--store DIR]",
	        "hold all records against each other (no daemon needed)",
	        O(STORE), 0, 0, mica_store_check },
	{ "audit", "list", "[--max N] [--cursor NUMBER]",
	        "who did what, oldest first", LISTS, 0, 0, mica_audit_list },
	{ "audit", "export", "--out FILE [--cursor NUMBER]",
	        "write the audit trail to a new file, to be kept elsewhere",
	        O(OUT) | O(CURSOR), 0, 0, mica_audit_export },
	{ "audit", "verify", "--file FILE [--store DIR]",
	        "hold the trail against an export (no daemon needed)",
	        O(FILE) | O(STORE), 0, 0, mica_audit_verify },
	{ "store", "floor", "[--now | --to T]",
	        "the time below which nothing is issued; lower it",
	        O(NOW) | O(TO), 0, 0, mica_store_floor },
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const struct option options[OPT_COUNT] = {
	[OPT_CONFIG] = { "config", required_argument, NULL, 0 },
	[OPT_SOCKET] = { "socket", required_argument, NULL, 0 },
	[OPT_JSON] = { "json", no_argument, NULL, 0 },
	[OPT_HELP] = { "help", no_argument, NULL, 0 },
	[OPT_VERSION] = { "version", no_argument, NULL, 0 },
	[OPT_AT] = { "at", required_argument, NULL, 0 },
	[OPT_AUTHORITY] = { "authority", required_argument, NULL, 0 },
	[OPT_CA] = { "ca", required_argument, NULL, 0 },
	[OPT_CA_ISSUERS_URL] = { "ca-issuers-url", required_argument, NULL, 0 },
	[OPT_CRL] = { "crl", required_argument, NULL, 0 },
	[OPT_CRL_URL] = { "crl-url", required_argument, NULL, 0 },
	[OPT_CSR] = { "csr", required_argument, NULL, 0 },
	[OPT_CURSOR] = { "cursor", required_argument, NULL, 0 },
	[OPT_DECRYPT] = { "decrypt", no_argument, NULL, 0 },
	[OPT_DEVICE] = { "device", required_argument, NULL, 0 },
	[OPT_DIGEST] = { "digest", required_argument, NULL, 0 },
	[OPT_DNS] = { "dns", required_argument, NULL, 0 },
	[OPT_DRY_RUN] = { "dry-run", no_argument, NULL, 0 },
	[OPT_EMAIL] = { "email", required_argument, NULL, 0 },
	[OPT_EST] = { "est", required_argument, NULL, 0 },
	[OPT_EST_NAME] = { "est-name", required_argument, NULL, 0 },
	[OPT_EXPIRES_WITHIN] = { "expires-within", required_argument, NULL, 0 },
	[OPT_FILE] = { "file", required_argument, NULL, 0 },
	[OPT_FORCE] = { "force", no_argument, NULL, 0 },
	[OPT_FROM] = { "from", required_argument, NULL, 0 },
	[OPT_HSM] = { "hsm", no_argument, NULL, 0 },
	[OPT_HTTP] = { "http", required_argument, NULL, 0 },
	[OPT_INVALID_SINCE] = { "invalid-since", required_argument, NULL, 0 },
	[OPT_IP] = { "ip", required_argument, NULL, 0 },
	[OPT_KEY] = { "key", required_argument, NULL, 0 },
	[OPT_LIFE] = { "life", required_argument, NULL, 0 },
	[OPT_MAX] = { "max", required_argument, NULL, 0 },
	[OPT_METRICS] = { "metrics", required_argument, NULL, 0 },
	[OPT_MODULE] = { "module", required_argument, NULL, 0 },
	[OPT_NAME] = { "name", required_argument, NULL, 0 },
	[OPT_NOTE] = { "note", required_argument, NULL, 0 },
	[OPT_NOW] = { "now", no_argument, NULL, 0 },
	[OPT_OUT] = { "out", required_argument, NULL, 0 },
	[OPT_PATH_LENGTH] = { "path-length", required_argument, NULL, 0 },
	[OPT_PEM] = { "pem", no_argument, NULL, 0 },
	[OPT_PIN_FILE] = { "pin-file", required_argument, NULL, 0 },
	[OPT_PROFILE] = { "profile", required_argument, NULL, 0 },
	[OPT_REASON] = { "reason", required_argument, NULL, 0 },
	[OPT_REVOKE] = { "revoke", required_argument, NULL, 0 },
	[OPT_REVOKED] = { "revoked", required_argument, NULL, 0 },
	[OPT_ROOT] = { "root", required_argument, NULL, 0 },
	[OPT_ROOT_HSM] = { "root-hsm", no_argument, NULL, 0 },
	[OPT_ROOT_PASSPHRASE_FILE] = { "root-passphrase-file",
	        required_argument, NULL, 0 },
	[OPT_SERIAL] = { "serial", required_argument, NULL, 0 },
	[OPT_STATE] = { "state", required_argument, NULL, 0 },
	[OPT_STORE] = { "store", required_argument, NULL, 0 },
	[OPT_SUBJECT] = { "subject", required_argument, NULL, 0 },
	[OPT_TO] = { "to", required_argument, NULL, 0 },
	[OPT_TOKEN] = { "token", required_argument, NULL, 0 },
	[OPT_TRANSCRIPT] = { "transcript", required_argument, NULL, 0 },
	[OPT_TYPE] = { "type", required_argument, NULL, 0 },
	[OPT_URI] = { "uri", required_argument, NULL, 0 },
	[OPT_VALIDITY] = { "validity", required_argument, NULL, 0 },
	[OPT_VERIFY] = { "verify", no_argument, NULL, 0 },
	[OPT_YES] = { "yes", no_argument, NULL, 0 },
};
#define MANY                                                                   \
	(O(DNS) | O(IP) | O(EMAIL) | O(URI) | O(EST_NAME) | O(SUBJECT) |       \
	        O(CRL_URL) | O(CA_ISSUERS_URL) | O(REVOKE))

const char *cli_value(const struct cli *cli, enum cli_option o)
{
	return cli->option[o].n > 0 ? cli->option[o].v[0] : NULL;
}

const char *cli_value_or(
        const struct cli *cli, enum cli_option o, const char *fallback)
{
	return cli_given(cli, o) ? cli_value(cli, o) : fallback;
}

bool cli_given(const struct cli *cli, enum cli_option o)
{
	return cli->option[o].n > 0;
}

/* --- what is said */
static void print_name(FILE *f, const struct cli_command *k)
{
	fprintf(f, "mica %s%s%s", k->group, k->verb != NULL ? " " : "",
	        k->verb != NULL ? k->verb : "");
}

enum cli_exit cli_usage(const struct cli *cli, const char *fmt, ...)
{
	va_list args;

	fputs("mica: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	if (cli->command != NULL) {
		fputs("usage: ", stderr);
		print_name(stderr, cli->command);
		fprintf(stderr, " %s\n", cli->command->usage);
	} else {
		fputs("`mica --help` lists the commands\n", stderr);
	}
	return CLI_USAGE;
}

enum cli_exit cli_fail(const struct cli *cli, enum rc rc, const struct why *why)
{
	const struct rc_info *info = rc_info(rc);
	const char *text =
	        why != NULL && why->text[0] != '\0' ? why->text : info->text;

	if (cli->json)
		print_json_new(json_pack("{s:{s:s, s:s}}", "error", "code",
		        info->name, "text", text));
	else
		fprintf(stderr, "mica: %s\n", text);
	return CLI_FAILED;
}

static enum cli_exit help(const char *group)
{
	if (group == NULL)
		puts("mica - administer a mica certificate authority\n");
	for (size_t i = 0; i < COMMANDS; i++) {
		const struct cli_command *k = &commands[i];
		char name[32];

		if (group != NULL && strcmp(k->group, group) != 0)
			continue;
		snprintf(name, sizeof(name), "%s%s%s", k->group,
		        k->verb != NULL ? " " : "",
		        k->verb != NULL ? k->verb : "");
		printf("  %-16s %s\n", name, k->help);
	}
	if (group == NULL)
		puts("\n"
		     "Options of every command:\n"
		     "  --config FILE    the daemon's configuration "
		     "($MICA_CONFIG, " CONFIG_DEFAULT ")\n"
		     "  --socket PATH    its admin socket, instead of the "
		     "configuration's\n"
		     "  --json           answers as JSON\n"
		     "  --help           of one command: its options\n"
		     "\n"
		     "Exit status: 0 done, 1 refused or failed, 2 usage, "
		     "3 no daemon, 4 waits for a second operator, 5 a "
		     "signature is not good. mica(1) has it all.");
	return CLI_OK;
}

static enum cli_exit help_command(const struct cli_command *k)
{
	fputs("usage: ", stdout);
	print_name(stdout, k);
	printf(" %s\n%s\n", k->usage, k->help);
	return CLI_OK;
}

/* --- options */
static enum cli_exit keep(struct cli *cli, enum cli_option o, const char *value)
{
	struct cli_values *v = &cli->option[o];

	if (v->n > 0 && options[o].has_arg == no_argument)
		return CLI_OK;
	if (v->n > 0 && (MANY & UINT64_C(1) << o) == 0)
		return cli_usage(cli, "--%s: given twice", options[o].name);
	if (v->n == CLI_VALUES_MAX)
		return cli_usage(cli, "--%s: more than %d", options[o].name,
		        CLI_VALUES_MAX);
	v->v[v->n++] = value != NULL ? value : "";
	return CLI_OK;
}

/* Read options by getopt_long(3) as far as it goes; optind is behind them. */
static enum cli_exit read_options(struct cli *cli, int argc, char *argv[],
        const char *form, uint64_t which)
{
	struct option some[OPT_COUNT + 1];
	enum cli_exit status = CLI_OK;
	size_t n = 0;
	int c;

	for (int o = 0; o < OPT_COUNT; o++)
		if ((which & UINT64_C(1) << o) != 0) {
			some[n] = options[o];
			some[n++].val = 256 + o;
		}
	some[n] = (struct option){ NULL, 0, NULL, 0 };
	opterr = 0;
	optind = 0; /* GNU: start anew */
	while (status == CLI_OK &&
	        (c = getopt_long(argc, argv, form, some, NULL)) != -1) {
		if (c >= 256)
			status = keep(cli, (enum cli_option)(c - 256), optarg);
		else if (c == 'h')
			status = keep(cli, OPT_HELP, NULL);
		else if (c == 'o' && (which & O(OUT)) != 0)
			status = keep(cli, OPT_OUT, optarg);
		else
			status = cli_usage(cli, "%s: %s", argv[optind - 1],
			        c == ':' ? "wants a value" : "no such option");
	}
	return status;
}

static const struct cli_command *find(const char *group, const char *verb)
{
	for (size_t i = 0; i < COMMANDS; i++) {
		const struct cli_command *k = &commands[i];

		if (strcmp(k->group, group) == 0 &&
		        (k->verb == NULL ||
		                (verb != NULL && strcmp(k->verb, verb) == 0)))
			return k;
	}
	return NULL;
}

static bool is_group(const char *word)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(commands[i].group, word) == 0)
			return true;
	return false;
}

static enum cli_exit no_command(
        const struct cli *cli, const char *group, const char *verb)
{
	if (!is_group(group))
		return cli_usage(cli, "%s: no such command", group);
	if (verb != NULL && strcmp(verb, "--help") != 0 &&
	        strcmp(verb, "-h") != 0) {
		cli_usage(cli, "%s %s: no such command", group, verb);
		return CLI_USAGE;
	}
	help(group);
	return verb != NULL ? CLI_OK : CLI_USAGE;
}

/* The words beside options. */
static enum cli_exit read_args(struct cli *cli, int argc, char *argv[])
{
	const struct cli_command *k = cli->command;

	for (int i = optind; i < argc; i++) {
		if (cli->n_args == k->args_max)
			return cli_usage(
			        cli, "%s: an argument too many", argv[i]);
		cli->args[cli->n_args++] = argv[i];
	}
	if (cli->n_args < k->args_min)
		return cli_usage(cli, "an argument is missing");
	return CLI_OK;
}

static enum cli_exit run(struct cli *cli, int argc, char *argv[])
{
	enum cli_exit status = read_options(
	        cli, argc, argv, ":ho:", GLOBALS | cli->command->options);
	const char *config = getenv("MICA_CONFIG");

	if (status == CLI_OK && cli_given(cli, OPT_HELP))
		return help_command(cli->command);
	if (status == CLI_OK)
		status = read_args(cli, argc, argv);
	if (status != CLI_OK)
		return status;
	cli->json = cli_given(cli, OPT_JSON);
	if (cli_given(cli, OPT_CONFIG))
		config = cli_value(cli, OPT_CONFIG);
	cli->config_given = config != NULL && config[0] != '\0';
	cli->config = cli->config_given ? config : CONFIG_DEFAULT;
	return cli->command->run(cli);
}

int main(int argc, char *argv[])
{
	struct cli cli = { .command = NULL };
	enum cli_exit status;
	char *verb;
	int at;

	clock_init();
	status = read_options(&cli, argc, argv, "+:h", GLOBALS | O(VERSION));
	if (status != CLI_OK)
		return (int)status;
	if (cli_given(&cli, OPT_VERSION)) {
		puts("mica " PACKAGE_VERSION);
		return CLI_OK;
	}
	at = optind;
	if (at == argc || strcmp(argv[at], "help") == 0)
		return (int)(help(NULL),
		        at == argc && !cli_given(&cli, OPT_HELP) ? CLI_USAGE
		                                                 : CLI_OK);
	verb = at + 1 < argc ? argv[at + 1] : NULL;
	cli.command = find(argv[at], verb);
	if (cli.command == NULL)
		return (int)no_command(&cli, argv[at], verb);
	at += cli.command->verb != NULL;
	status = run(&cli, argc - at, argv + at);
	if (fflush(stdout) != 0 && status == CLI_OK)
		status = CLI_FAILED;
	return (int)status;
}
