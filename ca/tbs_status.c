/* ca/tbs_status.c - the times of CRLs and OCSP answers. */
#include "ca/tbs_status.h"

#include "ca/tbs_names.h"
#include "der/reader.h"

enum rc tbs_check_not_ahead(const struct tbs_policy *p, int64_t time_s,
        int64_t now_s, const char *what, struct why *why)
{
	if (now_s >= p->not_before_s && time_s > now_s + TBS_FUTURE_MAX_S)
		return DENIED(why, "%s lies in the future", what);
	return RC_OK;
}

enum rc tbs_check_window(const struct tbs_policy *p, const struct tbs_window *w,
        int64_t max_s, int64_t now_s, struct why *why)
{
	if (w->next_update_s <= w->this_update_s)
		return DENIED(why, "nextUpdate is not after thisUpdate");
	if (w->next_update_s - w->this_update_s > max_s)
		return DENIED(
		        why, "nextUpdate is past the longest that is allowed");
	return tbs_check_not_ahead(
	        p, w->this_update_s, now_s, "thisUpdate", why);
}

enum rc tbs_check_invalidity_date(const struct tbs_view_ext *e, struct why *why)
{
	struct der d = der_of(e->value);
	int64_t date_s;
	enum rc rc;

	if (e->critical)
		return DENIED(why, "invalidityDate is critical");
	rc = der_generalized_time(&d, &date_s, "invalidityDate", why);
	return rc ? rc : der_done(&d, "invalidityDate", why);
}
