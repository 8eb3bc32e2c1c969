#include "tests/unit/store_help.h"

#include "base/clock.h"
#include <check.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MAX_US (20 * INT64_C(1000000))

static void on_done(struct store_op *op)
{
	*(bool *)op->ctx = true;
}

void help_begin(struct help *h)
{
	const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";

	memset(h, 0, sizeof(*h));
	ck_assert_int_eq(loop_new(&h->loop), RC_OK);
	(void)snprintf(
	        h->folder, sizeof(h->folder), "%s/mica-store-XXXXXX", base);
	ck_assert_ptr_nonnull(mkdtemp(h->folder));
	h->opts = (struct store_opts){ .path = h->folder,
		.size_bytes = 256u << 20,
		.create = true,
		.backdate_us = 300 * INT64_C(1000000) };
}

void help_end(struct help *h)
{
	static const char *const files[] = { "data.mdb", "lock.mdb" };
	char path[128];

	store_close(h->store);
	h->store = NULL;
	/* What was posted before the close frees itself. */
	loop_poll(h->loop);
	loop_free(h->loop);
	for (size_t i = 0; i < 2; i++) {
		(void)snprintf(
		        path, sizeof(path), "%s/%s", h->folder, files[i]);
		(void)unlink(path);
	}
	(void)rmdir(h->folder);
}

void help_open(struct help *h)
{
	struct why why = WHY_NONE;
	enum rc rc = store_open(&h->store, &h->opts, h->loop, &why);

	ck_assert_msg(rc == RC_OK, "%s: %s", rc_info(rc)->name, why.text);
}

static void wait_for(struct help *h, const bool *done)
{
	const struct timespec pause = { 0, 20000 };
	int64_t since_us = clock_mono_us();

	while (!*done) {
		loop_poll(h->loop);
		if (!*done)
			(void)nanosleep(&pause, NULL);
		/* Each ck_assert that passes writes to Check's file, too. */
		if (clock_mono_us() - since_us > WAIT_MAX_US)
			ck_abort_msg("no callback");
	}
}

enum rc help_wait(struct help *h, struct store_op *op, enum rc rc)
{
	if (rc != RC_PENDING)
		return rc;
	wait_for(h, op->ctx);
	return op->rc;
}

static bool try_again(enum rc rc)
{
	return rc == RC_BUSY || rc == RC_UNAVAILABLE || rc == RC_UNKNOWN;
}

enum rc help_do(struct help *h, struct store_op *op, help_send_fn *send)
{
	enum rc rc = RC_BUSY;
	bool done;

	for (int i = 0; i < HELP_TRIES && try_again(rc); i++) {
		done = false;
		op->done = on_done;
		op->ctx = &done;
		rc = help_wait(h, op, send(h->store, op));
	}
	op->ctx = NULL;
	return rc;
}

size_t help_do_all(
        struct help *h, struct store_op **ops, size_t n, help_send_fn *send)
{
	bool *done = calloc(n, sizeof(*done));
	size_t again = n, ok = 0;

	ck_assert_ptr_nonnull(done);
	for (size_t i = 0; i < n; i++)
		ops[i]->rc = RC_BUSY;
	for (int t = 0; t < HELP_TRIES && again > 0; t++) {
		for (size_t i = 0; i < n; i++) {
			done[i] = !try_again(ops[i]->rc);
			if (done[i])
				continue;
			ops[i]->done = on_done;
			ops[i]->ctx = &done[i];
			done[i] = send(h->store, ops[i]) != RC_PENDING;
		}
		again = 0;
		for (size_t i = 0; i < n; i++) {
			wait_for(h, &done[i]);
			again += try_again(ops[i]->rc);
		}
	}
	for (size_t i = 0; i < n; i++)
		ok += ops[i]->rc == RC_OK;
	free(done);
	return ok;
}

void help_hash(uint8_t out[STORE_HASH_BYTES], const char *text)
{
	ck_assert_int_eq(
	        EVP_Digest(text, strlen(text), out, NULL, EVP_sha256(), NULL),
	        1);
}

void help_authority(struct help *h)
{
	struct store_authority_put put = {
		.authority = { .name = "factory" },
		.der = BYTES_LIT("the certificate of factory"),
	};

	help_hash(put.authority.cert_hash, "factory");
	ck_assert_int_eq(HELP_DO(h, store_authority_put, &put), RC_OK);
	h->authority = put.authority.id;
	h->authority_version = put.authority.version;
}

struct cert_key help_serial(struct help *h)
{
	struct cert_key key = { .authority = h->authority };
	uint32_t n = ++h->serials;

	key.serial[0] = 0x40;
	key.serial[16] = (uint8_t)(n >> 24);
	key.serial[17] = (uint8_t)(n >> 16);
	key.serial[18] = (uint8_t)(n >> 8);
	key.serial[19] = (uint8_t)n;
	return key;
}

struct bytes help_cert(struct bytes tbs, uint8_t *out, size_t size)
{
	ck_assert_uint_lt(tbs.n + 4, size);
	ck_assert_uint_lt(tbs.n + 2, 128);
	out[0] = 0x30;
	out[1] = (uint8_t)(tbs.n + 2);
	memcpy(out + 2, tbs.p, tbs.n);
	out[2 + tbs.n] = 0x03;
	out[3 + tbs.n] = 0x00;
	return bytes_of(out, tbs.n + 4);
}

void help_issue(struct help *h, struct help_issue *i, const char *device,
        uint64_t device_version, const char *text)
{
	struct store_issue_begin *t1 = &i->t1;
	int64_t now_s = clock_now_s();
	char words[128];

	memset(i, 0, sizeof(*i));
	t1->op.actor = "operator uid 0";
	t1->key = help_serial(h);
	(void)snprintf((char *)i->tbs, sizeof(i->tbs), "tbs %u %.40s",
	        (unsigned)h->serials, text);
	t1->tbs = bytes_str((char *)i->tbs);
	t1->device = device;
	t1->profile = "sensor";
	t1->credential.kind = CREDENTIAL_OPERATOR;
	t1->device_version = device_version;
	t1->authority_version = h->authority_version;
	t1->not_before_s = now_s - 300;
	t1->not_after_s = now_s + 86400;
	t1->retry_after_us = clock_now_us() - 3600 * INT64_C(1000000);
	(void)snprintf(words, sizeof(words), "key %s", text);
	help_hash(t1->spki_hash, words);
	(void)snprintf(words, sizeof(words), "request %s", text);
	help_hash(t1->request_hash, words);
	i->t2.op.actor = t1->op.actor;
	i->t2.key = t1->key;
	i->t2.der = help_cert(t1->tbs, i->der, sizeof(i->der));
	ck_assert_int_eq(EVP_Digest(i->t2.der.p, i->t2.der.n, i->t2.cert_hash,
	                         NULL, EVP_sha256(), NULL),
	        1);
}

enum rc help_t1(struct help *h, struct help_issue *i)
{
	return HELP_DO(h, store_issue_begin, &i->t1);
}

/* Recorded already is what an honest caller hopes for when in doubt. */
enum rc help_t2(struct help *h, struct help_issue *i)
{
	enum rc rc = HELP_DO(h, store_issue_finish, &i->t2);

	return rc == RC_DUPLICATE ? RC_OK : rc;
}

struct cert_key help_certificate(struct help *h, const char *device,
        uint64_t device_version, const char *text)
{
	struct help_issue i;
	enum rc rc;

	help_issue(h, &i, device, device_version, text);
	rc = help_t1(h, &i);
	ck_assert_msg(rc == RC_OK, "T1: %s", i.t1.op.why.text);
	rc = help_t2(h, &i);
	ck_assert_msg(rc == RC_OK, "T2: %s", i.t2.op.why.text);
	return i.t1.key;
}

uint64_t help_device(struct help *h, const char *id)
{
	struct store_device_get get = { .id = id };
	enum rc rc = HELP_DO(h, store_device_get, &get);

	if (rc == RC_NOTFOUND)
		return 0;
	ck_assert_int_eq(rc, RC_OK);
	return get.device.version;
}

void help_token(struct help *h, const char *text, const char *device)
{
	struct store_token_put put = { .op.actor = "operator uid 0" };
	struct store_token *t = &put.token;
	enum rc rc;

	help_hash(t->hash, text);
	(void)snprintf(t->device, sizeof(t->device), "%s", device);
	(void)snprintf(t->profile, sizeof(t->profile), "sensor");
	t->authority = h->authority;
	t->expires_us = clock_now_us() + 3600 * INT64_C(1000000);
	rc = HELP_DO(h, store_token_put, &put);
	ck_assert_msg(rc == RC_OK, "%s", put.op.why.text);
}

enum cert_state help_state(struct help *h, const struct cert_key *key)
{
	struct store_status_row row = { .key = *key };
	struct store_status status = { .rows = &row, .n = 1 };

	ck_assert_int_eq(HELP_DO(h, store_status, &status), RC_OK);
	return row.state;
}

struct store_stat help_stat(struct help *h)
{
	struct store_stat stat = { .issued = 0 };

	ck_assert_int_eq(HELP_DO(h, store_stat, &stat), RC_OK);
	return stat;
}

enum rc help_revoke(struct help *h, const struct cert_key *key)
{
	struct store_set_status op = { .key = *key };

	return HELP_DO(h, store_set_status, &op);
}

static void print_fault(void *ctx, const char *text)
{
	(void)ctx;
	(void)fprintf(stderr, "store_check: %s\n", text);
}

static struct store_check_report check(struct help *h, bool print)
{
	struct store_check_report r = { .fault = print ? print_fault : NULL };
	struct why why = WHY_NONE;
	enum rc rc = store_check(h->folder, &r, &why);

	ck_assert_msg(rc == RC_OK, "%s", why.text);
	return r;
}

struct store_check_report help_check(struct help *h)
{
	return check(h, false);
}

struct store_check_report help_close_and_check(struct help *h)
{
	struct store_check_report r;

	store_close(h->store);
	h->store = NULL;
	r = check(h, true);
	ck_assert_uint_eq(r.faults, 0);
	return r;
}
