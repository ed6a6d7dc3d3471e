/* samples.h - samples into a running collector by remote write, for end-to-end tests.
 *
 *   struct sample_batch *b = sample_batch_new();
 *   sample_batch_add(b, "commerce_orders_total|market=de|source=", t_ms, 12);   // name, then label=value by name
 *   sample_batch_send(b, collector);                                             // fails the test unless 204; frees b */
#pragma once

#include "tests/support/e2e.h"

struct sample_batch;
struct sample_batch *sample_batch_new(void);
/* Labels in the order of their names; `__name__` comes first by itself. Empty values are left out. */
void sample_batch_add(struct sample_batch *b, const char *series, int64_t t_ms, double value);
void sample_batch_send(struct sample_batch *b, const struct e2e_program *collector);
/* The same, but whatever the answer is: its status, and its body for the caller to free. Frees b. */
int sample_batch_try(struct sample_batch *b, const struct e2e_program *collector, char **ret_answer);
