/* event import FILE | list | check FILE… | remove NAME */
#include <errno.h>
#include <inttypes.h>

#include "collector/ask_http.h"
#include "collector/ask_rooms.h"
#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/wire/yaml.h"

bool ask_is_event_file(struct span text)
{
    struct problems ignored;
    struct yaml *doc = NULL;
    problems_init(&ignored);
    bool yes = yaml_parse("", text, &doc, &ignored) == 0 && yaml_get(yaml_root(doc), "window") &&
               yaml_get(yaml_root(doc), "markets");
    yaml_free(doc);
    problems_done(&ignored);
    return yes;
}

bool ask_wants_data(const struct options *o)
{
    return options_given(o, "data") && !options_given(o, "url");
}

MUST_USE static int import_into(const struct options *o, const struct event_source *source)
{
    struct ask_rooms rooms;
    struct problems problems;
    problems_init(&problems);
    int r = ask_rooms_open(options_text(o, "data"), &rooms);
    if (r == 0) {
        r = events_put(rooms.events, source, SPAN(""), unix_ms(), &problems, NULL);
        problems_print(&problems, stderr);
        if (r < 0 && !problems.n)
            fprintf(stderr, "crest-collector event import: %s\n", strerror(-r));
    }
    problems_done(&problems);
    ask_rooms_close(&rooms);
    return r < 0 ? EXIT_FAILED : EXIT_OK;
}

MUST_USE static int import_by(const struct options *o, const struct event_source *source)
{
    struct json_writer j;
    struct buf body;
    buf_init(&body, EVENT_BODY_BYTES_MAX);
    jw_init(&j, &body);
    event_source_json(source, &j);
    int code = EXIT_FAILED;
    if (buf_error(&body))
        fprintf(stderr, "crest-collector event import: %s\n", strerror(-buf_error(&body)));
    else
        code = ask_http(o, "POST", "/api/crest/v1/events", buf_view(&body), NULL);
    buf_done(&body);
    return code;
}

static void describe(const struct event *e, const char *file)
{
    char starts[TZ_TEXT_MAX], ends[TZ_TEXT_MAX];
    tz_format(starts, e->tz, e->starts_ms, false);
    tz_format(ends, e->tz, e->ends_ms, false);
    printf("%s: ok: event %s, %s to %s, %zu market%s, %zu plan rows, %zu last rows\n", file, e->name, starts, ends,
           e->n_markets, e->n_markets == 1 ? "" : "s", e->plan.n, e->last.n);
}

static int import_file(const struct options *o)
{
    struct event_source source = {0};
    struct problems problems;
    struct event *e = NULL;
    const char *file = options_operand(o, 1);
    problems_init(&problems);
    int r = event_source_load(file, options_text(o, "starts"), options_text(o, "length"), &source, &problems);
    if (r == 0)
        r = event_read(&source, &e, &problems);
    problems_print(&problems, stderr);
    int code = r < 0 ? EXIT_USAGE : ask_wants_data(o) ? import_into(o, &source) : import_by(o, &source);
    if (code == EXIT_OK)
        describe(e, file);
    event_free(e);
    event_source_done(&source);
    problems_done(&problems);
    return code;
}

int ask_event_check(const char *file, const struct options *o, struct problems *problems)
{
    struct event_source source = {0};
    struct event *e = NULL;
    int r = event_source_load(file, o ? options_text(o, "starts") : NULL, o ? options_text(o, "length") : NULL, &source,
                              problems);
    if (r == 0)
        r = event_read(&source, &e, problems);
    if (r == 0)
        describe(e, file);
    event_free(e);
    event_source_done(&source);
    return r;
}

static int check_files(const struct options *o)
{
    struct problems problems;
    problems_init(&problems);
    for (size_t i = 1; i < options_operand_count(o); i++)
        (void)!ask_event_check(options_operand(o, i), o, &problems);
    int code = problems_errors(&problems) ? EXIT_USAGE : EXIT_OK;
    problems_print(&problems, stderr);
    problems_done(&problems);
    return code;
}

static void print_row(const char *name, const char *zone, int64_t starts_ms, int64_t ends_ms, const char *phase,
                      const char *title)
{
    struct tz *tz = NULL;
    char starts[TZ_TEXT_MAX] = "?", ends[TZ_TEXT_MAX] = "?";
    if (tz_load(zone, &tz) == 0) {
        tz_format(starts, tz, starts_ms, false);
        tz_format(ends, tz, ends_ms, false);
    }
    tz_free(tz);
    printf("%-24s  %-22s  %-22s  %-20s  %s\n", name, starts, ends, phase, title);
}

static int list(const struct options *o)
{
    if (ask_wants_data(o)) {
        struct ask_rooms rooms;
        struct event *e;
        int r = ask_rooms_open(options_text(o, "data"), &rooms);
        for (size_t i = 0; r == 0 && (e = events_at(rooms.events, i)); i++) {
            print_row(e->name, e->zone, e->starts_ms, e->ends_ms, event_phase_at(e, unix_ms()), e->title);
            event_free(e);
        }
        ask_rooms_close(&rooms);
        return r < 0 ? EXIT_FAILED : EXIT_OK;
    }
    struct buf body;
    struct parse_error error = {0};
    int code = ask_http(o, "GET", "/api/crest/v1/events", (struct span){NULL, 0}, &body);
    if (code != EXIT_OK)
        return code;
    json_t *answer = json_read(buf_view(&body), &error), *row;
    size_t i;
    json_array_foreach(json_object_get(answer, "data"), i, row)
    {
        const char *texts[] = {"name", "zone", "phase", "title"};
        for (size_t k = 0; k < ARRAY_LEN(texts); k++) {
            const char *text = json_string_value(json_object_get(row, texts[k]));
            texts[k] = text ? text : "";
        }
        print_row(texts[0], texts[1], json_integer_value(json_object_get(row, "starts")),
                  json_integer_value(json_object_get(row, "ends")), texts[2], texts[3]);
    }
    if (!answer)
        fprintf(stderr, "crest-collector event list: the answer is no JSON: %s\n", error.text);
    code = answer ? EXIT_OK : EXIT_FAILED;
    json_decref(answer);
    buf_done(&body);
    return code;
}

static int remove_one(const struct options *o)
{
    const char *name = options_operand(o, 1);
    if (!event_is_name(span_str(name))) {
        fprintf(stderr, "crest-collector event remove: '%s' is no event's name\n", name);
        return EXIT_USAGE;
    }
    if (ask_wants_data(o)) {
        struct ask_rooms rooms;
        int r = ask_rooms_open(options_text(o, "data"), &rooms);
        if (r == 0 && (r = events_remove(rooms.events, span_str(name))) < 0)
            fprintf(stderr, "crest-collector event remove: %s\n",
                    r == -ENOENT ? "there is none of that name" : strerror(-r));
        ask_rooms_close(&rooms);
        return r < 0 ? EXIT_FAILED : EXIT_OK;
    }
    char path[EVENT_NAME_MAX + 32];
    snprintf(path, sizeof path, "/api/crest/v1/events/%s", name);
    return ask_http(o, "DELETE", path, (struct span){NULL, 0}, NULL);
}

int ask_event(const struct options *o)
{
    static const struct {
        const char *name;
        size_t more_min, more_max;
        int (*run)(const struct options *o);
    } WAYS[] = {{"import", 1, 1, import_file},
                {"list", 0, 0, list},
                {"check", 1, 1000, check_files},
                {"remove", 1, 1, remove_one}};
    const char *way = options_operand(o, 0);
    size_t more = options_operand_count(o) - 1;
    for (size_t i = 0; i < ARRAY_LEN(WAYS); i++)
        if (strcmp(way, WAYS[i].name) == 0 && more >= WAYS[i].more_min && more <= WAYS[i].more_max)
            return WAYS[i].run(o);
    fprintf(stderr, "crest-collector event: use import FILE, list, check FILE… or remove NAME\n");
    return EXIT_USAGE;
}
