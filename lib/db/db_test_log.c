/* Operations on files in order, and what a disk may hold when the power goes between two of them. */
#include "lib/db/db_test_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECTOR 512
#define NAMES_MAX 64 /* at one time */

struct op {
    enum db_test_kind kind;
    unsigned file; /* not its name: that may be another file's later */
    int64_t offset;
    uint8_t *bytes;
    size_t n;
};
/* A file that is or was. While images are made: what is safe of it, and from which operation on it is not. */
struct file {
    char *name;
    uint8_t *bytes;
    size_t n, cap;
    uint64_t synced; /* operations before are in bytes */
};
/* Who has which name: file numbers. */
struct names {
    unsigned files[NAMES_MAX];
    size_t n;
};
struct db_test_log {
    struct op *ops;
    size_t n, cap;
    struct file *files;
    size_t n_files;
    struct names now; /* while it is noted */
    bool failed;
    uint64_t at; /* images: the operations before are taken in */
    struct names volatile_names, safe_names;
    uint64_t names_synced;
};

struct db_test_log *db_test_log_new(void)
{
    return calloc(1, sizeof(struct db_test_log));
}

bool db_test_log_failed(const struct db_test_log *log)
{
    return log->failed;
}

void db_test_log_free(struct db_test_log *log)
{
    if (!log)
        return;
    for (size_t i = 0; i < log->n; i++)
        free(log->ops[i].bytes);
    for (size_t i = 0; i < log->n_files; i++) {
        free(log->files[i].name);
        free(log->files[i].bytes);
    }
    free(log->ops);
    free(log->files);
    free(log);
}

/* ---- noting ---- */
static size_t place_of(const struct db_test_log *log, const struct names *names, const char *name)
{
    size_t i = 0;
    while (i < names->n && strcmp(log->files[names->files[i]].name, name) != 0)
        i++;
    return i;
}

bool db_test_log_has(const struct db_test_log *log, const char *name)
{
    return place_of(log, &log->now, name) < log->now.n;
}

static bool names_add(struct names *names, unsigned file)
{
    if (names->n == NAMES_MAX)
        return false;
    names->files[names->n++] = file;
    return true;
}

static void names_remove(struct names *names, unsigned file)
{
    for (size_t i = 0; i < names->n; i++)
        if (names->files[i] == file) {
            names->files[i] = names->files[--names->n];
            return;
        }
}

static bool add_file(struct db_test_log *log, const char *name)
{
    struct file *files = realloc(log->files, (log->n_files + 1) * sizeof *files);
    if (!files)
        return false;
    log->files = files;
    files[log->n_files] = (struct file){.name = strdup(name)};
    return files[log->n_files].name && names_add(&log->now, (unsigned)log->n_files++);
}

static bool note(struct db_test_log *log, struct op op, const char *name, const void *bytes)
{
    if (log->n == log->cap) {
        size_t cap = log->cap ? log->cap * 2 : 4096;
        struct op *ops = realloc(log->ops, cap * sizeof *ops);
        if (!ops)
            return false;
        log->ops = ops;
        log->cap = cap;
    }
    if (op.kind == DB_TEST_MAKE && !add_file(log, name))
        return false;
    if (op.kind != DB_TEST_SYNC_FOLDER) {
        size_t at = place_of(log, &log->now, name);
        if (at == log->now.n)
            return true; /* a file that has lost its name: nobody will see it again */
        op.file = log->now.files[at];
    }
    if (op.kind == DB_TEST_REMOVE)
        names_remove(&log->now, op.file);
    if (bytes) {
        op.bytes = malloc(op.n ? op.n : 1);
        if (!op.bytes)
            return false;
        memcpy(op.bytes, bytes, op.n);
    }
    log->ops[log->n++] = op;
    return true;
}

void db_test_log_note(struct db_test_log *log, enum db_test_kind kind, const char *name, int64_t offset,
                      const void *bytes, size_t n)
{
    if (!note(log, (struct op){.kind = kind, .offset = offset, .n = n}, name, bytes))
        log->failed = true;
}

/* ---- asking ---- */
uint64_t db_test_log_count(const struct db_test_log *log)
{
    return log->n;
}

bool db_test_log_settles(const struct db_test_log *log, uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i < to && i < log->n; i++)
        if (log->ops[i].kind != DB_TEST_WRITE && log->ops[i].kind != DB_TEST_LENGTH)
            return true;
    return false;
}

uint64_t db_test_log_synced(const struct db_test_log *log, const char *name_end, uint64_t n)
{
    size_t n_end = strlen(name_end);
    for (uint64_t i = n < log->n ? n : log->n; i-- > 0;) {
        if (log->ops[i].kind != DB_TEST_SYNC)
            continue;
        const char *name = log->files[log->ops[i].file].name;
        size_t n_name = strlen(name);
        if (n_name >= n_end && strcmp(name + n_name - n_end, name_end) == 0)
            return i;
    }
    return UINT64_MAX;
}

/* ---- images ---- */
static int set_length(struct file *f, size_t n)
{
    if (n > f->cap) {
        size_t cap = n > f->cap * 2 ? n : f->cap * 2;
        uint8_t *bytes = realloc(f->bytes, cap);
        if (!bytes)
            return -ENOMEM;
        f->bytes = bytes;
        f->cap = cap;
    }
    if (n > f->n)
        memset(f->bytes + f->n, 0, n - f->n);
    f->n = n;
    return 0;
}

static int put_bytes(struct file *f, const struct op *op, size_t from, size_t to)
{
    size_t end = (size_t)op->offset + to;
    int r = end > f->n ? set_length(f, end) : 0;
    if (r == 0)
        memcpy(f->bytes + op->offset + from, op->bytes + from, to - from);
    return r;
}

/* xorshift64*: its own, so that a seed tells the image whatever else draws numbers. */
static bool by_chance(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return (*state * UINT64_C(2685821657736338717)) >> 63;
}

/* The file's own operations in [from, to): all of them, or some with `chance`. */
static int apply(const struct db_test_log *log, struct file *f, uint64_t from, uint64_t to, uint64_t *chance)
{
    unsigned file = (unsigned)(f - log->files);
    int r = 0;
    for (uint64_t i = from; r == 0 && i < to; i++) {
        const struct op *op = &log->ops[i];
        if (op->kind == DB_TEST_SYNC_FOLDER || op->file != file)
            continue;
        if (op->kind == DB_TEST_LENGTH && (!chance || by_chance(chance)))
            r = set_length(f, (size_t)op->offset);
        if (op->kind != DB_TEST_WRITE)
            continue;
        if (!chance)
            r = put_bytes(f, op, 0, op->n);
        for (size_t at = 0; chance && r == 0 && at < op->n;) {
            size_t end = at + SECTOR - ((size_t)op->offset + at) % SECTOR;
            end = end < op->n ? end : op->n;
            if (by_chance(chance))
                r = put_bytes(f, op, at, end);
            at = end;
        }
    }
    return r;
}

static void apply_names(const struct db_test_log *log, struct names *names, uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i < to; i++) {
        if (log->ops[i].kind == DB_TEST_MAKE)
            (void)names_add(names, log->ops[i].file); /* there was room when it was noted */
        if (log->ops[i].kind == DB_TEST_REMOVE)
            names_remove(names, log->ops[i].file);
    }
}

static void start_again(struct db_test_log *log)
{
    for (size_t i = 0; i < log->n_files; i++) {
        log->files[i].n = 0;
        log->files[i].synced = 0;
    }
    log->at = log->names_synced = 0;
    log->safe_names.n = 0;
}

/* What is safe before operation n. */
static int settle(struct db_test_log *log, uint64_t n)
{
    int r = 0;
    if (n < log->at)
        start_again(log);
    for (; r == 0 && log->at < n; log->at++) {
        const struct op *op = &log->ops[log->at];
        if (op->kind == DB_TEST_SYNC) {
            struct file *f = &log->files[op->file];
            r = apply(log, f, f->synced, log->at, NULL);
            f->synced = log->at;
        } else if (op->kind == DB_TEST_SYNC_FOLDER) {
            apply_names(log, &log->safe_names, log->names_synced, log->at);
            log->names_synced = log->at;
        }
    }
    return r;
}

static int write_out(const char *folder, const char *name, const void *bytes, size_t n)
{
    char path[4096];
    if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, name) >= sizeof path)
        return -ENAMETOOLONG;
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (fd < 0)
        return -errno;
    for (size_t at = 0; at < n;) {
        ssize_t k = write(fd, (const uint8_t *)bytes + at, n - at);
        if (k < 0)
            return -errno;
        at += (size_t)k;
    }
    return 0;
}

/* Some of the file's unsynced operations on a copy. */
static int write_mixed(const struct db_test_log *log, unsigned number, uint64_t n, uint64_t *chance, const char *folder)
{
    struct file *f = &log->files[number], safe = *f;
    int r = 0;
    f->bytes = malloc(safe.n + 1);
    if (f->bytes) {
        if (safe.n)
            memcpy(f->bytes, safe.bytes, safe.n);
        f->cap = safe.n + 1;
        r = apply(log, f, f->synced, n, chance);
        if (r == 0)
            r = write_out(folder, f->name, f->bytes, f->n);
    } else {
        r = -ENOMEM;
    }
    free(f->bytes);
    *f = safe;
    return r;
}

static int write_shared_memory(const struct db_test_log *log, unsigned number, const char *folder)
{
    char name[512], garbage[32768];
    const char *of = log->files[number].name;
    size_t n = strlen(of);
    if (n < 4 || strcmp(of + n - 4, "-wal") != 0)
        return 0;
    (void)snprintf(name, sizeof name, "%.*s-shm", (int)(n - 4), of);
    memset(garbage, 0xa5, sizeof garbage);
    return write_out(folder, name, garbage, sizeof garbage);
}

int db_test_log_image(struct db_test_log *log, uint64_t n, enum db_test_image kind, uint64_t seed, const char *folder)
{
    n = n < log->n ? n : log->n;
    int r = settle(log, n);
    uint64_t chance = (seed ^ n) * UINT64_C(0x9e3779b97f4a7c15) | 1;
    for (int i = 0; i < 8; i++)
        (void)by_chance(&chance); /* neighbouring seeds part */
    struct names names = log->safe_names;
    if (kind == DB_TEST_NAMES || (kind == DB_TEST_MIXED && by_chance(&chance)))
        apply_names(log, &names, log->names_synced, n);
    for (size_t i = 0; r == 0 && i < names.n; i++) {
        const struct file *f = &log->files[names.files[i]];
        r = kind == DB_TEST_MIXED ? write_mixed(log, names.files[i], n, &chance, folder)
                                  : write_out(folder, f->name, f->bytes, f->n);
        if (r == 0)
            r = write_shared_memory(log, names.files[i], folder);
    }
    return r;
}
