#include "loadgen/hdr_log.h"

#include <errno.h>
#include <stdio.h>
#include <zlib.h>

#include "lib/base/number.h"
#include "lib/metric/hdr_codec.h"
#include "loadgen/hurl/base64.h"

#define LINE_BYTES_MAX (1u << 20) /* a histogram is at most 24,000 counts of 9 bytes */

struct hdr_log {
    FILE *to;
    struct buf plain, packed, line;
};

int hdr_log_open(const char *path, int64_t start_ms, struct hdr_log **ret)
{
    struct hdr_log *log = calloc(1, sizeof *log);
    if (!log)
        return -ENOMEM;
    buf_init(&log->plain, LINE_BYTES_MAX);
    buf_init(&log->packed, LINE_BYTES_MAX);
    buf_init(&log->line, 2 * LINE_BYTES_MAX);
    log->to = fopen(path, "we");
    if (!log->to) {
        int r = -errno;
        hdr_log_close(log);
        return r;
    }
    char start[NUMBER_TEXT_MAX], date[NUMBER_TEXT_MAX];
    format_seconds_ms(start, start_ms);
    format_rfc3339_ms(date, start_ms);
    fprintf(log->to,
            "#[Histogram log format version 1.3]\n#[StartTime: %s (seconds since epoch), %s]\n"
            "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n",
            start, date);
    *ret = log;
    return 0;
}

static void put_u32(struct buf *out, uint32_t v)
{
    char b[4] = {(char)(v >> 24), (char)(v >> 16), (char)(v >> 8), (char)v};
    buf_bytes(out, b, sizeof b);
}

MUST_USE static int compress_into(struct hdr_log *log, const struct hdr *h)
{
    buf_clear(&log->plain);
    buf_clear(&log->packed);
    hdr_encode(h, &log->plain);
    uLong bound = compressBound(log->plain.len);
    put_u32(&log->packed, HDR_V2_COMPRESSED_COOKIE);
    put_u32(&log->packed, 0); /* the length: below */
    char *to = buf_reserve(&log->packed, bound);
    if (buf_error(&log->plain) || !to)
        return -ENOMEM;
    uLongf n = bound;
    if (compress((Bytef *)to, &n, (const Bytef *)log->plain.data, log->plain.len) != Z_OK)
        return -ENOMEM;
    buf_grew(&log->packed, n);
    for (int i = 0; i < 4; i++)
        log->packed.data[4 + i] = (char)(n >> (24 - 8 * i));
    return 0;
}

/* A tag cannot hold what ends it. */
static void put_tag(struct buf *out, struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        buf_char(out, text.ptr[i] == ',' || (unsigned char)text.ptr[i] <= ' ' ? '_' : text.ptr[i]);
}

MUST_USE static int put_line(struct hdr_log *log, const struct run_tick *t, const char *what, const char *journey,
                             struct span step, const struct hdr *h)
{
    if (!h || hdr_count(h) == 0)
        return 0;
    int r = compress_into(log, h);
    if (r < 0)
        return r;
    buf_clear(&log->line);
    buf_printf(&log->line, "Tag=%s", what);
    if (journey) {
        buf_char(&log->line, ':');
        put_tag(&log->line, span_str(journey));
        buf_char(&log->line, '/');
        put_tag(&log->line, step);
    }
    buf_printf(&log->line, ",%.3f,%.3f,%.3f,", t->second - t->interval_s, t->interval_s, (double)hdr_max(h) / 1000);
    base64_encode(&log->line, buf_view(&log->packed), false);
    buf_char(&log->line, '\n');
    if (buf_error(&log->line))
        return -ENOMEM;
    return fwrite(log->line.data, 1, log->line.len, log->to) == log->line.len ? 0 : -EIO;
}

int hdr_log_tick(struct hdr_log *log, const struct run_tick *t, const struct journeys *js)
{
    struct span none = {0};
    struct hdr *response = stats_all(t->interval, false), *service = stats_all(t->interval, true);
    int r = put_line(log, t, "response", NULL, none, response);
    if (r == 0)
        r = put_line(log, t, "service", NULL, none, service);
    hdr_free(response);
    hdr_free(service);
    for (size_t i = 0; i < js->n_steps && r == 0; i++)
        r = put_line(log, t, "response", js->steps[i].journey, js->steps[i].name, t->interval->steps[i].response);
    return r;
}

int hdr_log_close(struct hdr_log *log)
{
    if (!log)
        return 0;
    int r = log->to && (ferror(log->to) || fflush(log->to) != 0) ? -EIO : 0;
    if (log->to && fclose(log->to) != 0 && r == 0)
        r = -errno;
    buf_done(&log->plain);
    buf_done(&log->packed);
    buf_done(&log->line);
    free(log);
    return r;
}
