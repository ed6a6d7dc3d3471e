/* Any bytes as an exposition page: refused with a place, or samples that keep the data model's rules. The first byte picks
 * the format and whether it is linted; what Prometheus's leniency takes may be refused when linted, never the other way. */
#include <errno.h>
#include <stdlib.h>

#include "lib/metric/exposition.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct seen {
    size_t samples, metadata;
    uint64_t bytes; /* read every byte given, so that a sanitizer sees a stale one */
};

static uint64_t sum(struct span s)
{
    uint64_t total = 0;
    for (size_t i = 0; i < s.len; i++)
        total += (unsigned char)s.ptr[i];
    return total;
}

static void check_labels(struct seen *seen, const struct labels *ls)
{
    const char *why;
    if (labels_check(ls, &why) < 0)
        abort();
    for (size_t i = 0; i < ls->n; i++)
        seen->bytes += sum(ls->pairs[i].name) + sum(ls->pairs[i].value);
}

static int on_sample(void *ctx, const struct exposition_sample *s)
{
    struct seen *seen = ctx;
    seen->samples++;
    check_labels(seen, &s->labels);
    if (labels_get(&s->labels, SPAN("__name__")).len == 0 || s->family.len == 0 || s->series.len == 0)
        abort();
    seen->bytes += sum(s->family) + sum(s->series);
    if (isnan(s->value) && f64_bits(s->value) != NAN_BITS)
        abort();
    if (s->exemplar)
        check_labels(seen, &s->exemplar->labels);
    return 0;
}

static int on_metadata(void *ctx, const struct metadata *m)
{
    struct seen *seen = ctx;
    seen->metadata++;
    if (m->name.len == 0 || !span_is_utf8(m->name) || !span_is_utf8(m->help))
        abort();
    seen->bytes += sum(m->name) + sum(m->unit) + sum(m->help);
    return 0;
}

static int parse(enum exposition_format format, bool strict, struct span page, struct seen *seen)
{
    struct exposition_events ev = {seen, on_sample, on_metadata, strict};
    struct parse_error err = {0};
    int r = exposition_parse(format, page, &ev, &err);
    if (r != 0 && r != -EINVAL && r != -ENOMEM)
        abort();
    if (r < 0 && (err.code != r || err.line == 0 || err.column == 0 || err.text[0] == '\0' || err.start > page.len))
        abort();
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n == 0)
        return 0;
    enum exposition_format format = data[0] & 1 ? EXPOSITION_OPENMETRICS : EXPOSITION_TEXT;
    /* exactly as long as the page: reading past its end is seen */
    char *copy = malloc(n);
    if (!copy)
        return 0;
    memcpy(copy, data + 1, n - 1);
    struct span page = span_of(copy, n - 1);
    struct seen lenient = {0}, strict = {0};
    int taken = parse(format, false, page, &lenient), linted = parse(format, true, page, &strict);
    if (linted == 0 && (taken != 0 || strict.samples != lenient.samples || strict.bytes != lenient.bytes))
        abort();
    free(copy);
    return 0;
}
