/* saved_run.c - any bytes as the results of two runs (parted by the byte 0xff, else one): refused with words, or compared. A run differs from itself in
 * nothing. */
#include <errno.h>
#include <stdlib.h>

#include "loadgen/compare/compare.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static FILE *nowhere(void)
{
    static FILE *to;
    if (!to)
        to = fopen("/dev/null", "we");
    return to ? to : stderr;
}

static struct saved_run *read_run(struct span json)
{
    struct saved_run *run = NULL;
    char why[256] = "";
    int r = saved_run_read(json, &run, why, sizeof why);
    if (r < 0 && (run || !why[0]))
        abort();
    return run;
}

static void check_pair(const struct saved_run *old, const struct saved_run *now)
{
    struct comparison *c = NULL;
    struct buf page;
    if (compare_runs(old, now, &c) < 0)
        return;
    if (c->n < old->n_steps && c->n < now->n_steps)
        abort();
    if (old == now && compare_count(c, CHANGE_BETTER) + compare_count(c, CHANGE_WORSE) > 0)
        abort();
    compare_text(nowhere(), c);
    buf_init(&page, 1 << 24);
    compare_html(&page, c);
    if (page.len == 0)
        abort();
    buf_done(&page);
    compare_free(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct span text = span_of(n ? (const char *)data : "", n);
    size_t first = span_find(text, '\xff');
    struct saved_run *old = read_run(span_of(text.ptr, first)), *now = read_run(span_from(text, first + 1));
    if (old)
        check_pair(old, old);
    if (old && now)
        check_pair(old, now);
    saved_run_free(old);
    saved_run_free(now);
    return 0;
}
