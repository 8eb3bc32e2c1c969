#include "net/listen.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* The kernel caps it at net.core.somaxconn. */
#define BACKLOG 4096

static enum rc sys_error(struct why *why, const char *what)
{
	enum rc rc = RC_IO;

	if (errno == EADDRINUSE)
		rc = RC_EXISTS;
	else if (errno == EACCES || errno == EPERM)
		rc = RC_PERMISSION;
	return why_set(why, rc, "%s: %s", what, strerror(errno));
}

static bool set_on(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) == 0;
}

static bool tcp_options(int fd, int family, bool reuseport)
{
	if (!set_on(fd, SOL_SOCKET, SO_REUSEADDR, 1) ||
	        !set_on(fd, IPPROTO_TCP, TCP_NODELAY, 1))
		return false;
	if (reuseport && !set_on(fd, SOL_SOCKET, SO_REUSEPORT, 1))
		return false;
	return family != AF_INET6 || set_on(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
}

enum rc listen_tcp(int *fd, const struct net_addr *addr, bool reuseport,
        struct net_addr *bound, struct why *why)
{
	struct sockaddr_storage sa;
	socklen_t sa_n;
	char text[NET_ADDR_TEXT_BYTES];
	enum rc rc;

	net_addr_to(addr, &sa, &sa_n);
	*fd = socket(
	        sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (*fd < 0)
		return sys_error(why, "socket");
	if (!tcp_options(*fd, sa.ss_family, reuseport) ||
	        bind(*fd, (struct sockaddr *)&sa, sa_n) != 0 ||
	        listen(*fd, BACKLOG) != 0) {
		rc = sys_error(why, net_addr_text(text, addr));
		goto out;
	}
	sa_n = sizeof(sa);
	if (bound != NULL) {
		if (getsockname(*fd, (struct sockaddr *)&sa, &sa_n) != 0) {
			rc = sys_error(why, "getsockname");
			goto out;
		}
		net_addr_from(bound, &sa);
	}
	return RC_OK;
out:
	close(*fd);
	*fd = -1;
	return rc;
}

/* Remove a socket file that nobody listens on; anything else stays. */
static enum rc stale_remove(const struct sockaddr_un *sun, struct why *why)
{
	struct stat st;
	int fd, err;

	if (lstat(sun->sun_path, &st) != 0)
		return errno == ENOENT ? RC_OK : sys_error(why, sun->sun_path);
	if (!S_ISSOCK(st.st_mode))
		return why_set(why, RC_EXISTS, "%s exists and is no socket",
		        sun->sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return sys_error(why, "socket");
	err = connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) == 0
	        ? 0
	        : errno;
	close(fd);
	if (err != ECONNREFUSED)
		return why_set(why, RC_EXISTS, "%s: somebody listens there",
		        sun->sun_path);
	if (unlink(sun->sun_path) != 0 && errno != ENOENT)
		return sys_error(why, sun->sun_path);
	return RC_OK;
}

enum rc listen_unix(int *fd, const char *path, mode_t mode, struct why *why)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	enum rc rc;

	*fd = -1;
	if (strlen(path) >= sizeof(sun.sun_path))
		return why_set(why, RC_TOOBIG, "socket path is over %zu bytes",
		        sizeof(sun.sun_path) - 1);
	memcpy(sun.sun_path, path, strlen(path) + 1);
	rc = stale_remove(&sun, why);
	if (rc != RC_OK)
		return rc;
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (*fd < 0)
		return sys_error(why, "socket");
	/* On Linux the file gets the socket's own mode, less the umask: set
	 * before bind(), it is never wider than asked for. */
	if (fchmod(*fd, mode) != 0 ||
	        bind(*fd, (struct sockaddr *)&sun, sizeof(sun)) != 0 ||
	        chmod(path, mode) != 0 || listen(*fd, BACKLOG) != 0) {
		rc = sys_error(why, path);
		close(*fd);
		*fd = -1;
	}
	return rc;
}

enum rc listen_inherited(int fd, struct why *why)
{
	int listening = 0, type = 0;
	socklen_t n = sizeof(int);
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 ||
	        getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &n) !=
	                0 ||
	        getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) != 0 ||
	        listening == 0 || type != SOCK_STREAM)
		return why_set(why, RC_CONFIG,
		        "descriptor %d is no listening stream socket", fd);
	if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
	        fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
		return why_set(why, RC_CONFIG, "descriptor %d: %s", fd,
		        strerror(errno));
	return RC_OK;
}
