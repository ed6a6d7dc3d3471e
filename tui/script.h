/* script.h - the console without a terminal: keys and commands from a file, screens to files. For tests and screenshots.
 *
 *   # a comment             1j<Enter><F1>      keys, each drawn like on a terminal
 *   :save-display FILE      any command of the command line, and besides:
 *   :size 120x40            the terminal's size (80x24 at first)
 *   :frames N | all         take the next frames of --replay
 *   :elapse 3s              let time pass without frames (replay); with a collector: really wait, and take what comes
 *   :await TEXT             until the screen says it; an error when it does not (with a collector: within a minute)
 *   :paste TEXT  :click X Y  :wheel up|down
 */
#pragma once

#include "lib/base/problem.h"
#include "tui/app.h"

/* What the script's clock and frames come from. */
struct script_source {
    void *ctx;
    /* The next n frames (SIZE_MAX: all); false: there are no more. */
    bool (*frames)(void *ctx, size_t n);
    /* Let this time pass; returns the clock afterwards. */
    int64_t (*elapse)(void *ctx, int64_t ms);
};
/* Problems (a bad line, a file that cannot be written) go to `problems`; the rest of the script runs. 0, -errno of reading
 * the file, -ENOMEM. */
MUST_USE int script_run(struct app *app, const char *path, const struct script_source *source,
                        struct problems *problems);
