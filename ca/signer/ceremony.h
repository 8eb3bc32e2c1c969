/* ca/signer/ceremony.h - mica-signer --ceremony: keys are made and CA
 * certificates signed (RFC 5280), by a person, while nothing serves. */
#ifndef MICA_CA_SIGNER_CEREMONY_H
#define MICA_CA_SIGNER_CEREMONY_H

#include "ca/signer/serve.h" /* enum signer_exit */

/* argv[0] is the operation. */
enum signer_exit ceremony(int argc, char **argv);

#endif
