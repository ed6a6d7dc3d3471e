#include "loadgen/bottleneck/run_limit.h"

#include <math.h>
#include <stdlib.h>

#include "lib/chart/chart.h"

void run_limit_find(const char *collector, const char *auth_file, const struct run_config *c,
                    const struct run_result *r, struct run_limit *l)
{
    size_t n = 0;
    *l = (struct run_limit){.server = {.state = SERVER_LIMIT_NOT_ASKED}};
    l->gave_way = gave_way_find(r, c, 0, &l->first);
    struct load_span *spans = collector ? load_spans_of_run(c, r, l->gave_way ? l->first.second : INFINITY, &n) : NULL;
    if (spans)
        server_limit_find(
            &(struct limit_question){.collector = collector, .auth_file = auth_file, .spans = spans, .n = n},
            &l->server);
    free(spans);
}

/* "shop/pay: p95<300ms, 33 s into the run" */
static void say_step(struct buf *out, const struct gave_way *g)
{
    buf_printf(out, "%s: " SPAN_FMT, g->of->scope, SPAN_ARG(g->of->slo->text));
    if (isfinite(g->second))
        buf_printf(out, ", broken %.0f s into the run", g->second);
    else
        buf_str(out, ", broken over the run as a whole");
}

void run_limit_text(FILE *to, const struct run_limit *l)
{
    struct buf words;
    buf_init(&words, 4096);
    if (l->gave_way) {
        say_step(&words, &l->first);
        fprintf(to, "gave way first: " SPAN_FMT "\n", SPAN_ARG(buf_view(&words)));
    }
    buf_done(&words);
    server_limit_text(to, &l->server);
}

void run_limit_html(struct buf *out, const struct run_limit *l)
{
    struct buf words;
    buf_init(&words, 4096);
    if (l->gave_way) {
        say_step(&words, &l->first);
        buf_str(out, "<h2>What gave way first</h2>\n<p>");
        html_text(out, buf_view(&words));
        buf_str(out, ".</p>\n");
    }
    buf_done(&words);
    server_limit_html(out, &l->server);
}

void run_limit_json(struct json_writer *j, const struct run_limit *l)
{
    jw_key(j, "gave_way");
    if (l && l->gave_way) {
        jw_object(j);
        jw_member_str(j, "scope", l->first.of->scope);
        jw_member_text(j, "threshold", l->first.of->slo->text);
        jw_member_f64(j, "second", l->first.second);
        jw_member_f64(j, "strain", l->first.strain);
        jw_end(j);
    } else {
        jw_null(j);
    }
    jw_key(j, "server_limit");
    if (l)
        server_limit_json(j, &l->server);
    else
        jw_null(j);
}
