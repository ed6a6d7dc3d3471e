/* extent.c - any bytes as what the store wrote: an extent, a log record, a series' key. The CRC is made right first, or
 * nothing behind it would ever be reached. The first byte picks: 0 extent, 1 log record, 2 series key, 3 the bytes are values
 * and must come back from a column as they were, 4 a row of series, 5 a log record of native histograms, 6 one packed histogram,
 * 7 a row of exemplars. */
#include "collector/store/column.h"
#include "collector/store/crc32c.h"
#include "collector/store/exemplars.h"
#include "collector/store/extent.h"
#include "collector/store/headlog.h"
#include "collector/store/histogram_extent.h"
#include "collector/store/histogram_log.h"
#include "collector/store/rollup_extent.h"
#include "collector/store/series_key.h"
#include "collector/store/series_rows.h"
#include "lib/base/hash.h"
#include "lib/base/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void put_crc(uint8_t *at, const uint8_t *from, size_t n)
{
    uint32_t crc = crc32c(0, from, n);
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(crc >> 8 * i);
}

static int look_at_row(void *ctx, const struct histogram_row *row)
{
    uint64_t *sum = ctx;
    for (size_t i = 0; i < histogram_layout_columns(row->layout); i++) /* every bucket is there */
        *sum += row->bits[i];
    return 0;
}

static void read_histograms(const struct extent *x)
{
    static int64_t times[EXTENT_SAMPLES_MAX];
    uint64_t sum = 0;
    for (unsigned ord = 0; ord < EXTENT_SERIES_MAX; ord++) {
        struct histogram_series at;
        if (!histogram_extent_find(x, ord, &at))
            continue;
        if (at.samples < 1 || at.samples > EXTENT_SAMPLES_MAX)
            abort();
        if (histogram_extent_times(x, &at, times) == 0)
            for (size_t i = 1; i < at.samples; i++)
                if (times[i] <= times[i - 1])
                    abort(); /* readers search in them */
        (void)!histogram_extent_read(x, &at, 0, at.samples, look_at_row, &sum);
        (void)!histogram_extent_read(x, &at, at.samples / 2, at.samples / 2 + 1, look_at_row, &sum);
    }
}

static void read_rollups(const struct extent *x)
{
    static struct rollup_clock clock;
    static double values[ROLLUP_FIELDS][ROLLUPS_MAX];
    for (unsigned ord = 0; ord < EXTENT_SERIES_MAX; ord++) {
        struct rollup_series at;
        if (!rollup_find(x, ord, &at))
            continue;
        if (at.buckets < 1 || at.buckets > ROLLUPS_MAX)
            abort();
        if (rollup_clock(x, &at, &clock) == 0)
            for (size_t i = 1; i < at.buckets; i++)
                if (clock.firsts_ms[i] <= clock.lasts_ms[i - 1])
                    abort(); /* readers search in them */
        for (unsigned wanted = 0; wanted < 1u << ROLLUP_FIELDS; wanted++)
            (void)!rollup_values(x, &at, wanted, values);
    }
}

static void read_packed(const uint8_t *bytes, size_t n)
{
    static uint64_t bits[HISTOGRAM_COLUMNS + 2 * HISTOGRAM_BUCKETS_MAX];
    const uint8_t *at = bytes;
    struct packed_histogram packed;
    if (histogram_open(&at, bytes + n, &packed) < 0)
        return;
    if (at > bytes + n || packed.n_bytes != (size_t)(at - bytes))
        abort();
    if (histogram_layout_columns(&packed.layout) > ARRAY_LEN(bits))
        abort();
    histogram_columns(&packed, bits);
}

static void read_histogram_record(uint8_t *bytes, size_t n)
{
    static struct histogram_log_reader rd;
    static bool is_ready;
    uint32_t id;
    struct histogram_item item;
    if (n < 5)
        return;
    if (!is_ready)
        histogram_log_reader_init(&rd);
    is_ready = true;
    put_crc(bytes, bytes + 4, n - 4);
    if (histogram_log_open(&rd, bytes, n) < 0)
        return;
    while (histogram_log_next(&rd, &id, &item) > 0)
        read_packed(item.bytes, item.n_bytes);
}

static void read_exemplar(uint8_t *bytes, size_t n)
{
    static struct exemplars *all;
    static int64_t row;
    uint32_t series;
    struct arena arena;
    struct exemplar *list;
    size_t count = 0;
    if (n < 4 || (!all && exemplars_new(64, 4, &all) < 0))
        return;
    put_crc(bytes, bytes + 4, n - 4);
    if (exemplars_load(all, ++row, span_of((const char *)bytes, n), &series) < 0)
        return;
    arena_init(&arena, 16u << 20);
    uint64_t sum = 0;
    if (exemplars_list(all, series, INT64_MIN, INT64_MAX, &arena, &list, &count) == 0)
        for (size_t i = 0; i < count; i++)
            for (size_t k = 0; k < list[i].labels.n; k++) /* every byte is there */
                sum += hash_bytes(list[i].labels.pairs[k].value.ptr, list[i].labels.pairs[k].value.len, sum);
    arena_done(&arena);
}

static void read_extent(uint8_t *bytes, size_t n)
{
    static int64_t times[EXTENT_SAMPLES_MAX], starts[EXTENT_SAMPLES_MAX];
    static uint64_t bits[EXTENT_SAMPLES_MAX];
    struct extent x;
    if (n < 8)
        return;
    put_crc(bytes + 4, bytes + 8, n - 8);
    if (extent_open(&x, bytes, n) < 0)
        return;
    if (x.histograms)
        read_histograms(&x);
    if (x.rollups)
        read_rollups(&x);
    for (unsigned ord = 0; ord < EXTENT_SERIES_MAX; ord++) {
        struct extent_series at;
        if (!extent_find(&x, ord, &at))
            continue;
        if (at.samples < 1 || at.samples > EXTENT_SAMPLES_MAX)
            abort();
        if (extent_times(&x, &at, times) == 0)
            for (size_t i = 1; i < at.samples; i++)
                if (times[i] <= times[i - 1])
                    abort(); /* readers search in them */
        (void)!extent_values(&x, &at, bits, starts);
    }
}

static void read_record(uint8_t *bytes, size_t n)
{
    static struct headlog_reader rd;
    static struct headlog_bases bases;
    uint32_t id;
    struct sample s;
    if (n < 6 || (!rd.decompressor && headlog_reader_init(&rd) < 0))
        return;
    if (bases.age == 0)
        headlog_bases_init(&bases);
    headlog_bases_forget(&bases);
    put_crc(bytes, bytes + 4, n - 4);
    if (headlog_open(&rd, &bases, bytes, n) < 0)
        return;
    size_t items = 0, plain = (size_t)(rd.controls_end - rd.control) + rd.unreadable;
    while (headlog_next(&rd, &bases, &id, &s) > 0)
        if (++items > plain)
            abort(); /* an item takes a control */
}

static void read_key(const uint8_t *bytes, size_t n)
{
    struct label pairs[LABELS_MAX];
    struct labels labels = {.pairs = pairs};
    struct span key = span_of((const char *)bytes, n);
    if (series_key_parse(key, pairs, LABELS_MAX, &labels.n) < 0)
        return;
    struct buf again;
    buf_init(&again, 1 << 20);
    series_key_build(&again, &labels);
    if (!buf_error(&again) && again.len > n)
        abort(); /* lengths are built as short as they can be */
    buf_done(&again);
}

static void round_trip(const uint8_t *bytes, size_t n)
{
    static uint64_t bits[EXTENT_SAMPLES_MAX], back[EXTENT_SAMPLES_MAX], scratch[2 * EXTENT_SAMPLES_MAX];
    static uint8_t column[COLUMN_BYTES(EXTENT_SAMPLES_MAX)];
    size_t count = n / sizeof *bits;
    count = count > EXTENT_SAMPLES_MAX ? EXTENT_SAMPLES_MAX : count;
    if (count == 0)
        return;
    memcpy(bits, bytes, count * sizeof *bits);
    const uint8_t *at = column, *end = column_put_values(column, bits, count, scratch);
    if ((size_t)(end - column) > COLUMN_BYTES(count) || column_get_values(&at, end, count, back) < 0 || at != end ||
        memcmp(bits, back, count * sizeof *bits) != 0)
        abort();
}

static int take_series(void *ctx, uint32_t id, struct span key)
{
    uint64_t *sum = ctx;
    *sum += id;
    for (size_t i = 0; i < key.len; i++) /* every byte is there */
        *sum += (uint8_t)key.ptr[i];
    return 0;
}

static void read_rows(uint8_t *bytes, size_t n)
{
    static struct series_rows rows;
    uint64_t sum = 0;
    if (n < 4 || (!rows.decompressor && series_rows_init(&rows) < 0))
        return;
    put_crc(bytes, bytes + 4, n - 4);
    (void)!series_rows_read(&rows, 512, span_of((const char *)bytes, n), take_series, &sum);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n == 0)
        return 0;
    uint8_t *copy = malloc(n > 1 ? n - 1 : 1); /* of exactly that size: a read beyond it is found */
    if (!copy)
        return 0;
    memcpy(copy, data + 1, n - 1);
    switch (data[0] & 7) {
    case 0:
        read_extent(copy, n - 1);
        break;
    case 1:
        read_record(copy, n - 1);
        break;
    case 2:
        read_key(copy, n - 1);
        break;
    case 4:
        read_rows(copy, n - 1);
        break;
    case 5:
        read_histogram_record(copy, n - 1);
        break;
    case 6:
        read_packed(copy, n - 1);
        break;
    case 7:
        read_exemplar(copy, n - 1);
        break;
    default:
        round_trip(copy, n - 1);
    }
    free(copy);
    return 0;
}
