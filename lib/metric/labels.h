/* labels.h - a label set: what names a series.
 *
 *   struct label pairs[] = {{SPAN("__name__"), SPAN("up")}, {SPAN("job"), SPAN("shop")}};
 *   struct labels ls = {pairs, 2};                           // sorted by name, no empty values
 *
 *   struct label_builder b;                                  // or build one in any order
 *   label_builder_init(&b, &arena);
 *   label_builder_set(&b, SPAN("job"), SPAN("shop"));        // replaces; an empty value removes
 *   r = label_builder_finish(&b, &ls);                       // sorted, lives in the arena, names and values copied
 *
 * Invariant of every struct labels: sorted by name (byte order), names unique and not empty, no empty value.
 * Names and values are UTF-8; the metric name is the label __name__. Plain data; the bytes belong to somebody else. */
#pragma once

#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"

struct label {
    struct span name, value;
};
struct labels {
    struct label *pairs;
    size_t n;
};

/* The value, or the empty span when there is no such label. */
struct span labels_get(const struct labels *ls, struct span name);
bool labels_equal(const struct labels *a, const struct labels *b);
/* Lexicographic by pairs: <0, 0, >0. */
int labels_compare(const struct labels *a, const struct labels *b);
/* Seeded per process (xxHash with hash_seed()): not to be stored. */
uint64_t labels_hash(const struct labels *ls);
/* Alertmanager's and Prometheus's fingerprint of a label set: FNV-1a 64 over name 0xff value 0xff; may be stored. */
uint64_t labels_fingerprint(const struct labels *ls);
/* A deep copy in the arena. -ENOMEM. */
MUST_USE int labels_copy(struct arena *a, const struct labels *ls, struct labels *ret);
/* Does the invariant hold, within the limits of limits.h? 0, or -EINVAL with the reason in *ret_why (a constant). */
MUST_USE int labels_check(const struct labels *ls, const char **ret_why);
/* {a="1", b="2"} as Prometheus prints it, the metric name in front: up{job="shop"}. Names that are not plain are
 * quoted: {"my.metric", "l.x"="y"}; values are quoted as Go does (quote.h). No labels at all: {}. */
void labels_format(struct buf *out, const struct labels *ls);
/* [a-zA-Z_][a-zA-Z0-9_]* and, for metric names, ':' too. */
bool label_name_is_plain(struct span name);
bool metric_name_is_plain(struct span name);
/* value with \ " and newline escaped, as between the quotes of the text format. */
void label_value_escape(struct buf *out, struct span value);

struct label_builder {
    struct arena *arena;
    struct label *pairs;
    size_t n, cap;
    int error;
};
void label_builder_init(struct label_builder *b, struct arena *arena);
/* Start from a set; later sets replace. */
void label_builder_from(struct label_builder *b, const struct labels *ls);
void label_builder_set(struct label_builder *b, struct span name, struct span value);
void label_builder_remove(struct label_builder *b, struct span name);
struct span label_builder_get(const struct label_builder *b, struct span name);
/* The first error met while building: -ENOMEM; -E2BIG: more than LABELS_MAX at the end, or many times that on the way. */
MUST_USE int label_builder_finish(struct label_builder *b, struct labels *ret);
