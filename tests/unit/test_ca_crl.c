/* CRLs: their bytes against libcrypto's, the reader against what is malformed,
 * and the maker on a true store with a signer that can be made to fail. */
#include "base/clock.h"
#include "base/rand.h"
#include "ca/crl_file.h"
#include "ca/crl_run.h"
#include "tests/unit/crl_world.h"
#include "tests/unit/test_ca_crl.h"
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
static struct crl_maker *maker;

static void open_maker(void)
{
	struct crl_maker_opts o = { .loop = cw.store.loop,
		.store = cw.store.store,
		.signer = cw.signer.client,
		.dir = cw.dir,
		.actor = "system keeper" };

	ck_assert_int_eq(crl_maker_new(&maker, &o), RC_OK);
}

static void begin(void)
{
	crl_begin("P-256", "");
	open_maker();
}

static void end(void)
{
	crl_maker_free(maker);
	crl_end();
}

static struct cert_key certificate(uint16_t shard)
{
	return crl_certificate(shard, 86400);
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
	struct crl_order o = { .authority = world_authority(&cw.world),
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

		loop_poll(cw.store.loop);
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
	X509_CRL_set_issuer_name(x, X509_get_subject_name(cw.world.ca));
	X509_CRL_set1_lastUpdate(x, t);
	ASN1_TIME_set(t, f->next_update_s);
	X509_CRL_set1_nextUpdate(x, t);
	ASN1_TIME_free(t);
	ck_assert_int_eq(NCONF_load_bio(conf, bio, &line), 1);
	X509V3_set_ctx(&ctx, cw.world.ca, NULL, NULL, x, 0);
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
	struct crl_frame f = frame_of(world_authority(&cw.world));
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
	ck_assert_int_gt(X509_CRL_sign(x, cw.world.ca_key, EVP_sha256()), 0);
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
	struct crl_frame f = frame_of(world_authority(&cw.world));
	struct why why = WHY_NONE;
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
	for (size_t i = 0; i < SOME; i++)
		ck_assert_int_eq(
		        der_expect(&d, DER_SEQUENCE, NULL, "entry", &why),
		        RC_OK);
	ck_assert(!der_more(&d));
	buf_free(&b);
}
END_TEST

/* Every byte changed in turn: refused, or still in bounds. */
START_TEST(crl_reader_survives_any_byte)
{
	struct crl_frame f = frame_of(world_authority(&cw.world));
	struct buf b = whole(&f, our_tbs(&f, some, SOME));
	struct why why;
	struct crl crl;

	for (size_t i = 0; i < b.n; i++) {
		uint8_t was = b.p[i];

		ck_assert_int_ne(
		        crl_parse(&crl, bytes_of(b.p, i), &why), RC_OK);
		for (int bit = 0; bit < 8; bit++) {
			b.p[i] = (uint8_t)(was ^ (1 << bit));
			if (crl_parse(&crl, buf_bytes(&b), &why) == RC_OK)
				ck_assert(crl.entries.p >= b.p &&
				        crl.entries.p + crl.entries.n <=
				                b.p + b.n);
		}
		b.p[i] = was;
	}
	buf_free(&b);
}
END_TEST

/* --- the maker */

/* -1: the field is absent. */
static int entries_of(X509_CRL *x)
{
	return sk_X509_REVOKED_num(X509_CRL_get_REVOKED(x));
}

START_TEST(crl_without_entries_is_published)
{
	struct crl_order o = order_of(0);
	X509_CRL *x;
	struct stat st;

	make_ok(&o);
	x = crl_judge("factory.crl");
	ck_assert_int_eq(entries_of(x), -1);
	ck_assert_int_eq(
	        X509_CRL_get_ext_by_NID(x, NID_issuing_distribution_point, -1),
	        -1);
	ck_assert_uint_ge(o.crl.number, WORLD_NOW_S);
	ck_assert_int_eq(o.crl.next_update_s, o.crl.this_update_s + VALID_S);
	ck_assert_uint_eq(crl_files(), 1);
	ck_assert_int_eq(fstatat(cw.dir, "factory.crl", &st, 0), 0);
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
	crl_revoke(&keys[0], REASON_UNSPECIFIED);
	crl_revoke(&keys[1], REASON_KEY_COMPROMISE);
	hold.key = keys[2];
	release.key = keys[2];
	ck_assert_int_eq(HELP_DO(&cw.store, store_set_status, &hold), RC_OK);
	make_ok(&o);
	x = crl_judge("factory.crl");
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
	ck_assert_int_eq(HELP_DO(&cw.store, store_set_status, &release), RC_OK);
	make_ok(&o);
	x = crl_judge("factory.crl");
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

	crl_revoke(&a, REASON_SUPERSEDED);
	crl_revoke(&b, REASON_SUPERSEDED);
	make_ok(&full);
	make_ok(&shard);
	x = crl_judge("factory.crl");
	ck_assert_int_eq(entries_of(x), 2);
	X509_CRL_free(x);
	x = crl_judge("factory-001.crl");
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

		crl_revoke(&key, REASON_CESSATION_OF_OPERATION);
	}
	make_ok(&o);
	x = crl_judge("factory.crl");
	ck_assert_int_eq(entries_of(x), 3 * STORE_ROWS_MAX + 1);
	X509_CRL_free(x);
}
END_TEST

START_TEST(crl_signature_is_checked_before_it_is_published)
{
	struct crl_order o = order_of(0);
	X509_CRL *x;

	make_ok(&o);
	cw.signer.mode = FAKE_WRONG_KEY;
	ck_assert_int_eq(make(&o), RC_INTERNAL);
	ck_assert_str_eq(o.why.text,
	        "factory.crl does not pass its check: its signature");
	ck_assert_uint_eq(crl_files(), 1);
	x = crl_judge("factory.crl");
	X509_CRL_free(x);
	cw.signer.mode = FAKE_REFUSES;
	ck_assert_int_eq(make(&o), RC_DENIED);
	cw.signer.mode = FAKE_SIGNS;
	make_ok(&o);
}
END_TEST

/* The other keeper of a hand-over began one meanwhile. */
START_TEST(crl_that_was_overtaken_is_not_published)
{
	struct store_crl_begin other = { .authority = cw.store.authority };
	struct crl_order o = order_of(0);
	const struct timespec pause = { 0, 20000 };

	cw.signer.mode = FAKE_SILENT;
	made = false;
	ck_assert_int_eq(crl_make(maker, &o), RC_PENDING);
	ck_assert(crl_maker_busy(maker));
	while (cw.signer.asked == 0) {
		loop_poll(cw.store.loop);
		(void)nanosleep(&pause, NULL);
	}
	ck_assert_int_eq(HELP_DO(&cw.store, store_crl_begin, &other), RC_OK);
	cw.signer.mode = FAKE_SIGNS;
	fake_signer_hello(&cw.signer); /* it is asked again */
	while (!made) {
		loop_poll(cw.store.loop);
		(void)nanosleep(&pause, NULL);
	}
	ck_assert_int_eq(o.rc, RC_FENCED);
	ck_assert_uint_eq(crl_files(), 0);
}
END_TEST

START_TEST(crl_file_is_known_again_and_a_changed_one_is_not)
{
	struct crl_order o = order_of(0);
	struct why why = WHY_NONE;
	int fd;

	make_ok(&o);
	fd = openat(cw.dir, "factory.crl", O_RDWR);
	ck_assert_int_eq(crl_file_matches(fd, &o.crl, &why), RC_OK);
	ck_assert_uint_eq(crl_file_number(cw.dir, "factory.crl", o.authority),
	        o.crl.number);
	ck_assert_int_eq(pwrite(fd, "x", 1, (off_t)o.crl.bytes - 1), 1);
	ck_assert_int_eq(crl_file_matches(fd, &o.crl, &why), RC_CONFLICT);
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	ck_assert_int_eq(crl_file_matches(fd, &o.crl, &why), RC_IO);
	ck_assert_uint_eq(
	        crl_file_number(cw.dir, "factory.crl", o.authority), 0);
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
	store_close(cw.store.store);
	cw.store.store = NULL;
	crl_maker_free(maker);
	clock_set_shift_s(0);
	clock_set_shift_s(WORLD_NOW_S - clock_now_s());
	{
		char path[256];

		(void)snprintf(
		        path, sizeof(path), "%s/data.mdb", cw.store.folder);
		ck_assert_int_eq(unlink(path), 0);
	}
	help_open(&cw.store);
	help_authority(&cw.store);
	open_maker();
	make_ok(&o);
	ck_assert_uint_eq(o.crl.number, first + 1);
}
END_TEST

static void reopen(void)
{
	crl_maker_free(maker);
	store_close(cw.store.store);
	cw.store.store = NULL;
	loop_poll(cw.store.loop);
	help_open(&cw.store);
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
				.authority = cw.store.authority
			};
			ck_assert_int_eq(
			        HELP_DO(&cw.store, store_crl_begin, &crashed),
			        RC_OK);
			ck_assert_uint_gt(crashed.number, published);
			published = crashed.number;
			reopen();
			break;
		case 2: /* made and not signed */
			cw.signer.mode = FAKE_REFUSES;
			ck_assert_int_eq(make(&o), RC_DENIED);
			cw.signer.mode = FAKE_SIGNS;
			break;
		default:
			break;
		}
		make_ok(&o);
		ck_assert_uint_gt(o.crl.number, published);
		ck_assert_uint_eq(
		        crl_file_number(cw.dir, "factory.crl", o.authority),
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

	crl_begin(types[_i], "");
	open_maker();
	o = order_of(0);
	make_ok(&o);
	x = crl_judge("factory.crl");
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
	suite_add_tcase(s, test_ca_crl_plan());
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
