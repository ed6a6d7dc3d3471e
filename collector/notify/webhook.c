#include "collector/notify/webhook.h"

#include "lib/base/number.h"
#include "lib/base/quote.h"
#include "lib/wire/json.h"

#define NO_TIME "0001-01-01T00:00:00Z" /* Go's zero time: the end of what still fires */

void webhook_group_key(struct buf *out, struct span alertname)
{
    buf_str(out, "{}:{");
    if (alertname.len) {
        buf_str(out, "alertname=");
        quote_go(out, alertname);
    }
    buf_char(out, '}');
}

static void write_labels(struct json_writer *j, const struct labels *labels)
{
    jw_object(j);
    for (size_t i = 0; i < labels->n; i++) {
        jw_key_span(j, labels->pairs[i].name);
        jw_text(j, labels->pairs[i].value);
    }
    jw_end(j);
}

static const struct labels *labels_of(const struct alert *a)
{
    return &a->labels;
}
static const struct labels *annotations_of(const struct alert *a)
{
    return &a->annotations;
}

/* The pairs that every alert has. */
static void write_common(struct json_writer *j, const struct alert *const *alerts, size_t n,
                         const struct labels *(*set_of)(const struct alert *))
{
    const struct labels *first = set_of(alerts[0]);
    jw_object(j);
    for (size_t i = 0; i < first->n; i++) {
        const struct label *pair = &first->pairs[i];
        size_t k = 1;
        while (k < n && span_equal(labels_get(set_of(alerts[k]), pair->name), pair->value))
            k++;
        if (k < n || pair->value.len == 0) /* an absent one reads as empty */
            continue;
        jw_key_span(j, pair->name);
        jw_text(j, pair->value);
    }
    jw_end(j);
}

static void write_time(struct json_writer *j, const char *key, int64_t t_ms)
{
    char text[NUMBER_TEXT_MAX];
    size_t n = format_rfc3339_ms(text, t_ms);
    jw_key(j, key);
    jw_text(j, span_of(text, n));
}

static void write_alert(struct json_writer *j, const struct alert *a)
{
    char fingerprint[17];
    (void)snprintf(fingerprint, sizeof fingerprint, "%016llx", (unsigned long long)labels_fingerprint(&a->labels));
    jw_object(j);
    jw_key(j, "status");
    jw_str(j, a->resolved ? "resolved" : "firing");
    jw_key(j, "labels");
    write_labels(j, &a->labels);
    jw_key(j, "annotations");
    write_labels(j, &a->annotations);
    write_time(j, "startsAt", a->starts_ms);
    if (a->resolved) {
        write_time(j, "endsAt", a->ends_ms);
    } else {
        jw_key(j, "endsAt");
        jw_str(j, NO_TIME);
    }
    jw_key(j, "generatorURL");
    jw_text(j, a->generator_url);
    jw_key(j, "fingerprint");
    jw_str(j, fingerprint);
    jw_end(j);
}

void webhook_body(struct buf *out, const struct alert *const *alerts, size_t n, const char *external_url)
{
    bool firing = false;
    for (size_t i = 0; i < n; i++)
        firing = firing || !alerts[i]->resolved;
    struct span alertname = labels_get(&alerts[0]->labels, SPAN("alertname"));
    struct json_writer j;
    jw_init(&j, out);
    jw_object(&j);
    jw_key(&j, "receiver");
    jw_str(&j, WEBHOOK_RECEIVER);
    jw_key(&j, "status");
    jw_str(&j, firing ? "firing" : "resolved");
    jw_key(&j, "alerts");
    jw_array(&j);
    for (size_t i = 0; i < n; i++)
        write_alert(&j, alerts[i]);
    jw_end(&j);
    jw_key(&j, "groupLabels");
    struct label pair = {SPAN("alertname"), alertname};
    write_labels(&j, &(struct labels){&pair, alertname.len ? 1 : 0});
    jw_key(&j, "commonLabels");
    write_common(&j, alerts, n, labels_of);
    jw_key(&j, "commonAnnotations");
    write_common(&j, alerts, n, annotations_of);
    jw_key(&j, "externalURL");
    jw_str(&j, external_url ? external_url : "");
    jw_key(&j, "version");
    jw_str(&j, "4");
    struct buf key;
    buf_init(&key, 4 * alertname.len + 64);
    webhook_group_key(&key, alertname);
    jw_key(&j, "groupKey");
    jw_text(&j, buf_view(&key));
    buf_done(&key);
    jw_key(&j, "truncatedAlerts");
    jw_u64(&j, 0);
    jw_end(&j);
}
