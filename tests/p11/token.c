/* tests/p11/token.c - a token to test with. */
#include "tests/p11/token.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SLOTS_MAX 8

static void need(bool ok, const char *what)
{
	if (ok)
		return;
	(void)fprintf(stderr, "token: %s\n", what);
	exit(1);
}

static void need_rv(CK_RV rv, const char *what)
{
	if (rv == CKR_OK)
		return;
	(void)fprintf(stderr, "token: %s: 0x%lx\n", what, rv);
	exit(1);
}

const char *token_softhsm(void)
{
	static const char *const paths[] = {
		"/usr/lib/softhsm/libsofthsm2.so",
		"/usr/lib64/softhsm/libsofthsm2.so",
		"/usr/local/lib/softhsm/libsofthsm2.so",
	};

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
		if (access(paths[i], R_OK) == 0)
			return paths[i];
	return NULL;
}

/* --- folder, configuration, control file */

static void write_conf(const struct token *t, const char *path)
{
	FILE *f = fopen(path, "w");

	need(f &&
	                fprintf(f,
	                        "directories.tokendir = %s\n"
	                        "objectstore.backend = file\n"
	                        "log.level = ERROR\n",
	                        t->dir) > 0 &&
	                fclose(f) == 0,
	        "softhsm2.conf");
}

static void make_control(struct token *t, const char *conf)
{
	int fd = open(
	        t->control_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	need(fd >= 0 && ftruncate(fd, sizeof(*t->control)) == 0, "control");
	t->control = mmap(NULL, sizeof(*t->control), PROT_READ | PROT_WRITE,
	        MAP_SHARED, fd, 0);
	need(t->control != MAP_FAILED, "control");
	(void)close(fd);
	memcpy(t->control->magic, FAULT_MAGIC, sizeof(t->control->magic));
	(void)snprintf(
	        t->control->module, FAULT_PATH_MAX, "%s", token_softhsm());
	(void)snprintf(t->control->softhsm, FAULT_PATH_MAX, "%s", conf);
}

void token_open(struct token *t, const char *module)
{
	char conf[TOKEN_PATH_BYTES];
	CK_C_GetFunctionList list;
	void *loaded;

	*t = (struct token){ 0 };
	(void)snprintf(t->dir, sizeof(t->dir), "/tmp/mica-p11-XXXXXX");
	need(token_softhsm() && mkdtemp(t->dir), "folder");
	(void)snprintf(conf, sizeof(conf), "%.80s/softhsm2.conf", t->dir);
	(void)snprintf(t->control_path, sizeof(t->control_path),
	        "%.80s/control", t->dir);
	write_conf(t, conf);
	make_control(t, conf);
	need(setenv(FAULT_ENV, t->control_path, 1) == 0 &&
	                setenv("SOFTHSM2_CONF", conf, 1) == 0,
	        "environment");
	loaded = dlopen(module, RTLD_NOW | RTLD_LOCAL);
	need(loaded, module);
	list = (CK_C_GetFunctionList)dlsym(loaded, "C_GetFunctionList");
	need(list && list(&t->p11) == CKR_OK, "C_GetFunctionList");
}

static int remove_one(
        const char *path, const struct stat *st, int flag, struct FTW *at)
{
	(void)st;
	(void)flag;
	(void)at;
	return remove(path);
}

void token_close(struct token *t)
{
	(void)munmap(t->control, sizeof(*t->control));
	(void)nftw(t->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* --- the token */

/* The slot of our token, or of one that is not initialized. */
static bool find_slot(struct token *t, bool initialized)
{
	CK_SLOT_ID slots[SLOTS_MAX];
	CK_ULONG n = SLOTS_MAX;
	CK_TOKEN_INFO info;

	need_rv(t->p11->C_GetSlotList(CK_TRUE, slots, &n), "C_GetSlotList");
	for (CK_ULONG i = 0; i < n; i++) {
		need_rv(t->p11->C_GetTokenInfo(slots[i], &info),
		        "C_GetTokenInfo");
		t->slot = slots[i];
		if (((info.flags & CKF_TOKEN_INITIALIZED) != 0) == initialized)
			return true;
	}
	return false;
}

static void make_token(struct token *t)
{
	CK_UTF8CHAR label[32], so_pin[] = TOKEN_SO_PIN, pin[] = TOKEN_PIN;
	CK_SESSION_HANDLE session;

	memset(label, ' ', sizeof(label));
	memcpy(label, TOKEN_LABEL, strlen(TOKEN_LABEL));
	need(find_slot(t, false), "no slot for a token");
	need_rv(t->p11->C_InitToken(t->slot, so_pin, sizeof(so_pin) - 1, label),
	        "C_InitToken");
	/* SoftHSM gives it another number. */
	need(find_slot(t, true), "the token is gone");
	session = token_session(t);
	need_rv(t->p11->C_Login(session, CKU_SO, so_pin, sizeof(so_pin) - 1),
	        "C_Login");
	need_rv(t->p11->C_InitPIN(session, pin, sizeof(pin) - 1), "C_InitPIN");
	need_rv(t->p11->C_Logout(session), "C_Logout");
	need_rv(t->p11->C_CloseSession(session), "C_CloseSession");
}

void token_begin(struct token *t)
{
	CK_C_INITIALIZE_ARGS args = { .flags = CKF_OS_LOCKING_OK };

	need_rv(t->p11->C_Initialize(&args), "C_Initialize");
	if (!find_slot(t, true))
		make_token(t);
}

void token_end(struct token *t)
{
	need_rv(t->p11->C_Finalize(NULL), "C_Finalize");
}

CK_SESSION_HANDLE token_session(struct token *t)
{
	CK_SESSION_HANDLE session;

	need_rv(t->p11->C_OpenSession(t->slot,
	                CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL,
	                &session),
	        "C_OpenSession");
	return session;
}

CK_RV token_login(struct token *t, CK_SESSION_HANDLE session, const char *pin)
{
	return t->p11->C_Login(
	        session, CKU_USER, (CK_UTF8CHAR *)(uintptr_t)pin, strlen(pin));
}

/* --- keys */

CK_OBJECT_HANDLE token_make_key(struct token *t, CK_SESSION_HANDLE session,
        const char *label, unsigned char id)
{
	static unsigned char p256[] = { 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3,
		1, 7 };
	CK_MECHANISM m = { CKM_EC_KEY_PAIR_GEN, NULL, 0 };
	void *name = (void *)(uintptr_t)label;
	CK_BBOOL yes = CK_TRUE;
	CK_ATTRIBUTE pub[] = {
		{ CKA_EC_PARAMS, p256, sizeof(p256) },
		{ CKA_TOKEN, &yes, sizeof(yes) },
		{ CKA_VERIFY, &yes, sizeof(yes) },
		{ CKA_LABEL, name, strlen(label) },
		{ CKA_ID, &id, 1 },
	};
	CK_ATTRIBUTE prv[] = {
		{ CKA_TOKEN, &yes, sizeof(yes) },
		{ CKA_PRIVATE, &yes, sizeof(yes) },
		{ CKA_SENSITIVE, &yes, sizeof(yes) },
		{ CKA_SIGN, &yes, sizeof(yes) },
		{ CKA_LABEL, name, strlen(label) },
		{ CKA_ID, &id, 1 },
	};
	CK_OBJECT_HANDLE p, k;

	need_rv(t->p11->C_GenerateKeyPair(session, &m, pub,
	                sizeof(pub) / sizeof(*pub), prv,
	                sizeof(prv) / sizeof(*prv), &p, &k),
	        "C_GenerateKeyPair");
	return k;
}

static CK_OBJECT_HANDLE find(struct token *t, CK_SESSION_HANDLE session,
        CK_ATTRIBUTE *attributes, CK_ULONG n)
{
	CK_OBJECT_HANDLE found;
	CK_ULONG n_found = 0;

	need_rv(t->p11->C_FindObjectsInit(session, attributes, n),
	        "C_FindObjectsInit");
	need_rv(t->p11->C_FindObjects(session, &found, 1, &n_found),
	        "C_FindObjects");
	need_rv(t->p11->C_FindObjectsFinal(session), "C_FindObjectsFinal");
	return n_found == 1 ? found : CK_INVALID_HANDLE;
}

CK_OBJECT_HANDLE token_find(
        struct token *t, CK_SESSION_HANDLE session, const char *label)
{
	CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
	CK_ATTRIBUTE a[] = {
		{ CKA_CLASS, &class, sizeof(class) },
		{ CKA_LABEL, (void *)(uintptr_t)label, strlen(label) },
	};

	return find(t, session, a, 2);
}

CK_RV token_sign(struct token *t, CK_SESSION_HANDLE session,
        CK_OBJECT_HANDLE key, const unsigned char *digest,
        unsigned char *signature)
{
	CK_MECHANISM m = { CKM_ECDSA, NULL, 0 };
	CK_ULONG n = TOKEN_SIGNATURE_BYTES;
	CK_RV rv = t->p11->C_SignInit(session, &m, key);

	return rv != CKR_OK
	        ? rv
	        : t->p11->C_Sign(session, (CK_BYTE *)(uintptr_t)digest,
	                  TOKEN_DIGEST_BYTES, signature, &n);
}

bool token_verifies(struct token *t, CK_SESSION_HANDLE session,
        unsigned char id, const unsigned char *digest, unsigned char *signature)
{
	CK_OBJECT_CLASS class = CKO_PUBLIC_KEY;
	CK_ATTRIBUTE a[] = {
		{ CKA_CLASS, &class, sizeof(class) },
		{ CKA_ID, &id, 1 },
	};
	CK_MECHANISM m = { CKM_ECDSA, NULL, 0 };

	need_rv(t->p11->C_VerifyInit(session, &m, find(t, session, a, 2)),
	        "C_VerifyInit");
	return t->p11->C_Verify(session, (CK_BYTE *)(uintptr_t)digest,
	               TOKEN_DIGEST_BYTES, signature,
	               TOKEN_SIGNATURE_BYTES) == CKR_OK;
}
