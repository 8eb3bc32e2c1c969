/* conf/error.h - mistakes, kept in the order of their lines. Needs base/. */
#ifndef MICA_CONF_ERROR_H
#define MICA_CONF_ERROR_H

#include "conf/conf.h"
#include <stdarg.h>

/* Line and column count from 1; line 0 is the file as a whole. Of more than
 * CONF_ERRORS_MAX the first lines' stay. What is not printable ASCII shows as
 * `?`. */
void error_add(struct conf_errors *errors, unsigned line, unsigned column,
        const char *path, const char *fmt, ...) PRINTF_LIKE(5, 6);
void error_addv(struct conf_errors *errors, unsigned line, unsigned column,
        const char *path, const char *fmt, va_list ap);

/* The nearest of the words to what was written, offered one by one. */
struct nearest {
	const char *wrong;
	char best[CONF_NAME_MAX + 1]; /* empty: none is near */
	size_t distance;
};
struct nearest nearest_to(const char *wrong);
void nearest_offer(struct nearest *n, const char *word);

#endif
