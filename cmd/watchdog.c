/* A signer that does not die but stands still would keep every request waiting
 * until its deadline. Its loop is asked for a sign of life; a signature, which
 * a token may hold up for long, is not waited for there. */
#include "base/log.h"
#include "cmd/supervisor.h"
#include <signal.h>

/* Counted by our own turns and not by the clock: a machine that slept, or a
 * supervisor that was stopped with all the others, finds everyone late. */
static void look(struct supervisor *s)
{
	const struct process *p = &s->signer;
	struct log_num pid, seconds;

	if (p->pid <= 0 || !p->ready || p->leaving || s->stopping) {
		s->pings_unanswered = 0;
		return;
	}
	if (s->pings_unanswered < SIGNER_PINGS_MAX) {
		s->pings_unanswered++;
		if (process_send(&s->signer, PROTO_PING, BYTES_NONE) != RC_OK)
			log_event(LOG_WARN, "signer.unreachable", NULL);
		return;
	}
	log_event(LOG_ERROR, "signer.frozen", "pid", log_i64(&pid, p->pid),
	        "seconds",
	        log_i64(&seconds, SIGNER_PINGS_MAX * SIGNER_PING_MS / 1000),
	        "what", "it is ended, and a new one started", NULL);
	s->pings_unanswered = 0;
	(void)kill(p->pid, SIGKILL);
}

static void on_ping(void *ctx)
{
	struct supervisor *s = ctx;

	look(s);
	loop_timer_set_ms(s->ping, SIGNER_PING_MS);
}

enum rc watchdog_start(struct supervisor *s)
{
	enum rc rc = loop_timer_new(&s->ping, s->loop, on_ping, s);

	if (rc == RC_OK)
		loop_timer_set_ms(s->ping, SIGNER_PING_MS);
	return rc;
}
