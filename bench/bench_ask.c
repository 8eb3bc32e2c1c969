/* ask - HTTP clients without TLS that send what they are given, over and over.
 *
 *   ask PORT fresh|kept CONNECTIONS REQUESTS PIDS FILE...
 *
 * FILE: a whole request as it goes over the wire; they are sent in turn. fresh:
 * each on a connection of its own, read until the server closes; kept: over
 * CONNECTIONS that are opened before the clock starts. PIDS: the server's
 * processes, comma-separated; their CPU time is read at start and end. Prints
 *   us=CPU-TIME-A-REQUEST rate=A-SECOND p50_ms= p99_ms= bytes=OF-AN-ANSWER */
#include "bench/asker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX_BYTES 65536

static void read_file(struct buf *out, const char *path)
{
	FILE *f = fopen(path, "re");
	uint8_t *room;

	*out = BUF_INIT(FILE_MAX_BYTES);
	room = buf_room(out, FILE_MAX_BYTES);
	if (f == NULL || room == NULL)
		die("ask: %s: %s", path, strerror(errno));
	buf_added(out, fread(room, 1, FILE_MAX_BYTES, f));
	(void)fclose(f);
}

int main(int argc, char *argv[])
{
	struct asker a = { .answered = NULL };
	struct asked result;
	struct buf *files;

	if (argc < 7)
		die("usage: ask PORT fresh|kept CONNECTIONS REQUESTS PIDS "
		    "FILE...");
	a.port = (unsigned)number_arg(argv[1], 1, 65535);
	a.kept = strcmp(argv[2], "kept") == 0;
	a.n_links = (size_t)number_arg(argv[3], 1, 4096);
	a.n_requests = (size_t)number_arg(argv[4], 1, 100000000);
	pids_parse(&a.pids, argv[5]);
	a.n_made = (size_t)argc - 6;
	files = calloc(a.n_made, sizeof(*files));
	if (files == NULL)
		die("ask: out of memory");
	for (size_t i = 0; i < a.n_made; i++)
		read_file(&files[i], argv[6 + i]);
	a.requests = files;
	result = asker_run(&a);
	asked_print(&result);
	for (size_t i = 0; i < a.n_made; i++)
		buf_free(&files[i]);
	free(files);
	return 0;
}
