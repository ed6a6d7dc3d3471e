/* macros.h - the few attributes and scope helpers that every file uses.
 *
 *   AUTO_FREE char *text = NULL;        // free()d on every path out
 *   MUST_USE int thing_open(...);       // ignoring the result is a warning
 */
#pragma once

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/banned.h"

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(format_at, args_at) __attribute__((format(printf, format_at, args_at)))
#define UNUSED __attribute__((unused))
#define NORETURN __attribute__((noreturn))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

static inline void auto_free_ptr(void *p)
{
    free(*(void **)p);
}
static inline void auto_fclose_ptr(FILE **f)
{
    if (*f)
        fclose(*f);
}
static inline void auto_close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}
#define AUTO_FREE __attribute__((cleanup(auto_free_ptr)))
#define AUTO_FCLOSE __attribute__((cleanup(auto_fclose_ptr)))
#define AUTO_CLOSE __attribute__((cleanup(auto_close_fd)))
