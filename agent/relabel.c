#include "agent/relabel.h"

#include <errno.h>
#include <strings.h>

#include "lib/base/limits.h"

struct keys {
    const char *action, *separator, *target_label, *regex, *replacement;
    const struct yaml_node *source_labels;
};
static const struct yaml_field FIELDS[] = {
    {"action", YAML_FIELD_TEXT, offsetof(struct keys, action)},
    {"source_labels", YAML_FIELD_NODE, offsetof(struct keys, source_labels)},
    {"separator", YAML_FIELD_TEXT, offsetof(struct keys, separator)},
    {"target_label", YAML_FIELD_TEXT, offsetof(struct keys, target_label)},
    {"regex", YAML_FIELD_TEXT, offsetof(struct keys, regex)},
    {"replacement", YAML_FIELD_TEXT, offsetof(struct keys, replacement)},
    {"modulus", YAML_FIELD_REFUSED, 0, .help = "the action hashmod is not supported"},
    {0},
};
static const char *const ACTIONS[] = {
    [RELABEL_REPLACE] = "replace", [RELABEL_KEEP] = "keep", [RELABEL_DROP] = "drop", [RELABEL_LABELMAP] = "labelmap"};

MUST_USE static int read_rule(const struct yaml *doc, const struct yaml_node *node, struct relabel_rule *rule,
                              struct problems *problems)
{
    struct keys k = {.action = "replace", .separator = ";", .regex = "(.*)", .replacement = "$1"};
    struct parse_error error = {0};
    int r = yaml_read(doc, node, FIELDS, &k, problems);
    if (r < 0)
        return r;
    size_t a = 0;
    while (a < ARRAY_LEN(ACTIONS) && strcasecmp(ACTIONS[a], k.action) != 0) /* any case, as Prometheus */
        a++;
    if (a == ARRAY_LEN(ACTIONS)) {
        yaml_problem(doc, yaml_get(node, "action"), problems,
                     "relabel action '%s' is not supported (replace, keep, drop, labelmap are)", k.action);
        return -EINVAL;
    }
    rule->action = (enum relabel_action)a;
    rule->separator = span_str(k.separator);
    rule->target_label = span_str(k.target_label);
    rule->replacement = span_str(k.replacement);
    if (rule->action == RELABEL_REPLACE && rule->target_label.len == 0) {
        yaml_problem(doc, node, problems, "relabel action replace needs target_label");
        return -EINVAL;
    }
    if (k.source_labels && k.source_labels->kind != YAML_LIST && k.source_labels->kind != YAML_NULL) {
        yaml_problem(doc, k.source_labels, problems, "source_labels is a list of label names");
        return -EINVAL;
    }
    YAML_EACH(k.source_labels, name)
    if (name->kind != YAML_SCALAR) {
        yaml_problem(doc, name, problems, "a label name is a text");
        return -EINVAL;
    }
    if (regex_compile(span_str(k.regex), REGEX_ANCHORED, &rule->regex, &error) < 0) {
        yaml_problem(doc, yaml_get(node, "regex"), problems, "regex: %s", error.text);
        return -EINVAL;
    }
    size_t n = k.source_labels ? k.source_labels->n : 0;
    rule->source_labels = calloc(n ? n : 1, sizeof *rule->source_labels);
    if (!rule->source_labels)
        return -ENOMEM;
    YAML_EACH(k.source_labels, name)
    rule->source_labels[rule->n_source_labels++] = name->text;
    return 0;
}

int relabel_read(const struct yaml *doc, const struct yaml_node *list, struct relabel_list *ret,
                 struct problems *problems)
{
    struct relabel_list l = {0};
    int r = 0;
    if (!list || list->kind == YAML_NULL) {
        *ret = l;
        return 0;
    }
    if (list->kind != YAML_LIST) {
        yaml_problem(doc, list, problems, "a list of relabelling rules is wanted");
        return -EINVAL;
    }
    l.rules = calloc(list->n ? list->n : 1, sizeof *l.rules);
    if (!l.rules)
        return -ENOMEM;
    YAML_EACH(list, node)
    {
        int e = read_rule(doc, node, &l.rules[l.n++], problems);
        if (e < 0)
            r = e;
    }
    if (r < 0)
        relabel_done(&l);
    else
        *ret = l;
    return r;
}

void relabel_done(struct relabel_list *l)
{
    for (size_t i = 0; i < l->n; i++) {
        regex_free(l->rules[i].regex);
        free(l->rules[i].source_labels);
    }
    free(l->rules);
    *l = (struct relabel_list){0};
}

/* "$1"-style text from the groups of a match, as a span in the arena. */
MUST_USE static int expand(const struct relabel_rule *rule, struct span template_text, const struct span *groups,
                           size_t n, struct arena *arena, struct buf *scratch, struct span *ret)
{
    bool ok = true;
    buf_clear(scratch);
    regex_expand(rule->regex, template_text, groups, n, scratch);
    *ret = arena_span(arena, buf_view(scratch), &ok);
    return buf_error(scratch) || !ok ? -ENOMEM : 0;
}

#define GROUPS_MAX 16 /* groups a replacement can name; Prometheus's own files use one to three */

/* Any UTF-8 name is legal; what is none leaves the labels as they are (Prometheus does so too). */
static bool is_name(struct span name)
{
    return name.len > 0 && name.len <= LABEL_NAME_BYTES_MAX && span_is_utf8(name);
}

MUST_USE static int label_map(const struct relabel_rule *rule, struct label_builder *labels, struct buf *scratch)
{
    size_t before = labels->n, n;
    struct span groups[GROUPS_MAX], name;
    for (size_t i = 0; i < before; i++) {
        struct label pair = labels->pairs[i];
        int m = regex_search(rule->regex, pair.name, 0, groups, GROUPS_MAX, &n);
        if (m < 0)
            return m;
        if (!m)
            continue;
        int r = expand(rule, rule->replacement, groups, n < GROUPS_MAX ? n : GROUPS_MAX, labels->arena, scratch, &name);
        if (r < 0)
            return r;
        if (is_name(name))
            label_builder_set(labels, name, pair.value);
    }
    return 1;
}

MUST_USE static int apply_rule(const struct relabel_rule *rule, struct label_builder *labels, struct buf *scratch)
{
    struct span groups[GROUPS_MAX], value, name, text;
    bool ok = true;
    size_t n;
    if (rule->action == RELABEL_LABELMAP)
        return label_map(rule, labels, scratch);
    buf_clear(scratch);
    for (size_t i = 0; i < rule->n_source_labels; i++) {
        if (i)
            buf_span(scratch, rule->separator);
        buf_span(scratch, label_builder_get(labels, rule->source_labels[i]));
    }
    if (rule->action != RELABEL_REPLACE) {
        int m = regex_match(rule->regex, buf_view(scratch));
        return m < 0 ? m : (m > 0) == (rule->action == RELABEL_KEEP);
    }
    text = arena_span(labels->arena, buf_view(scratch), &ok);
    if (buf_error(scratch) || !ok)
        return -ENOMEM;
    int m = regex_search(rule->regex, text, 0, groups, GROUPS_MAX, &n);
    if (m <= 0)
        return m < 0 ? m : 1;
    n = n < GROUPS_MAX ? n : GROUPS_MAX;
    int r = expand(rule, rule->target_label, groups, n, labels->arena, scratch, &name);
    if (r == 0)
        r = expand(rule, rule->replacement, groups, n, labels->arena, scratch, &value);
    if (r < 0)
        return r;
    if (is_name(name))
        label_builder_set(labels, name, value);
    return 1;
}

int relabel_apply(const struct relabel_list *l, struct label_builder *labels, struct buf *scratch)
{
    for (size_t i = 0; i < l->n; i++) {
        int r = apply_rule(&l->rules[i], labels, scratch);
        if (r <= 0)
            return r;
    }
    return 1;
}
