#include "lib/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "lib/base/span.h"

int file_read(const char *path, size_t max_bytes, char **ret_data, size_t *ret_len)
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (S_ISDIR(st.st_mode))
        return -EISDIR;
    if (S_ISREG(st.st_mode) && (uint64_t)st.st_size > max_bytes)
        return -EFBIG;
    /* /proc and pipes have no size: read until the end whatever stat says. */
    struct buf b;
    buf_init(&b, max_bytes < SIZE_MAX - 1 ? max_bytes + 1 : max_bytes); /* one more tells "too large" */
    int r = 0;
    for (;;) {
        size_t want = S_ISREG(st.st_mode) && (size_t)st.st_size > b.len ? (size_t)st.st_size - b.len + 1 : 4096;
        if (want > b.max - b.len)
            want = b.max - b.len;
        if (want == 0) {
            r = -EFBIG;
            break;
        }
        char *to = buf_reserve(&b, want);
        if (!to) {
            r = buf_error(&b);
            break;
        }
        ssize_t n = read(fd, to, want);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            r = -errno;
        if (n <= 0)
            break;
        buf_grew(&b, (size_t)n);
    }
    if (r == 0 && b.len > max_bytes)
        r = -EFBIG;
    size_t len;
    char *data = r == 0 ? buf_take(&b, &len) : NULL;
    if (!data) {
        buf_done(&b);
        return r ? r : -ENOMEM;
    }
    *ret_data = data;
    if (ret_len)
        *ret_len = len;
    return 0;
}

static int write_all(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t w = write(fd, p, n);
        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0)
            return -errno;
        p += w;
        n -= (size_t)w;
    }
    return 0;
}

static int sync_folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t n = slash == path ? 1 : slash ? (size_t)(slash - path) : 0;
    AUTO_FREE char *folder = span_dup(n ? span_of(path, n) : SPAN("."));
    if (!folder)
        return -ENOMEM;
    AUTO_CLOSE int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    return fsync(fd) < 0 ? -errno : 0;
}

static int write_and_sync(const char *path, const void *data, size_t n)
{
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (fd < 0)
        return -errno;
    int r = write_all(fd, data, n);
    if (r == 0 && fsync(fd) < 0)
        r = -errno;
    return r;
}

int file_write(const char *path, const void *data, size_t n)
{
    struct buf temp;
    buf_init(&temp, 8192);
    buf_printf(&temp, "%s.tmp", path);
    int r = buf_error(&temp);
    if (r == 0)
        r = write_and_sync(temp.data, data, n);
    if (r == 0 && rename(temp.data, path) < 0)
        r = -errno;
    if (r == 0)
        r = sync_folder_of(path);
    else if (temp.data && !buf_error(&temp))
        (void)unlink(temp.data);
    buf_done(&temp);
    return r;
}

int dir_make(const char *path)
{
    if (!*path)
        return -ENOENT;
    AUTO_FREE char *copy = span_dup(span_str(path));
    if (!copy)
        return -ENOMEM;
    for (char *p = copy + 1;; p++) {
        if (*p != '/' && *p != '\0')
            continue;
        char c = *p;
        *p = '\0';
        if (mkdir(copy, 0750) < 0) {
            struct stat st;
            int why = errno;
            if (stat(copy, &st) < 0)
                return -why;
            if (!S_ISDIR(st.st_mode))
                return -ENOTDIR;
        }
        *p = c;
        if (c == '\0')
            return 0;
    }
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path) < 0 && errno != ENOENT ? -errno : 0;
}

int dir_remove(const char *path)
{
    int r = nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
    return r == -1 ? -errno : r;
}

int dir_make_temp(const char *prefix, char **ret_path)
{
    const char *base = getenv("TMPDIR");
    struct buf b;
    buf_init(&b, 4096);
    buf_printf(&b, "%s/%s-XXXXXX", base && *base ? base : "/tmp", prefix);
    int r = buf_error(&b);
    if (r == 0 && !mkdtemp(b.data))
        r = -errno;
    if (r < 0) {
        buf_done(&b);
        return r;
    }
    *ret_path = buf_take(&b, NULL);
    return 0;
}

int file_glob(const char *pattern, struct file_list *ret)
{
    glob_t found;
    int r = glob(pattern, GLOB_ERR, NULL, &found);
    if (r == GLOB_NOMATCH) {
        *ret = (struct file_list){NULL, 0};
        return 0;
    }
    if (r != 0) {
        globfree(&found);
        return r == GLOB_NOSPACE ? -ENOMEM : -EACCES;
    }
    struct file_list l = {calloc(found.gl_pathc, sizeof *l.paths), 0};
    r = l.paths ? 0 : -ENOMEM;
    for (size_t i = 0; r == 0 && i < found.gl_pathc; i++) {
        l.paths[i] = span_dup(span_str(found.gl_pathv[i]));
        if (l.paths[i])
            l.n++;
        else
            r = -ENOMEM;
    }
    globfree(&found);
    if (r < 0)
        file_list_done(&l);
    else
        *ret = l;
    return r;
}

void file_list_done(struct file_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->paths[i]);
    free(l->paths);
    *l = (struct file_list){NULL, 0};
}

char *path_beside(const char *base_file, const char *path)
{
    const char *slash = strrchr(base_file, '/');
    if (path[0] == '/' || !slash)
        return span_dup(span_str(path));
    struct buf b;
    buf_init(&b, SIZE_MAX / 4);
    buf_bytes(&b, base_file, (size_t)(slash - base_file) + 1);
    buf_str(&b, path);
    if (buf_error(&b)) {
        buf_done(&b);
        return NULL;
    }
    return buf_take(&b, NULL);
}

int disk_free_bytes(const char *path, uint64_t *ret)
{
    struct statvfs s;
    if (statvfs(path, &s) < 0)
        return -errno;
    *ret = (uint64_t)s.f_bavail * s.f_frsize;
    return 0;
}
