/* Any bytes as a template: refused with a place inside the text, or expanded within its bounds, the same twice. */
#include <errno.h>
#include <stdlib.h>

#include "collector/template/template.h"
#include "lib/base/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct label labels[] = {{SPAN_INIT("instance"), SPAN_INIT("shop.example.org:9483")},
                                {SPAN_INIT("job"), SPAN_INIT("shop")}};

static const struct template_sample answer[] = {{{labels, 2}, 1}, {{labels, 1}, -2.5}};

static int ask(void *ctx, struct span expr, struct arena *arena, const struct template_sample **ret, size_t *ret_n,
               char *why, size_t why_bytes)
{
    (void)ctx;
    (void)arena;
    *ret = answer;
    *ret_n = expr.len % 3;
    if (expr.len && *expr.ptr == '!') {
        snprintf(why, why_bytes, "no");
        return -EINVAL;
    }
    return 0;
}

static int expand(const struct template *t, double value, struct buf *out)
{
    struct labels set = {labels, 2};
    struct template_data data = {.labels = &set,
                                 .value = value,
                                 .external_labels = &set,
                                 .external_url = "http://a:1/b",
                                 .now_ms = 1500000000000,
                                 .query = ask};
    int r = template_expand(t, &data, out);
    if (r < 0 && !span_starts(buf_view(out), SPAN("<error expanding template: ")))
        abort();
    if (out->len > TEMPLATE_BYTES_MAX + 1024)
        abort();
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const double VALUES[] = {0, 1.5, -1e300, 1e-300};
    struct span text = span_of((const char *)data, n);
    struct template *t = NULL;
    struct parse_error error = {0};
    int r = template_parse(text, &t, &error);
    if (r < 0) {
        if (t || error.text[0] == '\0' || error.start > n || error.end > n || (r != -EINVAL && r != -ENOMEM))
            abort();
        return 0;
    }
    for (size_t i = 0; i < sizeof VALUES / sizeof VALUES[0]; i++) {
        struct buf once, twice;
        buf_init(&once, 1 << 20);
        buf_init(&twice, 1 << 20);
        if (expand(t, VALUES[i], &once) != expand(t, VALUES[i], &twice) ||
            !span_equal(buf_view(&once), buf_view(&twice)))
            abort();
        buf_done(&once);
        buf_done(&twice);
    }
    template_free(t);
    return 0;
}
