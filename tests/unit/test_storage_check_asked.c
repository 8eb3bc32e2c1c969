/* What store_check() says of requests that wait for an operator, and of the
 * two-person rule: each rule is seen to fail. */
#include "tests/unit/store_tamper.h"

#include "base/clock.h"
#include "storage/lmdb.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

#define ALICE 1001
#define BOB 1002
#define HOUR_US (INT64_C(3600) * 1000000)

static struct help h;

/* --- requests that wait: one of each state */
enum { OPEN = 1, APPROVED, DENIED, EXPIRED, ISSUED };

static void wait_polled(
        const char *text, const char *poll, const char *token, int64_t life_us)
{
	struct store_wait wait = { .label = "line1",
		.request = BYTES_LIT("a certification request"),
		.life_us = life_us };
	struct help_issue i;

	help_issue(&h, &i, "a", help_device(&h, "a"), text);
	help_hash(wait.poll, poll);
	i.t1.wait = &wait;
	if (token != NULL) {
		i.t1.credential.kind = CREDENTIAL_TOKEN;
		help_hash(i.t1.credential.hash, token);
	}
	ck_assert_int_eq(help_t1(&h, &i), RC_WAITING);
}

static void wait_for(const char *text, const char *token, int64_t life_us)
{
	wait_polled(text, text, token, life_us);
}

static void a_moment(void)
{
	const struct timespec ms = { .tv_nsec = 1000000 };

	(void)nanosleep(&ms, NULL);
}

static void decide(uint64_t id, bool approve)
{
	struct store_waiting_decide op = {
		.id = id, .by = ALICE, .approve = approve
	};

	ck_assert_int_eq(HELP_DO(&h, store_waiting_decide, &op), RC_OK);
}

static void pick_up(const char *text, const char *token)
{
	struct help_issue i;

	help_issue(&h, &i, "a", help_device(&h, "a"), text);
	i.t1.credential.kind = CREDENTIAL_TOKEN;
	help_hash(i.t1.credential.hash, token);
	ck_assert_int_eq(help_t1(&h, &i), RC_OK);
	ck_assert_int_eq(help_t2(&h, &i), RC_OK);
}

static void fill_waiting(void)
{
	struct store_waiting_expire expire = { .op.actor = "system keeper" };

	help_token(&h, "first", "a");
	help_token(&h, "second", "a");
	wait_for("open", "first", HOUR_US);
	wait_for("approved", NULL, HOUR_US);
	decide(APPROVED, true);
	wait_for("denied", NULL, HOUR_US);
	decide(DENIED, false);
	wait_for("expired", NULL, 1);
	a_moment();
	ck_assert_int_eq(HELP_DO(&h, store_waiting_expire, &expire), RC_OK);
	ck_assert_uint_eq(expire.expired, 1);
	wait_for("issued", "second", HOUR_US);
	decide(ISSUED, true);
	pick_up("issued", "second");
}

/* --- the two-person rule: likewise */
enum { ASKED = 1, AGREED, CARRIED_OUT, REFUSED, LATE };

static struct store_approval_ask ask(const char *content, int64_t life_us)
{
	struct store_approval_ask op = { .op.actor = "operator",
		.approval = { .asked_by = ALICE,
		        .action = "code.sign",
		        .object = "factory",
		        .expires_us = clock_now_us() + life_us } };

	help_hash(op.approval.content, content);
	ck_assert_int_eq(HELP_DO(&h, store_approval_ask, &op), RC_OK);
	return op;
}

static void judge(uint64_t id, bool approve)
{
	struct store_approval_decide op = {
		.id = id, .by = BOB, .approve = approve
	};

	ck_assert_int_eq(HELP_DO(&h, store_approval_decide, &op), RC_OK);
}

static void fill_approvals(void)
{
	struct store_approval_expire expire = { .op.actor = "system keeper" };

	(void)ask("asked", HOUR_US);
	(void)ask("agreed", HOUR_US);
	judge(AGREED, true);
	(void)ask("carried out", HOUR_US);
	judge(CARRIED_OUT, true);
	ck_assert(ask("carried out", HOUR_US).go);
	(void)ask("refused", HOUR_US);
	judge(REFUSED, false);
	(void)ask("late", -1);
	ck_assert_int_eq(HELP_DO(&h, store_approval_expire, &expire), RC_OK);
	ck_assert_uint_eq(expire.expired, 1);
}

static void setup(void)
{
	help_begin(&h);
	help_open(&h);
	help_authority(&h);
	fill_waiting();
	fill_approvals();
}

static void teardown(void)
{
	help_end(&h);
}

/* --- spoiling them */
struct tree_at {
	MDB_txn *txn;
	MDB_dbi dbi;
};

static struct bytes get(const struct tree_at *t, struct key k)
{
	MDB_val key = { k.n, k.b }, val = { 0, NULL };

	return mdb_get(t->txn, t->dbi, &key, &val) == 0
	        ? bytes_of(val.mv_data, val.mv_size)
	        : BYTES_NONE;
}

static void put(const struct tree_at *t, struct key k, struct bytes value)
{
	MDB_val key = { k.n, k.b };
	MDB_val val = { value.n, (void *)(uintptr_t)value.p };

	ck_assert_int_eq(mdb_put(t->txn, t->dbi, &key, &val, 0), 0);
}

static void drop(const struct tree_at *t, struct key k)
{
	MDB_val key = { k.n, k.b };

	ck_assert_int_eq(mdb_del(t->txn, t->dbi, &key, NULL), 0);
}

static struct key row_key(bool closed, uint64_t id)
{
	return key_u64_pair(closed, id);
}

static struct store_waiting row(const struct tree_at *t, uint64_t id)
{
	struct bytes value = get(t, row_key(id > APPROVED, id));
	struct store_waiting r;

	ck_assert(rec_waiting_unpack(value, &r));
	return r;
}

static void put_row(
        const struct tree_at *t, struct key k, const struct store_waiting *r)
{
	struct buf b = BUF_INIT(8192);

	rec_waiting_pack(&b, r);
	put(t, k, buf_bytes(&b));
	buf_free(&b);
}

/* Where it stands. */
static void put_back(const struct tree_at *t, const struct store_waiting *r)
{
	put_row(t, row_key(r->id > APPROVED, r->id), r);
}

static void put_id(const struct tree_at *t, struct key k, uint64_t id)
{
	struct buf b = BUF_INIT(16);

	pack_u64(&b, id);
	put(t, k, buf_bytes(&b));
	buf_free(&b);
}

static struct key index_key(enum waiting_part part, const uint8_t *hash)
{
	return key_u64_hash((uint64_t)part, hash);
}

static struct key last_key(void)
{
	return key_u64_pair(WAITING_PART_LAST, 0);
}

static struct key data_key(uint64_t id)
{
	return key_u64_pair(WAITING_PART_DATA, id);
}

static void row_is_junk(const struct tree_at *t)
{
	put(t, row_key(false, OPEN), BYTES_LIT("?"));
}

static void row_of_another_number(const struct tree_at *t)
{
	struct store_waiting r = row(t, DENIED);

	r.id = OPEN;
	put_row(t, row_key(true, DENIED), &r);
}

static void row_in_the_wrong_part(const struct tree_at *t)
{
	struct store_waiting r = row(t, DENIED);

	drop(t, row_key(true, DENIED));
	put_row(t, row_key(false, DENIED), &r);
}

static void denied_but_not_closed(const struct tree_at *t)
{
	struct store_waiting r = row(t, OPEN);

	r.state = WAITING_DENIED;
	r.decided_us = r.asked_us;
	put_back(t, &r);
}

static void row_of_no_state(const struct tree_at *t)
{
	struct store_waiting r = row(t, EXPIRED);

	r.state = WAITING_EXPIRED + 1;
	put_back(t, &r);
}

static void row_twice(const struct tree_at *t)
{
	struct store_waiting r = row(t, DENIED);

	put_row(t, row_key(false, DENIED), &r);
}

static void number_not_given_out(const struct tree_at *t)
{
	put_id(t, last_key(), ISSUED - 1);
}

static void no_last_number(const struct tree_at *t)
{
	drop(t, last_key());
}

static void of_no_authority(const struct tree_at *t)
{
	struct store_waiting r = row(t, OPEN);

	r.authority = 99;
	put_back(t, &r);
}

static void no_content(const struct tree_at *t)
{
	drop(t, data_key(OPEN));
}

static void content_is_junk(const struct tree_at *t)
{
	put(t, data_key(OPEN), BYTES_LIT("?"));
}

static void open_row_without_its_hash(const struct tree_at *t)
{
	struct store_waiting r = row(t, OPEN);

	drop(t, index_key(WAITING_PART_REQUEST, r.request_hash));
}

/* Who was refused could ask again. */
static void denied_row_without_its_hash(const struct tree_at *t)
{
	struct store_waiting r = row(t, DENIED);

	drop(t, index_key(WAITING_PART_REQUEST, r.request_hash));
}

static void hash_leads_to_an_earlier_one(const struct tree_at *t)
{
	struct store_waiting r = row(t, ISSUED);

	put_id(t, index_key(WAITING_PART_REQUEST, r.request_hash), OPEN);
}

static void row_without_its_poll(const struct tree_at *t)
{
	struct store_waiting r = row(t, APPROVED);

	drop(t, index_key(WAITING_PART_POLL, r.poll));
}

static void closed_row_without_its_poll(const struct tree_at *t)
{
	struct store_waiting r = row(t, ISSUED);

	drop(t, index_key(WAITING_PART_POLL, r.poll));
}

static void row_of_no_token(const struct tree_at *t)
{
	struct store_waiting r = row(t, OPEN);

	drop(t, index_key(WAITING_PART_TOKEN, r.token));
	help_hash(r.token, "none");
	put_back(t, &r);
	put_id(t, index_key(WAITING_PART_TOKEN, r.token), OPEN);
}

static void token_not_held(const struct tree_at *t)
{
	struct store_waiting r = row(t, OPEN);

	drop(t, index_key(WAITING_PART_TOKEN, r.token));
}

/* An operator's approval that no operator gave. */
static void approved_by_nobody(const struct tree_at *t)
{
	struct store_waiting r = row(t, OPEN);

	r.state = WAITING_APPROVED;
	put_back(t, &r);
}

static void denied_by_nobody(const struct tree_at *t)
{
	struct store_waiting r = row(t, DENIED);

	r.decided_us = 0;
	put_back(t, &r);
}

static void undecided_but_decided(const struct tree_at *t)
{
	struct store_waiting r = row(t, APPROVED);

	r.state = WAITING_OPEN;
	put_back(t, &r);
}

static void issued_without_certificate(const struct tree_at *t)
{
	struct store_waiting r = row(t, DENIED);

	r.state = WAITING_ISSUED;
	put_back(t, &r);
}

static void issued_for_no_device(const struct tree_at *t)
{
	struct store_waiting r = row(t, ISSUED);

	memcpy(r.device, "b", sizeof("b"));
	put_back(t, &r);
}

static void hash_without_row(const struct tree_at *t)
{
	put_id(t, index_key(WAITING_PART_REQUEST, row(t, OPEN).spki_hash), 99);
}

static void poll_without_row(const struct tree_at *t)
{
	put_id(t, index_key(WAITING_PART_POLL, row(t, OPEN).spki_hash), 99);
}

static void token_of_a_closed_row(const struct tree_at *t)
{
	put_id(t, index_key(WAITING_PART_TOKEN, row(t, ISSUED).token), ISSUED);
}

static void data_without_row(const struct tree_at *t)
{
	put(t, data_key(99), get(t, data_key(OPEN)));
}

static void row_gone(const struct tree_at *t)
{
	drop(t, row_key(false, OPEN));
}

/* A stranger's poll that finds an approved request. */
static void poll_leads_elsewhere(const struct tree_at *t)
{
	put_id(t, index_key(WAITING_PART_POLL, row(t, OPEN).spki_hash),
	        APPROVED);
}

static void index_is_junk(const struct tree_at *t)
{
	put(t, index_key(WAITING_PART_REQUEST, row(t, OPEN).request_hash),
	        BYTES_LIT("?"));
}

static void last_is_junk(const struct tree_at *t)
{
	put(t, last_key(), BYTES_LIT("?"));
}

static void second_last(const struct tree_at *t)
{
	put_id(t, key_u64_pair(WAITING_PART_LAST, 1), ISSUED);
}

static void of_no_part(const struct tree_at *t)
{
	put_id(t, key_u64_pair(WAITING_PARTS, 1), OPEN);
}

/* --- approvals */

static struct store_approval approval(const struct tree_at *t, uint64_t id)
{
	struct bytes value = get(t, row_key(id > AGREED, id));
	struct store_approval r;

	ck_assert(rec_approval_unpack(value, &r));
	return r;
}

static void put_approval(
        const struct tree_at *t, struct key k, const struct store_approval *r)
{
	struct buf b = BUF_INIT(8192);

	rec_approval_pack(&b, r);
	put(t, k, buf_bytes(&b));
	buf_free(&b);
}

static void approval_is_junk(const struct tree_at *t)
{
	put(t, row_key(true, REFUSED), BYTES_LIT("?"));
}

static void approval_of_another_number(const struct tree_at *t)
{
	struct store_approval r = approval(t, ASKED);

	put_approval(t, row_key(false, 99), &r);
}

/* To be carried out again. */
static void approval_opened_again(const struct tree_at *t)
{
	struct store_approval r = approval(t, CARRIED_OUT);

	drop(t, row_key(true, CARRIED_OUT));
	put_approval(t, row_key(false, CARRIED_OUT), &r);
}

static void approval_closed_but_approved(const struct tree_at *t)
{
	struct store_approval r = approval(t, CARRIED_OUT);

	r.state = APPROVAL_APPROVED;
	put_approval(t, row_key(true, CARRIED_OUT), &r);
}

static void approval_of_no_state(const struct tree_at *t)
{
	struct store_approval r = approval(t, LATE);

	r.state = APPROVAL_EXPIRED + 1;
	put_approval(t, row_key(true, LATE), &r);
}

static void approval_twice(const struct tree_at *t)
{
	struct store_approval r = approval(t, CARRIED_OUT);

	r.state = APPROVAL_APPROVED;
	r.closed_us = 0;
	put_approval(t, row_key(false, CARRIED_OUT), &r);
}

static void carried_out_alone(const struct tree_at *t)
{
	struct store_approval r = approval(t, CARRIED_OUT);

	r.decided_by = r.asked_by;
	put_approval(t, row_key(true, CARRIED_OUT), &r);
}

static void carried_out_undecided(const struct tree_at *t)
{
	struct store_approval r = approval(t, CARRIED_OUT);

	r.decided_us = 0;
	put_approval(t, row_key(true, CARRIED_OUT), &r);
}

static void approved_alone(const struct tree_at *t)
{
	struct store_approval r = approval(t, ASKED);

	r.state = APPROVAL_APPROVED;
	r.decided_us = r.asked_us;
	r.decided_by = r.asked_by;
	put_approval(t, row_key(false, ASKED), &r);
}

static void expired_and_approved_alone(const struct tree_at *t)
{
	struct store_approval r = approval(t, LATE);

	r.decided_us = r.asked_us;
	r.decided_by = r.asked_by;
	put_approval(t, row_key(true, LATE), &r);
}

static void refused_by_nobody(const struct tree_at *t)
{
	struct store_approval r = approval(t, REFUSED);

	r.decided_us = 0;
	put_approval(t, row_key(true, REFUSED), &r);
}

static void pending_but_decided(const struct tree_at *t)
{
	struct store_approval r = approval(t, AGREED);

	r.state = APPROVAL_PENDING;
	put_approval(t, row_key(false, AGREED), &r);
}

static struct key last_approval_key(void)
{
	return key_u64_pair(APPROVAL_PART_LAST, 0);
}

static void approval_not_given_out(const struct tree_at *t)
{
	put_id(t, last_approval_key(), LATE - 1);
}

static void last_approval_is_junk(const struct tree_at *t)
{
	put(t, last_approval_key(), BYTES_LIT("?"));
}

static void approval_of_no_part(const struct tree_at *t)
{
	put_id(t, key_u64_pair(APPROVAL_PARTS, 1), ASKED);
}

static const struct {
	const char *name, *tree;
	void (*spoil)(const struct tree_at *t);
	const char *fault;
} rows[] = {
#define WAITING(spoil, fault)                                                  \
	{                                                                      \
#spoil, "waiting", spoil, fault                                \
	}
	WAITING(row_is_junk, "does not read"),
	WAITING(row_of_another_number,
	        "is another request, or in another state"),
	WAITING(row_in_the_wrong_part,
	        "is another request, or in another state"),
	WAITING(denied_but_not_closed,
	        "is another request, or in another state"),
	WAITING(row_of_no_state, "has the unknown state 6"),
	WAITING(row_twice, "is open, and closed"),
	WAITING(number_not_given_out, "has a number that was not given out"),
	WAITING(no_last_number, "has a number that was not given out"),
	WAITING(of_no_authority, "its authority does not exist"),
	WAITING(no_content, "has no content"),
	WAITING(content_is_junk, "its content does not read"),
	WAITING(open_row_without_its_hash, "is not what its hash leads to"),
	WAITING(denied_row_without_its_hash, "is not what its hash leads to"),
	WAITING(hash_leads_to_an_earlier_one, "is not what its hash leads to"),
	WAITING(row_without_its_poll, "is not what a poll for it finds"),
	WAITING(closed_row_without_its_poll, "is not what a poll for it finds"),
	WAITING(row_of_no_token, "its token does not exist"),
	WAITING(token_not_held, "does not hold its token"),
	WAITING(approved_by_nobody, "was decided by nobody"),
	WAITING(denied_by_nobody, "was decided by nobody"),
	WAITING(undecided_but_decided, "is undecided, and was decided"),
	WAITING(issued_without_certificate, "its certificate is not on record"),
	WAITING(issued_for_no_device, "its certificate is not on record"),
	WAITING(hash_without_row, "is of a request that does not exist"),
	WAITING(poll_without_row, "is of a request that does not exist"),
	WAITING(token_of_a_closed_row, "is of a request that does not exist"),
	WAITING(data_without_row, "is of a request that does not exist"),
	WAITING(row_gone, "is of a request that does not exist"),
	WAITING(poll_leads_elsewhere, "leads to another request"),
	WAITING(index_is_junk, "does not read"),
	WAITING(last_is_junk, "does not read"),
	WAITING(second_last, "does not read"),
	WAITING(of_no_part, "is of no kind that there is"),
#undef WAITING
#define APPROVAL(spoil, fault)                                                 \
	{                                                                      \
#spoil, "approval", spoil, fault                               \
	}
	APPROVAL(approval_is_junk, "does not read"),
	APPROVAL(approval_of_another_number,
	        "is another request, or in another state"),
	APPROVAL(approval_opened_again,
	        "is another request, or in another state"),
	APPROVAL(approval_closed_but_approved,
	        "is another request, or in another state"),
	APPROVAL(approval_of_no_state, "has the unknown state 6"),
	APPROVAL(approval_twice, "is open, and closed"),
	APPROVAL(carried_out_alone, "was approved without a second operator"),
	APPROVAL(carried_out_undecided,
	        "was approved without a second operator"),
	APPROVAL(approved_alone, "was approved without a second operator"),
	APPROVAL(expired_and_approved_alone,
	        "was approved without a second operator"),
	APPROVAL(refused_by_nobody, "was denied by nobody"),
	APPROVAL(pending_but_decided, "is pending, and was decided"),
	APPROVAL(approval_not_given_out, "has a number that was not given out"),
	APPROVAL(last_approval_is_junk, "does not read"),
	APPROVAL(approval_of_no_part, "is of no kind that there is"),
#undef APPROVAL
};

static int spoil_row(void *ctx, MDB_txn *txn, MDB_dbi dbi)
{
	const struct tree_at t = { txn, dbi };

	rows[*(int *)ctx].spoil(&t);
	return 0;
}

START_TEST(check_finds_it_where_what_was_asked_was_tampered_with)
{
	const char *faults;

	tamper_with(&h, rows[_i].tree, spoil_row, &_i);
	faults = tamper_faults(&h);
	ck_assert_msg(
	        strncmp(faults, rows[_i].tree, strlen(rows[_i].tree)) == 0 &&
	                strstr(faults, rows[_i].fault) != NULL,
	        "%s: %s", rows[_i].name, faults);
}
END_TEST

/* The certificate behind an issued request is gone, and all that led to it. */
static int drop_device_certs(MDB_txn *txn, MDB_dbi dbi)
{
	return mdb_drop(txn, dbi, 0);
}

START_TEST(check_finds_a_request_whose_certificate_is_gone)
{
	tamper(&h, "device_cert", drop_device_certs);
	ck_assert_ptr_nonnull(strstr(tamper_faults(&h),
	        "was issued, and its certificate is not on record"));
}
END_TEST

START_TEST(check_has_nothing_to_say_of_each_state)
{
	(void)help_close_and_check(&h);
}
END_TEST

/* It has forgotten none, either. */
static int drop_last_approval(MDB_txn *txn, MDB_dbi dbi)
{
	const struct tree_at t = { txn, dbi };

	drop(&t, last_approval_key());
	return 0;
}

START_TEST(check_has_nothing_to_say_of_a_store_that_notes_no_last_approval)
{
	tamper(&h, "approval", drop_last_approval);
	ck_assert_str_eq(tamper_faults(&h), "");
}
END_TEST

static void forget_until(int64_t shift_s, uint32_t forgotten)
{
	struct store_approval_expire expire = { .op.actor = "system keeper" };

	clock_set_shift_s(shift_s);
	ck_assert_int_eq(HELP_DO(&h, store_approval_expire, &expire), RC_OK);
	ck_assert_uint_eq(expire.forgotten, forgotten);
}

START_TEST(number_of_a_store_that_noted_none_never_comes_again)
{
	tamper(&h, "approval", drop_last_approval);
	help_open(&h);
	forget_until(7200, 3);
	forget_until(14400, 2);
	ck_assert_uint_eq(ask("new", HOUR_US).approval.id, LATE + 1);
	(void)help_close_and_check(&h);
	clock_set_shift_s(0);
}
END_TEST

/* Late, and not closed yet: another request has its token, and is closed
 * first. */
START_TEST(check_has_nothing_to_say_of_a_token_that_was_taken_over)
{
	help_token(&h, "third", "a");
	wait_polled("early", "early", "third", 1);
	a_moment();
	wait_polled("later", "later", "third", HOUR_US);
	decide(ISSUED + 2, false);
	(void)help_close_and_check(&h);
}
END_TEST

/* The later one of a transaction is what a poll finds, and is forgotten
 * first. */
START_TEST(check_has_nothing_to_say_of_a_poll_that_was_taken_over)
{
	struct store_waiting_expire expire = { .op.actor = "system keeper" };

	help_token(&h, "third", "a");
	help_token(&h, "fourth", "a");
	wait_polled("early", "the same", "third", HOUR_US);
	wait_polled("later", "the same", "fourth", 1);
	for (int i = 0; i < 2; i++) {
		a_moment();
		ck_assert_int_eq(
		        HELP_DO(&h, store_waiting_expire, &expire), RC_OK);
	}
	ck_assert_uint_ge(expire.forgotten, 1);
	(void)help_close_and_check(&h);
}
END_TEST

TCase *test_storage_check_asked(void)
{
	TCase *tc = tcase_create("check_asked");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc,
	        check_finds_it_where_what_was_asked_was_tampered_with, 0,
	        sizeof(rows) / sizeof(rows[0]));
	tcase_add_test(tc, check_finds_a_request_whose_certificate_is_gone);
	tcase_add_test(tc, check_has_nothing_to_say_of_each_state);
	tcase_add_test(tc,
	        check_has_nothing_to_say_of_a_store_that_notes_no_last_approval);
	tcase_add_test(tc, number_of_a_store_that_noted_none_never_comes_again);
	tcase_add_test(
	        tc, check_has_nothing_to_say_of_a_token_that_was_taken_over);
	tcase_add_test(
	        tc, check_has_nothing_to_say_of_a_poll_that_was_taken_over);
	return tc;
}
