/* crest-loadgen check: what is wrong with files, without running them. */
#include "loadgen/commands.h"
#include "loadgen/engine/allow_hosts.h"
#include "loadgen/engine/feed.h"
#include "loadgen/engine/plan_file.h"

static const char *const KINDS[] = {"journey", "plan", "hosts", "feed"};

static void check_file(const char *kind, const char *path, struct problems *ps)
{
    if (strcmp(kind, "hosts") == 0) {
        struct allow_hosts *a = NULL;
        if (allow_hosts_load(path, &a, ps) == 0)
            allow_hosts_free(a);
    } else if (strcmp(kind, "feed") == 0) {
        struct feed *f = NULL;
        if (feed_load(path, HURL_FEED_SEQUENTIAL, 0, 1, &f, ps) == 0)
            feed_free(f);
    } else if (strcmp(kind, "plan") == 0) {
        struct plan_file *plan = NULL;
        if (plan_file_load(path, &plan, ps) == 0)
            plan_file_free(plan);
    } else {
        struct journeys *js = NULL;
        if (journeys_load(&path, 1, &js, ps) == 0)
            journeys_free(js);
    }
}

/* Without a KIND the name decides: .csv is a feed, .yml a plan; anything else is read as a journey. */
static const char *kind_of(const char *path)
{
    struct span s = span_str(path), csv = SPAN(".csv");
    if (is_plan_path(path))
        return "plan";
    return s.len > csv.len && span_equal(span_from(s, s.len - csv.len), csv) ? "feed" : "journey";
}

int command_check(const struct options *o)
{
    struct problems ps;
    problems_init(&ps);
    size_t first = 0, n = options_operand_count(o);
    const char *kind = NULL;
    for (size_t i = 0; i < ARRAY_LEN(KINDS) && n > 1; i++)
        if (strcmp(options_operand(o, 0), KINDS[i]) == 0) {
            kind = KINDS[i];
            first = 1;
        }
    for (size_t i = first; i < n; i++)
        check_file(kind ? kind : kind_of(options_operand(o, i)), options_operand(o, i), &ps);
    problems_print(&ps, stderr);
    int code = problems_errors(&ps) ? EXIT_USAGE : EXIT_OK;
    problems_done(&ps);
    return code;
}
