#include "lib/match/matcher.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "lib/base/quote.h"

static bool is_regex(enum match_type t)
{
    return t == MATCH_REGEX || t == MATCH_NOT_REGEX;
}

int matcher_init(struct matcher *m, enum match_type type, struct span name, struct span value,
                 struct parse_error *ret_error)
{
    struct matcher made = {.type = type};
    AUTO_FREE char *name_copy = span_dup(name);
    AUTO_FREE char *value_copy = span_dup(value);
    if (!name_copy || !value_copy) {
        parse_error_set(ret_error, -ENOMEM, "", 0, 0, "out of memory");
        return -ENOMEM;
    }
    if (is_regex(type)) {
        int r = regex_compile(value, REGEX_ANCHORED, &made.regex, ret_error);
        if (r < 0)
            return r;
    }
    made.name = span_of(name_copy, name.len);
    made.value = span_of(value_copy, value.len);
    name_copy = NULL;
    value_copy = NULL;
    *m = made;
    return 0;
}

void matcher_done(struct matcher *m)
{
    regex_free(m->regex);
    free((void *)(uintptr_t)m->name.ptr);
    free((void *)(uintptr_t)m->value.ptr);
    *m = (struct matcher){.type = m->type};
}

int matcher_matches(const struct matcher *m, struct span value)
{
    int r;
    switch (m->type) {
    case MATCH_EQUAL:
        return span_equal(m->value, value);
    case MATCH_NOT_EQUAL:
        return !span_equal(m->value, value);
    case MATCH_REGEX:
        return regex_match(m->regex, value);
    case MATCH_NOT_REGEX:
        r = regex_match(m->regex, value);
        return r < 0 ? r : !r;
    }
    assert(!"a match type");
    return 0;
}

bool matcher_matches_empty(const struct matcher *m)
{
    return matcher_matches(m, (struct span){NULL, 0}) > 0;
}

const char *match_type_text(enum match_type t)
{
    static const char *const texts[] = {
        [MATCH_EQUAL] = "=", [MATCH_NOT_EQUAL] = "!=", [MATCH_REGEX] = "=~", [MATCH_NOT_REGEX] = "!~"};
    return texts[t];
}

/* [a-zA-Z_][a-zA-Z0-9_]*: needs no quotes in a selector. */
static bool is_plain(struct span name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && (i == 0 || c < '0' || c > '9'))
            return false;
    }
    return name.len > 0;
}

void matcher_format(struct buf *out, const struct matcher *m)
{
    if (is_plain(m->name))
        buf_span(out, m->name);
    else
        quote_go(out, m->name);
    buf_str(out, match_type_text(m->type));
    quote_go(out, m->value);
}
