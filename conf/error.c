#include "conf/error.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

static void make_printable(char *s)
{
	for (; *s != '\0'; s++) {
		if (*s < 0x20 || *s > 0x7e)
			*s = '?';
	}
}

static bool before(const struct conf_error *e, unsigned line, unsigned column)
{
	return e->line < line || (e->line == line && e->column <= column);
}

void error_addv(struct conf_errors *errors, unsigned line, unsigned column,
        const char *path, const char *fmt, va_list ap)
{
	size_t at = errors->n;
	struct conf_error *e;

	while (at > 0 && !before(&errors->list[at - 1], line, column))
		at--;
	if (errors->n == CONF_ERRORS_MAX)
		errors->more = true;
	else
		errors->n++;
	if (at == CONF_ERRORS_MAX)
		return;
	e = &errors->list[at];
	memmove(e + 1, e, (errors->n - 1 - at) * sizeof(*e));
	e->line = line;
	e->column = column;
	(void)snprintf(e->path, sizeof(e->path), "%s", path);
	(void)vsnprintf(e->text, sizeof(e->text), fmt, ap);
	make_printable(e->path);
	make_printable(e->text);
}

void error_add(struct conf_errors *errors, unsigned line, unsigned column,
        const char *path, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	error_addv(errors, line, column, path, fmt, ap);
	va_end(ap);
}

struct nearest nearest_to(const char *wrong)
{
	return (struct nearest){ wrong, "", SIZE_MAX };
}

/* Near is what a slip of the hand makes: a third of the letters at most. */
void nearest_offer(struct nearest *n, const char *word)
{
	size_t length = strlen(n->wrong);
	size_t distance = text_distance(n->wrong, word);

	if (distance < n->distance && distance <= (length + 2) / 3 &&
	        distance < length) {
		(void)snprintf(n->best, sizeof(n->best), "%s", word);
		n->distance = distance;
	}
}

void conf_errors_print(
        struct buf *out, const char *file, const struct conf_errors *errors)
{
	for (size_t i = 0; i < errors->n; i++) {
		const struct conf_error *e = &errors->list[i];

		buf_add_str(out, file);
		if (e->line > 0)
			buf_addf(out, ":%u:%u", e->line, e->column);
		if (e->path[0] != '\0')
			buf_addf(out, ": %s", e->path);
		buf_addf(out, ": %s\n", e->text);
	}
	if (errors->more)
		buf_addf(out, "%s: there are more errors than these\n", file);
}
