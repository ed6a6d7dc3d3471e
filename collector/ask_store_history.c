/* store import DIR prometheus URL: the past of another Prometheus. */
#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/ask_store.h"
#include "collector/store/history.h"
#include "lib/base/clock.h"
#include "lib/base/number.h"
#include "lib/wire/http_client.h"
#include "lib/wire/url.h"

#define RETENTION_DEFAULT_MS (30 * 86400 * INT64_C(1000)) /* main.c's */
#define TELL_EVERY_US 5000000
#define TELL_TERMINAL_US 500000

struct telling {
    int64_t start_us, next_us;
    bool terminal, begun;
};

static void tell(void *ctx, const struct history *h)
{
    struct telling *t = ctx;
    int64_t now_us = mono_us();
    char reached[NUMBER_TEXT_MAX] = "";
    if (!t->begun) {
        fprintf(stderr, "%s: %zu metric names, by %s%s\n", h->url, h->names,
                h->by_remote_read ? "remote read" : "range queries",
                h->resumed ? "; goes on where it was interrupted" : "");
        t->begun = true;
        t->start_us = now_us;
    }
    if (now_us < t->next_us)
        return;
    t->next_us = now_us + (t->terminal ? TELL_TERMINAL_US : TELL_EVERY_US);
    (void)format_rfc3339_ms(reached, h->reached_ms);
    double seconds = (double)(now_us - t->start_us) / 1e6;
    if (h->requests > 3 && h->reached_ms)
        fprintf(stderr, "%s%zu of %zu names, %" PRIu64 " samples (%.0f per second), the next up to %s%s",
                t->terminal ? "\r" : "", h->names_done, h->names, h->samples,
                seconds > 0 ? (double)h->samples / seconds : 0, reached, t->terminal ? "\033[K" : "\n");
}

static int summary(const struct history *h, const char *dir)
{
    printf("%s: %" PRIu64 " samples", dir, h->samples);
    if (h->histograms)
        printf(" and %" PRIu64 " native histograms", h->histograms);
    printf(" of %" PRIu64 " series stored, %zu of %zu metric names, %" PRIu64 " requests\n", h->series,
           h->names_done - h->skipped_names, h->names, h->requests);
    if (h->samples + h->histograms && h->from_ms < unix_ms() - RETENTION_DEFAULT_MS)
        fprintf(stderr,
                "note: a collector drops what is older than its --retention (30d unless it is told otherwise, 0 is for "
                "ever): start it with one that reaches back as far\n");
    if (!h->by_remote_read)
        fprintf(stderr, "note: this server answers no remote read; a range query does not show stale markers\n");
    if (h->skipped_histograms)
        fprintf(stderr,
                "crest-collector store import: %" PRIu64
                " native histograms are left out: range queries do not show their layout, remote read would\n",
                h->skipped_histograms);
    if (h->skipped_names)
        fprintf(stderr,
                "crest-collector store import: %" PRIu64
                " metric names are left out, one instant of them is more than an answer may hold: narrow them with "
                "--match; the first: %s\n",
                h->skipped_names, h->skip);
    if (h->refused)
        fprintf(stderr, "crest-collector store import: %" PRIu64 " samples were refused, the first: %s\n", h->refused,
                h->refusal);
    return h->skipped_histograms || h->skipped_names || h->refused ? EXIT_FAILED : EXIT_OK;
}

static int run(struct history *h, const char *dir)
{
    char why[512] = "";
    struct telling t = {.terminal = isatty(STDERR_FILENO) == 1, .next_us = mono_us() + TELL_TERMINAL_US};
    h->tell = tell;
    h->ctx = &t;
    h->dir = dir;
    int r = ask_store_open(dir, true, &h->store);
    if (r < 0)
        return EXIT_FAILED;
    r = history_import(h, why, sizeof why);
    if (t.terminal && t.begun)
        fputs("\r\033[K", stderr);
    store_close(h->store);
    if (r == 0)
        return summary(h, dir);
    fprintf(stderr, "crest-collector store import: %s\n", why);
    if (r == -EACCES)
        fprintf(stderr, "--auth-file FILE gives it credentials.\n");
    else if (h->samples)
        fprintf(stderr, "%" PRIu64 " samples are stored; the same command goes on from there.\n", h->samples);
    return EXIT_FAILED;
}

int ask_store_history(const struct options *o, const char *dir, const char *from)
{
    struct url url;
    const char *why;
    struct ask_matches matches;
    const struct http_credentials credentials = {.auth_file = options_text(o, "auth-file"),
                                                 .ca_file = options_text(o, "ca-file")};
    struct history h = {.url = from,
                        .credentials = &credentials,
                        .to_is_now = !options_given(o, "to"),
                        .timeout_ms = options_duration_ms(o, "timeout"),
                        .retry_ms = options_duration_ms(o, "retry")};
    if (url_parse(&url, span_str(from), &why) < 0 || url.query.len || url.fragment.len) {
        fprintf(stderr,
                "crest-collector store import: '%s' is no Prometheus's address such as http://127.0.0.1:9090%s%s\n",
                from, url.query.len ? "" : ": ", url.query.len ? "" : why);
        return EXIT_USAGE;
    }
    if (!options_given(o, "from")) {
        fprintf(stderr, "crest-collector store import: say how far back: --from 2025-11-20T00:00:00Z\n");
        return EXIT_USAGE;
    }
    if (!ask_store_times(o, &h.from_ms, &h.to_ms) || !ask_store_matches(o, &matches))
        return EXIT_USAGE;
    if (h.to_is_now)
        h.to_ms = unix_ms();
    h.selections = matches.list;
    h.n_selections = matches.n;
    int code = EXIT_USAGE;
    if (h.from_ms < 0 || h.from_ms > h.to_ms)
        fprintf(stderr, "crest-collector store import: --from lies %s\n",
                h.from_ms < 0 ? "before 1970" : "in the future");
    else
        code = ask_store_make_folder(dir) < 0 ? EXIT_FAILED : run(&h, dir);
    ask_store_matches_done(&matches);
    return code;
}
