#include "base/clock.h"
#include "base/metrics.h"
#include "ca/signer_client.h"
#include "tests/unit/signer_run.h"
#include "tests/unit/test_signer.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CALLS 600

static struct signer_run run;
static struct signer_client *client;
static struct metrics *metrics;
static const char *const one_key[] = { "--key=issuing:issuing.key", NULL };
static struct buf tbs;

struct asked {
	struct signer_call call;
	unsigned done;
};
static struct asked *asked;
static unsigned n_done;

static void on_done(struct signer_call *call)
{
	struct asked *a = (struct asked *)call; /* its first member */

	a->done++;
	n_done++;
}

static void open_client(void)
{
	int fd = metrics_create();

	run_open(&run);
	run_make_key(&run, "issuing", "p256");
	ck_assert_int_eq(metrics_map(&metrics, fd, 0), RC_OK);
	close(fd);
	ck_assert_int_eq(signer_client_new(
	                         &client, run.loop, run.clients[0][0], metrics),
	        RC_OK);
	run.clients[0][0] = -1;
	run_tbs(&tbs, NULL);
	asked = calloc(SIGNER_IN_FLIGHT_MAX + 1, sizeof(*asked));
	ck_assert_ptr_nonnull(asked);
	n_done = 0;
}

static void close_client(void)
{
	signer_client_free(client);
	run_close(&run);
	metrics_unmap(metrics);
	buf_free(&tbs);
	free(asked);
}

static enum rc ask(struct asked *a)
{
	a->call = (struct signer_call){ .key = "issuing",
		.purpose = SIGNER_CERT,
		.tbs = buf_bytes(&tbs),
		.done = on_done,
		.deadline_us = clock_mono_us() + RUN_WAIT_MS * 1000 };
	return signer_sign(client, &a->call);
}

static void wait_done(unsigned n)
{
	int64_t end_us = clock_mono_us() + RUN_WAIT_MS * 1000;

	while (n_done < n && clock_mono_us() < end_us)
		run_turn(&run);
	ck_assert_uint_eq(n_done, n);
}

START_TEST(client_gets_what_it_asks_for)
{
	run_start(&run, one_key);
	run_policy(&run, 1);
	for (unsigned i = 0; i < CALLS; i++)
		ck_assert_int_eq(ask(&asked[i]), RC_PENDING);
	ck_assert_uint_eq(n_done, 0);
	ck_assert_uint_eq(metric_total(metrics, METRIC_SIGN_PENDING), CALLS);
	wait_done(CALLS);
	for (unsigned i = 0; i < CALLS; i++)
		ck_assert_int_eq(asked[i].call.rc, RC_OK);
	ck_assert_uint_eq(metric_total(metrics, METRIC_SIGN_REQUESTS), CALLS);
	ck_assert_uint_eq(metric_total(metrics, METRIC_SIGN_PENDING), 0);
}
END_TEST

START_TEST(client_asks_before_the_signer_is_there)
{
	for (unsigned i = 0; i < 100; i++)
		ck_assert_int_eq(ask(&asked[i]), RC_PENDING);
	loop_poll(run.loop);
	run_start(&run, one_key);
	ck_assert_uint_eq(n_done, 0);
	run_policy(&run, 1);
	wait_done(100);
	for (unsigned i = 0; i < 100; i++)
		ck_assert_int_eq(asked[i].call.rc, RC_OK);
}
END_TEST

/* Some answered, some in its hands, some unread: all are answered once. */
START_TEST(client_loses_nothing_when_the_signer_is_killed)
{
	run_start(&run, one_key);
	run_policy(&run, 1);
	for (unsigned round = 0; round < 4; round++) {
		unsigned first = round * CALLS;

		for (unsigned i = 0; i < CALLS; i++)
			ck_assert_int_eq(ask(&asked[first + i]), RC_PENDING);
		while (n_done < first + 1 + round * 20)
			loop_poll(run.loop);
		run_kill(&run);
		run_start(&run, one_key);
		run_policy(&run, round + 2);
		wait_done(first + CALLS);
	}
	for (unsigned i = 0; i < 4 * CALLS; i++) {
		ck_assert_int_eq(asked[i].call.rc, RC_OK);
		ck_assert_uint_eq(asked[i].done, 1);
	}
	/* What was answered twice comes to nobody. */
	for (unsigned i = 0; i < 200; i++)
		run_turn(&run);
	ck_assert_uint_eq(n_done, 4 * CALLS);
}
END_TEST

START_TEST(client_hears_of_refusals)
{
	run_start(&run, one_key);
	run_policy(&run, 1);
	ck_assert_int_eq(ask(&asked[0]), RC_PENDING);
	asked[1].call = (struct signer_call){ .key = "nobody",
		.purpose = SIGNER_CERT,
		.tbs = buf_bytes(&tbs),
		.done = on_done };
	ck_assert_int_eq(signer_sign(client, &asked[1].call), RC_PENDING);
	asked[2].call = asked[1].call;
	asked[2].call.key = "issuing";
	asked[2].call.tbs = BYTES_LIT("\x30\x00");
	ck_assert_int_eq(signer_sign(client, &asked[2].call), RC_PENDING);
	wait_done(3);
	ck_assert_int_eq(asked[0].call.rc, RC_OK);
	ck_assert_int_eq(asked[1].call.rc, RC_NOTFOUND);
	ck_assert_int_eq(asked[2].call.rc, RC_MALFORMED);
	ck_assert_str_ne(asked[2].call.why.text, "");
}
END_TEST

START_TEST(client_ends_calls_at_their_deadline)
{
	ck_assert_int_eq(ask(&asked[0]), RC_PENDING);
	ck_assert_int_eq(ask(&asked[1]), RC_PENDING);
	signer_cancel(client, &asked[1].call);
	asked[1].call.deadline_us = clock_mono_us() + 50000;
	ck_assert_int_eq(signer_sign(client, &asked[1].call), RC_PENDING);
	wait_done(1);
	ck_assert_int_eq(asked[1].call.rc, RC_TIMEOUT);
	ck_assert_uint_eq(asked[0].done, 0);
	/* An answer that is late finds nobody. */
	run_start(&run, one_key);
	run_policy(&run, 1);
	wait_done(2);
	ck_assert_uint_eq(asked[1].done, 1);
	ck_assert_int_eq(asked[0].call.rc, RC_OK);
}
END_TEST

START_TEST(client_forgets_a_cancelled_call)
{
	run_start(&run, one_key);
	run_policy(&run, 1);
	for (unsigned i = 0; i < 64; i++)
		ck_assert_int_eq(ask(&asked[i]), RC_PENDING);
	for (unsigned i = 0; i < 64; i += 2)
		signer_cancel(client, &asked[i].call);
	wait_done(32);
	for (unsigned i = 0; i < 64; i++)
		ck_assert_uint_eq(asked[i].done, i % 2);
}
END_TEST

START_TEST(client_says_busy_past_its_limit)
{
	for (unsigned i = 0; i < SIGNER_IN_FLIGHT_MAX; i++)
		ck_assert_int_eq(ask(&asked[i]), RC_PENDING);
	ck_assert_int_eq(ask(&asked[SIGNER_IN_FLIGHT_MAX]), RC_BUSY);
	signer_cancel(client, &asked[7].call);
	ck_assert_int_eq(ask(&asked[SIGNER_IN_FLIGHT_MAX]), RC_PENDING);
	/* The end of the client is the end of its calls. */
	signer_client_free(client);
	client = NULL;
	ck_assert_uint_eq(n_done, SIGNER_IN_FLIGHT_MAX);
	ck_assert_int_eq(asked[0].call.rc, RC_CLOSED);
	ck_assert_uint_eq(asked[7].done, 0);
}
END_TEST

START_TEST(client_refuses_an_oversized_tbs_at_once)
{
	static const uint8_t big[TBS_CHECK_MAX_BYTES + 1];

	asked[0].call = (struct signer_call){ .key = "issuing",
		.purpose = SIGNER_CERT,
		.tbs = BYTES_ARRAY(big),
		.done = on_done };
	ck_assert_int_eq(signer_sign(client, &asked[0].call), RC_TOOBIG);
}
END_TEST

START_TEST(client_without_a_socket_is_unavailable)
{
	ck_assert_int_eq(ask(&asked[0]), RC_PENDING);
	loop_poll(run.loop);
	close(run.clients[0][1]);
	run.clients[0][1] = fcntl(run.dir_fd, F_DUPFD_CLOEXEC, 3);
	wait_done(1);
	ck_assert_int_eq(asked[0].call.rc, RC_UNAVAILABLE);
	ck_assert_int_eq(ask(&asked[1]), RC_UNAVAILABLE);
}
END_TEST

TCase *test_signer_client(void)
{
	TCase *t = tcase_create("client");

	tcase_add_checked_fixture(t, open_client, close_client);
	tcase_add_test(t, client_gets_what_it_asks_for);
	tcase_add_test(t, client_asks_before_the_signer_is_there);
	tcase_add_test(t, client_loses_nothing_when_the_signer_is_killed);
	tcase_add_test(t, client_hears_of_refusals);
	tcase_add_test(t, client_ends_calls_at_their_deadline);
	tcase_add_test(t, client_forgets_a_cancelled_call);
	tcase_add_test(t, client_says_busy_past_its_limit);
	tcase_add_test(t, client_refuses_an_oversized_tbs_at_once);
	tcase_add_test(t, client_without_a_socket_is_unavailable);
	return t;
}
