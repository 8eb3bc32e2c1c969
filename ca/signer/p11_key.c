/* ca/signer/p11_key.c - a private key in a token, and its public half. */
#include "ca/signer/p11_key.h"

#include "ca/signer/p11_private.h"
#include "der/oid.h"
#include "der/reader.h"

#include <openssl/err.h>
#include <openssl/x509.h>

#define VALUE_MAX_BYTES 65536 /* of one attribute: a certificate */

static const CK_FUNCTION_LIST *functions(const struct p11_session *s)
{
	return p11_functions(p11_session_token(s));
}

/* --- attributes and objects */

enum rc p11_attribute(struct p11_session *s, CK_OBJECT_HANDLE object,
        CK_ATTRIBUTE_TYPE type, struct buf *out, struct why *why)
{
	CK_ATTRIBUTE a = { type, NULL, 0 };
	CK_RV rv = functions(s)->C_GetAttributeValue(
	        p11_session_handle(s), object, &a, 1);
	uint8_t *room;

	if (rv == CKR_ATTRIBUTE_TYPE_INVALID || rv == CKR_ATTRIBUTE_SENSITIVE ||
	        (rv == CKR_OK && a.ulValueLen == CK_UNAVAILABLE_INFORMATION))
		return why_set(why, RC_NOTFOUND,
		        "the object has no attribute 0x%lx",
		        (unsigned long)type);
	if (rv != CKR_OK)
		return p11_failed(why, rv, "C_GetAttributeValue");
	if (a.ulValueLen == 0)
		return RC_OK;
	room = buf_room(out, a.ulValueLen);
	if (!room)
		return out->failed;
	a.pValue = room;
	rv = functions(s)->C_GetAttributeValue(
	        p11_session_handle(s), object, &a, 1);
	if (rv != CKR_OK)
		return p11_failed(why, rv, "C_GetAttributeValue");
	buf_added(out, a.ulValueLen);
	return RC_OK;
}

static enum rc get_number(struct p11_session *s, CK_OBJECT_HANDLE object,
        CK_ATTRIBUTE_TYPE type, CK_ULONG *out, struct why *why)
{
	CK_ATTRIBUTE a = { type, out, sizeof(*out) };
	CK_RV rv = functions(s)->C_GetAttributeValue(
	        p11_session_handle(s), object, &a, 1);

	return rv == CKR_OK ? RC_OK
	                    : p11_failed(why, rv, "C_GetAttributeValue");
}

/* The one object of that class with these; a view that is empty says nothing.
 * RC_NOTFOUND RC_CONFLICT */
static enum rc find_object(struct p11_session *s, CK_OBJECT_CLASS class,
        struct bytes label, struct bytes id, CK_OBJECT_HANDLE *out,
        struct why *why)
{
	const CK_FUNCTION_LIST *f = functions(s);
	CK_ATTRIBUTE template[3] = { { CKA_CLASS, &class, sizeof(class) } };
	CK_OBJECT_HANDLE found[2];
	CK_ULONG n = 1, n_found = 0;
	CK_RV rv;

	if (label.n > 0)
		template[n++] = (CK_ATTRIBUTE){ CKA_LABEL,
			(void *)(uintptr_t)label.p, label.n };
	if (id.n > 0)
		template[n++] =
		        (CK_ATTRIBUTE){ CKA_ID, (void *)(uintptr_t)id.p, id.n };
	rv = f->C_FindObjectsInit(p11_session_handle(s), template, n);
	if (rv != CKR_OK)
		return p11_failed(why, rv, "C_FindObjectsInit");
	rv = f->C_FindObjects(p11_session_handle(s), found, 2, &n_found);
	(void)f->C_FindObjectsFinal(p11_session_handle(s));
	if (rv != CKR_OK)
		return p11_failed(why, rv, "C_FindObjects");
	if (n_found == 0)
		return why_set(why, RC_NOTFOUND, "no such object");
	*out = found[0];
	return n_found == 1
	        ? RC_OK
	        : why_set(why, RC_CONFLICT, "more than one object matches");
}

enum rc p11_key_find(struct p11_session *s, const struct p11_uri *uri,
        CK_OBJECT_HANDLE *out, struct why *why)
{
	struct bytes label = p11_uri_label(uri), id = p11_uri_id(uri);
	CK_BBOOL each = CK_FALSE;
	CK_ATTRIBUTE always = { CKA_ALWAYS_AUTHENTICATE, &each, sizeof(each) };
	enum rc rc;

	if ((label.n == 0 && id.n == 0) || !p11_uri_is_private(uri))
		return why_set(why, RC_MALFORMED,
		        "the URI names no private key by object or id");
	rc = find_object(s, CKO_PRIVATE_KEY, label, id, out, why);
	if (rc)
		return why_prefix(why, rc, "private key in token %s",
		        p11_token_label(p11_session_token(s)));
	/* Modules that do not know the attribute have no such keys. */
	if (functions(s)->C_GetAttributeValue(
	            p11_session_handle(s), *out, &always, 1) == CKR_OK &&
	        each == CK_TRUE)
		return why_set(why, RC_UNSUPPORTED,
		        "the key wants its PIN for each signature");
	return RC_OK;
}

/* --- the public half */

/* What objects of one pair have in common. */
struct pair {
	struct buf label, id;
};

static enum rc find_pair(struct p11_session *s, const struct pair *p,
        CK_OBJECT_CLASS class, CK_OBJECT_HANDLE *out, struct why *why)
{
	if (p->id.n == 0 && p->label.n == 0)
		return why_set(why, RC_NOTFOUND, "no label and no id");
	return find_object(s, class,
	        p->id.n > 0 ? BYTES_NONE : buf_bytes(&p->label),
	        buf_bytes(&p->id), out, why);
}

/* CKA_EC_POINT is an OCTET STRING around the point (PKCS#11 2.40 section
 * 2.3.3), and in some modules the point alone. Lengths tell them apart. */
static enum rc put_point(struct buf *out, enum key_type type,
        struct bytes value, size_t n, struct why *why)
{
	if (value.n == n + 2 && value.p[0] == DER_OCTET_STRING &&
	        value.p[1] == n)
		value = bytes_skip(value, 2);
	if (value.n != n)
		return why_set(why, RC_UNSUPPORTED,
		        "a point of %zu bytes where %zu were expected", value.n,
		        n);
	spki_put_raw(out, type, value);
	return out->failed;
}

static enum rc curve_of(
        struct bytes params, enum key_type *type, size_t *n, struct why *why)
{
	struct bytes oid = bytes_skip(params, 2);
	bool named =
	        params.n > 2 && params.p[0] == DER_OID && params.p[1] == oid.n;

	if (named && oid_is(oid, OID_P256)) {
		*type = KEY_P256;
		*n = 65;
	} else if (named && oid_is(oid, OID_P384)) {
		*type = KEY_P384;
		*n = 97;
	} else {
		return why_set(
		        why, RC_UNSUPPORTED, "a curve that is not used here");
	}
	return RC_OK;
}

static enum rc put_ec(struct p11_session *s, CK_OBJECT_HANDLE object,
        CK_KEY_TYPE kind, struct buf *out, struct why *why)
{
	struct buf params = BUF_INIT(256), point = BUF_INIT(256);
	enum key_type type = KEY_ED25519;
	size_t n = 32;
	enum rc rc = p11_attribute(s, object, CKA_EC_POINT, &point, why);

	if (!rc && kind == CKK_EC) {
		rc = p11_attribute(s, object, CKA_EC_PARAMS, &params, why);
		if (!rc)
			rc = curve_of(buf_bytes(&params), &type, &n, why);
	}
	if (!rc && point.n == 0)
		rc = why_set(why, RC_NOTFOUND, "the object shows no point");
	if (!rc)
		rc = put_point(out, type, buf_bytes(&point), n, why);
	buf_free(&params);
	buf_free(&point);
	return rc;
}

static enum rc put_rsa(struct p11_session *s, CK_OBJECT_HANDLE object,
        struct buf *out, struct why *why)
{
	struct buf n = BUF_INIT(SPKI_RSA_MAX_BYTES + 1), e = BUF_INIT(64);
	enum rc rc = p11_attribute(s, object, CKA_MODULUS, &n, why);

	if (!rc)
		rc = p11_attribute(s, object, CKA_PUBLIC_EXPONENT, &e, why);
	if (!rc && (n.n == 0 || e.n == 0))
		rc = why_set(why, RC_NOTFOUND, "the object shows no modulus");
	if (!rc) {
		spki_put_rsa(out, buf_bytes(&n), buf_bytes(&e));
		rc = out->failed;
	}
	buf_free(&n);
	buf_free(&e);
	return rc;
}

/* By the attributes of a public key, which a private one may have too. */
static enum rc put_public(struct p11_session *s, CK_OBJECT_HANDLE object,
        struct buf *out, struct why *why)
{
	CK_ULONG kind = 0;
	enum rc rc = get_number(s, object, CKA_KEY_TYPE, &kind, why);

	if (rc)
		return rc;
	switch (kind) {
	case CKK_EC:
	case CKK_EC_EDWARDS:
		return put_ec(s, object, kind, out, why);
	case CKK_RSA:
		return put_rsa(s, object, out, why);
	default:
		return why_set(why, RC_UNSUPPORTED,
		        "keys of type 0x%lx are not used here",
		        (unsigned long)kind);
	}
}

static enum rc put_from_pair(struct p11_session *s, const struct pair *p,
        struct buf *out, struct why *why)
{
	CK_OBJECT_HANDLE object;
	enum rc rc = find_pair(s, p, CKO_PUBLIC_KEY, &object, why);

	return rc ? rc : put_public(s, object, out, why);
}

static enum rc put_spki_of(
        struct bytes certificate, struct buf *out, struct why *why)
{
	const unsigned char *p = certificate.p;
	X509 *x = d2i_X509(NULL, &p, (long)certificate.n);
	unsigned char *der = NULL;
	int n = x ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der) : -1;

	if (n > 0)
		buf_add(out, bytes_of(der, (size_t)n));
	OPENSSL_free(der);
	X509_free(x);
	ERR_clear_error();
	return n > 0 ? out->failed
	             : why_set(why, RC_MALFORMED, "not a certificate");
}

static enum rc put_from_certificate(struct p11_session *s, const struct pair *p,
        struct buf *out, struct why *why)
{
	struct buf der = BUF_INIT(VALUE_MAX_BYTES);
	CK_OBJECT_HANDLE object;
	enum rc rc = find_pair(s, p, CKO_CERTIFICATE, &object, why);

	if (!rc)
		rc = p11_attribute(s, object, CKA_VALUE, &der, why);
	if (!rc)
		rc = put_spki_of(buf_bytes(&der), out, why);
	buf_free(&der);
	return rc;
}

/* Whether this way gave none, and the next is worth a try. */
static bool gave_none(enum rc rc, const struct buf *out, size_t before)
{
	return (rc == RC_NOTFOUND || rc == RC_CONFLICT ||
	               rc == RC_UNSUPPORTED) &&
	        out->n == before && !out->failed;
}

enum rc p11_key_public(struct p11_session *s, CK_OBJECT_HANDLE key,
        struct buf *out, struct why *why)
{
	struct pair p = { BUF_INIT(P11_LABEL_MAX_BYTES),
		BUF_INIT(P11_LABEL_MAX_BYTES) };
	size_t before = out->n;
	struct why last = WHY_NONE;
	enum rc rc = put_public(s, key, out, why);

	if (!gave_none(rc, out, before))
		return rc;
	rc = p11_attribute(s, key, CKA_ID, &p.id, &last);
	if (!rc || rc == RC_NOTFOUND)
		rc = p11_attribute(s, key, CKA_LABEL, &p.label, &last);
	if (!rc || rc == RC_NOTFOUND)
		rc = put_from_pair(s, &p, out, why);
	if (gave_none(rc, out, before))
		rc = put_from_certificate(s, &p, out, &last);
	if (gave_none(rc, out, before))
		rc = why_set(why, RC_NOTFOUND,
		        "no public key and no certificate beside the private "
		        "key");
	buf_free(&p.label);
	buf_free(&p.id);
	return rc;
}
