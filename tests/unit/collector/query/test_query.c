#include "tests/support/check.h"

#include <errno.h>
#include <pthread.h>

#include "collector/query/query.h"
#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/base/thread.h"

/* ---- a store, an engine, and what came back ---- */

static struct store *open_store(size_t n_samples)
{
    char why[256] = "";
    struct store *s;
    if (store_open(&(struct store_config){.future_ms_max = -1}, &s, why, sizeof why) < 0)
        check_failed("no store: %s", why);
    struct write_request *w = write_request_new(64u << 20);
    assert_non_null(w);
    w->series = arena_array(&w->arena, 1, sizeof *w->series);
    w->n_series = 1;
    struct label_builder b;
    label_builder_init(&b, &w->arena);
    label_builder_set(&b, SPAN("__name__"), SPAN("m"));
    check_ok(label_builder_finish(&b, &w->series[0].labels));
    w->series[0].samples = arena_array(&w->arena, n_samples, sizeof *w->series[0].samples);
    for (size_t i = 0; i < n_samples; i++)
        w->series[0].samples[w->series[0].n_samples++] = (struct sample){.t_ms = (int64_t)i * 1000, .value = (double)i};
    struct store_written written;
    check_ok(store_write(s, w, &written));
    return s;
}

static struct query_engine *open_engine(struct store *s, unsigned workers)
{
    struct query_engine *q;
    check_ok(query_local_new(s, &(struct query_limits){.workers = workers}, &q));
    return q;
}

struct inbox { /* what done callbacks brought, in their order */
    pthread_mutex_t lock;
    pthread_cond_t came;
    struct outcome {
        enum promql_error_kind kind;
        double value;
        int tag;
    } list[QUERY_QUEUE_MAX + 10];
    size_t n;
    bool open; /* the gate of block_worker */
    size_t blocked;
};

static void inbox_init(struct inbox *in)
{
    memset(in, 0, sizeof *in);
    pthread_mutex_init(&in->lock, NULL);
    pthread_cond_init(&in->came, NULL);
}

struct ticket {
    struct inbox *inbox;
    int tag;
    const atomic_bool *gone; /* NULL: who asks stays */
};

static bool is_gone(void *ctx)
{
    const struct ticket *t = ctx;
    return t->gone && atomic_load(t->gone);
}

static void keep(void *ctx, struct promql_result *res, const struct promql_error *error)
{
    struct ticket *t = ctx;
    struct inbox *in = t->inbox;
    pthread_mutex_lock(&in->lock);
    in->list[in->n++] = (struct outcome){.kind = error ? error->kind : PROMQL_OK,
                                         .value = res && res->n_series ? res->series[0].values[0] : -1,
                                         .tag = t->tag};
    pthread_cond_broadcast(&in->came);
    pthread_mutex_unlock(&in->lock);
    promql_result_free(res);
    free(t);
}

static void wait_for(struct inbox *in, size_t n)
{
    pthread_mutex_lock(&in->lock);
    while (in->n < n)
        pthread_cond_wait(&in->came, &in->lock);
    pthread_mutex_unlock(&in->lock);
}

/* Holds a worker until the gate opens. */
static void hold(void *ctx, bool cancelled)
{
    (void)cancelled;
    struct inbox *in = ctx;
    pthread_mutex_lock(&in->lock);
    in->blocked++;
    pthread_cond_broadcast(&in->came);
    while (!in->open)
        pthread_cond_wait(&in->came, &in->lock);
    pthread_mutex_unlock(&in->lock);
}

static void block_worker(struct query_engine *q, struct inbox *in)
{
    check_ok(query_submit_work(q, SPAN("blocker"), hold, in));
    pthread_mutex_lock(&in->lock);
    while (in->blocked == 0)
        pthread_cond_wait(&in->came, &in->lock);
    pthread_mutex_unlock(&in->lock);
}

static void open_gate(struct inbox *in)
{
    pthread_mutex_lock(&in->lock);
    in->open = true;
    pthread_cond_broadcast(&in->came);
    pthread_mutex_unlock(&in->lock);
}

static int submit(struct query_engine *q, struct inbox *in, const char *text, const char *origin, int tag,
                  const atomic_bool *gone)
{
    struct ticket *t = malloc(sizeof *t);
    assert_non_null(t);
    *t = (struct ticket){in, tag, gone};
    struct query_request request = {
        .text = span_str(text), .start_ms = 5000, .end_ms = 5000, .origin = span_str(origin), .is_gone = is_gone};
    int r = query_submit(q, &request, keep, t);
    if (r < 0)
        free(t);
    return r;
}

/* Hours of work: every step of the outer window looks at every sample of the inner ones. */
#define HOSTILE                                                                                                        \
    "quantile_over_time(0.5, quantile_over_time(0.5, m[10000s:1s])[10000s:1s])" /* sorts 10^4 windows of 10^4 */

/* ---- tests ---- */

static void a_blocking_query_answers_or_says_why_not(void **state)
{
    (void)state;
    struct store *s = open_store(10);
    struct query_engine *q = open_engine(s, 1);
    struct promql_result *res = NULL;
    struct promql_error error;
    struct query_request request = {.text = SPAN("m * 2"), .start_ms = 5000, .end_ms = 5000};
    check_ok(query_run(q, &request, &res, &error));
    check_double_bits(res->series[0].values[0], 10);
    promql_result_free(res);
    request.text = SPAN("m +\n  )");
    check_errno(query_run(q, &request, &res, &error), -EINVAL);
    assert_int_equal(error.kind, PROMQL_BAD_DATA);
    assert_string_equal(error.text, "2:3: parse error: unexpected right parenthesis ')'");
    assert_int_equal(error.line, 2);
    assert_int_equal(error.column, 3);
    request.text = SPAN("label_replace(m, \"a\", \"\", \"b\", \"(\")");
    assert_true(query_run(q, &request, &res, &error) < 0);
    assert_int_equal(error.kind, PROMQL_EXECUTION);
    assert_ptr_equal(query_store(q), s);
    struct query_engine *remote = NULL;
    check_errno(query_remote_new("http://127.0.0.1:1", NULL, &remote), -EOPNOTSUPP);
    query_free(q);
    store_close(s);
}

static void submitted_queries_end_exactly_once_with_their_answers(void **state)
{
    (void)state;
    struct store *s = open_store(10);
    struct query_engine *q = open_engine(s, 2);
    struct inbox *in = malloc(sizeof *in);
    assert_non_null(in);
    inbox_init(in);
    for (int i = 0; i < 100; i++) {
        char text[40];
        snprintf(text, sizeof text, i % 10 == 9 ? "m +" : "m + %d", i);
        check_ok(submit(q, in, text, i % 2 ? "a" : "b", i, NULL));
    }
    wait_for(in, 100);
    bool seen[100] = {false};
    for (size_t i = 0; i < in->n; i++) {
        int tag = in->list[i].tag;
        assert_false(seen[tag]);
        seen[tag] = true;
        assert_int_equal(in->list[i].kind, tag % 10 == 9 ? PROMQL_BAD_DATA : PROMQL_OK);
        if (tag % 10 != 9)
            check_double_bits(in->list[i].value, 5 + tag);
    }
    query_free(q);
    assert_int_equal(in->n, 100);
    free(in);
    store_close(s);
}

static void one_asker_does_not_make_the_others_wait(void **state)
{
    (void)state;
    struct store *s = open_store(10);
    struct query_engine *q = open_engine(s, 1);
    struct inbox *in = malloc(sizeof *in);
    assert_non_null(in);
    inbox_init(in);
    block_worker(q, in);
    for (int i = 0; i < 20; i++)
        check_ok(submit(q, in, "m", "dashboard", i, NULL));
    check_ok(submit(q, in, "m", "somebody else", 100, NULL));
    open_gate(in);
    wait_for(in, 21);
    assert_true(in->list[0].tag == 100 || in->list[1].tag == 100);
    query_free(q);
    free(in);
    store_close(s);
}

static void a_full_queue_refuses_and_counts(void **state)
{
    (void)state;
    struct store *s = open_store(10);
    struct query_engine *q = open_engine(s, 1);
    struct inbox *in = malloc(sizeof *in);
    assert_non_null(in);
    inbox_init(in);
    block_worker(q, in);
    for (int i = 0; i < (int)QUERY_QUEUE_MAX; i++)
        check_ok(submit(q, in, "m", "a", i, NULL));
    check_errno(submit(q, in, "m", "b", 0, NULL), -EAGAIN);
    check_errno(query_submit_work(q, SPAN("b"), hold, in), -EAGAIN);
    struct buf out;
    struct metric_writer w;
    buf_init(&out, 100000);
    metric_writer_init(&w, &out, METRIC_TEXT);
    query_stats(q, &w);
    check_contains(out.data, "crest_queries_refused_total 2\n");
    check_contains(out.data, "crest_queries_waiting 256\n");
    check_contains(out.data, "crest_queries_running 1\n");
    open_gate(in);
    wait_for(in, QUERY_QUEUE_MAX);
    buf_clear(&out);
    query_stats(q, &w);
    check_contains(out.data, "crest_queries_total{outcome=\"ok\"} 256\n");
    check_contains(out.data, "crest_query_duration_seconds_count 256\n");
    buf_done(&out);
    query_free(q);
    free(in);
    store_close(s);
}

static void a_query_whose_asker_left_while_it_waited_is_not_run(void **state)
{
    (void)state;
    struct store *s = open_store(10);
    struct query_engine *q = open_engine(s, 1);
    struct inbox *in = malloc(sizeof *in);
    atomic_bool gone = false;
    assert_non_null(in);
    inbox_init(in);
    block_worker(q, in);
    check_ok(submit(q, in, "m", "a", 1, NULL));
    check_ok(submit(q, in, HOSTILE, "a", 2, &gone));
    atomic_store(&gone, true);
    open_gate(in);
    wait_for(in, 2);
    assert_int_equal(in->list[0].kind, PROMQL_OK);
    assert_int_equal(in->list[1].kind, PROMQL_CANCELED);
    query_free(q);
    free(in);
    store_close(s);
}

static void a_running_query_ends_when_its_asker_leaves_or_its_time_is_up(void **state)
{
    (void)state;
    struct store *s = open_store(10000);
    struct query_engine *q = open_engine(s, 1);
    struct inbox *in = malloc(sizeof *in);
    atomic_bool gone = false;
    assert_non_null(in);
    inbox_init(in);
    struct ticket *t = malloc(sizeof *t);
    assert_non_null(t);
    *t = (struct ticket){in, 1, &gone};
    struct query_request request = {
        .text = SPAN(HOSTILE), .start_ms = 10000000, .end_ms = 10000000, .is_gone = is_gone};
    check_ok(query_submit(q, &request, keep, t));
    sleep_us(50000);
    atomic_store(&gone, true);
    wait_for(in, 1);
    assert_int_equal(in->list[0].kind, PROMQL_CANCELED);
    struct promql_result *res;
    struct promql_error error;
    request.timeout_ms = 50;
    request.is_gone = NULL;
    int64_t started = mono_us();
    check_errno(query_run(q, &request, &res, &error), -ECANCELED);
    assert_int_equal(error.kind, PROMQL_TIMEOUT);
    assert_true(mono_us() - started < 3000000 * (int64_t)check_patience());
    query_free(q);
    free(in);
    store_close(s);
}

static void a_query_that_waited_too_long_times_out_in_the_queue(void **state)
{
    (void)state;
    struct store *s = open_store(10);
    struct query_engine *q = open_engine(s, 1);
    struct inbox *in = malloc(sizeof *in);
    assert_non_null(in);
    inbox_init(in);
    block_worker(q, in);
    struct ticket *t = malloc(sizeof *t);
    assert_non_null(t);
    *t = (struct ticket){in, 1};
    struct query_request request = {.text = SPAN("m"), .timeout_ms = 1};
    check_ok(query_submit(q, &request, keep, t));
    sleep_us(5000);
    open_gate(in);
    wait_for(in, 1);
    assert_int_equal(in->list[0].kind, PROMQL_TIMEOUT);
    query_free(q);
    free(in);
    store_close(s);
}

static void count_work(void *ctx, bool cancelled)
{
    atomic_int *counts = ctx;
    atomic_fetch_add(&counts[cancelled], 1);
}

static void stopping_ends_what_runs_and_what_waits(void **state)
{
    (void)state;
    struct store *s = open_store(10000);
    struct query_engine *q = open_engine(s, 1);
    struct inbox *in = malloc(sizeof *in);
    assert_non_null(in);
    inbox_init(in);
    struct ticket *t = malloc(sizeof *t);
    assert_non_null(t);
    *t = (struct ticket){in, 0};
    struct query_request request = {.text = SPAN(HOSTILE), .start_ms = 10000000, .end_ms = 10000000};
    check_ok(query_submit(q, &request, keep, t));
    sleep_us(20000);
    for (int i = 1; i < 5; i++)
        check_ok(submit(q, in, "m", "a", i, NULL));
    atomic_int counts[2] = {0, 0};
    check_ok(query_submit_work(q, SPAN("b"), count_work, counts));
    query_free(q);
    assert_int_equal(in->n, 5);
    for (size_t i = 0; i < in->n; i++)
        assert_int_equal(in->list[i].kind, PROMQL_CANCELED);
    assert_int_equal(counts[0], 0);
    assert_int_equal(counts[1], 1);
    free(in);
    store_close(s);
}

struct asker {
    struct query_engine *engine;
    struct inbox *inbox;
    int tag;
};

static void ask_many(void *arg)
{
    struct asker *a = arg;
    for (int i = 0; i < 50; i++)
        while (submit(a->engine, a->inbox, i % 2 ? "sum(m)" : "max_over_time(m[5s])", a->tag % 2 ? "x" : "y", i,
                      NULL) == -EAGAIN)
            sleep_us(100);
}

static void many_askers_at_once_all_get_their_answers(void **state)
{
    (void)state;
    struct store *s = open_store(100);
    struct query_engine *q = open_engine(s, 3);
    struct inbox *in = malloc(sizeof *in);
    struct thread *threads[4];
    struct asker askers[4];
    assert_non_null(in);
    inbox_init(in);
    for (int i = 0; i < 4; i++) {
        askers[i] = (struct asker){q, in, i};
        check_ok(thread_start("asker", ask_many, &askers[i], &threads[i]));
    }
    for (int i = 0; i < 4; i++)
        thread_join(threads[i]);
    wait_for(in, 200);
    for (size_t i = 0; i < in->n; i++)
        assert_int_equal(in->list[i].kind, PROMQL_OK);
    query_free(q);
    free(in);
    store_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_blocking_query_answers_or_says_why_not),
        cmocka_unit_test(submitted_queries_end_exactly_once_with_their_answers),
        cmocka_unit_test(one_asker_does_not_make_the_others_wait),
        cmocka_unit_test(a_full_queue_refuses_and_counts),
        cmocka_unit_test(a_query_whose_asker_left_while_it_waited_is_not_run),
        cmocka_unit_test(a_running_query_ends_when_its_asker_leaves_or_its_time_is_up),
        cmocka_unit_test(a_query_that_waited_too_long_times_out_in_the_queue),
        cmocka_unit_test(stopping_ends_what_runs_and_what_waits),
        cmocka_unit_test(many_askers_at_once_all_get_their_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
