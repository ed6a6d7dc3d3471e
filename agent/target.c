#include "agent/target.h"

#include <errno.h>
#include <stdarg.h>

#include "lib/base/limits.h"
#include "lib/base/number.h"
#include "lib/wire/url.h"

struct scraped {
    uint32_t series;
    struct sample sample;
};

static const char *const REPORT_NAMES[REPORTS] = {"up", "scrape_duration_seconds", "scrape_samples_scraped",
                                                  "scrape_samples_post_metric_relabeling", "scrape_series_added"};

/* ---- what a target is called ---- */

static void set(struct label_builder *b, const char *name, const char *value)
{
    label_builder_set(b, span_str(name), span_str(value));
}

/* The labels that relabel_configs see: __address__, __scheme__, __metrics_path__, __param_*, job, the group's. */
static void discovered(struct label_builder *b, struct arena *a, const struct scrape_job *job,
                       const struct pair_list *group, struct span address)
{
    char text[NUMBER_TEXT_MAX];
    label_builder_set(b, SPAN("__address__"), address);
    set(b, "__scheme__", job->scheme);
    set(b, "__metrics_path__", job->metrics_path);
    size_t n = format_duration_ms(text, job->interval_ms);
    label_builder_set(b, SPAN("__scrape_interval__"), span_str(arena_dup(a, span_of(text, n))));
    n = format_duration_ms(text, job->timeout_ms);
    label_builder_set(b, SPAN("__scrape_timeout__"), span_str(arena_dup(a, span_of(text, n))));
    set(b, "job", job->name);
    for (size_t i = 0; i < job->params.n; i++) {
        const char *name = arena_printf(a, "__param_" SPAN_FMT, SPAN_ARG(job->params.pairs[i].name));
        if (name && label_builder_get(b, span_str(name)).len == 0)
            label_builder_set(b, span_str(name), job->params.pairs[i].value);
    }
    for (size_t i = 0; i < group->n; i++)
        label_builder_set(b, group->pairs[i].name, group->pairs[i].value);
}

/* Parameters: the __param_NAME labels replace the first value of their name, further values follow. */
static void append_params(struct buf *url, const struct scrape_job *job, const struct labels *all)
{
    char sep = '?';
    for (size_t i = 0; i < all->n; i++) {
        struct span name = all->pairs[i].name;
        if (!span_starts(name, SPAN("__param_")))
            continue;
        buf_char(url, sep);
        url_encode(url, span_from(name, 8));
        buf_char(url, '=');
        url_encode(url, all->pairs[i].value);
        sep = '&';
    }
    for (size_t i = 0; i < job->params.n; i++) {
        bool first = true;
        for (size_t k = 0; k < i; k++)
            first = first && !span_equal(job->params.pairs[k].name, job->params.pairs[i].name);
        if (first)
            continue;
        buf_char(url, sep);
        url_encode(url, job->params.pairs[i].name);
        buf_char(url, '=');
        url_encode(url, job->params.pairs[i].value);
        sep = '&';
    }
}

MUST_USE static int make_url(struct target *t, const struct labels *all)
{
    struct buf url, key;
    buf_init(&url, TARGET_BYTES_MAX);
    buf_span(&url, labels_get(all, SPAN("__scheme__")));
    buf_str(&url, "://");
    buf_span(&url, labels_get(all, SPAN("__address__")));
    struct span path = labels_get(all, SPAN("__metrics_path__"));
    if (path.len == 0 || path.ptr[0] != '/')
        buf_char(&url, '/');
    buf_span(&url, path);
    append_params(&url, t->job, all);
    int r = buf_error(&url);
    t->url = r ? NULL : buf_take(&url, NULL);
    buf_done(&url);
    buf_init(&key, TARGET_BYTES_MAX);
    buf_printf(&key, "%s\n%s\n%lld\n", t->job->name, t->url ? t->url : "", (long long)t->interval_ms);
    labels_format(&key, &t->labels);
    t->key = buf_error(&key) ? NULL : buf_take(&key, NULL);
    buf_done(&key);
    return t->url && t->key ? 0 : -ENOMEM;
}

MUST_USE static int add_external(struct label_builder *b, const struct pair_list *external, struct labels *ret)
{
    for (size_t i = 0; i < external->n; i++)
        if (label_builder_get(b, external->pairs[i].name).len == 0)
            label_builder_set(b, external->pairs[i].name, external->pairs[i].value);
    return label_builder_finish(b, ret);
}

MUST_USE static int make_reports(struct target *t)
{
    for (size_t i = 0; i < REPORTS; i++) {
        struct label_builder b;
        label_builder_init(&b, &t->arena);
        label_builder_from(&b, &t->labels);
        set(&b, "__name__", REPORT_NAMES[i]);
        int r = add_external(&b, &t->external, &t->reports[i]);
        if (r < 0)
            return r;
    }
    return 0;
}

MUST_USE static int make_labels(struct target *t, struct label_builder *b, struct labels *all)
{
    int64_t ms;
    if (label_builder_get(b, SPAN("instance")).len == 0)
        label_builder_set(b, SPAN("instance"), label_builder_get(b, SPAN("__address__")));
    int r = label_builder_finish(b, all);
    if (r < 0)
        return r;
    if (parse_duration_ms(labels_get(all, SPAN("__scrape_interval__")), &ms) == 0 && ms > 0)
        t->interval_ms = ms;
    if (parse_duration_ms(labels_get(all, SPAN("__scrape_timeout__")), &ms) == 0 && ms > 0)
        t->timeout_ms = ms < t->interval_ms ? ms : t->interval_ms;
    t->labels.pairs = arena_array(&t->arena, all->n, sizeof *t->labels.pairs);
    if (!t->labels.pairs)
        return -ENOMEM;
    for (size_t i = 0; i < all->n; i++)
        if (!span_starts(all->pairs[i].name, SPAN("__")))
            t->labels.pairs[t->labels.n++] = all->pairs[i];
    return labels_copy(&t->arena, &t->labels, &t->labels);
}

int target_new(const struct scrape_job *job, const struct pair_list *group, struct span address,
               const struct pair_list *external, struct pair_table *pairs, struct target **ret)
{
    struct target *t = calloc(1, sizeof *t);
    struct label_builder b;
    struct labels all;
    struct buf scratch;
    if (!t)
        return -ENOMEM;
    arena_init(&t->arena, TARGET_BYTES_MAX);
    arena_init(&t->info_arena, TARGET_BYTES_MAX);
    series_cache_init(&t->cache, pairs);
    t->job = job;
    t->external = *external;
    t->interval_ms = job->interval_ms;
    t->timeout_ms = job->timeout_ms;
    buf_init(&scratch, TARGET_BYTES_MAX);
    label_builder_init(&b, &t->arena);
    discovered(&b, &t->arena, job, group, address);
    int r = relabel_apply(&job->relabel, &b, &scratch);
    if (r > 0 && label_builder_get(&b, SPAN("__address__")).len == 0)
        r = 0;
    if (r > 0) {
        r = make_labels(t, &b, &all);
        if (r == 0)
            r = make_url(t, &all);
        if (r == 0)
            r = make_reports(t);
        t->instance = r == 0 ? span_dup(labels_get(&t->labels, SPAN("instance"))) : NULL;
        r = r < 0 ? r : t->instance ? 1 : -ENOMEM;
    }
    buf_done(&scratch);
    if (r <= 0)
        target_free(t);
    *ret = r > 0 ? t : NULL;
    return r < 0 ? r : 0;
}

void target_free(struct target *t)
{
    if (!t)
        return;
    series_cache_done(&t->cache);
    arena_done(&t->arena);
    arena_done(&t->info_arena);
    free(t->page);
    free(t->key);
    free(t->url);
    free(t->instance);
    free(t);
}

/* ---- a page ---- */

struct page_reader {
    struct target *t;
    const struct sample_sink *sink;
    struct arena arena;
    struct buf scratch;
    uint64_t n, kept, added;
    const char *why;        /* of a refusal */
    struct metadata family; /* told when its last line has come; in family_texts */
    struct arena family_texts;
};

/* The series' labels as they leave: target labels win unless honor_labels (the page's are kept as exported_NAME), metric_relabel_configs,
 * external labels where absent. 1: kept, 0: dropped. */
MUST_USE static int final_labels(struct page_reader *p, const struct labels *scraped, struct labels *ret)
{
    struct target *t = p->t;
    struct label_builder b;
    label_builder_init(&b, &p->arena);
    label_builder_from(&b, scraped);
    for (size_t i = 0; i < t->labels.n; i++) {
        struct label pair = t->labels.pairs[i];
        struct span theirs = label_builder_get(&b, pair.name);
        if (theirs.len && t->job->honor_labels)
            continue;
        if (theirs.len) {
            struct span name = pair.name;
            do {
                char *exported = arena_printf(&p->arena, "exported_" SPAN_FMT, SPAN_ARG(name));
                if (!exported)
                    return -ENOMEM;
                name = span_str(exported);
            } while (label_builder_get(&b, name).len);
            label_builder_set(&b, name, theirs);
        }
        label_builder_set(&b, pair.name, pair.value);
    }
    int r = t->job->metric_relabel.n ? relabel_apply(&t->job->metric_relabel, &b, &p->scratch) : 1;
    if (r <= 0)
        return r;
    r = add_external(&b, &t->external, ret);
    return r < 0 ? r : 1;
}

static const char *over_limit(const struct scrape_job *job, const struct labels *labels)
{
    if (job->label_limit && labels->n > job->label_limit)
        return "label_limit exceeded";
    for (size_t i = 0; i < labels->n; i++) {
        if (job->label_name_length_limit && labels->pairs[i].name.len > job->label_name_length_limit)
            return "label_name_length_limit exceeded";
        if (job->label_value_length_limit && labels->pairs[i].value.len > job->label_value_length_limit)
            return "label_value_length_limit exceeded";
    }
    return NULL;
}

MUST_USE static int64_t series_of(struct page_reader *p, const struct labels *scraped)
{
    int64_t at = series_cache_next(&p->t->cache, scraped);
    if (at != -ENOENT)
        return at;
    uint64_t hash = labels_hash(scraped);
    at = series_cache_find(&p->t->cache, scraped, hash);
    if (at != -ENOENT)
        return at;
    struct labels final = {0};
    arena_reset(&p->arena);
    int r = final_labels(p, scraped, &final);
    if (r < 0)
        return r;
    if (r > 0) {
        p->why = over_limit(p->t->job, &final);
        if (!p->why)
            r = labels_check(&final, &p->why) < 0 ? -EINVAL : r;
        if (!p->why && labels_get(&final, SPAN("__name__")).len == 0)
            p->why = "metric_relabel_configs leave a sample without its name";
        if (p->why)
            return -EINVAL;
        p->added++;
    }
    return series_cache_add(&p->t->cache, scraped, hash, r > 0 ? &final : NULL);
}

static int on_sample(void *ctx, const struct exposition_sample *s)
{
    struct page_reader *p = ctx;
    struct target *t = p->t;
    p->n++;
    int64_t at = series_of(p, &s->labels);
    if (at < 0)
        return (int)at;
    struct cached_series *e = &t->cache.list[at];
    bool own_time = s->has_time && t->job->honor_timestamps;
    if (e->round == t->cache.round && !own_time) {
        t->duplicates++;
        return 0; /* the same series twice in a page: the first one counts */
    }
    e->round = t->cache.round;
    e->own_time = own_time && !t->job->track_timestamps_staleness;
    if (e->n_final == 0)
        return 0;
    p->kept++;
    if (t->job->sample_limit && p->kept > t->job->sample_limit) {
        p->why = "sample_limit exceeded";
        return -EINVAL;
    }
    if (t->n_page == t->cap_page) {
        size_t cap = t->cap_page ? t->cap_page * 2 : t->cache.n + 64;
        struct scraped *page = realloc(t->page, cap * sizeof *page);
        if (!page)
            return -ENOMEM;
        t->page = page;
        t->cap_page = cap;
    }
    t->page[t->n_page++] =
        (struct scraped){.series = (uint32_t)at, .sample = {own_time ? s->t_ms : t->time_ms, s->start_ms, s->value}};
    return 0;
}

static void tell_family(struct page_reader *p)
{
    if (p->family.name.len)
        p->sink->metadata(p->sink->ctx, &p->family);
    p->family = (struct metadata){0};
    arena_reset(&p->family_texts);
}

/* A family grows line by line: only the whole of it is told, else it would change with every page. */
static int on_metadata(void *ctx, const struct metadata *m)
{
    struct page_reader *p = ctx;
    bool ok = true;
    if (!span_equal(p->family.name, m->name))
        tell_family(p);
    struct span name = p->family.name.len ? p->family.name : arena_span(&p->family_texts, m->name, &ok);
    p->family = (struct metadata){name, m->type, arena_span(&p->family_texts, m->unit, &ok),
                                  arena_span(&p->family_texts, m->help, &ok)};
    return ok ? 0 : -ENOMEM;
}

/* The last failure, as a label's value: valid UTF-8 on one line. */
static void set_error(struct target *t, const char *format, ...) PRINTF_LIKE(2, 3);
static void set_error(struct target *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(t->error, sizeof t->error, format, args);
    va_end(args);
    for (size_t n = strlen(t->error); n > 0 && n + 4 > sizeof t->error && !span_is_utf8(span_of(t->error, n));)
        t->error[--n] = 0; /* cut within a character */
    bool valid = span_is_utf8(span_str(t->error));
    for (char *c = t->error; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = ' ';
        else if (!valid && (unsigned char)*c >= 0x80)
            *c = '?';
    }
}

MUST_USE static int parse_page(struct page_reader *p, const struct http_response *response)
{
    struct target *t = p->t;
    struct exposition_events events = {.ctx = p, .sample = on_sample, .metadata = on_metadata};
    struct parse_error error = {0};
    enum exposition_format format;
    struct span type = http_response_header(response, "content-type");
    if (exposition_format_of(type, &format) < 0) {
        if (t->job->fallback_format < 0) {
            set_error(t, "Content-Type \"" SPAN_FMT "\" is no exposition format and no fallback_scrape_protocol is set",
                      SPAN_ARG(type));
            return -EINVAL;
        }
        format = (enum exposition_format)t->job->fallback_format;
    }
    int r = exposition_parse(format, buf_view(&response->body), &events, &error);
    tell_family(p);
    if (r < 0 && p->why)
        set_error(t, "%s", p->why);
    else if (r < 0 && error.text[0])
        set_error(t, "line %u:%u: %s", error.line, error.column, error.text);
    else if (r < 0)
        set_error(t, "%s", strerror(-r));
    return r;
}

struct gone {
    const struct sample_sink *sink;
    int64_t time_ms;
    struct series_cache *cache;
};

static void stale(const struct sample_sink *sink, const struct labels *labels, int64_t time_ms)
{
    struct sample marker = {time_ms, 0, stale_marker()};
    sink->sample(sink->ctx, labels, &marker);
}

static void on_gone(void *ctx, const struct cached_series *e, const struct labels *final)
{
    const struct gone *g = ctx;
    if (e->sent && !e->own_time && !series_cache_twin_left(g->cache, e) && series_cache_admit(g->cache, e, g->time_ms))
        stale(g->sink, final, g->time_ms);
}

/* crest_agent_target_info carries the last error; a changed one is another series, so the old one ends. */
static void report_info(struct target *t, const struct sample_sink *sink)
{
    struct label_builder b;
    struct sample one = {t->time_ms, 0, 1};
    if (t->info.n && !span_equal(labels_get(&t->info, SPAN("error")), span_str(t->error))) {
        stale(sink, &t->info, t->time_ms);
        t->info.n = 0;
    }
    if (t->info.n == 0) {
        struct labels made;
        arena_reset(&t->info_arena);
        label_builder_init(&b, &t->info_arena);
        set(&b, "__name__", "crest_agent_target_info");
        label_builder_set(&b, SPAN("job"), labels_get(&t->labels, SPAN("job")));
        label_builder_set(&b, SPAN("instance"), labels_get(&t->labels, SPAN("instance")));
        set(&b, "pool", t->job->name);
        set(&b, "scrape_url", t->url);
        set(&b, "error", t->error);
        if (add_external(&b, &t->external, &made) < 0 || labels_copy(&t->info_arena, &made, &t->info) < 0) {
            t->info.n = 0;
            return;
        }
    }
    sink->sample(sink->ctx, &t->info, &one);
}

static void report(struct target *t, const struct page_reader *p, bool ok, int64_t took_us,
                   const struct sample_sink *sink)
{
    const double values[REPORTS] = {[REPORT_UP] = ok ? 1 : 0,
                                    [REPORT_DURATION] = (double)took_us / 1e6,
                                    [REPORT_SCRAPED] = (double)p->n,
                                    [REPORT_KEPT] = ok ? (double)p->kept : 0,
                                    [REPORT_ADDED] = ok ? (double)p->added : 0};
    for (size_t i = 0; i < REPORTS; i++) {
        struct sample s = {t->time_ms, 0, values[i]};
        sink->sample(sink->ctx, &t->reports[i], &s);
    }
    report_info(t, sink);
    t->reported = true;
}

static void http_failed(struct target *t, const struct http_response *response)
{
    if (response->error == -ETIMEDOUT)
        set_error(t, "no answer within the scrape timeout of %lld ms", (long long)t->timeout_ms);
    else if (response->error == -EFBIG)
        set_error(t, "the page is larger than body_size_limit");
    else if (response->error)
        set_error(t, "%s", response->error_text);
    else
        set_error(t, "server returned HTTP status %d", response->status);
}

static void pass_on(struct target *t, const struct sample_sink *sink)
{
    struct label pairs[LABELS_MAX + 1];
    for (size_t i = 0; i < t->n_page; i++) {
        struct cached_series *e = &t->cache.list[t->page[i].series];
        if (!series_cache_admit(&t->cache, e, t->page[i].sample.t_ms)) {
            t->duplicates++; /* relabelling made it equal to another one: the first one counts */
            continue;
        }
        struct labels final = series_cache_final(&t->cache, e, pairs);
        sink->sample(sink->ctx, &final, &t->page[i].sample);
        e->sent = true;
    }
}

void target_take_page(struct target *t, const struct http_response *response, int64_t took_us,
                      const struct sample_sink *sink)
{
    struct page_reader p = {.t = t, .sink = sink};
    struct gone g = {sink, t->time_ms, &t->cache};
    bool ok = false;
    arena_init(&p.arena, TARGET_BYTES_MAX);
    arena_init(&p.family_texts, SCRAPE_BODY_BYTES_MAX);
    buf_init(&p.scratch, TARGET_BYTES_MAX);
    t->n_page = 0;
    t->error[0] = 0;
    series_cache_begin(&t->cache);
    if (response->error || response->status != 200)
        http_failed(t, response);
    else
        ok = parse_page(&p, response) == 0;
    if (ok && series_cache_pair_twins(&t->cache) < 0) {
        set_error(t, "%s", strerror(ENOMEM));
        ok = false;
    }
    if (ok)
        pass_on(t, sink);
    else
        series_cache_begin(&t->cache); /* nothing was seen: everything known goes stale */
    series_cache_sweep(&t->cache, on_gone, &g);
    report(t, &p, ok, took_us, sink);
    t->scrapes++;
    t->failures += !ok;
    free(t->page); /* the next target uses the same memory */
    t->page = NULL;
    t->n_page = t->cap_page = 0;
    buf_done(&p.scratch);
    arena_done(&p.family_texts);
    arena_done(&p.arena);
}

void target_gone(struct target *t, int64_t time_ms, const struct sample_sink *sink)
{
    struct gone g = {sink, time_ms, &t->cache};
    series_cache_begin(&t->cache);
    series_cache_sweep(&t->cache, on_gone, &g);
    for (size_t i = 0; i < REPORTS && t->reported; i++)
        stale(sink, &t->reports[i], time_ms);
    if (t->info.n)
        stale(sink, &t->info, time_ms);
    t->info.n = 0;
    t->reported = false;
}

void target_adopt(struct target *t, struct target *fresh, int64_t time_ms, const struct sample_sink *sink)
{
    struct series_cache cache = t->cache;
    struct arena arena = t->info_arena;
    struct page_reader p = {.t = fresh, .sink = sink};
    struct label pairs[LABELS_MAX + 1], old_pairs[LABELS_MAX + 1];
    fresh->due_us = t->due_us;
    fresh->grid_ms = t->grid_ms;
    fresh->phase_ms = t->phase_ms;
    fresh->scrapes = t->scrapes;
    fresh->failures = t->failures;
    fresh->duplicates = t->duplicates;
    fresh->reported = t->reported;
    fresh->time_ms = t->time_ms;
    fresh->started_us = t->started_us;
    fresh->request_id = t->request_id;
    fresh->flight = t->flight;
    t->request_id = 0;
    t->flight = NULL;
    memcpy(fresh->error, t->error, sizeof fresh->error);
    t->cache = fresh->cache;
    fresh->cache = cache;
    t->info_arena = fresh->info_arena;
    fresh->info_arena = arena;
    fresh->info = t->info;
    t->info = (struct labels){0};
    if (!labels_equal(&t->reports[REPORT_UP], &fresh->reports[REPORT_UP])) { /* other external labels */
        for (size_t i = 0; i < REPORTS && t->reported; i++)
            stale(sink, &t->reports[i], time_ms);
        if (fresh->info.n)
            stale(sink, &fresh->info, time_ms);
        fresh->info.n = 0;
    }
    arena_init(&p.arena, TARGET_BYTES_MAX);
    buf_init(&p.scratch, TARGET_BYTES_MAX);
    for (size_t i = 0; i < fresh->cache.n; i++) {
        struct cached_series *e = &fresh->cache.list[i];
        struct labels scraped = series_cache_scraped(&fresh->cache, e, pairs), final = {0},
                      old = series_cache_final(&fresh->cache, e, old_pairs);
        arena_reset(&p.arena);
        int r = final_labels(&p, &scraped, &final);
        if (r < 0 || labels_equal(&final, &old))
            continue;
        if (e->sent && !e->own_time)
            stale(sink, &old, time_ms);
        e->sent = false;
        if (series_cache_rename(&fresh->cache, i, &final) < 0)
            break; /* the old name stays until memory is back */
    }
    buf_done(&p.scratch);
    arena_done(&p.arena);
}
