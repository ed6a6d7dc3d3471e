#include "agent/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <zlib.h>

#include "lib/base/file.h"
#include "lib/base/limits.h"
#include "lib/base/number.h"

#define SEGMENTS_MIN 8u /* of a full spool: so much is dropped at once at most */
#define HEADER_BYTES 12u

struct segment {
    uint64_t number, bytes, records;
};
struct spool {
    char *dir;
    struct segment *list; /* oldest first; the last one is written to */
    size_t n, cap;
    int lock_fd, write_fd, read_fd; /* read_fd: the first segment; -1 when closed */
    uint64_t read_at;               /* in the first segment */
    size_t peeked_bytes;            /* of the record that spool_pop drops; 0: none */
    uint64_t max_bytes, segment_bytes;
    struct spool_counts counts;
};

static void path_of(const struct spool *sp, uint64_t number, char *path, size_t bytes)
{
    snprintf(path, bytes, "%s/%012llu.seg", sp->dir, (unsigned long long)number);
}

MUST_USE static int read_header(int fd, uint64_t at, uint32_t header[3])
{
    ssize_t n = pread(fd, header, HEADER_BYTES, (off_t)at);
    return n < 0 ? -errno : n == (ssize_t)HEADER_BYTES ? 1 : 0;
}

MUST_USE static int add_segment(struct spool *sp, uint64_t number)
{
    if (sp->n == sp->cap) {
        size_t cap = sp->cap ? sp->cap * 2 : 16;
        struct segment *list = realloc(sp->list, cap * sizeof *list);
        if (!list)
            return -ENOMEM;
        sp->list = list;
        sp->cap = cap;
    }
    sp->list[sp->n++] = (struct segment){.number = number};
    return 0;
}

/* Count the whole records of a segment; what follows them is a torn write and is cut off. */
MUST_USE static int scan_segment(struct spool *sp, struct segment *s)
{
    char path[4096];
    uint32_t header[3];
    struct stat st;
    path_of(sp, s->number, path, sizeof path);
    AUTO_CLOSE int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    while (read_header(fd, s->bytes, header) > 0 && s->bytes + HEADER_BYTES + header[0] <= (uint64_t)st.st_size) {
        s->bytes += HEADER_BYTES + header[0];
        s->records++;
    }
    if (s->bytes < (uint64_t)st.st_size && ftruncate(fd, (off_t)s->bytes) < 0)
        return -errno;
    sp->counts.bytes += s->bytes;
    sp->counts.records += s->records;
    return 0;
}

static void save_position(struct spool *sp)
{
    char path[4096], text[64];
    snprintf(path, sizeof path, "%s/position", sp->dir);
    int n = snprintf(text, sizeof text, "%llu %llu\n", (unsigned long long)(sp->n ? sp->list[0].number : 0),
                     (unsigned long long)sp->read_at);
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0 || pwrite(fd, text, (size_t)n, 0) != n || ftruncate(fd, n) < 0)
        return; /* records are read again after a restart: harmless */
}

static void load_position(struct spool *sp)
{
    char path[4096];
    AUTO_FREE char *text = NULL;
    size_t len;
    uint64_t number, at;
    struct span rest, piece;
    uint32_t header[3];
    snprintf(path, sizeof path, "%s/position", sp->dir);
    if (file_read(path, 64, &text, &len) < 0)
        return;
    rest = span_trim(span_of(text, len));
    if (!span_cut(&rest, ' ', &piece) || parse_u64_span(piece, UINT64_MAX, &number) < 0 ||
        parse_u64_span(rest, UINT64_MAX, &at) < 0)
        return;
    if (sp->n == 0 || sp->list[0].number != number || at > sp->list[0].bytes)
        return;
    path_of(sp, number, path, sizeof path);
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && sp->read_at < at && read_header(fd, sp->read_at, header) > 0) {
        sp->read_at += HEADER_BYTES + header[0];
        sp->counts.records--;
        sp->counts.bytes -= HEADER_BYTES + header[0];
    }
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = ((const struct segment *)a)->number, y = ((const struct segment *)b)->number;
    return (x > y) - (x < y);
}

MUST_USE static int find_segments(struct spool *sp)
{
    int r = 0;
    DIR *d = opendir(sp->dir);
    if (!d)
        return -errno;
    for (struct dirent *e; r == 0 && (e = readdir(d));) {
        struct span name = span_str(e->d_name);
        uint64_t number;
        if (name.len == 16 && span_equal(span_from(name, 12), SPAN(".seg")) &&
            parse_u64_span(span_of(name.ptr, 12), UINT64_MAX, &number) == 0)
            r = add_segment(sp, number);
    }
    closedir(d);
    if (sp->n)
        qsort(sp->list, sp->n, sizeof *sp->list, by_number);
    for (size_t i = 0; r == 0 && i < sp->n; i++)
        r = scan_segment(sp, &sp->list[i]);
    return r;
}

/* Two agents with one folder would write into each other's segments. */
MUST_USE static int take_lock(struct spool *sp)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/lock", sp->dir);
    sp->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (sp->lock_fd < 0)
        return -errno;
    return flock(sp->lock_fd, LOCK_EX | LOCK_NB) < 0 ? errno == EWOULDBLOCK ? -EBUSY : -errno : 0;
}

int spool_open(const char *dir, uint64_t max_bytes, struct spool **ret)
{
    int r = dir_make(dir);
    if (r < 0)
        return r;
    struct spool *sp = calloc(1, sizeof *sp);
    if (!sp)
        return -ENOMEM;
    sp->lock_fd = sp->write_fd = sp->read_fd = -1;
    sp->max_bytes = max_bytes;
    sp->segment_bytes =
        max_bytes / SEGMENTS_MIN < SPOOL_SEGMENT_BYTES_MAX ? max_bytes / SEGMENTS_MIN : SPOOL_SEGMENT_BYTES_MAX;
    sp->dir = strdup(dir);
    r = sp->dir ? take_lock(sp) : -ENOMEM;
    if (r == 0)
        r = find_segments(sp);
    if (r < 0) {
        spool_close(sp);
        return r;
    }
    load_position(sp);
    save_position(sp); /* one that belongs to a segment long gone must not meet a new one of its number */
    *ret = sp;
    return 0;
}

void spool_close(struct spool *sp)
{
    if (!sp)
        return;
    if (sp->write_fd >= 0)
        close(sp->write_fd);
    if (sp->read_fd >= 0)
        close(sp->read_fd);
    if (sp->lock_fd >= 0)
        close(sp->lock_fd);
    free(sp->list);
    free(sp->dir);
    free(sp);
}

static void remove_first(struct spool *sp)
{
    char path[4096];
    path_of(sp, sp->list[0].number, path, sizeof path);
    unlink(path);
    if (sp->read_fd >= 0)
        close(sp->read_fd);
    sp->read_fd = -1;
    sp->read_at = 0;
    sp->peeked_bytes = 0;
    if (sp->n == 1 && sp->write_fd >= 0) {
        close(sp->write_fd);
        sp->write_fd = -1;
    }
    memmove(sp->list, sp->list + 1, --sp->n * sizeof *sp->list);
}

MUST_USE static int open_first(struct spool *sp)
{
    char path[4096];
    if (sp->read_fd >= 0)
        return 0;
    path_of(sp, sp->list[0].number, path, sizeof path);
    sp->read_fd = open(path, O_RDONLY | O_CLOEXEC);
    return sp->read_fd < 0 ? -errno : 0;
}

/* Over the bound: the oldest segment goes, and its unread samples are counted. */
static void drop_oldest(struct spool *sp)
{
    uint32_t header[3];
    if (open_first(sp) == 0)
        while (sp->read_at < sp->list[0].bytes && read_header(sp->read_fd, sp->read_at, header) > 0) {
            sp->counts.dropped_samples += header[1];
            sp->counts.records--;
            sp->counts.bytes -= HEADER_BYTES + header[0];
            sp->read_at += HEADER_BYTES + header[0];
        }
    remove_first(sp);
    save_position(sp);
}

MUST_USE static int open_write(struct spool *sp, size_t more_bytes)
{
    char path[4096];
    bool fresh = sp->n == 0 || sp->list[sp->n - 1].bytes + more_bytes > sp->segment_bytes;
    if (!fresh && sp->write_fd >= 0)
        return 0;
    if (fresh) {
        int r = add_segment(sp, sp->n ? sp->list[sp->n - 1].number + 1 : 1);
        if (r < 0)
            return r;
    }
    if (sp->write_fd >= 0)
        close(sp->write_fd);
    path_of(sp, sp->list[sp->n - 1].number, path, sizeof path);
    sp->write_fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
    if (sp->write_fd >= 0)
        return 0;
    int r = -errno;
    if (fresh)
        sp->n--;
    return r;
}

MUST_USE static int write_at(int fd, const void *bytes, size_t n, uint64_t at)
{
    ssize_t written = pwrite(fd, bytes, n, (off_t)at);
    return written < 0 ? -errno : written == (ssize_t)n ? 0 : -ENOSPC;
}

int spool_append(struct spool *sp, struct span body, uint32_t samples)
{
    size_t size = HEADER_BYTES + body.len;
    if (size > sp->max_bytes || body.len > BODY_BYTES_MAX)
        return -EFBIG;
    uint32_t header[3] = {(uint32_t)body.len, samples, (uint32_t)crc32(0, (const Bytef *)body.ptr, (uInt)body.len)};
    while (sp->n > 0 && sp->counts.bytes + size > sp->max_bytes)
        drop_oldest(sp);
    int r = open_write(sp, size);
    if (r < 0)
        return r;
    struct segment *s = &sp->list[sp->n - 1];
    r = write_at(sp->write_fd, header, HEADER_BYTES, s->bytes);
    if (r == 0)
        r = write_at(sp->write_fd, body.ptr, body.len, s->bytes + HEADER_BYTES);
    if (r < 0)
        return ftruncate(sp->write_fd, (off_t)s->bytes) < 0 ? -EIO : r;
    s->bytes += size;
    s->records++;
    sp->counts.bytes += size;
    sp->counts.records++;
    return 0;
}

int spool_peek(struct spool *sp, struct buf *body, uint32_t *ret_samples)
{
    uint32_t header[3];
    while (sp->n > 0) {
        if (sp->read_at >= sp->list[0].bytes) {
            remove_first(sp);
            save_position(sp);
            continue;
        }
        int r = open_first(sp);
        if (r < 0)
            return r;
        r = read_header(sp->read_fd, sp->read_at, header);
        if (r < 0)
            return r;
        buf_clear(body);
        char *at = r > 0 ? buf_reserve(body, header[0]) : NULL;
        if (r > 0 && !at)
            return -ENOMEM;
        sp->peeked_bytes = HEADER_BYTES + (r > 0 ? header[0] : 0);
        if (r > 0 && pread(sp->read_fd, at, header[0], (off_t)(sp->read_at + HEADER_BYTES)) == (ssize_t)header[0] &&
            (uint32_t)crc32(0, (const Bytef *)at, header[0]) == header[2]) {
            buf_grew(body, header[0]);
            *ret_samples = header[1];
            return 1;
        }
        sp->counts.damaged_records++;
        spool_pop(sp);
    }
    return 0;
}

void spool_pop(struct spool *sp)
{
    if (sp->peeked_bytes == 0)
        return;
    sp->read_at += sp->peeked_bytes;
    sp->counts.bytes -= sp->peeked_bytes < sp->counts.bytes ? sp->peeked_bytes : sp->counts.bytes;
    if (sp->counts.records)
        sp->counts.records--;
    sp->peeked_bytes = 0;
    if (sp->read_at >= sp->list[0].bytes)
        remove_first(sp);
    save_position(sp);
}

void spool_count(const struct spool *sp, struct spool_counts *ret)
{
    *ret = sp->counts;
}
