#include "collector/event/event_files.h"

#include <errno.h>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/base/limits.h"

MUST_USE static int read_one(struct event_files *f, struct strmap *names, const char *path, struct problems *problems)
{
    struct event *e = NULL;
    struct event_source source = {0};
    if (f->n == EVENTS_MAX) {
        problem_add(problems, PROBLEM_ERROR, path, 0, 0, "more than %u events", EVENTS_MAX);
        return -ENOSPC;
    }
    struct event_source *more = reallocarray(f->list, f->n + 1, sizeof *more);
    if (!more)
        return -ENOMEM;
    f->list = more;
    int r = event_source_load(path, NULL, NULL, &source, problems);
    if (r == 0)
        r = event_read(&source, &e, problems);
    const char *other = r == 0 ? strmap_get(names, span_str(e->name)) : NULL;
    if (other) {
        problem_add(problems, PROBLEM_ERROR, path, 0, 0, "%s describes the event '%s', too", other, e->name);
        r = -EINVAL;
    }
    if (r == 0)
        r = strmap_put(names, span_str(e->name), source.file);
    if (r == 0)
        f->list[f->n++] = source;
    else
        event_source_done(&source);
    event_free(e);
    return r;
}

MUST_USE static int read_pattern(struct event_files *f, struct strmap *names, const char *pattern,
                                 struct problems *problems)
{
    struct file_list found;
    int r = file_glob(pattern, &found), failed = 0;
    if (r < 0)
        return r;
    for (size_t i = 0; i < found.n; i++) {
        r = read_one(f, names, found.paths[i], problems);
        failed = failed ? failed : r;
    }
    if (found.n == 0 && strpbrk(pattern, "*?["))
        problem_add(problems, PROBLEM_WARNING, pattern, 0, 0, "no event file matches this pattern");
    else if (found.n == 0) /* reading it tells why it cannot be */
        failed = read_one(f, names, pattern, problems);
    file_list_done(&found);
    return failed;
}

int event_files_read(const char *const *paths, size_t n, struct event_files *ret, struct problems *problems)
{
    struct strmap names;
    int failed = 0;
    *ret = (struct event_files){0};
    strmap_init(&names, EVENTS_MAX);
    for (size_t i = 0; i < n; i++) { /* all of them, so that all mistakes are told at once */
        int r = read_pattern(ret, &names, paths[i], problems);
        failed = failed ? failed : r;
    }
    strmap_done(&names);
    return failed == -ENOMEM || failed == 0 ? failed : -EINVAL;
}

int event_files_import(const struct event_files *f, struct events *ev, struct problems *problems)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < f->n; i++) {
        r = events_put(ev, &f->list[i], SPAN(""), unix_ms(), problems, NULL);
        if (r < 0 && !problems_errors(problems))
            problem_add(problems, PROBLEM_ERROR, f->list[i].file, 0, 0, "the event cannot be stored: %s", strerror(-r));
    }
    return r;
}

void event_files_done(struct event_files *f)
{
    for (size_t i = 0; i < f->n; i++)
        event_source_done(&f->list[i]);
    free(f->list);
    *f = (struct event_files){0};
}
