/* label_box.h - a label set that owns its bytes, in the form in which state.db keeps it.
 *
 *   struct label_box *b;
 *   r = label_box_new(&labels, &b);            // one allocation; b->labels points into it
 *   db_bind_blob(db, SQL_PUT, 1, b->packed.ptr, b->packed.len);
 *   r = label_box_unpack(db_blob(db, SQL_GET, 0), &b);
 *   free(b);
 *
 * Equal sets pack to equal bytes, so `packed` also serves as a key. The bytes, little-endian:
 *
 *   u32 count | count * { u32 name length | u32 value length } | names and values in turn */
#pragma once

#include "lib/metric/labels.h"

struct label_box {
    struct labels labels;
    struct span packed;
};
/* -ENOMEM. */
MUST_USE int label_box_new(const struct labels *labels, struct label_box **ret);
/* -EBADMSG: not such bytes (the lengths must add up exactly); -ENOMEM. */
MUST_USE int label_box_unpack(struct span packed, struct label_box **ret);
/* The packed form alone. */
void labels_pack(struct buf *out, const struct labels *labels);
