#include "loadgen/trial/report_files.h"

#include <errno.h>

#include "lib/base/file.h"
#include "lib/base/limits.h"
#include "loadgen/trial/record_json.h"

enum trial_outcome record_outcome(const struct record *r)
{
    enum trial_outcome outcome = r->error < 0 ? TRIAL_RUNTIME : r->result.outcome;
    for (size_t i = 0; i < r->n_failures; i++)
        if (r->failures[i].runtime)
            outcome = TRIAL_RUNTIME;
    return outcome;
}

/* The report that is there; empty when there is none. */
MUST_USE static int read_old(const char *path, char **ret, struct span *ret_text)
{
    size_t n;
    int r = file_read(path, RECORD_BYTES_MAX, ret, &n);
    *ret_text = r == 0 ? span_of(*ret, n) : (struct span){"", 0};
    return r == -ENOENT ? 0 : r;
}

MUST_USE static int write_report(const char *path, struct buf *text)
{
    int r = buf_error(text) ? buf_error(text) : file_write(path, text->data, text->len);
    buf_done(text);
    return r;
}

/* ---- JUnit ---- */

static void put_xml(struct buf *out, struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        const char *entity = c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '"' ? "&quot;" : NULL;
        if (entity)
            buf_str(out, entity);
        else if ((unsigned char)c >= 0x20 || c == '\n' || c == '\t')
            buf_char(out, c);
        else
            buf_char(out, '?'); /* XML has no way to write it */
    }
}

static void put_testcase(struct buf *out, const struct record *r)
{
    buf_str(out, "<testcase id=\"");
    put_xml(out, span_str(r->show.file));
    buf_str(out, "\" name=\"");
    put_xml(out, span_str(r->show.file));
    buf_printf(out, "\" time=\"%.3f\">", (double)r->result.duration_us / 1e6);
    for (size_t i = 0; i < r->n_failures; i++) {
        const char *tag = r->failures[i].runtime ? "error" : "failure";
        buf_printf(out, "<%s>", tag);
        put_xml(out, span_str(r->failures[i].text ? r->failures[i].text : ""));
        buf_printf(out, "</%s>", tag);
    }
    if (r->error < 0)
        buf_printf(out, "<error>it cannot be run: %s</error>", strerror(-r->error));
    buf_str(out, "</testcase>");
}

int report_junit(const char *path, struct record *const *records, size_t n)
{
    static const struct span END = SPAN_INIT("</testsuites>");
    AUTO_FREE char *bytes = NULL;
    struct span old;
    int r = read_old(path, &bytes, &old);
    if (r < 0)
        return r;
    size_t errors = 0, failures = 0, end = span_search(old, END);
    for (size_t i = 0; i < n; i++) {
        errors += record_outcome(records[i]) == TRIAL_RUNTIME;
        failures += record_outcome(records[i]) == TRIAL_ASSERT;
    }
    struct buf out;
    buf_init(&out, RECORD_BYTES_MAX);
    if (end < old.len)
        buf_span(&out, span_of(old.ptr, end));
    else
        buf_str(&out, "<?xml version=\"1.0\" encoding=\"utf-8\"?><testsuites>");
    buf_printf(&out, "<testsuite tests=\"%zu\" errors=\"%zu\" failures=\"%zu\">", n, errors, failures);
    for (size_t i = 0; i < n; i++)
        put_testcase(&out, records[i]);
    buf_str(&out, "</testsuite></testsuites>");
    return write_report(path, &out);
}

/* ---- TAP ---- */

static bool is_result(struct span line)
{
    return span_starts(line, SPAN("ok ")) || span_starts(line, SPAN("not ok "));
}

/* "ok 3 - file" and what follows the number of an older result. */
static struct span description_of(struct span line)
{
    size_t dash = span_search(line, SPAN(" - "));
    return span_from(line, dash);
}

int report_tap(const char *path, struct record *const *records, size_t n)
{
    AUTO_FREE char *bytes = NULL;
    struct span old, rest, line;
    int r = read_old(path, &bytes, &old);
    if (r < 0)
        return r;
    size_t total = n, number = 0;
    for (rest = old; span_cut(&rest, '\n', &line);)
        total += is_result(line);
    struct buf out;
    buf_init(&out, RECORD_BYTES_MAX);
    buf_printf(&out, "TAP version 13\n1..%zu\n", total);
    for (rest = old; span_cut(&rest, '\n', &line);)
        if (is_result(line))
            buf_printf(&out, "%s %zu" SPAN_FMT "\n", line.ptr[0] == 'o' ? "ok" : "not ok", ++number,
                       SPAN_ARG(description_of(line)));
    for (size_t i = 0; i < n; i++)
        buf_printf(&out, "%s %zu - %s\n", record_outcome(records[i]) == TRIAL_OK ? "ok" : "not ok", ++number,
                   records[i]->show.file);
    return write_report(path, &out);
}

/* ---- JSON ---- */

void report_json_record(struct buf *out, const struct record *r)
{
    const struct secrets none = {0};
    buf_str(out, "{\"entries\":[");
    buf_span(out, buf_view(&r->json));
    buf_str(out, "],\"filename\":");
    record_json_text(out, &none, span_str(r->show.file));
    buf_printf(out, ",\"success\":%s,\"time\":%lld}", record_outcome(r) == TRIAL_OK ? "true" : "false",
               (long long)(r->result.duration_us / 1000));
}

int report_json_folder(const char *folder, struct record *const *records, size_t n)
{
    AUTO_FREE char *bytes = NULL;
    struct span old;
    struct buf path, out;
    buf_init(&path, 1u << 20);
    buf_init(&out, RECORD_BYTES_MAX);
    buf_printf(&path, "%s/report.json", folder);
    int r = buf_error(&path) ? -ENOMEM : read_old(path.data, &bytes, &old);
    if (r == 0) {
        old = span_trim(old);
        bool list = old.len > 2 && old.ptr[0] == '[' && old.ptr[old.len - 1] == ']';
        buf_span(&out, list ? span_of(old.ptr, old.len - 1) : SPAN("["));
        for (size_t i = 0; i < n; i++) {
            if (list || i)
                buf_char(&out, ',');
            report_json_record(&out, records[i]);
        }
        buf_str(&out, "]");
        r = write_report(path.data, &out);
    }
    buf_done(&out);
    buf_done(&path);
    return r;
}

/* ---- curl ---- */

int report_curl(const char *path, struct record *const *records, size_t n)
{
    struct buf out;
    buf_init(&out, RECORD_BYTES_MAX);
    buf_str(&out, "");
    for (size_t i = 0; i < n; i++)
        buf_span(&out, buf_view(&records[i]->commands));
    return write_report(path, &out);
}
