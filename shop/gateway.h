/* gateway.h - crest-shop gateway: a stand-in for a payment gateway, with latency, jitter, declines, errors,
 * hangs and rate limits.
 *
 * POST /v1/payments {"amount","currency","card","reference"} -> 200
 * {"id","status":"approved"|"declined","code"}, 502, or 429 with RateLimit-* and Retry-After; a hang never
 * answers until its client leaves or 60 s pass. GET/PUT /control, GET /metrics. */
#pragma once

#include "lib/base/macros.h"

struct options;
int gateway_main(const struct options *options);
