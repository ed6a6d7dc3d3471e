/* fuzz_hurl.c - any bytes as a journey: refused with places, or a tree that can be checked. A tree then runs against an exchange
 * made of the same bytes: queries, filters and predicates must end with a value or a reason. */
#include <errno.h>

#include "loadgen/hurl/check.h"
#include "loadgen/hurl/json_text.h"
#include "loadgen/hurl/jsonpath.h"
#include "loadgen/hurl/parse.h"
#include "loadgen/hurl/run.h"
#include "loadgen/hurl/set_cookie.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void run_entries(struct hurl_file *f, struct span bytes)
{
    struct arena keep, scratch;
    arena_init(&keep, 16 << 20);
    arena_init(&scratch, 16 << 20);
    struct rng rng;
    rng_seed(&rng, 1);
    struct hurl_value *values = calloc(f->n_variables + 1, sizeof *values);
    if (!values)
        abort();
    for (size_t i = 0; i < f->n_variables; i++)
        values[i] = i % 2 ? hurl_value_int((int64_t)i) : hurl_value_text(SPAN("a"));
    struct hurl_scope s = {.file = f, .values = values, .keep = &keep, .scratch = &scratch, .rng = &rng};
    for (size_t i = 0; i < f->n_entries; i++) {
        struct hurl_failure why = {0};
        struct hurl_exchange x = {
            .status = 200, .version = 11, .url = SPAN("http://x/"), .headers = bytes, .body = bytes};
        struct buf out;
        buf_init(&out, 1 << 20);
        int r = hurl_render(&s, &f->entries[i].request.url, &out, &why);
        if (r < 0 && r != -EINVAL && r != -ENOMEM && r != -ENOSPC)
            abort();
        buf_done(&out);
        r = hurl_verify(&s, &f->entries[i], &x, &why);
        if (r == -EINVAL && !why.text[0])
            abort();
        hurl_exchange_done(&x);
        arena_reset(&scratch);
    }
    free(values);
    arena_done(&keep);
    arena_done(&scratch);
}

static void check_path_and_cookie(struct span bytes)
{
    struct arena a;
    arena_init(&a, 16 << 20);
    const struct jsonpath *path;
    struct jsonpath_result found;
    struct span root;
    struct set_cookie cookie;
    char why[192];
    size_t half = span_find(bytes, '\n');
    if (jsonpath_compile(&a, span_of(bytes.ptr, half), &path, why, sizeof why) == 0 &&
        json_text_check(span_from(bytes, half + 1), &root, why, sizeof why) == 0 &&
        jsonpath_eval(path, root, &a, &found) == 0)
        for (size_t i = 0; i < found.n; i++)
            if (found.values[i].ptr < root.ptr || found.values[i].ptr + found.values[i].len > root.ptr + root.len)
                abort();
    if (set_cookie_parse(bytes, &cookie) == 0 && cookie.name.len + cookie.value.len == 0)
        abort();
    arena_done(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct span text = span_of((const char *)data, n);
    struct problems ps;
    problems_init(&ps);
    struct hurl_file *f = NULL;
    int r = hurl_parse("fuzz.hurl", text, &f, &ps);
    if (r == -EINVAL && problems_errors(&ps) == 0)
        abort();
    if (r == 0) {
        if (hurl_check(f, &ps) == 0) {
            struct span last = span_from(text, n - n / 4);
            run_entries(f, last);
        }
        hurl_file_free(f);
    }
    problems_done(&ps);
    check_path_and_cookie(text);
    return 0;
}
