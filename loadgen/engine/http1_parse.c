#include "loadgen/engine/http1_parse.h"

#include <errno.h>

#include "lib/base/limits.h"
#include "lib/base/number.h"

#define KEPT_BYTES (64u << 10) /* one large page must not stay in every parser */
#define AT_ONCE_BYTES 8192u    /* longer heads are read as they come */

enum { HEAD, BODY_LENGTH, BODY_TO_CLOSE, CHUNK_SIZE, CHUNK_EXTENSION, CHUNK_DATA, CHUNK_END, TRAILERS, WHOLE, BROKEN };

void http1_init(struct http1_parser *p)
{
    *p = (struct http1_parser){0};
    buf_init(&p->head, HTTP1_HEAD_BYTES_MAX);
    buf_init(&p->body, BODY_BYTES_MAX);
}

void http1_done(struct http1_parser *p)
{
    buf_done(&p->head);
    buf_done(&p->body);
}

void http1_begin(struct http1_parser *p, bool is_head)
{
    struct buf head = p->head, body = p->body;
    *p = (struct http1_parser){.head = head, .body = body, .is_head = is_head, .state = HEAD};
    buf_clear(&p->head);
    if (p->body.cap > KEPT_BYTES)
        buf_done(&p->body);
    else
        buf_clear(&p->body);
}

MUST_USE static int broken(struct http1_parser *p, enum http1_error error)
{
    p->error = error;
    p->state = BROKEN;
    return -EPROTO;
}

const char *http1_error_text(enum http1_error error)
{
    static const char *const TEXTS[] = {
        [HTTP1_GOOD] = "",
        [HTTP1_NOT_HTTP] = "the answer is not HTTP/1.x",
        [HTTP1_BAD_HEADER] = "a header line is not 'Name: value'",
        [HTTP1_BAD_LENGTH] = "the Content-Length is not one number",
        [HTTP1_BAD_ENCODING] = "the Transfer-Encoding is not chunked",
        [HTTP1_BAD_CHUNK] = "a chunk is not as its size says",
        [HTTP1_HEAD_TOO_LARGE] = "the headers are over the limit",
        [HTTP1_BODY_TOO_LARGE] = "the body is over the limit",
        [HTTP1_CUT_EMPTY] = "closed without an answer",
        [HTTP1_CUT_HEAD] = "closed within the headers",
        [HTTP1_CUT_BODY] = "closed before the body was whole",
        [HTTP1_NO_MEMORY] = "out of memory",
    };
    return TEXTS[error];
}

/* ---- one header block ---- */

/* RFC 9110 5.6.2: digits, letters and !#$%&'*+-.^_`|~ */
static bool is_token(char c)
{
    /* clang-format off */
    static const bool TOKEN[256] = {
        ['!'] = 1, 0, 1, 1, 1, 1, 1, 0, 0, 1, 1, 0, 1, 1, 0, /* up to the slash */
        ['0'] = 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
        ['A'] = 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
        ['^'] = 1, 1, 1,
        ['a'] = 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
        ['|'] = 1, 0, 1,
    };
    /* clang-format on */
    return TOKEN[(unsigned char)c];
}

/* Case does not matter; most write it in the usual way. */
static inline bool is_word(struct span got, struct span usual)
{
    return got.len == usual.len && (memcmp(got.ptr, usual.ptr, usual.len) == 0 || span_equal_nocase(got, usual));
}

MUST_USE static int read_length(struct http1_parser *p, struct span value)
{
    struct span rest = value, one;
    while (span_cut(&rest, ',', &one)) { /* "5, 5": a proxy joined two lines */
        uint64_t length;
        one = span_trim(one);
        if (one.len == 0 || one.ptr[0] < '0' || one.ptr[0] > '9' || parse_u64_span(one, UINT64_MAX, &length) < 0 ||
            (p->has_length && length != p->left))
            return broken(p, HTTP1_BAD_LENGTH);
        p->has_length = true;
        p->left = length;
    }
    return p->has_length ? 0 : broken(p, HTTP1_BAD_LENGTH);
}

static void read_connection(struct http1_parser *p, struct span value)
{
    struct span rest = value, token;
    while (span_cut(&rest, ',', &token)) {
        token = span_trim(token);
        p->closes |= is_word(token, SPAN("close"));
        p->keeps |= is_word(token, SPAN("keep-alive"));
    }
}

MUST_USE static int read_header(struct http1_parser *p, struct span name, struct span value)
{
    switch (name.len) { /* most headers are none of ours */
    case 10:
        if (is_word(name, SPAN("Connection")))
            read_connection(p, value);
        else
            p->sets_cookies |= is_word(name, SPAN("Set-Cookie"));
        return 0;
    case 14:
        return is_word(name, SPAN("Content-Length")) ? read_length(p, span_trim(value)) : 0;
    case 16:
        p->encoded |= is_word(name, SPAN("Content-Encoding"));
        return 0;
    case 17:
        if (!is_word(name, SPAN("Transfer-Encoding")))
            return 0;
        if (p->chunked || !span_equal_nocase(span_trim(value), SPAN("chunked")))
            return broken(p, HTTP1_BAD_ENCODING);
        p->chunked = true;
        return 0;
    default:
        return 0;
    }
}

/* "HTTP/1.1 200 OK" */
MUST_USE static int read_status_line(struct http1_parser *p, struct span line)
{
    if (line.len < 12 || !span_starts(line, SPAN("HTTP/1.")) || line.ptr[7] < '0' || line.ptr[7] > '9' ||
        line.ptr[8] != ' ' || (line.len > 12 && line.ptr[12] != ' ' && line.ptr[12] != '\r'))
        return broken(p, HTTP1_NOT_HTTP);
    p->version = line.ptr[7] == '0' ? 10 : 11;
    p->status = 0;
    for (int i = 9; i < 12; i++) {
        if (line.ptr[i] < '0' || line.ptr[i] > '9')
            return broken(p, HTTP1_NOT_HTTP);
        p->status = p->status * 10 + (line.ptr[i] - '0');
    }
    return p->status < 100 ? broken(p, HTTP1_NOT_HTTP) : 0;
}

/* A line that begins with a blank belongs to the one before (RFC 9112 5.2): the line end between them becomes blanks. */
static void unfold(char *head, size_t n)
{
    for (size_t i = 0; i + 1 < n; i++)
        if (head[i] == '\n' && (head[i + 1] == ' ' || head[i + 1] == '\t')) {
            head[i] = ' ';
            if (i > 0 && head[i - 1] == '\r')
                head[i - 1] = ' ';
        }
}

/* Header lines up to and with the empty one. 1: all of them, in p->headers, and *ret_n bytes; 0: there is no empty line yet. */
MUST_USE static int read_lines(struct http1_parser *p, const char *from, const char *end, size_t *ret_n)
{
    p->fields = 0;
    for (const char *at = from; at < end; p->fields++) {
        size_t empty = at[0] == '\n' ? 1 : end - at > 1 && at[0] == '\r' && at[1] == '\n' ? 2 : 0;
        if (empty) {
            p->headers = span_of(from, (size_t)(at - from));
            *ret_n = p->headers.len + empty;
            return 1;
        }
        const char *name = at;
        while (at < end && is_token(*at))
            at++;
        const char *lf = memchr(at, '\n', (size_t)(end - at));
        if (!lf)
            return 0;
        if (at == name || *at != ':')
            return broken(p, HTTP1_BAD_HEADER);
        int r = read_header(p, span_of(name, (size_t)(at - name)), span_of(at + 1, (size_t)(lf - at - 1)));
        if (r < 0)
            return r;
        at = lf + 1;
    }
    return 0;
}

/* How the body is delimited: RFC 9112 6.3. */
MUST_USE static int choose_body(struct http1_parser *p)
{
    p->keep_alive = p->version == 10 ? p->keeps && !p->closes : !p->closes;
    if (p->is_head || p->status == 204 || p->status == 304 || p->status == 101) {
        p->keep_alive &= p->status != 101;
        p->state = WHOLE;
    } else if (p->chunked) {
        if (p->has_length || p->version == 10) /* somebody on the way may see another length: not reused */
            p->keep_alive = false;
        p->left = 0;
        p->digits = 0;
        p->line_bytes = 0;
        p->state = CHUNK_SIZE;
    } else if (p->has_length) {
        if (p->left > p->body.max)
            return broken(p, HTTP1_BODY_TOO_LARGE);
        p->state = p->left ? BODY_LENGTH : WHOLE;
    } else {
        p->keep_alive = false;
        p->state = BODY_TO_CLOSE;
    }
    return 0;
}

static void forget_headers(struct http1_parser *p)
{
    p->chunked = p->has_length = p->closes = p->keeps = p->encoded = p->sets_cookies = false;
    p->left = 0;
}

/* The block is in p->head, up to and with its empty line. */
MUST_USE static int read_head(struct http1_parser *p)
{
    struct span all = buf_view(&p->head), status_line = span_of(all.ptr, span_find(all, '\n'));
    if (memchr(all.ptr, '\0', all.len))
        return broken(p, HTTP1_BAD_HEADER);
    forget_headers(p); /* an interim answer's are not meant */
    int r = read_status_line(p, status_line);
    if (r < 0)
        return r;
    char *lines = p->head.data + status_line.len + 1, *end = p->head.data + p->head.len;
    if (p->folded && (lines[0] == ' ' || lines[0] == '\t'))
        return broken(p, HTTP1_BAD_HEADER);
    if (p->folded)
        unfold(lines, (size_t)(end - lines));
    size_t n;
    r = read_lines(p, lines, end, &n);
    if (r <= 0)
        return r < 0 ? r : broken(p, HTTP1_BAD_HEADER);
    if (p->status < 200 && p->status != 101) { /* interim: the answer is still to come */
        buf_clear(&p->head);
        p->folded = false;
        return 0;
    }
    return choose_body(p);
}

/* The usual answer: its whole block is there, plain, right and final. false: it is not so, and nothing has been done. */
static bool read_head_at_once(struct http1_parser *p, const char *at, size_t n, size_t *used)
{
    n = n > AT_ONCE_BYTES ? AT_ONCE_BYTES : n;
    const char *lf = memchr(at, '\n', n);
    size_t lines;
    if (p->head_bytes || !lf)
        return false;
    forget_headers(p);
    bool good = read_status_line(p, span_of(at, (size_t)(lf - at))) == 0 && p->status >= 200 &&
                read_lines(p, lf + 1, at + n, &lines) > 0;
    size_t block = good ? (size_t)(lf + 1 - at) + lines : 0;
    if (good && p->fields + 2 <= HTTP1_HEADER_LINES_MAX && !memchr(at, '\0', block)) {
        p->head_bytes = *used = block;
        p->lines = p->fields + 2; /* with the status line and the empty one */
        p->borrows = true;
        return true;
    }
    p->error = HTTP1_GOOD; /* how exactly it is wrong, and whether it is, is said line by line */
    p->state = HEAD;
    return false;
}

/* The caller's bytes go, and the answer is not whole. */
MUST_USE static int keep_head(struct http1_parser *p)
{
    if (!p->borrows)
        return 0;
    p->borrows = false;
    buf_clear(&p->head);
    buf_span(&p->head, p->headers);
    p->headers = buf_view(&p->head);
    return buf_error(&p->head) ? broken(p, HTTP1_NO_MEMORY) : 0;
}

/* ---- bytes ---- */

/* How many of the bytes belong to the lines up to and with the next empty one; *ret_end: it is among them. */
static size_t scan_lines(struct http1_parser *p, const char *at, size_t n, bool *ret_end)
{
    size_t from = 0;
    *ret_end = false;
    while (from < n) {
        const char *lf = memchr(at + from, '\n', n - from);
        size_t piece = lf ? (size_t)(lf - at) - from : n - from;
        if (p->line_bytes == 0 && piece) {
            p->line_first = at[from];
            p->folded |= at[from] == ' ' || at[from] == '\t';
        }
        p->line_bytes += piece;
        from += piece;
        if (!lf)
            break;
        from++;
        p->lines++;
        bool empty = p->line_bytes == 0 || (p->line_bytes == 1 && p->line_first == '\r');
        p->line_bytes = 0;
        if (empty) {
            *ret_end = true;
            break;
        }
    }
    p->head_bytes += from;
    return from;
}

/* Is that how an answer begins? Said at the first wrong byte: garbage may have no line end at all. */
static bool begins_well(const struct http1_parser *p)
{
    static const struct span START = SPAN_INIT("HTTP/1.");
    struct span got = buf_view(&p->head);
    return span_starts(got, span_of(START.ptr, got.len < START.len ? got.len : START.len));
}

MUST_USE static int feed_head(struct http1_parser *p, const char *at, size_t n, size_t *used)
{
    bool end, was_short = p->head.len < 7;
    if (read_head_at_once(p, at, n, used))
        return choose_body(p);
    *used = scan_lines(p, at, n, &end);
    if (p->head_bytes > HTTP1_HEAD_BYTES_MAX || p->lines > HTTP1_HEADER_LINES_MAX)
        return broken(p, HTTP1_HEAD_TOO_LARGE);
    buf_bytes(&p->head, at, *used);
    if (buf_error(&p->head))
        return broken(p, buf_error(&p->head) == -ENOSPC ? HTTP1_HEAD_TOO_LARGE : HTTP1_NO_MEMORY);
    if (was_short && !begins_well(p))
        return broken(p, HTTP1_NOT_HTTP);
    return end ? read_head(p) : 0;
}

MUST_USE static int keep_body(struct http1_parser *p, const char *at, size_t n)
{
    buf_bytes(&p->body, at, n);
    if (buf_error(&p->body))
        return broken(p, buf_error(&p->body) == -ENOSPC ? HTTP1_BODY_TOO_LARGE : HTTP1_NO_MEMORY);
    return 0;
}

MUST_USE static int feed_counted(struct http1_parser *p, const char *at, size_t n, int next, size_t *used)
{
    *used = n < p->left ? n : (size_t)p->left;
    p->left -= *used;
    if (p->left == 0)
        p->state = next;
    if (p->state == WHOLE && p->body.len == 0) { /* in one piece */
        p->content = span_of(at, *used);
        return 0;
    }
    return keep_body(p, at, *used);
}

MUST_USE static int chunk_line_over(struct http1_parser *p)
{
    p->line_bytes = 0;
    p->state = p->left ? CHUNK_DATA : TRAILERS;
    return p->left > p->body.max - p->body.len ? broken(p, HTTP1_BODY_TOO_LARGE) : 0;
}

/* "1a;name=value" and its line end. */
MUST_USE static int feed_chunk_line(struct http1_parser *p, const char *at, size_t n, size_t *used)
{
    size_t i = 0;
    while (i < n && (p->state == CHUNK_SIZE || p->state == CHUNK_EXTENSION)) {
        char c = at[i++];
        if (++p->line_bytes > HTTP1_CHUNK_LINE_BYTES_MAX)
            return broken(p, HTTP1_BAD_CHUNK);
        if (p->state == CHUNK_SIZE) {
            char letter = (char)(c | 0x20);
            int digit = c >= '0' && c <= '9' ? c - '0' : letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
            if (digit >= 0) {
                if (p->left >> 60)
                    return broken(p, HTTP1_BAD_CHUNK);
                p->left = p->left << 4 | (unsigned)digit;
                p->digits = 1;
                continue;
            }
            if (!p->digits || (c != ';' && c != ' ' && c != '\t' && c != '\r' && c != '\n'))
                return broken(p, HTTP1_BAD_CHUNK);
            p->state = CHUNK_EXTENSION;
            p->line_first = c; /* of what follows the size */
        } else if (p->line_first == '\r' && c != '\n') {
            return broken(p, HTTP1_BAD_CHUNK);
        } else if ((p->line_first == ' ' || p->line_first == '\t') && c != '\n') {
            if (c != ' ' && c != '\t' && c != ';' && c != '\r')
                return broken(p, HTTP1_BAD_CHUNK);
            p->line_first = c;
        }
        if (c == '\n' && chunk_line_over(p) < 0)
            return -EPROTO;
    }
    *used = i;
    return 0;
}

/* The line end after a chunk's bytes. */
MUST_USE static int feed_chunk_end(struct http1_parser *p, char c)
{
    if (c == '\r' && p->line_bytes == 0) {
        p->line_bytes = 1;
        return 0;
    }
    if (c != '\n')
        return broken(p, HTTP1_BAD_CHUNK);
    p->line_bytes = 0;
    p->left = 0;
    p->digits = 0;
    p->state = CHUNK_SIZE;
    return 0;
}

MUST_USE static int feed_trailers(struct http1_parser *p, const char *at, size_t n, size_t *used)
{
    bool end;
    *used = scan_lines(p, at, n, &end);
    if (p->head_bytes > HTTP1_HEAD_BYTES_MAX || p->lines > HTTP1_HEADER_LINES_MAX)
        return broken(p, HTTP1_HEAD_TOO_LARGE);
    if (end)
        p->state = WHOLE;
    return 0;
}

int http1_feed(struct http1_parser *p, const char *bytes, size_t n, size_t *ret_used)
{
    size_t at = 0;
    p->started |= n > 0;
    while (at < n && p->state != WHOLE) {
        size_t used = n - at;
        int r;
        switch (p->state) {
        case HEAD:
            r = feed_head(p, bytes + at, n - at, &used);
            break;
        case BODY_LENGTH:
            r = feed_counted(p, bytes + at, n - at, WHOLE, &used);
            break;
        case BODY_TO_CLOSE:
            r = keep_body(p, bytes + at, n - at);
            break;
        case CHUNK_SIZE:
        case CHUNK_EXTENSION:
            r = feed_chunk_line(p, bytes + at, n - at, &used);
            break;
        case CHUNK_DATA:
            r = feed_counted(p, bytes + at, n - at, CHUNK_END, &used);
            break;
        case CHUNK_END:
            used = 1;
            r = feed_chunk_end(p, bytes[at]);
            break;
        case TRAILERS:
            r = feed_trailers(p, bytes + at, n - at, &used);
            break;
        default:
            return -EPROTO;
        }
        if (r < 0)
            return r;
        at += used;
    }
    *ret_used = at;
    if (p->state != WHOLE)
        return keep_head(p);
    if (!p->content.ptr)
        p->content = buf_view(&p->body);
    return 1;
}

int http1_end(struct http1_parser *p)
{
    switch (p->state) {
    case BODY_TO_CLOSE:
        p->state = WHOLE;
        p->content = buf_view(&p->body);
        return 1;
    case BROKEN:
        return -EPROTO;
    case HEAD:
        return broken(p, p->started ? HTTP1_CUT_HEAD : HTTP1_CUT_EMPTY);
    default:
        return broken(p, HTTP1_CUT_BODY);
    }
}
