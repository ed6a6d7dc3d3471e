#include "lib/wire/web_config.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <string.h>

#include "lib/base/file.h"
#include "lib/base/limits.h"
#include "lib/wire/web_config_internal.h"
#include "lib/wire/yaml.h"

#define PEM_BYTES_MAX (1u << 20)  /* a bundle of authorities has some 200 KB */
#define TOKEN_BYTES_MAX 2048u     /* longer ones are not read from a header */
#define WEB_CREDENTIALS_MAX 1000u /* users, and tokens: each request looks through them */

/* What a file may say. */
struct tls_keys {
    const char *cert_file, *key_file, *cert, *key, *client_ca_file, *client_ca, *client_auth_type, *min_version,
        *max_version;
    const struct yaml_node *allowed_sans;
};
static const struct yaml_field TLS_FIELDS[] = {
    {"cert_file", YAML_FIELD_TEXT, offsetof(struct tls_keys, cert_file), 0, 0, 0, NULL},
    {"key_file", YAML_FIELD_TEXT, offsetof(struct tls_keys, key_file), 0, 0, 0, NULL},
    {"cert", YAML_FIELD_TEXT, offsetof(struct tls_keys, cert), 0, 0, 0, NULL},
    {"key", YAML_FIELD_TEXT, offsetof(struct tls_keys, key), 0, 0, 0, NULL},
    {"client_ca_file", YAML_FIELD_TEXT, offsetof(struct tls_keys, client_ca_file), 0, 0, 0, NULL},
    {"client_ca", YAML_FIELD_TEXT, offsetof(struct tls_keys, client_ca), 0, 0, 0, NULL},
    {"client_auth_type", YAML_FIELD_TEXT, offsetof(struct tls_keys, client_auth_type), 0, 0, 0, NULL},
    {"client_allowed_sans", YAML_FIELD_NODE, offsetof(struct tls_keys, allowed_sans), 0, 0, 0, NULL},
    {"min_version", YAML_FIELD_TEXT, offsetof(struct tls_keys, min_version), 0, 0, 0, NULL},
    {"max_version", YAML_FIELD_TEXT, offsetof(struct tls_keys, max_version), 0, 0, 0, NULL},
    {"cipher_suites", YAML_FIELD_IGNORED, 0, 0, 0, 0,
     "authenticated ciphers with forward secrecy are offered, no others"},
    {"prefer_server_cipher_suites", YAML_FIELD_IGNORED, 0, 0, 0, 0, "the server's order is used"},
    {"curve_preferences", YAML_FIELD_IGNORED, 0, 0, 0, 0, "GnuTLS chooses the curve"},
    {0},
};
static const struct yaml_field HTTP_FIELDS[] = {
    {"http2", YAML_FIELD_IGNORED, 0, 0, 0, 0, "this server speaks HTTP/1.1"},
    {"headers", YAML_FIELD_IGNORED, 0, 0, 0, 0, "this server sends strict security headers of its own"},
    {0},
};
struct top_keys {
    const struct yaml_node *tls, *http, *users, *tokens;
};
static const struct yaml_field TOP_FIELDS[] = {
    {"tls_server_config", YAML_FIELD_NODE, offsetof(struct top_keys, tls), 0, 0, 0, NULL},
    {"http_server_config", YAML_FIELD_NODE, offsetof(struct top_keys, http), 0, 0, 0, NULL},
    {"basic_auth_users", YAML_FIELD_NODE, offsetof(struct top_keys, users), 0, 0, 0, NULL},
    {"bearer_token_files", YAML_FIELD_NODE, offsetof(struct top_keys, tokens), 0, 0, 0, NULL},
    {"rate_limit", YAML_FIELD_IGNORED, 0, 0, 0, 0, "the server has limits of its own"},
    {0},
};

/* TLS 1.2 only with authenticated encryption and ephemeral keys: what is left of NORMAL is what Go offers by default. */
#define AEAD_ONLY ":-CIPHER-ALL:+AES-256-GCM:+CHACHA20-POLY1305:+AES-128-GCM:-RSA:-SHA1"
static const struct {
    int min, max; /* TLS 1.x */
    const char *priorities;
} VERSIONS[] = {
    {2, 3, "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2" AEAD_ONLY},
    {3, 3, "NORMAL:-VERS-ALL:+VERS-TLS1.3" AEAD_ONLY},
    {2, 2, "NORMAL:-VERS-ALL:+VERS-TLS1.2" AEAD_ONLY},
};

struct loader {
    struct web_config *wc;
    const struct yaml *doc;
    struct problems *problems;
    int error; /* the first one */
};

static void fail(struct loader *l, int error)
{
    if (!l->error)
        l->error = error;
}

#define FAIL_AT(l, node, ...)                                                                                          \
    do {                                                                                                               \
        yaml_problem((l)->doc, node, (l)->problems, __VA_ARGS__);                                                      \
        fail(l, -EINVAL);                                                                                              \
    } while (0)

static void wipe(char **text)
{
    if (*text)
        explicit_bzero(*text, strlen(*text));
    free(*text);
    *text = NULL;
}

/* A file named in the config, without surrounding blanks; problems stand where it is named. */
static char *read_named(struct loader *l, const struct yaml_node *at, const char *what, size_t max_bytes)
{
    char *data = NULL;
    size_t n = 0;
    AUTO_FREE char *path = path_beside(yaml_file(l->doc), at->text.ptr);
    int r = path ? file_read(path, max_bytes, &data, &n) : -ENOMEM;
    if (r < 0) {
        yaml_problem(l->doc, at, l->problems, "cannot read %s %s: %s", what, path ? path : "", strerror(-r));
        fail(l, r);
        return NULL;
    }
    struct span text = span_trim(span_of(data, n));
    if (text.len == 0 || memchr(text.ptr, '\0', text.len)) {
        FAIL_AT(l, at, "%s %s %s", what, path, text.len == 0 ? "is empty" : "is not text");
        explicit_bzero(data, n);
        free(data);
        return NULL;
    }
    memmove(data, text.ptr, text.len);
    data[text.len] = '\0';
    return data;
}

/* One of the two ways to give a PEM text, or NULL. */
static char *read_pem(struct loader *l, const struct yaml_node *tls, const char *file_key, const char *inline_key)
{
    const struct yaml_node *file = yaml_get(tls, file_key), *text = yaml_get(tls, inline_key);
    bool has_file = file && file->text.len > 0, has_text = text && text->text.len > 0;
    if (has_file && has_text) {
        FAIL_AT(l, text, "both '%s' and '%s' are given", file_key, inline_key);
        return NULL;
    }
    if (has_file)
        return read_named(l, file, file_key, PEM_BYTES_MAX);
    if (!has_text)
        return NULL;
    char *copy = span_dup(text->text);
    if (!copy)
        fail(l, -ENOMEM);
    return copy;
}

/* ---- TLS -------------------------------------------------------------------------------------------------- */

static int version_of(struct loader *l, const struct yaml_node *at, const char *name, int unset)
{
    static const char *const NAMES[] = {"TLS10", "TLS11", "TLS12", "TLS13"};
    if (!name || name[0] == '\0')
        return unset;
    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++)
        if (strcmp(name, NAMES[i]) == 0)
            return (int)i;
    FAIL_AT(l, at, "unknown TLS version '%s': TLS12 or TLS13", name);
    return unset;
}

static void read_versions(struct loader *l, const struct yaml_node *tls, const struct tls_keys *keys)
{
    const struct yaml_node *at_min = yaml_get(tls, "min_version"), *at_max = yaml_get(tls, "max_version");
    int min = version_of(l, at_min, keys->min_version, 2), max = version_of(l, at_max, keys->max_version, 3);
    if (min < 2) {
        problem_add(l->problems, PROBLEM_NOTICE, yaml_file(l->doc), at_min->line, at_min->column,
                    "versions before TLS 1.2 are not offered");
        min = 2;
    }
    for (size_t i = 0; i < ARRAY_LEN(VERSIONS); i++)
        if (VERSIONS[i].min == min && VERSIONS[i].max == max) {
            l->wc->priorities = VERSIONS[i].priorities;
            return;
        }
    FAIL_AT(l, at_max, "max_version leaves no TLS version to offer: TLS12 or TLS13");
}

static void read_client_auth(struct loader *l, const struct yaml_node *tls, const struct tls_keys *keys)
{
    const struct yaml_node *at = yaml_get(tls, "client_auth_type");
    const char *type = keys->client_auth_type ? keys->client_auth_type : "";
    bool require = strcmp(type, "RequireAndVerifyClientCert") == 0;
    if (strcmp(type, "RequestClientCert") == 0 || strcmp(type, "RequireAnyClientCert") == 0 ||
        strcmp(type, "RequireClientCert") == 0 || strcmp(type, "VerifyClientCertIfGiven") == 0) {
        FAIL_AT(l, at, "client_auth_type '%s' is not supported: RequireAndVerifyClientCert or NoClientCert", type);
    } else if (!require && type[0] != '\0' && strcmp(type, "NoClientCert") != 0) {
        FAIL_AT(l, at, "unknown client_auth_type '%s': RequireAndVerifyClientCert or NoClientCert", type);
    } else if (require && !keys->client_ca_file && !keys->client_ca) {
        FAIL_AT(l, at, "client_auth_type %s needs client_ca_file", type);
    } else if (!require && (keys->client_ca_file || keys->client_ca)) {
        FAIL_AT(l, tls, "client_ca is given, but client_auth_type does not ask for a certificate");
    }
    if (keys->allowed_sans && keys->allowed_sans->n > 0)
        FAIL_AT(l, keys->allowed_sans,
                "client_allowed_sans is not supported: every certificate of client_ca would come in");
    l->wc->requires_client_certificate = require;
}

/* What the server would find out when it starts, said here with a place. */
static void make_credentials(struct loader *l, const struct yaml_node *tls)
{
    struct web_config *wc = l->wc;
    if (gnutls_certificate_allocate_credentials(&wc->credentials) < 0) {
        fail(l, -ENOMEM);
        return;
    }
    gnutls_certificate_credentials_t c = wc->credentials;
    gnutls_datum_t cert = {(unsigned char *)wc->certificate, (unsigned)strlen(wc->certificate)};
    gnutls_datum_t key = {(unsigned char *)wc->key, (unsigned)strlen(wc->key)};
    int r = gnutls_certificate_set_x509_key_mem(c, &cert, &key, GNUTLS_X509_FMT_PEM);
    if (r == GNUTLS_E_CERTIFICATE_KEY_MISMATCH)
        FAIL_AT(l, tls, "the key is not the certificate's");
    else if (r < 0)
        FAIL_AT(l, tls, "the certificate or key is no PEM text that can be used: %s", gnutls_strerror(r));
    if (wc->client_ca) {
        gnutls_datum_t ca = {(unsigned char *)wc->client_ca, (unsigned)strlen(wc->client_ca)};
        if (gnutls_certificate_set_x509_trust_mem(c, &ca, GNUTLS_X509_FMT_PEM) <= 0)
            FAIL_AT(l, tls, "the client CA has no certificate in PEM");
    }
}

static void read_tls(struct loader *l, const struct yaml_node *tls)
{
    struct tls_keys keys = {0};
    if (!tls || tls->kind == YAML_NULL || (tls->kind == YAML_MAP && tls->n == 0))
        return;
    if (yaml_read(l->doc, tls, TLS_FIELDS, &keys, l->problems) < 0) {
        fail(l, -EINVAL);
        return;
    }
    read_versions(l, tls, &keys);
    read_client_auth(l, tls, &keys);
    struct web_config *wc = l->wc;
    wc->certificate = read_pem(l, tls, "cert_file", "cert");
    wc->key = read_pem(l, tls, "key_file", "key");
    wc->client_ca = read_pem(l, tls, "client_ca_file", "client_ca");
    if (l->error)
        return;
    if (!wc->certificate || !wc->key)
        FAIL_AT(l, tls, "tls_server_config needs %s", wc->certificate ? "key_file" : "cert_file");
    else
        make_credentials(l, tls);
}

/* ---- credentials ------------------------------------------------------------------------------------------ */

/* A map of at most WEB_CREDENTIALS_MAX texts? Null is none. */
static bool is_credentials_map(struct loader *l, const struct yaml_node *map, const char *name)
{
    if (!map || map->kind == YAML_NULL)
        return false;
    if (map->kind != YAML_MAP) {
        FAIL_AT(l, map, "'%s' must be a map, not %s", name, yaml_kind_name(map));
        return false;
    }
    if (map->n > WEB_CREDENTIALS_MAX) {
        FAIL_AT(l, map, "'%s' has more than %u entries", name, WEB_CREDENTIALS_MAX);
        return false;
    }
    return true;
}

static bool is_text(struct loader *l, const struct yaml_node *node, const char *what)
{
    if (node->kind == YAML_SCALAR && node->text.len > 0 && !memchr(node->text.ptr, '\0', node->text.len) &&
        !memchr(node->key.ptr, '\0', node->key.len))
        return true;
    FAIL_AT(l, node, "'%s' needs %s", node->key.ptr, what);
    return false;
}

static void read_users(struct loader *l, const struct yaml_node *map)
{
    if (!is_credentials_map(l, map, "basic_auth_users"))
        return;
    struct web_config *wc = l->wc;
    wc->users = calloc(map->n + 1, sizeof *wc->users);
    if (!wc->users) {
        fail(l, -ENOMEM);
        return;
    }
    YAML_EACH(map, node)
    {
        if (!is_text(l, node, "a bcrypt hash"))
            continue;
        const char *why = web_hash_problem(node->text.ptr);
        if (node->key.len == 0 || memchr(node->key.ptr, ':', node->key.len)) {
            FAIL_AT(l, node, "a user's name is not empty and has no ':'");
        } else if (why) {
            FAIL_AT(l, node, "the password of '%s' %s", node->key.ptr, why); /* never the text: it may be a password */
        } else {
            struct web_user *u = &wc->users[wc->n_users++];
            u->name = span_dup(node->key);
            u->hash = span_dup(node->text);
            if (!u->name || !u->hash)
                fail(l, -ENOMEM);
        }
    }
}

static void read_tokens(struct loader *l, const struct yaml_node *map)
{
    if (!is_credentials_map(l, map, "bearer_token_files"))
        return;
    struct web_config *wc = l->wc;
    wc->tokens = calloc(map->n + 1, sizeof *wc->tokens);
    if (!wc->tokens) {
        fail(l, -ENOMEM);
        return;
    }
    YAML_EACH(map, node)
    {
        char *token = is_text(l, node, "a file") ? read_named(l, node, "token file", TOKEN_BYTES_MAX) : NULL;
        if (!token)
            continue;
        struct web_token *t = &wc->tokens[wc->n_tokens++];
        t->name = span_dup(node->key);
        int r = t->name ? web_mac(wc, 't', "", span_str(token), t->mac) : -ENOMEM;
        if (r < 0)
            fail(l, r);
        if (strpbrk(token, "\r\n"))
            FAIL_AT(l, node, "the token file of '%s' has more than one line", node->key.ptr);
        wipe(&token);
    }
}

/* ---- the whole -------------------------------------------------------------------------------------------- */

static void read_document(struct loader *l)
{
    struct top_keys keys = {0};
    if (yaml_read(l->doc, yaml_root(l->doc), TOP_FIELDS, &keys, l->problems) < 0)
        fail(l, -EINVAL);
    if (keys.http && yaml_read(l->doc, keys.http, HTTP_FIELDS, &(struct top_keys){0}, l->problems) < 0)
        fail(l, -EINVAL);
    read_tls(l, keys.tls);
    read_users(l, keys.users);
    read_tokens(l, keys.tokens);
}

MUST_USE static int new_config(struct web_config **ret)
{
    struct web_config *wc = calloc(1, sizeof *wc);
    if (!wc)
        return -ENOMEM;
    if (gnutls_rnd(GNUTLS_RND_KEY, wc->mac_key, sizeof wc->mac_key) < 0 || pthread_mutex_init(&wc->lock, NULL) != 0) {
        free(wc);
        return -EIO;
    }
    atomic_init(&wc->refs, 1);
    wc->priorities = VERSIONS[0].priorities;
    *ret = wc;
    return 0;
}

int web_config_load(const char *path, struct web_config **ret, struct problems *problems)
{
    char *text = NULL;
    size_t n = 0;
    int r = file_read(path, CONFIG_BYTES_MAX, &text, &n);
    if (r < 0) {
        problem_add(problems, PROBLEM_ERROR, path, 0, 0, "cannot read: %s", strerror(-r));
        return r;
    }
    struct yaml *doc = NULL;
    r = yaml_parse(path, span_of(text, n), &doc, problems);
    explicit_bzero(text, n); /* hashes, and keys that stand in it */
    free(text);
    if (r < 0)
        return r;
    struct loader l = {.doc = doc, .problems = problems};
    r = new_config(&l.wc);
    if (r == 0) {
        read_document(&l);
        r = l.error;
    }
    yaml_free(doc);
    if (r < 0) {
        web_config_free(l.wc);
        return r;
    }
    *ret = l.wc;
    return 0;
}

struct web_config *web_config_ref(struct web_config *wc)
{
    if (wc)
        atomic_fetch_add(&wc->refs, 1);
    return wc;
}

void web_config_free(struct web_config *wc)
{
    if (!wc || atomic_fetch_sub(&wc->refs, 1) != 1)
        return;
    if (wc->credentials)
        gnutls_certificate_free_credentials(wc->credentials);
    wipe(&wc->certificate);
    wipe(&wc->key);
    wipe(&wc->client_ca);
    for (size_t i = 0; i < wc->n_users; i++) {
        free(wc->users[i].name);
        wipe(&wc->users[i].hash);
    }
    for (size_t i = 0; i < wc->n_tokens; i++)
        free(wc->tokens[i].name);
    free(wc->users);
    free(wc->tokens);
    pthread_mutex_destroy(&wc->lock);
    explicit_bzero(wc, sizeof *wc);
    free(wc);
}

bool web_config_wants_auth(const struct web_config *wc)
{
    return wc && (wc->n_users > 0 || wc->n_tokens > 0);
}

bool web_config_has_tls(const struct web_config *wc)
{
    return wc && wc->certificate;
}

const char *web_config_certificate(const struct web_config *wc)
{
    return wc->certificate;
}

const char *web_config_key(const struct web_config *wc)
{
    return wc->key;
}

const char *web_config_client_ca(const struct web_config *wc)
{
    return wc->client_ca;
}

struct gnutls_certificate_credentials_st *web_config_credentials(const struct web_config *wc)
{
    return wc->credentials;
}

bool web_config_requires_client_certificate(const struct web_config *wc)
{
    return wc && wc->requires_client_certificate;
}

const char *web_config_priorities(const struct web_config *wc)
{
    return wc->priorities;
}
