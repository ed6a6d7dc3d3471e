#include "collector/store/series_key.h"

#include <errno.h>

#include "collector/store/varint.h"

#define TAG_LABEL 0x0a /* field 1 of TimeSeries, length-delimited */
#define TAG_NAME 0x0a  /* field 1 of Label */
#define TAG_VALUE 0x12 /* field 2 of Label */

static size_t varint_bytes(size_t v)
{
    size_t n = 1;
    for (; v >= 0x80; v >>= 7)
        n++;
    return n;
}

static void put_piece(struct buf *out, uint8_t tag, size_t n)
{
    uint8_t head[1 + VARINT_BYTES_MAX] = {tag};
    buf_bytes(out, head, (size_t)(varint_put(head + 1, n) - head));
}

void series_key_build(struct buf *out, const struct labels *labels)
{
    for (size_t i = 0; i < labels->n; i++) {
        struct span name = labels->pairs[i].name, value = labels->pairs[i].value;
        put_piece(out, TAG_LABEL, 2 + varint_bytes(name.len) + name.len + varint_bytes(value.len) + value.len);
        put_piece(out, TAG_NAME, name.len);
        buf_span(out, name);
        put_piece(out, TAG_VALUE, value.len);
        buf_span(out, value);
    }
}

/* Cut tag, length and that many bytes off *at. */
static bool get_piece(const uint8_t **at, const uint8_t *end, uint8_t tag, struct span *ret)
{
    uint64_t n;
    if (*at == end || **at != tag)
        return false;
    ++*at;
    if (!varint_get(at, end, &n) || n > (uint64_t)(end - *at))
        return false;
    *ret = span_of((const char *)*at, (size_t)n);
    *at += n;
    return true;
}

int series_key_parse(struct span key, struct label *pairs, size_t max, size_t *ret_n)
{
    const uint8_t *at = (const uint8_t *)key.ptr, *end = at + key.len;
    size_t n = 0;
    while (at < end) {
        struct span label;
        if (n == max || !get_piece(&at, end, TAG_LABEL, &label))
            return -EBADMSG;
        const uint8_t *in = (const uint8_t *)label.ptr, *in_end = in + label.len;
        if (!get_piece(&in, in_end, TAG_NAME, &pairs[n].name) || !get_piece(&in, in_end, TAG_VALUE, &pairs[n].value) ||
            in != in_end)
            return -EBADMSG;
        n++;
    }
    *ret_n = n;
    return 0;
}

/* The piece at *at, if it is exactly this text under this tag with the shortest length. Texts below 128 bytes, nearly all,
 * take one compare. */
static bool skip_text(const uint8_t **at, const uint8_t *end, uint8_t tag, struct span text)
{
    const uint8_t *p = *at;
    size_t left = (size_t)(end - p);
    if (left < 2 || p[0] != tag)
        return false;
    if (text.len < 0x80) {
        if (p[1] != text.len || left - 2 < text.len)
            return false;
        p += 2;
    } else {
        uint64_t n;
        const uint8_t *length = ++p;
        if (!varint_get(&p, end, &n) || n != text.len || (size_t)(p - length) != varint_bytes(text.len) ||
            (size_t)(end - p) < text.len)
            return false;
    }
    *at = p + text.len;
    return memcmp(p, text.ptr, text.len) == 0;
}

bool series_key_names(struct span key, const struct symbols *sy, const uint32_t *ids, size_t n_pairs)
{
    const uint8_t *at = (const uint8_t *)key.ptr, *end = at + key.len;
    for (size_t i = 0; i < n_pairs; i++) {
        uint64_t n;
        if (at == end || *at++ != TAG_LABEL)
            return false;
        const uint8_t *length = at;
        if (!varint_get(&at, end, &n) || n > (uint64_t)(end - at) || (size_t)(at - length) != varint_bytes((size_t)n))
            return false;
        const uint8_t *label_end = at + n;
        if (!skip_text(&at, label_end, TAG_NAME, symbols_text(sy, ids[2 * i])) ||
            !skip_text(&at, label_end, TAG_VALUE, symbols_text(sy, ids[2 * i + 1])) || at != label_end)
            return false;
    }
    return at == end;
}
