#include "lib/base/daemon.h"

#include <errno.h>
#include <link.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"

static atomic_int stop_signal;                    /* 0: go on; -1: stopped from code */
static atomic_uint stop_count, stops_allowed = 1; /* signals seen; those that do not end the process at once */
static atomic_bool reload_wanted;
static int wake_fd = -1;

static void wake(void)
{
    uint64_t one = 1;
    ssize_t r = write(wake_fd, &one, sizeof one); /* fails only when it is readable already */
    (void)r;
}

void daemon_on_stop(int signal_number)
{
    int saved = errno;
    int expected = 0;
    atomic_compare_exchange_strong(&stop_signal, &expected, signal_number);
    if (atomic_fetch_add(&stop_count, 1) >= atomic_load(&stops_allowed))
        _exit(130);
    wake();
    errno = saved;
}

static void on_reload(int signal_number)
{
    (void)signal_number;
    int saved = errno;
    atomic_store(&reload_wanted, true);
    wake();
    errno = saved;
}

static void handle(int signal_number, void (*handler)(int))
{
    struct sigaction sa;
    memset(&sa, 0, sizeof sa);
    sa.sa_handler = handler;
    sa.sa_flags = SA_RESTART;
    sigemptyset(&sa.sa_mask);
    sigaction(signal_number, &sa, NULL); /* cannot fail for these signals */
}

void daemon_init(const char *program)
{
    atomic_store(&stop_signal, 0);
    atomic_store(&stop_count, 0);
    atomic_store(&stops_allowed, 1);
    atomic_store(&reload_wanted, false);
    if (wake_fd < 0)
        wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wake_fd < 0) {
        fprintf(stderr, "%s: cannot make an event descriptor: %s\n", program, strerror(errno));
        exit(1);
    }
    uint64_t old;
    ssize_t r = read(wake_fd, &old, sizeof old); /* what an earlier run in this process left (tests) */
    (void)r;
    log_init(program, LOG_LEVEL_INFO);
    handle(SIGPIPE, SIG_IGN);
    handle(SIGXFSZ, SIG_IGN); /* ulimit -f is a full disk to us, not the end */
    handle(SIGTERM, daemon_on_stop);
    handle(SIGINT, daemon_on_stop);
    handle(SIGHUP, on_reload);
}

bool daemon_stopping(void)
{
    return atomic_load_explicit(&stop_signal, memory_order_relaxed) != 0;
}

int daemon_stop_signal(void)
{
    int s = atomic_load(&stop_signal);
    return s > 0 ? s : 0;
}

void daemon_allow_stops(unsigned n)
{
    atomic_store(&stops_allowed, n);
}

unsigned daemon_stop_count(void)
{
    return atomic_load_explicit(&stop_count, memory_order_relaxed);
}

void daemon_stop(void)
{
    int expected = 0;
    atomic_compare_exchange_strong(&stop_signal, &expected, -1);
    wake();
}

bool daemon_take_reload(void)
{
    if (!daemon_stopping()) { /* a stop stays readable: every loop that polls the descriptor must see it */
        uint64_t count;
        ssize_t r = read(wake_fd, &count, sizeof count);
        (void)r;
        if (daemon_stopping())
            wake(); /* it came between the two lines above */
    }
    return atomic_exchange(&reload_wanted, false);
}

void daemon_reload(void)
{
    atomic_store(&reload_wanted, true);
    wake();
}

int daemon_wake_fd(void)
{
    return wake_fd;
}

void daemon_wait(int64_t timeout_ms)
{
    int64_t until = mono_us() + timeout_ms * 1000;
    for (;;) {
        int64_t left_ms = (until - mono_us() + 999) / 1000;
        struct pollfd p = {.fd = wake_fd, .events = POLLIN};
        int r = poll(&p, 1, left_ms < 0 ? 0 : left_ms > INT32_MAX ? INT32_MAX : (int)left_ms);
        if (r >= 0 || errno != EINTR)
            return;
    }
}

void daemon_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    if (!path || (path[0] != '/' && path[0] != '@'))
        return;
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t n = strlen(path);
    if (n >= sizeof to.sun_path)
        return;
    memcpy(to.sun_path, path, n);
    if (path[0] == '@')
        to.sun_path[0] = '\0';
    AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    ssize_t r = sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&to, len);
    (void)r; /* systemd's own sd_notify fails silently too: the service's time-out tells */
}

/* Segments that nobody may write are as the file has them, whoever touched them; the loader's lock keeps them where they are. */
static int forget_object(struct dl_phdr_info *object, size_t size, void *ctx)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    (void)size;
    (void)ctx;
    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || (segment->p_flags & PF_W))
            continue;
        uintptr_t from = (object->dlpi_addr + segment->p_vaddr) & ~(page - 1);
        uintptr_t to = (object->dlpi_addr + segment->p_vaddr + segment->p_memsz + page - 1) & ~(page - 1);
        (void)madvise((void *)from, to - from, MADV_DONTNEED); /* if it cannot be done they stay */
    }
    return 0;
}

void daemon_forget_start(void)
{
    (void)dl_iterate_phdr(forget_object, NULL);
}

void daemon_print_listening(const char *address, uint16_t port)
{
    bool v6 = strchr(address, ':') != NULL && address[0] != '[';
    printf(v6 ? "listening [%s]:%u\n" : "listening %s:%u\n", address, (unsigned)port);
    fflush(stdout);
}
