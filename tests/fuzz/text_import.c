/* text_import.c - any bytes as OpenMetrics text into the store: a mistake has its place and stores nothing, what was taken is taken again
 * as known, and now and then the store's export, imported into another one, must be exported as the same bytes. */
#include <errno.h>

#include "collector/store/text_in.h"
#include "collector/store/text_out.h"

#define TEXTS_PER_STORE 64
#define EXPORT_BYTES_MAX (64u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct store *store_of_its_own(void)
{
    struct store *s;
    char why[256];
    if (store_open(&(struct store_config){.future_ms_max = -1}, &s, why, sizeof why) < 0)
        abort();
    return s;
}

static int collect(void *ctx, const char *text, size_t n)
{
    buf_bytes(ctx, text, n);
    return buf_error(ctx);
}

static void export_all(struct store *s, struct buf *out)
{
    struct text_export e = {.store = s, .min_ms = INT64_MIN, .max_ms = INT64_MAX, .write = collect, .ctx = out};
    buf_init(out, EXPORT_BYTES_MAX);
    if (store_export(&e) < 0)
        abort();
}

static void check_round_trip(struct store *s)
{
    struct buf text, again;
    struct parse_error error = {0};
    export_all(s, &text);
    struct text_import i = {.store = store_of_its_own(), .text = buf_view(&text)};
    int r = store_import(&i, &error);
    if (r < 0 || i.refused) {
        fprintf(stderr, "%u:%u: %s %s\n", error.line, error.column, error.text, i.why);
        fwrite(text.data, 1, text.len, stderr);
        abort();
    }
    export_all(i.store, &again);
    if (text.len != again.len || memcmp(text.data, again.data, text.len) != 0) {
        fputs("---- exported\n", stderr);
        fwrite(text.data, 1, text.len, stderr); /* it may hold NULs */
        fputs("---- and from its import\n", stderr);
        fwrite(again.data, 1, again.len, stderr);
        abort();
    }
    store_close(i.store);
    buf_done(&text);
    buf_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct store *s;
    static unsigned taken;
    struct parse_error error = {0};
    if (!s)
        s = store_of_its_own();
    struct text_import first = {.store = s, .text = span_of((const char *)data, n)}, second = first;
    int r = store_import(&first, &error);
    if (r == -EINVAL) {
        if (first.samples || first.refused || error.line == 0 || !error.text[0])
            abort();
        return 0;
    }
    if (r < 0 || store_import(&second, &error) < 0)
        abort();
    if (first.samples != second.samples || first.refused != second.refused)
        abort();
    if (first.samples && ++taken % TEXTS_PER_STORE == 0) {
        check_round_trip(s);
        store_close(s);
        s = NULL;
    }
    return 0;
}
