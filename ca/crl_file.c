#include "ca/crl_file.h"

#include "base/file.h"
#include "ca/pubkey.h"
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

/* How much of a mapped file is held at once; whole pages. */
#define WINDOW_BYTES (1u << 20)
#define SENDFILE_BYTES (8u << 20)
#define END_MAX_BYTES (1u << 17) /* AlgorithmIdentifier and signature */

static enum rc io_rc(struct why *why, const char *name, const char *what)
{
	return why_set(why, RC_IO, "%s: %s: %s", name, what, strerror(errno));
}

/* --- writing */

static bool copy_tbs(int to, const struct crl_file *f)
{
	uint64_t left = f->tbs_bytes;
	off_t at = (off_t)f->tbs_at;

	while (left > 0) {
		ssize_t n = sendfile(to, f->memfd, &at,
		        left < SENDFILE_BYTES ? (size_t)left : SENDFILE_BYTES);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		left -= (uint64_t)n;
	}
	return true;
}

static enum rc write_parts(int fd, const struct crl_file *f, struct why *why)
{
	struct buf head = BUF_INIT(16), end = BUF_INIT(END_MAX_BYTES);
	enum rc rc = RC_OK;

	crl_put_outer(
	        &head, &end, f->frame->sig_alg, f->signature, f->tbs_bytes);
	if (head.failed != RC_OK || end.failed != RC_OK)
		rc = why_set(why,
		        head.failed != RC_OK ? head.failed : end.failed,
		        "%s: %s", f->name, "too long");
	else if (!file_write_all(fd, buf_bytes(&head)) || !copy_tbs(fd, f) ||
	        !file_write_all(fd, buf_bytes(&end)) || fsync(fd) != 0)
		rc = io_rc(why, f->temp, "write");
	buf_free(&head);
	buf_free(&end);
	return rc;
}

enum rc crl_file_write(struct crl_file *f, struct why *why)
{
	enum rc rc;
	int fd;

	(void)unlinkat(f->dir, f->temp, 0);
	fd = openat(
	        f->dir, f->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return io_rc(why, f->temp, "open");
	rc = write_parts(fd, f, why);
	/* For whoever serves the folder beside us, whatever our umask is. */
	if (rc == RC_OK && fchmod(fd, 0644) != 0)
		rc = io_rc(why, f->temp, "chmod");
	if (close(fd) != 0 && rc == RC_OK)
		rc = io_rc(why, f->temp, "close");
	return rc;
}

void crl_file_drop(const struct crl_file *f)
{
	(void)unlinkat(f->dir, f->temp, 0);
}

enum rc crl_file_publish(struct crl_file *f, int *fd, struct why *why)
{
	*fd = openat(f->dir, f->temp, O_RDONLY | O_CLOEXEC);
	if (*fd < 0)
		return io_rc(why, f->temp, "open");
	if (renameat(f->dir, f->temp, f->dir, f->name) == 0 &&
	        fsync(f->dir) == 0)
		return RC_OK;
	(void)io_rc(why, f->name, "rename");
	(void)close(*fd);
	*fd = -1;
	return RC_IO;
}

/* --- reading. Pages of the map are given back as they are done with, so that
 * a long list takes no more memory than a short one. */

static enum rc map_file(struct bytes *out, int fd, struct why *why)
{
	struct stat st;
	void *p;

	*out = BYTES_NONE;
	if (fstat(fd, &st) != 0)
		return io_rc(why, "CRL", "stat");
	if (!S_ISREG(st.st_mode) || st.st_size <= 0 ||
	        (uint64_t)st.st_size > DER_ELEMENT_MAX_BYTES)
		return why_set(why, RC_IO, "CRL: no file, or too large");
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return io_rc(why, "CRL", "mmap");
	*out = bytes_of(p, (size_t)st.st_size);
	return RC_OK;
}

static void unmap_file(struct bytes map)
{
	if (map.n > 0)
		(void)munmap((void *)(uintptr_t)map.p, map.n);
}

static void forget_window(struct bytes map, size_t off, size_t n)
{
	(void)madvise((void *)(uintptr_t)(map.p + off), n, MADV_DONTNEED);
}

uint64_t crl_file_number(
        int dir, const char *name, const struct authority *authority)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	struct why why = WHY_NONE;
	uint64_t number = 0;
	struct bytes map;
	struct crl crl;

	if (fd < 0)
		return 0;
	if (map_file(&map, fd, &why) == RC_OK &&
	        crl_parse(&crl, map, &why) == RC_OK && crl.has_number &&
	        bytes_eq(crl.issuer, authority->subject))
		number = crl.number;
	unmap_file(map);
	(void)close(fd);
	return number;
}

struct checking {
	struct crl_file *f;
	struct why *why;
	struct bytes map;
	struct crl crl;
	struct der entries; /* not read yet */
	uint64_t count;
	struct pubkey_ctx *keys;
	EVP_PKEY *key;
	struct spki spki;
	enum sig_alg alg;
	bool in_pieces;
	EVP_MD_CTX *sha256;
};

static enum rc wrong(struct checking *c, const char *what)
{
	return why_set(c->why, RC_INTERNAL, "%s does not pass its check: %s",
	        c->f->name, what);
}

static enum rc check_frame(struct checking *c)
{
	const struct crl_frame *f = c->f->frame;
	const struct crl *l = &c->crl;

	if (!bytes_eq(l->issuer, c->f->authority->subject))
		return wrong(c, "another issuer");
	if (!bytes_eq(l->key_id, c->f->authority->key_id))
		return wrong(c, "another authorityKeyIdentifier");
	if (!l->has_number || l->number != f->number)
		return wrong(c, "another number");
	if (l->this_update_s != f->this_update_s || !l->has_next_update ||
	        l->next_update_s != f->next_update_s ||
	        l->next_update_s <= l->this_update_s)
		return wrong(c, "its dates");
	if ((l->idp.n > 0) != f->shard)
		return wrong(c, "issuingDistributionPoint");
	return RC_OK;
}

/* Entries that begin before end. What stands in each the signer has read: it
 * signs no other. */
static enum rc count_until(struct checking *c, const uint8_t *end)
{
	struct der *d = &c->entries;

	while (der_more(d) && d->rest.p < end) {
		if (der_expect(d, DER_SEQUENCE, NULL, "entry", NULL) != RC_OK)
			return wrong(c, "an entry is malformed");
		c->count++;
	}
	return RC_OK;
}

/* The part of a window that is signed. */
static struct bytes signed_part(const struct checking *c, struct bytes window)
{
	struct bytes tbs = c->crl.tbs;
	const uint8_t *from = window.p > tbs.p ? window.p : tbs.p;
	const uint8_t *to = window.p + window.n < tbs.p + tbs.n
	        ? window.p + window.n
	        : tbs.p + tbs.n;

	return from < to ? bytes_of(from, (size_t)(to - from)) : BYTES_NONE;
}

static enum rc check_window(struct checking *c, struct bytes window)
{
	enum rc rc = RC_OK;

	if (EVP_DigestUpdate(c->sha256, window.p, window.n) != 1)
		return RC_INTERNAL;
	if (c->in_pieces)
		rc = pubkey_hash_add(c->keys, signed_part(c, window));
	return rc == RC_OK ? count_until(c, window.p + window.n) : rc;
}

static enum rc check_windows(struct checking *c)
{
	enum rc rc = RC_OK;

	for (size_t off = 0; off < c->map.n && rc == RC_OK;
	        off += WINDOW_BYTES) {
		struct bytes window = bytes_slice(c->map, off, WINDOW_BYTES);

		rc = check_window(c, window);
		forget_window(c->map, off, window.n);
	}
	if (rc == RC_OK && c->count != c->f->count)
		rc = wrong(c, "another count of entries than the store has");
	return rc;
}

static enum rc check_key(struct checking *c)
{
	struct der d = der_of(c->crl.sig_alg);
	enum rc rc = alg_read(&d, &c->alg, "signatureAlgorithm", c->why);

	if (rc == RC_OK)
		rc = spki_parse(&c->spki, c->f->authority->spki, c->why);
	if (rc == RC_OK)
		rc = pubkey_ctx_new(&c->keys);
	if (rc == RC_OK)
		rc = pubkey_import(&c->key, c->keys, &c->spki, c->why);
	c->in_pieces = c->alg != ALG_ED25519;
	if (rc == RC_OK && c->in_pieces)
		rc = pubkey_hash_begin(c->keys, c->alg, c->why);
	return rc;
}

static enum rc check_signature(struct checking *c)
{
	enum rc rc = c->in_pieces
	        ? pubkey_hash_verify(c->keys, c->key, c->spki.type, c->alg,
	                  c->crl.signature, c->why)
	        : pubkey_verify(c->keys, c->key, c->spki.type, c->alg,
	                  c->crl.tbs, c->crl.signature, c->why);

	return rc == RC_BADSIG ? wrong(c, "its signature") : rc;
}

static enum rc check_all(struct checking *c)
{
	struct why why = WHY_NONE;
	unsigned n = 0;
	enum rc rc;

	if (crl_parse(&c->crl, c->map, &why) != RC_OK)
		return wrong(c, why.text);
	c->entries = der_of(c->crl.entries);
	c->sha256 = EVP_MD_CTX_new();
	if (c->sha256 == NULL ||
	        EVP_DigestInit_ex(c->sha256, EVP_sha256(), NULL) != 1)
		return RC_NOMEM;
	rc = check_frame(c);
	if (rc == RC_OK)
		rc = check_key(c);
	if (rc == RC_OK)
		rc = check_windows(c);
	if (rc == RC_OK)
		rc = check_signature(c);
	if (rc == RC_OK && EVP_DigestFinal_ex(c->sha256, c->f->hash, &n) != 1)
		rc = RC_INTERNAL;
	c->f->bytes = c->map.n;
	return rc;
}

enum rc crl_file_check(struct crl_file *f, struct why *why)
{
	struct checking c = { .f = f, .why = why };
	int fd = openat(f->dir, f->temp, O_RDONLY | O_CLOEXEC);
	enum rc rc;

	if (fd < 0)
		return io_rc(why, f->temp, "open");
	rc = map_file(&c.map, fd, why);
	if (rc == RC_OK)
		rc = check_all(&c);
	EVP_MD_CTX_free(c.sha256);
	EVP_PKEY_free(c.key);
	pubkey_ctx_free(c.keys);
	unmap_file(c.map);
	(void)close(fd);
	return rc;
}

static enum rc hash_map(struct bytes map, uint8_t out[STORE_HASH_BYTES])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned n = 0;
	bool ok =
	        ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1;

	for (size_t off = 0; ok && off < map.n; off += WINDOW_BYTES) {
		struct bytes window = bytes_slice(map, off, WINDOW_BYTES);

		ok = EVP_DigestUpdate(ctx, window.p, window.n) == 1;
		forget_window(map, off, window.n);
	}
	ok = ok && EVP_DigestFinal_ex(ctx, out, &n) == 1;
	EVP_MD_CTX_free(ctx);
	return ok ? RC_OK : RC_NOMEM;
}

enum rc crl_file_matches(int fd, const struct store_crl *crl, struct why *why)
{
	uint8_t hash[STORE_HASH_BYTES];
	struct bytes map;
	enum rc rc = map_file(&map, fd, why);

	if (rc == RC_OK && map.n != crl->bytes)
		rc = RC_CONFLICT;
	if (rc == RC_OK)
		rc = hash_map(map, hash);
	if (rc == RC_OK && memcmp(hash, crl->hash, sizeof(hash)) != 0)
		rc = RC_CONFLICT;
	unmap_file(map);
	if (rc == RC_CONFLICT)
		return why_set(why, rc, "the file is not the CRL on record");
	return rc;
}
