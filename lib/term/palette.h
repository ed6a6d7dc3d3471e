/* palette.h - how a style of cells.h looks with 256, 16 and no colours. Internal to lib/term.
 *
 * Fixed indices of the 256-colour cube only: the user's own palette is never redefined. Every difference that colour makes
 * stands also in words or shape on the screen; mono keeps what must stand out by bold and reverse. -1: the terminal's own. */
#pragma once

#include "lib/term/cells.h"

struct palette_entry {
    short fg256, bg256, fg16, bg16;
    bool bold, dim, reverse;                /* with colours */
    bool mono_bold, mono_reverse, mono_dim; /* without */
};
const struct palette_entry *palette_entry(enum cell_style style);
