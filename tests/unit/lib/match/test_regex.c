#include "tests/support/check.h"

#include <errno.h>

#include "lib/base/clock.h"
#include "lib/base/thread.h"
#include "lib/match/regex.h"

static struct regex *compiled(struct span pattern, int flags)
{
    struct regex *re = NULL;
    struct parse_error err = {0};
    int r = regex_compile(pattern, flags, &re, &err);
    if (r != 0)
        fail_msg("'%.*s': %u:%u: %s", (int)(pattern.len < 80 ? pattern.len : 80), pattern.ptr, err.line, err.column,
                 err.text);
    return re;
}

static int matches(const char *pattern, int flags, struct span text)
{
    struct regex *re = compiled(span_str(pattern), flags);
    int r = regex_match(re, text);
    regex_free(re);
    return r;
}

/* What Go's regexp answers for ^(?s:pattern)$, the way Prometheus compiles matchers. */
static void anchored_patterns_match_as_in_go(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        struct span text;
        int want;
    } cases[] = {
        /* literals, alternations, their products */
        {"", SPAN_INIT(""), 1},
        {"", SPAN_INIT("a"), 0},
        {"a|b|c", SPAN_INIT("b"), 1},
        {"a|b|c", SPAN_INIT("ab"), 0},
        {"a|b|c", SPAN_INIT(""), 0},
        {"a||c", SPAN_INIT(""), 1},
        {"api-(eu|us)-[12]", SPAN_INIT("api-us-2"), 1},
        {"api-(eu|us)-[12]", SPAN_INIT("api-us-3"), 0},
        {"colou?r", SPAN_INIT("color"), 1},
        {"colou?r", SPAN_INIT("colour"), 1},
        {"colou?r", SPAN_INIT("colouur"), 0},
        {"^shop$", SPAN_INIT("shop"), 1},
        {"^(shop|api)$", SPAN_INIT("api"), 1},
        {"(?:^a$)|b", SPAN_INIT("a"), 1},
        {"x^a", SPAN_INIT("xa"), 0},
        {"a$b", SPAN_INIT("ab"), 0},
        {"node\\.example", SPAN_INIT("node.example"), 1},
        {"node\\.example", SPAN_INIT("nodeXexample"), 0},
        {"\\Qa.b*c\\E+", SPAN_INIT("a.b*ccc"), 1},
        {"\\Qa.b", SPAN_INIT("a.b"), 1},
        {"\\Qa|b\\E|c", SPAN_INIT("a|b"), 1},
        /* the whole text, a final newline too */
        {"shop", SPAN_INIT("shop\n"), 0},
        {"shop$", SPAN_INIT("shop\n"), 0},
        {"get|post.*", SPAN_INIT("postal"), 1},
        {"get|post.*", SPAN_INIT("getter"), 0},
        /* .* and .+ around a literal, the dot taking newlines */
        {".*", SPAN_INIT(""), 1},
        {".*", SPAN_INIT("a\nb"), 1},
        {".+", SPAN_INIT(""), 0},
        {".+", SPAN_INIT("\n"), 1},
        {"a.*", SPAN_INIT("a\n"), 1},
        {"a.*", SPAN_INIT("ba"), 0},
        {"a.+", SPAN_INIT("a"), 0},
        {"a.+", SPAN_INIT("ab"), 1},
        {".*a", SPAN_INIT("xa"), 1},
        {".*a", SPAN_INIT("ax"), 0},
        {".+a", SPAN_INIT("a"), 0},
        {".+a", SPAN_INIT("aa"), 1},
        {".*foo.*", SPAN_INIT("a foo b"), 1},
        {".*foo.*", SPAN_INIT("a fo b"), 0},
        {".+foo.*", SPAN_INIT("foo"), 0},
        {".+foo.*", SPAN_INIT("foofoo"), 1},
        {".*foo.+", SPAN_INIT("foo"), 0},
        {".*foo.+", SPAN_INIT("foofoo"), 1},
        {".+foo.+", SPAN_INIT("xfoo"), 0},
        {".+foo.+", SPAN_INIT("xfoox"), 1},
        {".*?foo.{1,}", SPAN_INIT("foox"), 1},
        {"^.*foo.*$", SPAN_INIT("xfoo"), 1},
        {".*foo.*bar", SPAN_INIT("foo bar"), 1},
        {".", SPAN_INIT("\n"), 1},
        {".", SPAN_INIT(""), 0},
        {"a.b", SPAN_INIT("a\nb"), 1},
        {".{2,}", SPAN_INIT("a"), 0},
        {".{0,1}", SPAN_INIT("ab"), 0},
        {".", SPAN_INIT("\xe2\x82\xac"), 1}, /* one character, three bytes */
        /* flags */
        {"(?i)shop", SPAN_INIT("SHOP"), 1},
        {"(?i:s)hop", SPAN_INIT("Shop"), 1},
        {"(?i:s)hop", SPAN_INIT("ShOP"), 0},
        {"a(?i)b|c", SPAN_INIT("C"), 1},
        {"(a(?i)b)c", SPAN_INIT("aBC"), 0},
        {"(?-s).", SPAN_INIT("\n"), 0},
        {"(?-s).*", SPAN_INIT("a\nb"), 0},
        {"(?s-i)A", SPAN_INIT("a"), 0},
        {"(?m)a$\\nb", SPAN_INIT("a\nb"), 1},
        {"(?m)a\\n^", SPAN_INIT("a\n"), 1},
        {"a\\n^", SPAN_INIT("a\n"), 0},
        {"(?U)a+", SPAN_INIT("aaa"), 1},
        {"(?)a", SPAN_INIT("a"), 1},
        {"(?:)a", SPAN_INIT("a"), 1},
        {"(?i)K", SPAN_INIT("\xe2\x84\xaa"), 1}, /* the Kelvin sign folds to k */
        {"(?i)\xc3\xa9", SPAN_INIT("\xc3\x89"), 1},
        {"(?i)a1-", SPAN_INIT("A1-"), 1},
        /* classes */
        {"\\d+", SPAN_INIT("123"), 1},
        {"\\d", SPAN_INIT("\xd9\xa3"), 0}, /* ARABIC-INDIC DIGIT THREE: ASCII only */
        {"\\w+", SPAN_INIT("a_9"), 1},
        {"\\w", SPAN_INIT("\xc3\xa9"), 0},
        {"\\W", SPAN_INIT("\xc3\xa9"), 1},
        {"\\s", SPAN_INIT("\v"), 0}, /* RE2's \s has no vertical tab */
        {"\\S", SPAN_INIT("\v"), 1},
        {"\\s", SPAN_INIT("\r"), 1},
        {"[\\s]", SPAN_INIT("\v"), 0},
        {"[\\S]", SPAN_INIT("\v"), 1},
        {"[\\S]", SPAN_INIT("\f"), 0},
        {"[^\\S]", SPAN_INIT("\f"), 1},
        {"[\\S]", SPAN_INIT("\xe2\x82\xac"), 1},
        {"[[:space:]]", SPAN_INIT("\v"), 1},
        {"[[:word:]]+", SPAN_INIT("a_9"), 1},
        {"[[:^alpha:]]", SPAN_INIT("a"), 0},
        {"[[:alpha:]-]+", SPAN_INIT("a-b"), 1},
        {"[]a]+", SPAN_INIT("]a"), 1},
        {"[^]a]", SPAN_INIT("]"), 0},
        {"[a-]", SPAN_INIT("-"), 1},
        {"[-a]", SPAN_INIT("-"), 1},
        {"[\\d-z]+", SPAN_INIT("1-z"), 1},
        {"[[:a]+", SPAN_INIT("[:a"), 1},
        {"[\\]\\-^]+", SPAN_INIT("]-^"), 1},
        {"[.]", SPAN_INIT("x"), 0},
        {"[^a]", SPAN_INIT("\n"), 1},
        {"\\pN+", SPAN_INIT("1\xd9\xa3"), 1},
        {"\\p{Greek}", SPAN_INIT("\xce\xb1"), 1},
        {"\\P{Greek}", SPAN_INIT("\xce\xb1"), 0},
        {"\\p{^Greek}", SPAN_INIT("\xce\xb1"), 0},
        {"[\\p{Lu}x]+", SPAN_INIT("XxY"), 1},
        {"[^\\pL]", SPAN_INIT("1"), 1},
        {"\\p{Any}", SPAN_INIT("\n"), 1},
        /* U+0342 is in Greek's script extensions, not in its script */
        {"\\p{Greek}", SPAN_INIT("\xcd\x82"), 0},
        /* escapes */
        {"\\x41\\x{e9}\\101",
         SPAN_INIT("A\xc3\xa9"
                   "A"),
         1},
        {"\\0", SPAN_INIT("\0"), 1},
        {"\\12", SPAN_INIT("\n"), 1},
        {"\\a\\f\\t\\n\\r\\v", SPAN_INIT("\a\f\t\n\r\v"), 1},
        {"\\_\\-\\/\\@", SPAN_INIT("_-/@"), 1},
        {"a\\z", SPAN_INIT("a"), 1},
        {"\\Aa", SPAN_INIT("a"), 1},
        {"a\\b-\\bb", SPAN_INIT("a-b"), 1},
        {"a\\Bb", SPAN_INIT("ab"), 1},
        {"#a b", SPAN_INIT("#a b"), 1},
        /* repetition */
        {"a{2}", SPAN_INIT("aa"), 1},
        {"a{2,}", SPAN_INIT("a"), 0},
        {"a{0,2}", SPAN_INIT(""), 1},
        {"a{,2}", SPAN_INIT("a{,2}"), 1}, /* not a count: literal */
        {"a{x}", SPAN_INIT("a{x}"), 1},
        {"a{01}", SPAN_INIT("a{01}"), 1},
        {"a{", SPAN_INIT("a{"), 1},
        {"a}", SPAN_INIT("a}"), 1},
        {"a]", SPAN_INIT("a]"), 1},
        {"(a*)*", SPAN_INIT("aaa"), 1},
        {"(?:ab){1000}", SPAN_INIT("ab"), 0},
        {"^*a", SPAN_INIT("a"), 1},
        {"a$?", SPAN_INIT("a"), 1},
        {"\\b+a", SPAN_INIT("a"), 1},
        {"(^)*a", SPAN_INIT("a"), 1},
        {"ab+", SPAN_INIT("abab"), 0},
        {"ab+", SPAN_INIT("abb"), 1},
        {"a-{2}", SPAN_INIT("a--"), 1},
        {"(a|ab)(c|bcd)(d*)", SPAN_INIT("abcd"), 1},
        {"(?P<x>a)(?<y1>b)", SPAN_INIT("ab"), 1},
        {"a+?", SPAN_INIT("aaa"), 1},
        {"a??b", SPAN_INIT("b"), 1},
        /* bytes that are no UTF-8 match as U+FFFD, one each */
        {"[^a]", SPAN_INIT("\xff"), 1},
        {"[^a]{2}", SPAN_INIT("\xe2\x82"), 1},
        {"\\W\\w", SPAN_INIT("\xc3z"), 1},
        {"\\pL.?", SPAN_INIT("\xff"), 0},
        {"a.c",
         SPAN_INIT("a\xff"
                   "c"),
         1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int got = matches(cases[i].pattern, REGEX_ANCHORED, cases[i].text);
        if (got != cases[i].want)
            fail_msg("'%s' on '" SPAN_FMT "': %d, want %d", cases[i].pattern, SPAN_ARG(cases[i].text), got,
                     cases[i].want);
    }
}

/* The engine is forced by an assertion that always holds and that no shape knows. */
static void fast_paths_agree_with_the_engine(void **state)
{
    (void)state;
    static const char *const patterns[] = {"a|b|",   "ab?",    "[ab]b", "a(b|)",      ".*",     ".+",
                                           "a.*",    "a.+",    ".*b",   ".+b",        ".*ab.*", ".+ab.*",
                                           ".*ab.+", ".+ab.+", "ab",    "(a|b)(a|b)", "^a$|b"};
    static const char letters[] = "abc\n";
    for (size_t p = 0; p < ARRAY_LEN(patterns); p++) {
        char slow[64];
        snprintf(slow, sizeof slow, "(?:\\B|\\b)(?:%s)", patterns[p]);
        struct regex *fast = compiled(span_str(patterns[p]), REGEX_ANCHORED);
        struct regex *engine = compiled(span_str(slow), REGEX_ANCHORED);
        for (int code = 0; code < 5 * 5 * 5 * 5 * 5; code++) { /* every text of up to five letters */
            char text[5];
            size_t n = 0;
            for (int rest = code; rest > 0; rest /= 5)
                if (rest % 5 > 0)
                    text[n++] = letters[rest % 5 - 1];
            int a = regex_match(fast, span_of(text, n)), b = regex_match(engine, span_of(text, n));
            if (a != b)
                fail_msg("'%s' on '%.*s': fast %d, engine %d", patterns[p], (int)n, text, a, b);
        }
        regex_free(fast);
        regex_free(engine);
    }
}

static void what_re2_refuses_is_refused_with_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        unsigned column;
        const char *words;
    } cases[] = {
        {"ab(?=c)", 3, "look-ahead"},
        {"(?!c)", 1, "negative look-ahead"},
        {"a(?<=b)", 2, "look-behind"},
        {"a(?<!b)", 2, "negative look-behind"},
        {"(a)\\1", 4, "back-references"},
        {"(?P<x>a)(?P=x)", 9, "back-reference"},
        {"(?P<x>a)\\k<x>", 9, "back-references"},
        {"(a)\\g1", 4, "back-references"},
        {"a*+", 2, "possessive"},
        {"a++", 2, "possessive"},
        {"a?+", 2, "possessive"},
        {"a{2}+", 2, "possessive"},
        {"(?>a)", 1, "atomic"},
        {"(a)(?(1)b|c)", 4, "conditional"},
        {"(?R)", 1, "recursion"},
        {"(?0)", 1, "recursion"},
        {"(a)(?1)", 4, "recursion"},
        {"(a)(?-1)", 4, "recursion"},
        {"(a)(?+1)", 4, "recursion"},
        {"(?&x)", 1, "subroutine"},
        {"(?P>x)", 1, "subroutine"},
        {"(?C1)", 1, "callout"},
        {"(?#no)", 1, "comment"},
        {"(?|a|b)", 1, "branch reset"},
        {"(?'x'a)", 1, "group named in"},
        {"(?{x})", 1, "code"},
        {"(?^i)", 1, "flag reset"},
        {"(*ACCEPT)", 1, "verb"},
        {"(*UTF)a", 1, "verb"},
        {"a\\Kb", 2, "\\K"},
        {"\\Ga", 1, "\\G"},
        {"\\R", 1, "\\R"},
        {"\\X", 1, "\\X"},
        {"\\C", 1, "\\C"},
        {"a\\Z", 2, "\\z"},
        {"\\N", 1, "\\N"},
        {"\\h", 1, "\\h"},
        {"\\V", 1, "\\V"},
        {"\\E", 1, "\\E"},
        {"\\cA", 1, "no such escape"},
        {"\\e", 1, "no such escape"},
        {"\\o{12}", 1, "no such escape"},
        {"\\u0041", 1, "no such escape"},
        {"\\8", 1, "back-references"},
        {"\\\xc3\xa9", 1, "invalid escape"},
        {"[\\b]", 2, "no such escape"},
        {"[\\Qa\\E]", 2, "no such escape"},
        {"[[:foo:]]", 2, "class range"},
        {"[z-a]", 2, "class range"},
        {"[a-\\d]", 4, "no such escape"},
        {"\\p{Foo Bar}", 1, "class range"},
        {"\\p{L&}", 1, "class range"},
        {"\\p{greek}", 1, "class range"},
        {"\\p", 1, "class range"},
        {"\\pX", 1, "class range"},
        {"\\x", 1, "invalid escape"},
        {"\\x4", 1, "invalid escape"},
        {"\\x{110000}", 1, "invalid escape"},
        {"\\x{d800}", 1, "surrogate"},
        {"\\x{41", 1, "invalid escape"},
        {"ab\\", 3, "trailing backslash"},
        {"(a", 1, "missing closing )"},
        {"a)", 2, "unexpected )"},
        {"a[b", 2, "missing closing ]"},
        {"[", 1, "missing closing ]"},
        {"[^", 1, "missing closing ]"},
        {"[]", 1, "missing closing ]"},
        {"*a", 1, "missing argument"},
        {"a|*", 3, "missing argument"},
        {"(+)", 2, "missing argument"},
        {"{2}", 1, "missing argument"},
        {"a**", 2, "invalid nested repetition"},
        {"a*?*", 2, "invalid nested repetition"},
        {"a{2}{3}", 2, "invalid nested repetition"},
        {"a{1001}", 2, "invalid repeat count"},
        {"a{3,2}", 2, "invalid repeat count"},
        {"a{99999999999999999999}", 2, "invalid repeat count"},
        {"(a{100}){11}", 9, "invalid repeat count"},
        {"(?i", 1, "Perl syntax"},
        {"(?x)a", 1, "Perl syntax"},
        {"(?i-)a", 1, "Perl syntax"},
        {"(?-i-s)a", 1, "Perl syntax"},
        {"(?Px)", 1, "Perl syntax"},
        {"(?", 1, "Perl syntax"},
        {"(?P<>a)", 1, "named capture"},
        {"(?P<a-b>a)", 1, "named capture"},
        {"(?P<n", 1, "named capture"},
        {"(?P<n>a)(?P<n>b)", 9, "duplicate capture"},
        {"a\xff", 1, "UTF-8"},
        {"line\n(?=x)", 1, "look-ahead"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct regex *re = NULL;
        struct parse_error err = {0};
        int r = regex_compile(span_str(cases[i].pattern), REGEX_ANCHORED, &re, &err);
        if (r != -EINVAL || re || err.code != -EINVAL || err.column != cases[i].column ||
            !strstr(err.text, cases[i].words))
            fail_msg("'%s': %d at column %u: %s", cases[i].pattern, r, err.column, err.text);
        assert_int_equal(err.line, strchr(cases[i].pattern, '\n') ? 2 : 1);
    }
}

static void nesting_is_bounded(void **state)
{
    (void)state;
    static char deep[100000];
    memset(deep, '(', sizeof deep);
    struct regex *re = NULL;
    struct parse_error err = {0};
    assert_int_equal(regex_compile(span_of(deep, sizeof deep), 0, &re, &err), -EINVAL);
    assert_non_null(strstr(err.text, "nests too deeply"));
    char fits[2 * 200 + 1];
    memset(fits, '(', 200);
    fits[200] = 'a';
    memset(fits + 201, ')', 200);
    re = compiled(span_of(fits, sizeof fits), REGEX_ANCHORED);
    assert_int_equal(regex_match(re, SPAN("a")), 1);
    regex_free(re);
}

static void sizes_are_bounded(void **state)
{
    (void)state;
    size_t n = (1u << 20) + 1;
    AUTO_FREE char *large = malloc(n);
    assert_non_null(large);
    struct regex *re = NULL;
    struct parse_error err = {0};
    memset(large, 'a', n);
    assert_int_equal(regex_compile(span_of(large, n), 0, &re, &err), -EINVAL);
    assert_non_null(strstr(err.text, "larger than"));
    /* each of these must end soon, whatever the answer */
    static const char *const atoms[] = {".", "|", "(a)", "a*", "[ab]", "\\d?", "\xc3\xa9", "(a|b)", "a?"};
    for (size_t i = 0; i < ARRAY_LEN(atoms); i++) {
        size_t len = strlen(atoms[i]), used = 0;
        for (; used + len <= 200000; used += len)
            memcpy(large + used, atoms[i], len);
        int64_t start = mono_us();
        int r = regex_compile(span_of(large, used), REGEX_ANCHORED, &re, &err);
        assert_true(r == 0 || r == -EINVAL || r == -ENOMEM);
        if (r == 0)
            regex_free(re);
        if (mono_us() - start > 5000000)
            fail_msg("200 KB of '%s' took %lld ms", atoms[i], (long long)((mono_us() - start) / 1000));
        re = NULL;
    }
}

static void catastrophic_patterns_end_with_e2big_soon(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        int flags;
    } cases[] = {
        {"(a+)+b", REGEX_ANCHORED},
        {"(a|aa)+b", REGEX_ANCHORED},
        {"(a|a)*b", REGEX_ANCHORED},
        {"(.*)*b", REGEX_ANCHORED},
        {"(a*)*[^a]", REGEX_ANCHORED},
        {"(?:a?){60}a{60}b", REGEX_ANCHORED},
        {"(?:\\w+\\w+)+-", REGEX_ANCHORED},
        {"(x+x+)+y", 0},
        {"(?:(?:a+)+)+$b", 0},
        {"(.+.+)+=", 0},
    };
    static char text[2000];
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        memset(text, strchr(cases[i].pattern, 'x') ? 'x' : 'a', sizeof text);
        struct regex *re = compiled(span_str(cases[i].pattern), cases[i].flags);
        size_t n;
        struct span groups[4];
        for (int search = 0; search < 2; search++) {
            int64_t start = mono_us();
            struct span t = span_of(text, sizeof text);
            int r = search ? regex_search(re, t, 0, groups, 4, &n) : regex_match(re, t);
            int64_t took = mono_us() - start;
            /* the engine may prove that there is no match (a 'b' is needed); it may not hang or say yes */
            if ((r != -E2BIG && r != 0) || took > 2000000)
                fail_msg("'%s': %d after %lld us", cases[i].pattern, r, (long long)took);
        }
        regex_free(re);
    }
    /* with the needed last letter present earlier, no such proof exists */
    memset(text, 'a', sizeof text);
    text[0] = 'b';
    static const char *const sure[] = {"b(a+)+[bc]", "b(a|aa)+[bc]", "b(?:a?){60}(?:a?){60}a{1000}[bc]"};
    for (size_t i = 0; i < ARRAY_LEN(sure); i++) {
        struct regex *re = compiled(span_str(sure[i]), REGEX_ANCHORED);
        int64_t start = mono_us();
        assert_int_equal(regex_match(re, span_of(text, 1500)), -E2BIG);
        assert_true(mono_us() - start < 2000000 * (int64_t)check_patience());
        /* and the next match on this thread is well */
        struct regex *plain = compiled(SPAN("[ab]+c?"), REGEX_ANCHORED);
        assert_int_equal(regex_match(plain, span_of(text, sizeof text)), 1);
        regex_free(plain);
        regex_free(re);
    }
}

static void long_texts_match_when_the_work_is_linear(void **state)
{
    (void)state;
    static char text[65535];
    memset(text, 'a', sizeof text);
    static const char *const patterns[] = {"(?:a|b)*", "[ab]+", "a*b?", "(a|b)+", ".*a", "(?:aa?)+"};
    for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
        int r = matches(patterns[i], REGEX_ANCHORED, span_of(text, sizeof text));
        if (r != 1)
            fail_msg("'%s': %d", patterns[i], r);
    }
}

static void search_finds_groups_from_a_byte_on(void **state)
{
    (void)state;
    struct regex *re = compiled(SPAN("(\\w)(\\d+)?(x)?"), 0);
    struct span groups[8], text = SPAN("--a12 b");
    size_t n = 0;
    assert_int_equal(regex_search(re, text, 0, groups, 8, &n), 1);
    assert_int_equal(n, 4);
    assert_true(span_equal(groups[0], SPAN("a12")) && groups[0].ptr == text.ptr + 2);
    assert_true(span_equal(groups[1], SPAN("a")));
    assert_true(span_equal(groups[2], SPAN("12")));
    assert_null(groups[3].ptr);
    assert_int_equal(regex_search(re, text, 5, groups, 8, &n), 1);
    assert_true(span_equal(groups[0], SPAN("b")));
    assert_null(groups[2].ptr);
    assert_null(groups[3].ptr);
    assert_int_equal(regex_search(re, text, 7, groups, 8, &n), 0);
    assert_int_equal(regex_search(re, text, 8, groups, 8, &n), 0);
    /* fewer slots than groups */
    groups[1] = SPAN("untouched");
    assert_int_equal(regex_search(re, text, 0, groups, 1, &n), 1);
    assert_int_equal(n, 4);
    assert_true(span_equal(groups[0], SPAN("a12")));
    assert_true(span_equal(groups[1], SPAN("untouched")));
    regex_free(re);

    /* set and empty differs from unset */
    re = compiled(SPAN("(a*)(b)?"), REGEX_ANCHORED);
    assert_int_equal(regex_search(re, (struct span){NULL, 0}, 0, groups, 8, &n), 1);
    assert_non_null(groups[1].ptr);
    assert_int_equal(groups[1].len, 0);
    assert_null(groups[2].ptr);
    regex_free(re);

    /* unanchored literals are searched, leftmost branch first */
    re = compiled(SPAN("ab|abc"), 0);
    assert_int_equal(regex_search(re, SPAN("xabc"), 0, groups, 8, &n), 1);
    assert_true(span_equal(groups[0], SPAN("ab")));
    assert_int_equal(regex_match(re, SPAN("xxab")), 1);
    regex_free(re);

    /* (?U) swaps what is greedy */
    re = compiled(SPAN("(?U)a+(a+?)"), 0);
    assert_int_equal(regex_search(re, SPAN("aaa"), 0, groups, 8, &n), 1);
    assert_true(span_equal(groups[1], SPAN("aa")));
    regex_free(re);

    /* offsets count the text's own bytes where some are no UTF-8; inside a character means the next */
    re = compiled(SPAN("b(.)c"), 0);
    text = SPAN("\xff\xfe"
                "b\xff"
                "cb\xc3\xa9"
                "c");
    assert_int_equal(regex_search(re, text, 0, groups, 8, &n), 1);
    assert_ptr_equal(groups[1].ptr, text.ptr + 3);
    assert_int_equal(groups[1].len, 1);
    assert_int_equal(regex_search(re, text, 3, groups, 8, &n), 1);
    assert_ptr_equal(groups[1].ptr, text.ptr + 6);
    assert_int_equal(groups[1].len, 2);
    regex_free(re);
    re = compiled(SPAN("."), 0);
    text = SPAN("\xe2\x82\xac!");
    assert_int_equal(regex_search(re, text, 1, groups, 8, &n), 1);
    assert_ptr_equal(groups[0].ptr, text.ptr + 3);
    regex_free(re);

    /* anchored without groups, which has no engine behind it */
    re = compiled(SPAN("shop|api"), REGEX_ANCHORED);
    assert_int_equal(regex_search(re, SPAN("api"), 0, groups, 8, &n), 1);
    assert_int_equal(n, 1);
    assert_true(span_equal(groups[0], SPAN("api")));
    assert_int_equal(regex_search(re, SPAN("apis"), 0, groups, 8, &n), 0);
    regex_free(re);
}

static void classes_are_unicodes_when_asked_for(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *text;
        int ascii, unicode;
    } cases[] = {
        {"^\\w+$", "caf\xc3\xa9", 0, 1},
        {"^[\\w]+$", "caf\xc3\xa9", 0, 1},
        {"^\\d$", "\xd9\xa3", 0, 1},
        {"^a\\sb$",
         "a\xc2\xa0"
         "b",
         0, 1},
        {"^a[\\s]b$",
         "a\xc2\xa0"
         "b",
         0, 1},
        {"^a\\Sb$",
         "a\xc2\xa0"
         "b",
         1, 0},
        {"caf\\b", "caf\xc3\xa9", 1, 0},
        {"^\\W$", "\xc3\xa9", 1, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct span text = span_str(cases[i].text);
        if (matches(cases[i].pattern, 0, text) != cases[i].ascii ||
            matches(cases[i].pattern, REGEX_UNICODE, text) != cases[i].unicode)
            check_failed("%s on %s", cases[i].pattern, cases[i].text);
    }
}

static void caseless_is_a_flag_of_the_caller_too(void **state)
{
    (void)state;
    assert_int_equal(matches("shop", REGEX_ANCHORED | REGEX_CASELESS, SPAN("ShOp")), 1);
    assert_int_equal(matches("(?-i)shop", REGEX_ANCHORED | REGEX_CASELESS, SPAN("ShOp")), 0);
    assert_int_equal(matches("shop", REGEX_CASELESS, SPAN("the SHOP")), 1);
    assert_int_equal(matches("1-2", REGEX_ANCHORED | REGEX_CASELESS, SPAN("1-2")), 1);
}

static void assert_expands(const char *pattern, const char *text, struct span replacement, const char *want)
{
    struct regex *re = compiled(span_str(pattern), REGEX_ANCHORED);
    struct span groups[8];
    size_t n = 0;
    assert_int_equal(regex_search(re, span_str(text), 0, groups, 8, &n), 1);
    struct buf out;
    buf_init(&out, 4096);
    buf_str(&out, "<");
    regex_expand(re, replacement, groups, n, &out);
    if (strcmp(out.data + 1, want) != 0)
        fail_msg("'" SPAN_FMT "' gave '%s', want '%s'", SPAN_ARG(replacement), out.data + 1, want);
    buf_done(&out);
    regex_free(re);
}

static void expand_follows_go(void **state)
{
    (void)state;
    static const struct {
        struct span replacement;
        const char *want;
    } cases[] = {
        {SPAN_INIT(""), ""},
        {SPAN_INIT("$1"), "ab"},
        {SPAN_INIT("$0"), "ab-12-"},
        {SPAN_INIT("$1x"), ""}, /* the group named 1x */
        {SPAN_INIT("${1}x"), "abx"},
        {SPAN_INIT("$1-$2"), "ab-12"},
        {SPAN_INIT("$1$2"), "ab12"},
        {SPAN_INIT("$name"), "12"},
        {SPAN_INIT("${name}s"), "12s"},
        {SPAN_INIT("$names"), ""},
        {SPAN_INIT("$2nd"), "-"}, /* Go's names may start with a digit */
        {SPAN_INIT("$4"), ""},    /* unset */
        {SPAN_INIT("$9"), ""},    /* no such group */
        {SPAN_INIT("$999999999999"), ""},
        {SPAN_INIT("$01"), ""}, /* no leading zeros */
        {SPAN_INIT("$$"), "$"},
        {SPAN_INIT("$$1"), "$1"},
        {SPAN_INIT("$$$1"), "$ab"},
        {SPAN_INIT("a$"), "a$"},
        {SPAN_INIT("$ $1"), "$ ab"},
        {SPAN_INIT("$-1"), "$-1"},
        {SPAN_INIT("${1"), "${1"},
        {SPAN_INIT("${}"), "${}"},
        {SPAN_INIT("${"), "${"},
        {SPAN_INIT("${1}}"), "ab}"},
        {SPAN_INIT("${a-b}"), "${a-b}"},
        {SPAN_INIT("$1\xc3\xa9"), ""},                   /* a letter: the name goes on */
        {SPAN_INIT("$1\xe2\x82\xac"), "ab\xe2\x82\xac"}, /* the euro sign is none */
        {SPAN_INIT("$1\xff"), "ab\xff"},
        {SPAN_INIT("$1."), "ab."},
        {SPAN_INIT("http://$1:9100"), "http://ab:9100"},
        {SPAN_INIT("$1_$2"), "12"}, /* the group named 1_, then 12 */
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_expands("([a-z]+)-(?P<name>\\d+)(?P<2nd>-)?(z)?", "ab-12-", cases[i].replacement, cases[i].want);
}

static void literals_and_prefix_are_known(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        int flags;
        const char *literals, *prefix; /* literals joined by a comma */
    } cases[] = {
        {"a|b|c", REGEX_ANCHORED, "a,b,c", ""},
        {"c|a|b|a", REGEX_ANCHORED, "a,b,c", ""},
        {"(shop|api)", REGEX_ANCHORED, "api,shop", ""},
        {"shop", REGEX_ANCHORED, "shop", "shop"},
        {"^(?:shop-a|shop-b)$", REGEX_ANCHORED, "shop-a,shop-b", "shop-"},
        {"node-[123]", REGEX_ANCHORED, "node-1,node-2,node-3", "node-"},
        {"x(a|b)(c|d)", REGEX_ANCHORED, "xac,xad,xbc,xbd", "x"},
        {"http\\.status", REGEX_ANCHORED, "http.status", "http.status"},
        {"colou?r", REGEX_ANCHORED, "color,colour", "colo"},
        {"a{1}", REGEX_ANCHORED, "a", "a"},
        {"shop.*", REGEX_ANCHORED, "", "shop"},
        {"shop+", REGEX_ANCHORED, "", "shop"},
        {"shop*", REGEX_ANCHORED, "", "sho"},
        {"shop{2}", REGEX_ANCHORED, "", "shop"},
        {"shop-\\d|shoe", REGEX_ANCHORED, "", "sho"},
        {"(shop|shoe).*", REGEX_ANCHORED, "", "sho"},
        {".*shop", REGEX_ANCHORED, "", ""},
        {"(?i)shop", REGEX_ANCHORED, "", ""},
        {"sh(?i)op", REGEX_ANCHORED, "", "sh"},
        {"shop", REGEX_ANCHORED | REGEX_CASELESS, "", ""},
        {"[^a]", REGEX_ANCHORED, "", ""},
        {"[a-z]", REGEX_ANCHORED, "", ""},
        {"a|", REGEX_ANCHORED, ",a", ""},
        {"a$b", REGEX_ANCHORED, "", "a"},
        {"shop|api", 0, "", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct regex *re = compiled(span_str(cases[i].pattern), cases[i].flags);
        const struct span *list;
        size_t n = regex_literals(re, &list);
        struct buf joined;
        buf_init(&joined, 4096);
        buf_str(&joined, "");
        for (size_t k = 0; k < n; k++) {
            if (k > 0)
                buf_char(&joined, ',');
            buf_span(&joined, list[k]);
        }
        const char *got = joined.data ? joined.data : "";
        struct span prefix = regex_prefix(re);
        if (strcmp(got, cases[i].literals) != 0 || !span_equal(prefix, span_str(cases[i].prefix)))
            fail_msg("'%s': literals %s, prefix " SPAN_FMT, cases[i].pattern, got, SPAN_ARG(prefix));
        assert_true(span_equal(regex_pattern(re), span_str(cases[i].pattern)));
        buf_done(&joined);
        regex_free(re);
    }
}

static void a_dashboards_alternation_of_thousands_is_a_set(void **state)
{
    (void)state;
    struct buf pattern;
    buf_init(&pattern, 1 << 20);
    buf_char(&pattern, '(');
    for (int i = 0; i < 10000; i++)
        buf_printf(&pattern, "%sinstance-%05d:9100", i ? "|" : "", i);
    buf_char(&pattern, ')');
    struct regex *re = compiled(buf_view(&pattern), REGEX_ANCHORED);
    const struct span *list;
    assert_int_equal(regex_literals(re, &list), 10000);
    assert_int_equal(regex_match(re, SPAN("instance-07777:9100")), 1);
    assert_int_equal(regex_match(re, SPAN("instance-10000:9100")), 0);
    assert_true(span_equal(regex_prefix(re), SPAN("instance-0")));
    regex_free(re);
    buf_done(&pattern);
}

static void match_on_thread(void *arg)
{
    const struct regex *re = arg;
    for (int i = 0; i < 2000; i++) {
        struct span groups[4];
        size_t n;
        char text[32];
        int len = snprintf(text, sizeof text, "job-%d-x", i);
        assert_true(len > 0);
        if (regex_search(re, span_of(text, (size_t)len), 0, groups, 4, &n) != 1 || groups[1].ptr != text + 4)
            abort();
    }
}

static void one_regex_serves_many_threads(void **state)
{
    (void)state;
    struct regex *re = compiled(SPAN("job-(\\d+)-(.)"), REGEX_ANCHORED);
    struct thread *threads[4];
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        assert_int_equal(thread_start("regex", match_on_thread, re, &threads[i]), 0);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        thread_join(threads[i]);
    regex_free(re);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(anchored_patterns_match_as_in_go),
        cmocka_unit_test(fast_paths_agree_with_the_engine),
        cmocka_unit_test(what_re2_refuses_is_refused_with_its_place),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(sizes_are_bounded),
        cmocka_unit_test(catastrophic_patterns_end_with_e2big_soon),
        cmocka_unit_test(long_texts_match_when_the_work_is_linear),
        cmocka_unit_test(search_finds_groups_from_a_byte_on),
        cmocka_unit_test(classes_are_unicodes_when_asked_for),
        cmocka_unit_test(caseless_is_a_flag_of_the_caller_too),
        cmocka_unit_test(expand_follows_go),
        cmocka_unit_test(literals_and_prefix_are_known),
        cmocka_unit_test(a_dashboards_alternation_of_thousands_is_a_set),
        cmocka_unit_test(one_regex_serves_many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
