/* model.h - what the collector's stream says: sections of rows (docs/stream.md), kept as they came.
 *
 *   struct model m;
 *   r = model_init(&m);
 *   r = model_apply(&m, "snapshot", data, &problem);
 *   json_t *row; const char *key;
 *   json_object_foreach(model_section(&m, "services"), key, row) ... row_number(row, "trouble") ...
 *   model_done(&m);
 *
 * Rows are replaced whole and never changed, so copies of a model share them. The row_ functions take whatever stands there:
 * a member that is absent or of another type is unknown (NAN, ""), never 0. */
#pragma once

#include "lib/wire/json.h"
#include "lib/base/limits.h"

struct model {
    json_t *sections; /* {section: {key: row}} */
    json_t *more;     /* rows that the collector left out: {section: count} */
    int64_t t_ms;     /* the collector's clock in the newest frame; 0 before the first */
    uint64_t frames, refused_rows;
};
MUST_USE int model_init(struct model *m);
void model_done(struct model *m);
/* An independent model of the same rows. */
MUST_USE int model_copy(const struct model *from, struct model *ret);
/* event is snapshot, delta, alert or hb (others are ignored). -EINVAL: not such a frame, with the reason; the model is as it
 * was before. -ENOMEM: it may hold half of the frame. */
MUST_USE int model_apply(struct model *m, const char *event, struct span data, struct parse_error *ret_error);
/* An empty object when there is no such section. Lives as long as the model, until it is changed. */
json_t *model_section(const struct model *m, const char *section);
json_t *model_row(const struct model *m, const char *section, const char *key); /* NULL: none */
uint64_t model_more(const struct model *m, const char *section);

const char *row_text(const json_t *row, const char *member); /* "" when absent */
double row_number(const json_t *row, const char *member);    /* NAN when absent; "+Inf" and "-Inf" are read */
double row_in(const json_t *row, const char *object, const char *member);
int64_t row_time(const json_t *row, const char *member); /* 0 when absent */
