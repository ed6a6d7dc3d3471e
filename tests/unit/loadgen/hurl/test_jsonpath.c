#include "tests/support/check.h"

#include <errno.h>

#include "loadgen/hurl/json_text.h"
#include "loadgen/hurl/jsonpath.h"

static const char STORE[] =
    "{\"store\": {\"book\": [{\"category\": \"reference\", \"title\": \"Sayings\", \"price\": 8.95},"
    "{\"category\": \"fiction\", \"title\": \"Sword\", \"price\": 12.99, \"isbn\": null},"
    "{\"category\": \"fiction\", \"title\": \"Moby\", \"price\": 8.99, \"isbn\": \"0-553\"},"
    "{\"category\": \"fiction\", \"title\": \"Rings\", \"price\": 22.99, \"isbn\": \"0-395\"}],"
    "\"bicycle\": {\"color\": \"r\\u00e9d\", \"price\": 399}}, \"a-b\": {\"0\": [[1, 2], [3]]}, \"dup\": 1, \"dup\": 2,"
    "\"e\\u0066\": true, \"limit\": 10}";

/* The values found, separated by '|'; "!" and the reason for a bad path. */
static char *find(const char *json, const char *text, bool *singular)
{
    struct arena a;
    arena_init(&a, 64 << 20);
    struct span root;
    char why[192];
    check_ok(json_text_check(span_str(json), &root, why, sizeof why));
    const struct jsonpath *path;
    struct buf out;
    buf_init(&out, 1 << 20);
    int r = jsonpath_compile(&a, span_str(text), &path, why, sizeof why);
    if (r < 0) {
        check_errno(r, -EINVAL);
        buf_printf(&out, "!%s", why);
    } else {
        struct jsonpath_result found;
        check_ok(jsonpath_eval(path, root, &a, &found));
        *singular = jsonpath_is_singular(path);
        for (size_t i = 0; i < found.n; i++)
            buf_printf(&out, "%s" SPAN_FMT, i ? "|" : "", SPAN_ARG(found.values[i]));
    }
    arena_done(&a);
    return buf_take(&out, NULL);
}

static void paths_find_what_the_rfc_says(void **state)
{
    (void)state;
    static const struct {
        const char *path, *want;
        bool many;
    } cases[] = {
        {"$.limit", "10", false},
        {"$['limit']", "10", false},
        {"$[\"limit\"]", "10", false},
        {" $.limit ", "10", false},
        {"$.store.book[0].title", "\"Sayings\"", false},
        {"$.store.book[-1].title", "\"Rings\"", false},
        {"$.store.book[9].title", "", false},
        {"$.store.book[-9]", "", false},
        {"$.store.book.title", "", false},
        {"$.limit.x", "", false},
        {"$.store.bicycle.color", "\"r\\u00e9d\"", false},
        {"$.a-b.0[0][1]", "2", false},
        {"$.ef", "true", false},
        {"$.dup", "2", false},
        {"$.store.book[*].price", "8.95|12.99|8.99|22.99", true},
        {"$.store.book[0,2].price", "8.95|8.99", true},
        {"$.store.book[1:3].price", "12.99|8.99", true},
        {"$.store.book[:1].price", "8.95", true},
        {"$.store.book[-2:].price", "8.99|22.99", true},
        {"$.store.book[::-2].price", "22.99|12.99", true},
        {"$.store.book[::0].price", "", true},
        {"$..price", "8.95|12.99|8.99|22.99|399", true},
        {"$..book[2].title", "\"Moby\"", true},
        {"$..[1]", "{\"category\": \"fiction\", \"title\": \"Sword\", \"price\": 12.99, \"isbn\": null}|[3]|2", true},
        {"$.a-b..*", "[[1, 2], [3]]|[1, 2]|[3]|1|2|3", true},
        {"$.store.book[?(@.price < 10)].title", "\"Sayings\"|\"Moby\"", true},
        {"$.store.book[?@.price < $.limit].title", "\"Sayings\"|\"Moby\"", true},
        {"$.store.book[?@.price >= 12.99 && @.category == 'fiction'].title", "\"Sword\"|\"Rings\"", true},
        {"$.store.book[?@.isbn].title", "\"Sword\"|\"Moby\"|\"Rings\"", true},
        {"$.store.book[?!@.isbn].title", "\"Sayings\"", true},
        {"$.store.book[?(@.isbn == null)].title", "\"Sword\"", true},
        {"$.store.book[?@.price == 8.95 || @.title == \"Moby\"].price", "8.95|8.99", true},
        {"$.store.book[?!(@.price < 10 || @.price > 20)].title", "\"Sword\"", true},
        {"$.store.book[?@.none == @.nothing].price", "8.95|12.99|8.99|22.99", true},
        {"$.store.book[?@.category < 'g'].price", "12.99|8.99|22.99", true},
        {"$.store.book[?length(@.title) > 5].title", "\"Sayings\"", true},
        {"$.store.book[?count(@.*) == 3].title", "\"Sayings\"", true},
        {"$.store[?@.color == 'r\\u00e9d'].price", "399", true},
        {"$.store.bicycle[?@ == 399]", "399", true},
        {"$.a-b[?@[0][0] == 1]", "[[1, 2], [3]]", true},
        /* wrong */
        {"store", "!a JSONPath starts with $ at character 1", false},
        {"$.", "!expected a name, '*' or '[' at character 3", false},
        {"$[", "!expected an index at character 3", false},
        {"$[1", "!expected ',' or ']' at character 2", false},
        {"$['a", "!a name without closing quote at character 3", false},
        {"$.a b", "!unexpected ' ' at character 4", false},
        {"$[?@.a = 1]", "!unknown operator (==, !=, <, <=, >, >=) at character 8", false},
        {"$[?1]", "!a value alone is no condition at character 5", false},
        {"$[?@.* == 1]", "!a comparison needs paths to one value at character 12", false},
        {"$[?min(@.a)]", "!there is no function 'min' (length, count, value, match, search) at character 4", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        bool singular = !cases[i].many;
        char *got = find(STORE, cases[i].path, &singular);
        if (strcmp(got, cases[i].want) != 0 || singular == cases[i].many)
            check_failed("%s\nwanted: %s\ngot:    %s (singular %d)", cases[i].path, cases[i].want, got, singular);
        free(got);
    }
}

static void a_path_that_explodes_ends_with_an_error(void **state)
{
    (void)state;
    struct buf json;
    buf_init(&json, 1 << 20);
    for (int i = 0; i < 100; i++)
        buf_str(&json, "[1,");
    buf_str(&json, "0");
    for (int i = 0; i < 100; i++)
        buf_str(&json, "]");
    struct arena a;
    arena_init(&a, 256 << 20);
    const struct jsonpath *path;
    struct jsonpath_result found;
    struct span root;
    char why[192];
    check_ok(json_text_check(buf_view(&json), &root, why, sizeof why));
    check_ok(jsonpath_compile(&a, SPAN("$..*..*..*..*"), &path, why, sizeof why));
    check_errno(jsonpath_eval(path, root, &a, &found), -E2BIG);
    arena_done(&a);
    buf_done(&json);
}

static void json_text_is_checked_before_it_is_walked(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool good;
    } cases[] = {
        {" {} ", true},        {"[]", true},      {"\"\\ud83d\\ude00\"", true},
        {"-0.5e+3", true},     {"null", true},    {"[1,[2,{\"a\":[]}]]", true},
        {"", false},           {"{", false},      {"[1,]", false},
        {"{\"a\":1,}", false}, {"{a:1}", false},  {"01", false},
        {"1.", false},         {"+1", false},     {"nul", false},
        {"\"\\x\"", false},    {"\"\n\"", false}, {"\"\\u12g4\"", false},
        {"1 2", false},        {"\"a", false},    {"[\"a\" 1]", false},
        {"\xff", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct span root;
        char why[96] = "";
        int r = json_text_check(span_str(cases[i].text), &root, why, sizeof why);
        if ((r == 0) != cases[i].good || (r < 0 && !why[0]))
            check_failed("'%s': %d %s", cases[i].text, r, why);
    }
    char deep[401];
    memset(deep, '[', 200);
    memset(deep + 200, ']', 200);
    struct span root;
    char why[96];
    check_errno(json_text_check(span_of(deep, 400), &root, why, sizeof why), -EINVAL);
    check_contains(why, "nesting too deep");
}

static void json_values_are_equal_by_meaning(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool equal;
    } cases[] = {
        {"{\"a\":1,\"b\":[true,null]}", "{ \"b\" : [ true , null ] , \"a\" : 1.0 }", true},
        {"{\"a\":1}", "{\"a\":1,\"b\":2}", false},
        {"[1,2]", "[2,1]", false},
        {"[1]", "[1,1]", false},
        {"\"\\u0041\"", "\"A\"", true},
        {"\"\\u0041\\n\"", "\"A\\u000a\"", true},
        {"9007199254740993", "9007199254740992", false},
        {"1", "\"1\"", false},
        {"true", "false", false},
        {"1e2", "100", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        if (json_text_equal(span_str(cases[i].a), span_str(cases[i].b)) != cases[i].equal ||
            json_text_equal(span_str(cases[i].b), span_str(cases[i].a)) != cases[i].equal)
            check_failed("%s and %s", cases[i].a, cases[i].b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_find_what_the_rfc_says),
        cmocka_unit_test(a_path_that_explodes_ends_with_an_error),
        cmocka_unit_test(json_text_is_checked_before_it_is_walked),
        cmocka_unit_test(json_values_are_equal_by_meaning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
