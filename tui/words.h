/* words.h - numbers as people read them on a screen. What is unknown (NAN) is an en dash, never 0. */
#pragma once

#include <stdint.h>

#include "lib/base/macros.h"

#define WORDS_MAX 48
const char *words_count(char text[WORDS_MAX], double v);        /* 0.4 31.2 4,120 12.3k 1.2M */
const char *words_ratio(char text[WORDS_MAX], double v);        /* 0.21 -> "21 %" */
const char *words_seconds(char text[WORDS_MAX], double v);      /* 0.048 -> "48 ms", 2.9 -> "2.9 s" */
const char *words_age(char text[WORDS_MAX], int64_t ms);        /* "42 s", "3 min 5 s", "2 h 10 min", "4 d 2 h" */
const char *words_clock(char text[WORDS_MAX], int64_t unix_ms); /* "18:04:33" in UTC */
/* By the signal's name: _ratio, seconds and the rest. */
const char *words_signal(char text[WORDS_MAX], const char *signal, double v);
