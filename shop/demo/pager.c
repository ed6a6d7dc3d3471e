/* The webhook's other end: remembers who was paged when. */
#include "shop/demo/demo.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/base/number.h"
#include "lib/httpd/httpd.h"
#include "lib/wire/json.h"

struct known {
    char alert[64], fingerprint[32];
    struct page page;
};
struct pager {
    struct show *show;
    const struct fault *faults;
    size_t n_faults;
    struct httpd *httpd;
    pthread_mutex_t lock;
    struct known list[DEMO_PAGES_MAX];
    size_t n;
};

/* Seconds from the cause (of the cure, when it has resolved) to now, when a fault explains the alert. */
static bool seconds_since(const struct pager *p, const char *alert, bool cure, int64_t now, double *ret)
{
    for (size_t i = 0; i < p->n_faults; i++) {
        const struct fault *f = &p->faults[i];
        int64_t at = cure ? f->cure_ms : f->cause_ms;
        if (strcmp(f->alert, alert) == 0 && at > 0 && at <= now) {
            *ret = (double)(now - at) / 1000;
            return true;
        }
    }
    return false;
}

static void say_page(struct pager *p, const char *alert, const char *severity, const char *summary, int64_t now)
{
    const char *kind = severity && strcmp(severity, "page") == 0 ? "PAGE" : "TICKET";
    double s;
    if (seconds_since(p, alert, false, now, &s))
        show_say(p->show, "%s after %.1f s: %s (%s)", kind, s, summary, alert);
    else
        show_say(p->show, "%s %s (%s)", kind, summary, alert);
}

static void say_resolved(struct pager *p, const char *alert, int64_t now)
{
    double s;
    if (seconds_since(p, alert, true, now, &s))
        show_say(p->show, "resolved %.1f s after the cure: %s", s, alert);
    else
        show_say(p->show, "resolved: %s", alert);
}

static void take(struct pager *p, const json_t *alert, int64_t now)
{
    const char *name = json_string_value(json_object_get(json_object_get(alert, "labels"), "alertname"));
    const char *status = json_string_value(json_object_get(alert, "status"));
    const char *fingerprint = json_string_value(json_object_get(alert, "fingerprint"));
    const char *starts = json_string_value(json_object_get(alert, "startsAt"));
    const char *summary = json_string_value(json_object_get(json_object_get(alert, "annotations"), "summary"));
    const char *severity = json_string_value(json_object_get(json_object_get(alert, "labels"), "severity"));
    int64_t starts_ms = 0;
    if (!name || !status || !fingerprint || !starts || parse_rfc3339_ms(span_str(starts), &starts_ms) < 0)
        return;
    bool resolved = strcmp(status, "resolved") == 0;
    struct known *k = NULL;
    for (size_t i = 0; i < p->n && !k; i++)
        if (strcmp(p->list[i].fingerprint, fingerprint) == 0 && p->list[i].page.starts_ms == starts_ms)
            k = &p->list[i];
    if (!k && p->n < DEMO_PAGES_MAX) {
        k = &p->list[p->n++];
        *k = (struct known){.page = {.starts_ms = starts_ms, .received_ms = now}};
        snprintf(k->alert, sizeof k->alert, "%s", name);
        snprintf(k->fingerprint, sizeof k->fingerprint, "%s", fingerprint);
        if (!resolved)
            say_page(p, name, severity, summary ? summary : "", now);
    }
    if (k && resolved && !k->page.resolved_received_ms) {
        k->page.resolved_received_ms = now;
        say_resolved(p, name, now);
    }
}

static void on_page(struct httpd_request *r, void *ctx)
{
    struct pager *p = ctx;
    struct parse_error error = {0};
    int64_t now = unix_ms();
    json_t *body = json_read(httpd_body(r), &error), *alert;
    size_t i;
    pthread_mutex_lock(&p->lock);
    json_array_foreach(json_object_get(body, "alerts"), i, alert)
    {
        take(p, alert, now);
    }
    pthread_mutex_unlock(&p->lock);
    if (body)
        httpd_reply_empty(r, 200);
    else
        httpd_reply_text(r, 400, "%s\n", error.text);
    json_decref(body);
}

static const struct httpd_route ROUTES[] = {{"POST", "/page", API_BODY_BYTES_MAX, on_page}, {0}};

int pager_open(struct show *w, const struct fault *faults, size_t n, struct pager **ret, char *url, size_t url_bytes)
{
    char why[512] = "";
    struct pager *p = calloc(1, sizeof *p);
    if (!p)
        return -ENOMEM;
    p->show = w;
    p->faults = faults;
    p->n_faults = n;
    pthread_mutex_init(&p->lock, NULL);
    struct httpd_config config = {
        .listen = "127.0.0.1:0", .routes = ROUTES, .ctx = p, .server_name = "pager", .threads = 1};
    int r = httpd_start(&config, &p->httpd, why, sizeof why);
    if (r < 0) {
        fprintf(stderr, "demo: the pager cannot listen: %s\n", why);
        pager_close(p);
        return r;
    }
    snprintf(url, url_bytes, "http://127.0.0.1:%u/page", httpd_port(p->httpd));
    *ret = p;
    return 0;
}

void pager_close(struct pager *p)
{
    if (!p)
        return;
    httpd_stop(p->httpd, 1000);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

bool pager_find(struct pager *p, const char *alert, int64_t since_ms, struct page *ret)
{
    bool found = false;
    pthread_mutex_lock(&p->lock);
    for (size_t i = 0; i < p->n && !found; i++)
        if (strcmp(p->list[i].alert, alert) == 0 && p->list[i].page.received_ms >= since_ms) {
            *ret = p->list[i].page;
            found = true;
        }
    pthread_mutex_unlock(&p->lock);
    return found;
}

size_t pager_unexpected(struct pager *p, const char *const *expected)
{
    size_t n = 0;
    pthread_mutex_lock(&p->lock);
    for (size_t i = 0; i < p->n; i++) {
        size_t k = 0;
        while (expected[k] && strcmp(expected[k], p->list[i].alert) != 0)
            k++;
        n += expected[k] == NULL;
    }
    pthread_mutex_unlock(&p->lock);
    return n;
}
