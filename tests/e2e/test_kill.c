/* kill -9: what the collector acknowledged is there, of the agent's scrapes at most the last second is missing. */
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/thread.h"
#include "tests/support/ingest.h"
#include "tests/support/query.h"
#include "tests/support/stub_server.h"

/* ---- the collector, under four senders ---- */

#define ROUNDS 20
#define SENDERS 4
#define SERIES 25
#define REQUESTS_MAX 20000

struct sender {
    unsigned number;
    char metric[16], url[64];
    int64_t base_ms;
    struct thread *thread;
    atomic_bool *stopping;
    atomic_uint sent, acknowledged;
    bool acked[REQUESTS_MAX]; /* by request number; its samples stand at base_ms + number */
};

static void sender_main(void *arg)
{
    struct sender *s = arg;
    while (!atomic_load(s->stopping)) {
        unsigned i = atomic_load(&s->sent);
        if (i == REQUESTS_MAX)
            return;
        int status = ingest(s->url, s->metric, SERIES, s->base_ms + i, i);
        s->acked[i] = status == 204;
        atomic_fetch_add(&s->sent, 1);
        if (status == 204)
            atomic_fetch_add(&s->acknowledged, 1);
        else
            sleep_us(2000); /* nobody is there */
    }
}

static unsigned acknowledged(const struct sender *senders)
{
    unsigned n = 0;
    for (size_t i = 0; i < SENDERS; i++)
        n += atomic_load(&senders[i].acknowledged);
    return n;
}

struct enough {
    const struct sender *senders;
    unsigned wanted;
};
static bool enough(void *ctx)
{
    const struct enough *e = ctx;
    return acknowledged(e->senders) >= e->wanted;
}

/* Every acknowledged request has all its samples with their values; one that got no answer has all or none. */
static void check_sender(const struct e2e_program *collector, const struct sender *s)
{
    unsigned char *found = calloc(REQUESTS_MAX, 1);
    char expression[64];
    unsigned kept = 0, unanswered_kept = 0;
    assert_non_null(found);
    snprintf(expression, sizeof expression, "%s[2h]", s->metric);
    json_t *result = query(collector, expression);
    assert_int_equal(json_array_size(result), SERIES);
    for (size_t i = 0; i < json_array_size(result); i++) {
        json_t *values = json_object_get(json_array_get(result, i), "values");
        for (size_t k = 0; k < json_array_size(values); k++) {
            json_t *point = json_array_get(values, k);
            int64_t at = (int64_t)(json_number_value(json_array_get(point, 0)) * 1000 + 0.5) - s->base_ms;
            char value[24];
            snprintf(value, sizeof value, "%lld", (long long)at);
            assert_in_range(at, 0, REQUESTS_MAX - 1);
            assert_string_equal(json_string_value(json_array_get(point, 1)), value);
            found[at]++;
        }
    }
    for (unsigned i = 0; i < atomic_load(&s->sent); i++) {
        if (s->acked[i] && found[i] != SERIES)
            check_failed("request %u of %s was acknowledged, %u of its %u samples are there", i, s->metric, found[i],
                         SERIES);
        if (found[i] != 0 && found[i] != SERIES)
            check_failed("request %u of %s was kept in part: %u of %u samples", i, s->metric, found[i], SERIES);
        kept += s->acked[i];
        unanswered_kept += !s->acked[i] && found[i];
    }
    print_message("%s: %u acknowledged, %u more kept without an answer\n", s->metric, kept, unanswered_kept);
    free(found);
    json_decref(result);
}

static void the_collector_keeps_what_it_acknowledged(void **state UNUSED)
{
    static struct sender senders[SENDERS];
    struct check_random random = check_random_new("kill");
    atomic_bool stopping = false;
    uint16_t port = e2e_free_port();
    char data[1024];
    snprintf(data, sizeof data, "%s", e2e_path("collector"));
    const char *const *args = E2E_ARGS("--data", data);
    struct e2e_program *collector = e2e_start_at("crest-collector", args, port);
    for (unsigned i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){.number = i, .stopping = &stopping, .base_ms = unix_ms() - 3600000};
        snprintf(senders[i].metric, sizeof senders[i].metric, "kill_%u", i);
        snprintf(senders[i].url, sizeof senders[i].url, "%s", e2e_url(collector));
        check_ok(thread_start("sender", sender_main, &senders[i], &senders[i].thread));
    }
    for (int round = 0; round < ROUNDS; round++) {
        e2e_wait(20000, enough, &((struct enough){senders, acknowledged(senders) + 20}));
        sleep_us((int64_t)check_random_below(&random, 30000));
        e2e_kill(collector); /* in the midst of it */
        collector = e2e_start_at("crest-collector", args, port);
    }
    e2e_wait(20000, enough, &((struct enough){senders, acknowledged(senders) + 20}));
    atomic_store(&stopping, true);
    for (unsigned i = 0; i < SENDERS; i++)
        thread_join(senders[i].thread);
    for (unsigned i = 0; i < SENDERS; i++)
        check_sender(collector, &senders[i]);
    e2e_stop(collector);
    collector = e2e_start_at("crest-collector", args, port); /* and after sealing */
    for (unsigned i = 0; i < SENDERS; i++)
        check_sender(collector, &senders[i]);
    e2e_stop(collector);
}

/* ---- the agent ---- */

#define SERVED_MAX 10000

/* A page whose only value is its number; when each was served. */
static struct {
    pthread_mutex_t lock;
    unsigned n;
    int64_t at_us[SERVED_MAX];
} served = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void serve(void *ctx UNUSED, const struct stub_request *request UNUSED, struct stub_page *page)
{
    pthread_mutex_lock(&served.lock);
    unsigned number = served.n < SERVED_MAX ? served.n++ : SERVED_MAX - 1;
    served.at_us[number] = mono_us();
    pthread_mutex_unlock(&served.lock);
    if (asprintf(&page->owned, "page_number %u\n", number) < 0)
        page->owned = NULL;
    page->content_type = "text/plain; version=0.0.4";
}

static unsigned served_pages(void)
{
    pthread_mutex_lock(&served.lock);
    unsigned n = served.n;
    pthread_mutex_unlock(&served.lock);
    return n;
}

static bool served_enough(void *wanted)
{
    return served_pages() >= *(unsigned *)wanted;
}

static void wait_for_pages(unsigned more)
{
    unsigned wanted = served_pages() + more;
    e2e_wait(10000, served_enough, &wanted);
}

static const char *write_config(uint16_t collector_port, const struct stub_server *pages)
{
    char text[1024];
    snprintf(text, sizeof text,
             "global: {scrape_interval: 100ms, scrape_timeout: 100ms}\n"
             "remote_write: [{url: 'http://127.0.0.1:%u/api/v1/write'}]\n"
             "scrape_configs: [{job_name: pages, static_configs: [{targets: ['%s']}]}]\n",
             (unsigned)collector_port, stub_server_address(pages));
    return e2e_write("prometheus.yml", text);
}

/* Which pages are stored? */
static void read_stored(const struct e2e_program *collector, bool stored[SERVED_MAX])
{
    json_t *result = query(collector, "page_number[1h]");
    memset(stored, 0, SERVED_MAX);
    assert_int_equal(json_array_size(result), 1);
    json_t *values = json_object_get(json_array_get(result, 0), "values");
    for (size_t i = 0; i < json_array_size(values); i++) {
        unsigned at = (unsigned)strtoul(json_string_value(json_array_get(json_array_get(values, i), 1)), NULL, 10);
        assert_in_range(at, 0, SERVED_MAX - 1);
        stored[at] = true;
    }
    json_decref(result);
}

static void of_a_killed_agent_at_most_the_last_second_is_missing(void **state UNUSED)
{
    enum { KILLS = 6 };
    static bool stored[SERVED_MAX];
    struct stub_server *pages = NULL;
    int64_t killed_us[KILLS];
    unsigned after[KILLS]; /* pages served until the kill */
    check_ok(stub_server_start(0, serve, NULL, &pages));
    uint16_t port = e2e_free_port();
    char data[1024], agent_data[1024], config[1024];
    snprintf(data, sizeof data, "%s", e2e_path("collector"));
    snprintf(agent_data, sizeof agent_data, "%s", e2e_path("agent"));
    snprintf(config, sizeof config, "%s", write_config(port, pages));
    const char *const *collector_args = E2E_ARGS("--data", data);
    const char *const *agent_args = E2E_ARGS("--data", agent_data, "--config", config);
    struct e2e_program *collector = e2e_start_at("crest-collector", collector_args, port), *agent = NULL;
    for (int i = 0; i < KILLS; i++) {
        agent = e2e_start("crest-agent", agent_args);
        wait_for_pages(8);
        if (i % 2) { /* and while the collector is away: then the spool has to keep them */
            e2e_kill(collector);
            wait_for_pages(15);
        }
        killed_us[i] = mono_us();
        e2e_kill(agent);
        after[i] = served_pages();
        if (i % 2)
            collector = e2e_start_at("crest-collector", collector_args, port);
    }
    agent = e2e_start("crest-agent", agent_args); /* brings what the spool kept */
    wait_for_pages(10);
    char expression[64];
    snprintf(expression, sizeof expression, "page_number >= %u", served_pages() - 5);
    query_wait(collector, expression, 5000);
    char *metrics = e2e_get(agent, "/metrics", 200);
    check_contains(metrics, "crest_agent_spool_records{");
    free(metrics);
    e2e_stop(agent);
    read_stored(collector, stored);
    unsigned total = served_pages(), missing = 0, failed = (unsigned)query_count(collector, "up[1h]", "0");
    for (unsigned i = 0; i < total; i++) {
        if (stored[i])
            continue;
        int kill = 0;
        while (kill < KILLS && i >= after[kill])
            kill++;
        missing++;
        bool unexplained = kill == KILLS || killed_us[kill] - served.at_us[i] > 1000000;
        if (unexplained && failed > 0) { /* a page that came too late for its time-out, which its up says */
            failed--;
            continue;
        }
        if (kill == KILLS && i < total - 1) /* the last one may have been cut off by the stop */
            check_failed("page %u is missing, and nobody was killed after it", i);
        if (kill < KILLS && unexplained)
            check_failed("page %u is missing, served %lld ms before the kill", i,
                         (long long)(killed_us[kill] - served.at_us[i]) / 1000);
    }
    print_message("%u pages served, %u missing after %d kills\n", total, missing, KILLS);
    e2e_stop(collector);
    stub_server_stop(pages);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(the_collector_keeps_what_it_acknowledged, e2e_teardown),
        cmocka_unit_test_teardown(of_a_killed_agent_at_most_the_last_second_is_missing, e2e_teardown),
    };
    return cmocka_run_group_tests_name("kill", tests, NULL, NULL);
}
