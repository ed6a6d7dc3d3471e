/* store backup DIR TO: the samples, and state.db beside them. */
#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

#include "collector/ask_store.h"
#include "collector/store/backup.h"
#include "lib/db/db.h"

#define PATH_BYTES 4096

/* Events, alerts, deliveries. A folder without it is a store's alone. */
static int copy_state(const char *dir, const char *to, char *why, size_t why_bytes)
{
    char from_path[PATH_BYTES], to_path[PATH_BYTES];
    struct db *db = NULL;
    if (snprintf(from_path, PATH_BYTES, "%s/state.db", dir) >= PATH_BYTES ||
        snprintf(to_path, PATH_BYTES, "%s/state.db", to) >= PATH_BYTES)
        return -ENAMETOOLONG;
    if (access(from_path, F_OK) < 0)
        return errno == ENOENT ? 0 : -errno;
    int r = db_open(from_path, &(struct db_options){.read_only = true}, &db, why, why_bytes);
    if (r == 0 && (r = db_backup(db, to_path)) < 0)
        (void)snprintf(why, why_bytes, "%s: %s", to_path, db_why(db));
    db_close(db);
    return r;
}

int ask_store_backup(const struct options *o)
{
    char why[512] = "";
    struct store_backup b;
    const char *dir = options_operand(o, 1), *to = options_operand(o, 2);
    int r = store_backup(dir, to, &b, why, sizeof why);
    if (r < 0) {
        fprintf(stderr, "crest-collector store backup: %s\n", why[0] ? why : strerror(-r));
        return EXIT_FAILED;
    }
    r = copy_state(dir, to, why, sizeof why);
    if (r < 0) {
        fprintf(stderr, "crest-collector store backup: the samples are copied, state.db is not: %s\n",
                why[0] ? why : strerror(-r));
        return EXIT_FAILED;
    }
    printf("%s: %" PRIu64 " file%s of samples, %" PRIu64 " bytes\n", to, b.files, b.files == 1 ? "" : "s", b.bytes);
    if (b.missing)
        fprintf(stderr, "crest-collector store backup: %" PRIu64 " file%s of days missing in %s: see store check\n",
                b.missing, b.missing == 1 ? " is" : "s are", dir);
    return b.missing ? EXIT_FAILED : EXIT_OK;
}
