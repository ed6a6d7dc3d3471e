/* har.c - any bytes as a HAR, a curl command, a Postman collection and an access log: refused with words, or a journey that parses. */
#include <errno.h>

#include "loadgen/hurl/check.h"
#include "loadgen/hurl/parse.h"
#include "loadgen/import/curl.h"
#include "loadgen/import/har.h"
#include "loadgen/import/log_format.h"
#include "loadgen/import/log_routes.h"
#include "loadgen/import/postman.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_draft(const struct journey_draft *d, int r, struct problems *ps)
{
    struct hurl_file *f = NULL;
    struct buf text;
    buf_init(&text, 16 << 20);
    if (r == -EINVAL && problems_errors(ps) == 0)
        abort();
    if (r < 0 && r != -EINVAL) /* of so little input memory does not run out */
        abort();
    if (r == 0 && journey_print(d, &text) == 0 &&
        (hurl_parse("made", buf_view(&text), &f, ps) < 0 || hurl_check(f, ps) < 0)) {
        problems_print(ps, stderr);
        fprintf(stderr, "%s", text.data);
        abort();
    }
    hurl_file_free(f);
    buf_done(&text);
}

static void read_log(struct span text)
{
    struct log_format f;
    struct log_routes *routes = NULL;
    struct span line;
    char why[256];
    if (log_format_init(&f, NULL, NULL, 0, NULL, why, sizeof why) < 0)
        abort();
    if (log_routes_new(&routes) == 0)
        while (span_cut(&text, '\n', &line)) {
            struct log_line l;
            struct log_slots slots;
            size_t route;
            if (log_format_read(&f, line, &l) < 0)
                continue;
            if (log_routes_add(routes, &l, &route) == 0 && route != LOG_NO_ROUTE)
                log_route_slots(routes, route, log_routes_at(routes, route)->samples[0].target, &slots);
        }
    log_routes_free(routes);
    log_format_done(&f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct span text = span_of((const char *)data, n);
    for (int kind = 0; kind < 3; kind++) {
        struct journey_draft d;
        struct problems ps;
        problems_init(&ps);
        journey_init(&d);
        int r = kind == 0   ? import_har(text, "fuzz.har", &(struct har_options){.assets = n % 2 == 1}, &d, &ps)
                : kind == 1 ? import_curl(text, "fuzz", &d, &ps)
                            : import_postman(text, "fuzz.json", (struct span){0}, NULL, &d, &ps);
        check_draft(&d, r, &ps);
        journey_done(&d);
        problems_done(&ps);
    }
    read_log(text);
    return 0;
}
