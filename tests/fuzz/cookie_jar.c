/* Lines that are URLs and Set-Cookie headers: "u URL" goes there and asks which cookies would be sent, anything else is set by it, "t SECONDS" lets time
 * pass. What is sent has no control characters, and the jar keeps its limit. The same lines as a cookie file: what was read, written, is read the same. */
#include <errno.h>
#include <stdlib.h>

#include "lib/base/number.h"
#include "loadgen/engine/cookie_jar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_sent(struct cookie_jar *jar, const struct url *url, int64_t now_ms)
{
    struct buf out;
    buf_init(&out, (COOKIE_BYTES_MAX + 4) * COOKIES_MAX);
    size_t count = cookie_jar_header(jar, url, now_ms, &out);
    if (buf_error(&out) == -ENOSPC || count > cookie_jar_count(jar) || cookie_jar_count(jar) > COOKIES_MAX)
        abort();
    for (size_t i = 0; i < out.len; i++)
        if (((unsigned char)out.data[i] < 0x20 && out.data[i] != '\t') || out.data[i] == 0x7f)
            abort();
    buf_done(&out);
}

static void read_file(struct span text, int64_t now_ms, struct cookie_jar *jar, struct buf *out)
{
    cookie_jar_init(jar);
    if (cookie_jar_read(jar, text, now_ms) == -EINVAL || cookie_jar_count(jar) > COOKIES_MAX)
        abort();
    buf_init(out, (COOKIE_BYTES_MAX + 256) * COOKIES_MAX);
    cookie_jar_write(jar, out);
}

static void check_file(struct span text, const struct url *url, int64_t now_ms)
{
    struct cookie_jar jar, again;
    struct buf once, twice;
    read_file(text, now_ms, &jar, &once);
    read_file(buf_view(&once), now_ms, &again, &twice);
    if (!span_equal(buf_view(&once), buf_view(&twice)))
        abort();
    buf_done(&once);
    buf_done(&twice);
    check_sent(&jar, url, now_ms);
    cookie_jar_done(&jar);
    cookie_jar_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct cookie_jar jar;
    struct span rest = span_of((const char *)data, n), line;
    struct url url;
    const char *why;
    int64_t now_ms = 1700000000000;
    cookie_jar_init(&jar);
    if (url_parse(&url, SPAN("https://shop.example/a/b"), &why) < 0)
        abort();
    while (rest.len && span_cut(&rest, '\n', &line)) {
        struct url next;
        uint64_t seconds;
        if (span_starts(line, SPAN("u ")) && url_parse(&next, span_from(line, 2), &why) == 0)
            url = next; /* into the input, which stays */
        else if (span_starts(line, SPAN("t ")) && parse_u64_span(span_from(line, 2), 1u << 30, &seconds) == 0)
            now_ms += (int64_t)seconds * 1000;
        else if (cookie_jar_store(&jar, &url, line, now_ms) == 0 && cookie_jar_count(&jar) > COOKIES_MAX)
            abort();
        check_sent(&jar, &url, now_ms);
    }
    cookie_jar_done(&jar);
    check_file(span_of((const char *)data, n), &url, now_ms);
    return 0;
}
