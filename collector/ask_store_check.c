/* store check DIR: every byte of the samples, and state.db beside them. */
#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

#include "collector/ask_store.h"
#include "collector/state/state.h"
#include "collector/store/check.h"
#include "lib/base/number.h"

#define PATH_BYTES 4096

static void print_time(int64_t ms)
{
    char text[NUMBER_TEXT_MAX];
    (void)format_rfc3339_ms(text, ms);
    fputs(text, stdout);
}

static void print_fault(void *ctx UNUSED, const struct store_fault *f)
{
    fputs(f->file, stdout);
    if (f->table)
        printf(" %s", f->table);
    if (f->table && f->row)
        printf(" row %lld", (long long)f->row);
    printf(": %s", f->what);
    if (f->series[0])
        printf("; %s", f->series);
    if (f->min_ms <= f->max_ms) {
        fputs("; ", stdout);
        print_time(f->min_ms);
        fputs(" to ", stdout);
        print_time(f->max_ms);
    }
    putchar('\n');
}

/* Events, alerts, deliveries. *ret_bad: it is there and damaged. */
static int check_state(const char *dir, bool *ret_bad)
{
    char path[PATH_BYTES], why[512] = "";
    if (snprintf(path, PATH_BYTES, "%s/state.db", dir) >= PATH_BYTES)
        return -ENAMETOOLONG;
    if (access(path, F_OK) < 0)
        return 0;
    int r = state_check(path, why, sizeof why);
    *ret_bad = r < 0 && r != -ENOMEM;
    if (*ret_bad)
        printf("state.db: %s: events, alerts or deliveries are damaged; samples are not concerned\n", why);
    return r == -ENOMEM ? r : 0;
}

int ask_store_check(const struct options *o)
{
    char why[512] = "";
    struct store_checked n;
    const char *dir = options_operand(o, 1);
    bool state_bad = false;
    int r = store_check(dir, print_fault, NULL, &n, why, sizeof why);
    if (r == 0)
        r = check_state(dir, &state_bad);
    if (r < 0) {
        fprintf(stderr, "crest-collector store check: %s\n", why[0] ? why : strerror(-r));
        return EXIT_FAILED;
    }
    n.faults += state_bad;
    if (n.unnamed)
        printf("note: %" PRIu64 " pieces belong to series that no row names: they cannot be read\n", n.unnamed);
    printf("%s: %" PRIu64 " bad; %" PRIu64 " files, %" PRIu64 " series, %" PRIu64 " families, %" PRIu64
           " log records with %" PRIu64 " samples, %" PRIu64 " extents with %" PRIu64 " columns and %" PRIu64
           " samples, %" PRIu64 " native histograms, %" PRIu64 " rollups, %" PRIu64 " exemplars, %" PRIu64
           " deletions read\n",
           dir, n.faults, n.files, n.series, n.families, n.records, n.log_samples, n.extents, n.columns, n.samples,
           n.histograms, n.rollups, n.lists.exemplars, n.lists.deletions);
    return n.faults ? EXIT_FAILED : EXIT_OK;
}
