#include <errno.h>
#include <stdio.h>

#include "collector/state/state.h"
#include "collector/state/state_sql.h"

enum { CHECK_VERSIONS, CHECK_STATEMENTS };
static const char *const CHECK_SQL[CHECK_STATEMENTS] = {[CHECK_VERSIONS] = "SELECT room, version FROM schema_version"};

int state_check(const char *path, char *why, size_t why_bytes)
{
    const struct db_options options = {.read_only = true,
                                       .sql = CHECK_SQL,
                                       .sql_count = CHECK_STATEMENTS,
                                       .migrations = STATE_MIGRATIONS,
                                       .application_id = STATE_APPLICATION_ID};
    struct db *db = NULL;
    int r = db_open(path, &options, &db, why, why_bytes);
    if (r < 0)
        return r;
    r = db_quick_check(db);
    while (r == 0 && (r = db_step(db, CHECK_VERSIONS)) > 0) {
        struct span room = db_text(db, CHECK_VERSIONS, 0);
        r = room.len && db_i64(db, CHECK_VERSIONS, 1) > 0 ? 0 : -EUCLEAN;
        if (r < 0) {
            (void)snprintf(why, why_bytes, "a room's version cannot be: '" SPAN_FMT "'", SPAN_ARG(room));
            db_close(db);
            return r;
        }
    }
    if (r < 0)
        (void)snprintf(why, why_bytes, "%s", db_why(db));
    db_close(db);
    return r;
}
