#include "loadgen/import/log_format.h"

#include <errno.h>

#include "lib/base/character.h"
#include "lib/base/civil.h"
#include "lib/base/limits.h"
#include "lib/base/number.h"
#include "loadgen/hurl/json_text.h"
#include "loadgen/import/json_get.h"

static const char COMMON[] = "$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent";
static const char COMBINED[] = "$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent "
                               "\"$http_referer\" \"$http_user_agent\"";

/* nginx's variables that say something of a request. */
static const struct {
    const char *name;
    enum log_role role;
    double unit_us;
} VARIABLES[] = {
    {"remote_addr", LOG_CLIENT, 0},
    {"http_x_forwarded_for", LOG_CLIENT, 0},
    {"realip_remote_addr", LOG_CLIENT, 0},
    {"time_local", LOG_TIME, 0},
    {"time_iso8601", LOG_TIME, 0},
    {"msec", LOG_TIME, 0},
    {"request", LOG_REQUEST, 0},
    {"request_method", LOG_METHOD, 0},
    {"request_uri", LOG_URI, 0},
    {"uri", LOG_URI, 0},
    {"args", LOG_ARGS, 0},
    {"query_string", LOG_ARGS, 0},
    {"status", LOG_STATUS, 0},
    {"request_time", LOG_DURATION, 1e6},
    {"http_user_agent", LOG_AGENT, 0},
    {"request_time_ms", LOG_DURATION, 1e3},
};

/* Names of JSON fields, the likeliest first. */
static const struct {
    enum log_role role;
    const char *names[14];
} GUESSES[] = {
    {LOG_TIME, {"time", "ts", "timestamp", "@timestamp", "time_iso8601", "msec", "time_local", "date", "StartUTC"}},
    {LOG_METHOD,
     {"method", "request_method", "verb", "http_method", "request.method", "RequestMethod", "http.request.method"}},
    {LOG_URI,
     {"uri", "request_uri", "url", "path", "target", "request.uri", "RequestPath", "url.original", "http.target"}},
    {LOG_REQUEST, {"request", "request_line", "message"}},
    {LOG_ARGS, {"args", "query", "query_string"}},
    {LOG_STATUS, {"status", "status_code", "response_code", "code", "DownstreamStatus", "http.response.status_code"}},
    {LOG_DURATION,
     {"request_time", "rt", "duration", "took", "latency", "elapsed", "duration_ms", "request_time_ms", "latency_ms",
      "response_time_ms", "response_time", "Duration", "duration_us"}},
    {LOG_CLIENT,
     {"remote_addr", "client_ip", "client", "ip", "remote_ip", "request.client_ip", "request.remote_ip", "ClientHost",
      "source.ip", "x_forwarded_for"}},
    {LOG_AGENT, {"user_agent", "http_user_agent", "agent", "ua", "request_User-Agent", "user_agent.original"}},
    {LOG_OPERATION, {"op", "operation", "operation_name"}},
};
static const char *const ROLE_NAMES[LOG_ROLES] = {
    [LOG_TIME] = "time",       [LOG_REQUEST] = "request",   [LOG_METHOD] = "method",       [LOG_URI] = "uri",
    [LOG_ARGS] = "args",       [LOG_STATUS] = "status",     [LOG_CLIENT] = "client",       [LOG_AGENT] = "agent",
    [LOG_SESSION] = "session", [LOG_DURATION] = "duration", [LOG_OPERATION] = "operation",
};

/* ---- setting up ---- */

static double unit_of(struct span name)
{
    static const struct {
        const char *end;
        double us;
    } ENDS[] = {{"_ms", 1e3},   {"Ms", 1e3},   {"_millis", 1e3}, {"_us", 1},
                {"_micros", 1}, {"_ns", 1e-3}, {"_nanos", 1e-3}};
    for (size_t i = 0; i < ARRAY_LEN(ENDS); i++) {
        struct span end = span_str(ENDS[i].end);
        if (name.len > end.len && span_equal(span_from(name, name.len - end.len), end))
            return ENDS[i].us;
    }
    return span_equal(name, SPAN("Duration")) ? 1e-3 : 1e6; /* Traefik counts nanoseconds, the others seconds */
}

static bool is_variable_byte(char c)
{
    return ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

MUST_USE static int compile(struct log_format *f, struct span text, char *why, size_t why_bytes)
{
    bool has[LOG_ROLES] = {false};
    f->n = 0;
    while (text.len) {
        struct log_piece piece = {0};
        size_t dollar = span_find(text, '$');
        piece.text = span_of(text.ptr, dollar);
        text = span_from(text, dollar + 1);
        bool braces = text.len && text.ptr[0] == '{';
        text = span_from(text, braces);
        size_t n = 0;
        while (n < text.len && is_variable_byte(text.ptr[n]))
            n++;
        struct span name = span_of(text.ptr, n);
        text = span_from(text, n + braces);
        for (size_t i = 0; i < ARRAY_LEN(VARIABLES); i++)
            if (span_equal(name, span_str(VARIABLES[i].name)) && !has[VARIABLES[i].role]) {
                piece.role = VARIABLES[i].role;
                piece.unit_us = VARIABLES[i].unit_us;
            }
        if (n && span_equal(name, f->session_name))
            piece.role = LOG_SESSION;
        has[piece.role] = true;
        if (f->n == LOG_PIECES_MAX) {
            snprintf(why, why_bytes, "a format has at most %u fields", LOG_PIECES_MAX);
            return -EINVAL;
        }
        f->pieces[f->n++] = piece;
    }
    if (!has[LOG_TIME] || !(has[LOG_REQUEST] || has[LOG_URI])) {
        snprintf(why, why_bytes,
                 "a format needs a time ($time_local, $time_iso8601 or $msec) and $request or $request_uri");
        return -EINVAL;
    }
    if (f->session_name.len && !has[LOG_SESSION]) {
        snprintf(why, why_bytes, "the format has no field $" SPAN_FMT, SPAN_ARG(f->session_name));
        return -EINVAL;
    }
    return 0;
}

MUST_USE static int take_field(struct log_format *f, const char *text, char *why, size_t why_bytes)
{
    struct span s = span_str(text);
    size_t equals = span_find(s, '=');
    bool ok = true;
    for (enum log_role role = LOG_TIME; role < LOG_ROLES; role++)
        if (equals < s.len && span_equal(span_of(s.ptr, equals), span_str(ROLE_NAMES[role]))) {
            f->names[role] = arena_span(&f->keep, span_from(s, equals + 1), &ok);
            f->given[role] = true;
            return ok ? 0 : -ENOMEM;
        }
    snprintf(why, why_bytes,
             "'%.60s': NAME=FIELD with one of time, request, method, uri, args, status, duration, client, agent, "
             "session, operation",
             text);
    return -EINVAL;
}

int log_format_init(struct log_format *f, const char *format, const char *const *fields, size_t n, const char *session,
                    char *why, size_t why_bytes)
{
    *f = (struct log_format){0};
    arena_init(&f->keep, LOG_LINE_BYTES_MAX);
    arena_init(&f->scratch, 4 * LOG_LINE_BYTES_MAX);
    bool ok = true;
    int r = 0;
    f->session_name = arena_span(&f->keep, span_str(session), &ok);
    if (session) {
        f->names[LOG_SESSION] = f->session_name;
        f->given[LOG_SESSION] = true;
    }
    for (size_t i = 0; r == 0 && i < n; i++)
        r = take_field(f, fields[i], why, why_bytes);
    if (r == 0 && format) {
        f->decided = true;
        f->json = strcmp(format, "json") == 0;
        if (!f->json) {
            const char *text = strcmp(format, "combined") == 0 ? COMBINED
                               : strcmp(format, "common") == 0 ? COMMON
                                                               : format;
            r = compile(f, arena_span(&f->keep, span_str(text), &ok), why, why_bytes);
        }
    }
    if (r == 0 && !ok)
        r = -ENOMEM;
    if (r < 0)
        log_format_done(f);
    return r;
}

void log_format_done(struct log_format *f)
{
    arena_done(&f->keep);
    arena_done(&f->scratch);
}

/* ---- values ---- */

static int fail(struct log_format *f, const char *words)
{
    snprintf(f->why, sizeof f->why, "%s", words);
    return -EINVAL;
}

/* 22/Nov/2026:13:44:01 +0000 */
MUST_USE static int read_local_time(struct span s, int64_t *ret_us)
{
    static const char MONTHS[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    uint64_t day, year, hour, minute, second, zone_h, zone_m;
    if (s.len < 26 || s.ptr[2] != '/' || s.ptr[6] != '/' || s.ptr[11] != ':' || (s.ptr[21] != '+' && s.ptr[21] != '-'))
        return -EINVAL;
    size_t month = span_search(span_str(MONTHS), span_of(s.ptr + 3, 3));
    if (month == sizeof MONTHS - 1 || month % 3 || parse_u64_span(span_of(s.ptr, 2), 31, &day) < 0 ||
        parse_u64_span(span_of(s.ptr + 7, 4), 9999, &year) < 0 ||
        parse_u64_span(span_of(s.ptr + 12, 2), 23, &hour) < 0 ||
        parse_u64_span(span_of(s.ptr + 15, 2), 59, &minute) < 0 ||
        parse_u64_span(span_of(s.ptr + 18, 2), 60, &second) < 0 ||
        parse_u64_span(span_of(s.ptr + 22, 2), 23, &zone_h) < 0 ||
        parse_u64_span(span_of(s.ptr + 24, 2), 59, &zone_m) < 0 || day == 0)
        return -EINVAL;
    int64_t seconds = civil_days((int64_t)year, (int64_t)month / 3 + 1, (int64_t)day) * 86400 +
                      (int64_t)(hour * 3600 + minute * 60 + second);
    int64_t zone = (int64_t)(zone_h * 3600 + zone_m * 60);
    *ret_us = (seconds - (s.ptr[21] == '+' ? zone : -zone)) * 1000000;
    return 0;
}

/* Any of the usual forms; numbers are seconds, or milli-, micro-, nanoseconds by their size. */
MUST_USE static int read_time(struct span s, int64_t *ret_us, bool *ret_whole)
{
    double number;
    int64_t ms;
    s = span_trim(s);
    if (read_local_time(s, ret_us) == 0) {
        *ret_whole = true;
        return 0;
    }
    if (parse_rfc3339_ms(s, &ms) == 0) {
        *ret_us = ms * 1000;
        *ret_whole = span_find(s, '.') == s.len;
        return 0;
    }
    if (parse_f64_span(s, &number) < 0 || !(number > 0 && number < 1e19))
        return -EINVAL;
    double us = number < 1e11 ? number * 1e6 : number < 1e14 ? number * 1e3 : number < 1e17 ? number : number / 1e3;
    *ret_us = (int64_t)(us + 0.5);
    *ret_whole = number < 1e11 && span_find(s, '.') == s.len;
    return 0;
}

static int64_t read_duration(struct span s, double unit_us)
{
    double number;
    int64_t ms;
    s = span_trim(s);
    if (parse_f64_span(s, &number) == 0 && number >= 0 && number * unit_us < 86400e6)
        return (int64_t)(number * unit_us + 0.5);
    return parse_duration_ms(s, &ms) == 0 && ms >= 0 && ms < 86400000 ? ms * 1000 : -1; /* "12ms" */
}

/* nginx and Apache write bytes that would break a line as \xNN, \" and \\. */
static struct span unescaped(struct log_format *f, struct span s)
{
    if (span_find(s, '\\') == s.len)
        return s;
    char *text = arena_room(&f->scratch, s.len);
    size_t n = 0;
    for (size_t i = 0; text && i < s.len; i++) {
        if (s.ptr[i] == '\\' && i + 3 < s.len && s.ptr[i + 1] == 'x' && hex_digit_value(s.ptr[i + 2]) >= 0 &&
            hex_digit_value(s.ptr[i + 3]) >= 0) {
            text[n++] = (char)(hex_digit_value(s.ptr[i + 2]) << 4 | hex_digit_value(s.ptr[i + 3]));
            i += 3;
        } else if (s.ptr[i] == '\\' && i + 1 < s.len && (s.ptr[i + 1] == '"' || s.ptr[i + 1] == '\\')) {
            text[n++] = s.ptr[++i];
        } else {
            text[n++] = s.ptr[i];
        }
    }
    return span_of(text, text ? n : 0);
}

static void read_request_line(struct span s, struct log_line *l)
{
    size_t blank = span_find(s, ' ');
    struct span rest = span_from(s, blank + 1);
    l->method = span_of(s.ptr, blank);
    size_t version = span_search(rest, SPAN(" HTTP/"));
    l->uri = span_of(rest.ptr, version);
}

MUST_USE static int take(struct log_format *f, enum log_role role, struct span s, double unit_us, struct log_line *l,
                         struct span *args)
{
    uint64_t status;
    if (s.len == 0 || span_equal(s, SPAN("-")))
        return 0;
    switch (role) {
    case LOG_TIME:
        return read_time(s, &l->time_us, &l->whole_seconds) < 0 ? fail(f, "its time cannot be read") : 0;
    case LOG_REQUEST:
        read_request_line(unescaped(f, s), l);
        return 0;
    case LOG_METHOD:
        l->method = s;
        return 0;
    case LOG_URI:
        l->uri = unescaped(f, s);
        return 0;
    case LOG_ARGS:
        *args = unescaped(f, s);
        return 0;
    case LOG_STATUS:
        if (parse_u64_span(s, 999, &status) < 0)
            return fail(f, "its status is no number");
        l->status = (int)status;
        return 0;
    case LOG_DURATION:
        l->duration_us = read_duration(s, unit_us);
        return 0;
    case LOG_CLIENT:
        l->client = span_trim(span_of(s.ptr, span_find(s, ','))); /* the first hop of X-Forwarded-For */
        return 0;
    case LOG_AGENT:
        l->agent = s;
        return 0;
    case LOG_SESSION:
        l->session = s;
        return 0;
    case LOG_OPERATION:
        l->operation = s;
        return 0;
    case LOG_IGNORED:
    case LOG_ROLES:
        break;
    }
    return 0;
}

/* ---- lines ---- */

MUST_USE static int read_pieces(struct log_format *f, struct span line, struct log_line *l, struct span *args)
{
    for (size_t i = 0; i < f->n; i++) {
        const struct log_piece *p = &f->pieces[i];
        if (!span_starts(line, p->text))
            return fail(f, "it is not of this format");
        line = span_from(line, p->text.len);
        struct span next = i + 1 < f->n ? f->pieces[i + 1].text : SPAN("");
        size_t end = next.len ? span_search(line, next) : span_find(line, ' ');
        if (i + 1 < f->n && next.len && end == line.len && f->pieces[i + 1].role != LOG_IGNORED)
            return fail(f, "it is not of this format");
        int r = take(f, p->role, span_of(line.ptr, end), p->unit_us, l, args);
        if (r < 0)
            return r;
        line = span_from(line, end);
    }
    return 0;
}

/* A member by its name, or a.b within objects. */
static struct span member(struct span root, struct span name)
{
    char text[128];
    if (name.len == 0 || name.len >= sizeof text)
        return (struct span){0};
    memcpy(text, name.ptr, name.len);
    text[name.len] = '\0';
    struct span found = json_get(root, text);
    char *dot = strchr(text, '.');
    if (found.len || !dot)
        return found;
    *dot = '\0';
    return json_get(json_get(root, text), dot + 1);
}

/* Which fields these lines have, by the first one that has a time. */
MUST_USE static int guess_fields(struct log_format *f, struct span root)
{
    for (size_t i = 0; i < ARRAY_LEN(GUESSES); i++)
        for (size_t k = 0; k < ARRAY_LEN(GUESSES[i].names) && GUESSES[i].names[k]; k++) {
            struct span name = span_str(GUESSES[i].names[k]);
            struct span value = member(root, name);
            if (!f->given[GUESSES[i].role] && f->names[GUESSES[i].role].len == 0 && value.len &&
                json_text_type(value) <= JSON_TEXT_STRING && json_text_type(value) >= JSON_TEXT_NUMBER)
                f->names[GUESSES[i].role] = name;
        }
    f->unit_us = unit_of(f->names[LOG_DURATION]);
    return f->names[LOG_TIME].len ? 0 : fail(f, "no field of it is known as a time (--field time=NAME says which)");
}

MUST_USE static int read_json(struct log_format *f, struct span line, struct log_line *l, struct span *args)
{
    struct span root;
    char why[96];
    if (json_text_check(line, &root, why, sizeof why) < 0) {
        snprintf(f->why, sizeof f->why, "it is no JSON: %s", why);
        return -EINVAL;
    }
    if (!f->names[LOG_TIME].len || !f->decided || f->unit_us == 0) {
        int r = guess_fields(f, root);
        if (r < 0)
            return r;
        f->decided = true;
    }
    for (enum log_role role = LOG_TIME; role < LOG_ROLES; role++) {
        struct span value = member(root, f->names[role]), text = value;
        if (value.len == 0 || json_text_type(value) == JSON_TEXT_NULL)
            continue;
        if (json_text_type(value) == JSON_TEXT_STRING && json_text_string(&f->scratch, value, &text) < 0)
            return fail(f, "it is too long");
        int r = take(f, role, text, f->unit_us, l, args);
        if (r < 0)
            return r;
    }
    return 0;
}

/* A uri with the arguments behind it, where they stand apart. */
static struct span joined(struct log_format *f, struct span uri, struct span args)
{
    if (args.len == 0 || span_find(uri, '?') < uri.len)
        return uri;
    char *text = arena_room(&f->scratch, uri.len + 1 + args.len);
    if (!text)
        return uri;
    memcpy(text, uri.ptr, uri.len);
    text[uri.len] = '?';
    memcpy(text + uri.len + 1, args.ptr, args.len);
    return span_of(text, uri.len + 1 + args.len);
}

int log_format_read(struct log_format *f, struct span line, struct log_line *ret)
{
    struct log_line l = {.duration_us = -1};
    struct span args = {0};
    char why[96];
    int r = 0;
    arena_reset(&f->scratch);
    if (!f->decided) {
        f->json = line.len && line.ptr[0] == '{';
        static const char *const TRIES[] = {COMBINED, COMMON};
        for (size_t i = 0; !f->json && !f->decided && i < ARRAY_LEN(TRIES); i++) {
            r = compile(f, span_str(TRIES[i]), why, sizeof why);
            if (r < 0)
                return fail(f, why);
            f->decided = read_pieces(f, line, &l, &args) == 0;
        }
        l = (struct log_line){.duration_us = -1};
    }
    r = f->json ? read_json(f, line, &l, &args) : read_pieces(f, line, &l, &args);
    if (r < 0)
        return r;
    if (l.time_us <= 0)
        return fail(f, l.time_us ? "its time is before 1970" : "it has no time");
    if (l.uri.len == 0)
        return fail(f, "it names no request");
    if (l.method.len == 0)
        l.method = SPAN("GET");
    for (size_t i = 0; i < l.method.len; i++)
        if (l.method.ptr[i] < 'A' || l.method.ptr[i] > 'Z')
            return fail(f, "its request has no method");
    if (l.uri.ptr[0] != '/' && !span_starts(l.uri, SPAN("http")))
        return fail(f, "its request has no path");
    l.uri = joined(f, l.uri, args);
    *ret = l;
    return 0;
}
