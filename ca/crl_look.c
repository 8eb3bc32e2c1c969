#include "ca/crl_look.h"

#include "base/thread.h"
#include "ca/crl_file.h"
#include <fcntl.h>
#include <unistd.h>

static void look_at(int dir, struct crl_look_item *item)
{
	item->why = WHY_NONE;
	item->fd = openat(dir, item->name, O_RDONLY | O_CLOEXEC);
	if (item->fd < 0 ||
	        crl_file_matches(item->fd, &item->crl, &item->why) == RC_OK)
		return;
	(void)close(item->fd);
	item->fd = -1;
}

static void *look_at_all(void *ctx)
{
	struct crl_look *look = ctx;

	for (size_t i = 0; i < look->n; i++)
		look_at(look->dir, &look->items[i]);
	loop_post(look->loop, &look->task);
	return NULL;
}

static void on_joinable(void *ctx)
{
	struct crl_look *look = ctx;

	(void)pthread_join(look->thread, NULL);
	look->done(look);
}

static void on_looked(void *ctx)
{
	struct crl_look *look = ctx;

	look->done(look);
}

void crl_look_begin(struct crl_look *look)
{
	look->task = (struct loop_task){ .fn = on_joinable, .ctx = look };
	if (thread_begin(&look->thread, look_at_all, look) == 0)
		return;
	look->task.fn = on_looked;
	(void)look_at_all(look);
}
