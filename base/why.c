#include "base/why.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void keep_printable(char *s)
{
	for (; *s != '\0'; s++) {
		if (*s < 0x20 || *s > 0x7e)
			*s = '?';
	}
}

/* The arguments may point into why->text, hence the copy. */
static void format(char out[WHY_MAX_BYTES], const char *fmt, va_list ap)
{
	if (vsnprintf(out, WHY_MAX_BYTES, fmt, ap) < 0)
		out[0] = '\0';
	keep_printable(out);
}

enum rc why_set(struct why *why, enum rc rc, const char *fmt, ...)
{
	char text[WHY_MAX_BYTES];
	va_list ap;

	if (why == NULL)
		return rc;
	va_start(ap, fmt);
	format(text, fmt, ap);
	va_end(ap);
	memcpy(why->text, text, sizeof(text));
	return rc;
}

enum rc why_prefix(struct why *why, enum rc rc, const char *fmt, ...)
{
	char text[WHY_MAX_BYTES];
	size_t head;
	size_t tail;
	va_list ap;

	if (why == NULL)
		return rc;
	va_start(ap, fmt);
	format(text, fmt, ap);
	va_end(ap);
	head = strlen(text);
	tail = strlen(why->text);
	if (tail > 0 && head + 2 < sizeof(text)) {
		memcpy(text + head, ": ", 2);
		head += 2;
		if (tail > sizeof(text) - 1 - head)
			tail = sizeof(text) - 1 - head;
		memcpy(text + head, why->text, tail);
		text[head + tail] = '\0';
	}
	memcpy(why->text, text, sizeof(text));
	return rc;
}
