#include "loadgen/workers/run_files.h"

#include <errno.h>
#include <unistd.h>

#include "lib/base/file.h"
#include "lib/base/limits.h"
#include "loadgen/hurl/run.h"

void run_files_init(struct run_files *f)
{
    *f = (struct run_files){0};
}

void run_files_done(struct run_files *f)
{
    for (size_t i = 0; i < f->n; i++) {
        free(f->list[i].path);
        free(f->list[i].absolute);
    }
    free(f->list);
    run_files_init(f);
}

/* ---- names ---- */

/* From malloc. */
static char *absolute_path(const char *path)
{
    struct buf out;
    AUTO_FREE char *here = *path == '/' ? NULL : getcwd(NULL, 0);
    struct span pieces[] = {span_str(here ? here : ""), span_str(path)}, piece;
    if (*path != '/' && !here)
        return NULL;
    buf_init(&out, 1u << 16);
    for (size_t i = 0; i < ARRAY_LEN(pieces); i++)
        while (span_cut(&pieces[i], '/', &piece)) {
            if (piece.len == 0 || span_equal(piece, SPAN(".")))
                continue;
            if (!span_equal(piece, SPAN(".."))) {
                buf_char(&out, '/');
                buf_span(&out, piece);
                continue;
            }
            while (out.len && out.data[out.len - 1] != '/')
                buf_truncate(&out, out.len - 1);
            if (out.len)
                buf_truncate(&out, out.len - 1);
        }
    char *text = buf_error(&out) ? NULL : buf_take(&out, NULL);
    buf_done(&out);
    return text;
}

static void share_folder(struct run_files *f, const char *absolute)
{
    if (f->n == 0) {
        f->common = (size_t)(strrchr(absolute, '/') - absolute) + 1;
        return;
    }
    size_t same = 0;
    while (same < f->common && f->list[0].absolute[same] == absolute[same])
        same++;
    while (same && f->list[0].absolute[same - 1] != '/')
        same--;
    f->common = same;
}

int run_files_add(struct run_files *f, const char *path)
{
    char *absolute = absolute_path(path), *kept = span_dup(span_str(path));
    bool known = false;
    for (size_t i = 0; absolute && i < f->n; i++)
        known |= strcmp(f->list[i].absolute, absolute) == 0;
    int r = !absolute || !kept ? -ENOMEM : !known && f->n == ORDER_ARGS_MAX ? -E2BIG : 0;
    struct run_file *list = r == 0 && !known ? realloc(f->list, (f->n + 1) * sizeof *list) : NULL;
    if (list) {
        f->list = list;
        share_folder(f, absolute);
        f->list[f->n++] = (struct run_file){kept, absolute};
        return 0;
    }
    free(absolute);
    free(kept);
    return r < 0 || known ? r : -ENOMEM;
}

const char *run_files_name(const struct run_files *f, size_t i)
{
    return f->list[i].absolute + f->common;
}

const char *run_files_find(const struct run_files *f, const char *path)
{
    AUTO_FREE char *absolute = absolute_path(path);
    for (size_t i = 0; absolute && i < f->n; i++)
        if (strcmp(f->list[i].absolute, absolute) == 0)
            return run_files_name(f, i);
    return NULL;
}

/* ---- what a journey reads ---- */

struct reading {
    struct run_files *files;
    const struct journey *journey;
    struct hurl_scope scope; /* with what is known before the run */
    struct problems *problems;
};

MUST_USE static int refuse(const struct reading *rd, struct hurl_place at, const char *why)
{
    problem_add(rd->problems, PROBLEM_ERROR, rd->journey->file->name, at.line, at.column, "%s", why);
    return -EINVAL;
}

MUST_USE static int add_beside(const struct reading *rd, const char *name)
{
    AUTO_FREE char *path = path_beside(rd->journey->file->name, name);
    return path ? run_files_add(rd->files, path) : -ENOMEM;
}

/* Its text in *ret, from malloc. */
MUST_USE static int name_of(struct reading *rd, const struct hurl_template *t, char **ret)
{
    struct hurl_failure why;
    struct buf name;
    buf_init(&name, 1u << 16);
    buf_str(&name, "");
    int r = hurl_render(&rd->scope, t, &name, &why);
    if (r == 0)
        r = buf_error(&name);
    if (r == 0) {
        *ret = buf_take(&name, NULL);
        r = *ret ? 0 : -ENOMEM;
    }
    buf_done(&name);
    return r == -EINVAL
               ? refuse(rd, t->at, "workers cannot be sent a file whose name is known only while the run goes on")
               : r;
}

MUST_USE static int add_named(struct reading *rd, const struct hurl_template *t)
{
    AUTO_FREE char *name = NULL;
    int r = name_of(rd, t, &name);
    return r < 0 ? r : add_beside(rd, name);
}

/* Keys, certificates and netrc files: from the working directory first, which workers do not have. */
MUST_USE static int add_option(struct reading *rd, const struct hurl_option *o)
{
    AUTO_FREE char *name = NULL;
    int r = name_of(rd, &o->text, &name);
    if (r < 0 || *name == '/') /* a whole path is one of the workers' own */
        return r;
    if (o->def->kind == HURL_OPTION_CERT) {
        size_t n = 0;
        while (name[n] && (name[n] != ':' || (n && name[n - 1] == '\\')))
            n++;
        name[n] = '\0'; /* :password */
    }
    AUTO_FREE char *beside = path_beside(rd->journey->file->name, name);
    if (!beside)
        return -ENOMEM;
    if (access(beside, F_OK) < 0)
        return refuse(rd, o->at, "with --workers this file must lie beside the journey");
    return run_files_add(rd->files, beside);
}

MUST_USE static int add_options(struct reading *rd, const struct hurl_request *q)
{
    int r = 0;
    for (size_t i = 0; i < q->n_options && r == 0; i++) {
        unsigned kind = (unsigned)q->options[i].def->kind;
        if (kind == HURL_OPTION_CA_FILE || kind == HURL_OPTION_CERT || kind == HURL_OPTION_KEY ||
            kind == HURL_OPTION_NETRC_FILE)
            r = add_option(rd, &q->options[i]);
    }
    return r;
}

MUST_USE static int add_entry(struct reading *rd, const struct hurl_entry *e)
{
    const struct hurl_request *q = &e->request;
    int r = add_options(rd, q);
    if (r == 0 && e->think.kind == HURL_THINK_RECORDED && e->think.file.len)
        r = add_beside(rd, e->think.file.ptr);
    if (r == 0 && q->body.kind == HURL_BODY_FILE)
        r = add_named(rd, &q->body.text);
    for (size_t i = 0; i < q->n_multipart && r == 0; i++)
        if (q->multipart[i].is_file)
            r = add_named(rd, &q->multipart[i].value);
    if (r == 0 && e->response.body.kind == HURL_BODY_FILE)
        r = add_named(rd, &e->response.body.text);
    for (size_t i = 0; i < e->response.n_asserts && r == 0; i++)
        if (e->response.asserts[i].predicate.operand.kind == HURL_OPERAND_FILE)
            r = add_named(rd, &e->response.asserts[i].predicate.operand.text);
    return r;
}

int run_files_add_journeys(struct run_files *f, const struct journeys *js, struct problems *ps)
{
    const char *feed;
    int r = 0;
    for (size_t i = 0; r == 0 && (feed = journeys_feed_path(js, i)); i++)
        r = run_files_add(f, feed);
    for (size_t i = 0; i < js->n && r == 0; i++) {
        const struct journey *j = &js->list[i];
        struct arena scratch;
        struct rng rng;
        arena_init(&scratch, 16u << 20);
        rng_seed(&rng, 1);
        struct reading rd = {
            f, j, {.file = j->file, .values = j->values, .keep = &scratch, .scratch = &scratch, .rng = &rng}, ps};
        r = run_files_add(f, j->file->name);
        for (size_t k = 0; k < j->file->n_entries && r == 0; k++)
            r = add_entry(&rd, &j->file->entries[k]);
        arena_done(&scratch);
    }
    return r;
}
