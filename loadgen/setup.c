/* What run and test do before they start: journeys, variables, names. */
#include <errno.h>
#include <sys/resource.h>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/limits.h"
#include "lib/base/number.h"
#include "loadgen/commands.h"
#include "loadgen/engine/plan_file.h"

extern char **environ;

/* ---- variables, and secrets: variables like others, and hidden. What is wrong with a secret is said without it ---- */

/* One NAME=VALUE. -EINVAL: it is none; -E2BIG, -ENOMEM. */
typedef int set_fn(struct journeys *js, struct span text, bool *ret_used);

static bool split_pair(struct span text, struct span *ret_name, struct span *ret_value)
{
    size_t equals = span_find(text, '=');
    if (equals == text.len)
        return false;
    *ret_name = span_trim(span_of(text.ptr, equals));
    *ret_value = span_from(text, equals + 1);
    return ret_name->len > 0;
}

MUST_USE static int set_variable(struct journeys *js, struct span text, bool *ret_used)
{
    struct span name, value;
    int r = split_pair(text, &name, &value) ? journeys_set(js, name, hurl_value_guess(value)) : -EINVAL;
    *ret_used = r > 0;
    return r > 0 ? journeys_note_given(js, text, false) : r;
}

MUST_USE static int set_secret(struct journeys *js, struct span text, bool *ret_used)
{
    struct span name, value;
    int r = split_pair(text, &name, &value) ? journeys_set_secret(js, name, value) : -EINVAL;
    *ret_used = r > 0;
    return r > 0 ? journeys_note_given(js, text, true) : r;
}

/* name=value lines; # starts a comment line. Each line that is neither is named. */
MUST_USE static int set_from_file(struct journeys *js, const char *path, set_fn *set, struct problems *ps)
{
    AUTO_FREE char *text = NULL;
    size_t n;
    int r = file_read(path, CONFIG_BYTES_MAX, &text, &n);
    if (r < 0) {
        problem_add(ps, PROBLEM_ERROR, path, 0, 0, "cannot be read: %s", strerror(-r));
        return -EINVAL;
    }
    struct span rest = span_of(text, n), line;
    bool used;
    for (uint32_t number = 1; span_cut(&rest, '\n', &line); number++) {
        line = span_trim(line);
        if (line.len == 0 || line.ptr[0] == '#')
            continue;
        r = set(js, line, &used);
        if (r == -EINVAL)
            problem_add(ps, PROBLEM_ERROR, path, number, 1, "expected name=value");
        else if (r < 0)
            return r;
    }
    return 0;
}

/* HURL_name and HURL_VARIABLE_name, as hurl reads them. */
MUST_USE static int set_from_environment(struct journeys *js)
{
    bool used;
    for (char **at = environ; *at; at++) {
        struct span text = span_str(*at);
        if (!span_starts(text, SPAN("HURL_")))
            continue;
        text = span_from(text, 5);
        if (span_starts(text, SPAN("VARIABLE_")))
            text = span_from(text, 9);
        if (set_variable(js, text, &used) == -ENOMEM)
            return -ENOMEM;
    }
    return 0;
}

int set_variables(struct journeys *js, const struct options *o, bool warn, struct problems *ps)
{
    int r = set_from_environment(js);
    if (r == 0 && options_text(o, "variables-file"))
        r = set_from_file(js, options_text(o, "variables-file"), set_variable, ps);
    for (size_t i = 0; r == 0 && i < options_list_count(o, "variable"); i++) {
        const char *text = options_list(o, "variable", i);
        bool used = false;
        r = set_variable(js, span_str(text), &used);
        if (r == -EINVAL)
            problem_add(ps, PROBLEM_ERROR, "", 0, 0, "--variable %s: expected name=value", text);
        else if (r == 0 && !used && warn)
            problem_add(ps, PROBLEM_WARNING, "", 0, 0, "--variable %s: no journey uses it", text);
    }
    return r;
}

int set_secrets(struct journeys *js, const struct options *o, struct problems *ps)
{
    static const struct span PREFIX = SPAN_INIT("HURL_SECRET_");
    int r = 0;
    bool used;
    for (char **at = environ; *at && r == 0; at++)
        if (span_starts(span_str(*at), PREFIX)) {
            r = set_secret(js, span_from(span_str(*at), PREFIX.len), &used);
            if (r == -EINVAL)
                problem_add(ps, PROBLEM_ERROR, "", 0, 0, "HURL_SECRET_: the name is missing");
        }
    if (r == 0 && options_text(o, "secrets-file"))
        r = set_from_file(js, options_text(o, "secrets-file"), set_secret, ps);
    for (size_t i = 0; r == 0 && i < options_list_count(o, "secret"); i++) {
        r = set_secret(js, span_str(options_list(o, "secret", i)), &used);
        if (r == -EINVAL)
            problem_add(ps, PROBLEM_ERROR, "", 0, 0, "--secret: expected name=value");
    }
    return r;
}

/* ---- journeys ---- */

MUST_USE static int load_operands(const struct options *o, struct journeys **ret, struct problems *ps)
{
    size_t n = options_operand_count(o);
    AUTO_FREE const char **paths = calloc(n ? n : 1, sizeof *paths);
    if (!paths)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        paths[i] = options_operand(o, i);
    return journeys_load(paths, n, ret, ps);
}

bool is_plan_path(const char *path)
{
    static const char *const ENDS[] = {".yml", ".yaml"};
    size_t n = strlen(path);
    for (size_t i = 0; i < ARRAY_LEN(ENDS); i++)
        if (n > strlen(ENDS[i]) && strcmp(path + n - strlen(ENDS[i]), ENDS[i]) == 0)
            return true;
    return false;
}

MUST_USE static int load_plan(const struct options *o, struct plan_file **ret, struct problems *ps)
{
    if (options_operand_count(o) == 1)
        return plan_file_load(options_operand(o, 0), ret, ps);
    problem_add(ps, PROBLEM_ERROR, options_operand(o, 0), 0, 0, "a plan names its journeys itself: give it alone");
    return -EINVAL;
}

struct journeys *load_run(const struct options *o, struct plan_file **ret_plan, int *ret_code)
{
    struct problems ps;
    problems_init(&ps);
    struct journeys *js = NULL;
    struct plan_file *plan = NULL;
    int r;
    if (ret_plan && is_plan_path(options_operand(o, 0))) {
        r = load_plan(o, &plan, &ps);
        js = r == 0 ? plan_file_journeys(plan) : NULL;
    } else {
        r = load_operands(o, &js, &ps);
    }
    if (r == 0)
        r = set_variables(js, o, true, &ps);
    if (r == 0)
        r = set_secrets(js, o, &ps);
    if (r == 0)
        r = journeys_complete(js, &ps);
    problems_print(&ps, stderr);
    if (r == 0 && problems_errors(&ps))
        r = -EINVAL;
    problems_done(&ps);
    if (r == 0) {
        if (ret_plan)
            *ret_plan = plan;
        return js;
    }
    if (r != -EINVAL)
        fprintf(stderr, "crest-loadgen: %s\n", strerror(-r));
    *ret_code = r == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
    if (plan)
        plan_file_free(plan);
    else
        journeys_free(js);
    return NULL;
}

struct journeys *load_journeys(const struct options *o, int *ret_code)
{
    return load_run(o, NULL, ret_code);
}

/* ---- names and limits ---- */

static bool is_run_id(const char *id)
{
    size_t n = strlen(id);
    for (size_t i = 0; i < n; i++) {
        char c = id[i], lower = (char)(c | 0x20);
        if (!((lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-'))
            return false;
    }
    return n >= 1 && n <= RUN_ID_BYTES_MAX;
}

bool make_run_id(const struct options *o, uint64_t seed, char *id, size_t id_bytes)
{
    const char *given = options_text(o, "run-id");
    if (given && !is_run_id(given)) {
        fprintf(stderr, "crest-loadgen: --run-id takes 1 to %d letters, digits, '.', '_' and '-', not '%s'\n",
                RUN_ID_BYTES_MAX, given);
        return false;
    }
    if (given) {
        snprintf(id, id_bytes, "%s", given);
        return true;
    }
    char now[NUMBER_TEXT_MAX]; /* 2026-11-27T00:00:00.000Z */
    format_rfc3339_ms(now, unix_ms());
    snprintf(id, id_bytes, "%.4s%.2s%.2s-%.2s%.2s%.2s-%04x", now, now + 5, now + 8, now + 11, now + 14, now + 17,
             (unsigned)(seed & 0xffff));
    return true;
}

void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)!setrlimit(RLIMIT_NOFILE, &limit); /* then fewer users can be open at once, and say so */
    }
}
