/* Prometheus's admin API: deleting series. Closed unless --enable-admin-api says otherwise. */
#include "collector/http/api.h"

#include <errno.h>

#include "lib/base/limits.h"

static bool is_open(struct httpd_request *r, const struct http_room *room)
{
    if (!room->admin_api)
        httpd_reply_error(r, 403, "unavailable", "admin APIs disabled: start the collector with --enable-admin-api");
    return room->admin_api;
}

static void failed(struct httpd_request *r, int e)
{
    if (e == -E2BIG)
        httpd_reply_error(r, 422, "execution",
                          "too many deletions are not cleaned up yet (POST /api/v1/admin/tsdb/clean_tombstones), or a "
                          "regular expression took too many steps to match");
    else if (e == -ENOSPC || e == -ESHUTDOWN)
        httpd_reply_error(r, 503, "unavailable", "nothing was deleted: %s",
                          e == -ENOSPC ? "the disk is full" : "the collector is stopping");
    else if (e == -ENOMEM)
        httpd_reply_error(r, 422, "execution", "the selection needs more than %lu bytes of memory", QUERY_BYTES_MAX);
    else
        httpd_reply_error(r, 500, "internal", "the store failed: %s", strerror(-e));
}

static void work_delete(struct httpd_request *r, struct http_room *room)
{
    struct api_selections sel;
    struct arena arena;
    uint64_t n;
    arena_init(&arena, QUERY_BYTES_MAX);
    if (!api_selections(r, false, &arena, &sel)) {
        arena_done(&arena);
        return;
    }
    int e = sel.n && !sel.nowhere ? store_delete(room->store, sel.list, sel.n, &n) : 0;
    if (sel.n == 0)
        httpd_reply_error(r, 400, "bad_data", "no match[] parameter provided");
    else if (sel.nowhere) /* what is asked for by mistake is no success here */
        httpd_reply_error(r, 400, "bad_data", "end timestamp must not be before start time");
    else if (e < 0)
        failed(r, e);
    else
        httpd_reply_empty(r, 204);
    api_selections_done(&sel);
    arena_done(&arena);
}

static void work_clean(struct httpd_request *r, struct http_room *room)
{
    int e = store_clean(room->store);
    if (e < 0)
        failed(r, e);
    else
        httpd_reply_empty(r, 204);
}

void on_delete_series(struct httpd_request *r, void *ctx)
{
    if (is_open(r, ctx))
        api_work(r, ctx, work_delete);
}

void on_clean_tombstones(struct httpd_request *r, void *ctx)
{
    if (is_open(r, ctx))
        api_work(r, ctx, work_clean);
}
