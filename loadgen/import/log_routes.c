#include "loadgen/import/log_routes.h"

#include <errno.h>

#include "loadgen/import/journey.h"
#include "loadgen/import/names.h"

#define DEPTH_MAX 16u /* pieces of a path; deeper ones are cut there */

struct node {
    uint32_t parent; /* of the root: itself */
    uint32_t children, depth;
    bool variable; /* holds any piece */
    bool crowded;  /* more children than a menu has */
    struct span piece;
};
struct log_routes {
    struct arena arena;
    struct node *nodes;
    size_t n_nodes;
    struct strmap by_place;  /* "PARENT/piece" -> node */
    struct strmap by_key;    /* "NODE METHOD operation parameters" -> route */
    struct strmap by_target; /* "ROUTE target" -> sample */
    struct log_route routes[LOG_ROUTES_MAX];
    size_t n;
    struct buf key, target;
};

int log_routes_new(struct log_routes **ret)
{
    struct log_routes *r = calloc(1, sizeof *r);
    if (!r)
        return -ENOMEM;
    arena_init(&r->arena, IMPORT_DRAFT_BYTES_MAX);
    strmap_init(&r->by_place, LOG_NODES_MAX);
    strmap_init(&r->by_key, LOG_ROUTES_MAX);
    strmap_init(&r->by_target, LOG_ROUTES_MAX * LOG_SAMPLES_MAX);
    buf_init(&r->key, 4 * LOG_LINE_BYTES_MAX);
    buf_init(&r->target, 2 * LOG_LINE_BYTES_MAX);
    r->nodes = calloc(LOG_NODES_MAX, sizeof *r->nodes);
    if (!r->nodes) {
        log_routes_free(r);
        return -ENOMEM;
    }
    r->n_nodes = 1; /* the root */
    *ret = r;
    return 0;
}

void log_routes_free(struct log_routes *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->n; i++)
        free(r->routes[i].samples);
    strmap_done(&r->by_place);
    strmap_done(&r->by_key);
    strmap_done(&r->by_target);
    arena_done(&r->arena);
    buf_done(&r->key);
    buf_done(&r->target);
    free(r->nodes);
    free(r);
}

/* ---- targets ---- */

/* What says where somebody came from changes nothing of what is asked. */
static bool is_tracking(struct span name)
{
    static const char *const NAMES[] = {"gclid", "fbclid", "msclkid", "dclid", "mc_cid", "mc_eid", "_ga", "_"};
    if (span_starts(name, SPAN("utm_")))
        return true;
    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++)
        if (span_equal(name, span_str(NAMES[i])))
            return true;
    return false;
}

/* A parameter that says what is asked for, not of which thing. */
static bool is_operation(struct span name)
{
    static const char *const NAMES[] = {"operationName", "action", "op", "route", "controller", "cmd", "method"};
    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++)
        if (span_equal(name, span_str(NAMES[i])))
            return true;
    return false;
}

/* Path and query, without scheme, host, fragment and tracking parameters. */
static struct span clean_target(struct log_routes *r, struct span uri)
{
    size_t scheme = span_search(uri, SPAN("://"));
    if (uri.ptr[0] != '/' && scheme < uri.len) {
        uri = span_from(uri, scheme + 3);
        uri = span_from(uri, span_find(uri, '/'));
    }
    uri.len = span_find(uri, '#');
    size_t mark = span_find(uri, '?');
    buf_clear(&r->target);
    if (mark == 0)
        buf_char(&r->target, '/');
    buf_span(&r->target, span_of(uri.ptr, mark));
    struct span query = span_from(uri, mark + 1), pair;
    char joint = '?';
    while (span_cut(&query, '&', &pair)) {
        if (pair.len == 0 || is_tracking(span_of(pair.ptr, span_find(pair, '='))))
            continue;
        buf_char(&r->target, joint);
        buf_span(&r->target, pair);
        joint = '&';
    }
    for (size_t i = 0; i < r->target.len; i++)
        if ((unsigned char)r->target.data[i] < ' ')
            r->target.data[i] = '_';
    return buf_view(&r->target);
}

/* ---- paths ---- */

static bool is_variable_piece(struct span piece)
{
    return looks_like_id(piece) || is_distinctive(piece) || piece.len > 100;
}

/* The child for a piece; the parent itself when no more nodes may be made. */
MUST_USE static int child(struct log_routes *r, uint32_t parent, struct span piece, uint32_t *ret)
{
    bool variable = is_variable_piece(piece) || r->nodes[parent].crowded;
    buf_clear(&r->key);
    buf_printf(&r->key, "%u/", parent);
    buf_span(&r->key, variable ? SPAN("\x01") : piece);
    if (buf_error(&r->key))
        return -ENOMEM;
    uintptr_t known = (uintptr_t)strmap_get(&r->by_place, buf_view(&r->key));
    if (known) {
        *ret = (uint32_t)known;
        return 0;
    }
    if (!variable && r->nodes[parent].children >= (parent ? LOG_MENU_MAX : LOG_ROOT_MAX)) {
        r->nodes[parent].crowded = true;
        return child(r, parent, piece, ret);
    }
    *ret = parent;
    if (r->n_nodes >= LOG_NODES_MAX)
        return 0;
    bool ok = true;
    struct node *n = &r->nodes[r->n_nodes];
    *n = (struct node){.parent = parent,
                       .depth = r->nodes[parent].depth + 1,
                       .variable = variable,
                       .piece = variable ? SPAN("") : arena_span(&r->arena, piece, &ok)};
    int e = ok ? strmap_put(&r->by_place, buf_view(&r->key), (void *)(uintptr_t)r->n_nodes) : -ENOMEM;
    if (e < 0)
        return e;
    r->nodes[parent].children += !variable;
    *ret = (uint32_t)r->n_nodes++;
    return 0;
}

MUST_USE static int node_of(struct log_routes *r, struct span path, uint32_t *ret)
{
    uint32_t node = 0;
    struct span piece;
    int e = 0;
    while (e == 0 && r->nodes[node].depth < DEPTH_MAX && span_cut(&path, '/', &piece))
        if (piece.len)
            e = child(r, node, piece, &node);
    *ret = node;
    return e;
}

/* ---- routes ---- */

/* "q&page&action=add" */
static void put_parameters(struct buf *out, struct span query)
{
    struct span pair;
    bool first = true;
    while (span_cut(&query, '&', &pair)) {
        struct span name = span_of(pair.ptr, span_find(pair, '='));
        if (!first)
            buf_char(out, '&');
        buf_span(out, is_operation(name) && pair.len <= 100 ? pair : name);
        first = false;
    }
}

MUST_USE static int add_sample(struct log_routes *r, size_t route, struct span target, uint64_t count)
{
    struct log_route *to = &r->routes[route];
    buf_clear(&r->key);
    buf_printf(&r->key, "%zu ", route);
    buf_span(&r->key, target);
    uintptr_t known = (uintptr_t)strmap_get(&r->by_target, buf_view(&r->key));
    if (known) {
        to->samples[known - 1].count += count;
        return 0;
    }
    if (to->n_samples >= LOG_SAMPLES_MAX || buf_error(&r->key))
        return buf_error(&r->key) ? -ENOMEM : 0;
    if (to->n_samples == to->cap_samples) {
        size_t cap = to->cap_samples ? 2 * to->cap_samples : 8;
        struct log_sample *bigger = realloc(to->samples, cap * sizeof *bigger);
        if (!bigger)
            return -ENOMEM;
        to->samples = bigger;
        to->cap_samples = cap;
    }
    bool ok = true;
    struct log_sample sample = {arena_span(&r->arena, target, &ok), count};
    if (!ok)
        return 0; /* the memory for samples is used up: the ones that are there stand for all */
    to->samples[to->n_samples++] = sample;
    return strmap_put(&r->by_target, buf_view(&r->key), (void *)(uintptr_t)to->n_samples);
}

static void count_status(struct log_route *route, int status)
{
    size_t class = status == 200       ? 0
                   : status == 304     ? 3
                   : status / 100 == 2 ? 1
                   : status / 100 == 3 ? 2
                   : status / 100 == 5 ? 4
                                       : 5;
    route->by_status[class]++;
    route->errors += status >= 500;
}

int log_routes_add(struct log_routes *r, const struct log_line *line, size_t *ret_route)
{
    uint32_t node;
    struct span target = clean_target(r, line->uri);
    size_t mark = span_find(target, '?');
    int e = buf_error(&r->target) ? -ENOMEM : node_of(r, span_of(target.ptr, mark), &node);
    if (e < 0)
        return e;
    buf_clear(&r->key);
    buf_printf(&r->key, "%u " SPAN_FMT " ", node, SPAN_ARG(line->method));
    buf_span(&r->key, line->operation);
    buf_char(&r->key, ' ');
    size_t parameters_at = r->key.len;
    put_parameters(&r->key, span_from(target, mark + 1));
    if (buf_error(&r->key))
        return -ENOMEM;
    uintptr_t known = (uintptr_t)strmap_get(&r->by_key, buf_view(&r->key));
    *ret_route = LOG_NO_ROUTE;
    if (!known) {
        bool ok = true;
        if (r->n == LOG_ROUTES_MAX)
            return 0;
        struct log_route *route = &r->routes[r->n];
        *route = (struct log_route){.node = node};
        route->method = arena_span(&r->arena, line->method, &ok);
        route->operation = arena_span(&r->arena, line->operation, &ok);
        route->parameters = arena_span(&r->arena, span_from(buf_view(&r->key), parameters_at), &ok);
        e = ok ? strmap_put(&r->by_key, buf_view(&r->key), (void *)(uintptr_t)(r->n + 1)) : -ENOMEM;
        if (e < 0)
            return e;
        known = ++r->n;
    }
    struct log_route *route = &r->routes[known - 1];
    route->count++;
    count_status(route, line->status);
    if (line->duration_us >= 0) {
        route->duration_us += (uint64_t)line->duration_us;
        route->timed++;
    }
    *ret_route = known - 1;
    return add_sample(r, known - 1, target, 1);
}

size_t log_routes_count(const struct log_routes *r)
{
    return r->n;
}

const struct log_route *log_routes_at(const struct log_routes *r, size_t i)
{
    return &r->routes[i];
}

/* ---- at the end ---- */

/* The nodes from the root down to the route's. */
static size_t path_of(const struct log_routes *r, uint32_t node, uint32_t path[DEPTH_MAX])
{
    size_t n = 0;
    for (uint32_t at = node; at && n < DEPTH_MAX; at = r->nodes[at].parent)
        n++;
    for (size_t i = n; i > 0; i--, node = r->nodes[node].parent)
        path[i - 1] = node;
    return n;
}

/* A place that became crowded holds a variable, also where it was a word at first. */
static bool is_slot(const struct log_routes *r, uint32_t node)
{
    return r->nodes[node].variable || r->nodes[r->nodes[node].parent].crowded;
}

static void put_slot(const struct span *names, size_t *used, struct buf *out)
{
    if (names && *used < LOG_SLOTS_MAX)
        draft_expression(out, names[*used]);
    else
        buf_str(out, "{}");
    ++*used;
}

/* The word before a variable piece: /product/SKU-0001 names a product. */
static struct span slot_hint(const struct log_routes *r, uint32_t node)
{
    uint32_t before = r->nodes[node].parent;
    while (before && is_slot(r, before))
        before = r->nodes[before].parent;
    return before ? r->nodes[before].piece : SPAN("id");
}

/* names: of its variables in order; NULL: {} stands for each. *used counts them. */
static void put_path(const struct log_routes *r, uint32_t node, const struct span *names, size_t *used, struct buf *out)
{
    uint32_t path[DEPTH_MAX];
    size_t n = path_of(r, node, path);
    for (size_t i = 0; i < n; i++) {
        buf_char(out, '/');
        if (is_slot(r, path[i]))
            put_slot(names, used, out);
        else
            buf_span(out, r->nodes[path[i]].piece);
    }
    if (n == 0)
        buf_char(out, '/');
}

/* The value of a parameter in a target. */
static struct span parameter(struct span target, struct span name)
{
    struct span query = span_from(target, span_find(target, '?') + 1), pair;
    while (span_cut(&query, '&', &pair))
        if (span_equal(span_of(pair.ptr, span_find(pair, '=')), name))
            return span_from(pair, name.len + 1);
    return (struct span){0};
}

/* Is the parameter the same in all samples? */
static bool is_constant(const struct log_route *route, struct span name)
{
    for (size_t i = 1; i < route->n_samples; i++)
        if (!span_equal(parameter(route->samples[i].target, name), parameter(route->samples[0].target, name)))
            return false;
    return true;
}

void log_route_template(const struct log_routes *r, size_t i, const struct span *names, struct buf *out)
{
    const struct log_route *route = &r->routes[i];
    struct span parameters = route->parameters, name;
    size_t used = 0;
    char joint = '?';
    put_path(r, route->node, names, &used, out);
    while (span_cut(&parameters, '&', &name)) {
        struct span bare = span_of(name.ptr, span_find(name, '='));
        buf_char(out, joint);
        joint = '&';
        buf_span(out, bare);
        buf_char(out, '=');
        if (is_constant(route, bare) && route->n_samples)
            buf_span(out, parameter(route->samples[0].target, bare));
        else
            put_slot(names, &used, out);
    }
}

void log_route_slots(const struct log_routes *r, size_t i, struct span target, struct log_slots *ret)
{
    const struct log_route *route = &r->routes[i];
    uint32_t path[DEPTH_MAX];
    size_t n = path_of(r, route->node, path), at = 0;
    struct span rest = span_of(target.ptr, span_find(target, '?')), piece, parameters = route->parameters, name;
    ret->n = 0;
    while (at < n && span_cut(&rest, '/', &piece)) {
        if (piece.len == 0)
            continue;
        if (is_slot(r, path[at]) && ret->n < LOG_SLOTS_MAX) {
            ret->names[ret->n] = slot_hint(r, path[at]);
            ret->values[ret->n++] = piece;
        }
        at++;
    }
    while (span_cut(&parameters, '&', &name)) {
        struct span bare = span_of(name.ptr, span_find(name, '='));
        if (!is_constant(route, bare) && ret->n < LOG_SLOTS_MAX) {
            ret->names[ret->n] = bare;
            ret->values[ret->n++] = parameter(target, bare);
        }
    }
}

MUST_USE static int merge(struct log_routes *r, size_t into, size_t from)
{
    struct log_route *a = &r->routes[into], *b = &r->routes[from];
    a->count += b->count;
    a->errors += b->errors;
    a->duration_us += b->duration_us;
    a->timed += b->timed;
    for (size_t i = 0; i < ARRAY_LEN(a->by_status); i++)
        a->by_status[i] += b->by_status[i];
    int e = 0;
    for (size_t i = 0; e == 0 && i < b->n_samples; i++)
        e = add_sample(r, into, b->samples[i].target, b->samples[i].count);
    b->count = 0;
    return e;
}

int log_routes_settle(struct log_routes *r, size_t order[LOG_ROUTES_MAX])
{
    struct strmap seen;
    struct buf key;
    int e = 0;
    strmap_init(&seen, LOG_ROUTES_MAX);
    buf_init(&key, 4 * LOG_LINE_BYTES_MAX);
    for (size_t i = 0; e == 0 && i < r->n; i++) {
        const struct log_route *route = &r->routes[i];
        buf_clear(&key);
        buf_printf(&key, SPAN_FMT " " SPAN_FMT " " SPAN_FMT " ", SPAN_ARG(route->method), SPAN_ARG(route->operation),
                   SPAN_ARG(route->parameters));
        size_t used = 0;
        put_path(r, route->node, NULL, &used, &key);
        uintptr_t first = (uintptr_t)strmap_get(&seen, buf_view(&key));
        order[i] = first ? first - 1 : i;
        if (buf_error(&key))
            e = -ENOMEM;
        else
            e = first ? merge(r, first - 1, i) : strmap_put(&seen, buf_view(&key), (void *)(uintptr_t)(i + 1));
    }
    strmap_done(&seen);
    buf_done(&key);
    return e;
}
