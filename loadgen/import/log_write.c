#include "loadgen/import/log_write.h"

#include <errno.h>

#include "lib/base/file.h"
#include "lib/base/number.h"
#include "loadgen/hurl/check.h"
#include "loadgen/hurl/parse.h"
#include "loadgen/import/journey.h"
#include "loadgen/import/names.h"

const char *const LOG_CLASS_NAMES[LOG_CLASSES] = {[LOG_PEOPLE] = "people", [LOG_BOTS] = "bots"};

MUST_USE static int write_file(const struct log_writer *w, const char *name, const char *suffix, const struct buf *text)
{
    char path[4096];
    if (buf_error(text))
        return buf_error(text);
    int n = snprintf(path, sizeof path, "%s/%s%s", w->dir, name, suffix);
    int r = n < (int)sizeof path ? file_write(path, text->len ? text->data : "", text->len) : -ENAMETOOLONG;
    if (r < 0)
        problem_add(w->problems, PROBLEM_ERROR, path, 0, 0, "cannot be written: %s", strerror(-r));
    return r < 0 ? -EINVAL : 0;
}

/* ---- steps ---- */

struct column_set { /* of one step */
    struct span names[LOG_SLOTS_MAX];
    size_t n;
    uint32_t rows[LOG_FEED_ROWS]; /* which sample */
};

void log_step_name(const struct log_routes *routes, size_t route, struct buf *out)
{
    const struct log_route *r = log_routes_at(routes, route);
    struct buf template;
    buf_init(&template, 4 * LOG_LINE_BYTES_MAX);
    log_route_template(routes, route, NULL, &template);
    draft_step_name(out, r->method, buf_view(&template));
    buf_done(&template);
    struct span parameters = r->parameters, pair, operation = r->operation;
    while (operation.len == 0 && span_cut(&parameters, '&', &pair))
        operation = span_from(pair, span_find(pair, '=') + 1); /* only an operation's has its value */
    if (operation.len)
        buf_char(out, '-');
    for (size_t i = 0; i < operation.len && i < 40; i++) {
        char c = operation.ptr[i];
        bool word = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_';
        buf_char(out, word ? c : '-');
    }
}

/* Two routes may have one name (another query): their steps get numbers. */
MUST_USE static int name_steps(const struct log_writer *w, const struct log_chain *c, struct journey_draft *d,
                               struct span names[LOG_STEPS_MAX])
{
    for (size_t i = 0; i < c->n; i++) {
        struct buf name;
        bool ok = true, taken = true;
        buf_init(&name, 1024);
        log_step_name(w->routes, c->route[i], &name);
        size_t bare = name.len;
        for (unsigned n = 2; taken && !buf_error(&name); n++) {
            taken = span_equal(buf_view(&name), SPAN("start")) || span_equal(buf_view(&name), SPAN("end"));
            for (size_t k = 0; k < i; k++)
                taken = taken || span_equal(names[k], buf_view(&name));
            if (taken) {
                buf_truncate(&name, bare);
                buf_printf(&name, "-%u", n);
            }
        }
        names[i] = arena_span(&d->arena, buf_view(&name), &ok);
        int r = buf_error(&name);
        buf_done(&name);
        if (r < 0 || !ok)
            return -ENOMEM;
    }
    return 0;
}

/* In millionths that add up to 1, as the chain's rows do: what rounding leaves goes to the likeliest. */
MUST_USE static int add_gotos(struct journey_draft *d, struct draft_request *q, const struct log_chain *c, size_t row,
                              const struct span *names)
{
    uint32_t millionths[LOG_STEPS_MAX + 1], left = 1000000;
    size_t likeliest = 0;
    for (size_t j = 0; j <= c->n; j++) {
        millionths[j] = (uint32_t)(c->p[row][j] * 1e6);
        left -= millionths[j];
        likeliest = millionths[j] > millionths[likeliest] ? j : likeliest;
    }
    millionths[likeliest] += left;
    int r = 0;
    for (size_t j = 0; r == 0 && j <= c->n; j++) {
        char p[32];
        if (millionths[j] == 0)
            continue;
        snprintf(p, sizeof p, "%u.%06u", millionths[j] / 1000000, millionths[j] % 1000000);
        r = draft_pair_add(d, &q->gotos, j ? names[j - 1] : SPAN("end"), span_str(p));
    }
    return r;
}

MUST_USE static int add_think(struct journey_draft *d, struct draft_request *q, const struct log_chain *c, size_t step)
{
    struct buf text;
    bool ok = true;
    if (c->n_thinks[step] == 0)
        return 0;
    buf_init(&text, 4096);
    buf_str(&text, "recorded ");
    for (size_t i = 0; i < c->n_thinks[step]; i++) {
        char number[NUMBER_TEXT_MAX];
        format_duration_ms(number, c->think_ms[step][i]);
        buf_printf(&text, "%s%s", i ? "," : "", number);
    }
    q->think = arena_span(&d->arena, buf_view(&text), &ok);
    int r = buf_error(&text) || !ok ? -ENOMEM : 0;
    buf_done(&text);
    return r;
}

/* The status that nearly all answers had, else none: then anything below 400 is good. */
static int usual_status(const struct log_route *route)
{
    return route->by_status[0] + route->by_status[3] >= route->count - route->count / 100 ? 200 : 0;
}

static struct span usual_target(const struct log_route *route)
{
    size_t best = 0;
    for (size_t i = 1; i < route->n_samples; i++)
        best = route->samples[i].count > route->samples[best].count ? i : best;
    return route->n_samples ? route->samples[best].target : SPAN("/");
}

MUST_USE static int add_step(const struct log_writer *w, struct journey_draft *d, const struct log_chain *c,
                             size_t step, const struct span *names, const struct column_set *set)
{
    const struct log_route *route = log_routes_at(w->routes, c->route[step]);
    struct draft_request *q = journey_add(d);
    struct buf url;
    bool ok = true;
    if (!q)
        return -ENOMEM;
    buf_init(&url, 8 * LOG_LINE_BYTES_MAX);
    draft_expression(&url, SPAN("base"));
    if (set->n)
        log_route_template(w->routes, c->route[step], set->names, &url);
    else
        buf_span(&url, draft_text(d, usual_target(route)));
    q->method = route->method;
    q->url = arena_span(&d->arena, buf_view(&url), &ok);
    q->step = names[step];
    q->status = usual_status(route);
    if (!span_equal(route->method, SPAN("GET")) && !span_equal(route->method, SPAN("HEAD")))
        q->remark = SPAN("a log has no bodies: what is to be sent is missing here");
    int r = buf_error(&url) || !ok ? -ENOMEM : add_gotos(d, q, c, step + 1, names);
    buf_done(&url);
    return r == 0 ? add_think(d, q, c, step) : r;
}

/* ---- data: the variables of the routes, as often as they were seen ---- */

static void put_csv(struct buf *out, struct span field)
{
    bool quote = span_find(field, ',') < field.len || span_find(field, '"') < field.len || field.len == 0;
    if (quote)
        buf_char(out, '"');
    for (size_t i = 0; i < field.len; i++) {
        if (field.ptr[i] == '"')
            buf_char(out, '"');
        buf_char(out, field.ptr[i]);
    }
    if (quote)
        buf_char(out, '"');
}

/* Rows shared out by how often each sample was seen, then mixed, so that two steps' columns know nothing of each other. */
static void share_out(const struct log_route *route, struct rng *rng, uint32_t rows[LOG_FEED_ROWS])
{
    double total = 0, before = 0;
    size_t at = 0;
    for (size_t i = 0; i < route->n_samples; i++)
        total += (double)route->samples[i].count;
    for (size_t i = 0; i < route->n_samples; i++) {
        before += (double)route->samples[i].count;
        size_t until = (size_t)(before / total * LOG_FEED_ROWS + 0.5);
        for (; at < until && at < LOG_FEED_ROWS; at++)
            rows[at] = (uint32_t)i;
    }
    for (; at < LOG_FEED_ROWS; at++)
        rows[at] = 0;
    for (size_t i = LOG_FEED_ROWS; i > 1; i--) {
        size_t k = (size_t)(rng_next(rng) % i);
        uint32_t kept = rows[k];
        rows[k] = rows[i - 1];
        rows[i - 1] = kept;
    }
}

MUST_USE static int name_columns(const struct log_writer *w, const struct log_chain *c, size_t step,
                                 struct journey_draft *d, struct variable_names *names, struct column_set *set)
{
    const struct log_route *route = log_routes_at(w->routes, c->route[step]);
    struct log_slots slots = {0};
    if (route->n_samples)
        log_route_slots(w->routes, c->route[step], route->samples[0].target, &slots);
    set->n = slots.n;
    for (size_t i = 0; i < slots.n; i++) {
        struct buf name;
        bool ok = true;
        buf_init(&name, 256);
        name_variable(names, &name, slots.names[i]);
        set->names[i] = arena_span(&d->arena, buf_view(&name), &ok);
        int r = buf_error(&name) || !ok ? -ENOMEM : 0;
        buf_done(&name);
        if (r < 0)
            return r;
    }
    return 0;
}

MUST_USE static int write_feed(const struct log_writer *w, const char *class, const struct log_chain *c,
                               const struct column_set *sets, size_t columns)
{
    struct buf out;
    int r = 0;
    buf_init(&out, FEED_BYTES_MAX);
    for (size_t i = 0, put = 0; i < c->n; i++)
        for (size_t k = 0; k < sets[i].n; k++, put++)
            buf_printf(&out, "%s" SPAN_FMT, put ? "," : "", SPAN_ARG(sets[i].names[k]));
    buf_char(&out, '\n');
    for (size_t row = 0; row < LOG_FEED_ROWS; row++) {
        size_t put = 0;
        for (size_t i = 0; i < c->n; i++) {
            struct log_slots slots = {0};
            const struct log_route *route = log_routes_at(w->routes, c->route[i]);
            if (sets[i].n)
                log_route_slots(w->routes, c->route[i], route->samples[sets[i].rows[row]].target, &slots);
            for (size_t k = 0; k < sets[i].n; k++) {
                if (put++)
                    buf_char(&out, ',');
                put_csv(&out, k < slots.n ? slots.values[k] : SPAN(""));
            }
        }
        buf_char(&out, '\n');
    }
    if (columns)
        r = write_file(w, class, ".csv", &out);
    buf_done(&out);
    return r;
}

/* ---- the files ---- */

MUST_USE static int write_journey(const struct log_writer *w, const char *class, const struct journey_draft *d)
{
    struct buf out;
    struct hurl_file *f = NULL;
    buf_init(&out, CONFIG_BYTES_MAX);
    int r = journey_print(d, &out);
    if (r == 0)
        r = hurl_parse(class, buf_view(&out), &f, w->problems);
    if (r == 0)
        r = hurl_check(f, w->problems);
    hurl_file_free(f);
    if (r == 0)
        r = write_file(w, class, ".hurl", &out);
    buf_done(&out);
    return r;
}

MUST_USE static int write_arrivals(const struct log_writer *w, const char *class, const struct log_group *g)
{
    struct buf out;
    buf_init(&out, (size_t)LOG_ARRIVALS_MAX * 24);
    buf_str(&out, "seconds\n");
    for (size_t i = 0; i < g->starts.n; i++) {
        int64_t us = g->starts.at[i] - w->first_us;
        buf_printf(&out, "%lld.%06lld\n", (long long)(us / 1000000), (long long)(us % 1000000));
    }
    int r = write_file(w, class, ".arrivals.csv", &out);
    buf_done(&out);
    return r;
}

MUST_USE static int fill_draft(const struct log_writer *w, const char *class, const struct log_chain *c,
                               const struct log_group *g, struct journey_draft *d, struct column_set *sets,
                               size_t *ret_columns)
{
    struct variable_names variables;
    struct span names[LOG_STEPS_MAX];
    struct rng rng;
    rng_seed(&rng, 1);
    variable_names_init(&variables);
    int r = strmap_put(&variables.taken, SPAN("base"), NULL);
    size_t columns = 0;
    for (size_t i = 0; r == 0 && i < c->n; i++) {
        r = name_columns(w, c, i, d, &variables, &sets[i]);
        if (columns + sets[i].n > FEED_COLUMNS_MAX)
            sets[i].n = 0; /* its requests stay as they were seen most */
        columns += sets[i].n;
        if (sets[i].n)
            share_out(log_routes_at(w->routes, c->route[i]), &rng, sets[i].rows);
    }
    variable_names_done(&variables);
    *ret_columns = columns;
    if (r == 0)
        r = name_steps(w, c, d, names);
    d->weight = (double)g->sessions;
    d->title = draft_text(
        d, span_str(arena_printf(&d->arena,
                                 "Imported from %s: %s, as a Markov chain.\nSet the variable base: http://HOST:PORT.",
                                 w->title, class)));
    if (columns)
        d->feed = span_str(arena_printf(&d->arena, "%s.csv shuffle", class));
    struct draft_request *start = r == 0 ? journey_add(d) : NULL;
    if (!start)
        return r < 0 ? r : -ENOMEM;
    start->url = SPAN("\x01"
                      "base\x02/");
    start->step = SPAN("start");
    start->remark = SPAN("Never sent: it says where sessions begin.");
    r = draft_pair_add(d, &start->options, SPAN("skip"), SPAN("true"));
    if (r == 0)
        r = add_gotos(d, start, c, 0, names);
    for (size_t i = 0; r == 0 && i < c->n; i++)
        r = add_step(w, d, c, i, names, &sets[i]);
    return r;
}

int log_write_class(struct log_writer *w, enum log_class class, const struct log_chain *c, const struct log_group *g,
                    const struct log_routes *routes)
{
    w->routes = routes;
    const char *name = LOG_CLASS_NAMES[class];
    if (g->sessions == 0 || c->n == 0)
        return 0;
    struct journey_draft d;
    struct column_set *sets = calloc(c->n, sizeof *sets);
    size_t columns = 0;
    journey_init(&d);
    int r = sets ? fill_draft(w, name, c, g, &d, sets, &columns) : -ENOMEM;
    if (r == 0)
        r = write_feed(w, name, c, sets, columns);
    if (r == 0)
        r = write_journey(w, name, &d);
    if (r == 0)
        r = write_arrivals(w, name, g);
    journey_done(&d);
    free(sets);
    if (r == 0)
        w->classes[w->n_classes++] = name;
    return r;
}

int log_write_plan(struct log_writer *w)
{
    struct buf out;
    buf_init(&out, 65536);
    buf_str(&out, "# The sessions of an imported log, when they came. crest-loadgen run plan.yml --variable "
                  "base=http://HOST:PORT\n"
                  "name: imported\nphases:\n");
    buf_printf(&out, "  - {name: recorded, trace: {file: %s.arrivals.csv, speed: 1}}\njourneys: [%s.hurl]\n",
               w->classes[0], w->classes[0]);
    for (size_t i = 1; i < w->n_classes; i++)
        buf_printf(&out,
                   "%s  - {name: %s, journeys: [%s.hurl], phases: [{trace: {file: %s.arrivals.csv, speed: 1}}]}\n",
                   i == 1 ? "traffic:\n" : "", w->classes[i], w->classes[i], w->classes[i]);
    int r = write_file(w, "plan", ".yml", &out);
    buf_done(&out);
    return r;
}
