/* slo.h - thresholds as they are written: `p95<800ms`, `err<1%`, in a journey's `# @slo` and in a plan file.
 *
 *   struct hurl_slo slo;
 *   if (hurl_slo_parse(word, &slo) < 0) ... HURL_SLO_SYNTAX says what is meant */
#pragma once

#include "loadgen/hurl/tree.h"

#define HURL_SLO_SYNTAX "p95<800ms, max<2s, mean<100ms, err<1% or business<5%"

/* One word; ret->text is it, not copied. -EINVAL: it is none. */
MUST_USE int hurl_slo_parse(struct span word, struct hurl_slo *ret);
