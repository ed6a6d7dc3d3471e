/* What a request costs the generator: its own CPU (user and system) per request that nginx has answered, beside wrk and others.
 *
 * nginx has the last core, the generator the first; nginx is full before ours is, so the score is CPU, and the rate stands beside it. All take
 * turns. Both are read from the outside while a generator runs: its CPU from /proc, the requests from nginx's stub_status, so that starting up and
 * connecting counts for nobody.
 *
 * BENCH_FAST=1 does one short round, BENCH_ROWS=raw,peers,tls,many,memory,lag only those parts. tests/bench/peers.json names artillery and autocannon. */
#include <gnutls/gnutls.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/number.h"
#include "lib/base/thread.h"
#include "lib/wire/json.h"
#include "tests/support/bench.h"
#include "tests/support/e2e.h"
#include "tests/support/identity.h"

#define NODE_MODULES "build/bench-peers/node_modules/.bin/"
#define ROUNDS 5u
#define SETTLE_MS 1500

static bool fast;
static struct e2e_program *nginx;
static char http_url[64], https_url[64];

/* Is the part among those that BENCH_ROWS names? Without it all are. */
static bool wanted(const char *part)
{
    const char *rows = getenv("BENCH_ROWS");
    struct span rest = span_str(rows), one;
    bool found = !rows || !*rows;
    while (!found && span_cut(&rest, ',', &one))
        found = span_equal(one, span_str(part));
    return found;
}

/* ---- the server ---- */

/* Eight steps of a purchase: each answer is what the step before it leads to. */
static const char LOCATIONS[] =
    "location = /status { stub_status; }\n"
    "location = /raw { return 200 \""
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\"; }\n"
    "default_type application/json;\n"
    "location = /shop { add_header Set-Cookie 'sid=5f2c9a7b; Path=/'; return 200 "
    "'{\"shop\":\"crest\",\"departments\":[\"shoes\",\"hats\"]}'; }\n"
    "location = /search { return 200 "
    "'{\"total\":3,\"items\":[{\"sku\":\"S-100\",\"price\":1299},{\"sku\":\"S-200\",\"price\":899},"
    "{\"sku\":\"S-300\",\"price\":4999}]}'; }\n"
    "location /product/ { return 200 "
    "'{\"sku\":\"S-200\",\"name\":\"Hat\",\"stock\":17,\"price\":{\"amount\":899,\"currency\":\"EUR\"}}'; }\n"
    "location = /cart { add_header Set-Cookie 'cart=c-77; Path=/'; return 200 "
    "'{\"id\":\"c-77\",\"lines\":[{\"sku\":\"S-200\",\"quantity\":1}],\"total\":899}'; }\n"
    "location /cart/ { return 200 '{\"id\":\"c-77\",\"address\":\"ok\"}'; }\n"
    "location = /shipping { return 200 "
    "'{\"methods\":[{\"id\":\"post\",\"price\":390},{\"id\":\"courier\",\"price\":990}]}'; }\n"
    "location = /payment { return 200 '{\"payment\":\"p-1\",\"state\":\"authorized\"}'; }\n"
    "location = /order { return 200 '{\"order\":\"o-42\",\"state\":\"placed\",\"total\":1289}'; }\n";

static const char JOURNEY[] =
    "GET %s/shop\nHTTP 200\n[Asserts]\njsonpath \"$.shop\" == \"crest\"\n\n"
    "GET %s/search?q=hat\nHTTP 200\n[Captures]\nsku: jsonpath \"$.items[1].sku\"\n[Asserts]\njsonpath \"$.total\" == "
    "3\n\n"
    "GET %s/product/{{sku}}\nHTTP 200\n[Captures]\nprice: jsonpath \"$.price.amount\"\n[Asserts]\njsonpath \"$.stock\" "
    "> 0\n\n"
    "POST %s/cart\n{\"sku\":\"{{sku}}\",\"quantity\":1}\nHTTP 200\n[Captures]\ncart: jsonpath \"$.id\"\n[Asserts]\n"
    "jsonpath \"$.total\" == {{price}}\n\n"
    "POST %s/cart/{{cart}}/address\n{\"city\":\"Berlin\",\"zip\":\"10115\"}\nHTTP 200\n[Asserts]\njsonpath "
    "\"$.address\" == \"ok\"\n\n"
    "GET %s/shipping\nHTTP 200\n[Captures]\nmethod: jsonpath \"$.methods[0].id\"\n[Asserts]\njsonpath "
    "\"$.methods[0].price\" < 500\n\n"
    "POST %s/payment\n{\"cart\":\"{{cart}}\",\"card\":\"4111111111111111\"}\nHTTP 200\n[Asserts]\njsonpath \"$.state\" "
    "== \"authorized\"\n\n"
    "POST %s/order\n{\"cart\":\"{{cart}}\",\"shipping\":\"{{method}}\"}\nHTTP 200\n[Asserts]\njsonpath \"$.state\" == "
    "\"placed\"\n"
    "header \"Content-Type\" contains \"json\"\n";

static const char ARTILLERY[] =
    "config:\n  target: '%s'\n  phases: [{duration: 1, arrivalCount: 64}]\n  plugins: {expect: "
    "{reportFailuresAsErrors: true, outputFormat: silent}}\n"
    "scenarios:\n- flow:\n  - loop:\n"
    "    - get: {url: '/shop', expect: [{statusCode: 200}, {equals: ['crest', '{{ shop }}']}], capture: [{json: "
    "'$.shop', as: shop}]}\n"
    "    - get: {url: '/search?q=hat', capture: [{json: '$.items[1].sku', as: sku}], expect: [{statusCode: 200}]}\n"
    "    - get: {url: '/product/{{ sku }}', capture: [{json: '$.price.amount', as: price}], expect: [{statusCode: "
    "200}]}\n"
    "    - post: {url: '/cart', json: {sku: '{{ sku }}', quantity: 1}, capture: [{json: '$.id', as: cart}], expect: "
    "[{statusCode: 200}]}\n"
    "    - post: {url: '/cart/{{ cart }}/address', json: {city: Berlin, zip: '10115'}, expect: [{statusCode: 200}]}\n"
    "    - get: {url: '/shipping', capture: [{json: '$.methods[0].id', as: method}], expect: [{statusCode: 200}]}\n"
    "    - post: {url: '/payment', json: {cart: '{{ cart }}', card: '4111111111111111'}, expect: [{statusCode: 200}]}\n"
    "    - post: {url: '/order', json: {cart: '{{ cart }}', shipping: '{{ method }}'}, expect: [{statusCode: 200}]}\n"
    "    count: 1000000\n";

/* A file of the bench's folder with the URL at every %s. */
static const char *write_with_url(const char *name, const char *format, const char *url)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    for (const char *at = format; *at; at++) {
        if (at[0] == '%' && at[1] == 's') {
            buf_str(&b, url);
            at++;
        } else {
            buf_char(&b, *at);
        }
    }
    check_ok(buf_error(&b));
    const char *path = e2e_write(name, b.data);
    buf_done(&b);
    return path;
}

static void start_nginx(int core)
{
    struct identity ca, id; /* a certificate that may sign others may be no server's */
    struct buf b;
    unsigned http_port = e2e_free_port(), https_port = e2e_free_port();
    identity_make(&ca, "ca.test", NULL);
    identity_make(&id, "localhost", &ca);
    buf_init(&b, 1 << 20);
    char key[256], certificate[256], mask[64];
    snprintf(key, sizeof key, "%s", e2e_write("key.pem", id.key_pem));
    snprintf(certificate, sizeof certificate, "%s", e2e_write("cert.pem", id.certificate_pem));
    identity_free(&id);
    identity_free(&ca);
    snprintf(mask, sizeof mask, "1%.*s", core,
             "00000000000000000000000000000000"); /* a bit per core, the first at the right */
    buf_printf(&b,
               "worker_processes 1;\nworker_cpu_affinity %s;\ndaemon off;\nmaster_process off;\npid %s/nginx.pid;\n"
               "error_log stderr crit;\nworker_rlimit_nofile 20000;\nevents { worker_connections 19000; }\n"
               "http {\naccess_log off;\nkeepalive_requests 1000000000;\nkeepalive_timeout 1h;\n"
               "server {\nlisten 127.0.0.1:%u backlog=16384;\nlisten 127.0.0.1:%u ssl backlog=16384;\n"
               "ssl_certificate %s;\nssl_certificate_key %s;\n%s}\n}\n",
               mask, e2e_folder(), http_port, https_port, certificate, key, LOCATIONS);
    check_ok(buf_error(&b));
    const char *config = e2e_write("nginx.conf", b.data);
    buf_done(&b);
    nginx = e2e_start_other(E2E_ARGS("nginx", "-p", e2e_folder(), "-e", "stderr", "-c", config));
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)core, &set);
    sched_setaffinity(e2e_pid(nginx), sizeof set, &set);
    snprintf(http_url, sizeof http_url, "http://127.0.0.1:%u", http_port);
    snprintf(https_url, sizeof https_url, "https://127.0.0.1:%u", https_port);
}

/* What nginx's status page says: connections that are there, requests so far. */
struct served {
    uint64_t active, requests;
};
static bool ask_nginx(struct served *ret)
{
    char url[80];
    char *page = NULL;
    snprintf(url, sizeof url, "%s/status", http_url);
    if (e2e_try("GET", url, NULL, (struct span){0}, &page) != 200) {
        free(page);
        return false;
    }
    /* "Active connections: 2 \nserver accepts handled requests\n 10 10 25 \n" */
    struct span words[16], rest = span_str(page), word;
    size_t n = 0;
    for (size_t i = 0; page[i]; i++)
        if (page[i] == '\n')
            page[i] = ' ';
    while (n < ARRAY_LEN(words) && span_cut(&rest, ' ', &word))
        if (word.len)
            words[n++] = word;
    bool good = n > 9 && parse_u64_span(words[2], UINT64_MAX, &ret->active) == 0 &&
                parse_u64_span(words[9], UINT64_MAX, &ret->requests) == 0;
    free(page);
    return good;
}

static bool nginx_answers(void *ctx)
{
    return ask_nginx(ctx);
}

static struct served served(void)
{
    struct served s;
    if (!ask_nginx(&s))
        check_failed("nginx does not tell its status");
    return s;
}

/* ---- a generator that runs ---- */

static pid_t start(const char *const *argv)
{
    pid_t pid = fork();
    if (pid < 0)
        check_failed("fork");
    if (pid == 0) {
        struct rlimit files;
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(0, &set);
        sched_setaffinity(0, sizeof set, &set);
        if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
            files.rlim_cur = files.rlim_max;
            setrlimit(RLIMIT_NOFILE, &files);
        }
        char log[256];
        snprintf(log, sizeof log, "%s", e2e_path("generator.log"));
        if (!freopen(log, "w", stdout) || !freopen(log, "a", stderr))
            _exit(126);
        execvp(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    return pid;
}

static void stop(pid_t pid)
{
    int status;
    kill(pid, SIGINT);
    for (int i = 0; i < 100; i++) {
        if (waitpid(pid, &status, WNOHANG) == pid)
            return;
        sleep_us(50000);
    }
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
}

/* User and system time of the process, from /proc/PID/stat. */
static double cpu_seconds(pid_t pid)
{
    char path[64];
    AUTO_FREE char *text = NULL;
    size_t n;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (file_read(path, 65536, &text, &n) < 0)
        check_failed("%s cannot be read: the generator has ended (see %s)", path, e2e_path("generator.log"));
    struct span rest = span_str(strrchr(text, ')') + 2), word;
    uint64_t ticks[2] = {0};
    for (int i = 3; i <= 15 && span_cut(&rest, ' ', &word); i++) /* fields from 3 on; 14 and 15 are the times */
        if (i >= 14 && parse_u64_span(word, UINT64_MAX, &ticks[i - 14]) < 0)
            check_failed("%s has no times", path);
    return (double)(ticks[0] + ticks[1]) / (double)sysconf(_SC_CLK_TCK);
}

static double rss_bytes(pid_t pid)
{
    char path[64];
    AUTO_FREE char *text = NULL;
    size_t n;
    uint64_t pages = 0;
    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    if (file_read(path, 4096, &text, &n) < 0)
        check_failed("%s cannot be read", path);
    struct span rest = span_str(text), word;
    span_cut(&rest, ' ', &word);
    span_cut(&rest, ' ', &word);
    if (parse_u64_span(word, UINT64_MAX, &pages) < 0)
        check_failed("%s has no size", path);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static void wait_for_connections(uint64_t n)
{
    for (int i = 0; i < 1200; i++) {
        if (served().active >= n)
            return;
        sleep_us(100000);
    }
    check_failed("%llu connections do not come", (unsigned long long)n);
}

static void wait_for_none(void)
{
    for (int i = 0; i < 100 && served().active > 1; i++) /* our own question is one */
        sleep_us(50000);
}

struct cost {
    double cpu_us, rate;
};
/* A generator's CPU per request, over some seconds in the middle of its run with so many connections. */
static struct cost measure(const char *const *argv, uint64_t connections)
{
    wait_for_none();
    pid_t pid = start(argv);
    wait_for_connections(connections);
    sleep_us(SETTLE_MS * 1000);
    struct served before = served();
    double cpu = cpu_seconds(pid);
    int64_t at_us = mono_us();
    sleep_us(fast ? 1000000 : 2500000);
    double took_cpu = cpu_seconds(pid) - cpu, took = (double)(mono_us() - at_us) / 1e6;
    double requests = (double)(served().requests - before.requests - 1);
    stop(pid);
    if (requests < 10)
        check_failed("%s: no requests arrive (see %s)", argv[0], e2e_path("generator.log"));
    return (struct cost){.cpu_us = took_cpu * 1e6 / requests, .rate = requests / took};
}

static void add_cost(struct bench *b, const char *who, struct cost c)
{
    char row[128];
    snprintf(row, sizeof row, "%s: CPU per request", who);
    bench_add(b, row, "µs", c.cpu_us);
    snprintf(row, sizeof row, "%s: requests per second", who);
    bench_add(b, row, "k/s", c.rate / 1e3);
}

/* ---- ours ---- */

static const char *loadgen_path(void)
{
    static char path[512];
    const char *bin = getenv("CREST_BIN");
    snprintf(path, sizeof path, "%s/crest-loadgen", bin ? bin : "build/release");
    return path;
}

static struct cost ours(const char *journey, const char *users, uint64_t connections)
{
    const char *const argv[] = {loadgen_path(), "run", journey,     "--users", users,     "--duration", "10m",
                                "--grace",      "1s",  "--max-lag", "1h",      "--quiet", NULL};
    return measure(argv, connections);
}

static bool has(const char *command)
{
    return strchr(command, '/') ? access(command, X_OK) == 0 : e2e_have(command);
}

static void bench_raw_and_journey(struct bench *b, const char *raw, const char *journey)
{
    char url[96];
    snprintf(url, sizeof url, "%s/raw", http_url);
    AUTO_FREE char *yaml = span_dup(span_str(write_with_url("artillery.yml", ARTILLERY, http_url)));
    const struct {
        const char *who;
        const char *argv[12];
        uint64_t connections;
    } peers[] = {
        {"hey, raw", {"hey", "-c", "64", "-z", "10m", "-cpus", "1", url}, 64},
        {"h2load, raw", {"h2load", "--h1", "-c", "64", "-t", "1", "-D", "600", url}, 64},
        {"autocannon, raw", {NODE_MODULES "autocannon", "-c", "64", "-d", "600", url}, 64},
        {"artillery, journey", {NODE_MODULES "artillery", "run", "--quiet", yaml}, 10},
    };
    for (size_t i = 0; i < ARRAY_LEN(peers); i++)
        if (wanted("peers") && !has(peers[i].argv[0]))
            bench_note(b, "%s is not there: not measured.", peers[i].argv[0]);
    for (unsigned round = 0; round < (fast ? 1 : ROUNDS); round++) {
        struct cost wrk = measure(E2E_ARGS("wrk", "-t", "1", "-c", "64", "-d", "600s", url), 64);
        struct cost mine = ours(raw, "64", 64), eight = ours(journey, "64", 64);
        add_cost(b, "wrk, raw", wrk);
        add_cost(b, "crest, raw", mine);
        add_cost(b, "crest, journey", eight);
        bench_add(b, "raw: crest's CPU, of wrk's", "×", mine.cpu_us / wrk.cpu_us);
        bench_add(b, "journey: crest's CPU, of wrk's raw", "×", eight.cpu_us / wrk.cpu_us);
        for (size_t i = 0; i < ARRAY_LEN(peers); i++) {
            if (!wanted("peers") || !has(peers[i].argv[0]))
                continue;
            struct cost c = measure(peers[i].argv, peers[i].connections);
            add_cost(b, peers[i].who, c);
            if (i == 3)
                bench_add(b, "journey: crest's CPU, of artillery's", "×", eight.cpu_us / c.cpu_us);
        }
        printf("round %u: wrk %.2f, crest %.2f, journey %.2f us\n", round + 1, wrk.cpu_us, mine.cpu_us, eight.cpu_us);
        fflush(stdout);
    }
}

static void bench_tls(struct bench *b, const char *raw)
{
    char url[96];
    snprintf(url, sizeof url, "%s/raw", https_url);
    for (unsigned round = 0; round < (fast ? 1 : ROUNDS); round++) {
        struct cost wrk = measure(E2E_ARGS("wrk", "-t", "1", "-c", "64", "-d", "600s", url), 64);
        struct cost mine = ours(raw, "64", 64);
        add_cost(b, "wrk, HTTPS", wrk);
        add_cost(b, "crest, HTTPS", mine);
        bench_add(b, "HTTPS: crest's CPU, of wrk's", "×", mine.cpu_us / wrk.cpu_us);
        printf("round %u: HTTPS wrk %.2f, crest %.2f us\n", round + 1, wrk.cpu_us, mine.cpu_us);
        fflush(stdout);
    }
}

/* 64 users that ask without a pause; then the same beside 7,936 that have asked once and wait: a class of their own, so that the 64 stay the 64. */
static void bench_many(struct bench *b)
{
    static const char FEW[] = "{users: 64, duration: 10m, journeys: [loop.hurl]}\n",
                      MANY[] = "users: 64\nduration: 10m\njourneys: [loop.hurl]\n"
                               "traffic: [{name: parked, users: 7936, journeys: [parked.hurl]}]\n";
    char few_plan[256], many_plan[256];
    snprintf(few_plan, sizeof few_plan, "%s", e2e_write("few.yml", FEW));
    snprintf(many_plan, sizeof many_plan, "%s", e2e_write("many.yml", MANY));
    (void)write_with_url("loop.hurl", "# @step loop\n# @goto p=1 loop\nGET %s/raw\n", http_url);
    (void)write_with_url("parked.hurl", "GET %s/raw\n\n# @think 1h\nGET %s/raw\n", http_url);
    const char *const few[] = {loadgen_path(), "run", few_plan, "--grace", "1s", "--max-lag", "1h", "--quiet", NULL};
    const char *const many[] = {loadgen_path(), "run", many_plan, "--grace", "1s", "--max-lag", "1h", "--quiet", NULL};
    for (unsigned round = 0; round < (fast ? 1 : ROUNDS); round++) {
        struct cost at_64 = measure(few, 64), at_8000 = measure(many, 8000);
        add_cost(b, "crest, 64 connections that loop", at_64);
        add_cost(b, "crest, 8,000 connections of which 64 loop", at_8000);
        bench_add(b, "8,000 connections: CPU, of that at 64", "×", at_8000.cpu_us / at_64.cpu_us);
    }
}

/* ---- users that think ---- */

/* Bytes per user that has its connection and nothing to do: what more users make more. */
static double idle_bytes(const char *journey, unsigned few, unsigned many)
{
    double rss[2];
    const unsigned users[2] = {few, many};
    for (int i = 0; i < 2; i++) {
        char n[16];
        snprintf(n, sizeof n, "%u", users[i]);
        const char *const argv[] = {loadgen_path(), "run", journey,     "--users", n,         "--duration", "10m",
                                    "--grace",      "1s",  "--max-lag", "1h",      "--quiet", NULL};
        wait_for_none();
        pid_t pid = start(argv);
        wait_for_connections(users[i]);
        sleep_us(SETTLE_MS * 1000);
        rss[i] = rss_bytes(pid);
        stop(pid);
    }
    return (rss[1] - rss[0]) / (double)(many - few);
}

static void bench_memory(struct bench *b)
{
    char plain[256], tls[256];
    static const char PARKED[] = "GET %s/raw\n[Options]\ninsecure: true\n\n# @think 1h\nGET %s/raw\n";
    snprintf(plain, sizeof plain, "%s", write_with_url("idle.hurl", PARKED, http_url));
    snprintf(tls, sizeof tls, "%s", write_with_url("idle-tls.hurl", PARKED, https_url));
    for (unsigned round = 0; round < (fast ? 1 : 3); round++) {
        bench_add(b, "an idle user, plain", "KB", idle_bytes(plain, 2000, 7000) / 1024);
        bench_add(b, "an idle user, TLS", "KB", idle_bytes(tls, 100, fast ? 400 : 1000) / 1024);
    }
}

static void bench_lag(struct bench *b)
{
    char journey[256], json[256];
    snprintf(
        journey, sizeof journey, "%s",
        write_with_url("think.hurl", "# @step page\n# @think 500ms..3500ms\n# @goto p=1 page\nGET %s/raw\n", http_url));
    snprintf(json, sizeof json, "%s", e2e_path("lag.json"));
    for (unsigned round = 0; round < (fast ? 1 : 3); round++) {
        const char *const argv[] = {loadgen_path(), "run",        journey,
                                    "--users",      "10000",      "--warmup",
                                    "10s",          "--duration", fast ? "15s" : "30s",
                                    "--grace",      "100ms",      "--max-lag",
                                    "1h",           "--json",     json,
                                    "--quiet",      NULL};
        AUTO_FREE char *text = NULL;
        size_t n;
        int status;
        wait_for_none();
        pid_t pid = start(argv);
        if (waitpid(pid, &status, 0) != pid || file_read(json, 16 << 20, &text, &n) < 0)
            check_failed("10,000 users: no result (see %s)", e2e_path("generator.log"));
        json_t *result = json_loads(text, 0, NULL), *generator = json_object_get(result, "generator");
        double lag = json_number_value(json_object_get(json_object_get(generator, "lag_us"), "p99")) / 1e3;
        double hiccup = json_number_value(json_object_get(json_object_get(generator, "hiccup_us"), "p99")) / 1e3;
        bench_add(b, "10,000 users that think: schedule lag p99", "ms", lag);
        bench_add(b, "10,000 users that think: the machine's own hiccups p99", "ms", hiccup);
        bench_add(b, "10,000 users that think: lag p99 beyond the hiccups'", "ms", lag - hiccup);
        bench_add(b, "10,000 users that think: requests per second", "k/s",
                  json_number_value(json_object_get(json_object_get(result, "requests"), "completed")) /
                      json_number_value(json_object_get(result, "duration_s")) / 1e3);
        json_decref(result);
    }
}

static void judge(struct bench *b)
{
    static const struct {
        const char *part, *row;
        double must, goal;
    } LIMITS[] = {
        {"raw", "raw: crest's CPU, of wrk's", 1.1, 0.9},
        {"many", "8,000 connections: CPU, of that at 64", 1.3, 1.1},
        {"raw", "journey: crest's CPU, of wrk's raw", 1.7, 1.25},
        {"peers", "journey: crest's CPU, of artillery's", 1.0 / 20, 1.0 / 40},
        {"memory", "an idle user, plain", 24, 4},
        {"memory", "an idle user, TLS", 80, 60},
        {"lag", "10,000 users that think: schedule lag p99", 1, 0},
        {"tls", "HTTPS: crest's CPU, of wrk's", 1.2, 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(LIMITS); i++) {
        if (!wanted(LIMITS[i].part))
            continue;
        bench_must(b, LIMITS[i].row, BENCH_AT_MOST, LIMITS[i].must);
        if (LIMITS[i].goal > 0)
            bench_goal(b, LIMITS[i].row, BENCH_AT_MOST, LIMITS[i].goal);
    }
}

static void clean_up(void)
{
    (void)e2e_teardown(NULL);
}

int main(void)
{
    fast = getenv("BENCH_FAST") && *getenv("BENCH_FAST");
    if (!e2e_have("nginx") || !e2e_have("wrk")) {
        fputs("nginx or wrk is missing: ./packages.sh peer bench\n", stderr);
        return 1;
    }
    (void)atexit(clean_up);
    int cores = thread_cpu_count();
    struct served first;
    start_nginx(cores - 1);
    e2e_wait(10000, nginx_answers, &first);
    char raw[256], raw_tls[256], journey[256];
    snprintf(raw, sizeof raw, "%s", write_with_url("raw.hurl", "GET %s/raw\n", http_url));
    snprintf(raw_tls, sizeof raw_tls, "%s",
             write_with_url("raw-tls.hurl", "GET %s/raw\n[Options]\ninsecure: true\n", https_url));
    snprintf(journey, sizeof journey, "%s", write_with_url("journey.hurl", JOURNEY, http_url));
    struct bench *b = bench_new("load", "The generator's CPU per request, beside others");
    if (wanted("raw") || wanted("peers"))
        bench_raw_and_journey(b, raw, journey);
    if (wanted("tls"))
        bench_tls(b, raw_tls);
    if (wanted("many"))
        bench_many(b);
    if (wanted("memory"))
        bench_memory(b);
    if (wanted("lag"))
        bench_lag(b);
    judge(b);
    if (wanted("lag"))
        bench_goal(b, "10,000 users that think: lag p99 beyond the hiccups'", BENCH_AT_MOST, 0.1);
    if (cores < 2)
        bench_note(b, "One core: server and generator shared it.");
    return bench_finish(b);
}
