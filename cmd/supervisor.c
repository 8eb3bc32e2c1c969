/* The life of the daemon: start, signals, hand-over, end. */
#include "cmd/supervisor.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/sandbox.h"
#include "cmd/files.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A last wait for processes that were told to go and did not. */
#define KILL_AFTER_S 5
/* A rotation of the EST certificate that failed is tried again then. */
#define ROTATE_AGAIN_MS (600 * 1000)

/* --- ending */
static void stop_check(struct supervisor *s)
{
	struct generation *const all[] = { s->next, s->now, s->old };
	bool running = false;

	for (unsigned i = 0; i < 3; i++)
		if (all[i] != NULL) {
			generation_leave(all[i]);
			running = running || generation_running(all[i]);
		}
	if (running)
		return;
	if (s->signer.pid != 0) {
		if (s->signer.leaving)
			return;
		process_leave(&s->signer);
		/* It has nothing to finish, and a module may hold it up. */
		if (!s->signer.ready)
			loop_timer_set_ms(s->deadline, KILL_AFTER_S * 1000);
		return;
	}
	loop_stop(s->loop);
}

static void kill_all(struct supervisor *s)
{
	struct generation *const all[] = { s->next, s->now, s->old };

	for (unsigned i = 0; i < 3; i++)
		if (all[i] != NULL)
			generation_kill(all[i]);
	process_kill(&s->signer);
}

static void on_deadline(void *ctx)
{
	struct supervisor *s = ctx;

	if (s->stopping) {
		log_event(LOG_WARN, "micad.stop_forced", NULL);
		kill_all(s);
	} else if (s->old != NULL) {
		log_event(LOG_WARN, "drain.forced", NULL);
		generation_kill(s->old);
	}
}

static void stop(struct supervisor *s, int status)
{
	if (s->stopping)
		return;
	s->stopping = true;
	s->exit_status = status;
	loop_timer_set_ms(
	        s->deadline, (status == 0 ? DRAIN_S : KILL_AFTER_S) * 1000);
	stop_check(s);
}

static void on_term(void *ctx)
{
	struct supervisor *s = ctx;

	if (s->stopping) {
		kill_all(s);
		return;
	}
	log_event(LOG_NOTICE, "micad.stop", NULL);
	stop(s, 0);
}

void supervisor_fail(struct supervisor *s, const char *what, const char *why)
{
	log_event(LOG_ERROR, "micad.failed", "what", what, "why", why, NULL);
	stop(s, 1);
}

/* --- generations */
void supervisor_generation_failed(struct supervisor *s, struct generation *g)
{
	if (g != s->next) {
		supervisor_fail(s, "start", "see the log above");
		return;
	}
	log_event(LOG_ERROR, "reload.failed", "what",
	        "the new processes did not start; the old go on", NULL);
	/* Theirs was the timer, and the old certificate is older. */
	loop_timer_set_ms(s->rotate, ROTATE_AGAIN_MS);
	generation_kill(g);
	supervisor_generation_gone(s, g);
}

void supervisor_start_failed(struct supervisor *s, struct process *p)
{
	char name[24];

	if (p->gen != NULL && p->gen == s->next)
		supervisor_generation_failed(s, p->gen);
	else
		supervisor_fail(s, process_name(p, name), "did not start");
}

/* What waits for a certificate gives way to a configuration that is newer, but
 * one that is merely coming up does not: SIGHUPs in a row would start each and
 * finish none. The last of them is read when the one under way is done. */
static void overtake(struct supervisor *s)
{
	struct generation *g = s->next;

	if (g == NULL || !g->stuck || g->leaving || !s->reload_reread)
		return;
	log_event(LOG_NOTICE, "reload.overtaken", "what",
	        "it waited for a certificate, and SIGHUP came again", NULL);
	generation_kill(g);
	supervisor_generation_gone(s, g);
}

void supervisor_generation_stuck(struct supervisor *s, struct generation *g)
{
	if (g != s->next || g->stuck)
		return;
	log_event(LOG_ERROR, "reload.waits", "why",
	        "no certificate for listen.est; the old processes go on", NULL);
	g->stuck = true;
	overtake(s);
}

static void reload(struct supervisor *s, bool reread)
{
	enum rc rc;

	if (s->next != NULL || s->old != NULL || s->now == NULL ||
	        !s->now->serving) {
		s->reload_wanted = true;
		s->reload_reread = s->reload_reread || reread;
		overtake(s);
		return;
	}
	s->reload_wanted = s->reload_reread = false;
	rc = generation_new(&s->next, s, s->now, reread);
	if (rc != RC_OK) {
		log_event(LOG_ERROR, "reload.refused", "what",
		        "nothing changes", NULL);
		return;
	}
	log_event(LOG_NOTICE, "reload.begin", NULL);
	if (s->signer.ready)
		supervisor_send_policy(s, s->next);
}

void supervisor_rotate(struct supervisor *s)
{
	if (s->stopping)
		return;
	/* Put off by tls_cert() as soon as there is a new one. */
	loop_timer_set_ms(s->rotate, ROTATE_AGAIN_MS);
	reload(s, false);
}

/* The EST listener's certificate is at two thirds of its life. */
static void on_rotate(void *ctx)
{
	supervisor_rotate(ctx);
}

static void on_hup(void *ctx)
{
	struct supervisor *s = ctx;

	if (s->stopping)
		return;
	process_try_again(&s->signer);
	reload(s, true);
}

void supervisor_generation_up(struct supervisor *s, struct generation *g)
{
	if (g == s->now) {
		log_event(LOG_NOTICE, "micad.ready", "est",
		        g->est_off || g->est.n == 0 ? "off" : "on", NULL);
	} else {
		log_event(LOG_NOTICE, "reload.done", NULL);
		s->old = s->now;
		s->now = g;
		s->next = NULL;
		supervisor_change_log(s, g->conf);
		loop_timer_set_ms(s->deadline, DRAIN_S * 1000);
		/* It stays for what its workers have yet to say. */
		if (process_send(&s->old->keeper, CONTROL_SUCCEEDED,
		            BYTES_NONE) != RC_OK)
			log_event(LOG_WARN, "keeper.unreachable", NULL);
		generation_leave(s->old);
	}
	supervisor_tell_processes(s);
	supervisor_tell_away(s);
	if (s->reload_wanted)
		reload(s, s->reload_reread);
}

/* Called when one of its processes ended; frees it after the last. */
void supervisor_generation_gone(struct supervisor *s, struct generation *g)
{
	if (generation_running(g))
		return;
	supervisor_drop_policy(s, g->number);
	if (s->old == g) {
		s->old = NULL;
		if (!s->stopping)
			loop_timer_cancel(s->deadline);
	} else if (s->next == g) {
		s->next = NULL;
	} else {
		return;
	}
	generation_free(g);
	if (s->reload_wanted && !s->stopping)
		reload(s, s->reload_reread);
}

/* --- processes */
void supervisor_slot_cleared(struct supervisor *s, uint64_t slot)
{
	for (unsigned i = 0; i < s->n_dead_slots; i++)
		if (s->dead_slots[i] == slot) {
			s->dead_slots[i] = s->dead_slots[--s->n_dead_slots];
			return;
		}
}

static void slot_dead(struct supervisor *s, uint64_t slot)
{
	struct generation *g = s->now;
	struct buf b = BUF_INIT(16);

	if (slot == 0 || s->n_dead_slots == DEAD_SLOTS_MAX)
		return; /* the next daemon start abandons it */
	s->dead_slots[s->n_dead_slots++] = slot;
	pack_u64(&b, slot);
	if (g != NULL && g->keeper.ready &&
	        process_send(&g->keeper, CONTROL_SLOT_DEAD, buf_bytes(&b)) !=
	                RC_OK)
		log_event(LOG_WARN, "keeper.unreachable", NULL);
	buf_free(&b);
}

void supervisor_process_down(struct supervisor *s, struct process *p)
{
	uint64_t slot = p->slot;

	if (p == &s->signer) {
		s->loading[0] = '\0';
		s->pings_unanswered = 0;
		buf_reset(&s->away);
		supervisor_tell_away(s);
	}

	p->slot = 0;
	slot_dead(s, slot);
	supervisor_tell_processes(s);
}

static void describe(struct control_process *c, const struct process *p)
{
	*c = (struct control_process){
		.pid = p->pid, .ready = p->ready, .restarts = p->restarts
	};
	process_name(p, c->name);
}

void supervisor_tell_processes(struct supervisor *s)
{
	struct control_process list[CONTROL_PROCESSES_MAX];
	struct generation *g = s->now;
	struct buf b = BUF_INIT(CONTROL_PROCESSES_MAX * 64);
	size_t n = 0;

	if (g == NULL || !g->keeper.ready)
		return;
	list[n] = (struct control_process){ .name = "supervisor",
		.pid = getpid(),
		.ready = g->serving && !g->est_off };
	n++;
	describe(&list[n++], &s->signer);
	describe(&list[n++], &g->keeper);
	for (unsigned i = 0; i < g->n_workers; i++)
		describe(&list[n++], &g->workers[i]);
	control_processes_pack(&b, list, n);
	if (process_send(&g->keeper, CONTROL_PROCESSES, buf_bytes(&b)) != RC_OK)
		log_event(LOG_WARN, "keeper.unreachable", NULL);
	buf_free(&b);
}

static struct process *process_in(struct generation *g, pid_t pid)
{
	if (g == NULL)
		return NULL;
	if (g->keeper.pid == pid)
		return &g->keeper;
	for (unsigned i = 0; i < g->n_workers; i++)
		if (g->workers[i].pid == pid)
			return &g->workers[i];
	return NULL;
}

static struct process *process_by_pid(struct supervisor *s, pid_t pid)
{
	struct generation *const all[] = { s->now, s->next, s->old };
	struct process *p = s->signer.pid == pid ? &s->signer : NULL;

	for (unsigned i = 0; p == NULL && i < 3; i++)
		p = process_in(all[i], pid);
	return p;
}

static void on_child(void *ctx)
{
	struct supervisor *s = ctx;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct process *p = process_by_pid(s, pid);
		struct generation *g = p != NULL ? p->gen : NULL;

		if (p == NULL)
			continue;
		process_died(p, status);
		/* A failed start frees the generation by itself: it is then
		 * none of these, and not to be looked into. */
		if (g != NULL && (g == s->old || g == s->next) && g->leaving) {
			generation_leave(g);
			supervisor_generation_gone(s, g);
		}
	}
	if (s->stopping)
		stop_check(s);
}

/* --- starting */
static enum rc find_user(
        const char *name, uid_t *uid, gid_t *gid, struct why *why)
{
	const struct passwd *pw = getpwnam(name);

	if (pw == NULL)
		return why_set(why, RC_CONFIG,
		        "user %s does not exist: useradd --system "
		        "--user-group --no-create-home %s",
		        name, name);
	if (pw->pw_uid == 0)
		return why_set(why, RC_CONFIG, "user %s is root", name);
	*uid = pw->pw_uid;
	*gid = pw->pw_gid;
	return RC_OK;
}

static enum rc open_programs(struct supervisor *s, struct why *why)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 32);
	char *slash;

	if (n <= 0)
		return why_set(why, RC_IO, "/proc is not mounted");
	path[n] = '\0';
	s->exe_fd = open(path, O_RDONLY | O_CLOEXEC);
	slash = strrchr(path, '/');
	snprintf(slash + 1, sizeof(path) - (size_t)(slash + 1 - path),
	        "mica-signer");
	s->signer_exe_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (s->exe_fd < 0 || s->signer_exe_fd < 0)
		return why_set(why, RC_IO, "%s: %s", path, strerror(errno));
	return RC_OK;
}

/* Two daemons on one store would take each other for dead. The lock goes with
 * the folder's descriptor, which the children inherit: those of a supervisor
 * that was killed hold it for the moment that they outlive it. */
static enum rc lock_store(int fd, const char *path, struct why *why)
{
	const struct timespec pause = { 0, 1000000000 / START_TRIES_A_S };

	for (int i = 0; i < START_WAIT_S * START_TRIES_A_S; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return RC_OK;
		if (errno != EWOULDBLOCK)
			return why_set(
			        why, RC_IO, "%s: %s", path, strerror(errno));
		nanosleep(&pause, NULL);
	}
	return why_set(why, RC_EXISTS,
	        "%s: another micad is running on this store", path);
}

static enum rc open_store(
        struct supervisor *s, const char *path, struct why *why)
{
	struct stat st;

	if (mkdir(path, 0700) == 0) {
		if (s->root && chown(path, s->uid, s->gid) != 0)
			return why_set(
			        why, RC_IO, "%s: %s", path, strerror(errno));
	} else if (errno != EEXIST) {
		return why_set(why, RC_IO, "%s: %s", path, strerror(errno));
	}
	s->store_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->store_fd < 0 || fstat(s->store_fd, &st) != 0)
		return why_set(why, RC_IO, "%s: %s", path, strerror(errno));
	if (s->root && st.st_uid != s->uid)
		return why_set(why, RC_PERMISSION,
		        "%s belongs to user %u, and the daemon opens it as "
		        "%u: chown -R %u %s",
		        path, (unsigned)st.st_uid, (unsigned)s->uid,
		        (unsigned)s->uid, path);
	return lock_store(s->store_fd, path, why);
}

/* For others to read as well: a web server beside us. */
static enum rc open_published(
        struct supervisor *s, const char *path, struct why *why)
{
	if (mkdir(path, 0755) == 0) {
		if (chmod(path, 0755) != 0 ||
		        (s->root && chown(path, s->uid, s->gid) != 0))
			return why_set(
			        why, RC_IO, "%s: %s", path, strerror(errno));
	} else if (errno != EEXIST) {
		return why_set(why, RC_IO, "%s: %s", path, strerror(errno));
	}
	s->publish_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->publish_fd < 0)
		return why_set(why, RC_IO, "%s: %s", path, strerror(errno));
	return RC_OK;
}

/* The credentials are root's to read, and the signer is another user: it is
 * given the open files. Nothing is read here. */
static enum rc open_pins(
        struct supervisor *s, const struct conf *c, struct why *why)
{
	const size_t head = sizeof(CONF_CREDENTIAL_PREFIX) - 1;
	const char *dir = getenv("CREDENTIALS_DIRECTORY");

	for (size_t i = 0; i < c->n_keys; i++) {
		const char *pin = c->keys[i].pin;
		char path[4096];
		int fd;

		if (!process_pin_is_credential(&c->keys[i]))
			continue;
		if (dir == NULL)
			return why_set(why, RC_CONFIG,
			        "keys.%s.pin: systemd gave no credentials: "
			        "LoadCredential=%s:FILE",
			        c->keys[i].name, pin + head);
		if (s->n_pin_fds == CREDENTIALS_MAX)
			return why_set(why, RC_CONFIG,
			        "over %d keys with a credential",
			        CREDENTIALS_MAX);
		snprintf(path, sizeof(path), "%s/%s", dir, pin + head);
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
		if (fd < 0)
			return why_set(why, RC_CONFIG, "keys.%s.pin: %s: %s",
			        c->keys[i].name, path, strerror(errno));
		s->pin_fds[s->n_pin_fds++] = fd;
	}
	return RC_OK;
}

static enum rc open_shared(struct supervisor *s, struct why *why)
{
	s->metrics_fd = metrics_create();
	s->shared_fd = shared_create();
	if (s->metrics_fd < 0 || s->shared_fd < 0 ||
	        metrics_map(&s->metrics, s->metrics_fd, 0) != RC_OK)
		return why_set(
		        why, RC_IO, "shared memory: %s", strerror(errno));
	rand_fill(s->ticket_secret, sizeof(s->ticket_secret));
	return RC_OK;
}

static enum rc open_pairs(struct supervisor *s, unsigned n, struct why *why)
{
	s->n_pairs = n;
	for (unsigned set = 0; set < 2; set++)
		for (unsigned i = 0; i < n; i++)
			if (ipc_pair(s->pairs[set][i]) != RC_OK)
				return why_set(why, RC_IO, "socketpair: %s",
				        strerror(errno));
	return RC_OK;
}

static enum rc watch_signals(struct supervisor *s)
{
	static const struct {
		int signo;
		loop_fn *fn;
	} table[] = {
		{ SIGTERM, on_term },
		{ SIGINT, on_term },
		{ SIGHUP, on_hup },
		{ SIGCHLD, on_child },
	};
	enum rc rc = loop_timer_new(&s->deadline, s->loop, on_deadline, s);

	if (rc == RC_OK)
		rc = loop_timer_new(&s->rotate, s->loop, on_rotate, s);
	if (rc == RC_OK)
		rc = watchdog_start(s);
	signal(SIGPIPE, SIG_IGN);
	for (unsigned i = 0; rc == RC_OK && i < 4; i++)
		rc = loop_watch_new_signal(&s->signals[i], s->loop,
		        table[i].signo, table[i].fn, s);
	return rc;
}

/* Root without its capabilities is held to file modes. */
static void warn_of_reload(const struct supervisor *s)
{
	int fd = open(s->conf_path, O_RDONLY | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	else
		log_event(LOG_WARN, "reload.unreadable", "file", s->conf_path,
		        "why", strerror(errno), "what",
		        "SIGHUP cannot read it: it should belong to root, as "
		        "should its folder",
		        NULL);
}

static enum rc open_all(struct supervisor *s, struct why *why)
{
	const struct conf *c = s->now->conf;
	enum rc rc = RC_OK;

	s->root = geteuid() == 0;
	if (s->root)
		rc = find_user(c->user, &s->uid, &s->gid, why);
	if (rc == RC_OK && s->root)
		rc = find_user(
		        c->signer_user, &s->signer_uid, &s->signer_gid, why);
	if (rc == RC_OK)
		rc = open_programs(s, why);
	if (rc == RC_OK)
		rc = open_store(s, c->store.path, why);
	if (rc == RC_OK)
		rc = open_published(s, c->publish_path, why);
	if (rc == RC_OK)
		rc = keys_folder_open(&s->keys_fd, c->keys_dir, why);
	if (rc == RC_OK)
		rc = open_pins(s, c, why);
	if (rc == RC_OK)
		rc = open_pairs(s, s->now->n_workers + 1, why);
	if (rc == RC_OK)
		rc = sandbox_supervisor(why);
	if (rc == RC_OK)
		warn_of_reload(s);
	return rc;
}

static void supervisor_close(struct supervisor *s)
{
	struct generation *const all[] = { s->now, s->next, s->old };

	for (unsigned i = 0; i < 3; i++)
		generation_free(all[i]);
	process_close(&s->signer);
	for (unsigned i = 0; i < 4; i++)
		loop_watch_free(s->signals[i]);
	loop_timer_free(s->deadline);
	loop_timer_free(s->rotate);
	loop_timer_free(s->ping);
	metrics_unmap(s->metrics);
	loop_free(s->loop);
	bytes_wipe(s->ticket_secret, sizeof(s->ticket_secret));
	buf_free(&s->away);
}

static enum rc start(struct supervisor *s)
{
	struct why why = WHY_NONE;
	enum rc rc = loop_new(&s->loop);

	files_raise();
	if (rc == RC_OK)
		rc = watch_signals(s);
	if (rc == RC_OK)
		rc = open_shared(s, &why);
	if (rc == RC_OK)
		rc = generation_new(&s->now, s, NULL, true);
	if (rc != RC_OK) {
		if (why.text[0] != '\0')
			log_event(LOG_ERROR, "micad.failed", "why", why.text,
			        NULL);
		return rc;
	}
	log_open("supervisor", s->now->conf->log_level, s->now->conf->log_form);
	rc = open_all(s, &why);
	s->signer =
	        (struct process){ .sup = s, .kind = PROCESS_SIGNER, .row = 1 };
	if (rc == RC_OK)
		rc = process_start(&s->signer, &why);
	if (rc != RC_OK)
		log_event(LOG_ERROR, "micad.failed", "why", why.text, NULL);
	return rc;
}

int supervisor_run(const char *conf_path)
{
	struct supervisor *s = calloc(1, sizeof(*s));
	char *absolute;
	int status = 1;

	if (s == NULL)
		return 1;
	/* Absolute: it is shown to people who stand elsewhere. A file that is
	 * not there is reported by who reads it. */
	absolute = realpath(conf_path, NULL);
	s->conf_path = absolute != NULL ? absolute : conf_path;
	s->exe_fd = s->signer_exe_fd = s->keys_fd = s->store_fd =
	        s->publish_fd = -1;
	s->metrics_fd = s->shared_fd = -1;
	s->away = BUF_INIT(AWAY_MAX_BYTES);
	if (start(s) == RC_OK && loop_run(s->loop) == RC_OK)
		status = s->exit_status;
	supervisor_close(s);
	free(absolute);
	free(s);
	return status;
}
