#include "base/thread.h"

#include <signal.h>

int thread_begin(pthread_t *out, void *(*run)(void *ctx), void *ctx)
{
	sigset_t all, before;
	int err;

	(void)sigfillset(&all);
	err = pthread_sigmask(SIG_SETMASK, &all, &before);
	if (err != 0)
		return err;
	err = pthread_create(out, NULL, run, ctx);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return err;
}
