#include "lib/term/term_signals.h"

#include <errno.h>
#include <signal.h>

#include "lib/term/term.h"

#define HANDLER_STACK_BYTES 65536

/* Signal handlers have no other way to know: the only globals of the room. */
static volatile sig_atomic_t stop_signal;
static void (*tell_stop)(int signal_number);
static struct {
    int fd;
    size_t n;
    char bytes[RESTORE_BYTES_MAX];
    struct termios before;
    volatile sig_atomic_t armed;
} restore;
static char handler_stack[HANDLER_STACK_BYTES];

static const int CRASHES[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
static const int REQUESTS[] = {SIGTERM, SIGHUP, SIGINT, SIGQUIT};
static struct sigaction crash_before[ARRAY_LEN(CRASHES)], request_before[ARRAY_LEN(REQUESTS)];

static void on_request(int signal_number)
{
    stop_signal = signal_number;
    if (tell_stop)
        tell_stop(signal_number);
}

static void on_crash(int signal_number)
{
    if (restore.armed) {
        restore.armed = 0;
        ssize_t w = write(restore.fd, restore.bytes, restore.n);
        (void)w; /* nothing can be done about it here */
        tcsetattr(restore.fd, TCSANOW, &restore.before);
    }
    for (size_t i = 0; i < ARRAY_LEN(CRASHES); i++)
        if (CRASHES[i] == signal_number)
            sigaction(signal_number, &crash_before[i], NULL);
    raise(signal_number); /* delivered when this handler returns: the core dump and the status are those of the crash */
}

int term_stop_signal(void)
{
    return stop_signal;
}

int term_signals_arm(int fd, struct span bytes, const struct termios *before, void (*on_stop)(int signal_number))
{
    if (bytes.len > sizeof restore.bytes)
        return -ENOSPC;
    stack_t stack = {.ss_sp = handler_stack, .ss_size = sizeof handler_stack};
    if (sigaltstack(&stack, NULL) < 0)
        return -errno;
    restore.fd = fd;
    restore.n = bytes.len;
    if (bytes.len)
        memcpy(restore.bytes, bytes.ptr, bytes.len);
    restore.before = *before;
    restore.armed = 1;
    stop_signal = 0;
    tell_stop = on_stop;
    struct sigaction crash = {.sa_handler = on_crash, .sa_flags = SA_ONSTACK}, request = {.sa_handler = on_request};
    sigemptyset(&crash.sa_mask);
    sigemptyset(&request.sa_mask);
    for (size_t i = 0; i < ARRAY_LEN(CRASHES); i++)
        if (sigaction(CRASHES[i], &crash, &crash_before[i]) < 0)
            return -errno;
    for (size_t i = 0; i < ARRAY_LEN(REQUESTS); i++)
        if (sigaction(REQUESTS[i], &request, &request_before[i]) < 0)
            return -errno;
    return 0;
}

void term_signals_disarm(void)
{
    if (!restore.armed)
        return;
    restore.armed = 0;
    for (size_t i = 0; i < ARRAY_LEN(CRASHES); i++)
        sigaction(CRASHES[i], &crash_before[i], NULL);
    for (size_t i = 0; i < ARRAY_LEN(REQUESTS); i++)
        sigaction(REQUESTS[i], &request_before[i], NULL);
}
