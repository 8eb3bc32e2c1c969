/* One-time tokens: made, hashed, stored; told once. */
#include "admin/describe.h"
#include "admin/endpoint.h"
#include "base/clock.h"
#include "enroll/device.h"
#include "enroll/token.h"

#include <stdio.h>
#include <string.h>

/* What enroll.token_life may be at most, too. */
#define TOKEN_LIFE_MAX_S (10 * 365 * INT64_C(86400))
#define TOKEN_LIFE_MIN_S 60

struct token_made {
	struct store_token_put put;
	const struct conf_label *label; /* the first it works at */
	char text[TOKEN_TEXT_CHARS + 1];
};

struct token_wanted {
	const char *device;
	const char *authority; /* NULL: any */
	const char *profile;   /* NULL: any */
	json_int_t life_s;
};

static bool fits(const struct conf_label *l, const struct token_wanted *w)
{
	return (l->allow & CONF_ALLOW_TOKEN) != 0 &&
	        (w->authority == NULL ||
	                strcmp(w->authority, l->authority->name) == 0) &&
	        (w->profile == NULL ||
	                strcmp(w->profile, l->profile->name) == 0);
}

/* One more label that may be meant. */
static enum rc offer(const struct conf_label **out, const struct conf_label *l,
        const struct token_wanted *w, struct why *why)
{
	if (!fits(l, w))
		return RC_OK;
	if (*out != NULL &&
	        ((*out)->authority != l->authority ||
	                (*out)->profile != l->profile))
		return why_set(why, RC_MALFORMED,
		        "tokens are allowed for %s of %s and for %s "
		        "of %s: name profile and authority",
		        (*out)->profile->name, (*out)->authority->name,
		        l->profile->name, l->authority->name);
	if (*out == NULL)
		*out = l;
	return RC_OK;
}

/* A token is for a pair of authority and profile, and for no pair that no label
 * of EST or SCEP lets it in for. */
static enum rc find_label(const struct conf *conf, const struct token_wanted *w,
        const struct conf_label **out, struct why *why)
{
	enum rc rc = RC_OK;

	*out = NULL;
	for (size_t i = 0; rc == RC_OK && i < conf->n_labels; i++)
		rc = offer(out, &conf->labels[i], w, why);
	for (size_t i = 0; rc == RC_OK && i < conf->n_scep; i++)
		rc = offer(out, &conf->scep[i], w, why);
	if (rc == RC_OK && *out == NULL)
		rc = why_set(why, RC_NOTFOUND,
		        "no entry of enroll allows tokens%s",
		        w->authority != NULL || w->profile != NULL
		                ? " for that authority and profile"
		                : "");
	return rc;
}

static enum rc read_wanted(
        struct call *c, struct token_wanted *w, struct why *why)
{
	enum rc rc = call_body(c, why, "{s:s, s?s, s?s, s?I}", "device",
	        &w->device, "authority", &w->authority, "profile", &w->profile,
	        "life", &w->life_s);

	if (rc == RC_OK)
		rc = device_id_check(bytes_str(w->device), why);
	if (rc == RC_OK &&
	        (w->life_s < TOKEN_LIFE_MIN_S || w->life_s > TOKEN_LIFE_MAX_S))
		rc = why_set(why, RC_MALFORMED, "life: want %d to %lld seconds",
		        TOKEN_LIFE_MIN_S, (long long)TOKEN_LIFE_MAX_S);
	return rc;
}

/* Said now, and not to the device when it comes. */
static enum rc check_fits(const struct call *c, const struct conf_label *l,
        const char *device, struct why *why)
{
	const struct admin_opts *o = &c->admin->o;
	const struct authority *a =
	        authorities_find(o->authorities, l->authority->name);
	const struct profile *p =
	        a != NULL ? profiles_find(o->profiles, a, l->profile) : NULL;
	enum rc rc = p != NULL ? profile_check_device(p, device, why) : RC_OK;

	return rc == RC_DENIED
	        ? why_prefix(why, RC_MALFORMED, "profile %s", l->profile->name)
	        : rc;
}

enum rc device_fits(const struct call *c, const char *device, struct why *why)
{
	const struct conf *conf = c->admin->o.conf;
	enum rc rc = RC_OK;

	for (size_t i = 0; i < conf->n_labels; i++) {
		rc = check_fits(c, &conf->labels[i], device, why);
		if (rc != RC_MALFORMED)
			return rc;
	}
	return rc;
}

static enum rc make(struct call *c, struct token_made *j, struct why *why)
{
	struct token_wanted w = { .life_s = c->admin->o.conf->token_life_s };
	struct store_token *t = &j->put.token;
	const struct authority *a;
	enum rc rc = read_wanted(c, &w, why);

	if (rc == RC_OK)
		rc = find_label(c->admin->o.conf, &w, &j->label, why);
	if (rc == RC_OK)
		rc = check_fits(c, j->label, w.device, why);
	if (rc != RC_OK)
		return rc;
	a = authorities_find(
	        c->admin->o.authorities, j->label->authority->name);
	if (a == NULL)
		return RC_INTERNAL;
	token_make(j->text);
	snprintf(t->device, sizeof(t->device), "%s", w.device);
	snprintf(t->profile, sizeof(t->profile), "%s", j->label->profile->name);
	t->authority = a->id;
	t->expires_us = clock_now_us() + (int64_t)w.life_s * 1000000;
	return token_hash(c->admin->digest, bytes_str(j->text), t->hash);
}

static void stored(struct store_op *op)
{
	struct call *c = op->ctx;
	struct token_made *j = c->job;
	json_t *json = NULL;

	if (op->rc == RC_OK)
		json = json_pack("{s:s, s:s, s:s, s:s, s:o}", "token", j->text,
		        "device", j->put.token.device, "authority",
		        j->label->authority->name, "profile",
		        j->put.token.profile, "expires",
		        describe_time_us(j->put.token.expires_us));
	bytes_wipe(j->text, sizeof(j->text));
	if (op->rc == RC_OK)
		call_answer(c, 200, json);
	else
		call_refuse(c, op->rc, &op->why);
}

void token_create(struct call *c)
{
	struct token_made *j = call_job(c, sizeof(*j));
	struct why why = WHY_NONE;
	enum rc rc;

	if (j == NULL)
		return;
	rc = make(c, j, &why);
	if (rc != RC_OK) {
		call_refuse(c, rc, &why);
		return;
	}
	j->put.op = (struct store_op){
		.done = stored, .ctx = c, .actor = c->actor
	};
	call_store(&j->put.op, store_token_put(c->admin->o.store, &j->put));
}
