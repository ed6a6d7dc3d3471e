/* kill -9 of the collector under ingest, again and again: what it acknowledged is there after each restart, and all of it at the end.
 *
 * ROUNDS (500), CREST_SEED repeats a run's kill times. */
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/number.h"
#include "tests/support/bench.h"
#include "tests/support/writers.h"

#define SENDERS 4u
#define SAMPLES 10u
#define RUN_MS_MAX 300u

static void clean_up(void)
{
    (void)e2e_teardown(NULL);
}

int main(void)
{
    const char *text = getenv("ROUNDS");
    uint64_t rounds = 500, seen = 0;
    if (text && *text && parse_u64(text, 1000000, &rounds) < 0)
        check_failed("ROUNDS=%s is not a number", text);
    (void)atexit(clean_up);
    struct check_random rng = check_random_new("torture");
    uint64_t seed = rng.state;
    struct bench *b = bench_new("torture", "kill -9 of the collector under ingest");
    struct writers *w = writers_new(SENDERS, SAMPLES, unix_ms() - 3600000);
    AUTO_FREE char *data = strdup(e2e_path("data")); /* e2e_path keeps eight only */
    for (uint64_t i = 0; i < rounds; i++) {
        int64_t start_us = mono_us();
        struct e2e_program *collector = e2e_start("crest-collector", E2E_ARGS("--data", data));
        bench_add(b, "start to listening", "ms", (double)(mono_us() - start_us) / 1e3);
        seen += writers_check(w, collector, (i + 1) % 100 == 0);
        writers_start(w, collector);
        sleep_us((int64_t)check_random_below(&rng, RUN_MS_MAX * 1000));
        e2e_kill(collector);
        writers_stop(w);
        if ((i + 1) % 50 == 0) {
            printf("round %llu: %llu samples acknowledged, %llu seen again\n", (unsigned long long)i + 1,
                   (unsigned long long)writers_acked(w) * SAMPLES, (unsigned long long)seen);
            fflush(stdout);
        }
    }
    struct e2e_program *collector = e2e_start("crest-collector", E2E_ARGS("--data", data));
    seen = writers_check(w, collector, true);
    e2e_stop(collector);
    uint64_t acked = writers_acked(w) * SAMPLES;
    bench_add(b, "rounds", "", (double)rounds);
    bench_add(b, "samples acknowledged", "", (double)acked);
    bench_add(b, "of them missing or wrong at the end", "", (double)(acked - seen));
    bench_must(b, "of them missing or wrong at the end", BENCH_AT_MOST, 0);
    bench_note(
        b,
        "CREST_SEED=%llu. %u senders, requests of %u samples, killed 0 to %u ms after its start; also asked after "
        "each restart.",
        (unsigned long long)seed, SENDERS, SAMPLES, RUN_MS_MAX);
    writers_free(w);
    return bench_finish(b);
}
