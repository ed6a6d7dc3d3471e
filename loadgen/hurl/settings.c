/* Our settings: comment lines `# @word …`. They belong to the request that follows, but for @weight and
 * @feed, which are the file's. A comment `# @x` with an unknown word stays a comment (real files have
 * @author); one near to a setting is warned of. */
#include <errno.h>

#include "lib/base/number.h"
#include "loadgen/hurl/parser.h"
#include "loadgen/hurl/slo.h"
#include "loadgen/hurl/zipf.h"

#define STEP_NAME_BYTES_MAX 128u /* it is a label value in every result series */

/* The next blank-separated word of the line; empty at its end. */
static struct span take_word(struct hurl_parser *p, struct hurl_place *ret_at)
{
    skip_blanks(p);
    *ret_at = place_of(p);
    size_t n = 0;
    while (peek_at(p, n) && !strchr(" \t\r\n", peek_at(p, n)))
        n++;
    struct span word = span_of(p->text.ptr + p->c.at, n);
    advance(p, n);
    return word;
}

/* 7s, 250ms, 1m30s; also 0. */
MUST_USE static int read_us(struct span text, int64_t *ret_us)
{
    int64_t ms;
    int r = parse_duration_ms(text, &ms);
    if (r < 0)
        return r;
    if (ms < 0 || ms > 86400000)
        return -ERANGE;
    *ret_us = ms * 1000;
    return 0;
}

MUST_USE static int read_step(struct hurl_parser *p, struct hurl_place at)
{
    struct hurl_place name_at;
    struct span name = take_word(p, &name_at);
    if (name.len == 0 || name.len > STEP_NAME_BYTES_MAX)
        return parse_fail(p, name_at, "@step needs a name of 1 to %u bytes without blanks", STEP_NAME_BYTES_MAX);
    p->pending.step_at = at;
    return keep_span(p, name, &p->pending.step);
}

MUST_USE static int think_wrong(struct hurl_parser *p, struct hurl_place at)
{
    return parse_fail(p, at, "@think is a time (5s), a range (2s..5s), 'exp MEAN [max MAX]' or 'recorded FILE'");
}

/* A file's name, or the times themselves: 1s,2s500ms,12s */
MUST_USE static int read_recorded(struct hurl_parser *p, struct hurl_think *think)
{
    struct hurl_place at;
    struct span word = take_word(p, &at), rest = word, piece;
    think->kind = HURL_THINK_RECORDED;
    if (word.len == 0)
        return think_wrong(p, at);
    int64_t us;
    span_cut(&rest, ',', &piece);
    if (read_us(piece, &us) < 0)
        return keep_span(p, word, &think->file);
    for (rest = word; span_cut(&rest, ',', &piece);) {
        if (read_us(piece, &us) < 0)
            return think_wrong(p, at);
        int64_t *kept = list_push(&p->file->arena, &think->times_us, &think->n_times, sizeof *kept);
        if (!kept)
            return -ENOMEM;
        *kept = us;
    }
    return 0;
}

MUST_USE static int read_think(struct hurl_parser *p, struct hurl_place at)
{
    struct hurl_think think = {.at = at};
    struct hurl_place word_at;
    struct span word = take_word(p, &word_at);
    if (span_equal(word, SPAN("fixed")) || span_equal(word, SPAN("uniform")))
        word = take_word(p, &word_at);
    size_t dots = span_search(word, SPAN(".."));
    if (span_equal(word, SPAN("recorded"))) {
        PARSE_TRY(read_recorded(p, &think));
    } else if (span_equal(word, SPAN("exp"))) {
        think.kind = HURL_THINK_EXP;
        if (read_us(take_word(p, &word_at), &think.a_us) < 0)
            return think_wrong(p, word_at);
        struct hurl_cursor mark = p->c;
        word = take_word(p, &word_at);
        if (span_equal(word, SPAN("max"))) {
            if (read_us(take_word(p, &word_at), &think.b_us) < 0)
                return think_wrong(p, word_at);
        } else {
            p->c = mark;
        }
    } else if (dots < word.len) {
        think.kind = HURL_THINK_UNIFORM;
        if (read_us(span_of(word.ptr, dots), &think.a_us) < 0 || read_us(span_from(word, dots + 2), &think.b_us) < 0 ||
            think.b_us < think.a_us)
            return think_wrong(p, word_at);
    } else {
        think.kind = HURL_THINK_FIXED;
        if (read_us(word, &think.a_us) < 0)
            return think_wrong(p, word_at);
    }
    p->pending.think = think;
    return 0;
}

MUST_USE static int slo_wrong(struct hurl_parser *p, struct hurl_place at)
{
    return parse_fail(p, at, "@slo needs thresholds such as %s", HURL_SLO_SYNTAX);
}

MUST_USE static int read_slo(struct hurl_parser *p, struct span word, struct hurl_place at)
{
    struct hurl_slo slo;
    if (hurl_slo_parse(word, &slo) < 0)
        return slo_wrong(p, at);
    slo.at = at;
    PARSE_TRY(keep_span(p, word, &slo.text));
    struct hurl_slo *kept = list_push(&p->file->arena, &p->pending.slos, &p->pending.n_slos, sizeof *kept);
    if (!kept)
        return -ENOMEM;
    *kept = slo;
    return 0;
}

MUST_USE static int read_slos(struct hurl_parser *p, struct hurl_place at)
{
    struct hurl_place word_at;
    struct span word = take_word(p, &word_at);
    if (word.len == 0)
        return slo_wrong(p, at);
    for (; word.len; word = take_word(p, &word_at))
        PARSE_TRY(read_slo(p, word, word_at));
    return 0;
}

MUST_USE static int read_goto(struct hurl_parser *p, struct hurl_place at)
{
    struct hurl_goto g = {.at = at};
    struct hurl_place word_at;
    struct span word = take_word(p, &word_at);
    if (!span_starts(word, SPAN("p=")) || parse_f64_span(span_from(word, 2), &g.probability) < 0 ||
        !(g.probability >= 0 && g.probability <= 1))
        return parse_fail(p, word_at, "@goto needs a probability and a step, as in '@goto p=0.3 cart'");
    word = take_word(p, &word_at);
    if (word.len == 0)
        return parse_fail(p, word_at, "@goto needs the name of a step behind the probability");
    PARSE_TRY(keep_span(p, word, &g.step));
    struct hurl_goto *kept = list_push(&p->file->arena, &p->pending.gotos, &p->pending.n_gotos, sizeof *kept);
    if (!kept)
        return -ENOMEM;
    *kept = g;
    return 0;
}

MUST_USE static int read_weight(struct hurl_parser *p, struct hurl_place at)
{
    struct hurl_place word_at;
    double weight;
    if (parse_f64_span(take_word(p, &word_at), &weight) < 0 || !(weight >= 0 && weight <= 1e9))
        return parse_fail(p, word_at, "@weight needs a number that is not negative");
    if (p->weight_given)
        return parse_fail(p, at, "@weight stands in this file twice");
    p->weight_given = true;
    p->file->weight = weight;
    p->file->weight_at = at;
    return 0;
}

MUST_USE static int read_feed(struct hurl_parser *p, struct hurl_place at)
{
    static const char *const MODES[] = {"sequential", "shuffle", "random", "unique", "zipf"};
    struct hurl_place word_at;
    struct hurl_feed feed = {.at = at};
    PARSE_TRY(keep_span(p, take_word(p, &word_at), &feed.file));
    if (feed.file.len == 0)
        return parse_fail(p, word_at, "@feed needs a file");
    struct span mode = take_word(p, &word_at);
    bool known = mode.len == 0;
    for (size_t i = 0; i < ARRAY_LEN(MODES); i++)
        if (span_equal(mode, span_str(MODES[i]))) {
            known = true;
            feed.mode = (enum hurl_feed_mode)i;
        }
    if (!known)
        return parse_fail(p, word_at,
                          "@feed reads its rows sequential, shuffle, random, unique or zipf, not '" SPAN_FMT "'",
                          SPAN_ARG(mode));
    feed.exponent = 1;
    if (feed.mode == HURL_FEED_ZIPF) {
        struct span exponent = take_word(p, &word_at);
        if (exponent.len && (parse_f64_span(exponent, &feed.exponent) < 0 ||
                             !(feed.exponent >= 0 && feed.exponent <= ZIPF_EXPONENT_MAX)))
            return parse_fail(p, word_at, "zipf takes an exponent from 0 to %g, as in '@feed sku.csv zipf 1.1'",
                              ZIPF_EXPONENT_MAX);
    }
    struct hurl_feed *kept = list_push(&p->file->arena, &p->file->feeds, &p->file->n_feeds, sizeof *kept);
    if (!kept)
        return -ENOMEM;
    *kept = feed;
    return 0;
}

/* @generate card test-card: the variable has a new value in each session. */
MUST_USE static int read_generate(struct hurl_parser *p, struct hurl_place at)
{
    static const struct {
        struct span kind;
        enum hurl_function function;
    } KINDS[] = {
        {SPAN_INIT("uuid"), HURL_NEW_UUID},
        {SPAN_INIT("idempotency-key"), HURL_NEW_UUID},
        {SPAN_INIT("int"), HURL_RANDOM_INT},
        {SPAN_INIT("text"), HURL_RANDOM_STRING},
        {SPAN_INIT("word"), HURL_RANDOM_WORD},
        {SPAN_INIT("date"), HURL_NEW_DATE},
        {SPAN_INIT("first-name"), HURL_RANDOM_FIRST_NAME},
        {SPAN_INIT("last-name"), HURL_RANDOM_LAST_NAME},
        {SPAN_INIT("full-name"), HURL_RANDOM_FULL_NAME},
        {SPAN_INIT("email"), HURL_RANDOM_EMAIL},
        {SPAN_INIT("test-card"), HURL_RANDOM_CARD},
    };
    struct hurl_generated g = {.at = at};
    struct hurl_place word_at;
    struct span name = take_word(p, &word_at), kind = take_word(p, &word_at);
    size_t i = 0;
    while (i < ARRAY_LEN(KINDS) && !span_equal(kind, KINDS[i].kind))
        i++;
    if (name.len == 0 || i == ARRAY_LEN(KINDS))
        return parse_fail(
            p, word_at,
            "@generate needs a variable and one of uuid, idempotency-key, int LOW HIGH, text LENGTH, word, date, "
            "first-name, last-name, full-name, email, test-card");
    g.function = KINDS[i].function;
    PARSE_TRY(parse_function_numbers(p, g.function, "@generate", &g.low, &g.high));
    PARSE_TRY(slot_for(p, name, &g.slot));
    struct hurl_generated *kept = list_push(&p->file->arena, &p->file->generated, &p->file->n_generated, sizeof *kept);
    if (!kept)
        return -ENOMEM;
    *kept = g;
    return 0;
}

MUST_USE static int read_money(struct hurl_parser *p, struct hurl_place at)
{
    (void)at;
    p->pending.money = true;
    return 0;
}

MUST_USE static int read_always(struct hurl_parser *p, struct hurl_place at)
{
    (void)at;
    p->pending.always = true;
    return 0;
}

/* hurl's own: one cookie as a line of a cookie file, its fields between blanks. */
MUST_USE static int read_jar_cookie(struct hurl_parser *p, struct hurl_place at)
{
    skip_blanks(p);
    if (peek(p) != ':')
        return parse_fail(p, at,
                          "@cookie_storage_set needs ':' and a cookie: domain, TRUE or FALSE, path, TRUE or "
                          "FALSE, expiry, name, value");
    advance(p, 1);
    struct span rest = rest_of(p), line = span_trim(span_of(rest.ptr, span_find(rest, '\n')));
    struct span *kept = list_push(&p->file->arena, &p->pending.jar_cookies, &p->pending.n_jar_cookies, sizeof *kept);
    if (!kept)
        return -ENOMEM;
    while (!at_end(p) && peek(p) != '\n')
        advance(p, 1);
    return keep_span(p, line, kept);
}

MUST_USE static int read_clear_jar(struct hurl_parser *p, struct hurl_place at)
{
    (void)at;
    p->pending.clears_jar = true;
    return 0;
}

static const struct {
    const char *name;
    int (*read)(struct hurl_parser *p, struct hurl_place at);
    bool of_file;
} SETTINGS[] = {
    {"step", read_step, false},
    {"think", read_think, false},
    {"feed", read_feed, true},
    {"weight", read_weight, true},
    {"goto", read_goto, false},
    {"slo", read_slos, false},
    {"money", read_money, false},
    {"always", read_always, false},
    {"generate", read_generate, true},
    {"cookie_storage_set", read_jar_cookie, false},
    {"cookie_storage_clear", read_clear_jar, false},
};

static void warn_if_near(struct hurl_parser *p, struct span word, struct hurl_place at)
{
    const char *names[ARRAY_LEN(SETTINGS)];
    char text[32];
    if (word.len == 0 || word.len >= sizeof text)
        return;
    memcpy(text, word.ptr, word.len);
    text[word.len] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(SETTINGS); i++)
        names[i] = SETTINGS[i].name;
    const char *near = suggest(text, names, ARRAY_LEN(names));
    if (near)
        problem_add(p->problems, PROBLEM_WARNING, p->file->name, at.line, at.column,
                    "'@%s' is taken as a comment (did you mean '@%s'?)", text, near);
}

int parse_setting(struct hurl_parser *p)
{
    advance(p, 1);
    skip_blanks(p);
    struct hurl_place at = place_of(p);
    int r = 0;
    if (peek(p) == '@') {
        advance(p, 1);
        struct span word = peek_word(p);
        size_t i = 0;
        while (i < ARRAY_LEN(SETTINGS) && !span_equal(word, span_str(SETTINGS[i].name)))
            i++;
        if (i == ARRAY_LEN(SETTINGS)) {
            warn_if_near(p, word, at);
        } else {
            advance(p, word.len);
            if (!SETTINGS[i].of_file && !p->pending.any) {
                p->pending.any = true;
                p->pending.first_at = at;
            }
            struct hurl_place extra_at;
            r = SETTINGS[i].read(p, at);
            if (r == 0) {
                struct span extra = take_word(p, &extra_at);
                if (extra.len)
                    r = parse_fail(p, extra_at, "@%s takes no further word '" SPAN_FMT "'", SETTINGS[i].name,
                                   SPAN_ARG(extra));
            }
        }
    }
    skip_line(p);
    return r;
}
