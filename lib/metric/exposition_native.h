/* exposition_native.h - a native histogram as the value of a sample line of OpenMetrics, both ways.
 *
 *   rpc_seconds{job="shop"} {count:12,sum:17.5,schema:0,zero_threshold:0.001,zero_count:2,negative_spans:[0:1],negative_buckets:[1],
 *                            positive_spans:[0:2,1:1],positive_buckets:[4,3,2]} 1700000000
 *
 *   exposition_put_histogram(&buf, h);               // from { to }, without a blank
 *   r = page_histogram(&page, &h);                     // the page is at the {; for exposition_scan.c
 *
 * These fields are the draft of OpenMetrics 2.0; spans are offset:length, buckets absolute counts. Where a histogram has what the draft
 * has no word for, these stand behind: custom_values:[…] (upper bounds, schema -53), float:1, hint:1 reset, 2 none, 3 gauge. Reading
 * takes the fields in any order, each once; those about buckets may be missing. */
#pragma once

#include "lib/metric/exposition_scan.h"

void exposition_put_histogram(struct buf *b, const struct native_histogram *h);
/* The histogram keeps native_histogram.h's rules; it lives in the page's scratch. -EINVAL, -ENOMEM: said in the page's error. */
MUST_USE int page_histogram(struct page *p, const struct native_histogram **ret);
