/* Many at once: senders, queriers of every kind, rules that run at the commits, and reloads. Under MODE=tsan a race fails it, as the
 * collector then ends with another status. LOAD_SECONDS (3); `make tsan-collector` takes twenty. */
#include <stdatomic.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/number.h"
#include "lib/base/thread.h"
#include "lib/wire/url.h"
#include "tests/support/webhook_server.h"
#include "tests/support/writers.h"

#define SENDERS 4u
#define QUERIERS 4u

static const char RULES[] = "groups:\n"
                            "  - name: live\n"
                            "    interval: 1s\n"
                            "    rules:\n"
                            "      - record: written:max\n"
                            "        expr: max by (sender) (crest_written)\n"
                            "      - alert: Written\n"
                            "        expr: written:max > 0\n"
                            "        annotations: {summary: 'sender {{ $labels.sender }}: {{ $value }}'}\n"
                            "  - name: now and then\n"
                            "    interval: 3s\n"
                            "    rules:\n"
                            "      - record: written:rate\n"
                            "        expr: sum(rate(crest_written[10s]))\n";

static const char *const PATHS[] = {
    "/api/v1/query?query=crest_written",
    "/api/v1/query?query=sum%20by%20(sender)%20(rate(crest_written%5B10s%5D))",
    "/api/v1/query?query=crest_written%7Bsender%3D~%221%7C2%22%7D%5B5s%5D",
    "/api/v1/query?query=ALERTS",
    "/api/v1/series?match%5B%5D=crest_written",
    "/api/v1/labels",
    "/api/v1/label/sender/values",
    "/api/v1/rules",
    "/api/v1/alerts",
    "/api/v1/targets",
    "/api/v1/status/buildinfo",
    "/metrics",
    "/-/ready",
    NULL, /* a range query, made at its time */
};

struct querier {
    const struct e2e_program *collector;
    struct thread *thread;
    unsigned number;
    atomic_bool *stopping;
    uint64_t answered, refused, failed;
};

static void querier_main(void *arg)
{
    struct querier *q = arg;
    for (size_t i = q->number; !atomic_load(q->stopping); i++) {
        char url[512];
        const char *path = PATHS[i % ARRAY_LEN(PATHS)];
        int64_t now_s = unix_ms() / 1000;
        if (path)
            snprintf(url, sizeof url, "%s%s", e2e_url(q->collector), path);
        else
            snprintf(url, sizeof url,
                     "%s/api/v1/query_range?query=max_over_time(crest_written%%5B2s%%5D)&start=%lld&end=%lld&step=1",
                     e2e_url(q->collector), (long long)now_s - 60, (long long)now_s);
        int status = e2e_try("GET", url, NULL, (struct span){NULL, 0}, NULL);
        if (status == 200)
            q->answered++;
        else if (status == 503)
            q->refused++;
        else
            q->failed++;
    }
}

static void senders_queriers_rules_and_reloads_at_once(void **state)
{
    (void)state;
    const char *text = getenv("LOAD_SECONDS");
    uint64_t seconds = 3, answered = 0;
    if (text && *text && parse_u64(text, 86400, &seconds) < 0)
        check_failed("LOAD_SECONDS=%s is not a number", text);
    struct webhook_server *pager;
    check_ok(webhook_server_start(0, &pager));
    struct e2e_program *collector =
        e2e_start("crest-collector", E2E_ARGS("--data", e2e_path("data"), "--rule-file", e2e_write("rules.yml", RULES),
                                              "--webhook-url", webhook_server_url(pager)));
    struct writers *w = writers_new(SENDERS, 10, unix_ms() - 1000);
    static struct querier queriers[QUERIERS]; /* a failed test leaves the threads behind */
    static atomic_bool stopping;
    writers_start(w, collector);
    for (unsigned i = 0; i < QUERIERS; i++) {
        queriers[i] = (struct querier){.collector = collector, .number = i * 3, .stopping = &stopping};
        check_ok(thread_start("querier", querier_main, &queriers[i], &queriers[i].thread));
    }
    for (int64_t end = mono_us() + (int64_t)seconds * 1000000; mono_us() < end; sleep_us(500000))
        free(e2e_send(collector, "POST", "/-/reload", NULL, "", 0));
    atomic_store(&stopping, true);
    for (unsigned i = 0; i < QUERIERS; i++) {
        thread_join(queriers[i].thread);
        answered += queriers[i].answered;
        assert_int_equal(queriers[i].failed, 0);
    }
    writers_stop(w);
    uint64_t acked = writers_acked(w);
    assert_true(acked > 10 * seconds && answered > 10 * seconds);
    assert_int_equal(writers_check(w, collector, true), acked * 10);
    assert_true(webhook_server_wait(pager, 1, 5000));
    print_message("%llu requests written, %llu queries answered in %llu s\n", (unsigned long long)acked,
                  (unsigned long long)answered, (unsigned long long)seconds);
    e2e_stop(collector);
    writers_free(w);
    webhook_server_stop(pager);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(senders_queriers_rules_and_reloads_at_once, e2e_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
