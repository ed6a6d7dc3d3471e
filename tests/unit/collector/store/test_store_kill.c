/* kill -9 under ingest and sealing: what was acknowledged is there, and no request is there in part. The test runs itself as
 * the process that dies: `test_store_kill --send FOLDER ACKS BASE`. CREST_KILL_ROUNDS makes it longer. */
#include "tests/unit/collector/store/store_test.h"

#include <fcntl.h>
#include <signal.h>

#include "collector/store/store_inside.h"
#include "lib/base/clock.h"
#include "lib/base/number.h"
#include "lib/base/process.h"

enum { SENDERS = 3, PER_REQUEST = 20, PER_ROUND = 1000000 };

static void name_of(unsigned sender, unsigned i, char text[64])
{
    (void)snprintf(text, 64, "k|sender=%u|i=%u", sender, i);
}
static double value_of(unsigned i, int64_t t)
{
    return (double)(t * 31 + i) / 8;
}

/* ---- the process that dies ---- */
struct sender {
    struct store *s;
    unsigned number;
    int acks;
    int64_t t;
};

static void send_for_ever(void *arg)
{
    struct sender *me = arg;
    for (;; me->t++) {
        struct write_request *w = request_new();
        for (unsigned i = 0; i < PER_REQUEST; i++) {
            char text[64];
            name_of(me->number, i, text);
            request_add(w, text, me->t, value_of(i, me->t));
        }
        struct store_written written;
        if (store_write(me->s, w, &written) < 0 || written.error || written.samples != PER_REQUEST)
            _exit(9);
        char line[64];
        int n = snprintf(line, sizeof line, "%u %lld\n", me->number, (long long)me->t);
        if (write(me->acks, line, (size_t)n) != n)
            _exit(8);
    }
}

static void seal_start(struct store *s, void *ctx)
{
    (void)ctx;
    if (store_seal_start(s) < 0)
        _exit(7);
}

static int send_main(const char *folder, const char *acks, int64_t base)
{
    const struct store_config config = {.path = folder, .future_ms_max = -1, .durability = STORE_FULL};
    struct store *s;
    char why[512];
    if (store_open(&config, &s, why, sizeof why) < 0) {
        fprintf(stderr, "%s\n", why);
        return 6;
    }
    struct sender senders[SENDERS];
    struct thread *threads[SENDERS];
    int fd = open(acks, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    for (unsigned i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){s, i, fd, base};
        if (fd < 0 || thread_start("sender", send_for_ever, &senders[i], &threads[i]) < 0)
            return 5;
    }
    for (;;) { /* so that some die inside a seal: the writer goes on with it between commits */
        sleep_us(20000);
        if (store_call(s, seal_start, NULL) < 0)
            return 4;
    }
}

/* ---- the one that looks ---- */
static void read_acks(const char *path, int64_t last[SENDERS])
{
    char *text, *at;
    size_t n;
    check_ok(file_read(path, 64u << 20, &text, &n));
    at = text;
    for (char *end; (end = strchr(at, '\n')) != NULL; at = end + 1) {
        char *rest;
        unsigned long sender = strtoul(at, &rest, 10);
        assert_in_range(sender, 0, SENDERS - 1);
        last[sender] = strtoll(rest, NULL, 10);
    }
    free(text);
}

static void check_sender(struct store *s, unsigned sender, int64_t base, int64_t last)
{
    size_t counts[PER_REQUEST];
    struct store_reader *rd;
    struct sample_columns c;
    sample_columns_init(&c);
    check_ok(store_reader_open(s, &rd));
    for (unsigned i = 0; i < PER_REQUEST; i++) {
        char text[64];
        name_of(sender, i, text);
        read_in(rd, text, base, base + PER_ROUND - 1, &c);
        counts[i] = c.n;
        for (size_t k = 0; k < c.n; k++) {
            assert_int_equal(c.t_ms[k], base + (int64_t)k); /* none is missing */
            check_double_bits(c.value[k], value_of(i, c.t_ms[k]));
        }
        assert_int_equal(c.n, counts[0]); /* a request is there as a whole or not at all */
    }
    /* All acknowledged ones, and at most the one that was on its way. */
    assert_in_range((int64_t)counts[0], last - base + 1, last - base + 2);
    store_reader_close(rd);
    sample_columns_done(&c);
}

static void acknowledged_samples_survive_kill_9(void **state)
{
    struct store_fixture *f = *state;
    shut(f);
    struct check_random r = check_random_new("acknowledged_samples_survive_kill_9");
    uint64_t rounds = 5;
    const char *wanted = getenv("CREST_KILL_ROUNDS");
    if (wanted)
        check_ok(parse_u64(wanted, 100000, &rounds));
    int64_t total = 0;
    for (uint64_t round = 0; round < rounds; round++) {
        char acks[512], base_text[32];
        int64_t base = (int64_t)(round + 1) * PER_ROUND, last[SENDERS] = {base - 1, base - 1, base - 1};
        (void)snprintf(acks, sizeof acks, "%s/acks-%llu", f->folder, (unsigned long long)round);
        (void)snprintf(base_text, sizeof base_text, "%lld", (long long)base);
        const char *argv[] = {"/proc/self/exe", "--send", f->folder, acks, base_text, NULL};
        struct process *p;
        check_ok(process_start(argv, &(struct process_options){0}, &p));
        for (int i = 0; i < 10000 && access(acks, F_OK) < 0; i++)
            sleep_us(1000);
        sleep_us(20000 + (int64_t)check_random_below(&r, 200000));
        assert_true(process_running(p));
        check_ok(process_signal(p, SIGKILL));
        int status;
        check_ok(process_wait(p, 10000, &status));
        process_free(p);
        read_acks(acks, last);
        open_again(f);
        for (unsigned sender = 0; sender < SENDERS; sender++) {
            check_sender(f->s, sender, base, last[sender]);
            total += last[sender] - base + 1;
        }
        shut(f);
    }
    print_message("%lld acknowledged requests of %d samples in %llu rounds\n", (long long)total, PER_REQUEST,
                  (unsigned long long)rounds);
    assert_true(total > (int64_t)rounds);
    open_again(f);
}

int main(int argc, char **argv)
{
    int64_t base;
    if (argc == 5 && strcmp(argv[1], "--send") == 0 && parse_i64_span(span_str(argv[4]), 0, INT64_MAX, &base) == 0)
        return send_main(argv[2], argv[3], base);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(acknowledged_samples_survive_kill_9, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("collector/store kill -9", tests, NULL, NULL);
}
