#include "loadgen/synthetic/signals.h"

/* What one journey has of each family; a journey that has not run yet has no state, only counters. */
enum signal { UP, DURATION, LAST_RUN, LAST_SUCCESS, RUNS, STEP_UP, STEP_SECONDS };
static const struct {
    enum signal signal;
    const char *name;
    enum metric_kind kind;
    const char *help;
} FAMILIES[] = {
    {UP, "crest_synthetic_up", METRIC_GAUGE, "Did the last run of the journey pass?"},
    {DURATION, "crest_synthetic_duration_seconds", METRIC_GAUGE, "How long the last run took."},
    {LAST_RUN, "crest_synthetic_last_run_timestamp_seconds", METRIC_GAUGE, "When the last run began."},
    {LAST_SUCCESS, "crest_synthetic_last_success_timestamp_seconds", METRIC_GAUGE,
     "When the last run that passed began."},
    {RUNS, "crest_synthetic_runs_total", METRIC_COUNTER, "Runs by outcome; skipped: due while the one before went on."},
    {STEP_UP, "crest_synthetic_step_up", METRIC_GAUGE, "Was the step ok when it was last run?"},
    {STEP_SECONDS, "crest_synthetic_step_response_seconds", METRIC_GAUGE, "Response time of the step's last run."},
};

static void put_journey(const struct synthetic_sink *sink, const char *name, enum signal signal,
                        const struct journey_state *s)
{
    static const struct span NO_STEP = {"", 0};
    const char *journey = s->journey->name;
    if (signal == RUNS) {
        sink->value(sink->ctx, name, (double)s->passed, journey, NO_STEP, "outcome", "passed");
        sink->value(sink->ctx, name, (double)s->failed, journey, NO_STEP, "outcome", "failed");
        sink->value(sink->ctx, name, (double)s->skipped, journey, NO_STEP, "outcome", "skipped");
        return;
    }
    if (!s->known || (signal == LAST_SUCCESS && s->last_success_ms == 0))
        return;
    double value = signal == UP         ? s->up
                   : signal == DURATION ? s->duration_s
                   : signal == LAST_RUN ? (double)s->last_run_ms / 1000
                                        : (double)s->last_success_ms / 1000;
    sink->value(sink->ctx, name, value, journey, NO_STEP, NULL, NULL);
}

void synthetic_signals(const struct prober_view *view, const struct synthetic_sink *sink)
{
    for (size_t f = 0; f < ARRAY_LEN(FAMILIES); f++) {
        enum signal signal = FAMILIES[f].signal;
        if (sink->family)
            sink->family(sink->ctx, FAMILIES[f].name, FAMILIES[f].kind, FAMILIES[f].help);
        for (size_t i = 0; signal < STEP_UP && i < view->journeys->n; i++)
            put_journey(sink, FAMILIES[f].name, signal, &view->states[i]);
        for (size_t i = 0; signal >= STEP_UP && i < view->journeys->n_steps; i++)
            if (view->steps[i].known)
                sink->value(sink->ctx, FAMILIES[f].name,
                            signal == STEP_UP ? view->steps[i].up : view->steps[i].response_s,
                            view->journeys->steps[i].journey, view->journeys->steps[i].name, NULL, NULL);
    }
}
