#include "base/file.h"
#include "base/ipc.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)

int ipc_memfd_open(const char *name)
{
	return memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
}

enum rc ipc_memfd_seal(int fd)
{
	return fcntl(fd, F_ADD_SEALS, SEALS) == 0 ? RC_OK : RC_IO;
}

int ipc_memfd(const char *name, struct bytes data)
{
	int fd = ipc_memfd_open(name);

	if (fd < 0)
		return -1;
	if (!file_write_all(fd, data) || ipc_memfd_seal(fd) != RC_OK) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

/* Sealed, so that it cannot change or shrink under its reader; ordinary shared
 * memory and without holes, so that reading it cannot fault for want of a page
 * and takes no memory that its maker did not take. */
static bool is_safe(int fd, const struct stat *st)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct statfs fs;

	return seals >= 0 && (seals & SEALS) == SEALS &&
	        fstatfs(fd, &fs) == 0 && fs.f_type == TMPFS_MAGIC &&
	        st->st_blocks >= (st->st_size + 511) / 512;
}

enum rc ipc_memfd_map(int fd, size_t max, struct bytes *out)
{
	struct stat st;
	size_t n;
	void *p;

	*out = BYTES_NONE;
	if (fstat(fd, &st) != 0)
		return RC_IO;
	if (!S_ISREG(st.st_mode) || !is_safe(fd, &st))
		return RC_PERMISSION;
	n = (size_t)st.st_size;
	if (n > max)
		return RC_TOOBIG;
	if (n == 0)
		return RC_OK;
	p = mmap(NULL, n, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return RC_IO;
	*out = bytes_of(p, n);
	return RC_OK;
}

void ipc_memfd_unmap(struct bytes map)
{
	if (map.n > 0)
		(void)munmap((void *)(uintptr_t)map.p, map.n);
}
