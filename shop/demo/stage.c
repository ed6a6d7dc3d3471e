#include "shop/demo/demo.h"

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/daemon.h"
#include "lib/base/file.h"
#include "lib/base/limits.h"
#include "lib/base/number.h"
#include "lib/wire/http_client.h"
#include "lib/wire/json.h"
#include "lib/wire/url.h"

static const char *const NAMES[PROGRAMS_RUN] = {"crest-shop gateway", "crest-shop", "crest-collector",
                                                "crest-agent",        "visitors",   "crest-loadgen"};
static const char *const PORTS[PROGRAMS_RUN] = {
    "127.0.0.1:9484", "127.0.0.1:9483", "127.0.0.1:9480", "127.0.0.1:9481", NULL, NULL};

static char *path_in(const struct stage *s, const char *name)
{
    char *path = NULL;
    return asprintf(&path, "%s/%s", s->dir, name) < 0 ? NULL : path;
}

/* Start argv[0] (a program's name) on the documented port, or, when that is taken, on a free one. */
MUST_USE static int start(struct stage *s, enum program who, const char **argv, size_t listen_at)
{
    char line[256], log[4096], program[4096];
    int r = -EIO;
    snprintf(log, sizeof log, "%s/%s.log", s->dir, who == GATEWAY ? "gateway" : NAMES[who]);
    snprintf(program, sizeof program, "%s/%s", s->bin, argv[0]);
    argv[0] = program;
    for (int attempt = s->fixed_ports ? 0 : 1; attempt < 2; attempt++) {
        argv[listen_at] = s->address[who][0] ? s->address[who] : attempt == 0 ? PORTS[who] : "127.0.0.1:0";
        process_free(s->programs[who]);
        s->programs[who] = NULL;
        r = process_start(argv, &(struct process_options){.log_path = log}, &s->programs[who]);
        if (r == 0)
            r = process_wait_line(s->programs[who], "listening ", 10000, line, sizeof line);
        if (r == 0)
            break;
    }
    if (r < 0) {
        fprintf(stderr, "demo: %s did not start (%s); its log:\n", NAMES[who], strerror(-r));
        AUTO_FREE char *text = NULL;
        size_t n = 0;
        if (file_read(log, 1u << 20, &text, &n) == 0)
            fwrite(text, 1, n, stderr);
        return r;
    }
    const char *at = strstr(line, "listening ");
    snprintf(s->address[who], sizeof s->address[who], "%s", at + strlen("listening "));
    return 0;
}

/* A configuration of the demo with the addresses that are really in use. */
MUST_USE static int write_config(struct stage *s, const char *name)
{
    char from[4096];
    AUTO_FREE char *text = NULL, *to = path_in(s, name);
    size_t len;
    struct buf out;
    snprintf(from, sizeof from, "%s/%s", s->source, name);
    int r = file_read(from, CONFIG_BYTES_MAX, &text, &len);
    if (r < 0 || !to) {
        fprintf(stderr, "demo: cannot read %s: %s\n", from, strerror(-r));
        return r < 0 ? r : -ENOMEM;
    }
    buf_init(&out, CONFIG_BYTES_MAX);
    for (size_t i = 0; i < len;) {
        size_t k = 0;
        struct span rest = span_of(text + i, len - i);
        while (k < PROGRAMS_RUN && !(PORTS[k] && s->address[k][0] && span_starts(rest, span_str(PORTS[k]))))
            k++;
        if (k < PROGRAMS_RUN) {
            buf_str(&out, s->address[k]);
            i += strlen(PORTS[k]);
        } else if (span_starts(rest, SPAN("../../"))) { /* the rule files, from the run folder */
            AUTO_FREE char *source = realpath(s->source, NULL);
            buf_printf(&out, "%s/../../", source ? source : s->source);
            i += strlen("../../");
        } else {
            buf_char(&out, text[i++]);
        }
    }
    r = buf_error(&out) ? buf_error(&out) : file_write(to, out.data, out.len);
    buf_done(&out);
    return r;
}

/* The collector's and the agent's addresses stand in each other's files before they start: the documented ones, or a
 * port that is free now. */
MUST_USE static int reserve(struct stage *s, enum program who)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    AUTO_CLOSE int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    uint64_t port = 0;
    const char *colon = strrchr(PORTS[who], ':');
    int r = s->fixed_ports ? parse_u64(colon + 1, 65535, &port) : 0;
    a.sin_port = htons((uint16_t)port);
    if (r < 0 || fd < 0)
        return -EIO;
    int yes = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes); /* a port in TIME_WAIT is free for a server */
    if (bind(fd, (struct sockaddr *)&a, sizeof a) < 0) {
        a.sin_port = 0;
        if (bind(fd, (struct sockaddr *)&a, sizeof a) < 0)
            return -errno;
    }
    if (getsockname(fd, (struct sockaddr *)&a, &len) < 0)
        return -errno;
    snprintf(s->address[who], sizeof s->address[who], "127.0.0.1:%u", ntohs(a.sin_port));
    return 0;
}

int stage_start_collector(struct stage *s, const char *webhook_url)
{
    AUTO_FREE char *config = path_in(s, "crest.yml"), *data = path_in(s, "crest-data");
    const char *argv[] = {"crest-collector", "--config",  config,     "--data", data,
                          "--webhook-url",   webhook_url, "--listen", "",       NULL};
    return config && data ? start(s, COLLECTOR, argv, 8) : -ENOMEM;
}

int stage_open(struct stage *s, const char *webhook_url)
{
    AUTO_FREE char *shop_data = path_in(s, "shop-data"), *access = path_in(s, "access.log"),
                   *prometheus = path_in(s, "prometheus.yml"), *agent_data = path_in(s, "agent-data");
    char gateway[128];
    const char *gateway_argv[] = {"crest-shop", "gateway", "--listen", "", "--decline", "0.02", NULL};
    int r = start(s, GATEWAY, gateway_argv, 3);
    if (r < 0)
        return r;
    snprintf(gateway, sizeof gateway, "http://%s", s->address[GATEWAY]);
    const char *shop_argv[] = {"crest-shop", "--listen", "",        "--gateway",    gateway, "--sessions",
                               "24",         "--data",   shop_data, "--access-log", access,  NULL};
    r = start(s, SHOP, shop_argv, 2);
    if (r == 0)
        r = reserve(s, COLLECTOR);
    if (r == 0)
        r = reserve(s, AGENT);
    if (r == 0)
        r = write_config(s, "crest.yml");
    if (r == 0)
        r = write_config(s, "prometheus.yml");
    if (r == 0)
        r = stage_start_collector(s, webhook_url);
    const char *agent_argv[] = {"crest-agent", "--config", prometheus, "--listen", "", "--data", agent_data, NULL};
    return r < 0 ? r : start(s, AGENT, agent_argv, 4);
}

int stage_start_load(struct stage *s, enum program who, const char *stages)
{
    char log[4096], host[128], browse[4096], german[4096], japanese[4096], program[4096], url[256];
    AUTO_FREE char *json = path_in(s, who == CUSTOMERS ? "customers.json" : "visitors.json");
    snprintf(log, sizeof log, "%s/%s.log", s->dir, NAMES[who]);
    snprintf(program, sizeof program, "%s/crest-loadgen", s->bin);
    snprintf(host, sizeof host, "host=http://%s", s->address[SHOP]);
    snprintf(browse, sizeof browse, "%s/journeys/browse.hurl", s->source);
    snprintf(german, sizeof german, "%s/journeys/checkout-de.hurl", s->source);
    snprintf(japanese, sizeof japanese, "%s/journeys/checkout-jp.hurl", s->source);
    snprintf(url, sizeof url, "http://%s/api/v1/write", s->address[COLLECTOR]);
    const char *argv[20] = {program, "run", browse}, *buy[] = {german, japanese},
               *rest[] = {"--stages",       stages, "--variable", host, "--as-customers", "--json", json,
                          "--remote-write", url,    "--threads",  "1"};
    size_t n = 3;
    for (size_t i = 0; who == CUSTOMERS && i < ARRAY_LEN(buy); i++)
        argv[n++] = buy[i];
    for (size_t i = 0; i < ARRAY_LEN(rest); i++)
        argv[n++] = rest[i];
    argv[n] = NULL;
    return process_start(argv, &(struct process_options){.log_path = log, .quiet = true}, &s->programs[who]);
}

void stage_close(struct stage *s)
{
    static const enum program ORDER[] = {CUSTOMERS, VISITORS, AGENT, COLLECTOR, SHOP, GATEWAY};
    for (size_t i = 0; i < ARRAY_LEN(ORDER); i++) {
        struct process *p = s->programs[ORDER[i]];
        int status;
        if (p && process_running(p))
            process_stop(p, 10000, &status);
        process_free(p);
        s->programs[ORDER[i]] = NULL;
    }
}

json_t *stage_json(struct stage *s, enum program who, const char *method, const char *path, const char *body)
{
    char url[8192];
    struct parse_error error = {0};
    snprintf(url, sizeof url, "http://%s%s", s->address[who], path);
    struct http_request request = {.method = method, .url = url, .body = span_str(body), .timeout_ms = 10000};
    struct http_response response = {0};
    json_t *answer = NULL;
    int r = http_fetch(&request, &response);
    if (r < 0)
        fprintf(stderr, "demo: %s %s: %s\n", method, url, response.error_text);
    else if (response.status != 200)
        fprintf(stderr, "demo: %s %s: HTTP %d " SPAN_FMT "\n", method, url, response.status,
                SPAN_ARG(buf_view(&response.body)));
    else if (!(answer = json_read(buf_view(&response.body), &error)))
        fprintf(stderr, "demo: %s %s: %s\n", method, url, error.text);
    http_response_done(&response);
    return answer;
}

int stage_control(struct stage *s, const char *json, int64_t *ret_ms)
{
    json_t *answer = stage_json(s, SHOP, "PUT", "/control", json);
    *ret_ms = unix_ms();
    json_decref(answer);
    return answer ? 0 : -EIO;
}

json_t *stage_query_json(struct stage *s, const char *query, int64_t at_ms)
{
    struct buf path;
    buf_init(&path, 8000);
    buf_str(&path, "/api/v1/query?query=");
    url_encode(&path, span_str(query));
    if (at_ms)
        buf_printf(&path, "&time=%lld.%03d", (long long)(at_ms / 1000), (int)(at_ms % 1000));
    json_t *answer = buf_error(&path) ? NULL : stage_json(s, COLLECTOR, "GET", path.data, NULL);
    buf_done(&path);
    return answer;
}

double stage_query(struct stage *s, const char *query, int64_t at_ms)
{
    json_t *answer = stage_query_json(s, query, at_ms);
    json_t *first = json_array_get(json_object_get(json_object_get(answer, "data"), "result"), 0);
    const char *text = json_string_value(json_array_get(json_object_get(first, "value"), 1));
    double v = NAN;
    if (text && parse_f64_span(span_str(text), &v) < 0)
        v = NAN;
    json_decref(answer);
    return v;
}
