/* The files of days and weeks that are over: which there are, what they have, and when they go. part_move.c makes them. */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/store/part.h"
#include "collector/store/store_sql.h"
#include "lib/base/file.h"
#include "lib/base/log.h"

int part_path_of(const struct store *s, const char *name, char path[PART_PATH_MAX])
{
    return snprintf(path, PART_PATH_MAX, "%s/%s", s->path, name) < PART_PATH_MAX ? 0 : -ENAMETOOLONG;
}

struct part *part_find(struct store *s, uint32_t id)
{
    for (size_t i = 0; i < s->n_parts; i++)
        if (s->parts[i].id == id)
            return &s->parts[i];
    return NULL;
}

int store_part_path(struct store *s, uint32_t id, char path[PART_PATH_MAX])
{
    pthread_mutex_lock(&s->parts_lock);
    const struct part *part = part_find(s, id);
    int r = part ? part_path_of(s, part->name, path) : -ENOENT;
    pthread_mutex_unlock(&s->parts_lock);
    return r;
}

static uint64_t bytes_of(const struct store *s, const char *name)
{
    char path[PART_PATH_MAX];
    struct stat st;
    return part_path_of(s, name, path) == 0 && stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

uint64_t store_parts_bytes(const struct store *s)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < s->n_parts; i++)
        bytes += s->parts[i].bytes;
    return bytes;
}

static bool has_lost_much(const struct part *part)
{
    return atomic_load_explicit(&part->retired_bytes, memory_order_relaxed) > part->bytes / PART_RETIRED_SHARE;
}

uint64_t store_parts_leaving_bytes(const struct store *s)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < s->n_parts; i++)
        if (has_lost_much(&s->parts[i]))
            bytes += atomic_load_explicit(&s->parts[i].retired_bytes, memory_order_relaxed);
    return bytes;
}

int part_add(struct store *s, uint32_t id, int64_t from_ms, unsigned days, char *name)
{
    pthread_mutex_lock(&s->parts_lock);
    struct part *parts = realloc(s->parts, (s->n_parts + 1) * sizeof *parts);
    if (parts) {
        s->parts = parts;
        parts[s->n_parts++] =
            (struct part){.id = id, .from_ms = from_ms, .days = days, .name = name, .bytes = bytes_of(s, name)};
    }
    pthread_mutex_unlock(&s->parts_lock);
    return parts ? 0 : -ENOMEM;
}

void part_forget(struct store *s, uint32_t id)
{
    pthread_mutex_lock(&s->parts_lock);
    struct part *part = part_find(s, id);
    if (part) {
        free(part->name);
        *part = s->parts[--s->n_parts];
    }
    pthread_mutex_unlock(&s->parts_lock);
}

void store_parts_free(struct store *s)
{
    for (size_t i = 0; i < s->n_parts; i++)
        free(s->parts[i].name);
    free(s->parts);
    s->parts = NULL;
    s->n_parts = 0;
}

/* ---- start ---- */
static int list_extents(struct store *s, struct part *part, struct db *db)
{
    int r;
    while ((r = db_step(db, SQL_EXT_LIST)) > 0) {
        int64_t id = db_i64(db, SQL_EXT_LIST, 0), group = db_i64(db, SQL_EXT_LIST, 1);
        struct extent_ref ref = {.min_ms = db_i64(db, SQL_EXT_LIST, 2),
                                 .max_ms = db_i64(db, SQL_EXT_LIST, 3),
                                 .n_bytes = (uint32_t)db_i64(db, SQL_EXT_LIST, 4),
                                 .level = (uint8_t)db_i64(db, SQL_EXT_LIST, 5),
                                 .part = part->id};
        if (id < 1 || id >= UINT32_MAX || !extent_group_exists(group, SERIES_LIMIT))
            continue; /* no row of ours */
        ref.id = ref.since = (uint32_t)id;
        ref.group = (uint32_t)group;
        r = extent_dir_add(&s->extents, &ref);
        if (r < 0) {
            db_reset(db, SQL_EXT_LIST);
            return r;
        }
        part->extents++;
        if (ref.id >= s->next_extent)
            s->next_extent = ref.id + 1;
    }
    return r;
}

static int load_part(struct store *s, struct part *part)
{
    char path[PART_PATH_MAX], why[256] = "";
    struct db *db = NULL;
    const struct db_options options = {.read_only = true,
                                       .sql = STORE_SQL,
                                       .sql_count = STORE_STATEMENTS,
                                       .migrations = PART_MIGRATIONS,
                                       .application_id = PART_APPLICATION_ID};
    int r = part_path_of(s, part->name, path);
    if (r == 0)
        r = db_open(path, &options, &db, why, sizeof why);
    if (r == 0)
        r = list_extents(s, part, db);
    if (r < 0 && r != -ENOMEM)
        log_error("a file of a day or week cannot be read: its samples are left out", "file", "%s", path, "error", "%s",
                  db ? db_why(db) : why);
    db_close(db);
    return r;
}

static bool is_listed(const struct store *s, const char *name)
{
    for (size_t i = 0; i < s->n_parts; i++)
        if (strcmp(s->parts[i].name, name) == 0)
            return true;
    return false;
}

/* Files that no manifest names: a move that was cut off, or a file that was dropped and not removed. */
static void remove_strangers(struct store *s, const char *names)
{
    char pattern[PART_PATH_MAX];
    struct file_list files;
    if (part_path_of(s, names, pattern) < 0 || file_glob(pattern, &files) < 0)
        return;
    for (size_t i = 0; i < files.n; i++) {
        const char *name = strrchr(files.paths[i], '/');
        if (name && !is_listed(s, name + 1))
            (void)unlink(files.paths[i]);
    }
    file_list_done(&files);
}

int store_parts_load(struct store *s)
{
    int r;
    s->next_extent = 1;
    while ((r = db_step(s->db, SQL_PART_ALL)) > 0) {
        int64_t id = db_i64(s->db, SQL_PART_ALL, 0), days = db_i64(s->db, SQL_PART_ALL, 3);
        char *name = span_dup(db_text(s->db, SQL_PART_ALL, 1));
        if (name && (id < 1 || id >= UINT32_MAX || days < 1 || days > WEEK_DAYS || strchr(name, '/'))) {
            free(name);
            continue;
        }
        r = name ? part_add(s, (uint32_t)id, db_i64(s->db, SQL_PART_ALL, 2), (unsigned)days, name)
                 : -ENOMEM; /* one left out would be removed as a stranger */
        if (r < 0) {
            free(name);
            db_reset(s->db, SQL_PART_ALL);
            return r;
        }
        s->next_part = (uint32_t)id >= s->next_part ? (uint32_t)id + 1 : s->next_part;
    }
    if (r < 0)
        return r;
    remove_strangers(s, PART_DAY_PREFIX "*.db*");
    remove_strangers(s, PART_WEEK_PREFIX "*.db*");
    for (size_t i = 0; r == 0 && i < s->n_parts; i++) {
        r = load_part(s, &s->parts[i]);
        if (r < 0 && r != -ENOMEM) { /* it stays where it is, for whoever repairs it */
            s->parts[i].damaged = true;
            store_count(s, COUNT_BAD_PARTS, 1);
            r = 0;
        }
    }
    return r;
}

/* ---- leaving ---- */
/* The writer's, when head.db does not name it any more. */
void part_drop(struct store *s, uint32_t id)
{
    char path[PART_PATH_MAX];
    if (store_part_path(s, id, path) < 0)
        return;
    part_forget(s, id);
    store_connections_forget(s, id);
    if ((s->config.durability == STORE_NORMAL || s->lazy) && db_sync_log(s->db) < 0)
        return;         /* a power cut could bring back the row that names it: the next start removes it */
    (void)unlink(path); /* if it fails, the next start does it */
}

unsigned part_days(struct store *s, uint32_t id)
{
    pthread_mutex_lock(&s->parts_lock);
    const struct part *part = part_find(s, id);
    unsigned days = part ? part->days : 0;
    pthread_mutex_unlock(&s->parts_lock);
    return days;
}

bool part_has_lost_much(struct store *s, uint32_t id)
{
    pthread_mutex_lock(&s->parts_lock);
    const struct part *part = id ? part_find(s, id) : NULL;
    bool much = part && has_lost_much(part);
    pthread_mutex_unlock(&s->parts_lock);
    return much;
}

void store_part_extents_gone(struct store *s, const struct extent_ref *refs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct part *part = refs[i].part ? part_find(s, refs[i].part) : NULL;
        if (!part || part->extents == 0)
            continue;
        part->retired = true;
        atomic_fetch_add_explicit(&part->retired_bytes, refs[i].n_bytes, memory_order_relaxed);
        if (--part->extents > 0)
            continue;
        db_bind_i64(s->db, SQL_PART_DELETE, 1, part->id);
        if (db_run(s->db, SQL_PART_DELETE) == 0) /* else the next start finds it and the retention comes again */
            part_drop(s, part->id);
    }
}
