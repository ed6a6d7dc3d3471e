/* store compact, and what the ways share */
#include "collector/ask_store.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "collector/store/store_sql.h"
#include "lib/base/file.h"
#include "lib/base/number.h"

/* An attempt that was cut off at once may have left the lock's file. */
static bool holds_nothing(const char *dir)
{
    AUTO_FREE char *pattern = NULL;
    struct file_list files;
    if (asprintf(&pattern, "%s/*", dir) < 0) {
        pattern = NULL;
        return false;
    }
    if (file_glob(pattern, &files) < 0)
        return false;
    bool nothing = true;
    for (size_t i = 0; i < files.n; i++)
        nothing = nothing && strcmp(strrchr(files.paths[i], '/') + 1, STORE_LOCK_FILE) == 0;
    file_list_done(&files);
    return nothing;
}

/* A typing error must not make a new store. */
static const char *no_folder(const char *dir, bool may_be_new)
{
    AUTO_FREE char *file = NULL;
    struct stat st;
    if (stat(dir, &st) < 0)
        return strerror(errno);
    if (!S_ISDIR(st.st_mode))
        return "it is a file";
    if (asprintf(&file, "%s/" STORE_FILE, dir) < 0) {
        file = NULL;
        return strerror(ENOMEM);
    }
    if (stat(file, &st) == 0 || (may_be_new && holds_nothing(dir)))
        return NULL;
    return "there is no " STORE_FILE " in it";
}

int ask_store_make_folder(const char *dir)
{
    if (mkdir(dir, 0750) == 0) {
        fprintf(stderr, "%s is a new data folder\n", dir);
        return 0;
    }
    if (errno == EEXIST)
        return 0;
    fprintf(stderr, "crest-collector store import: %s: %s\n", dir, strerror(errno));
    return -errno;
}

int ask_store_open(const char *dir, bool may_be_new, struct store **ret)
{
    char why[512] = "";
    const char *wrong = no_folder(dir, may_be_new);
    if (wrong) {
        fprintf(stderr, "crest-collector: %s is no data folder: %s\n", dir, wrong);
        return -ENOENT;
    }
    struct store_config config = {.path = dir, .series_max = UINT64_MAX};
    int r = store_open(&config, ret, why, sizeof why);
    if (r == -EWOULDBLOCK)
        fprintf(stderr, "crest-collector: a collector has %s open: stop it, or make a copy with store backup\n", dir);
    else if (r < 0)
        fprintf(stderr, "crest-collector: %s: %s\n", dir, why[0] ? why : strerror(-r));
    return r;
}

static bool time_of(const struct options *o, const char *name, int64_t *ret_ms)
{
    struct span text = span_str(options_text(o, name));
    double seconds;
    if (!text.len)
        return true;
    if (parse_rfc3339_ms(text, ret_ms) == 0)
        return true;
    if (parse_f64_span(text, &seconds) == 0 && fabs(seconds) < 1e15) {
        *ret_ms = (int64_t)round(seconds * 1000);
        return true;
    }
    fprintf(stderr,
            "crest-collector store: --%s is a time such as 2026-11-27T00:00:00Z, or seconds since 1970, not '%s'\n",
            name, text.ptr);
    return false;
}

bool ask_store_times(const struct options *o, int64_t *ret_from_ms, int64_t *ret_to_ms)
{
    int64_t from = INT64_MIN, to = INT64_MAX;
    if (!time_of(o, "from", &from) || !time_of(o, "to", &to))
        return false;
    if (from > to) {
        fprintf(stderr, "crest-collector store: --from is later than --to\n");
        return false;
    }
    *ret_from_ms = from;
    *ret_to_ms = to;
    return true;
}

/* ---- compact ---- */
static int compact(const struct options *o)
{
    struct store *s;
    const char *dir = options_operand(o, 1);
    int r = ask_store_open(dir, false, &s);
    if (r < 0)
        return EXIT_FAILED;
    r = store_seal(s);
    if (r == 0)
        r = store_compact(s);
    store_close(s);
    if (r < 0)
        fprintf(stderr, "crest-collector store compact: %s: %s\n", dir, strerror(-r));
    return r < 0 ? EXIT_FAILED : EXIT_OK;
}

/* ---- which ---- */
int ask_store(const struct options *o)
{
    static const struct {
        const char *name, *operands;
        size_t operands_min, operands_max;
        int (*run)(const struct options *o);
    } WAYS[] = {
        {"check", "DIR", 1, 1, ask_store_check},
        {"stat", "DIR", 1, 1, ask_store_stat},
        {"export", "DIR", 1, 1, ask_store_export},
        {"import", "DIR FILE, or - for standard input, or DIR prometheus URL --from TIME", 2, 3, ask_store_import},
        {"backup", "DIR TO", 2, 2, ask_store_backup},
        {"compact", "DIR", 1, 1, compact},
    };
    const char *way = options_operand(o, 0);
    size_t more = options_operand_count(o) - 1;
    for (size_t i = 0; i < ARRAY_LEN(WAYS); i++) {
        if (strcmp(way, WAYS[i].name) != 0)
            continue;
        if (more >= WAYS[i].operands_min && more <= WAYS[i].operands_max)
            return WAYS[i].run(o);
        fprintf(stderr, "crest-collector store: use %s %s\n", WAYS[i].name, WAYS[i].operands);
        return EXIT_USAGE;
    }
    fprintf(stderr, "crest-collector store: '%s' is none of", way);
    for (size_t i = 0; i < ARRAY_LEN(WAYS); i++)
        fprintf(stderr, "%s %s", i ? "," : "", WAYS[i].name);
    fputc('\n', stderr);
    return EXIT_USAGE;
}
