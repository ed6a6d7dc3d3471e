/* value.h - what queries give, captures keep and templates write.
 *
 *   struct hurl_value v = hurl_value_text(SPAN("EUR"));
 *   if (hurl_value_print(&v, &out) < 0) ...        // lists, objects and bytes have no text
 *
 * Plain data: texts belong to an arena or to the body they were found in; hurl_value_keep copies them. Lists
 * and objects are JSON text. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"

enum hurl_value_kind {
    HURL_VALUE_NONE, /* the query found nothing */
    HURL_VALUE_NULL,
    HURL_VALUE_BOOL,
    HURL_VALUE_INT,
    HURL_VALUE_FLOAT,
    HURL_VALUE_BIG, /* a whole number beyond int64: text is its digits, number the nearest double */
    HURL_VALUE_TEXT,
    HURL_VALUE_BYTES,
    HURL_VALUE_LIST,   /* text is a JSON array */
    HURL_VALUE_OBJECT, /* text is a JSON object */
    HURL_VALUE_DATE,   /* integer: microseconds since the epoch */
    HURL_VALUE_NODES   /* of XPath: text is a JSON array of their texts; exists when it is not empty */
};
struct hurl_value {
    enum hurl_value_kind kind;
    bool boolean;
    int64_t integer;
    double number; /* of INT and BIG too */
    struct span text;
    /* What a JSONPath that may name several values has found: one, given as that value, or none. Hurl 8 gives it so, Hurl 7 as a list of it:
     * count, nth, first, last and isEmpty take it as the list it would be. */
    bool lone;
};

static inline struct hurl_value hurl_value_text(struct span text)
{
    return (struct hurl_value){.kind = HURL_VALUE_TEXT, .text = text};
}
static inline struct hurl_value hurl_value_int(int64_t v)
{
    return (struct hurl_value){.kind = HURL_VALUE_INT, .integer = v, .number = (double)v};
}
static inline struct hurl_value hurl_value_float(double v)
{
    return (struct hurl_value){.kind = HURL_VALUE_FLOAT, .number = v};
}
static inline struct hurl_value hurl_value_date(int64_t us)
{
    return (struct hurl_value){.kind = HURL_VALUE_DATE, .integer = us};
}
static inline struct hurl_value hurl_value_bool(bool v)
{
    return (struct hurl_value){.kind = HURL_VALUE_BOOL, .boolean = v};
}
/* From checked JSON text; texts point into it unless they have escapes (then into the arena). -ENOMEM. */
MUST_USE int hurl_value_from_json(struct arena *a, struct span json, struct hurl_value *ret);
/* As JSON text. -EINVAL: bytes and nothing have none. */
MUST_USE int hurl_value_to_json(const struct hurl_value *v, struct buf *out);
/* name=value of the command line: null, boolean, number when it is one, "text" in quotes, else text. */
struct hurl_value hurl_value_guess(struct span text);
/* As a template writes it. -EINVAL: lists, objects, bytes and nothing have no text. */
MUST_USE int hurl_value_print(const struct hurl_value *v, struct buf *out);
/* A copy whose text lives in the arena, no longer `lone`. -ENOMEM. */
MUST_USE int hurl_value_keep(struct arena *a, const struct hurl_value *v, struct hurl_value *ret);
/* For messages: kind and a shortened value, "text \"abc\"". */
void hurl_value_describe(const struct hurl_value *v, struct buf *out);
