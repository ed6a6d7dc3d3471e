/* store stat DIR: what takes the room. */
#include <errno.h>
#include <inttypes.h>

#include "collector/ask_store.h"
#include "collector/store/size.h"
#include "lib/base/number.h"
#include "lib/wire/json.h"

#define JSON_BYTES_MAX (256u << 20) /* --top of everything, of millions of label pairs */

static double bytes_per_sample(const struct store_size *size)
{
    return size->samples ? (double)size->file_bytes / (double)size->samples : 0;
}

static void print_shares(const char *title, const struct store_shares *shares, size_t top, bool has_values)
{
    if (shares->n == 0)
        return;
    printf("\n%12s %12s %14s%s  %s\n", "bytes", "series", "samples", has_values ? "       values" : "", title);
    for (size_t i = 0; i < shares->n && i < top; i++) {
        const struct store_share *s = shares->list[i];
        printf("%12" PRIu64 " %12" PRIu64 " %14" PRIu64, s->bytes, s->series, s->samples);
        if (has_values)
            printf(" %12" PRIu64, s->values);
        if (span_equal(s->name, SPAN("__name__")))
            printf("  " SPAN_FMT "\n", SPAN_ARG(s->value));
        else if (has_values)
            printf("  " SPAN_FMT "\n", SPAN_ARG(s->name));
        else
            printf("  " SPAN_FMT "=\"" SPAN_FMT "\"\n", SPAN_ARG(s->name), SPAN_ARG(s->value));
    }
    if (shares->n > top)
        printf("%12s %zu more: --top\n", "", shares->n - top);
}

static void print_text(const char *dir, const struct store_size *size, size_t top)
{
    char oldest[NUMBER_TEXT_MAX] = "", newest[NUMBER_TEXT_MAX] = "";
    printf("%s: %" PRIu64 " bytes in %" PRIu64 " file%s, %" PRIu64 " series, %" PRIu64 " samples", dir,
           size->file_bytes, size->files, size->files == 1 ? "" : "s", size->series, size->samples);
    if (size->samples)
        printf(", %.3g bytes per sample", bytes_per_sample(size));
    printf("\n%" PRIu64 " extents of %" PRIu64 " bytes, %" PRIu64 " of them rollups; %" PRIu64
           " samples in the log, %" PRIu64 " bytes\n",
           size->extents, size->extent_bytes, size->rollup_bytes, size->log_samples, size->log_bytes);
    if (size->oldest_ms <= size->newest_ms) {
        (void)format_rfc3339_ms(oldest, size->oldest_ms);
        (void)format_rfc3339_ms(newest, size->newest_ms);
        printf("%s to %s\n", oldest, newest);
    }
    print_shares("metric", &size->metrics, top, false);
    print_shares("label", &size->labels, top, true);
    print_shares("label pair", &size->pairs, top, false);
    if (size->pairs_cut)
        printf("%12s %" PRIu64 " label pairs of series are not told apart: over %u\n", "", size->pairs_cut,
               STORE_SIZE_PAIRS_MAX);
}

static void key_u64(struct json_writer *j, const char *key, uint64_t v)
{
    jw_key(j, key);
    jw_u64(j, v);
}

static void write_shares(struct json_writer *j, const char *key, const struct store_shares *shares, size_t top,
                         bool has_values)
{
    jw_key(j, key);
    jw_array(j);
    for (size_t i = 0; i < shares->n && i < top; i++) {
        const struct store_share *s = shares->list[i];
        bool is_metric = span_equal(s->name, SPAN("__name__"));
        jw_object(j);
        jw_key(j, "name");
        jw_text(j, is_metric ? s->value : s->name);
        if (!is_metric && !has_values) {
            jw_key(j, "value");
            jw_text(j, s->value);
        }
        key_u64(j, "bytes", s->bytes);
        key_u64(j, "series", s->series);
        key_u64(j, "samples", s->samples);
        if (has_values)
            key_u64(j, "values", s->values);
        jw_end(j);
    }
    jw_end(j);
}

static int print_json(const struct store_size *size, size_t top)
{
    struct json_writer j;
    struct buf out;
    buf_init(&out, JSON_BYTES_MAX);
    jw_init(&j, &out);
    jw_object(&j);
    key_u64(&j, "files", size->files);
    key_u64(&j, "fileBytes", size->file_bytes);
    key_u64(&j, "series", size->series);
    key_u64(&j, "samples", size->samples);
    jw_key(&j, "bytesPerSample");
    jw_f64(&j, bytes_per_sample(size));
    key_u64(&j, "extents", size->extents);
    key_u64(&j, "extentBytes", size->extent_bytes);
    key_u64(&j, "rollupBytes", size->rollup_bytes);
    key_u64(&j, "logSamples", size->log_samples);
    key_u64(&j, "logBytes", size->log_bytes);
    if (size->oldest_ms <= size->newest_ms) {
        jw_key(&j, "oldestMs");
        jw_i64(&j, size->oldest_ms);
        jw_key(&j, "newestMs");
        jw_i64(&j, size->newest_ms);
    }
    key_u64(&j, "damaged", size->faults);
    write_shares(&j, "metrics", &size->metrics, top, false);
    write_shares(&j, "labels", &size->labels, top, true);
    write_shares(&j, "pairs", &size->pairs, top, false);
    jw_end(&j);
    buf_char(&out, '\n');
    bool ok = !buf_error(&out) && fwrite(out.data, 1, out.len, stdout) == out.len && fflush(stdout) == 0;
    if (!ok)
        fprintf(stderr, "crest-collector store stat: the answer cannot be written\n");
    buf_done(&out);
    return ok ? EXIT_OK : EXIT_FAILED;
}

int ask_store_stat(const struct options *o)
{
    char why[512] = "";
    struct store_size size;
    const char *dir = options_operand(o, 1);
    size_t top = options_count(o, "top");
    int r = store_size(dir, &size, why, sizeof why), code = EXIT_OK;
    if (r < 0) {
        fprintf(stderr, "crest-collector store stat: %s\n", why);
        return EXIT_FAILED;
    }
    if (options_flag(o, "json"))
        code = print_json(&size, top);
    else
        print_text(dir, &size, top);
    if (size.faults)
        fprintf(stderr, "crest-collector store stat: %" PRIu64 " damaged pieces are left out: see store check\n",
                size.faults);
    store_size_done(&size);
    return code;
}
