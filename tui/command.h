/* command.h - the `:` line: a table of commands, and completion from it. */
#pragma once

#include "tui/app.h"

struct command {
    const char *name, *alias; /* alias may be NULL */
    const char *argument;     /* for the help; NULL: takes none */
    const char *help;
    void (*run)(struct app *app, const char *argument);
};
extern const struct command COMMANDS[];
extern const size_t COMMANDS_N;
/* Completes the word at the end of `line` in place: the longest common beginning; what is possible goes to `choices` ("" when
 * there is one or none). */
void command_complete(const struct app *app, char *line, size_t n, char *choices, size_t n_choices);
