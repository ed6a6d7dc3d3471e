#include "lib/base/options_print.h"

#include <string.h>

#include "lib/base/number.h"
#include "lib/base/span.h"

#define HELP_COLUMN 34 /* where the words start; a longer option gets a line of its own */

static void format_bound(const struct option_def *d, double v, char text[NUMBER_TEXT_MAX])
{
    if (d->type == OPT_DURATION)
        format_duration_ms(text, (int64_t)v);
    else
        format_f64(text, v);
}

/* "a|b|c" as "a, b or c". */
static void print_list(const char *bar_list, char *text, size_t n)
{
    size_t used = 0;
    struct span rest = span_str(bar_list), piece;
    text[0] = '\0';
    while (used < n && span_cut(&rest, '|', &piece)) {
        const char *between = used == 0 ? "" : rest.ptr ? ", " : " or ";
        int w = snprintf(text + used, n - used, "%s" SPAN_FMT, between, SPAN_ARG(piece));
        used += w > 0 ? (size_t)w : 0;
    }
}

void option_print_commands(const struct option_def *d, char *text, size_t n)
{
    if (!*d->commands) {
        snprintf(text, n, "only without a command");
        return;
    }
    char list[128];
    print_list(*d->commands == '|' ? d->commands + 1 : d->commands, list, sizeof list);
    snprintf(text, n, "only with %s%s", *d->commands == '|' ? "no command, " : "", list);
}

void option_print_range(const struct option_def *d, char *text, size_t n)
{
    text[0] = '\0';
    if (d->type == OPT_CHOICE) {
        print_list(d->choices, text, n);
        return;
    }
    if (d->min == 0 && d->max == 0)
        return;
    char low[NUMBER_TEXT_MAX], high[NUMBER_TEXT_MAX];
    format_bound(d, d->min, low);
    format_bound(d, d->max, high);
    snprintf(text, n, "%s to %s", low, high);
}

/* "--rate R", "--verbose" */
static int print_usage(const struct option_def *d, char *text, size_t n)
{
    char letter[8] = "";
    if (d->letter)
        snprintf(letter, sizeof letter, "-%c, ", d->letter);
    if (d->type == OPT_FLAG)
        return snprintf(text, n, "%s--%s", letter, d->name);
    return snprintf(text, n, "%s--%s %s", letter, d->name, d->arg ? d->arg : "VALUE");
}

/* What stands in brackets behind the help: range, default, environment, commands. */
static void print_details(const struct option_def *d, FILE *to)
{
    char range[160];
    option_print_range(d, range, sizeof range);
    if (!range[0] && !d->fallback && !d->env && !d->commands && d->type != OPT_LIST)
        return;
    const char *separator = " [";
    if (range[0]) {
        fprintf(to, "%s%s", separator, range);
        separator = "; ";
    }
    if (d->type == OPT_LIST) {
        fprintf(to, "%smay be repeated", separator);
        separator = "; ";
    }
    if (d->fallback) {
        fprintf(to, "%sdefault %s", separator, d->fallback);
        separator = "; ";
    }
    if (d->env) {
        fprintf(to, "%s$%s", separator, d->env);
        separator = "; ";
    }
    if (d->commands) {
        char words[160];
        option_print_commands(d, words, sizeof words);
        fprintf(to, "%s%s", separator, words);
    }
    fputc(']', to);
}

static void print_row(FILE *to, const char *left)
{
    int used = fprintf(to, "  %s", left);
    if (used + 2 > HELP_COLUMN)
        fprintf(to, "\n%*s", HELP_COLUMN, "");
    else
        fprintf(to, "%*s", HELP_COLUMN - used, "");
}

void options_help(const struct program_def *p, FILE *to)
{
    fprintf(to, "%s - %s\n", p->name, p->summary);
    if (p->examples)
        fprintf(to, "\nExamples:\n%s%s", p->examples, p->examples[strlen(p->examples) - 1] == '\n' ? "" : "\n");
    fputs(p->commands ? "\nCommands:\n" : "\nUsage:\n", to);
    char left[256];
    for (const struct command_def *c = p->commands; c && c->name; c++) {
        snprintf(left, sizeof left, "%s%s%s%s%s", p->name, *c->name ? " " : "", c->name, c->operands ? " " : "",
                 c->operands ? c->operands : "");
        print_row(to, left);
        fprintf(to, "%s\n", c->help ? c->help : "");
    }
    if (!p->commands)
        fprintf(to, "  %s [options]\n", p->name);
    fputs("\nOptions:\n", to);
    for (const struct option_def *d = p->options; d && d->name; d++) {
        print_usage(d, left, sizeof left);
        print_row(to, left);
        fputs(d->help, to);
        print_details(d, to);
        fputc('\n', to);
    }
    print_row(to, "--help");
    fputs("print this\n", to);
    print_row(to, "--version");
    fputs("print the version\n", to);
    fputs("\nExit codes: 0 ok, 1 failed, 2 usage or invalid file, 3 lint findings, 4 thresholds not met, 5 "
          "run void, "
          "130 interrupted.\n",
          to);
}

/* troff takes a leading dot or quote as a request and a backslash as an escape. */
static void put_troff(FILE *to, const char *text)
{
    bool line_start = true;
    for (; *text; text++) {
        if (line_start && (*text == '.' || *text == '\''))
            fputs("\\&", to);
        if (*text == '\\')
            fputs("\\e", to);
        else if (*text == '-')
            fputs("\\-", to);
        else
            fputc(*text, to);
        line_start = *text == '\n';
    }
}

void options_man(const struct program_def *p, FILE *to)
{
    fprintf(to, ".TH %s 1 \"\" \"%s\" \"Crest\"\n.SH NAME\n", p->name, crest_version());
    put_troff(to, p->name);
    fputs(" \\- ", to);
    put_troff(to, p->summary);
    fputs("\n.SH SYNOPSIS\n", to);
    for (const struct command_def *c = p->commands; c && c->name; c++) {
        fputs(".B ", to);
        put_troff(to, p->name);
        fprintf(to, "%s%s\n", *c->name ? " " : "", c->name);
        if (c->operands)
            put_troff(to, c->operands);
        fputs(c->operands ? " [options]\n.br\n" : "[options]\n.br\n", to);
    }
    if (!p->commands) {
        fputs(".B ", to);
        put_troff(to, p->name);
        fputs("\n[options]\n", to);
    }
    if (p->examples) {
        fputs(".SH EXAMPLES\n.nf\n", to);
        put_troff(to, p->examples);
        fputs("\n.fi\n", to);
    }
    if (p->commands)
        fputs(".SH COMMANDS\n", to);
    for (const struct command_def *c = p->commands; c && c->name; c++) {
        fputs(".TP\n.B ", to);
        put_troff(to, *c->name ? c->name : "(none)");
        fputc('\n', to);
        put_troff(to, c->help ? c->help : "");
        fputc('\n', to);
    }
    fputs(".SH OPTIONS\n", to);
    for (const struct option_def *d = p->options; d && d->name; d++) {
        char left[256], range[160];
        print_usage(d, left, sizeof left);
        option_print_range(d, range, sizeof range);
        fputs(".TP\n.B ", to);
        put_troff(to, left);
        fputc('\n', to);
        put_troff(to, d->help);
        fputs(".\n", to);
        if (range[0]) {
            fputs("Values: ", to);
            put_troff(to, range);
            fputs(".\n", to);
        }
        if (d->fallback) {
            fputs("Default: ", to);
            put_troff(to, d->fallback);
            fputs(".\n", to);
        }
        if (d->env)
            fprintf(to, "Environment: %s.\n", d->env);
        if (d->commands) {
            option_print_commands(d, left, sizeof left);
            put_troff(to, left);
            fputs(".\n", to);
        }
    }
    fputs(".SH EXIT STATUS\n0 ok, 1 failed, 2 usage or invalid file, 3 lint findings, 4 thresholds not met, "
          "5 run void, "
          "130 interrupted.\n",
          to);
}
