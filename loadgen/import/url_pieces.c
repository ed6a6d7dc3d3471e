#include "loadgen/import/url_pieces.h"

#include <errno.h>

#include "lib/base/limits.h"
#include "lib/wire/url.h"
#include "loadgen/import/har_capture.h"
#include "loadgen/import/names.h"

struct walk {
    url_piece_function each;
    void *ctx;
    struct buf decoded, pattern, dirs;
};

static void give(struct walk *w, struct url_piece *p)
{
    buf_clear(&w->decoded);
    url_decode(&w->decoded, p->raw, p->in_query);
    p->value = buf_view(&w->decoded);
    p->encoded = !span_equal(p->value, p->raw);
    p->pattern = buf_view(&w->pattern);
    if (p->value.len && span_is_utf8(p->value) && !buf_error(&w->decoded) && !buf_error(&w->pattern))
        w->each(w->ctx, p);
}

static void path_pieces(struct walk *w, struct span path)
{
    struct span rest = path, piece, before = {0};
    const char *constant = path.ptr; /* where the part without ids began */
    while (span_cut(&rest, '/', &piece)) {
        if (piece.len == 0)
            continue;
        struct url_piece p = {.raw = piece, .name = before.len ? before : SPAN("id"), .is_id = looks_like_id(piece)};
        p.prefix = span_of(constant, (size_t)(piece.ptr - constant));
        buf_clear(&w->pattern);
        buf_span(&w->pattern, buf_view(&w->dirs));
        buf_str(&w->pattern, "/([^/?#]+)");
        give(w, &p);
        buf_char(&w->dirs, '/');
        if (p.is_id || is_distinctive(piece)) {
            buf_str(&w->dirs, "[^/?#]+");
            constant = piece.ptr + piece.len;
        } else {
            put_regex_literal(&w->dirs, piece);
            before = piece;
        }
    }
}

static void query_pieces(struct walk *w, struct span query)
{
    struct span piece;
    while (span_cut(&query, '&', &piece)) {
        size_t equals = span_find(piece, '=');
        if (equals == piece.len || equals == 0)
            continue;
        struct url_piece p = {.raw = span_from(piece, equals + 1),
                              .name = span_of(piece.ptr, equals),
                              .prefix = span_of(piece.ptr, equals + 1),
                              .in_query = true};
        buf_clear(&w->pattern);
        buf_str(&w->pattern, "[?&]");
        put_regex_literal(&w->pattern, p.name);
        buf_str(&w->pattern, "=([^&#]+)");
        give(w, &p);
    }
}

int url_pieces(struct span url, url_piece_function each, void *ctx)
{
    struct walk w = {.each = each, .ctx = ctx};
    buf_init(&w.decoded, IMPORT_FILE_BYTES_MAX);
    buf_init(&w.pattern, IMPORT_FILE_BYTES_MAX);
    buf_init(&w.dirs, IMPORT_FILE_BYTES_MAX);
    url.len = span_find(url, '#');
    size_t scheme = span_search(url, SPAN("://"));
    if (scheme < url.len) {
        url = span_from(url, scheme + 3);
        url = span_from(url, span_find(url, '/'));
    }
    size_t mark = span_find(url, '?');
    if (mark)
        path_pieces(&w, span_of(url.ptr, mark));
    query_pieces(&w, span_from(url, mark + 1));
    int r = buf_error(&w.decoded) || buf_error(&w.pattern) || buf_error(&w.dirs) ? -ENOMEM : 0;
    buf_done(&w.decoded);
    buf_done(&w.pattern);
    buf_done(&w.dirs);
    return r;
}
