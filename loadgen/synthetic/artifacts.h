/* artifacts.h - a folder of failed exchanges: what was asked, what was answered, why that was a failure. Bounded in number and bytes.
 *
 *   struct artifacts *a;
 *   r = artifacts_open("failures", &a);
 *   artifacts_keep(a, &step, unix_ms());         // failures/20261127T000102.345Z-checkout-pay.txt
 *   artifacts_free(a);
 *
 * Secrets, cookies and card numbers are removed (redact.h). Names begin with the time, so their order is their age; the oldest goes when there
 * are more than ARTIFACTS_MAX or ARTIFACTS_BYTES_MAX, those of an earlier run counted too. Files that do not look like ours stay. Threads may
 * share it. */
#pragma once

#include "loadgen/engine/config.h"

struct artifacts;
/* Makes the folder. -errno when it cannot be made or written to. */
MUST_USE int artifacts_open(const char *folder, struct artifacts **ret);
void artifacts_free(struct artifacts *a);
/* -errno: it could not be written. */
MUST_USE int artifacts_keep(struct artifacts *a, const struct step_report *step, int64_t now_ms);
/* The text of one, for tests and for artifacts_keep. -ENOMEM; -E2BIG: it has more secrets than can be looked for. */
MUST_USE int artifact_text(struct buf *out, const struct step_report *step, int64_t now_ms);
