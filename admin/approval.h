/* admin/approval.h - the two-person rule in front of what a route does: where
 * the configuration says so, one operator asks and another approves before it is
 * carried out, once. Private to admin/. */
#ifndef MICA_ADMIN_APPROVAL_H
#define MICA_ADMIN_APPROVAL_H

#include "admin/call.h"

struct approval_want {
	/* One that approval.c knows, with the role that it takes. */
	const char *action; /* "code.sign" */
	const char *object; /* the authority, the key; STORE_NAME_MAX */
	/* All that is asked for, and what the other operator is shown: an
	 * object that is at most STORE_TEXT_MAX bytes as JSON. Borrowed. */
	const json_t *parameters;
	uint32_t approvals; /* operators who must agree; 1: no other */
	/* The approval is spent by the store_audit() that is given
	 * call_approval(), and not before: what fails is tried again. */
	bool later;
};

/* Call go now, or once the request is found approved and is marked as carried
 * out; or end the call: 202 with {"approval": …} while it waits for the other
 * operator, who is never the one that asks; then the same request is made
 * again. c->job is the caller's throughout, and for go. */
void call_approve(
        struct call *c, const struct approval_want *want, call_fn *go);
/* The request that was found approved; 0: nobody had to agree. */
uint64_t call_approval(const struct call *c);

#endif
