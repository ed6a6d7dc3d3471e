#include "loadgen/test_setup.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/random.h>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/limits.h"
#include "loadgen/commands.h"
#include "loadgen/hurl/check.h"
#include "loadgen/hurl/parse.h"

#define CONNECT_TIMEOUT_MS 10000
#define MAX_TIME_MS 300000 /* hurl's */

enum { HURL_USAGE = 1, HURL_PARSE = 2, HURL_RUNTIME = 3 };

extern char **environ;

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
    if (strcmp(path, "-") == 0 || stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
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

/* ---- secrets ---- */

/* NAME=VALUE: a variable like others, and hidden. What is wrong with it is said without it. */
MUST_USE static int set_secret(struct test_setup *s, struct span text)
{
    size_t equals = span_find(text, '=');
    struct span name = span_trim(span_of(text.ptr, equals)), value = span_from(text, equals + 1);
    if (equals == text.len || name.len == 0)
        return -EINVAL;
    int r = secrets_add(&s->secrets, value);
    if (r == 0)
        r = journeys_set(s->journeys, name, hurl_value_text(value));
    return r < 0 ? r : 0;
}

MUST_USE static int set_secrets_file(struct test_setup *s, const char *path)
{
    AUTO_FREE char *text = NULL;
    size_t n;
    int r = file_read(path, CONFIG_BYTES_MAX, &text, &n);
    if (r < 0) {
        fprintf(stderr, "crest-loadgen: %s cannot be read: %s\n", path, strerror(-r));
        return -EINVAL;
    }
    struct span rest = span_of(text, n), line;
    for (unsigned number = 1; span_cut(&rest, '\n', &line); number++) {
        line = span_trim(line);
        if (line.len == 0 || line.ptr[0] == '#')
            continue;
        r = set_secret(s, line);
        if (r == -EINVAL)
            fprintf(stderr, "%s:%u:1: error: expected name=value\n", path, number);
        if (r < 0)
            return r;
    }
    return 0;
}

MUST_USE static int set_secrets(const struct options *o, struct test_setup *s)
{
    static const struct span PREFIX = SPAN_INIT("HURL_SECRET_");
    int r = 0;
    for (char **at = environ; *at && r == 0; at++)
        if (span_starts(span_str(*at), PREFIX))
            r = set_secret(s, span_from(span_str(*at), PREFIX.len));
    if (r == 0 && options_text(o, "secrets-file"))
        r = set_secrets_file(s, options_text(o, "secrets-file"));
    for (size_t i = 0; r == 0 && i < options_list_count(o, "secret"); i++) {
        r = set_secret(s, span_str(options_list(o, "secret", i)));
        if (r == -EINVAL)
            fprintf(stderr, "crest-loadgen: --secret: expected name=value\n");
    }
    return r;
}

/* ---- options for every entry: hurl's of the same name, read as their line in [Options] would be ---- */

static const char *const FLAGS[] = {"location",   "location-trusted", "compressed",   "insecure",
                                    "http1.0",    "http1.1",          "http2",        "ipv4",
                                    "ipv6",       "digest",           "netrc",        "netrc-optional",
                                    "path-as-is", "verbose",          "very-verbose", "no-jsonpath-coercion"};
static const struct {
    const char *given, *option;
} TEXTS[] = {{"max-redirs", "max-redirs"},
             {"retry", "retry"},
             {"retry-interval", "retry-interval"},
             {"delay", "delay"},
             {"connect-timeout", "connect-timeout"},
             {"max-time", "max-time"},
             {"cacert", "cacert"},
             {"cert", "cert"},
             {"key", "key"},
             {"pinnedpubkey", "pinnedpubkey"},
             {"user", "user"},
             {"netrc-file", "netrc-file"},
             {"proxy", "proxy"},
             {"noproxy", "no-proxy"},
             {"unix-socket", "unix-socket"},
             {"limit-rate", "limit-rate"},
             {"verbosity", "verbosity"}};
static const char *const LISTS[] = {"header", "resolve", "connect-to"};

/* A value of the command line in a file's words: it starts no comment and no template. */
static void put_value(struct buf *line, const char *value)
{
    for (; *value; value++) {
        if (*value == '#' || *value == '\\')
            buf_char(line, '\\');
        if (*value == '{')
            buf_str(line, "\\u{7b}");
        else
            buf_char(line, *value);
    }
}

MUST_USE static int add_option(struct test_setup *s, const char *name, const char *value, struct problems *ps)
{
    struct hurl_option *options = (struct hurl_option *)(uintptr_t)s->config.options;
    struct buf line;
    buf_init(&line, 1u << 20);
    buf_printf(&line, "%s: ", name);
    put_value(&line, value);
    int r = buf_error(&line) ? -ENOMEM
                             : hurl_parse_option(s->option_file, buf_view(&line), &options[s->config.n_options], ps);
    buf_done(&line);
    if (r == 0)
        s->config.n_options++;
    return r;
}

MUST_USE static int read_options(const struct options *o, struct test_setup *s)
{
    size_t room = ARRAY_LEN(FLAGS) + ARRAY_LEN(TEXTS) + 1; /* user-agent is a header */
    for (size_t i = 0; i < ARRAY_LEN(LISTS); i++)
        room += options_list_count(o, LISTS[i]);
    struct problems ps;
    problems_init(&ps);
    int r = hurl_parse("command line", SPAN(""), &s->option_file, &ps);
    if (r == 0)
        s->config.options = arena_array(&s->option_file->arena, room, sizeof *s->config.options);
    if (r == 0 && !s->config.options)
        r = -ENOMEM;
    for (size_t i = 0; i < ARRAY_LEN(FLAGS) && r == 0; i++)
        if (options_flag(o, FLAGS[i]))
            r = add_option(s, FLAGS[i], "true", &ps);
    for (size_t i = 0; i < ARRAY_LEN(TEXTS) && r == 0; i++)
        if (options_text(o, TEXTS[i].given))
            r = add_option(s, TEXTS[i].option, options_text(o, TEXTS[i].given), &ps);
    for (size_t i = 0; i < ARRAY_LEN(LISTS); i++)
        for (size_t k = 0; k < options_list_count(o, LISTS[i]) && r == 0; k++)
            r = add_option(s, LISTS[i], options_list(o, LISTS[i], k), &ps);
    if (r == 0 && options_text(o, "user-agent")) {
        struct buf header;
        buf_init(&header, 1u << 20);
        buf_printf(&header, "User-Agent: %s", options_text(o, "user-agent"));
        r = buf_error(&header) ? -ENOMEM : add_option(s, "header", header.data, &ps);
        buf_done(&header);
    }
    problems_print(&ps, stderr);
    problems_done(&ps);
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
            r = problems_errors(&ps) ? -EINVAL : set_secrets(o, s);
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
    secrets_init(&s->secrets);
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
    if (read_options(o, s) < 0)
        return HURL_USAGE;
    int code = load_files(o, s);
    s->config.journeys = s->journeys;
    return code;
}

void test_setup_done(struct test_setup *s)
{
    journeys_free(s->journeys);
    hurl_file_free(s->option_file);
    allow_hosts_free(s->allow);
    secrets_done(&s->secrets);
    free(s->cookies);
}
