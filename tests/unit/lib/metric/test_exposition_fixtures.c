/* The pages of real exporters. What the parser says is compared with counts made here by plain text handling that knows
 * nothing of the parser; then every page is cut at every byte. */
#include "tests/support/check.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>

#include "lib/base/buf.h"
#include "lib/metric/exposition.h"

#define PAGES_MAX 64

struct fixture {
    char name[128];
    char *text;
    size_t len;
    bool openmetrics;
};
static struct fixture fixtures[PAGES_MAX];
static size_t n_fixtures;

static void load(const char *folder, const char *name)
{
    struct fixture *f = &fixtures[n_fixtures];
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    snprintf(f->name, sizeof f->name, "%s", name);
    AUTO_FCLOSE FILE *file = fopen(path, "re");
    assert_non_null(file);
    f->text = malloc(1 << 20);
    assert_non_null(f->text);
    f->len = fread(f->text, 1, 1 << 20, file);
    assert_true(f->len > 0 && f->len < 1 << 20);
    /* What the page is decides, not its name: prometheus.openmetrics has no # EOF, it is text 0.0.4. */
    f->openmetrics = f->len > 6 && memcmp(f->text + f->len - 6, "# EOF\n", 6) == 0;
    n_fixtures++;
}

static int load_all(void **state)
{
    (void)state;
    const char *folder = check_shared_path("fixtures/exposition");
    DIR *d = folder ? opendir(folder) : NULL;
    if (!d)
        return 0;
    char kept[4096];
    snprintf(kept, sizeof kept, "%s", folder);
    for (struct dirent *e; (e = readdir(d)) && n_fixtures < PAGES_MAX;)
        if (e->d_name[0] != '.')
            load(kept, e->d_name);
    closedir(d);
    return 0;
}

static int free_all(void **state)
{
    (void)state;
    while (n_fixtures > 0)
        free(fixtures[--n_fixtures].text);
    return 0;
}

static void need_fixtures(void)
{
    if (n_fixtures == 0)
        skip();
}

/* ---- the independent count ---- */

struct counted {
    size_t samples, types, helps, exemplars;
    struct {
        char name[200], type[20];
        size_t samples;
    } families[600];
    size_t n_families;
};

/* Family of a sample by the plainest rule: the last TYPE line above whose name the sample's name begins with and whose
 * rest is a known ending. Exporters write families together, so that is the TYPE line directly above. */
static void count_page(const struct fixture *f, struct counted *c)
{
    memset(c, 0, sizeof *c);
    AUTO_FREE char *copy = malloc(f->len + 1);
    assert_non_null(copy);
    memcpy(copy, f->text, f->len);
    copy[f->len] = '\0';
    for (char *line = copy, *next; *line; line = next) {
        next = strchr(line, '\n');
        assert_non_null(next); /* all of them end with a newline */
        *next++ = '\0';
        if (strncmp(line, "# HELP ", 7) == 0) {
            c->helps++;
        } else if (strncmp(line, "# TYPE ", 7) == 0) {
            c->types++;
            int n = sscanf(line + 7, "%199s %19s", c->families[c->n_families].name, c->families[c->n_families].type);
            assert_int_equal(n, 2);
            c->n_families++;
        } else if (line[0] != '#' && line[0] != '\0') {
            c->samples++;
            c->exemplars += strstr(line, " # {") != NULL;
            assert_true(c->n_families > 0);
            c->families[c->n_families - 1].samples++;
        }
    }
}

/* ---- what the parser says ---- */

struct told {
    const struct fixture *fixture;
    struct counted *counted;
    size_t at; /* byte of the page where the next sample's line is searched */
    size_t samples, exemplars, types, family, in_family;
};

/* The number of label pairs and the value of a line, by looking at quotes and blanks only. */
static void read_line_naively(const char *line, size_t len, size_t *ret_labels, char value[64], char time[64])
{
    size_t labels = 0, i = 0;
    bool quoted = false;
    for (; i < len; i++) {
        if (quoted && line[i] == '\\')
            i++;
        else if (line[i] == '"')
            quoted = !quoted;
        else if (!quoted && line[i] == '=')
            labels++;
        else if (!quoted && line[i] == ' ')
            break;
    }
    *ret_labels = labels;
    time[0] = '\0';
    char rest[256];
    snprintf(rest, sizeof rest, "%.*s", (int)(len - i), line + i);
    char *exemplar = strstr(rest, " # ");
    if (exemplar)
        *exemplar = '\0';
    assert_true(sscanf(rest, "%63s %63s", value, time) >= 1);
}

static int compare_sample(void *ctx, const struct exposition_sample *s)
{
    struct told *t = ctx;
    const struct fixture *f = t->fixture;
    while (f->text[t->at] == '#' || f->text[t->at] == '\n') /* on to the next line that is a sample */
        while (f->text[t->at++] != '\n')
            ;
    const char *line = f->text + t->at;
    size_t len = (size_t)(strchr(line, '\n') - line);
    t->at += len + 1;
    t->samples++;
    t->exemplars += s->exemplar != NULL;

    size_t labels, name_len = strcspn(line, "{ ");
    char value[64], time[64];
    read_line_naively(line, len, &labels, value, time);
    struct span name = labels_get(&s->labels, SPAN("__name__"));
    size_t empty = 0;
    for (const char *at = line; (at = strstr(at, "=\"\"")) && at < line + len; at++)
        empty++;
    double want = strtod(value, NULL);
    bool same = span_equal(name, span_of(line, name_len)) && s->labels.n == 1 + labels - empty &&
                (isnan(want) ? isnan(s->value) : s->value == want) && s->has_time == (time[0] != '\0') &&
                (!s->has_time || f->openmetrics || s->t_ms == strtoll(time, NULL, 10));
    if (!same)
        check_failed("%s: sample %zu: %.*s", f->name, t->samples, (int)len, line);

    struct counted *c = t->counted;
    while (t->family < c->n_families && t->in_family == c->families[t->family].samples) {
        t->family++;
        t->in_family = 0;
    }
    t->in_family++;
    assert_true(t->family < c->n_families);
    const char *type = c->families[t->family].type;
    if (!span_equal(s->family, span_str(c->families[t->family].name)) ||
        strcmp(metric_type_name(s->type), strcmp(type, "untyped") == 0 ? "unknown" : type) != 0)
        check_failed("%s: %.*s is of " SPAN_FMT ", counted as of %s", f->name, (int)name_len, line, SPAN_ARG(s->family),
                     c->families[t->family].name);
    return 0;
}

static int count_metadata(void *ctx, const struct metadata *m)
{
    struct told *t = ctx;
    (void)m;
    t->types++;
    return 0;
}

static void every_page_parses_and_agrees_with_an_independent_count(void **state)
{
    (void)state;
    need_fixtures();
    assert_true(n_fixtures >= 12);
    static struct counted counted;
    for (size_t i = 0; i < n_fixtures; i++) {
        struct fixture *f = &fixtures[i];
        f->text[f->len] = '\0';
        count_page(f, &counted);
        struct told told = {.fixture = f, .counted = &counted};
        struct exposition_events ev = {&told, compare_sample, count_metadata, false};
        struct parse_error err = {0};
        int r = exposition_parse(f->openmetrics ? EXPOSITION_OPENMETRICS : EXPOSITION_TEXT, span_of(f->text, f->len),
                                 &ev, &err);
        if (r != 0)
            check_failed("%s:%u:%u: %s", f->name, err.line, err.column, err.text);
        assert_int_equal(told.samples, counted.samples);
        assert_int_equal(told.types, counted.types + counted.helps);
        assert_int_equal(told.exemplars, counted.exemplars);
        print_message("%s: %zu families, %zu samples, %zu exemplars\n", f->name, counted.n_families, counted.samples,
                      counted.exemplars);
    }
}

/* ---- cut pages ---- */

static int count_sample(void *ctx, const struct exposition_sample *s)
{
    const char *why;
    assert_int_equal(labels_check(&s->labels, &why), 0);
    ++*(size_t *)ctx;
    return 0;
}

/* The samples of lines that are complete within the first n bytes. */
static size_t complete_samples(const char *text, size_t n)
{
    size_t count = 0, start = 0;
    for (size_t i = 0; i < n; i++) {
        if (text[i] != '\n')
            continue;
        count += i > start && text[start] != '#';
        start = i + 1;
    }
    return count;
}

static void cut(const struct fixture *f, const char *text, size_t n, size_t whole)
{
    char *copy = malloc(n ? n : 1); /* exactly n bytes, so that ASan sees one byte too far */
    assert_non_null(copy);
    memcpy(copy, text, n);
    size_t samples = 0;
    struct exposition_events ev = {&samples, count_sample, NULL, false};
    struct parse_error err = {0};
    int r = exposition_parse(f->openmetrics ? EXPOSITION_OPENMETRICS : EXPOSITION_TEXT, span_of(copy, n), &ev, &err);
    size_t complete = complete_samples(text, n);
    bool at_line_end = n == 0 || text[n - 1] == '\n';
    bool fine = r == 0 || (r == -EINVAL && err.line > 0 && err.column > 0 && err.text[0]);
    fine = fine && samples >= complete && samples <= complete + 1;
    if (f->openmetrics) /* nothing but the whole page has its # EOF */
        fine = fine && (r == 0) == (n >= whole);
    else if (at_line_end)
        fine = fine && r == 0 && samples == complete;
    if (!fine)
        check_failed("%s cut to %zu bytes: %d %u:%u: %s, %zu samples of %zu", f->name, n, r, err.line, err.column,
                     err.text, samples, complete);
    free(copy);
}

/* Whole pages where that is quick; of long ones, windows of some 1,500 bytes that together have every byte as their cut. */
static void a_page_cut_at_any_byte_is_refused_or_valid(void **state)
{
    (void)state;
    need_fixtures();
    for (size_t i = 0; i < n_fixtures; i++) {
        const struct fixture *f = &fixtures[i];
        bool small = f->len < 8192;
        size_t whole = f->openmetrics ? f->len - 1 : f->len; /* the newline behind # EOF may miss */
        for (size_t start = 0; start < f->len;) {
            size_t end = small ? f->len : start + 1500;
            while (end < f->len && f->text[end - 1] != '\n')
                end++;
            end = end < f->len ? end : f->len;
            for (size_t n = 0; n <= end - start; n++)
                cut(f, f->text + start, n, whole - start);
            start = end;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_page_parses_and_agrees_with_an_independent_count),
        cmocka_unit_test(a_page_cut_at_any_byte_is_refused_or_valid),
    };
    return cmocka_run_group_tests(tests, load_all, free_all);
}
