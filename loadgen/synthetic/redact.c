#include "loadgen/synthetic/redact.h"

#include "lib/base/limits.h"
#include "loadgen/import/names.h"

#define REMOVED "[removed]"
#define CARD "[card number]"
#define CUT_BYTES 1024u    /* a secret that the cut would split is in them, and they are not shown */
#define NAME_BYTES_MAX 64u /* of a member or parameter */

/* ---- names that tell a secret ---- */

static bool contains_nocase(struct span text, struct span word)
{
    for (size_t i = 0; i + word.len <= text.len; i++)
        if (span_equal_nocase(span_of(text.ptr + i, word.len), word))
            return true;
    return false;
}

/* An import keeps CSRF tokens and session ids, as something to capture; what is written into a file keeps neither. */
static bool is_private(struct span name)
{
    static const char *const WORDS[] = {"token",      "session", "csrf",        "xsrf",    "jwt",  "secret",
                                        "passw",      "apikey",  "api-key",     "api_key", "auth", "otp",
                                        "credential", "cookie",  "card-number", "iban"};
    if (name.len == 0 || name.len > NAME_BYTES_MAX)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(WORDS); i++)
        if (contains_nocase(name, span_str(WORDS[i])))
            return true;
    return is_secret_name(name) || is_card_name(name);
}

/* ---- values of such names in a text ---- */

static bool is_name_byte(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_' || c == '-' || c == '.' ||
           c == '[' || c == ']' || c == '%' || c == ':';
}

static size_t skip_blanks(struct span s, size_t at)
{
    while (at < s.len && (s.ptr[at] == ' ' || s.ptr[at] == '\t' || s.ptr[at] == '\r' || s.ptr[at] == '\n'))
        at++;
    return at;
}

/* Behind the quoted text that begins at `at`; the end when it is not closed. */
static size_t skip_quoted(struct span s, size_t at)
{
    char quote = s.ptr[at++];
    while (at < s.len && s.ptr[at] != quote)
        at += s.ptr[at] == '\\' ? 2 : 1;
    return at < s.len ? at + 1 : s.len;
}

static size_t skip_until(struct span s, size_t at, const char *ends)
{
    while (at < s.len && (s.ptr[at] == '\0' || !strchr(ends, s.ptr[at])))
        at++;
    return at;
}

/* Where the JSON value that begins at `at` ends; objects and arrays are looked into, not left out. */
static size_t skip_json_value(struct span s, size_t at)
{
    if (at == s.len || s.ptr[at] == '{' || s.ptr[at] == '[')
        return at;
    return s.ptr[at] == '"' ? skip_quoted(s, at) : skip_until(s, at, ",}] \t\r\n");
}

/* A private name ends at `end`: what is to be left out behind it, from *ret_start on; the same place when nothing is. */
static size_t value_behind(struct span s, size_t end, bool quoted, bool tag, size_t *ret_start)
{
    size_t at = quoted ? end + 1 : end;
    size_t next = skip_blanks(s, at);
    *ret_start = at;
    if (quoted && next < s.len && s.ptr[next] == ':') { /* "name": value */
        *ret_start = skip_blanks(s, next + 1);
        return skip_json_value(s, *ret_start);
    }
    if (quoted) { /* name="password" of a form field: its value="…", or what follows the part's head */
        struct span rest = span_from(s, at);
        size_t value = span_search(rest, SPAN("value=\"")), closed = span_find(rest, '>');
        size_t part = span_search(rest, SPAN("\r\n\r\n"));
        if (value < closed) {
            *ret_start = at + value + 7;
            return skip_until(s, *ret_start, "\"");
        }
        if (part < rest.len && part < closed) {
            *ret_start = at + part + 4;
            return skip_until(s, *ret_start, "\r\n");
        }
        return at;
    }
    if (tag && at < s.len && (s.ptr[at] == '>' || s.ptr[at] == ' ')) { /* <password>…< */
        *ret_start = skip_until(s, at, ">");
        *ret_start += *ret_start < s.len;
        return skip_until(s, *ret_start, "<");
    }
    if (at < s.len && s.ptr[at] == '=') { /* name=value */
        *ret_start = at + 1;
        if (*ret_start < s.len && (s.ptr[*ret_start] == '"' || s.ptr[*ret_start] == '\''))
            return skip_quoted(s, *ret_start);
        return skip_until(s, *ret_start, "&;\"'<> \t\r\n");
    }
    return at;
}

static void remove_named(struct buf *out, struct span s)
{
    size_t done = 0;
    for (size_t i = 0; i < s.len;) {
        if (!is_name_byte(s.ptr[i])) {
            i++;
            continue;
        }
        size_t end = i;
        while (end < s.len && is_name_byte(s.ptr[end]))
            end++;
        bool quoted = i > 0 && s.ptr[i - 1] == '"' && end < s.len && s.ptr[end] == '"';
        bool tag = i > 0 && s.ptr[i - 1] == '<';
        size_t start = end, stop = end;
        if (is_private(span_of(s.ptr + i, end - i)))
            stop = value_behind(s, end, quoted, tag, &start);
        if (stop > start) {
            buf_bytes(out, s.ptr + done, start - done);
            buf_str(out, s.ptr[start] == '"' ? "\"" REMOVED "\"" : REMOVED);
            done = stop;
        }
        i = stop > end ? stop : end;
    }
    buf_bytes(out, s.ptr + done, s.len - done);
}

/* ---- secrets and cards, wherever they stand ---- */

static void remove_cards(struct buf *out, struct span s)
{
    size_t start, len;
    while (find_card_number(s, &start, &len)) {
        buf_span(out, span_of(s.ptr, start));
        buf_str(out, CARD);
        s = span_from(s, start + len);
    }
    buf_span(out, s);
}

static void redact_text(struct buf *out, struct span text, const struct secrets *secrets)
{
    struct buf named, hidden;
    buf_init(&named, ARTIFACT_BYTES_MAX);
    buf_init(&hidden, ARTIFACT_BYTES_MAX);
    remove_named(&named, text);
    secrets_hide(&hidden, secrets, buf_view(&named));
    if (buf_error(&named) || buf_error(&hidden))
        buf_str(out, "[too large to be looked through]");
    else
        remove_cards(out, buf_view(&hidden));
    buf_done(&named);
    buf_done(&hidden);
}

void redact_headers(struct buf *out, struct span lines, const struct secrets *secrets)
{
    struct span line;
    while (span_cut(&lines, '\n', &line)) {
        line = span_trim(line);
        size_t colon = span_find(line, ':');
        if (line.len == 0)
            continue;
        if (colon < line.len && is_private(span_of(line.ptr, colon))) {
            buf_span(out, span_of(line.ptr, colon));
            buf_str(out, ": " REMOVED);
        } else {
            redact_text(out, line, secrets);
        }
        buf_char(out, '\n');
    }
}

void redact_url(struct buf *out, struct span url, const struct secrets *secrets)
{
    size_t scheme = span_search(url, SPAN("://"));
    struct span rest = scheme < url.len ? span_from(url, scheme + 3) : url;
    size_t host_ends = skip_until(rest, 0, "/?#"), at = span_find(span_of(rest.ptr, host_ends), '@');
    if (at < host_ends) { /* user:password@ */
        buf_span(out, span_of(url.ptr, (size_t)(rest.ptr - url.ptr)));
        buf_str(out, REMOVED "@");
        rest = span_from(rest, at + 1);
    } else {
        rest = url;
    }
    redact_text(out, rest, secrets);
}

void redact_body(struct buf *out, struct span body, const struct secrets *secrets, size_t max_bytes)
{
    bool cut = body.len > max_bytes + CUT_BYTES;
    struct span shown = cut ? span_of(body.ptr, max_bytes + CUT_BYTES) : body;
    while (cut && shown.len && ((unsigned char)shown.ptr[shown.len] & 0xc0) == 0x80)
        shown.len--; /* not within a character */
    if (!span_is_utf8(shown) || span_find(shown, '\0') < shown.len) {
        buf_printf(out, "[%zu bytes that are no text]", body.len);
        return;
    }
    size_t before = out->len;
    redact_text(out, shown, secrets);
    if (!cut || buf_error(out))
        return;
    size_t made = out->len - before, kept = made > CUT_BYTES ? made - CUT_BYTES : 0;
    buf_truncate(out, before + kept);
    buf_printf(out, "\n[cut: %zu bytes in all]", body.len);
}
