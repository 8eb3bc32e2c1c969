/* cmd/files.h - how many files a process may have open, and how many
 * connections that leaves room for. */
#ifndef MICA_CMD_FILES_H
#define MICA_CMD_FILES_H

#include <stdint.h>

/* All that the hard limit has; children inherit it. */
void files_raise(void);
/* What a process can have of so many connections, beside the store, published
 * CRLs and all else that it holds open. */
uint32_t files_connections(uint32_t wanted);

#endif
