/* go_format.h - values printed as Go's fmt and strconv print them: what templates show and the API's alert values.
 *
 *   go_float(&out, 1e6, 'g', -1);             // 1e+06
 *   go_float(&out, 12.3456, 'f', 2);          // 12.35
 *   go_printf(&out, SPAN("%.1f%%"), args, n);
 *
 * Source of the rules: pkg.go.dev/fmt and pkg.go.dev/strconv#FormatFloat. */
#pragma once

#include "collector/template/template_value.h"
#include "lib/base/buf.h"

/* strconv.FormatFloat(v, verb, precision, 64) with verb e, f or g; precision -1: the fewest digits that read back to v. */
void go_float(struct buf *out, double v, char verb, int precision);
/* fmt's %v. */
void go_value(struct buf *out, const struct template_value *v);
/* fmt's %T. */
const char *go_type(const struct template_value *v);
/* fmt.Sprint and fmt.Sprintln. */
void go_print(struct buf *out, const struct template_value *args, size_t n);
void go_println(struct buf *out, const struct template_value *args, size_t n);
/* fmt.Sprintf. What does not fit is shown in the text as Go does: %!d(string=x), %!s(MISSING), %!(EXTRA int=1). */
void go_printf(struct buf *out, struct span format, const struct template_value *args, size_t n);
/* go_time.c: time.Time's Format of milliseconds since the epoch in UTC, and time.Duration's String of nanoseconds. */
void go_time(struct buf *out, int64_t t_ms, struct span layout);
void go_duration(struct buf *out, int64_t ns);
