#include "tui/filter.h"

#include <errno.h>

int filter_set(struct filter *f, const char *text, struct parse_error *ret_error)
{
    struct filter next = {.inverse = text[0] == '!'};
    if (strlen(text) >= sizeof next.text) {
        parse_error_set(ret_error, -E2BIG, text, 0, 0, "the filter is longer than %d bytes", FILTER_BYTES_MAX - 1);
        return -E2BIG;
    }
    snprintf(next.text, sizeof next.text, "%s", text);
    const char *rest = text + (next.inverse ? 1 : 0);
    if (rest[0] == '~' && rest[1] != '\0') {
        int r = regex_compile(span_str(rest + 1), REGEX_CASELESS, &next.regex, ret_error);
        if (r < 0)
            return r;
    }
    filter_done(f);
    *f = next;
    return 0;
}

void filter_done(struct filter *f)
{
    regex_free(f->regex);
    *f = (struct filter){0};
}

bool filter_shows(const struct filter *f, const char *row_text)
{
    const char *rest = f->text + (f->inverse ? 1 : 0);
    if (rest[0] == '\0' || strcmp(rest, "~") == 0)
        return true;
    bool matches = f->regex ? regex_match(f->regex, span_str(row_text)) > 0 : strcasestr(row_text, rest) != NULL;
    return matches != f->inverse;
}
