/* cmd/mica_authority.h - what the commands about authorities share. */
#ifndef MICA_CMD_MICA_AUTHORITY_H
#define MICA_CMD_MICA_AUTHORITY_H

#include "cmd/mica_ceremony.h"

/* What the configuration says of a key, in paths that can be opened from here;
 * empty: it does not say. Read without judging the rest, which may name files
 * that do not exist yet. */
struct key_conf {
	char name[128];
	char key[CEREMONY_PATH_BYTES]; /* of its file, or its URI */
	char module[CEREMONY_PATH_BYTES];
	char secret[CEREMONY_PATH_BYTES]; /* passphrase or PIN */
	char as[32]; /* "UID:GID" of who serves with a token; empty: as we are */
};
/* Errors: RC_NOTFOUND (no such key) RC_CONFIG RC_IO RC_TOOBIG RC_NOMEM. */
MUST_CHECK enum rc key_conf_read(const struct cli *cli, const char *name,
        struct key_conf *out, struct why *why);
/* The user that the configuration's keys are served by, into out->as. */
MUST_CHECK enum rc key_conf_user(
        const struct cli *cli, struct key_conf *out, struct why *why);
/* --key, --module, --as and --passphrase-fd, which is asked for at the terminal
 * where the configuration has a credential of the daemon's. conf outlives c. */
MUST_CHECK enum rc key_conf_add(
        struct ceremony *c, const struct key_conf *conf, struct why *why);

/* Likewise where that key signs: --issuer-key and what goes with it. */
MUST_CHECK enum rc key_conf_add_issuer(
        struct ceremony *c, const struct key_conf *conf, struct why *why);

/* Likewise of an authority. */
struct authority_conf {
	char certificate[CEREMONY_PATH_BYTES], chain[CEREMONY_PATH_BYTES];
	char issuer_crl[CEREMONY_PATH_BYTES];
	struct key_conf key;
};
/* Errors: RC_NOTFOUND (no such authority, or no key or certificate in it), and
 * as above. */
MUST_CHECK enum rc authority_conf_read(const struct cli *cli, const char *name,
        struct authority_conf *out, struct why *why);
/* A path of the configuration, as it can be opened from here; false: too long.
 */
bool authority_conf_path(
        const struct cli *cli, const char *path, char out[CEREMONY_PATH_BYTES]);
/* The subject of the certificate at path, as ATTRIBUTE=VALUE texts one behind
 * the other in out, each with its NUL. RC_IO RC_MALFORMED RC_TOOBIG */
MUST_CHECK enum rc authority_subject(
        const char *path, struct buf *out, struct why *why);
/* The transcript of what goes to path: --transcript, or beside path. Static to
 * out. RC_TOOBIG */
MUST_CHECK enum rc authority_transcript(const struct cli *cli, const char *path,
        char out[CEREMONY_PATH_BYTES], struct why *why);
/* The issuer, where its key is: --key, --file and what opens it, or what mica
 * init left beside the configuration. key and cert outlive c; cert is empty
 * where --file has it. */
MUST_CHECK enum rc authority_add_issuer(struct ceremony *c,
        const struct cli *cli, char key[CEREMONY_PATH_BYTES],
        char cert[CEREMONY_PATH_BYTES], struct why *why);
/* --crl-url and --ca-issuers-url, each of them. */
void authority_add_urls(struct ceremony *c, const struct cli *cli);

#endif
