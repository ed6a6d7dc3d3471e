/* character.h - one character at a time: its UTF-8, the value of a hex digit. Every parser of escapes needs them.
 *
 *   char bytes[UTF8_BYTES_MAX];
 *   buf_bytes(&out, bytes, utf8_put(bytes, 0x20ac));
 *
 * Whether a number is a character at all (not above U+10FFFF, no surrogate) is the caller's to say: what is wrong with it is the caller's error. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define UTF8_BYTES_MAX 4u

/* 1 to 4 bytes; code is below 0x200000. */
size_t utf8_put(char to[UTF8_BYTES_MAX], uint32_t code);
/* 0 to 15; -1: it is none. */
int hex_digit_value(char c);
