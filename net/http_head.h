/* net/http_head.h - the header section's lines: request line and fields. A
 * part of the parser, private to it. Pure. */
#ifndef MICA_NET_HTTP_HEAD_H
#define MICA_NET_HTTP_HEAD_H

#include "net/http_parse.h"

/* Each returns false with p->status and p->clause set when it refuses. */

/* p->head has a line of n bytes at p->line_off, its CRLF not counted. */
bool http_head_request_line(struct http_parse *p, size_t n);
bool http_head_field_line(struct http_parse *p, size_t n);
/* After the last line: what the fields mean together. */
bool http_head_end(struct http_parse *p);

/* Set status and clause; returns false. */
bool http_parse_refuse(
        struct http_parse *p, unsigned status, const char *clause);

#endif
