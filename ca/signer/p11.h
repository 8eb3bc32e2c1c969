/* ca/signer/p11.h - PKCS#11 2.40: a module, a token in it, and sessions on the
 * token, logged in. What is done inside a session stands elsewhere (p11_key.h:
 * find a key and sign); whoever makes keys calls p11_functions() with
 * p11_session_handle(), and tells what went wrong by p11_failed():
 *
 *	p11_module_open(&module, "/usr/lib/softhsm/libsofthsm2.so", &why)
 *	p11_uri_parse(&uri, "pkcs11:token=mica;object=issuing", &why)
 *	p11_token_open(&token, module, uri, pin, &why)
 *	p11_session_open(&session, token, P11_WRITE, &why)
 *	rv = p11_functions(token)->C_GenerateKeyPair(
 *	        p11_session_handle(session), …);
 *	if (rv != CKR_OK)
 *		rc = p11_failed(why, rv, "C_GenerateKeyPair");
 *
 * Every call may wait for the module as long as it likes: none is for an event
 * loop. After p11_module_open() the process must not fork (section 5.4 has a
 * child call C_Initialize again), and whoever drops privileges or closes doors
 * for files does so before and after, as base/sandbox.h says.
 *
 * What a CK_RV means is said by a result code, for whoever recovers:
 *   RC_CLOSED       the session or a handle in it is lost, or who knows what:
 *                   open another
 *   RC_UNAVAILABLE  the token is away, or broken: later, and search it anew
 *   RC_BUSY         no more sessions: go on with fewer
 *   RC_IO           the module is dead: only a new process helps
 *   RC_NOCRED       the PIN was refused, or is not tried: never again by
 *                   ourselves
 *   RC_UNSUPPORTED  the token does not do that, or not with this key
 *   RC_NOMEM
 * Needs base/ and p11-kit. */
#ifndef MICA_CA_SIGNER_P11_H
#define MICA_CA_SIGNER_P11_H

#include "base/bytes.h"
#include "base/why.h"

#include <p11-kit/pkcs11.h>

#define P11_PIN_MAX_BYTES 255
#define P11_URI_MAX_BYTES 1024
#define P11_MODULE_MAX_BYTES 1024 /* of its path */

struct p11_uri;
struct p11_module;
struct p11_token;
struct p11_session;

/* --- a PKCS#11 URI (RFC 7512). It says which token and which object, and
 * nothing else: a PIN or a module in it is refused. RC_MALFORMED RC_NOMEM */
MUST_CHECK enum rc p11_uri_parse(
        struct p11_uri **out, const char *text, struct why *why);
void p11_uri_free(struct p11_uri *uri); /* NULL is a no-op */
/* Its object attribute (CKA_LABEL) and id (CKA_ID); empty: not given.
 * Borrowed from uri. */
struct bytes p11_uri_label(const struct p11_uri *uri);
struct bytes p11_uri_id(const struct p11_uri *uri);

/* --- a module: loaded from an absolute path and initialised for threads, once
 * a process and path. RC_IO RC_UNSUPPORTED RC_NOMEM */
MUST_CHECK enum rc p11_module_open(
        struct p11_module **out, const char *path, struct why *why);
/* As that, but one that cannot be initialised now (RC_CLOSED RC_UNAVAILABLE: its
 * service is not there, say) is down, and is RC_OK: what is done with it is
 * RC_UNAVAILABLE until p11_module_restart() can. */
MUST_CHECK enum rc p11_module_expect(
        struct p11_module **out, const char *path, struct why *why);
/* C_Finalize and unload; no call may be under way. NULL is a no-op. */
void p11_module_close(struct p11_module *m);
/* C_Finalize and C_Initialize: some modules see a token that was away only
 * then. Nothing is done, and RC_BUSY returned, while a session is open or a call
 * is under way between p11_enter() and p11_leave(). */
MUST_CHECK enum rc p11_module_restart(struct p11_module *m, struct why *why);
/* Around all calls about a module, where another thread may restart it. */
void p11_enter(struct p11_module *m);
void p11_leave(struct p11_module *m);

/* --- the one token that uri matches, and the PIN for it, which is copied and
 * wiped at the end. module outlives it; uri is not kept. No session yet.
 * RC_NOTFOUND: no token matches; RC_CONFLICT: more than one; and as above. */
MUST_CHECK enum rc p11_token_open(struct p11_token **out, struct p11_module *m,
        const struct p11_uri *uri, struct bytes pin, struct why *why);
/* As that, of a token that is not there now and that p11_token_find() is to
 * find later. Until then its label is uri's. */
MUST_CHECK enum rc p11_token_expect(struct p11_token **out,
        struct p11_module *m, const struct p11_uri *uri, struct bytes pin,
        struct why *why);
/* In one slot of one module; or, where one was never seen, by one description.
 */
bool p11_token_is_same(const struct p11_token *a, const struct p11_token *b);
void p11_token_close(struct p11_token *t); /* NULL is a no-op */
/* Its label, as the token has it. Borrowed. */
const char *p11_token_label(const struct p11_token *t);
bool p11_token_pin_is(const struct p11_token *t, struct bytes pin);
const CK_FUNCTION_LIST *p11_functions(const struct p11_token *t);
CK_SLOT_ID p11_token_slot(const struct p11_token *t);
/* Look for the token again, as at p11_token_open(): after a loss it may be in
 * another slot. Thread-safe. */
MUST_CHECK enum rc p11_token_find(struct p11_token *t, struct why *why);

/* --- a session, logged in as the user. One thread at a time uses it. A PIN
 * that the token refused is not tried again, by no session of the token, nor is
 * one while the token says that this is the last try or that it is locked:
 * RC_NOCRED at once. Thread-safe. */
enum p11_mode { P11_READ, P11_WRITE };
MUST_CHECK enum rc p11_session_open(struct p11_session **out,
        struct p11_token *t, enum p11_mode mode, struct why *why);
/* Also a lost one. NULL is a no-op. */
void p11_session_close(struct p11_session *s);
CK_SESSION_HANDLE p11_session_handle(const struct p11_session *s);
struct p11_token *p11_session_token(const struct p11_session *s);
/* Its module was restarted since: its handle may be another's. */
bool p11_session_is_stale(const struct p11_session *s);

/* --- results */
enum rc p11_rc(CK_RV rv);
/* "CKR_PIN_INCORRECT"; "CKR_?" for one that is on no list. */
const char *p11_rv_name(CK_RV rv);
/* p11_rc(rv), and why: "WHAT: CKR_…" */
enum rc p11_failed(struct why *why, CK_RV rv, const char *what);

#endif
