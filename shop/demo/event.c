/* The sale as the collector knows it: through its own commands, as its users would. */
#include "shop/demo/demo.h"

#include <errno.h>
#include <string.h>

#include "lib/base/file.h"
#include "lib/base/number.h"

#define COMMAND_MS 60000 /* a report of a sanitized collector on a busy machine */

/* Run crest-collector with these arguments, ended by NULL; says why on stderr when it fails. */
MUST_USE static int run_command(struct stage *s, const char *const *args)
{
    char program[4096], url[128], log[4096];
    const char *argv[16] = {program};
    size_t n = 1;
    int status = 0;
    AUTO_FREE char *output = NULL;
    snprintf(program, sizeof program, "%s/crest-collector", s->bin);
    snprintf(url, sizeof url, "http://%s", s->address[COLLECTOR]);
    snprintf(log, sizeof log, "%s/commands.log", s->dir);
    while (args[n - 1] && n < ARRAY_LEN(argv) - 3) {
        argv[n] = args[n - 1];
        n++;
    }
    argv[n++] = "--url";
    argv[n++] = url;
    argv[n] = NULL;
    int r = process_run(argv, &(struct process_options){.log_path = log}, COMMAND_MS, 1u << 16, &output, &status);
    if (r == 0 && status == 0)
        return 0;
    AUTO_FREE char *said = NULL;
    fprintf(stderr, "demo: crest-collector %s failed (%s, status %d)\n%s%s", args[0], strerror(-r), status,
            output ? output : "", file_read(log, 1u << 16, &said, NULL) == 0 ? said : "");
    return r < 0 ? r : -EIO;
}

int event_import(struct stage *s, int64_t doors_ms, int64_t closes_ms)
{
    char file[4096], starts[NUMBER_TEXT_MAX], length[32];
    snprintf(file, sizeof file, "%s/event.yml", s->source);
    format_rfc3339_ms(starts, doors_ms);
    snprintf(length, sizeof length, "%lldms", (long long)(closes_ms - doors_ms));
    return run_command(s, (const char *[]){"event", "import", file, "--starts", starts, "--length", length, NULL});
}

void event_mark(struct stage *s, const char *kind, const char *service, const char *text)
{
    struct buf body;
    struct json_writer j;
    buf_init(&body, 4096);
    jw_init(&j, &body);
    jw_object(&j);
    jw_key(&j, "kind");
    jw_str(&j, kind);
    jw_key(&j, "service");
    jw_str(&j, service);
    jw_key(&j, "text");
    jw_str(&j, text);
    jw_end(&j);
    if (buf_error(&body) == 0)
        json_decref(stage_json(s, COLLECTOR, "POST", "/api/crest/v1/annotations", body.data));
    buf_done(&body);
}

int event_report(struct stage *s, const char *path)
{
    return run_command(s, (const char *[]){"report", EVENT_NAME, "-o", path, NULL});
}
