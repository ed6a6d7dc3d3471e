#include "loadgen/hurl/parse.h"

#include <errno.h>

#include "lib/base/limits.h"
#include "lib/match/regex.h"
#include "loadgen/hurl/eval.h"
#include "loadgen/hurl/parser.h"

/* ---- lines ---- */

int parse_line_end(struct hurl_parser *p, const char *after)
{
    skip_blanks(p);
    if (peek(p) == '#')
        while (!at_end(p) && peek(p) != '\n')
            advance(p, 1);
    if (!at_end(p) && peek(p) != '\n')
        return parse_fail(p, place_of(p), "unexpected '" SPAN_FMT "' behind %s", SPAN_ARG(found_here(p)), after);
    advance(p, 1);
    return 0;
}

/* Empty and comment lines, settings among them; then the blanks in front of what follows. -ENOMEM only. */
MUST_USE static int skip_empty_lines(struct hurl_parser *p)
{
    for (;;) {
        skip_blanks(p);
        if (peek(p) == '#') {
            int r = parse_setting(p);
            if (r < 0 && r != -EINVAL)
                return r;
        } else if (!at_end(p) && peek(p) == '\n') {
            advance(p, 1);
        } else {
            return 0;
        }
    }
}

/* GET http://…, but not HOST : shop.example */
static bool looking_at_request(const struct hurl_parser *p)
{
    size_t n = 0, blanks = 0;
    while (peek_at(p, n) >= 'A' && peek_at(p, n) <= 'Z')
        n++;
    while (peek_at(p, n + blanks) == ' ' || peek_at(p, n + blanks) == '\t')
        blanks++;
    return n > 0 && blanks > 0 && peek_at(p, n + blanks) != ':' && !(n == 4 && looking_at(p, "HTTP"));
}

static bool looking_at_response(const struct hurl_parser *p)
{
    return looking_at(p, "HTTP") && strchr(" \t/", peek_at(p, 4)) && peek_at(p, 4);
}

/* [Name] alone on its line; a JSON array starts otherwise. */
static bool looking_at_section(const struct hurl_parser *p, struct span *ret_name)
{
    if (peek(p) != '[')
        return false;
    size_t n = 1;
    char c;
    while ((c = peek_at(p, n)) && (((c | 0x20) >= 'a' && (c | 0x20) <= 'z')))
        n++;
    *ret_name = span_of(p->text.ptr + p->c.at + 1, n - 1);
    if (peek_at(p, n) != ']' || n == 1)
        return false;
    for (n++; (c = peek_at(p, n)) && (c == ' ' || c == '\t' || c == '\r'); n++)
        ;
    bool json_word = span_equal(*ret_name, SPAN("true")) || span_equal(*ret_name, SPAN("false")) ||
                     span_equal(*ret_name, SPAN("null"));
    return (c == '\0' || c == '\n' || c == '#') && !json_word;
}

/* Does a `key: value` line start here? Looks no further than the line. */
static bool looking_at_pair(const struct hurl_parser *p)
{
    struct span s = rest_of(p);
    size_t i = 0;
    while (i < s.len) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c == '{' && i + 1 < s.len && s.ptr[i + 1] == '{') {
            struct span line = span_of(s.ptr + i, span_find(span_from(s, i), '\n'));
            size_t close = span_search(line, SPAN("}}"));
            if (close == line.len)
                return false;
            i += close + 2;
        } else if (c == '\\' && i + 2 < s.len && s.ptr[i + 1] == 'u' && s.ptr[i + 2] == '{') {
            while (i < s.len && s.ptr[i] != '}' && s.ptr[i] != '\n')
                i++;
            i += i < s.len && s.ptr[i] == '}';
        } else if (c == '\\' && i + 1 < s.len) {
            i += 2;
        } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') {
            i++;
        } else if ((c >= '0' && c <= '9') || c >= 0x80 || strchr("_-.[]@$", c)) {
            i++;
        } else {
            break;
        }
    }
    if (i == 0)
        return false;
    while (i < s.len && (s.ptr[i] == ' ' || s.ptr[i] == '\t'))
        i++;
    return i < s.len && s.ptr[i] == ':';
}

MUST_USE static int parse_key(struct hurl_parser *p, struct hurl_template *ret)
{
    PARSE_TRY(parse_text(p, TEXT_KEY, ret));
    skip_blanks(p);
    if (peek(p) != ':')
        return parse_fail(p, place_of(p), "expected ':' behind the name, found '" SPAN_FMT "'",
                          SPAN_ARG(found_here(p)));
    advance(p, 1);
    skip_blanks(p);
    return 0;
}

MUST_USE static int parse_pair(struct hurl_parser *p, struct hurl_pair **list, size_t *n)
{
    struct hurl_pair pair = {.at = place_of(p)};
    PARSE_TRY(parse_key(p, &pair.key));
    PARSE_TRY(parse_text(p, TEXT_VALUE, &pair.value));
    PARSE_TRY(parse_line_end(p, "the value"));
    struct hurl_pair *kept = list_push(&p->file->arena, list, n, sizeof *kept);
    if (!kept)
        return -ENOMEM;
    *kept = pair;
    return 0;
}

MUST_USE static int parse_part_field(struct hurl_parser *p, struct hurl_request *request)
{
    struct hurl_part_field field = {.at = place_of(p)};
    PARSE_TRY(parse_key(p, &field.key));
    if (looking_at(p, "file,")) {
        field.is_file = true;
        PARSE_TRY(parse_file_literal(p, &field.value));
        skip_blanks(p);
        PARSE_TRY(parse_text(p, TEXT_VALUE, &field.content_type));
    } else {
        PARSE_TRY(parse_text(p, TEXT_VALUE, &field.value));
    }
    PARSE_TRY(parse_line_end(p, "the field"));
    struct hurl_part_field *kept = list_push(&p->file->arena, &request->multipart, &request->n_multipart, sizeof *kept);
    if (!kept)
        return -ENOMEM;
    *kept = field;
    return 0;
}

MUST_USE static int parse_capture(struct hurl_parser *p, struct hurl_response *response)
{
    struct hurl_capture capture = {.at = place_of(p)};
    struct hurl_template name;
    PARSE_TRY(parse_key(p, &name));
    capture.slot = HURL_NO_SLOT;
    if (hurl_template_static(&name, &capture.name))
        PARSE_TRY(slot_for(p, capture.name, &capture.slot));
    else
        capture.dynamic_name = name;
    PARSE_TRY(parse_query(p, &capture.query));
    struct span word = peek_word(p);
    if (span_equal(word, SPAN("redact"))) {
        capture.redact = true;
        advance(p, word.len);
    } else if (word.len) {
        const char *near = hurl_filter_suggest(word);
        return parse_fail(p, place_of(p), "unknown filter '" SPAN_FMT "'%s%s%s", SPAN_ARG(word),
                          near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
    }
    PARSE_TRY(parse_line_end(p, "the capture"));
    struct hurl_capture *kept = list_push(&p->file->arena, &response->captures, &response->n_captures, sizeof *kept);
    if (!kept)
        return -ENOMEM;
    *kept = capture;
    return 0;
}

MUST_USE static int parse_assert(struct hurl_parser *p, struct hurl_response *response)
{
    struct hurl_assert assertion = {.at = place_of(p)};
    PARSE_TRY(parse_query(p, &assertion.query));
    PARSE_TRY(parse_predicate(p, &assertion.predicate));
    PARSE_TRY(parse_line_end(p, "the assert"));
    struct hurl_assert *kept = list_push(&p->file->arena, &response->asserts, &response->n_asserts, sizeof *kept);
    if (!kept)
        return -ENOMEM;
    *kept = assertion;
    return 0;
}

MUST_USE static int parse_option_row(struct hurl_parser *p, struct hurl_request *request)
{
    struct hurl_option option;
    PARSE_TRY(parse_option(p, &option));
    PARSE_TRY(parse_line_end(p, "the option"));
    struct hurl_option *kept = list_push(&p->file->arena, &request->options, &request->n_options, sizeof *kept);
    if (!kept)
        return -ENOMEM;
    *kept = option;
    return 0;
}

/* ---- sections ---- */

MUST_USE static int parse_row(struct hurl_parser *p, enum hurl_section_kind kind, struct hurl_entry *e)
{
    struct hurl_request *q = &e->request;
    switch (kind) {
    case HURL_SECTION_QUERY:
        return parse_pair(p, &q->query, &q->n_query);
    case HURL_SECTION_FORM:
        return parse_pair(p, &q->form, &q->n_form);
    case HURL_SECTION_COOKIES:
        return parse_pair(p, &q->cookies, &q->n_cookies);
    case HURL_SECTION_BASIC_AUTH:
        if (q->n_basic_auth == 1)
            return parse_fail(p, place_of(p), "[BasicAuth] takes one line, user: password");
        return parse_pair(p, &q->basic_auth, &q->n_basic_auth);
    case HURL_SECTION_MULTIPART:
        return parse_part_field(p, q);
    case HURL_SECTION_OPTIONS:
        return parse_option_row(p, q);
    case HURL_SECTION_CAPTURES:
        return parse_capture(p, &e->response);
    case HURL_SECTION_ASSERTS:
        return parse_assert(p, &e->response);
    }
    return -EINVAL;
}

/* Does the line belong to this section? Asserts start with a query's word, the others with a name. */
static bool looking_at_row(const struct hurl_parser *p, enum hurl_section_kind kind)
{
    if (kind != HURL_SECTION_ASSERTS)
        return looking_at_pair(p);
    if (looking_at_request(p) || looking_at_body(p) || looking_at_response(p))
        return false;
    return peek_word(p).len > 0;
}

/* hurl takes a request's section once, a response's any number of times. */
static void note_section(struct hurl_parser *p, const struct hurl_section_def *def, struct hurl_place at)
{
    for (size_t i = 0; i < p->n_sections; i++)
        if (p->sections[i] == def) {
            parse_fail(p, at, "this request has a section [%s] already", def->name);
            return;
        }
    if (p->n_sections < SECTIONS_MAX)
        p->sections[p->n_sections++] = def;
}

MUST_USE static int parse_section(struct hurl_parser *p, struct hurl_entry *e, struct span name, bool in_response)
{
    struct hurl_place at = place_of(p);
    const struct hurl_section_def *def = hurl_section_find(name, in_response);
    if (!def && hurl_section_find(name, !in_response)) {
        parse_fail(p, at, "[" SPAN_FMT "] belongs to the %s", SPAN_ARG(name), in_response ? "request" : "response");
    } else if (!def) {
        const char *near = hurl_section_suggest(name, in_response);
        parse_fail(p, at, "unknown section [" SPAN_FMT "]%s%s%s", SPAN_ARG(name), near ? " (did you mean [" : "",
                   near ? near : "", near ? "]?)" : "");
    } else if (!in_response) {
        note_section(p, def, at);
    }
    skip_line(p);
    for (;;) {
        PARSE_TRY(skip_empty_lines(p));
        struct span next;
        if (at_end(p) || looking_at_section(p, &next))
            return 0;
        if (!def) { /* the rows of an unknown section say nothing of use */
            if (looking_at_request(p) || looking_at_response(p) || peek(p) == '{')
                return 0;
            skip_line(p);
            continue;
        }
        if (!looking_at_row(p, def->kind))
            return 0;
        struct hurl_cursor start = p->c;
        int r = parse_row(p, def->kind, e);
        if (r == -EINVAL) {
            if (p->c.line == start.line || p->c.at != p->c.line_start)
                skip_line(p);
        } else if (r < 0) {
            return r;
        }
    }
}

/* Header lines, sections and the body, in that order of appearance, up to what belongs to something else. */
MUST_USE static int parse_parts(struct hurl_parser *p, struct hurl_entry *e, bool in_response)
{
    struct hurl_pair **headers = in_response ? &e->response.headers : &e->request.headers;
    size_t *n_headers = in_response ? &e->response.n_headers : &e->request.n_headers;
    struct hurl_body *body = in_response ? &e->response.body : &e->request.body;
    bool sections = false;
    for (;;) {
        PARSE_TRY(skip_empty_lines(p));
        struct span name;
        if (at_end(p) || looking_at_request(p) || looking_at_response(p))
            return 0;
        struct hurl_cursor start = p->c;
        int r;
        if (looking_at_section(p, &name)) {
            if (body->kind != HURL_BODY_NONE)
                parse_fail(p, place_of(p), "a section stands before the body");
            sections = true;
            PARSE_TRY(parse_section(p, e, name, in_response));
            continue;
        }
        if (body->kind != HURL_BODY_NONE) {
            r = parse_fail(p, place_of(p), "expected %s or a request behind the body, found '" SPAN_FMT "'",
                           in_response ? "the end" : "HTTP", SPAN_ARG(found_here(p)));
        } else if (!sections && looking_at_pair(p)) {
            r = parse_pair(p, headers, n_headers);
        } else if (looking_at_body(p)) {
            r = parse_body(p, body);
        } else {
            r = parse_fail(p, place_of(p), "expected a header, a section, a body, %sor a request, found '" SPAN_FMT "'",
                           in_response ? "" : "HTTP ", SPAN_ARG(found_here(p)));
        }
        if (r == -EINVAL) {
            if (p->c.line == start.line || p->c.at != p->c.line_start)
                skip_line(p);
        } else if (r < 0) {
            return r;
        }
    }
}

/* ---- request, response, entry ---- */

/* "GET /cart" of GET https://shop.example/cart?x=1: the name a step has unless @step gives one. */
MUST_USE static int default_step(struct hurl_parser *p, struct span method, struct span url, struct span *ret)
{
    struct span path = url;
    size_t scheme = span_search(path, SPAN("://"));
    if (scheme < path.len) {
        path = span_from(path, scheme + 3);
        path = span_from(path, span_find(path, '/'));
    } else if (span_starts(path, SPAN("{{"))) { /* {{base}}/cart */
        path = span_from(path, span_search(path, SPAN("}}")) + 2);
    }
    path.len = span_find(path, '?');
    buf_clear(&p->scratch);
    buf_span(&p->scratch, method);
    buf_char(&p->scratch, ' ');
    buf_span(&p->scratch, path.len ? path : SPAN("/"));
    return buf_error(&p->scratch) ? -ENOMEM : keep_span(p, buf_view(&p->scratch), ret);
}

MUST_USE static int parse_request_line(struct hurl_parser *p, struct hurl_entry *e)
{
    struct hurl_request *q = &e->request;
    q->at = place_of(p);
    size_t n = 0;
    while (peek_at(p, n) >= 'A' && peek_at(p, n) <= 'Z')
        n++;
    PARSE_TRY(keep_span(p, span_of(p->text.ptr + p->c.at, n), &q->method));
    advance(p, n);
    skip_blanks(p);
    size_t start = p->c.at;
    PARSE_TRY(parse_text(p, TEXT_URL, &q->url));
    if (q->url.n == 0)
        return parse_fail(p, place_of(p), "a URL is missing behind " SPAN_FMT, SPAN_ARG(q->method));
    struct span url = span_of(p->text.ptr + start, p->c.at - start);
    if (e->step.len == 0)
        PARSE_TRY(default_step(p, q->method, url, &e->step));
    return parse_line_end(p, "the URL");
}

MUST_USE static int parse_status_line(struct hurl_parser *p, struct hurl_response *response)
{
    static const struct {
        const char *text;
        int version;
    } VERSIONS[] = {{"HTTP/1.0", 10}, {"HTTP/1.1", 11}, {"HTTP/2", 20}, {"HTTP/3", 30}, {"HTTP/*", HURL_ANY}};
    response->at = place_of(p);
    response->version = HURL_ANY;
    response->status = HURL_ANY;
    size_t n = 4;
    if (peek_at(p, 4) == '/') {
        while (peek_at(p, n) && !strchr(" \t\r\n", peek_at(p, n)))
            n++;
        struct span word = span_of(p->text.ptr + p->c.at, n);
        size_t i = 0;
        while (i < ARRAY_LEN(VERSIONS) && !span_equal(word, span_str(VERSIONS[i].text)))
            i++;
        if (i == ARRAY_LEN(VERSIONS))
            return parse_fail(p, response->at,
                              "unknown version '" SPAN_FMT "' (HTTP, HTTP/1.0, HTTP/1.1, HTTP/2, HTTP/3)",
                              SPAN_ARG(word));
        response->version = VERSIONS[i].version;
    }
    advance(p, n);
    skip_blanks(p);
    response->status_at = place_of(p);
    if (peek(p) == '*') {
        advance(p, 1);
        return parse_line_end(p, "the status");
    }
    int status = 0;
    for (n = 0; peek_at(p, n) >= '0' && peek_at(p, n) <= '9' && n < 4; n++)
        status = status * 10 + (peek_at(p, n) - '0');
    if (n == 0 || status < 100 || status > 999)
        return parse_fail(p, response->status_at, "expected a status of three digits or *, found '" SPAN_FMT "'",
                          SPAN_ARG(found_here(p)));
    response->status = status;
    advance(p, n);
    return parse_line_end(p, "the status");
}

/* As in hurl: a body counts before [Form] and [Multipart], [Form] before [Multipart]. */
static void warn_of_unsent(struct hurl_parser *p, const struct hurl_request *q)
{
    const char *sent = q->body.kind != HURL_BODY_NONE ? "the body" : "[Form]";
    int bodies = (q->body.kind != HURL_BODY_NONE) + (q->n_form > 0) + (q->n_multipart > 0);
    if (bodies > 1)
        problem_add(p->problems, PROBLEM_WARNING, p->file->name, q->at.line, q->at.column,
                    "of [Form], [Multipart] and a body only one is sent: %s", sent);
}

static void take_settings(struct hurl_parser *p, struct hurl_entry *e)
{
    struct hurl_pending *s = &p->pending;
    e->step = s->step;
    e->step_at = s->step.len ? s->step_at : place_of(p);
    e->think = s->think;
    e->slos = s->slos;
    e->n_slos = s->n_slos;
    e->gotos = s->gotos;
    e->n_gotos = s->n_gotos;
    e->money = s->money;
    e->always = s->always;
    e->jar_cookies = s->jar_cookies;
    e->n_jar_cookies = s->n_jar_cookies;
    e->clears_jar = s->clears_jar;
    *s = (struct hurl_pending){0};
}

MUST_USE static int parse_entry(struct hurl_parser *p)
{
    struct hurl_entry entry = {0};
    p->n_sections = 0;
    take_settings(p, &entry);
    uint32_t line = p->c.line;
    int r = parse_request_line(p, &entry);
    if (r == -EINVAL && p->c.line == line)
        skip_line(p);
    else if (r < 0 && r != -EINVAL)
        return r;
    PARSE_TRY(parse_parts(p, &entry, false));
    if (looking_at_response(p)) {
        entry.has_response = true;
        line = p->c.line;
        r = parse_status_line(p, &entry.response);
        if (r == -EINVAL && p->c.line == line)
            skip_line(p);
        else if (r < 0 && r != -EINVAL)
            return r;
        PARSE_TRY(parse_parts(p, &entry, true));
    }
    warn_of_unsent(p, &entry.request);
    struct hurl_entry *kept = list_push(&p->file->arena, &p->file->entries, &p->file->n_entries, sizeof *kept);
    if (!kept)
        return -ENOMEM;
    *kept = entry;
    return 0;
}

MUST_USE static int parse_entries(struct hurl_parser *p)
{
    for (;;) {
        PARSE_TRY(skip_empty_lines(p));
        if (at_end(p))
            break;
        if (looking_at_request(p)) {
            PARSE_TRY(parse_entry(p));
        } else {
            parse_fail(p, place_of(p),
                       looking_at_response(p) ? "this entry has a response already"
                                              : "expected a request such as GET http://…, found '" SPAN_FMT "'",
                       SPAN_ARG(found_here(p)));
            skip_line(p);
        }
    }
    if (p->pending.any)
        parse_fail(p, p->pending.first_at, "this setting belongs to no request: none follows");
    return 0;
}

/* shop/cart.hurl -> cart */
static char *journey_name(struct arena *a, const char *name)
{
    const char *slash = strrchr(name, '/');
    struct span base = span_str(slash ? slash + 1 : name);
    struct span suffix = SPAN(".hurl");
    if (base.len > suffix.len && span_equal(span_from(base, base.len - suffix.len), suffix))
        base.len -= suffix.len;
    return arena_dup(a, base);
}

int hurl_parse(const char *name, struct span text, struct hurl_file **ret, struct problems *problems)
{
    struct hurl_file *f = calloc(1, sizeof *f);
    if (!f)
        return -ENOMEM;
    arena_init(&f->arena, HURL_TREE_BYTES_MAX);
    f->weight = 1;
    f->name = arena_dup(&f->arena, span_str(name));
    f->journey = journey_name(&f->arena, name);
    size_t errors_before = problems_errors(problems);
    struct hurl_parser p = {.text = text, .c = {.line = 1}, .file = f, .problems = problems};
    buf_init(&p.scratch, CONFIG_BYTES_MAX);
    int r = f->name && f->journey ? 0 : -ENOMEM;
    if (r == 0 && !span_is_utf8(text)) {
        parse_fail(&p, (struct hurl_place){0}, "the file is not UTF-8 text");
        r = -EINVAL;
    }
    if (r == 0 && span_starts(text, SPAN("\xef\xbb\xbf")))
        p.c.at = p.c.line_start = 3;
    if (r == 0)
        r = parse_entries(&p);
    if (r == 0 && problems_errors(problems) > errors_before)
        r = -EINVAL;
    buf_done(&p.scratch);
    if (r < 0) {
        hurl_file_free(f);
        return r;
    }
    *ret = f;
    return 0;
}

void hurl_file_free(struct hurl_file *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < f->n_regexes; i++)
        regex_free(f->regexes[i]);
    for (size_t i = 0; i < f->n_xpaths; i++)
        xpath_slot_done(f->xpaths[i]);
    arena_done(&f->arena);
    free(f);
}
