#include "loadgen/engine/netrc.h"

#include <errno.h>

#include "lib/base/file.h"
#include "lib/base/limits.h"

#define NETRC_BYTES_MAX (1u << 20)

struct reader {
    struct span rest;
    struct buf words[2]; /* the last two quoted words, unescaped: a key and its value */
    unsigned taken;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* "quoted words" may hold \" \\ \n \t. */
static struct span take_quoted(struct reader *r)
{
    struct buf *word = &r->words[r->taken++ % 2];
    buf_clear(word);
    size_t i = 1;
    for (; i < r->rest.len && r->rest.ptr[i] != '"'; i++) {
        char c = r->rest.ptr[i];
        if (c == '\\' && i + 1 < r->rest.len) {
            c = r->rest.ptr[++i];
            c = c == 'n' ? '\n' : c == 't' ? '\t' : c;
        }
        buf_char(word, c);
    }
    r->rest = span_from(r->rest, i < r->rest.len ? i + 1 : i);
    return buf_view(word);
}

static bool take(struct reader *r, struct span *ret)
{
    for (;;) {
        while (r->rest.len && is_blank(r->rest.ptr[0]))
            r->rest = span_from(r->rest, 1);
        if (r->rest.len == 0)
            return false;
        if (r->rest.ptr[0] != '#')
            break;
        r->rest = span_from(r->rest, span_find(r->rest, '\n'));
    }
    if (r->rest.ptr[0] == '"') {
        *ret = take_quoted(r);
        return true;
    }
    size_t n = 0;
    while (n < r->rest.len && !is_blank(r->rest.ptr[n]))
        n++;
    *ret = span_of(r->rest.ptr, n);
    r->rest = span_from(r->rest, n);
    return true;
}

/* To behind the empty line that ends a macro. */
static void skip_macro(struct reader *r)
{
    size_t n = span_search(r->rest, SPAN("\n\n"));
    r->rest = span_from(r->rest, n);
}

MUST_USE static int find(struct reader *r, struct span host, struct span login, struct buf *out)
{
    struct buf user, password;
    buf_init(&user, NETRC_BYTES_MAX);
    buf_init(&password, NETRC_BYTES_MAX);
    struct span word, value;
    bool ours = false, found = false, more = true;
    while (more && !found) {
        more = take(r, &word);
        bool starts = more && (span_equal(word, SPAN("machine")) || span_equal(word, SPAN("default")));
        if (starts || !more) { /* the entry before is whole */
            found = ours && (login.len == 0 || span_equal(login, buf_view(&user)));
            if (found || !more)
                break;
            buf_clear(&user);
            buf_clear(&password);
            ours = word.ptr[0] == 'd' || (take(r, &value) && span_equal_nocase(value, host));
        } else if (span_equal(word, SPAN("macdef"))) {
            skip_macro(r);
        } else if (take(r, &value) && ours) {
            if (span_equal(word, SPAN("login")))
                buf_span(&user, value);
            else if (span_equal(word, SPAN("password")))
                buf_span(&password, value);
        }
    }
    if (found) {
        buf_span(out, buf_view(&user));
        buf_char(out, ':');
        buf_span(out, buf_view(&password));
    }
    buf_done(&user);
    buf_done(&password);
    return found ? buf_error(out) : -ENOENT;
}

int netrc_find(const char *path, struct span host, struct span login, struct buf *out)
{
    AUTO_FREE char *text = NULL;
    size_t n;
    int r = file_read(path, NETRC_BYTES_MAX, &text, &n);
    if (r < 0)
        return r;
    struct reader reader = {.rest = span_of(text, n)};
    for (size_t i = 0; i < ARRAY_LEN(reader.words); i++)
        buf_init(&reader.words[i], NETRC_BYTES_MAX);
    r = find(&reader, host, login, out);
    for (size_t i = 0; i < ARRAY_LEN(reader.words); i++)
        buf_done(&reader.words[i]);
    return r;
}
