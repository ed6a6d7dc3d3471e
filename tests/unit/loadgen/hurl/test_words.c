/* The conformance files use every word of the language: what is added to a table wants a file that shows it. */
#include "tests/support/check.h"

#include <string.h>

#include "lib/base/file.h"
#include "loadgen/hurl/parse.h"
#include "loadgen/hurl/words.h"

#define WORDS_MAX 512

struct used {
    const void *words[WORDS_MAX]; /* definitions, by address */
    size_t n;
};

static void use(struct used *u, const void *def)
{
    for (size_t i = 0; i < u->n; i++)
        if (u->words[i] == def)
            return;
    assert_true(u->n < WORDS_MAX);
    u->words[u->n++] = def;
}

static bool is_used(const struct used *u, const void *def)
{
    for (size_t i = 0; i < u->n; i++)
        if (u->words[i] == def)
            return true;
    return false;
}

static void use_query(struct used *u, const struct hurl_query *q)
{
    use(u, q->def);
    for (size_t i = 0; i < q->n_filters; i++)
        use(u, q->filters[i].def);
}

static void use_file(struct used *u, const struct hurl_file *f)
{
    for (size_t i = 0; i < f->n_entries; i++) {
        const struct hurl_entry *e = &f->entries[i];
        for (size_t k = 0; k < e->request.n_options; k++)
            use(u, e->request.options[k].def);
        for (size_t k = 0; k < e->response.n_captures; k++)
            use_query(u, &e->response.captures[k].query);
        for (size_t k = 0; k < e->response.n_asserts; k++) {
            use_query(u, &e->response.asserts[k].query);
            use(u, e->response.asserts[k].predicate.def);
        }
    }
}

/* Sections and functions leave no word in the tree: their text is looked for. */
static void check_text(struct span all, const char *before, const char *name, const char *after)
{
    char text[128];
    snprintf(text, sizeof text, "%s%s%s", before, name, after);
    if (span_search(all, span_str(text)) == all.len)
        check_failed("no file of tests/hurl has %s", text);
}

static void every_word_of_the_language_is_used_by_a_conformance_file(void **state)
{
    (void)state;
    static struct used u;
    struct file_list files;
    struct buf all;
    buf_init(&all, 1u << 24);
    check_ok(file_glob("tests/hurl/*.hurl", &files));
    for (size_t i = 0; i < files.n; i++) {
        struct problems ps;
        struct hurl_file *f = NULL;
        char *text = NULL;
        size_t n;
        problems_init(&ps);
        check_ok(file_read(files.paths[i], 1u << 20, &text, &n));
        if (hurl_parse(files.paths[i], span_of(text, n), &f, &ps) == 0) {
            use_file(&u, f);
            buf_span(&all, span_of(text, n));
        }
        hurl_file_free(f);
        free(text);
        problems_done(&ps);
    }
    file_list_done(&files);
    const char *name;
    for (size_t i = 0; (name = hurl_query_name(i)); i++)
        if (!is_used(&u, hurl_query_find(span_str(name))))
            check_failed("no file of tests/hurl has the query %s", name);
    for (size_t i = 0; (name = hurl_filter_name(i)); i++)
        if (!is_used(&u, hurl_filter_find(span_str(name))))
            check_failed("no file of tests/hurl has the filter %s", name);
    for (size_t i = 0; (name = hurl_predicate_name(i)); i++)
        if (!is_used(&u, hurl_predicate_find(span_str(name))))
            check_failed("no file of tests/hurl has the predicate %s", name);
    for (size_t i = 0; (name = hurl_option_name(i)); i++)
        if (!is_used(&u, hurl_option_find(span_str(name))))
            check_failed("no file of tests/hurl has the option %s", name);
    for (size_t i = 0; (name = hurl_section_name(i)); i++)
        check_text(buf_view(&all), "\n[", name, "]\n");
    static const char *const FUNCTIONS[] = {"newUuid",        "newDate",        "getEnv",     "randomBool",
                                            "randomInt",      "randomString",   "randomWord", "randomFirstName",
                                            "randomLastName", "randomFullName", "randomEmail"};
    for (size_t i = 0; i < ARRAY_LEN(FUNCTIONS); i++)
        check_text(buf_view(&all), "{{", FUNCTIONS[i], "");
    static const char *const BODIES[] = {"```\n", "```json\n", "```xml\n", "```graphql\n", "base64,",
                                         "hex,",  "file,",     "\n<",      "\n{",          "\n`"};
    for (size_t i = 0; i < ARRAY_LEN(BODIES); i++)
        check_text(buf_view(&all), "", BODIES[i], "");
    buf_done(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_word_of_the_language_is_used_by_a_conformance_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
