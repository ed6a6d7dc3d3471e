#include <errno.h>
#include <gnutls/crypto.h>

#include "lib/base/limits.h"
#include "lib/match/regex.h"
#include "loadgen/hurl/eval.h"
#include "loadgen/hurl/json_text.h"
#include "loadgen/hurl/jsonpath.h"
#include "loadgen/hurl/parse.h"
#include "loadgen/hurl/set_cookie.h"

#define REGEX_GROUPS_MAX 16u
#define DIGEST_BYTES_MAX 64u

bool hurl_header(struct span headers, struct span name, size_t i, struct span *ret_value)
{
    struct span rest = headers, line;
    while (span_cut(&rest, '\n', &line)) { /* a name has no colon: the first one is behind it */
        if (line.len <= name.len || line.ptr[name.len] != ':' ||
            !span_equal_nocase(span_of(line.ptr, name.len), name) || span_find(name, ':') < name.len)
            continue;
        if (i-- == 0) {
            *ret_value = span_trim(span_from(line, name.len + 1));
            return true;
        }
    }
    return false;
}

/* ---- json, regex ---- */

int eval_jsonpath(struct hurl_scope *s, const struct hurl_operand *operand, struct span root, struct hurl_value *ret,
                  struct hurl_failure *why)
{
    const struct jsonpath *path = operand->path;
    if (!path) {
        struct span text;
        char words[160];
        EVAL_TRY(eval_text(s, &operand->text, &text, why));
        int r = jsonpath_compile(s->scratch, text, &path, words, sizeof words);
        if (r == -EINVAL)
            return eval_fail(why, HURL_FAILED_QUERY, operand->at, "JSONPath: %s", words);
        if (r < 0)
            return r;
    }
    struct jsonpath_result found;
    int r = jsonpath_eval(path, root, s->scratch, &found);
    if (r == -E2BIG)
        return eval_fail(why, HURL_FAILED_QUERY, operand->at,
                         "the path visits more than %u nodes, or a pattern takes too long", JSONPATH_NODES_MAX);
    if (r < 0)
        return r;
    if (found.n <= 1 && !s->no_coercion) {
        struct hurl_value v = {0};
        if (found.n && hurl_value_from_json(s->scratch, found.values[0], &v) < 0)
            return -ENOMEM;
        v.lone = !jsonpath_is_singular(path);
        *ret = v;
        return 0;
    }
    struct buf list;
    buf_init(&list, BODY_BYTES_MAX);
    buf_char(&list, '[');
    for (size_t i = 0; i < found.n; i++) {
        if (i)
            buf_char(&list, ',');
        buf_span(&list, found.values[i]);
    }
    buf_char(&list, ']');
    *ret = (struct hurl_value){.kind = HURL_VALUE_LIST};
    return eval_keep_buf(s, &list, &ret->text);
}

int hurl_regex_compile(struct span pattern, int flags, struct regex **ret, struct parse_error *error)
{
    static const struct span PREFIX = SPAN_INIT("(?-s)");
    struct buf text;
    buf_init(&text, CONFIG_BYTES_MAX);
    buf_span(&text, PREFIX);
    buf_span(&text, pattern);
    int r = buf_error(&text);
    if (r == 0)
        r = regex_compile(buf_view(&text), flags | REGEX_UNICODE, ret, error);
    if (r < 0 && error->column > PREFIX.len)
        error->column -= (uint32_t)PREFIX.len;
    buf_done(&text);
    return r;
}

int eval_pattern(struct hurl_scope *s, const struct hurl_operand *pattern, struct regex **ret, bool *ret_owned,
                 struct hurl_failure *why)
{
    *ret_owned = false;
    *ret = pattern->regex;
    if (*ret)
        return 0;
    struct span text = pattern->bytes;
    struct parse_error error = {0};
    if (pattern->kind == HURL_OPERAND_TEXT)
        EVAL_TRY(eval_text(s, &pattern->text, &text, why));
    int r = hurl_regex_compile(text, 0, ret, &error);
    if (r == -ENOMEM)
        return r;
    if (r < 0)
        return eval_fail(why, HURL_FAILED_QUERY, pattern->at, "regular expression: %s", error.text);
    *ret_owned = true;
    return 0;
}

int eval_regex(struct hurl_scope *s, const struct hurl_operand *pattern, struct span text, struct hurl_value *ret,
               struct hurl_failure *why)
{
    struct regex *re;
    bool owned;
    EVAL_TRY(eval_pattern(s, pattern, &re, &owned, why));
    struct span groups[REGEX_GROUPS_MAX];
    size_t n = 0;
    int found = regex_search(re, text, 0, groups, ARRAY_LEN(groups), &n);
    if (owned)
        regex_free(re);
    *ret = (struct hurl_value){0};
    if (found < 0)
        return eval_fail(why, HURL_FAILED_QUERY, pattern->at, "the regular expression is too costly on this text");
    if (found && n > 1 && groups[1].ptr)
        *ret = hurl_value_text(groups[1]); /* hurl gives the first group */
    return 0;
}

/* ---- headers and cookies ---- */

MUST_USE static int header_value(struct hurl_scope *s, struct hurl_exchange *x, struct span name,
                                 struct hurl_value *ret)
{
    struct span first, value;
    *ret = (struct hurl_value){0};
    if (!hurl_header(x->headers, name, 0, &first))
        return 0;
    if (!hurl_header(x->headers, name, 1, &value)) {
        *ret = hurl_value_text(first);
        return 0;
    }
    struct buf list;
    buf_init(&list, BODY_BYTES_MAX);
    for (size_t i = 0; hurl_header(x->headers, name, i, &value); i++) {
        buf_str(&list, i ? ",\"" : "[\"");
        json_text_escape(&list, value);
        buf_char(&list, '"');
    }
    buf_char(&list, ']');
    ret->kind = HURL_VALUE_LIST;
    return eval_keep_buf(s, &list, &ret->text);
}

static bool cookie_attribute(const struct set_cookie *c, struct span attribute, struct hurl_value *ret)
{
    const struct {
        struct span name, text;
        bool flag, is_flag;
    } ATTRIBUTES[] = {
        {SPAN("Value"), c->value, false, false}, {SPAN("Domain"), c->domain, false, false},
        {SPAN("Path"), c->path, false, false},   {SPAN("SameSite"), c->same_site, false, false},
        {SPAN("Secure"), {0}, c->secure, true},  {SPAN("HttpOnly"), {0}, c->http_only, true},
    };
    *ret = (struct hurl_value){0};
    if (span_equal_nocase(attribute, SPAN("Max-Age"))) {
        if (c->has_max_age)
            *ret = hurl_value_int(c->max_age_s);
        return true;
    }
    if (span_equal_nocase(attribute, SPAN("Expires"))) {
        if (c->has_expires_time)
            *ret = hurl_value_date(c->expires_s * 1000000);
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(ATTRIBUTES); i++) {
        if (!span_equal_nocase(attribute, ATTRIBUTES[i].name))
            continue;
        if (ATTRIBUTES[i].is_flag && ATTRIBUTES[i].flag)
            *ret = hurl_value_bool(true);
        else if (!ATTRIBUTES[i].is_flag && ATTRIBUTES[i].text.ptr)
            *ret = hurl_value_text(ATTRIBUTES[i].text);
        return true;
    }
    return false;
}

/* name or name[Attribute] among the answer's Set-Cookie headers. */
MUST_USE static int cookie_value(struct hurl_exchange *x, struct span path, struct hurl_place at,
                                 struct hurl_value *ret, struct hurl_failure *why)
{
    struct span name = path, attribute = SPAN("Value"), header;
    size_t open = span_find(path, '[');
    if (open < path.len && path.ptr[path.len - 1] == ']') {
        name.len = open;
        attribute = span_of(path.ptr + open + 1, path.len - open - 2);
    }
    *ret = (struct hurl_value){0};
    for (size_t i = 0; hurl_header(x->headers, SPAN("set-cookie"), i, &header); i++) {
        struct set_cookie c;
        if (set_cookie_parse(header, &c) < 0 || !span_equal(c.name, name))
            continue;
        if (!cookie_attribute(&c, attribute, ret))
            return eval_fail(why, HURL_FAILED_RUN, at, "a cookie has no attribute '" SPAN_FMT "'", SPAN_ARG(attribute));
    }
    return 0;
}

/* ---- all queries ---- */

MUST_USE static int digest_value(struct hurl_scope *s, gnutls_digest_algorithm_t algorithm, struct span bytes,
                                 struct hurl_value *ret)
{
    char digest[DIGEST_BYTES_MAX];
    bool ok = true;
    int n = (int)gnutls_hash_get_len(algorithm);
    if (n <= 0 || n > (int)sizeof digest || gnutls_hash_fast(algorithm, bytes.ptr, bytes.len, digest) < 0)
        return -EOPNOTSUPP;
    *ret =
        (struct hurl_value){.kind = HURL_VALUE_BYTES, .text = arena_span(s->scratch, span_of(digest, (size_t)n), &ok)};
    return ok ? 0 : -ENOMEM;
}

static struct span version_text(int version)
{
    return version == 10 ? SPAN("1.0") : version == 20 ? SPAN("2") : version == 30 ? SPAN("3") : SPAN("1.1");
}

MUST_USE static int certificate_value(struct hurl_scope *s, const struct hurl_query *q, const struct hurl_exchange *x,
                                      struct hurl_value *ret, struct hurl_failure *why)
{
    const struct hurl_certificate none = {0}, *c = x->certificate ? x->certificate : &none;
    const struct {
        struct span name;
        struct hurl_value value;
    } ATTRIBUTES[] = {
        {SPAN("Subject"), hurl_value_text(c->subject)},
        {SPAN("Issuer"), hurl_value_text(c->issuer)},
        {SPAN("Start-Date"), hurl_value_date(c->starts_s * 1000000)},
        {SPAN("Expire-Date"), hurl_value_date(c->expires_s * 1000000)},
        {SPAN("Serial-Number"), hurl_value_text(c->serial_number)},
        {SPAN("Subject-Alt-Name"), c->alt_names.len ? hurl_value_text(c->alt_names) : (struct hurl_value){0}},
        {SPAN("Value"), hurl_value_text(c->pem)},
    };
    struct span name;
    EVAL_TRY(eval_text(s, &q->arg.text, &name, why));
    for (size_t i = 0; i < ARRAY_LEN(ATTRIBUTES); i++) {
        if (!span_equal(name, ATTRIBUTES[i].name))
            continue;
        if (x->certificate)
            *ret = ATTRIBUTES[i].value;
        return 0;
    }
    return eval_fail(why, HURL_FAILED_QUERY, q->arg.at, "a certificate has no attribute '" SPAN_FMT "'",
                     SPAN_ARG(name));
}

MUST_USE static int query_value(struct hurl_scope *s, const struct hurl_query *q, struct hurl_exchange *x,
                                struct hurl_value *ret, struct hurl_failure *why)
{
    struct span text;
    *ret = (struct hurl_value){0};
    switch (q->def->kind) {
    case HURL_QUERY_STATUS:
        *ret = hurl_value_int(x->status);
        return 0;
    case HURL_QUERY_VERSION:
        *ret = hurl_value_text(version_text(x->version));
        return 0;
    case HURL_QUERY_URL:
        *ret = hurl_value_text(x->url);
        return 0;
    case HURL_QUERY_IP:
        *ret = hurl_value_text(x->ip);
        return 0;
    case HURL_QUERY_DURATION:
        *ret = hurl_value_int(x->duration_us / 1000);
        return 0;
    case HURL_QUERY_BODY:
        EVAL_TRY(eval_body_text(s, x, q->at, &text, why));
        *ret = hurl_value_text(text);
        return 0;
    case HURL_QUERY_BYTES:
        EVAL_TRY(eval_body_bytes(x, q->at, &text, why));
        *ret = (struct hurl_value){.kind = HURL_VALUE_BYTES, .text = text};
        return 0;
    case HURL_QUERY_RAWBYTES:
        *ret = (struct hurl_value){.kind = HURL_VALUE_BYTES, .text = x->raw};
        return 0;
    case HURL_QUERY_CERTIFICATE:
        return certificate_value(s, q, x, ret, why);
    case HURL_QUERY_REDIRECTS:
        *ret = (struct hurl_value){.kind = HURL_VALUE_LIST, .text = x->redirects.len ? x->redirects : SPAN("[]")};
        return 0;
    case HURL_QUERY_SHA256:
        EVAL_TRY(eval_body_bytes(x, q->at, &text, why));
        return digest_value(s, GNUTLS_DIG_SHA256, text, ret);
    case HURL_QUERY_MD5:
        EVAL_TRY(eval_body_bytes(x, q->at, &text, why));
        return digest_value(s, GNUTLS_DIG_MD5, text, ret);
    case HURL_QUERY_HEADER:
        EVAL_TRY(eval_text(s, &q->arg.text, &text, why));
        return header_value(s, x, text, ret);
    case HURL_QUERY_COOKIE:
        EVAL_TRY(eval_text(s, &q->arg.text, &text, why));
        return cookie_value(x, text, q->arg.at, ret, why);
    case HURL_QUERY_JSONPATH:
        EVAL_TRY(eval_body_json(s, x, q->at, &text, why));
        return eval_jsonpath(s, &q->arg, text, ret, why);
    case HURL_QUERY_XPATH:
        return eval_body_xpath(s, q, x, ret, why);
    case HURL_QUERY_REGEX:
        EVAL_TRY(eval_body_text(s, x, q->at, &text, why));
        return eval_regex(s, &q->arg, text, ret, why);
    case HURL_QUERY_VARIABLE: {
        EVAL_TRY(eval_text(s, &q->arg.text, &text, why));
        int slot = hurl_slot_of(s->file, text);
        if (slot >= 0)
            *ret = s->values[slot];
        return 0;
    }
    default:
        return eval_fail(why, HURL_FAILED_RUN, q->at, "%s is not executed yet", q->def->name);
    }
}

int eval_query(struct hurl_scope *s, const struct hurl_query *q, struct hurl_exchange *x, struct hurl_value *ret,
               struct hurl_failure *why)
{
    EVAL_TRY(query_value(s, q, x, ret, why));
    return eval_filters(s, q->filters, q->n_filters, ret, why);
}
