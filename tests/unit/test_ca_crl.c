/* CRLs: their bytes against libcrypto's, the reader against what is malformed,
 * and the maker on a true store with a signer that can be made to fail. */
#include "base/clock.h"
#include "base/rand.h"
#include "ca/crl_file.h"
#include "ca/crl_run.h"
#include "tests/unit/ca_signer.h"
#include "tests/unit/ca_world.h"
#include "tests/unit/store_help.h"
#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define VALID_S 86400
#define PROFILES                                                               \
	"  sensor:\n"                                                          \
	"    subject: { CN: \"%{device}\" }\n"

static struct world world;
static struct help store;
static struct fake_signer signer;
static struct crl_maker *maker;
static char folder[80];
static int dir;

static void begin_of(const char *key_type)
{
	struct store_authority_put put = { .authority = { .name = "factory" } };
	struct authority *a;

	clock_set_shift_s(0);
	clock_set_shift_s(WORLD_NOW_S - clock_now_s());
	world_begin(&world, key_type);
	world_profiles(&world, PROFILES, "");
	help_begin(&store);
	help_open(&store);
	a = world_authority(&world);
	put.der = a->der;
	memcpy(put.authority.cert_hash, a->cert_hash, sizeof(a->cert_hash));
	ck_assert_int_eq(HELP_DO(&store, store_authority_put, &put), RC_OK);
	a->id = store.authority = put.authority.id;
	store.authority_version = put.authority.version;
	fake_signer_begin(&signer, store.loop, world.ca_key);
	fake_signer_hello(&signer);
	(void)snprintf(folder, sizeof(folder), "%s-crl", store.folder);
	ck_assert_int_eq(mkdir(folder, 0700), 0);
	dir = open(folder, O_RDONLY | O_DIRECTORY);
	ck_assert_int_ge(dir, 0);
}

static void open_maker(void)
{
	struct crl_maker_opts o = { .loop = store.loop,
		.store = store.store,
		.signer = signer.client,
		.dir = dir,
		.actor = "system keeper" };

	ck_assert_int_eq(crl_maker_new(&maker, &o), RC_OK);
}

static void begin(void)
{
	begin_of("P-256");
	open_maker();
}

static void end(void)
{
	char path[256];
	DIR *d = fdopendir(dir);
	struct dirent *e;

	crl_maker_free(maker);
	while ((e = readdir(d)) != NULL) {
		(void)snprintf(
		        path, sizeof(path), "%s/%.60s", folder, e->d_name);
		(void)unlink(path);
	}
	(void)closedir(d);
	(void)rmdir(folder);
	fake_signer_end(&signer);
	help_end(&store);
	world_end(&world);
	clock_set_shift_s(0);
}

/* --- what is made */

static bool made;

static void on_made(struct crl_order *order)
{
	(void)order;
	made = true;
}

static struct crl_order order_of(uint16_t shard)
{
	struct crl_order o = { .authority = world_authority(&world),
		.shard = shard,
		.valid_s = VALID_S,
		.regular = true,
		.done = on_made };

	(void)snprintf(o.name, sizeof(o.name), "factory.crl");
	if (shard == 0)
		return o;
	(void)snprintf(o.name, sizeof(o.name), "factory-%03u.crl", shard);
	o.urls[o.n_urls++] = "http://pki.example.com/crl/factory-001.crl";
	return o;
}

static enum rc make(struct crl_order *o)
{
	int64_t since_us = clock_mono_us();

	made = false;
	ck_assert_int_eq(crl_make(maker, o), RC_PENDING);
	while (!made) {
		const struct timespec pause = { 0, 20000 };

		loop_poll(store.loop);
		(void)nanosleep(&pause, NULL);
		ck_assert(clock_mono_us() - since_us < 20000000);
	}
	if (o->fd >= 0)
		(void)close(o->fd);
	return o->rc;
}

static void make_ok(struct crl_order *o)
{
	enum rc rc = make(o);

	ck_assert_msg(rc == RC_OK, "%s: %s", rc_info(rc)->name, o->why.text);
}

static struct buf read_file(const char *name)
{
	struct buf b = BUF_INIT(64u << 20);
	int fd = openat(dir, name, O_RDONLY);
	struct stat st;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_ptr_nonnull(buf_room(&b, (size_t)st.st_size));
	ck_assert_int_eq(read(fd, b.p, (size_t)st.st_size), st.st_size);
	buf_added(&b, (size_t)st.st_size);
	(void)close(fd);
	return b;
}

/* As libcrypto reads it, its signature verified. */
static X509_CRL *judge(const char *name)
{
	struct buf b = read_file(name);
	const uint8_t *p = b.p;
	X509_CRL *x = d2i_X509_CRL(NULL, &p, (long)b.n);

	ck_assert_ptr_nonnull(x);
	ck_assert_ptr_eq(p, b.p + b.n);
	ck_assert_int_eq(X509_CRL_verify(x, world.ca_key), 1);
	buf_free(&b);
	return x;
}

static int entries_of(X509_CRL *x)
{
	return sk_X509_REVOKED_num(X509_CRL_get_REVOKED(x));
}

static unsigned files(void)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY);
	DIR *d = fdopendir(fd);
	struct dirent *e;
	unsigned n = 0;

	while ((e = readdir(d)) != NULL)
		n += strcmp(e->d_name, ".") != 0 &&
		        strcmp(e->d_name, "..") != 0;
	(void)closedir(d);
	return n;
}

static struct cert_key certificate(uint16_t shard)
{
	static unsigned n;
	struct help_issue i;
	char text[16];

	(void)snprintf(text, sizeof(text), "%u", n++);
	help_issue(&store, &i, NULL, 0, text);
	i.t1.shard = shard;
	ck_assert_int_eq(help_t1(&store, &i), RC_OK);
	ck_assert_int_eq(help_t2(&store, &i), RC_OK);
	return i.t1.key;
}

static void revoke_it(const struct cert_key *key, enum cert_reason reason)
{
	struct store_set_status op = { .key = *key, .reason = reason };

	op.op.actor = "operator uid 0";
	ck_assert_int_eq(HELP_DO(&store, store_set_status, &op), RC_OK);
}

/* --- bytes */

static X509_CRL *other_crl(const struct crl_frame *f, const char *exts)
{
	X509_CRL *x = X509_CRL_new();
	BIO *bio = BIO_new_mem_buf(exts, -1);
	CONF *conf = NCONF_new(NULL);
	ASN1_TIME *t = ASN1_TIME_set(NULL, f->this_update_s);
	ASN1_INTEGER *number = ASN1_INTEGER_new();
	X509V3_CTX ctx;
	long line;

	X509_CRL_set_version(x, X509_CRL_VERSION_2);
	X509_CRL_set_issuer_name(x, X509_get_subject_name(world.ca));
	X509_CRL_set1_lastUpdate(x, t);
	ASN1_TIME_set(t, f->next_update_s);
	X509_CRL_set1_nextUpdate(x, t);
	ASN1_TIME_free(t);
	ck_assert_int_eq(NCONF_load_bio(conf, bio, &line), 1);
	X509V3_set_ctx(&ctx, world.ca, NULL, NULL, x, 0);
	X509V3_set_nconf(&ctx, conf);
	ck_assert_int_eq(X509V3_EXT_CRL_add_nconf(conf, &ctx, "aki", x), 1);
	ASN1_INTEGER_set_uint64(number, f->number);
	X509_CRL_add1_ext_i2d(x, NID_crl_number, number, 0, 0);
	if (f->shard)
		ck_assert_int_eq(
		        X509V3_EXT_CRL_add_nconf(conf, &ctx, "idp", x), 1);
	ASN1_INTEGER_free(number);
	NCONF_free(conf);
	BIO_free(bio);
	return x;
}

static void other_entry(X509_CRL *x, const struct store_crl_row *row)
{
	X509_REVOKED *r = X509_REVOKED_new();
	BIGNUM *bn = BN_bin2bn(row->serial, STORE_SERIAL_BYTES, NULL);
	ASN1_INTEGER *serial = BN_to_ASN1_INTEGER(bn, NULL);
	ASN1_TIME *t = ASN1_TIME_set(NULL, row->revoked_s);
	ASN1_ENUMERATED *reason = ASN1_ENUMERATED_new();
	ASN1_GENERALIZEDTIME *since =
	        ASN1_GENERALIZEDTIME_set(NULL, row->invalidity_s);

	X509_REVOKED_set_serialNumber(r, serial);
	X509_REVOKED_set_revocationDate(r, t);
	ASN1_ENUMERATED_set(reason, (int)row->reason);
	if (row->reason != REASON_UNSPECIFIED)
		X509_REVOKED_add1_ext_i2d(r, NID_crl_reason, reason, 0, 0);
	if (row->invalidity_s != 0)
		X509_REVOKED_add1_ext_i2d(r, NID_invalidity_date, since, 0, 0);
	X509_CRL_add0_revoked(x, r);
	ASN1_GENERALIZEDTIME_free(since);
	ASN1_ENUMERATED_free(reason);
	ASN1_TIME_free(t);
	ASN1_INTEGER_free(serial);
	BN_free(bn);
}

static struct buf our_tbs(
        const struct crl_frame *f, const struct store_crl_row *rows, size_t n)
{
	struct buf entries = BUF_INIT(1 << 20), tail = BUF_INIT(1 << 16);
	struct buf out = BUF_INIT(1 << 20);

	for (size_t i = 0; i < n; i++) {
		size_t at = entries.n;

		crl_put_entry(&entries, &rows[i]);
		ck_assert_uint_le(entries.n - at, CRL_ENTRY_MAX_BYTES);
	}
	crl_put_tail(&tail, f);
	crl_put_head(&out, f, entries.n, tail.n);
	buf_add(&out, buf_bytes(&entries));
	buf_add(&out, buf_bytes(&tail));
	ck_assert_int_eq(out.failed, RC_OK);
	buf_free(&entries);
	buf_free(&tail);
	return out;
}

static const struct store_crl_row some[] = {
	{ { [19] = 1 }, REASON_UNSPECIFIED, 1900000000, 0 },
	{ { [0] = 0x4d, [19] = 2 }, REASON_KEY_COMPROMISE, 1900000001, 0 },
	{ { [0] = 0x7f, [10] = 0xff }, REASON_CERTIFICATE_HOLD, 1900000002, 0 },
	{ { [1] = 0x80 }, REASON_AA_COMPROMISE, 2600000000, 1899999999 },
	{ { [18] = 0xff, [19] = 0xff }, REASON_UNSPECIFIED, 1900000003,
	        2700000000 },
};
#define SOME (sizeof(some) / sizeof(some[0]))

#define EXTS                                                                   \
	"aki=authorityKeyIdentifier\n"                                         \
	"authorityKeyIdentifier=keyid\n[aki]\nauthorityKeyIdentifier=keyid\n"  \
	"[idp]\nissuingDistributionPoint=critical,@point\n"                    \
	"[point]\nfullname=URI:http://pki.example.com/crl/factory-001.crl\n"

static const struct {
	size_t n;
	bool shard, user;
	int64_t this_update_s;
} forms[] = {
	{ 0, false, false, 1900000100 },
	{ 1, false, false, 1900000100 },
	{ SOME, false, false, 1900000100 },
	{ SOME, true, false, 1900000100 },
	{ SOME, true, true, 1900000100 },
	{ 2, false, false, 2600000000 },
};

static struct crl_frame frame_of(const struct authority *a)
{
	return (struct crl_frame){ .sig_alg = a->sig_alg,
		.issuer = a->subject,
		.key_id = a->key_id,
		.number = 1900000077,
		.this_update_s = 1900000100,
		.next_update_s = 1900000100 + VALID_S,
		.urls = { "http://pki.example.com/crl/factory-001.crl" },
		.n_urls = 1 };
}

START_TEST(crl_is_libcryptos_byte_for_byte)
{
	struct crl_frame f = frame_of(world_authority(&world));
	struct buf ours;
	unsigned char *theirs = NULL;
	char exts[1024];
	X509_CRL *x;
	int n;

	f.shard = forms[_i].shard;
	f.only_user_certs = forms[_i].user;
	f.this_update_s = forms[_i].this_update_s;
	f.next_update_s = f.this_update_s + VALID_S;
	(void)snprintf(exts, sizeof(exts), "%s%s", EXTS,
	        forms[_i].user ? "onlyuser=TRUE\n" : "");
	x = other_crl(&f, exts);
	for (size_t i = 0; i < forms[_i].n; i++)
		other_entry(x, &some[i]);
	ck_assert_int_gt(X509_CRL_sign(x, world.ca_key, EVP_sha256()), 0);
	n = i2d_re_X509_CRL_tbs(x, &theirs);
	ours = our_tbs(&f, some, forms[_i].n);
	ck_assert_uint_eq(ours.n, (size_t)n);
	ck_assert_mem_eq(ours.p, theirs, ours.n);
	OPENSSL_free(theirs);
	X509_CRL_free(x);
	buf_free(&ours);
}
END_TEST

static struct buf whole(const struct crl_frame *f, struct buf tbs)
{
	struct buf out = BUF_INIT(1 << 20), tail = BUF_INIT(4096);

	crl_put_outer(&out, &tail, f->sig_alg, BYTES_LIT("signature"), tbs.n);
	buf_add(&out, buf_bytes(&tbs));
	buf_add(&out, buf_bytes(&tail));
	buf_free(&tail);
	buf_free(&tbs);
	return out;
}

START_TEST(crl_reads_back_what_was_written)
{
	struct crl_frame f = frame_of(world_authority(&world));
	struct why why = WHY_NONE;
	struct crl_entry e;
	struct buf b;
	struct crl crl;
	struct der d;

	f.shard = true;
	b = whole(&f, our_tbs(&f, some, SOME));
	ck_assert_int_eq(crl_parse(&crl, buf_bytes(&b), &why), RC_OK);
	ck_assert(bytes_eq(crl.issuer, f.issuer));
	ck_assert(bytes_eq(crl.key_id, f.key_id));
	ck_assert_uint_eq(crl.number, f.number);
	ck_assert_int_eq(crl.this_update_s, f.this_update_s);
	ck_assert_int_eq(crl.next_update_s, f.next_update_s);
	ck_assert_uint_gt(crl.idp.n, 0);
	ck_assert(bytes_eq_str(crl.signature, "signature"));
	d = der_of(crl.entries);
	for (size_t i = 0; i < SOME; i++) {
		ck_assert_int_eq(crl_read_entry(&d, &e, &why), RC_OK);
		ck_assert_mem_eq(e.serial.p,
		        some[i].serial + STORE_SERIAL_BYTES - e.serial.n,
		        e.serial.n);
		ck_assert_int_eq(e.revoked_s, some[i].revoked_s);
		ck_assert_uint_eq(e.reason, some[i].reason);
		ck_assert(e.has_reason == (e.reason != 0));
		ck_assert_int_eq(e.invalidity_s, some[i].invalidity_s);
	}
	ck_assert(!der_more(&d));
	buf_free(&b);
}
END_TEST

/* Every byte changed in turn: refused, or still in bounds. */
START_TEST(crl_reader_survives_any_byte)
{
	struct crl_frame f = frame_of(world_authority(&world));
	struct buf b = whole(&f, our_tbs(&f, some, SOME));
	struct crl_entry e;
	struct why why;
	struct crl crl;
	struct der d;

	for (size_t i = 0; i < b.n; i++) {
		uint8_t was = b.p[i];

		ck_assert_int_ne(
		        crl_parse(&crl, bytes_of(b.p, i), &why), RC_OK);
		for (int bit = 0; bit < 8; bit++) {
			b.p[i] = (uint8_t)(was ^ (1 << bit));
			if (crl_parse(&crl, buf_bytes(&b), &why) != RC_OK)
				continue;
			d = der_of(crl.entries);
			while (der_more(&d) &&
			        crl_read_entry(&d, &e, &why) == RC_OK)
				;
		}
		b.p[i] = was;
	}
	buf_free(&b);
}
END_TEST

/* --- the maker */

START_TEST(crl_without_entries_is_published)
{
	struct crl_order o = order_of(0);
	X509_CRL *x;
	struct stat st;

	make_ok(&o);
	x = judge("factory.crl");
	ck_assert_int_eq(entries_of(x), -1);
	ck_assert_int_eq(
	        X509_CRL_get_ext_by_NID(x, NID_issuing_distribution_point, -1),
	        -1);
	ck_assert_uint_ge(o.crl.number, WORLD_NOW_S);
	ck_assert_int_eq(o.crl.next_update_s, o.crl.this_update_s + VALID_S);
	ck_assert_uint_eq(files(), 1);
	ck_assert_int_eq(fstatat(dir, "factory.crl", &st, 0), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0644);
	ck_assert_uint_eq((uint64_t)st.st_size, o.crl.bytes);
	X509_CRL_free(x);
}
END_TEST

START_TEST(crl_has_each_reason_and_no_released_one)
{
	struct store_set_status release = { .change = STATUS_RELEASE };
	struct store_set_status hold = { .change = STATUS_HOLD };
	struct crl_order o = order_of(0);
	struct cert_key keys[4];
	X509_CRL *x;

	for (int i = 0; i < 4; i++)
		keys[i] = certificate(0);
	revoke_it(&keys[0], REASON_UNSPECIFIED);
	revoke_it(&keys[1], REASON_KEY_COMPROMISE);
	hold.key = keys[2];
	release.key = keys[2];
	ck_assert_int_eq(HELP_DO(&store, store_set_status, &hold), RC_OK);
	make_ok(&o);
	x = judge("factory.crl");
	ck_assert_int_eq(entries_of(x), 3);
	ck_assert_uint_eq(o.crl.count, 3);
	for (int i = 0; i < 3; i++) {
		static const int reasons[] = { -1, 1, 6 };
		X509_REVOKED *r =
		        sk_X509_REVOKED_value(X509_CRL_get_REVOKED(x), i);
		ASN1_ENUMERATED *e =
		        X509_REVOKED_get_ext_d2i(r, NID_crl_reason, NULL, NULL);

		ck_assert_int_eq(
		        e != NULL ? ASN1_ENUMERATED_get(e) : -1, reasons[i]);
		ASN1_ENUMERATED_free(e);
	}
	X509_CRL_free(x);
	ck_assert_int_eq(HELP_DO(&store, store_set_status, &release), RC_OK);
	make_ok(&o);
	x = judge("factory.crl");
	ck_assert_int_eq(entries_of(x), 2);
	X509_CRL_free(x);
}
END_TEST

START_TEST(crl_of_a_shard_has_its_point_and_its_own_entries)
{
	struct crl_order full = order_of(0), shard = order_of(1);
	struct cert_key a = certificate(1), b = certificate(2);
	ISSUING_DIST_POINT *idp;
	X509_CRL *x;
	int critical;

	revoke_it(&a, REASON_SUPERSEDED);
	revoke_it(&b, REASON_SUPERSEDED);
	make_ok(&full);
	make_ok(&shard);
	x = judge("factory.crl");
	ck_assert_int_eq(entries_of(x), 2);
	X509_CRL_free(x);
	x = judge("factory-001.crl");
	ck_assert_int_eq(entries_of(x), 1);
	idp = X509_CRL_get_ext_d2i(
	        x, NID_issuing_distribution_point, &critical, NULL);
	ck_assert_ptr_nonnull(idp);
	ck_assert_int_eq(critical, 1);
	/* The world's CA may issue CA certificates. */
	ck_assert_int_eq(idp->onlyuser, 0);
	ISSUING_DIST_POINT_free(idp);
	X509_CRL_free(x);
}
END_TEST

START_TEST(crl_of_many_pages_has_all)
{
	struct crl_order o = order_of(0);
	X509_CRL *x;

	for (int i = 0; i < 3 * STORE_ROWS_MAX + 1; i++) {
		struct cert_key key = certificate(0);

		revoke_it(&key, REASON_CESSATION_OF_OPERATION);
	}
	make_ok(&o);
	x = judge("factory.crl");
	ck_assert_int_eq(entries_of(x), 3 * STORE_ROWS_MAX + 1);
	X509_CRL_free(x);
}
END_TEST

START_TEST(crl_signature_is_checked_before_it_is_published)
{
	struct crl_order o = order_of(0);
	X509_CRL *x;

	make_ok(&o);
	signer.mode = FAKE_WRONG_KEY;
	ck_assert_int_eq(make(&o), RC_INTERNAL);
	ck_assert_str_eq(o.why.text,
	        "factory.crl does not pass its check: its signature");
	ck_assert_uint_eq(files(), 1);
	x = judge("factory.crl");
	X509_CRL_free(x);
	signer.mode = FAKE_REFUSES;
	ck_assert_int_eq(make(&o), RC_DENIED);
	signer.mode = FAKE_SIGNS;
	make_ok(&o);
}
END_TEST

/* The other keeper of a hand-over began one meanwhile. */
START_TEST(crl_that_was_overtaken_is_not_published)
{
	struct store_crl_begin other = { .authority = store.authority };
	struct crl_order o = order_of(0);
	const struct timespec pause = { 0, 20000 };

	signer.mode = FAKE_SILENT;
	made = false;
	ck_assert_int_eq(crl_make(maker, &o), RC_PENDING);
	ck_assert(crl_maker_busy(maker));
	while (signer.asked == 0) {
		loop_poll(store.loop);
		(void)nanosleep(&pause, NULL);
	}
	ck_assert_int_eq(HELP_DO(&store, store_crl_begin, &other), RC_OK);
	signer.mode = FAKE_SIGNS;
	fake_signer_hello(&signer); /* it is asked again */
	while (!made) {
		loop_poll(store.loop);
		(void)nanosleep(&pause, NULL);
	}
	ck_assert_int_eq(o.rc, RC_FENCED);
	ck_assert_uint_eq(files(), 0);
}
END_TEST

START_TEST(crl_file_is_known_again_and_a_changed_one_is_not)
{
	struct crl_order o = order_of(0);
	struct why why = WHY_NONE;
	int fd;

	make_ok(&o);
	fd = openat(dir, "factory.crl", O_RDWR);
	ck_assert_int_eq(crl_file_matches(fd, &o.crl, &why), RC_OK);
	ck_assert_uint_eq(
	        crl_file_number(dir, "factory.crl", o.authority), o.crl.number);
	ck_assert_int_eq(pwrite(fd, "x", 1, (off_t)o.crl.bytes - 1), 1);
	ck_assert_int_eq(crl_file_matches(fd, &o.crl, &why), RC_CONFLICT);
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	ck_assert_int_eq(crl_file_matches(fd, &o.crl, &why), RC_IO);
	ck_assert_uint_eq(crl_file_number(dir, "factory.crl", o.authority), 0);
	(void)close(fd);
}
END_TEST

/* A store that was restored from a backup has forgotten numbers. */
START_TEST(crl_number_is_above_that_of_the_published_file)
{
	struct crl_order o = order_of(0);
	uint64_t first;

	clock_set_shift_s(0);
	clock_set_shift_s(WORLD_NOW_S - clock_now_s() + 1000000);
	make_ok(&o);
	first = o.crl.number;
	store_close(store.store);
	store.store = NULL;
	crl_maker_free(maker);
	clock_set_shift_s(0);
	clock_set_shift_s(WORLD_NOW_S - clock_now_s());
	{
		char path[256];

		(void)snprintf(path, sizeof(path), "%s/data.mdb", store.folder);
		ck_assert_int_eq(unlink(path), 0);
	}
	help_open(&store);
	help_authority(&store);
	open_maker();
	make_ok(&o);
	ck_assert_uint_eq(o.crl.number, first + 1);
}
END_TEST

static void reopen(void)
{
	crl_maker_free(maker);
	store_close(store.store);
	store.store = NULL;
	loop_poll(store.loop);
	help_open(&store);
	open_maker();
}

static int64_t draw(int64_t below)
{
	uint64_t r;

	rand_fill(&r, sizeof(r));
	return (int64_t)(r % (uint64_t)below);
}

/* DESIGN rule 9: whatever the clock does, and whoever dies when. */
START_TEST(crl_numbers_rise_over_a_thousand_jumps_restarts_and_crashes)
{
	struct store_crl_begin crashed;
	struct crl_order o = order_of(0);
	uint64_t published = 0;
	int64_t shift_s;

	clock_set_shift_s(0);
	shift_s = WORLD_NOW_S - clock_now_s();
	for (int i = 0; i < 1000; i++) {
		clock_set_shift_s(shift_s + draw(2 * 31536000) - 31536000);
		switch (draw(8)) {
		case 0:
			reopen();
			break;
		case 1: /* a number was given out, and its CRL never made */
			crashed = (struct store_crl_begin){
				.authority = store.authority
			};
			ck_assert_int_eq(
			        HELP_DO(&store, store_crl_begin, &crashed),
			        RC_OK);
			ck_assert_uint_gt(crashed.number, published);
			published = crashed.number;
			reopen();
			break;
		case 2: /* made and not signed */
			signer.mode = FAKE_REFUSES;
			ck_assert_int_eq(make(&o), RC_DENIED);
			signer.mode = FAKE_SIGNS;
			break;
		default:
			break;
		}
		make_ok(&o);
		ck_assert_uint_gt(o.crl.number, published);
		ck_assert_uint_eq(
		        crl_file_number(dir, "factory.crl", o.authority),
		        o.crl.number);
		ck_assert_int_gt(o.crl.next_update_s, o.crl.this_update_s);
		published = o.crl.number;
	}
}
END_TEST

/* --- other keys */

static const char *const types[] = { "P-384", "ED25519", "RSA" };

START_TEST(crl_is_signed_by_each_type_of_key)
{
	struct crl_order o;
	X509_CRL *x;

	begin_of(types[_i]);
	open_maker();
	o = order_of(0);
	make_ok(&o);
	x = judge("factory.crl");
	X509_CRL_free(x);
	end();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("crl");
	TCase *tc = tcase_create("crl"), *other = tcase_create("keys");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_loop_test(tc, crl_is_libcryptos_byte_for_byte, 0,
	        sizeof(forms) / sizeof(forms[0]));
	tcase_add_test(tc, crl_reads_back_what_was_written);
	tcase_add_test(tc, crl_reader_survives_any_byte);
	tcase_add_test(tc, crl_without_entries_is_published);
	tcase_add_test(tc, crl_has_each_reason_and_no_released_one);
	tcase_add_test(tc, crl_of_a_shard_has_its_point_and_its_own_entries);
	tcase_add_test(tc, crl_of_many_pages_has_all);
	tcase_add_test(tc, crl_signature_is_checked_before_it_is_published);
	tcase_add_test(tc, crl_that_was_overtaken_is_not_published);
	tcase_add_test(tc, crl_file_is_known_again_and_a_changed_one_is_not);
	tcase_add_test(tc, crl_number_is_above_that_of_the_published_file);
	tcase_add_test(tc,
	        crl_numbers_rise_over_a_thousand_jumps_restarts_and_crashes);
	suite_add_tcase(s, tc);
	tcase_add_loop_test(other, crl_is_signed_by_each_type_of_key, 0,
	        sizeof(types) / sizeof(types[0]));
	suite_add_tcase(s, other);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
