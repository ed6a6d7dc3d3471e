#include "agent/config.h"

#include <errno.h>

#include "agent/config_fields.h"
#include "lib/base/file.h"
#include "lib/base/limits.h"
#include "lib/metric/exposition.h"
#include "lib/wire/url.h"

#define DEFAULT_REMOTE "http://127.0.0.1:9480/api/v1/write"

struct reader {
    struct agent_config *config;
    const struct yaml *doc;
    const char *file;
    struct problems *problems;
    int result; /* the first failure sticks; reading goes on to report them all */
};

static void failed(struct reader *rd, int r)
{
    if (r < 0 && rd->result == 0)
        rd->result = r;
}

static void complain(struct reader *rd, const struct yaml_node *at, const char *words)
{
    yaml_problem(rd->doc, at, rd->problems, "%s", words);
    failed(rd, -EINVAL);
}

static void read_fields(struct reader *rd, const struct yaml_node *node, const struct yaml_field *fields, void *into)
{
    if (node && node->kind != YAML_NULL)
        failed(rd, yaml_read(rd->doc, node, fields, into, rd->problems));
}

/* Is it a list that can be walked? Absent and null are empty; anything else is a problem. */
static bool is_list(struct reader *rd, const struct yaml_node *node, const char *words)
{
    if (!node || node->kind == YAML_NULL)
        return false;
    if (node->kind != YAML_LIST)
        complain(rd, node, words);
    return node->kind == YAML_LIST;
}

/* A path of the file, resolved beside it, in the arena. */
static const char *beside(struct reader *rd, const char *path)
{
    if (!path)
        return NULL;
    AUTO_FREE char *full = path_beside(rd->file, path);
    const char *kept = full ? arena_dup(&rd->config->arena, span_str(full)) : NULL;
    if (!kept)
        failed(rd, -ENOMEM);
    return kept;
}

static void read_credentials(struct reader *rd, const struct auth_keys *k, const struct yaml_node *at,
                             struct http_credentials *ret)
{
    struct basic_keys basic = {0};
    struct authorization_keys auth = {0};
    struct tls_keys tls = {0};
    read_fields(rd, k->basic_auth, BASIC_FIELDS, &basic);
    read_fields(rd, k->authorization, AUTHORIZATION_FIELDS, &auth);
    read_fields(rd, k->tls_config, TLS_FIELDS, &tls);
    if ((k->basic_auth != NULL) + (k->authorization != NULL) + (k->bearer_token || k->bearer_token_file) > 1)
        complain(rd, at, "at most one of basic_auth, authorization and bearer_token can be used");
    *ret = (struct http_credentials){
        .user = basic.username,
        .password = basic.password,
        .password_file = beside(rd, basic.password_file),
        .bearer = auth.credentials ? auth.credentials : k->bearer_token,
        .bearer_file = beside(rd, auth.credentials_file ? auth.credentials_file : k->bearer_token_file),
        .authorization_type = auth.type,
        .ca_file = beside(rd, tls.ca_file),
        .cert_file = beside(rd, tls.cert_file),
        .key_file = beside(rd, tls.key_file),
        .server_name = tls.server_name,
        .insecure_skip_verify = tls.insecure_skip_verify,
        .ca_pem = tls.ca,
        .cert_pem = tls.cert,
        .key_pem = tls.key,
    };
}

static void read_pairs(struct reader *rd, const struct yaml_node *map, struct pair_list *ret)
{
    if (!map || map->kind == YAML_NULL)
        return;
    ret->pairs = arena_array(&rd->config->arena, map->n, sizeof *ret->pairs);
    if (map->kind != YAML_MAP || !ret->pairs) {
        complain(rd, map, "a map of label names to values is wanted");
        return;
    }
    YAML_EACH(map, value)
    {
        if (value->kind == YAML_LIST || value->kind == YAML_MAP)
            complain(rd, value, "a label value is a text");
        else
            ret->pairs[ret->n++] = (struct label){value->key, value->text};
    }
}

/* ---- targets ---- */

static void read_group(struct reader *rd, const struct yaml_node *node, struct target_group *g)
{
    struct group_keys k = {0};
    read_fields(rd, node, GROUP_FIELDS, &k);
    g->targets = arena_array(&rd->config->arena, k.targets ? k.targets->n : 0, sizeof *g->targets);
    if (!g->targets)
        failed(rd, -ENOMEM);
    if (g->targets && is_list(rd, k.targets, "targets is a list of HOST:PORT"))
        YAML_EACH(k.targets, target)
        {
            if (target->kind != YAML_SCALAR || target->text.len == 0 ||
                span_search(target->text, SPAN("/")) < target->text.len)
                complain(rd, target, "a target is HOST:PORT, without scheme or path");
            else
                g->targets[g->n_targets++] = target->text;
        }
    read_pairs(rd, k.labels, &g->labels);
}

static void read_groups(struct reader *rd, const struct yaml_node *list, struct target_group **ret, size_t *ret_n)
{
    if (!is_list(rd, list, "a list of {targets, labels} is wanted"))
        return;
    struct target_group *groups = arena_array(&rd->config->arena, list->n, sizeof *groups);
    if (!groups) {
        failed(rd, -ENOMEM);
        return;
    }
    YAML_EACH(list, node)
    read_group(rd, node, &groups[(*ret_n)++]);
    *ret = groups;
}

static void read_file_sd(struct reader *rd, const struct yaml_node *list, struct scrape_job *job)
{
    size_t n = 0;
    if (!is_list(rd, list, "a list of {files} is wanted"))
        return;
    YAML_EACH(list, node)
    n += yaml_get(node, "files") ? yaml_get(node, "files")->n : 0;
    job->file_sd = arena_array(&rd->config->arena, n, sizeof *job->file_sd);
    YAML_EACH(list, node)
    {
        struct file_sd_keys k = {0};
        read_fields(rd, node, FILE_SD_FIELDS, &k);
        YAML_EACH(k.files, file)
        if (job->file_sd && file->kind == YAML_SCALAR)
            job->file_sd[job->n_file_sd++] = beside(rd, file->text.ptr);
    }
}

/* Of a file_sd file: with the label __meta_filepath, as Prometheus gives it to relabelling. */
static bool copy_group(struct arena *arena, const struct target_group *from, const char *path, struct target_group *to)
{
    bool ok = true;
    *to = *from;
    to->targets = arena_array(arena, from->n_targets, sizeof *to->targets);
    to->labels.pairs = arena_array(arena, from->labels.n + 1, sizeof *to->labels.pairs);
    if (!to->targets || !to->labels.pairs)
        return false;
    for (size_t k = 0; k < from->n_targets; k++)
        to->targets[k] = arena_span(arena, from->targets[k], &ok);
    for (size_t k = 0; k < from->labels.n; k++) {
        to->labels.pairs[k].name = arena_span(arena, from->labels.pairs[k].name, &ok);
        to->labels.pairs[k].value = arena_span(arena, from->labels.pairs[k].value, &ok);
    }
    to->labels.pairs[to->labels.n++] = (struct label){SPAN("__meta_filepath"), arena_span(arena, span_str(path), &ok)};
    return ok;
}

int agent_read_file_sd(const char *path, struct arena *arena, struct target_group **ret, size_t *ret_n,
                       struct problems *problems)
{
    AUTO_FREE char *text = NULL;
    size_t len, n = 0;
    struct yaml *doc = NULL;
    struct target_group *groups = NULL, *kept;
    int r = file_read(path, CONFIG_BYTES_MAX, &text, &len);
    if (r < 0) {
        problem_add(problems, PROBLEM_ERROR, path, 0, 0, "cannot read it: %s", strerror(-r));
        return r;
    }
    r = yaml_parse(path, span_of(text, len), &doc, problems);
    if (r < 0)
        return r;
    struct agent_config shell = {0};
    arena_init(&shell.arena, CONFIG_BYTES_MAX);
    struct reader rd = {.config = &shell, .doc = doc, .file = path, .problems = problems};
    read_groups(&rd, yaml_root(doc), &groups, &n);
    kept = arena_array(arena, n, sizeof *kept);
    for (size_t i = 0; i < n; i++)
        if (!kept || !copy_group(arena, &groups[i], path, &kept[i]))
            failed(&rd, -ENOMEM);
    arena_done(&shell.arena);
    yaml_free(doc);
    if (rd.result < 0)
        return rd.result;
    *ret = kept;
    *ret_n = n;
    return 0;
}

/* ---- jobs ---- */

/* Of a job that is skipped only the keys' names are looked at: each must be one that Prometheus knows. */
static void check_keys(struct reader *rd, const struct yaml_node *node)
{
    struct yaml_field known[ARRAY_LEN(JOB_FIELDS) + ARRAY_LEN(DISCOVERIES)];
    struct {
        const struct yaml_node *any;
    } ignored;
    size_t n = 0;
    for (const struct yaml_field *f = JOB_FIELDS; f->key; f++)
        known[n++] = (struct yaml_field){.key = f->key, .type = YAML_FIELD_NODE, .required = f->required};
    for (size_t i = 0; i < ARRAY_LEN(DISCOVERIES); i++)
        known[n++] = (struct yaml_field){.key = DISCOVERIES[i], .type = YAML_FIELD_NODE};
    known[n] = (struct yaml_field){0};
    read_fields(rd, node, known, &ignored);
}

/* Service discovery that Prometheus knows and we do not: the job is skipped, the rest runs. */
static bool lacks_discovery(struct reader *rd, const struct yaml_node *node, const char *job)
{
    bool lacks = false;
    YAML_EACH(node, member)
    for (size_t i = 0; i < ARRAY_LEN(DISCOVERIES); i++) {
        if (!span_equal(member->key, span_str(DISCOVERIES[i])))
            continue;
        problem_add(rd->problems, PROBLEM_WARNING, rd->file, member->key_line, member->key_column,
                    "job '%s': %s is not supported; the job is skipped", job ? job : "?", DISCOVERIES[i]);
        lacks = true;
    }
    if (lacks)
        check_keys(rd, node);
    return lacks;
}

static void read_params(struct reader *rd, const struct yaml_node *map, struct pair_list *ret)
{
    size_t n = 0;
    YAML_EACH(map, list)
    {
        if (list->kind != YAML_LIST)
            complain(rd, list, "params maps names to lists of values");
        n += list->n;
    }
    ret->pairs = arena_array(&rd->config->arena, n, sizeof *ret->pairs);
    YAML_EACH(map, list)
    YAML_EACH(list, value)
    if (ret->pairs && ret->n < n)
        ret->pairs[ret->n++] = (struct label){list->key, value->text};
}

static int format_by_protocol(struct reader *rd, const struct yaml_node *node, const char *name)
{
    if (!name)
        return -1;
    if (strncmp(name, "PrometheusText", 14) == 0)
        return EXPOSITION_TEXT;
    if (strncmp(name, "OpenMetricsText", 15) == 0)
        return EXPOSITION_OPENMETRICS;
    complain(rd, yaml_get(node, "fallback_scrape_protocol"),
             "fallback_scrape_protocol is PrometheusText0.0.4 or OpenMetricsText1.0.0");
    return -1;
}

/* A job that is skipped has its name all the same. */
static void check_name(struct reader *rd, const struct yaml_node *name)
{
    if (!name || name->kind != YAML_SCALAR)
        return;
    if (strmap_has(&rd->config->job_names, name->text))
        complain(rd, name, "found multiple scrape configs with this job name");
    else
        failed(rd, strmap_put(&rd->config->job_names, name->text, NULL));
}

static void check_job(struct reader *rd, const struct yaml_node *node, struct scrape_job *job,
                      const struct global_keys *global)
{
    if (!job->interval_ms)
        job->interval_ms = global->scrape_interval_ms;
    if (!job->timeout_ms)
        job->timeout_ms = global->scrape_timeout_ms < job->interval_ms ? global->scrape_timeout_ms : job->interval_ms;
    if (job->timeout_ms > job->interval_ms) {
        const struct yaml_node *at = yaml_get(node, "scrape_timeout");
        complain(rd, at ? at : node, "scrape timeout greater than scrape interval");
    }
    if (strcmp(job->scheme, "http") != 0 && strcmp(job->scheme, "https") != 0)
        complain(rd, yaml_get(node, "scheme"), "scheme is http or https");
}

static void read_job(struct reader *rd, const struct yaml_node *node, const struct global_keys *global)
{
    struct job_keys k = {.job = {.metrics_path = "/metrics",
                                 .scheme = "http",
                                 .honor_timestamps = true,
                                 .follow_redirects = true,
                                 .compression = true,
                                 .body_size_limit = global->body_size_limit,
                                 .sample_limit = global->sample_limit,
                                 .label_limit = global->label_limit,
                                 .label_name_length_limit = global->label_name_length_limit,
                                 .label_value_length_limit = global->label_value_length_limit,
                                 .target_limit = global->target_limit}};
    const struct yaml_node *name = yaml_get(node, "job_name");
    check_name(rd, name);
    if (lacks_discovery(rd, node, name ? name->text.ptr : NULL))
        return;
    read_fields(rd, node, JOB_FIELDS, &k);
    struct scrape_job *job = &k.job;
    if (!job->name)
        return;
    check_job(rd, node, job, global);
    job->fallback_format = format_by_protocol(rd, node, k.fallback);
    read_credentials(rd, &k.auth, node, &job->credentials);
    read_params(rd, k.params, &job->params);
    read_groups(rd, k.static_configs, &job->groups, &job->n_groups);
    read_file_sd(rd, k.file_sd_configs, job);
    failed(rd, relabel_read(rd->doc, k.relabel_configs, &job->relabel, rd->problems));
    failed(rd, relabel_read(rd->doc, k.metric_relabel_configs, &job->metric_relabel, rd->problems));
    struct scrape_job *grown = realloc(rd->config->jobs, (rd->config->n_jobs + 1) * sizeof *grown);
    if (!grown) {
        relabel_done(&job->relabel);
        relabel_done(&job->metric_relabel);
        failed(rd, -ENOMEM);
        return;
    }
    rd->config->jobs = grown;
    grown[rd->config->n_jobs++] = *job;
}

static void read_jobs(struct reader *rd, const struct yaml_node *list, const struct global_keys *global)
{
    if (is_list(rd, list, "scrape_configs is a list"))
        YAML_EACH(list, node)
    read_job(rd, node, global);
}

/* ---- remote write ---- */

static void read_remote(struct reader *rd, const struct yaml_node *node)
{
    struct remote_keys k = {.remote = {.timeout_ms = 30000}};
    struct metadata_keys metadata = {.send = true};
    struct remote_endpoint *remote = &k.remote;
    size_t n = 0;
    read_fields(rd, node, REMOTE_FIELDS, &k);
    read_fields(rd, k.metadata_config, METADATA_FIELDS, &metadata);
    remote->send_metadata = metadata.send;
    struct url url;
    const char *why = NULL;
    if (remote->url && url_parse(&url, span_str(remote->url), &why) < 0) {
        yaml_problem(rd->doc, yaml_get(node, "url"), rd->problems, "url: %s", why);
        failed(rd, -EINVAL);
    }
    if (k.protobuf_message && strcmp(k.protobuf_message, "prometheus.WriteRequest") != 0)
        complain(rd, yaml_get(node, "protobuf_message"),
                 "only prometheus.WriteRequest (remote write 1.0) is supported");
    read_credentials(rd, &k.auth, node, &remote->credentials);
    failed(rd, relabel_read(rd->doc, k.write_relabel_configs, &remote->relabel, rd->problems));
    remote->headers = arena_array(&rd->config->arena, (k.headers ? k.headers->n : 0) + 1, sizeof *remote->headers);
    YAML_EACH(k.headers, header)
    if (remote->headers)
        remote->headers[n++] =
            arena_printf(&rd->config->arena, SPAN_FMT ": " SPAN_FMT, SPAN_ARG(header->key), SPAN_ARG(header->text));
    struct remote_endpoint *grown = realloc(rd->config->remotes, (rd->config->n_remotes + 1) * sizeof *grown);
    if (grown)
        rd->config->remotes = grown;
    if (!grown || !remote->headers) {
        relabel_done(&remote->relabel);
        failed(rd, -ENOMEM);
        return;
    }
    grown[rd->config->n_remotes++] = *remote;
}

/* ---- the whole file ---- */

MUST_USE static int open_doc(struct agent_config *c, const char *path, const struct yaml **ret,
                             struct problems *problems)
{
    AUTO_FREE char *text = NULL;
    size_t len;
    struct yaml *doc = NULL;
    int r = file_read(path, CONFIG_BYTES_MAX, &text, &len);
    if (r < 0) {
        problem_add(problems, PROBLEM_ERROR, path, 0, 0, "cannot read it: %s", strerror(-r));
        return r;
    }
    r = yaml_parse(path, span_of(text, len), &doc, problems);
    if (r < 0)
        return r;
    struct yaml **grown = realloc(c->docs, (c->n_docs + 1) * sizeof *grown);
    if (!grown) {
        yaml_free(doc);
        return -ENOMEM;
    }
    c->docs = grown;
    c->docs[c->n_docs++] = doc;
    *ret = doc;
    return 0;
}

/* scrape_config_files: patterns of files that hold a scrape_configs list. */
static void read_more_jobs(struct reader *rd, const char *path, const struct global_keys *global)
{
    static const struct yaml_field FIELDS[] = {
        {"scrape_configs", YAML_FIELD_NODE, offsetof(struct root_keys, scrape_configs)}, {0}};
    struct root_keys k = {0};
    struct reader inner = {.config = rd->config, .problems = rd->problems};
    inner.file = arena_dup(&rd->config->arena, span_str(path));
    failed(&inner, inner.file ? open_doc(rd->config, inner.file, &inner.doc, rd->problems) : -ENOMEM);
    if (inner.result == 0) {
        read_fields(&inner, yaml_root(inner.doc), FIELDS, &k);
        read_jobs(&inner, k.scrape_configs, global);
    }
    failed(rd, inner.result);
}

static void read_more_files(struct reader *rd, const struct yaml_node *list, const struct global_keys *global)
{
    YAML_EACH(list, pattern)
    {
        struct file_list files = {0};
        const char *full = pattern->kind == YAML_SCALAR ? beside(rd, pattern->text.ptr) : NULL;
        if (!full)
            continue;
        failed(rd, file_glob(full, &files));
        for (size_t i = 0; i < files.n; i++)
            read_more_jobs(rd, files.paths[i], global);
        file_list_done(&files);
    }
}

MUST_USE static int read_file(struct agent_config *c, const char *path, struct problems *problems)
{
    struct root_keys root = {0};
    struct global_keys global = {.scrape_interval_ms = 60000, .scrape_timeout_ms = 10000};
    struct reader rd = {.config = c, .file = path, .problems = problems};
    int r = open_doc(c, path, &rd.doc, problems);
    if (r < 0)
        return r;
    read_fields(&rd, yaml_root(rd.doc), ROOT_FIELDS, &root);
    read_fields(&rd, root.global, GLOBAL_FIELDS, &global);
    read_pairs(&rd, global.external_labels, &c->external_labels);
    read_jobs(&rd, root.scrape_configs, &global);
    read_more_files(&rd, root.scrape_config_files, &global);
    if (is_list(&rd, root.remote_write, "remote_write is a list"))
        YAML_EACH(root.remote_write, node)
    read_remote(&rd, node);
    return rd.result;
}

int agent_config_load(const char *path, struct agent_config **ret, struct problems *problems)
{
    static const char *no_headers[] = {NULL};
    struct agent_config *c = calloc(1, sizeof *c);
    if (!c)
        return -ENOMEM;
    arena_init(&c->arena, CONFIG_BYTES_MAX);
    strmap_init(&c->job_names, CONFIG_BYTES_MAX); /* the file is smaller than so many names */
    int r = path ? read_file(c, path, problems) : 0;
    if (r == 0 && c->n_remotes == 0) {
        c->remotes = calloc(1, sizeof *c->remotes);
        r = c->remotes ? 0 : -ENOMEM;
        if (c->remotes)
            c->remotes[c->n_remotes++] = (struct remote_endpoint){
                .url = DEFAULT_REMOTE, .timeout_ms = 30000, .headers = no_headers, .send_metadata = true};
    }
    if (r < 0)
        agent_config_free(c);
    else
        *ret = c;
    return r;
}

void agent_config_free(struct agent_config *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->n_jobs; i++) {
        relabel_done(&c->jobs[i].relabel);
        relabel_done(&c->jobs[i].metric_relabel);
    }
    for (size_t i = 0; i < c->n_remotes; i++)
        relabel_done(&c->remotes[i].relabel);
    strmap_done(&c->job_names);
    free(c->jobs);
    free(c->remotes);
    for (size_t i = 0; i < c->n_docs; i++)
        yaml_free(c->docs[i]);
    free(c->docs);
    arena_done(&c->arena);
    free(c);
}
