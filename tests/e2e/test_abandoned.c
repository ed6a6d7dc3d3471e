/* A query whose client has left is work for nobody: it ends. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/base/file.h"
#include "tests/support/query.h"

/* Hours of work: every step looks at every sample of the inner windows. */
#define HEAVY                                                                                                          \
    "sum_over_time(sum_over_time(vector(time())%5B10000s:1s%5D)%5B10000s:1s%5D)&start=1000000&end=1010000&step=1"

struct gauge {
    struct e2e_program *p;
    const char *series;
    double value;
};
static bool shows(void *ctx)
{
    const struct gauge *g = ctx;
    char *page = e2e_get(g->p, "/metrics", 200);
    bool yes = page_value(page, g->series) == g->value;
    free(page);
    return yes;
}

static void a_query_ends_when_its_client_leaves(void **state UNUSED)
{
    struct e2e_program *p = e2e_start("crest-collector", E2E_ARGS("--data", e2e_path("collector")));
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(e2e_port(p)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    static const char REQUEST[] = "GET /api/v1/query_range?query=" HEAVY " HTTP/1.1\r\nHost: localhost\r\n\r\n";
    {
        AUTO_CLOSE int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof at) == 0);
        assert_int_equal(send(fd, REQUEST, sizeof REQUEST - 1, MSG_NOSIGNAL), sizeof REQUEST - 1);
        e2e_wait(5000, shows, &((struct gauge){p, "crest_queries_running", 1}));
    }
    e2e_wait(5000, shows, &((struct gauge){p, "crest_queries_running", 0}));
    assert_true(shows(&(struct gauge){p, "crest_queries_total{outcome=\"canceled\"}", 1}));
    e2e_stop(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_query_ends_when_its_client_leaves, e2e_teardown),
    };
    return cmocka_run_group_tests_name("abandoned", tests, NULL, NULL);
}
