/* Real input: Debian's exporters are scraped through a proxy that writes down each page it passes on, and what the query
 * API returns is compared with every page, sample by sample, at the time of its scrape. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/wire/http_client.h"
#include "tests/support/query.h"
#include "tests/support/stage.h"
#include "tests/support/stub_server.h"

#define PAGES_MAX 64
#define SCRAPES 4
/* A page belongs to the samples of the scrape that asked for it: stamped shortly before it came here. */
#define BEFORE_MS 700
#define AFTER_MS 100

struct page {
    char *body, content_type[128];
    size_t bytes;
    int64_t at_ms;
};
static struct {
    pthread_mutex_t lock;
    char upstream[128];
    struct page pages[PAGES_MAX];
    size_t n;
} record = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void pass_on(void *ctx UNUSED, const struct stub_request *r, struct stub_page *page)
{
    static _Thread_local char content_type[128];
    char accept[512];
    struct http_response response = {0};
    int64_t at_ms = unix_ms();
    snprintf(accept, sizeof accept, "Accept: " SPAN_FMT, SPAN_ARG(stub_header(r->head, "accept")));
    const char *headers[] = {accept, NULL};
    struct http_request request = {.url = record.upstream, .headers = headers, .timeout_ms = 5000};
    page->status = http_fetch(&request, &response) == 0 ? response.status : 502;
    snprintf(content_type, sizeof content_type, SPAN_FMT, SPAN_ARG(http_response_header(&response, "content-type")));
    page->content_type = content_type;
    page->body_bytes = response.body.len;
    page->owned = buf_take(&response.body, NULL);
    http_response_done(&response);
    pthread_mutex_lock(&record.lock);
    if (page->status == 200 && record.n < PAGES_MAX) {
        struct page *p = &record.pages[record.n++];
        *p = (struct page){.bytes = page->body_bytes, .at_ms = at_ms};
        p->body = span_dup(span_of(page->owned, page->body_bytes));
        snprintf(p->content_type, sizeof p->content_type, "%s", content_type);
    }
    pthread_mutex_unlock(&record.lock);
}

static bool enough_pages(void *ctx UNUSED)
{
    pthread_mutex_lock(&record.lock);
    size_t n = record.n;
    pthread_mutex_unlock(&record.lock);
    return n >= SCRAPES + 1;
}

static bool answers(void *url)
{
    return e2e_try("GET", url, NULL, (struct span){0}, NULL) == 200;
}

/* What the page of a scrape said and what is stored at its time. Returns how many samples agree; 0 when that scrape failed (too slow for
 * its time-out), which its up says. */
static size_t compare(const json_t *stored, const json_t *up, const struct page *p, const char *job,
                      const char *instance)
{
    struct sample_lines expected = {0}, told = {0};
    enum exposition_format format;
    json_t *values = json_object_get(json_array_get(up, 0), "values");
    const char *was_up = NULL;
    for (size_t i = 0; i < json_array_size(values); i++) {
        json_t *point = json_array_get(values, i);
        int64_t t_ms = (int64_t)(json_number_value(json_array_get(point, 0)) * 1000 + 0.5);
        if (t_ms >= p->at_ms - BEFORE_MS && t_ms <= p->at_ms + AFTER_MS)
            was_up = json_string_value(json_array_get(point, 1));
    }
    if (!was_up || strcmp(was_up, "1") != 0)
        return 0;
    check_ok(exposition_format_of(span_str(p->content_type), &format));
    sample_lines_from_page(&expected, format, span_of(p->body, p->bytes), job, instance);
    sample_lines_from_result(&told, stored, p->at_ms - BEFORE_MS, p->at_ms + AFTER_MS);
    sample_lines_check_equal(&expected, &told, job);
    size_t n = expected.n;
    sample_lines_done(&expected);
    sample_lines_done(&told);
    return n;
}

/* Scrape `upstream` through the proxy a few times while `work` makes its values move, and compare. */
static void scrape_and_compare(const char *job, const char *upstream, void (*work)(void *ctx), void *ctx)
{
    struct stub_server *proxy = NULL;
    char jobs[256], expression[128];
    snprintf(record.upstream, sizeof record.upstream, "%s", upstream);
    record.n = 0;
    e2e_wait(10000, answers, record.upstream);
    check_ok(stub_server_start(0, pass_on, NULL, &proxy));
    snprintf(jobs, sizeof jobs, "  - {job_name: %s, static_configs: [{targets: ['%s']}]}\n", job,
             stub_server_address(proxy));
    struct e2e_program *collector = stage_collector(), *agent = stage_agent(collector, jobs);
    for (int i = 0; i < SCRAPES && !enough_pages(NULL); i++) {
        work(ctx);
        sleep_us(900000);
    }
    e2e_wait(15000, enough_pages, NULL);
    e2e_stop(agent); /* what it has it sends first */
    snprintf(expression, sizeof expression, "{job='%s'}[10m]", job);
    json_t *stored = query(collector, expression);
    snprintf(expression, sizeof expression, "up{job='%s'}[10m]", job);
    json_t *up = query(collector, expression);
    size_t samples = 0, good = 0, tried = record.n - 1; /* the last one may have been cut off by the stop */
    for (size_t i = 0; i < tried; i++) {
        size_t n = compare(stored, up, &record.pages[i], job, stub_server_address(proxy));
        good += n > 0;
        samples += n;
    }
    print_message("%s: %zu samples of %zu pages agree (%s)\n", job, samples, good, record.pages[0].content_type);
    assert_true(good + 1 >= tried);
    assert_true(samples >= 8 * good);
    for (size_t i = 0; i < record.n; i++)
        free(record.pages[i].body);
    json_decref(stored);
    json_decref(up);
    e2e_stop(collector);
    stub_server_stop(proxy);
}

static void rest(void *ctx UNUSED)
{
}

static void node_exporter_comes_back_as_it_was_scraped(void **state UNUSED)
{
    char address[64], url[96];
    if (!e2e_have("prometheus-node-exporter"))
        skip();
    snprintf(address, sizeof address, "127.0.0.1:%u", (unsigned)e2e_free_port());
    snprintf(url, sizeof url, "http://%s/metrics", address);
    struct e2e_program *exporter =
        e2e_start_other(E2E_ARGS("prometheus-node-exporter", "--web.listen-address", address));
    scrape_and_compare("node", url, rest, NULL);
    e2e_kill(exporter);
}

static void visit(void *url)
{
    for (int i = 0; i < 5; i++)
        (void)e2e_try("GET", url, NULL, (struct span){0}, NULL);
}

static void nginx_comes_back_as_it_was_scraped(void **state UNUSED)
{
    char text[2048], address[64], uri[96], url[96], page[96];
    uint16_t port = e2e_free_port();
    if (!e2e_have("nginx") || !e2e_have("prometheus-nginx-exporter"))
        skip();
    const char *folder = e2e_folder();
    snprintf(text, sizeof text,
             "daemon off;\nmaster_process off;\npid %s/nginx.pid;\nerror_log stderr;\n"
             "events {}\n"
             "http {\n  access_log off;\n"
             "  client_body_temp_path %s/t1; proxy_temp_path %s/t2; fastcgi_temp_path %s/t3; uwsgi_temp_path %s/t4;\n"
             "  scgi_temp_path %s/t5;\n"
             "  server {\n    listen 127.0.0.1:%u;\n    location = /stub_status { stub_status; }\n"
             "    location / { return 200 ok; }\n  }\n}\n",
             folder, folder, folder, folder, folder, folder, (unsigned)port);
    struct e2e_program *nginx =
        e2e_start_other(E2E_ARGS("nginx", "-p", folder, "-e", "stderr", "-c", e2e_write("nginx.conf", text)));
    snprintf(uri, sizeof uri, "http://127.0.0.1:%u/stub_status", (unsigned)port);
    snprintf(page, sizeof page, "http://127.0.0.1:%u/", (unsigned)port);
    e2e_wait(5000, answers, uri);
    snprintf(address, sizeof address, "127.0.0.1:%u", (unsigned)e2e_free_port());
    snprintf(url, sizeof url, "http://%s/metrics", address);
    struct e2e_program *exporter = e2e_start_other(
        E2E_ARGS("prometheus-nginx-exporter", "-nginx.scrape-uri", uri, "-web.listen-address", address));
    scrape_and_compare("nginx", url, visit, page);
    e2e_kill(exporter);
    e2e_kill(nginx);
}

/* A command in Redis's inline form; true when it answers. */
static bool redis(uint16_t port, const char *command)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char answer[64];
    AUTO_CLOSE int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof at) == 0 &&
           write(fd, command, strlen(command)) == (ssize_t)strlen(command) && read(fd, answer, sizeof answer) > 0;
}

static void count(void *port)
{
    for (int i = 0; i < 5; i++)
        (void)redis(*(uint16_t *)port, "INCR orders\r\n");
}

static bool redis_is_there(void *port)
{
    return redis(*(uint16_t *)port, "PING\r\n");
}

static void redis_comes_back_as_it_was_scraped(void **state UNUSED)
{
    char number[16], address[64], url[96], redis_url[96];
    uint16_t port = e2e_free_port();
    if (!e2e_have("redis-server") || !e2e_have("prometheus-redis-exporter"))
        skip();
    snprintf(number, sizeof number, "%u", (unsigned)port);
    struct e2e_program *server = e2e_start_other(
        E2E_ARGS("redis-server", "--port", number, "--bind", "127.0.0.1", "--save", "", "--dir", e2e_folder()));
    e2e_wait(5000, redis_is_there, &port);
    snprintf(redis_url, sizeof redis_url, "redis://127.0.0.1:%u", (unsigned)port);
    snprintf(address, sizeof address, "127.0.0.1:%u", (unsigned)e2e_free_port());
    snprintf(url, sizeof url, "http://%s/metrics", address);
    struct e2e_program *exporter = e2e_start_other(
        E2E_ARGS("prometheus-redis-exporter", "-redis.addr", redis_url, "-web.listen-address", address));
    scrape_and_compare("redis", url, count, &port);
    e2e_kill(exporter);
    e2e_kill(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(node_exporter_comes_back_as_it_was_scraped, e2e_teardown),
        cmocka_unit_test_teardown(nginx_comes_back_as_it_was_scraped, e2e_teardown),
        cmocka_unit_test_teardown(redis_comes_back_as_it_was_scraped, e2e_teardown),
    };
    return cmocka_run_group_tests_name("real input", tests, NULL, NULL);
}
