/* Room before it is needed. A commit that meets a full disk leaves pages in an
 * unknown state and halts the store, so the file is allocated ahead of the last
 * page while nothing has been written yet. All under LMDB's write lock. */
#include "storage/lmdb.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

/* Pages an operation on one certificate may touch: a path of three in each of some ten trees,
 * with random keys, and page splits; most share them. */
#define OP_BYTES (48u * 1024)
/* LMDB's own: free list, tree roots. */
#define COMMIT_BYTES (256u * 1024)
/* With less than this of map left nothing is issued, so that status changes
 * go on. */
#define MAP_RESERVE_BYTES (8u << 20)

uint64_t space_used_bytes(struct db *db)
{
	MDB_envinfo info;
	MDB_stat st;

	if (mdb_env_info(db->env, &info) != 0 ||
	        mdb_env_stat(db->env, &st) != 0)
		return 0;
	return ((uint64_t)info.me_last_pgno + 1) * st.ms_psize;
}

uint64_t space_disk_free_bytes(struct db *db)
{
	struct statvfs st;
	int got;

	do {
		got = fstatvfs(db->fd, &st);
	} while (got != 0 && errno == EINTR);
	return got == 0 ? (uint64_t)st.f_bavail * st.f_frsize : 0;
}

static uint64_t map_bytes(struct db *db)
{
	MDB_envinfo info;

	return mdb_env_info(db->env, &info) == 0 ? info.me_mapsize : 0;
}

static int allocate(int fd, uint64_t from, uint64_t to)
{
	int err;

	do {
		err = posix_fallocate(fd, (off_t)from, (off_t)(to - from));
	} while (err == EINTR);
	return err;
}

static uint64_t file_bytes(struct db *db)
{
	struct stat st;

	return fstat(db->fd, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static void crowd(struct batch *b, const char *clause)
{
	b->crowded = true;
	(void)why_set(&b->crowded_why, RC_UNAVAILABLE, "%s", clause);
}

/* Is there room for need bytes past the last page? Try to make it. */
static bool ahead(struct batch *b, uint64_t need, uint64_t used, uint64_t map)
{
	struct db *db = b->v.db;
	uint64_t have = file_bytes(db), want = used + 2 * need;

	if (have >= used + need || have >= map)
		return true;
	if (want > map)
		want = map;
	if (want <= have || allocate(db->fd, have, want) == 0)
		return true;
	return false;
}

bool space_ahead(struct batch *b, size_t n, size_t certs, size_t data_bytes,
        struct why *why)
{
	struct db *db = b->v.db;
	uint64_t used = space_used_bytes(db), map = map_bytes(db);
	uint64_t need = COMMIT_BYTES + certs * OP_BYTES + 2 * data_bytes;
	uint64_t reserve =
	        map / 8 < MAP_RESERVE_BYTES ? map / 8 : MAP_RESERVE_BYTES;

	if (map - used < reserve)
		crowd(b,
		        "the store is nearly full: its map has no room for "
		        "new certificates");
	if (db->low_bytes > 0 && space_disk_free_bytes(db) < db->low_bytes)
		crowd(b,
		        "the store's disk is nearly full: no new certificates");
	if (ahead(b, need, used, map))
		return true;
	crowd(b, "the store's disk is full: no new certificates");
	if (file_bytes(db) >= used + COMMIT_BYTES / 2)
		return n == 1;
	(void)why_set(why, RC_UNAVAILABLE, "the store's disk is full");
	return false;
}
