#include "loadgen/hurl/charset.h"

#include <errno.h>
#include <iconv.h>
#include <stdlib.h>

/* Labels that browsers take for a larger set than their name says. */
static const struct {
    struct span label;
    const char *set;
} SUPERSETS[] = {
    {SPAN_INIT("utf8"), "UTF-8"},         {SPAN_INIT("iso-8859-1"), "CP1252"}, {SPAN_INIT("latin1"), "CP1252"},
    {SPAN_INIT("ascii"), "CP1252"},       {SPAN_INIT("us-ascii"), "CP1252"},   {SPAN_INIT("gb2312"), "GBK"},
    {SPAN_INIT("ks_c_5601-1987"), "UHC"}, {SPAN_INIT("euc-kr"), "UHC"},        {SPAN_INIT("shift_jis"), "CP932"},
    {SPAN_INIT("utf-16"), "UTF-16LE"},
};

static iconv_t open_set(struct span name)
{
    for (size_t i = 0; i < ARRAY_LEN(SUPERSETS); i++)
        if (span_equal_nocase(name, SUPERSETS[i].label))
            return iconv_open("UTF-8", SUPERSETS[i].set);
    AUTO_FREE char *plain = span_dup(name);
    return plain && name.len ? iconv_open("UTF-8", plain) : (iconv_t)-1;
}

int charset_decode(struct span name, struct span bytes, struct buf *out)
{
    iconv_t set = open_set(name);
    if (set == (iconv_t)-1)
        return -ENOENT;
    char *in = (char *)(uintptr_t)bytes.ptr; /* iconv does not write there */
    size_t left = bytes.len, got = 0;
    while (left && got != (size_t)-1) {
        size_t room = 4 * left < 4096 ? 4096 : 4 * left, before = room;
        char *to = buf_reserve(out, room);
        got = to ? iconv(set, &in, &left, &to, &room) : (size_t)-1;
        if (to)
            buf_grew(out, before - room);
    }
    (void)iconv_close(set);
    if (buf_error(out))
        return buf_error(out);
    return left ? -EILSEQ : 0;
}
