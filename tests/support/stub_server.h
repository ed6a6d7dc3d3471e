/* stub_server.h - an HTTP server that says what a test tells it to: pages, errors, silence, slow bytes.
 *
 *   struct stub_server *s;
 *   check_ok(stub_server_start(0, NULL, NULL, &s));
 *   stub_server_page(s, "/metrics", &(struct stub_page){.body = "up 1\n", .content_type = "text/plain; version=0.0.4"});
 *   ... stub_server_url(s) ... stub_server_requests(s, "/metrics") ...
 *   stub_server_stop(s);
 *
 * Or with a handler, called on the connection's thread for every path without a page. Listens on 127.0.0.1; one thread
 * per connection, connections are kept alive. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/macros.h"
#include "lib/base/span.h"

struct stub_server;
struct stub_request {
    struct span method, path, head, body; /* path with the query; head: the header lines */
};
struct stub_page {
    int status;               /* 0: 200; -1: close the connection without an answer; -2: never answer */
    const char *content_type; /* NULL: none; must outlive the server */
    const char *headers;      /* further header lines, each ended by \r\n; NULL: none; must outlive the server */
    const char *body;         /* copied by stub_server_page */
    size_t body_bytes;        /* 0: strlen(body) */
    int64_t delay_ms;         /* before the first byte */
    size_t drip_bytes;        /* > 0: so many bytes of the body every 50 ms */
    bool open_ended;          /* no Content-Length: the connection stays open after the body until the client leaves */
    char *owned;              /* a handler's body from malloc, freed once sent */
};
/* Fill *page; what it points to must live until the handler is called again on this thread, but for `owned`. */
typedef void (*stub_handler)(void *ctx, const struct stub_request *request, struct stub_page *page);

/* port 0: a free one. handler NULL: 404 for what has no page. */
MUST_USE int stub_server_start(uint16_t port, stub_handler handler, void *ctx, struct stub_server **ret);
void stub_server_stop(struct stub_server *s);
uint16_t stub_server_port(const struct stub_server *s);
const char *stub_server_url(const struct stub_server *s);     /* http://127.0.0.1:PORT */
const char *stub_server_address(const struct stub_server *s); /* 127.0.0.1:PORT */
/* Set or replace what a path (with its query) answers from now on. */
void stub_server_page(struct stub_server *s, const char *path, const struct stub_page *page);
size_t stub_server_requests(struct stub_server *s, const char *path); /* answered or being answered */
/* The header lines of the last request for a path, into text. */
void stub_server_last_head(struct stub_server *s, const char *path, char *text, size_t bytes);
/* The value of a header in a request's head, empty when absent. */
struct span stub_header(struct span head, const char *name);
/* What was asked, as JSON: method, path, type (the Content-Type), head, body. From malloc. */
char *stub_echo(const struct stub_request *request);
