/* conf/schema.h - the schema table as the loader reads it: how each option's
 * text becomes a value, and where in the struct it goes. Pure. */
#ifndef MICA_CONF_SCHEMA_H
#define MICA_CONF_SCHEMA_H

#include "conf/conf.h"

enum kind {           /* how a value is written, and what it becomes */
	KIND_TEXT,    /* const char *; min and max: its length */
	KIND_PATH,    /* const char *, joined with the file's folder; max */
	KIND_BELOW,   /* const char *, relative to process.keys */
	KIND_PKCS11,  /* const char * */
	KIND_PIN,     /* const char *, relative to process.keys, or a
		       * credential's */
	KIND_FILE,    /* struct conf_file, read */
	KIND_SECRET,  /* the same of a secret: one line of min to max bytes */
	KIND_LABEL,   /* const char *, a name or "" */
	KIND_ADDRESS, /* const char *, or "" */
	KIND_OID,     /* const char *, dotted */
	KIND_ATTRIBUTE_TYPE,   /* const char *, a subject attribute */
	KIND_HEX,              /* struct bytes */
	KIND_BOOL,             /* bool */
	KIND_NUMBER,           /* uint32_t; min to max */
	KIND_SIZE,             /* uint64_t; min to max bytes */
	KIND_SECONDS,          /* int64_t; min to max ms */
	KIND_SECONDS_OR_NEVER, /* the same; never is 0 */
	KIND_MILLIS,           /* int64_t; min to max ms */
	KIND_PART,             /* int64_t s, or uint32_t permille at at_n */
	KIND_ENUM,             /* an enum; words */
	KIND_BITS,             /* uint32_t, a list of words or'ed */
	KIND_WORDS,            /* const char **, words only */
	KIND_WORDS_OR_OIDS,    /* const char **, words or dotted OIDs */
	KIND_URL,              /* const char *, or "" */
	KIND_URLS,             /* const char ** */
	KIND_HOSTS,            /* const char ** */
	KIND_REF,              /* pointer to an entry of target */
	KIND_REFS,             /* list of such pointers */
	KIND_ATTRIBUTE,        /* appends struct conf_attribute, named by key */
	KIND_SAN,              /* appends struct conf_san of kind min */
	KIND_USER,             /* struct conf_grantee's id and is_group */
	KIND_GROUP,
	KIND_COUNT,
};

struct word {
	const char *name; /* NULL ends the list */
	uint32_t value;
};

enum collection_id {
	COLLECTION_KEYS,
	COLLECTION_AUTHORITIES,
	COLLECTION_PROFILES,
	COLLECTION_CODE,
	COLLECTION_TRUST,
	COLLECTION_LABELS,
	COLLECTION_SCEP,
	COLLECTION_ACCESS,
	COLLECTION_EXTENSIONS,
	COLLECTION_CODE_ACCESS,
	COLLECTION_COUNT
};

/* Options that repeat: a map by name ("keys.*") or a list ("enroll.est[]"). */
struct collection {
	const char *path;
	const char *singular; /* for messages */
	size_t size;          /* of an element */
	size_t at, at_n;      /* pointer and count in the struct around it */
	bool named;           /* element starts with its name */
	bool required;        /* at least one */
};

struct row {
	enum kind kind;
	int64_t min, max;
	const struct word *words;
	enum collection_id target;
	size_t at;   /* in struct conf, or in the element of its group */
	size_t at_n; /* of a list's count */
};

/* Parallel to conf_options(). */
const struct row *schema_rows(void);
/* Indexed by enum collection_id. */
const struct collection *schema_collections(void);
/* Names of subject attributes; the value is unused. */
const struct word *schema_attributes(void);
/* NULL: it is not among them. */
const struct word *schema_word(const struct word *words, const char *name);

#endif
