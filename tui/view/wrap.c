/* wrap.c - text that does not fit in one line goes on in the next: a cure that is cut off cures nothing. */
#include "tui/view/views.h"

#define LINE_BYTES_MAX 8192u /* CELLS_SIDE_MAX columns, each with a mark */

/* The bytes that stand in a line of w columns; *ret_next is where the next line begins. Breaks at the last space, or where it must. */
static size_t line_bytes(const char *text, int w, const char **ret_next)
{
    const char *at = text, *space = NULL, *after_space = NULL;
    int used = 0;
    while (*at) {
        const char *next = at;
        uint32_t ch = cells_next(&next);
        int width = cell_width(ch);
        if (used + width > w && ch == ' ')
            space = at, after_space = next;
        if (used + width > w)
            break;
        if (ch == ' ' && at > text)
            space = at, after_space = next;
        used += width;
        at = next;
    }
    if (*at && space) {
        *ret_next = after_space;
        return (size_t)(space - text);
    }
    if (at == text && *at) /* not even one character fits */
        cells_next(&at);
    *ret_next = at;
    return (size_t)(at - text);
}

int view_wrapped(struct cells *c, struct box box, int skip, enum cell_style style, const char *text)
{
    int lines = 0;
    while (*text && box.w > 0) {
        const char *next;
        size_t n = line_bytes(text, box.w, &next);
        int y = lines++ - skip;
        if (y >= 0 && y < box.h) {
            char line[LINE_BYTES_MAX];
            bool is_last = y == box.h - 1; /* what does not fit at all ends in an ellipsis */
            snprintf(line, sizeof line, "%.*s", (int)(n < sizeof line ? n : sizeof line - 1), text);
            if (is_last && *next)
                cells_text(c, box.x, box.y + y, box.w, style, text);
            else
                cells_text(c, box.x, box.y + y, box.w, style, line);
        }
        text = next;
    }
    return lines;
}
