/* identity.h - keys and certificates made when a test runs, so that none expires in the repository.
 *
 *   struct identity ca, server;
 *   identity_make(&ca, "ca.test", NULL);             // signs itself, may sign others
 *   identity_make(&server, "shop.test", &ca);        // for the host name shop.test, one hour
 *   ...server.certificate_pem, server.key_pem...
 *   identity_free(&server); */
#pragma once

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

struct identity {
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t certificate;
    char key_pem[4096], certificate_pem[4096];
};
void identity_make(struct identity *id, const char *name, const struct identity *issuer);
void identity_free(struct identity *id);
