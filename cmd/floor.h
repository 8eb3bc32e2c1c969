/* cmd/floor.h - how far the signer may believe the store's clock floor (DESIGN
 * rule 11). Pure.
 *
 * The signer dates CRLs and OCSP answers by its clock, or by the floor where the
 * clock is behind it. The floor is on record in the store, which a worker or a
 * keeper that was taken over can write: unbounded, it could have answers signed
 * that are good for a year to come, and use them after it was thrown out. So
 * the supervisor, which outlives all of them and has no store, keeps the time
 * itself: the first floor that it is told is believed, whatever it is, for a
 * machine may start with its clock years behind; from then on the floor may
 * not be above the latest time that is known here, which the clock raises, and
 * which goes on by itself when the clock is set back. A floor that is lower
 * than before is believed: an operator has lowered it, and it permits less.
 * It never permits a certificate anything. */
#ifndef MICA_CMD_FLOOR_H
#define MICA_CMD_FLOOR_H

#include <stdbool.h>
#include <stdint.h>

struct floor {
	bool known;       /* was told one */
	int64_t given_s;  /* for the signer */
	int64_t latest_s; /* the latest time that is known, as of mono_us */
	int64_t mono_us;
};

/* told_s is the keeper's word, now_s Unix time. */
void floor_take(
        struct floor *f, int64_t told_s, int64_t now_s, int64_t mono_us);

#endif
