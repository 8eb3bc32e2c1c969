/* cmd/mica_authority.h - what the commands about authorities share. */
#ifndef MICA_CMD_MICA_AUTHORITY_H
#define MICA_CMD_MICA_AUTHORITY_H

#include "cmd/mica_ceremony.h"

/* What the configuration says of an authority, in paths that can be opened from
 * here; empty: it does not say. Read without judging the rest, which names a
 * certificate that may not exist yet. */
struct authority_conf {
	char certificate[CEREMONY_PATH_BYTES], chain[CEREMONY_PATH_BYTES];
	char key_name[128];
	char key[CEREMONY_PATH_BYTES], passphrase_file[CEREMONY_PATH_BYTES];
};
/* Errors: RC_NOTFOUND (no such authority, or no key or certificate in it),
 * RC_CONFIG RC_IO RC_TOOBIG RC_NOMEM. */
MUST_CHECK enum rc authority_conf_read(const struct cli *cli, const char *name,
        struct authority_conf *out, struct why *why);
/* A path of the configuration, as it can be opened from here; false: too long.
 */
bool authority_conf_path(
        const struct cli *cli, const char *path, char out[CEREMONY_PATH_BYTES]);
/* --key and --passphrase-fd, or what stands for them. conf outlives c. */
MUST_CHECK enum rc authority_conf_add_key(
        struct ceremony *c, const struct authority_conf *conf, struct why *why);

/* The transcript of what goes to path: --transcript, or beside path. Static to
 * out. RC_TOOBIG */
MUST_CHECK enum rc authority_transcript(const struct cli *cli, const char *path,
        char out[CEREMONY_PATH_BYTES], struct why *why);

#endif
