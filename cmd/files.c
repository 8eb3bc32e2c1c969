#include "cmd/files.h"

#include "base/log.h"
#include "ocsp/publish.h"
#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#define OTHERS 64 /* store, sockets, control pairs, memory files, logs */

void files_raise(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) != 0 || l.rlim_cur == l.rlim_max)
		return;
	l.rlim_cur = l.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &l) != 0)
		log_event(LOG_WARN, "files.not_raised", "why", strerror(errno),
		        NULL);
}

/* Under a low limit CRLs are few, or the machine is set up wrong. */
uint32_t files_connections(uint32_t wanted)
{
	struct rlimit l;
	rlim_t others = OTHERS + PUBLISH_CRLS_MAX;

	if (getrlimit(RLIMIT_NOFILE, &l) != 0 || l.rlim_cur == RLIM_INFINITY)
		return wanted;
	if (others > l.rlim_cur / 2)
		others = l.rlim_cur / 2;
	l.rlim_cur -= others;
	return wanted < l.rlim_cur ? wanted : (uint32_t)l.rlim_cur;
}
