#include "lib/wire/yaml.h"

#include <errno.h>
#include <yaml.h>

#include "lib/base/hash.h"
#include "lib/base/limits.h"
#include "lib/wire/yaml_place.h"

struct yaml {
    struct arena arena;
    char *file;
    struct yaml_node *root;
};

/* An anchored node. Aliases share its children, so memory does not grow; `weight` is what a reader of the tree will walk. */
struct anchor {
    struct yaml_node *node; /* NULL while it is being read: an alias inside itself */
    size_t weight;
};

struct builder {
    struct yaml *doc;
    struct problems *problems;
    yaml_parser_t parser;
    struct yaml_place place;
    struct strmap anchors;
    size_t nodes; /* aliases count as what they stand for */
    unsigned depth;
    bool bad; /* a problem that does not stop the reading */
};

/* ---- problems --------------------------------------------------------------------------------------------- */

#define PROBLEM_AT(b, mark, ...)                                                                                       \
    do {                                                                                                               \
        uint32_t line_, column_;                                                                                       \
        yaml_place_of(&(b)->place, (mark).line, (mark).column, &line_, &column_);                                      \
        problem_add((b)->problems, PROBLEM_ERROR, (b)->doc->file, line_, column_, __VA_ARGS__);                        \
        (b)->bad = true;                                                                                               \
    } while (0)

static int syntax_problem(struct builder *b)
{
    const yaml_parser_t *p = &b->parser;
    if (p->error == YAML_MEMORY_ERROR)
        return -ENOMEM;
    const char *what = p->problem ? p->problem : "not YAML";
    uint32_t line, column;
    if (p->error == YAML_READER_ERROR) {
        yaml_place_of_byte(&b->place, p->problem_offset, &line, &column);
        problem_add(b->problems, PROBLEM_ERROR, b->doc->file, line, column, "%s", what);
        return -EINVAL;
    }
    size_t at = yaml_place_of(&b->place, p->problem_mark.line, p->problem_mark.column, &line, &column);
    bool tab = at < b->place.text.len && b->place.text.ptr[at] == '\t';
    problem_add(b->problems, PROBLEM_ERROR, b->doc->file, line, column, "%s%s%s%s", what, p->context ? " " : "",
                p->context ? p->context : "", tab ? " (a tab: YAML indents with spaces only)" : "");
    return -EINVAL;
}

/* ---- nodes ------------------------------------------------------------------------------------------------ */

MUST_USE static int build(struct builder *b, yaml_event_t *event, struct yaml_node *into);

MUST_USE static int next_event(struct builder *b, yaml_event_t *event)
{
    return yaml_parser_parse(&b->parser, event) ? 0 : syntax_problem(b);
}

/* The next event as a node. */
MUST_USE static int build_next(struct builder *b, struct yaml_node *into)
{
    yaml_event_t event;
    int r = next_event(b, &event);
    if (r < 0)
        return r;
    r = build(b, &event, into);
    yaml_event_delete(&event);
    return r;
}

MUST_USE static int count_nodes(struct builder *b, size_t n, yaml_mark_t mark)
{
    if (n <= YAML_NODES_MAX && b->nodes <= YAML_NODES_MAX - n) {
        b->nodes += n;
        return 0;
    }
    PROBLEM_AT(b, mark, "more than %u values (aliases count as what they stand for)", YAML_NODES_MAX);
    return -EINVAL;
}

MUST_USE static struct yaml_node *new_node(struct builder *b)
{
    return arena_alloc(&b->doc->arena, sizeof(struct yaml_node));
}

#define TAG_PREFIX "tag:yaml.org,2002:"

/* The tag's short name: "" for none, NULL for one that is not YAML's own. */
static const char *short_tag(const unsigned char *tag)
{
    const char *t = (const char *)tag;
    if (!t)
        return "";
    if (strcmp(t, "!") == 0)
        return "!";
    return strncmp(t, TAG_PREFIX, sizeof TAG_PREFIX - 1) == 0 ? t + sizeof TAG_PREFIX - 1 : NULL;
}

static void bad_tag(struct builder *b, const unsigned char *tag, yaml_mark_t mark)
{
    const char *name = short_tag(tag);
    PROBLEM_AT(b, mark, "the tag '%s%s' is not supported here", name ? "!!" : "", name ? name : (const char *)tag);
}

static bool is_null_text(struct span s)
{
    return s.len == 0 || span_equal(s, SPAN("~")) || span_equal(s, SPAN("null")) || span_equal(s, SPAN("Null")) ||
           span_equal(s, SPAN("NULL"));
}

MUST_USE static int build_scalar(struct builder *b, const yaml_event_t *event, struct yaml_node *into)
{
    struct span value = span_of((const char *)event->data.scalar.value, event->data.scalar.length);
    const char *tag = short_tag(event->data.scalar.tag);
    bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (tag &&
        (strcmp(tag, "int") == 0 || strcmp(tag, "float") == 0 || strcmp(tag, "bool") == 0 || strcmp(tag, "null") == 0))
        plain = true;
    else if (tag && (strcmp(tag, "!") == 0 || strcmp(tag, "str") == 0))
        plain = false;
    else if (!tag || (tag[0] != '\0' && strcmp(tag, "timestamp") != 0))
        bad_tag(b, event->data.scalar.tag, event->start_mark);
    into->quoted = !plain;
    into->kind = plain && is_null_text(value) ? YAML_NULL : YAML_SCALAR;
    char *copy = arena_dup(&b->doc->arena, value);
    if (!copy)
        return -ENOMEM;
    into->text = span_of(copy, value.len);
    return 0;
}

MUST_USE static int build_alias(struct builder *b, const yaml_event_t *event, struct yaml_node *into)
{
    const char *name = (const char *)event->data.alias.anchor;
    const struct anchor *a = strmap_get(&b->anchors, span_str(name));
    if (!a || !a->node) {
        PROBLEM_AT(b, event->start_mark,
                   a ? "the alias '*%s' stands inside of what it names" : "no anchor '&%s' before this", name);
        return a ? -EINVAL : 0;
    }
    int r = count_nodes(b, a->weight, event->start_mark);
    if (r < 0)
        return r;
    into->kind = a->node->kind;
    into->quoted = a->node->quoted;
    into->text = a->node->text;
    into->first = a->node->first;
    into->n = a->node->n;
    return 0;
}

static void append(struct yaml_node *parent, struct yaml_node **last, struct yaml_node *child)
{
    if (*last)
        (*last)->next = child;
    else
        parent->first = child;
    *last = child;
    parent->n++;
}

MUST_USE static int build_list(struct builder *b, struct yaml_node *into)
{
    struct yaml_node *last = NULL;
    into->kind = YAML_LIST;
    for (;;) {
        yaml_event_t event;
        int r = next_event(b, &event);
        if (r < 0)
            return r;
        bool end = event.type == YAML_SEQUENCE_END_EVENT;
        struct yaml_node *child = end ? NULL : new_node(b);
        if (child)
            r = build(b, &event, child);
        else if (!end)
            r = -ENOMEM;
        yaml_event_delete(&event);
        if (end || r < 0)
            return r;
        append(into, &last, child);
    }
}

/* ---- maps: duplicates and merge keys ---------------------------------------------------------------------- */

/* A map's pairs while it is put together: its own first, then those of merged maps, in the order in which they win. */
struct pair {
    struct yaml_node *node;
    size_t order;
    bool merged, drop;
};

static int by_key(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    int c = span_compare(x->node->key, y->node->key);
    return c ? c : (x->order > y->order) - (x->order < y->order);
}

static int by_order(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    return (x->order > y->order) - (x->order < y->order);
}

static bool is_merge_key(const struct yaml_node *key)
{
    return key->kind == YAML_SCALAR && !key->quoted && span_equal(key->text, SPAN("<<"));
}

/* How many pairs a merge value brings; -EINVAL with a problem when it is no map and no list of maps. */
MUST_USE static int count_merged(struct builder *b, const struct yaml_node *value, size_t *n)
{
    const struct yaml_node *wrong = NULL;
    if (value->kind == YAML_MAP) {
        *n += value->n;
    } else if (value->kind == YAML_LIST) {
        YAML_EACH(value, item)
        {
            if (item->kind == YAML_MAP)
                *n += item->n;
            else
                wrong = item;
        }
    } else {
        wrong = value;
    }
    if (!wrong)
        return 0;
    problem_add(b->problems, PROBLEM_ERROR, b->doc->file, wrong->line, wrong->column,
                "a merge key << takes a map or a list of maps, not %s", yaml_kind_name(wrong));
    b->bad = true;
    return -EINVAL;
}

MUST_USE static int take_merged(struct builder *b, const struct yaml_node *map, struct pair *pairs, size_t *n)
{
    YAML_EACH(map, from)
    {
        struct yaml_node *copy = new_node(b); /* a node knows its key and its neighbour: it cannot stand in two maps */
        if (!copy)
            return -ENOMEM;
        *copy = *from;
        copy->next = NULL;
        pairs[*n] = (struct pair){.node = copy, .order = *n, .merged = true};
        ++*n;
    }
    return 0;
}

/* Own pairs that repeat a key are problems; merged ones give way. */
static void find_duplicates(struct builder *b, struct pair *pairs, size_t n)
{
    qsort(pairs, n, sizeof *pairs, by_key);
    const struct pair *winner = NULL;
    for (size_t i = 0; i < n; i++) {
        if (!winner || !span_equal(winner->node->key, pairs[i].node->key)) {
            winner = &pairs[i];
            continue;
        }
        pairs[i].drop = true;
        if (pairs[i].merged)
            continue;
        const struct yaml_node *d = pairs[i].node;
        problem_add(b->problems, PROBLEM_ERROR, b->doc->file, d->key_line, d->key_column,
                    "key '%s' stands here a second time (first on line %u)", d->key.ptr, winner->node->key_line);
        b->bad = true;
    }
    qsort(pairs, n, sizeof *pairs, by_order);
}

/* `into` holds its own pairs in order; merges the list of << values into it. */
MUST_USE static int settle_map(struct builder *b, struct yaml_node *into, const struct yaml_node *merges)
{
    size_t total = into->n, n = 0;
    for (const struct yaml_node *m = merges; m; m = m->next)
        if (count_merged(b, m, &total) < 0)
            return 0; /* told; what is there stays readable */
    if (total == 0 || (total == 1 && !merges))
        return 0;
    AUTO_FREE struct pair *pairs = calloc(total, sizeof *pairs);
    if (!pairs)
        return -ENOMEM;
    for (struct yaml_node *own = into->first; own; own = own->next, n++)
        pairs[n] = (struct pair){.node = own, .order = n};
    for (const struct yaml_node *m = merges; m; m = m->next) {
        int r = 0;
        if (m->kind == YAML_MAP)
            r = take_merged(b, m, pairs, &n);
        else
            YAML_EACH(m, item)
            {
                if (r == 0)
                    r = take_merged(b, item, pairs, &n);
            }
        if (r < 0)
            return r;
    }
    find_duplicates(b, pairs, n);
    struct yaml_node *last = NULL;
    into->first = NULL;
    into->n = 0;
    for (size_t i = 0; i < n; i++) {
        pairs[i].node->next = NULL;
        if (!pairs[i].drop)
            append(into, &last, pairs[i].node);
    }
    return 0;
}

MUST_USE static int build_pair(struct builder *b, yaml_event_t *key_event, struct yaml_node *child, bool *ret_merge)
{
    struct yaml_node key = {0};
    yaml_mark_t mark = key_event->start_mark;
    int r = build(b, key_event, &key);
    if (r < 0)
        return r;
    if (key.kind != YAML_SCALAR)
        PROBLEM_AT(b, mark, "a key must be text, not %s", yaml_kind_name(&key));
    r = build_next(b, child);
    if (r < 0)
        return r;
    child->key = key.kind == YAML_SCALAR ? key.text : SPAN("");
    child->key_line = key.line;
    child->key_column = key.column;
    *ret_merge = is_merge_key(&key);
    return 0;
}

MUST_USE static int build_map(struct builder *b, struct yaml_node *into)
{
    struct yaml_node *last = NULL, *merges = NULL, **merges_end = &merges;
    into->kind = YAML_MAP;
    for (;;) {
        yaml_event_t event;
        int r = next_event(b, &event);
        if (r < 0)
            return r;
        bool end = event.type == YAML_MAPPING_END_EVENT, is_merge = false;
        struct yaml_node *child = end ? NULL : new_node(b);
        if (child)
            r = build_pair(b, &event, child, &is_merge);
        else if (!end)
            r = -ENOMEM;
        yaml_event_delete(&event);
        if (r < 0)
            return r;
        if (end)
            return settle_map(b, into, merges);
        if (is_merge) {
            *merges_end = child;
            merges_end = &child->next;
        } else {
            append(into, &last, child);
        }
    }
}

/* ---- the whole -------------------------------------------------------------------------------------------- */

MUST_USE static int name_anchor(struct builder *b, const unsigned char *name, struct anchor **ret)
{
    if (!name)
        return 0;
    struct anchor *a = arena_alloc(&b->doc->arena, sizeof *a);
    if (!a)
        return -ENOMEM;
    int r = strmap_put(&b->anchors, span_str((const char *)name), a);
    if (r == 0)
        *ret = a;
    return r;
}

MUST_USE static int build_collection(struct builder *b, const yaml_event_t *event, struct yaml_node *into)
{
    bool is_list = event->type == YAML_SEQUENCE_START_EVENT;
    const unsigned char *tag = is_list ? event->data.sequence_start.tag : event->data.mapping_start.tag;
    const char *name = short_tag(tag);
    if (!name || (name[0] != '\0' && strcmp(name, "!") != 0 && strcmp(name, is_list ? "seq" : "map") != 0))
        bad_tag(b, tag, event->start_mark);
    if (b->depth == YAML_DEPTH_MAX) {
        PROBLEM_AT(b, event->start_mark, "nested deeper than %u levels", YAML_DEPTH_MAX);
        return -EINVAL;
    }
    b->depth++;
    int r = is_list ? build_list(b, into) : build_map(b, into);
    b->depth--;
    return r;
}

static int build(struct builder *b, yaml_event_t *event, struct yaml_node *into)
{
    size_t before = b->nodes;
    struct anchor *anchor = NULL;
    yaml_place_of(&b->place, event->start_mark.line, event->start_mark.column, &into->line, &into->column);
    int r = count_nodes(b, 1, event->start_mark);
    if (r < 0)
        return r;
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        return build_alias(b, event, into);
    case YAML_SCALAR_EVENT:
        r = name_anchor(b, event->data.scalar.anchor, &anchor);
        if (r == 0)
            r = build_scalar(b, event, into);
        break;
    case YAML_SEQUENCE_START_EVENT:
        r = name_anchor(b, event->data.sequence_start.anchor, &anchor);
        if (r == 0)
            r = build_collection(b, event, into);
        break;
    case YAML_MAPPING_START_EVENT:
        r = name_anchor(b, event->data.mapping_start.anchor, &anchor);
        if (r == 0)
            r = build_collection(b, event, into);
        break;
    default:
        PROBLEM_AT(b, event->start_mark, "unexpected end");
        return -EINVAL;
    }
    if (r < 0 || !anchor)
        return r;
    struct yaml_node *kept = new_node(b); /* keys and merges live elsewhere: the anchor has its own copy */
    if (!kept)
        return -ENOMEM;
    *kept = *into;
    anchor->node = kept;
    anchor->weight = b->nodes - before;
    return 0;
}

/* One document: its start was read. */
MUST_USE static int build_document(struct builder *b)
{
    yaml_event_t event;
    int r = build_next(b, b->doc->root);
    if (r == 0)
        r = next_event(b, &event); /* document end */
    if (r < 0)
        return r;
    yaml_event_delete(&event);
    r = next_event(b, &event);
    if (r < 0)
        return r;
    if (event.type != YAML_STREAM_END_EVENT)
        PROBLEM_AT(b, event.start_mark, "a second document: one per file");
    yaml_event_delete(&event);
    return 0;
}

MUST_USE static int build_stream(struct builder *b)
{
    yaml_event_t event;
    b->doc->root = new_node(b);
    if (!b->doc->root)
        return -ENOMEM;
    b->doc->root->line = b->doc->root->column = 1;
    int r = next_event(b, &event); /* stream start */
    if (r < 0)
        return r;
    yaml_event_delete(&event);
    r = next_event(b, &event); /* document start, or the end of an empty file */
    if (r < 0)
        return r;
    bool empty = event.type == YAML_STREAM_END_EVENT;
    yaml_event_delete(&event);
    return empty ? 0 : build_document(b);
}

int yaml_parse(const char *file, struct span text, struct yaml **ret, struct problems *problems)
{
    if (text.len > CONFIG_BYTES_MAX) {
        problem_add(problems, PROBLEM_ERROR, file, 0, 0, "larger than %u MB", CONFIG_BYTES_MAX >> 20);
        return -EINVAL;
    }
    if (span_starts(text, SPAN("\xef\xbb\xbf"))) /* a byte order mark */
        text = span_from(text, 3);
    struct yaml *doc = calloc(1, sizeof *doc);
    if (!doc)
        return -ENOMEM;
    arena_init(&doc->arena, YAML_BYTES_MAX);
    struct builder b = {.doc = doc, .problems = problems, .place = {.text = text}};
    strmap_init(&b.anchors, YAML_NODES_MAX);
    doc->file = span_dup(span_str(file));
    int r = doc->file && yaml_parser_initialize(&b.parser) ? 0 : -ENOMEM;
    if (r == 0) {
        yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
        yaml_parser_set_input_string(&b.parser, (const unsigned char *)(text.ptr ? text.ptr : ""), text.len);
        r = build_stream(&b);
        yaml_parser_delete(&b.parser);
    }
    strmap_done(&b.anchors);
    if (r == 0 && b.bad)
        r = -EINVAL;
    if (r < 0) {
        yaml_free(doc);
        return r;
    }
    *ret = doc;
    return 0;
}

void yaml_free(struct yaml *y)
{
    if (!y)
        return;
    arena_done(&y->arena);
    free(y->file);
    free(y);
}

const struct yaml_node *yaml_root(const struct yaml *y)
{
    return y->root;
}

const char *yaml_file(const struct yaml *y)
{
    return y->file;
}

const struct yaml_node *yaml_get(const struct yaml_node *map, const char *key)
{
    if (!map || map->kind != YAML_MAP)
        return NULL;
    struct span wanted = span_str(key);
    YAML_EACH(map, child)
    {
        if (span_equal(child->key, wanted))
            return child;
    }
    return NULL;
}
