#include "loadgen/trial/show.h"

#define BODY_SHOWN_MAX (64u << 10)
#define SOURCE_LINE_MAX 400u

static const char *bold(const struct show *how)
{
    return how->color ? "\033[1m" : "";
}

static const char *red(const struct show *how)
{
    return how->color ? "\033[1;31m" : "";
}

static const char *blue(const struct show *how)
{
    return how->color ? "\033[1;34m" : "";
}

static const char *plain(const struct show *how)
{
    return how->color ? "\033[0m" : "";
}

const char *show_title(const struct hurl_failure *why)
{
    switch (why->kind) {
    case HURL_FAILED_STATUS:
        return "Assert status code";
    case HURL_FAILED_ASSERT:
    case HURL_FAILED_PROTOCOL:
        return "Assert failed";
    case HURL_FAILED_CAPTURE:
        return "Capture failed";
    case HURL_FAILED_QUERY:
        return "Query failed";
    case HURL_FAILED_RUN:
        break;
    }
    return "Runtime error";
}

/* The line of that number, without its end. */
static struct span source_line(const struct show *how, uint32_t number)
{
    struct span rest = how->source, line = {0};
    for (uint32_t i = 0; i < number; i++)
        if (!span_cut(&rest, '\n', &line))
            return (struct span){"", 0};
    if (line.len && line.ptr[line.len - 1] == '\r')
        line.len--;
    if (line.len > SOURCE_LINE_MAX)
        line.len = SOURCE_LINE_MAX;
    return line;
}

static void put_source(struct buf *out, const struct show *how, unsigned width, uint32_t number, bool with_number)
{
    if (with_number)
        buf_printf(out, "%s%*u |%s ", blue(how), (int)width, (unsigned)number, plain(how));
    else
        buf_printf(out, "%s%*s |%s ", blue(how), (int)width, "", plain(how));
    secrets_hide(out, how->secrets, source_line(how, number));
    buf_char(out, '\n');
}

/* "wanted: == 1, actual: 2" on two lines, other texts on one. */
static void put_reason(struct buf *out, const struct show *how, unsigned width, const struct hurl_failure *why)
{
    static const struct span WANTED = SPAN_INIT("wanted: "), ACTUAL = SPAN_INIT(", actual: ");
    struct buf hidden;
    buf_init(&hidden, 1u << 20);
    secrets_hide(&hidden, how->secrets, span_str(why->text));
    struct span text = buf_view(&hidden);
    size_t at = span_search(text, ACTUAL);
    if (span_starts(text, WANTED) && at < text.len) {
        struct span wanted = span_of(text.ptr + WANTED.len, at - WANTED.len);
        buf_printf(out, "%s%*s |%s   %sactual:   " SPAN_FMT "%s\n", blue(how), (int)width, "", plain(how), red(how),
                   SPAN_ARG(span_from(text, at + ACTUAL.len)), plain(how));
        buf_printf(out, "%s%*s |%s   %sexpected: " SPAN_FMT "%s\n", blue(how), (int)width, "", plain(how), red(how),
                   SPAN_ARG(wanted), plain(how));
    } else {
        buf_printf(out, "%s%*s |%s   %s" SPAN_FMT "%s\n", blue(how), (int)width, "", plain(how), red(how),
                   SPAN_ARG(text), plain(how));
    }
    buf_done(&hidden);
}

void show_failure(struct buf *out, const struct show *how, const struct hurl_entry *e, const struct hurl_failure *why)
{
    char number[16];
    unsigned width = (unsigned)snprintf(number, sizeof number, "%u", (unsigned)why->at.line);
    buf_printf(out, "%serror%s: %s%s%s\n", red(how), plain(how), bold(how), show_title(why), plain(how));
    buf_printf(out, "%s%*s-->%s %s:%u:%u\n", blue(how), (int)width, "", plain(how), how->file, (unsigned)why->at.line,
               (unsigned)why->at.column);
    buf_printf(out, "%s%*s |%s\n", blue(how), (int)width, "", plain(how));
    if (e->request.at.line < why->at.line) {
        put_source(out, how, width, e->request.at.line, false);
        if (e->request.at.line + 1 < why->at.line)
            buf_printf(out, "%s%*s |%s ...\n", blue(how), (int)width, "", plain(how));
    }
    put_source(out, how, width, why->at.line, true);
    put_reason(out, how, width, why);
    buf_printf(out, "%s%*s |%s\n\n", blue(how), (int)width, "", plain(how));
}

/* ---- requests and answers ---- */

void show_header(struct buf *out, const struct secrets *secrets, struct span line)
{
    size_t colon = span_find(line, ':');
    if (secrets->n && span_equal_nocase(span_of(line.ptr, colon), SPAN("authorization"))) {
        buf_str(out, "Authorization: ***"); /* Basic is the password in other letters */
        return;
    }
    secrets_hide(out, secrets, line);
}

static void put_lines(struct buf *out, const struct show *how, char mark, struct span text)
{
    struct span line;
    while (span_cut(&text, '\n', &line)) {
        if (line.len && line.ptr[line.len - 1] == '\r')
            line.len--;
        if (line.len == 0 && text.len == 0)
            break;
        buf_printf(out, "%c ", mark);
        show_header(out, how->secrets, line);
        buf_char(out, '\n');
    }
}

static void put_body(struct buf *out, const struct show *how, const char *what, struct span body)
{
    if (body.len == 0)
        return;
    buf_printf(out, "* %s body:\n", what);
    if (!span_is_utf8(body)) {
        buf_printf(out, "* %zu bytes\n", body.len);
        return;
    }
    put_lines(out, how, '*', span_of(body.ptr, body.len > BODY_SHOWN_MAX ? BODY_SHOWN_MAX : body.len));
}

static const char *version_name(int version)
{
    return version == 10 ? "HTTP/1.0" : version == 20 ? "HTTP/2" : "HTTP/1.1";
}

void show_call(struct buf *out, const struct show *how, const struct trial_call *call, int verbosity)
{
    const struct conn_request *q = call->request;
    const struct conn_response *r = call->response;
    buf_str(out, "* Request:\n> ");
    buf_str(out, q->method);
    buf_char(out, ' ');
    secrets_hide(out, how->secrets, call->url);
    buf_char(out, '\n');
    for (size_t i = 0; i < q->n_headers; i++) {
        buf_str(out, "> ");
        show_header(out, how->secrets, span_str(q->headers[i]));
        buf_char(out, '\n');
    }
    if (verbosity > 1)
        put_body(out, how, "Request", q->body);
    if (r->error != CONN_OK) {
        buf_printf(out, "* %s: %s\n\n", conn_error_name(r->error), r->error_text);
        return;
    }
    buf_printf(out, "* Response: (received %zu bytes in %lld ms)\n", r->body.len,
               (long long)((r->done_us - r->sent_us) / 1000));
    buf_printf(out, "< %s %d\n", version_name(r->version), r->status);
    put_lines(out, how, '<', r->headers);
    if (verbosity > 1)
        put_body(out, how, "Response", r->body);
    buf_char(out, '\n');
}

void show_head(struct buf *out, const struct show *how, const struct conn_response *r)
{
    buf_printf(out, "%s %d\n", version_name(r->version), r->status);
    struct span rest = r->headers, line;
    while (span_cut(&rest, '\n', &line)) {
        line = span_trim(line);
        if (line.len == 0)
            continue;
        show_header(out, how->secrets, line);
        buf_char(out, '\n');
    }
    buf_char(out, '\n');
}
