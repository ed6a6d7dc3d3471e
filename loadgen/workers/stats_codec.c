#include "loadgen/workers/stats_codec.h"

#include <errno.h>

#include "lib/base/number.h"
#include "lib/metric/hdr_codec.h"
#include "loadgen/hurl/base64.h"

#define HDR_BYTES_MAX (1u << 20) /* encoded: all buckets of an hour in microseconds take some 200 KB */

bool take_word(struct span *rest, struct span *ret)
{
    while (rest->len && rest->ptr[0] == ' ')
        *rest = span_from(*rest, 1);
    if (rest->len == 0)
        return false;
    size_t n = span_find(*rest, ' ');
    *ret = span_of(rest->ptr, n);
    *rest = span_from(*rest, n);
    return true;
}

/* One walk for both ways: the fields stand in one place, in one order. */
struct codec {
    struct buf *out; /* NULL: decoding */
    struct span *in;
    int error;
};

static void number(struct codec *c, uint64_t *v)
{
    struct span word;
    uint64_t more;
    if (c->out) {
        buf_u64(c->out, *v);
        buf_char(c->out, ' ');
    } else if (c->error == 0) {
        if (!take_word(c->in, &word) || parse_u64_span(word, UINT64_MAX - *v, &more) < 0)
            c->error = -EINVAL;
        else
            *v += more;
    }
}

static void sum(struct codec *c, double *v)
{
    uint64_t whole = c->out && *v > 0 ? (uint64_t)*v : 0;
    number(c, &whole);
    if (!c->out)
        *v += (double)whole;
}

static void histogram(struct codec *c, struct hdr **h)
{
    struct span word;
    struct buf bytes;
    buf_init(&bytes, HDR_BYTES_MAX);
    if (c->out && (!*h || hdr_count(*h) == 0)) {
        buf_char(c->out, '-');
    } else if (c->out) {
        hdr_encode(*h, &bytes);
        if (buf_error(&bytes))
            c->error = buf_error(&bytes);
        base64_encode(c->out, buf_view(&bytes), false);
    } else if (c->error == 0 && !take_word(c->in, &word)) {
        c->error = -EINVAL;
    } else if (c->error == 0 && !span_equal(word, SPAN("-"))) {
        c->error = base64_decode(&bytes, word, false);
        if (c->error == 0)
            c->error = buf_error(&bytes);
        if (c->error == 0 && !*h)
            c->error = hdr_new(STATS_HIGHEST_US, STATS_DIGITS, h);
        if (c->error == 0)
            c->error = hdr_decode_add(buf_view(&bytes), *h);
    }
    if (c->out)
        buf_char(c->out, ' ');
    buf_done(&bytes);
}

static void text(struct codec *c, char *sample)
{
    struct span word;
    if (c->out) {
        buf_char(c->out, '.');
        base64_encode(c->out, span_str(sample), false);
        buf_char(c->out, ' ');
        return;
    }
    struct buf bytes;
    buf_init(&bytes, STATS_SAMPLE_MAX);
    if (c->error == 0 && (!take_word(c->in, &word) || base64_decode(&bytes, span_from(word, 1), false) < 0))
        c->error = -EINVAL;
    if (c->error == 0 && bytes.len && !sample[0])
        snprintf(sample, STATS_SAMPLE_MAX, SPAN_FMT, SPAN_ARG(buf_view(&bytes)));
    buf_done(&bytes);
}

static void sessions(struct codec *c, struct session_counts *s)
{
    number(c, &s->planned);
    number(c, &s->started);
    number(c, &s->dropped);
    number(c, &s->completed);
    number(c, &s->failed);
    number(c, &s->unfinished);
    number(c, &s->capped);
}

static void requests(struct codec *c, struct request_counts *r)
{
    number(c, &r->started);
    number(c, &r->dropped);
    number(c, &r->completed);
    number(c, &r->failed);
}

static void step(struct codec *c, struct step_stats *s)
{
    for (size_t i = 0; i < OUTCOMES; i++)
        number(c, &s->outcomes[i]);
    for (size_t i = 0; i < ERRORS; i++) {
        number(c, &s->errors[i]);
        text(c, s->samples[i]);
    }
    sum(c, &s->response_sum_us);
    sum(c, &s->service_sum_us);
    histogram(c, &s->response);
    histogram(c, &s->service);
    for (size_t i = 0; i < PARTS; i++)
        histogram(c, &s->parts[i]);
}

static void walk(struct codec *c, struct run_stats *s)
{
    sessions(c, &s->sessions);
    requests(c, &s->requests);
    number(c, &s->received_bytes);
    number(c, &s->fresh_connections);
    histogram(c, &s->lag);
    for (size_t i = 0; i < s->n_steps; i++)
        step(c, &s->steps[i]);
    for (size_t i = 0; i < s->n_journeys; i++) {
        sessions(c, &s->journeys[i].sessions);
        requests(c, &s->journeys[i].requests);
        histogram(c, &s->journeys[i].response);
        histogram(c, &s->journeys[i].service);
        histogram(c, &s->journeys[i].duration);
    }
}

void stats_encode(const struct run_stats *s, struct buf *out)
{
    struct codec c = {.out = out};
    struct run_stats same = *s; /* an encoder writes nothing into it */
    buf_printf(out, "%zu %zu ", s->n_steps, s->n_journeys);
    walk(&c, &same);
    if (c.error < 0 && out->error == 0)
        out->error = c.error;
}

int stats_decode_add(struct span *rest, struct run_stats *into)
{
    uint64_t steps = 0, journeys = 0;
    struct codec c = {.in = rest};
    number(&c, &steps);
    number(&c, &journeys);
    if (c.error == 0 && (steps != into->n_steps || journeys != into->n_journeys))
        return -EINVAL;
    walk(&c, into);
    return c.error;
}
