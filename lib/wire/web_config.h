/* web_config.h - who may come in: Prometheus's web-config file (tls_server_config, basic_auth_users with bcrypt) and
 * bearer tokens from files (our key bearer_token_files: {name: file}).
 *
 *   struct web_config *wc;
 *   r = web_config_load("web.yml", &wc, &problems);
 *   const char *user = NULL;
 *   if (web_config_check(wc, authorization_header, &user) == 0) ...
 *
 * Format: github.com/prometheus/exporter-toolkit docs/web-configuration.md. What we do not honour is refused when leaving it
 * out would let in more than the file says (client_allowed_sans, a certificate that is asked for but not verified), and a notice
 * otherwise. bcrypt through libxcrypt; a bcrypt check takes tens of milliseconds, so each user's last success is remembered
 * by a keyed hash. Comparisons are constant-time. Immutable after loading but for that memory (locked inside); counted, so that
 * a server can take a new one while requests still hold the old one. */
#pragma once

#include "lib/base/problem.h"
#include "lib/base/span.h"

struct web_config;
/* -EINVAL or -errno with problems added (unknown keys, unreadable files, a hash that is not bcrypt, min_version unknown,
 * a key that is not the certificate's). Files are relative to the folder of path. An empty file asks for nothing. */
MUST_USE int web_config_load(const char *path, struct web_config **ret, struct problems *problems);
/* One holder more; web_config_free lets go of one, the last frees it. NULL is fine for both. */
struct web_config *web_config_ref(struct web_config *wc);
void web_config_free(struct web_config *wc);
bool web_config_wants_auth(const struct web_config *wc); /* NULL: no */
bool web_config_has_tls(const struct web_config *wc);    /* NULL: no */
/* PEM texts, NUL-terminated, for the server; NULL when not given. */
const char *web_config_certificate(const struct web_config *wc);
const char *web_config_key(const struct web_config *wc);
const char *web_config_client_ca(const struct web_config *wc);
/* The same as gnutls_certificate_credentials_t, with the client CA as trust; NULL without TLS. Lives as long as wc. */
struct gnutls_certificate_credentials_st *web_config_credentials(const struct web_config *wc);
bool web_config_requires_client_certificate(const struct web_config *wc); /* NULL: no */
/* GnuTLS priority string for min_version (TLS12 default, TLS13) and max_version. */
const char *web_config_priorities(const struct web_config *wc);
/* 0: allowed; *ret_user is the user or token name (in wc's memory), NULL when no credentials are wanted. -EACCES. */
MUST_USE int web_config_check(struct web_config *wc, struct span authorization, const char **ret_user);
