#include "lib/base/log.h"

#include <errno.h>

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/hash.h"
#include "lib/base/number.h"

#define LINE_BYTES_MAX 16384u /* a line is one write(2), so threads and processes do not mix theirs */
#define VALUE_BYTES_MAX 4096u
#define CAUSES_MAX 256u /* of log_allow: causes are call sites and targets */

static char program_name[32] = "crest";
static enum log_level min_level = LOG_LEVEL_INFO;
static atomic_ulong lines[4];
static const char *const LEVELS[] = {"debug", "info", "warn", "error"};

void log_init(const char *program, enum log_level min)
{
    snprintf(program_name, sizeof program_name, "%s", program);
    min_level = min;
}

bool log_level_parse(const char *text, enum log_level *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(LEVELS); i++) {
        if (strcmp(text, LEVELS[i]) == 0) {
            *ret = (enum log_level)i;
            return true;
        }
    }
    return false;
}

unsigned long log_count(enum log_level level)
{
    return atomic_load_explicit(&lines[level], memory_order_relaxed);
}

static void put_value(struct buf *b, const char *s)
{
    bool plain = *s != '\0';
    for (const char *p = s; *p; p++)
        if ((unsigned char)*p <= ' ' || *p == '"' || *p == '=' || *p == '\\' || *p == 0x7f)
            plain = false;
    if (plain) {
        buf_str(b, s);
        return;
    }
    buf_char(b, '"');
    for (const char *p = s; *p; p++) {
        unsigned char c = (unsigned char)*p;
        if (c == '"' || c == '\\')
            buf_printf(b, "\\%c", c);
        else if (c == '\n')
            buf_str(b, "\\n");
        else if (c == '\t')
            buf_str(b, "\\t");
        else if (c < ' ' || c == 0x7f)
            buf_printf(b, "\\x%02x", c);
        else
            buf_char(b, (char)c);
    }
    buf_char(b, '"');
}

/* Print one conversion of `format` with its argument from *args into b. The list must be handed on in step,
 * so the argument's type is read from the conversion: the subset of printf that log lines use. */
static void put_formatted(struct buf *b, const char *format, va_list *args)
{
    char value[VALUE_BYTES_MAX];
    size_t n = 0;
    const char *f = format;
    while (*f && n < sizeof value - 1) {
        if (*f != '%') {
            value[n++] = *f++;
            continue;
        }
        if (f[1] == '%') {
            value[n++] = '%';
            f += 2;
            continue;
        }
        char spec[32];
        size_t k = 0;
        int star[2], stars = 0, longs = 0;
        bool size_type = false, max_type = false;
        do {
            if (*f == '*' && stars < 2)
                star[stars++] = va_arg(*args, int);
            else if (*f == 'l')
                longs++;
            else if (*f == 'z' || *f == 't')
                size_type = true;
            else if (*f == 'j')
                max_type = true;
            if (k < sizeof spec - 2)
                spec[k++] = *f;
            f++;
        } while (*f && strchr("-+ #0123456789.*lhztj", *f));
        char kind = *f;
        if (kind)
            f++;
        spec[k++] = kind;
        spec[k] = '\0';
        char *to = value + n;
        size_t room = sizeof value - n;
        int w = 0;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#define PUT(arg)                                                                                                       \
    (stars == 0   ? snprintf(to, room, spec, arg)                                                                      \
     : stars == 1 ? snprintf(to, room, spec, star[0], arg)                                                             \
                  : snprintf(to, room, spec, star[0], star[1], arg))
        switch (kind) {
        case 'd':
        case 'i':
        case 'u':
        case 'x':
        case 'X':
        case 'o':
            if (longs >= 2)
                w = PUT(va_arg(*args, long long));
            else if (longs == 1)
                w = PUT(va_arg(*args, long));
            else if (size_type)
                w = PUT(va_arg(*args, size_t));
            else if (max_type)
                w = PUT(va_arg(*args, intmax_t));
            else
                w = PUT(va_arg(*args, int));
            break;
        case 'c':
            w = PUT(va_arg(*args, int));
            break;
        case 'f':
        case 'F':
        case 'g':
        case 'G':
        case 'e':
        case 'E':
        case 'a':
        case 'A':
            w = PUT(va_arg(*args, double));
            break;
        case 's':
            w = PUT(va_arg(*args, const char *));
            break;
        case 'p':
            w = PUT(va_arg(*args, void *));
            break;
        default: /* a conversion that we do not know: its argument's size neither */
            break;
        }
#undef PUT
#pragma GCC diagnostic pop
        if (w > 0)
            n += (size_t)w < room ? (size_t)w : room - 1;
    }
    value[n] = '\0';
    put_value(b, value);
}

void log_write(enum log_level level, const char *message, ...)
{
    if (level < min_level)
        return;
    atomic_fetch_add_explicit(&lines[level], 1, memory_order_relaxed);
    struct buf b;
    buf_init(&b, LINE_BYTES_MAX);
    char when[NUMBER_TEXT_MAX];
    format_rfc3339_ms(when, unix_ms());
    buf_printf(&b, "ts=%s level=%s program=%s msg=", when, LEVELS[level], program_name);
    char cut[VALUE_BYTES_MAX];
    snprintf(cut, sizeof cut, "%s", message);
    put_value(&b, cut);
    va_list args;
    va_start(args, message);
    const char *key;
    while ((key = va_arg(args, const char *)) != NULL) {
        const char *format = va_arg(args, const char *);
        if (!format)
            break;
        buf_printf(&b, " %s=", key);
        put_formatted(&b, format, &args);
    }
    va_end(args);
    if (b.error == -ENOSPC)
        b.error = 0; /* too long: the pairs that fitted are better than nothing */
    buf_char(&b, '\n');
    if (b.len) {
        if (b.data[b.len - 1] != '\n')
            b.data[b.len - 1] = '\n';
        ssize_t r = write(STDERR_FILENO, b.data, b.len);
        (void)r; /* nowhere to say that stderr is gone */
    }
    buf_done(&b);
}

/* One record per cause; when they run out, the oldest gives way. */
static struct {
    uint64_t hash;
    int64_t next_us;
    unsigned long hidden;
} causes[CAUSES_MAX];
static pthread_mutex_t causes_lock = PTHREAD_MUTEX_INITIALIZER;

bool log_allow(const char *cause, int64_t period_ms, unsigned long *ret_hidden)
{
    uint64_t hash = hash_bytes(cause, strlen(cause), hash_seed()) | 1; /* 0: free record */
    int64_t now = mono_us();
    bool allow = true;
    unsigned long hidden = 0;
    pthread_mutex_lock(&causes_lock);
    size_t at = 0;
    for (size_t i = 0; i < CAUSES_MAX; i++) {
        if (causes[i].hash == hash) {
            at = i;
            break;
        }
        if (causes[i].next_us < causes[at].next_us)
            at = i;
    }
    if (causes[at].hash == hash && now < causes[at].next_us) {
        causes[at].hidden++;
        allow = false;
    } else {
        if (causes[at].hash == hash)
            hidden = causes[at].hidden;
        causes[at].hash = hash;
        causes[at].next_us = now + period_ms * 1000;
        causes[at].hidden = 0;
    }
    pthread_mutex_unlock(&causes_lock);
    if (allow && ret_hidden)
        *ret_hidden = hidden;
    return allow;
}
