#include <curl/curl.h>
#include <errno.h>

#include "lib/base/clock.h"
#include "lib/base/number.h"
#include "lib/wire/http_client.h"

#define RETRY_AFTER_S_MAX (365u * 86400u) /* keeps the product far from overflow; callers bound it as they like */

void http_response_done(struct http_response *response)
{
    buf_done(&response->headers);
    buf_done(&response->body);
}

struct span http_response_header(const struct http_response *response, const char *name)
{
    struct span rest = buf_view(&response->headers), line, wanted = span_str(name);
    while (span_cut(&rest, '\n', &line)) {
        size_t colon = span_find(line, ':');
        if (colon < line.len && span_equal_nocase(span_of(line.ptr, colon), wanted))
            return span_trim(span_from(line, colon + 1));
    }
    return (struct span){0};
}

int64_t http_retry_after_ms(const struct http_response *response)
{
    struct span value = http_response_header(response, "retry-after");
    uint64_t seconds;
    int r = parse_u64_span(value, RETRY_AFTER_S_MAX, &seconds);
    if (r == 0)
        return (int64_t)seconds * 1000;
    if (r == -ERANGE)
        return (int64_t)RETRY_AFTER_S_MAX * 1000;
    if (value.len == 0 || value.len > 64)
        return -1;
    AUTO_FREE char *text = span_dup(value);
    time_t at = text ? curl_getdate(text, NULL) : (time_t)-1;
    if (at == (time_t)-1)
        return -1;
    int64_t left_ms = (int64_t)at * 1000 - unix_ms();
    if (left_ms > (int64_t)RETRY_AFTER_S_MAX * 1000)
        return (int64_t)RETRY_AFTER_S_MAX * 1000;
    return left_ms < 0 ? 0 : left_ms;
}
