#include "tests/support/store_load.h"

#include <math.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/wire/remote_write.h"

#define NEIGHBOURS 250u /* share a millisecond: a target's series */
#define TARGETS 700u    /* 13 ms apart, then again: less than a step of 10 s */
#define TEXT_BYTES 160u /* of one series' labels */
#define PAIRS 6u

struct series {
    struct label pairs[PAIRS];
    struct labels labels;
    char *text; /* TEXT_BYTES of the load's */
    unsigned index;
    double value, rate;
    struct check_random random;
};
struct store_load {
    struct series *list;
    char *texts;
    unsigned first, n, all, per_request, born; /* born: of them by churn */
    struct remote_write_encoder *encoder;
};

NORETURN static void stop(const char *what)
{
    fprintf(stderr, "store_load: %s\n", what);
    exit(1);
}

static double uniform(struct check_random *r)
{
    return (double)(check_random_u64(r) >> 11) * 0x1p-53;
}

static void add(struct series *s, size_t *used, const char *name, const char *format, ...) PRINTF_LIKE(4, 5);
static void add(struct series *s, size_t *used, const char *name, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(s->text + *used, TEXT_BYTES - *used, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= TEXT_BYTES - *used)
        stop("labels are too long");
    s->pairs[s->labels.n++] = (struct label){span_str(name), span_of(s->text + *used, (size_t)n)};
    *used += (size_t)n;
}

/* i: among all series that ever are; names stand in their order. */
static void set_series(struct store_load *l, struct series *s, unsigned i)
{
    static const char *const NAMES[] = {"http_requests_total", "http_request_duration_seconds_bucket",
                                        "process_resident_memory_bytes", "up"};
    static const char *const LE[] = {"0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1.0", "2.5", "+Inf"};
    static const char *const CODES[] = {"200", "201", "301", "404", "500"};
    unsigned kind = i % 10 < 4 ? 0 : i % 10 < 8 ? 1 : i % 10 == 8 ? 2 : 3;
    size_t used = 0;
    s->labels = (struct labels){s->pairs, 0};
    add(s, &used, "__name__", "%s", NAMES[kind]);
    if (kind == 0)
        add(s, &used, "code", "%s", CODES[i / 10 % ARRAY_LEN(CODES)]);
    add(s, &used, "instance", "10.%u.%u.%u:9100", i / 62500 % 250, i / 250 % 250, i % 250);
    add(s, &used, "job", "job-%u", i / (l->all / 10) % 10);
    if (kind == 1)
        add(s, &used, "le", "%s", LE[i / 10 % ARRAY_LEN(LE)]);
    if (kind < 2)
        add(s, &used, "route", "/api/v1/route/%u", i / 10 % 50);
    add(s, &used, "shard", "shard-%05u", i);
    s->index = i;
    s->random = (struct check_random){i};
    s->random.state = check_random_u64(&s->random); /* neighbours' seeds far apart */
    s->rate = 0.5 * pow(1000, uniform(&s->random));
    s->value = 0;
}

struct store_load *store_load_new(unsigned first, unsigned n, unsigned all, unsigned samples_per_request)
{
    struct store_load *l = calloc(1, sizeof *l);
    if (!l || !(l->list = calloc(n, sizeof *l->list)) || !(l->texts = malloc((size_t)n * TEXT_BYTES)) ||
        remote_write_encoder_new(&l->encoder) < 0)
        stop("out of memory");
    l->first = first;
    l->n = n;
    l->all = all;
    l->per_request = samples_per_request;
    for (unsigned i = 0; i < n; i++) {
        l->list[i].text = l->texts + (size_t)i * TEXT_BYTES;
        set_series(l, &l->list[i], first + i);
    }
    return l;
}

void store_load_free(struct store_load *l)
{
    remote_write_encoder_free(l->encoder);
    free(l->texts);
    free(l->list);
    free(l);
}

void store_load_churn(struct store_load *l, unsigned at, unsigned n)
{
    for (unsigned i = 0; i < n; i++) /* beyond what all parts began with, and apart from theirs while born < n */
        set_series(l, &l->list[(at + i) % l->n], l->all + l->first + l->born++);
}

const struct labels *store_load_labels(const struct store_load *l, unsigned n)
{
    return &l->list[n].labels;
}

double store_load_next(struct store_load *l, unsigned n)
{
    struct series *s = &l->list[n];
    struct check_random *r = &s->random;
    switch (s->index % 10) {
    case 9:
        return 1;
    case 8:
        return s->value += uniform(r) < 0.7 ? 4096 * (floor(uniform(r) * 129) - 64) : 0;
    default:
        return s->value += floor(s->rate * (0.5 + uniform(r)) + uniform(r));
    }
}

void store_load_flush(struct store_load *l, store_load_request into, void *ctx)
{
    unsigned samples = (unsigned)remote_write_samples(l->encoder);
    struct buf body;
    if (!samples)
        return;
    buf_init(&body, 16u << 20);
    if (remote_write_finish(l->encoder, &body) < 0)
        stop("a request cannot be encoded");
    into(ctx, &body, samples);
}

void store_load_round(struct store_load *l, int64_t t_ms, store_load_request into, void *ctx)
{
    for (unsigned i = 0; i < l->n; i++) {
        struct sample s = {.t_ms = t_ms + (l->first + i) / NEIGHBOURS % TARGETS * 13, .value = store_load_next(l, i)};
        if (remote_write_add(l->encoder, &l->list[i].labels, &s, 1) < 0)
            stop("a sample cannot be encoded");
        if (remote_write_samples(l->encoder) == l->per_request)
            store_load_flush(l, into, ctx);
    }
}
