/* sample.h - samples of recordings and what has to come of them; UPDATE_SAMPLES=1 writes the expected files anew. */
#pragma once

#include "tests/support/check.h"

#include "lib/base/file.h"
#include "loadgen/hurl/check.h"
#include "loadgen/hurl/parse.h"
#include "loadgen/import/journey.h"

#define SAMPLES "tests/unit/loadgen/import/samples/"

static inline char *sample(const char *name, size_t *ret_n)
{
    char path[512], *text = NULL;
    snprintf(path, sizeof path, SAMPLES "%s", name);
    check_ok(file_read(path, 1 << 24, &text, ret_n));
    return text;
}

/* The draft's text, which parses and passes the check. */
static inline char *printed(const struct journey_draft *d)
{
    struct buf out;
    struct problems ps;
    struct hurl_file *f = NULL;
    problems_init(&ps);
    buf_init(&out, 1 << 24);
    check_ok(journey_print(d, &out));
    if (hurl_parse("printed", buf_view(&out), &f, &ps) < 0 || hurl_check(f, &ps) < 0) {
        problems_print(&ps, stderr);
        check_failed("what was printed is no journey:\n%s", out.data);
    }
    hurl_file_free(f);
    problems_done(&ps);
    return buf_take(&out, NULL);
}

static inline void check_sample(const char *actual, const char *name)
{
    char path[512];
    size_t n;
    snprintf(path, sizeof path, SAMPLES "%s", name);
    if (getenv("UPDATE_SAMPLES"))
        check_ok(file_write(path, actual, strlen(actual)));
    char *expected = sample(name, &n);
    assert_string_equal(actual, expected);
    free(expected);
}

/* All problems, "warning: words\n" each. */
static inline char *words_of(const struct problems *ps)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    for (size_t i = 0; i < ps->n; i++)
        buf_printf(&out, "%s: %s\n",
                   ps->list[i].level == PROBLEM_ERROR     ? "error"
                   : ps->list[i].level == PROBLEM_WARNING ? "warning"
                                                          : "notice",
                   ps->list[i].text);
    return buf_take(&out, NULL);
}
