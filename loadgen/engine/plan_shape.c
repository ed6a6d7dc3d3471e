#include "loadgen/engine/plan_shape.h"

#include <errno.h>
#include <math.h>

#include "lib/base/file.h"
#include "lib/base/number.h"

#define PHASE_MS_MAX INT64_C(31536000000) /* a year */
#define USERS_MAX 1e6

struct keys {
    const char *name, *arrivals;
    int64_t duration_ms;
    bool warmup;
    const struct yaml_node *rate, *stairs, *spike, *sine, *trace, *users;
};

struct reading {
    const struct yaml *doc;
    struct problems *problems;
    struct plan *plan;
    struct plan_shape *shape;
    enum plan_spacing spacing;
};

int plan_range_parse(struct span text, double max, double *ret_from, double *ret_to)
{
    size_t dash = span_find(text, '-');
    double from, to;
    if (parse_f64_span(span_trim(span_of(text.ptr, dash)), &from) < 0)
        return -EINVAL;
    to = from;
    if (dash < text.len && parse_f64_span(span_trim(span_from(text, dash + 1)), &to) < 0)
        return -EINVAL;
    if (!(from >= 0 && to >= 0 && from <= max && to <= max))
        return -EINVAL;
    *ret_from = from;
    *ret_to = to;
    return 0;
}

int plan_spacing_parse(const char *text, enum plan_spacing *ret)
{
    static const char *const NAMES[] = {"even", "poisson", "exact"};
    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++)
        if (!text || strcmp(text, NAMES[i]) == 0) {
            *ret = (enum plan_spacing)i;
            return 0;
        }
    return -EINVAL;
}

MUST_USE static int refuse(const struct reading *rd, const struct yaml_node *at, const char *why)
{
    yaml_problem(rd->doc, at, rd->problems, "%s", why);
    return -EINVAL;
}

MUST_USE static int added(const struct reading *rd, const struct yaml_node *at, int r)
{
    return r == -E2BIG ? refuse(rd, at, "the plan has too many stages") : r;
}

static bool is_rate(double v)
{
    return v >= 0 && v <= PLAN_RATE_MAX;
}

MUST_USE static int read_rate(const struct reading *rd, const struct yaml_node *node)
{
    double from, to;
    if (node->kind != YAML_SCALAR || plan_range_parse(node->text, PLAN_RATE_MAX, &from, &to) < 0)
        return refuse(rd, node, "'rate' is sessions per second: a number, as 40, or a ramp, as 5-40");
    return added(
        rd, node,
        plan_add(rd->plan,
                 &(struct plan_stage){.seconds = rd->shape->seconds, .from = from, .to = to, .spacing = rd->spacing}));
}

MUST_USE static int read_users(const struct reading *rd, const struct yaml_node *node)
{
    double from, to;
    if (node->kind != YAML_SCALAR || plan_range_parse(node->text, USERS_MAX, &from, &to) < 0)
        return refuse(rd, node, "'users' is how many loop: a number, as 50, or from one to another, as 10-50");
    rd->plan->closed = true;
    return added(rd, node,
                 plan_add(rd->plan, &(struct plan_stage){.seconds = rd->shape->seconds, .from = from, .to = to}));
}

MUST_USE static int read_stairs(const struct reading *rd, const struct yaml_node *node)
{
    struct {
        double from, to;
        uint64_t steps;
    } s = {0};
    static const struct yaml_field FIELDS[] = {
        {"from", YAML_FIELD_F64, offsetof(__typeof__(s), from), .required = true},
        {"to", YAML_FIELD_F64, offsetof(__typeof__(s), to), .required = true},
        {"steps", YAML_FIELD_U64, offsetof(__typeof__(s), steps), .required = true, .min = 2, .max = PLAN_STAGES_MAX},
        {0}};
    if (yaml_read(rd->doc, node, FIELDS, &s, rd->problems) < 0)
        return -EINVAL;
    if (!is_rate(s.from) || !is_rate(s.to))
        return refuse(rd, node, "rates are not negative");
    return added(rd, node, plan_add_stairs(rd->plan, s.from, s.to, (unsigned)s.steps, rd->shape->seconds, rd->spacing));
}

MUST_USE static int read_spike(const struct reading *rd, const struct yaml_node *node)
{
    struct {
        double base, peak;
        int64_t rise_ms, hold_ms, decay_ms;
    } s = {.decay_ms = 60000};
    static const struct yaml_field FIELDS[] = {
        {"base", YAML_FIELD_F64, offsetof(__typeof__(s), base), .required = true},
        {"peak", YAML_FIELD_F64, offsetof(__typeof__(s), peak), .required = true},
        {"rise", YAML_FIELD_DURATION, offsetof(__typeof__(s), rise_ms), .max = PHASE_MS_MAX},
        {"hold", YAML_FIELD_DURATION, offsetof(__typeof__(s), hold_ms), .max = PHASE_MS_MAX},
        {"decay", YAML_FIELD_DURATION, offsetof(__typeof__(s), decay_ms), .min = 1, .max = PHASE_MS_MAX},
        {0}};
    if (yaml_read(rd->doc, node, FIELDS, &s, rd->problems) < 0)
        return -EINVAL;
    if (!is_rate(s.base) || !is_rate(s.peak))
        return refuse(rd, node, "rates are not negative");
    if ((double)(s.rise_ms + s.hold_ms) / 1000 > rd->shape->seconds)
        return refuse(rd, node, "rise and hold are longer than the phase");
    return added(rd, node,
                 plan_add_spike(rd->plan, s.base, s.peak, (double)s.rise_ms / 1000, (double)s.hold_ms / 1000,
                                (double)s.decay_ms / 1000, rd->shape->seconds, rd->spacing));
}

MUST_USE static int read_sine(const struct reading *rd, const struct yaml_node *node)
{
    struct {
        double low, high;
        int64_t period_ms;
    } s = {0};
    static const struct yaml_field FIELDS[] = {
        {"low", YAML_FIELD_F64, offsetof(__typeof__(s), low), .required = true},
        {"high", YAML_FIELD_F64, offsetof(__typeof__(s), high), .required = true},
        {"period", YAML_FIELD_DURATION, offsetof(__typeof__(s), period_ms), .required = true, .min = 1,
         .max = PHASE_MS_MAX},
        {0}};
    if (yaml_read(rd->doc, node, FIELDS, &s, rd->problems) < 0)
        return -EINVAL;
    if (!is_rate(s.low) || !is_rate(s.high))
        return refuse(rd, node, "rates are not negative");
    return added(rd, node,
                 plan_add(rd->plan, &(struct plan_stage){.curve = PLAN_SINE,
                                                         .seconds = rd->shape->seconds,
                                                         .from = s.low,
                                                         .to = s.high,
                                                         .scale_s = (double)s.period_ms / 1000,
                                                         .spacing = rd->spacing}));
}

MUST_USE static int read_trace(const struct reading *rd, const struct yaml_node *node)
{
    struct {
        const char *file;
        double speed;
    } s = {.speed = 1};
    static const struct yaml_field FIELDS[] = {
        {"file", YAML_FIELD_TEXT, offsetof(__typeof__(s), file), .required = true},
        {"speed", YAML_FIELD_F64, offsetof(__typeof__(s), speed)},
        {0}};
    if (yaml_read(rd->doc, node, FIELDS, &s, rd->problems) < 0)
        return -EINVAL;
    if (!(s.speed > 0 && s.speed <= 1e6))
        return refuse(rd, node, "'speed' is a factor above 0");
    AUTO_FREE char *path = path_beside(yaml_file(rd->doc), s.file);
    if (!path)
        return -ENOMEM;
    struct trace *t = &rd->shape->trace;
    int r = trace_load(path, s.speed, t, rd->problems);
    if (r < 0)
        return r;
    double last_s = (double)t->at_us[t->n - 1] / 1e6 + 1e-6;
    if (rd->shape->seconds == 0)
        rd->shape->seconds = last_s;
    if (last_s > rd->shape->seconds)
        return refuse(rd, node, "the recording is longer than the phase: leave 'duration' out, or raise 'speed'");
    return added(rd, node,
                 plan_add(rd->plan, &(struct plan_stage){.curve = PLAN_TRACE,
                                                         .seconds = rd->shape->seconds,
                                                         .trace_us = t->at_us,
                                                         .n_trace = t->n}));
}

int plan_shape_read(const struct yaml *doc, const struct yaml_node *node, struct plan *plan, struct plan_shape *ret,
                    struct problems *problems)
{
    static const struct yaml_field FIELDS[] = {
        {"name", YAML_FIELD_TEXT, offsetof(struct keys, name)},
        {"duration", YAML_FIELD_DURATION, offsetof(struct keys, duration_ms), .min = 1, .max = PHASE_MS_MAX},
        {"warmup", YAML_FIELD_BOOL, offsetof(struct keys, warmup)},
        {"arrivals", YAML_FIELD_TEXT, offsetof(struct keys, arrivals)},
        {"rate", YAML_FIELD_NODE, offsetof(struct keys, rate)},
        {"stairs", YAML_FIELD_NODE, offsetof(struct keys, stairs)},
        {"spike", YAML_FIELD_NODE, offsetof(struct keys, spike)},
        {"sine", YAML_FIELD_NODE, offsetof(struct keys, sine)},
        {"trace", YAML_FIELD_NODE, offsetof(struct keys, trace)},
        {"users", YAML_FIELD_NODE, offsetof(struct keys, users)},
        {0}};
    struct keys k = {0};
    *ret = (struct plan_shape){0};
    struct reading rd = {doc, problems, plan, ret, PLAN_EVEN};
    if (yaml_read(doc, node, FIELDS, &k, problems) < 0)
        return -EINVAL;
    ret->name = k.name;
    ret->warmup = k.warmup;
    ret->seconds = (double)k.duration_ms / 1000;
    if (plan_spacing_parse(k.arrivals, &rd.spacing) < 0)
        return refuse(&rd, yaml_get(node, "arrivals"), "'arrivals' must be even, poisson or exact");
    const struct {
        const struct yaml_node *node;
        int (*read)(const struct reading *rd, const struct yaml_node *node);
    } shapes[] = {{k.rate, read_rate}, {k.stairs, read_stairs}, {k.spike, read_spike},
                  {k.sine, read_sine}, {k.trace, read_trace},   {k.users, read_users}};
    size_t chosen = ARRAY_LEN(shapes), given = 0;
    for (size_t i = 0; i < ARRAY_LEN(shapes); i++)
        if (shapes[i].node) {
            chosen = i;
            given++;
        }
    if (given != 1)
        return refuse(&rd, node, "a phase has one of rate, stairs, spike, sine, trace and users");
    if (k.duration_ms == 0 && !k.trace)
        return refuse(&rd, node, "missing key 'duration'");
    if (plan->n && plan->closed != (k.users != NULL))
        return refuse(&rd, node,
                      "phases with users and phases with arrivals do not mix: make it two classes of traffic");
    return shapes[chosen].read(&rd, shapes[chosen].node);
}
