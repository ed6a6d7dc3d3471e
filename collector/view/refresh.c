/* One look per frame: signals, targets and alerts, sorted by service. */
#include <errno.h>

#include "collector/view/view_internal.h"
#include "lib/base/limits.h"

#define QUERY_MS 3000                  /* a look that takes longer is of no use */
#define CLOCK_AHEAD_MS 5000            /* samples up to this much ahead of our clock are seen */
#define FORGET_MS (3600 * 1000ll)      /* a service that is gone stays unknown that long */
#define INTERVAL_MS_MAX (300 * 1000ll) /* of scrapes */

enum { SIGNALS, INFO, UP, UP_TIME, TOOK };
static const char *const QUERIES[] = {
    [SIGNALS] = "{__name__=~\"commerce:.+\",__name__!~\".+:5m\"}",
    [INFO] = "timestamp(crest_agent_target_info)",
    [UP] = "up",
    [UP_TIME] = "timestamp(up)",
    [TOOK] = "scrape_duration_seconds",
};

void view_look_free(struct view *v)
{
    for (size_t i = 0; i < ARRAY_LEN(v->results); i++) {
        promql_result_free(v->results[i]);
        v->results[i] = NULL;
    }
    v->n_signals = v->n_targets = 0;
    arena_reset(&v->arena);
}

static void service_free(struct service *s)
{
    free(s->name);
    free(s);
}

void view_services_free(struct view *v)
{
    size_t at = 0;
    struct span key;
    void *value;
    while (strmap_next(&v->services, &at, &key, &value))
        service_free(value);
    strmap_done(&v->services);
}

struct span service_label(const struct labels *labels)
{
    struct span s = labels_get(labels, SPAN("service"));
    return s.len ? s : labels_get(labels, SPAN("job"));
}

int view_query(struct view *v, const char *text, struct promql_result **ret)
{
    int64_t newest_ms = v->config.store ? store_newest_ms(v->config.store) : TIME_NONE, at_ms = v->now_ms;
    if (newest_ms > at_ms && newest_ms <= at_ms + CLOCK_AHEAD_MS)
        at_ms = newest_ms;
    struct query_request q = {
        .text = span_str(text), .start_ms = at_ms, .end_ms = at_ms, .timeout_ms = QUERY_MS, .origin = SPAN("live")};
    struct promql_error error;
    return query_run(v->config.query, &q, ret, &error);
}

int view_service(struct view *v, struct span name, struct service **ret)
{
    struct service *s = strmap_get(&v->services, name);
    if (!s) {
        s = calloc(1, sizeof *s);
        char *text = s ? span_dup(name) : NULL;
        int r = text ? strmap_put(&v->services, name, s) : -ENOMEM;
        if (r < 0) {
            free(text);
            free(s);
            return r;
        }
        s->name = text;
        s->good_ms = TIME_NONE;
        for (size_t i = 0; i < COVERED; i++)
            s->covered_ms[i] = TIME_NONE;
    }
    s->seen_ms = v->now_ms;
    *ret = s;
    return 0;
}

/* A service over the limit has no row; the section says how many are left out when it can. */
MUST_USE static int service_or_none(struct view *v, struct span name, struct service **ret)
{
    *ret = NULL;
    int r = name.len ? view_service(v, name, ret) : 0;
    return r == -ENOSPC ? 0 : r;
}

/* ---- signals ---- */
static int by_service(const void *a, const void *b)
{
    const struct signal *x = a, *y = b;
    int c = span_compare(x->service, y->service);
    if (c == 0)
        c = span_compare(x->tier, y->tier);
    if (c == 0)
        c = span_compare(x->stack, y->stack);
    return c ? c : labels_compare(x->labels, y->labels);
}

static bool is_plain(const struct labels *labels)
{
    static const char *const OWN[] = {"__name__", "job", "service", "stack", "tier"};
    for (size_t i = 0; i < labels->n; i++) {
        bool own = false;
        for (size_t k = 0; k < ARRAY_LEN(OWN); k++)
            own = own || span_equal(labels->pairs[i].name, span_str(OWN[k]));
        if (!own)
            return false;
    }
    return true;
}

MUST_USE static int read_signals(struct view *v)
{
    const struct promql_result *result = v->results[SIGNALS];
    v->signals = arena_array(&v->arena, result->n_series, sizeof *v->signals);
    if (!v->signals)
        return -ENOMEM;
    for (size_t i = 0; i < result->n_series; i++) {
        const struct promql_series *p = &result->series[i];
        if (!p->present[0] || (p->histograms && p->histograms[0]))
            continue;
        v->signals[v->n_signals++] =
            (struct signal){.name = span_from(labels_get(&p->labels, SPAN("__name__")), sizeof "commerce:" - 1),
                            .service = service_label(&p->labels),
                            .tier = labels_get(&p->labels, SPAN("tier")),
                            .stack = labels_get(&p->labels, SPAN("stack")),
                            .labels = &p->labels,
                            .value = p->values[0],
                            .plain = is_plain(&p->labels)};
    }
    if (v->n_signals)
        qsort(v->signals, v->n_signals, sizeof *v->signals, by_service);
    for (size_t i = 0, end; i < v->n_signals; i = end) {
        for (end = i + 1; end < v->n_signals && span_equal(v->signals[i].service, v->signals[end].service);)
            end++;
        struct service *s;
        int r = service_or_none(v, v->signals[i].service, &s);
        if (r < 0)
            return r;
        if (s) {
            s->signals = &v->signals[i];
            s->n_signals = end - i;
            s->tier = v->signals[i].tier;
        }
    }
    return 0;
}

/* ---- targets ---- */
MUST_USE static int target_of(struct view *v, struct strmap *by_name, const struct labels *labels, struct target **ret)
{
    struct span job = labels_get(labels, SPAN("job")), instance = labels_get(labels, SPAN("instance"));
    char *key = arena_printf(&v->arena, SPAN_FMT "%c" SPAN_FMT, SPAN_ARG(job), 0xff, SPAN_ARG(instance));
    if (!key)
        return -ENOMEM;
    struct target *t = strmap_get(by_name, span_str(key));
    if (!t) {
        t = &v->targets[v->n_targets];
        int r = strmap_put(by_name, span_str(key), t);
        if (r < 0)
            return r;
        *t = (struct target){.job = job, .instance = instance, .info_ms = TIME_NONE, .scraped_ms = TIME_NONE};
        v->n_targets++;
    }
    if (!labels_get(labels, SPAN("service")).len && t->service.len)
        ; /* crest_agent_target_info has the job only */
    else
        t->service = service_label(labels);
    if (!t->tier.len)
        t->tier = labels_get(labels, SPAN("tier"));
    *ret = t;
    return 0;
}

static void fill_target(struct target *t, size_t query, const struct promql_series *p)
{
    double value = p->values[0];
    if (query == UP) {
        t->up = value;
        t->has_up = true;
    } else if (query == UP_TIME) {
        t->scraped_ms = (int64_t)(value * 1000 + 0.5);
    } else if (query == TOOK) {
        t->took_s = value;
        t->has_took = true;
    } else if ((int64_t)(value * 1000) > t->info_ms) { /* its error has changed: the newer one speaks */
        t->info_ms = (int64_t)(value * 1000);
        t->url = labels_get(&p->labels, SPAN("scrape_url"));
        t->error = labels_get(&p->labels, SPAN("error"));
    }
}

static void learn_scrape(struct service *s, int64_t t_ms)
{
    if (s->good_ms != TIME_NONE && t_ms > s->good_ms) {
        int64_t gap_ms = t_ms - s->good_ms;
        if (gap_ms > INTERVAL_MS_MAX)
            gap_ms = INTERVAL_MS_MAX;
        /* shorter ones are believed at once; longer ones may be an outage */
        s->interval_ms =
            s->interval_ms == 0 || gap_ms < s->interval_ms ? gap_ms : s->interval_ms + (gap_ms - s->interval_ms) / 4;
    }
    if (t_ms > s->good_ms)
        s->good_ms = t_ms;
}

MUST_USE static int count_target(struct view *v, const struct target *t)
{
    struct service *s;
    int r = service_or_none(v, t->service, &s);
    if (r < 0 || !s)
        return r;
    s->targets++;
    if (!s->job.len)
        s->job = t->job;
    if (t->tier.len)
        s->tier = t->tier;
    if (t->has_up && t->up > 0) {
        if (t->scraped_ms != TIME_NONE)
            learn_scrape(s, t->scraped_ms);
    } else {
        s->targets_down++;
        if (t->error.len)
            s->error = t->error;
    }
    return 0;
}

MUST_USE static int read_targets(struct view *v)
{
    static const size_t READ[] = {UP, UP_TIME, TOOK, INFO};
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(READ); i++)
        n += v->results[READ[i]]->n_series;
    v->targets = arena_array(&v->arena, n, sizeof *v->targets);
    if (!v->targets)
        return -ENOMEM;
    struct strmap by_name;
    strmap_init(&by_name, n + 1);
    int r = 0;
    for (size_t i = 0; i < ARRAY_LEN(READ); i++) {
        const struct promql_result *result = v->results[READ[i]];
        for (size_t k = 0; k < result->n_series && r == 0; k++) {
            struct target *t = NULL;
            if (result->series[k].present[0] && (r = target_of(v, &by_name, &result->series[k].labels, &t)) == 0)
                fill_target(t, READ[i], &result->series[k]);
        }
    }
    strmap_done(&by_name);
    for (size_t i = 0; i < v->n_targets && r == 0; i++)
        r = count_target(v, &v->targets[i]);
    return r;
}

/* ---- alerts ---- */
struct alert_walk {
    struct view *view;
    int error;
};

bool alert_is_page(const struct labels *labels)
{
    struct span severity = labels_get(labels, SPAN("severity"));
    return span_equal(severity, SPAN("page")) || span_equal(severity, SPAN("critical")) ||
           span_equal(severity, SPAN("crit"));
}

/* The page that fired first speaks for the service; without a page the first ticket. */
static bool is_worse(const struct firing *a, const struct firing *b)
{
    return !b->name.len || a->is_page > b->is_page || (a->is_page == b->is_page && a->since_ms < b->since_ms);
}

MUST_USE static int note_firing(struct view *v, struct service *s, const struct firing *f)
{
    s->pages += f->is_page;
    s->tickets += !f->is_page;
    if (!is_worse(f, &s->worst))
        return 0;
    bool ok = true;
    s->worst = *f;
    s->worst.name = arena_span(&v->arena, f->name, &ok);
    s->worst.summary = arena_span(&v->arena, f->summary, &ok);
    return ok ? 0 : -ENOMEM;
}

/* The alert counts for its service, and for the one that its label `dependency` names, if we know that: what customers
 * feel is the shop's trouble, what is broken is the gateway. */
static void note_alert(void *ctx, const struct rules_alert *alert)
{
    struct alert_walk *w = ctx;
    struct service *s = NULL;
    if (w->error < 0 || !alert->firing)
        return;
    struct firing f = {.name = labels_get(alert->labels, SPAN("alertname")),
                       .summary = labels_get(alert->annotations, SPAN("summary")),
                       .since_ms = alert->fired_ms,
                       .is_page = alert_is_page(alert->labels)};
    w->error = service_or_none(w->view, service_label(alert->labels), &s);
    if (w->error == 0 && s)
        w->error = note_firing(w->view, s, &f);
    struct service *broken = strmap_get(&w->view->services, labels_get(alert->labels, SPAN("dependency")));
    if (w->error < 0 || !broken || broken == s)
        return;
    broken->is_blamed = broken->is_blamed || f.is_page;
    w->error = note_firing(w->view, broken, &f);
}

/* ---- all of it ---- */
static void forget(struct view *v)
{
    for (bool again = true; again;) {
        size_t at = 0;
        struct span key;
        void *value;
        again = false;
        while (!again && strmap_next(&v->services, &at, &key, &value)) {
            struct service *s = value;
            if (v->now_ms - s->seen_ms <= FORGET_MS)
                continue;
            (void)strmap_remove(&v->services, key);
            service_free(s);
            again = true;
        }
    }
}

static void begin_services(struct view *v)
{
    size_t at = 0;
    struct span key;
    void *value;
    while (strmap_next(&v->services, &at, &key, &value)) {
        struct service *s = value;
        s->signals = NULL;
        s->n_signals = 0;
        s->targets = s->targets_down = s->pages = s->tickets = 0;
        s->is_blamed = false;
        s->worst = (struct firing){0};
        s->error = s->job = s->tier = (struct span){0};
    }
}

MUST_USE static int look(struct view *v)
{
    int r = 0;
    for (size_t i = 0; i < ARRAY_LEN(QUERIES) && r == 0; i++)
        r = view_query(v, QUERIES[i], &v->results[i]);
    if (r == 0)
        r = read_signals(v);
    if (r == 0)
        r = read_targets(v);
    struct alert_walk w = {v, r};
    if (r == 0)
        rules_each_alert(v->config.rules, note_alert, &w);
    return w.error == 0 ? coverage_refresh(v) : w.error;
}

int view_refresh(struct view *v, int64_t now_ms)
{
    if (v->now_ms == now_ms)
        return v->error;
    view_look_free(v);
    begin_services(v);
    v->now_ms = now_ms;
    v->error = look(v);
    forget(v);
    return v->error;
}
