/* Annotations: kept in order of time, validated, trimmed in what is shown, there again after a restart. */
#include "tests/support/check.h"

#include <errno.h>
#include <semaphore.h>

#include "collector/event/annotations.h"
#include "lib/base/file.h"

static struct state *open_state(const char *dir)
{
    const struct state_room *const rooms[] = {&ANNOTATIONS_STATE_ROOM};
    struct state *st = NULL;
    char why[256] = "";
    if (state_open(dir, rooms, 1, &st, why, sizeof why) < 0)
        check_failed("%s", why);
    return st;
}

struct added {
    sem_t done;
    int result;
    int64_t id;
};
static void on_added(void *ctx, int result, int64_t id)
{
    struct added *a = ctx;
    a->result = result;
    a->id = id;
    sem_post(&a->done);
}

static int64_t add(struct annotations *a, int64_t t_ms, const char *kind, const char *text)
{
    struct added w = {0};
    sem_init(&w.done, 0, 0);
    struct annotation n = {.t_ms = t_ms, .kind = span_str(kind), .text = span_str(text)};
    check_ok(annotations_add(a, &n, on_added, &w));
    sem_wait(&w.done);
    sem_destroy(&w.done);
    check_ok(w.result);
    return w.id;
}

static void collect(void *ctx, const struct annotation *n)
{
    buf_printf(ctx, "%lld " SPAN_FMT " " SPAN_FMT "\n", (long long)n->t_ms, SPAN_ARG(n->kind), SPAN_ARG(n->text));
}

static void check_list(struct annotations *a, int64_t start_ms, int64_t end_ms, size_t limit, const char *expected)
{
    struct buf out;
    buf_init(&out, 1u << 20);
    check_ok(annotations_each(a, start_ms, end_ms, limit, collect, &out));
    check_span(buf_view(&out), expected);
    buf_done(&out);
}

static void annotations_come_back_in_the_order_of_time_also_after_a_restart(void **state)
{
    (void)state;
    char *dir = NULL;
    struct annotations *a = NULL;
    check_ok(dir_make_temp("annotations-", &dir));
    struct state *st = open_state(dir);
    check_ok(annotations_open(st, &a));
    assert_int_equal(add(a, 3000, "deploy", "v42"), 1);
    add(a, 1000, "note", "early \xe2\x80\xae right to left");
    add(a, 2000, "phase", "between");
    check_list(a, 1000, 2000, 0, "1000 note early \xe2\x80\xae right to left\n2000 phase between\n");
    check_list(a, INT64_MIN, INT64_MAX, 1, "3000 deploy v42\n");
    state_close(st);
    annotations_free(a);
    st = open_state(dir);
    check_ok(annotations_open(st, &a));
    check_list(a, INT64_MIN, INT64_MAX, 0,
               "1000 note early \xe2\x80\xae right to left\n2000 phase between\n3000 deploy v42\n");
    assert_int_equal(add(a, 4000, "note", "later"), 4);
    state_close(st);
    annotations_free(a);
    check_ok(dir_remove(dir));
    free(dir);
}

static void what_is_no_annotation_is_refused_with_words(void **state)
{
    (void)state;
    static char long_text[ANNOTATION_TEXT_MAX + 2];
    memset(long_text, 'x', sizeof long_text - 1);
    const struct {
        struct annotation n;
        const char *words;
    } cases[] = {
        {{.kind = SPAN_INIT("note"), .text = SPAN_INIT("fine")}, NULL},
        {{.kind = SPAN_INIT("note"), .text = SPAN_INIT("")}, "empty"},
        {{.kind = SPAN_INIT("note"), .text = SPAN_INIT(" \n")}, "empty"},
        {{.kind = SPAN_INIT(""), .text = SPAN_INIT("x")}, "kind"},
        {{.kind = SPAN_INIT("Deploy"), .text = SPAN_INIT("x")}, "kind"},
        {{.kind = SPAN_INIT("a<b"), .text = SPAN_INIT("x")}, "kind"},
        {{.kind = SPAN_INIT("note"), .text = SPAN_INIT("\xff\xfe")}, "UTF-8"},
        {{.kind = SPAN_INIT("note"), .text = {long_text, sizeof long_text - 1}}, "longer"},
        {{.kind = SPAN_INIT("note"), .text = SPAN_INIT("x"), .t_ms = -1}, "1970"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *wrong = annotation_wrong(&cases[i].n);
        if (!cases[i].words)
            assert_null(wrong);
        else if (!wrong || !strstr(wrong, cases[i].words))
            check_failed("case %zu: %s instead of %s", i, wrong ? wrong : "no complaint", cases[i].words);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(annotations_come_back_in_the_order_of_time_also_after_a_restart),
        cmocka_unit_test(what_is_no_annotation_is_refused_with_words),
    };
    return cmocka_run_group_tests_name("annotations", tests, NULL, NULL);
}
