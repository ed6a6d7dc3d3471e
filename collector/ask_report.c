/* report EVENT --output FILE: from the running collector, or from the folder of a stopped one. */
#include <errno.h>

#include "collector/ask_http.h"
#include "collector/ask_rooms.h"
#include "collector/event/report.h"
#include "lib/base/file.h"
#include "lib/base/limits.h"

MUST_USE static int write_from_folder(const struct options *o, const char *name, struct buf *html)
{
    struct ask_rooms rooms;
    struct promql_error error = {0};
    int r = ask_rooms_open(options_text(o, "data"), &rooms);
    struct event *e = r == 0 ? events_get(rooms.events, span_str(name)) : NULL;
    if (e) {
        struct report_sources from = {rooms.query, rooms.events, rooms.annotations, rooms.firings};
        buf_init(html, REPORT_BYTES_MAX);
        r = report_write(&from, e, html, &error);
        if (r < 0)
            fprintf(stderr, "crest-collector report: %s\n", error.text[0] ? error.text : strerror(-r));
    } else if (r == 0) {
        fprintf(stderr, "crest-collector report: no event is called '%s'\n", name);
        r = -ENOENT;
    }
    event_free(e);
    ask_rooms_close(&rooms);
    return r < 0 ? EXIT_FAILED : EXIT_OK;
}

int ask_report(const struct options *o)
{
    const char *name = options_operand(o, 0), *to = options_text(o, "output");
    struct buf html = {0};
    char path[EVENT_NAME_MAX + 48];
    if (!event_is_name(span_str(name))) {
        fprintf(stderr, "crest-collector report: '%s' is no event's name\n", name);
        return EXIT_USAGE;
    }
    snprintf(path, sizeof path, "/api/crest/v1/events/%s/report", name);
    int code =
        ask_wants_data(o) ? write_from_folder(o, name, &html) : ask_http(o, "GET", path, (struct span){NULL, 0}, &html);
    if (code == EXIT_OK && strcmp(to, "-") == 0) {
        if (fwrite(html.data, 1, html.len, stdout) != html.len || fflush(stdout) != 0)
            code = EXIT_FAILED;
    } else if (code == EXIT_OK) {
        int r = file_write(to, html.data, html.len);
        if (r < 0) {
            fprintf(stderr, "crest-collector report: cannot write %s: %s\n", to, strerror(-r));
            code = EXIT_FAILED;
        } else {
            printf("%s: %zu KB\n", to, (html.len + 1023) / 1024);
        }
    }
    buf_done(&html);
    return code;
}
