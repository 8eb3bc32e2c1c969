/* tests/p11/fault.h - what steers the module that fails on purpose
 * (tests/p11/fault.so), and what it tells: one file that the module and the
 * test map at once. All numbers are 64 bits in the machine's order.
 * tests/e2e/p11.py reads the names and their order from here. */
#ifndef MICA_TESTS_P11_FAULT_H
#define MICA_TESTS_P11_FAULT_H

#include <stdatomic.h>
#include <stdint.h>

/* Names the file; without it the module looks for one beside itself, with its
 * own name and this after it. */
#define FAULT_ENV "MICA_P11_FAULT"
#define FAULT_SUFFIX ".control"
#define FAULT_MAGIC "mica p11 fault 1"
#define FAULT_PATH_MAX 248
#define FAULT_SLOTS 32

/* The test's; changed at any time. Those called NEXT are numbers of calls, and
 * go down by one with each that has failed as told. */
enum fault_want {
	FAULT_LATENCY_US,   /* of each C_Sign and C_Decrypt */
	FAULT_SESSIONS_MAX, /* beyond: CKR_SESSION_COUNT; 0: no limit */
	FAULT_OUTAGE,       /* raised by one to take the token away, and by
	                      * one to bring it back: odd is away */
	FAULT_DEAD_RV,      /* what every call returns; 0: none */
	FAULT_LOGIN_RV,     /* what C_Login returns; 0: the wrapped one's */
	FAULT_NEXT_LOST,    /* C_Sign: the session is gone */
	FAULT_NEXT_FAILED,  /* C_Sign: CKR_FUNCTION_FAILED */
	FAULT_NEXT_FLIPPED, /* C_Sign: one bit of the signature is wrong */
	FAULT_NEXT_HUNG,    /* C_Sign: comes back after FAULT_HANG_MS */
	FAULT_HANG_MS,
	FAULT_NEXT_CRASHED, /* C_Sign: SIGABRT */
	FAULT_REPEATS,      /* not 0: C_Sign of what this thread signed last is
	                     * that signature again, as by a device whose work
	                     * costs this machine nothing */
	FAULT_TOKEN_FLAGS,  /* of CK_TOKEN_INFO, beside the token's own */
	FAULT_NEXT_HUNG_INITIALIZE, /* C_Initialize, as C_Sign above */
	FAULT_NEXT_HUNG_OPEN,       /* C_OpenSession */
	FAULT_NEXT_HUNG_LOGIN,      /* C_Login */
	FAULT_PADDING_RV, /* what C_Decrypt returns where it fails; 0: the
	                   * wrapped one's */
	FAULT_RAW_RV,     /* what C_DecryptInit returns of RSA without padding;
	                   * 0: the wrapped one's */
	FAULT_WANTS
};

/* The module's, of all processes that loaded it. */
enum fault_did {
	FAULT_INITIALIZED,  /* C_Initialize that worked */
	FAULT_LOGINS,       /* C_Login, whatever came of it */
	FAULT_OPENED,       /* sessions */
	FAULT_OVER_LIMIT,   /* CKR_SESSION_COUNT */
	FAULT_SESSIONS,     /* open now, in the process that opened one last */
	FAULT_SIGNS,        /* C_Sign and C_Decrypt that began */
	FAULT_SIGNED,       /* ... and said CKR_OK */
	FAULT_AT_ONCE_MOST, /* threads of one process in them */
	FAULT_LOST,         /* calls with a session that was lost */
	FAULT_AWAY,         /* calls while the token was away */
	FAULT_FLIPPED,
	FAULT_HUNG,
	FAULT_DIDS
};

struct fault_control {
	char magic[16];
	char module[FAULT_PATH_MAX];  /* the one that is wrapped */
	char softhsm[FAULT_PATH_MAX]; /* SOFTHSM2_CONF for it; may be empty */
	_Atomic uint64_t want[FAULT_SLOTS];
	_Atomic uint64_t did[FAULT_SLOTS];
};

_Static_assert(sizeof(struct fault_control) == 512 + 16 * FAULT_SLOTS,
        "tests/e2e/p11.py has the same");
_Static_assert(FAULT_WANTS <= FAULT_SLOTS && (int)FAULT_DIDS <= FAULT_SLOTS,
        "room for all");

#endif
