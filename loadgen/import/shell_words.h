/* shell_words.h - the words of a command line as bash reads them: 'single', "double" and $'ANSI-C' quotes, backslashes, lines
 * joined by a backslash. Nothing is expanded: $HOME and `date` stay as they are, with a warning.
 *
 *   r = shell_words(&arena, SPAN("curl -H 'A: b' http://x"), "stdin", &words, &n, &problems);
 *
 * A command ends at a newline or at ; & | outside quotes: such a word has ends_command set on the word before it. */
#pragma once

#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/problem.h"

struct shell_word {
    struct span text;
    uint32_t line, column;
    bool ends_command; /* the last of its command */
};
/* -EINVAL: a quote is not closed (a problem was added); -ENOMEM. */
MUST_USE int shell_words(struct arena *a, struct span text, const char *file, struct shell_word **ret, size_t *ret_n,
                         struct problems *ps);
