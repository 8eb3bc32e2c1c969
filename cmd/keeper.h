/* cmd/keeper.h - the one keeper: makes the store, enters authorities, abandons
 * dead processes' intents, issues the EST listener's certificate, serves the
 * admin socket, metrics and health. Everything periodic is its own. */
#ifndef MICA_CMD_KEEPER_H
#define MICA_CMD_KEEPER_H

#include "cmd/child.h"

/* Serve until told to drain. Returns the exit status. */
int keeper_run(const struct child_args *args);

#endif
