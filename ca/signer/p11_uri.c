/* ca/signer/p11_uri.c - PKCS#11 URIs, as p11-kit reads them (RFC 7512). */
#include "ca/signer/p11_private.h"

#include <stdlib.h>
#include <string.h>

/* What has another place, in the configuration: a secret there would be shown
 * with it, and the module is code that we run. */
static enum rc refuse(const struct p11_uri *uri, struct why *why)
{
	if (p11_kit_uri_get_pin_value(uri->kit) ||
	        p11_kit_uri_get_pin_source(uri->kit))
		return why_set(why, RC_MALFORMED,
		        "a PIN has no place in a URI: see pin");
	if (p11_kit_uri_get_module_path(uri->kit) ||
	        p11_kit_uri_get_module_name(uri->kit))
		return why_set(why, RC_MALFORMED,
		        "the module has no place in a URI: see module");
	if (p11_kit_uri_any_unrecognized(uri->kit))
		return why_set(
		        why, RC_MALFORMED, "an attribute that is not known");
	return RC_OK;
}

enum rc p11_uri_parse(struct p11_uri **out, const char *text, struct why *why)
{
	struct p11_uri *uri = calloc(1, sizeof(*uri));
	enum rc rc = RC_OK;
	int result;

	*out = NULL;
	if (!uri)
		return RC_NOMEM;
	uri->kit = p11_kit_uri_new();
	uri->text = strdup(text);
	if (!uri->kit || !uri->text) {
		p11_uri_free(uri);
		return RC_NOMEM;
	}
	if (strlen(text) > P11_URI_MAX_BYTES)
		rc = why_set(why, RC_MALFORMED, "too long");
	if (!rc) {
		result = p11_kit_uri_parse(text, P11_KIT_URI_FOR_ANY, uri->kit);
		rc = result == P11_KIT_URI_OK
		        ? refuse(uri, why)
		        : why_set(why, RC_MALFORMED, "%s",
		                  p11_kit_uri_message(result));
	}
	if (rc) {
		p11_uri_free(uri);
		return why_prefix(why, rc, "PKCS#11 URI");
	}
	*out = uri;
	return RC_OK;
}

enum rc p11_uri_copy(struct p11_uri **out, const struct p11_uri *uri)
{
	return p11_uri_parse(out, uri->text, NULL);
}

void p11_uri_free(struct p11_uri *uri)
{
	if (!uri)
		return;
	free(uri->text);
	p11_kit_uri_free(uri->kit);
	free(uri);
}

static struct bytes attribute(const struct p11_uri *uri, CK_ATTRIBUTE_TYPE type)
{
	const CK_ATTRIBUTE *a = p11_kit_uri_get_attribute(uri->kit, type);

	return a ? bytes_of(a->pValue, a->ulValueLen) : BYTES_NONE;
}

struct bytes p11_uri_label(const struct p11_uri *uri)
{
	return attribute(uri, CKA_LABEL);
}

struct bytes p11_uri_id(const struct p11_uri *uri)
{
	return attribute(uri, CKA_ID);
}

bool p11_uri_is_private(const struct p11_uri *uri)
{
	const CK_ATTRIBUTE *a = p11_kit_uri_get_attribute(uri->kit, CKA_CLASS);
	CK_OBJECT_CLASS class;

	if (!a || a->ulValueLen != sizeof(class))
		return a == NULL;
	memcpy(&class, a->pValue, sizeof(class));
	return class == CKO_PRIVATE_KEY;
}

bool p11_uri_is_slot(const struct p11_uri *uri, CK_SLOT_ID id,
        const CK_SLOT_INFO *slot, const CK_TOKEN_INFO *token)
{
	CK_SLOT_ID wanted = p11_kit_uri_get_slot_id(uri->kit);

	return (wanted == (CK_SLOT_ID)-1 || wanted == id) &&
	        p11_kit_uri_match_slot_info(uri->kit, slot) &&
	        p11_kit_uri_match_token_info(uri->kit, token);
}

struct bytes p11_uri_token_label(const struct p11_uri *uri)
{
	const CK_TOKEN_INFO *t = p11_kit_uri_get_token_info(uri->kit);
	size_t n = sizeof(t->label);

	/* One that is not said is zeros; one that is ends in spaces. */
	while (n > 0 && (t->label[n - 1] == ' ' || t->label[n - 1] == '\0'))
		n--;
	return bytes_of(t->label, n);
}

bool p11_uri_is_same_token(const struct p11_uri *a, const struct p11_uri *b)
{
	return memcmp(p11_kit_uri_get_token_info(a->kit),
	               p11_kit_uri_get_token_info(b->kit),
	               sizeof(CK_TOKEN_INFO)) == 0 &&
	        memcmp(p11_kit_uri_get_slot_info(a->kit),
	                p11_kit_uri_get_slot_info(b->kit),
	                sizeof(CK_SLOT_INFO)) == 0 &&
	        p11_kit_uri_get_slot_id(a->kit) ==
	        p11_kit_uri_get_slot_id(b->kit);
}

bool p11_uri_is_module(const struct p11_uri *uri, const CK_INFO *module)
{
	return p11_kit_uri_match_module_info(uri->kit, module);
}
