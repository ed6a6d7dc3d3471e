#include <errno.h>

#include "lib/base/limits.h"
#include "loadgen/hurl/eval.h"
#include "loadgen/hurl/json_text.h"
#include "loadgen/hurl/parse.h"

MUST_USE static int verify_version(const struct hurl_response *want, const struct hurl_exchange *x,
                                   struct hurl_failure *why)
{
    static const char *const NAMES[] = {"HTTP/1.0", "HTTP/1.1", "HTTP/2", "HTTP/3"};
    if (want->version == HURL_ANY || want->version == x->version)
        return 0;
    return eval_fail(why, HURL_FAILED_PROTOCOL, want->at, "wanted: version %s, actual: %s",
                     NAMES[want->version < 20 ? want->version - 10 : want->version / 10],
                     NAMES[x->version < 20    ? x->version == 11
                           : x->version == 20 ? 2
                                              : 3]);
}

MUST_USE static int verify_status(const struct hurl_response *want, const struct hurl_exchange *x,
                                  struct hurl_failure *why)
{
    if (want->status == HURL_ANY || want->status == x->status)
        return 0;
    return eval_fail(why, HURL_FAILED_STATUS, want->status_at, "wanted: status %d, actual: %d", want->status,
                     x->status);
}

/* A name made of variables: HURL_NO_SLOT when nothing in the file reads it. */
MUST_USE static int dynamic_slot(struct hurl_scope *s, const struct hurl_capture *c, uint32_t *ret,
                                 struct hurl_failure *why)
{
    struct span name;
    EVAL_TRY(eval_text(s, &c->dynamic_name, &name, why));
    int slot = hurl_slot_of(s->file, name);
    *ret = slot < 0 ? HURL_NO_SLOT : (uint32_t)slot;
    return 0;
}

MUST_USE static int run_capture(struct hurl_scope *s, const struct hurl_capture *c, struct hurl_exchange *x,
                                struct hurl_value *ret, struct hurl_failure *why)
{
    struct hurl_value v;
    int r = eval_query(s, &c->query, x, &v, why);
    if (r == -EINVAL)
        why->kind = HURL_FAILED_CAPTURE;
    if (r < 0)
        return r;
    if (v.kind == HURL_VALUE_NONE)
        return eval_fail(why, HURL_FAILED_CAPTURE, c->query.at, "nothing to capture for '" SPAN_FMT "'",
                         SPAN_ARG(c->name));
    uint32_t slot = c->slot;
    if (slot == HURL_NO_SLOT)
        EVAL_TRY(dynamic_slot(s, c, &slot, why));
    *ret = v;
    return slot == HURL_NO_SLOT ? 0 : hurl_value_keep(s->keep, &v, &s->values[slot]);
}

/* At most 80 bytes of a text, for messages. */
static struct span shortened(struct span s)
{
    return span_of(s.ptr, s.len > 80 ? 80 : s.len);
}

MUST_USE static int verify_header(struct hurl_scope *s, const struct hurl_pair *want, const struct hurl_exchange *x,
                                  struct hurl_failure *why)
{
    struct span name, value, actual, first = {0};
    EVAL_TRY(eval_text(s, &want->key, &name, why));
    EVAL_TRY(eval_text(s, &want->value, &value, why));
    size_t i = 0;
    for (; hurl_header(x->headers, name, i, &actual); i++) {
        if (span_equal(actual, value))
            return 0;
        if (i == 0)
            first = actual;
    }
    if (i == 0)
        return eval_fail(why, HURL_FAILED_ASSERT, want->at, "wanted: header " SPAN_FMT ", actual: it is missing",
                         SPAN_ARG(name));
    return eval_fail(why, HURL_FAILED_ASSERT, want->at,
                     "header " SPAN_FMT ": wanted: \"" SPAN_FMT "\", actual: \"" SPAN_FMT "\"", SPAN_ARG(name),
                     SPAN_ARG(shortened(value)), SPAN_ARG(shortened(first)));
}

MUST_USE static int run_assert(struct hurl_scope *s, const struct hurl_assert *a, struct hurl_exchange *x,
                               struct hurl_failure *why)
{
    struct hurl_value v;
    bool holds;
    EVAL_TRY(eval_query(s, &a->query, x, &v, why));
    EVAL_TRY(eval_predicate(s, &a->predicate, &v, &holds, why));
    if (holds)
        return 0;
    why->at = a->at;
    if (a->query.def->kind == HURL_QUERY_STATUS)
        why->kind = HURL_FAILED_STATUS;
    else if (a->query.def->protocol)
        why->kind = HURL_FAILED_PROTOCOL;
    return -EINVAL;
}

MUST_USE static int verify_json_body(struct hurl_scope *s, const struct hurl_body *want, struct span text,
                                     struct hurl_exchange *x, struct hurl_failure *why)
{
    char words[96];
    struct span wanted, actual;
    if (json_text_check(text, &wanted, words, sizeof words) < 0)
        return eval_fail(why, HURL_FAILED_RUN, want->at, "the wanted body is not JSON: %s", words);
    EVAL_TRY(eval_body_text(s, x, want->at, &actual, why));
    if (json_text_check(actual, &actual, words, sizeof words) < 0)
        return eval_fail(why, HURL_FAILED_PROTOCOL, want->at, "the body is not JSON: %s", words);
    if (!json_text_equal(wanted, actual))
        return eval_fail(why, HURL_FAILED_ASSERT, want->at, "the body is other JSON: %.*s",
                         (int)(actual.len > 120 ? 120 : actual.len), actual.ptr);
    return 0;
}

MUST_USE static int verify_body(struct hurl_scope *s, const struct hurl_body *want, struct hurl_exchange *x,
                                struct hurl_failure *why)
{
    if (want->kind == HURL_BODY_NONE)
        return 0;
    struct span text = want->bytes, actual;
    bool bytes = want->kind == HURL_BODY_FILE || want->kind == HURL_BODY_BYTES;
    if (want->kind == HURL_BODY_FILE)
        EVAL_TRY(hurl_file_bytes(s, &want->text, want->at, &text, why));
    else if (!bytes)
        EVAL_TRY(eval_text(s, &want->text, &text, why));
    if (want->kind == HURL_BODY_JSON)
        return verify_json_body(s, want, text, x, why);
    if (bytes)
        EVAL_TRY(eval_body_bytes(x, want->at, &actual, why));
    else /* by its character set */
        EVAL_TRY(eval_body_text(s, x, want->at, &actual, why));
    if (span_equal(text, actual))
        return 0;
    size_t at = 0;
    while (at < text.len && at < actual.len && text.ptr[at] == actual.ptr[at])
        at++;
    return eval_fail(why, HURL_FAILED_ASSERT, want->at,
                     "the body differs from byte %zu on (wanted %zu bytes, actual %zu)", at + 1, text.len, actual.len);
}

/* Header lines, asserts and body. */
MUST_USE static int run_asserts(struct hurl_scope *s, const struct hurl_response *want, struct hurl_exchange *x,
                                struct hurl_failure *why)
{
    for (size_t i = 0; i < want->n_headers; i++)
        EVAL_TRY(verify_header(s, &want->headers[i], x, why));
    for (size_t i = 0; i < want->n_asserts; i++)
        EVAL_TRY(run_assert(s, &want->asserts[i], x, why));
    return verify_body(s, &want->body, x, why);
}

int hurl_verify(struct hurl_scope *s, const struct hurl_entry *entry, struct hurl_exchange *x, struct hurl_failure *why)
{
    const struct hurl_response *want = &entry->response;
    if (!entry->has_response)
        return 0;
    EVAL_TRY(verify_version(want, x, why));
    EVAL_TRY(verify_status(want, x, why));
    for (size_t i = 0; i < want->n_captures; i++) {
        struct hurl_value captured;
        int r = run_capture(s, &want->captures[i], x, &captured, why);
        if (r == 0)
            continue;
        /* a declined payment has no order to capture: the assert that says so is the reason, not the capture */
        struct hurl_failure reason = {0};
        if (r == -EINVAL && run_asserts(s, want, x, &reason) == -EINVAL && reason.kind == HURL_FAILED_ASSERT)
            *why = reason;
        return r;
    }
    return run_asserts(s, want, x, why);
}

/* ---- all of it, for `test` ---- */

struct telling {
    const struct hurl_listener *to;
    struct hurl_failure *first;
    bool failed;
};

/* Tells one result; only what ends the whole (no memory) is given back. */
MUST_USE static int tell(struct telling *t, struct hurl_place at, int r, const struct hurl_failure *why)
{
    if (r < 0 && r != -EINVAL)
        return r;
    t->to->result(t->to->ctx, at, r < 0 ? why : NULL);
    if (r < 0 && !t->failed) {
        t->failed = true;
        *t->first = *why;
    }
    return 0;
}

MUST_USE static int tell_captures(struct hurl_scope *s, const struct hurl_response *want, struct hurl_exchange *x,
                                  struct telling *t)
{
    for (size_t i = 0; i < want->n_captures && !t->failed; i++) {
        const struct hurl_capture *c = &want->captures[i];
        struct hurl_failure why = {0};
        struct hurl_value v;
        struct span name = c->name;
        int r = run_capture(s, c, x, &v, &why);
        if (r < 0)
            EVAL_TRY(tell(t, c->at, r, &why));
        else if (c->slot == HURL_NO_SLOT)
            EVAL_TRY(eval_text(s, &c->dynamic_name, &name, &why));
        if (r == 0)
            t->to->captured(t->to->ctx, name, &v, c->redact);
    }
    return 0;
}

MUST_USE static int tell_asserts(struct hurl_scope *s, const struct hurl_response *want, struct hurl_exchange *x,
                                 struct telling *t)
{
    struct hurl_failure why = {0};
    for (size_t i = 0; i < want->n_headers; i++)
        EVAL_TRY(tell(t, want->headers[i].at, verify_header(s, &want->headers[i], x, &why), &why));
    for (size_t i = 0; i < want->n_asserts; i++)
        EVAL_TRY(tell(t, want->asserts[i].at, run_assert(s, &want->asserts[i], x, &why), &why));
    if (want->body.kind != HURL_BODY_NONE)
        EVAL_TRY(tell(t, want->body.at, verify_body(s, &want->body, x, &why), &why));
    return 0;
}

int hurl_verify_all(struct hurl_scope *s, const struct hurl_entry *entry, struct hurl_exchange *x, bool asserts,
                    const struct hurl_listener *listener, struct hurl_failure *why)
{
    const struct hurl_response *want = &entry->response;
    struct telling t = {.to = listener, .first = why};
    struct hurl_failure failure = {0};
    if (!entry->has_response)
        return 0;
    if (asserts) {
        EVAL_TRY(tell(&t, want->at, verify_version(want, x, &failure), &failure));
        EVAL_TRY(tell(&t, want->status_at, verify_status(want, x, &failure), &failure));
    }
    if (!t.failed)
        EVAL_TRY(tell_captures(s, want, x, &t));
    if (!t.failed && asserts)
        EVAL_TRY(tell_asserts(s, want, x, &t));
    return t.failed ? -EINVAL : 0;
}
