/* ca/signer/p11_sign.c - signatures and decryption by keys in a token. */
#include "ca/signer/p11_key.h"
#include "der/reader.h"
#include "der/writer.h"

#include <string.h>

/* DigestInfo up to its digest (RFC 8017 section 9.2, note 1). */
static const uint8_t info_sha256[] = { 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60,
	0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04,
	0x20 };
static const uint8_t info_sha384[] = { 0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60,
	0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0x00, 0x04,
	0x30 };
static const uint8_t info_sha512[] = { 0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60,
	0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03, 0x05, 0x00, 0x04,
	0x40 };
#define INFO_MAX_BYTES (sizeof(info_sha512) + 64)

static struct bytes digest_info(enum sig_alg alg)
{
	switch (alg) {
	case ALG_RSA_SHA256:
		return BYTES_ARRAY(info_sha256);
	case ALG_RSA_SHA384:
		return BYTES_ARRAY(info_sha384);
	case ALG_RSA_SHA512:
		return BYTES_ARRAY(info_sha512);
	default:
		return BYTES_NONE;
	}
}

/* Salt as long as the digest (RFC 4055 section 3.1). */
static CK_RSA_PKCS_PSS_PARAMS pss_params(enum sig_alg alg)
{
	switch (alg) {
	case ALG_RSA_PSS_SHA384:
		return (CK_RSA_PKCS_PSS_PARAMS){ CKM_SHA384, CKG_MGF1_SHA384,
			48 };
	case ALG_RSA_PSS_SHA512:
		return (CK_RSA_PKCS_PSS_PARAMS){ CKM_SHA512, CKG_MGF1_SHA512,
			64 };
	default:
		return (CK_RSA_PKCS_PSS_PARAMS){ CKM_SHA256, CKG_MGF1_SHA256,
			32 };
	}
}

static CK_MECHANISM mechanism_for(enum sig_alg alg, CK_RSA_PKCS_PSS_PARAMS *pss)
{
	switch (alg) {
	case ALG_ECDSA_SHA256:
	case ALG_ECDSA_SHA384:
	case ALG_ECDSA_SHA512:
		return (CK_MECHANISM){ CKM_ECDSA, NULL, 0 };
	case ALG_ED25519:
		return (CK_MECHANISM){ CKM_EDDSA, NULL, 0 };
	case ALG_RSA_PSS_SHA256:
	case ALG_RSA_PSS_SHA384:
	case ALG_RSA_PSS_SHA512:
		*pss = pss_params(alg);
		return (CK_MECHANISM){ CKM_RSA_PKCS_PSS, pss, sizeof(*pss) };
	default:
		return (CK_MECHANISM){ CKM_RSA_PKCS, NULL, 0 };
	}
}

static bool is_zero(struct bytes v)
{
	uint8_t all = 0;

	for (size_t i = 0; i < v.n; i++)
		all |= v.p[i];
	return all == 0;
}

/* r and s side by side (PKCS#11 2.40 section 2.3.1) as Ecdsa-Sig-Value (RFC
 * 3279 section 2.2.3). Neither is zero; longer than the curve's order is no
 * signature of such a key. */
static enum rc put_ecdsa(struct buf *out, struct bytes raw, struct why *why)
{
	struct bytes r = bytes_slice(raw, 0, raw.n / 2);
	struct bytes s = bytes_skip(raw, raw.n / 2);
	size_t seq;

	if ((raw.n != 64 && raw.n != 96) || is_zero(r) || is_zero(s))
		return why_set(why, RC_BADSIG,
		        "the token gave %zu bytes that are no ECDSA signature",
		        raw.n);
	seq = der_begin(out, DER_SEQUENCE);
	der_put_unsigned(out, r);
	der_put_unsigned(out, s);
	der_end(out, seq);
	return out->failed;
}

enum rc p11_sign(struct p11_session *s, CK_OBJECT_HANDLE key, enum sig_alg alg,
        struct bytes input, struct buf *out, struct why *why)
{
	const CK_FUNCTION_LIST *f = p11_functions(p11_session_token(s));
	CK_SESSION_HANDLE session = p11_session_handle(s);
	uint8_t raw[P11_SIGNATURE_MAX_BYTES], info[INFO_MAX_BYTES];
	struct bytes head = digest_info(alg);
	CK_ULONG n = sizeof(raw);
	CK_RSA_PKCS_PSS_PARAMS pss;
	CK_MECHANISM mechanism = mechanism_for(alg, &pss);
	CK_RV rv;

	if (head.n > 0) {
		if (head.n + input.n > sizeof(info))
			return RC_INTERNAL;
		memcpy(info, head.p, head.n);
		memcpy(info + head.n, input.p, input.n);
		input = bytes_of(info, head.n + input.n);
	}
	rv = f->C_SignInit(session, &mechanism, key);
	if (rv != CKR_OK)
		return p11_failed(why, rv, "C_SignInit");
	rv = f->C_Sign(
	        session, (CK_BYTE *)(uintptr_t)input.p, input.n, raw, &n);
	if (rv != CKR_OK)
		return p11_failed(why, rv, "C_Sign");
	if (n == 0 || n > sizeof(raw))
		return why_set(why, RC_BADSIG, "the token gave %lu bytes", n);
	if (mechanism.mechanism == CKM_ECDSA)
		return put_ecdsa(out, bytes_of(raw, n), why);
	buf_add(out, bytes_of(raw, n));
	return out->failed;
}

/* Of a session that is there: what no padding has to do with. */
static bool is_lost(CK_RV rv)
{
	switch (rv) {
	case CKR_SESSION_CLOSED:
	case CKR_SESSION_HANDLE_INVALID:
	case CKR_USER_NOT_LOGGED_IN:
	case CKR_OBJECT_HANDLE_INVALID:
	case CKR_KEY_HANDLE_INVALID:
	case CKR_OPERATION_NOT_INITIALIZED:
	case CKR_DEVICE_REMOVED:
	case CKR_TOKEN_NOT_PRESENT:
	case CKR_CRYPTOKI_NOT_INITIALIZED:
	case CKR_HOST_MEMORY:
		return true;
	default:
		return false;
	}
}

enum rc p11_decrypt(struct p11_session *s, CK_OBJECT_HANDLE key, bool raw,
        struct bytes cipher, uint8_t *room, size_t *n, struct why *why)
{
	const CK_FUNCTION_LIST *f = p11_functions(p11_session_token(s));
	CK_SESSION_HANDLE session = p11_session_handle(s);
	CK_MECHANISM mechanism = { raw ? CKM_RSA_X_509 : CKM_RSA_PKCS, NULL,
		0 };
	CK_SESSION_INFO info;
	CK_ULONG got = *n;
	CK_RV lost, rv = f->C_DecryptInit(session, &mechanism, key);

	if (rv != CKR_OK)
		return p11_failed(why, rv, "C_DecryptInit");
	rv = f->C_Decrypt(
	        session, (CK_BYTE *)(uintptr_t)cipher.p, cipher.n, room, &got);
	/* Modules say in many words that the padding is wrong, vendors' own among
	 * them, and in the same ones that the token went away. Asked whatever
	 * came, so that the time does not tell. */
	lost = f->C_GetSessionInfo(session, &info);
	if (lost != CKR_OK)
		return p11_failed(why, lost, "C_GetSessionInfo");
	if (rv != CKR_OK)
		return p11_failed(why,
		        is_lost(rv) ? rv : CKR_ENCRYPTED_DATA_INVALID,
		        "C_Decrypt");
	*n = got;
	return RC_OK;
}
