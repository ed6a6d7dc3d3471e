/* What Prometheus tells of itself under /api/v1/status: when it started, its configuration, its flags. What only a Go program has
 * (goroutines, GOGC) is left out. */
#include <unistd.h>

#include "collector/http/api.h"
#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/base/number.h"
#include "lib/base/options.h"

static void key_text(struct json_writer *j, const char *key, const char *text)
{
    jw_key(j, key);
    jw_str(j, text);
}

static void key_time(struct json_writer *j, const char *key, int64_t ms)
{
    char text[NUMBER_TEXT_MAX];
    jw_key(j, key);
    jw_text(j, span_of(text, format_rfc3339_ms(text, ms)));
}

static void key_duration(struct json_writer *j, const char *key, int64_t ms)
{
    char text[NUMBER_TEXT_MAX];
    jw_key(j, key);
    jw_text(j, span_of(text, format_duration_ms(text, ms)));
}

void on_runtimeinfo(struct httpd_request *r, void *ctx)
{
    struct http_room *room = ctx;
    char folder[4096], host[256] = "";
    struct json_writer j;
    struct buf out;
    api_success_begin(&j, &out);
    jw_object(&j);
    key_time(&j, "startTime", room->started_ms);
    key_time(&j, "serverTime", unix_ms());
    key_text(&j, "CWD", getcwd(folder, sizeof folder) ? folder : "");
    (void)gethostname(host, sizeof host - 1);
    key_text(&j, "hostname", host);
    jw_key(&j, "reloadConfigSuccess");
    jw_bool(&j, atomic_load(&room->daemon.config_ok));
    key_time(&j, "lastConfigTime", atomic_load(&room->daemon.config_loaded_ms));
    key_duration(&j, "storageRetention", atomic_load(&room->retention_ms));
    jw_end(&j);
    api_success_end(r, &j, NULL, NULL);
}

void on_config(struct httpd_request *r, void *ctx)
{
    struct http_room *room = ctx;
    struct json_writer j;
    struct buf out;
    api_success_begin(&j, &out);
    jw_object(&j);
    pthread_mutex_lock(&room->config_lock);
    key_text(&j, "yaml", room->config_yaml ? room->config_yaml : "");
    pthread_mutex_unlock(&room->config_lock);
    jw_end(&j);
    api_success_end(r, &j, NULL, NULL);
}

void on_flags(struct httpd_request *r, void *ctx)
{
    struct http_room *room = ctx;
    struct json_writer j;
    struct buf out;
    const struct option_def *def;
    api_success_begin(&j, &out);
    jw_object(&j);
    for (size_t i = 0; (def = options_def(room->options, i)) != NULL; i++) {
        const char *text = def->type == OPT_FLAG || def->type == OPT_LIST ? "" : options_text(room->options, def->name);
        jw_key(&j, def->name);
        if (def->type == OPT_FLAG) {
            jw_str(&j, options_flag(room->options, def->name) ? "true" : "false");
        } else if (def->type == OPT_LIST) {
            struct buf list;
            buf_init(&list, API_BODY_BYTES_MAX);
            for (size_t k = 0; k < options_list_count(room->options, def->name); k++)
                buf_printf(&list, "%s%s", k ? "," : "", options_list(room->options, def->name, k));
            jw_text(&j, buf_view(&list));
            buf_done(&list);
        } else {
            jw_str(&j, text && strcmp(def->name, "webhook-url") == 0 ? HTTP_SECRET : text ? text : "");
        }
    }
    jw_end(&j);
    api_success_end(r, &j, NULL, NULL);
}

void http_room_config(struct http_room *room, char *yaml)
{
    pthread_mutex_lock(&room->config_lock);
    char *old = room->config_yaml;
    room->config_yaml = yaml;
    pthread_mutex_unlock(&room->config_lock);
    free(old);
}
