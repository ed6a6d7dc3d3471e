#include "loadgen/trial/report_html.h"

#include <errno.h>

#include "lib/base/file.h"
#include "lib/base/limits.h"
#include "lib/base/number.h"
#include "lib/chart/chart.h"
#include "lib/chart/page.h"
#include "loadgen/trial/report_files.h"

/* How a line of the index begins: read again when the report is gone on with. */
#define ROW_OK "<tr class=\"ok\">"
#define ROW_FAILED "<tr class=\"failed\">"

static void put(struct buf *out, const char *text)
{
    html_text(out, span_str(text));
}

static void page_name(char *to, size_t room, const struct record *r)
{
    snprintf(to, room, "store/%lld-%u.html", (long long)r->started_ms, r->number);
}

static const char *outcome_of(const struct record *r)
{
    static const char *const WORDS[] = {
        [TRIAL_OK] = "passed", [TRIAL_ASSERT] = "failed", [TRIAL_RUNTIME] = "could not be run"};
    return WORDS[record_outcome(r)];
}

MUST_USE static int write_page(const char *folder, const char *name, const struct buf *page)
{
    struct buf path;
    buf_init(&path, 1u << 20);
    buf_printf(&path, "%s/%s", folder, name);
    int r = buf_error(&path) ? buf_error(&path) : buf_error(page);
    if (r == 0)
        r = file_write(path.data, page->data, page->len);
    buf_done(&path);
    return r;
}

/* ---- a run of a file ---- */

static void put_failures(struct buf *out, const struct record *r)
{
    if (r->n_failures == 0 && r->error == 0)
        return;
    buf_str(out, "<h2>What failed</h2>\n<ul>\n");
    if (r->error < 0) {
        buf_str(out, "<li>");
        put(out, strerror(-r->error));
        buf_str(out, "</li>\n");
    }
    for (size_t i = 0; i < r->n_failures; i++) {
        buf_str(out, "<li>");
        put(out, r->failures[i].text ? r->failures[i].text : "");
        buf_str(out, "</li>\n");
    }
    buf_str(out, "</ul>\n");
}

static void put_requests(struct buf *out, const struct record *r)
{
    struct span rest = buf_view(&r->timeline), line, field;
    buf_str(out,
            "<h2>Requests</h2>\n<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"requests\"><table>"
            "<thead><tr><th>entry</th><th>line</th><th>method</th><th>URL</th><th>status</th><th>ms</th></tr></thead>"
            "<tbody>\n");
    while (span_cut(&rest, '\n', &line)) {
        if (line.len == 0)
            continue;
        buf_str(out, "<tr>");
        while (span_cut(&line, '\t', &field)) {
            buf_str(out, "<td>");
            html_text(out, field);
            buf_str(out, "</td>");
        }
        buf_str(out, "</tr>\n");
    }
    buf_str(out, "</tbody></table></div>\n");
}

static bool failed_at(const struct record *r, unsigned line)
{
    for (size_t i = 0; i < r->n_failures; i++)
        if (r->failures[i].line == line)
            return true;
    return false;
}

static void put_source(struct buf *out, const struct record *r)
{
    struct buf hidden;
    buf_init(&hidden, RECORD_BYTES_MAX);
    secrets_hide(&hidden, r->secrets, r->show.source);
    struct span rest = buf_view(&hidden), line;
    buf_str(out, "<h2>The file</h2>\n<pre class=\"wide\" tabindex=\"0\">");
    for (unsigned number = 1; span_cut(&rest, '\n', &line); number++) {
        bool bad = failed_at(r, number);
        buf_printf(out, "%s%4u%s ", bad ? "<mark>" : "", number, bad ? " \xe2\x9c\x97" : "  ");
        html_text(out, line);
        buf_str(out, bad ? "</mark>\n" : "\n");
    }
    buf_str(out, "</pre>\n");
    if (buf_error(&hidden) && !out->error)
        out->error = buf_error(&hidden);
    buf_done(&hidden);
}

MUST_USE static int write_run(const char *folder, const struct record *r)
{
    struct buf page;
    char name[64], started[NUMBER_TEXT_MAX];
    buf_init(&page, RECORD_BYTES_MAX);
    page_name(name, sizeof name, r);
    format_rfc3339_ms(started, r->started_ms);
    page_begin(&page, span_str(r->show.file));
    buf_str(&page, "<h1>");
    put(&page, r->show.file);
    buf_printf(&page,
               "</h1>\n<p class=\"verdict\">%s</p>\n<p>%llu requests in %lld ms, begun %s. <a "
               "href=\"../index.html\">All files</a></p>\n",
               outcome_of(r), (unsigned long long)r->result.requests, (long long)(r->result.duration_us / 1000),
               started);
    put_failures(&page, r);
    put_requests(&page, r);
    put_source(&page, r);
    page_end(&page);
    int code = write_page(folder, name, &page);
    buf_done(&page);
    return code;
}

/* ---- the index ---- */

static void put_row(struct buf *out, const struct record *r)
{
    char name[64], started[NUMBER_TEXT_MAX];
    page_name(name, sizeof name, r);
    format_rfc3339_ms(started, r->started_ms);
    buf_printf(out, "%s<td><a href=\"%s\">", record_outcome(r) == TRIAL_OK ? ROW_OK : ROW_FAILED, name);
    put(out, r->show.file);
    buf_printf(out, "</a></td><td>%s</td><td>%llu</td><td>%lld</td><td>%s</td></tr>\n", outcome_of(r),
               (unsigned long long)r->result.requests, (long long)(r->result.duration_us / 1000), started);
}

/* The lines of the report that is there. */
MUST_USE static int add_old_rows(struct buf *rows, const char *folder)
{
    AUTO_FREE char *text = NULL;
    struct buf path;
    size_t n = 0;
    buf_init(&path, 1u << 20);
    buf_printf(&path, "%s/index.html", folder);
    int r = buf_error(&path) ? -ENOMEM : file_read(path.data, RECORD_BYTES_MAX, &text, &n);
    buf_done(&path);
    struct span rest = span_of(text, r == 0 ? n : 0), line;
    while (rest.len && span_cut(&rest, '\n', &line))
        if (span_starts(line, SPAN(ROW_OK)) || span_starts(line, SPAN(ROW_FAILED))) {
            buf_span(rows, line);
            buf_char(rows, '\n');
        }
    return r == -ENOENT ? 0 : r;
}

static size_t count(struct span text, struct span word)
{
    size_t n = 0, at;
    for (; (at = span_search(text, word)) < text.len; n++)
        text = span_from(text, at + word.len);
    return n;
}

int report_html_folder(const char *folder, struct record *const *records, size_t n)
{
    struct buf rows, page;
    buf_init(&rows, RECORD_BYTES_MAX);
    buf_init(&page, RECORD_BYTES_MAX);
    int r = add_old_rows(&rows, folder);
    for (size_t i = 0; i < n && r == 0; i++) {
        put_row(&rows, records[i]);
        r = write_run(folder, records[i]);
    }
    size_t good = count(buf_view(&rows), SPAN(ROW_OK)), bad = count(buf_view(&rows), SPAN(ROW_FAILED));
    page_begin(&page, SPAN("Tests"));
    buf_printf(&page, "<h1>Tests</h1>\n<p class=\"verdict\">%s</p>\n<p>%zu files run, %zu passed, %zu failed</p>\n",
               bad ? "failed" : "passed", good + bad, good, bad);
    buf_str(&page,
            "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"files\"><table><thead><tr><th>file</th>"
            "<th>result</th><th>requests</th><th>ms</th><th>begun</th></tr></thead><tbody>\n");
    buf_span(&page, buf_view(&rows));
    buf_str(&page, "</tbody></table></div>\n");
    page_end(&page);
    if (r == 0)
        r = buf_error(&rows) ? buf_error(&rows) : write_page(folder, "index.html", &page);
    buf_done(&rows);
    buf_done(&page);
    return r;
}
