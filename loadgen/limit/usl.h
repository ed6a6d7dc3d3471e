/* usl.h - the Universal Scalability Law through measured points of concurrency and throughput.
 *
 *   struct usl_fit fit;
 *   if (usl_fit(points, n, &fit) == USL_FITTED) printf("at most %f/s", fit.peak_throughput);
 *
 * X(N) = lambda N / (1 + sigma (N - 1) + kappa N (N - 1)): lambda is the throughput of one, sigma the share that waits for each other
 * (contention), kappa the cost of keeping each other informed (coherency). N. Gunther, Guerrilla Capacity Planning, 2007; N need not be whole.
 * Least squares over relative residuals, (measured - fitted) / measured: probes double, and absolute ones would look at the highest only.
 * sigma and kappa are not negative, sigma is not above 1. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define USL_POINTS_MIN 6   /* three parameters and as many points to contradict them */
#define USL_SPREAD_MIN 2.0 /* the highest concurrency over the lowest: less shows a spot, not a curve */

enum usl_state {
    USL_FITTED,
    USL_TOO_FEW, /* fewer than USL_POINTS_MIN points */
    USL_NARROW,  /* their concurrency is all the same, nearly */
    USL_NO_CURVE /* throughput is proportional to concurrency as far as was seen: no peak can be told */
};
/* Why there is no fit, as a sentence; "" when there is one. */
const char *usl_state_text(enum usl_state s);

struct usl_point {
    double concurrency, throughput; /* of the same stretch of time, both > 0 */
};
struct usl_fit {
    double lambda, sigma, kappa;
    double peak_concurrency,
        peak_throughput; /* where throughput is highest; INFINITY and the asymptote lambda/sigma without kappa */
    double r_squared;    /* of throughput, 1 - residual over total sum of squares; may be negative */
    double worst_ratio;  /* the largest |measured - fitted| / measured */
    size_t n;
};
enum usl_state usl_fit(const struct usl_point *points, size_t n, struct usl_fit *ret);
double usl_throughput(const struct usl_fit *f, double concurrency);
