#include "lib/base/options.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "lib/base/number.h"
#include "lib/base/options_print.h"
#include "lib/base/problem.h"
#include "lib/base/span.h"

#define OPERANDS_MAX 4096u   /* and list entries: what a shell's wildcard may bring */
#define SUGGESTIONS_MAX 128u /* options and commands compared with a misspelt one */

struct value {
    bool given;
    const char *text; /* what was given, else the fallback; points into argv, the environment or the table */
    union {
        uint64_t count;
        double number;
        int64_t duration_ms;
    };
    const char **list;
    size_t list_n;
};

struct options {
    const struct program_def *program;
    const struct command_def *command;
    size_t n;
    struct value *values; /* one per option_def */
    const char **operands;
    size_t operand_n;
};

static const struct command_def NO_COMMANDS[] = {{.name = ""}, {0}};

static const struct command_def *commands_of(const struct program_def *p)
{
    return p->commands ? p->commands : NO_COMMANDS;
}

static size_t option_count(const struct program_def *p)
{
    size_t n = 0;
    while (p->options && p->options[n].name)
        n++;
    return n;
}

/* Commands may have options of one name that differ: the first that applies to `command`, else the first of that name. */
static const struct option_def *find_option(const struct program_def *p, struct span name, const char *command,
                                            size_t *ret_at)
{
    const struct option_def *found = NULL;
    for (size_t i = 0; i < option_count(p); i++) {
        const struct option_def *d = &p->options[i];
        bool applies = command && option_applies(d, command);
        if (!span_equal(name, span_str(d->name)) || (found && !applies))
            continue;
        found = d;
        *ret_at = i;
        if (applies)
            break;
    }
    return found;
}

static const struct command_def *find_command(const struct program_def *p, const char *name)
{
    for (const struct command_def *c = commands_of(p); c->name; c++)
        if (strcmp(c->name, name) == 0)
            return c;
    return NULL;
}

bool option_in_list(const char *bar_list, const char *word)
{
    struct span rest = span_str(bar_list), piece;
    while (span_cut(&rest, '|', &piece))
        if (span_equal(piece, span_str(word)))
            return true;
    return false;
}

bool option_applies(const struct option_def *d, const char *command)
{
    return !d->commands || option_in_list(d->commands, command);
}

/* ---- errors: all of them say how to get help ---- */

static void complain(const struct program_def *p, const char *format, ...) PRINTF_LIKE(2, 3);
static void complain(const struct program_def *p, const char *format, ...)
{
    va_list args;
    fprintf(stderr, "%s: ", p->name);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, " (%s --help lists what it takes)\n", p->name);
}

static void complain_unknown_option(const struct program_def *p, struct span given)
{
    const char *names[SUGGESTIONS_MAX] = {"help", "version"};
    size_t n = 2;
    for (size_t i = 0; i < option_count(p) && n < SUGGESTIONS_MAX; i++)
        names[n++] = p->options[i].name;
    AUTO_FREE char *word = span_dup(given);
    const char *near = word ? suggest(word, names, n) : NULL;
    if (near)
        complain(p, "unknown option --" SPAN_FMT ": did you mean --%s?", SPAN_ARG(given), near);
    else
        complain(p, "unknown option --" SPAN_FMT, SPAN_ARG(given));
}

static void complain_unknown_command(const struct program_def *p, const char *given)
{
    const char *names[SUGGESTIONS_MAX];
    size_t n = 0;
    for (const struct command_def *c = commands_of(p); c->name && n < SUGGESTIONS_MAX; c++)
        if (*c->name)
            names[n++] = c->name;
    const char *near = suggest(given, names, n);
    if (near)
        complain(p, "unknown command '%s': did you mean '%s'?", given, near);
    else
        complain(p, "unknown command '%s'", given);
}

/* ---- values ---- */

/* Why `text` is no value of this option, NULL when it is one. */
static const char *parse_value(const struct option_def *d, const char *text, struct value *v)
{
    bool ranged = d->min != 0 || d->max != 0;
    uint64_t count;
    double number;
    int64_t ms;
    switch (d->type) {
    case OPT_COUNT:
        if (parse_u64(text, UINT64_MAX, &count) < 0)
            return "not a whole number";
        if (ranged && ((double)count < d->min || (double)count > d->max))
            return "outside the range";
        v->count = count;
        return NULL;
    case OPT_NUMBER:
        if (parse_f64_span(span_str(text), &number) < 0 || number != number)
            return "not a number";
        if (ranged && (number < d->min || number > d->max))
            return "outside the range";
        v->number = number;
        return NULL;
    case OPT_DURATION:
        if (parse_duration_ms(span_str(text), &ms) < 0)
            return "not a duration such as 30s, 5m or 1h30m";
        if (ranged && ((double)ms < d->min || (double)ms > d->max))
            return "outside the range";
        v->duration_ms = ms;
        return NULL;
    case OPT_CHOICE:
        return option_in_list(d->choices, text) ? NULL : "not one of the choices";
    case OPT_FLAG:
    case OPT_TEXT:
    case OPT_LIST:
    case OPT_END:
        return NULL;
    }
    return NULL;
}

static int set_value(struct options *o, size_t at, const char *text, const char *origin)
{
    const struct option_def *d = &o->program->options[at];
    struct value *v = &o->values[at];
    const char *why = parse_value(d, text, v);
    if (why) {
        char range[160];
        option_print_range(d, range, sizeof range);
        complain(o->program, "%s %s: %s%s%s", origin, text, why, range[0] ? ": " : "", range);
        return EXIT_USAGE;
    }
    if (d->type == OPT_LIST) {
        if (v->list_n >= OPERANDS_MAX) {
            complain(o->program, "%s: more than %u values", origin, OPERANDS_MAX);
            return EXIT_USAGE;
        }
        const char **list = realloc(v->list, (v->list_n + 1) * sizeof *list);
        if (!list) {
            complain(o->program, "out of memory");
            return EXIT_FAILED;
        }
        v->list = list;
        v->list[v->list_n++] = text;
    }
    v->text = text;
    v->given = true;
    return OPTIONS_RUN;
}

static int set_from_environment(struct options *o, size_t at)
{
    const struct option_def *d = &o->program->options[at];
    const char *text = d->env ? getenv(d->env) : NULL;
    if (!text || !*text || o->values[at].given || !option_applies(d, o->command->name))
        return OPTIONS_RUN;
    if (d->type == OPT_FLAG) {
        bool on;
        if (parse_bool(span_str(text), &on) < 0) {
            complain(o->program, "%s=%s: not true or false", d->env, text);
            return EXIT_USAGE;
        }
        o->values[at].given = on;
        return OPTIONS_RUN;
    }
    char origin[128];
    snprintf(origin, sizeof origin, "%s", d->env);
    return set_value(o, at, text, origin);
}

static void set_fallback(struct options *o, size_t at)
{
    const struct option_def *d = &o->program->options[at];
    if (o->values[at].given || !d->fallback)
        return;
    const char *why = parse_value(d, d->fallback, &o->values[at]);
    assert(!why); /* the table's own default must be a value */
    (void)why;
    o->values[at].text = d->fallback;
}

/* ---- the command line ---- */

static int add_operand(struct options *o, const char *text)
{
    if (o->operand_n == OPERANDS_MAX) {
        complain(o->program, "more than %u operands", OPERANDS_MAX);
        return EXIT_USAGE;
    }
    o->operands[o->operand_n++] = text;
    return OPTIONS_RUN;
}

/* argv[*at] is a flag; takes its value and moves *at on to the last argument used. */
static int take_flag(struct options *o, int argc, char **argv, int *at)
{
    struct span body = span_str(argv[*at] + 2);
    size_t equals = span_find(body, '=');
    struct span name = span_of(body.ptr, equals);
    bool has_value = equals < body.len;
    const struct program_def *p = o->program;
    if (span_equal(name, SPAN("help")) && !has_value) {
        options_help(p, stdout);
        return EXIT_OK;
    }
    if (span_equal(name, SPAN("version")) && !has_value) {
        printf("%s %s\n", p->name, crest_version());
        return EXIT_OK;
    }
    if (span_equal(name, SPAN("help-man")) && !has_value) { /* for make install; not shown by --help */
        options_man(p, stdout);
        return EXIT_OK;
    }
    size_t i;
    const struct option_def *d = find_option(p, name, o->operand_n ? o->operands[0] : NULL, &i);
    if (!d) {
        complain_unknown_option(p, name);
        return EXIT_USAGE;
    }
    if (d->type == OPT_FLAG) {
        if (has_value) {
            complain(p, "--%s takes no value", d->name);
            return EXIT_USAGE;
        }
        o->values[i].given = true;
        return OPTIONS_RUN;
    }
    if (!has_value && *at + 1 >= argc) {
        complain(p, "--%s needs a value: %s", d->name, d->arg ? d->arg : "VALUE");
        return EXIT_USAGE;
    }
    const char *value = has_value ? body.ptr + equals + 1 : argv[++*at];
    char origin[128];
    snprintf(origin, sizeof origin, "--%s", d->name);
    return set_value(o, i, value, origin);
}

/* As find_option. */
static const struct option_def *option_of_letter(const struct options *o, char letter)
{
    const struct option_def *found = NULL;
    for (const struct option_def *d = o->program->options; d->type != OPT_END; d++) {
        bool applies = o->operand_n && option_applies(d, o->operands[0]);
        if (d->letter == letter && (!found || applies))
            found = d;
        if (found == d && applies)
            break;
    }
    return found;
}

/* -o VALUE, as --output VALUE. */
static int take_letter(struct options *o, int argc, char **argv, int *at)
{
    const struct option_def *d = option_of_letter(o, argv[*at][1]);
    size_t index = (size_t)(d - o->program->options);
    char origin[4] = {'-', d->letter, '\0'};
    if (d->type == OPT_FLAG) {
        o->values[index].given = true;
        return OPTIONS_RUN;
    }
    if (*at + 1 >= argc) {
        complain(o->program, "-%c needs a value: %s", d->letter, d->arg ? d->arg : "VALUE");
        return EXIT_USAGE;
    }
    return set_value(o, index, argv[++*at], origin);
}

static int read_arguments(struct options *o, int argc, char **argv)
{
    bool flags = true;
    for (int i = 1; i < argc; i++) {
        int r;
        if (flags && strcmp(argv[i], "--") == 0) {
            flags = false;
            r = OPTIONS_RUN;
        } else if (flags && strncmp(argv[i], "--", 2) == 0) {
            r = take_flag(o, argc, argv, &i);
        } else if (flags && strcmp(argv[i], "-h") == 0) {
            options_help(o->program, stdout);
            r = EXIT_OK;
        } else if (flags && argv[i][0] == '-' && argv[i][1] && !argv[i][2] && option_of_letter(o, argv[i][1])) {
            r = take_letter(o, argc, argv, &i);
        } else if (flags && argv[i][0] == '-' && argv[i][1]) {
            complain(o->program, "unknown option %s: options start with two dashes", argv[i]);
            r = EXIT_USAGE;
        } else {
            r = add_operand(o, argv[i]);
        }
        if (r != OPTIONS_RUN)
            return r;
    }
    return OPTIONS_RUN;
}

/* The first operand is the command when it names one. */
static int choose_command(struct options *o)
{
    const struct program_def *p = o->program;
    const struct command_def *plain = find_command(p, "");
    const struct command_def *named = o->operand_n && *o->operands[0] ? find_command(p, o->operands[0]) : NULL;
    if (named) {
        o->command = named;
        o->operand_n--;
        memmove(o->operands, o->operands + 1, o->operand_n * sizeof *o->operands);
        return OPTIONS_RUN;
    }
    if (o->operand_n && (!plain || (plain->operands_max == 0 && p->commands))) {
        complain_unknown_command(p, o->operands[0]);
        return EXIT_USAGE;
    }
    if (!plain) {
        complain(p, "a command is missing");
        return EXIT_USAGE;
    }
    o->command = plain;
    return OPTIONS_RUN;
}

static int check_operands(const struct options *o)
{
    const struct command_def *c = o->command;
    const char *blank = *c->name ? " " : "";
    if (o->operand_n > c->operands_max) {
        complain(o->program, "%s%sunexpected operand '%s'", c->name, *blank ? ": " : "", o->operands[c->operands_max]);
        return EXIT_USAGE;
    }
    if (o->operand_n < c->operands_min) {
        complain(o->program, "%s%s%s is missing", c->name, *blank ? ": " : "",
                 c->operands ? c->operands : "an operand");
        return EXIT_USAGE;
    }
    for (size_t i = 0; i < o->n; i++) {
        const struct option_def *d = &o->program->options[i];
        if (o->values[i].given && !option_applies(d, c->name)) {
            char words[160];
            option_print_commands(d, words, sizeof words);
            complain(o->program, "--%s goes %s", d->name, words);
            return EXIT_USAGE;
        }
    }
    return OPTIONS_RUN;
}

static int fill(struct options *o, int argc, char **argv)
{
    int r = read_arguments(o, argc, argv);
    if (r == OPTIONS_RUN)
        r = choose_command(o);
    if (r == OPTIONS_RUN)
        r = check_operands(o);
    for (size_t i = 0; r == OPTIONS_RUN && i < o->n; i++) {
        r = set_from_environment(o, i);
        if (r == OPTIONS_RUN)
            set_fallback(o, i);
    }
    return r;
}

int options_parse(const struct program_def *program, int argc, char **argv, struct options **ret)
{
    *ret = NULL;
    struct options *o = calloc(1, sizeof *o);
    if (o) {
        o->program = program;
        o->n = option_count(program);
        o->values = calloc(o->n ? o->n : 1, sizeof *o->values);
        o->operands = calloc(argc > 0 ? (size_t)argc : 1, sizeof *o->operands);
    }
    if (!o || !o->values || !o->operands) {
        options_free(o);
        complain(program, "out of memory");
        return EXIT_FAILED;
    }
    int r = fill(o, argc, argv);
    if (r == OPTIONS_RUN)
        *ret = o;
    else
        options_free(o);
    return r;
}

void options_free(struct options *o)
{
    if (!o)
        return;
    for (size_t i = 0; o->values && i < o->n; i++)
        free(o->values[i].list);
    free(o->values);
    free(o->operands);
    free(o);
}

/* ---- what was given ---- */

const char *options_command(const struct options *o)
{
    return o->command->name;
}

size_t options_operand_count(const struct options *o)
{
    return o->operand_n;
}

const char *options_operand(const struct options *o, size_t i)
{
    assert(i < o->operand_n);
    return o->operands[i];
}

static const struct value *value_of(const struct options *o, const char *name, enum option_type type)
{
    size_t at = 0;
    const struct option_def *d = find_option(o->program, span_str(name), o->command->name, &at);
    assert(d && (type == OPT_END || d->type == type));
    (void)d;
    (void)type;
    return &o->values[at];
}

bool options_given(const struct options *o, const char *name)
{
    return value_of(o, name, OPT_END)->given;
}

const struct option_def *options_def(const struct options *o, size_t i)
{
    for (const struct option_def *d = o->program->options; d->name; d++)
        if (option_applies(d, o->command->name) && i-- == 0)
            return d;
    return NULL;
}

const char *options_text(const struct options *o, const char *name)
{
    return value_of(o, name, OPT_END)->text; /* of any type: as the user typed it */
}

uint64_t options_count(const struct options *o, const char *name)
{
    return value_of(o, name, OPT_COUNT)->count;
}

double options_number(const struct options *o, const char *name)
{
    return value_of(o, name, OPT_NUMBER)->number;
}

int64_t options_duration_ms(const struct options *o, const char *name)
{
    return value_of(o, name, OPT_DURATION)->duration_ms;
}

bool options_flag(const struct options *o, const char *name)
{
    return value_of(o, name, OPT_FLAG)->given;
}

size_t options_list_count(const struct options *o, const char *name)
{
    return value_of(o, name, OPT_LIST)->list_n;
}

const char *options_list(const struct options *o, const char *name, size_t i)
{
    const struct value *v = value_of(o, name, OPT_LIST);
    assert(i < v->list_n);
    return v->list[i];
}
