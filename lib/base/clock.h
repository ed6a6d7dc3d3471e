/* clock.h - one clock per meaning: mono_* for durations and deadlines, unix_ms for stored stamps. */
#pragma once

#include <stdint.h>

int64_t mono_us(void);
int64_t mono_ns(void);
/* Milliseconds since the epoch, UTC; may step. */
int64_t unix_ms(void);
int64_t unix_us(void);
/* CPU time (user + system) of this process and of this thread in microseconds. */
int64_t cpu_process_us(void);
int64_t cpu_thread_us(void);
/* Sleep at least that long; returns early only on a negative argument. */
void sleep_us(int64_t us);
