#include <crypt.h>
#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <string.h>

#include "lib/base/number.h"
#include "lib/wire/web_config_internal.h"

#define COST_MIN 4
#define COST_MAX 15               /* some 2 s for one guess; 31 would take days */
#define CREDENTIAL_BYTES_MAX 2048 /* user:password in base64, or a token: beyond, nobody's */

int web_mac(const struct web_config *wc, char kind, const char *name, struct span secret, uint8_t ret[WEB_MAC_BYTES])
{
    gnutls_hmac_hd_t hmac;
    if (gnutls_hmac_init(&hmac, GNUTLS_MAC_SHA256, wc->mac_key, sizeof wc->mac_key) < 0)
        return -EIO;
    int r = gnutls_hmac(hmac, &kind, 1);
    if (r == 0) /* with its NUL: name and secret cannot run into each other */
        r = gnutls_hmac(hmac, name, strlen(name) + 1);
    if (r == 0 && secret.len > 0)
        r = gnutls_hmac(hmac, secret.ptr, secret.len);
    gnutls_hmac_deinit(hmac, r == 0 ? ret : NULL);
    return r == 0 ? 0 : -EIO;
}

const char *web_hash_problem(const char *hash)
{
    static const char DIGITS[] = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    uint64_t cost;
    if (strlen(hash) != 60 || hash[0] != '$' || hash[1] != '2' || !strchr("aby", hash[2]) || hash[3] != '$' ||
        hash[6] != '$' || strspn(hash + 7, DIGITS) != 53 || parse_u64_span(span_of(hash + 4, 2), 31, &cost) < 0 ||
        cost < COST_MIN)
        return "is not a bcrypt hash ($2y$, 60 characters; make one with: htpasswd -nBC 10 USER)";
    return cost > COST_MAX ? "has a bcrypt cost over 15: every wrong password would take seconds" : NULL;
}

static bool bcrypt_fits(const char *password, const char *hash)
{
    struct crypt_data *data = calloc(1, sizeof *data); /* 32 KB: not for a thread's stack */
    if (!data)
        return false;
    const char *got = crypt_r(password, hash, data);
    size_t n = strlen(hash);
    bool fits = got && strlen(got) == n && gnutls_memcmp(got, hash, n) == 0;
    explicit_bzero(data, sizeof *data);
    free(data);
    return fits;
}

static int base64_digit(char c)
{
    return c >= 'A' && c <= 'Z'   ? c - 'A'
           : c >= 'a' && c <= 'z' ? c - 'a' + 26
           : c >= '0' && c <= '9' ? c - '0' + 52
           : c == '+'             ? 62
           : c == '/'             ? 63
                                  : -1;
}

/* RFC 4648 with padding, nothing else. The text is NUL-terminated. */
MUST_USE static int decode_base64(struct span in, char *out, size_t *ret_len)
{
    size_t n = 0, pad = 0;
    if (in.len == 0 || in.len % 4 != 0)
        return -EINVAL;
    while (pad < 2 && in.ptr[in.len - 1 - pad] == '=')
        pad++;
    uint32_t bits = 0;
    for (size_t i = 0; i < in.len; i++) {
        bool is_pad = i >= in.len - pad;
        int digit = is_pad ? 0 : base64_digit(in.ptr[i]);
        if (digit < 0)
            return -EINVAL;
        bits = bits << 6 | (uint32_t)digit;
        if (i % 4 == 3) {
            out[n++] = (char)(bits >> 16);
            out[n++] = (char)(bits >> 8);
            out[n++] = (char)bits;
            bits = 0;
        }
    }
    n -= pad;
    out[n] = '\0';
    *ret_len = n;
    return 0;
}

static bool is_remembered(struct web_config *wc, const struct web_user *user, const uint8_t mac[WEB_MAC_BYTES])
{
    pthread_mutex_lock(&wc->lock);
    bool same = user->known && gnutls_memcmp(user->mac, mac, WEB_MAC_BYTES) == 0;
    pthread_mutex_unlock(&wc->lock);
    return same;
}

static void remember(struct web_config *wc, struct web_user *user, const uint8_t mac[WEB_MAC_BYTES])
{
    pthread_mutex_lock(&wc->lock);
    memcpy(user->mac, mac, WEB_MAC_BYTES);
    user->known = true;
    pthread_mutex_unlock(&wc->lock);
}

/* credentials: "user:password", NUL-terminated, n bytes. */
MUST_USE static int check_password(struct web_config *wc, char *credentials, size_t n, const char **ret_user)
{
    char *colon = memchr(credentials, ':', n);
    if (!colon || memchr(credentials, '\0', n)) /* a zero byte would end the password early for bcrypt */
        return -EACCES;
    *colon = '\0';
    const char *password = colon + 1;
    struct web_user *user = NULL;
    for (size_t i = 0; i < wc->n_users; i++)
        if (strcmp(wc->users[i].name, credentials) == 0)
            user = &wc->users[i];
    uint8_t mac[WEB_MAC_BYTES];
    bool have_mac = user && web_mac(wc, 'u', user->name, span_str(password), mac) == 0;
    if (have_mac && is_remembered(wc, user, mac)) {
        *ret_user = user->name;
        return 0;
    }
    /* an unknown user costs what a known one costs, so the time does not tell names */
    bool fits = bcrypt_fits(password, user ? user->hash : wc->users[0].hash);
    if (!user || !fits)
        return -EACCES;
    if (have_mac)
        remember(wc, user, mac);
    *ret_user = user->name;
    return 0;
}

MUST_USE static int check_basic(struct web_config *wc, struct span encoded, const char **ret_user)
{
    char text[CREDENTIAL_BYTES_MAX];
    size_t n = 0;
    if (wc->n_users == 0 || encoded.len >= sizeof text || decode_base64(encoded, text, &n) < 0)
        return -EACCES;
    int r = check_password(wc, text, n, ret_user);
    explicit_bzero(text, sizeof text);
    return r;
}

/* By MACs of equal length, all of them: neither a token's length nor its place in the file shows in the time. */
MUST_USE static int check_bearer(struct web_config *wc, struct span token, const char **ret_user)
{
    const char *found = NULL;
    uint8_t mac[WEB_MAC_BYTES];
    if (token.len == 0 || token.len > CREDENTIAL_BYTES_MAX || web_mac(wc, 't', "", token, mac) < 0)
        return -EACCES;
    for (size_t i = 0; i < wc->n_tokens; i++)
        if (gnutls_memcmp(wc->tokens[i].mac, mac, WEB_MAC_BYTES) == 0)
            found = wc->tokens[i].name;
    if (!found)
        return -EACCES;
    *ret_user = found;
    return 0;
}

int web_config_check(struct web_config *wc, struct span authorization, const char **ret_user)
{
    if (!web_config_wants_auth(wc)) {
        *ret_user = NULL;
        return 0;
    }
    struct span text = span_trim(authorization);
    size_t blank = span_find(text, ' ');
    struct span scheme = span_of(text.ptr, blank), rest = span_trim(span_from(text, blank));
    if (span_equal_nocase(scheme, SPAN("Basic")))
        return check_basic(wc, rest, ret_user);
    if (span_equal_nocase(scheme, SPAN("Bearer")))
        return check_bearer(wc, rest, ret_user);
    return -EACCES;
}
