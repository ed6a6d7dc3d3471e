#include "collector/config.h"

#include <errno.h>
#include <stddef.h>

#include "collector/event/event_files.h"
#include "collector/promql/promql.h"
#include "collector/rules/rules.h"
#include "lib/base/file.h"
#include "lib/base/limits.h"
#include "lib/base/number.h"
#include "lib/base/quote.h"
#include "lib/wire/url.h"
#include "lib/wire/web_config.h"
#include "lib/wire/yaml.h"

#define RETENTION_DEFAULT_MS (30ll * 24 * 3600 * 1000)
#define FUTURE_MS_MAX (100ll * 365 * 24 * 3600 * 1000)

struct storage_keys {
    const char *path, *retention, *durability;
    uint64_t retention_bytes;
    const struct yaml_node *limits, *retention_selectors, *rollup_5m;
    const char *rollup_retention;
};
struct file_keys {
    const char *listen, *external_url, *web_config_file, *webhook_url;
    bool admin_api;
    const struct yaml_node *storage, *rule_files, *events;
};

static const struct yaml_field FIELDS[] = {
    {"listen", YAML_FIELD_TEXT, offsetof(struct file_keys, listen), .help = "ADDR:PORT"},
    {"external_url", YAML_FIELD_TEXT, offsetof(struct file_keys, external_url)},
    {"web_config_file", YAML_FIELD_TEXT, offsetof(struct file_keys, web_config_file)},
    {"admin_api", YAML_FIELD_BOOL, offsetof(struct file_keys, admin_api)},
    {"storage", YAML_FIELD_NODE, offsetof(struct file_keys, storage)},
    {"rule_files", YAML_FIELD_NODE, offsetof(struct file_keys, rule_files)},
    {"events", YAML_FIELD_NODE, offsetof(struct file_keys, events)},
    {"webhook_url", YAML_FIELD_TEXT, offsetof(struct file_keys, webhook_url)},
    {"signals", YAML_FIELD_REFUSED, 0, .help = "not yet: name the pack's file under rule_files"},
    {"alertmanager_file", YAML_FIELD_REFUSED, 0, .help = "not yet: set webhook_url"},
    {"slo_files", YAML_FIELD_REFUSED, 0, .help = "not yet: write the SLO's rules into a rule file"},
    {"services", YAML_FIELD_REFUSED, 0, .help = "not yet: give targets the label service"},
    {"journeys", YAML_FIELD_REFUSED, 0, .help = "not yet"},
    {"remote", YAML_FIELD_REFUSED, 0, .help = "not yet: samples stay in the local store"},
    {0},
};
static const struct yaml_field STORAGE_FIELDS[] = {
    {"path", YAML_FIELD_TEXT, offsetof(struct storage_keys, path)},
    {"retention", YAML_FIELD_TEXT, offsetof(struct storage_keys, retention)},
    {"retention_selectors", YAML_FIELD_NODE, offsetof(struct storage_keys, retention_selectors)},
    {"rollup_retention", YAML_FIELD_TEXT, offsetof(struct storage_keys, rollup_retention)},
    {"rollup_5m", YAML_FIELD_NODE, offsetof(struct storage_keys, rollup_5m)},
    {"durability", YAML_FIELD_TEXT, offsetof(struct storage_keys, durability)},
    {"limits", YAML_FIELD_NODE, offsetof(struct storage_keys, limits)},
    {"retention_size", YAML_FIELD_BYTES, offsetof(struct storage_keys, retention_bytes)},
    {0},
};
static const struct yaml_field LIMIT_FIELDS[] = {
    {"series", YAML_FIELD_U64, offsetof(struct collector_config, series_max), .min = 1, .max = UINT32_MAX},
    {"labels_per_series", YAML_FIELD_U64, offsetof(struct collector_config, labels_max), .min = 1, .max = LABELS_MAX},
    {"label_name_bytes", YAML_FIELD_U64, offsetof(struct collector_config, label_name_bytes_max),
     .min = sizeof "__name__" - 1, .max = LABEL_NAME_BYTES_MAX},
    {"label_value_bytes", YAML_FIELD_U64, offsetof(struct collector_config, label_value_bytes_max), .min = 1,
     .max = LABEL_VALUE_BYTES_MAX},
    {"future", YAML_FIELD_DURATION, offsetof(struct collector_config, future_ms_max), .min = 1, .max = FUTURE_MS_MAX},
    {0},
};

/* Business figures are asked about years later: their rollups are fine ones. Without memory they are like all others. */
static void roll_up_by_default(struct collector_config *c)
{
    struct matcher *matchers;
    struct parse_error error;
    size_t n;
    if (!(c->fine_rollups = calloc(1, sizeof *c->fine_rollups)) ||
        promql_parse_selector(SPAN("{__name__=~\"commerce:.*\"}"), &c->retention_arena, &matchers, &n, &error) < 0)
        return;
    c->fine_rollups[c->n_fine_rollups++] = (struct store_retention){.matchers = matchers, .n_matchers = n};
}

static void drop_rules(struct store_retention **rules, size_t *n)
{
    for (size_t i = 0; i < *n; i++)
        for (size_t k = 0; k < (*rules)[i].n_matchers; k++)
            matcher_done(&((struct matcher *)(*rules)[i].matchers)[k]);
    free(*rules);
    *rules = NULL;
    *n = 0;
}

void collector_config_init(struct collector_config *c)
{
    *c = (struct collector_config){.retention_ms = RETENTION_DEFAULT_MS};
    arena_init(&c->retention_arena, CONFIG_BYTES_MAX);
    roll_up_by_default(c);
}

void collector_config_done(struct collector_config *c)
{
    for (size_t i = 0; i < c->n_rule_files; i++)
        free(c->rule_files[i]);
    for (size_t i = 0; i < c->n_events; i++)
        free(c->events[i]);
    drop_rules(&c->retentions, &c->n_retentions);
    drop_rules(&c->fine_rollups, &c->n_fine_rollups);
    arena_done(&c->retention_arena);
    free(c->rule_files);
    free(c->events);
    free(c->external_url);
    free(c->web_config_file);
    free(c->data);
    yaml_free(c->doc);
    *c = (struct collector_config){0};
}

/* A series selector of the file, which begins at that place. `why_not`: what an all-embracing one should be instead. */
MUST_USE static int read_selector(struct collector_config *c, struct span text, uint32_t line, uint32_t column,
                                  const char *why_not, struct store_retention *ret, struct problems *problems)
{
    struct parse_error error;
    struct matcher *matchers;
    size_t n;
    int r = promql_parse_selector(text, &c->retention_arena, &matchers, &n, &error);
    if (r == -ENOMEM)
        return r;
    if (r < 0) {
        problem_add(problems, PROBLEM_ERROR, yaml_file(c->doc), line, column,
                    "'%s' is not a series selector such as {job=\"debug\"}: %s", text.ptr, error.text);
        return -EINVAL;
    }
    ret->matchers = matchers;
    ret->n_matchers = n;
    for (size_t i = 0; i < n; i++)
        if (!why_not || !matcher_matches_empty(&matchers[i]))
            return 0;
    problem_add(problems, PROBLEM_ERROR, yaml_file(c->doc), line, column, "'%s' does not need any label: %s", text.ptr,
                why_not);
    return 1; /* the matchers are there to be released */
}

/* `{job="debug"}: 2d`: a series selector, and how long what it selects is kept. */
MUST_USE static int read_retention(struct collector_config *c, const struct yaml_node *item, struct problems *problems)
{
    struct store_retention *rule = &c->retentions[c->n_retentions];
    if (item->kind != YAML_SCALAR || parse_duration_ms(item->text, &rule->keep_ms) < 0) {
        yaml_problem(c->doc, item, problems, "%s is not a duration such as 2d, or 0",
                     item->kind == YAML_SCALAR ? item->text.ptr : yaml_kind_name(item));
        return -EINVAL;
    }
    int r = read_selector(c, item->key, item->key_line, item->key_column, "what all series keep is retention's to say",
                          rule, problems);
    c->n_retentions += r >= 0;
    return r > 0 ? -EINVAL : r;
}

MUST_USE static int read_retentions(struct collector_config *c, const struct yaml_node *node, struct problems *problems)
{
    if (!node || node->kind == YAML_NULL)
        return 0;
    if (node->kind != YAML_MAP || node->n > STORE_RETENTIONS_MAX) {
        yaml_problem(c->doc, node, problems,
                     "retention_selectors is a map of series selectors to durations, at most %u of them",
                     STORE_RETENTIONS_MAX);
        return -EINVAL;
    }
    c->retentions = calloc(node->n ? node->n : 1, sizeof *c->retentions);
    if (!c->retentions)
        return -ENOMEM;
    int r = 0;
    YAML_EACH(node, item)
    {
        int r2 = read_retention(c, item, problems);
        r = r < 0 ? r : r2;
    }
    return r;
}

/* The series with rollups of five minutes, instead of those by default. */
MUST_USE static int read_fine_rollups(struct collector_config *c, const struct yaml_node *node,
                                      struct problems *problems)
{
    if (!node || node->kind == YAML_NULL)
        return 0;
    if (node->kind != YAML_LIST || node->n > STORE_RETENTIONS_MAX) {
        yaml_problem(c->doc, node, problems, "rollup_5m is a list of series selectors, at most %u of them",
                     STORE_RETENTIONS_MAX);
        return -EINVAL;
    }
    drop_rules(&c->fine_rollups, &c->n_fine_rollups);
    c->fine_rollups = calloc(node->n ? node->n : 1, sizeof *c->fine_rollups);
    int r = c->fine_rollups ? 0 : -ENOMEM;
    if (r < 0)
        return r;
    YAML_EACH(node, item)
    {
        int r2 = -EINVAL;
        if (item->kind == YAML_SCALAR)
            r2 = read_selector(c, item->text, item->line, item->column, NULL, &c->fine_rollups[c->n_fine_rollups],
                               problems);
        else
            yaml_problem(c->doc, item, problems, "a series selector such as '{__name__=~\"commerce:.*\"}' is wanted");
        c->n_fine_rollups += r2 == 0;
        r = r < 0 ? r : r2;
    }
    return r;
}

/* A duration of the file; without it *ret_ms stays. */
MUST_USE static int read_keep(struct collector_config *c, const struct yaml_node *storage, const char *key,
                              const char *text, int64_t *ret_ms, struct problems *problems)
{
    if (!text || parse_duration_ms(span_str(text), ret_ms) == 0)
        return 0;
    yaml_problem(c->doc, yaml_get(storage, key), problems, "'%s' is not a duration such as 30d, or 0", text);
    return -EINVAL;
}

MUST_USE static int read_storage(struct collector_config *c, const struct yaml_node *node, const char *file,
                                 struct problems *problems)
{
    struct storage_keys keys = {0};
    if (!node)
        return 0;
    int r = yaml_read(c->doc, node, STORAGE_FIELDS, &keys, problems);
    if (keys.limits && yaml_read(c->doc, keys.limits, LIMIT_FIELDS, c, problems) < 0)
        r = -EINVAL;
    int r2 = read_retentions(c, keys.retention_selectors, problems);
    r = r < 0 ? r : r2;
    r2 = read_fine_rollups(c, keys.rollup_5m, problems);
    r = r < 0 ? r : r2;
    c->rollup_retention_given = keys.rollup_retention != NULL;
    r2 = read_keep(c, node, "rollup_retention", keys.rollup_retention, &c->rollup_retention_ms, problems);
    r = r < 0 ? r : r2;
    c->retention_given = keys.retention != NULL;
    r2 = read_keep(c, node, "retention", keys.retention, &c->retention_ms, problems);
    r = r < 0 ? r : r2;
    c->retention_bytes = keys.retention_bytes;
    if (keys.path && !(c->data = path_beside(file, keys.path)))
        return -ENOMEM;
    if (keys.durability) {
        c->durability_given = true;
        if (strcmp(keys.durability, "full") == 0) {
            c->durability = STORE_FULL;
        } else if (strcmp(keys.durability, "normal") == 0) {
            c->durability = STORE_NORMAL;
        } else {
            yaml_problem(c->doc, yaml_get(node, "durability"), problems, "durability is full or normal, not '%s'",
                         keys.durability);
            r = -EINVAL;
        }
    }
    return r;
}

/* A list of paths, beside the file. */
MUST_USE static int read_paths(struct collector_config *c, const struct yaml_node *node, const char *file,
                               const char *key, const char *what, char ***ret, size_t *ret_n, struct problems *problems)
{
    if (!node || node->kind == YAML_NULL)
        return 0;
    if (node->kind != YAML_LIST) {
        yaml_problem(c->doc, node, problems, "%s is a list of paths", key);
        return -EINVAL;
    }
    *ret = calloc(node->n ? node->n : 1, sizeof **ret);
    if (!*ret)
        return -ENOMEM;
    YAML_EACH(node, item)
    {
        if (item->kind != YAML_SCALAR) {
            yaml_problem(c->doc, item, problems, "%s is a path", what);
            return -EINVAL;
        }
        char *path = path_beside(file, item->text.ptr);
        if (!path)
            return -ENOMEM;
        (*ret)[(*ret_n)++] = path;
    }
    return 0;
}

MUST_USE static int check_url(struct collector_config *c, const struct yaml_node *root, const char *key,
                              struct problems *problems)
{
    const struct yaml_node *node = yaml_get(root, key);
    struct url url;
    const char *why = NULL;
    if (!node || node->kind != YAML_SCALAR || url_parse(&url, node->text, &why) == 0)
        return 0;
    yaml_problem(c->doc, node, problems, "%s: %s", key, why);
    return -EINVAL;
}

MUST_USE static int keep_external_url(struct collector_config *c, const char *text)
{
    struct span url = span_str(text);
    while (url.len && url.ptr[url.len - 1] == '/')
        url.len--;
    c->external_url = text ? span_dup(url) : NULL;
    return text && !c->external_url ? -ENOMEM : 0;
}

int collector_config_load(struct collector_config *c, const char *path, struct problems *problems)
{
    AUTO_FREE char *text = NULL;
    size_t len;
    int r = file_read(path, CONFIG_BYTES_MAX, &text, &len);
    if (r < 0) {
        problem_add(problems, PROBLEM_ERROR, path, 0, 0, "cannot read it: %s", strerror(-r));
        return r;
    }
    r = yaml_parse(path, span_of(text, len), &c->doc, problems);
    if (r < 0)
        return r;
    const struct yaml_node *root = yaml_root(c->doc);
    struct file_keys keys = {0};
    if (root->kind == YAML_NULL)
        return 0;
    r = yaml_read(c->doc, root, FIELDS, &keys, problems);
    int r2 = read_storage(c, keys.storage, path, problems);
    int r3 =
        read_paths(c, keys.rule_files, path, "rule_files", "a rule file", &c->rule_files, &c->n_rule_files, problems);
    int r6 = read_paths(c, keys.events, path, "events", "an event file", &c->events, &c->n_events, problems);
    int r4 = check_url(c, root, "external_url", problems), r5 = check_url(c, root, "webhook_url", problems);
    if (keys.web_config_file && !(c->web_config_file = path_beside(path, keys.web_config_file)))
        return -ENOMEM;
    c->listen = keys.listen;
    c->admin_api = keys.admin_api;
    c->webhook_url = keys.webhook_url;
    if (keep_external_url(c, keys.external_url) < 0)
        return -ENOMEM;
    return r < 0 ? r : r2 < 0 ? r2 : r3 < 0 ? r3 : r4 < 0 ? r4 : r5 < 0 ? r5 : r6;
}

int collector_config_check(const char *path, struct problems *problems)
{
    struct collector_config c;
    collector_config_init(&c);
    int r = collector_config_load(&c, path, problems);
    if (c.n_rule_files && rules_check((const char *const *)c.rule_files, c.n_rule_files, problems) < 0)
        r = -EINVAL;
    struct event_files events = {0};
    if (c.n_events && event_files_read((const char *const *)c.events, c.n_events, &events, problems) < 0)
        r = -EINVAL;
    event_files_done(&events);
    if (c.web_config_file) {
        struct web_config *wc = NULL;
        if (web_config_load(c.web_config_file, &wc, problems) < 0)
            r = -EINVAL;
        web_config_free(wc);
    }
    collector_config_done(&c);
    return r < 0 ? -EINVAL : 0;
}

static void print_list(struct buf *out, const char *key, char *const *list, size_t n)
{
    buf_printf(out, "%s: [", key);
    for (size_t i = 0; i < n; i++) {
        buf_str(out, i ? ", " : "");
        quote_go(out, span_str(list[i]));
    }
    buf_str(out, "]\n");
}

static void print_text(struct buf *out, const char *key, const char *text)
{
    if (!text)
        return;
    buf_printf(out, "%s: ", key);
    quote_go(out, span_str(text));
    buf_char(out, '\n');
}

static void print_limits(const struct collector_config *c, struct buf *out)
{
    const struct {
        const char *key;
        uint64_t value;
    } limits[] = {{"series", c->series_max},
                  {"labels_per_series", c->labels_max},
                  {"label_name_bytes", c->label_name_bytes_max},
                  {"label_value_bytes", c->label_value_bytes_max}};
    char text[NUMBER_TEXT_MAX];
    const char *before = "  limits: {";
    for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
        if (limits[i].value == 0)
            continue;
        buf_printf(out, "%s%s: %llu", before, limits[i].key, (unsigned long long)limits[i].value);
        before = ", ";
    }
    if (c->future_ms_max) {
        buf_printf(out, "%sfuture: %.*s", before, (int)format_duration_ms(text, c->future_ms_max), text);
        before = ", ";
    }
    if (before[0] == ',')
        buf_str(out, "}\n");
}

/* In quotes, as the file would have it. */
static void print_selector(const struct store_retention *rule, struct buf *out)
{
    struct buf selector;
    buf_str(out, "'{");
    buf_init(&selector, CONFIG_BYTES_MAX);
    for (size_t k = 0; k < rule->n_matchers; k++) {
        buf_str(&selector, k ? "," : "");
        matcher_format(&selector, &rule->matchers[k]);
    }
    for (size_t k = 0; k < selector.len; k++) { /* a quote is doubled within quotes */
        buf_str(out, selector.data[k] == '\'' ? "'" : "");
        buf_char(out, selector.data[k]);
    }
    buf_done(&selector);
    buf_str(out, "}'");
}

static void print_retentions(const struct collector_config *c, struct buf *out)
{
    char keep[NUMBER_TEXT_MAX];
    if (c->n_retentions)
        buf_str(out, "  retention_selectors:\n");
    for (size_t i = 0; i < c->n_retentions; i++) {
        buf_str(out, "    ");
        print_selector(&c->retentions[i], out);
        buf_printf(out, ": %.*s\n", (int)format_duration_ms(keep, c->retentions[i].keep_ms), keep);
    }
    if (c->rollup_retention_given)
        buf_printf(out, "  rollup_retention: %.*s\n", (int)format_duration_ms(keep, c->rollup_retention_ms), keep);
    buf_str(out, c->n_fine_rollups ? "  rollup_5m:\n" : "  rollup_5m: []\n");
    for (size_t i = 0; i < c->n_fine_rollups; i++) {
        buf_str(out, "    - ");
        print_selector(&c->fine_rollups[i], out);
        buf_char(out, '\n');
    }
}

int64_t collector_rollup_retention_ms(const struct collector_config *c)
{
    return !c->rollup_retention_given ? 0 : c->rollup_retention_ms == 0 ? -1 : c->rollup_retention_ms;
}

int collector_config_print(const struct collector_config *c, struct buf *out)
{
    char retention[NUMBER_TEXT_MAX];
    print_text(out, "listen", c->listen);
    print_text(out, "external_url", c->external_url);
    print_text(out, "web_config_file", c->web_config_file);
    if (c->admin_api)
        buf_str(out, "admin_api: true\n");
    buf_str(out, "storage:\n");
    print_text(out, "  path", c->data);
    buf_printf(out, "  retention: %.*s\n", (int)format_duration_ms(retention, c->retention_ms), retention);
    buf_printf(out, "  durability: %s\n", c->durability == STORE_NORMAL ? "normal" : "full");
    print_retentions(c, out);
    if (c->retention_bytes)
        buf_printf(out, "  retention_size: %lluB\n", (unsigned long long)c->retention_bytes);
    print_limits(c, out);
    print_list(out, "rule_files", c->rule_files, c->n_rule_files);
    print_list(out, "events", c->events, c->n_events);
    if (c->webhook_url)
        buf_str(out, "webhook_url: <secret>\n");
    return buf_error(out);
}

bool collector_is_rule_file(struct span text)
{
    struct problems ignored;
    struct yaml *doc = NULL;
    problems_init(&ignored);
    bool yes = yaml_parse("", text, &doc, &ignored) == 0 && yaml_get(yaml_root(doc), "groups") != NULL;
    yaml_free(doc);
    problems_done(&ignored);
    return yes;
}

const char COLLECTOR_CONFIG_EXAMPLE[] =
    "# crest-collector --config crest.yml. Every key is optional; the values here are the defaults.\n"
    "listen: 127.0.0.1:9480      # another address than loopback needs web_config_file with credentials\n"
    "# external_url: http://crest.example:9480   # how people reach it: links in pages, allowed Host\n"
    "# web_config_file: web.yml  # Prometheus's format: tls_server_config, basic_auth_users\n"
    "# admin_api: true          # open /api/v1/admin/tsdb/: deleting series (--enable-admin-api)\n"
    "storage:\n"
    "  path: crest-data          # relative to this file\n"
    "  retention: 30d            # 0 keeps for ever\n"
    "  # retention_selectors:     # some series are kept shorter or longer; the first that matches counts\n"
    "  #   '{job=\"debug\"}': 2d\n"
    "  #   '{__name__=~\"commerce:.*\"}': 5y\n"
    "  # rollup_retention: 400d  # of rollups (docs/store.md); without it they leave with their samples\n"
    "  # rollup_5m: ['{__name__=~\"commerce:.*\"}']   # series with rollups of 5 minutes besides those of an hour\n"
    "  durability: full          # a 2xx survives a power cut; normal: it survives kill -9\n"
    "  # retention_size: 50GB    # and the oldest go first above it\n"
    "  # limits: {series: 10000000, labels_per_series: 128, label_name_bytes: 1024, label_value_bytes: 65535, future: "
    "10m}\n"
    "rule_files: []              # Prometheus rule files; shell patterns are fine\n"
    "events: []                  # event files (docs/event.md), imported at each start and reload\n"
    "# webhook_url: http://127.0.0.1:9499/page   # Alertmanager's webhook JSON, version 4\n";
