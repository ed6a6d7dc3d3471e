#include "collector/ask.h"

#include <errno.h>

#include "collector/ask_http.h"
#include "collector/ask_rooms.h"
#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/base/number.h"
#include "lib/wire/json.h"

#define REASON_BYTES_MAX 300 /* of a stranger's page that a terminal gets to see */

/* A refusal that is not of the API is a line of plain text. */
static struct span plain_reason(const struct http_response *response)
{
    struct span text = buf_view(&response->body), line = span_of(text.ptr, span_find(text, '\n'));
    bool plain = line.len && line.len <= REASON_BYTES_MAX && line.ptr[0] != '<' && line.ptr[0] != '{';
    for (size_t i = 0; i < line.len; i++)
        plain = plain && (unsigned char)line.ptr[i] >= ' ' && line.ptr[i] != 0x7f;
    return plain ? line : SPAN("no reason given");
}

int ask_http(const struct options *o, const char *method, const char *path, struct span body, struct buf *ret_body)
{
    AUTO_FREE char *url = NULL;
    const char *base = options_text(o, "url"), *accept = "Content-Type: application/json";
    const char *headers[] = {accept, NULL};
    struct http_credentials credentials = {.auth_file = options_text(o, "auth-file"),
                                           .ca_file = options_text(o, "ca-file")};
    struct span trimmed = span_str(base);
    while (trimmed.len && trimmed.ptr[trimmed.len - 1] == '/')
        trimmed.len--;
    if (asprintf(&url, SPAN_FMT "%s", SPAN_ARG(trimmed), path) < 0) {
        url = NULL;
        return EXIT_FAILED;
    }
    struct http_request request = {.method = method,
                                   .url = url,
                                   .headers = headers,
                                   .body = body,
                                   .credentials = &credentials,
                                   .timeout_ms = 120000};
    struct http_response response = {0};
    int code = EXIT_OK, r = http_fetch(&request, &response);
    if (r < 0) {
        fprintf(stderr, "crest-collector: %s: %s\n", base, response.error_text);
        if (r == -ECONNREFUSED)
            fprintf(stderr,
                    "Is the collector running there? --url names another, --data DIR a stopped one's folder.\n");
        code = EXIT_FAILED;
    } else if (response.status / 100 != 2) {
        struct parse_error error = {0};
        json_t *answer = json_read(buf_view(&response.body), &error);
        const char *words = json_string_value(json_object_get(answer, "error"));
        struct span reason = words                    ? span_str(words)
                             : response.status == 404 ? SPAN("it does not know this; an older crest-collector?")
                                                      : plain_reason(&response);
        fprintf(stderr, "crest-collector: %s: HTTP %d: " SPAN_FMT "\n", base, response.status, SPAN_ARG(reason));
        json_decref(answer);
        code = response.status == 400 || response.status == 422 ? EXIT_USAGE : EXIT_FAILED;
    } else if (ret_body) {
        *ret_body = response.body;
        response.body = (struct buf){0};
    }
    http_response_done(&response);
    return code;
}

static void note_result(void *ctx, int result, int64_t id)
{
    (void)id;
    *(int *)ctx = result;
}

MUST_USE static int mark_in_folder(const struct options *o, const struct annotation *n)
{
    struct ask_rooms rooms;
    int result = -EIO, r = ask_rooms_open(options_text(o, "data"), &rooms);
    const char *wrong = annotation_wrong(n);
    if (r == 0 && wrong)
        fprintf(stderr, "crest-collector mark: %s\n", wrong);
    else if (r == 0)
        r = annotations_add(rooms.annotations, n, note_result, &result);
    ask_rooms_close(&rooms); /* waits for the state writer */
    if (r < 0 || wrong)
        return r < 0 ? EXIT_FAILED : EXIT_USAGE;
    if (result < 0)
        fprintf(stderr, "crest-collector mark: %s\n", strerror(-result));
    return result < 0 ? EXIT_FAILED : EXIT_OK;
}

MUST_USE static int mark_by_request(const struct options *o, const struct annotation *n, bool has_time)
{
    struct json_writer j;
    struct buf body;
    buf_init(&body, API_BODY_BYTES_MAX);
    jw_init(&j, &body);
    jw_object(&j);
    if (has_time) {
        jw_key(&j, "t");
        jw_i64(&j, n->t_ms);
    }
    jw_key(&j, "kind");
    jw_text(&j, n->kind);
    jw_key(&j, "text");
    jw_text(&j, n->text);
    if (n->service.len) {
        jw_key(&j, "service");
        jw_text(&j, n->service);
    }
    jw_end(&j);
    int code = buf_error(&body) ? EXIT_USAGE : ask_http(o, "POST", "/api/crest/v1/annotations", buf_view(&body), NULL);
    if (buf_error(&body))
        fprintf(stderr, "crest-collector mark: the text is too long\n");
    buf_done(&body);
    return code;
}

int ask_mark(const struct options *o)
{
    const char *service = options_operand(o, 1), *at = options_text(o, "at");
    struct annotation n = {.t_ms = unix_ms(),
                           .kind = span_str(options_operand(o, 0)),
                           .text = span_str(options_operand(o, 2)),
                           .service = span_str(strcmp(service, "-") == 0 ? "" : service)};
    if (at && parse_rfc3339_ms(span_str(at), &n.t_ms) < 0) {
        fprintf(stderr, "crest-collector mark: --at is a time such as 2026-11-27T00:00:00Z, not '%s'\n", at);
        return EXIT_USAGE;
    }
    return ask_wants_data(o) ? mark_in_folder(o, &n) : mark_by_request(o, &n, at != NULL);
}
