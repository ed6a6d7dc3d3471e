#include "tests/support/identity.h"

#include <time.h>

#include "tests/support/check.h"

void identity_make(struct identity *id, const char *name, const struct identity *issuer)
{
    check_ok(gnutls_x509_privkey_init(&id->key));
    check_ok(
        gnutls_x509_privkey_generate(id->key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0));
    check_ok(gnutls_x509_crt_init(&id->certificate));
    gnutls_x509_crt_t c = id->certificate;
    unsigned char serial[4] = {1, (unsigned char)name[0], (unsigned char)name[1], (unsigned char)(issuer != NULL)};
    check_ok(gnutls_x509_crt_set_version(c, 3));
    check_ok(gnutls_x509_crt_set_serial(c, serial, sizeof serial));
    check_ok(gnutls_x509_crt_set_dn_by_oid(c, GNUTLS_OID_X520_COMMON_NAME, 0, name, (unsigned)strlen(name)));
    check_ok(
        gnutls_x509_crt_set_subject_alt_name(c, GNUTLS_SAN_DNSNAME, name, (unsigned)strlen(name), GNUTLS_FSAN_SET));
    check_ok(gnutls_x509_crt_set_activation_time(c, time(NULL) - 3600));
    check_ok(gnutls_x509_crt_set_expiration_time(c, time(NULL) + 3600));
    check_ok(gnutls_x509_crt_set_basic_constraints(c, issuer == NULL, -1));
    if (!issuer)
        check_ok(gnutls_x509_crt_set_key_usage(c, GNUTLS_KEY_KEY_CERT_SIGN));
    check_ok(gnutls_x509_crt_set_key(c, id->key));
    check_ok(gnutls_x509_crt_sign2(c, issuer ? issuer->certificate : c, issuer ? issuer->key : id->key,
                                   GNUTLS_DIG_SHA256, 0));
    size_t n = sizeof id->key_pem;
    check_ok(gnutls_x509_privkey_export(id->key, GNUTLS_X509_FMT_PEM, id->key_pem, &n));
    n = sizeof id->certificate_pem;
    check_ok(gnutls_x509_crt_export(c, GNUTLS_X509_FMT_PEM, id->certificate_pem, &n));
}

void identity_free(struct identity *id)
{
    gnutls_x509_crt_deinit(id->certificate);
    gnutls_x509_privkey_deinit(id->key);
}
