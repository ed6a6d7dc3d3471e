/* text_filters.c - any bytes through the filters that read and write text: dates by a format (the first line), HTML entities, base64, hex. What one writes its
 * counterpart reads, and gives what was there before. */
#include <errno.h>
#include <stdlib.h>

#include "loadgen/hurl/base64.h"
#include "loadgen/hurl/date.h"
#include "loadgen/hurl/html.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define TEXT_BYTES_MAX (1u << 24)
static const int64_t MOMENTS_US[] = {0, 1735689599123456, -62135596800000000, 253402300799999999, -1};

/* Are all its pieces of one width each, so that the text can be cut up again? */
static bool is_unambiguous(struct span format)
{
    for (size_t i = 0; i < format.len; i++) {
        char c = format.ptr[i];
        if (c == '%' && ++i < format.len && strchr("YmdHMSFTRjBbAa", format.ptr[i]))
            continue;
        if (c == '%' || c == ' ' || (c >= '0' && c <= '9') || c == '+')
            return false;
    }
    return true;
}

static void check_date(struct span format, struct span text)
{
    int64_t us = 0, again_us;
    int r = hurl_date_parse(text, format, &us);
    if (r < 0 && r != -EINVAL)
        abort();
    for (size_t i = 0; i <= ARRAY_LEN(MOMENTS_US); i++) {
        struct buf once, twice;
        int64_t at_us = i < ARRAY_LEN(MOMENTS_US) ? MOMENTS_US[i] : us;
        buf_init(&once, TEXT_BYTES_MAX);
        buf_init(&twice, TEXT_BYTES_MAX);
        int written = hurl_date_format(format, at_us, &once);
        if (written < 0 && written != -EINVAL)
            abort();
        if (written == 0 && i < ARRAY_LEN(MOMENTS_US) && is_unambiguous(format) &&
            hurl_date_parse(buf_view(&once), format, &again_us) == 0 &&
            (hurl_date_format(format, again_us, &twice) < 0 || !span_equal(buf_view(&once), buf_view(&twice))))
            abort();
        buf_done(&once);
        buf_done(&twice);
    }
}

static void check_html(struct span text)
{
    struct buf escaped, back;
    buf_init(&escaped, TEXT_BYTES_MAX);
    buf_init(&back, TEXT_BYTES_MAX);
    html_unescape(&back, text);
    if (back.len > text.len + 1) /* no entity is shorter than what it stands for, but for &lt as a part of a name */
        abort();
    buf_clear(&back);
    html_escape(&escaped, text);
    html_unescape(&back, buf_view(&escaped));
    if (!span_equal(buf_view(&back), text))
        abort();
    buf_done(&escaped);
    buf_done(&back);
}

static void check_base64(struct span text, bool url_safe)
{
    struct buf written, back;
    buf_init(&written, TEXT_BYTES_MAX);
    buf_init(&back, TEXT_BYTES_MAX);
    int r = base64_decode(&back, text, url_safe);
    if ((r < 0 && r != -EINVAL) || back.len > text.len)
        abort();
    buf_clear(&back);
    r = hex_decode(&back, text);
    if ((r < 0 && r != -EINVAL) || back.len > text.len)
        abort();
    buf_clear(&back);
    base64_encode(&written, text, url_safe);
    if (base64_decode(&back, buf_view(&written), url_safe) < 0 || !span_equal(buf_view(&back), text))
        abort();
    buf_done(&written);
    buf_done(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct span text = span_of((const char *)data, n);
    size_t first = span_find(text, '\n');
    check_date(span_of(text.ptr, first), span_from(text, first + 1));
    check_html(text);
    check_base64(text, false);
    check_base64(text, true);
    return 0;
}
