/* base/log.h - structured log: one event a line on standard error, key=value
 * or JSON. Peer bytes are escaped; secrets never get here.
 *
 *     log_event(LOG_NOTICE, "est.denied", "device", id, "why", why.text, NULL);
 */
#ifndef MICA_BASE_LOG_H
#define MICA_BASE_LOG_H

enum log_level { LOG_ERROR, LOG_WARN, LOG_NOTICE, LOG_INFO, LOG_DEBUG };
enum log_form { LOG_TEXT, LOG_JSON };

/* Process-wide, set once at start: what to write, and the name of the process
 * ("worker-1"), which each line carries. name is copied. */
void log_open(const char *name, enum log_level level, enum log_form form);

/* From now on, lines begin and end in that form. Any thread may be logging. */
void log_change(enum log_level level, enum log_form form);

/* event is a dotted word of ours; then pairs of key and value (both char *),
 * closed by NULL. A NULL value is written as "-". Lines are cut at 2048
 * bytes; one write(2) a line. */
void log_event(enum log_level level, const char *event, ...)
        __attribute__((sentinel));

/* log_event's values are strings: a scratch for numbers. */
struct log_num {
	char text[24];
};
const char *log_i64(struct log_num *n, long long v);

#endif
