/* The event loop and the metrics. */
#include "base/clock.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "tests/unit/test_base.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static struct loop *loop;

static void setup(void)
{
	ck_assert_int_eq(loop_new(&loop), RC_OK);
}

static void teardown(void)
{
	loop_free(loop);
}

static void stop(void *ctx)
{
	(void)ctx;
	loop_stop(loop);
}

START_TEST(loop_timer_fires_once_and_no_sooner)
{
	struct loop_timer *t;
	int64_t since_us = clock_mono_us();

	ck_assert_int_eq(loop_timer_new(&t, loop, stop, NULL), RC_OK);
	loop_timer_set_ms(t, 1000);
	loop_timer_set_ms(t, 3);
	ck_assert_int_eq(loop_run(loop), RC_OK);
	ck_assert_int_ge(clock_mono_us() - since_us, 3000);
	ck_assert_int_lt(clock_mono_us() - since_us, 900000);
	loop_timer_set_ms(t, -5);
	ck_assert_int_eq(loop_run(loop), RC_OK);
	loop_timer_free(t);
	loop_timer_free(NULL);
}
END_TEST

static void count(void *ctx)
{
	++*(int *)ctx;
}

START_TEST(loop_timer_can_be_cancelled)
{
	struct loop_timer *t;
	struct loop_timer *end;
	int fired = 0;

	ck_assert_int_eq(loop_timer_new(&t, loop, count, &fired), RC_OK);
	ck_assert_int_eq(loop_timer_new(&end, loop, stop, NULL), RC_OK);
	loop_timer_set_ms(t, 1);
	loop_timer_set_ms(end, 5);
	loop_timer_cancel(t);
	ck_assert_int_eq(loop_run(loop), RC_OK);
	ck_assert_int_eq(fired, 0);
	loop_timer_free(t);
	loop_timer_free(end);
}
END_TEST

static void free_own_timer(void *ctx)
{
	loop_timer_free(*(struct loop_timer **)ctx);
	loop_stop(loop);
}

START_TEST(loop_timer_may_free_itself)
{
	struct loop_timer *t;

	ck_assert_int_eq(loop_timer_new(&t, loop, free_own_timer, &t), RC_OK);
	loop_timer_set_ms(t, 0);
	ck_assert_int_eq(loop_run(loop), RC_OK);
}
END_TEST

START_TEST(loop_stop_before_run_is_not_lost)
{
	loop_stop(loop);
	ck_assert_int_eq(loop_run(loop), RC_OK);
}
END_TEST

static void read_one(void *ctx, int fd)
{
	char c;

	ck_assert_int_eq(read(fd, &c, 1), 1);
	++*(int *)ctx;
}

START_TEST(loop_watch_follows_its_switch)
{
	struct loop_watch *r;
	struct loop_watch *w;
	int got = 0;
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	ck_assert_int_eq(
	        loop_watch_new(&r, loop, fds[0], read_one, &got), RC_OK);
	ck_assert_int_eq(
	        loop_watch_new_write(&w, loop, fds[0], read_one, &got), RC_OK);
	loop_poll(loop);
	ck_assert_int_eq(got, 0);
	ck_assert_int_eq(write(fds[1], "abc", 3), 3);
	loop_poll(loop);
	ck_assert_int_eq(got, 1);
	loop_watch_enable(r, false);
	loop_poll(loop);
	ck_assert_int_eq(got, 1);
	loop_watch_enable(w, true);
	loop_poll(loop);
	ck_assert_int_eq(got, 2);
	loop_watch_enable(w, false);
	loop_watch_enable(r, true);
	loop_poll(loop);
	ck_assert_int_eq(got, 3);
	loop_watch_free(r);
	loop_watch_free(w);
	(void)close(fds[0]);
	(void)close(fds[1]);
}
END_TEST

START_TEST(loop_watches_signals)
{
	struct loop_watch *w;
	int got = 0;

	ck_assert_int_eq(
	        loop_watch_new_signal(&w, loop, SIGHUP, count, &got), RC_OK);
	ck_assert_int_eq(raise(SIGHUP), 0);
	loop_poll(loop);
	ck_assert_int_eq(got, 1);
	loop_watch_free(w);
}
END_TEST

struct order {
	struct loop_task task;
	int *seen;
	int number;
	int again;
};

static void in_order(void *ctx)
{
	struct order *o = ctx;

	ck_assert_int_eq(*o->seen % 3, o->number);
	++*o->seen;
	if (o->again-- > 0)
		loop_post(loop, &o->task);
}

START_TEST(loop_runs_posts_in_order_and_again)
{
	struct order o[3];
	int seen = 0;

	for (int i = 0; i < 3; i++) {
		o[i] = (struct order){ { in_order, &o[i], NULL }, &seen, i, 1 };
		loop_post(loop, &o[i].task);
	}
	loop_poll(loop);
	loop_poll(loop);
	ck_assert_int_eq(seen, 6);
}
END_TEST

START_TEST(loop_forgets_a_task_that_is_taken_back)
{
	struct loop_task tasks[3];
	int ran[3] = { 0, 0, 0 };

	for (int i = 0; i < 3; i++) {
		tasks[i] = (struct loop_task){ count, &ran[i], NULL };
		loop_post(loop, &tasks[i]);
	}
	loop_unpost(loop, &tasks[2]);
	loop_unpost(loop, &tasks[0]);
	loop_unpost(loop, &tasks[0]);
	loop_post(loop, &tasks[2]);
	loop_poll(loop);
	ck_assert_int_eq(ran[0], 0);
	ck_assert_int_eq(ran[1], 1);
	ck_assert_int_eq(ran[2], 1);
}
END_TEST

static void take_back(void *ctx)
{
	loop_unpost(loop, ctx);
}

START_TEST(loop_task_may_take_back_the_next)
{
	int ran = 0;
	struct loop_task second = { count, &ran, NULL };
	struct loop_task first = { take_back, &second, NULL };

	loop_post(loop, &first);
	loop_post(loop, &second);
	loop_poll(loop);
	loop_poll(loop);
	ck_assert_int_eq(ran, 0);
}
END_TEST

#define POSTS 20000

struct poster {
	struct loop_task tasks[POSTS];
	int *seen;
};

static void seen_one(void *ctx)
{
	if (++*(int *)ctx == 2 * POSTS)
		loop_stop(loop);
}

static void *post_all(void *ctx)
{
	struct poster *p = ctx;

	for (int i = 0; i < POSTS; i++) {
		p->tasks[i] = (struct loop_task){ seen_one, p->seen, NULL };
		loop_post(loop, &p->tasks[i]);
	}
	return NULL;
}

START_TEST(loop_loses_no_post_of_other_threads)
{
	static struct poster posters[2];
	pthread_t threads[2];
	int seen = 0;

	for (int i = 0; i < 2; i++) {
		posters[i].seen = &seen;
		ck_assert_int_eq(pthread_create(&threads[i], NULL, post_all,
		                         &posters[i]),
		        0);
	}
	ck_assert_int_eq(loop_run(loop), RC_OK);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	ck_assert_int_eq(seen, 2 * POSTS);
}
END_TEST

static void dawdle(void *ctx)
{
	(void)ctx;
	(void)usleep(5000);
}

static void block(void *ctx)
{
	(void)ctx;
	(void)usleep(LOOP_HELD_US);
}

START_TEST(loop_tells_of_its_longest_callback_and_of_each_that_blocks)
{
	struct loop_task task = { dawdle, NULL, NULL };
	struct metrics *m;
	int fd = metrics_create();

	ck_assert_int_eq(metrics_map(&m, fd, 1), RC_OK);
	(void)close(fd);
	loop_measure(loop, m);
	loop_post(loop, &task);
	loop_poll(loop);
	ck_assert_uint_ge(metric_total(m, METRIC_LOOP_LONGEST_US), 5000);
	task.fn = block;
	for (int i = 0; i < 2; i++) {
		loop_post(loop, &task);
		loop_poll(loop);
	}
	ck_assert_uint_ge(
	        metric_total(m, METRIC_LOOP_LONGEST_US), LOOP_HELD_US);
	/* A machine that stood still may have made it three. */
	ck_assert_uint_ge(metric_total(m, METRIC_LOOP_HELD_US), 2);
	loop_measure(loop, NULL);
	metrics_unmap(m);
}
END_TEST

START_TEST(clock_can_be_shifted_and_only_its_wall)
{
	int64_t before_s = clock_now_s();
	int64_t mono_us = clock_mono_us();

	clock_set_shift_s(-86400);
	ck_assert_int_le(clock_now_s(), before_s - 86399);
	ck_assert_int_lt(clock_mono_us() - mono_us, 60000000);
	clock_set_shift_s(0);
	ck_assert_int_ge(clock_now_s(), before_s);
}
END_TEST

START_TEST(metrics_sum_over_processes)
{
	struct metrics *a;
	struct metrics *b;
	int fd = metrics_create();

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(metrics_map(&a, fd, 0), RC_OK);
	ck_assert_int_eq(metrics_map(&b, fd, 63), RC_OK);
	metric_add(a, METRIC_CERTS_ISSUED, 2);
	metric_add(b, METRIC_CERTS_ISSUED, 3);
	metric_add(a, METRIC_CONNECTIONS_OPEN, 5);
	metric_add(a, METRIC_CONNECTIONS_OPEN, (uint64_t)-1);
	metric_set(a, METRIC_LOOP_LONGEST_US, 70);
	metric_set(b, METRIC_LOOP_LONGEST_US, 50);
	metric_add(NULL, METRIC_CERTS_ISSUED, 1);
	metric_set(NULL, METRIC_CERTS_ISSUED, 1);
	metric_observe_us(NULL, METRIC_STORE_COMMIT_US, 1);
	ck_assert_uint_eq(metric_total(a, METRIC_CERTS_ISSUED), 5);
	ck_assert_uint_eq(metric_total(b, METRIC_CONNECTIONS_OPEN), 4);
	ck_assert_uint_eq(metric_total(b, METRIC_LOOP_LONGEST_US), 70);
	metrics_unmap(a);
	/* What it said of now is not so any more; what it counted is. */
	ck_assert_uint_eq(metric_total(b, METRIC_CONNECTIONS_OPEN), 0);
	ck_assert_uint_eq(metric_total(b, METRIC_LOOP_LONGEST_US), 50);
	ck_assert_uint_eq(metric_total(b, METRIC_CERTS_ISSUED), 5);
	/* A restart keeps the counters, not the gauges. */
	ck_assert_int_eq(metrics_map(&a, fd, 0), RC_OK);
	ck_assert_uint_eq(metric_total(a, METRIC_CERTS_ISSUED), 5);
	ck_assert_uint_eq(metric_total(a, METRIC_CONNECTIONS_OPEN), 0);
	metrics_unmap(a);
	metrics_unmap(b);
	metrics_unmap(NULL);
	(void)close(fd);
}
END_TEST

START_TEST(metrics_refuse_a_file_that_is_not_theirs)
{
	struct metrics *m;
	int fd = metrics_create();
	int other;

	ck_assert_int_eq(
	        metrics_map(&m, fd, METRICS_PROCESSES_MAX), RC_MALFORMED);
	ck_assert_ptr_null(m);
	ck_assert_int_ne(ftruncate(fd, 1), 0);
	(void)close(fd);
	other = memfd_create("other", 0);
	ck_assert_int_eq(metrics_map(&m, other, 0), RC_MALFORMED);
	(void)close(other);
}
END_TEST

static bool has(struct buf *b, const char *line)
{
	return strstr(buf_cstr(b), line) != NULL;
}

START_TEST(metrics_render_as_prometheus_reads)
{
	struct buf b = BUF_INIT(1 << 16);
	struct metrics *m;
	int fd = metrics_create();

	ck_assert_int_eq(metrics_map(&m, fd, 1), RC_OK);
	metric_observe_us(m, METRIC_STORE_COMMIT_US, 0);
	metric_observe_us(m, METRIC_STORE_COMMIT_US, 1);
	metric_observe_us(m, METRIC_STORE_COMMIT_US, 2);
	metric_observe_us(m, METRIC_STORE_COMMIT_US, 3);
	metric_observe_us(m, METRIC_STORE_COMMIT_US, 8388608);
	metric_observe_us(m, METRIC_STORE_COMMIT_US, 8388609);
	metric_add(m, METRIC_EST_RENEWED, 7);
	metric_set(m, METRIC_LOOP_LONGEST_US, 1500);
	metrics_render(m, &b);
	ck_assert_int_eq(b.failed, RC_OK);
	ck_assert(has(&b, "# TYPE mica_store_commit_seconds histogram\n"));
	ck_assert(has(&b, "_seconds_bucket{le=\"0.000001\"} 2\n"));
	ck_assert(has(&b, "_seconds_bucket{le=\"0.000002\"} 3\n"));
	ck_assert(has(&b, "_seconds_bucket{le=\"0.000004\"} 4\n"));
	ck_assert(has(&b, "_seconds_bucket{le=\"8.388608\"} 5\n"));
	ck_assert(has(&b, "_seconds_bucket{le=\"+Inf\"} 6\n"));
	ck_assert(has(&b, "mica_store_commit_seconds_sum 16.777223\n"));
	ck_assert(has(&b, "mica_store_commit_seconds_count 6\n"));
	ck_assert(has(&b, "mica_est_answers_total{result=\"renewed\"} 7\n"));
	ck_assert(has(&b, "mica_loop_longest_seconds 0.001500\n"));
	ck_assert_uint_eq(metric_total(m, METRIC_STORE_COMMIT_US), 6);
	ck_assert(!has(&b, "(null)"));
	buf_free(&b);
	metrics_unmap(m);
	(void)close(fd);
}
END_TEST

START_TEST(metrics_count_by_the_labels_that_were_entered)
{
	struct buf b = BUF_INIT(1 << 16);
	struct metrics *a, *c;
	char name[16];
	int fd = metrics_create();

	ck_assert_int_eq(metrics_map(&a, fd, 0), RC_OK);
	ck_assert_int_eq(metrics_map(&c, fd, 1), RC_OK);
	ck_assert(metrics_name(a, "old"));
	ck_assert(metrics_name(a, ""));
	ck_assert(metrics_name(a, "old"));
	metric_add_by(a, METRIC_SHARED_WRONG, "old", 2);
	metric_add_by(c, METRIC_SHARED_WRONG, "old", 3);
	metric_add_by(c, METRIC_SHARED_WRONG, "", 1);
	metric_add_by(c, METRIC_SHARED_WRONG, "new", 1);
	metric_add_by(NULL, METRIC_SHARED_WRONG, "old", 1);
	ck_assert_uint_eq(metric_total(a, METRIC_SHARED_WRONG), 7);
	metrics_render(a, &b);
	ck_assert(has(
	        &b, "_challenge_total{label=\"old\",result=\"wrong\"} 5\n"));
	ck_assert(has(&b, "_challenge_total{label=\"\",result=\"wrong\"} 1\n"));
	ck_assert(has(
	        &b, "_challenge_total{label=\"old\",result=\"enrolled\"} 0\n"));
	ck_assert(!has(&b, "label=\"new\""));
	buf_free(&b);
	for (int i = 2; i < METRICS_NAMES_MAX; i++) {
		(void)snprintf(name, sizeof(name), "n%d", i);
		ck_assert(metrics_name(a, name));
	}
	ck_assert(!metrics_name(a, "more"));
	metrics_unmap(a);
	metrics_unmap(c);
	(void)close(fd);
}
END_TEST

TCase *test_base_loop(void)
{
	TCase *t = tcase_create("loop");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, loop_timer_fires_once_and_no_sooner);
	tcase_add_test(t, loop_timer_can_be_cancelled);
	tcase_add_test(t, loop_timer_may_free_itself);
	tcase_add_test(t, loop_stop_before_run_is_not_lost);
	tcase_add_test(t, loop_watch_follows_its_switch);
	tcase_add_test(t, loop_watches_signals);
	tcase_add_test(t, loop_runs_posts_in_order_and_again);
	tcase_add_test(t, loop_forgets_a_task_that_is_taken_back);
	tcase_add_test(t, loop_task_may_take_back_the_next);
	tcase_add_test(t, loop_loses_no_post_of_other_threads);
	tcase_add_test(
	        t, loop_tells_of_its_longest_callback_and_of_each_that_blocks);
	tcase_add_test(t, clock_can_be_shifted_and_only_its_wall);
	tcase_add_test(t, metrics_sum_over_processes);
	tcase_add_test(t, metrics_refuse_a_file_that_is_not_theirs);
	tcase_add_test(t, metrics_render_as_prometheus_reads);
	tcase_add_test(t, metrics_count_by_the_labels_that_were_entered);
	return t;
}
