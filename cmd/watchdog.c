/* A signer that does not die but stands still would keep every request waiting
 * until its deadline. Its loop is asked for a sign of life; a signature, which
 * a token may hold up for long, is not waited for there. */
#include "base/log.h"
#include "cmd/supervisor.h"
#include <signal.h>
#include <string.h>

static void end(struct supervisor *s, const char *event, unsigned pings)
{
	struct log_num pid, seconds;

	log_event(LOG_ERROR, event, "pid", log_i64(&pid, s->signer.pid),
	        "seconds", log_i64(&seconds, pings * SIGNER_PING_MS / 1000),
	        "what", "it is ended, and a new one started", NULL);
	s->pings_unanswered = 0;
	(void)kill(s->signer.pid, SIGKILL);
}

static void log_key(const struct supervisor *s, enum log_level level)
{
	const struct conf *c = s->now->conf;

	for (size_t i = 0; i < c->n_keys; i++) {
		const struct conf_key *k = &c->keys[i];

		if (strcmp(k->name, s->loading) != 0)
			continue;
		log_event(level, "signer.held_up", "key", k->name,
		        k->uri != NULL ? "uri" : "file",
		        k->uri != NULL ? k->uri : k->file, "module",
		        k->uri != NULL ? k->module : "", "what",
		        "loading it takes long", NULL);
	}
}

/* It says which key it goes to; each word begins the count anew. */
static void look_at_start(struct supervisor *s)
{
	s->pings_unanswered++;
	if (s->pings_unanswered == SIGNER_SLOW_PINGS) {
		log_key(s, LOG_WARN);
		generation_signer_late(s->now);
	}
	if (s->pings_unanswered < SIGNER_START_PINGS_MAX)
		return;
	log_key(s, LOG_ERROR);
	s->signer.held_up = true;
	end(s, "signer.start_hangs", SIGNER_START_PINGS_MAX);
}

/* Counted by our own turns and not by the clock: a machine that slept, or a
 * supervisor that was stopped with all the others, finds everyone late. */
static void look(struct supervisor *s)
{
	const struct process *p = &s->signer;

	if (p->pid <= 0 || p->leaving || s->stopping) {
		s->pings_unanswered = 0;
		return;
	}
	if (!p->ready) {
		look_at_start(s);
		return;
	}
	if (s->pings_unanswered < SIGNER_PINGS_MAX) {
		s->pings_unanswered++;
		if (process_send(&s->signer, PROTO_PING, BYTES_NONE) != RC_OK)
			log_event(LOG_WARN, "signer.unreachable", NULL);
		return;
	}
	end(s, "signer.frozen", SIGNER_PINGS_MAX);
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
