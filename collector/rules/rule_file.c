/* One rule file: YAML -> group_def. Every problem is reported, with its place. */
#include <errno.h>
#include <stdarg.h>

#include "collector/promql/promql.h"
#include "collector/rules/rule_place.h"
#include "collector/rules/rule_set.h"
#include "lib/base/file.h"
#include "lib/base/limits.h"
#include "lib/base/hash.h"
#include "lib/wire/yaml.h"

#define PARSE_BYTES_MAX (64u << 20) /* of one expression's tree */

struct file_yaml {
    const struct yaml_node *groups;
};
static const struct yaml_field FILE_FIELDS[] = {{"groups", YAML_FIELD_NODE, offsetof(struct file_yaml, groups)}, {0}};

struct group_yaml {
    const char *name;
    int64_t interval_ms, query_offset_ms;
    uint64_t limit;
    const struct yaml_node *labels, *rules;
};
static const struct yaml_field GROUP_FIELDS[] = {
    {"name", YAML_FIELD_TEXT, offsetof(struct group_yaml, name)},
    {"interval", YAML_FIELD_DURATION, offsetof(struct group_yaml, interval_ms)},
    {"query_offset", YAML_FIELD_DURATION, offsetof(struct group_yaml, query_offset_ms)},
    {"limit", YAML_FIELD_U64, offsetof(struct group_yaml, limit)},
    {"labels", YAML_FIELD_NODE, offsetof(struct group_yaml, labels)},
    {"rules", YAML_FIELD_NODE, offsetof(struct group_yaml, rules)},
    {0}};

struct rule_yaml {
    const char *record, *alert;
    const struct yaml_node *expr, *labels, *annotations;
    int64_t for_ms, keep_firing_ms;
};
static const struct yaml_field RULE_FIELDS[] = {
    {"record", YAML_FIELD_TEXT, offsetof(struct rule_yaml, record)},
    {"alert", YAML_FIELD_TEXT, offsetof(struct rule_yaml, alert)},
    {"expr", YAML_FIELD_NODE, offsetof(struct rule_yaml, expr)},
    {"for", YAML_FIELD_DURATION, offsetof(struct rule_yaml, for_ms)},
    {"keep_firing_for", YAML_FIELD_DURATION, offsetof(struct rule_yaml, keep_firing_ms)},
    {"labels", YAML_FIELD_NODE, offsetof(struct rule_yaml, labels)},
    {"annotations", YAML_FIELD_NODE, offsetof(struct rule_yaml, annotations)},
    {0}};

struct reader {
    const char *path;
    struct span source;
    const struct yaml *doc;
    struct arena *arena;
    struct problems *problems;
    int64_t interval_ms;
    size_t n_rules;
    bool bad;  /* a problem was found; reading goes on to find the others */
    int error; /* no memory: reading ends */
};

PRINTF_LIKE(3, 4)
static void complain(struct reader *rd, const struct yaml_node *at, const char *format, ...)
{
    char words[PROBLEM_TEXT_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(words, sizeof words, format, args);
    va_end(args);
    yaml_problem(rd->doc, at, rd->problems, "%s", words);
    rd->bad = true;
}

/* An error inside a scalar's text. */
static void complain_inside(struct reader *rd, const struct yaml_node *at, const struct parse_error *e,
                            const char *what)
{
    uint32_t line, column;
    rule_place(rd->source, at, e->start, &line, &column);
    problem_add(rd->problems, PROBLEM_ERROR, rd->path, line, column, "%s: %s", what, e->text);
    rd->bad = true;
}

static struct span keep(struct reader *rd, struct span s)
{
    char *copy = arena_dup(rd->arena, s); /* NUL-terminated: names go into messages and look-ups */
    if (!copy)
        rd->error = -ENOMEM;
    return span_of(copy, copy ? s.len : 0);
}

static void *keep_array(struct reader *rd, size_t n, size_t size)
{
    void *p = arena_array(rd->arena, n ? n : 1, size);
    if (!p)
        rd->error = -ENOMEM;
    return p;
}

/* ---- labels and annotations ---- */
static bool label_name_fits(struct span name)
{
    return name.len > 0 && name.len <= LABEL_NAME_BYTES_MAX && span_is_utf8(name);
}

/* Set a pair in a set that keeps sorted; a later one replaces. `pairs` has room. */
static void put_pair(struct labels *into, struct span name, struct span value)
{
    size_t at = 0;
    int c = 1;
    while (at < into->n && (c = span_compare(into->pairs[at].name, name)) < 0)
        at++;
    if (at == into->n || c != 0) {
        memmove(into->pairs + at + 1, into->pairs + at, (into->n - at) * sizeof *into->pairs);
        into->n++;
    }
    into->pairs[at] = (struct label){name, value};
}

/* Copy a map of scalars into `into` (room for all of them is there); what = "label" or "annotation". */
static void read_pairs(struct reader *rd, const struct yaml_node *map, const char *what, struct labels *into)
{
    if (!map || map->kind == YAML_NULL)
        return;
    if (map->kind != YAML_MAP) {
        complain(rd, map, "%ss must be a map", what);
        return;
    }
    bool annotation = *what == 'a';
    YAML_EACH(map, pair)
    {
        if (!label_name_fits(pair->key) || (!annotation && span_equal(pair->key, SPAN("__name__"))))
            complain(rd, pair, "invalid %s name: %.200s", what, pair->key.ptr);
        else if (pair->kind != YAML_SCALAR && pair->kind != YAML_NULL)
            complain(rd, pair, "%s '%.200s' must be text", what, pair->key.ptr);
        else if (!span_is_utf8(pair->text))
            complain(rd, pair, "invalid %s value: not UTF-8", what);
        else if (into->n >= LABELS_MAX)
            complain(rd, pair, "more than %u %ss", LABELS_MAX, what);
        else
            put_pair(into, keep(rd, pair->key), pair->kind == YAML_NULL ? SPAN("") : keep(rd, pair->text));
        if (rd->error)
            return;
    }
}

static struct labels make_pairs(struct reader *rd, const struct yaml_node *outer, const struct yaml_node *inner,
                                const char *what)
{
    struct labels ls = {keep_array(rd, (outer ? outer->n : 0) + (inner ? inner->n : 0), sizeof(struct label)), 0};
    if (rd->error)
        return ls;
    bool bad = rd->bad;
    if (outer) { /* its problems were told once, with the group */
        struct problems none;
        problems_init(&none);
        struct problems *all = rd->problems;
        rd->problems = &none;
        read_pairs(rd, outer, what, &ls);
        rd->problems = all;
        rd->bad = bad;
        problems_done(&none);
    }
    if (!rd->error)
        read_pairs(rd, inner, what, &ls);
    return ls;
}

/* One parsed template per pair. */
static struct template **read_templates(struct reader *rd, const struct labels *ls, const struct yaml_node *outer,
                                        const struct yaml_node *inner, const char *what)
{
    struct template **list = keep_array(rd, ls->n, sizeof *list);
    for (size_t i = 0; list && i < ls->n; i++) {
        struct parse_error e;
        int r = template_parse(ls->pairs[i].value, &list[i], &e);
        if (r == -ENOMEM && !e.text[0])
            rd->error = r;
        if (r == 0 || rd->error)
            continue;
        char words[PROBLEM_TEXT_MAX];
        (void)snprintf(words, sizeof words, "%s '%.200s'", what, ls->pairs[i].name.ptr);
        const struct yaml_node *node = yaml_get(inner, ls->pairs[i].name.ptr);
        complain_inside(rd, node ? node : yaml_get(outer, ls->pairs[i].name.ptr), &e, words);
    }
    return list;
}

/* ---- a rule ---- */
struct depends {
    struct reader *rd;
    const struct strmap *outputs; /* metric name -> 1 + number of the last rule before that writes it */
    const struct group_def *group;
    size_t n_before;
    int last;
    struct rule_def *def;
};

static bool reads_already(const struct rule_def *def, struct span name)
{
    for (size_t i = 0; i < def->n_reads; i++)
        if (span_equal(def->reads[i], name))
            return true;
    return false;
}

/* A selector's metric name. The list doubles at powers of two, so it needs no capacity of its own. */
static void note_read(struct depends *d, struct span name)
{
    struct rule_def *def = d->def;
    size_t n = def->n_reads;
    if (d->rd->error || reads_already(def, name))
        return;
    if ((n & (n - 1)) == 0) {
        struct span *reads = keep_array(d->rd, n ? 2 * n : 1, sizeof *reads);
        if (!reads)
            return;
        if (n)
            memcpy(reads, def->reads, n * sizeof *reads);
        def->reads = reads;
    }
    def->reads[def->n_reads++] = keep(d->rd, name);
}

static bool rule_writes(const struct rule_def *def, const struct matcher *matchers, size_t n)
{
    static const struct span ALERT_NAMES[] = {SPAN_INIT("ALERTS"), SPAN_INIT("ALERTS_FOR_STATE")};
    size_t n_names = def->kind == RULE_ALERT ? ARRAY_LEN(ALERT_NAMES) : 1;
    const struct span *names = def->kind == RULE_ALERT ? ALERT_NAMES : &def->name;
    for (size_t k = 0; k < n_names; k++) {
        bool all = true;
        for (size_t i = 0; i < n && all; i++)
            if (span_equal(matchers[i].name, SPAN("__name__")))
                all = matcher_matches(&matchers[i], names[k]) != 0;
        if (all)
            return true;
    }
    return false;
}

static void note_selector(void *ctx, const struct matcher *matchers, size_t n)
{
    struct depends *d = ctx;
    int found = -1;
    bool named = false;
    for (size_t i = 0; i < n && !named; i++) {
        named = matchers[i].type == MATCH_EQUAL && span_equal(matchers[i].name, SPAN("__name__"));
        if (named) {
            found = (int)(uintptr_t)strmap_get(d->outputs, matchers[i].value) - 1;
            note_read(d, matchers[i].value);
        }
    }
    d->def->reads_any = d->def->reads_any || !named;
    for (size_t i = d->n_before; !named && i-- > 0 && found < 0;)
        if (rule_writes(&d->group->rules[i], matchers, n))
            found = (int)i;
    if (found > d->last)
        d->last = found;
}

static void read_expr(struct reader *rd, const struct yaml_node *node, struct rule_def *def, struct depends *d)
{
    struct arena scratch;
    arena_init(&scratch, PARSE_BYTES_MAX);
    struct promql_expr *e = NULL;
    struct parse_error error;
    int r = promql_parse(node->text, &scratch, &e, &error);
    if (r == 0) {
        struct buf text;
        buf_init(&text, 4 * QUERY_TEXT_BYTES_MAX);
        promql_format(e, &text);
        def->query = keep(rd, buf_view(&text));
        if (buf_error(&text) < 0)
            rd->error = -ENOMEM;
        buf_done(&text);
        d->def = def;
        promql_each_selector(e, note_selector, d);
        def->reads_from = d->last;
    } else {
        complain_inside(rd, node, &error, "could not parse expression");
    }
    def->expr = keep(rd, node->text);
    promql_expr_done(e);
    arena_done(&scratch);
}

/* The source line with that number (from 1), trimmed. */
static struct span source_line(const struct reader *rd, uint32_t number)
{
    struct span rest = rd->source, line = {NULL, 0};
    for (uint32_t i = 0; i < number; i++)
        if (!span_cut(&rest, '\n', &line))
            return (struct span){NULL, 0};
    return span_trim(line);
}

/* "# crest: keep_last_state" directly above the rule. libyaml drops comments, so the line is looked up in the source. */
static void read_comment(struct reader *rd, const struct yaml_node *node, const struct yaml_node *expr,
                         struct rule_def *def)
{
    struct span line = source_line(rd, node->line - 1);
    if (!span_starts(line, SPAN("#")))
        return;
    line = span_trim(span_from(line, 1));
    if (!span_starts(line, SPAN("crest:")))
        return;
    line = span_trim(span_from(line, 6));
    if (!span_equal(line, SPAN("keep_last_state"))) {
        problem_add(rd->problems, PROBLEM_WARNING, rd->path, node->line - 1, 0,
                    "'" SPAN_FMT "' means nothing to crest; the one comment it reads here is: # crest: keep_last_state",
                    SPAN_ARG(line));
        return;
    }
    struct buf text;
    buf_init(&text, 4 * QUERY_TEXT_BYTES_MAX);
    int r = promql_format_presence(expr->text, &text);
    if (r == -EDOM)
        problem_add(rd->problems, PROBLEM_WARNING, rd->path, node->line - 1, 0,
                    "keep_last_state has no effect on an expression that asks for absence");
    else if (r == 0)
        def->presence = keep(rd, buf_view(&text));
    buf_done(&text);
}

static void check_record(struct reader *rd, const struct yaml_node *node, const struct rule_yaml *y)
{
    struct span name = span_str(y->record);
    const struct yaml_node *at = yaml_get(node, "record");
    if (y->annotations && y->annotations->n)
        complain(rd, y->annotations, "invalid field 'annotations' in recording rule");
    if (y->for_ms > 0)
        complain(rd, yaml_get(node, "for"), "invalid field 'for' in recording rule");
    if (y->keep_firing_ms > 0)
        complain(rd, yaml_get(node, "keep_firing_for"), "invalid field 'keep_firing_for' in recording rule");
    if (span_find(name, '{') < name.len || span_find(name, '}') < name.len)
        complain(rd, at, "braces present in the recording rule name; should it be in expr?: %.200s", y->record);
    else if (!span_is_utf8(name) || name.len > LABEL_VALUE_BYTES_MAX)
        complain(rd, at, "invalid recording rule name: %.200s", y->record);
}

static void read_rule(struct reader *rd, const struct yaml_node *node, const struct yaml_node *group_labels,
                      struct rule_def *def, struct depends *d)
{
    struct rule_yaml y = {0};
    *def = (struct rule_def){.reads_from = -1, .line = node->line};
    if (node->kind != YAML_MAP) {
        complain(rd, node, "a rule must be a map with 'record' or 'alert' and 'expr'");
        return;
    }
    if (yaml_read(rd->doc, node, RULE_FIELDS, &y, rd->problems) < 0)
        rd->bad = true;
    bool record = y.record && *y.record, alert = y.alert && *y.alert;
    if (record && alert)
        complain(rd, node, "only one of 'record' and 'alert' must be set");
    else if (!record && !alert)
        complain(rd, node, "one of 'record' or 'alert' must be set");
    def->kind = record ? RULE_RECORD : RULE_ALERT;
    def->name = keep(rd, span_str(record ? y.record : y.alert));
    if (record && !alert)
        check_record(rd, node, &y);
    def->for_ms = y.for_ms;
    def->keep_firing_ms = y.keep_firing_ms;
    if (!y.expr || y.expr->kind == YAML_NULL || (y.expr->kind == YAML_SCALAR && y.expr->text.len == 0))
        complain(rd, node, "field 'expr' must be set in rule");
    else if (y.expr->kind != YAML_SCALAR)
        complain(rd, y.expr, "'expr' must be text");
    else
        read_expr(rd, y.expr, def, d);
    if (def->kind == RULE_ALERT && def->query.len)
        read_comment(rd, node, y.expr, def);
    if (rd->error)
        return;
    def->labels = make_pairs(rd, group_labels, y.labels, "label");
    def->annotations = make_pairs(rd, NULL, y.annotations, "annotation");
    if (rd->error || def->kind != RULE_ALERT)
        return;
    def->label_templates = read_templates(rd, &def->labels, group_labels, y.labels, "label");
    def->annotation_templates = read_templates(rd, &def->annotations, NULL, y.annotations, "annotation");
}

/* ---- a group, the file ---- */
static void note_output(struct reader *rd, struct strmap *outputs, const struct rule_def *def, size_t number)
{
    void *value = (void *)(uintptr_t)(number + 1);
    int r;
    if (def->kind == RULE_RECORD) {
        r = strmap_put(outputs, def->name, value);
    } else {
        r = strmap_put(outputs, SPAN("ALERTS"), value);
        if (r == 0)
            r = strmap_put(outputs, SPAN("ALERTS_FOR_STATE"), value);
    }
    if (r < 0)
        rd->error = r;
}

static void read_rules(struct reader *rd, const struct yaml_node *list, const struct yaml_node *labels,
                       struct group_def *g)
{
    if (!list || list->kind == YAML_NULL)
        return;
    if (list->kind != YAML_LIST) {
        complain(rd, list, "'rules' must be a list");
        return;
    }
    rd->n_rules += list->n;
    if (rd->n_rules > RULES_PER_FILE_MAX) {
        complain(rd, list, "more than %u rules in one file", RULES_PER_FILE_MAX);
        return;
    }
    g->rules = keep_array(rd, list->n, sizeof *g->rules);
    struct strmap outputs;
    strmap_init(&outputs, 2 * list->n + 2);
    YAML_EACH(list, node)
    {
        if (rd->error)
            break;
        struct depends d = {.rd = rd, .outputs = &outputs, .group = g, .n_before = g->n_rules, .last = -1};
        struct rule_def *def = &g->rules[g->n_rules++];
        read_rule(rd, node, labels, def, &d);
        if (!rd->error)
            note_output(rd, &outputs, def, g->n_rules - 1);
    }
    strmap_done(&outputs);
}

static void read_group(struct reader *rd, const struct yaml_node *node, struct group_def *g, struct strmap *names)
{
    struct group_yaml y = {.interval_ms = rd->interval_ms};
    if (node->kind != YAML_MAP) {
        complain(rd, node, "a group must be a map with 'name' and 'rules'");
        return;
    }
    if (yaml_read(rd->doc, node, GROUP_FIELDS, &y, rd->problems) < 0)
        rd->bad = true;
    struct span name = span_str(y.name);
    if (name.len == 0)
        complain(rd, node, "Groupname must not be empty");
    else if (strmap_has(names, name))
        complain(rd, yaml_get(node, "name"), "groupname: \"%.200s\" is repeated in the same file", y.name);
    else if (strmap_put(names, name, NULL) < 0)
        rd->error = -ENOMEM;
    g->file = keep(rd, span_str(rd->path));
    g->name = keep(rd, name);
    g->interval_ms = y.interval_ms > 0 ? y.interval_ms : rd->interval_ms;
    g->query_offset_ms = y.query_offset_ms;
    g->limit = y.limit;
    struct label identity[] = {{SPAN("file"), g->file}, {SPAN("name"), g->name}};
    g->hash = labels_fingerprint(&(struct labels){identity, ARRAY_LEN(identity)});
    if (!rd->error)
        (void)make_pairs(rd, NULL, y.labels, "label"); /* tells the group's own problems once */
    if (!rd->error)
        read_rules(rd, y.rules, y.labels, g);
}

static void read_groups(struct reader *rd, const struct yaml_node *root, struct group_def **ret, size_t *ret_n)
{
    struct file_yaml y = {0};
    if (root->kind == YAML_NULL)
        return;
    if (root->kind != YAML_MAP) {
        complain(rd, root, "a rule file is a map with 'groups'");
        return;
    }
    if (yaml_read(rd->doc, root, FILE_FIELDS, &y, rd->problems) < 0)
        rd->bad = true;
    if (!y.groups || y.groups->kind == YAML_NULL)
        return;
    if (y.groups->kind != YAML_LIST) {
        complain(rd, y.groups, "'groups' must be a list");
        return;
    }
    *ret = keep_array(rd, y.groups->n, sizeof **ret);
    struct strmap names;
    strmap_init(&names, y.groups->n + 1);
    YAML_EACH(y.groups, node)
    {
        if (rd->error)
            break;
        read_group(rd, node, &(*ret)[(*ret_n)++], &names);
    }
    strmap_done(&names);
}

int rule_file_read(const char *path, int64_t interval_ms, struct arena *arena, struct group_def **ret, size_t *ret_n,
                   struct problems *problems)
{
    AUTO_FREE char *text = NULL;
    size_t len;
    *ret = NULL;
    *ret_n = 0;
    int r = file_read(path, CONFIG_BYTES_MAX, &text, &len);
    if (r < 0) {
        problem_add(problems, PROBLEM_ERROR, path, 0, 0, "cannot read the file: %s", strerror(-r));
        return -EINVAL;
    }
    struct yaml *doc = NULL;
    struct reader rd = {
        .path = path, .source = span_of(text, len), .arena = arena, .problems = problems, .interval_ms = interval_ms};
    r = yaml_parse(path, rd.source, &doc, problems);
    if (r < 0)
        return r;
    rd.doc = doc;
    read_groups(&rd, yaml_root(doc), ret, ret_n);
    yaml_free(doc);
    return rd.error ? rd.error : rd.bad ? -EINVAL : 0;
}
