#include "loadgen/engine/plan_file.h"

#include <errno.h>
#include <math.h>

#include "lib/base/file.h"
#include "lib/wire/yaml.h"
#include "loadgen/engine/plan_bounds.h"
#include "loadgen/engine/plan_shape.h"
#include "loadgen/hurl/zipf.h"

#define NAME_BYTES_MAX 64u /* of a class or phase: a label value and a column of reports */
#define THREADS_MAX 256u
#define THINK_SCALE_MAX 1000.0 /* as --think-scale */
#define MONEY_RATE_MAX 1e6     /* as --money-rate */
#define YEAR_MS INT64_C(31536000000)

struct load_keys { /* what starts sessions: at the top for customers, and of each class of traffic */
    const struct yaml_node *rate, *phases;
    const char *arrivals;
    uint64_t users;
};
struct top_keys {
    const char *name, *target;
    struct load_keys load;
    const struct yaml_node *variables, *caps, *feeds, *journeys, *traffic, *thresholds;
    uint64_t seed, threads;
    int64_t duration_ms, grace_ms, max_lag_ms, connect_timeout_ms, max_time_ms, settle_ms;
    double think_scale;
};
struct class_keys {
    const char *name, *user_agent;
    const struct yaml_node *journeys;
    struct load_keys load;
    double think_scale;
};
struct cap_keys {
    uint64_t open, sessions;
    double money_rate;
};

struct plan_file {
    struct arena arena;
    struct yaml *doc;
    char *text;
    struct problems *problems; /* while it is read */
    struct top_keys top;
    struct cap_keys caps;
    const char *name;
    struct journeys *journeys;
    struct journey_spec *specs;
    size_t n_specs;
    struct plan_feed *feeds;
    size_t n_feeds;
    struct traffic_class *classes;
    struct plan *plans; /* one per class */
    size_t n_classes;
    struct plan_phase *phases;
    size_t n_phases;
    struct trace *traces;
    size_t n_traces;
    struct plan_bounds bounds;
    double seconds; /* of the timeline */
};

MUST_USE static int refuse(struct plan_file *pf, const struct yaml_node *at, const char *why)
{
    yaml_problem(pf->doc, at, pf->problems, "%s", why);
    return -EINVAL;
}

/* A factor for think times where the owner has one. */
MUST_USE static int check_think_scale(struct plan_file *pf, const struct yaml_node *owner, double scale)
{
    const struct yaml_node *node = yaml_get(owner, "think_scale");
    if (!node || node->kind == YAML_NULL || (scale >= 0 && scale <= THINK_SCALE_MAX))
        return 0;
    return refuse(pf, node, "'think_scale' is from 0 to 1000");
}

/* ---- lists of files ---- */

static char *beside(struct plan_file *pf, const char *file)
{
    AUTO_FREE char *path = path_beside(yaml_file(pf->doc), file);
    return path ? arena_dup(&pf->arena, span_str(path)) : NULL;
}

/* A scalar is the file's name. */
MUST_USE static int read_journey(struct plan_file *pf, const struct yaml_node *node)
{
    struct {
        const char *file;
        double weight;
    } k = {.weight = -1};
    static const struct yaml_field FIELDS[] = {
        {"file", YAML_FIELD_TEXT, offsetof(__typeof__(k), file), .required = true},
        {"weight", YAML_FIELD_F64, offsetof(__typeof__(k), weight)},
        {0}};
    if (node->kind == YAML_SCALAR)
        k.file = node->text.ptr;
    else if (yaml_read(pf->doc, node, FIELDS, &k, pf->problems) < 0)
        return -EINVAL;
    if (yaml_get(node, "weight") && !(k.weight >= 0 && k.weight <= 1e9))
        return refuse(pf, yaml_get(node, "weight"), "'weight' is a number that is not negative");
    if (pf->n_specs == JOURNEYS_MAX)
        return refuse(pf, node, "too many journeys");
    char *path = beside(pf, k.file);
    if (!path)
        return -ENOMEM;
    pf->specs[pf->n_specs++] = (struct journey_spec){path, k.weight};
    return 0;
}

MUST_USE static int read_journeys(struct plan_file *pf, const struct yaml_node *list, struct traffic_class *c)
{
    if (list->kind != YAML_LIST || list->n == 0)
        return refuse(pf, list, "'journeys' is a list of files, or of {file: …, weight: …}");
    c->first_journey = pf->n_specs;
    int result = 0;
    YAML_EACH(list, node)
    {
        int r = read_journey(pf, node);
        if (r < 0)
            result = r;
    }
    c->n_journeys = pf->n_specs - c->first_journey;
    return result;
}

MUST_USE static int read_feed(struct plan_file *pf, const struct yaml_node *node)
{
    static const char *const MODES[] = {"sequential", "shuffle", "random", "unique", "zipf"};
    struct {
        const char *file, *mode;
        double exponent;
    } k = {.mode = "sequential", .exponent = 1};
    static const struct yaml_field FIELDS[] = {
        {"file", YAML_FIELD_TEXT, offsetof(__typeof__(k), file), .required = true},
        {"mode", YAML_FIELD_TEXT, offsetof(__typeof__(k), mode)},
        {"exponent", YAML_FIELD_F64, offsetof(__typeof__(k), exponent)},
        {0}};
    if (yaml_read(pf->doc, node, FIELDS, &k, pf->problems) < 0)
        return -EINVAL;
    size_t mode = 0;
    while (mode < ARRAY_LEN(MODES) && strcmp(MODES[mode], k.mode) != 0)
        mode++;
    if (mode == ARRAY_LEN(MODES))
        return refuse(pf, yaml_get(node, "mode"), "'mode' is sequential, shuffle, random, unique or zipf");
    if (!(k.exponent >= 0 && k.exponent <= ZIPF_EXPONENT_MAX))
        return refuse(pf, yaml_get(node, "exponent"), "'exponent' is from 0 to 20");
    char *path = beside(pf, k.file);
    if (!path)
        return -ENOMEM;
    pf->feeds[pf->n_feeds++] = (struct plan_feed){path, (enum hurl_feed_mode)mode, k.exponent};
    return 0;
}

MUST_USE static int read_feeds(struct plan_file *pf)
{
    const struct yaml_node *list = pf->top.feeds;
    if (!list)
        return 0;
    if (list->kind != YAML_LIST)
        return refuse(pf, list, "'feeds' is a list of {file: …, mode: …}");
    pf->feeds = arena_array(&pf->arena, list->n, sizeof *pf->feeds);
    int result = pf->feeds ? 0 : -ENOMEM;
    YAML_EACH(list, node)
    {
        int r = result == -ENOMEM ? result : read_feed(pf, node);
        if (r < 0)
            result = r;
    }
    return result;
}

/* ---- phases ---- */

MUST_USE static int keep_trace(struct plan_file *pf, const struct trace *t)
{
    struct trace *traces = realloc(pf->traces, (pf->n_traces + 1) * sizeof *traces);
    if (!traces)
        return -ENOMEM;
    pf->traces = traces;
    pf->traces[pf->n_traces++] = *t;
    return 0;
}

MUST_USE static int name_phase(struct plan_file *pf, const struct yaml_node *node, const struct plan_shape *shape)
{
    const char *name = shape->name ? shape->name : arena_printf(&pf->arena, "phase %zu", pf->n_phases + 1);
    if (!name)
        return -ENOMEM;
    if (strlen(name) == 0 || strlen(name) > NAME_BYTES_MAX)
        return refuse(pf, yaml_get(node, "name"), "'name' is 1 to 64 bytes");
    for (size_t i = 0; i < pf->n_phases; i++)
        if (strcmp(pf->phases[i].name, name) == 0)
            return refuse(pf, yaml_get(node, "name"), "another phase has this name");
    pf->phases[pf->n_phases++] = (struct plan_phase){name, pf->seconds, pf->seconds + shape->seconds, shape->warmup};
    pf->seconds += shape->seconds;
    return 0;
}

/* `timeline`: they are the plan's own, with names; a class's have none. */
MUST_USE static int read_phase(struct plan_file *pf, const struct yaml_node *node, struct plan *plan, bool timeline)
{
    struct plan_shape shape;
    int r = plan_shape_read(pf->doc, node, plan, &shape, pf->problems);
    if (shape.trace.n && keep_trace(pf, &shape.trace) < 0) {
        trace_done(&shape.trace);
        return -ENOMEM;
    }
    if (r < 0)
        return r;
    if (timeline)
        return name_phase(pf, node, &shape);
    if (shape.name || shape.warmup)
        return refuse(pf, node,
                      "names and warm-up belong to the plan's phases; a class of traffic has only its own load");
    return 0;
}

MUST_USE static int read_phases(struct plan_file *pf, const struct yaml_node *list, struct plan *plan, bool timeline)
{
    if (list->kind != YAML_LIST || list->n == 0)
        return refuse(pf, list, "'phases' is a list, as [{name: peak, duration: 10m, rate: 40}]");
    if (list->n > PLAN_PHASES_MAX)
        return refuse(pf, list, "more phases than a plan may have (32)");
    int result = 0;
    YAML_EACH(list, node)
    {
        int r = read_phase(pf, node, plan, timeline);
        if (r < 0)
            result = r;
    }
    return result;
}

/* A constant or a ramp over the whole plan. */
MUST_USE static int read_rate(struct plan_file *pf, const struct yaml_node *owner, const struct load_keys *k,
                              struct plan *plan)
{
    double from, to;
    enum plan_spacing spacing;
    if (k->rate->kind != YAML_SCALAR || plan_range_parse(k->rate->text, PLAN_RATE_MAX, &from, &to) < 0)
        return refuse(pf, k->rate, "'rate' is sessions per second: a number, as 40, or a ramp, as 5-40");
    if (plan_spacing_parse(k->arrivals, &spacing) < 0)
        return refuse(pf, yaml_get(owner, "arrivals"), "'arrivals' must be even, poisson or exact");
    if (pf->seconds <= 0)
        return refuse(pf, k->rate, "a 'rate' needs to know for how long: give the plan 'phases' or a 'duration'");
    return plan_add(plan, &(struct plan_stage){.seconds = pf->seconds, .from = from, .to = to, .spacing = spacing});
}

MUST_USE static int read_load(struct plan_file *pf, const struct yaml_node *owner, const struct load_keys *k,
                              struct traffic_class *c, struct plan *plan, bool timeline)
{
    c->users = (unsigned)k->users;
    if (k->phases && k->rate)
        return refuse(pf, k->rate, "'rate' and 'phases' both say when sessions start: give one");
    if (!k->phases && !k->rate && !k->users)
        return refuse(pf, owner, "say how much: 'phases', 'rate' or 'users'");
    int r = 0;
    if (k->phases)
        r = read_phases(pf, k->phases, plan, timeline);
    else if (k->rate)
        r = read_rate(pf, owner, k, plan);
    if (r == 0 && plan->closed && k->users)
        r = refuse(pf, yaml_get(owner, "users"), "the phases say how many users there are");
    if (plan->n)
        c->plan = plan;
    return r;
}

/* ---- classes of traffic ---- */

#define LOAD_FIELDS(type)                                                                                              \
    {"rate", YAML_FIELD_NODE, offsetof(type, load.rate)}, {"phases", YAML_FIELD_NODE, offsetof(type, load.phases)},    \
        {"arrivals", YAML_FIELD_TEXT, offsetof(type, load.arrivals)},                                                  \
    {                                                                                                                  \
        "users", YAML_FIELD_U64, offsetof(type, load.users), .min = 1, .max = 1000000                                  \
    }

MUST_USE static int read_class(struct plan_file *pf, const struct yaml_node *node)
{
    static const struct yaml_field FIELDS[] = {
        {"name", YAML_FIELD_TEXT, offsetof(struct class_keys, name), .required = true},
        {"journeys", YAML_FIELD_NODE, offsetof(struct class_keys, journeys), .required = true},
        {"think_scale", YAML_FIELD_F64, offsetof(struct class_keys, think_scale)},
        {"user_agent", YAML_FIELD_TEXT, offsetof(struct class_keys, user_agent)},
        LOAD_FIELDS(struct class_keys),
        {0}};
    struct class_keys k = {.think_scale = NAN};
    if (yaml_read(pf->doc, node, FIELDS, &k, pf->problems) < 0)
        return -EINVAL;
    if (strlen(k.name) == 0 || strlen(k.name) > NAME_BYTES_MAX)
        return refuse(pf, yaml_get(node, "name"), "'name' is 1 to 64 bytes");
    for (size_t i = 0; i < pf->n_classes; i++)
        if (strcmp(pf->classes[i].name, k.name) == 0)
            return refuse(pf, yaml_get(node, "name"), "another class has this name");
    if (check_think_scale(pf, node, k.think_scale) < 0)
        return -EINVAL;
    if (k.user_agent && strpbrk(k.user_agent, "\r\n"))
        return refuse(pf, yaml_get(node, "user_agent"), "a header cannot hold a line end");
    struct traffic_class *c = &pf->classes[pf->n_classes];
    *c = (struct traffic_class){.name = k.name, .user_agent = k.user_agent, .think_scale = k.think_scale};
    int r = read_load(pf, node, &k.load, c, &pf->plans[pf->n_classes], false);
    pf->n_classes++;
    int r2 = read_journeys(pf, k.journeys, c);
    return r < 0 ? r : r2;
}

MUST_USE static int read_classes(struct plan_file *pf)
{
    const struct yaml_node *list = pf->top.traffic, *root = yaml_root(pf->doc);
    size_t n = list && list->kind == YAML_LIST ? list->n : 0;
    int result = 0;
    if (list && (list->kind != YAML_LIST || n >= TRAFFIC_CLASSES_MAX)) {
        result =
            refuse(pf, list, "'traffic' is a list of at most 15 classes, as [{name: bots, journeys: […], rate: 10}]");
        list = NULL;
    }
    pf->classes = arena_array(&pf->arena, n + 1, sizeof *pf->classes);
    pf->plans = arena_array(&pf->arena, n + 1, sizeof *pf->plans);
    pf->specs = arena_array(&pf->arena, JOURNEYS_MAX, sizeof *pf->specs);
    pf->phases = arena_array(&pf->arena, PLAN_PHASES_MAX, sizeof *pf->phases);
    if (!pf->classes || !pf->plans || !pf->specs || !pf->phases)
        return -ENOMEM;
    if (!pf->top.journeys)
        return refuse(pf, root, "missing key 'journeys'");
    pf->seconds = pf->top.load.phases ? 0 : (double)pf->top.duration_ms / 1000;
    if (pf->top.load.phases && pf->top.duration_ms)
        return refuse(pf, yaml_get(root, "duration"), "the phases have durations of their own: leave this out");
    struct traffic_class *c = &pf->classes[pf->n_classes];
    *c = (struct traffic_class){.name = PLAN_CUSTOMERS, .think_scale = NAN};
    int r = read_load(pf, root, &pf->top.load, c, &pf->plans[pf->n_classes], true);
    if (r < 0)
        result = r;
    pf->n_classes++;
    r = read_journeys(pf, pf->top.journeys, c);
    if (r < 0)
        result = r;
    YAML_EACH(list, node)
    {
        r = read_class(pf, node);
        if (r < 0)
            result = r;
    }
    return result;
}

/* ---- the rest ---- */

MUST_USE static int read_caps(struct plan_file *pf)
{
    static const struct yaml_field FIELDS[] = {
        {"open", YAML_FIELD_U64, offsetof(struct cap_keys, open), .min = 1, .max = 10000000},
        {"sessions", YAML_FIELD_U64, offsetof(struct cap_keys, sessions), .min = 1},
        {"money_rate", YAML_FIELD_F64, offsetof(struct cap_keys, money_rate)},
        {0}};
    if (yaml_read(pf->doc, pf->top.caps, FIELDS, &pf->caps, pf->problems) < 0)
        return -EINVAL;
    if (!(pf->caps.money_rate >= 0 && pf->caps.money_rate <= MONEY_RATE_MAX))
        return refuse(pf, yaml_get(pf->top.caps, "money_rate"), "'money_rate' is from 0 to 1000000");
    return 0;
}

MUST_USE static int set_variables(struct plan_file *pf)
{
    const struct yaml_node *map = pf->top.variables;
    if (map && map->kind != YAML_MAP && map->kind != YAML_NULL)
        return refuse(pf, map, "'variables' is a map of names and values");
    YAML_EACH(map, node)
    {
        if (node->kind != YAML_SCALAR)
            return refuse(pf, node, "a variable is a text or a number");
        struct hurl_value v = node->quoted ? hurl_value_text(node->text) : hurl_value_guess(node->text);
        if (journeys_set(pf->journeys, node->key, v) < 0)
            return -ENOMEM;
    }
    return 0;
}

MUST_USE static int check_weights(struct plan_file *pf)
{
    for (size_t i = 0; i < pf->n_classes; i++) {
        double sum = 0;
        for (size_t k = 0; k < pf->classes[i].n_journeys; k++)
            sum += pf->journeys->list[pf->classes[i].first_journey + k].weight;
        if (!(sum > 0))
            return refuse(pf, yaml_root(pf->doc), "every journey of a class has the weight 0: nothing of it would run");
    }
    return 0;
}

MUST_USE static int read_thresholds(struct plan_file *pf)
{
    return plan_bounds_read(pf->doc, pf->top.thresholds, &pf->arena, &pf->bounds, pf->problems);
}

MUST_USE static int check_thresholds(struct plan_file *pf)
{
    const struct plan_names names = {pf->journeys, pf->classes, pf->n_classes, pf->phases, pf->n_phases};
    return plan_bounds_check(pf->doc, &pf->bounds, &names, pf->problems);
}

MUST_USE static int read_top(struct plan_file *pf)
{
    static const struct yaml_field FIELDS[] = {
        {"name", YAML_FIELD_TEXT, offsetof(struct top_keys, name)},
        {"target", YAML_FIELD_TEXT, offsetof(struct top_keys, target)},
        {"variables", YAML_FIELD_NODE, offsetof(struct top_keys, variables)},
        {"seed", YAML_FIELD_U64, offsetof(struct top_keys, seed), .max = 4294967295u},
        {"threads", YAML_FIELD_U64, offsetof(struct top_keys, threads), .min = 1, .max = THREADS_MAX},
        {"think_scale", YAML_FIELD_F64, offsetof(struct top_keys, think_scale)},
        {"duration", YAML_FIELD_DURATION, offsetof(struct top_keys, duration_ms), .min = 1, .max = YEAR_MS},
        {"grace", YAML_FIELD_DURATION, offsetof(struct top_keys, grace_ms), .max = 86400000},
        {"max_lag", YAML_FIELD_DURATION, offsetof(struct top_keys, max_lag_ms), .max = 3600000},
        {"connect_timeout", YAML_FIELD_DURATION, offsetof(struct top_keys, connect_timeout_ms), .min = 1,
         .max = 3600000},
        {"max_time", YAML_FIELD_DURATION, offsetof(struct top_keys, max_time_ms), .min = 1, .max = 3600000},
        {"abort_on_threshold", YAML_FIELD_DURATION, offsetof(struct top_keys, settle_ms), .max = YEAR_MS},
        {"caps", YAML_FIELD_NODE, offsetof(struct top_keys, caps)},
        {"feeds", YAML_FIELD_NODE, offsetof(struct top_keys, feeds)},
        {"journeys", YAML_FIELD_NODE, offsetof(struct top_keys, journeys)},
        {"traffic", YAML_FIELD_NODE, offsetof(struct top_keys, traffic)},
        {"thresholds", YAML_FIELD_NODE, offsetof(struct top_keys, thresholds)},
        LOAD_FIELDS(struct top_keys),
        {0}};
    pf->top.think_scale = NAN;
    pf->top.grace_ms = pf->top.max_lag_ms = pf->top.settle_ms = -1;
    int result = yaml_read(pf->doc, yaml_root(pf->doc), FIELDS, &pf->top, pf->problems);
    if (result == 0)
        result = check_think_scale(pf, yaml_root(pf->doc), pf->top.think_scale);
    int (*const PARTS_OF_IT[])(struct plan_file *) = {read_caps, read_feeds, read_classes, read_thresholds};
    for (size_t i = 0; i < ARRAY_LEN(PARTS_OF_IT) && result != -ENOMEM; i++) {
        int r = PARTS_OF_IT[i](pf);
        if (r < 0)
            result = r;
    }
    return result;
}

MUST_USE static int load_journeys(struct plan_file *pf)
{
    int r = journeys_load_specs(pf->specs, pf->n_specs, pf->feeds, pf->n_feeds, &pf->journeys, pf->problems);
    if (r == 0)
        r = check_weights(pf);
    if (r == 0)
        r = set_variables(pf);
    return r < 0 ? r : check_thresholds(pf);
}

MUST_USE static int name_plan(struct plan_file *pf, const char *path)
{
    const char *slash = strrchr(path, '/');
    struct span base = span_str(slash ? slash + 1 : path);
    size_t dot = span_find(base, '.');
    pf->name = pf->top.name ? pf->top.name : arena_dup(&pf->arena, span_of(base.ptr, dot));
    return pf->name ? 0 : -ENOMEM;
}

int plan_file_load(const char *path, struct plan_file **ret, struct problems *problems)
{
    struct plan_file *pf = calloc(1, sizeof *pf);
    if (!pf)
        return -ENOMEM;
    arena_init(&pf->arena, 64u << 20);
    pf->problems = problems;
    size_t n;
    int r = file_read(path, CONFIG_BYTES_MAX, &pf->text, &n);
    if (r < 0) {
        problem_add(problems, PROBLEM_ERROR, path, 0, 0, "cannot be read: %s", strerror(-r));
        r = -EINVAL;
    }
    if (r == 0)
        r = yaml_parse(path, span_of(pf->text, n), &pf->doc, problems);
    if (r == 0)
        r = read_top(pf);
    if (r == 0)
        r = name_plan(pf, path);
    if (r == 0)
        r = load_journeys(pf);
    if (r < 0)
        plan_file_free(pf);
    else
        *ret = pf;
    return r;
}

void plan_file_free(struct plan_file *pf)
{
    if (!pf)
        return;
    journeys_free(pf->journeys);
    for (size_t i = 0; i < pf->n_classes; i++)
        plan_done(&pf->plans[i]);
    for (size_t i = 0; i < pf->n_traces; i++)
        trace_done(&pf->traces[i]);
    free(pf->traces);
    arena_done(&pf->arena);
    yaml_free(pf->doc);
    free(pf->text);
    free(pf);
}

struct journeys *plan_file_journeys(struct plan_file *pf)
{
    return pf->journeys;
}

const char *plan_file_name(const struct plan_file *pf)
{
    return pf->name;
}

const char *plan_file_target(const struct plan_file *pf)
{
    return pf->top.target;
}

const char *plan_file_trace_path(const struct plan_file *pf, size_t i)
{
    return i < pf->n_traces ? pf->traces[i].path : NULL;
}

double plan_file_seconds(const struct plan_file *pf)
{
    return pf->seconds;
}

void plan_file_scale(struct plan_file *pf, double rates, double speed)
{
    for (size_t i = 0; i < pf->n_traces; i++)
        for (size_t k = 0; k < pf->traces[i].n; k++)
            pf->traces[i].at_us[k] = (int64_t)((double)pf->traces[i].at_us[k] / speed);
    for (size_t i = 0; i < pf->n_classes; i++) {
        plan_scale(&pf->plans[i], rates, speed);
        if (pf->classes[i].users)
            pf->classes[i].users = (unsigned)fmax(1, round(pf->classes[i].users * rates));
    }
    for (size_t i = 0; i < pf->n_phases; i++) {
        pf->phases[i].start_s /= speed;
        pf->phases[i].end_s /= speed;
    }
    pf->seconds /= speed;
}

void plan_file_apply(const struct plan_file *pf, struct run_config *c)
{
    const struct top_keys *k = &pf->top;
    c->journeys = pf->journeys;
    c->traffic = pf->classes;
    c->n_traffic = pf->n_classes;
    c->phases = pf->n_phases ? pf->phases : NULL;
    c->n_phases = pf->n_phases;
    c->thresholds = pf->bounds.list;
    c->n_thresholds = pf->bounds.n;
    c->duration_ms = (int64_t)(pf->seconds * 1000);
    if (k->seed)
        c->seed = k->seed;
    if (k->threads)
        c->threads = (unsigned)k->threads;
    if (!isnan(k->think_scale))
        c->think_scale = k->think_scale;
    if (k->grace_ms >= 0)
        c->grace_ms = k->grace_ms;
    if (k->max_lag_ms >= 0)
        c->max_lag_ms = k->max_lag_ms;
    if (k->connect_timeout_ms)
        c->connect_timeout_ms = k->connect_timeout_ms;
    if (k->max_time_ms)
        c->max_time_ms = k->max_time_ms;
    if (k->settle_ms >= 0) {
        c->abort_on_threshold = true;
        c->settle_ms = k->settle_ms;
    }
    if (pf->caps.open)
        c->open_max = (unsigned)pf->caps.open;
    if (pf->caps.sessions)
        c->sessions_max = pf->caps.sessions;
    if (yaml_get(k->caps, "money_rate"))
        c->money_rate = pf->caps.money_rate;
}
