/* What the client reads, and the text format. */
#include "collector/http/federate_page.h"

#include <string.h>

#include "lib/base/limits.h"
#include "lib/base/metric_writer.h"
#include "lib/base/number.h"

#define PROTOBUF                                                                                                       \
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited; escaping="
#define TEXT "text/plain; version=0.0.4; charset=utf-8; escaping="
#define TEXT_1 "text/plain; version=1.0.0; charset=utf-8; escaping="

static bool is_protobuf(const struct accepted *a)
{
    return span_equal_nocase(a->type, SPAN("application/vnd.google.protobuf")) &&
           span_equal(accepted_param(a, "proto"), SPAN("io.prometheus.client.MetricFamily")) &&
           span_equal(accepted_param(a, "encoding"), SPAN("delimited"));
}

static bool is_text(const struct accepted *a)
{
    struct span version = accepted_param(a, "version");
    return span_equal_nocase(a->type, SPAN("text/plain")) &&
           (version.len == 0 || span_equal(version, SPAN("0.0.4")) || span_equal(version, SPAN("1.0.0")));
}

const char *federate_page_init(struct federate_page *p, struct span accept)
{
    static const char *const TYPES[3][2] = {{TEXT "underscores", TEXT "allow-utf-8"},
                                            {TEXT_1 "underscores", TEXT_1 "allow-utf-8"},
                                            {PROTOBUF "underscores", PROTOBUF "allow-utf-8"}};
    struct accepted a;
    double best = 0;
    size_t type = 0;
    *p = (struct federate_page){0};
    while (accepted_next(&accept, &a)) {
        if (a.q <= best || (!is_protobuf(&a) && !is_text(&a)))
            continue;
        best = a.q;
        p->protobuf = is_protobuf(&a);
        p->utf8 = span_equal(accepted_param(&a, "escaping"), SPAN("allow-utf-8"));
        type = p->protobuf ? 2 : span_equal(accepted_param(&a, "version"), SPAN("1.0.0"));
    }
    buf_init(&p->family, ANSWER_PIECE_BYTES_MAX);
    buf_init(&p->metric, ANSWER_PIECE_BYTES_MAX);
    buf_init(&p->part, ANSWER_PIECE_BYTES_MAX);
    return TYPES[type][p->utf8];
}

void federate_page_done(struct federate_page *p)
{
    buf_done(&p->family);
    buf_done(&p->metric);
    buf_done(&p->part);
}

struct span federate_name(const struct federate_page *p, struct span name, char *scratch, size_t bytes)
{
    size_t n = 0;
    if (p->utf8 || metric_name_is_plain(name))
        return name;
    for (size_t i = 0; i < name.len && n < bytes; i++) {
        char c = name.ptr[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':';
        if (((unsigned char)c & 0xc0) != 0x80) /* one underscore for a letter, not for each of its bytes */
            scratch[n++] = is_letter || (i > 0 && c >= '0' && c <= '9') ? c : '_';
    }
    return span_of(scratch, n);
}

void federate_each_label(const struct labels *labels, void (*fn)(void *ctx, struct span name, struct span value),
                         void *ctx)
{
    bool has_instance = false;
    for (size_t i = 0; i < labels->n; i++) {
        const struct label *l = &labels->pairs[i];
        if (span_equal(l->name, SPAN("__name__")))
            continue;
        if (!has_instance && span_compare(l->name, SPAN("instance")) > 0)
            fn(ctx, SPAN("instance"), SPAN(""));
        has_instance |= span_compare(l->name, SPAN("instance")) >= 0;
        fn(ctx, l->name, l->value);
    }
    if (!has_instance)
        fn(ctx, SPAN("instance"), SPAN(""));
}

static void label_text(struct buf *out, struct span v)
{
    for (size_t i = 0; i < v.len; i++) {
        char c = v.ptr[i];
        if (c == '\n')
            buf_str(out, "\\n");
        else if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", c);
        else
            buf_char(out, c);
    }
}

static void quoted(struct buf *out, struct span text)
{
    buf_char(out, '"');
    label_text(out, text);
    buf_char(out, '"');
}

struct text_labels {
    const struct federate_page *page;
    struct buf *out;
    bool begun;
};

/* A name of more than letters stands in quotes between the braces. */
static void write_label(void *ctx, struct span name, struct span value)
{
    struct text_labels *t = ctx;
    char scratch[LABEL_NAME_BYTES_MAX];
    name = federate_name(t->page, name, scratch, sizeof scratch);
    buf_char(t->out, t->begun ? ',' : '{');
    t->begun = true;
    if (label_name_is_plain(name))
        buf_span(t->out, name);
    else
        quoted(t->out, name);
    buf_char(t->out, '=');
    quoted(t->out, value);
}

static void text_add(struct federate_page *p, struct buf *out, const struct federate_sample *s)
{
    struct span full = labels_get(s->labels, SPAN("__name__"));
    char scratch[LABEL_VALUE_BYTES_MAX], number[NUMBER_TEXT_MAX];
    struct span name = federate_name(p, full, scratch, sizeof scratch);
    bool plain = metric_name_is_plain(name);
    struct text_labels labels = {p, out, !plain};
    if (!span_equal(full, p->name)) {
        p->name = full;
        buf_str(out, "# TYPE ");
        if (plain)
            buf_span(out, name);
        else
            quoted(out, name);
        buf_str(out, " untyped\n");
    }
    if (plain) {
        buf_span(out, name);
    } else {
        buf_char(out, '{');
        quoted(out, name);
    }
    federate_each_label(s->labels, write_label, &labels);
    buf_str(out, "} ");
    buf_bytes(out, number, format_f64_g(number, s->value));
    buf_printf(out, " %lld\n", (long long)s->t_ms);
}

void federate_page_add(struct federate_page *p, struct buf *out, const struct federate_sample *s)
{
    if (p->protobuf)
        federate_protobuf_add(p, out, s);
    else if (!s->histogram)
        text_add(p, out, s);
}

void federate_page_end(struct federate_page *p, struct buf *out)
{
    if (p->protobuf)
        federate_protobuf_end(p, out);
}
