/* A configuration and what it depends on as one run of bytes: u32 magic, path,
 * YAML, u32 files (path, content), u32 ids (u8 is_group, name, u32 id). */
#include "base/pack.h"
#include "conf/error.h"
#include "conf/source.h"

#include <string.h>

#define BUNDLE_MAGIC 0x6d636231u /* "mcb1" */
#define BUNDLE_PATH_MAX 4096

static void pack_files(struct buf *out, const struct load *l)
{
	uint32_t n = 0;

	for (const struct load_file *f = l->files; f != NULL; f = f->next)
		n++;
	pack_u32(out, n);
	for (const struct load_file *f = l->files; f != NULL; f = f->next) {
		pack_str(out, f->path);
		pack_bytes(out, f->content);
	}
}

static void pack_ids(struct buf *out, const struct load *l)
{
	uint32_t n = 0;

	for (const struct load_id *i = l->ids; i != NULL; i = i->next)
		n++;
	pack_u32(out, n);
	for (const struct load_id *i = l->ids; i != NULL; i = i->next) {
		pack_u8(out, i->is_group);
		pack_str(out, i->name);
		pack_u32(out, i->id);
	}
}

enum rc conf_bundle(
        const char *path, struct buf *out, struct conf_errors *errors)
{
	struct buf yaml = BUF_INIT(CONF_FILE_MAX_BYTES);
	struct load *l = NULL;
	enum rc rc = source_load_disk(&l, path, &yaml, errors);

	if (rc == RC_OK) {
		pack_u32(out, BUNDLE_MAGIC);
		pack_str(out, path);
		pack_bytes(out, buf_bytes(&yaml));
		pack_files(out, l);
		pack_ids(out, l);
		rc = out->failed == RC_OK ? RC_OK : RC_NOMEM;
		conf_free(&l->conf);
	}
	buf_free(&yaml);
	return rc;
}

/* Views into the bundle: where its files and its ids begin. */
struct bundle {
	struct unpack files;
	struct unpack ids;
};

static enum rc bundle_read(
        void *ctx, const char *path, struct buf *out, struct why *why)
{
	struct unpack u = ((const struct bundle *)ctx)->files;
	uint32_t n = unpack_u32(&u);

	for (uint32_t i = 0; i < n && !u.failed; i++) {
		struct bytes name = unpack_bytes(&u);
		struct bytes content = unpack_bytes(&u);

		if (bytes_eq_str(name, path) && !u.failed) {
			buf_add(out, content);
			return out->failed;
		}
	}
	return why_set(why, RC_NOTFOUND, "not in the bundle");
}

static bool bundle_id(void *ctx, bool is_group, const char *name, uint32_t *id)
{
	struct unpack u = ((const struct bundle *)ctx)->ids;
	uint32_t n = unpack_u32(&u);

	for (uint32_t i = 0; i < n && !u.failed; i++) {
		bool group = unpack_u8(&u) != 0;
		struct bytes known = unpack_bytes(&u);
		uint32_t value = unpack_u32(&u);

		if (group == is_group && bytes_eq_str(known, name)) {
			*id = value;
			return !u.failed;
		}
	}
	return false;
}

/* Find the two tables and prove that the whole is well formed. */
static bool bundle_open(struct bundle *b, struct unpack u)
{
	uint32_t n;

	b->files = u;
	n = unpack_u32(&u);
	for (uint32_t i = 0; i < n && !u.failed; i++) {
		(void)unpack_bytes(&u);
		(void)unpack_bytes(&u);
	}
	b->ids = u;
	n = unpack_u32(&u);
	for (uint32_t i = 0; i < n && !u.failed; i++) {
		(void)unpack_u8(&u);
		(void)unpack_bytes(&u);
		(void)unpack_u32(&u);
	}
	return unpack_done(&u);
}

enum rc conf_load_bundle(
        struct conf **out, struct bytes bundle, struct conf_errors *errors)
{
	struct unpack u = unpack_of(bundle);
	struct bundle b;
	struct load_source source = { bundle_read, bundle_read, bundle_id, &b };
	char path[BUNDLE_PATH_MAX];
	struct bytes yaml;
	struct load *l;
	uint32_t magic;
	enum rc rc;

	*out = NULL;
	errors->n = 0;
	errors->more = false;
	magic = unpack_u32(&u);
	unpack_str(&u, path, sizeof(path));
	yaml = unpack_bytes(&u);
	if (magic != BUNDLE_MAGIC || !bundle_open(&b, u)) {
		error_add(errors, 0, 0, "", "is not a configuration bundle");
		return RC_CONFIG;
	}
	rc = load_new(&l, path, yaml, &source, errors);
	*out = rc == RC_OK ? &l->conf : NULL;
	return rc;
}
