#include "lib/metric/hdr_codec.h"

#include <errno.h>

#define HEADER_BYTES 40u

static void put_u32(struct buf *out, uint32_t v)
{
    char b[4] = {(char)(v >> 24), (char)(v >> 16), (char)(v >> 8), (char)v};
    buf_bytes(out, b, sizeof b);
}

static void put_u64(struct buf *out, uint64_t v)
{
    put_u32(out, (uint32_t)(v >> 32));
    put_u32(out, (uint32_t)v);
}

static uint32_t get_u32(const char *p)
{
    const unsigned char *b = (const unsigned char *)p;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static uint64_t get_u64(const char *p)
{
    return (uint64_t)get_u32(p) << 32 | get_u32(p + 4);
}

/* Seven bits a byte, the ninth byte all eight: 64 bits never need more. */
static void put_count(struct buf *out, int64_t v)
{
    uint64_t z = ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
    for (int i = 0; i < 8; i++) {
        if (z < 0x80) {
            buf_char(out, (char)z);
            return;
        }
        buf_char(out, (char)(z | 0x80));
        z >>= 7;
    }
    buf_char(out, (char)z);
}

MUST_USE static int get_count(struct span bytes, size_t *at, int64_t *ret)
{
    uint64_t z = 0;
    for (unsigned i = 0; i < 9; i++) {
        if (*at >= bytes.len)
            return -EINVAL;
        uint64_t b = (unsigned char)bytes.ptr[(*at)++];
        if (i == 8 || b < 0x80) {
            z |= b << (7 * i);
            break;
        }
        z |= (b & 0x7f) << (7 * i);
    }
    *ret = (int64_t)(z >> 1) ^ -(int64_t)(z & 1);
    return 0;
}

void hdr_encode(const struct hdr *h, struct buf *out)
{
    size_t start = out->len, n = hdr_buckets_used(h);
    double ratio = 1;
    uint64_t ratio_bits;
    memcpy(&ratio_bits, &ratio, sizeof ratio_bits);
    put_u32(out, HDR_V2_COOKIE);
    put_u32(out, 0); /* the payload's length: below */
    put_u32(out, 0);
    put_u32(out, (uint32_t)hdr_digits(h));
    put_u64(out, 1);
    put_u64(out, (uint64_t)hdr_highest(h));
    put_u64(out, ratio_bits);
    for (size_t i = 0; i < n;) {
        size_t empty = 0;
        while (i < n && hdr_bucket(h, i) == 0) {
            empty++;
            i++;
        }
        if (empty)
            put_count(out, -(int64_t)empty);
        else
            put_count(out, (int64_t)hdr_bucket(h, i++));
    }
    if (buf_error(out))
        return;
    uint32_t payload = (uint32_t)(out->len - start - HEADER_BYTES);
    for (int i = 0; i < 4; i++)
        out->data[start + 4 + (size_t)i] = (char)(payload >> (24 - 8 * i));
}

int hdr_decode_add(struct span bytes, struct hdr *into)
{
    if (bytes.len < HEADER_BYTES || get_u32(bytes.ptr) != HDR_V2_COOKIE ||
        get_u32(bytes.ptr + 4) != bytes.len - HEADER_BYTES || get_u32(bytes.ptr + 8) != 0 ||
        get_u32(bytes.ptr + 12) != (uint32_t)hdr_digits(into) || get_u64(bytes.ptr + 16) != 1 ||
        get_u64(bytes.ptr + 24) != (uint64_t)hdr_highest(into))
        return -EINVAL;
    size_t at = HEADER_BYTES, bucket = 0;
    while (at < bytes.len) {
        int64_t v;
        if (get_count(bytes, &at, &v) < 0)
            return -EINVAL;
        if (v < 0) {
            uint64_t empty = -(uint64_t)v;
            if (empty > SIZE_MAX / 2 - bucket)
                return -EINVAL;
            bucket += empty;
        } else if (hdr_bucket_add(into, bucket++, (uint64_t)v) < 0) {
            return -EINVAL;
        }
    }
    return 0;
}
