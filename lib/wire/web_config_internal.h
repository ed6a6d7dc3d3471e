/* web_config_internal.h - what loading and checking of web_config share. */
#pragma once

#include <gnutls/gnutls.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "lib/wire/web_config.h"

#define WEB_MAC_BYTES 32

/* One of a file: a user with a bcrypt hash, or a named token, of which only the MAC is kept. */
struct web_user {
    char *name, *hash;
    bool known; /* mac is that of the last password that was right */
    uint8_t mac[WEB_MAC_BYTES];
};
struct web_token {
    char *name;
    uint8_t mac[WEB_MAC_BYTES];
};
struct web_config {
    atomic_uint refs;
    gnutls_certificate_credentials_t credentials; /* what the texts say */
    char *certificate, *key, *client_ca;
    bool requires_client_certificate;
    const char *priorities;
    struct web_user *users;
    struct web_token *tokens;
    size_t n_users, n_tokens;
    uint8_t mac_key[WEB_MAC_BYTES]; /* random per load: a MAC tells nothing outside of this process */
    pthread_mutex_t lock;           /* over users[].known and .mac */
};

/* Set *ret to the MAC of the secret for that kind and name. -EIO. */
MUST_USE int web_mac(const struct web_config *wc, char kind, const char *name, struct span secret,
                     uint8_t ret[WEB_MAC_BYTES]);
/* Is it a bcrypt hash as libxcrypt takes it, of a cost that one request may have? NULL, or why not. */
const char *web_hash_problem(const char *hash);
