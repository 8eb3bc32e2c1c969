/* base/thread.h - threads beside a loop's. Signals are the loop's: others block
 * them all. */
#ifndef MICA_BASE_THREAD_H
#define MICA_BASE_THREAD_H

#include <pthread.h>

/* As pthread_create(): 0, or an errno. */
int thread_begin(pthread_t *out, void *(*run)(void *ctx), void *ctx);

#endif
