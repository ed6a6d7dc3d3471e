/* minute,market,channel,sessions,orders,revenue: RFC 4180 with a header line that names the columns, in any order. Every
 * complaint has the line and the column in bytes. */
#include <errno.h>
#include <math.h>
#include <stdarg.h>

#include "collector/event/currency.h"
#include "collector/event/event.h"
#include "lib/base/limits.h"
#include "lib/base/number.h"

#define FIELDS_MAX 32u
#define BEFORE_DOORS_MAX 1440 /* minutes: a day of warm-up */

enum column { COLUMN_MINUTE, COLUMN_MARKET, COLUMN_CHANNEL, COLUMN_SESSIONS, COLUMN_ORDERS, COLUMN_REVENUE, COLUMNS };
static const char *const COLUMN_NAMES[COLUMNS] = {"minute", "market", "channel", "sessions", "orders", "revenue"};

struct field {
    struct span text;
    uint32_t column;
};
struct reader {
    struct event *e;
    const char *file;
    struct span rest;
    uint32_t line, fields_line; /* the next one; that of the fields */
    struct field fields[FIELDS_MAX];
    size_t n;
    size_t n_header;
    int columns[COLUMNS]; /* index of its field, -1: not there */
    int64_t starts_ms, last_minute;
    struct problems *problems;
    bool bad;
};

static void complain(struct reader *rd, uint32_t column, const char *format, ...) PRINTF_LIKE(3, 4);
static void complain(struct reader *rd, uint32_t column, const char *format, ...)
{
    char words[PROBLEM_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    problem_add(rd->problems, PROBLEM_ERROR, rd->file, rd->fields_line, column, "%s", words);
    rd->bad = true;
}

/* A quoted field; "" inside is one quote. The text is copied only when it has some. False: complained. */
static bool quoted_field(struct reader *rd, struct span line, size_t *at, struct span *ret)
{
    size_t begin = ++*at, quotes = 0;
    while (*at < line.len && (line.ptr[*at] != '"' || (*at + 1 < line.len && line.ptr[*at + 1] == '"'))) {
        quotes += line.ptr[*at] == '"';
        *at += line.ptr[*at] == '"' ? 2 : 1;
    }
    if (*at >= line.len) {
        complain(rd, (uint32_t)begin, "the quote is not closed on this line");
        return false;
    }
    *ret = span_of(line.ptr + begin, *at - begin);
    ++*at;
    if (quotes) {
        char *copy = arena_dup(&rd->e->arena, *ret);
        size_t n = 0;
        for (size_t i = 0; copy && i < ret->len; i++) {
            copy[n++] = ret->ptr[i];
            i += ret->ptr[i] == '"';
        }
        *ret = span_of(copy, copy ? n : 0);
    }
    return true;
}

static bool split(struct reader *rd, struct span line)
{
    size_t at = 0;
    rd->n = 0;
    for (;;) {
        struct span text;
        uint32_t column = (uint32_t)at + 1;
        if (at < line.len && line.ptr[at] == '"') {
            if (!quoted_field(rd, line, &at, &text))
                return false;
            if (at < line.len && line.ptr[at] != ',') {
                complain(rd, (uint32_t)at + 1, "a comma must follow the closing quote");
                return false;
            }
        } else {
            size_t end = at;
            while (end < line.len && line.ptr[end] != ',')
                end++;
            text = span_of(line.ptr + at, end - at);
            while (text.len && (text.ptr[0] == ' ' || text.ptr[0] == '\t')) {
                text = span_from(text, 1);
                column++;
            }
            text = span_trim(text);
            at = end;
        }
        if (rd->n == FIELDS_MAX) {
            complain(rd, column, "more than %u fields", FIELDS_MAX);
            return false;
        }
        rd->fields[rd->n++] = (struct field){text, column};
        if (at >= line.len)
            return true;
        at++;
    }
}

/* The next line that is not empty and no comment. False: the end, or complained (then bad is set). */
static bool next_line(struct reader *rd, struct span *ret)
{
    while (span_cut(&rd->rest, '\n', ret)) {
        rd->fields_line = rd->line++;
        if (ret->len && ret->ptr[ret->len - 1] == '\r')
            ret->len--;
        if (span_trim(*ret).len && ret->ptr[0] != '#')
            return true;
    }
    return false;
}

static void read_header(struct reader *rd)
{
    struct span line;
    for (size_t i = 0; i < COLUMNS; i++)
        rd->columns[i] = -1;
    if (!next_line(rd, &line)) {
        problem_add(rd->problems, PROBLEM_ERROR, rd->file, 1, 1, "it is empty: a header line must name the columns");
        rd->bad = true;
        return;
    }
    if (!split(rd, line))
        return;
    rd->n_header = rd->n;
    for (size_t i = 0; i < rd->n; i++) {
        AUTO_FREE char *name = span_dup(rd->fields[i].text);
        size_t c = 0;
        while (c < COLUMNS && name && strcmp(name, COLUMN_NAMES[c]) != 0)
            c++;
        const char *near = name && c == COLUMNS ? suggest(name, COLUMN_NAMES, COLUMNS) : NULL;
        if (c == COLUMNS)
            complain(rd, rd->fields[i].column, "unknown column '%s'%s%s%s", name ? name : "",
                     near ? " (did you mean '" : ", known are minute, market, channel, sessions, orders, revenue",
                     near ? near : "", near ? "'?)" : "");
        else if (rd->columns[c] >= 0)
            complain(rd, rd->fields[i].column, "column '%s' is there twice", name);
        else
            rd->columns[c] = (int)i;
    }
    static const enum column NEEDED[] = {COLUMN_MINUTE, COLUMN_ORDERS};
    for (size_t i = 0; i < ARRAY_LEN(NEEDED); i++)
        if (rd->columns[NEEDED[i]] < 0)
            complain(rd, 1, "the column '%s' is missing", COLUMN_NAMES[NEEDED[i]]);
    if (rd->columns[COLUMN_MARKET] < 0 && rd->e->n_markets > 1)
        complain(rd, 1, "the column 'market' is missing: the event has %zu", rd->e->n_markets);
}

static const struct field *field_of(const struct reader *rd, enum column c)
{
    return rd->columns[c] < 0 ? NULL : &rd->fields[rd->columns[c]];
}

static void read_minute(struct reader *rd, const struct field *f, struct event_row *row)
{
    int64_t minute, t_ms, last = rd->last_minute;
    const char *wrong = NULL;
    if (!f)
        return;
    if (f->text.len && (f->text.ptr[0] == '+' || f->text.ptr[0] == '-')) {
        struct span digits = f->text.ptr[0] == '+' ? span_from(f->text, 1) : f->text;
        if (digits.len == 0 || digits.ptr[0] == '+' || (f->text.ptr[0] == '+' && digits.ptr[0] == '-') ||
            parse_i64_span(digits, -INT32_MAX, INT32_MAX, &minute) < 0) {
            complain(rd, f->column, "'" SPAN_FMT "' is no minute such as +15", SPAN_ARG(f->text));
            return;
        }
    } else {
        if (event_read_time(rd->e->tz, f->text, &t_ms, &wrong) < 0) {
            complain(rd, f->column, "'" SPAN_FMT "' %s, and no +N from doors open", SPAN_ARG(f->text), wrong);
            return;
        }
        if (rd->starts_ms == EVENT_STARTS_UNKNOWN)
            return;
        minute = (t_ms - rd->starts_ms) / MINUTE_MS - ((t_ms - rd->starts_ms) % MINUTE_MS < 0);
    }
    if (minute < -BEFORE_DOORS_MAX || minute > last)
        complain(rd, f->column, "minute %+lld is outside of the window: doors open is +0, the last minute %+lld%s",
                 (long long)minute, (long long)last,
                 wrong || f->text.ptr[0] == '+' || f->text.ptr[0] == '-' ? ""
                                                                         : " (last_starts moves last.csv's times)");
    else
        row->minute = (int32_t)minute;
}

static void read_market(struct reader *rd, const struct field *f, struct event_row *row)
{
    int at = f && rd->e->n_markets ? event_market(rd->e, f->text) : 0;
    if (at < 0) {
        const char *names[EVENT_MARKETS_MAX];
        for (size_t i = 0; i < rd->e->n_markets; i++)
            names[i] = rd->e->markets[i].name;
        AUTO_FREE char *name = span_dup(f->text);
        const char *near = name ? suggest(name, names, rd->e->n_markets) : NULL;
        complain(rd, f->column, "the event has no market '%s'%s%s%s", name ? name : "", near ? " (did you mean '" : "",
                 near ? near : "", near ? "'?)" : "");
        return;
    }
    row->market = (uint16_t)at;
}

static void read_channel(struct reader *rd, const struct field *f, struct event_row *row)
{
    struct event *e = rd->e;
    if (!f || f->text.len == 0)
        return;
    for (size_t i = 1; i < e->n_channels; i++)
        if (span_equal(f->text, span_str(e->channels[i]))) {
            row->channel = (uint16_t)i;
            return;
        }
    char *name = e->n_channels < EVENT_CHANNELS_MAX ? arena_dup(&e->arena, f->text) : NULL;
    if (!name || !span_is_utf8(f->text)) {
        complain(rd, f->column, name ? "the channel is no UTF-8" : "more than %u channels", EVENT_CHANNELS_MAX);
        return;
    }
    row->channel = (uint16_t)e->n_channels;
    e->channels[e->n_channels++] = name;
}

static size_t decimals_of(struct span text)
{
    size_t dot = span_find(text, '.');
    return dot < text.len ? text.len - dot - 1 : 0;
}

static void read_amount(struct reader *rd, enum column column, enum curve_value value, struct event_row *row)
{
    const struct field *f = field_of(rd, column);
    double v;
    if (!f || f->text.len == 0)
        return;
    size_t plain = strspn(f->text.ptr, "0123456789.");
    if (plain < f->text.len || parse_f64_span(f->text, &v) < 0 || v > 1e15) {
        complain(rd, f->column, "'" SPAN_FMT "' is no number of %s such as 1250 or 12.5", SPAN_ARG(f->text),
                 COLUMN_NAMES[column]);
        return;
    }
    const struct event_market *m = rd->e->n_markets ? &rd->e->markets[row->market] : NULL;
    int decimals = m ? currency_decimals(span_str(m->currency)) : 0;
    if (column == COLUMN_REVENUE && m && m->currency[0] && decimals_of(f->text) > (size_t)decimals) {
        complain(rd, f->column + (uint32_t)span_find(f->text, '.'), "%s has %d decimals, not %zu", m->currency,
                 decimals, decimals_of(f->text));
        return;
    }
    row->values[value] = v;
}

static void read_row(struct reader *rd, struct event_row *row)
{
    *row = (struct event_row){.line = rd->fields_line, .values = {NAN, NAN, NAN}};
    size_t wanted = rd->n_header;
    if (rd->n != wanted) {
        complain(rd, rd->n > wanted ? rd->fields[wanted].column : 1, "%zu fields where the header names %zu", rd->n,
                 wanted);
        return;
    }
    read_minute(rd, field_of(rd, COLUMN_MINUTE), row);
    read_market(rd, field_of(rd, COLUMN_MARKET), row);
    read_channel(rd, field_of(rd, COLUMN_CHANNEL), row);
    read_amount(rd, COLUMN_SESSIONS, CURVE_SESSIONS, row);
    read_amount(rd, COLUMN_ORDERS, CURVE_ORDERS, row);
    read_amount(rd, COLUMN_REVENUE, CURVE_REVENUE, row);
    double each = rd->e->n_markets ? rd->e->markets[row->market].money_per_order : NAN;
    if (isnan(row->values[CURVE_REVENUE]) && !isnan(each))
        row->values[CURVE_REVENUE] = row->values[CURVE_ORDERS] * each;
}

static int by_key(const void *a, const void *b)
{
    const struct event_row *x = a, *y = b;
    if (x->minute != y->minute)
        return x->minute < y->minute ? -1 : 1;
    if (x->market != y->market)
        return x->market < y->market ? -1 : 1;
    if (x->channel != y->channel)
        return x->channel < y->channel ? -1 : 1;
    return (x->line > y->line) - (x->line < y->line);
}

static void refuse_twins(struct reader *rd, const struct event_rows *rows)
{
    for (size_t i = 1; i < rows->n; i++) {
        const struct event_row *a = &rows->list[i - 1], *b = &rows->list[i];
        if (a->minute == b->minute && a->market == b->market && a->channel == b->channel) {
            rd->fields_line = b->line;
            complain(rd, 1, "line %u has this minute, market and channel already", a->line);
        }
    }
}

MUST_USE static int draw_curves(struct event *e, struct event_rows *rows)
{
    rows->curves = arena_array(&e->arena, e->n_markets, sizeof *rows->curves);
    if (!rows->curves)
        return -ENOMEM;
    int32_t first = rows->list[0].minute;
    size_t n = (size_t)(rows->list[rows->n - 1].minute - first) + 1;
    for (size_t m = 0; m < e->n_markets; m++) {
        struct curve *c = &rows->curves[m];
        c->first = first;
        c->n = n;
        for (size_t v = 0; v < CURVE_VALUES; v++) {
            c->values[v] = arena_array(&e->arena, n, sizeof(double));
            if (!c->values[v])
                return -ENOMEM;
            for (size_t i = 0; i < n; i++)
                c->values[v][i] = NAN;
        }
    }
    for (size_t i = 0; i < rows->n; i++)
        for (size_t v = 0; v < CURVE_VALUES; v++) {
            const struct event_row *row = &rows->list[i];
            double *at = &rows->curves[row->market].values[v][row->minute - first];
            if (!isnan(row->values[v]))
                *at = (isnan(*at) ? 0 : *at) + row->values[v];
        }
    return 0;
}

int event_read_rows(struct event *e, const char *file, struct span text, int64_t starts_ms, int64_t last_minute,
                    struct event_rows *rows, struct problems *problems)
{
    struct reader rd = {.e = e,
                        .file = file,
                        .rest = text,
                        .line = 1,
                        .starts_ms = starts_ms,
                        .last_minute = last_minute,
                        .problems = problems};
    struct span line;
    if (span_starts(text, SPAN("\xef\xbb\xbf"))) /* what spreadsheets put in front */
        rd.rest = span_from(text, 3);
    size_t lines = 1;
    for (size_t i = 0; i < text.len; i++)
        lines += text.ptr[i] == '\n';
    if (lines > EVENT_ROWS_MAX) {
        problem_add(problems, PROBLEM_ERROR, file, EVENT_ROWS_MAX, 1, "more than %u lines", EVENT_ROWS_MAX);
        return -EINVAL;
    }
    rows->list = arena_array(&e->arena, lines, sizeof *rows->list);
    if (!rows->list)
        return -ENOMEM;
    read_header(&rd);
    if (rd.n_header == 0)
        return -EINVAL;
    while (next_line(&rd, &line))
        if (split(&rd, line))
            read_row(&rd, &rows->list[rows->n++]);
    if (rd.bad || e->n_markets == 0 || starts_ms == EVENT_STARTS_UNKNOWN)
        return -EINVAL;
    if (rows->n == 0) {
        problem_add(problems, PROBLEM_ERROR, file, 1, 1, "it has a header, but no rows");
        return -EINVAL;
    }
    qsort(rows->list, rows->n, sizeof *rows->list, by_key);
    refuse_twins(&rd, rows);
    return rd.bad ? -EINVAL : draw_curves(e, rows);
}
