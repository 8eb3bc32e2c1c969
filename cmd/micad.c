/* cmd/micad.c - the daemon's program: what the command line asks for. */
#include "base/clock.h"
#include "base/log.h"
#include "cmd/keeper.h"
#include "cmd/supervisor.h"
#include "cmd/worker.h"
#include "config.h"
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONF_DEFAULT "/etc/mica/mica.yaml"

/* sysexits are not used: 0 done, 1 failed, 2 wrong usage. */
enum { EXIT_USAGE = 2 };

static const char usage[] =
        "usage: micad [-c FILE]\n"
        "       micad --check-config FILE\n"
        "\n"
        "  -c, --config FILE    run by this configuration (" CONF_DEFAULT ")\n"
        "      --check-config FILE\n"
        "                       report every error in it, and what it had\n"
        "                       better not allow, and exit\n"
        "      --version\n"
        "\n"
        "micad stays in the foreground and logs to standard error. SIGTERM "
        "ends\n"
        "it when what is in flight is done; SIGHUP reads the configuration "
        "again.\n";

static void print_warnings(const char *path, const struct conf *c)
{
	char text[CONF_WARNING_BYTES];

	for (size_t i = 0; conf_warning(c, i, text); i++)
		fprintf(stderr, "%s: warning: %s\n", path, text);
}

static int check_config(const char *path)
{
	struct conf_errors *e = calloc(1, sizeof(*e));
	struct conf *c = NULL;
	struct why why = WHY_NONE;
	enum rc rc;

	if (e == NULL)
		return 1;
	rc = conf_load_file(&c, path, e);
	for (size_t i = 0; i < e->n; i++) {
		const struct conf_error *x = &e->list[i];
		if (x->line == 0) /* of the file as a whole */
			fprintf(stderr, "%s: %s\n", path, x->text);
		else
			fprintf(stderr, "%s:%u:%u: %s%s%s\n", path, x->line,
			        x->column, x->path,
			        x->path[0] != '\0' ? ": " : "", x->text);
	}
	if (e->more)
		fprintf(stderr, "%s: and more\n", path);
	if (rc == RC_OK)
		rc = generation_check(c, &why);
	if (rc == RC_OK)
		rc = keys_folder_check(c, &why);
	if (rc != RC_OK && e->n == 0)
		fprintf(stderr, "%s: %s\n", path,
		        why.text[0] != '\0' ? why.text : rc_info(rc)->text);
	if (rc == RC_OK) {
		print_warnings(path, c);
		printf("%s: good\n", path);
	}
	conf_free(c);
	free(e);
	return rc == RC_OK ? 0 : 1;
}

static int child_run(int argc, char *argv[])
{
	struct child_args args;

	if (child_args_parse(&args, argc, argv) != RC_OK)
		return EXIT_USAGE;
	return args.role == CHILD_KEEPER ? keeper_run(&args)
	                                 : worker_run(&args);
}

static bool is_child(int argc, char *argv[])
{
	for (int i = 1; i < argc; i++)
		if (strncmp(argv[i], "--role=", 7) == 0)
			return true;
	return false;
}

int main(int argc, char *argv[])
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check-config", required_argument, NULL, 'k' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	const char *path = CONF_DEFAULT;
	int c;

	clock_init();
	log_open("micad", LOG_INFO, LOG_TEXT);
	if (is_child(argc, argv))
		return child_run(argc, argv);
	while ((c = getopt_long(argc, argv, "c:h", options, NULL)) != -1)
		switch (c) {
		case 'c':
			path = optarg;
			break;
		case 'k':
			return check_config(optarg);
		case 'V':
			puts("micad " PACKAGE_VERSION);
			return 0;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			fputs(usage, stderr);
			return EXIT_USAGE;
		}
	if (optind != argc) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	return supervisor_run(path);
}
