#include "base/log.h"
#include "base/clock.h"
#include "base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 2048
/* Kept free for what closes a line: `"}` and the newline. */
#define TAIL_BYTES 4
#define NAME_MAX_BYTES 64

/* Standard error belongs to the process, and so does this. */
static struct {
	char name[NAME_MAX_BYTES];
	_Atomic int level, form; /* any thread's; changed by the loop's */
} log_to = { "mica", LOG_INFO, LOG_TEXT };

static const char *const level_names[] = {
	[LOG_ERROR] = "error",
	[LOG_WARN] = "warn",
	[LOG_NOTICE] = "notice",
	[LOG_INFO] = "info",
	[LOG_DEBUG] = "debug",
};

struct line {
	char p[LINE_MAX_BYTES];
	size_t n;
	bool cut;
	bool json; /* from its first byte to its last */
};

void log_open(const char *name, enum log_level level, enum log_form form)
{
	(void)snprintf(log_to.name, sizeof(log_to.name), "%s", name);
	log_change(level, form);
}

void log_change(enum log_level level, enum log_form form)
{
	log_to.level = (int)level;
	log_to.form = (int)form;
}

/* Nothing is added after the first piece that did not fit. */
static void put(struct line *l, const char *s, size_t n)
{
	if (l->cut || l->n + n > sizeof(l->p) - TAIL_BYTES) {
		l->cut = true;
		return;
	}
	memcpy(l->p + l->n, s, n);
	l->n += n;
}

static void put_str(struct line *l, const char *s)
{
	put(l, s, strlen(s));
}

static void close_with(struct line *l, const char *s)
{
	size_t n = strlen(s);

	memcpy(l->p + l->n, s, n);
	l->n += n;
}

static void put_escaped(struct line *l, const char *value)
{
	for (; *value != '\0'; value++) {
		unsigned char c = (unsigned char)*value;
		char text[8];
		int n;

		if (c >= 0x20 && c <= 0x7e && c != '"' && c != '\\') {
			put(l, value, 1);
			continue;
		}
		if (!l->json)
			n = snprintf(text, sizeof(text), "\\x%02x", c);
		else
			n = snprintf(text, sizeof(text), "\\u%04x", c);
		put(l, text, (size_t)n);
	}
}

/* A pair that is cut still gets its closing quote, from TAIL_BYTES; a pair
 * whose key does not fit is left out. */
static void put_pair(struct line *l, const char *key, const char *value)
{
	bool json = l->json;
	size_t need = strlen(key) + sizeof(",\"\":\"");

	if (l->cut || l->n + need > sizeof(l->p) - TAIL_BYTES) {
		l->cut = true;
		return;
	}
	put_str(l, json ? ",\"" : " ");
	put_str(l, key);
	put_str(l, json ? "\":" : "=");
	if (value == NULL && !json) {
		put_str(l, "-");
		return;
	}
	put_str(l, "\"");
	put_escaped(l, value == NULL ? "-" : value);
	close_with(l, "\"");
}

static void put_head(struct line *l, enum log_level level, const char *event)
{
	char stamp[TEXT_TIME_BYTES + 8];
	int64_t now_us = clock_now_us();
	char seconds[TEXT_TIME_BYTES];

	text_time(seconds, now_us / 1000000);
	(void)snprintf(stamp, sizeof(stamp), "%.19s.%03dZ", seconds,
	        (int)(now_us / 1000 % 1000));
	if (!l->json) {
		put_str(l, stamp);
		put_str(l, " ");
		put_str(l, level_names[level]);
		put_str(l, " ");
		put_str(l, log_to.name);
		put_str(l, " ");
		put_str(l, event);
		return;
	}
	put_str(l, "{\"time\":\"");
	put_str(l, stamp);
	put_str(l, "\"");
	put_pair(l, "level", level_names[level]);
	put_pair(l, "process", log_to.name);
	put_pair(l, "event", event);
}

/* A log that cannot be written must not stop the daemon. */
static void write_line(const struct line *l)
{
	ssize_t n;

	do
		n = write(STDERR_FILENO, l->p, l->n);
	while (n < 0 && errno == EINTR);
}

void log_event(enum log_level level, const char *event, ...)
{
	struct line line = { .json = log_to.form == LOG_JSON };
	int saved = errno;
	const char *key;
	va_list ap;

	if ((int)level > log_to.level)
		return;
	put_head(&line, level, event);
	va_start(ap, event);
	while ((key = va_arg(ap, const char *)) != NULL)
		put_pair(&line, key, va_arg(ap, const char *));
	va_end(ap);
	close_with(&line, line.json ? "}\n" : "\n");
	write_line(&line);
	errno = saved;
}

const char *log_i64(struct log_num *n, long long v)
{
	(void)snprintf(n->text, sizeof(n->text), "%lld", v);
	return n->text;
}
