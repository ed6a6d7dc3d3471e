/* mix.h - the ready mixes, compiled in: what `crest-loadgen init MIX` writes into a folder.
 *
 *   for (const struct mix_file *f = MIX_FILES; f->mix; f++) if (strcmp(f->mix, "retail") == 0) … f->name, f->bytes
 *
 * In no order. */
#pragma once

#include <stddef.h>

struct mix_file {
    const char *mix, *name; /* "retail", "plan.yml" */
    const unsigned char *bytes;
    size_t n;
};
extern const struct mix_file MIX_FILES[]; /* ended by mix NULL */
