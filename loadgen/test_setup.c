#include "loadgen/test_setup.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/random.h>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/limits.h"
#include "loadgen/commands.h"

#define CONNECT_TIMEOUT_MS 10000
#define MAX_TIME_MS 300000 /* hurl's */

enum { HURL_USAGE = 1, HURL_PARSE = 2, HURL_RUNTIME = 3 };

/* ---- files ---- */

struct paths {
    char **list;
    size_t n;
};

MUST_USE static int add_path(struct paths *p, const char *path)
{
    if (p->n == JOURNEYS_MAX)
        return -E2BIG;
    char **list = realloc(p->list, (p->n + 1) * sizeof *list);
    char *kept = list ? strdup(path) : NULL;
    if (list)
        p->list = list;
    if (!kept)
        return -ENOMEM;
    p->list[p->n++] = kept;
    return 0;
}

MUST_USE static int add_matches(struct paths *p, const char *pattern, bool folders);

/* A file, or the .hurl files of a folder and below. */
MUST_USE static int add_operand(struct paths *p, const char *path)
{
    struct stat st;
    bool piped = strcmp(path, "-") == 0;
    if (!piped && stat(path, &st) < 0) {
        fprintf(stderr, "crest-loadgen: %s cannot be read: %s\n", path, strerror(errno));
        return -ENOENT; /* the command line is wrong, no file */
    }
    if (piped || !S_ISDIR(st.st_mode))
        return add_path(p, path);
    struct buf pattern;
    buf_init(&pattern, 1u << 20);
    buf_printf(&pattern, "%s/*.hurl", path);
    int r = buf_error(&pattern) ? -ENOMEM : add_matches(p, pattern.data, false);
    buf_clear(&pattern);
    buf_printf(&pattern, "%s/*", path);
    if (r == 0)
        r = buf_error(&pattern) ? -ENOMEM : add_matches(p, pattern.data, true);
    buf_done(&pattern);
    return r;
}

static int add_matches(struct paths *p, const char *pattern, bool folders)
{
    struct file_list found;
    struct stat st;
    int r = file_glob(pattern, &found);
    if (r < 0)
        return r;
    for (size_t i = 0; i < found.n && r == 0; i++) {
        bool folder = stat(found.paths[i], &st) == 0 && S_ISDIR(st.st_mode);
        if (folder == folders)
            r = folder ? add_operand(p, found.paths[i]) : add_path(p, found.paths[i]);
    }
    file_list_done(&found);
    return r;
}

MUST_USE static int find_files(const struct options *o, struct paths *p)
{
    int r = 0;
    for (size_t i = 0; i < options_operand_count(o) && r == 0; i++)
        r = add_operand(p, options_operand(o, i));
    for (size_t i = 0; i < options_list_count(o, "glob") && r == 0; i++) {
        size_t before = p->n;
        r = add_matches(p, options_list(o, "glob", i), false);
        if (r == 0 && p->n == before) {
            fprintf(stderr, "crest-loadgen: --glob %s finds no file\n", options_list(o, "glob", i));
            r = -ENOENT;
        }
    }
    if (r == 0 && p->n == 0) {
        fprintf(stderr, "crest-loadgen: test needs a file (crest-loadgen --help lists what it takes)\n");
        r = -ENOENT;
    }
    if (r == -E2BIG)
        fprintf(stderr, "crest-loadgen: more than %u files\n", JOURNEYS_MAX);
    return r;
}

/* ---- all of it ---- */

MUST_USE static int load_files(const struct options *o, struct test_setup *s)
{
    struct paths p = {0};
    struct problems ps;
    problems_init(&ps);
    int r = find_files(o, &p), code = HURL_USAGE;
    struct journey_spec *specs = r == 0 ? calloc(p.n, sizeof *specs) : NULL;
    if (specs) {
        code = HURL_PARSE;
        for (size_t i = 0; i < p.n; i++)
            specs[i] = (struct journey_spec){.path = p.list[i], .weight = -1, .as_hurl = true};
        r = journeys_load_specs(specs, p.n, NULL, 0, &s->journeys, &ps);
        if (r == 0) {
            code = HURL_USAGE;
            r = set_variables(s->journeys, o, false, &ps);
        }
        if (r == 0)
            r = set_secrets(s->journeys, o, &ps);
        if (r == 0 && problems_errors(&ps))
            r = -EINVAL;
    }
    problems_print(&ps, stderr);
    problems_done(&ps);
    for (size_t i = 0; i < p.n; i++)
        free(p.list[i]);
    free(p.list);
    free(specs);
    if (r < 0 && r != -EINVAL && r != -ENOENT && r != -E2BIG)
        fprintf(stderr, "crest-loadgen: %s\n", strerror(-r));
    return r < 0 ? code : 0;
}

static bool read_target(const struct options *o, struct test_setup *s)
{
    const char *hosts = options_text(o, "allow-hosts"), *target = options_text(o, "target"), *reason = "";
    struct problems ps;
    problems_init(&ps);
    bool good = !hosts || allow_hosts_load(hosts, &s->allow, &ps) == 0;
    problems_print(&ps, stderr);
    problems_done(&ps);
    if (good && target && url_parse(&s->target, span_str(target), &reason) < 0) {
        fprintf(stderr, "crest-loadgen: --target: %s\n", reason);
        good = false;
    }
    s->config.target = target ? &s->target : NULL;
    s->config.allow = s->allow;
    return good;
}

static bool read_cookies(const struct options *o, struct test_setup *s)
{
    const char *path = options_text(o, "cookie");
    size_t n;
    int r = path ? file_read(path, CONFIG_BYTES_MAX, &s->cookies, &n) : 0;
    if (r < 0)
        fprintf(stderr, "crest-loadgen: %s cannot be read: %s\n", path, strerror(-r));
    return r == 0;
}

int test_setup_read(const struct options *o, struct test_setup *s)
{
    *s = (struct test_setup){0};
    uint64_t seed = 0;
    if (options_given(o, "seed"))
        seed = options_count(o, "seed");
    else if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed)
        seed = (uint64_t)unix_us();
    if (!make_run_id(o, seed, s->run_id, sizeof s->run_id))
        return HURL_USAGE;
    snprintf(s->header, sizeof s->header, "synthetic/%s", s->run_id);
    s->config = (struct run_config){.connect_timeout_ms = CONNECT_TIMEOUT_MS,
                                    .max_time_ms = MAX_TIME_MS,
                                    .seed = seed,
                                    .run_id = s->run_id,
                                    .run_header = options_flag(o, "as-customers") ? NULL : s->header,
                                    .ca_file = options_text(o, "ca-file")};
    if (!read_target(o, s) || !read_cookies(o, s))
        return HURL_USAGE;
    if (command_options_read(o, &s->options) < 0)
        return HURL_USAGE;
    s->config.options = s->options.list;
    s->config.n_options = s->options.n;
    int code = load_files(o, s);
    s->config.journeys = s->journeys;
    return code;
}

void test_setup_done(struct test_setup *s)
{
    journeys_free(s->journeys);
    command_options_done(&s->options);
    allow_hosts_free(s->allow);
    free(s->cookies);
}
