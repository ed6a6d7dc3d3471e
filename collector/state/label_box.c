#include "collector/state/label_box.h"

#include <errno.h>
#include <string.h>

#include "lib/base/limits.h"

#define HEAD_BYTES 4
#define PAIR_BYTES 8

static void put_u32(char *at, size_t v)
{
    for (int i = 0; i < 4; i++)
        at[i] = (char)(unsigned char)(v >> (8 * i));
}

static size_t get_u32(const char *at)
{
    size_t v = 0;
    for (int i = 3; i >= 0; i--)
        v = v << 8 | (unsigned char)at[i];
    return v;
}

static size_t packed_bytes(const struct labels *labels)
{
    size_t n = HEAD_BYTES + labels->n * PAIR_BYTES;
    for (size_t i = 0; i < labels->n; i++)
        n += labels->pairs[i].name.len + labels->pairs[i].value.len;
    return n;
}

static char *put_bytes(char *to, struct span s)
{
    if (s.len)
        memcpy(to, s.ptr, s.len);
    return to + s.len;
}

static void pack(char *to, const struct labels *labels)
{
    put_u32(to, labels->n);
    char *lengths = to + HEAD_BYTES, *bytes = lengths + labels->n * PAIR_BYTES;
    for (size_t i = 0; i < labels->n; i++, lengths += PAIR_BYTES) {
        put_u32(lengths, labels->pairs[i].name.len);
        put_u32(lengths + 4, labels->pairs[i].value.len);
        bytes = put_bytes(bytes, labels->pairs[i].name);
        bytes = put_bytes(bytes, labels->pairs[i].value);
    }
}

void labels_pack(struct buf *out, const struct labels *labels)
{
    size_t n = packed_bytes(labels);
    char *to = buf_reserve(out, n);
    if (!to)
        return;
    pack(to, labels);
    buf_grew(out, n);
}

/* Box, pairs, bytes: one allocation. */
static struct label_box *box_for(size_t n, size_t bytes)
{
    struct label_box *b = malloc(sizeof *b + n * sizeof(struct label) + bytes);
    if (!b)
        return NULL;
    b->labels = (struct labels){(struct label *)(b + 1), n};
    b->packed = (struct span){(char *)(b + 1) + n * sizeof(struct label), bytes};
    return b;
}

/* Point the pairs at the packed bytes; false when the lengths do not add up. */
static bool point(struct label_box *b)
{
    const char *lengths = b->packed.ptr + HEAD_BYTES, *end = b->packed.ptr + b->packed.len;
    const char *at = lengths + b->labels.n * PAIR_BYTES;
    for (size_t i = 0; i < b->labels.n; i++, lengths += PAIR_BYTES) {
        size_t name = get_u32(lengths), value = get_u32(lengths + 4), left = (size_t)(end - at);
        if (name > left || value > left - name)
            return false;
        b->labels.pairs[i] = (struct label){{at, name}, {at + name, value}};
        at += name + value;
    }
    return at == end;
}

int label_box_new(const struct labels *labels, struct label_box **ret)
{
    size_t bytes = packed_bytes(labels);
    struct label_box *b = box_for(labels->n, bytes);
    if (!b)
        return -ENOMEM;
    char *packed = (char *)(b + 1) + labels->n * sizeof(struct label);
    pack(packed, labels);
    (void)point(b); /* what was just packed adds up */
    *ret = b;
    return 0;
}

int label_box_unpack(struct span packed, struct label_box **ret)
{
    if (packed.len < HEAD_BYTES)
        return -EBADMSG;
    size_t n = get_u32(packed.ptr);
    if (n > (packed.len - HEAD_BYTES) / PAIR_BYTES)
        return -EBADMSG;
    struct label_box *b = box_for(n, packed.len);
    if (!b)
        return -ENOMEM;
    memcpy((char *)(b + 1) + n * sizeof(struct label), packed.ptr, packed.len);
    if (!point(b)) {
        free(b);
        return -EBADMSG;
    }
    *ret = b;
    return 0;
}
