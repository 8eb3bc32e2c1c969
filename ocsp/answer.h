/* ocsp/answer.h - OCSP answers as HTTP sends them (RFC 6960 appendix A, RFC 9919
 * section 7): header fields for caches, 304. Needs net/. */
#ifndef MICA_OCSP_ANSWER_H
#define MICA_OCSP_ANSWER_H

#include "ca/digest.h"
#include "net/http.h"
#include "ocsp/cache.h"
#include "ocsp/response.h"

/* From when to when an answer is right, and how long it is given out: who gets
 * it at the end of that, and keeps it for max_age_s, is still within. */
#define ANSWER_LINES_MAX_BYTES 1024
struct answer_life {
	int64_t this_update_s, next_update_s;
	int64_t fresh_until_s;
	int64_t max_age_s;
};

/* Make body a cacheable answer; its header's lines are written to lines. Both
 * stay the caller's. singles is the part
 * that its tag stands for: what is said, and for how long. Each worker signs for
 * itself, and a client that has one worker's answer has the other's, too.
 * Errors: RC_INTERNAL RC_TOOBIG RC_NOMEM. */
MUST_CHECK enum rc answer_make(struct ocsp_answer *out, struct buf *lines,
        struct bytes body, struct bytes singles, const struct answer_life *life,
        struct digest *digest);
bool answer_is_fresh(const struct ocsp_answer *a, int64_t now_s);

/* 200, or 304 where the client of a GET has it already. */
void answer_send(struct http_req *req, const struct ocsp_answer *a);
/* For this request alone: no cache may keep it. */
void answer_send_once(struct http_req *req, struct bytes body);
void answer_send_error(struct http_req *req, enum response_status status);

#endif
