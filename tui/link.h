/* link.h - the connection to a collector: its stream, which is taken up again when it ends, and single requests.
 *
 *   r = link_new(&(struct link_config){.url = "http://127.0.0.1:9480", .app = app}, &link, &why);
 *   poll link_fd(link) up to link_timeout_ms(link, mono_ms); link_step(link, mono_ms);
 *   link_free(link);
 *
 * Waits 0.5 s before the first try again, then twice as long each time up to 10 s (or what Retry-After asks for), with a fifth
 * at random so that a room full of consoles does not come back at once. A stream that is silent for 15 s is dead: the
 * collector sends a heartbeat every 10. */
#pragma once

#include "tui/app.h"

struct link;
struct link_config {
    const char *url, *auth_file, *ca_file; /* files may be NULL; copied */
    /* each frame, also as it came (for --json); may be NULL */
    void (*on_event)(void *ctx, const struct sse_event *event);
    void *ctx;
};
/* *ret_why: a constant sentence. -EINVAL: not an http(s) URL; -ENOMEM and others of http_client_new. */
MUST_USE int link_new(const struct link_config *config, struct link **ret, const char **ret_why);
void link_free(struct link *l);
/* What the app asks for goes through this link, and what comes goes to the app. */
struct app_wire link_wire(struct link *l);
void link_attach(struct link *l, struct app *app);
int link_fd(const struct link *l);
int64_t link_timeout_ms(const struct link *l, int64_t mono_ms);
void link_step(struct link *l, int64_t mono_ms);
const char *link_words(const struct link *l); /* why there is no stream */
const char *link_why(const struct link *l);   /* the same without when it tries again */
unsigned link_failures(const struct link *l); /* tries since the last frame */
