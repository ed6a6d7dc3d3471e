#include <errno.h>
#include <math.h>

#include "lib/match/regex.h"
#include "loadgen/hurl/eval.h"
#include "loadgen/hurl/json_text.h"
#include "loadgen/hurl/jsonpath_tree.h"

struct nodes {
    struct span *v;
    size_t n, cap;
};
struct eval {
    struct arena *arena;
    struct span root;
    size_t made;
    struct regex *regex; /* of match() or search(): the pattern is the same for every node, as a rule */
    struct span pattern; /* that it was made of */
    bool anchored;
};

#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        int try_r = (call);                                                                                            \
        if (try_r < 0)                                                                                                 \
            return try_r;                                                                                              \
    } while (0)

MUST_USE static int add(struct eval *e, struct nodes *to, struct span value)
{
    if (++e->made > JSONPATH_NODES_MAX)
        return -E2BIG;
    if (to->n == to->cap) {
        size_t cap = to->cap ? to->cap * 2 : 8;
        struct span *v = arena_array(e->arena, cap, sizeof *v);
        if (!v)
            return -ENOMEM;
        if (to->n)
            memcpy(v, to->v, to->n * sizeof *v);
        to->v = v;
        to->cap = cap;
    }
    to->v[to->n++] = value;
    return 0;
}

static bool member(struct span object, struct span name, struct span *ret)
{
    struct json_text_walk w = json_text_walk(object);
    struct span key, value;
    bool found = false;
    while (json_text_member(&w, &key, &value))
        if (json_text_string_is(key, name)) { /* of duplicates the last */
            *ret = value;
            found = true;
        }
    return found;
}

static bool item(struct span array, int64_t index, struct span *ret)
{
    if (index < 0)
        index += (int64_t)json_text_count(array);
    struct json_text_walk w = json_text_walk(array);
    for (; index >= 0 && json_text_item(&w, ret); index--)
        if (index == 0)
            return true;
    return false;
}

MUST_USE static int run(struct eval *e, const struct jsonpath *path, struct span start, struct nodes *ret);

/* ---- filters ---- */

struct operand_value {
    bool present;
    struct span json;
    bool is_count;
    double count;
};

static size_t characters(struct span text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++)
        n += ((unsigned char)text.ptr[i] & 0xc0) != 0x80;
    return n;
}

MUST_USE static int length_of(struct eval *e, struct span json, struct operand_value *ret)
{
    enum json_text_type type = json_text_type(json);
    if (type == JSON_TEXT_STRING) {
        struct span text;
        TRY(json_text_string(e->arena, json, &text));
        ret->count = (double)characters(text);
    } else if (type == JSON_TEXT_ARRAY || type == JSON_TEXT_OBJECT) {
        ret->count = (double)json_text_count(json);
    } else {
        return 0; /* nothing */
    }
    ret->present = ret->is_count = true;
    return 0;
}

MUST_USE static int operand(struct eval *e, const struct jsonpath_operand *o, struct span current,
                            struct operand_value *ret)
{
    *ret = (struct operand_value){0};
    if (o->kind == OPERAND_LITERAL) {
        ret->present = true;
        ret->json = o->literal;
        return 0;
    }
    if (o->kind == OPERAND_LENGTH) {
        struct operand_value of;
        TRY(operand(e, o->inner, current, &of));
        return of.present && !of.is_count ? length_of(e, of.json, ret) : 0;
    }
    struct nodes found = {0};
    TRY(run(e, o->path, o->path->relative ? current : e->root, &found));
    if (o->kind == OPERAND_COUNT) {
        ret->present = ret->is_count = true;
        ret->count = (double)found.n;
        return 0;
    }
    if (found.n != 1) /* value() of several is nothing; other paths here name at most one */
        return 0;
    ret->present = true;
    ret->json = found.v[0];
    return 0;
}

static bool number_of(const struct operand_value *v, double *ret)
{
    if (v->is_count) {
        *ret = v->count;
        return true;
    }
    int64_t integer;
    if (json_text_type(v->json) != JSON_TEXT_NUMBER)
        return false;
    json_text_number(v->json, &integer, ret);
    return true;
}

static bool equal(const struct operand_value *a, const struct operand_value *b)
{
    if (!a->present || !b->present)
        return a->present == b->present;
    double x, y;
    if (a->is_count || b->is_count)
        return number_of(a, &x) && number_of(b, &y) && x == y;
    return json_text_equal(a->json, b->json);
}

MUST_USE static int less(struct eval *e, const struct operand_value *a, const struct operand_value *b, bool *ret)
{
    *ret = false;
    if (!a->present || !b->present)
        return 0;
    double x, y;
    if (number_of(a, &x) && number_of(b, &y)) {
        *ret = x < y;
    } else if (!a->is_count && !b->is_count && json_text_type(a->json) == JSON_TEXT_STRING &&
               json_text_type(b->json) == JSON_TEXT_STRING) {
        struct span s, t;
        TRY(json_text_string(e->arena, a->json, &s));
        TRY(json_text_string(e->arena, b->json, &t));
        *ret = span_compare(s, t) < 0;
    }
    return 0;
}

MUST_USE static int compare(struct eval *e, const struct jsonpath_filter *f, struct span current, bool *ret)
{
    struct operand_value a, b;
    TRY(operand(e, &f->a, current, &a));
    TRY(operand(e, &f->b, current, &b));
    bool swap = f->compare == COMPARE_GT || f->compare == COMPARE_GE, is_less;
    TRY(less(e, swap ? &b : &a, swap ? &a : &b, &is_less));
    switch (f->compare) {
    case COMPARE_EQ:
        *ret = equal(&a, &b);
        break;
    case COMPARE_NE:
        *ret = !equal(&a, &b);
        break;
    case COMPARE_LT:
    case COMPARE_GT:
        *ret = is_less;
        break;
    case COMPARE_LE:
    case COMPARE_GE:
        *ret = is_less || equal(&a, &b);
        break;
    }
    return 0;
}

/* The text of an operand; false when it is none. */
MUST_USE static int text_of(struct eval *e, const struct jsonpath_operand *o, struct span current, bool *ret_text,
                            struct span *ret)
{
    struct operand_value v;
    TRY(operand(e, o, current, &v));
    *ret_text = v.present && !v.is_count && json_text_type(v.json) == JSON_TEXT_STRING;
    return *ret_text ? json_text_string(e->arena, v.json, ret) : 0;
}

/* match() and search(): a value that is no text, and a pattern that is none, match nothing (RFC 9535 2.4.6). */
MUST_USE static int matches(struct eval *e, const struct jsonpath_operand *o, struct span current, bool *ret)
{
    struct span text, pattern;
    bool text_there, pattern_there, anchored = o->kind == OPERAND_MATCH;
    TRY(text_of(e, o->inner, current, &text_there, &text));
    TRY(text_of(e, o->pattern, current, &pattern_there, &pattern));
    *ret = false;
    if (!text_there || !pattern_there)
        return 0;
    if (!e->pattern.ptr || e->anchored != anchored || !span_equal(e->pattern, pattern)) {
        struct parse_error error;
        regex_free(e->regex);
        e->regex = NULL;
        e->pattern = pattern;
        e->anchored = anchored;
        if (hurl_regex_compile(pattern, anchored ? REGEX_ANCHORED : 0, &e->regex, &error) == -ENOMEM)
            return -ENOMEM;
    }
    struct span group;
    size_t n;
    int found = !e->regex ? 0 : anchored ? regex_match(e->regex, text) : regex_search(e->regex, text, 0, &group, 1, &n);
    *ret = found > 0;
    return found < 0 ? found : 0;
}

MUST_USE static int holds(struct eval *e, const struct jsonpath_filter *f, struct span current, bool *ret)
{
    switch (f->kind) {
    case FILTER_OR:
        TRY(holds(e, f->left, current, ret));
        return *ret ? 0 : holds(e, f->right, current, ret);
    case FILTER_AND:
        TRY(holds(e, f->left, current, ret));
        return *ret ? holds(e, f->right, current, ret) : 0;
    case FILTER_NOT:
        TRY(holds(e, f->left, current, ret));
        *ret = !*ret;
        return 0;
    case FILTER_EXISTS: {
        struct nodes found = {0};
        TRY(run(e, f->a.path, f->a.path->relative ? current : e->root, &found));
        *ret = found.n > 0;
        return 0;
    }
    case FILTER_COMPARE:
        return compare(e, f, current, ret);
    case FILTER_REGEX:
        return matches(e, &f->a, current, ret);
    }
    return -EINVAL;
}

/* ---- selectors ---- */

MUST_USE static int select_children(struct eval *e, const struct jsonpath_selector *s, struct span value,
                                    struct nodes *to)
{
    struct json_text_walk w = json_text_walk(value);
    enum json_text_type type = json_text_type(value);
    struct span key, child;
    while (type == JSON_TEXT_OBJECT ? json_text_member(&w, &key, &child) : json_text_item(&w, &child)) {
        bool take = true;
        if (s->kind == SELECT_FILTER)
            TRY(holds(e, s->filter, child, &take));
        if (take)
            TRY(add(e, to, child));
    }
    return 0;
}

MUST_USE static int select_slice(struct eval *e, const struct jsonpath_selector *s, struct span array, struct nodes *to)
{
    int64_t n = (int64_t)json_text_count(array);
    if (s->step == 0 || n == 0)
        return 0;
    int64_t start = s->has_start ? s->start : s->step > 0 ? 0 : n - 1;
    int64_t end = s->has_end ? s->end : s->step > 0 ? n : -n - 1;
    start = start < 0 ? start + n : start;
    end = end < 0 ? end + n : end;
    struct nodes all = {0};
    struct json_text_walk w = json_text_walk(array);
    struct span value;
    while (json_text_item(&w, &value))
        TRY(add(e, &all, value));
    if (s->step > 0) {
        start = start < 0 ? 0 : start;
        end = end > n ? n : end;
        for (int64_t i = start; i < end; i += s->step)
            TRY(add(e, to, all.v[i]));
    } else {
        start = start > n - 1 ? n - 1 : start;
        end = end < -1 ? -1 : end;
        for (int64_t i = start; i > end; i += s->step)
            TRY(add(e, to, all.v[i]));
    }
    return 0;
}

MUST_USE static int select_one(struct eval *e, const struct jsonpath_selector *s, struct span value, struct nodes *to)
{
    enum json_text_type type = json_text_type(value);
    struct span found;
    switch (s->kind) {
    case SELECT_NAME:
        return type == JSON_TEXT_OBJECT && member(value, s->name, &found) ? add(e, to, found) : 0;
    case SELECT_INDEX:
        return type == JSON_TEXT_ARRAY && item(value, s->index, &found) ? add(e, to, found) : 0;
    case SELECT_SLICE:
        return type == JSON_TEXT_ARRAY ? select_slice(e, s, value, to) : 0;
    case SELECT_WILDCARD:
    case SELECT_FILTER:
        return select_children(e, s, value, to);
    }
    return -EINVAL;
}

MUST_USE static int select_all(struct eval *e, const struct jsonpath_segment *segment, struct span value,
                               struct nodes *to)
{
    for (size_t i = 0; i < segment->n; i++)
        TRY(select_one(e, &segment->selectors[i], value, to));
    if (!segment->descendant)
        return 0;
    struct json_text_walk w = json_text_walk(value); /* depth is bounded by json_text_check */
    bool object = json_text_type(value) == JSON_TEXT_OBJECT;
    struct span key, child;
    while (object ? json_text_member(&w, &key, &child) : json_text_item(&w, &child))
        TRY(select_all(e, segment, child, to));
    return 0;
}

static int run(struct eval *e, const struct jsonpath *path, struct span start, struct nodes *ret)
{
    struct nodes now = {0};
    TRY(add(e, &now, start));
    for (size_t i = 0; i < path->n; i++) {
        struct nodes next = {0};
        for (size_t k = 0; k < now.n; k++)
            TRY(select_all(e, &path->segments[i], now.v[k], &next));
        now = next;
    }
    *ret = now;
    return 0;
}

bool jsonpath_is_singular(const struct jsonpath *path)
{
    return path->singular;
}

/* Where a path of names and indexes leads. false: nowhere. */
static bool walk(const struct jsonpath *path, struct span value, struct span *ret)
{
    for (size_t i = 0; i < path->n; i++) {
        const struct jsonpath_selector *s = path->segments[i].selectors;
        enum json_text_type type = json_text_type(value);
        struct span next;
        if (s->kind == SELECT_NAME ? type != JSON_TEXT_OBJECT || !member(value, s->name, &next)
                                   : type != JSON_TEXT_ARRAY || !item(value, s->index, &next))
            return false;
        value = next;
    }
    *ret = value;
    return true;
}

int jsonpath_eval(const struct jsonpath *path, struct span root, struct arena *scratch, struct jsonpath_result *ret)
{
    if (path->singular) { /* most paths: no lists of nodes */
        struct span *one = arena_room(scratch, sizeof *one);
        if (!one)
            return -ENOMEM;
        *ret = (struct jsonpath_result){one, walk(path, root, one)};
        return 0;
    }
    struct eval e = {.arena = scratch, .root = root};
    struct nodes found = {0};
    int r = run(&e, path, root, &found);
    regex_free(e.regex);
    if (r < 0)
        return r;
    *ret = (struct jsonpath_result){found.v, found.n};
    return 0;
}
