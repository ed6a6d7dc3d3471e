/* A server does not run into the limit of descriptors. Its own binary: it changes limits and forks before any thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "lib/base/log.h"
#include "lib/httpd/httpd.h"

static void on_hello(struct httpd_request *r, void *ctx)
{
    (void)ctx;
    httpd_reply_text(r, 200, "hello");
}

static const struct httpd_route ROUTES[] = {{"GET", "/hello", 0, on_hello, NULL}, {0}};

/* 0 when a server in this process, which wants far more, tells of exactly that many connections. */
static int serves_at_most(const char *line)
{
    struct httpd *h = NULL;
    char why[256];
    struct buf out;
    struct metric_writer w;
    struct httpd_config config = {.listen = "127.0.0.1:0", .routes = ROUTES, .connections_max = 4096};
    if (httpd_start(&config, &h, why, sizeof why) < 0)
        return 2;
    buf_init(&out, 1 << 20);
    metric_writer_init(&w, &out, METRIC_TEXT);
    httpd_stats(h, &w);
    bool told = out.data && strstr(out.data, line);
    buf_done(&out);
    httpd_stop(h, 0);
    return told ? 0 : 3;
}

static void httpd_takes_fewer_connections_when_descriptors_are_short(void **state)
{
    (void)state;
    pid_t child = fork(); /* a hard limit cannot be taken back */
    assert_true(child >= 0);
    if (child == 0) {
        struct rlimit tight = {.rlim_cur = 330, .rlim_max = 330};
        _exit(setrlimit(RLIMIT_NOFILE, &tight) < 0 ? 1 : serves_at_most("crest_http_connections_limit 74\n"));
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void httpd_raises_the_soft_limit_to_what_its_connections_need(void **state)
{
    (void)state;
    struct rlimit now;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &now), 0);
    if (now.rlim_max < 4096 + 256) {
        print_message("the hard limit is too low to show it\n");
        skip();
    }
    now.rlim_cur = 100;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
    assert_int_equal(serves_at_most("crest_http_connections_limit 4096\n"), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &now), 0);
    assert_true(now.rlim_cur >= 4096 + 256);
}

int main(void)
{
    log_init("test", LOG_LEVEL_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(httpd_takes_fewer_connections_when_descriptors_are_short),
        cmocka_unit_test(httpd_raises_the_soft_limit_to_what_its_connections_need),
    };
    return cmocka_run_group_tests_name("lib/httpd descriptors", tests, NULL, NULL);
}
