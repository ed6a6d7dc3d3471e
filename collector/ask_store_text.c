/* store export DIR | import DIR FILE: OpenMetrics text with time stamps. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/ask_store.h"
#include "collector/promql/promql.h"
#include "collector/store/text_in.h"
#include "collector/store/text_out.h"

#define MATCH_BYTES_MAX (16u << 20)
#define PIPE_PIECE (1u << 20)

bool ask_store_matches(const struct options *o, struct ask_matches *ret)
{
    size_t n = options_list_count(o, "match");
    *ret = (struct ask_matches){0};
    arena_init(&ret->arena, MATCH_BYTES_MAX);
    ret->list = arena_array(&ret->arena, n, sizeof *ret->list);
    for (size_t i = 0; ret->list && i < n; i++) {
        struct parse_error error = {0};
        struct matcher *matchers;
        struct store_selection *s = &ret->list[i];
        if (promql_parse_selector(span_str(options_list(o, "match", i)), &ret->arena, &matchers, &s->n_matchers,
                                  &error) < 0) {
            fprintf(stderr, "crest-collector store: --match %s: %" PRIu32 ":%" PRIu32 ": %s\n",
                    options_list(o, "match", i), error.line, error.column, error.text);
            ask_store_matches_done(ret);
            return false;
        }
        s->matchers = matchers;
        s->min_ms = INT64_MIN;
        s->max_ms = INT64_MAX;
        ret->n++;
    }
    return ret->list != NULL;
}

void ask_store_matches_done(struct ask_matches *m)
{
    for (size_t i = 0; i < m->n; i++)
        for (size_t k = 0; k < m->list[i].n_matchers; k++)
            matcher_done((struct matcher *)&m->list[i].matchers[k]);
    arena_done(&m->arena);
    m->n = 0;
}

/* ---- export ---- */
static int to_stdout(void *ctx UNUSED, const char *text, size_t n)
{
    return fwrite(text, 1, n, stdout) == n ? 0 : -EIO;
}

int ask_store_export(const struct options *o)
{
    struct ask_matches matches;
    struct text_export e = {.write = to_stdout};
    if (!ask_store_times(o, &e.min_ms, &e.max_ms) || !ask_store_matches(o, &matches))
        return EXIT_USAGE;
    e.selections = matches.list;
    e.n_selections = matches.n;
    e.native_histograms = options_flag(o, "native-histograms");
    int r = ask_store_open(options_operand(o, 1), false, &e.store);
    if (r == 0) {
        r = store_export(&e);
        if (r == 0 && fflush(stdout) != 0)
            r = -errno;
        if (r < 0)
            fprintf(stderr, "crest-collector store export: %s\n", strerror(-r));
        store_close(e.store);
    }
    ask_store_matches_done(&matches);
    if (r < 0)
        return EXIT_FAILED;
    fprintf(stderr, "%" PRIu64 " samples of %" PRIu64 " series\n", e.samples, e.series);
    const struct {
        uint64_t n;
        const char *words;
    } LOST[] = {{e.stale, "stale markers: left out"},
                {e.histograms, "native histograms: left out (--native-histograms writes them)"},
                {e.nans, "NaNs with a payload: became NaN"},
                {e.exemplars, "exemplars where they stand: left out"},
                {e.nameless, "series without a metric name: left out"}};
    for (size_t i = 0; i < ARRAY_LEN(LOST); i++)
        if (LOST[i].n)
            fprintf(stderr, "note: OpenMetrics has no word for %" PRIu64 " %s\n", LOST[i].n, LOST[i].words);
    return EXIT_OK;
}

/* ---- import ---- */
/* Standard input into a file without a name: the text is read twice, and may be larger than memory. */
static int spool(const char *dir)
{
    char *piece = malloc(PIPE_PIECE);
    int fd = piece ? open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600) : -1;
    int r = !piece ? -ENOMEM : fd < 0 ? -errno : 0;
    ssize_t got = 1;
    while (r == 0 && (got = read(STDIN_FILENO, piece, PIPE_PIECE)) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        r = got < 0 ? -errno : 0;
        for (ssize_t at = 0, n; r == 0 && at < got; at += n)
            if ((n = write(fd, piece + at, (size_t)(got - at))) < 0)
                r = -errno;
    }
    free(piece);
    if (r < 0 && fd >= 0)
        close(fd);
    return r < 0 ? r : fd;
}

static int import_text(const char *dir, const char *file, struct span text)
{
    struct parse_error error = {0};
    struct text_import i = {.text = text};
    int r = ask_store_make_folder(dir);
    if (r == 0)
        r = ask_store_open(dir, true, &i.store);
    if (r < 0)
        return EXIT_FAILED;
    r = store_import(&i, &error);
    store_close(i.store);
    if (r == -EINVAL) {
        fprintf(stderr, "%s:%" PRIu32 ":%" PRIu32 ": %s\n", file, error.line, error.column, error.text);
        return EXIT_USAGE;
    }
    if (r < 0) {
        fprintf(stderr, "crest-collector store import: %s; %" PRIu64 " samples were stored before\n", i.why, i.samples);
        return EXIT_FAILED;
    }
    printf("%" PRIu64 " sample%s stored\n", i.samples, i.samples == 1 ? "" : "s");
    if (i.exemplars_refused)
        fprintf(stderr, "note: %" PRIu64 " exemplars are left out, their series have newer ones\n",
                i.exemplars_refused);
    if (i.refused)
        fprintf(stderr, "crest-collector store import: %" PRIu64 " sample%s refused, the first: %s\n", i.refused,
                i.refused == 1 ? " was" : "s were", i.why);
    return i.refused ? EXIT_FAILED : EXIT_OK;
}

static bool is_address(const char *text)
{
    return strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0;
}

int ask_store_import(const struct options *o)
{
    const char *dir = options_operand(o, 1), *file = options_operand(o, 2);
    if (options_operand_count(o) == 4) { /* with import itself */
        if (strcmp(file, "prometheus") == 0)
            return ask_store_history(o, dir, options_operand(o, 3));
        fprintf(stderr, "crest-collector store import: '%s' is not 'prometheus', which is all that is asked by URL\n",
                file);
        return EXIT_USAGE;
    }
    if (strcmp(dir, "prometheus") == 0 && is_address(file))
        return ask_store_history(o, options_text(o, "data"), file);
    if (is_address(file)) {
        fprintf(stderr, "crest-collector store import: for a server use import %s prometheus %s --from TIME\n", dir,
                file);
        return EXIT_USAGE;
    }
    bool piped = strcmp(file, "-") == 0;
    struct stat st;
    if (piped && ask_store_make_folder(dir) < 0) /* of a file there should be one first */
        return EXIT_FAILED;
    int fd = piped ? spool(dir) : open(file, O_RDONLY | O_CLOEXEC), code = EXIT_FAILED;
    if (fd < 0 || fstat(fd, &st) < 0) {
        fprintf(stderr, "crest-collector store import: %s: %s\n", file, strerror(piped && fd < 0 ? -fd : errno));
        return EXIT_FAILED;
    }
    void *text = st.st_size ? mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
    if (text == MAP_FAILED)
        fprintf(stderr, "crest-collector store import: %s: %s\n", file, strerror(errno));
    else
        code = import_text(dir, piped ? "standard input" : file, span_of(text ? text : "", (size_t)st.st_size));
    if (text && text != MAP_FAILED)
        (void)munmap(text, (size_t)st.st_size);
    close(fd);
    return code;
}
