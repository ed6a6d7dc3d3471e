/* daemon.h - what every daemon of ours shares: signals, systemd's notify socket, listening lines.
 *
 *   daemon_init("crest-agent");                      // SIGPIPE and SIGXFSZ ignored, core limits untouched
 *   while (!daemon_stopping()) { ...; if (daemon_take_reload()) reload(); }
 *
 * SIGTERM and SIGINT set the stop flag and make daemon_wake_fd() readable; a second one ends the process at once
 * (_exit 130). SIGHUP asks for a reload. These flags are the only globals of the programs. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/macros.h"

void daemon_init(const char *program);
bool daemon_stopping(void);
/* The number of the signal that asked to stop, 0 before. */
int daemon_stop_signal(void);
/* How many signals asked so far; the first n (default 1) do not end the process, so that a program can tell "stop" from
 * "stop at once" (the load generator). */
unsigned daemon_stop_count(void);
void daemon_allow_stops(unsigned n);
/* Ask for a stop from code (tests, fatal errors). */
void daemon_stop(void);
/* What our handler of SIGTERM and SIGINT does, for who has a handler of his own (a full-screen terminal). */
void daemon_on_stop(int signal_number);
bool daemon_take_reload(void);
/* Ask for a reload from code (POST /-/reload). */
void daemon_reload(void);
/* Readable (level-triggered eventfd) when a stop or reload was asked for; daemon_take_reload drains it. */
int daemon_wake_fd(void);
/* Wait up to timeout_ms for a stop or reload; for programs whose work runs in other threads. */
void daemon_wait(int64_t timeout_ms);
/* Send a state ("READY=1", "STOPPING=1", "STATUS=…") to $NOTIFY_SOCKET if set (path or abstract '@'). */
void daemon_notify(const char *state);
/* Started: what of the program and its libraries only linking and starting needed is resident no more. Pages of a file that are needed
 * again come back from the system's cache. */
void daemon_forget_start(void);
/* "listening ADDR:PORT" on stdout, flushed: the contract for --listen with port 0. */
void daemon_print_listening(const char *address, uint16_t port);
