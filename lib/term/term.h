/* term.h - the terminal: shows a grid of cells, tells keys, mouse, pasted text and new sizes. The only curses.h.
 *
 *   if (!term_capable(NULL)) return plain_lines();           // not a terminal, or TERM=dumb
 *   struct terminal *t;
 *   r = term_open(&(struct term_options){.no_color = no_color}, &t, &why);
 *   cells_init(&c, term_width(t), term_height(t));
 *   while (!term_stop_signal()) {
 *       term_draw(t, &c);                                    // writes what differs from the last time
 *       poll(term_fd(t), ...);                               // a new size interrupts it
 *       while (term_read(t, &event) == 1) ...
 *   }
 *   term_close(t);
 *
 * From term_open to term_close the terminal is restored on every way out: SIGTERM, SIGHUP, SIGINT and SIGQUIT are only noted
 * (term_stop_signal, on_stop), crashes (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT) restore it and then end the process as they would
 * have. One terminal per process, one thread. */
#pragma once

#include <stdio.h>

#include "lib/term/cells.h"

/* How many colours there are to use; NO_COLOR (not empty) and no_color give TERM_MONO. */
enum term_colors { TERM_MONO, TERM_16, TERM_256 };
/* The finest drawing that the locale and TERM promise; the Linux console has no braille. */
enum term_glyphs { TERM_ASCII, TERM_BLOCK, TERM_BRAILLE };

struct term_options {
    bool no_color, no_mouse;
    FILE *in, *out;   /* NULL: stdin, stdout */
    const char *type; /* NULL: $TERM */
    /* Told of a signal that asks us to end, from its handler: only what a handler may do. NULL: nobody. */
    void (*on_stop)(int signal_number);
};

/* Keys: a code point, or one of these. Ctrl-A is 1, Tab 9, Enter 13, Escape 27. */
enum term_key {
    TERM_KEY_ENTER = 13,
    TERM_KEY_ESCAPE = 27,
    TERM_KEY_UP = 0x200000,
    TERM_KEY_DOWN,
    TERM_KEY_LEFT,
    TERM_KEY_RIGHT,
    TERM_KEY_HOME,
    TERM_KEY_END,
    TERM_KEY_PAGE_UP,
    TERM_KEY_PAGE_DOWN,
    TERM_KEY_BACKSPACE,
    TERM_KEY_DELETE,
    TERM_KEY_BACKTAB,
    TERM_KEY_F1 = 0x200100 /* F2 is F1 + 1, up to F12 */
};
enum term_event_type { TERM_EVENT_KEY, TERM_EVENT_CLICK, TERM_EVENT_WHEEL, TERM_EVENT_PASTE, TERM_EVENT_RESIZE };
#define TERM_PASTE_BYTES_MAX 65536 /* the longest query has 1 MB, but nobody pastes one; the rest is dropped */
struct term_event {
    enum term_event_type type;
    int key;           /* KEY */
    int x, y;          /* CLICK, WHEEL */
    int up;            /* WHEEL: 1 away from the user, -1 towards */
    const char *paste; /* PASTE: UTF-8, lives until the next term_read */
};

/* Is there a terminal on stdin and stdout (and, when type is NULL, is $TERM one that can place the cursor)? *ret_why (may be
 * NULL) is a constant sentence when not. */
bool term_capable(const char **ret_why);
/* Does the locale of the environment write UTF-8? Sets the process's LC_CTYPE once. */
bool term_locale_is_utf8(void);
/* What to draw with for this TERM (NULL: $TERM). */
enum term_glyphs term_glyphs_of(const char *type);

struct terminal;
/* *ret_why: a sentence in *ret_why on failure. -ENOTSUP: the terminal's type is unknown or too simple; -ENOMEM. */
MUST_USE int term_open(const struct term_options *options, struct terminal **ret, const char **ret_why);
/* Leaves the terminal as it was. NULL is fine. */
void term_close(struct terminal *t);
int term_width(const struct terminal *t);
int term_height(const struct terminal *t);
int term_fd(const struct terminal *t); /* for poll */
enum term_colors term_colors(const struct terminal *t);
/* Show the grid; what lies outside of the terminal is cut. */
void term_draw(struct terminal *t, const struct cells *c);
/* Forget what is on the screen (somebody else wrote on it): the next draw writes it whole. */
void term_redraw(struct terminal *t);
/* 1: an event; 0: none now; -EPIPE: the terminal is gone. */
MUST_USE int term_read(struct terminal *t, struct term_event *ret);
void term_mouse(struct terminal *t, bool on); /* off lets the terminal select text */
/* The signal that asks us to end, or 0. */
int term_stop_signal(void);

/* "Enter", "F1", "Ctrl-L", "j": how a key is written in help and scripts; "" for unknown ones. */
const char *term_key_name(int key, char text[16]);
/* The key of such a name (or of one character); 0 when unknown. */
int term_key_of(struct span name);
