/* The past of another Prometheus: bit for bit from a real one by remote read, sample for sample from a stub by range selectors, and
 * through everything that a server may do instead of answering. */
#include "tests/unit/collector/store/store_test.h"

#include <stdatomic.h>

#include "collector/store/history.h"
#include "lib/base/clock.h"
#include "lib/base/number.h"
#include "lib/wire/http_client.h"
#include "lib/wire/remote_write.h"
#include "lib/wire/url.h"
#include "tests/support/store_server.h"
#include "tests/support/stub_server.h"
#include "tests/support/write_client.h"

/* ---- a stub: names n_0 … , one series each, a sample every STEP_MS ---- */
#define BEGIN_MS INT64_C(1732233600000)
#define STEP_MS 1000
#define SAMPLES 5000
#define END_MS (BEGIN_MS + (SAMPLES - 1) * STEP_MS)

struct stub {
    struct stub_server *server;
    unsigned names;
    bool closed;             /* ranges have their left side, as before Prometheus 3 */
    int64_t refuses_over_ms; /* ranges longer than that: 422 */
    int64_t hangs_over_ms;   /* no answer */
    int64_t swells_over_ms;  /* an answer over every limit */
    bool histograms;
    const char *names_answer;  /* instead */
    const char *query_answer;  /* instead */
    int query_status;          /* with it */
    bool endless;              /* its body never ends */
    atomic_uint failures_left; /* 503 */
    atomic_uint queries;
    atomic_uint fails_from; /* query number; 0: none */
};

static int64_t number_after(struct span text, const char *word)
{
    size_t at = span_search(text, span_str(word));
    int64_t n = -1;
    struct span rest = span_from(text, at + strlen(word));
    size_t len = 0;
    while (len < rest.len && rest.ptr[len] >= '0' && rest.ptr[len] <= '9')
        len++;
    if (at == text.len || parse_i64_span(span_of(rest.ptr, len), 0, INT64_MAX, &n) < 0)
        return -1;
    return n;
}

static double stub_value(int64_t name, int64_t k)
{
    return (double)(name * 1000003 + k) / 7;
}

static void answer_query(struct stub *s, struct span form, struct stub_page *page)
{
    struct buf text, body;
    buf_init(&text, 1u << 20);
    buf_init(&body, 64u << 20);
    url_decode(&text, form, true);
    struct span all = buf_view(&text);
    int64_t name = number_after(all, "__name__=\"n_"), range_ms = number_after(all, "[");
    size_t at = span_search(all, SPAN("time="));
    struct span rest = span_from(all, at + 5), time;
    double seconds = 0;
    (void)span_cut(&rest, '&', &time);
    check_ok(parse_f64_span(time, &seconds));
    int64_t to_ms = llround(seconds * 1000), from_ms = to_ms - range_ms + !s->closed;
    if (s->refuses_over_ms && range_ms > s->refuses_over_ms) {
        page->status = 422;
        page->owned =
            strdup("{\"status\":\"error\",\"errorType\":\"execution\",\"error\":\"query processing would load too "
                   "many samples into memory in query execution\"}");
    } else if (s->hangs_over_ms && range_ms > s->hangs_over_ms) {
        page->status = -2;
    } else {
        buf_printf(&body,
                   "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[{\"metric\":{"
                   "\"__name__\":\"n_%lld\",\"job\":\"a\"},\"values\":[",
                   (long long)name);
        int64_t k = from_ms <= BEGIN_MS ? 0 : (from_ms - BEGIN_MS + STEP_MS - 1) / STEP_MS;
        for (int64_t first = k; k < SAMPLES && BEGIN_MS + k * STEP_MS <= to_ms; k++) {
            char stamp[NUMBER_TEXT_MAX], value[NUMBER_TEXT_MAX];
            (void)format_seconds_ms(stamp, BEGIN_MS + k * STEP_MS);
            (void)format_f64(value, stub_value(name, k));
            buf_printf(&body, "%s[%s,\"%s\"]", k == first ? "" : ",", stamp, value);
        }
        buf_str(&body, "]");
        if (s->histograms)
            buf_printf(&body, ",\"histograms\":[[%lld,{\"count\":\"1\",\"sum\":\"1\",\"buckets\":[]}]]",
                       (long long)(to_ms / 1000));
        buf_str(&body, "}]}}");
        if (s->swells_over_ms && range_ms > s->swells_over_ms)
            while (body.len < (5u << 20))
                buf_str(&body, "                                                                ");
        page->owned = buf_take(&body, NULL);
    }
    buf_done(&text);
    buf_done(&body);
}

static void on_request(void *ctx, const struct stub_request *request, struct stub_page *page)
{
    struct stub *s = ctx;
    page->content_type = "application/json";
    if (span_starts(request->path, SPAN("/api/v1/label/__name__/values"))) {
        struct buf body;
        buf_init(&body, 1u << 20);
        buf_str(&body, "{\"status\":\"success\",\"data\":[");
        for (unsigned i = 0; i < s->names; i++)
            buf_printf(&body, "%s\"n_%u\"", i ? "," : "", i);
        buf_str(&body, "]}");
        page->owned = s->names_answer ? strdup(s->names_answer) : buf_take(&body, NULL);
        page->open_ended = s->endless && s->names_answer;
        buf_done(&body);
    } else if (span_equal(request->path, SPAN("/api/v1/query"))) {
        unsigned n = atomic_fetch_add(&s->queries, 1) + 1, left = atomic_load(&s->failures_left);
        if (atomic_load(&s->fails_from) && n >= atomic_load(&s->fails_from)) {
            page->status = 500;
        } else if (left) {
            atomic_store(&s->failures_left, left - 1);
            page->status = 503;
        } else if (s->query_answer) {
            page->status = s->query_status;
            page->owned = strdup(s->query_answer);
            page->open_ended = s->endless;
        } else {
            answer_query(s, request->body, page);
        }
    } else {
        page->status = 404; /* no remote read, no metadata */
        page->body = "404 page not found";
    }
}

struct attempt {
    struct history h;
    int r;
    char why[512];
};

static struct attempt import_from(const struct store_fixture *f, const char *url, int64_t from_ms, int64_t to_ms)
{
    struct attempt a = {.h = {.store = f->s,
                              .dir = f->folder,
                              .url = url,
                              .from_ms = from_ms,
                              .to_ms = to_ms,
                              .timeout_ms = 20000,
                              .retry_ms = 60000}};
    a.r = history_import(&a.h, a.why, sizeof a.why);
    return a;
}

static struct stub_server *start(struct stub *s)
{
    check_ok(stub_server_start(0, on_request, s, &s->server));
    return s->server;
}

static void check_name(struct store *s, unsigned name, int64_t from_ms, int64_t to_ms)
{
    static struct sample want[SAMPLES];
    char text[64];
    size_t n = 0;
    (void)snprintf(text, sizeof text, "n_%u|job=a", name);
    for (int64_t k = 0; k < SAMPLES; k++)
        if (BEGIN_MS + k * STEP_MS >= from_ms && BEGIN_MS + k * STEP_MS <= to_ms)
            want[n++] = (struct sample){.t_ms = BEGIN_MS + k * STEP_MS, .value = stub_value(name, k)};
    check_samples(s, text, want, n);
}

static size_t progress_files(const struct store_fixture *f)
{
    char pattern[600];
    struct file_list files;
    (void)snprintf(pattern, sizeof pattern, "%s/import-*.progress", f->folder);
    check_ok(file_glob(pattern, &files));
    size_t n = files.n;
    file_list_done(&files);
    return n;
}

static void range_selectors_bring_every_sample_once_whichever_side_is_open(void **state)
{
    struct store_fixture *f = *state;
    for (int closed = 0; closed < 2; closed++) {
        struct stub s = {.names = 3, .closed = closed, .refuses_over_ms = 700000, .histograms = true};
        int64_t from_ms = BEGIN_MS + 17 * STEP_MS, to_ms = END_MS - 3 * STEP_MS;
        struct attempt a = import_from(f, stub_server_url(start(&s)), from_ms, to_ms);
        if (a.r < 0)
            check_failed("%s", a.why);
        assert_false(a.h.by_remote_read);
        assert_int_equal(a.h.names_done, 3);
        assert_int_equal(a.h.series, 3);
        assert_int_equal(a.h.refused, 0);
        assert_int_equal(a.h.samples, 3 * (SAMPLES - 20)); /* nothing twice, nothing from outside */
        assert_true(a.h.skipped_histograms >= 3);          /* told, not lost silently */
        for (unsigned name = 0; name < 3; name++)
            check_name(f->s, name, from_ms, to_ms);
        assert_int_equal(progress_files(f), 0);
        stub_server_stop(s.server);
    }
}

static void windows_shrink_until_the_server_answers(void **state)
{
    struct store_fixture *f = *state;
    static const char *const WHAT[] = {"refuses", "swells", "hangs"};
    for (size_t i = 0; i < ARRAY_LEN(WHAT); i++) {
        struct stub s = {.names = 1};
        *(i == 0 ? &s.refuses_over_ms : i == 1 ? &s.swells_over_ms : &s.hangs_over_ms) = 1000000;
        struct attempt a = {.h = {.store = f->s,
                                  .dir = f->folder,
                                  .url = stub_server_url(start(&s)),
                                  .from_ms = BEGIN_MS,
                                  .to_ms = END_MS,
                                  .timeout_ms = i == 2 ? 700 : 20000,
                                  .retry_ms = 600000}};
        a.r = history_import(&a.h, a.why, sizeof a.why);
        if (a.r < 0)
            check_failed("%s: %s", WHAT[i], a.why);
        assert_int_equal(a.h.samples, SAMPLES);
        check_name(f->s, 0, BEGIN_MS, END_MS);
        stub_server_stop(s.server);
    }
}

static void one_instant_that_is_too_large_leaves_the_name_out_and_the_rest_comes(void **state)
{
    struct store_fixture *f = *state;
    struct stub s = {.names = 2, .query_status = 422, .query_answer = "{\"status\":\"error\",\"error\":\"too many\"}"};
    struct attempt a = import_from(f, stub_server_url(start(&s)), BEGIN_MS, END_MS);
    check_ok(a.r);
    assert_int_equal(a.h.skipped_names, 2);
    check_contains(a.h.skip, "too many");
    stub_server_stop(s.server);
}

static void a_server_that_fails_for_a_moment_is_asked_again(void **state)
{
    struct store_fixture *f = *state;
    struct stub s = {.names = 2};
    atomic_store(&s.failures_left, 3);
    struct attempt a = import_from(f, stub_server_url(start(&s)), BEGIN_MS, END_MS);
    if (a.r < 0)
        check_failed("%s", a.why);
    assert_int_equal(a.h.samples, 2 * SAMPLES);
    stub_server_stop(s.server);
}

static void what_is_no_answer_of_prometheus_ends_it_with_words(void **state)
{
    struct store_fixture *f = *state;
    static const struct {
        struct stub stub;
        const char *words;
    } CASES[] = {
        {{.names_answer = "<html>login</html>"}, "not of Prometheus's API"},
        {{.names_answer = "{\"status\":\"success\",\"data\":{}}"}, "no list of names"},
        {{.names_answer = "{\"status\":\"success\"}"}, "no data"},
        {{.names_answer = "[", .endless = true}, "within 300ms"},
        {{.names = 1, .query_answer = "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[]}}"},
         "no matrix"},
        {{.names = 1,
          .query_answer = "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[{\"metric\":"
                          "{\"__name__\":\"n_0\"},\"values\":[[1732233600,1]]}]}}"},
         "no matrix"},
        {{.names = 1, .query_answer = "{\"status\":\"succ"}, "not of Prometheus's API"},
        {{.names = 1, .query_answer = "{", .endless = true}, "within 300ms"},
        {{.names = 1, .query_answer = "bad", .query_status = 400}, "HTTP 400: bad"},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct stub s = CASES[i].stub;
        struct attempt a = {.h = {.store = f->s,
                                  .dir = f->folder,
                                  .url = stub_server_url(start(&s)),
                                  .from_ms = BEGIN_MS,
                                  .to_ms = END_MS,
                                  .timeout_ms = CASES[i].stub.endless ? 300 : 20000}};
        a.r = history_import(&a.h, a.why, sizeof a.why);
        if (a.r == 0)
            check_failed("case %zu was taken", i);
        check_contains(a.why, CASES[i].words);
        check_contains(a.why, a.h.url);
        assert_int_equal(a.h.samples, 0);
        stub_server_stop(s.server);
    }
    struct attempt a = import_from(f, "http://127.0.0.1:1", BEGIN_MS, END_MS); /* at once, whatever retry_ms is */
    check_errno(a.r, -ECONNREFUSED);
}

static void it_goes_on_where_it_was_and_asks_nothing_twice(void **state)
{
    struct store_fixture *f = *state;
    struct stub s = {.names = 5, .refuses_over_ms = 700000};
    start(&s);
    struct history h = {.store = f->s,
                        .dir = f->folder,
                        .url = stub_server_url(s.server),
                        .from_ms = BEGIN_MS,
                        .to_ms = END_MS,
                        .to_is_now = true,
                        .timeout_ms = 20000};
    char why[512];
    struct history whole = h;
    uint64_t samples = 0;
    for (unsigned limit = 7;; limit += 7) { /* it breaks off after so many queries, again and again */
        unsigned asked = atomic_load(&s.queries);
        atomic_store(&s.fails_from, asked + 7);
        h = whole;
        h.to_ms += limit; /* the clock goes on; the first one's end stays */
        int r = history_import(&h, why, sizeof why);
        samples += h.samples;
        assert_int_equal(h.resumed, limit > 7);
        assert_int_equal(h.to_ms, END_MS + 7);
        if (r == 0)
            break;
        check_contains(why, "HTTP 500");
        assert_int_equal(progress_files(f), 1);
        if (limit > 500)
            check_failed("it does not come to its end");
    }
    assert_int_equal(h.names_done, 5);
    assert_int_equal(samples, 5 * SAMPLES); /* nothing was asked for twice */
    assert_int_equal(progress_files(f), 0);
    for (unsigned name = 0; name < 5; name++)
        check_name(f->s, name, BEGIN_MS, END_MS);
    stub_server_stop(s.server);
}

static void a_progress_file_that_is_torn_or_a_strangers_costs_time_only(void **state)
{
    struct store_fixture *f = *state;
    static const char *const TEXTS[] = {"", "not ours\n", "crest history import 1 to 17322",
                                        "crest history import 1 to 1732238599000 from x\nnext 0 17",
                                        "crest history import 1 to 1732238599000 from x\ndone 0 00000000000000000001 "
                                        "n_1\nnext 0 9 n_0\nrest of a line\n"};
    for (size_t i = 0; i < ARRAY_LEN(TEXTS); i++) {
        struct stub s = {.names = 2};
        char pattern[600];
        struct file_list files;
        start(&s);
        atomic_store(&s.fails_from, 1);
        struct attempt a = {.h = {.store = f->s,
                                  .dir = f->folder,
                                  .url = stub_server_url(s.server),
                                  .from_ms = BEGIN_MS,
                                  .to_ms = END_MS,
                                  .timeout_ms = 20000}};
        assert_true(history_import(&a.h, a.why, sizeof a.why) < 0);
        (void)snprintf(pattern, sizeof pattern, "%s/import-*.progress", f->folder);
        check_ok(file_glob(pattern, &files));
        assert_int_equal(files.n, 1);
        check_ok(file_write(files.paths[0], TEXTS[i], strlen(TEXTS[i])));
        file_list_done(&files);
        atomic_store(&s.fails_from, 0);
        check_ok(history_import(&a.h, a.why, sizeof a.why));
        assert_int_equal(a.h.resumed, i >= 3);
        check_name(f->s, 0, BEGIN_MS, END_MS);
        stub_server_stop(s.server);
    }
}

/* ---- a real one ---- */
enum { REAL_SERIES = 60, REAL_STEPS = 1500 };
#define REAL_STEP_MS 15000

/* A Prometheus leaves fields out that are == 0 when it answers remote read, so -0 comes as 0: then minus_zero is 0. */
static double real_value(unsigned series, unsigned step, double minus_zero)
{
    static const uint64_t ODD[] = {UINT64_C(1) << 63,
                                   1,
                                   STALE_BITS,
                                   NAN_BITS,
                                   UINT64_C(0x7ff8dead00beef00),
                                   UINT64_C(0x7ff0000000000000),
                                   UINT64_C(0xfff0000000000000),
                                   UINT64_C(0x7fefffffffffffff)};
    if (series % 3 == 0 && (series + step) % ARRAY_LEN(ODD) == 0)
        return minus_zero;
    if (series % 3 == 0)
        return f64_from_bits(ODD[(series + step) % ARRAY_LEN(ODD)]);
    return series % 3 == 1 ? (double)(step * series) : sin((double)step / 50) * series;
}

static void real_labels(unsigned series, char text[128])
{
    (void)snprintf(text, 128, "real_%u|instance=host-%u:9100|job=%s", series % 7, series, series % 2 ? "odd" : "even");
}

/* In the order of time: a Prometheus takes nothing old. */
static void fill_real(struct store_server *server, int64_t base_ms)
{
    struct remote_write_encoder *e;
    struct write_client *c = write_client_new(store_server_port(server));
    struct arena a;
    struct buf body;
    char why[256];
    check_ok(remote_write_encoder_new(&e));
    buf_init(&body, 64u << 20);
    arena_init(&a, 1u << 20);
    for (unsigned step = 0; step < REAL_STEPS; step++) {
        for (unsigned i = 0; i < REAL_SERIES; i++) {
            char text[128];
            real_labels(i, text);
            struct labels ls = labels_of(&a, text);
            struct sample sample = {.t_ms = base_ms + (int64_t)step * REAL_STEP_MS + i / 20,
                                    .value = real_value(i, step, -0.0)};
            check_ok(remote_write_add(e, &ls, &sample, 1));
        }
        arena_reset(&a);
        if (step % 20 != 19 && step + 1 < REAL_STEPS)
            continue;
        buf_clear(&body);
        check_ok(remote_write_finish(e, &body));
        int status = write_client_send(c, buf_view(&body), why, sizeof why);
        if (status / 100 != 2)
            check_failed("%d %s", status, why);
    }
    arena_done(&a);
    buf_done(&body);
    remote_write_encoder_free(e);
    write_client_free(c);
}

static void every_bit_of_a_prometheus_comes_in(void **state)
{
    struct store_fixture *f = *state;
    if (!store_server_have(STORE_PROMETHEUS))
        skip();
    struct store_server *server = store_server_start(STORE_PROMETHEUS, 0);
    int64_t base_ms = unix_ms() - (int64_t)REAL_STEPS * REAL_STEP_MS;
    char url[64], why[512];
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/", store_server_port(server));
    fill_real(server, base_ms);
    struct matcher matchers[2];
    struct parse_error error;
    check_ok(matcher_init(&matchers[0], MATCH_EQUAL, SPAN("job"), SPAN("odd"), &error));
    check_ok(matcher_init(&matchers[1], MATCH_NOT_REGEX, SPAN("instance"), SPAN("host-(1|2)[0-9]:9100"), &error));
    const struct store_selection some = {.matchers = matchers, .n_matchers = 2, ALL_TIME};
    struct history h = {.store = f->s,
                        .dir = f->folder,
                        .url = url,
                        .selections = &some,
                        .n_selections = 1,
                        .from_ms = base_ms + 100 * REAL_STEP_MS,
                        .to_ms = base_ms + 1000 * REAL_STEP_MS,
                        .timeout_ms = 60000,
                        .retry_ms = 60000};
    for (int all = 0; all < 2; all++) {
        if (history_import(&h, why, sizeof why) < 0)
            check_failed("%s", why);
        assert_true(h.by_remote_read);
        assert_int_equal(h.refused, 0);
        struct sample want[REAL_STEPS];
        for (unsigned i = 0; i < REAL_SERIES; i++) {
            char text[128];
            size_t n = 0;
            real_labels(i, text);
            for (unsigned step = 0; step < REAL_STEPS && (all || (i % 2 && (i < 10 || i >= 30))); step++) {
                int64_t t = base_ms + (int64_t)step * REAL_STEP_MS + i / 20;
                if (t >= h.from_ms && t <= h.to_ms)
                    want[n++] = (struct sample){.t_ms = t, .value = real_value(i, step, 0)};
            }
            check_samples(f->s, text, want, n);
        }
        if (!all) {
            h = (struct history){.store = f->s,
                                 .dir = f->folder,
                                 .url = url,
                                 .from_ms = base_ms,
                                 .to_ms = unix_ms(),
                                 .timeout_ms = 60000,
                                 .retry_ms = 60000};
        }
    }
    assert_int_equal(h.samples, (uint64_t)REAL_SERIES * REAL_STEPS);
    assert_int_equal(h.series, REAL_SERIES);
    assert_int_equal(h.names, 7);
    matcher_done(&matchers[0]);
    matcher_done(&matchers[1]);
    (void)store_server_stop(server);
    store_server_remove(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(range_selectors_bring_every_sample_once_whichever_side_is_open, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(windows_shrink_until_the_server_answers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_instant_that_is_too_large_leaves_the_name_out_and_the_rest_comes, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_server_that_fails_for_a_moment_is_asked_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_answer_of_prometheus_ends_it_with_words, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_goes_on_where_it_was_and_asks_nothing_twice, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_progress_file_that_is_torn_or_a_strangers_costs_time_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_bit_of_a_prometheus_comes_in, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
