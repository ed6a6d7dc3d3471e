#include "lib/term/palette.h"

/* 0-7: black red green yellow blue magenta cyan white; 8-15 the bright ones (bold, where only 8 exist). */
static const struct palette_entry PALETTE[STYLES] = {
    [STYLE_PLAIN] = {-1, -1, -1, -1},
    [STYLE_DIM] = {245, -1, -1, -1, .mono_dim = true},
    [STYLE_BOLD] = {-1, -1, -1, -1, .bold = true, .mono_bold = true},
    [STYLE_TITLE] = {81, -1, 6, -1, .bold = true, .mono_bold = true},
    [STYLE_HEAD] = {250, 237, -1, -1, .bold = true, .mono_bold = true},
    [STYLE_BAR] = {250, 236, -1, -1},
    [STYLE_KEY] = {16, 250, 0, 6, .mono_reverse = true},
    [STYLE_TAB] = {250, 236, -1, -1},
    [STYLE_TAB_ON] = {231, 25, 7, 4, .bold = true, .mono_reverse = true},
    [STYLE_OK] = {72, -1, 2, -1},
    [STYLE_WARN] = {214, -1, 3, -1, .bold = true, .mono_bold = true},
    [STYLE_CRIT] = {203, -1, 1, -1, .bold = true, .mono_bold = true},
    [STYLE_UNKNOWN] = {141, -1, 5, -1},
    [STYLE_PAGE] = {231, 160, 7, 1, .bold = true, .mono_bold = true, .mono_reverse = true},
    [STYLE_NOTICE] = {16, 214, 0, 3, .mono_reverse = true},
    [STYLE_INPUT] = {231, 238, -1, -1, .mono_bold = true},
    [STYLE_NOW] = {81, -1, 6, -1},
    [STYLE_PLAN] = {214, -1, 3, -1, .mono_bold = true},
    [STYLE_LAST] = {176, -1, 5, -1, .mono_dim = true},
    [STYLE_LINE] = {240, -1, -1, -1, .mono_dim = true},
};

const struct palette_entry *palette_entry(enum cell_style style)
{
    return &PALETTE[style < STYLES ? style : STYLE_PLAIN];
}
