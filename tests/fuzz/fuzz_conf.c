/* A configuration of any bytes: it is loaded, or every mistake has its place
 * and its sentence. */
#include "base/text.h"
#include "conf/conf.h"
#include "tests/fuzz/fuzz.h"
#include <string.h>

static enum rc read_path(
        void *ctx, const char *path, struct buf *out, struct why *why)
{
	(void)ctx;
	if (path[0] == 'x')
		return why_set(why, RC_IO, "not there");
	buf_add_str(out, path);
	return out->failed;
}

static void check_errors(const struct conf_errors *errors)
{
	for (size_t i = 0; i < errors->n; i++) {
		const struct conf_error *e = &errors->list[i];

		must(e->text[0] != '\0');
		must(text_is_print(bytes_str(e->text)));
		must(text_is_print(bytes_str(e->path)));
		must((e->line == 0) == (e->column == 0));
		must(i == 0 || e[-1].line < e->line ||
		        (e[-1].line == e->line && e[-1].column <= e->column));
	}
}

static void check_label(const struct conf_label *l)
{
	must(l->label != NULL && l->authority != NULL && l->profile != NULL);
	must(l->allow != 0);
	for (size_t i = 0; i < l->n_anchors; i++)
		must(l->anchors[i]->certificates.path != NULL);
}

/* One secret for all devices, by its name alone, and none that is short. */
static void check_challenge(const struct conf_label *l)
{
	bool on = (l->legacy & CONF_LEGACY_SHARED_CHALLENGE) != 0;

	must(on == (l->challenge.path != NULL));
	must(!on || l->challenge.content.n >= CONF_CHALLENGE_MIN_BYTES);
	must(!on || strlen(l->label) <= CONF_CHALLENGE_LABEL_MAX);
	must(l->challenge_identity != NULL);
}

static void check_profile(const struct conf_profile *p)
{
	must(p->name[0] != '\0' && p->keys != 0 && p->validity_s >= 0);
	must(p->n_subject > 0 || (p->n_san > 0 && p->san_critical));
	for (size_t i = 0; i < p->n_subject; i++)
		must(p->subject[i].type[0] != '\0' &&
		        p->subject[i].value[0] != '\0');
	for (size_t i = 0; i < p->n_san; i++)
		must(p->san[i].value[0] != '\0');
	for (size_t i = 0; i < p->n_eku; i++)
		must(p->eku[i][0] != '\0');
	for (size_t i = 0; i < p->n_extensions; i++)
		must(p->extensions[i].oid != NULL &&
		        p->extensions[i].der.n > 1);
}

static void check_conf(const struct conf *c)
{
	must(strcmp(c->path, "mica.yaml") == 0);
	must(c->keys_dir[0] != '\0' && c->store.path[0] != '\0');
	must(c->user[0] != '\0' && c->signer_user[0] != '\0');
	must(c->listen.est != NULL && c->listen.http != NULL);
	must(c->listen.n_est_names > 0 && c->limits.connections > 0);
	must((c->listen.est_certificate.path == NULL) ==
	        (c->listen.est_key == NULL));
	must(c->n_authorities > 0);
	for (size_t i = 0; i < c->n_authorities; i++)
		must(c->authorities[i].key->file != NULL &&
		        conf_authority(c, c->authorities[i].name) ==
		                &c->authorities[i]);
	for (size_t i = 0; i < c->n_profiles; i++)
		check_profile(&c->profiles[i]);
	for (size_t i = 0; i < c->n_labels; i++)
		check_label(&c->labels[i]);
	for (size_t i = 0; i < c->n_scep; i++) {
		check_label(&c->scep[i]);
		check_challenge(&c->scep[i]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct conf_errors errors;
	struct bytes in = bytes_of(data, size);
	struct conf *c;
	enum rc rc;

	rc = conf_load(&c, "mica.yaml", in, read_path, NULL, &errors);
	must(rc == RC_OK || rc == RC_CONFIG);
	must((rc == RC_OK) == (c != NULL) && (rc == RC_OK) == (errors.n == 0));
	check_errors(&errors);
	if (c != NULL)
		check_conf(c);
	conf_free(c);
	rc = conf_load_bundle(&c, in, &errors);
	must((rc == RC_OK) == (c != NULL) && (rc == RC_OK) == (errors.n == 0));
	check_errors(&errors);
	conf_free(c);
	return 0;
}
