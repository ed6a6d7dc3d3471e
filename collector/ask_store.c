/* store compact, and what the ways share */
#include "collector/ask_store.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "lib/base/number.h"

int ask_store_open(const char *dir, struct store **ret)
{
    char why[512] = "";
    struct stat st;
    if (stat(dir, &st) < 0 || !S_ISDIR(st.st_mode)) { /* a typing error must not make a new store */
        fprintf(stderr, "crest-collector: %s is no data folder\n", dir);
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
    int r = ask_store_open(dir, &s);
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
