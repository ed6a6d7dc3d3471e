/* markets, steps, dependencies: several signals with the same labels make one row. */
#include <errno.h>
#include <math.h>

#include "collector/view/view_internal.h"

#define LABELS_OF_A_ROW 4

struct field {
    const char *signal, *member;
    double rank; /* this times the value, coarsely, sorts the rows */
};
struct fold {
    struct {
        const char *label, *member;
    } labels[LABELS_OF_A_ROW]; /* the key, joined by / */
    struct field fields[6];
    void (*more)(struct json_writer *j, struct span last_label);
};

/* The way of a visit. A step that is not listed comes after those that are. */
static const char *const STEP_ORDER[] = {"home",     "category", "search",   "product", "cart",  "login",
                                         "checkout", "address",  "shipping", "payment", "order", "confirmation"};

static void step_index(struct json_writer *j, struct span step)
{
    size_t i = 0;
    while (i < ARRAY_LEN(STEP_ORDER) && !span_equal(step, span_str(STEP_ORDER[i])))
        i++;
    jw_key(j, "index");
    jw_u64(j, i);
}

static const struct fold MARKETS = {
    .labels = {{"service", "service"}, {"market", "market"}, {"channel", "channel"}, {"currency", "currency"}},
    .fields = {{"orders_per_minute", "orders_per_minute", 1}, {"revenue_per_minute", "revenue_per_minute", 0}},
};
static const struct fold STEPS = {
    .labels = {{"service", "service"}, {"route", "step"}},
    .fields = {{"route_operation_rps", "rps", 0},
               {"route_operation_error_ratio", "error_ratio", 1000},
               {"route_operation_failure_ratio", "failure_ratio", 1000},
               {"route_operation_seconds:p95", "response_seconds:p95", 0},
               {"route_operation_oldest_inflight_seconds", "oldest_inflight_seconds", 1}},
    .more = step_index,
};
static const struct fold DEPENDENCIES = {
    .labels = {{"service", "service"}, {"route", "dependency"}},
    .fields = {{"route_dependency_rps", "rps", 0},
               {"route_api_failure_ratio", "failure_ratio", 1000},
               {"route_dependency_seconds:p95", "response_seconds:p95", 1},
               {"route_dependency_oldest_inflight_seconds", "oldest_inflight_seconds", 10}},
};

struct cell {
    const struct signal *signal;
    const struct field *field;
    struct span labels[LABELS_OF_A_ROW];
};

static int by_labels(const void *a, const void *b)
{
    const struct cell *x = a, *y = b;
    for (size_t i = 0; i < LABELS_OF_A_ROW; i++) {
        int c = span_compare(x->labels[i], y->labels[i]);
        if (c)
            return c;
    }
    return (x->field > y->field) - (x->field < y->field);
}

static bool same_row(const struct cell *a, const struct cell *b)
{
    for (size_t i = 0; i < LABELS_OF_A_ROW; i++)
        if (!span_equal(a->labels[i], b->labels[i]))
            return false;
    return true;
}

static const struct field *field_of(const struct fold *f, const struct signal *s)
{
    for (size_t i = 0; i < ARRAY_LEN(f->fields) && f->fields[i].signal; i++)
        if (span_equal(s->name, span_str(f->fields[i].signal)))
            return &f->fields[i];
    return NULL;
}

/* Only series that have every label of the key. */
static bool make_cell(const struct fold *f, const struct signal *s, struct cell *ret)
{
    *ret = (struct cell){.signal = s, .field = field_of(f, s)};
    if (!ret->field)
        return false;
    for (size_t i = 0; i < LABELS_OF_A_ROW && f->labels[i].label; i++) {
        ret->labels[i] = i == 0 ? s->service : labels_get(s->labels, span_str(f->labels[i].label));
        if (!ret->labels[i].len)
            return false;
    }
    return true;
}

static void write_row(struct frame_rows *rows, const struct fold *f, const struct cell *cells, size_t n,
                      struct buf *key)
{
    double rank = 0;
    struct span last = {0};
    buf_clear(key);
    for (size_t i = 0; i < LABELS_OF_A_ROW && f->labels[i].label; i++) {
        if (i)
            buf_char(key, '/');
        buf_span(key, cells->labels[i]);
        last = cells->labels[i];
    }
    for (size_t i = 0; i < n; i++) {
        double r = cells[i].field->rank * cells[i].signal->value;
        if (r > 0)
            rank += floor(log2(1 + (isinf(r) ? 1e9 : r)));
    }
    struct json_writer *j = frame_row(rows, buf_view(key), rank);
    jw_object(j);
    for (size_t i = 0; i < LABELS_OF_A_ROW && f->labels[i].label; i++) {
        jw_key(j, f->labels[i].member);
        jw_text(j, cells->labels[i]);
    }
    if (f->more)
        f->more(j, last);
    for (size_t i = 0; i < n; i++) /* of two stacks with the same signal the first speaks */
        if (i == 0 || cells[i].field != cells[i - 1].field)
            write_number(j, cells[i].field->member, (struct span){0}, cells[i].signal->value);
    jw_end(j);
}

static int render(struct view *v, const struct fold *f, struct frame_rows *rows)
{
    int r = view_refresh(v, frame_now_ms(rows));
    if (r < 0)
        return r;
    struct cell *cells = malloc((v->n_signals ? v->n_signals : 1) * sizeof *cells);
    if (!cells)
        return -ENOMEM;
    size_t n = 0;
    for (size_t i = 0; i < v->n_signals; i++)
        n += make_cell(f, &v->signals[i], &cells[n]);
    if (n)
        qsort(cells, n, sizeof *cells, by_labels);
    struct buf key;
    buf_init(&key, 65536);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && same_row(&cells[i], &cells[end]);)
            end++;
        write_row(rows, f, &cells[i], end - i, &key);
    }
    r = buf_error(&key) == -ENOMEM ? -ENOMEM : 0;
    buf_done(&key);
    free(cells);
    return r;
}

int render_markets(void *ctx, struct frame_rows *rows)
{
    return render(ctx, &MARKETS, rows);
}
int render_steps(void *ctx, struct frame_rows *rows)
{
    return render(ctx, &STEPS, rows);
}
int render_dependencies(void *ctx, struct frame_rows *rows)
{
    return render(ctx, &DEPENDENCIES, rows);
}
