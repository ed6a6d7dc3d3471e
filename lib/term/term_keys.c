#include "lib/term/term.h"

static const struct {
    int key;
    const char *name;
} NAMES[] = {
    {TERM_KEY_ENTER, "Enter"},
    {TERM_KEY_ESCAPE, "Esc"},
    {9, "Tab"},
    {' ', "Space"},
    {TERM_KEY_UP, "Up"},
    {TERM_KEY_DOWN, "Down"},
    {TERM_KEY_LEFT, "Left"},
    {TERM_KEY_RIGHT, "Right"},
    {TERM_KEY_HOME, "Home"},
    {TERM_KEY_END, "End"},
    {TERM_KEY_PAGE_UP, "PgUp"},
    {TERM_KEY_PAGE_DOWN, "PgDn"},
    {TERM_KEY_BACKSPACE, "Backspace"},
    {TERM_KEY_DELETE, "Del"},
    {TERM_KEY_BACKTAB, "Shift-Tab"},
};

const char *term_key_name(int key, char text[16])
{
    text[0] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++)
        if (NAMES[i].key == key)
            return NAMES[i].name;
    if (key >= TERM_KEY_F1 && key < TERM_KEY_F1 + 12) {
        snprintf(text, 16, "F%d", key - TERM_KEY_F1 + 1);
    } else if (key > 0 && key < 27) {
        snprintf(text, 16, "Ctrl-%c", 'A' + key - 1);
    } else if (key > ' ' && key < TERM_KEY_UP) {
        struct buf b;
        buf_init(&b, 16);
        cells_utf8(&b, (uint32_t)key);
        if (b.data)
            snprintf(text, 16, "%s", b.data);
        buf_done(&b);
    }
    return text;
}

int term_key_of(struct span name)
{
    char text[16];
    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++)
        if (span_equal_nocase(name, span_str(NAMES[i].name)))
            return NAMES[i].key;
    for (int key = TERM_KEY_F1; key < TERM_KEY_F1 + 12; key++)
        if (span_equal_nocase(name, span_str(term_key_name(key, text))))
            return key;
    for (int key = 1; key < 27; key++)
        if (span_equal_nocase(name, span_str(term_key_name(key, text))))
            return key;
    char one[8] = "";
    if (name.len == 0 || name.len >= sizeof one)
        return 0;
    memcpy(one, name.ptr, name.len);
    const char *at = one;
    uint32_t ch = cells_next(&at);
    return *at == '\0' && ch != 0xfffd ? (int)ch : 0;
}
