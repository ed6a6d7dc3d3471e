#include "collector/ask.h"

#include <errno.h>

#include "collector/ask_http.h"
#include "lib/base/limits.h"
#include "lib/base/number.h"
#include "lib/wire/json.h"

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
        fprintf(stderr, "crest-collector: %s: HTTP %d: %s\n", base, response.status,
                words                    ? words
                : response.status == 404 ? "it does not know this; an older crest-collector?"
                                         : "no reason given");
        json_decref(answer);
        code = response.status == 400 || response.status == 422 ? EXIT_USAGE : EXIT_FAILED;
    } else if (ret_body) {
        *ret_body = response.body;
        response.body = (struct buf){0};
    }
    http_response_done(&response);
    return code;
}

int ask_mark(const struct options *o)
{
    struct json_writer j;
    struct buf body;
    int64_t at_ms;
    const char *service = options_operand(o, 1), *at = options_text(o, "at");
    if (at && parse_rfc3339_ms(span_str(at), &at_ms) < 0) {
        fprintf(stderr, "crest-collector mark: --at is a time such as 2026-11-27T00:00:00Z, not '%s'\n", at);
        return EXIT_USAGE;
    }
    buf_init(&body, API_BODY_BYTES_MAX);
    jw_init(&j, &body);
    jw_object(&j);
    if (at) {
        jw_key(&j, "t");
        jw_i64(&j, at_ms);
    }
    jw_key(&j, "kind");
    jw_str(&j, options_operand(o, 0));
    jw_key(&j, "text");
    jw_str(&j, options_operand(o, 2));
    if (strcmp(service, "-") != 0) {
        jw_key(&j, "service");
        jw_str(&j, service);
    }
    jw_end(&j);
    int code = buf_error(&body) ? EXIT_USAGE : ask_http(o, "POST", "/api/crest/v1/annotations", buf_view(&body), NULL);
    if (buf_error(&body))
        fprintf(stderr, "crest-collector mark: the text is too long\n");
    buf_done(&body);
    return code;
}
