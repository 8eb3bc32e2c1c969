/* Several processes on one store: killed, fenced, and writing at once. Run as
 * "test_storage_processes child WHAT FOLDER" it is the other process. */
#include "tests/unit/store_help.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static struct help h;

static void setup(void)
{
	help_begin(&h);
	help_open(&h);
	help_authority(&h);
}

static void teardown(void)
{
	help_end(&h);
}

static uint64_t quota_used(const char *name)
{
	struct store_quota_get op = { .name = name };

	ck_assert_int_eq(HELP_DO(&h, store_quota_get, &op), RC_OK);
	return op.quota.used;
}

static void put_quota(const char *name, uint64_t limit)
{
	struct store_quota_put op = { .quota = { .limit = limit } };

	(void)snprintf(op.quota.name, sizeof(op.quota.name), "%s", name);
	ck_assert_int_eq(HELP_DO(&h, store_quota_put, &op), RC_OK);
}

struct child {
	pid_t pid;
	int in;  /* its standard input */
	int out; /* its standard output */
};

static void spawn(struct child *c, const char *what)
{
	char *argv[] = { "test_storage_processes", "child",
		(char *)(uintptr_t)what, h.folder, NULL };
	posix_spawn_file_actions_t fa;
	int in[2], out[2];

	ck_assert_int_eq(pipe2(in, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
	ck_assert_int_eq(posix_spawn_file_actions_init(&fa), 0);
	ck_assert_int_eq(posix_spawn_file_actions_adddup2(&fa, in[0], 0), 0);
	ck_assert_int_eq(posix_spawn_file_actions_adddup2(&fa, out[1], 1), 0);
	ck_assert_int_eq(posix_spawn(&c->pid, "/proc/self/exe", &fa, NULL, argv,
	                         environ),
	        0);
	(void)posix_spawn_file_actions_destroy(&fa);
	(void)close(in[0]);
	(void)close(out[1]);
	c->in = in[1];
	c->out = out[0];
}

static void child_says(const void *p, size_t n)
{
	ck_assert_int_eq(write(1, p, n), (ssize_t)n);
}

static void child_hears(void)
{
	char c;

	ck_assert_int_eq(read(0, &c, 1), 1);
}

static void hear(const struct child *c, void *p, size_t n)
{
	ck_assert_int_eq(read(c->out, p, n), (ssize_t)n);
}

static int reap(struct child *c)
{
	int status = -1;

	ck_assert_int_eq(waitpid(c->pid, &status, 0), c->pid);
	(void)close(c->in);
	(void)close(c->out);
	return status;
}

static void begin_with_token(struct help_issue *i, const char *text)
{
	help_issue(&h, i, "unit-1", help_device(&h, "unit-1"), text);
	i->t1.credential.kind = CREDENTIAL_TOKEN;
	help_hash(i->t1.credential.hash, "token");
	i->t1.quota = "line";
}

/* T1, then nothing: its parent kills it. */
static void child_begins(void)
{
	uint64_t slot = store_slot(h.store);
	struct help_issue i;

	h.serials = 1000;
	begin_with_token(&i, "child");
	ck_assert_int_eq(help_t1(&h, &i), RC_OK);
	child_says(&slot, sizeof(slot));
	for (;;)
		(void)pause();
}

/* Serials of its own, and devices. */
static void issue_many(const char *who, int n)
{
	char id[32];

	for (int i = 0; i < n; i++) {
		(void)snprintf(id, sizeof(id), "%s-%d", who, i);
		(void)help_certificate(&h, id, 0, id);
	}
}

#define EACH 150

static void child_issues(void)
{
	h.serials = 100000;
	child_says("r", 1);
	child_hears();
	issue_many("child", EACH);
}

static void child_is_fenced(void)
{
	uint64_t slot = store_slot(h.store);
	struct help_issue i;

	h.serials = 1000;
	child_says(&slot, sizeof(slot));
	child_hears();
	help_issue(&h, &i, "unit-9", 0, "child");
	ck_assert_int_eq(help_t1(&h, &i), RC_FENCED);
}

START_TEST(killed_between_t1_and_t2_gives_token_and_quota_back)
{
	struct store_abandon op = { .what = ABANDON_SLOT };
	struct help_issue i;
	struct child c;

	help_token(&h, "token", "unit-1");
	put_quota("line", 1);
	spawn(&c, "begins");
	hear(&c, &op.slot, sizeof(op.slot));
	ck_assert_uint_eq(help_stat(&h).intents, 1);
	begin_with_token(&i, "parent");
	ck_assert_int_eq(help_t1(&h, &i), RC_SPENT);
	ck_assert_int_eq(kill(c.pid, SIGKILL), 0);
	ck_assert(WIFSIGNALED(reap(&c)));
	ck_assert_int_eq(HELP_DO(&h, store_abandon, &op), RC_OK);
	ck_assert_uint_eq(op.abandoned, 1);
	ck_assert_uint_eq(help_stat(&h).intents, 0);
	ck_assert_uint_eq(help_stat(&h).abandoned, 1);
	ck_assert_uint_eq(quota_used("line"), 0);
	begin_with_token(&i, "parent");
	ck_assert_int_eq(help_t1(&h, &i), RC_OK);
	ck_assert_int_eq(help_t2(&h, &i), RC_OK);
	help_close_and_check(&h);
}
END_TEST

START_TEST(two_processes_write_in_one_order)
{
	struct store_check_report r;
	struct child c;
	char ready;

	spawn(&c, "issues");
	hear(&c, &ready, 1);
	ck_assert_int_eq(write(c.in, "g", 1), 1);
	issue_many("parent", EACH);
	ck_assert_int_eq(reap(&c), 0);
	ck_assert_uint_eq(help_stat(&h).issued, 2 * EACH);
	r = help_close_and_check(&h);
	ck_assert_uint_eq(r.certificates, 2 * EACH);
	ck_assert_uint_eq(r.devices, 2 * EACH);
}
END_TEST

START_TEST(process_whose_slot_was_given_up_is_fenced)
{
	struct store_abandon op = { .what = ABANDON_SLOT };
	struct child c;

	spawn(&c, "is_fenced");
	hear(&c, &op.slot, sizeof(op.slot));
	ck_assert_int_eq(HELP_DO(&h, store_abandon, &op), RC_OK);
	ck_assert_int_eq(write(c.in, "g", 1), 1);
	ck_assert_int_eq(reap(&c), 0);
}
END_TEST

static const struct {
	const char *name;
	void (*run)(void);
} children[] = {
	{ "begins", child_begins },
	{ "issues", child_issues },
	{ "is_fenced", child_is_fenced },
};

static const char *child_what, *child_folder;

START_TEST(child)
{
	ck_assert_int_eq(loop_new(&h.loop), RC_OK);
	h.opts = (struct store_opts){ .path = child_folder,
		.size_bytes = 256u << 20 };
	help_open(&h);
	help_authority(&h);
	for (size_t i = 0; i < sizeof(children) / sizeof(children[0]); i++) {
		if (strcmp(children[i].name, child_what) == 0)
			children[i].run();
	}
	store_close(h.store);
	loop_poll(h.loop);
	loop_free(h.loop);
}
END_TEST

static int child_main(const char *what, const char *folder)
{
	Suite *s = suite_create("child");
	TCase *tc = tcase_create("child");
	SRunner *r;
	int failed;

	child_what = what;
	child_folder = folder;
	tcase_add_test(tc, child);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_set_fork_status(r, CK_NOFORK);
	srunner_run_all(r, CK_SILENT);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static Suite *suite(void)
{
	Suite *s = suite_create("storage processes");
	TCase *tc = tcase_create("processes");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, killed_between_t1_and_t2_gives_token_and_quota_back);
	tcase_add_test(tc, two_processes_write_in_one_order);
	tcase_add_test(tc, process_whose_slot_was_given_up_is_fenced);
	suite_add_tcase(s, tc);
	return s;
}

int main(int argc, char **argv)
{
	SRunner *r;
	int failed;

	if (argc == 4 && strcmp(argv[1], "child") == 0)
		return child_main(argv[2], argv[3]);
	r = srunner_create(suite());
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
