#include "lib/httpd/httpd_daemon.h"

#include "lib/base/clock.h"
#include "lib/base/daemon.h"
#include "lib/httpd/httpd_internal.h"

static void on_metrics(struct httpd_request *r, void *ctx)
{
    const struct httpd_daemon *d = r->h->config.daemon;
    struct metric_writer w;
    struct buf out;
    enum metric_format format = metric_format_accepted(httpd_header(r, "Accept"));
    buf_init(&out, BODY_BYTES_MAX);
    metric_writer_init(&w, &out, format);
    metric_process(&w, d->program);
    if (d->reloads) {
        metric_family(&w, "crest_config_last_reload_successful", METRIC_GAUGE,
                      "Was the last configuration (re)load good?");
        metric_value(&w, atomic_load(&d->config_ok), NULL);
        metric_family(&w, "crest_config_last_reload_success_timestamp_seconds", METRIC_GAUGE,
                      "When configuration was last loaded well.");
        metric_value(&w, (double)atomic_load(&d->config_loaded_ms) / 1000.0, NULL);
    }
    d->metrics(ctx, r->h, &w);
    metric_writer_end(&w);
    httpd_reply(r, 200, format == METRIC_OPENMETRICS ? METRIC_CONTENT_OPENMETRICS : METRIC_CONTENT_TEXT, &out);
    buf_done(&out);
}

static void on_healthy(struct httpd_request *r, void *ctx UNUSED)
{
    httpd_reply_text(r, 200, "%s is healthy.\n", r->h->config.daemon->program);
}

static void on_ready(struct httpd_request *r, void *ctx UNUSED)
{
    const struct httpd_daemon *d = r->h->config.daemon;
    bool ready = atomic_load(&d->ready);
    httpd_reply_text(r, ready ? 200 : 503, "%s is %sready.\n", d->program, ready ? "" : "not ");
}

static void on_reload(struct httpd_request *r, void *ctx UNUSED)
{
    daemon_reload();
    httpd_reply_text(r, 202, "reloading; crest_config_last_reload_successful tells how it went\n");
}

const struct httpd_route HTTPD_DAEMON_ROUTES[] = {
    {"GET", "/metrics", 0, on_metrics, .help = "metrics about the program itself"},
    {"GET", "/-/healthy", 0, on_healthy, .help = "alive"},
    {"GET", "/-/ready", 0, on_ready, .help = "serving"},
    {"POST", "/-/reload", 0, on_reload, .help = "read configuration again, as SIGHUP does"},
    {0},
};

void httpd_daemon_loaded(struct httpd_daemon *d, bool ok)
{
    atomic_store(&d->config_ok, ok);
    if (ok)
        atomic_store(&d->config_loaded_ms, unix_ms());
}

int httpd_daemon_reload_web(struct httpd *h, const char *path, struct problems *problems)
{
    struct web_config *fresh = NULL;
    char why[512] = "";
    if (!path && !h->config.web_config)
        return 0;
    int r = path ? web_config_load(path, &fresh, problems) : 0;
    if (r < 0)
        return r;
    r = httpd_set_web_config(h, fresh, why, sizeof why);
    if (r < 0)
        problem_add(problems, PROBLEM_ERROR, path ? path : "web_config_file", 0, 0, "%s", why);
    web_config_free(fresh); /* the server has it */
    return r;
}
