#include "lib/match/regex_syntax.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/character.h"
#include "lib/match/regex_reader.h"

#define GROUP_DEPTH_MAX 250u /* PCRE2's own bound for nested parentheses; also bounds our recursion */
#define REPEAT_MAX 1000u     /* RE2's: of one count, and of nested counts multiplied */
#define GROUPS_MAX 10000u

/* What one atom or one sequence is. */
struct piece {
    struct texts texts;
    unsigned repeat;     /* the largest product of counts inside */
    bool zero_width;     /* an assertion */
    bool any;            /* a dot that matches newline too */
    enum regex_dots dot; /* such a dot, repeated */
};

/* ---- groups ---- */

MUST_USE static int read_alternation(struct regex_reader *p, unsigned depth, struct piece *ret);

static const char *group_refusal(const struct regex_reader *p)
{
    static const struct {
        const char *start, *what;
    } refused[] = {
        {"(?=", "look-ahead"},
        {"(?!", "negative look-ahead"},
        {"(?<=", "look-behind"},
        {"(?<!", "negative look-behind"},
        {"(?>", "atomic group"},
        {"(?|", "branch reset"},
        {"(?#", "comment"},
        {"(?(", "conditional"},
        {"(?R", "recursion"},
        {"(?0", "recursion"},
        {"(?+", "recursion"},
        {"(?&", "subroutine call"},
        {"(?P>", "subroutine call"},
        {"(?P=", "named back-reference"},
        {"(?C", "callout"},
        {"(?'", "group named in '' (write (?P<name>...))"},
        {"(?{", "code"},
        {"(??", "code"},
        {"(?^", "flag reset"},
        {"(*", "backtracking verb"},
    };
    for (size_t i = 0; i < ARRAY_LEN(refused); i++)
        if (reader_at(p, refused[i].start))
            return refused[i].what;
    bool number = reader_at(p, "(?") && p->at + 2 < p->len;
    size_t digit = number && p->text[p->at + 2] == '-' ? 3 : 2;
    if (number && p->at + digit < p->len && char_is_digit(p->text[p->at + digit]))
        return "recursion";
    return NULL;
}

/* A new capturing group, its name or the empty span. */
MUST_USE static int add_group(struct regex_reader *p, size_t start, struct span name)
{
    for (size_t i = 1; name.len > 0 && i <= p->n_groups; i++)
        if (span_equal(p->names[i], name))
            return FAIL(p, start, p->at, "duplicate capture name: `" SPAN_FMT "`", SPAN_ARG(name));
    if (p->n_groups >= GROUPS_MAX)
        return FAIL(p, start, p->at, "more than %u capturing groups", GROUPS_MAX);
    if (p->n_groups + 1 >= p->names_cap) {
        size_t cap = 2 * p->names_cap + 8;
        struct span *names = arena_array(p->arena, cap, sizeof *names);
        if (!names)
            return -ENOMEM;
        if (p->n_groups > 0)
            memcpy(names, p->names, (p->n_groups + 1) * sizeof *names);
        p->names = names;
        p->names_cap = cap;
    }
    p->names[++p->n_groups] = name;
    return 0;
}

/* (?P<name> and (?<name>: at is behind the '<'. PCRE2 gets a number only: Go's names may start with a digit.
 */
MUST_USE static int read_group_name(struct regex_reader *p, size_t start)
{
    size_t from = p->at;
    while (reader_more(p) && char_is_word(p->text[p->at]))
        p->at++;
    struct span name = span_of(p->text + from, p->at - from);
    if (name.len == 0 || !reader_more(p) || p->text[p->at] != '>') {
        size_t end = reader_more(p) ? p->at + 1 : p->at;
        return FAIL(p, start, end, "invalid named capture: `%.*s`", PIECE(p, start, end));
    }
    p->at++;
    buf_char(&p->out, '(');
    return add_group(p, start, name);
}

static unsigned flag_of(char c)
{
    switch (c) {
    case 'i':
        return FLAG_CASELESS;
    case 'm':
        return FLAG_MULTILINE;
    case 's':
        return FLAG_DOTALL;
    case 'U':
        return FLAG_UNGREEDY;
    default:
        return 0;
    }
}

/* (?i) (?s-i) (?i: ...: at is behind "(?". *ret_group: a group follows, else the flags hold until the
 * enclosing group ends. */
MUST_USE static int read_flags(struct regex_reader *p, size_t start, bool *ret_group)
{
    unsigned flags = p->flags;
    bool off = false, seen = false, bad = false;
    for (; reader_more(p) && p->text[p->at] != ')' && p->text[p->at] != ':' && !bad; p->at++) {
        unsigned flag = flag_of(p->text[p->at]);
        if (flag) {
            flags = off ? flags & ~flag : flags | flag;
            seen = true;
        } else if (p->text[p->at] == '-' && !off) {
            off = true;
            seen = false;
        } else {
            bad = true;
        }
    }
    if (bad || !reader_more(p) || (off && !seen)) {
        size_t end = reader_more(p) && !bad ? p->at + 1 : p->at;
        return FAIL(p, start, end, "invalid or unsupported Perl syntax: `%.*s`", PIECE(p, start, end));
    }
    *ret_group = p->text[p->at] == ':';
    if (*ret_group || p->at > start + 2) /* "(?)" says nothing, and PCRE2 would see "(?)" as all flags off */
        buf_bytes(&p->out, p->text + start, p->at + 1 - start);
    p->at++;
    p->flags = flags;
    return 0;
}

/* *ret_group false: it was "(?flags)". */
MUST_USE static int read_group(struct regex_reader *p, unsigned depth, struct piece *ret, bool *ret_group)
{
    size_t start = p->at;
    unsigned outer_flags = p->flags;
    const char *refusal = group_refusal(p);
    if (refusal)
        return FAIL(p, start, start + 3 < p->len ? start + 3 : p->len, "%s is not supported (RE2 syntax)", refusal);
    if (depth >= GROUP_DEPTH_MAX)
        return FAIL(p, start, start + 1, "expression nests too deeply");
    int r;
    *ret_group = true;
    if (reader_at(p, "(?P<") || reader_at(p, "(?<")) {
        p->at += reader_at(p, "(?P<") ? 4 : 3;
        r = read_group_name(p, start);
    } else if (reader_at(p, "(?")) {
        p->at += 2;
        r = read_flags(p, start, ret_group);
    } else {
        p->at++;
        buf_char(&p->out, '(');
        r = add_group(p, start, (struct span){NULL, 0});
    }
    if (r < 0 || !*ret_group)
        return r;
    r = read_alternation(p, depth + 1, ret);
    if (r < 0)
        return r;
    if (!reader_more(p))
        return FAIL(p, start, p->len, "missing closing ): `%.*s`", PIECE(p, start, p->len));
    p->at++;
    buf_char(&p->out, ')');
    p->flags = outer_flags;
    return 0;
}

/* ---- sequences ---- */

/* {n} {n,} {n,m} and the bounds (*ret_max UINT32_MAX: none); false when the brace is just a brace. */
static bool read_counts(const struct regex_reader *p, size_t *ret_end, uint32_t *ret_min, uint32_t *ret_max)
{
    size_t i = p->at + 1;
    uint32_t counts[2] = {0, 0};
    for (int k = 0; k < 2; k++) {
        size_t from = i;
        for (; i < p->len && char_is_digit(p->text[i]); i++)
            if (counts[k] <= REPEAT_MAX)
                counts[k] = counts[k] * 10 + (uint32_t)(p->text[i] - '0');
        bool leading_zero = i > from + 1 && p->text[from] == '0';
        if (leading_zero || (k == 0 && i == from))
            return false;
        if (k == 0 && i < p->len && p->text[i] == ',')
            i++;
        else if (k == 0) {
            counts[1] = counts[0];
            break;
        } else if (i == from)
            counts[1] = UINT32_MAX;
    }
    if (i >= p->len || p->text[i] != '}')
        return false;
    *ret_end = i + 1;
    *ret_min = counts[0];
    *ret_max = counts[1];
    return true;
}

struct quantifier {
    size_t start, end;
    uint32_t min, max;
};

/* The quantifier here, if any. */
static bool find_quantifier(const struct regex_reader *p, struct quantifier *q)
{
    if (!reader_more(p))
        return false;
    *q = (struct quantifier){.start = p->at, .end = p->at + 1, .min = 0, .max = UINT32_MAX};
    switch (p->text[p->at]) {
    case '*':
        return true;
    case '+':
        q->min = 1;
        return true;
    case '?':
        q->max = 1;
        return true;
    case '{':
        return read_counts(p, &q->end, &q->min, &q->max);
    default:
        return false;
    }
}

static void insert(struct buf *out, size_t at, const char *text)
{
    size_t n = strlen(text);
    if (!buf_reserve(out, n))
        return;
    memmove(out->data + at + n, out->data + at, out->len - at);
    memcpy(out->data + at, text, n);
    buf_grew(out, n);
}

/* Applies the quantifier behind an atom whose translation starts at out_start. */
MUST_USE static int read_quantifier(struct regex_reader *p, size_t out_start, struct piece *atom)
{
    struct quantifier q, next;
    if (!find_quantifier(p, &q))
        return 0;
    p->at = q.end;
    bool endless = q.max == UINT32_MAX;
    if (q.min > REPEAT_MAX || (!endless && (q.max > REPEAT_MAX || q.min > q.max)))
        return FAIL(p, q.start, q.end, "invalid repeat count: `%.*s`", PIECE(p, q.start, q.end));
    uint32_t factor = endless ? q.min : q.max;
    if (p->text[q.start] == '{' && factor > 0 && atom->repeat * factor > REPEAT_MAX)
        return FAIL(p, q.start, q.end, "invalid repeat count: `%.*s`: over %u with what it repeats",
                    PIECE(p, q.start, q.end), REPEAT_MAX);
    if (p->text[q.start] == '{' && factor > 0)
        atom->repeat *= factor;
    if (atom->zero_width) { /* PCRE2 takes no quantifier on a bare assertion */
        insert(&p->out, out_start, "(?:");
        buf_char(&p->out, ')');
    }
    bool lazy = reader_more(p) && p->text[p->at] == '?';
    p->at += lazy;
    buf_bytes(&p->out, p->text + q.start, p->at - q.start);
    if (find_quantifier(p, &next)) {
        bool possessive = p->text[next.start] == '+' && !lazy;
        return FAIL(p, q.start, next.end, "%s: `%.*s`",
                    possessive ? "possessive quantifiers are not supported (RE2 syntax)"
                               : "invalid nested repetition operator",
                    PIECE(p, q.start, next.end));
    }
    if (atom->any)
        atom->dot = endless && q.min <= 1 ? (q.min ? REGEX_DOTS_PLUS : REGEX_DOTS_STAR) : REGEX_DOTS_NONE;
    if (q.min == 0 && q.max == 1) {
        struct texts none;
        int r = texts_empty(p->arena, &none);
        return r < 0 ? r : texts_either(p->arena, &atom->texts, &none);
    }
    if (q.min == 0)
        texts_unknown(&atom->texts);
    else if (q.max != 1)
        texts_inexact(&atom->texts);
    return 0;
}

/* One character as itself; a cased one under (?i) is known to be no fixed text. */
MUST_USE static int literal_atom(struct regex_reader *p, uint32_t rune, struct piece *ret)
{
    reader_emit_rune(p, rune);
    char bytes[4];
    int r = texts_literal(p->arena, bytes, utf8_put(bytes, rune), &ret->texts);
    bool uncased = rune < 0x80 && (char_is_digit((char)rune) || !char_is_word((char)rune) || rune == '_');
    if (r == 0 && (p->flags & FLAG_CASELESS) && !uncased)
        texts_unknown(&ret->texts);
    return r;
}

/* ^ $ \A \z \b \B, or a dot: 1 when one stood here. In an anchored pattern ^ and $ at the pattern's own ends
 * add nothing, so the texts stay exact. */
static bool emit_simple(struct regex_reader *p, unsigned depth, bool first, struct piece *ret, bool *ret_redundant)
{
    static const struct {
        const char *text;
        bool start, end;
    } assertions[] = {{"^", true, false},   {"$", false, true},    {"\\A", true, false},
                      {"\\z", false, true}, {"\\b", false, false}, {"\\B", false, false}};
    for (size_t i = 0; i < ARRAY_LEN(assertions); i++) {
        if (!reader_at(p, assertions[i].text))
            continue;
        p->at += strlen(assertions[i].text);
        buf_str(&p->out, assertions[i].text);
        ret->zero_width = true;
        bool last = !reader_more(p) || p->text[p->at] == '|';
        *ret_redundant = p->anchored && depth == 0 && ((assertions[i].start && first) || (assertions[i].end && last));
        return true;
    }
    if (p->text[p->at] != '.')
        return false;
    p->at++;
    buf_char(&p->out, '.');
    ret->any = (p->flags & FLAG_DOTALL) != 0;
    return true;
}

/* *ret_atom false: nothing that matches stood here ("(?i)"). */
MUST_USE static int read_atom(struct regex_reader *p, unsigned depth, bool first, struct piece *ret, bool *ret_atom)
{
    size_t start = p->at;
    struct quantifier q;
    *ret_atom = true;
    if (find_quantifier(p, &q))
        return FAIL(p, q.start, q.end, "missing argument to repetition operator: `%.*s`", PIECE(p, q.start, q.end));
    if (p->text[p->at] == '(')
        return read_group(p, depth, ret, ret_atom);
    if (p->text[p->at] == '[')
        return reader_class(p, &ret->texts);
    bool redundant = false;
    int r = emit_simple(p, depth, first, ret, &redundant);
    if (r == 0)
        r = reader_class_escape(p, false);
    if (r < 0)
        return r;
    if (r > 0) {
        r = texts_empty(p->arena, &ret->texts);
        if (r == 0 && !redundant)
            texts_unknown(&ret->texts);
        return r;
    }
    uint32_t rune;
    if (p->text[p->at] != '\\') {
        rune = reader_rune(p);
    } else {
        p->at++;
        r = reader_char_escape(p, start, &rune);
        if (r < 0)
            return r;
    }
    return literal_atom(p, rune, ret);
}

/* Keep track of the shape before literal after, at the pattern's top level. */
MUST_USE static int note_shape(struct regex_reader *p, const struct piece *atom)
{
    if (atom->dot != REGEX_DOTS_NONE) {
        enum regex_dots *slot = p->literal.len > 0 ? &p->after : &p->before;
        if (*slot != REGEX_DOTS_NONE)
            p->dots_only = false;
        *slot = atom->dot;
        return 0;
    }
    const struct text *t = &atom->texts.list[0];
    bool fixed = atom->texts.exact && atom->texts.n == 1;
    if (fixed && t->len == 0)
        return 0;
    if (!fixed || p->after != REGEX_DOTS_NONE) {
        p->dots_only = false;
        return 0;
    }
    if (t->len > p->literal.cap - p->literal.len) {
        size_t cap = 2 * (p->literal.len + t->len) + 8;
        char *grown = arena_alloc(p->arena, cap);
        if (!grown)
            return -ENOMEM;
        if (p->literal.len > 0)
            memcpy(grown, p->literal.bytes, p->literal.len);
        p->literal.bytes = grown;
        p->literal.cap = cap;
    }
    if (t->len > 0)
        memcpy(p->literal.bytes + p->literal.len, t->bytes, t->len);
    p->literal.len += t->len;
    return 0;
}

static bool is_plain(char c)
{
    return char_is_word(c) || (c != '\0' && strchr(" -/,:;=@%&~'\"<>!#", c));
}

/* Length of the run of characters that stand for themselves, without a last one that a quantifier takes. Most
 * patterns are mostly such runs; taking them whole keeps reading linear in time and memory. */
static size_t plain_run(const struct regex_reader *p)
{
    size_t n = 0;
    while (p->at + n < p->len && is_plain(p->text[p->at + n]))
        n++;
    struct regex_reader behind = *p;
    behind.at += n;
    struct quantifier q;
    return n > 0 && find_quantifier(&behind, &q) ? n - 1 : n;
}

MUST_USE static int run_atom(struct regex_reader *p, size_t n, struct piece *ret)
{
    const char *bytes = p->text + p->at;
    for (size_t i = 0; i < n; i++)
        reader_emit_rune(p, (unsigned char)bytes[i]);
    p->at += n;
    return texts_literal(p->arena, bytes, n, &ret->texts);
}

MUST_USE static int read_sequence(struct regex_reader *p, unsigned depth, struct piece *ret)
{
    bool quoting = false; /* between \Q and \E */
    int r = texts_empty(p->arena, &ret->texts);
    for (bool first = true; r == 0 && reader_more(p);) {
        if (!quoting && (p->text[p->at] == '|' || p->text[p->at] == ')'))
            break;
        if (!quoting && reader_at(p, "\\Q")) {
            p->at += 2;
            quoting = !reader_at(p, "\\E");
            p->at += quoting ? 0 : 2;
            continue;
        }
        struct piece atom = {.repeat = 1};
        size_t out_start = p->out.len;
        bool is_atom = true;
        size_t run = quoting || (p->flags & FLAG_CASELESS) ? 0 : plain_run(p);
        if (run > 0) {
            r = run_atom(p, run, &atom);
        } else if (quoting) {
            r = literal_atom(p, reader_rune(p), &atom);
            if (reader_at(p, "\\E")) {
                p->at += 2;
                quoting = false;
            }
        } else {
            r = read_atom(p, depth, first, &atom, &is_atom);
        }
        if (r < 0 || !is_atom)
            continue;
        first = false;
        if (!quoting)
            r = read_quantifier(p, out_start, &atom);
        if (r == 0 && depth == 0)
            r = note_shape(p, &atom);
        if (atom.repeat > ret->repeat)
            ret->repeat = atom.repeat;
        if (r == 0)
            r = texts_append(p->arena, &ret->texts, &atom.texts);
    }
    return r;
}

MUST_USE static int read_alternation(struct regex_reader *p, unsigned depth, struct piece *ret)
{
    *ret = (struct piece){.repeat = 1};
    int r = read_sequence(p, depth, ret);
    while (r == 0 && reader_more(p) && p->text[p->at] == '|') {
        p->at++;
        buf_char(&p->out, '|');
        if (depth == 0)
            p->dots_only = false;
        struct piece branch = {.repeat = 1};
        r = read_sequence(p, depth, &branch);
        if (branch.repeat > ret->repeat)
            ret->repeat = branch.repeat;
        if (r == 0)
            r = texts_either(p->arena, &ret->texts, &branch.texts);
    }
    return r;
}

/* ---- the whole ---- */

static int compare_spans(const void *a, const void *b)
{
    return span_compare(*(const struct span *)a, *(const struct span *)b);
}

MUST_USE static int take_literals(struct regex_reader *p, const struct texts *texts, struct regex_syntax *syn)
{
    syn->literals = arena_array(p->arena, texts->n, sizeof *syn->literals);
    if (!syn->literals)
        return -ENOMEM;
    for (size_t i = 0; i < texts->n; i++)
        syn->literals[i] = span_of(texts->list[i].bytes, texts->list[i].len);
    qsort(syn->literals, texts->n, sizeof *syn->literals, compare_spans);
    for (size_t i = 0; i < texts->n; i++)
        if (i == 0 || !span_equal(syn->literals[i], syn->literals[i - 1]))
            syn->literals[syn->n_literals++] = syn->literals[i];
    return 0;
}

MUST_USE static int read_pattern(struct regex_reader *p, struct regex_syntax *ret)
{
    struct piece all;
    int r = read_alternation(p, 0, &all);
    if (r == 0 && reader_more(p))
        r = FAIL(p, p->at, p->at + 1, "unexpected )");
    if (r == 0 && buf_error(&p->out))
        r = -ENOMEM;
    if (r < 0)
        return r;
    struct regex_syntax syn = {.n_groups = p->n_groups, .names = p->names};
    if (all.texts.exact && p->anchored) {
        syn.shape = REGEX_SHAPE_LITERALS;
        r = take_literals(p, &all.texts, &syn);
    } else if (p->dots_only && p->anchored) {
        syn.shape = REGEX_SHAPE_DOTS;
        syn.before = p->before;
        syn.after = p->after;
        syn.literal = span_of(p->literal.bytes, p->literal.len);
    }
    texts_inexact(&all.texts);
    syn.prefix = span_of(all.texts.list[0].bytes, all.texts.list[0].len);
    bool ok = true;
    syn.pcre = arena_span(p->arena, buf_view(&p->out), &ok);
    if (!ok)
        r = -ENOMEM;
    if (r == 0)
        *ret = syn;
    return r;
}

int regex_syntax_read(struct span pattern, int flags, struct arena *arena, struct regex_syntax *ret,
                      struct parse_error *ret_error)
{
    struct regex_reader p = {.text = pattern.ptr ? pattern.ptr : "",
                             .len = pattern.len,
                             .flags = FLAG_DOTALL | (flags & REGEX_CASELESS ? (unsigned)FLAG_CASELESS : 0u),
                             .anchored = (flags & REGEX_ANCHORED) != 0,
                             .unicode = (flags & REGEX_UNICODE) != 0,
                             .arena = arena,
                             .error = ret_error,
                             .dots_only = true};
    if (!span_is_utf8(pattern))
        return FAIL(&p, 0, pattern.len, "invalid UTF-8 in the expression");
    p.names_cap = 4;
    p.names = arena_array(arena, p.names_cap, sizeof *p.names);
    if (!p.names)
        return -ENOMEM;
    buf_init(&p.out, arena->max_bytes);
    int r = read_pattern(&p, ret);
    buf_done(&p.out);
    return r;
}
