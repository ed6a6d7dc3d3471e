#include "collector/store/first_page.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/store/store_inside.h"
#include "collector/store/store_sql.h"
#include "lib/base/file.h"
#include "lib/db/db.h"

/* Bytes of SQLite's header, big-endian (sqlite.org/fileformat2.html). */
#define AT_PAGES 28u     /* how many pages the file has */
#define AT_FREE_LIST 32u /* first page of the free list, and its length */
#define TELLING_PAGE 8u  /* as made: the root of an index; after VACUUM: of a table */
#define INDEX_LEAF 10
#define INDEX_INSIDE 2
#define MODEL_BYTES_MAX (1u << 20)
#define PIECE_BYTES (1u << 20)

static void put_be32(char *to, uint64_t n)
{
    for (int i = 0; i < 4; i++)
        to[i] = (char)(n >> (24 - 8 * i) & 0xff);
}

/* The first page of a new head.db, which is made at the path and removed again. */
static int make_page(const char *path, bool vacuumed, char page[STORE_PAGE_BYTES])
{
    const struct db_options options = {.bulk = true,
                                       .page_bytes = STORE_PAGE_BYTES,
                                       .migrations = STORE_MIGRATIONS,
                                       .application_id = STORE_APPLICATION_ID};
    struct db *db = NULL;
    char *bytes = NULL;
    size_t n = 0;
    (void)unlink(path);
    int r = db_open(path, &options, &db, NULL, 0);
    if (r == 0 && vacuumed)
        r = db_exec(db, "VACUUM");
    db_close(db);
    if (r == 0)
        r = file_read(path, MODEL_BYTES_MAX, &bytes, &n);
    if (r == 0 && n < STORE_PAGE_BYTES)
        r = -EIO;
    if (r == 0)
        memcpy(page, bytes, STORE_PAGE_BYTES);
    free(bytes);
    (void)unlink(path);
    return r;
}

static int write_all(int fd, const char *bytes, size_t n)
{
    for (ssize_t wrote; n; bytes += wrote, n -= (size_t)wrote)
        if ((wrote = write(fd, bytes, n)) < 0)
            return -errno;
    return 0;
}

/* From the second page on. */
static int copy_rest(int from, int to)
{
    char *piece = malloc(PIECE_BYTES);
    ssize_t got = 0;
    int r = !piece ? -ENOMEM : lseek(from, STORE_PAGE_BYTES, SEEK_SET) < 0 ? -errno : 0;
    while (r == 0 && (got = read(from, piece, PIECE_BYTES)) > 0)
        r = write_all(to, piece, (size_t)got);
    free(piece);
    return r == 0 && got < 0 ? -errno : r;
}

static int replace(int from, const char *copy)
{
    char page[STORE_PAGE_BYTES], type;
    struct stat st;
    if (fstat(from, &st) < 0)
        return -errno;
    if (st.st_size < (off_t)TELLING_PAGE * STORE_PAGE_BYTES ||
        pread(from, &type, 1, (off_t)(TELLING_PAGE - 1) * STORE_PAGE_BYTES) != 1)
        return -EUCLEAN;
    int r = make_page(copy, type != INDEX_LEAF && type != INDEX_INSIDE, page);
    if (r < 0)
        return r;
    put_be32(page + AT_PAGES, (uint64_t)st.st_size / STORE_PAGE_BYTES);
    memset(page + AT_FREE_LIST, 0, 8); /* nobody writes to the copy */
    int to = open(copy, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (to < 0)
        return -errno;
    r = write_all(to, page, sizeof page);
    if (r == 0)
        r = copy_rest(from, to);
    if (close(to) < 0 && r == 0)
        r = -errno;
    return r;
}

int first_page_replace(const char *damaged, const char *copy)
{
    int from = open(damaged, O_RDONLY | O_CLOEXEC);
    if (from < 0)
        return -errno;
    int r = replace(from, copy);
    close(from);
    if (r < 0)
        (void)unlink(copy);
    return r;
}
