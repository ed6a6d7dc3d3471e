/* signals.h - the series of synthetic runs, the same for a scrape of /metrics and for remote write. docs/loadgen-synthetic.md lists them.
 *
 *   struct synthetic_sink sink = {.ctx = w, .family = on_family, .value = on_value};
 *   synthetic_signals(&view, &sink); */
#pragma once

#include "lib/base/metric_writer.h"
#include "loadgen/synthetic/prober.h"

struct synthetic_sink {
    void *ctx;
    /* Before a family's values; NULL: nobody wants to know. */
    void (*family)(void *ctx, const char *name, enum metric_kind kind, const char *help);
    /* step empty: of the journey; label NULL: none. */
    void (*value)(void *ctx, const char *name, double value, const char *journey, struct span step, const char *label,
                  const char *label_value);
};
void synthetic_signals(const struct prober_view *view, const struct synthetic_sink *sink);
