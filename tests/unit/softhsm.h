/* tests/unit/softhsm.h - a SoftHSM token in a folder of its own. */
#ifndef MICA_TESTS_UNIT_SOFTHSM_H
#define MICA_TESTS_UNIT_SOFTHSM_H

#include "base/bytes.h"

#define SOFTHSM_PIN "1234-mica"
#define SOFTHSM_SO_PIN "12345678"
#define SOFTHSM_MODULE "/usr/lib/softhsm/libsofthsm2.so"

struct softhsm {
	char dir[64];
};

/* Whether SoftHSM and pkcs11-tool are installed. */
bool softhsm_there(void);
/* Make the folder and a token "mica" in it; SOFTHSM2_CONF points there. */
void softhsm_open(struct softhsm *h);
/* Another token. */
void softhsm_token(struct softhsm *h, const char *label);
/* pkcs11-tool --keypairgen in token "mica": type as it has them ("EC:secp256r1",
 * "EC:edwards25519", "rsa:2048"). id is hex. */
void softhsm_key(
        struct softhsm *h, const char *type, const char *label, const char *id);
/* pkcs11-tool in token "mica", logged in, with these words. */
void softhsm_tool(struct softhsm *h, const char *const *words);
void softhsm_close(struct softhsm *h);

#endif
