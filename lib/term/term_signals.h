/* term_signals.h - the terminal is restored whatever ends the process. Internal to lib/term.
 *
 * A crash handler may call next to nothing: what restores the terminal is made beforehand, as bytes to write and a termios to
 * set, and the handler runs on a stack of its own because the crash may be a stack that ran out. */
#pragma once

#include <termios.h>

#include "lib/base/span.h"
#include "lib/base/macros.h"

#define RESTORE_BYTES_MAX 512
/* Arm; `restore` is copied; on_stop is called by the handler of SIGTERM and its like, NULL: none. -errno of sigaction or sigaltstack. */
MUST_USE int term_signals_arm(int fd, struct span restore, const struct termios *before,
                              void (*on_stop)(int signal_number));
/* Signals do again what they did before. */
void term_signals_disarm(void);
