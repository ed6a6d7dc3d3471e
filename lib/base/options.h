/* options.h - a program's command line from one table: parsing, --help, environment, man page, docs check.
 *
 *   static const struct option_def OPTIONS[] = {
 *       {.name = "listen", .type = OPT_TEXT, .arg = "ADDR:PORT", .fallback = "127.0.0.1:9480", .env = "CREST_LISTEN",
 *        .help = "address to listen on; port 0 picks one and prints it"},
 *       {0}};
 *   struct options o;
 *   int r = options_parse(&o, &PROGRAM, argc, argv);    // prints help or the error itself
 *   if (r != OPTIONS_RUN) return r;                      // EXIT_OK or EXIT_USAGE
 *   const char *listen = options_text(&o, "listen");
 *
 * Flags win over environment, environment over the config file (the program's own business: options_given tells).
 * --name VALUE and --name=VALUE; `--` ends flags; a flag may come before or after operands. Unknown flags are refused
 * with a suggestion. --help opens with the program's examples; --version prints the version. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/base/macros.h"

enum exit_code {
    EXIT_OK = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_LINT = 3,
    EXIT_THRESHOLD = 4,
    EXIT_VOID = 5,
    EXIT_INTERRUPTED = 130
};

enum option_type {
    OPT_END = 0,
    OPT_FLAG,     /* no value */
    OPT_TEXT,     /* any text */
    OPT_COUNT,    /* unsigned integer within min..max */
    OPT_NUMBER,   /* double within min..max */
    OPT_DURATION, /* Prometheus duration, stored in ms; "0" allowed when min is 0 */
    OPT_CHOICE,   /* one of choices, "a|b|c" */
    OPT_LIST      /* may be given several times */
};
struct option_def {
    const char *name; /* without dashes */
    char letter;      /* -o is short for it; 0: nothing is */
    enum option_type type;
    const char *arg;      /* how --help calls the value */
    const char *fallback; /* the default as the user would type it; NULL: none */
    const char *env;      /* environment variable; NULL: none */
    const char *choices;  /* OPT_CHOICE */
    double min, max;      /* OPT_COUNT, OPT_NUMBER, OPT_DURATION(ms); both 0: no range */
    const char *help;     /* one line */
    const char *
        commands; /* "run|check": only with these; "": only without one; NULL: with all. Commands may have options of one name that differ,
                           * where the command is typed before them */
};
struct command_def {
    const char *name;     /* "" is the command when none is given */
    const char *operands; /* "FILE…" for --help; NULL: takes none */
    size_t operands_min, operands_max;
    const char *help;
};
struct program_def {
    const char *name, *summary;
    const char *examples;               /* lines of "  command   # words" */
    const struct command_def *commands; /* ended by {0}; NULL: only "" without operands */
    const struct option_def *options;   /* ended by {0} */
};
struct options; /* opaque, from options_parse */

#define OPTIONS_RUN (-1)
/* OPTIONS_RUN: *ret is to be used and freed with options_free. Otherwise the exit code (help and version were
 * printed on stdout, errors on stderr) and *ret is NULL. */
MUST_USE int options_parse(const struct program_def *program, int argc, char **argv, struct options **ret);
void options_free(struct options *o);
const char *options_command(const struct options *o); /* "" or the command's name */
size_t options_operand_count(const struct options *o);
const char *options_operand(const struct options *o, size_t i);
/* Was it given by flag or environment? */
bool options_given(const struct options *o, const char *name);
/* The i-th option that goes with the command, in the table's order; NULL past the last. */
const struct option_def *options_def(const struct options *o, size_t i);
/* The value: given, else fallback; NULL when neither. Asking for an unknown name or a wrong type is a bug (assert).
 * options_text answers for every type that has a value, as it was typed; the others give 0 when there is none. */
const char *options_text(const struct options *o, const char *name);
uint64_t options_count(const struct options *o, const char *name);
double options_number(const struct options *o, const char *name);
int64_t options_duration_ms(const struct options *o, const char *name);
bool options_flag(const struct options *o, const char *name);
size_t options_list_count(const struct options *o, const char *name);
const char *options_list(const struct options *o, const char *name, size_t i);
void options_help(const struct program_def *program, FILE *to);
/* The build's version, "0.1.0 (abc1234)". */
const char *crest_version(void);
