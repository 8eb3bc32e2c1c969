/* base/rc.h - the one result code of the whole program, and what each code
 * means to a person, to HTTP, to SCEP and to the metrics. A protocol front maps
 * a result through rc_info() and never invents its own mapping. Pure. */
#ifndef MICA_BASE_RC_H
#define MICA_BASE_RC_H

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

enum rc {
	RC_OK,          /* done */
	RC_PENDING,     /* begun; the callback brings the result */
	RC_MALFORMED,   /* violates its grammar */
	RC_TOOBIG,      /* over a named limit */
	RC_UNSUPPORTED, /* well formed, not something we do */
	RC_WEAKKEY,     /* key refused by the key policy */
	RC_BADSIG,      /* signature or possession proof is wrong */
	RC_BADBINDING,  /* channel binding mismatch (RFC 7030 section 3.5) */
	RC_NOCRED,      /* no credential, or one that does not verify */
	RC_DENIED,      /* credential verified, request refused */
	RC_NOTFOUND,    /* no such thing */
	RC_DUPLICATE,   /* done before; the earlier result is returned */
	RC_WAITING,     /* on record until an operator decides; ask again */
	RC_CONFLICT,    /* exists and differs */
	RC_QUOTA,       /* quota or max_active spent */
	RC_SPENT,       /* one-time token was used */
	RC_STALE,       /* decided on a record that changed since */
	RC_FENCED,      /* writer lost its lease or its slot */
	RC_BLOCKED,     /* public key is on the list of compromised keys */
	RC_BUSY,        /* queue full or the same request is in flight: later */
	RC_UNAVAILABLE, /* not applied; store, signer or HSM cannot be reached */
	RC_UNKNOWN,     /* in doubt: ask again */
	RC_TIMEOUT,     /* a deadline passed */
	RC_CLOSED,      /* the peer went away */
	RC_EXISTS,      /* refuses to overwrite */
	RC_PERMISSION,  /* file mode, role or uid does not allow it */
	RC_CONFIG,      /* the configuration is wrong */
	RC_IO,          /* the operating system failed us */
	RC_NOMEM,       /* out of memory */
	RC_INTERNAL,    /* a library call that cannot fail failed */
	RC_COUNT
};

struct rc_info {
	const char *name; /* metric and log label: [a-z_]+ */
	const char *text; /* a sentence without its full stop */
	int http_status; /* EST and admin API: RFC 7030 section 4.2.3; never 403 */
	int scep_fail_info; /* RFC 8894 section 3.2.1.4.1 */
};

/* Never NULL; a value outside the enum answers as RC_INTERNAL. */
const struct rc_info *rc_info(enum rc rc);

#endif
