#define PCRE2_CODE_UNIT_WIDTH 8
#include "lib/match/regex.h"

#include <assert.h>
#include <errno.h>
#include <pcre2.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/match/regex_syntax.h"

/* Work of one match: about 10 ms of a core. RE2 would need linear time; we answer -E2BIG instead of hanging.
 */
#define MATCH_STEPS_MAX 1000000u
#define MATCH_HEAP_KIB_MAX 32768u /* backtracking memory: the longest label value through (?:a|b)* needs 17 MB */
/* Reading a pattern takes a few dozen bytes per byte of it, and products of alternations their own bound. */
#define READ_BYTES_MAX(pattern_len) ((4u << 20) + 192u * (pattern_len))
#define PATTERN_BYTES_MAX (1u << 20) /* as a whole query's text */

struct regex {
    struct span pattern;
    struct regex_syntax syn; /* its spans point into this allocation; pcre is not kept */
    bool anchored;
    pcre2_code *code;            /* NULL: the shape answers everything */
    pcre2_match_context *limits; /* read only */
    char bytes[];
};

/* ---- copying what the reader learnt out of its arena: one allocation, exactly as large as needed ---- */

static size_t kept_bytes(struct span pattern, const struct regex_syntax *syn)
{
    size_t n = pattern.len + syn->prefix.len + syn->literal.len;
    n += (syn->n_literals + syn->n_groups + 1) * sizeof(struct span) + _Alignof(struct span);
    for (size_t i = 0; i < syn->n_literals; i++)
        n += syn->literals[i].len;
    for (size_t i = 0; i <= syn->n_groups; i++)
        n += syn->names[i].len;
    return n;
}

static struct span keep(char **at, struct span s)
{
    if (s.len == 0)
        return (struct span){*at, 0};
    struct span kept = {memcpy(*at, s.ptr, s.len), s.len};
    *at += s.len;
    return kept;
}

static struct span *keep_all(struct span **slots, char **at, const struct span *list, size_t n)
{
    struct span *kept = *slots;
    *slots += n;
    for (size_t i = 0; i < n; i++)
        kept[i] = keep(at, list[i]);
    return kept;
}

static struct regex *regex_of(struct span pattern, const struct regex_syntax *syn)
{
    struct regex *re = calloc(1, sizeof *re + kept_bytes(pattern, syn));
    if (!re)
        return NULL;
    size_t misaligned = (uintptr_t)re->bytes % _Alignof(struct span);
    struct span *slots = (struct span *)(void *)(re->bytes + (misaligned ? _Alignof(struct span) - misaligned : 0));
    char *at = (char *)(slots + syn->n_literals + syn->n_groups + 1);
    re->syn = *syn;
    re->syn.pcre = (struct span){NULL, 0};
    re->syn.literals = keep_all(&slots, &at, syn->literals, syn->n_literals);
    re->syn.names = keep_all(&slots, &at, syn->names, syn->n_groups + 1);
    re->syn.prefix = keep(&at, syn->prefix);
    re->syn.literal = keep(&at, syn->literal);
    re->pattern = keep(&at, pattern);
    return re;
}

/* ---- compiling ---- */

MUST_USE static pcre2_code *compile(struct span pcre, int flags, int *ret_code, PCRE2_SIZE *ret_offset)
{
    /* Not MATCH_INVALID_UTF: with it the JIT of 10.42 lets \W fail on valid two-byte characters, and both engines see
     * invalid bytes otherwise than RE2; such texts are repaired instead, see repaired.
     * UCP stays off unless asked for: \d \w \b and [[:alpha:]] are ASCII in RE2. ALT_CIRCUMFLEX: (?m)^ also behind a final
     * newline. */
    uint32_t options = PCRE2_UTF | PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C | PCRE2_ALT_CIRCUMFLEX;
    options |= flags & REGEX_UNICODE ? PCRE2_UCP : PCRE2_NEVER_UCP;
    if (flags & REGEX_ANCHORED)
        options |= PCRE2_ANCHORED | PCRE2_ENDANCHORED;
    if (flags & REGEX_CASELESS)
        options |= PCRE2_CASELESS;
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    if (!context) {
        *ret_code = PCRE2_ERROR_NOMEMORY;
        return NULL;
    }
    pcre2_set_newline(context, PCRE2_NEWLINE_LF); /* whatever the library was built with */
    pcre2_set_parens_nest_limit(context, 1000);   /* ours is lower */
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)pcre.ptr, pcre.len, options, ret_code, ret_offset, context);
    pcre2_compile_context_free(context);
    return code;
}

MUST_USE static int attach_engine(struct regex *re, struct span pcre, int flags, struct parse_error *ret_error)
{
    bool shaped = re->syn.shape != REGEX_SHAPE_OTHER;
    if (shaped && re->syn.n_groups == 0)
        return 0;
    int code = 0;
    PCRE2_SIZE offset = 0;
    re->code = compile(pcre, flags, &code, &offset);
    if (!re->code && code != PCRE2_ERROR_NOMEMORY && shaped)
        return 0; /* too large for PCRE2: matching needs no engine, searching reports it */
    if (!re->code) {
        char why[160] = "out of memory";
        if (code != PCRE2_ERROR_NOMEMORY)
            (void)pcre2_get_error_message(code, (PCRE2_UCHAR *)why, sizeof why);
        parse_error_set(ret_error, code == PCRE2_ERROR_NOMEMORY ? -ENOMEM : -EINVAL, re->pattern.ptr, 0,
                        re->pattern.len, "%s", why);
        return ret_error->code;
    }
    re->limits = pcre2_match_context_create(NULL);
    if (!re->limits) {
        parse_error_set(ret_error, -ENOMEM, re->pattern.ptr, 0, 0, "out of memory");
        return -ENOMEM;
    }
    pcre2_set_match_limit(re->limits, MATCH_STEPS_MAX);
    pcre2_set_depth_limit(re->limits, MATCH_STEPS_MAX);
    pcre2_set_heap_limit(re->limits, MATCH_HEAP_KIB_MAX);
    if (!shaped) /* where executable memory is refused the interpreter does it */
        (void)pcre2_jit_compile(re->code, PCRE2_JIT_COMPLETE);
    return 0;
}

int regex_compile(struct span pattern, int flags, struct regex **ret, struct parse_error *ret_error)
{
    if (pattern.len > PATTERN_BYTES_MAX) {
        parse_error_set(ret_error, -EINVAL, pattern.ptr, 0, 0, "expression is larger than %u bytes", PATTERN_BYTES_MAX);
        return -EINVAL;
    }
    struct arena arena;
    arena_init(&arena, READ_BYTES_MAX(pattern.len));
    struct regex_syntax syn;
    struct regex *re = NULL;
    int r = regex_syntax_read(pattern, flags, &arena, &syn, ret_error);
    if (r == 0) {
        re = regex_of(pattern, &syn);
        r = re ? 0 : -ENOMEM;
    }
    if (r == -ENOMEM)
        parse_error_set(ret_error, -ENOMEM, pattern.ptr, 0, 0, "expression needs too much memory");
    if (r == 0) {
        re->anchored = (flags & REGEX_ANCHORED) != 0;
        r = attach_engine(re, syn.pcre, flags, ret_error);
    }
    arena_done(&arena);
    if (r < 0) {
        regex_free(re);
        return r;
    }
    *ret = re;
    return 0;
}

void regex_free(struct regex *re)
{
    if (!re)
        return;
    pcre2_code_free(re->code);
    pcre2_match_context_free(re->limits);
    free(re);
}

/* ---- matching ---- */

/* Each thread keeps one match_data: creating it would be most of the cost of a short match. */
static pthread_key_t scratch_key;
static pthread_once_t scratch_once = PTHREAD_ONCE_INIT;
static bool scratch_ok;

static void free_scratch(void *data)
{
    pcre2_match_data_free(data);
}

static void make_scratch_key(void)
{
    scratch_ok = pthread_key_create(&scratch_key, free_scratch) == 0;
}

static void drop_scratch(void)
{
    free_scratch(pthread_getspecific(scratch_key));
    (void)pthread_setspecific(scratch_key, NULL);
}

/* The thread's match data with room for n groups, or NULL without memory. */
static pcre2_match_data *scratch(size_t n)
{
    (void)pthread_once(&scratch_once, make_scratch_key);
    if (!scratch_ok)
        return NULL;
    pcre2_match_data *data = pthread_getspecific(scratch_key);
    if (data && pcre2_get_ovector_count(data) >= n)
        return data;
    drop_scratch();
    data = pcre2_match_data_create((uint32_t)(n < 8 ? 8 : n), NULL);
    if (data && pthread_setspecific(scratch_key, data) != 0) {
        pcre2_match_data_free(data);
        return NULL;
    }
    return data;
}

#define LONG_TEXT_BYTES 16384u

/* Length of the character at the front of a text: 0 when it is no UTF-8. */
static size_t character_length(struct span s)
{
    for (size_t n = 1; n <= 4 && n <= s.len; n++)
        if (span_is_utf8(span_of(s.ptr, n)))
            return n;
    return 0;
}

/* RE2 sees a byte that is no UTF-8 as U+FFFD; PCRE2 is given a text where it is one. */
static char *repaired(struct span text, size_t *ret_len)
{
    char *clean = malloc(3 * text.len + 1);
    size_t len = 0;
    for (size_t i = 0; clean && i < text.len;) {
        size_t n = character_length(span_from(text, i));
        memcpy(clean + len, n ? text.ptr + i : "\xef\xbf\xbd", n ? n : 3);
        len += n ? n : 3;
        i += n ? n : 1;
    }
    *ret_len = len;
    return clean;
}

/* The offset in the repaired text for one in the text as it was, or (back) the other way. */
static size_t repaired_offset(struct span text, size_t offset, bool back)
{
    size_t raw = 0, clean = 0;
    while (raw < text.len && (back ? clean : raw) < offset) {
        size_t n = character_length(span_from(text, raw));
        clean += n ? n : 3;
        raw += n ? n : 1;
    }
    return back ? raw : clean;
}

static int match_in(const struct regex *re, struct span text, size_t from, pcre2_match_data *data)
{
    PCRE2_SPTR bytes = (PCRE2_SPTR)(text.ptr ? text.ptr : "");
    int r = pcre2_match(re->code, bytes, text.len, from, 0, data, re->limits);
    if (r == PCRE2_ERROR_JIT_STACKLIMIT) /* the compiled code has 32 KB; the interpreter has the heap limit */
        r = pcre2_match(re->code, bytes, text.len, from, PCRE2_NO_JIT, data, re->limits);
    return r;
}

/* The number of groups set (>= 1), 0: no match, -E2BIG. *ret_data is the thread's own, good until done_with(). */
MUST_USE static int run(const struct regex *re, struct span text, size_t from, size_t groups,
                        pcre2_match_data **ret_data)
{
    pcre2_match_data *data = re->code ? scratch(groups) : NULL;
    *ret_data = data;
    if (!data)
        return -E2BIG;
    while (from > 0 && from < text.len && ((unsigned char)text.ptr[from] & 0xc0) == 0x80 && span_is_utf8(text))
        from++; /* inside a character: the next one */
    int r = match_in(re, text, from, data);
    if (r <= PCRE2_ERROR_UTF8_ERR1 && r >= PCRE2_ERROR_UTF8_ERR21) {
        size_t len;
        AUTO_FREE char *clean = repaired(text, &len);
        if (!clean)
            return -E2BIG;
        r = match_in(re, span_of(clean, len), repaired_offset(text, from, false), data);
        PCRE2_SIZE *ends = pcre2_get_ovector_pointer(data);
        for (size_t i = 0; r > 0 && i < 2 * (size_t)r; i++)
            if (ends[i] != PCRE2_UNSET)
                ends[i] = repaired_offset(text, ends[i], true);
    }
    if (r >= 0)
        return r > 0 ? r : (int)groups; /* 0: more groups than asked for */
    return r == PCRE2_ERROR_NOMATCH ? 0 : -E2BIG;
}

/* match_data keeps the interpreter's frames, megabytes after a long text: an idle thread must not hold them. */
static void done_with(pcre2_match_data *data, size_t text_bytes)
{
    if (data && text_bytes > LONG_TEXT_BYTES)
        drop_scratch();
}

static bool is_literal(const struct regex_syntax *syn, struct span text)
{
    size_t low = 0, high = syn->n_literals;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int c = span_compare(syn->literals[middle], text);
        if (c == 0)
            return true;
        if (c < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

/* before literal after, the dots matching any bytes. */
static bool fits_dots(const struct regex_syntax *syn, struct span text)
{
    size_t least_before = syn->before == REGEX_DOTS_PLUS, least_after = syn->after == REGEX_DOTS_PLUS;
    struct span literal = syn->literal;
    if (text.len < least_before + literal.len + least_after)
        return false;
    if (syn->before == REGEX_DOTS_NONE)
        return span_starts(text, literal);
    if (syn->after == REGEX_DOTS_NONE)
        return span_equal(span_from(text, text.len - literal.len), literal);
    struct span inner = span_of(text.ptr + least_before, text.len - least_before - least_after);
    return literal.len == 0 || span_search(inner, literal) < inner.len;
}

static bool shape_matches(const struct regex *re, struct span text)
{
    return re->syn.shape == REGEX_SHAPE_LITERALS ? is_literal(&re->syn, text) : fits_dots(&re->syn, text);
}

int regex_match(const struct regex *re, struct span text)
{
    if (re->syn.shape != REGEX_SHAPE_OTHER)
        return shape_matches(re, text);
    if (re->anchored && !span_starts(text, re->syn.prefix))
        return 0;
    pcre2_match_data *data;
    int r = run(re, text, 0, 1, &data);
    done_with(data, text.len);
    return r > 0 ? 1 : r;
}

int regex_search(const struct regex *re, struct span text, size_t from, struct span *groups, size_t max, size_t *ret_n)
{
    size_t n = re->syn.n_groups + 1;
    const char *bytes = text.ptr ? text.ptr : "";
    bool shaped = re->syn.shape != REGEX_SHAPE_OTHER;
    if (from > text.len || (re->anchored && from == 0 && !span_starts(text, re->syn.prefix)))
        return 0;
    struct span rest = span_of(bytes + from, text.len - from);
    if (shaped && !shape_matches(re, rest))
        return 0;
    if (shaped && re->syn.n_groups == 0) {
        if (max > 0)
            groups[0] = rest;
        *ret_n = 1;
        return 1;
    }
    pcre2_match_data *data;
    int r = run(re, text, from, n, &data);
    const PCRE2_SIZE *ends = r > 0 ? pcre2_get_ovector_pointer(data) : NULL;
    for (size_t i = 0; r > 0 && i < n && i < max; i++) {
        bool set = i < (size_t)r && ends[2 * i] != PCRE2_UNSET;
        groups[i] = set ? span_of(bytes + ends[2 * i], ends[2 * i + 1] - ends[2 * i]) : (struct span){NULL, 0};
    }
    done_with(data, text.len);
    if (r <= 0)
        return r;
    *ret_n = n;
    return 1;
}

size_t regex_literals(const struct regex *re, const struct span **ret)
{
    *ret = re->syn.literals;
    return re->syn.n_literals;
}

struct span regex_prefix(const struct regex *re)
{
    return re->syn.prefix;
}

struct span regex_pattern(const struct regex *re)
{
    return re->pattern;
}

/* ---- Go's Expand ---- */

/* Length of the letters, digits and underscores at the front, in Unicode's sense as Go's. */
static size_t name_length(struct span s)
{
    size_t n = 0;
    while (n < s.len && ((s.ptr[n] >= '0' && s.ptr[n] <= '9') ||
                         ((s.ptr[n] | 0x20) >= 'a' && (s.ptr[n] | 0x20) <= 'z') || s.ptr[n] == '_'))
        n++;
    if (n == s.len || (unsigned char)s.ptr[n] < 0x80)
        return n;
    /* Rare: "$1 €" is; is this one a letter? PCRE2 has the tables. */
    int code;
    PCRE2_SIZE offset;
    pcre2_code *word = pcre2_compile((PCRE2_SPTR) "[\\p{L}\\p{Nd}_]*+", PCRE2_ZERO_TERMINATED,
                                     PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_ANCHORED, &code, &offset, NULL);
    pcre2_match_data *data = word ? pcre2_match_data_create(1, NULL) : NULL;
    if (data && pcre2_match(word, (PCRE2_SPTR)s.ptr, s.len, 0, 0, data, NULL) > 0)
        n = pcre2_get_ovector_pointer(data)[1];
    pcre2_match_data_free(data);
    pcre2_code_free(word);
    return n;
}

/* The group that the name means: a number without leading zeros, else a group's name; or (size_t)-1. */
static size_t group_of(const struct regex *re, struct span name)
{
    bool number = name.len > 0 && (name.ptr[0] != '0' || name.len == 1) && name.len <= 9;
    size_t n = 0;
    for (size_t i = 0; number && i < name.len; i++) {
        number = name.ptr[i] >= '0' && name.ptr[i] <= '9';
        n = n * 10 + (size_t)(name.ptr[i] - '0');
    }
    if (number)
        return n;
    for (size_t i = 1; i <= re->syn.n_groups; i++)
        if (span_equal(re->syn.names[i], name))
            return i;
    return (size_t)-1;
}

void regex_expand(const struct regex *re, struct span replacement, const struct span *groups, size_t n, struct buf *out)
{
    struct span rest = replacement;
    while (rest.len > 0) {
        size_t dollar = span_find(rest, '$');
        buf_bytes(out, rest.ptr, dollar);
        if (dollar == rest.len)
            return;
        rest = span_from(rest, dollar + 1);
        if (rest.len > 0 && rest.ptr[0] == '$') {
            buf_char(out, '$');
            rest = span_from(rest, 1);
            continue;
        }
        size_t brace = rest.len > 0 && rest.ptr[0] == '{';
        size_t length = name_length(span_from(rest, brace));
        bool closed = !brace || (1 + length < rest.len && rest.ptr[1 + length] == '}');
        if (length == 0 || !closed) {
            buf_char(out, '$'); /* malformed: the dollar stands for itself */
            continue;
        }
        size_t group = group_of(re, span_of(rest.ptr + brace, length));
        if (group < n)
            buf_span(out, groups[group]);
        rest = span_from(rest, length + 2 * brace);
    }
}
