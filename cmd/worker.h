/* cmd/worker.h - one worker: TLS, HTTP and EST on its own listening sockets, the
 * store opened by itself, signatures from mica-signer. Owns no timer but
 * connections' deadlines. */
#ifndef MICA_CMD_WORKER_H
#define MICA_CMD_WORKER_H

#include "cmd/child.h"

/* Serve until told to drain. Returns the exit status. */
int worker_run(const struct child_args *args);

#endif
