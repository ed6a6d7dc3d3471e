#include "tui/sse.h"

#include "lib/base/number.h"

#define RETRY_MS_MAX 600000

void sse_init(struct sse *s)
{
    *s = (struct sse){0};
    buf_init(&s->line, SSE_EVENT_BYTES_MAX);
    buf_init(&s->data, SSE_EVENT_BYTES_MAX);
}

void sse_reset(struct sse *s)
{
    buf_clear(&s->line);
    buf_clear(&s->data);
    s->name[0] = '\0';
    memcpy(s->coming_id, s->id, sizeof s->id);
    s->has_data = s->after_cr = false;
}

void sse_done(struct sse *s)
{
    buf_done(&s->line);
    buf_done(&s->data);
}

static void take_field(struct sse *s, struct span field, struct span value)
{
    uint64_t ms;
    if (span_equal(field, SPAN("data"))) {
        if (s->has_data)
            buf_char(&s->data, '\n');
        buf_span(&s->data, value);
        s->has_data = true;
    } else if (span_equal(field, SPAN("event"))) {
        snprintf(s->name, sizeof s->name, SPAN_FMT, SPAN_ARG(value));
    } else if (span_equal(field, SPAN("id")) && value.len < sizeof s->id) {
        snprintf(s->coming_id, sizeof s->coming_id, SPAN_FMT, SPAN_ARG(value));
    } else if (span_equal(field, SPAN("retry")) && parse_u64_span(value, RETRY_MS_MAX, &ms) == 0) {
        s->retry_ms = (int64_t)ms;
    }
}

static void take_line(struct sse *s, void (*on_event)(void *ctx, const struct sse_event *event), void *ctx)
{
    struct span line = buf_view(&s->line);
    if (line.len == 0) {
        memcpy(s->id, s->coming_id, sizeof s->id);
        if (s->has_data && buf_error(&s->data) == 0)
            on_event(ctx, &(struct sse_event){s->name[0] ? s->name : "message", buf_view(&s->data), s->id});
        if (buf_error(&s->data) == 0)
            buf_clear(&s->data);
        s->name[0] = '\0';
        s->has_data = false;
        return;
    }
    size_t colon = span_find(line, ':');
    struct span value = span_from(line, colon + 1);
    if (value.len > 0 && value.ptr[0] == ' ')
        value = span_from(value, 1);
    if (colon > 0)
        take_field(s, span_of(line.ptr, colon), value);
}

bool sse_feed(struct sse *s, struct span piece, void (*on_event)(void *ctx, const struct sse_event *event), void *ctx)
{
    while (piece.len > 0) {
        if (s->after_cr && piece.ptr[0] == '\n') {
            s->after_cr = false;
            piece = span_from(piece, 1);
            continue;
        }
        s->after_cr = false;
        size_t n = 0;
        while (n < piece.len && piece.ptr[n] != '\n' && piece.ptr[n] != '\r')
            n++;
        buf_bytes(&s->line, piece.ptr, n);
        if (n < piece.len) {
            s->after_cr = piece.ptr[n] == '\r';
            if (buf_error(&s->line) == 0)
                take_line(s, on_event, ctx);
            if (buf_error(&s->line) == 0)
                buf_clear(&s->line);
            n++;
        }
        if (buf_error(&s->line) || buf_error(&s->data))
            return false;
        piece = span_from(piece, n);
    }
    return true;
}
