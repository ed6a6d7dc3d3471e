#include "collector/store/log_slots.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "collector/store/crc32c.h"
#include "collector/store/store_inside.h"
#include "collector/store/store_sql.h"

#define FRAME_BYTES 16u
#define EXACT_PAGES 8u
/* What a row of k pages holds: its first page has 35 bytes and up to 16 of the record's header and of seq less, the others 4. */
#define LEAF_BYTES (STORE_PAGE_BYTES - 35u - 16u)
#define OVERFLOW_BYTES (STORE_PAGE_BYTES - 4u)

struct log_slot {
    struct log_slot *next;
    int64_t id, first_seq, last_seq;
    unsigned class;
    bool doomed; /* deleted by the trim that is not committed yet */
};

/* 1 to 8 pages, then 12, 16, 24, 32, … */
static size_t class_pages(unsigned class)
{
    if (class < EXACT_PAGES)
        return class + 1;
    unsigned above = class - EXACT_PAGES;
    return (above % 2 ? (size_t)16 : (size_t)12) << above / 2;
}

static size_t class_bytes(unsigned class)
{
    return LEAF_BYTES + (class_pages(class) - 1) * OVERFLOW_BYTES;
}

static unsigned class_for(size_t bytes)
{
    unsigned class = 0;
    while (class < LOG_SLOT_CLASSES - 1 && class_bytes(class) < bytes)
        class ++;
    return class;
}

static unsigned class_of(size_t bytes)
{
    unsigned class = class_for(bytes);
    return class_bytes(class) == bytes ? class : LOG_SLOT_CLASSES;
}

void log_slots_init(struct log_slots *ls)
{
    *ls = (struct log_slots){.next_id = 1};
}

static void free_list(struct log_slot *slot)
{
    while (slot) {
        struct log_slot *next = slot->next;
        free(slot);
        slot = next;
    }
}

void log_slots_done(struct log_slots *ls)
{
    log_slots_undo(ls);
    free_list(ls->first);
    for (unsigned c = 0; c < LOG_SLOT_CLASSES; c++)
        free_list(ls->free[c]);
    free(ls->bytes);
    log_slots_init(ls);
}

static void put_free(struct log_slots *ls, struct log_slot *slot)
{
    slot->next = ls->free[slot->class];
    ls->free[slot->class] = slot;
}

static void put_used(struct log_slots *ls, struct log_slot *slot)
{
    slot->next = NULL;
    if (ls->last)
        ls->last->next = slot;
    else
        ls->first = slot;
    ls->last = slot;
}

/* ---- frames ---- */
static bool frame_at(struct span slot, int64_t *ret_seq, struct span *ret_record)
{
    uint64_t seq;
    uint32_t n, crc;
    memcpy(&seq, slot.ptr, 8);
    memcpy(&n, slot.ptr + 8, 4);
    memcpy(&crc, slot.ptr + 12, 4);
    if (crc != crc32c(0, slot.ptr, 12) || n > slot.len - FRAME_BYTES || seq == 0 || seq > INT64_MAX)
        return false;
    *ret_seq = (int64_t)seq;
    *ret_record = span_of(slot.ptr + FRAME_BYTES, n);
    return true;
}

int log_frame_next(struct span *slot, int64_t *ret_seq, struct span *ret_record)
{
    static const uint8_t END[FRAME_BYTES];
    if (slot->len < FRAME_BYTES || memcmp(slot->ptr, END, FRAME_BYTES) == 0)
        return 0;
    if (frame_at(*slot, ret_seq, ret_record)) {
        *slot = span_from(*slot, FRAME_BYTES + ret_record->len);
        return 1;
    }
    int64_t seq;
    struct span record;
    do
        *slot = span_from(*slot, 1);
    while (slot->len >= FRAME_BYTES && !frame_at(*slot, &seq, &record));
    return -EBADMSG;
}

static void put_frame(uint8_t *to, int64_t seq, const uint8_t *record, size_t n)
{
    uint64_t number = (uint64_t)seq;
    uint32_t bytes = (uint32_t)n;
    memcpy(to, &number, 8);
    memcpy(to + 8, &bytes, 4);
    uint32_t crc = crc32c(0, to, 12);
    memcpy(to + 12, &crc, 4);
    memcpy(to + FRAME_BYTES, record, n);
}

/* ---- writing ---- */
static int reserve(struct log_slots *ls, size_t bytes)
{
    if (ls->cap >= bytes)
        return 0;
    uint8_t *more = realloc(ls->bytes, bytes);
    if (!more)
        return -ENOMEM;
    ls->bytes = more;
    ls->cap = bytes;
    return 0;
}

static int write_slot(struct db *db, int statement, const struct log_slot *slot, const uint8_t *bytes)
{
    db_bind_i64(db, statement, 1, slot->id);
    db_bind_i64(db, statement, 2, slot->first_seq);
    db_bind_blob(db, statement, 3, bytes, class_bytes(slot->class));
    return db_run(db, statement);
}

/* A slot for it, free or new, as ls->fresh. */
static int take_slot(struct log_slots *ls, size_t bytes, int *ret_statement)
{
    unsigned class = class_for(bytes);
    if (class_bytes(class) < bytes)
        return -EFBIG;
    int r = reserve(ls, class_bytes(class));
    if (r < 0)
        return r;
    struct log_slot *slot = ls->free[class];
    *ret_statement = slot ? SQL_LOG_WRITE : SQL_LOG_PUT;
    if (slot) {
        ls->free[class] = slot->next;
    } else {
        slot = calloc(1, sizeof *slot);
        if (!slot)
            return -ENOMEM;
        slot->id = 0;
        slot->class = class;
    }
    ls->fresh = slot;
    return 0;
}

int log_slots_put(struct log_slots *ls, struct db *db, int64_t seq, const uint8_t *record, size_t n, size_t *ret_bytes)
{
    size_t need = FRAME_BYTES + n;
    int statement = SQL_LOG_WRITE, r = 0;
    bool packs = ls->open && ls->last && class_bytes(ls->last->class) - ls->used >= need;
    ls->pending = true;
    ls->was_open = ls->open;
    ls->was_used = ls->used;
    ls->was_seq = ls->last ? ls->last->last_seq : 0;
    if (!packs) {
        r = take_slot(ls, need, &statement);
        if (r < 0)
            return r;
        ls->used = 0;
        ls->fresh->id = ls->fresh->id ? ls->fresh->id : ls->next_id;
        ls->fresh->first_seq = seq;
    }
    struct log_slot *slot = packs ? ls->last : ls->fresh;
    put_frame(ls->bytes + ls->used, seq, record, n);
    ls->used += need;
    memset(ls->bytes + ls->used, 0, class_bytes(slot->class) - ls->used);
    slot->last_seq = seq;
    ls->open = true;
    *ret_bytes = (need / OVERFLOW_BYTES + 1) * STORE_PAGE_BYTES;
    return write_slot(db, statement, slot, ls->bytes);
}

void log_slots_keep(struct log_slots *ls)
{
    if (ls->fresh) {
        if (ls->fresh->id == ls->next_id)
            ls->next_id++;
        put_used(ls, ls->fresh);
    }
    ls->fresh = NULL;
    ls->pending = false;
}

void log_slots_undo(struct log_slots *ls)
{
    if (!ls->pending)
        return;
    if (ls->fresh && ls->fresh->id == ls->next_id)
        free(ls->fresh); /* its row was not made */
    else if (ls->fresh)
        put_free(ls, ls->fresh);
    else if (ls->last)
        ls->last->last_seq = ls->was_seq;
    ls->open = ls->was_open && !ls->fresh; /* the bytes of the slot before are not here any more */
    ls->used = ls->was_used;
    ls->fresh = NULL;
    ls->pending = false;
}

void log_slots_close(struct log_slots *ls)
{
    ls->open = false;
}

/* ---- trimming ---- */
static int delete_slot(struct db *db, const struct log_slot *slot)
{
    db_bind_i64(db, SQL_LOG_DELETE, 1, slot->id);
    return db_run(db, SQL_LOG_DELETE);
}

int log_slots_trim(struct log_slots *ls, struct db *db, int64_t seq)
{
    size_t keep = 0;
    for (struct log_slot *slot = ls->first; slot; slot = slot->next) {
        slot->doomed = false;
        keep += slot->last_seq <= seq ? class_pages(slot->class) : 0;
    }
    int r = 0;
    for (unsigned c = 0; r == 0 && c < LOG_SLOT_CLASSES; c++)
        for (struct log_slot *slot = ls->free[c]; r == 0 && slot; slot = slot->next) {
            size_t pages = class_pages(c);
            slot->doomed = keep < pages;
            keep -= slot->doomed ? 0 : pages;
            r = slot->doomed ? delete_slot(db, slot) : 0;
        }
    if (r < 0)
        return r;
    db_bind_i64(db, SQL_LOG_TRIM, 1, seq);
    return db_run(db, SQL_LOG_TRIM);
}

void log_slots_trimmed(struct log_slots *ls, int64_t seq)
{
    for (unsigned c = 0; c < LOG_SLOT_CLASSES; c++)
        for (struct log_slot **at = &ls->free[c]; *at;) {
            struct log_slot *slot = *at;
            if (slot->doomed) {
                *at = slot->next;
                free(slot);
            } else {
                at = &slot->next;
            }
        }
    while (ls->first && ls->first->last_seq <= seq) {
        struct log_slot *slot = ls->first;
        ls->first = slot->next;
        if (!ls->first) {
            ls->last = NULL;
            ls->open = false;
        }
        put_free(ls, slot);
    }
}

static size_t list_pages(const struct log_slot *slot)
{
    size_t pages = 0;
    for (; slot; slot = slot->next)
        pages += class_pages(slot->class);
    return pages;
}

size_t log_slots_pages(const struct log_slots *ls)
{
    size_t pages = list_pages(ls->first);
    for (unsigned c = 0; c < LOG_SLOT_CLASSES; c++)
        pages += list_pages(ls->free[c]);
    return pages;
}

int log_slots_drop(struct log_slots *ls, struct db *db)
{
    if (ls->first)
        return 0;
    int r = db_run(db, SQL_LOG_DROP);
    for (unsigned c = 0; r == 0 && c < LOG_SLOT_CLASSES; c++) {
        free_list(ls->free[c]);
        ls->free[c] = NULL;
    }
    return r;
}

/* ---- loading ---- */
static int by_seq(const void *a, const void *b)
{
    int64_t x = (*(struct log_slot *const *)a)->first_seq, y = (*(struct log_slot *const *)b)->first_seq;
    return (x > y) - (x < y);
}

/* All rows as slots, in a list of its own. */
static int list_rows(struct log_slots *ls, struct db *db, struct log_slot ***ret, size_t *ret_n)
{
    struct log_slot **list = NULL;
    size_t n = 0, cap = 0;
    int r;
    while ((r = db_step(db, SQL_LOG_LIST)) > 0) {
        struct log_slot *slot = calloc(1, sizeof *slot);
        if (n == cap) {
            cap = cap ? cap * 2 : 256;
            struct log_slot **more = realloc(list, cap * sizeof(struct log_slot *));
            if (more)
                list = more;
            else
                cap = n;
        }
        if (!slot || n == cap) {
            free(slot);
            db_reset(db, SQL_LOG_LIST);
            r = -ENOMEM;
            break;
        }
        int64_t bytes = db_i64(db, SQL_LOG_LIST, 2);
        *slot = (struct log_slot){.id = db_i64(db, SQL_LOG_LIST, 0), .first_seq = db_i64(db, SQL_LOG_LIST, 1)};
        slot->class = class_of(bytes > 0 ? (size_t)bytes : 0);
        list[n++] = slot;
        if (slot->id >= ls->next_id && slot->id < INT64_MAX)
            ls->next_id = slot->id + 1;
    }
    *ret = list;
    *ret_n = n;
    return r;
}

static int take_slot_rows(struct log_slot *slot, struct db *db, log_slots_take take, void *ctx)
{
    db_bind_i64(db, SQL_LOG_READ, 1, slot->id);
    int r = db_step(db, SQL_LOG_READ);
    if (r <= 0)
        return r;
    struct span bytes = db_blob(db, SQL_LOG_READ, 0), record;
    int64_t seq;
    int found, any = 0;
    slot->last_seq = slot->first_seq;
    r = 0;
    while (r == 0 && (found = log_frame_next(&bytes, &seq, &record)) != 0) {
        any = 1;
        if (found > 0 && seq < slot->last_seq)
            found = -EBADMSG; /* not what was written there last */
        slot->last_seq = found > 0 ? seq : slot->last_seq;
        r = take(ctx, slot->last_seq, found > 0 ? record : span_of(NULL, 0), found < 0);
    }
    if (r == 0 && !any) /* a slot in use has a record at least */
        r = take(ctx, slot->last_seq, span_of(NULL, 0), true);
    db_reset(db, SQL_LOG_READ);
    return r;
}

int log_slots_load(struct log_slots *ls, struct db *db, int64_t trimmed, log_slots_take take, void *ctx)
{
    struct log_slot **list;
    size_t n;
    int r = list_rows(ls, db, &list, &n);
    if (n)
        qsort(list, n, sizeof(struct log_slot *), by_seq);
    for (size_t i = 0; i < n; i++) {
        bool used = list[i]->first_seq > trimmed;
        if (r == 0 && used)
            r = take_slot_rows(list[i], db, take, ctx);
        if (r == 0 && list[i]->class < LOG_SLOT_CLASSES && used)
            put_used(ls, list[i]);
        else if (r == 0 && list[i]->class < LOG_SLOT_CLASSES)
            put_free(ls, list[i]);
        else
            free(list[i]); /* no size of ours: it stays where it is, trimmed as the others */
    }
    free(list);
    return r;
}
