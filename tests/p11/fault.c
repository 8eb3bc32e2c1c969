/* tests/p11/fault.c - a PKCS#11 module that wraps another and fails when the
 * test says so (fault.h). What it does not spoil is the wrapped module's own
 * answer. A token that was away has lost its sessions and its login, as after
 * the reboot of an HSM.
 *
 * PKCS#11 gives a module no context: its state is the process's. */
#include "tests/p11/fault.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <p11-kit/pkcs11.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SLOTS_MAX 16
/* A handle of ours is the wrapped module's below and the outage in which it was
 * opened above: one from before the last outage is known as such. */
#define REAL_BITS 32
#define REAL_MASK ((1ul << REAL_BITS) - 1)

static struct {
	struct fault_control *control;
	CK_FUNCTION_LIST *real;
	/* Held to read in every call of the wrapped module, to write while its
	 * sessions are taken away: SoftHSM does not outlive that otherwise. */
	pthread_rwlock_t lock;
	_Atomic uint64_t outage; /* the last one that was carried out */
	_Atomic uint64_t n_sessions, n_at_once;
	pthread_mutex_t slots_lock;
	CK_SLOT_ID slots[SLOTS_MAX]; /* with sessions */
	size_t n_slots;
} fault = {
	.lock = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP,
	.slots_lock = PTHREAD_MUTEX_INITIALIZER,
};

static uint64_t want(enum fault_want what)
{
	return atomic_load(&fault.control->want[what]);
}

static void did(enum fault_did what)
{
	atomic_fetch_add(&fault.control->did[what], 1);
}

static void shows(enum fault_did what, uint64_t n)
{
	atomic_store(&fault.control->did[what], n);
}

/* Is this one of the next calls that are to fail so? */
static bool next(enum fault_want what)
{
	uint64_t n = want(what);

	while (n > 0)
		if (atomic_compare_exchange_weak(
		            &fault.control->want[what], &n, n - 1))
			return true;
	return false;
}

static void pause_us(uint64_t us)
{
	struct timespec left = { (time_t)(us / 1000000),
		(long)(us % 1000000) * 1000 };

	while (us > 0 && nanosleep(&left, &left) != 0 && errno == EINTR)
		;
}

static void maybe_hang(enum fault_want what)
{
	if (!next(what))
		return;
	did(FAULT_HUNG);
	pause_us(want(FAULT_HANG_MS) * 1000);
}

/* --- the control file */

static bool control_path(char *out, size_t size)
{
	const char *named = getenv(FAULT_ENV);
	Dl_info self;
	int n = -1;

	if (named)
		n = snprintf(out, size, "%s", named);
	else if (dladdr((void *)&fault, &self) != 0)
		n = snprintf(out, size, "%s" FAULT_SUFFIX, self.dli_fname);
	return n > 0 && (size_t)n < size;
}

static struct fault_control *control_map(void)
{
	struct fault_control *c = MAP_FAILED;
	char path[4096];
	struct stat st;
	int fd = -1;

	if (control_path(path, sizeof(path)))
		fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size == sizeof(*c))
		c = mmap(NULL, sizeof(*c), PROT_READ | PROT_WRITE, MAP_SHARED,
		        fd, 0);
	if (fd >= 0)
		(void)close(fd);
	if (c == MAP_FAILED)
		return NULL;
	if (memcmp(c->magic, FAULT_MAGIC, sizeof(c->magic)) == 0)
		return c;
	(void)munmap(c, sizeof(*c));
	return NULL;
}

static bool load_real(void)
{
	CK_C_GetFunctionList list;
	void *module;

	if (fault.control->softhsm[0] != '\0')
		(void)setenv("SOFTHSM2_CONF", fault.control->softhsm, 1);
	module = dlopen(fault.control->module, RTLD_NOW | RTLD_LOCAL);
	if (!module)
		return false;
	list = (CK_C_GetFunctionList)dlsym(module, "C_GetFunctionList");
	return list && list(&fault.real) == CKR_OK;
}

/* --- outages */

static void no_sessions(void)
{
	fault.n_slots = 0;
	fault.n_sessions = 0;
	shows(FAULT_SESSIONS, 0);
}

/* Carry out what the test began or ended since we last looked. */
static void follow_outages(void)
{
	if (want(FAULT_OUTAGE) == fault.outage)
		return;
	(void)pthread_rwlock_wrlock(&fault.lock);
	if (want(FAULT_OUTAGE) != fault.outage) {
		for (size_t i = 0; i < fault.n_slots; i++)
			(void)fault.real->C_CloseAllSessions(fault.slots[i]);
		no_sessions();
		fault.outage = want(FAULT_OUTAGE);
	}
	(void)pthread_rwlock_unlock(&fault.lock);
}

/* Before each call but those of the module itself. On CKR_OK the lock is held
 * to read, for leave(). */
static CK_RV enter(void)
{
	if (!fault.real)
		return CKR_CRYPTOKI_NOT_INITIALIZED;
	if (want(FAULT_DEAD_RV))
		return want(FAULT_DEAD_RV);
	follow_outages();
	(void)pthread_rwlock_rdlock(&fault.lock);
	if (fault.outage % 2 == 0)
		return CKR_OK;
	(void)pthread_rwlock_unlock(&fault.lock);
	did(FAULT_AWAY);
	return CKR_DEVICE_REMOVED;
}

static CK_RV leave(CK_RV rv)
{
	(void)pthread_rwlock_unlock(&fault.lock);
	return rv;
}

/* As enter(), for a call with a session. */
static CK_RV enter_session(CK_SESSION_HANDLE session, CK_SESSION_HANDLE *real)
{
	CK_RV rv = enter();

	if (rv != CKR_OK)
		return rv;
	*real = session & REAL_MASK;
	if (session >> REAL_BITS == fault.outage)
		return CKR_OK;
	did(FAULT_LOST);
	return leave(CKR_SESSION_HANDLE_INVALID);
}

/* --- the functions that only find their session */

#define P(...) , __VA_ARGS__
#define PASS(name, parameters, arguments)                                      \
	static CK_RV pass_##name(CK_SESSION_HANDLE session parameters)         \
	{                                                                      \
		CK_SESSION_HANDLE real;                                        \
		CK_RV rv = enter_session(session, &real);                      \
                                                                               \
		return rv != CKR_OK ? rv                                       \
		                    : leave(fault.real->name(real arguments)); \
	}
#define PASS0(name) PASS(name, , )
#include "tests/p11/pass.def"
#undef PASS

/* --- the module and its slots */

static CK_RV fault_initialize(void *args)
{
	CK_RV rv;

	if (!fault.control)
		fault.control = control_map();
	if (!fault.control || (!fault.real && !load_real()))
		return CKR_GENERAL_ERROR;
	maybe_hang(FAULT_NEXT_HUNG_INITIALIZE);
	if (want(FAULT_DEAD_RV))
		return want(FAULT_DEAD_RV);
	rv = fault.real->C_Initialize(args);
	if (rv != CKR_OK)
		return rv;
	no_sessions();
	fault.outage = want(FAULT_OUTAGE);
	did(FAULT_INITIALIZED);
	return CKR_OK;
}

static CK_RV fault_finalize(void *reserved)
{
	return fault.real ? fault.real->C_Finalize(reserved)
	                  : CKR_CRYPTOKI_NOT_INITIALIZED;
}

static CK_RV fault_get_info(CK_INFO *info)
{
	return fault.real ? fault.real->C_GetInfo(info)
	                  : CKR_CRYPTOKI_NOT_INITIALIZED;
}

static CK_RV fault_get_slot_list(
        CK_BBOOL present, CK_SLOT_ID *slots, CK_ULONG *n)
{
	CK_RV rv = enter();

	if (rv == CKR_DEVICE_REMOVED) {
		*n = 0; /* slots with tokens; the others are nobody's matter */
		return CKR_OK;
	}
	return rv != CKR_OK
	        ? rv
	        : leave(fault.real->C_GetSlotList(present, slots, n));
}

static CK_RV fault_get_slot_info(CK_SLOT_ID slot, CK_SLOT_INFO *info)
{
	CK_RV rv = enter();

	return rv != CKR_OK ? rv : leave(fault.real->C_GetSlotInfo(slot, info));
}

static CK_RV fault_get_token_info(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
	CK_RV rv = enter();

	if (rv == CKR_DEVICE_REMOVED)
		return CKR_TOKEN_NOT_PRESENT;
	if (rv != CKR_OK)
		return rv;
	rv = fault.real->C_GetTokenInfo(slot, info);
	if (rv == CKR_OK)
		info->flags |= want(FAULT_TOKEN_FLAGS);
	return leave(rv);
}

static CK_RV fault_wait_for_slot_event(
        CK_FLAGS flags, CK_SLOT_ID *slot, void *reserved)
{
	(void)flags;
	(void)slot;
	(void)reserved;
	return CKR_FUNCTION_NOT_SUPPORTED;
}

static CK_RV fault_get_mechanism_list(
        CK_SLOT_ID slot, CK_MECHANISM_TYPE *list, CK_ULONG *n)
{
	CK_RV rv = enter();

	return rv != CKR_OK
	        ? rv
	        : leave(fault.real->C_GetMechanismList(slot, list, n));
}

static CK_RV fault_get_mechanism_info(
        CK_SLOT_ID slot, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO *info)
{
	CK_RV rv = enter();

	return rv != CKR_OK
	        ? rv
	        : leave(fault.real->C_GetMechanismInfo(slot, type, info));
}

static CK_RV fault_init_token(
        CK_SLOT_ID slot, CK_UTF8CHAR *pin, CK_ULONG n, CK_UTF8CHAR *label)
{
	CK_RV rv = enter();

	return rv != CKR_OK
	        ? rv
	        : leave(fault.real->C_InitToken(slot, pin, n, label));
}

/* --- sessions */

static void session_closed(void)
{
	shows(FAULT_SESSIONS, atomic_fetch_sub(&fault.n_sessions, 1) - 1);
}

static bool over_limit(void)
{
	uint64_t max = want(FAULT_SESSIONS_MAX);
	uint64_t n = atomic_fetch_add(&fault.n_sessions, 1);

	shows(FAULT_SESSIONS, n + 1);
	if (max == 0 || n < max)
		return false;
	session_closed();
	did(FAULT_OVER_LIMIT);
	return true;
}

static void remember_slot(CK_SLOT_ID slot)
{
	size_t i = 0;

	(void)pthread_mutex_lock(&fault.slots_lock);
	while (i < fault.n_slots && fault.slots[i] != slot)
		i++;
	if (i == fault.n_slots && i < SLOTS_MAX)
		fault.slots[fault.n_slots++] = slot;
	(void)pthread_mutex_unlock(&fault.slots_lock);
}

static CK_RV fault_open_session(CK_SLOT_ID slot, CK_FLAGS flags, void *app,
        CK_NOTIFY notify, CK_SESSION_HANDLE *session)
{
	CK_RV rv;

	maybe_hang(FAULT_NEXT_HUNG_OPEN);
	rv = enter();
	if (rv != CKR_OK)
		return rv;
	if (over_limit())
		return leave(CKR_SESSION_COUNT);
	rv = fault.real->C_OpenSession(slot, flags, app, notify, session);
	if (rv != CKR_OK) {
		session_closed();
		return leave(rv);
	}
	remember_slot(slot);
	*session |= fault.outage << REAL_BITS;
	did(FAULT_OPENED);
	return leave(CKR_OK);
}

static CK_RV close_real(CK_SESSION_HANDLE real)
{
	CK_RV rv = fault.real->C_CloseSession(real);

	if (rv == CKR_OK)
		session_closed();
	return rv;
}

static CK_RV fault_close_session(CK_SESSION_HANDLE session)
{
	CK_SESSION_HANDLE real;
	CK_RV rv = enter_session(session, &real);

	return rv != CKR_OK ? rv : leave(close_real(real));
}

static CK_RV fault_close_all_sessions(CK_SLOT_ID slot)
{
	CK_RV rv = enter();

	if (rv != CKR_OK)
		return rv;
	rv = fault.real->C_CloseAllSessions(slot);
	if (rv == CKR_OK) {
		fault.n_sessions = 0;
		shows(FAULT_SESSIONS, 0);
	}
	return leave(rv);
}

static CK_RV fault_login(CK_SESSION_HANDLE session, CK_USER_TYPE user,
        CK_UTF8CHAR *pin, CK_ULONG n)
{
	CK_SESSION_HANDLE real;
	CK_RV rv;

	maybe_hang(FAULT_NEXT_HUNG_LOGIN);
	rv = enter_session(session, &real);
	if (rv != CKR_OK)
		return rv;
	did(FAULT_LOGINS);
	if (want(FAULT_LOGIN_RV))
		return leave(want(FAULT_LOGIN_RV));
	return leave(fault.real->C_Login(real, user, pin, n));
}

/* --- what takes its time */

#define REPEAT_MAX_BYTES 512

/* What this thread signed last, for FAULT_REPEATS. */
static _Thread_local struct {
	CK_SESSION_HANDLE session;
	CK_MECHANISM_TYPE mechanism;
	CK_OBJECT_HANDLE key;
	CK_ULONG n_data, n_signature; /* 0: nothing yet */
	CK_BYTE data[REPEAT_MAX_BYTES], signature[REPEAT_MAX_BYTES];
	bool begun; /* C_SignInit was not passed on */
} last;

static CK_RV fault_sign_init(
        CK_SESSION_HANDLE session, CK_MECHANISM *m, CK_OBJECT_HANDLE key)
{
	CK_SESSION_HANDLE real;
	CK_RV rv = enter_session(session, &real);

	if (rv != CKR_OK)
		return rv;
	if (want(FAULT_REPEATS) && last.n_signature > 0 &&
	        last.session == session && last.key == key &&
	        last.mechanism == m->mechanism) {
		last.begun = true;
		return leave(CKR_OK);
	}
	last.begun = false;
	last.n_signature = 0;
	last.session = session;
	last.mechanism = m->mechanism;
	last.key = key;
	return leave(fault.real->C_SignInit(real, m, key));
}

static bool same_again(const CK_BYTE *data, CK_ULONG n)
{
	return last.n_data == n && memcmp(last.data, data, n) == 0;
}

static void remember(const CK_BYTE *data, CK_ULONG n, const CK_BYTE *signature,
        CK_ULONG n_signature)
{
	if (n > REPEAT_MAX_BYTES || n_signature > REPEAT_MAX_BYTES)
		return;
	memcpy(last.data, data, n);
	memcpy(last.signature, signature, n_signature);
	last.n_data = n;
	last.n_signature = n_signature;
}

/* C_Sign of the wrapped module, or what it would have said. */
static CK_RV sign_or_repeat(CK_SESSION_HANDLE real, CK_BYTE *data, CK_ULONG n,
        CK_BYTE *signature, CK_ULONG *n_signature)
{
	CK_MECHANISM m = { last.mechanism, NULL, 0 };
	CK_RV rv = CKR_OK;

	if (last.begun && signature && *n_signature >= last.n_signature &&
	        same_again(data, n)) {
		memcpy(signature, last.signature, last.n_signature);
		*n_signature = last.n_signature;
		return CKR_OK;
	}
	if (last.begun)
		rv = fault.real->C_SignInit(real, &m, last.key);
	last.begun = false;
	if (rv == CKR_OK)
		rv = fault.real->C_Sign(real, data, n, signature, n_signature);
	if (rv == CKR_OK && signature && want(FAULT_REPEATS))
		remember(data, n, signature, *n_signature);
	return rv;
}

static void begin(void)
{
	_Atomic uint64_t *most = &fault.control->did[FAULT_AT_ONCE_MOST];
	uint64_t now = atomic_fetch_add(&fault.n_at_once, 1) + 1;
	uint64_t seen = atomic_load(most);

	did(FAULT_SIGNS);
	while (now > seen && !atomic_compare_exchange_weak(most, &seen, now))
		;
	pause_us(want(FAULT_LATENCY_US));
	maybe_hang(FAULT_NEXT_HUNG);
	if (next(FAULT_NEXT_CRASHED))
		abort();
}

static CK_RV end(CK_RV rv)
{
	if (rv == CKR_OK)
		did(FAULT_SIGNED);
	fault.n_at_once--;
	return rv;
}

/* The wrapped module has signed: its operation is over, as it is where a
 * signature fails. */
static CK_RV spoil(CK_SESSION_HANDLE real, CK_BYTE *signature, CK_ULONG n)
{
	if (next(FAULT_NEXT_LOST)) {
		(void)close_real(real);
		did(FAULT_LOST);
		return CKR_SESSION_HANDLE_INVALID;
	}
	if (next(FAULT_NEXT_FAILED))
		return CKR_FUNCTION_FAILED;
	if (n > 0 && next(FAULT_NEXT_FLIPPED)) {
		signature[n / 2] ^= 1;
		did(FAULT_FLIPPED);
	}
	return CKR_OK;
}

static CK_RV fault_sign(CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG n,
        CK_BYTE *signature, CK_ULONG *n_signature)
{
	CK_SESSION_HANDLE real;
	CK_RV rv;

	if (signature) /* without: how long would it be? */
		begin();
	rv = enter_session(session, &real);
	if (rv == CKR_OK) {
		rv = sign_or_repeat(real, data, n, signature, n_signature);
		if (rv == CKR_OK && signature)
			rv = spoil(real, signature, *n_signature);
		(void)leave(rv);
	}
	return signature ? end(rv) : rv;
}

static CK_RV fault_decrypt_init(
        CK_SESSION_HANDLE session, CK_MECHANISM *m, CK_OBJECT_HANDLE key)
{
	CK_SESSION_HANDLE real;
	CK_RV rv = enter_session(session, &real);

	if (rv != CKR_OK)
		return rv;
	if (m->mechanism == CKM_RSA_X_509 && want(FAULT_RAW_RV))
		return leave((CK_RV)want(FAULT_RAW_RV));
	return leave(fault.real->C_DecryptInit(real, m, key));
}

static CK_RV fault_decrypt(CK_SESSION_HANDLE session, CK_BYTE *in, CK_ULONG n,
        CK_BYTE *out, CK_ULONG *n_out)
{
	CK_SESSION_HANDLE real;
	CK_RV rv;

	if (out)
		begin();
	rv = enter_session(session, &real);
	if (rv == CKR_OK)
		rv = leave(fault.real->C_Decrypt(real, in, n, out, n_out));
	if (rv != CKR_OK && want(FAULT_PADDING_RV) != 0)
		rv = (CK_RV)want(FAULT_PADDING_RV);
	return out ? end(rv) : rv;
}

/* --- the list */

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **out)
{
	static CK_FUNCTION_LIST list = {
		.version = { 2, 40 },
		.C_Initialize = fault_initialize,
		.C_Finalize = fault_finalize,
		.C_GetInfo = fault_get_info,
		.C_GetFunctionList = C_GetFunctionList,
		.C_GetSlotList = fault_get_slot_list,
		.C_GetSlotInfo = fault_get_slot_info,
		.C_GetTokenInfo = fault_get_token_info,
		.C_WaitForSlotEvent = fault_wait_for_slot_event,
		.C_GetMechanismList = fault_get_mechanism_list,
		.C_GetMechanismInfo = fault_get_mechanism_info,
		.C_InitToken = fault_init_token,
		.C_OpenSession = fault_open_session,
		.C_CloseSession = fault_close_session,
		.C_CloseAllSessions = fault_close_all_sessions,
		.C_Login = fault_login,
		.C_SignInit = fault_sign_init,
		.C_Sign = fault_sign,
		.C_DecryptInit = fault_decrypt_init,
		.C_Decrypt = fault_decrypt,
#define PASS(name, parameters, arguments) .name = pass_##name,
#include "tests/p11/pass.def"
	};

	*out = &list;
	return CKR_OK;
}
