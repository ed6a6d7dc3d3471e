/* yaml_place.h - libyaml counts characters from 0 and breaks lines at five kinds of ends; editors and our messages count
 * lines at \n, \r\n and \r and columns in bytes from 1. Internal to yaml.c.
 *
 *   struct yaml_place p = {.text = text};
 *   at = yaml_place_of(&p, mark.line, mark.column, &line, &column);      // byte offset
 *
 * Marks come in rising order, so the place walks along with the parser; a mark before the last one starts over. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/base/span.h"

struct yaml_place {
    struct span text;
    size_t at;                     /* bytes */
    size_t mark_line, mark_column; /* libyaml's for `at` */
    size_t line, line_start;       /* ours: lines before, byte where this one starts */
};
size_t yaml_place_of(struct yaml_place *p, size_t mark_line, size_t mark_column, uint32_t *ret_line,
                     uint32_t *ret_column);
void yaml_place_of_byte(struct yaml_place *p, size_t at, uint32_t *ret_line, uint32_t *ret_column);
