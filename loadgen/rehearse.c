#include "loadgen/rehearse.h"

#include <errno.h>

#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/base/number.h"
#include "loadgen/load_options.h"

#define COLLECTOR_URL "http://127.0.0.1:9480"
#define RATE_MIN 1e-6 /* sessions per second: one in eleven days */

/* ---- --weights ---- */

/* Is there something to run in each class of traffic? */
static bool classes_have_weight(const struct run_config *c, const struct journeys *js)
{
    const struct traffic_class all = {.n_journeys = js->n};
    size_t n = c->n_traffic ? c->n_traffic : 1;
    for (size_t i = 0; i < n; i++) {
        const struct traffic_class *class = c->n_traffic ? &c->traffic[i] : &all;
        double sum = 0;
        for (size_t k = 0; k < class->n_journeys; k++)
            sum += js->list[class->first_journey + k].weight;
        if (!(sum > 0))
            return false;
    }
    return true;
}

static int read_weights(const struct options *o, const struct run_config *c, struct journeys *js)
{
    const char *text = options_text(o, "weights");
    if (!text)
        return EXIT_OK;
    struct span rest = span_str(text), one;
    size_t n = 0;
    double weight;
    for (; span_cut(&rest, ',', &one); n++) {
        if (parse_f64_span(span_trim(one), &weight) < 0 || !(weight >= 0 && weight <= 1e9))
            return usage_error("--weights takes a number per journey, as 97,3, not '" SPAN_FMT "'", SPAN_ARG(one));
        if (n < js->n) {
            js->list[n].weight = weight;
            js->list[n].weighed = true;
        }
    }
    if (n != js->n)
        return usage_error("--weights has %zu numbers for %zu journeys", n, js->n);
    if (!classes_have_weight(c, js))
        return usage_error("--weights %s: every journey has the weight 0: nothing would run", text);
    return EXIT_OK;
}

/* ---- what is asked ---- */

static int read_alone(const struct options *o)
{
    static const char *const ONLY[] = {"at", "event-from", "event-shape"};
    for (size_t i = 0; i < ARRAY_LEN(ONLY); i++)
        if (options_given(o, ONLY[i]))
            return usage_error("--%s is about an event: give --event NAME, too", ONLY[i]);
    return EXIT_OK;
}

static size_t choice(const struct options *o, const char *name, const char *const *words, size_t n)
{
    const char *text = options_text(o, name);
    for (size_t i = 0; text && i < n; i++)
        if (strcmp(text, words[i]) == 0)
            return i + 1;
    return 0;
}

static int read_wish(const struct options *o, bool planned, struct rehearsal_wish *wish)
{
    static const char *const LOADS[] = {"rate", "stages", "scale"};
    static const char *const BASES[] = {"plan", "last", "measured"}, *const SHAPES[] = {"hold", "curve"};
    for (size_t i = 0; i < ARRAY_LEN(LOADS); i++)
        if (options_given(o, LOADS[i]))
            return usage_error("the event says how much, and --at which part of it: leave --%s out", LOADS[i]);
    const char *at = options_text(o, "at");
    int r = rehearsal_at_parse(at, &wish->at);
    if (r == -ERANGE)
        return usage_error("--at is above 0%% and at most %g%%, not '%s'", REHEARSAL_AT_MAX * 100, at);
    if (r < 0)
        return usage_error("--at takes a share of the event, as 150%%, not '%s'", at);
    wish->basis = (enum rehearsal_basis)choice(o, "event-from", BASES, ARRAY_LEN(BASES));
    bool curve = choice(o, "event-shape", SHAPES, ARRAY_LEN(SHAPES)) == 2;
    if (planned && options_given(o, "event-shape"))
        return usage_error("the plan file is the shape of the run: --event-shape is for a run without one");
    wish->shape = planned ? REHEARSAL_OF_PLAN : curve ? REHEARSAL_CURVE : REHEARSAL_HOLD;
    return EXIT_OK;
}

/* The highest rate of the plan file's customers; EXIT_USAGE when nothing of it can be made higher or lower. */
static int read_plan_peak(const struct run_config *c, double *ret)
{
    const struct plan *p = c->traffic[0].plan;
    if (!p || p->closed)
        return usage_error(
            "the plan has users that loop, and an event says when sessions arrive: give its phases rates");
    for (size_t i = 0; i < p->n; i++)
        if (p->stages[i].curve == PLAN_TRACE)
            return usage_error(
                "the plan replays recorded arrivals, which no event makes more or fewer: give its phases "
                "rates");
    *ret = plan_peak(p);
    if (!(*ret > 0))
        return usage_error("the plan's rates are all 0: nothing of it can be made as high as the event");
    return EXIT_OK;
}

/* ---- who answers ---- */

static int failed(const char *why)
{
    fprintf(stderr, "crest-loadgen: --event: %s\n", why);
    return EXIT_FAILED;
}

MUST_USE static int fetch_last(struct rehearse *re)
{
    struct rehearsal_known *k = &re->known;
    const struct event_facts *e = &re->event;
    int r = e->last_event ? event_ask_event(&re->ask, e->last_event, &k->last)
                          : event_ask_last_over(&re->ask, e->name, k->now_ms, &k->last);
    if (r == 0)
        r = event_ask_measured(&re->ask, &k->last, k->now_ms, &k->last_measured);
    if (r == -ENOENT)
        r = 0; /* there is none: what then is missing is for the rehearsal to say */
    k->has_last = r == 0;
    return r;
}

MUST_USE static int fetch_measured(struct rehearse *re)
{
    struct rehearsal_known *k = &re->known;
    int r = event_ask_measured(&re->ask, &re->event, k->now_ms, &k->measured);
    k->has_measured = r == 0;
    return r;
}

static int derive(struct rehearse *re, const struct rehearsal_wish *wish)
{
    int r, asked = 0;
    while ((r = rehearsal_derive(wish, &re->known, &re->rehearsal)) > 0 && asked >= 0)
        asked = r == REHEARSAL_NEEDS_LAST ? fetch_last(re) : fetch_measured(re);
    if (r > 0)
        return failed(asked == -ENOMEM ? strerror(ENOMEM) : re->ask.error);
    if (r == -EINVAL || r == -ERANGE)
        return usage_error("--event: %s", re->rehearsal.why);
    return r < 0 ? failed(re->rehearsal.why) : EXIT_OK;
}

/* ---- what comes of it ---- */

static int read_journeys(const struct run_config *c, const struct journeys *js, struct rehearse *re,
                         struct rehearsal_wish *wish)
{
    size_t first = c->n_traffic ? c->traffic[0].first_journey : 0;
    wish->n = c->n_traffic ? c->traffic[0].n_journeys : js->n;
    wish->journeys = re->journeys = calloc(wish->n, sizeof *re->journeys);
    int r = re->journeys ? 0 : -ENOMEM;
    for (size_t i = 0; i < wish->n && r == 0; i++) {
        const struct journey *j = &js->list[first + i];
        re->journeys[i] = (struct rehearsal_journey){.name = j->name, .weight = j->weight, .weighed = j->weighed};
        r = walk_of(j->file, &re->journeys[i].walk);
    }
    return r < 0 ? failed(strerror(-r)) : EXIT_OK;
}

/* A cap that nobody chose must not make the rehearsal smaller than it says it is. */
static int check_cap(const struct options *o, const struct run_config *c, const struct rehearsal *r)
{
    bool chosen = options_given(o, "money-rate") || c->money_rate != options_number(o, "money-rate");
    if (chosen || c->money_rate <= 0 || r->payments <= c->money_rate)
        return EXIT_OK;
    return usage_error(
        "--event: %s at %g%% has %.4g @money steps a second, and no more than %g are sent unless you say "
        "so: give --money-rate %.0f, or 0 for no cap",
        r->event, r->at * 100, r->payments, c->money_rate, r->payments * 1.2 + 1);
}

static int set_load(const struct options *o, double plan_peak_rate, struct rehearse *re)
{
    const struct rehearsal *r = &re->rehearsal;
    char number[NUMBER_TEXT_MAX];
    if (r->rate < RATE_MIN)
        return failed("that is less than a session in eleven days");
    re->scale = plan_peak_rate > 0 ? r->rate / plan_peak_rate : 1;
    if (r->shape == REHEARSAL_CURVE) {
        double length_ms =
            options_given(o, "duration") ? (double)options_duration_ms(o, "duration") * options_number(o, "speed") : 0;
        rehearsal_stages(r, (int64_t)length_ms, &re->load);
        re->stages = re->load.data;
    } else if (r->shape == REHEARSAL_HOLD) {
        format_f64(number, r->rate);
        buf_str(&re->load, number);
        re->rate = re->load.data;
    }
    return buf_error(&re->load) ? failed(strerror(-buf_error(&re->load))) : EXIT_OK;
}

static int set_weights(const struct run_config *c, struct journeys *js, struct rehearse *re)
{
    size_t first = c->n_traffic ? c->traffic[0].first_journey : 0;
    struct buf text;
    buf_init(&text, JOURNEYS_MAX * (NUMBER_TEXT_MAX + 1));
    for (size_t i = 0; i < re->rehearsal.n; i++)
        js->list[first + i].weight = re->rehearsal.weights[i];
    for (size_t i = 0; i < js->n; i++) {
        char number[NUMBER_TEXT_MAX];
        format_f64(number, js->list[i].weight);
        buf_printf(&text, "%s%s", i ? "," : "", number);
    }
    re->weights = buf_error(&text) ? NULL : buf_take(&text, NULL);
    buf_done(&text);
    return re->weights ? EXIT_OK : failed(strerror(ENOMEM));
}

int rehearse_read(const struct options *o, const struct run_config *c, struct journeys *js, const char *collector,
                  struct rehearse *re)
{
    const char *event = options_text(o, "event");
    struct rehearsal_wish wish = {.money_rate = c->money_rate};
    double peak = 0;
    buf_init(&re->load, REHEARSAL_STAGES_BYTES_MAX);
    int code = read_weights(o, c, js);
    if (code == EXIT_OK && !event)
        return read_alone(o);
    re->wanted = true;
    re->ask.url = collector ? collector : COLLECTOR_URL;
    re->ask.auth_file = options_text(o, "auth-file");
    re->ask.ca_file = options_text(o, "ca-file");
    if (code == EXIT_OK)
        code = read_wish(o, c->n_traffic > 0, &wish);
    if (code == EXIT_OK && c->n_traffic)
        code = read_plan_peak(c, &peak);
    if (code == EXIT_OK)
        code = read_journeys(c, js, re, &wish);
    if (code == EXIT_OK && event_ask_event(&re->ask, event, &re->event) < 0)
        code = failed(re->ask.error);
    re->known.event = &re->event;
    re->known.now_ms = unix_ms();
    if (code == EXIT_OK)
        code = derive(re, &wish);
    if (code == EXIT_OK)
        code = check_cap(o, c, &re->rehearsal);
    if (code == EXIT_OK)
        code = set_load(o, peak, re);
    if (code == EXIT_OK)
        code = set_weights(c, js, re);
    re->rehearsal.collector = re->ask.url;
    if (code == EXIT_OK && !options_flag(o, "quiet"))
        rehearsal_text(stderr, &re->rehearsal);
    return code;
}

void rehearse_done(struct rehearse *re)
{
    rehearsal_done(&re->rehearsal);
    rehearsal_known_done(&re->known);
    event_facts_done(&re->event);
    free(re->journeys);
    free(re->weights);
    buf_done(&re->load);
}
