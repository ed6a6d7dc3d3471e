/* history_inside.h - what the pieces of history import share: asking (history_ask.c), its answers (history_json.c), the progress file
 * (history_mark.c). */
#pragma once

#include "collector/store/history.h"
#include "lib/base/hash.h"
#include "lib/wire/http_client.h"

/* ---- history_ask.c ---- */
struct history_server {
    struct http_client *client;
    struct history *h;
    char *base; /* without the slash at its end */
    bool answered;
    char *why;
    size_t why_bytes;
};
MUST_USE int history_server_init(struct history_server *s, struct history *h, char *why, size_t why_bytes);
void history_server_done(struct history_server *s);
/* Does it answer remote read? Sets h->by_remote_read. */
MUST_USE int history_probe(struct history_server *s);
/* The metric names of a selection (NULL: all), sorted. */
struct history_names {
    struct arena arena;
    struct span *list;
    size_t n;
};
MUST_USE int history_ask_names(struct history_server *s, const struct store_selection *selection,
                               struct history_names *ret);
void history_names_done(struct history_names *names);
/* Type, unit and help of those names' families; NULL when the server tells none. */
MUST_USE int history_ask_metadata(struct history_server *s, const struct history_names *names,
                                  struct write_request **ret);
/* Samples of one name. */
struct history_window {
    const struct store_selection *selection; /* NULL: no more matchers */
    struct span name;
    int64_t from_ms, to_ms; /* inclusive */
};
struct history_answer {
    struct write_request *request;
    uint64_t samples, histograms; /* floats and histograms in it */
    uint64_t refused, skipped_histograms;
    char refusal[256];
};
/* -E2BIG: a shorter window may do, *ret_wait_ms before asking for it; other errors are final. */
MUST_USE int history_ask_window(struct history_server *s, const struct history_window *w, int attempt,
                                struct history_answer *ret, int64_t *ret_wait_ms);

/* ---- history_json.c ---- */
MUST_USE int history_read_names(struct span body, struct history_names *ret, char *why, size_t why_bytes);
/* A range selector's answer; what lies outside of the window is left out. */
MUST_USE int history_read_matrix(struct span body, const struct history_window *w, struct history_answer *ret,
                                 char *why, size_t why_bytes);
MUST_USE int history_read_metadata(struct span body, const struct history_names *names, struct write_request **ret,
                                   char *why, size_t why_bytes);
/* {__name__="up",job="shop"} */
void history_selector(struct buf *out, const struct store_selection *selection, struct span name);

/* ---- history_mark.c ---- */
struct history_mark {
    int fd;
    char *path;
    off_t end;          /* of what is finished */
    struct strmap done; /* "match name" of finished names */
    char *at;           /* the name that was begun, NULL: none */
    int64_t at_ms;      /* and its next window */
};
/* Opens or makes the file; h->to_ms may become an earlier call's, h->resumed says so. */
MUST_USE int history_mark_open(struct history_mark *m, struct history *h, char *why, size_t why_bytes);
bool history_mark_done(const struct history_mark *m, size_t match, struct span name, int64_t *ret_next_ms);
/* All before next_ms is stored; `finished`: all of the name. */
MUST_USE int history_mark_put(struct history_mark *m, size_t match, struct span name, int64_t next_ms, bool finished);
/* complete: the file goes. */
void history_mark_close(struct history_mark *m, bool complete);
