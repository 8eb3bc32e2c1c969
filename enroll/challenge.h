/* enroll/challenge.h - a SCEP label's shared challenge (`legacy:
 * [shared_challenge]`): one challengePassword (RFC 8894 section 2.3) for all
 * devices, for equipment that can be given no token of its own. Pure. Needs ca/.
 *
 * It says that somebody is among those who were told, and not who. So with it
 * alone
 * - a device enrols that never had a certificate. Who has had one, whatever
 *   became of it, has something to be taken over or was shut out on purpose: it
 *   renews by its certificate, or an operator gives it a token. T1 sees to that
 *   (storage/store.h, step 5), for of two who come at once one is an impostor;
 * - the device id is what the request says, and lives in a namespace of the
 *   label's own, to which the device is bound when it comes first: the ids of
 *   operators' tokens, of foreign authorities and of other labels are none of
 *   its (DESIGN rule 5);
 * - no message but PKCSReq is authorized, and nothing over EST;
 * - of requests that wait for an operator it fills no more than a share.
 * Who comes first under a name that nobody has used is believed. `approve:
 * manual` is against that: then a challenge lets a request wait, and no more. */
#ifndef MICA_ENROLL_CHALLENGE_H
#define MICA_ENROLL_CHALLENGE_H

#include "base/bytes.h"
#include "base/why.h"
#include "ca/digest.h"
#include "conf/conf.h"
#include "storage/store.h"

bool challenge_is_on(const struct conf_label *label);
/* Is it the label's? Time tells nothing of how much of it is right. */
bool challenge_is(struct digest *d, const struct conf_label *label,
        struct bytes challenge);
/* To whom its devices are bound: "scep/LABEL", which is no name of a trust
 * anchor. */
void challenge_anchor(
        char out[STORE_NAME_MAX + 1], const struct conf_label *label);
/* The device that a request's subject names. Errors: RC_DENIED RC_NOMEM
 * RC_INTERNAL. */
MUST_CHECK enum rc challenge_device(char out[STORE_DEVICE_ID_MAX + 1],
        const struct conf_label *label, struct bytes subject, struct why *why);

#endif
