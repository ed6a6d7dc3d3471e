/* plan_file.c - any bytes as a plan of load: refused with places, or a configuration whose numbers a run can be made of. What a plan names comes from memory,
 * by the end of the name and whatever its folder: no file is opened. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "lib/base/file.h"
#include "loadgen/engine/journeys.h"
#include "loadgen/engine/plan_file.h"
#include "loadgen/engine/threshold.h"

#define PLAN_NAME "mix/plan.yml"
#define ARRIVALS 300
#define SECONDS_MAX (32 * 3 * 366 * 86400.0) /* 32 phases of three years */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int __real_file_read(const char *path, size_t max_bytes, char **ret_data, size_t *ret_len);
int __wrap_file_read(const char *path, size_t max_bytes, char **ret_data, size_t *ret_len);

static const struct {
    const char *end, *text;
} FILES[] = {
    {"idle.hurl", "# @weight 0\nGET {{host}}/\n"},
    {".hurl", "# @weight 3\n# @step home\nGET {{host}}/\n\n"
              "# @step payment\n# @think exp 8s max 60s\n# @slo p95<1s err<1%\n# @money\nGET {{host}}/{{sku}}\n"},
    {".csv", "at,sku\n0,a\n0.5,b\n0.25,c\n86400,d\n"},
    {".jsonl", "{\"sku\": \"a\"}\n{\"sku\": 2}\n"},
};
static struct span input; /* while a target runs: the plan */

static bool ends_with(struct span name, struct span end)
{
    return name.len >= end.len && span_equal(span_from(name, name.len - end.len), end);
}

int __wrap_file_read(const char *path, size_t max_bytes, char **ret_data, size_t *ret_len)
{
    struct span name = span_str(path), text = {0};
    if (!input.ptr) /* the corpus */
        return __real_file_read(path, max_bytes, ret_data, ret_len);
    if (span_equal(name, SPAN(PLAN_NAME)))
        text = input;
    for (size_t i = 0; !text.ptr && i < ARRAY_LEN(FILES); i++)
        if (ends_with(name, span_str(FILES[i].end)))
            text = span_str(FILES[i].text);
    if (!text.ptr)
        return -ENOENT;
    *ret_data = span_dup(text);
    *ret_len = text.len;
    return *ret_data ? 0 : -ENOMEM;
}

/* All arrivals of two workers, as far as they are few. */
static void check_arrivals(const struct plan *p)
{
    struct rng rng;
    uint64_t count = 0, most = 2 * ARRIVALS;
    bool exact = true;
    rng_seed(&rng, 1);
    for (size_t i = 0; i < p->n; i++)
        exact &= p->stages[i].spacing != PLAN_POISSON;
    for (uint64_t worker = 0; worker < 2; worker++) {
        struct arrivals a;
        int64_t at_us, before_us = 0;
        arrivals_init(&a, p, worker, 2, &rng, 0);
        for (int i = 0; i < ARRIVALS && arrivals_next(&a, &at_us); i++, count++) {
            if (at_us < before_us || (double)at_us > p->seconds * 1e6 + 1)
                abort();
            before_us = at_us;
        }
    }
    if (exact && plan_count(p) < most / 2 && count != plan_count(p))
        abort();
}

static void check_plan(const struct plan *p)
{
    double before = 0;
    if (p->n == 0 || !(p->seconds > 0 && p->seconds <= SECONDS_MAX) || !(p->arrivals >= 0 && isfinite(p->arrivals)))
        abort();
    for (int i = 0; i <= 20; i++) {
        double at = p->seconds * i / 20, rate = plan_rate(p, at), integral = plan_integral(p, at);
        /* Sums of large numbers that cancel out: below one part in 10^9 */
        if (!(rate >= -1e-3 && rate <= 2 * PLAN_RATE_MAX) || !(integral >= before - 1e-9 * (p->arrivals + 1)))
            abort();
        before = integral;
    }
    check_arrivals(p);
}

static void check_config(const struct run_config *c)
{
    double end_s = 0;
    if (!(c->think_scale >= 0 && isfinite(c->think_scale)) || !(c->money_rate >= 0 && isfinite(c->money_rate)))
        abort();
    if (c->threads == 0 || c->duration_ms < 0 || c->grace_ms < 0 || c->max_lag_ms < 0 || c->n_traffic == 0)
        abort();
    for (size_t i = 0; i < c->n_phases; i++) {
        if (c->phases[i].start_s != end_s || !(c->phases[i].end_s > end_s))
            abort();
        end_s = c->phases[i].end_s;
    }
    for (size_t i = 0; i < c->n_traffic; i++) {
        const struct traffic_class *t = &c->traffic[i];
        if (t->n_journeys == 0 || t->first_journey + t->n_journeys > c->journeys->n || (!t->plan && t->users == 0) ||
            !(isnan(t->think_scale) || (t->think_scale >= 0 && isfinite(t->think_scale))))
            abort();
        if (t->plan)
            check_plan(t->plan);
        struct rng rng;
        rng_seed(&rng, i);
        const struct journey *j = journeys_pick(c->journeys, t->first_journey, t->n_journeys, &rng);
        if (j < c->journeys->list + t->first_journey || j >= c->journeys->list + t->first_journey + t->n_journeys)
            abort();
    }
}

static void use(struct plan_file *pf, struct problems *ps)
{
    struct run_config c = {.threads = 1, .think_scale = 1};
    struct run_threshold *bounds = NULL;
    size_t n_bounds = 0;
    if (!plan_file_name(pf))
        abort();
    plan_file_apply(pf, &c);
    check_config(&c);
    if (journeys_set(plan_file_journeys(pf), SPAN("host"), hurl_value_text(SPAN("http://127.0.0.1:1"))) < 0)
        abort();
    int r = journeys_complete(plan_file_journeys(pf), ps);
    if (r == -EINVAL && problems_errors(ps) == 0)
        abort();
    if (thresholds_make(&c, &bounds, &n_bounds) == 0)
        free(bounds);
    plan_file_scale(pf, 1.5, 60);
    plan_file_apply(pf, &c);
    check_config(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct problems ps;
    struct plan_file *pf = NULL;
    input = span_of(n ? (const char *)data : "", n);
    problems_init(&ps);
    int r = plan_file_load(PLAN_NAME, &pf, &ps);
    if (r == 0 && problems_errors(&ps) > 0)
        abort();
    if (r == -EINVAL && problems_errors(&ps) == 0)
        abort();
    if (r == 0)
        use(pf, &ps);
    plan_file_free(pf);
    problems_done(&ps);
    input = (struct span){0};
    return 0;
}
