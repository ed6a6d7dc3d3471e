/* federate_page.h - the page of /federate: text, or the protobuf messages that alone have words for native histograms.
 *
 *   const char *type = federate_page_init(&page, httpd_header(r, "Accept"));
 *   federate_page_add(&page, out, &sample);      // for each, ordered by name
 *   federate_page_end(&page, out);
 *   federate_page_done(&page);
 *
 * Which one, and whether names of more than letters stay or become underscores, is negotiated as Prometheus does. Private to the room. */
#pragma once

#include "lib/base/buf.h"
#include "lib/metric/sample.h"

struct federate_page {
    bool protobuf, utf8;
    struct span name; /* of the family that was begun last */
    int type;         /* protobuf: the family's */
    struct buf family, metric, part;
};
struct federate_sample {
    const struct labels *labels; /* __name__ among them */
    int64_t t_ms;
    double value;
    const struct native_histogram *histogram; /* NULL: a float */
};

/* Returns the Content-Type. */
const char *federate_page_init(struct federate_page *p, struct span accept);
void federate_page_done(struct federate_page *p);
/* Appends what is complete; a sample that the format has no words for (a histogram in text, custom buckets) is left out. */
void federate_page_add(struct federate_page *p, struct buf *out, const struct federate_sample *s);
void federate_page_end(struct federate_page *p, struct buf *out);

/* federate_protobuf.c */
void federate_protobuf_add(struct federate_page *p, struct buf *out, const struct federate_sample *s);
void federate_protobuf_end(struct federate_page *p, struct buf *out);
/* The name as the client can read it: itself, or with underscores in scratch. */
struct span federate_name(const struct federate_page *p, struct span name, char *scratch, size_t bytes);
/* Who scrapes a page with honor_labels must not give it an instance of his own: calls fn for each label but the name, and once for an empty
 * instance where there is none. */
void federate_each_label(const struct labels *labels, void (*fn)(void *ctx, struct span name, struct span value),
                         void *ctx);
