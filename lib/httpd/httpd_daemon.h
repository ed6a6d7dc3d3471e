/* httpd_daemon.h - what every daemon of ours answers about itself, and its web config read again: /metrics, /-/healthy, /-/ready
 * and, where there is something to read again, POST /-/reload.
 *
 *   static void write_metrics(void *ctx, struct httpd *server, struct metric_writer *w) { …; httpd_stats(server, w); }
 *   struct httpd_daemon d = {.program = "crest-agent", .reloads = true, .metrics = write_metrics};
 *   struct httpd_config config = {.routes = ROUTES, .ctx = a, .daemon = &d, .web_config = web, ...};
 *   r = httpd_start(&config, &h, why, sizeof why);
 *   httpd_daemon_loaded(&d, true);
 *   atomic_store(&d.ready, true);
 *   ... a reload was asked for (lib/base/daemon.h) ...
 *   r = my_reload(&problems);
 *   if (r == 0) r = httpd_daemon_reload_web(h, "web.yml", &problems);
 *   httpd_daemon_loaded(&d, r == 0);
 *
 * It must outlive the server. */
#pragma once

#include <stdatomic.h>

#include "lib/base/problem.h"
#include "lib/httpd/httpd.h"

struct httpd_daemon {
    const char *program; /* "crest-agent" */
    /* Writes the program's own families, the server's (httpd_stats) where they are wanted; those of the process and the
     * configuration stand before them. ctx is the server's. */
    void (*metrics)(void *ctx, struct httpd *server, struct metric_writer *w);
    bool reloads;                  /* has configuration: the route, and the metrics that say how it went */
    atomic_bool ready, config_ok;  /* /-/ready answers 503 before */
    atomic_llong config_loaded_ms; /* of the last good one */
};
/* Configuration was loaded, or was not. */
void httpd_daemon_loaded(struct httpd_daemon *d, bool ok);
/* Read the web config file again and have the server use it. NULL path: none is wanted, and that must be so
 * since the start. Otherwise as web_config_load and
 * httpd_set_web_config; problems says why the old one stays. */
MUST_USE int httpd_daemon_reload_web(struct httpd *h, const char *path, struct problems *problems);
