/* mbedtls_crl ROOT ISSUING CRL CERT: what Mbed TLS says of a certificate by that
 * CRL: "good", "revoked", or the reason that it gives. */
#include <mbedtls/x509_crl.h>
#include <mbedtls/x509_crt.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char *argv[])
{
	mbedtls_x509_crt roots, chain;
	mbedtls_x509_crl crl;
	char text[1024] = "";
	uint32_t flags = 0;
	int rc;

	mbedtls_x509_crt_init(&roots);
	mbedtls_x509_crt_init(&chain);
	mbedtls_x509_crl_init(&crl);
	if (argc != 5 || mbedtls_x509_crt_parse_file(&roots, argv[1]) != 0 ||
	        mbedtls_x509_crt_parse_file(&chain, argv[4]) != 0 ||
	        mbedtls_x509_crt_parse_file(&chain, argv[2]) != 0) {
		puts("cannot read the certificates");
		return 1;
	}
	rc = mbedtls_x509_crl_parse_file(&crl, argv[3]);
	if (rc != 0) {
		printf("the CRL is refused: -0x%04x\n", (unsigned)-rc);
		return 1;
	}
	rc = mbedtls_x509_crt_verify(
	        &chain, &roots, &crl, NULL, &flags, NULL, NULL);
	if (rc == 0)
		puts("good");
	else if (flags == MBEDTLS_X509_BADCERT_REVOKED)
		puts("revoked");
	else {
		mbedtls_x509_crt_verify_info(text, sizeof(text), "", flags);
		printf("%s", text);
	}
	mbedtls_x509_crt_free(&roots);
	mbedtls_x509_crt_free(&chain);
	mbedtls_x509_crl_free(&crl);
	return 0;
}
