/* Any bytes as an expression: refused with a place, or compiled into something that answers soon. The first byte picks the
 * flags; the expression ends at the first newline, the rest is the text. What the fast paths answer must be what searching
 * answers, and a listed literal must match. */
#include <errno.h>
#include <stdlib.h>

#include "lib/match/regex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_regex(const struct regex *re, int flags, struct span text)
{
    struct span groups[4];
    size_t count = 0;
    int matched = regex_match(re, text);
    int found = regex_search(re, text, 0, groups, 4, &count);
    if (matched >= 0 && found >= 0 && matched != found)
        abort();
    if (found == 1) {
        struct buf out;
        buf_init(&out, 1 << 16);
        regex_expand(re, text, groups, count < 4 ? count : 4, &out);
        buf_done(&out);
        if (groups[0].len > text.len || (flags & REGEX_ANCHORED && groups[0].len != text.len))
            abort();
    }
    const struct span *literals;
    size_t n = regex_literals(re, &literals);
    for (size_t i = 0; i < n && i < 8; i++)
        if (regex_match(re, literals[i]) != 1 || !span_starts(literals[i], regex_prefix(re)) ||
            (i > 0 && span_compare(literals[i - 1], literals[i]) >= 0))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n == 0)
        return 0;
    struct span rest = span_of((const char *)data + 1, n - 1);
    struct span pattern = span_of(rest.ptr, span_find(rest, '\n'));
    struct regex *re = NULL;
    struct parse_error err = {0};
    int flags = data[0] & 3;
    int r = regex_compile(pattern, flags, &re, &err);
    if (r == 0) {
        check_regex(re, flags, span_from(rest, pattern.len + 1));
        regex_free(re);
    } else if ((r != -EINVAL && r != -ENOMEM) || re || err.code != r || err.text[0] == '\0') {
        abort();
    }
    return 0;
}
