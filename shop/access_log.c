/* Access logs: Apache's combined format and one JSON object per line, written by the workers under one lock.
 */
#include "shop/visit.h"

#include <errno.h>
#include <pthread.h>

#include "lib/base/clock.h"

struct access_log {
    pthread_mutex_t lock;
    FILE *combined, *json;
};

int access_log_open(const char *combined_path, const char *json_path, struct access_log **ret)
{
    struct access_log *l = calloc(1, sizeof *l);
    if (!l)
        return -ENOMEM;
    pthread_mutex_init(&l->lock, NULL);
    int r = 0;
    if (combined_path && !(l->combined = fopen(combined_path, "ae")))
        r = -errno;
    if (r == 0 && json_path && !(l->json = fopen(json_path, "ae")))
        r = -errno;
    if (r < 0) {
        access_log_close(l);
        return r;
    }
    *ret = l;
    return 0;
}

void access_log_close(struct access_log *l)
{
    if (!l)
        return;
    if (l->combined)
        fclose(l->combined);
    if (l->json)
        fclose(l->json);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

/* What stands between quotes in the combined format: quotes, backslashes and control bytes as \xNN, as nginx
 * does. */
static void quoted(struct buf *out, struct span text)
{
    if (text.len == 0)
        buf_char(out, '-');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c < 0x20 || c == '"' || c == '\\' || c == 0x7f)
            buf_printf(out, "\\x%02X", c);
        else
            buf_char(out, (char)c);
    }
}

static void put_line(FILE *to, struct buf *line)
{
    buf_char(line, '\n');
    if (!buf_error(line)) {
        fwrite(line->data, 1, line->len, to); /* a full disk costs log lines, not visits */
        fflush(to);
    }
    buf_clear(line);
}

void access_log_write(struct access_log *l, struct visit *v, const char *target, size_t body_bytes, int64_t took_us)
{
    struct buf line;
    struct tm tm;
    int64_t now = unix_ms();
    time_t seconds = (time_t)(now / 1000);
    char when[64];
    gmtime_r(&seconds, &tm);
    buf_init(&line, 65536);
    if (l->combined) {
        strftime(when, sizeof when, "%d/%b/%Y:%H:%M:%S +0000", &tm);
        buf_printf(&line, "%s - - [%s] \"" SPAN_FMT " ", httpd_peer(v->request), when,
                   SPAN_ARG(httpd_method(v->request)));
        quoted(&line, span_str(target));
        buf_printf(&line, " HTTP/1.1\" %d %zu \"", v->status, body_bytes);
        quoted(&line, httpd_header(v->request, "Referer"));
        buf_str(&line, "\" \"");
        quoted(&line, httpd_header(v->request, "User-Agent"));
        buf_char(&line, '"');
    }
    pthread_mutex_lock(&l->lock);
    if (l->combined)
        put_line(l->combined, &line);
    if (l->json) {
        struct json_writer j;
        strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &tm);
        snprintf(when + 19, sizeof when - 19, ".%03dZ", (int)(now % 1000));
        jw_init(&j, &line);
        jw_object(&j);
        jw_key(&j, "time");
        jw_str(&j, when);
        jw_key(&j, "remote_addr");
        jw_str(&j, httpd_peer(v->request));
        jw_key(&j, "request_method");
        jw_text(&j, httpd_method(v->request));
        jw_key(&j, "request_uri");
        jw_str(&j, target);
        jw_key(&j, "status");
        jw_i64(&j, v->status);
        jw_key(&j, "body_bytes_sent");
        jw_u64(&j, body_bytes);
        jw_key(&j, "request_time");
        jw_f64(&j, (double)took_us / 1e6);
        jw_key(&j, "step");
        jw_str(&j, STEP_NAMES[v->step]);
        jw_key(&j, "market");
        jw_str(&j, MARKET_NAMES[v->session.market]);
        jw_key(&j, "channel");
        jw_str(&j, CHANNEL_NAMES[v->session.channel]);
        jw_key(&j, "source");
        jw_str(&j, SOURCE_NAMES[v->source]);
        jw_key(&j, "user_agent");
        jw_text(&j, httpd_header(v->request, "User-Agent"));
        jw_end(&j);
        put_line(l->json, &line);
    }
    pthread_mutex_unlock(&l->lock);
    buf_done(&line);
}
