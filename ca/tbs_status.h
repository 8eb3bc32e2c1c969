/* ca/tbs_status.h - what tbs_check_crl and tbs_check_ocsp share. Pure. */
#ifndef MICA_CA_TBS_STATUS_H
#define MICA_CA_TBS_STATUS_H

#include "ca/tbs_check.h"
#include "ca/tbs_read.h"

/* From when until when something says what the status is. */
struct tbs_window {
	int64_t this_update_s, next_update_s;
};

/* A window that ends after it begins, is no longer than max_s, and begins no
 * later than TBS_FUTURE_MAX_S from now. RC_DENIED. */
MUST_CHECK enum rc tbs_check_window(const struct tbs_policy *p,
        const struct tbs_window *w, int64_t max_s, int64_t now_s,
        struct why *why);
/* time_s, named what, is not far ahead. A clock that stands before the CA's
 * own beginning is known to be wrong and is no measure: what is dated at the
 * store's clock floor then is signed. RC_DENIED. */
MUST_CHECK enum rc tbs_check_not_ahead(const struct tbs_policy *p,
        int64_t time_s, int64_t now_s, const char *what, struct why *why);

/* The extension is not critical, and its value one GeneralizedTime (RFC 5280
 * section 5.3.2). RC_DENIED RC_MALFORMED. */
MUST_CHECK enum rc tbs_check_invalidity_date(
        const struct tbs_view_ext *e, struct why *why);

#endif
