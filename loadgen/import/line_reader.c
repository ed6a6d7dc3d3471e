#include "loadgen/import/line_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <zlib.h>
#include <zstd.h>

#include "lib/base/buf.h"
#include "lib/base/limits.h"

#define CHUNK_BYTES 65536

enum packing { PLAIN, GZIP, ZSTD };
struct line_reader {
    int fd;
    enum packing packing;
    bool begun, raw_end, end, cut;
    z_stream gzip;
    bool gzip_open;
    ZSTD_DStream *zstd;
    bool frame_open; /* a compressed piece has begun and is not over */
    char raw[CHUNK_BYTES];
    size_t raw_at, raw_len;
    char text[CHUNK_BYTES];
    size_t at, len;
    struct buf line;
};

int line_reader_open(const char *path, struct line_reader **ret)
{
    struct line_reader *r = calloc(1, sizeof *r);
    if (!r)
        return -ENOMEM;
    buf_init(&r->line, LOG_LINE_BYTES_MAX + 1);
    r->fd = strcmp(path, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_CLOEXEC);
    if (r->fd < 0) {
        int e = -errno;
        line_reader_close(r);
        return e;
    }
    *ret = r;
    return 0;
}

void line_reader_close(struct line_reader *r)
{
    if (!r)
        return;
    if (r->gzip_open)
        inflateEnd(&r->gzip);
    ZSTD_freeDStream(r->zstd);
    if (r->fd >= 0)
        close(r->fd);
    buf_done(&r->line);
    free(r);
}

MUST_USE static int fill_raw(struct line_reader *r)
{
    while (!r->raw_end) {
        ssize_t n = read(r->fd, r->raw + r->raw_len, sizeof r->raw - r->raw_len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        r->raw_end = n == 0;
        r->raw_len += (size_t)n;
        break;
    }
    return 0;
}

/* The first bytes say how the file is packed. */
MUST_USE static int begin(struct line_reader *r)
{
    int e = 0;
    while (e == 0 && r->raw_len < 4 && !r->raw_end)
        e = fill_raw(r);
    if (e < 0)
        return e;
    r->begun = true;
    struct span start = span_of(r->raw, r->raw_len);
    if (span_starts(start, SPAN("\x1f\x8b"))) {
        r->packing = GZIP;
        if (inflateInit2(&r->gzip, 15 + 16) != Z_OK)
            return -ENOMEM;
        r->gzip_open = true;
    } else if (span_starts(start, SPAN("\x28\xb5\x2f\xfd"))) {
        r->packing = ZSTD;
        r->zstd = ZSTD_createDStream();
        if (!r->zstd)
            return -ENOMEM;
        ZSTD_DCtx_setParameter(r->zstd, ZSTD_d_windowLogMax, LOG_ZSTD_WINDOW_LOG_MAX);
    }
    return 0;
}

MUST_USE static int unpack_gzip(struct line_reader *r)
{
    r->gzip.next_in = (Bytef *)r->raw + r->raw_at;
    r->gzip.avail_in = (uInt)(r->raw_len - r->raw_at);
    r->gzip.next_out = (Bytef *)r->text;
    r->gzip.avail_out = sizeof r->text;
    int z = inflate(&r->gzip, Z_NO_FLUSH);
    r->raw_at = r->raw_len - r->gzip.avail_in;
    r->len = sizeof r->text - r->gzip.avail_out;
    r->frame_open = z != Z_STREAM_END;
    if (z == Z_STREAM_END) /* rotated logs are often several files behind one another */
        z = inflateReset(&r->gzip);
    return z == Z_OK || z == Z_BUF_ERROR ? 0 : z == Z_MEM_ERROR ? -ENOMEM : -EBADMSG;
}

MUST_USE static int unpack_zstd(struct line_reader *r)
{
    ZSTD_inBuffer in = {r->raw, r->raw_len, r->raw_at};
    ZSTD_outBuffer out = {r->text, sizeof r->text, 0};
    size_t z = ZSTD_decompressStream(r->zstd, &out, &in);
    if (ZSTD_isError(z))
        return -EBADMSG;
    r->raw_at = in.pos;
    r->len = out.pos;
    r->frame_open = z != 0;
    return 0;
}

/* More text, or the end. */
MUST_USE static int fill(struct line_reader *r)
{
    int e = r->begun ? 0 : begin(r);
    r->at = r->len = 0;
    while (e == 0 && r->len == 0 && !r->end) {
        if (r->raw_at == r->raw_len) {
            r->raw_at = r->raw_len = 0;
            e = fill_raw(r);
        }
        if (e < 0)
            break;
        bool drained = r->raw_at == r->raw_len && r->raw_end;
        if (r->packing == PLAIN) {
            memcpy(r->text, r->raw, r->raw_len);
            r->len = r->raw_len;
            r->raw_at = r->raw_len;
        } else if (!drained || r->frame_open) {
            e = r->packing == GZIP ? unpack_gzip(r) : unpack_zstd(r);
        }
        if (e == 0 && drained && r->len == 0) {
            r->end = true;
            if (r->frame_open)
                e = -EBADMSG; /* cut off in the middle */
        }
    }
    return e;
}

int line_reader_next(struct line_reader *r, struct span *ret_line)
{
    buf_clear(&r->line);
    r->cut = false;
    for (;;) {
        if (r->at == r->len) {
            int e = fill(r);
            if (e < 0)
                return e;
            if (r->len == 0)
                break;
        }
        struct span rest = span_of(r->text + r->at, r->len - r->at);
        size_t n = span_find(rest, '\n'), room = LOG_LINE_BYTES_MAX - r->line.len;
        bool whole = n < rest.len;
        r->at += n + whole;
        if (whole && r->line.len == 0 && n <= LOG_LINE_BYTES_MAX) { /* the usual case: not copied */
            *ret_line = span_of(rest.ptr, n - (n && rest.ptr[n - 1] == '\r'));
            return 1;
        }
        r->cut = r->cut || n > room;
        buf_bytes(&r->line, rest.ptr, n < room ? n : room);
        if (whole)
            goto done;
    }
    if (r->line.len == 0)
        return 0;
done:
    if (buf_error(&r->line))
        return -ENOMEM;
    *ret_line = buf_view(&r->line);
    if (ret_line->len && ret_line->ptr[ret_line->len - 1] == '\r')
        ret_line->len--;
    return 1;
}

bool line_reader_cut(const struct line_reader *r)
{
    return r->cut;
}
