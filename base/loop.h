/* base/loop.h - the event loop of a process (wraps libevent_core). One loop a
 * thread; only loop_post() may be called from another thread. A callback never
 * waits: not for a disk, not for a key, not for a peer. */
#ifndef MICA_BASE_LOOP_H
#define MICA_BASE_LOOP_H

#include "base/rc.h"
#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct loop;
struct loop_timer;
struct loop_watch;
struct metrics;

/* To be called on the thread that will run the loop. PRECISE_TIMER is on:
 * libevent's default timers tick at 4 ms. Errors: RC_NOMEM. */
MUST_CHECK enum rc loop_new(struct loop **out);
/* Timers and watches must have been freed. NULL is a no-op. */
void loop_free(struct loop *loop);
/* Run until loop_stop(). */
MUST_CHECK enum rc loop_run(struct loop *loop);
/* One turn: run what is ready and return; for tests. */
void loop_poll(struct loop *loop);
void loop_stop(struct loop *loop);
/* For net/'s bufferevents alone. Borrowed. */
struct event_base *loop_base(struct loop *loop);
/* From now on m says how long callbacks hold the loop: METRIC_LOOP_LONGEST_US
 * the longest of this minute, METRIC_LOOP_HELD_US each that took over
 * LOOP_HELD_US, which nothing that does not wait takes. m outlives the loop. */
#define LOOP_HELD_US 50000
void loop_measure(struct loop *loop, struct metrics *m);
/* Callbacks of this header are measured already; a callback that libevent
 * calls directly (net/'s bufferevents) brackets itself with these two:
 * loop_leave(loop, loop_enter()) around its work. */
int64_t loop_enter(void);
void loop_leave(struct loop *loop, int64_t since_us);

typedef void loop_fn(void *ctx);
typedef void loop_fd_fn(void *ctx, int fd);

/* One-shot; set again to repeat. */
MUST_CHECK enum rc loop_timer_new(
        struct loop_timer **out, struct loop *loop, loop_fn *fn, void *ctx);
void loop_timer_set_ms(struct loop_timer *t, int64_t delay_ms);
void loop_timer_cancel(struct loop_timer *t);
void loop_timer_free(struct loop_timer *t); /* NULL is a no-op */

/* Call fn while fd is readable. fd stays the caller's. */
MUST_CHECK enum rc loop_watch_new(struct loop_watch **out, struct loop *loop,
        int fd, loop_fd_fn *fn, void *ctx);
/* Call fn while fd is writable and the watch is on; it starts off. */
MUST_CHECK enum rc loop_watch_new_write(struct loop_watch **out,
        struct loop *loop, int fd, loop_fd_fn *fn, void *ctx);
void loop_watch_enable(struct loop_watch *w, bool on);
void loop_watch_free(struct loop_watch *w); /* NULL is a no-op */

/* Call fn(ctx) when the process gets signal signo. */
MUST_CHECK enum rc loop_watch_new_signal(struct loop_watch **out,
        struct loop *loop, int signo, loop_fn *fn, void *ctx);

/* Run once on the loop's thread, in order of posting. The task is the
 * caller's and must live until it has run; it can be posted again then.
 * Thread-safe; never fails, never allocates. */
struct loop_task {
	loop_fn *fn;
	void *ctx;
	struct loop_task *next; /* the loop's */
};
void loop_post(struct loop *loop, struct loop_task *task);
/* Forget a task that was posted and has not run; a no-op for others. Only on
 * the loop's thread. */
void loop_unpost(struct loop *loop, struct loop_task *task);

#endif
