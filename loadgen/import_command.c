/* crest-loadgen import: what others recorded or wrote down, as journeys. */
#include <errno.h>

#include "lib/base/file.h"
#include "lib/base/limits.h"
#include "loadgen/commands.h"
#include "loadgen/hurl/check.h"
#include "loadgen/hurl/parse.h"
#include "loadgen/import/curl.h"
#include "loadgen/import/har.h"
#include "loadgen/import/log.h"
#include "loadgen/import/postman.h"

struct import_kind {
    const char *name;
    /* The input's text, and how it is called, to a draft; problems get every remark. */
    int (*read)(const struct options *o, struct span text, const char *file, struct journey_draft *d,
                struct problems *ps);
};

static int read_curl(const struct options *o, struct span text, const char *file, struct journey_draft *d,
                     struct problems *ps)
{
    (void)o;
    return import_curl(text, file, d, ps);
}

/* All values of a list option, in the draft's memory. */
MUST_USE static int take_list(const struct options *o, const char *name, struct journey_draft *d,
                              const char *const **ret, size_t *ret_n)
{
    size_t n = options_list_count(o, name);
    const char **list = arena_array(&d->arena, n, sizeof *list);
    if (!list)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        list[i] = options_list(o, name, i);
    *ret = list;
    *ret_n = n;
    return 0;
}

static int read_har(const struct options *o, struct span text, const char *file, struct journey_draft *d,
                    struct problems *ps)
{
    struct har_options h = {.assets = options_flag(o, "assets")};
    int r = take_list(o, "keep-host", d, &h.keep_hosts, &h.n_keep_hosts);
    if (r == 0)
        r = take_list(o, "keep-header", d, &h.keep_headers, &h.n_keep_headers);
    return r < 0 ? r : import_har(text, file, &h, d, ps);
}

static int read_postman(const struct options *o, struct span text, const char *file, struct journey_draft *d,
                        struct problems *ps)
{
    AUTO_FREE char *environment = NULL;
    const char *path = options_text(o, "environment");
    size_t n = 0;
    int r = path ? file_read(path, CONFIG_BYTES_MAX, &environment, &n) : 0;
    if (r < 0) {
        problem_add(ps, PROBLEM_ERROR, path, 0, 0, "cannot be read: %s", strerror(-r));
        return -EINVAL;
    }
    return import_postman(text, file, span_of(environment, n), path, d, ps);
}

static const struct import_kind KINDS[] = {
    {"postman", read_postman},
    {"har", read_har},
    {"curl", read_curl},
};

/* What an importer writes is a journey that runs here, whatever it was made of. */
MUST_USE static int check_journey(const char *name, struct span text, struct problems *ps)
{
    struct hurl_file *f = NULL;
    int r = hurl_parse(name, text, &f, ps);
    if (r == 0)
        r = hurl_check(f, ps);
    hurl_file_free(f);
    return r;
}

MUST_USE static int write_journey(const char *path, struct span text)
{
    if (path)
        return file_write(path, text.ptr, text.len);
    return fwrite(text.ptr, 1, text.len, stdout) == text.len && fflush(stdout) == 0 ? 0 : -EIO;
}

/* The operand's file, stdin for none or "-", or for curl the command itself. */
MUST_USE static int read_input(const struct options *o, const struct import_kind *kind, char **ret_text, size_t *ret_n,
                               const char **ret_name)
{
    const char *operand = options_operand_count(o) > 1 ? options_operand(o, 1) : "-";
    bool is_command = kind->read == read_curl && span_starts(span_str(operand), SPAN("curl "));
    *ret_name = strcmp(operand, "-") == 0 ? "stdin" : is_command ? "command" : operand;
    if (is_command) {
        *ret_n = strlen(operand);
        *ret_text = span_dup(span_str(operand));
        return *ret_text ? 0 : -ENOMEM;
    }
    return file_read(strcmp(operand, "-") == 0 ? "/dev/stdin" : operand, IMPORT_FILE_BYTES_MAX, ret_text, ret_n);
}

MUST_USE static int import_one(const struct options *o, const struct import_kind *kind, struct problems *ps)
{
    AUTO_FREE char *text = NULL;
    size_t n = 0;
    const char *name = "";
    int r = read_input(o, kind, &text, &n, &name);
    if (r < 0) {
        problem_add(ps, PROBLEM_ERROR, name, 0, 0, "cannot be read: %s", strerror(-r));
        return -EINVAL;
    }
    struct journey_draft d;
    struct buf out;
    journey_init(&d);
    buf_init(&out, CONFIG_BYTES_MAX);
    r = kind->read(o, span_of(text, n), name, &d, ps);
    if (r == 0)
        r = journey_print(&d, &out);
    const char *path = options_text(o, "output");
    if (r == 0)
        r = check_journey(path ? path : "journey", buf_view(&out), ps);
    if (r == 0 && (r = write_journey(path, buf_view(&out))) < 0) {
        problem_add(ps, PROBLEM_ERROR, path ? path : "stdout", 0, 0, "cannot be written: %s", strerror(-r));
        r = -EIO;
    }
    buf_done(&out);
    journey_done(&d);
    return r;
}

/* A log becomes a folder, and the report says how faithful it is. */
MUST_USE static int import_log_files(const struct options *o, struct problems *ps)
{
    struct arena arena;
    arena_init(&arena, CONFIG_BYTES_MAX);
    size_t n = options_operand_count(o) - 1, n_fields = options_list_count(o, "field");
    const char **files = arena_array(&arena, n + 1, sizeof *files),
               **fields = arena_array(&arena, n_fields, sizeof *fields);
    int r = files && fields ? 0 : -ENOMEM;
    for (size_t i = 0; r == 0 && i < n; i++)
        files[i] = options_operand(o, i + 1);
    for (size_t i = 0; r == 0 && i < n_fields; i++)
        fields[i] = options_list(o, "field", i);
    if (r == 0 && n == 0)
        files[n++] = "-";
    struct log_options l = {.format = options_text(o, "format"),
                            .fields = fields,
                            .n_fields = n_fields,
                            .session = options_text(o, "session"),
                            .gap_ms = options_duration_ms(o, "gap"),
                            .assets = options_flag(o, "assets"),
                            .posts = options_flag(o, "keep-posts")};
    const char *dir = options_text(o, "output") ? options_text(o, "output") : "imported";
    if (r == 0)
        r = import_logs(files, n, dir, &l, stdout, ps);
    arena_done(&arena);
    return r;
}

int command_import(const struct options *o)
{
    const struct import_kind *kind = NULL;
    for (size_t i = 0; i < ARRAY_LEN(KINDS); i++)
        if (strcmp(KINDS[i].name, options_operand(o, 0)) == 0)
            kind = &KINDS[i];
    bool log = strcmp(options_operand(o, 0), "log") == 0;
    if (!kind && !log) {
        fprintf(stderr, "crest-loadgen import: '%s' is none of har, log, curl, postman\n", options_operand(o, 0));
        return EXIT_USAGE;
    }
    struct problems ps;
    problems_init(&ps);
    int r = log ? import_log_files(o, &ps) : import_one(o, kind, &ps);
    problems_print(&ps, stderr);
    bool invalid = problems_errors(&ps) > 0;
    problems_done(&ps);
    if (r < 0 && !invalid)
        fprintf(stderr, "crest-loadgen import: %s\n", strerror(-r));
    return r == 0 ? EXIT_OK : r == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
}
