/* crest-collector: receives samples, answers queries, runs rules, pages. */
#include <errno.h>

#include "collector/ask.h"
#include "collector/command_line.h"
#include "collector/config.h"
#include "collector/event/event_files.h"
#include "collector/event/event_live.h"
#include "collector/event/firings.h"
#include "collector/http/http.h"
#include "collector/view/view.h"
#include "lib/base/clock.h"
#include "lib/base/daemon.h"
#include "lib/base/file.h"
#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/base/number.h"
#include "lib/base/options.h"
#include "lib/wire/url.h"
#include "lib/wire/web_config.h"

struct collector {
    const struct options *options;
    struct collector_config config;
    struct web_config *web_config;
    struct state *state;
    struct store *store;
    struct query_engine *query;
    struct notify *notify;
    struct rules *rules;
    struct live *live;
    struct view *view;
    struct annotations *annotations;
    struct firings *firings;
    struct events *events;
    struct event_live *event_live;
    struct httpd *httpd;
    struct http_room room;
    char external_url[512], external_host[256];
    const char *allowed_hosts[2]; /* external_host, NULL */
};

static const char *setting(const struct collector *c, const char *option, const char *from_file)
{
    return !options_given(c->options, option) && from_file ? from_file : options_text(c->options, option);
}

static int report(struct problems *problems, int r)
{
    problems_print(problems, stderr);
    problems_done(problems);
    return r;
}

/* Rule files of the configuration and of --rule-file. */
MUST_USE static int load_rules(struct collector *c, const struct collector_config *config, struct problems *problems)
{
    size_t more = options_list_count(c->options, "rule-file"), n = config->n_rule_files + more;
    AUTO_FREE const char **paths = calloc(n ? n : 1, sizeof *paths);
    if (!paths)
        return -ENOMEM;
    for (size_t i = 0; i < config->n_rule_files; i++)
        paths[i] = config->rule_files[i];
    for (size_t i = 0; i < more; i++)
        paths[config->n_rule_files + i] = options_list(c->options, "rule-file", i);
    return rules_load(c->rules, paths, n, problems);
}

/* Both are read before either changes anything; a bad file of any kind keeps all that was. */
MUST_USE static int load_files(struct collector *c, const struct collector_config *config, struct problems *problems)
{
    struct event_files events = {0};
    int r = event_files_read((const char *const *)config->events, config->n_events, &events, problems);
    if (r == 0)
        r = load_rules(c, config, problems);
    if (r == 0)
        r = event_files_import(&events, c->events, problems);
    event_files_done(&events);
    return r;
}

MUST_USE static int load_config(struct collector *c)
{
    struct problems problems;
    problems_init(&problems);
    collector_config_init(&c->config);
    const char *path = options_text(c->options, "config");
    int r = path ? collector_config_load(&c->config, path, &problems) : 0;
    const char *web = setting(c, "web-config", c->config.web_config_file);
    if (r == 0 && web)
        r = web_config_load(web, &c->web_config, &problems);
    return report(&problems, r);
}

/* ---- the live stream: sources push nothing, rules say when to look ---- */
static void on_round(void *ctx)
{
    struct collector *c = ctx;
    firings_round(c->firings, unix_ms());
    live_tick(c->live);
}

static void on_alerts_changed(void *ctx)
{
    live_alert(((struct collector *)ctx)->live);
}

static void on_commit(void *ctx, const struct commit_info *info)
{
    struct collector *c = ctx;
    struct commit_hook rules = rules_commit_hook(c->rules);
    rules.committed(rules.ctx, info);
    view_committed(c->view, info);
}

MUST_USE static int open_live(struct collector *c)
{
    struct live_config live = {.clients_max = (unsigned)options_count(c->options, "stream-clients"),
                               .clients_per_address_max =
                                   (unsigned)options_count(c->options, "stream-clients-per-address")};
    struct view_config view = {.query = c->query, .store = c->store, .rules = c->rules};
    int r = live_new(&live, &c->live);
    if (r == 0)
        r = view_new(&view, &c->view);
    if (r == 0)
        r = view_add_sources(c->view, c->live);
    if (r == 0)
        r = annotations_open(c->state, &c->annotations);
    if (r == 0)
        r = events_open(c->state, c->store, &c->events);
    if (r == 0)
        r = event_live_new(c->query, c->events, &c->event_live);
    if (r < 0)
        return r;
    struct frame_source sources[] = {event_live_source(c->event_live), annotations_source(c->annotations)};
    for (size_t i = 0; r == 0 && i < ARRAY_LEN(sources); i++)
        r = live_add_source(c->live, &sources[i]);
    return r;
}

/* How people reach us, for links: as configured, else by the listen address (this host's name when that is every
 * address). */
static void find_external_url(struct collector *c, uint16_t port)
{
    const char *listen = setting(c, "listen", c->config.listen), *colon = strrchr(listen, ':');
    const char *scheme = web_config_has_tls(c->web_config) ? "https" : "http";
    char host[256] = "localhost", port_text[8] = "";
    if (port)
        snprintf(port_text, sizeof port_text, ":%u", (unsigned)port);
    else if (colon && strcmp(colon, ":0") != 0)
        snprintf(port_text, sizeof port_text, "%.7s", colon);
    if (c->config.external_url)
        snprintf(c->external_url, sizeof c->external_url, "%s", c->config.external_url);
    else if (!colon || !port_text[0])
        return; /* known once we listen */
    else if (listen[0] != ':' && strncmp(listen, "0.0.0.0:", 8) != 0 && strncmp(listen, "[::]:", 5) != 0)
        snprintf(c->external_url, sizeof c->external_url, "%s://%.*s%s", scheme, (int)(colon - listen), listen,
                 port_text);
    else if (gethostname(host, sizeof host - 1) == 0)
        snprintf(c->external_url, sizeof c->external_url, "%s://%s%s", scheme, host, port_text);
    struct url url;
    const char *why;
    if (c->config.external_url && url_parse(&url, span_str(c->external_url), &why) == 0) {
        snprintf(c->external_host, sizeof c->external_host, SPAN_FMT, SPAN_ARG(url.host));
        c->allowed_hosts[0] = c->external_host;
    }
}

static int64_t retention_ms(const struct collector *c, const struct collector_config *config)
{
    return !options_given(c->options, "retention") && config->retention_given
               ? config->retention_ms
               : options_duration_ms(c->options, "retention");
}

MUST_USE static int open_rooms(struct collector *c)
{
    char why[512] = "";
    const char *dir = setting(c, "data", c->config.data);
    find_external_url(c, 0);
    int r = dir_make(dir);
    if (r < 0) {
        log_error("cannot make the data folder", "path", "%s", dir, "error", "%s", strerror(-r));
        return r;
    }
    bool durability = options_given(c->options, "durability") || !c->config.durability_given;
    struct store_config store = {
        .path = dir,
        .durability = !durability                                                   ? c->config.durability
                      : strcmp(options_text(c->options, "durability"), "full") == 0 ? STORE_FULL
                                                                                    : STORE_NORMAL,
        .retention_ms = retention_ms(c, &c->config),
        .retentions = c->config.retentions,
        .n_retentions = c->config.n_retentions,
        .rollup_retention_ms = collector_rollup_retention_ms(&c->config),
        .fine_rollups = c->config.fine_rollups,
        .n_fine_rollups = c->config.n_fine_rollups,
        .retention_waits = true, /* for the windows of events */
        .series_max = c->config.series_max,
        .labels_max = (unsigned)c->config.labels_max,
        .label_name_bytes_max = (unsigned)c->config.label_name_bytes_max,
        .label_value_bytes_max = (unsigned)c->config.label_value_bytes_max,
        .future_ms_max = c->config.future_ms_max,
        .retention_bytes = c->config.retention_bytes,
    };
    const char *size = options_text(c->options, "retention-size");
    if (size && parse_bytes(span_str(size), &store.retention_bytes) < 0) {
        log_error("--retention-size is not a size such as 50GB", "value", "%s", size);
        return -EINVAL;
    }
    atomic_store(&c->room.retention_ms, store.retention_ms);
    c->room.admin_api = c->config.admin_api || options_flag(c->options, "enable-admin-api");
    r = store_open(&store, &c->store, why, sizeof why);
    if (r < 0) {
        log_error("cannot open the store", "path", "%s", dir, "error", "%s", why);
        return r;
    }
    const struct state_room *const rooms[] = {&RULES_STATE_ROOM, &NOTIFY_STATE_ROOM, &ANNOTATIONS_STATE_ROOM,
                                              &EVENTS_STATE_ROOM, &FIRINGS_STATE_ROOM};
    r = state_open(dir, rooms, ARRAY_LEN(rooms), &c->state, why, sizeof why);
    if (r < 0) {
        log_error("cannot open state.db", "path", "%s", dir, "error", "%s", why);
        return r;
    }
    struct query_limits limits = {.samples_max = options_count(c->options, "query-max-samples"),
                                  .timeout_ms = options_duration_ms(c->options, "query-timeout"),
                                  .lookback_ms = options_duration_ms(c->options, "query-lookback")};
    const char *memory = options_text(c->options, "query-max-memory");
    if (parse_bytes(span_str(memory), &limits.bytes_max) < 0 || limits.bytes_max == 0) {
        log_error("--query-max-memory is not a size such as 512MB", "value", "%s", memory);
        return -EINVAL;
    }
    r = query_local_new(c->store, &limits, &c->query);
    if (r < 0)
        return r;
    struct notify_config notify = {.state = c->state,
                                   .webhook_url = setting(c, "webhook-url", c->config.webhook_url),
                                   .external_url = c->external_url};
    r = notify_new(&notify, &c->notify);
    if (r == 0)
        r = firings_open(c->state, &c->firings);
    if (r < 0)
        return r;
    struct rules_config rules = {.query = c->query,
                                 .store = c->store,
                                 .state = c->state,
                                 .sink = firings_sink(c->firings, notify_sink(c->notify)),
                                 .watch = {c, on_round, on_alerts_changed},
                                 .external_url = c->external_url};
    r = rules_new(&rules, &c->rules);
    if (r == 0)
        r = open_live(c);
    if (r < 0)
        return r;
    struct problems problems;
    problems_init(&problems);
    r = report(&problems, load_files(c, &c->config, &problems));
    return r;
}

/* For /api/v1/status/config; what cannot be shown is not worth a failure. */
static void show_config(struct collector *c, const struct collector_config *config)
{
    struct buf text;
    buf_init(&text, CONFIG_BYTES_MAX);
    if (collector_config_print(config, &text) == 0)
        http_room_config(&c->room, buf_take(&text, NULL));
    buf_done(&text);
}

MUST_USE static int start(struct collector *c)
{
    char why[512] = "";
    c->room.store = c->store;
    c->room.query = c->query;
    c->room.rules = c->rules;
    c->room.notify = c->notify;
    c->room.state = c->state;
    c->room.live = c->live;
    c->room.annotations = c->annotations;
    c->room.events = c->events;
    c->room.firings = c->firings;
    c->room.options = c->options;
    show_config(c, &c->config);
    store_set_commit_hook(c->store, (struct commit_hook){.ctx = c, .committed = on_commit});
    struct httpd_config config = {.listen = setting(c, "listen", c->config.listen),
                                  .web_config = c->web_config,
                                  .allowed_hosts = c->allowed_hosts};
    /* The port comes first: who cannot listen must page nobody. */
    int r = http_start(&c->room, &config, &c->httpd, why, sizeof why);
    if (r < 0) {
        log_error("cannot listen", "address", "%s", config.listen, "error", "%s", why);
        return r;
    }
    if (!c->external_url[0]) { /* port 0: only now is it known */
        find_external_url(c, httpd_port(c->httpd));
        r = rules_set_external_url(c->rules, c->external_url);
        if (r == 0)
            r = notify_set_external_url(c->notify, c->external_url);
    }
    if (r == 0)
        r = notify_start(c->notify);
    if (r == 0)
        r = live_start(c->live);
    if (r == 0) {
        firings_began(c->firings, store_newest_ms(c->store), unix_ms());
        r = rules_start(c->rules);
    }
    if (r < 0) {
        log_error("cannot start", "error", "%s", strerror(-r));
        return r;
    }
    httpd_daemon_loaded(&c->room.daemon, true);
    atomic_store(&c->room.daemon.ready, true);
    daemon_print_listening(httpd_address(c->httpd), httpd_port(c->httpd));
    daemon_notify("READY=1");
    return 0;
}

static void keep_text(const char *key, const char *in_force, const char **shown)
{
    if (in_force && *shown ? strcmp(in_force, *shown) != 0 : in_force != *shown)
        log_warn("changed in the configuration, but needs a restart", "key", "%s", key);
    *shown = in_force;
}

static void keep_number(const char *key, uint64_t in_force, uint64_t wanted)
{
    if (in_force != wanted)
        log_warn("changed in the configuration, but needs a restart", "key", "%s", key);
}

/* What a reload cannot change: told, and shown as it is in force. */
static void show_reloaded(struct collector *c, const struct collector_config *config)
{
    const struct collector_config *old = &c->config;
    struct collector_config shown = *config; /* borrows both's texts */
    const char *external_url = shown.external_url, *data = shown.data;
    keep_text("listen", old->listen, &shown.listen);
    keep_text("external_url", old->external_url, &external_url);
    keep_text("storage.path", old->data, &data);
    keep_number("storage.durability", old->durability, config->durability);
    keep_number("storage.limits.series", old->series_max, config->series_max);
    keep_number("admin_api", old->admin_api, config->admin_api);
    shown.external_url = old->external_url;
    shown.data = old->data;
    shown.durability = old->durability;
    shown.durability_given = old->durability_given;
    shown.series_max = old->series_max;
    shown.admin_api = old->admin_api;
    show_config(c, &shown);
}

/* Rule and event files, retentions, credentials and the webhook's URL are read again; the rest needs a restart. A bad file keeps
 * the old set. */
static void reload(struct collector *c)
{
    struct problems problems;
    struct collector_config config;
    problems_init(&problems);
    collector_config_init(&config);
    const char *path = options_text(c->options, "config");
    int r = path ? collector_config_load(&config, path, &problems) : 0;
    if (r == 0) {
        /* Each part for itself: a rule that is bad must not keep a password in force that was taken back. */
        int r2 = httpd_daemon_reload_web(c->httpd, setting(c, "web-config", config.web_config_file), &problems);
        r = load_files(c, &config, &problems);
        r = r < 0 ? r : r2;
    }
    if (r == 0)
        r = notify_set_webhook_url(c->notify, setting(c, "webhook-url", config.webhook_url));
    if (r == 0)
        r = store_set_retention(c->store, retention_ms(c, &config), config.retentions, config.n_retentions);
    if (r == 0)
        r = store_set_rollups(c->store, collector_rollup_retention_ms(&config), config.fine_rollups,
                              config.n_fine_rollups);
    if (r == 0)
        atomic_store(&c->room.retention_ms, retention_ms(c, &config));
    if (r == 0)
        show_reloaded(c, &config);
    collector_config_done(&config);
    httpd_daemon_loaded(&c->room.daemon, report(&problems, r) == 0);
    if (r < 0)
        log_error("reload refused, the old configuration stays", "error", "%s", strerror(-r));
    else
        log_info("configuration reloaded");
}

static void stop(struct collector *c)
{
    daemon_notify("STOPPING=1");
    httpd_stop(c->httpd, 5000);
    rules_stop(c->rules);
    live_stop(c->live);
    notify_free(c->notify);
    query_free(c->query);
    store_close(c->store); /* its last commits still call the rules' hook */
    rules_free(c->rules);
    live_free(c->live);
    event_live_free(c->event_live);
    view_free(c->view);
    state_close(c->state);
    annotations_free(c->annotations);
    events_free(c->events);
    firings_free(c->firings);
    web_config_free(c->web_config);
    free(c->room.config_yaml);
    collector_config_done(&c->config);
}

static int run(const struct options *options)
{
    struct collector c = {.options = options, .room.config_lock = PTHREAD_MUTEX_INITIALIZER};
    enum log_level level = LOG_LEVEL_INFO;
    log_level_parse(options_text(options, "log-level"), &level);
    log_init("crest-collector", level);
    daemon_init("crest-collector");
    int r = load_config(&c);
    int code = r < 0 ? EXIT_USAGE : EXIT_OK;
    if (r == 0) {
        r = open_rooms(&c);
        if (r == 0)
            r = start(&c);
        code = r == -EINVAL ? EXIT_USAGE : r < 0 ? EXIT_FAILED : EXIT_OK;
    }
    if (r == 0)
        daemon_forget_start();
    while (r == 0 && !daemon_stopping()) {
        daemon_wait(60000);
        if (daemon_take_reload())
            reload(&c);
    }
    stop(&c);
    return code;
}

int main(int argc, char **argv)
{
    struct options *options = NULL;
    int code = options_parse(&COLLECTOR_PROGRAM, argc, argv, &options);
    if (code != OPTIONS_RUN)
        return code;
    const char *command = options_command(options);
    if (strcmp(command, "check") == 0) {
        code = collector_check(options);
    } else if (strcmp(command, "test") == 0) {
        code = collector_test(options);
    } else if (strcmp(command, "init") == 0) {
        fputs(COLLECTOR_CONFIG_EXAMPLE, stdout);
        code = EXIT_OK;
    } else if (strcmp(command, "mark") == 0) {
        code = ask_mark(options);
    } else if (strcmp(command, "event") == 0) {
        code = ask_event(options);
    } else if (strcmp(command, "report") == 0) {
        code = ask_report(options);
    } else if (strcmp(command, "store") == 0) {
        code = ask_store(options);
    } else {
        code = run(options);
    }
    options_free(options);
    return code;
}
