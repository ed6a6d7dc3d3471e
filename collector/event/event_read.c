/* event.yml and the files that it names. */
#include <errno.h>
#include <math.h>
#include <stddef.h>

#include "collector/event/currency.h"
#include "collector/event/event.h"
#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/base/limits.h"
#include "lib/base/number.h"
#include "lib/wire/yaml.h"

struct event_keys {
    const char *name, *title, *service, *plan, *last, *last_starts;
    const struct yaml_node *window, *phases, *markets, *money_per_order;
    double growth;
};
static const struct yaml_field FIELDS[] = {
    {"name", YAML_FIELD_TEXT, offsetof(struct event_keys, name), .required = true},
    {"title", YAML_FIELD_TEXT, offsetof(struct event_keys, title)},
    {"service", YAML_FIELD_TEXT, offsetof(struct event_keys, service)},
    {"window", YAML_FIELD_NODE, offsetof(struct event_keys, window), .required = true},
    {"phases", YAML_FIELD_NODE, offsetof(struct event_keys, phases)},
    {"markets", YAML_FIELD_NODE, offsetof(struct event_keys, markets), .required = true},
    {"plan", YAML_FIELD_TEXT, offsetof(struct event_keys, plan)},
    {"last", YAML_FIELD_TEXT, offsetof(struct event_keys, last)},
    {"last_starts", YAML_FIELD_TEXT, offsetof(struct event_keys, last_starts)},
    {"growth", YAML_FIELD_F64, offsetof(struct event_keys, growth)},
    {"money_per_order", YAML_FIELD_NODE, offsetof(struct event_keys, money_per_order)},
    {0},
};
struct window_keys {
    const char *zone, *starts, *ends, *length;
};
static const struct yaml_field WINDOW_FIELDS[] = {
    {"zone", YAML_FIELD_TEXT, offsetof(struct window_keys, zone), .required = true},
    {"starts", YAML_FIELD_TEXT, offsetof(struct window_keys, starts), .required = true},
    {"ends", YAML_FIELD_TEXT, offsetof(struct window_keys, ends)},
    {"length", YAML_FIELD_TEXT, offsetof(struct window_keys, length)},
    {0},
};
struct phase_keys {
    const char *name, *at;
};
static const struct yaml_field PHASE_FIELDS[] = {
    {"name", YAML_FIELD_TEXT, offsetof(struct phase_keys, name), .required = true},
    {"at", YAML_FIELD_TEXT, offsetof(struct phase_keys, at), .required = true},
    {0},
};

struct reading {
    struct event *e;
    const struct event_source *source;
    struct yaml *doc;
    struct problems *problems;
    size_t errors; /* of other files, from before */
    bool partial;  /* a file that it names could not be read: that has been said */
    bool window_known;
    struct event_keys keys;
};

static bool is_bad(const struct reading *w)
{
    return problems_errors(w->problems) > w->errors;
}

static const char *keep(struct reading *w, const char *text)
{
    return text ? arena_dup(&w->e->arena, span_str(text)) : NULL;
}

/* False: complained, or there is none (that was complained of before). */
static bool read_time(struct reading *w, const struct yaml_node *node, const char *text, int64_t *ret_ms)
{
    const char *wrong = NULL;
    if (!text || event_read_time(w->e->tz, span_str(text), ret_ms, &wrong) == 0)
        return text;
    yaml_problem(w->doc, node, w->problems, "'%s' %s", text, wrong);
    return false;
}

/* Without its zone the times are looked at all the same, as if it was UTC. */
static void read_zone(struct reading *w, const struct yaml_node *node, const char *zone)
{
    int r = tz_load(zone ? zone : "UTC", &w->e->tz);
    w->e->zone = keep(w, zone);
    if (r == 0)
        return;
    yaml_problem(w->doc, yaml_get(node, "zone"), w->problems, "'%s': %s", zone ? zone : "UTC",
                 r == -ENOENT || r == -EINVAL ? "no such time zone (one is named as in Europe/Berlin; tzdata has them)"
                                              : strerror(-r));
    if (tz_load("UTC", &w->e->tz) < 0)
        w->e->tz = NULL;
}

static void read_window(struct reading *w)
{
    const struct yaml_node *node = w->keys.window;
    struct event *e = w->e;
    struct window_keys keys = {0};
    int64_t length_ms = 0;
    size_t before = problems_errors(w->problems);
    if (!node)
        return;
    if (yaml_read(w->doc, node, WINDOW_FIELDS, &keys, w->problems) < 0 && node->kind != YAML_MAP)
        return;
    read_zone(w, node, keys.zone);
    if (!e->tz)
        return;
    (void)read_time(w, yaml_get(node, "starts"), w->source->starts ? w->source->starts : keys.starts, &e->starts_ms);
    const char *length = w->source->length ? w->source->length : keys.length;
    const struct yaml_node *length_at = yaml_get(node, "length");
    if (keys.ends && keys.length) {
        yaml_problem(w->doc, length_at, w->problems, "give ends or length, not both");
    } else if (length) {
        if (parse_duration_ms(span_str(length), &length_ms) < 0)
            yaml_problem(w->doc, length_at ? length_at : node, w->problems, "'%s' is no duration such as 6h", length);
        else
            e->ends_ms = e->starts_ms + length_ms;
    } else if (keys.ends) {
        (void)read_time(w, yaml_get(node, "ends"), keys.ends, &e->ends_ms);
        if (w->source->starts) { /* moved as a whole */
            int64_t own = e->starts_ms;
            (void)read_time(w, yaml_get(node, "starts"), keys.starts, &own);
            e->ends_ms += e->starts_ms - own;
        }
    } else {
        yaml_problem(w->doc, node, w->problems, "ends or length is missing");
    }
    if (problems_errors(w->problems) > before)
        return;
    w->window_known = true;
    if (e->ends_ms <= e->starts_ms)
        yaml_problem(w->doc,
                     keys.ends   ? yaml_get(node, "ends")
                     : length_at ? length_at
                                 : node,
                     w->problems, "the window ends before it begins");
    else if (e->ends_ms - e->starts_ms > EVENT_LENGTH_MAX_MS)
        yaml_problem(w->doc, node, w->problems, "the window is longer than 31 days");
}

static void read_markets(struct reading *w)
{
    const struct yaml_node *node = w->keys.markets, *money = w->keys.money_per_order;
    struct event *e = w->e;
    if (!node)
        return;
    if (node->kind != YAML_MAP || node->n == 0 || node->n > EVENT_MARKETS_MAX) {
        yaml_problem(w->doc, node, w->problems, "markets is a map such as {de: EUR, jp: JPY} of at most %u",
                     EVENT_MARKETS_MAX);
        return;
    }
    e->markets = arena_array(&e->arena, node->n, sizeof *e->markets);
    if (!e->markets)
        return;
    YAML_EACH(node, item)
    {
        struct event_market *m = &e->markets[e->n_markets++];
        *m = (struct event_market){.name = keep(w, item->key.ptr), .money_per_order = NAN};
        if (item->kind != YAML_SCALAR || !currency_is_code(item->text))
            yaml_problem(w->doc, item, w->problems, "a market has a currency, three capital letters such as EUR");
        else
            memcpy(m->currency, item->text.ptr, 3);
    }
    if (money && money->kind != YAML_MAP && money->kind != YAML_NULL)
        yaml_problem(w->doc, money, w->problems, "money_per_order is a map from market to an amount, as {de: 80}");
    YAML_EACH(money && money->kind == YAML_MAP && e->n_markets ? money : NULL, item)
    {
        int at = event_market(e, item->key);
        double v;
        if (at < 0)
            yaml_problem(w->doc, item, w->problems, "'" SPAN_FMT "' is not one of the markets", SPAN_ARG(item->key));
        else if (yaml_as_f64(item, &v) < 0 || !(v > 0 && v < 1e12))
            yaml_problem(w->doc, item, w->problems, "an amount in %s, more than 0", e->markets[at].currency);
        else
            e->markets[at].money_per_order = v;
    }
}

/* +N or -N minutes from doors open, or a time. False: complained. */
static bool read_phase_time(struct reading *w, const struct yaml_node *at, const char *text, int64_t *ret_ms)
{
    struct span s = span_str(text);
    int64_t minutes;
    if (s.len == 0 || (s.ptr[0] != '+' && s.ptr[0] != '-'))
        return read_time(w, at, text, ret_ms);
    if (parse_i64_span(s.ptr[0] == '+' ? span_from(s, 1) : s, -100000, 100000, &minutes) < 0) {
        yaml_problem(w->doc, at, w->problems, "'%s' is no minute such as +15", text);
        return false;
    }
    *ret_ms = w->e->starts_ms + minutes * MINUTE_MS;
    return true;
}

static void read_phases(struct reading *w)
{
    const struct yaml_node *node = w->keys.phases;
    struct event *e = w->e;
    if (!node || node->kind == YAML_NULL)
        return;
    if (node->kind != YAML_LIST || node->n > EVENT_PHASES_MAX) {
        yaml_problem(w->doc, node, w->problems, "phases is a list of {name, at} of at most %u", EVENT_PHASES_MAX);
        return;
    }
    e->phases = arena_array(&e->arena, node->n, sizeof *e->phases);
    YAML_EACH(e->phases ? node : NULL, item)
    {
        struct phase_keys keys = {0};
        if (yaml_read(w->doc, item, PHASE_FIELDS, &keys, w->problems) < 0)
            continue;
        struct event_phase *p = &e->phases[e->n_phases];
        p->name = keep(w, keys.name);
        if (!read_phase_time(w, yaml_get(item, "at"), keys.at, &p->starts_ms) || !w->window_known)
            continue; /* nothing to hold it against */
        e->n_phases++;
        if (e->n_phases > 1 && p->starts_ms <= p[-1].starts_ms)
            yaml_problem(w->doc, item, w->problems, "phases come in order of time");
        if (p->starts_ms >= e->ends_ms)
            yaml_problem(w->doc, item, w->problems, "the phase begins after the window's end");
    }
}

static bool is_file(const char *last)
{
    size_t n = last ? strlen(last) : 0;
    return n > 4 && strcmp(last + n - 4, ".csv") == 0;
}

static int read_rows(struct reading *w, const char *key, const char *named, const char *file, const char *text,
                     int64_t starts_ms, struct event_rows *rows)
{
    if (!text && w->partial)
        return -EINVAL;
    if (!text) {
        yaml_problem(w->doc, yaml_get(yaml_root(w->doc), key), w->problems, "the file '%s' did not come along", named);
        return -EINVAL;
    }
    /* A rehearsal that is shorter than the sale leaves the rest of the plan aside. */
    int64_t last_minute =
        w->source->length || !w->window_known ? EVENT_LENGTH_MAX_MS / MINUTE_MS : event_minutes(w->e) - 1;
    return event_read_rows(w->e, file, span_str(text), starts_ms, last_minute, rows, w->problems);
}

/* The last event times growth, for who has no plan. */
MUST_USE static int grow(struct event *e)
{
    e->grown = arena_array(&e->arena, e->n_markets, sizeof *e->grown);
    if (!e->grown)
        return -ENOMEM;
    for (size_t m = 0; m < e->n_markets; m++) {
        const struct curve *last = &e->last.curves[m];
        e->grown[m] = *last;
        for (size_t v = 0; v < CURVE_VALUES; v++) {
            double *values = e->grown[m].values[v] = arena_array(&e->arena, last->n, sizeof(double));
            if (!values)
                return -ENOMEM;
            for (size_t i = 0; i < last->n; i++)
                values[i] = last->values[v][i] * e->growth;
        }
    }
    return 0;
}

MUST_USE static int read_curves(struct reading *w)
{
    struct event *e = w->e;
    const struct event_keys *k = &w->keys;
    const struct yaml_node *root = yaml_root(w->doc);
    int64_t starts_ms = w->window_known ? e->starts_ms : EVENT_STARTS_UNKNOWN, last_starts_ms = starts_ms;
    int r = 0, r2 = 0;
    if (k->last_starts && !read_time(w, yaml_get(root, "last_starts"), k->last_starts, &last_starts_ms))
        last_starts_ms = EVENT_STARTS_UNKNOWN;
    if (!isnan(k->growth) && !(k->growth > 0 && k->growth < 1000))
        yaml_problem(w->doc, yaml_get(root, "growth"), w->problems, "growth is a factor such as 1.3");
    if (!isnan(k->growth) && !k->last)
        yaml_problem(w->doc, yaml_get(root, "growth"), w->problems, "growth needs last: what should it grow from?");
    if (k->plan)
        r = read_rows(w, "plan", k->plan, w->source->plan_file, w->source->plan_text, starts_ms, &e->plan);
    if (is_file(k->last)) {
        r2 = read_rows(w, "last", k->last, w->source->last_file, w->source->last_text, last_starts_ms, &e->last);
    } else if (k->last) {
        if (!event_is_name(span_str(k->last)) || (k->name && strcmp(k->last, k->name) == 0))
            yaml_problem(w->doc, yaml_get(root, "last"), w->problems, "last is another event's name or a .csv file");
        e->last_event = keep(w, k->last);
    }
    if (is_bad(w))
        return -EINVAL;
    if (r == 0)
        r = r2;
    e->growth = k->growth;
    return r == 0 && !isnan(k->growth) && !k->plan && e->last.curves ? grow(e) : r;
}

/* After a mistake the rest is read all the same, as far as it can be, so that all mistakes are told at once. */
MUST_USE static int read_all(struct reading *w)
{
    struct event *e = w->e;
    const struct yaml_node *root = yaml_root(w->doc);
    struct event_keys *k = &w->keys;
    k->growth = NAN;
    if (yaml_read(w->doc, root, FIELDS, k, w->problems) < 0 && root->kind != YAML_MAP)
        return -EINVAL;
    if (k->name && !event_is_name(span_str(k->name)))
        yaml_problem(w->doc, yaml_get(root, "name"), w->problems,
                     "a name has letters, digits, . _ and - only, at most %u", EVENT_NAME_MAX);
    e->name = keep(w, k->name ? k->name : "");
    e->title = keep(w, k->title ? k->title : k->name ? k->name : "");
    e->service = keep(w, k->service);
    e->channels = arena_array(&e->arena, EVENT_CHANNELS_MAX, sizeof *e->channels);
    if (!e->name || !e->title || !e->channels)
        return -ENOMEM;
    e->channels[e->n_channels++] = "";
    read_window(w);
    read_markets(w);
    if (!e->tz && tz_load("UTC", &e->tz) < 0)
        return -EINVAL;
    read_phases(w);
    return read_curves(w);
}

static uint64_t hash_of(const struct event_source *s)
{
    const char *all[] = {s->file,      s->text,      s->plan_file, s->plan_text,
                         s->last_file, s->last_text, s->starts,    s->length};
    uint64_t h = hash_seed();
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        h = all[i] ? hash_bytes(all[i], strlen(all[i]) + 1, h) : hash_bytes("", 0, h);
    return h;
}

MUST_USE static int read_event(const struct event_source *source, bool partial, struct event **ret,
                               struct problems *problems)
{
    struct arena arena;
    arena_init(&arena, EVENT_BYTES_MAX);
    struct event *e = arena_alloc(&arena, sizeof *e);
    struct reading w = {
        .e = e, .source = source, .problems = problems, .errors = problems_errors(problems), .partial = partial};
    if (!e)
        return -ENOMEM;
    e->texts = hash_of(source);
    e->arena = arena; /* from here on the arena is the event's */
    int r = yaml_parse(source->file, span_str(source->text), &w.doc, problems);
    if (r == 0)
        r = read_all(&w);
    yaml_free(w.doc);
    if (r < 0 && !is_bad(&w) && !partial)
        problem_add(problems, PROBLEM_ERROR, source->file, 0, 0, "cannot read it: %s", strerror(-r));
    if (r == 0 && is_bad(&w))
        r = -EINVAL;
    if (r < 0) {
        event_free(e);
        return r;
    }
    *ret = e;
    return 0;
}

int event_read(const struct event_source *source, struct event **ret, struct problems *problems)
{
    return read_event(source, false, ret, problems);
}

/* ---- from disk ---- */

MUST_USE static int read_text(const char *path, char **ret_text, const char *at_file, const struct yaml *doc,
                              const struct yaml_node *at, struct problems *problems)
{
    size_t n = 0;
    int r = file_read(path, EVENT_FILE_BYTES_MAX, ret_text, &n);
    size_t good = r == 0 ? strlen(*ret_text) : n;
    bool has_nul = r == 0 && good < n;
    while (r == 0 && !span_is_utf8(span_of(*ret_text, good)))
        good--;
    if (r == 0 && good < n) {
        uint32_t line = 1, column = 1;
        for (size_t i = 0; i < good; i++) {
            column = (*ret_text)[i] == '\n' ? 1 : column + 1;
            line += (*ret_text)[i] == '\n';
        }
        problem_add(problems, PROBLEM_ERROR, path, line, column,
                    has_nul ? "it is no text: there is a NUL byte" : "it is not UTF-8 from here on");
        return -EINVAL;
    }
    if (r < 0 && at)
        yaml_problem(doc, at, problems, "cannot read %s: %s", path, strerror(-r));
    else if (r < 0)
        problem_add(problems, PROBLEM_ERROR, at_file, 0, 0, "cannot read it: %s", strerror(-r));
    return r;
}

MUST_USE static int load_named(const char *beside, const struct yaml *doc, const char *key, bool csv_only,
                               char **ret_file, char **ret_text, struct problems *problems)
{
    const struct yaml_node *node = yaml_get(yaml_root(doc), key);
    if (!node || node->kind != YAML_SCALAR || (csv_only && !is_file(node->text.ptr)))
        return 0;
    *ret_file = path_beside(beside, node->text.ptr);
    return *ret_file ? read_text(*ret_file, ret_text, beside, doc, node, problems) : -ENOMEM;
}

int event_source_load(const char *path, const char *starts, const char *length, struct event_source *ret,
                      struct problems *problems)
{
    struct event_source s = {
        .file = strdup(path), .starts = starts ? strdup(starts) : NULL, .length = length ? strdup(length) : NULL};
    struct yaml *doc = NULL;
    int r = s.file && !starts == !s.starts && !length == !s.length ? 0 : -ENOMEM;
    if (r == 0)
        r = read_text(path, &s.text, path, NULL, NULL, problems);
    if (r == 0)
        r = yaml_parse(path, span_str(s.text), &doc, problems);
    if (r == 0) {
        r = load_named(path, doc, "plan", false, &s.plan_file, &s.plan_text, problems);
        int r2 = load_named(path, doc, "last", true, &s.last_file, &s.last_text, problems);
        r = r < 0 ? r : r2;
        struct event *e = NULL;
        if (r < 0 && r != -ENOMEM && read_event(&s, true, &e, problems) == 0)
            event_free(e); /* only for what else is wrong */
    }
    yaml_free(doc);
    if (r < 0) {
        event_source_done(&s);
        return r;
    }
    *ret = s;
    return 0;
}
