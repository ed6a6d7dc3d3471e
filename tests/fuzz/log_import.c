/* log_import.c - any bytes as an access log, plain or packed: refused with words, or a plan with its journeys, data and arrivals that loads. What is written goes to memory and is read from
 * there; nothing reaches a disk. */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/base/file.h"
#include "loadgen/engine/journeys.h"
#include "loadgen/engine/plan_file.h"
#include "loadgen/import/log.h"

#define FOLDER "made/"
#define FILES_MAX 8u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int __real_file_read(const char *path, size_t max_bytes, char **ret_data, size_t *ret_len);
int __wrap_file_read(const char *path, size_t max_bytes, char **ret_data, size_t *ret_len);
int __wrap_file_write(const char *path, const void *data, size_t n);
int __wrap_dir_make(const char *path);

static struct {
    char *path, *data;
    size_t n;
} made[FILES_MAX];
static size_t n_made;

int __wrap_file_read(const char *path, size_t max_bytes, char **ret_data, size_t *ret_len)
{
    if (!span_starts(span_str(path), SPAN(FOLDER))) /* the corpus */
        return __real_file_read(path, max_bytes, ret_data, ret_len);
    for (size_t i = 0; i < n_made; i++)
        if (strcmp(made[i].path, path) == 0) {
            *ret_data = span_dup(span_of(made[i].data, made[i].n));
            *ret_len = made[i].n;
            return *ret_data ? 0 : -ENOMEM;
        }
    return -ENOENT;
}

int __wrap_file_write(const char *path, const void *data, size_t n)
{
    if (!span_starts(span_str(path), SPAN(FOLDER)) || n_made == FILES_MAX)
        abort();
    made[n_made].path = span_dup(span_str(path));
    made[n_made].data = span_dup(span_of(data, n));
    made[n_made++].n = n;
    return made[n_made - 1].path && made[n_made - 1].data ? 0 : -ENOMEM;
}

int __wrap_dir_make(const char *path)
{
    return strncmp(path, FOLDER, strlen(path)) == 0 ? 0 : -EPERM;
}

static FILE *nowhere(void)
{
    static FILE *to;
    if (!to)
        to = fopen("/dev/null", "we");
    return to ? to : stderr;
}

/* The bytes as a file of no folder. */
static const char *log_path(struct span text)
{
    static int fd = -1;
    static char path[64];
    if (fd < 0) {
        fd = memfd_create("log", MFD_CLOEXEC);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    if (fd < 0 || ftruncate(fd, 0) < 0 || pwrite(fd, text.len ? text.ptr : "", text.len, 0) != (ssize_t)text.len)
        abort();
    return path;
}

static void check_plan(void)
{
    struct problems ps;
    struct plan_file *pf = NULL;
    problems_init(&ps);
    int r = plan_file_load(FOLDER "plan.yml", &pf, &ps);
    if (r == 0)
        r = journeys_set(plan_file_journeys(pf), SPAN("base"), hurl_value_text(SPAN("http://127.0.0.1:1")));
    if (r >= 0)
        r = journeys_complete(plan_file_journeys(pf), &ps);
    if (r == -EINVAL) {
        problems_print(&ps, stderr);
        for (size_t i = 0; i < n_made; i++)
            fprintf(stderr, "== %s\n%.3000s\n", made[i].path, made[i].data);
        abort();
    }
    plan_file_free(pf);
    problems_done(&ps);
}

/* The first byte chooses the options; of the last choice the first line is the format. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const struct log_options OPTIONS[] = {
        {.gap_ms = 1800000},
        {.gap_ms = 1000, .assets = true, .posts = true},
        {.gap_ms = 1800000, .session = "cookie_sid", .format = "$cookie_sid $time_iso8601 \"$request\" $request_time"},
        {.gap_ms = 1800000, .session = "sid", .posts = true},
        {.gap_ms = 60000}};
    if (n == 0)
        return 0;
    struct problems ps;
    problems_init(&ps);
    struct log_options o = OPTIONS[data[0] % ARRAY_LEN(OPTIONS)];
    struct span text = span_of((const char *)data + 1, n - 1);
    AUTO_FREE char *format = span_dup(span_of(text.ptr, span_find(text, '\n')));
    if (data[0] % ARRAY_LEN(OPTIONS) == ARRAY_LEN(OPTIONS) - 1) {
        o.format = format;
        text = span_from(text, span_find(text, '\n') + 1);
    }
    const char *file = log_path(text);
    int r = import_logs(&file, 1, "made", &o, nowhere(), &ps);
    if ((r == -EINVAL && problems_errors(&ps) == 0) || (r == 0 && problems_errors(&ps) > 0))
        abort();
    if (r == 0)
        check_plan();
    while (n_made) {
        free(made[--n_made].path);
        free(made[n_made].data);
    }
    problems_done(&ps);
    return 0;
}
