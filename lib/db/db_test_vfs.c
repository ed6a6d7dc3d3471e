/* SQLite's own VFS with notes taken and faults put in; nothing is synced for real. */
#include "lib/db/db_test_vfs.h"

#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/file.h"
#include "lib/db/db_test_log.h"

#define FILE_BYTES_MAX (256u << 20)

struct watched_file {
    sqlite3_file base;
    const char *path;  /* SQLite's, until it is closed; NULL: a temporary file */
    bool syncs_folder; /* with its first sync */
    int shm_regions;
    sqlite3_file real; /* as long as the real VFS wants it; must be last */
};

static struct {
    pthread_mutex_t lock; /* an operation and its note are one */
    sqlite3_vfs vfs, *real;
    struct db_test_log *log; /* NULL: not recording */
    char folder[4096];
    uint64_t attempts, fail_from, fail_to, failed;
    int fail_errno, last_errno;
} disk = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct watched_file *watched(sqlite3_file *f)
{
    return (struct watched_file *)f;
}

static sqlite3_file *real_of(sqlite3_file *f)
{
    return &watched(f)->real;
}

/* The name within the folder that is recorded, NULL: outside. */
static const char *name_of(const char *path)
{
    size_t n = strlen(disk.folder);
    return disk.log && path && strncmp(path, disk.folder, n) == 0 && path[n] == '/' ? path + n + 1 : NULL;
}

static _Thread_local bool is_noting;

bool db_test_vfs_is_noting(void)
{
    return is_noting;
}

static void note(enum db_test_kind kind, const char *path, int64_t offset, const void *bytes, size_t n)
{
    const char *name = name_of(path);
    is_noting = true;
    if (name)
        db_test_log_note(disk.log, kind, name, offset, bytes, n);
    is_noting = false;
}

static void note_folder_sync(void)
{
    is_noting = true;
    if (disk.log)
        db_test_log_note(disk.log, DB_TEST_SYNC_FOLDER, "", 0, NULL, 0);
    is_noting = false;
}

/* Is it this one's turn to fail? */
static bool fails(void)
{
    uint64_t at = disk.attempts++;
    if (at < disk.fail_from || at >= disk.fail_to)
        return false;
    disk.failed++;
    disk.last_errno = disk.fail_errno;
    return true;
}

/* ---- files ---- */
static int close_file(sqlite3_file *f)
{
    return real_of(f)->pMethods->xClose(real_of(f));
}

static int read_file(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
    return real_of(f)->pMethods->xRead(real_of(f), p, n, at);
}

static int write_file(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
    pthread_mutex_lock(&disk.lock);
    bool failing = fails();
    int done = failing ? n / 2 : n, rc = SQLITE_OK;
    if (done > 0)
        rc = real_of(f)->pMethods->xWrite(real_of(f), p, done, at);
    if (rc == SQLITE_OK && done > 0)
        note(DB_TEST_WRITE, watched(f)->path, at, p, (size_t)done);
    if (failing)
        rc = disk.fail_errno == ENOSPC ? SQLITE_FULL : SQLITE_IOERR_WRITE;
    pthread_mutex_unlock(&disk.lock);
    return rc;
}

static int truncate_file(sqlite3_file *f, sqlite3_int64 n)
{
    pthread_mutex_lock(&disk.lock);
    int rc = fails() ? SQLITE_IOERR_TRUNCATE : real_of(f)->pMethods->xTruncate(real_of(f), n);
    if (rc == SQLITE_OK)
        note(DB_TEST_LENGTH, watched(f)->path, n, NULL, 0);
    pthread_mutex_unlock(&disk.lock);
    return rc;
}

static int sync_file(sqlite3_file *f, UNUSED int flags)
{
    pthread_mutex_lock(&disk.lock);
    int rc = fails() ? SQLITE_IOERR_FSYNC : SQLITE_OK;
    if (rc == SQLITE_OK) {
        note(DB_TEST_SYNC, watched(f)->path, 0, NULL, 0);
        if (watched(f)->syncs_folder && name_of(watched(f)->path))
            note_folder_sync();
        watched(f)->syncs_folder = false;
    }
    pthread_mutex_unlock(&disk.lock);
    return rc;
}

static int file_size(sqlite3_file *f, sqlite3_int64 *ret)
{
    return real_of(f)->pMethods->xFileSize(real_of(f), ret);
}
static int lock_file(sqlite3_file *f, int level)
{
    return real_of(f)->pMethods->xLock(real_of(f), level);
}
static int unlock_file(sqlite3_file *f, int level)
{
    return real_of(f)->pMethods->xUnlock(real_of(f), level);
}
static int check_reserved(sqlite3_file *f, int *ret)
{
    return real_of(f)->pMethods->xCheckReservedLock(real_of(f), ret);
}
static int control(sqlite3_file *f, int op, void *arg)
{
    return real_of(f)->pMethods->xFileControl(real_of(f), op, arg);
}
static int sector_size(sqlite3_file *f)
{
    return real_of(f)->pMethods->xSectorSize(real_of(f));
}
static int characteristics(sqlite3_file *f)
{
    return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f));
}

/* A region more makes the file longer, and a full disk says no. */
static int shm_map(sqlite3_file *f, int region, int n, int extend, void volatile **ret)
{
    pthread_mutex_lock(&disk.lock);
    bool failing = extend && region >= watched(f)->shm_regions && fails();
    if (!failing && extend && region >= watched(f)->shm_regions)
        watched(f)->shm_regions = region + 1;
    pthread_mutex_unlock(&disk.lock);
    if (failing)
        return SQLITE_IOERR_SHMSIZE;
    return real_of(f)->pMethods->xShmMap(real_of(f), region, n, extend, ret);
}
static int shm_lock(sqlite3_file *f, int at, int n, int flags)
{
    return real_of(f)->pMethods->xShmLock(real_of(f), at, n, flags);
}
static void shm_barrier(sqlite3_file *f)
{
    real_of(f)->pMethods->xShmBarrier(real_of(f));
}
static int shm_unmap(sqlite3_file *f, int remove_it)
{
    return real_of(f)->pMethods->xShmUnmap(real_of(f), remove_it);
}

/* Version 2: without mapped files, whose writes nobody sees. */
static const sqlite3_io_methods METHODS = {
    .iVersion = 2,
    .xClose = close_file,
    .xRead = read_file,
    .xWrite = write_file,
    .xTruncate = truncate_file,
    .xSync = sync_file,
    .xFileSize = file_size,
    .xLock = lock_file,
    .xUnlock = unlock_file,
    .xCheckReservedLock = check_reserved,
    .xFileControl = control,
    .xSectorSize = sector_size,
    .xDeviceCharacteristics = characteristics,
    .xShmMap = shm_map,
    .xShmLock = shm_lock,
    .xShmBarrier = shm_barrier,
    .xShmUnmap = shm_unmap,
};

/* ---- the VFS ---- */
static int open_file(UNUSED sqlite3_vfs *vfs, const char *path, sqlite3_file *f, int flags, int *ret_flags)
{
    struct watched_file *w = watched(f);
    struct stat st;
    w->base.pMethods = NULL;
    w->path = path;
    w->shm_regions = 0;
    w->syncs_folder = (flags & SQLITE_OPEN_CREATE) && (flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL));
    pthread_mutex_lock(&disk.lock);
    bool makes = (flags & SQLITE_OPEN_CREATE) && path && stat(path, &st) < 0;
    int rc = makes && fails() ? SQLITE_CANTOPEN : disk.real->xOpen(disk.real, path, &w->real, flags, ret_flags);
    if (rc == SQLITE_OK) {
        w->base.pMethods = &METHODS;
        const char *name = name_of(path);
        if (name && !db_test_log_has(disk.log, name))
            note(DB_TEST_MAKE, path, 0, NULL, 0);
    }
    pthread_mutex_unlock(&disk.lock);
    return rc;
}

static int delete_file(UNUSED sqlite3_vfs *vfs, const char *path, int sync_folder)
{
    pthread_mutex_lock(&disk.lock);
    int rc = disk.real->xDelete(disk.real, path, 0);
    if (rc == SQLITE_OK) {
        note(DB_TEST_REMOVE, path, 0, NULL, 0);
        if (sync_folder && name_of(path))
            note_folder_sync();
    }
    pthread_mutex_unlock(&disk.lock);
    return rc;
}

static int access_file(UNUSED sqlite3_vfs *vfs, const char *path, int flags, int *ret)
{
    return disk.real->xAccess(disk.real, path, flags, ret);
}
static int full_path(UNUSED sqlite3_vfs *vfs, const char *path, int n, char *ret)
{
    return disk.real->xFullPathname(disk.real, path, n, ret);
}
static int randomness(UNUSED sqlite3_vfs *vfs, int n, char *ret)
{
    return disk.real->xRandomness(disk.real, n, ret);
}
static int sleep_for(UNUSED sqlite3_vfs *vfs, int us)
{
    return disk.real->xSleep(disk.real, us);
}
static int current_time(UNUSED sqlite3_vfs *vfs, double *ret)
{
    return disk.real->xCurrentTime(disk.real, ret);
}
static int current_time_ms(UNUSED sqlite3_vfs *vfs, sqlite3_int64 *ret)
{
    return disk.real->xCurrentTimeInt64(disk.real, ret);
}
static int last_error(UNUSED sqlite3_vfs *vfs, int n, char *text)
{
    int mine = disk.last_errno;
    disk.last_errno = 0;
    return mine ? mine : disk.real->xGetLastError(disk.real, n, text);
}

int db_test_vfs_install(void)
{
    disk.real = sqlite3_vfs_find(NULL);
    if (!disk.real)
        return -EIO;
    disk.vfs = (sqlite3_vfs){
        .iVersion = 2,
        .szOsFile = (int)sizeof(struct watched_file) + disk.real->szOsFile,
        .mxPathname = disk.real->mxPathname,
        .zName = "crest-test",
        .xOpen = open_file,
        .xDelete = delete_file,
        .xAccess = access_file,
        .xFullPathname = full_path,
        .xRandomness = randomness,
        .xSleep = sleep_for,
        .xCurrentTime = current_time,
        .xCurrentTimeInt64 = current_time_ms,
        .xGetLastError = last_error,
    };
    return sqlite3_vfs_register(&disk.vfs, 1) == SQLITE_OK ? 0 : -ENOMEM;
}

/* ---- recording ---- */
static int note_existing(const char *path)
{
    struct stat st;
    size_t n_path = strlen(path), n;
    char *bytes;
    if (stat(path, &st) < 0 || !S_ISREG(st.st_mode) || (n_path > 4 && strcmp(path + n_path - 4, "-shm") == 0))
        return 0;
    int r = file_read(path, FILE_BYTES_MAX, &bytes, &n);
    if (r < 0)
        return r;
    note(DB_TEST_MAKE, path, 0, NULL, 0);
    note(DB_TEST_WRITE, path, 0, bytes, n);
    note(DB_TEST_SYNC, path, 0, NULL, 0);
    free(bytes);
    return 0;
}

int db_test_vfs_record(const char *folder)
{
    char pattern[4096];
    struct file_list files;
    if (disk.log)
        return -EBUSY;
    if ((size_t)snprintf(pattern, sizeof pattern, "%s/*", folder) >= sizeof pattern)
        return -ENAMETOOLONG;
    int r = file_glob(pattern, &files);
    if (r < 0)
        return r;
    pthread_mutex_lock(&disk.lock);
    (void)snprintf(disk.folder, sizeof disk.folder, "%s", folder);
    disk.log = db_test_log_new();
    r = disk.log ? 0 : -ENOMEM;
    for (size_t i = 0; r == 0 && i < files.n; i++)
        r = note_existing(files.paths[i]);
    if (r == 0)
        note_folder_sync();
    pthread_mutex_unlock(&disk.lock);
    file_list_done(&files);
    if (r < 0)
        db_test_log_free(db_test_vfs_record_end());
    return r;
}

uint64_t db_test_vfs_at(void)
{
    pthread_mutex_lock(&disk.lock);
    uint64_t at = disk.log ? db_test_log_count(disk.log) : 0;
    pthread_mutex_unlock(&disk.lock);
    return at;
}

struct db_test_log *db_test_vfs_record_end(void)
{
    pthread_mutex_lock(&disk.lock);
    struct db_test_log *log = disk.log;
    disk.log = NULL;
    pthread_mutex_unlock(&disk.lock);
    if (log && db_test_log_failed(log)) {
        db_test_log_free(log);
        log = NULL;
    }
    return log;
}

/* ---- faults ---- */
void db_test_vfs_fail(uint64_t at, uint64_t count, int error)
{
    pthread_mutex_lock(&disk.lock);
    disk.attempts = disk.failed = 0;
    disk.fail_from = at;
    disk.fail_to = __builtin_add_overflow(at, count, &disk.fail_to) ? UINT64_MAX : at + count;
    disk.fail_errno = error;
    disk.last_errno = 0;
    pthread_mutex_unlock(&disk.lock);
}

uint64_t db_test_vfs_failed(void)
{
    pthread_mutex_lock(&disk.lock);
    uint64_t n = disk.failed;
    pthread_mutex_unlock(&disk.lock);
    return n;
}

uint64_t db_test_vfs_attempts(void)
{
    pthread_mutex_lock(&disk.lock);
    uint64_t n = disk.attempts;
    pthread_mutex_unlock(&disk.lock);
    return n;
}

/* ---- what does not go through SQLite ---- */
int db_test_vfs_fsync(int fd)
{
    char link[64], path[4096];
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n < 0)
        return -1;
    path[n] = '\0';
    pthread_mutex_lock(&disk.lock);
    bool failing = fails();
    int error = disk.fail_errno;
    if (!failing && disk.log && strcmp(path, disk.folder) == 0)
        note_folder_sync();
    else if (!failing)
        note(DB_TEST_SYNC, path, 0, NULL, 0);
    pthread_mutex_unlock(&disk.lock);
    if (failing)
        errno = error;
    return failing ? -1 : 0;
}

int db_test_vfs_unlink(const char *path, int (*real)(const char *path))
{
    pthread_mutex_lock(&disk.lock);
    int r = real(path);
    if (r == 0)
        note(DB_TEST_REMOVE, path, 0, NULL, 0);
    pthread_mutex_unlock(&disk.lock);
    return r;
}

/* ---- memory ---- */
#define HEADER 16 /* the size, and SQLite wants 8-byte alignment */

static struct db_test_memory memory;

static void *mem_malloc(int n)
{
    uint8_t *p = memory.malloc((size_t)n + HEADER);
    if (!p)
        return NULL;
    memcpy(p, &n, sizeof n);
    return p + HEADER;
}

static void mem_free(void *p)
{
    if (p)
        memory.free((uint8_t *)p - HEADER);
}

static void *mem_realloc(void *old, int n)
{
    uint8_t *p = memory.realloc((uint8_t *)old - HEADER, (size_t)n + HEADER);
    if (!p)
        return NULL;
    memcpy(p, &n, sizeof n);
    return p + HEADER;
}

static int mem_size(void *p)
{
    int n = 0;
    if (p)
        memcpy(&n, (uint8_t *)p - HEADER, sizeof n);
    return n;
}

static int mem_round_up(int n)
{
    return (n + 7) & ~7;
}
static int mem_init(UNUSED void *ctx)
{
    return SQLITE_OK;
}
static void mem_done(UNUSED void *ctx)
{
}

int db_test_memory_install(const struct db_test_memory *m)
{
    static const sqlite3_mem_methods METHODS_OF_MEMORY = {mem_malloc,   mem_free, mem_realloc, mem_size,
                                                          mem_round_up, mem_init, mem_done,    NULL};
    memory = *m;
    return sqlite3_config(SQLITE_CONFIG_MALLOC, &METHODS_OF_MEMORY) == SQLITE_OK ? 0 : -EINVAL;
}
