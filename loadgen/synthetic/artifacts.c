#include "loadgen/synthetic/artifacts.h"

#include <errno.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/file.h"
#include "lib/base/number.h"
#include "loadgen/import/names.h"
#include "loadgen/synthetic/redact.h"

#define NAME_PIECE_BYTES_MAX 60
#define PATTERN "/[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]T[0-9]*Z-*.txt"

struct artifacts {
    char *folder;
    pthread_mutex_t lock;
};

int artifacts_open(const char *folder, struct artifacts **ret)
{
    int r = dir_make(folder);
    if (r < 0)
        return r;
    if (access(folder, W_OK | X_OK) < 0)
        return -errno;
    struct artifacts *a = calloc(1, sizeof *a);
    if (!a)
        return -ENOMEM;
    a->folder = span_dup(span_str(folder));
    if (!a->folder) {
        free(a);
        return -ENOMEM;
    }
    pthread_mutex_init(&a->lock, NULL);
    *ret = a;
    return 0;
}

void artifacts_free(struct artifacts *a)
{
    if (!a)
        return;
    pthread_mutex_destroy(&a->lock);
    free(a->folder);
    free(a);
}

/* ---- the text ---- */

static bool is_redacted_slot(const struct hurl_file *f, size_t slot, enum hurl_value_kind kind)
{
    bool named = is_secret_name(f->variables[slot]) || is_card_name(f->variables[slot]);
    if (named && kind == HURL_VALUE_TEXT) /* a number under such a name may be a count */
        return true;
    for (size_t i = 0; i < f->n_entries; i++)
        for (size_t k = 0; k < f->entries[i].response.n_captures; k++)
            if (f->entries[i].response.captures[k].redact && f->entries[i].response.captures[k].slot == slot)
                return true;
    return false;
}

/* The run's, and the session's variables that are secrets: by name, or captured with `redact`. */
MUST_USE static int secrets_of(const struct step_report *step, struct secrets *to)
{
    const struct hurl_file *f = step->journey->file;
    int r = step->secrets ? secrets_copy(to, step->secrets) : 0;
    for (size_t i = 0; step->scope && i < f->n_variables && r == 0; i++)
        if (is_redacted_slot(f, i, step->scope->values[i].kind))
            r = secrets_add_value(to, &step->scope->values[i]);
    return r;
}

static void add_request(struct buf *out, const struct conn_request *q, const struct secrets *secrets)
{
    buf_printf(out, "\n---- request\n%s ", q->method);
    redact_url(out, span_str(q->url), secrets);
    buf_char(out, '\n');
    for (size_t i = 0; i < q->n_headers; i++)
        redact_headers(out, span_str(q->headers[i]), secrets);
    if (q->has_body) {
        buf_char(out, '\n');
        redact_body(out, q->body, secrets, ARTIFACT_BODY_BYTES_MAX);
        buf_char(out, '\n');
    }
}

static void add_answer(struct buf *out, const struct conn_response *a, const struct secrets *secrets)
{
    buf_str(out, "\n---- response\n");
    if (a->error != CONN_OK)
        buf_printf(out, "none: %s: %s\n", conn_error_name(a->error), a->error_text);
    if (a->status == 0)
        return;
    buf_printf(out, "HTTP/%d.%d %d\n", a->version / 10, a->version % 10, a->status);
    redact_headers(out, a->headers, secrets);
    buf_char(out, '\n');
    redact_body(out, a->body, secrets, ARTIFACT_BODY_BYTES_MAX);
    buf_char(out, '\n');
}

int artifact_text(struct buf *out, const struct step_report *step, int64_t now_ms)
{
    struct secrets secrets;
    char now[NUMBER_TEXT_MAX];
    struct span time = span_of(now, format_rfc3339_ms(now, now_ms));
    secrets_init(&secrets);
    int r = secrets_of(step, &secrets);
    if (r < 0) {
        secrets_done(&secrets);
        return r;
    }
    buf_printf(out, "time     " SPAN_FMT "\njourney  %s\nstep     " SPAN_FMT "\n", SPAN_ARG(time), step->journey->name,
               SPAN_ARG(step->entry->step));
    if (step->why) {
        buf_printf(out, "failed   %s:%u:%u: ", step->journey->file->name, step->why->at.line, step->why->at.column);
        redact_body(out, span_str(step->why->text), &secrets, ARTIFACT_BODY_BYTES_MAX);
        buf_char(out, '\n');
    }
    if (step->service_us >= 0)
        buf_printf(out, "took     %.3f s\n", (double)step->service_us / 1e6);
    if (step->request)
        add_request(out, step->request, &secrets);
    if (step->answer)
        add_answer(out, step->answer, &secrets);
    secrets_done(&secrets);
    return buf_error(out);
}

/* ---- the folder ---- */

/* Letters, digits, '.', '_' and '-' of a name; anything else is a dash. */
static void add_piece(struct buf *out, struct span name)
{
    for (size_t i = 0; i < name.len && i < NAME_PIECE_BYTES_MAX; i++) {
        char c = name.ptr[i], lower = (char)(c | 0x20);
        bool plain = (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '_' || (c == '.' && i > 0);
        buf_char(out, plain ? c : '-');
    }
}

static void path_of(const struct artifacts *a, struct buf *path, const struct step_report *step, int64_t now_ms)
{
    char t[NUMBER_TEXT_MAX]; /* 2026-11-27T00:00:00.000Z */
    format_rfc3339_ms(t, now_ms);
    buf_printf(path, "%s/%.4s%.2s%.5s%.2s%.6sZ-", a->folder, t, t + 5, t + 8, t + 14, t + 17);
    add_piece(path, span_str(step->journey->name));
    buf_char(path, '-');
    add_piece(path, step->entry->step);
    buf_str(path, ".txt");
}

/* The oldest go until as many and as much are left as may be. */
static void remove_oldest(const struct artifacts *a)
{
    struct buf pattern;
    struct file_list files;
    uint64_t bytes = 0;
    buf_init(&pattern, 8192);
    buf_str(&pattern, a->folder);
    buf_str(&pattern, PATTERN);
    if (buf_error(&pattern) == 0 && file_glob(pattern.data, &files) == 0) {
        for (size_t i = files.n; i-- > 0;) {
            struct stat st;
            if (stat(files.paths[i], &st) < 0)
                continue;
            bytes += (uint64_t)st.st_size;
            if (files.n - i > ARTIFACTS_MAX || bytes > ARTIFACTS_BYTES_MAX)
                unlink(files.paths[i]);
        }
        file_list_done(&files);
    }
    buf_done(&pattern);
}

int artifacts_keep(struct artifacts *a, const struct step_report *step, int64_t now_ms)
{
    struct buf path, text;
    buf_init(&path, 8192);
    buf_init(&text, ARTIFACT_BYTES_MAX);
    path_of(a, &path, step, now_ms);
    int r = artifact_text(&text, step, now_ms);
    if (r == 0)
        r = buf_error(&path);
    pthread_mutex_lock(&a->lock);
    if (r == 0)
        r = file_write(path.data, text.data, text.len);
    remove_oldest(a);
    pthread_mutex_unlock(&a->lock);
    buf_done(&path);
    buf_done(&text);
    return r;
}
