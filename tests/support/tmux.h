/* tmux.h - a real terminal for tests of crest-tui: a private tmux server with one pane that runs a shell.
 *
 *   struct tmux *t = tmux_start("t", 120, 40);
 *   tmux_run_tui(t, "TERM=xterm", url);              // crest-tui URL in the pane's shell
 *   tmux_see(t, "live");                             // waits until the screen says it; fails the test with the screen
 *   tmux_keys(t, "2");
 *   char *screen = tmux_screen(t);  free(screen);
 *   tmux_stop(t);
 *
 * Its socket lies in the test's folder and its configuration is empty, so the user's own tmux is never touched. Ended by its
 * own kill-server, and by e2e_teardown when a test fails. */
#pragma once

#include "tests/support/e2e.h"

#define TMUX_WAIT_MS 30000 /* a sanitized program on a busy machine */

struct tmux;
/* name: short, one for each server of a test. */
struct tmux *tmux_start(const char *name, int w, int h);
void tmux_stop(struct tmux *t);
/* One tmux command, words as for its command line; its output, from malloc. Fails the test when tmux refuses it. */
#define tmux_command(t, ...) tmux_command_at(t, E2E_ARGS(__VA_ARGS__))
char *tmux_command_at(struct tmux *t, const char *const *words);

/* A line for the pane's shell, with Enter. */
void tmux_line(struct tmux *t, const char *line);
/* `env ENVIRONMENT crest-tui ARGUMENTS` in the pane, followed by "ended with STATUS" when it has. */
void tmux_run_tui(struct tmux *t, const char *environment, const char *arguments);
/* Its process id; waits for it. */
pid_t tmux_tui_pid(struct tmux *t);
/* A key as tmux calls it ("2", "Enter", "C-l", "F2"), or bytes as they are. */
void tmux_keys(struct tmux *t, const char *key);
void tmux_bytes(struct tmux *t, const char *bytes);
void tmux_resize(struct tmux *t, int w, int h);

char *tmux_screen(struct tmux *t);        /* as text */
char *tmux_screen_styled(struct tmux *t); /* with its escapes for colours */
/* A format of tmux: "#{alternate_on}". */
char *tmux_format(struct tmux *t, const char *format);
void tmux_see_at(struct tmux *t, const char *text, bool there, const char *file, int line);
#define tmux_see(t, text) tmux_see_at(t, text, true, __FILE__, __LINE__)
#define tmux_see_no(t, text) tmux_see_at(t, text, false, __FILE__, __LINE__)
