#include "loadgen/import/har.h"

#include <errno.h>

#include "lib/base/limits.h"
#include "lib/wire/url.h"
#include "loadgen/hurl/set_cookie.h"
#include "loadgen/import/bodies.h"
#include "loadgen/import/har_write.h"

#define THINK_MIN_MS 100     /* shorter gaps are the browser at work, not somebody thinking */
#define THINK_MAX_MS 1800000 /* longer is not the same session, by the field's habit */
#define HOSTS_LISTED 20u     /* left out, one line each */

enum why { KEPT, ASSET, FOREIGN, UNANSWERED, PREFLIGHT, NOT_HTTP, REASONS };
static const char *const WORDS[REASONS] = {
    [ASSET] = "style sheets, scripts and pictures (--assets keeps them)",
    [UNANSWERED] = "requests without an answer, or answered by the browser itself",
    [PREFLIGHT] = "preflight requests",
    [NOT_HTTP] = "requests that are not HTTP",
};

struct import {
    const struct har_options *o;
    const char *name;
    struct har_file file;
    enum why *why;
    struct span site;            /* the host of the first page without www. */
    struct strmap foreign;       /* host -> how many */
    struct strmap jar, reported; /* names of cookies that answers set; that no answer set */
    struct buf strangers;
    size_t counts[REASONS];
    struct har_writer writer;
    struct problems *ps;
};

/* ---- which requests ---- */

static bool host_of(struct span url, struct span *ret)
{
    struct url u;
    const char *reason;
    if (url_parse(&u, url, &reason) < 0 || u.host.len == 0)
        return false;
    *ret = u.host;
    return true;
}

static bool is_page(const struct har_exchange *x)
{
    return span_equal_nocase(media_type(x->type), SPAN("text/html"));
}

static struct span without_www(struct span host)
{
    return host.len > 4 && span_equal_nocase(span_of(host.ptr, 4), SPAN("www.")) ? span_from(host, 4) : host;
}

/* The host itself, or one below it. */
static bool is_below(struct span host, struct span site)
{
    if (span_equal_nocase(host, site))
        return true;
    return host.len > site.len && host.ptr[host.len - site.len - 1] == '.' &&
           span_equal_nocase(span_from(host, host.len - site.len), site);
}

static bool is_ours(const struct import *im, struct span host)
{
    if (is_below(host, im->site))
        return true;
    for (size_t i = 0; i < im->o->n_keep_hosts; i++) {
        struct span kept = span_str(im->o->keep_hosts[i]);
        if (span_starts(kept, SPAN("*.")) ? is_below(host, span_from(kept, 2)) : span_equal_nocase(host, kept))
            return true;
    }
    return false;
}

static bool is_asset(const struct har_exchange *x)
{
    static const char *const TYPES[] = {"image/", "font/", "audio/", "video/", "text/css"};
    struct span type = media_type(x->type), path = span_of(x->url.ptr, span_find(x->url, '?'));
    if (!span_equal(x->method, SPAN("GET")))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(TYPES); i++)
        if (type.len >= strlen(TYPES[i]) && span_equal_nocase(span_of(type.ptr, strlen(TYPES[i])), span_str(TYPES[i])))
            return true;
    if (span_search(type, SPAN("javascript")) < type.len)
        return true;
    return !is_page(x) && !is_json_type(x->type) && is_asset_path(path);
}

static bool is_method(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] < 'A' || s.ptr[i] > 'Z')
            return false;
    return s.len > 0 && s.len <= 20;
}

static enum why judge(const struct import *im, const struct har_exchange *x)
{
    struct span host;
    if (!host_of(x->url, &host) || !is_method(x->method))
        return NOT_HTTP;
    if (!is_ours(im, host))
        return FOREIGN;
    if (x->status == 0 || (x->status < 200 && x->status != 101))
        return UNANSWERED;
    if (x->status == 101)
        return NOT_HTTP;
    if (span_equal(x->method, SPAN("OPTIONS")) &&
        har_header(x->headers, x->n_headers, "Access-Control-Request-Method").len)
        return PREFLIGHT;
    return is_asset(x) ? ASSET : KEPT;
}

/* The first page that a browser shows, or the first request at all. */
MUST_USE static int find_site(struct import *im)
{
    struct span host = {0};
    for (int pages = 1; pages >= 0 && host.len == 0; pages--)
        for (size_t i = 0; i < im->file.n && host.len == 0; i++)
            if (!pages || is_page(&im->file.exchanges[i]))
                (void)host_of(im->file.exchanges[i].url, &host);
    if (host.len == 0) {
        problem_add(im->ps, PROBLEM_ERROR, im->name, 0, 0, "the recording has no HTTP request");
        return -EINVAL;
    }
    im->site = without_www(host);
    return 0;
}

MUST_USE static int judge_all(struct import *im)
{
    im->why = calloc(im->file.n + 1, sizeof *im->why);
    if (!im->why)
        return -ENOMEM;
    for (size_t i = 0; i < im->file.n; i++) {
        struct span host;
        im->why[i] = judge(im, &im->file.exchanges[i]);
        if (im->why[i] == ASSET && im->o->assets)
            continue;
        im->counts[im->why[i]]++;
        if (im->why[i] != FOREIGN || !host_of(im->file.exchanges[i].url, &host))
            continue;
        uintptr_t n = (uintptr_t)strmap_get(&im->foreign, host);
        int r = strmap_put(&im->foreign, host, (void *)(n + 1));
        if (r < 0 && r != -ENOSPC)
            return r;
    }
    return 0;
}

/* ---- cookies: the jar brings them; those that no answer set are worth a word ---- */

MUST_USE static int note_cookies(struct import *im, const struct har_exchange *x)
{
    struct span sent = har_header(x->headers, x->n_headers, "Cookie"), piece;
    int r = 0;
    while (r == 0 && span_cut(&sent, ';', &piece)) {
        piece = span_trim(span_of(piece.ptr, span_find(piece, '=')));
        if (piece.len == 0 || piece.len > 100 || !span_is_utf8(piece) || strmap_has(&im->jar, piece) ||
            strmap_has(&im->reported, piece))
            continue;
        buf_printf(&im->strangers, "%s" SPAN_FMT, im->strangers.len ? ", " : "", SPAN_ARG(piece));
        r = strmap_put(&im->reported, piece, NULL);
    }
    for (size_t i = 0; (r == 0 || r == -ENOSPC) && i < x->n_answer_headers; i++) {
        struct set_cookie cookie;
        if (span_equal_nocase(x->answer_headers[i].name, SPAN("Set-Cookie")) &&
            set_cookie_parse(x->answer_headers[i].value, &cookie) == 0)
            r = strmap_put(&im->jar, cookie.name, NULL);
    }
    return r == -ENOSPC ? 0 : r;
}

/* ---- the journey ---- */

MUST_USE static int write_assets(struct import *im, size_t page)
{
    int r = 0;
    for (size_t i = page + 1; r == 0 && i < im->file.n; i++) {
        struct draft_request *q = NULL;
        if (im->why[i] == KEPT && is_page(&im->file.exchanges[i]))
            break;
        if (im->why[i] != ASSET)
            continue;
        r = har_write(&im->writer, &im->file.exchanges[i], &q);
        if (r == 0)
            q->step = SPAN("assets");
    }
    return r;
}

MUST_USE static int write_requests(struct import *im)
{
    int64_t busy_until = 0;
    int r = 0;
    for (size_t i = 0; r == 0 && i < im->file.n; i++) {
        const struct har_exchange *x = &im->file.exchanges[i];
        struct draft_request *q = NULL;
        if (im->why[i] != KEPT)
            continue;
        r = note_cookies(im, x);
        if (r == 0)
            r = har_write(&im->writer, x, &q);
        if (r < 0)
            break;
        int64_t gap_ms = busy_until ? (x->start_us - busy_until) / 1000 : 0;
        q->think_ms = gap_ms < THINK_MIN_MS ? 0 : gap_ms > THINK_MAX_MS ? THINK_MAX_MS : gap_ms;
        busy_until = x->end_us > busy_until ? x->end_us : busy_until;
        r = har_sources_add(&im->writer.sources, x, q);
        if (r == 0 && im->o->assets && is_page(x))
            r = write_assets(im, i);
    }
    if (r == -E2BIG) {
        problem_add(im->ps, PROBLEM_WARNING, im->name, 0, 0, "the recording goes on behind the first %u requests",
                    JOURNEY_STEPS_MAX);
        r = 0;
    }
    if (r == -ENOSPC) {
        problem_add(im->ps, PROBLEM_ERROR, im->name, 0, 0, "the recording has more than %u values to be set",
                    HURL_VARIABLES_MAX);
        r = -EINVAL;
    }
    return r;
}

/* ---- what is said of it ---- */

static int by_name(const void *a, const void *b)
{
    return span_compare(*(const struct span *)a, *(const struct span *)b);
}

static void tell_foreign(struct import *im)
{
    struct span hosts[HOSTS_LISTED + 1], host;
    size_t n = 0, at = 0;
    void *count;
    while (n < HOSTS_LISTED && strmap_next(&im->foreign, &at, &host, &count))
        hosts[n++] = host;
    qsort(hosts, n, sizeof *hosts, by_name);
    for (size_t i = 0; i < n; i++)
        problem_add(im->ps, PROBLEM_NOTICE, im->name, 0, 0,
                    "left out: %zu of the third party " SPAN_FMT " (--keep-host " SPAN_FMT " keeps them)",
                    (size_t)(uintptr_t)strmap_get(&im->foreign, hosts[i]), SPAN_ARG(hosts[i]), SPAN_ARG(hosts[i]));
    if (im->foreign.used > n)
        problem_add(im->ps, PROBLEM_NOTICE, im->name, 0, 0, "left out: %zu further third parties",
                    im->foreign.used - n);
}

static void tell(struct import *im, const struct journey_draft *d)
{
    struct har_writer *w = &im->writer;
    problem_add(im->ps, PROBLEM_NOTICE, im->name, 0, 0, "%zu requests of " SPAN_FMT ", %zu captures", d->n,
                SPAN_ARG(im->site), w->sources.captures);
    for (size_t i = 0; i < REASONS; i++)
        if (im->counts[i] && WORDS[i])
            problem_add(im->ps, PROBLEM_NOTICE, im->name, 0, 0, "left out: %zu %s", im->counts[i], WORDS[i]);
    tell_foreign(im);
    if (im->file.unusable)
        problem_add(im->ps, PROBLEM_WARNING, im->name, 0, 0,
                    "left out: %zu entries without a URL or a time, or beyond %u", im->file.unusable, HAR_ENTRIES_MAX);
    if (im->strangers.len)
        problem_add(im->ps, PROBLEM_WARNING, im->name, 0, 0,
                    "these cookies were set by no answer of the recording and are not sent: " SPAN_FMT,
                    SPAN_ARG(buf_view(&im->strangers)));
    if (w->n_secrets)
        problem_add(im->ps, PROBLEM_NOTICE, im->name, 0, 0, "to be set with --variable NAME=VALUE: " SPAN_FMT,
                    SPAN_ARG(buf_view(&w->secret_list)));
}

MUST_USE static int make_title(struct import *im, struct journey_draft *d)
{
    const char *slash = strrchr(im->name, '/');
    const struct har_writer *w = &im->writer;
    char *title = arena_printf(&d->arena,
                               "Imported from %s."
                               "%s" SPAN_FMT,
                               slash ? slash + 1 : im->name, w->n_secrets ? "\nVariables to be set: " : "",
                               SPAN_ARG(buf_view(&w->secret_list)));
    if (!title)
        return -ENOMEM;
    d->title = draft_text(d, span_str(title));
    return 0;
}

int import_har(struct span text, const char *name, const struct har_options *o, struct journey_draft *d,
               struct problems *ps)
{
    struct import im = {.o = o, .name = name, .ps = ps};
    struct arena arena;
    arena_init(&arena, IMPORT_FILE_BYTES_MAX);
    strmap_init(&im.foreign, HAR_ENTRIES_MAX);
    strmap_init(&im.jar, HAR_ENTRIES_MAX);
    strmap_init(&im.reported, 1000);
    buf_init(&im.strangers, CONFIG_BYTES_MAX);
    har_writer_init(&im.writer, d, o->keep_headers, o->n_keep_headers);
    int r = har_read(&arena, text, name, &im.file, ps);
    if (r == 0)
        r = find_site(&im);
    if (r == 0)
        r = judge_all(&im);
    if (r == 0)
        r = write_requests(&im);
    if (r == 0 && d->n == 0) {
        problem_add(ps, PROBLEM_ERROR, name, 0, 0,
                    "nothing of the recording can be a journey: no request was answered");
        r = -EINVAL;
    }
    if (r == 0)
        r = make_title(&im, d);
    if (r == 0)
        tell(&im, d);
    har_writer_done(&im.writer);
    buf_done(&im.strangers);
    strmap_done(&im.foreign);
    strmap_done(&im.jar);
    strmap_done(&im.reported);
    free(im.why);
    arena_done(&arena);
    return r;
}
