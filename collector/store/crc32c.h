/* crc32c.h - CRC-32C (Castagnoli, RFC 3720 appendix B.4) of what the store writes: log records, extents, series.
 *
 *   uint32_t crc = crc32c(0, header, n);
 *   crc = crc32c(crc, body, m);             // the same as over both pieces together
 *
 * Uses the processor's instruction where there is one. */
#pragma once

#include <stddef.h>
#include <stdint.h>

uint32_t crc32c(uint32_t crc, const void *bytes, size_t n);
/* The same in plain C, for machines without the instruction (and the test that compares both). */
uint32_t crc32c_portable(uint32_t crc, const void *bytes, size_t n);
