/* conf/conf.h - the configuration, as typed values: what mica.yaml said after
 * syntax, types, ranges and references were found right. Immutable once loaded;
 * a change is a new struct conf. What a value means beyond that is checked by
 * the module that opens with it, before anything listens.
 *
 * Everything here is owned by the struct conf and lives as long. A string is
 * never NULL unless the comment says so. Depends on base/ and der/. */
#ifndef MICA_CONF_CONF_H
#define MICA_CONF_CONF_H

#include "base/buf.h"
#include "base/log.h"
#include "base/why.h"

#define CONF_FILE_MAX_BYTES (1u << 20)  /* mica.yaml */
#define CONF_REFER_MAX_BYTES (1u << 20) /* a file that it names */
#define CONF_ERRORS_MAX 64              /* reported at once */
#define CONF_ENTRIES_MAX 256            /* of one kind: profiles, labels, … */
#define CONF_NAME_MAX 64                /* [A-Za-z0-9._-]+ */

/* A file the configuration names, read while it was loaded. Secrets are not
 * read: keys are the signer's to open. Shared challenges alone are, for workers
 * hold against them what devices send. Every relative path is below the
 * configuration's folder: the files here, store.path, keys_dir and
 * admin_socket (the last three have it in front). */
struct conf_file {
	const char *path;     /* as written; NULL: not given */
	struct bytes content; /* what stood in it */
};

enum conf_key_type { /* what a device or an authority may bring: a bit set */
	CONF_KEY_P256 = 1 << 0,
	CONF_KEY_P384 = 1 << 1,
	CONF_KEY_ED25519 = 1 << 2,
	CONF_KEY_RSA2048 = 1 << 3, /* 2048 to 3071 bits */
	CONF_KEY_RSA3072 = 1 << 4, /* 3072 to 4095 */
	CONF_KEY_RSA4096 = 1 << 5,
};

struct conf_store {
	const char *path;    /* store.lmdb.path */
	uint64_t size_bytes; /* store.lmdb.size; 64 GiB */
	uint64_t low_bytes;  /* store.lmdb.low: 64 MiB */
	bool index_keys;     /* store.lmdb.index_keys; no */
};

enum conf_padding { CONF_PADDING_PKCS1, CONF_PADDING_PSS };

/* A pin that begins so names a credential of systemd (LoadCredential=). */
#define CONF_CREDENTIAL_PREFIX "credential:"

struct conf_key { /* keys.NAME: in a file, or in a token */
	const char *name;
	const char *file; /* below keys_dir, private key in PEM; or NULL */
	const char *passphrase_file; /* below keys_dir; NULL: not encrypted */
	const char *uri;             /* PKCS#11, RFC 7512; or NULL */
	const char *module;          /* path; with uri */
	const char *pin;   /* below keys_dir, or a credential; or NULL */
	uint32_t sessions; /* 8 */
	enum conf_padding padding; /* of RSA keys */
};

/* Who signs OCSP answers: a responder's key that the signer makes, under a
 * certificate of the authority's, or the authority's own key. */
enum conf_ocsp_key { CONF_OCSP_RESPONDER, CONF_OCSP_CA };
/* What OCSP says of a serial that was never issued (RFC 6960 section 2.2) */
enum conf_unissued { CONF_UNISSUED_UNKNOWN, CONF_UNISSUED_REVOKED };

struct conf_crl {                   /* authorities.NAME.crl */
	int64_t every_s;            /* 1h; at half of valid at the latest */
	int64_t valid_s;            /* 24h */
	int64_t after_revocation_s; /* 60s: a new one at the latest */
	uint32_t shards;            /* 0: the full CRL alone */
};
#define CONF_SHARDS_MAX 64
/* Where a shard's number goes in a URL: three digits. */
#define CONF_SHARD_VARIABLE "%{shard}"

struct conf_authority { /* authorities.NAME */
	const char *name;
	struct conf_file certificate; /* PEM, one certificate */
	struct conf_file chain;       /* PEM, issuer first; may be absent */
	struct conf_file issuer_crl;  /* DER or PEM; may be absent */
	const struct conf_key *key;
	/* What it may issue; default: all but those of code keys. */
	const struct conf_profile **profiles;
	size_t n_profiles;
	const char **aia_urls; /* caIssuers; may be empty */
	size_t n_aia_urls;
	const char **ocsp_urls; /* may be empty */
	size_t n_ocsp_urls;
	/* Distribution points; may be empty. With shards each has
	 * CONF_SHARD_VARIABLE once, without none has. */
	const char **crl_urls;
	size_t n_crl_urls;
	int64_t ocsp_valid_s; /* nextUpdate less thisUpdate: 12h */
	enum conf_ocsp_key ocsp_key;
	enum conf_unissued ocsp_unissued;
	struct conf_crl crl;
	bool retired; /* issues nothing more; its CRL goes on */
	/* The generation before: its devices renew here, and clients are given
	 * both. NULL: there is none. */
	const struct conf_authority *replaces;
	struct conf_file cross; /* PEM: of both, each by the other; or none */
	/* ra.*: of its registration authority for SCEP */
	const struct conf_key *ra_key; /* RSA; NULL: has none */
	int64_t ra_validity_s;         /* 1y */
};

/* A name to fill in: literal text with %{device}, %{csr.CN} and the like.
 * Which variables exist is ca/profile's to say. */
struct conf_attribute {    /* profiles.P.subject.ATTR: TEMPLATE */
	const char *type;  /* "CN", "serialNumber", or a dotted OID */
	const char *value; /* template */
};
enum conf_san_kind {
	CONF_SAN_DNS,
	CONF_SAN_IP,
	CONF_SAN_EMAIL,
	CONF_SAN_URI,
	CONF_SAN_HARDWARE_MODULE, /* "TYPE-OID SERIAL-TEMPLATE", RFC 4108 */
	CONF_SAN_PERMANENT_ID,    /* "TEMPLATE" or "OID TEMPLATE", RFC 4043 */
};
struct conf_san { /* profiles.P.san.KIND: TEMPLATE, or a list of them */
	enum conf_san_kind kind;
	const char *value;
};
struct conf_extension {  /* profiles.P.extensions[] */
	const char *oid; /* dotted */
	bool critical;
	struct bytes der; /* value, from hex */
};

enum conf_new_key { CONF_NEW_KEY_ALLOWED, CONF_NEW_KEY_REQUIRED };

struct conf_profile { /* profiles.NAME */
	const char *name;
	uint32_t keys;      /* conf_key_type bits */
	int64_t validity_s; /* validity: 2y; 0 is `never` (99991231235959Z) */
	int64_t backdate_s; /* 5min */
	const struct conf_attribute *subject; /* in order; one RDN each */
	size_t n_subject;
	const struct conf_san *san;
	size_t n_san;
	bool san_critical;      /* set by itself when the subject is empty */
	const char **key_usage; /* RFC 5280 names: digitalSignature, … */
	size_t n_key_usage;
	const char **eku; /* client_auth, server_auth, …, or dotted OIDs */
	size_t n_eku;
	bool eku_critical;
	const char **policies; /* dotted OIDs */
	size_t n_policies;
	const struct conf_extension *extensions;
	size_t n_extensions;
	bool basic_constraints; /* write CA:FALSE explicitly; no */
	bool subject_key_id;    /* yes */
	bool no_rev_avail;      /* RFC 9608; then no CDP and no OCSP URL */
	bool channel_binding;   /* demanded (RFC 7030 3.5), said in csrattrs */
	uint32_t max_active;    /* certificates a device; 0: no limit */
	int64_t renew_from_s;   /* this long after issue, or (0) … */
	uint32_t renew_from_permille; /* … of the validity; 66% is 660 */
	int64_t renew_grace_s;        /* after expiry; 0 */
	enum conf_new_key renew_new_key;
	/* So long after a renewal the old certificate is revoked; 0: never. */
	int64_t supersede_after_s;
};

/* code.NAME: a key that signs firmware and software and nothing else. Under its
 * authority, the profile is for keys of this kind alone. */
struct conf_code {
	const char *name;
	const struct conf_key *key; /* no other's */
	const struct conf_authority *authority;
	const struct conf_profile *profile;
	/* Whose certificates the key's are: a device's id, "code:NAME". */
	const char *device;
	uint32_t approvals; /* operators who must agree to a signature: 1, 2 */
	/* Operators who may use it, beside admins; none: all. Its role means
	 * nothing here. */
	const struct conf_grantee *access;
	size_t n_access;
};

struct conf_anchor { /* trust.NAME: a foreign CA that vouches for devices */
	const char *name;
	struct conf_file certificates; /* PEM, one or more */
	const char *identity; /* subject attribute that is the device id:
				* serialNumber */
};

enum conf_allow { /* enroll.est[].allow, enroll.scep[].allow: a bit set */
	CONF_ALLOW_TOKEN = 1 << 0,
	CONF_ALLOW_IDEVID = 1 << 1,
	CONF_ALLOW_RENEWAL = 1 << 2,
};
enum conf_legacy {                 /* enroll.scep[].legacy: a bit set */
	CONF_LEGACY_SHA1 = 1 << 0, /* digests of requests */
	CONF_LEGACY_DES3 = 1 << 1, /* content encryption */
	/* What enrols any device that never had a certificate. */
	CONF_LEGACY_SHARED_CHALLENGE = 1 << 2,
};
/* Of a shared challenge: shorter ones are guessed, longer ones fit into no
 * challengePassword that clients send. */
#define CONF_CHALLENGE_MIN_BYTES 16
#define CONF_CHALLENGE_MAX_BYTES 128
/* Of its label, which is in the name that its devices are bound to. */
#define CONF_CHALLENGE_LABEL_MAX 48
enum conf_approve { CONF_APPROVE_AUTO, CONF_APPROVE_MANUAL };
struct conf_label {        /* enroll.est[], enroll.scep[] */
	const char *label; /* "" is the path without a label */
	const struct conf_authority *authority;
	const struct conf_profile *profile;
	uint32_t allow;
	const struct conf_anchor **anchors; /* with idevid: who may vouch */
	size_t n_anchors;
	enum conf_approve approve;
	/* enroll.scep[] alone */
	uint32_t legacy;
	struct conf_file challenge; /* one line, without its end; a secret */
	const char *challenge_identity; /* subject attribute of the request
					 * that is the device id then: CN */
};

struct conf_listen {
	const char *est; /* "ADDRESS:PORT", "[::1]:8443"; "" is off */
	const char *http;
	const char *metrics; /* 127.0.0.1:9090 */
	/* listen.est.*: the TLS certificate that the daemon issues itself, */
	const struct conf_authority *est_authority; /* NULL: the given one */
	const char **est_names; /* DNS names and IP addresses in it */
	size_t n_est_names;
	int64_t est_validity_s; /* 30d */
	/* or one that is given: both or neither */
	struct conf_file est_certificate; /* PEM, leaf first */
	const char *est_key;              /* below keys_dir; NULL */
	bool tls12;                       /* yes */
};

struct conf_limits { /* limits.*; times in ms, rates a second */
	int64_t handshake_ms, header_ms, body_ms, idle_ms;
	uint32_t connections;
	uint32_t connections_per_address;
	uint32_t requests_per_connection;
	uint32_t
	        est_rate_per_address; /* requests a second and address; 0 off */
	uint32_t est_burst;
	uint32_t scep_rate_per_address; /* the same of SCEP */
	uint32_t scep_burst;
	/* OCSP answers that are signed for one request alone: with a nonce,
	 * about several certificates, about serials that were not issued */
	uint32_t ocsp_rate_per_address; /* 0 off */
	uint32_t ocsp_burst;
};

enum conf_role { CONF_ROLE_AUDITOR, CONF_ROLE_OPERATOR, CONF_ROLE_ADMIN };
struct conf_grantee { /* admin.access[]: { user | group: NAME or number, role } */
	bool is_group;
	uint32_t id;
	enum conf_role role;
};

struct conf {
	const char *path; /* of the file, for messages */
	struct conf_store store;
	const char *keys_dir;    /* process.keys: the signer's, mode 0700 */
	const char *user;        /* process.user: mica */
	const char *signer_user; /* process.signer_user: mica-signer */
	uint32_t workers;        /* process.workers; 0: one a core */
	enum log_level log_level;
	enum log_form log_form;
	const char *admin_socket;
	const struct conf_grantee *access; /* beside root and the daemon's own
					    * user, who are admin */
	size_t n_access;
	uint32_t approvals;       /* operators who must agree: 1 or 2 */
	int64_t approval_life_s;  /* approval_life: 24h */
	const char *publish_path; /* publish.path; `published` by the store */
	const char *publish_url;  /* publish.url, no slash at its end; "" */
	int64_t retry_window_s;   /* enroll.retry_window: 1h */
	int64_t token_life_s;     /* enroll.token_life: 24h */
	int64_t approve_life_s;   /* enroll.approve_life: 7d */
	struct conf_listen listen;
	struct conf_limits limits;
	uint64_t ocsp_cache_bytes; /* ocsp.cache: 16 MiB, of all workers */
	const struct conf_key *keys;
	size_t n_keys;
	const struct conf_authority *authorities;
	size_t n_authorities;
	const struct conf_profile *profiles;
	size_t n_profiles;
	const struct conf_code *code;
	size_t n_code;
	const struct conf_anchor *anchors;
	size_t n_anchors;
	const struct conf_label *labels;
	size_t n_labels;
	const struct conf_label *scep;
	size_t n_scep;
};

/* One mistake: "FILE:LINE:COLUMN: PATH: what (did you mean …?)". */
struct conf_error {
	unsigned line, column; /* from 1; 0: the file as a whole */
	char path[128];        /* "profiles.sensor.validity" */
	char text[256];
};
struct conf_errors {
	struct conf_error list[CONF_ERRORS_MAX];
	size_t n;
	bool more; /* there were more than fit */
};

/* Append one line an error: "FILE:LINE:COLUMN: PATH: what". */
void conf_errors_print(
        struct buf *out, const char *file, const struct conf_errors *errors);

/* How the loader reads a file: the true one opens path below the
 * configuration's folder; a bundle answers from memory. Appends to out. */
typedef enum rc conf_read_fn(
        void *ctx, const char *path, struct buf *out, struct why *why);

/* All errors are found before it returns. On RC_OK *out is the caller's.
 * Errors: RC_CONFIG (errors says what) RC_NOMEM. */
MUST_CHECK enum rc conf_load(struct conf **out, const char *path,
        struct bytes yaml, conf_read_fn *read, void *ctx,
        struct conf_errors *errors);
/* Read path and what it names from disk. RC_CONFIG also when a file cannot be
 * read. */
MUST_CHECK enum rc conf_load_file(
        struct conf **out, const char *path, struct conf_errors *errors);
void conf_free(struct conf *c); /* NULL is a no-op */

/* An upper bound of a bundle: cap of out below. */
#define CONF_BUNDLE_MAX_BYTES (20u << 20)
/* A configuration and every file it names as one run of bytes, for a sealed
 * memfd: what children load, so that all see the same and none needs a path. */
MUST_CHECK enum rc conf_bundle(
        const char *path, struct buf *out, struct conf_errors *errors);
MUST_CHECK enum rc conf_load_bundle(
        struct conf **out, struct bytes bundle, struct conf_errors *errors);

/* What the configuration allows and its operator should be told for as long as
 * it does; i from 0. False: there is no more. */
#define CONF_WARNING_BYTES 384
bool conf_warning(const struct conf *c, size_t i, char out[CONF_WARNING_BYTES]);

const struct conf_authority *conf_authority(
        const struct conf *c, const char *name); /* NULL: there is none */
const struct conf_profile *conf_profile(const struct conf *c, const char *name);
/* The generation that replaces a; NULL: there is none. */
const struct conf_authority *conf_authority_next(
        const struct conf *c, const struct conf_authority *a);
/* Handed out, but the one that it replaces issues still. */
bool conf_authority_is_staged(const struct conf_authority *a);

/* One row of the schema table, for the man page and the tests. */
struct conf_option {
	const char *path; /* "profiles.*.validity", "enroll.est[].label" */
	const char *type; /* "duration", "size", "list of …", … */
	const char
	        *fallback;   /* as written in YAML; NULL: required; "" : none */
	const char *unit;    /* or NULL */
	const char *meaning; /* one line */
};
const struct conf_option *conf_options(size_t *n);

#endif
