/* rehearse.h - `run --event NAME --at 150%`: asks the collector about the event and makes the run's load of it (rehearsal/rehearsal.h).
 *
 *   struct rehearse rehearse = {0};
 *   code = rehearse_read(o, &config, journeys, collector, &rehearse);    // config: as the plan file has it, when there is one
 *   if (rehearse.wanted) ... rehearse.rate or .stages instead of the options of these names, or .scale for the plan file;
 *                            the journeys have their weights already
 *   rehearse_done(&rehearse);
 *
 * And --weights, which says the shares of journeys without an event, too. */
#pragma once

#include "lib/base/options.h"
#include "loadgen/engine/config.h"
#include "loadgen/rehearsal/event_ask.h"
#include "loadgen/rehearsal/rehearsal.h"

struct rehearse {
    bool wanted;
    struct rehearsal rehearsal; /* for the reports */
    const char *rate, *stages;  /* one of them; both NULL with a plan file */
    double scale;               /* of the plan file's rates */
    char *weights;              /* of all journeys, as --weights; NULL: the journeys' own */
    /* what it stands on */
    struct event_ask ask;
    struct event_facts event;
    struct rehearsal_known known;
    struct rehearsal_journey *journeys;
    struct buf load;
};
/* collector NULL: one on this machine, at its usual port. EXIT_OK, or an exit code after saying why: EXIT_USAGE for options that do not go
 * together, EXIT_FAILED when the collector does not answer, has no such event or no figures of it. What is taken from where is told on stderr,
 * unless --quiet. */
MUST_USE int rehearse_read(const struct options *o, const struct run_config *config, struct journeys *journeys,
                           const char *collector, struct rehearse *to);
void rehearse_done(struct rehearse *re);
