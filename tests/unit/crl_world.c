#include "tests/unit/crl_world.h"

#include "base/clock.h"
#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct crl_world cw;

void crl_clock(int64_t s)
{
	clock_set_shift_s(0);
	clock_set_shift_s(WORLD_NOW_S + s - clock_now_s());
}

static void enter_authority(void)
{
	struct store_authority_put put = { .authority = { .name = "factory" } };
	struct authority *a = world_authority(&cw.world);

	put.der = a->der;
	memcpy(put.authority.cert_hash, a->cert_hash, sizeof(a->cert_hash));
	ck_assert_int_eq(HELP_DO(&cw.store, store_authority_put, &put), RC_OK);
	a->id = cw.store.authority = put.authority.id;
	cw.store.authority_version = put.authority.version;
}

void crl_begin(const char *key_type, const char *extra)
{
	crl_clock(0);
	world_begin(&cw.world, key_type);
	world_profiles(&cw.world,
	        "  sensor:\n    subject: { CN: \"%{device}\" }\n", extra);
	help_begin(&cw.store);
	help_open(&cw.store);
	enter_authority();
	fake_signer_begin(&cw.signer, cw.store.loop, cw.world.ca_key);
	fake_signer_hello(&cw.signer);
	(void)snprintf(cw.folder, sizeof(cw.folder), "%s-crl", cw.store.folder);
	ck_assert_int_eq(mkdir(cw.folder, 0700), 0);
	cw.dir = open(cw.folder, O_RDONLY | O_DIRECTORY);
	ck_assert_int_ge(cw.dir, 0);
}

void crl_end(void)
{
	char path[256];
	DIR *d = fdopendir(cw.dir);
	struct dirent *e;

	while ((e = readdir(d)) != NULL) {
		(void)snprintf(
		        path, sizeof(path), "%s/%.60s", cw.folder, e->d_name);
		(void)unlink(path);
	}
	(void)closedir(d);
	(void)rmdir(cw.folder);
	fake_signer_end(&cw.signer);
	help_end(&cw.store);
	world_end(&cw.world);
	clock_set_shift_s(0);
}

void crl_turn(void)
{
	const struct timespec pause = { 0, 20000 };

	loop_poll(cw.store.loop);
	(void)nanosleep(&pause, NULL);
}

struct cert_key crl_certificate(uint16_t shard, int64_t valid_s)
{
	static unsigned n;
	struct help_issue i;
	char text[16];

	(void)snprintf(text, sizeof(text), "%u", n++);
	help_issue(&cw.store, &i, NULL, 0, text);
	i.t1.shard = shard;
	i.t1.not_after_s = clock_now_s() + valid_s;
	ck_assert_int_eq(help_t1(&cw.store, &i), RC_OK);
	ck_assert_int_eq(help_t2(&cw.store, &i), RC_OK);
	return i.t1.key;
}

void crl_revoke(const struct cert_key *key, enum cert_reason reason)
{
	struct store_set_status op = { .key = *key, .reason = reason };

	op.op.actor = "operator uid 0";
	ck_assert_int_eq(HELP_DO(&cw.store, store_set_status, &op), RC_OK);
}

static struct buf read_file(const char *name)
{
	struct buf b = BUF_INIT(64u << 20);
	int fd = openat(cw.dir, name, O_RDONLY);
	struct stat st;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_ptr_nonnull(buf_room(&b, (size_t)st.st_size));
	ck_assert_int_eq(read(fd, b.p, (size_t)st.st_size), st.st_size);
	buf_added(&b, (size_t)st.st_size);
	(void)close(fd);
	return b;
}

X509_CRL *crl_judge(const char *name)
{
	struct buf b = read_file(name);
	const uint8_t *p = b.p;
	X509_CRL *x = d2i_X509_CRL(NULL, &p, (long)b.n);

	ck_assert_ptr_nonnull(x);
	ck_assert_ptr_eq(p, b.p + b.n);
	ck_assert_int_eq(X509_CRL_verify(x, cw.world.ca_key), 1);
	buf_free(&b);
	return x;
}

int crl_entries(const char *name)
{
	X509_CRL *x = crl_judge(name);
	int n = sk_X509_REVOKED_num(X509_CRL_get_REVOKED(x));

	X509_CRL_free(x);
	return n > 0 ? n : 0;
}

unsigned crl_files(void)
{
	int fd = openat(cw.dir, ".", O_RDONLY | O_DIRECTORY);
	DIR *d = fdopendir(fd);
	struct dirent *e;
	unsigned n = 0;

	while ((e = readdir(d)) != NULL)
		n += strcmp(e->d_name, ".") != 0 &&
		        strcmp(e->d_name, "..") != 0;
	(void)closedir(d);
	return n;
}
