#include "collector/store/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/store/store_sql.h"
#include "lib/base/file.h"
#include "lib/base/span.h"
#include "lib/db/db.h"

#define TRIES 10
#define PATH_BYTES 4096
#define UNFINISHED STORE_FILE ".unfinished"
#define PIECE_BYTES (1u << 20)

enum { BACKUP_PARTS, BACKUP_STATEMENTS };
static const char *const BACKUP_SQL[BACKUP_STATEMENTS] = {[BACKUP_PARTS] = "SELECT file FROM part ORDER BY file"};

struct backup {
    const char *dir, *to;
    struct store_backup n;
    char *why;
    size_t why_bytes;
};

static int path_of(const char *dir, const char *name, char path[PATH_BYTES])
{
    return snprintf(path, PATH_BYTES, "%s/%s", dir, name) < PATH_BYTES ? 0 : -ENAMETOOLONG;
}

static int failed(struct backup *b, int r, const char *path)
{
    (void)snprintf(b->why, b->why_bytes, "%s: %s", path, strerror(-r));
    return r;
}

static int open_head(struct backup *b, const char *path, struct db **ret)
{
    const struct db_options options = {.read_only = true,
                                       .sql = BACKUP_SQL,
                                       .sql_count = BACKUP_STATEMENTS,
                                       .migrations = STORE_MIGRATIONS,
                                       .application_id = STORE_APPLICATION_ID};
    return db_open(path, &options, ret, b->why, b->why_bytes);
}

static int copy_bytes(int from, int to, uint64_t *bytes)
{
    char *piece = malloc(PIECE_BYTES);
    if (!piece)
        return -ENOMEM;
    int r = 0;
    ssize_t got;
    while (r == 0 && (got = read(from, piece, PIECE_BYTES)) != 0) {
        r = got < 0 && errno != EINTR ? -errno : 0;
        for (ssize_t at = 0, n; r == 0 && at < got; at += n)
            if ((n = write(to, piece + at, (size_t)(got - at))) < 0)
                r = -errno;
        if (r == 0 && got > 0)
            *bytes += (uint64_t)got;
    }
    free(piece);
    return r;
}

/* 1: it is not in the folder (any more). */
static int copy_part(struct backup *b, const char *name)
{
    char from[PATH_BYTES], to[PATH_BYTES];
    uint64_t bytes = 0;
    if (strchr(name, '/') || path_of(b->dir, name, from) < 0 || path_of(b->to, name, to) < 0)
        return failed(b, -EUCLEAN, name);
    if (access(to, F_OK) == 0)
        return 0;
    int in = open(from, O_RDONLY | O_CLOEXEC);
    if (in < 0)
        return errno == ENOENT ? 1 : failed(b, -errno, from);
    int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    int r = out < 0 ? -errno : copy_bytes(in, out, &bytes);
    if (r == 0 && fsync(out) < 0)
        r = -errno;
    close(in);
    if (out >= 0)
        close(out);
    if (r < 0)
        (void)unlink(to);
    b->n.files += r == 0;
    b->n.bytes += bytes;
    return r < 0 ? failed(b, r, to) : 0;
}

/* All that this head.db names. *ret_missing: how many are not there. */
static int copy_parts(struct backup *b, struct db *head, uint64_t *ret_missing)
{
    int r;
    *ret_missing = 0;
    while ((r = db_step(head, BACKUP_PARTS)) > 0) {
        char *name = span_dup(db_text(head, BACKUP_PARTS, 0));
        r = name ? copy_part(b, name) : -ENOMEM;
        free(name);
        *ret_missing += r > 0;
        if (r < 0) {
            db_reset(head, BACKUP_PARTS);
            return r;
        }
    }
    return r < 0 ? failed(b, r, db_why(head)) : 0;
}

/* Files copied for an earlier try that this head.db does not name. */
static int drop_others(struct backup *b, struct db *head, const char *names)
{
    char pattern[PATH_BYTES];
    struct file_list files;
    int r = path_of(b->to, names, pattern);
    if (r == 0)
        r = file_glob(pattern, &files);
    if (r < 0)
        return failed(b, r, b->to);
    for (size_t i = 0; i < files.n; i++) {
        bool named = false;
        struct stat st;
        while (db_step(head, BACKUP_PARTS) > 0)
            named = named || span_equal(db_text(head, BACKUP_PARTS, 0), span_str(strrchr(files.paths[i], '/') + 1));
        if (named)
            continue;
        if (stat(files.paths[i], &st) == 0)
            b->n.bytes -= (uint64_t)st.st_size;
        b->n.files--;
        (void)unlink(files.paths[i]);
    }
    file_list_done(&files);
    return 0;
}

/* 1: a file that the copy names was gone. */
static int try_backup(struct backup *b, bool last)
{
    char from[PATH_BYTES], to[PATH_BYTES];
    struct db *head = NULL;
    uint64_t missing = 0;
    int r = path_of(b->dir, STORE_FILE, from);
    if (r == 0)
        r = path_of(b->to, UNFINISHED, to);
    if (r < 0)
        return failed(b, r, b->to);
    r = open_head(b, from, &head);
    if (r == 0)
        r = copy_parts(b, head, &missing); /* the bulk, so that little is left to go away once head.db is copied */
    if (r == 0 && (r = db_backup(head, to)) < 0)
        (void)snprintf(b->why, b->why_bytes, "%s: %s", to, db_why(head));
    db_close(head);
    head = NULL;
    if (r == 0)
        r = open_head(b, to, &head);
    if (r == 0)
        r = copy_parts(b, head, &missing);
    if (r == 0 && (missing == 0 || last))
        r = drop_others(b, head, "day-*");
    if (r == 0)
        r = drop_others(b, head, "week-*");
    db_close(head);
    if (r == 0 && missing && !last) {
        (void)unlink(to);
        return 1;
    }
    b->n.missing = missing;
    return r;
}

static int finish(struct backup *b)
{
    char from[PATH_BYTES], to[PATH_BYTES];
    struct stat st;
    int r = path_of(b->to, UNFINISHED, from);
    if (r == 0)
        r = path_of(b->to, STORE_FILE, to);
    if (r == 0 && (stat(from, &st) < 0 || rename(from, to) < 0))
        r = -errno;
    if (r == 0)
        r = db_sync_file(to); /* and with its name the others' */
    if (r < 0)
        return failed(b, r, b->to);
    b->n.files++;
    b->n.bytes += (uint64_t)st.st_size;
    return 0;
}

static void remove_all(const struct backup *b)
{
    static const char *const PATTERNS[] = {"day-*", "week-*", STORE_FILE "*"};
    for (size_t i = 0; i < ARRAY_LEN(PATTERNS); i++) {
        char pattern[PATH_BYTES];
        struct file_list files;
        if (path_of(b->to, PATTERNS[i], pattern) < 0 || file_glob(pattern, &files) < 0)
            continue;
        for (size_t k = 0; k < files.n; k++)
            (void)unlink(files.paths[k]);
        file_list_done(&files);
    }
}

static int make_folder(struct backup *b)
{
    char pattern[PATH_BYTES], head[PATH_BYTES];
    struct file_list files = {0};
    int r = path_of(b->dir, STORE_FILE, head);
    if (r == 0 && access(head, R_OK) < 0)
        return failed(b, -errno, head);
    if (r == 0)
        r = dir_make(b->to);
    if (r == 0)
        r = path_of(b->to, "*", pattern);
    if (r == 0)
        r = file_glob(pattern, &files);
    if (r == 0 && files.n)
        r = -EEXIST;
    file_list_done(&files);
    if (r == -EEXIST)
        (void)snprintf(b->why, b->why_bytes, "%s is not empty", b->to);
    else if (r < 0)
        (void)failed(b, r, b->to);
    return r;
}

int store_backup(const char *dir, const char *to, struct store_backup *ret, char *why, size_t why_bytes)
{
    struct backup b = {.dir = dir, .to = to, .why = why, .why_bytes = why_bytes};
    int r = make_folder(&b);
    if (r < 0)
        return r;
    r = 1;
    for (int i = 1; r > 0 && i <= TRIES; i++)
        r = try_backup(&b, i == TRIES);
    if (r == 0)
        r = finish(&b);
    if (r < 0) {
        remove_all(&b);
        return r;
    }
    *ret = b.n;
    return 0;
}
