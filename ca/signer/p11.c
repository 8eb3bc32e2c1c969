/* ca/signer/p11.c - modules, tokens, sessions. */
#include "ca/signer/p11_private.h"

#include <p11-kit/p11-kit.h>
#include <stdlib.h>
#include <string.h>

/* Slots that are looked through; more than any module of one device has. */
#define SLOTS_MAX 1024

struct p11_token {
	struct p11_module *module;
	struct p11_uri *uri;
	atomic_ulong slot;
	char label[sizeof(((CK_TOKEN_INFO *)0)->label) + 1];
	/* One login at a time: the second one finds it done, or refused. */
	pthread_mutex_t login;
	bool refused; /* the PIN, once and for all; under login */
	size_t n_pin;
	uint8_t pin[P11_PIN_MAX_BYTES];
};

struct p11_session {
	struct p11_token *token;
	CK_SESSION_HANDLE handle;
	unsigned epoch; /* of its module */
};

/* --- modules */

static CK_RV initialize(struct p11_module *m)
{
	CK_C_INITIALIZE_ARGS args = { .flags = CKF_OS_LOCKING_OK };

	return m->f->C_Initialize(&args);
}

/* Its service is not there, or its device: it may be, later. */
static bool may_pass(enum rc rc)
{
	return rc == RC_CLOSED || rc == RC_UNAVAILABLE;
}

static enum rc down(const struct p11_module *m, struct why *why)
{
	return m->down ? why_set(why, RC_UNAVAILABLE,
	                         "the module cannot be initialised")
	               : RC_OK;
}

/* p11-kit would wrap a managed module into one that keeps books of sessions,
 * and asks before each call whether the process forked: ours does not. */
static enum rc module_open(
        struct p11_module **out, const char *path, bool expect, struct why *why)
{
	struct p11_module *m;
	const char *text;
	CK_RV rv;

	*out = NULL;
	if (path[0] != '/')
		return why_set(why, RC_UNSUPPORTED,
		        "module %s: not an absolute path", path);
	m = calloc(1, sizeof(*m));
	if (!m)
		return RC_NOMEM;
	m->f = p11_kit_module_load(path, P11_KIT_MODULE_UNMANAGED);
	if (!m->f) {
		free(m);
		text = p11_kit_message();
		return why_set(why, RC_IO, "module %s: %s", path,
		        text ? text : "cannot be loaded");
	}
	rv = initialize(m);
	m->down = expect && may_pass(p11_rc(rv));
	if (rv != CKR_OK && !m->down) {
		p11_kit_module_release(m->f);
		free(m);
		return why_prefix(why, p11_failed(why, rv, "C_Initialize"),
		        "module %s", path);
	}
	(void)pthread_rwlock_init(&m->gate, NULL);
	*out = m;
	return RC_OK;
}

enum rc p11_module_open(
        struct p11_module **out, const char *path, struct why *why)
{
	return module_open(out, path, false, why);
}

enum rc p11_module_expect(
        struct p11_module **out, const char *path, struct why *why)
{
	return module_open(out, path, true, why);
}

enum rc p11_module_restart(struct p11_module *m, struct why *why)
{
	enum rc rc = RC_BUSY;
	CK_RV rv;

	if (pthread_rwlock_trywrlock(&m->gate) != 0)
		return rc;
	if (atomic_load(&m->n_sessions) == 0) {
		(void)m->f->C_Finalize(NULL);
		rv = initialize(m);
		m->epoch++;
		m->down = may_pass(p11_rc(rv));
		rc = rv == CKR_OK ? RC_OK : p11_failed(why, rv, "C_Initialize");
	}
	(void)pthread_rwlock_unlock(&m->gate);
	return rc;
}

void p11_enter(struct p11_module *m)
{
	(void)pthread_rwlock_rdlock(&m->gate);
}

void p11_leave(struct p11_module *m)
{
	(void)pthread_rwlock_unlock(&m->gate);
}

void p11_module_close(struct p11_module *m)
{
	if (!m)
		return;
	(void)m->f->C_Finalize(NULL);
	p11_kit_module_release(m->f);
	(void)pthread_rwlock_destroy(&m->gate);
	free(m);
}

/* --- tokens */

static enum rc list_slots(const CK_FUNCTION_LIST *f, CK_SLOT_ID **out,
        CK_ULONG *n, struct why *why)
{
	CK_SLOT_ID *list = NULL;
	CK_RV rv;

	/* One that is plugged in between the two calls is one too many. */
	do {
		free(list);
		list = NULL;
		rv = f->C_GetSlotList(CK_TRUE, NULL, n);
		if (rv != CKR_OK)
			break;
		if (*n > SLOTS_MAX)
			return why_set(why, RC_UNSUPPORTED,
			        "over %d tokens in one module", SLOTS_MAX);
		list = calloc(*n + 1, sizeof(*list));
		if (!list)
			return RC_NOMEM;
		rv = f->C_GetSlotList(CK_TRUE, list, n);
	} while (rv == CKR_BUFFER_TOO_SMALL);
	if (rv != CKR_OK) {
		free(list);
		return p11_failed(why, rv, "C_GetSlotList");
	}
	*out = list;
	return RC_OK;
}

static bool slot_matches(const struct p11_token *t, CK_SLOT_ID id,
        CK_TOKEN_INFO *info, CK_RV *rv)
{
	CK_FUNCTION_LIST *f = t->module->f;
	CK_SLOT_INFO slot;

	*rv = f->C_GetSlotInfo(id, &slot);
	if (*rv == CKR_OK)
		*rv = f->C_GetTokenInfo(id, info);
	return *rv == CKR_OK && p11_uri_is_slot(t->uri, id, &slot, info);
}

static void token_note(
        struct p11_token *t, CK_SLOT_ID id, const CK_TOKEN_INFO *info)
{
	size_t n = sizeof(info->label);

	atomic_store(&t->slot, id);
	while (n > 0 && info->label[n - 1] == ' ')
		n--;
	if (t->label[0] == '\0')
		memcpy(t->label, info->label, n);
}

enum rc p11_token_find(struct p11_token *t, struct why *why)
{
	CK_SLOT_ID *list = NULL, found = 0;
	CK_TOKEN_INFO info, match = { 0 };
	CK_ULONG n, n_matches = 0;
	CK_RV rv, last = CKR_OK;
	enum rc rc = down(t->module, why);

	if (!rc)
		rc = list_slots(t->module->f, &list, &n, why);
	if (rc)
		return rc;
	for (CK_ULONG i = 0; i < n; i++) {
		if (slot_matches(t, list[i], &info, &rv)) {
			found = list[i];
			match = info;
			n_matches++;
		}
		if (rv != CKR_OK)
			last = rv;
	}
	free(list);
	if (n_matches > 1)
		return why_set(why, RC_CONFLICT,
		        "%lu tokens match the URI: name its serial too",
		        (unsigned long)n_matches);
	if (n_matches == 0 && last != CKR_OK)
		return p11_failed(why, last, "C_GetTokenInfo");
	if (n_matches == 0)
		return why_set(why, RC_NOTFOUND, "no token matches the URI");
	token_note(t, found, &match);
	return RC_OK;
}

static enum rc check_module(
        struct p11_module *m, const struct p11_uri *uri, struct why *why)
{
	CK_INFO info;
	CK_RV rv = m->f->C_GetInfo(&info);

	if (rv != CKR_OK)
		return p11_failed(why, rv, "C_GetInfo");
	return p11_uri_is_module(uri, &info)
	        ? RC_OK
	        : why_set(why, RC_NOTFOUND,
	                  "the URI speaks of another module's library");
}

/* One that was never seen is in no slot. */
#define NO_SLOT ((CK_SLOT_ID)-1)

static void token_expect(struct p11_token *t)
{
	struct bytes label = p11_uri_token_label(t->uri);

	atomic_store(&t->slot, NO_SLOT);
	if (label.n == 0)
		label = BYTES_LIT("?");
	memcpy(t->label, label.p, label.n);
}

static enum rc token_new(struct p11_token **out, struct p11_module *m,
        const struct p11_uri *uri, struct bytes pin, bool expect,
        struct why *why)
{
	struct p11_token *t;
	enum rc rc;

	*out = NULL;
	if (pin.n > P11_PIN_MAX_BYTES)
		return why_set(why, RC_NOCRED, "the PIN is over %d bytes",
		        P11_PIN_MAX_BYTES);
	t = calloc(1, sizeof(*t));
	if (!t)
		return RC_NOMEM;
	t->module = m;
	(void)pthread_mutex_init(&t->login, NULL);
	if (pin.n > 0)
		memcpy(t->pin, pin.p, pin.n);
	t->n_pin = pin.n;
	rc = p11_uri_copy(&t->uri, uri);
	if (!rc && !m->down)
		rc = check_module(m, uri, why);
	if (!rc && expect)
		token_expect(t);
	else if (!rc)
		rc = p11_token_find(t, why);
	if (rc)
		p11_token_close(t);
	else
		*out = t;
	return rc;
}

enum rc p11_token_open(struct p11_token **out, struct p11_module *m,
        const struct p11_uri *uri, struct bytes pin, struct why *why)
{
	return token_new(out, m, uri, pin, false, why);
}

enum rc p11_token_expect(struct p11_token **out, struct p11_module *m,
        const struct p11_uri *uri, struct bytes pin, struct why *why)
{
	return token_new(out, m, uri, pin, true, why);
}

bool p11_token_is_same(const struct p11_token *a, const struct p11_token *b)
{
	CK_SLOT_ID in_a = p11_token_slot(a), in_b = p11_token_slot(b);

	if (a->module != b->module)
		return false;
	return in_a == NO_SLOT || in_b == NO_SLOT
	        ? p11_uri_is_same_token(a->uri, b->uri)
	        : in_a == in_b;
}

void p11_token_close(struct p11_token *t)
{
	if (!t)
		return;
	p11_uri_free(t->uri);
	(void)pthread_mutex_destroy(&t->login);
	bytes_wipe(t->pin, sizeof(t->pin));
	free(t);
}

const char *p11_token_label(const struct p11_token *t)
{
	return t->label;
}

bool p11_token_pin_is(const struct p11_token *t, struct bytes pin)
{
	return bytes_eq_secret(bytes_of(t->pin, t->n_pin), pin);
}

const CK_FUNCTION_LIST *p11_functions(const struct p11_token *t)
{
	return t->module->f;
}

CK_SLOT_ID p11_token_slot(const struct p11_token *t)
{
	return atomic_load(&t->slot);
}

/* --- sessions */

/* What the token says of its PIN before we try ours: none of it is undone by
 * another wrong one. */
static enum rc may_try(
        const struct p11_token *t, const CK_TOKEN_INFO *info, struct why *why)
{
	if (t->refused)
		return why_set(why, RC_NOCRED,
		        "the token refused the PIN: it is not tried again");
	if (info->flags & CKF_USER_PIN_LOCKED)
		return why_set(why, RC_NOCRED, "the token's PIN is locked");
	if (info->flags & CKF_USER_PIN_FINAL_TRY)
		return why_set(why, RC_NOCRED,
		        "the token allows one last try of its PIN, which is "
		        "left to you");
	if (t->n_pin == 0 && !(info->flags & CKF_PROTECTED_AUTHENTICATION_PATH))
		return why_set(why, RC_NOCRED, "the token wants a PIN");
	return RC_OK;
}

/* Some modules refuse a PIN by a code of the vendor's own, or by one that says
 * nothing: then the token's count of tries does. */
static bool counts_a_failure(const struct p11_token *t, CK_SLOT_ID slot)
{
	CK_TOKEN_INFO info;

	return t->module->f->C_GetTokenInfo(slot, &info) == CKR_OK &&
	        (info.flags &
	                (CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY |
	                        CKF_USER_PIN_LOCKED)) != 0;
}

static enum rc log_in(
        struct p11_token *t, CK_SESSION_HANDLE session, struct why *why)
{
	CK_FUNCTION_LIST *f = t->module->f;
	CK_SESSION_INFO state;
	CK_TOKEN_INFO info;
	enum rc rc;
	CK_RV rv = f->C_GetSessionInfo(session, &state);

	if (rv != CKR_OK)
		return p11_failed(why, rv, "C_GetSessionInfo");
	if (state.state == CKS_RO_USER_FUNCTIONS ||
	        state.state == CKS_RW_USER_FUNCTIONS)
		return RC_OK; /* by another session of ours */
	rv = f->C_GetTokenInfo(state.slotID, &info);
	if (rv != CKR_OK)
		return p11_failed(why, rv, "C_GetTokenInfo");
	if (!(info.flags & CKF_LOGIN_REQUIRED))
		return RC_OK;
	rc = may_try(t, &info, why);
	if (rc)
		return rc;
	rv = f->C_Login(session, CKU_USER, t->n_pin > 0 ? t->pin : NULL,
	        (CK_ULONG)t->n_pin);
	if (rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN)
		return RC_OK;
	rc = p11_failed(why, rv, "C_Login");
	if (rc == RC_CLOSED && counts_a_failure(t, state.slotID))
		rc = RC_NOCRED;
	t->refused = rc == RC_NOCRED;
	return rc;
}

enum rc p11_session_open(struct p11_session **out, struct p11_token *t,
        enum p11_mode mode, struct why *why)
{
	CK_FLAGS flags =
	        CKF_SERIAL_SESSION | (mode == P11_WRITE ? CKF_RW_SESSION : 0);
	struct p11_session *s = calloc(1, sizeof(*s));
	enum rc rc;
	CK_RV rv;

	*out = NULL;
	if (!s)
		return RC_NOMEM;
	s->token = t;
	rc = down(t->module, why);
	if (!rc && p11_token_slot(t) == NO_SLOT)
		rc = why_set(why, RC_UNAVAILABLE, "it was not seen yet");
	if (rc) {
		free(s);
		return rc;
	}
	rv = t->module->f->C_OpenSession(
	        p11_token_slot(t), flags, NULL, NULL, &s->handle);
	if (rv != CKR_OK) {
		free(s);
		return p11_failed(why, rv, "C_OpenSession");
	}
	s->epoch = t->module->epoch;
	atomic_fetch_add(&t->module->n_sessions, 1);
	(void)pthread_mutex_lock(&t->login);
	rc = log_in(t, s->handle, why);
	(void)pthread_mutex_unlock(&t->login);
	if (rc) {
		p11_session_close(s);
		return rc;
	}
	*out = s;
	return RC_OK;
}

void p11_session_close(struct p11_session *s)
{
	struct p11_module *m;

	if (!s)
		return;
	m = s->token->module;
	if (!p11_session_is_stale(s))
		(void)m->f->C_CloseSession(s->handle);
	atomic_fetch_sub(&m->n_sessions, 1);
	free(s);
}

bool p11_session_is_stale(const struct p11_session *s)
{
	return s->epoch != s->token->module->epoch;
}

CK_SESSION_HANDLE p11_session_handle(const struct p11_session *s)
{
	return s->handle;
}

struct p11_token *p11_session_token(const struct p11_session *s)
{
	return s->token;
}
