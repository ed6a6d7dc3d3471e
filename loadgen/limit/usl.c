#include "loadgen/limit/usl.h"

#include <math.h>
#include <string.h>

#define STEPS_MAX 200
#define NO_CURVE_LOSS 0.02 /* of the straight line at the highest concurrency seen: what noise alone bends */

const char *usl_state_text(enum usl_state s)
{
    static const char *const TEXTS[] = {
        "", "too few probes for a scalability fit: it takes 6",
        "the probes' concurrencies are too near to each other for a scalability fit",
        "throughput grew in proportion to concurrency as far as the probes went: no peak can be told"};
    return TEXTS[s];
}

double usl_throughput(const struct usl_fit *f, double n)
{
    return f->lambda * n / (1 + f->sigma * (n - 1) + f->kappa * n * (n - 1));
}

/* ---- small linear algebra ---- */

enum { LAMBDA, SIGMA, KAPPA, PARAMETERS };

/* a x = b for the k×k part, by elimination with pivots; false: singular. */
static bool solve(double a[PARAMETERS][PARAMETERS], double b[PARAMETERS], size_t k, double x[PARAMETERS])
{
    for (size_t c = 0; c < k; c++) {
        size_t pivot = c;
        for (size_t r = c + 1; r < k; r++)
            if (fabs(a[r][c]) > fabs(a[pivot][c]))
                pivot = r;
        if (!(fabs(a[pivot][c]) > 1e-300))
            return false;
        for (size_t i = 0; i < k && pivot != c; i++) {
            double held = a[c][i];
            a[c][i] = a[pivot][i];
            a[pivot][i] = held;
        }
        double held = b[c];
        b[c] = b[pivot];
        b[pivot] = held;
        for (size_t r = c + 1; r < k; r++) {
            double factor = a[r][c] / a[c][c];
            for (size_t i = c; i < k; i++)
                a[r][i] -= factor * a[c][i];
            b[r] -= factor * b[c];
        }
    }
    for (size_t c = k; c-- > 0;) {
        x[c] = b[c];
        for (size_t i = c + 1; i < k; i++)
            x[c] -= a[c][i] * x[i];
        x[c] /= a[c][c];
    }
    return true;
}

/* ---- the fit with some of sigma and kappa held at 0 ---- */

struct shape {
    size_t k;                /* parameters that are free */
    size_t free[PARAMETERS]; /* which */
};

/* The sum of squared relative residuals; INFINITY outside of where the law means something. */
static double loss(const struct usl_fit *f, const struct usl_point *p, size_t n)
{
    double sum = 0;
    if (!(f->lambda > 0) || f->sigma < 0 || f->sigma > 1 || f->kappa < 0)
        return INFINITY;
    for (size_t i = 0; i < n; i++) {
        double r = 1 - usl_throughput(f, p[i].concurrency) / p[i].throughput;
        sum += r * r;
    }
    return sum;
}

static double *parameter(struct usl_fit *f, size_t which)
{
    return which == LAMBDA ? &f->lambda : which == SIGMA ? &f->sigma : &f->kappa;
}

/* d X / d parameter, relative to the measured throughput. */
static void slopes(const struct usl_fit *f, const struct usl_point *p, double d[PARAMETERS])
{
    double n = p->concurrency, x = usl_throughput(f, n) / p->throughput;
    double below = 1 + f->sigma * (n - 1) + f->kappa * n * (n - 1);
    d[LAMBDA] = x / f->lambda;
    d[SIGMA] = -x * (n - 1) / below;
    d[KAPPA] = -x * n * (n - 1) / below;
}

/* N/X = (1 + sigma (N-1) + kappa N (N-1)) / lambda is linear in its coefficients: where to begin. */
static struct usl_fit begin(const struct shape *s, const struct usl_point *p, size_t n)
{
    double a[PARAMETERS][PARAMETERS] = {0}, b[PARAMETERS] = {0}, x[PARAMETERS] = {0};
    for (size_t i = 0; i < n; i++) {
        double c = p[i].concurrency, y = c / p[i].throughput, all[PARAMETERS] = {1, c - 1, c * (c - 1)};
        for (size_t r = 0; r < s->k; r++) {
            for (size_t q = 0; q < s->k; q++)
                a[r][q] += all[s->free[r]] * all[s->free[q]] / (y * y);
            b[r] += all[s->free[r]] * y / (y * y);
        }
    }
    struct usl_fit f = {.lambda = p[0].throughput / p[0].concurrency};
    if (!solve(a, b, s->k, x) || !(x[0] > 0))
        return f;
    f.lambda = 1 / x[0];
    for (size_t r = 1; r < s->k; r++)
        *parameter(&f, s->free[r]) = fmax(x[r] / x[0], 0);
    f.sigma = fmin(f.sigma, 1);
    return f;
}

/* Levenberg and Marquardt: Gauss and Newton's step, shortened until it helps. */
static double improve(struct usl_fit *f, const struct shape *s, const struct usl_point *p, size_t n)
{
    double best = loss(f, p, n), damping = 1e-3;
    for (unsigned step = 0; step < STEPS_MAX && damping < 1e12; step++) {
        double a[PARAMETERS][PARAMETERS] = {0}, b[PARAMETERS] = {0}, move[PARAMETERS] = {0};
        for (size_t i = 0; i < n; i++) {
            double d[PARAMETERS], residual = 1 - usl_throughput(f, p[i].concurrency) / p[i].throughput;
            slopes(f, &p[i], d);
            for (size_t r = 0; r < s->k; r++) {
                for (size_t q = 0; q < s->k; q++)
                    a[r][q] += d[s->free[r]] * d[s->free[q]];
                b[r] += d[s->free[r]] * residual;
            }
        }
        for (size_t r = 0; r < s->k; r++)
            a[r][r] *= 1 + damping;
        struct usl_fit next = *f;
        if (solve(a, b, s->k, move))
            for (size_t r = 0; r < s->k; r++)
                *parameter(&next, s->free[r]) += move[r];
        double then = loss(&next, p, n);
        if (!(then < best)) {
            damping *= 8;
            continue;
        }
        bool enough = best - then < 1e-14 * best;
        *f = next;
        best = then;
        damping /= 8;
        if (enough)
            break;
    }
    return best;
}

/* ---- what it says ---- */

static void describe(struct usl_fit *f, const struct usl_point *p, size_t n)
{
    double mean = 0, total = 0, left = 0;
    for (size_t i = 0; i < n; i++)
        mean += p[i].throughput / (double)n;
    f->worst_ratio = 0;
    for (size_t i = 0; i < n; i++) {
        double residual = p[i].throughput - usl_throughput(f, p[i].concurrency);
        total += (p[i].throughput - mean) * (p[i].throughput - mean);
        left += residual * residual;
        f->worst_ratio = fmax(f->worst_ratio, fabs(residual) / p[i].throughput);
    }
    f->r_squared = total > 0 ? 1 - left / total : 0;
    f->n = n;
    if (f->kappa > 0) {
        f->peak_concurrency = fmax(1, sqrt(fmax(0, 1 - f->sigma) / f->kappa));
        f->peak_throughput = usl_throughput(f, f->peak_concurrency);
    } else {
        f->peak_concurrency = INFINITY;
        f->peak_throughput = f->sigma > 0 ? f->lambda / f->sigma : INFINITY;
    }
}

enum usl_state usl_fit(const struct usl_point *points, size_t n, struct usl_fit *ret)
{
    static const struct shape SHAPES[] = {
        {3, {LAMBDA, SIGMA, KAPPA}}, {2, {LAMBDA, SIGMA}}, {2, {LAMBDA, KAPPA}}, {1, {LAMBDA}}};
    if (n < USL_POINTS_MIN)
        return USL_TOO_FEW;
    double least = INFINITY, most = 0, best = INFINITY;
    for (size_t i = 0; i < n; i++) {
        if (!(points[i].concurrency > 0) || !(points[i].throughput > 0))
            return USL_TOO_FEW;
        least = fmin(least, points[i].concurrency);
        most = fmax(most, points[i].concurrency);
    }
    if (most / least < USL_SPREAD_MIN)
        return USL_NARROW;
    struct usl_fit fit = {0};
    for (size_t i = 0; i < sizeof SHAPES / sizeof SHAPES[0]; i++) {
        struct usl_fit f = begin(&SHAPES[i], points, n);
        double l = improve(&f, &SHAPES[i], points, n);
        if (l < best * (1 - 1e-9)) { /* the fuller shape wins a tie */
            best = l;
            fit = f;
        }
    }
    describe(&fit, points, n);
    double straight = usl_throughput(&fit, least) / least * most;
    if (!isfinite(fit.peak_throughput) || usl_throughput(&fit, most) > straight * (1 - NO_CURVE_LOSS))
        return USL_NO_CURVE;
    *ret = fit;
    return USL_FITTED;
}
