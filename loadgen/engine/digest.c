#include "loadgen/engine/digest.h"

#include <errno.h>
#include <gnutls/crypto.h>

#define HASH_BYTES_MAX 32u
#define HASH_TEXT_BYTES (2 * HASH_BYTES_MAX + 1)

static const struct algorithm {
    struct span name;
    gnutls_digest_algorithm_t hash;
    bool session;
} ALGORITHMS[] = {
    {SPAN_INIT("MD5"), GNUTLS_DIG_MD5, false},
    {SPAN_INIT("MD5-sess"), GNUTLS_DIG_MD5, true},
    {SPAN_INIT("SHA-256"), GNUTLS_DIG_SHA256, false},
    {SPAN_INIT("SHA-256-sess"), GNUTLS_DIG_SHA256, true},
};

/* The first when none is named. NULL: unknown. */
static const struct algorithm *algorithm_of(struct span name)
{
    if (name.len == 0)
        return &ALGORITHMS[0];
    for (size_t i = 0; i < ARRAY_LEN(ALGORITHMS); i++)
        if (span_equal_nocase(name, ALGORITHMS[i].name))
            return &ALGORITHMS[i];
    return NULL;
}

/* name=value or name="value", then a comma; false at the end. */
static bool take_pair(struct span *rest, struct span *ret_name, struct span *ret_value)
{
    while (rest->len && strchr(" \t,", rest->ptr[0]))
        *rest = span_from(*rest, 1);
    size_t equals = span_find(*rest, '=');
    if (rest->len == 0 || equals == rest->len)
        return false;
    *ret_name = span_trim(span_of(rest->ptr, equals));
    struct span value = span_trim(span_from(*rest, equals + 1));
    size_t n;
    if (value.len && value.ptr[0] == '"') {
        value = span_from(value, 1);
        n = span_find(value, '"');
        *rest = span_from(value, n == value.len ? n : n + 1);
    } else {
        n = span_find(value, ',');
        *rest = span_from(value, n);
    }
    *ret_value = span_trim(span_of(value.ptr, n));
    return true;
}

/* Is `word` one of a comma-separated list? */
static bool lists(struct span list, struct span word)
{
    struct span item;
    while (span_cut(&list, ',', &item))
        if (span_equal_nocase(span_trim(item), word))
            return true;
    return false;
}

int digest_challenge_read(struct span value, struct digest_challenge *ret)
{
    static const struct span SCHEME = SPAN_INIT("Digest ");
    struct digest_challenge c = {0};
    value = span_trim(value);
    if (value.len < SCHEME.len || !span_equal_nocase(span_of(value.ptr, SCHEME.len), SCHEME))
        return -EINVAL;
    struct span rest = span_from(value, SCHEME.len), name, text, qop = {0};
    while (take_pair(&rest, &name, &text)) {
        if (span_equal_nocase(name, SPAN("realm")))
            c.realm = text;
        else if (span_equal_nocase(name, SPAN("nonce")))
            c.nonce = text;
        else if (span_equal_nocase(name, SPAN("opaque")))
            c.opaque = text;
        else if (span_equal_nocase(name, SPAN("algorithm")))
            c.algorithm = text;
        else if (span_equal_nocase(name, SPAN("qop")))
            qop = text;
    }
    if (!c.realm.ptr || !c.nonce.ptr)
        return -EINVAL;
    c.auth = lists(qop, SPAN("auth"));
    if (!algorithm_of(c.algorithm) || (qop.len && !c.auth))
        return -ENOTSUP;
    *ret = c;
    return 0;
}

/* Hex of the hash of what stands in the buffer, which is emptied. */
MUST_USE static int hash_text(const struct algorithm *a, struct buf *in, char out[HASH_TEXT_BYTES])
{
    static const char DIGITS[] = "0123456789abcdef";
    unsigned char hash[HASH_BYTES_MAX];
    size_t n = (size_t)gnutls_hash_get_len((gnutls_digest_algorithm_t)a->hash);
    int r = buf_error(in);
    if (r == 0 && (n > sizeof hash || gnutls_hash_fast(a->hash, in->data, in->len, hash) < 0))
        r = -EOPNOTSUPP;
    for (size_t i = 0; i < n && r == 0; i++) {
        out[2 * i] = DIGITS[hash[i] >> 4];
        out[2 * i + 1] = DIGITS[hash[i] & 15];
    }
    out[2 * n] = '\0';
    buf_clear(in);
    return r;
}

/* KD(H(A1), nonce:…:H(A2)) */
MUST_USE static int response_of(const struct algorithm *a, const struct digest_challenge *c,
                                const struct digest_request *q, struct buf *text, char response[HASH_TEXT_BYTES])
{
    char a1[HASH_TEXT_BYTES], a2[HASH_TEXT_BYTES];
    buf_printf(text, SPAN_FMT ":" SPAN_FMT ":" SPAN_FMT, SPAN_ARG(q->user), SPAN_ARG(c->realm), SPAN_ARG(q->password));
    int r = hash_text(a, text, a1);
    if (r == 0 && a->session) {
        buf_printf(text, "%s:" SPAN_FMT ":" SPAN_FMT, a1, SPAN_ARG(c->nonce), SPAN_ARG(q->cnonce));
        r = hash_text(a, text, a1);
    }
    buf_printf(text, SPAN_FMT ":" SPAN_FMT, SPAN_ARG(q->method), SPAN_ARG(q->uri));
    if (r == 0)
        r = hash_text(a, text, a2);
    if (r < 0)
        return r;
    buf_printf(text, "%s:" SPAN_FMT ":", a1, SPAN_ARG(c->nonce));
    if (c->auth)
        buf_printf(text, "00000001:" SPAN_FMT ":auth:", SPAN_ARG(q->cnonce));
    buf_str(text, a2);
    return hash_text(a, text, response);
}

static void put_quoted(struct buf *out, const char *name, struct span value)
{
    buf_printf(out, "%s=\"", name);
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] == '"' || value.ptr[i] == '\\')
            buf_char(out, '\\');
        buf_char(out, value.ptr[i]);
    }
    buf_char(out, '"');
}

int digest_answer(struct buf *out, const struct digest_challenge *c, const struct digest_request *q)
{
    const struct algorithm *a = algorithm_of(c->algorithm);
    char response[HASH_TEXT_BYTES];
    struct buf text;
    buf_init(&text, 1u << 20);
    int r = response_of(a, c, q, &text, response);
    buf_done(&text);
    if (r < 0)
        return r;
    put_quoted(out, "Digest username", q->user);
    put_quoted(out, ", realm", c->realm);
    put_quoted(out, ", nonce", c->nonce);
    put_quoted(out, ", uri", q->uri);
    if (c->auth) {
        put_quoted(out, ", cnonce", q->cnonce);
        buf_str(out, ", nc=00000001, qop=auth");
    }
    buf_printf(out, ", response=\"%s\"", response);
    if (c->opaque.ptr)
        put_quoted(out, ", opaque", c->opaque);
    if (c->algorithm.len)
        buf_printf(out, ", algorithm=" SPAN_FMT, SPAN_ARG(c->algorithm));
    return buf_error(out);
}
