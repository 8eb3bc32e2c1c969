#include "net/http_priv.h"

#include <event2/buffer.h>
#include <stdlib.h>
#include <sys/stat.h>

enum rc http_file_new(struct http_file **out, int fd)
{
	struct http_file *f;
	struct stat st;

	*out = NULL;
	if (fstat(fd, &st) != 0)
		return RC_IO;
	if (!S_ISREG(st.st_mode) || st.st_size <= 0)
		return RC_MALFORMED;
	f = calloc(1, sizeof(*f));
	if (f == NULL)
		return RC_NOMEM;
	f->n = (size_t)st.st_size;
	f->segment = evbuffer_file_segment_new(
	        fd, 0, st.st_size, EVBUF_FS_CLOSE_ON_FREE);
	if (f->segment == NULL) {
		free(f);
		return RC_NOMEM;
	}
	*out = f;
	return RC_OK;
}

void http_file_free(struct http_file *f)
{
	if (f == NULL)
		return;
	evbuffer_file_segment_free(f->segment);
	free(f);
}
