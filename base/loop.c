#include "base/loop.h"
#include "base/clock.h"
#include "base/metrics.h"

#include <event2/event.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define MINUTE_US 60000000

struct loop {
	struct event_base *base;
	struct event *wake;
	pthread_t owner;
	int wake_fd;
	bool stopped;
	struct metrics *metrics; /* may be NULL */
	int64_t longest_us,
	        minute_ends_us;    /* of one callback, in that minute */
	struct loop_task *running; /* taken off the list below, not yet run */
	pthread_mutex_t lock;      /* of all below */
	struct loop_task *head;
	struct loop_task *last;
	bool woken; /* a wake-up is on its way */
};

struct loop_timer {
	struct loop *loop;
	struct event *event;
	loop_fn *fn;
	void *ctx;
};

struct loop_watch {
	struct loop *loop;
	struct event *event;
	loop_fd_fn *fd_fn;  /* NULL for signals */
	loop_fn *signal_fn; /* NULL for descriptors */
	void *ctx;
};

int64_t loop_enter(void)
{
	return clock_mono_us();
}

void loop_leave(struct loop *loop, int64_t since_us)
{
	int64_t now_us = clock_mono_us();
	int64_t span_us = now_us - since_us;

	if (span_us > LOOP_HELD_US)
		metric_observe_us(
		        loop->metrics, METRIC_LOOP_HELD_US, (uint64_t)span_us);
	if (now_us >= loop->minute_ends_us) {
		loop->minute_ends_us = now_us + MINUTE_US;
		loop->longest_us = -1;
	}
	if (span_us <= loop->longest_us)
		return;
	loop->longest_us = span_us;
	metric_set(loop->metrics, METRIC_LOOP_LONGEST_US, (uint64_t)span_us);
}

void loop_measure(struct loop *loop, struct metrics *m)
{
	loop->metrics = m;
}

static void take_tasks(struct loop *loop)
{
	(void)pthread_mutex_lock(&loop->lock);
	loop->running = loop->head;
	loop->head = NULL;
	loop->last = NULL;
	loop->woken = false;
	(void)pthread_mutex_unlock(&loop->lock);
}

static void on_wake(evutil_socket_t fd, short what, void *ctx)
{
	struct loop *loop = ctx;
	struct loop_task *task;
	eventfd_t ignored;

	/* Before the list is taken: a later post writes again. */
	if ((what & EV_READ) != 0)
		(void)eventfd_read(fd, &ignored);
	take_tasks(loop);
	while ((task = loop->running) != NULL) {
		int64_t since_us = loop_enter();

		loop->running = task->next;
		task->fn(task->ctx);
		loop_leave(loop, since_us);
	}
}

void loop_post(struct loop *loop, struct loop_task *task)
{
	bool wake;

	task->next = NULL;
	(void)pthread_mutex_lock(&loop->lock);
	if (loop->head == NULL)
		loop->head = task;
	else
		loop->last->next = task;
	loop->last = task;
	wake = !loop->woken;
	loop->woken = true;
	(void)pthread_mutex_unlock(&loop->lock);
	if (!wake)
		return;
	/* On the loop's own thread no system call is needed. */
	if (pthread_equal(pthread_self(), loop->owner))
		event_active(loop->wake, EV_TIMEOUT, 1);
	else
		(void)eventfd_write(loop->wake_fd, 1);
}

static bool unlink_task(struct loop_task **at, struct loop_task *task)
{
	while (*at != NULL && *at != task)
		at = &(*at)->next;
	if (*at == NULL)
		return false;
	*at = task->next;
	return true;
}

void loop_unpost(struct loop *loop, struct loop_task *task)
{
	if (unlink_task(&loop->running, task))
		return;
	(void)pthread_mutex_lock(&loop->lock);
	if (unlink_task(&loop->head, task)) {
		loop->last = loop->head;
		while (loop->last != NULL && loop->last->next != NULL)
			loop->last = loop->last->next;
	}
	(void)pthread_mutex_unlock(&loop->lock);
}

static struct event_base *precise_base(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (config == NULL)
		return NULL;
	if (event_config_set_flag(config,
	            EVENT_BASE_FLAG_PRECISE_TIMER | EVENT_BASE_FLAG_IGNORE_ENV |
	                    EVENT_BASE_FLAG_NOLOCK) == 0)
		base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

enum rc loop_new(struct loop **out)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	*out = NULL;
	if (loop == NULL)
		return RC_NOMEM;
	(void)pthread_mutex_init(&loop->lock, NULL);
	loop->owner = pthread_self();
	loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	loop->base = precise_base();
	if (loop->wake_fd < 0 || loop->base == NULL)
		goto out;
	loop->wake = event_new(
	        loop->base, loop->wake_fd, EV_READ | EV_PERSIST, on_wake, loop);
	if (loop->wake == NULL || event_add(loop->wake, NULL) != 0)
		goto out;
	*out = loop;
	return RC_OK;
out:
	loop_free(loop);
	return RC_NOMEM;
}

void loop_free(struct loop *loop)
{
	if (loop == NULL)
		return;
	if (loop->wake != NULL)
		event_free(loop->wake);
	if (loop->base != NULL)
		event_base_free(loop->base);
	if (loop->wake_fd >= 0)
		(void)close(loop->wake_fd);
	(void)pthread_mutex_destroy(&loop->lock);
	free(loop);
}

enum rc loop_run(struct loop *loop)
{
	int failed = 0;

	/* libevent forgets a stop that came before the run. */
	while (!loop->stopped && failed == 0) {
		if (event_base_loop(loop->base, EVLOOP_NO_EXIT_ON_EMPTY) < 0)
			failed = 1;
	}
	loop->stopped = false;
	return failed ? RC_INTERNAL : RC_OK;
}

void loop_poll(struct loop *loop)
{
	(void)event_base_loop(loop->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

void loop_stop(struct loop *loop)
{
	loop->stopped = true;
	(void)event_base_loopbreak(loop->base);
}

struct event_base *loop_base(struct loop *loop)
{
	return loop->base;
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct loop_timer *t = ctx;
	struct loop *loop = t->loop; /* fn may free t */
	int64_t since_us = loop_enter();

	(void)fd;
	(void)what;
	t->fn(t->ctx);
	loop_leave(loop, since_us);
}

enum rc loop_timer_new(
        struct loop_timer **out, struct loop *loop, loop_fn *fn, void *ctx)
{
	struct loop_timer *t = calloc(1, sizeof(*t));

	*out = NULL;
	if (t == NULL)
		return RC_NOMEM;
	*t = (struct loop_timer){ .loop = loop, .fn = fn, .ctx = ctx };
	t->event = evtimer_new(loop->base, on_timer, t);
	if (t->event == NULL) {
		free(t);
		return RC_NOMEM;
	}
	*out = t;
	return RC_OK;
}

void loop_timer_set_ms(struct loop_timer *t, int64_t delay_ms)
{
	struct timeval tv = { 0, 0 };

	if (delay_ms > 0) {
		tv.tv_sec = delay_ms / 1000;
		tv.tv_usec = delay_ms % 1000 * 1000;
	}
	(void)evtimer_add(t->event, &tv);
}

void loop_timer_cancel(struct loop_timer *t)
{
	(void)evtimer_del(t->event);
}

void loop_timer_free(struct loop_timer *t)
{
	if (t == NULL)
		return;
	event_free(t->event);
	free(t);
}

static void on_watch(evutil_socket_t fd, short what, void *ctx)
{
	struct loop_watch *w = ctx;
	struct loop *loop = w->loop; /* fn may free w */
	int64_t since_us = loop_enter();

	(void)what;
	if (w->fd_fn != NULL)
		w->fd_fn(w->ctx, fd);
	else
		w->signal_fn(w->ctx);
	loop_leave(loop, since_us);
}

/* Owns w from here on. */
static enum rc watch_begin(
        struct loop_watch **out, struct loop_watch *w, int fd, short what)
{
	*out = NULL;
	if (w == NULL)
		return RC_NOMEM;
	w->event = event_new(
	        w->loop->base, fd, (short)(what | EV_PERSIST), on_watch, w);
	if (w->event == NULL)
		goto out;
	/* A write watch starts off: a socket is nearly always writable. */
	if (what != EV_WRITE && event_add(w->event, NULL) != 0)
		goto out;
	*out = w;
	return RC_OK;
out:
	loop_watch_free(w);
	return RC_NOMEM;
}

static struct loop_watch *watch_alloc(
        struct loop *loop, loop_fd_fn *fd_fn, loop_fn *signal_fn, void *ctx)
{
	struct loop_watch *w = calloc(1, sizeof(*w));

	if (w != NULL)
		*w = (struct loop_watch){ loop, NULL, fd_fn, signal_fn, ctx };
	return w;
}

enum rc loop_watch_new(struct loop_watch **out, struct loop *loop, int fd,
        loop_fd_fn *fn, void *ctx)
{
	return watch_begin(out, watch_alloc(loop, fn, NULL, ctx), fd, EV_READ);
}

enum rc loop_watch_new_write(struct loop_watch **out, struct loop *loop, int fd,
        loop_fd_fn *fn, void *ctx)
{
	return watch_begin(out, watch_alloc(loop, fn, NULL, ctx), fd, EV_WRITE);
}

enum rc loop_watch_new_signal(struct loop_watch **out, struct loop *loop,
        int signo, loop_fn *fn, void *ctx)
{
	return watch_begin(
	        out, watch_alloc(loop, NULL, fn, ctx), signo, EV_SIGNAL);
}

void loop_watch_enable(struct loop_watch *w, bool on)
{
	if (on)
		(void)event_add(w->event, NULL);
	else
		(void)event_del(w->event);
}

void loop_watch_free(struct loop_watch *w)
{
	if (w == NULL)
		return;
	if (w->event != NULL)
		event_free(w->event);
	free(w);
}
