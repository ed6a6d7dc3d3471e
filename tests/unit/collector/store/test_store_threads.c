/* Senders, readers and sealing at once; with MODE=tsan this is where races show. Every reader checks that what it sees is
 * whole commits, that it sees the same twice, and that time only moves forward. */
#include "tests/unit/collector/store/histogram_test.h"

#include <stdatomic.h>

#include "collector/store/store_inside.h"
#include "lib/base/clock.h"

enum { SENDERS = 4, READERS = 4, PER_REQUEST = 50 };

struct shared {
    struct store *s;
    atomic_bool stop;
    atomic_uint failures, reads;
    _Atomic int64_t acknowledged[SENDERS]; /* last time of each */
};
struct worker {
    struct shared *shared;
    unsigned number;
};

static void send_requests(void *arg)
{
    struct worker *me = arg;
    struct shared *sh = me->shared;
    for (int64_t t = 1; !atomic_load(&sh->stop); t++) {
        struct write_request *w = request_new();
        for (unsigned i = 0; i < PER_REQUEST; i++) {
            char text[64]; /* new series come all the time */
            (void)snprintf(text, sizeof text, "m%u|i=%u|age=%u", me->number, i, i == 0 ? (unsigned)(t / 20) : 0);
            int64_t at = i == 1 && t % 5 == 0 ? -t : t;
            if (i % 4 == 3) { /* a fourth are native histograms */
                struct native_histogram *h = arena_alloc(&w->arena, sizeof *h);
                h->sum = (double)t;
                h->count = h->zero_count = (double)t;
                request_add_histogram(w, text, at, h);
            } else {
                request_add(w, text, at, (double)t);
            }
            if (i == 2) {
                struct write_series *ws = &w->series[w->n_series - 1];
                ws->exemplars = arena_alloc(&w->arena, sizeof *ws->exemplars);
                ws->exemplars[ws->n_exemplars++] = (struct exemplar){.t_ms = t, .has_time = true, .value = (double)t};
            }
        }
        struct store_written written;
        int r = store_write(sh->s, w, &written);
        if (r == -EAGAIN)
            write_request_free(w);
        if (r < 0 || written.error || written.samples + written.histograms != PER_REQUEST || written.exemplars != 1)
            atomic_fetch_add(&sh->failures, 1);
        atomic_store(&sh->acknowledged[me->number], t);
    }
}

/* Ascending without a gap, however many are kept. */
static bool sees_exemplars(struct store_reader *rd, unsigned sender, struct arena *a)
{
    struct matcher m;
    struct parse_error error;
    struct store_exemplars *list;
    size_t n;
    char name[16];
    (void)snprintf(name, sizeof name, "m%u", sender);
    check_ok(matcher_init(&m, MATCH_EQUAL, SPAN("__name__"), span_str(name), &error));
    const struct store_selection selection = {.matchers = &m, .n_matchers = 1, ALL_TIME};
    bool good = store_exemplars(rd, &selection, a, &list, &n) == 0 && n <= 1;
    for (size_t i = 1; good && n && i < list->n; i++)
        good = list->exemplars[i].t_ms == list->exemplars[i - 1].t_ms + 1;
    matcher_done(&m);
    return good;
}

/* All series 2.. of a sender carry the same times: one request is one commit. */
static bool reader_sees_whole_commits(struct shared *sh, unsigned sender)
{
    int64_t acknowledged = atomic_load(&sh->acknowledged[sender]);
    struct store_reader *rd;
    struct arena a;
    struct store_series *series;
    struct sample_columns c;
    size_t n;
    char select[64];
    (void)snprintf(select, sizeof select, "__name__=m%u;age=0;i=~[2-9]|1.", sender);
    arena_init(&a, 64u << 20);
    sample_columns_init(&c);
    check_ok(store_reader_open(sh->s, &rd));
    bool good = select_text(rd, select, 0, &a, &series, &n) == 0 && (n == 0 || n == 18);
    int64_t newest = 0;
    size_t histograms = 0;
    for (int round = 0; good && round < 2; round++) {
        for (size_t i = 0; good && i < n; i++) {
            good = store_read(rd, series[i].id, INT64_MIN, INT64_MAX, &c) == 0;
            newest = newest ? newest : (int64_t)c.n;
            good = good && (int64_t)c.n == newest && newest >= acknowledged;
            for (size_t k = 0; good && k < c.n; k++)
                good = c.t_ms[k] == (int64_t)k + 1 && c.value[k] == (double)k + 1 &&
                       (!c.histograms || !c.histograms[k] || c.histograms[k]->count == c.value[k]);
            histograms += c.histograms != NULL;
        }
    }
    good = good && (n == 0 || histograms == 2 * 5) && sees_exemplars(rd, sender, &a); /* 3, 7, 11, 15, 19 */
    store_reader_close(rd);
    sample_columns_done(&c);
    arena_done(&a);
    return good;
}

static void read_for_ever(void *arg)
{
    struct worker *me = arg;
    struct shared *sh = me->shared;
    struct buf text;
    buf_init(&text, 1 << 20);
    for (unsigned i = me->number; !atomic_load(&sh->stop); i++) {
        if (!reader_sees_whole_commits(sh, i % SENDERS))
            atomic_fetch_add(&sh->failures, 1);
        struct metric_writer w;
        buf_clear(&text);
        metric_writer_init(&w, &text, METRIC_TEXT);
        store_stats(sh->s, &w);
        atomic_fetch_add(&sh->reads, 1);
    }
    buf_done(&text);
}

static void readers_and_senders_and_seals_live_together(void **state)
{
    struct store_fixture *f = *state;
    static struct shared sh;
    sh.s = f->s;
    struct worker senders[SENDERS], readers[READERS];
    struct thread *threads[SENDERS + READERS];
    for (unsigned i = 0; i < SENDERS; i++) {
        senders[i] = (struct worker){&sh, i};
        check_ok(thread_start("sender", send_requests, &senders[i], &threads[i]));
    }
    for (unsigned i = 0; i < READERS; i++) {
        readers[i] = (struct worker){&sh, i};
        check_ok(thread_start("reader", read_for_ever, &readers[i], &threads[SENDERS + i]));
    }
    for (int64_t until = mono_us() + 2000000; mono_us() < until;) {
        sleep_us(50000);
        check_ok(store_seal(f->s));
    }
    atomic_store(&sh.stop, true);
    for (size_t i = 0; i < SENDERS + READERS; i++)
        thread_join(threads[i]);
    assert_int_equal(atomic_load(&sh.failures), 0);
    assert_true(atomic_load(&sh.reads) > 10);
    for (unsigned i = 0; i < SENDERS; i++) {
        assert_true(reader_sees_whole_commits(&sh, i));
        print_message("sender %u: %lld requests\n", i, (long long)atomic_load(&sh.acknowledged[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(readers_and_senders_and_seals_live_together, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("collector/store threads", tests, NULL, NULL);
}
