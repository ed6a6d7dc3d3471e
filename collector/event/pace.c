#include "collector/event/pace.h"

#include <math.h>

#define Z 1.2815515655446004 /* of the normal distribution at 90 %: an interval of 80 % */

/* Student's t at 90 % for so many degrees of freedom: the expansion of Abramowitz and Stegun 26.7.5. */
static double student(double df)
{
    double z3 = Z * Z * Z, z5 = z3 * Z * Z, z7 = z5 * Z * Z;
    return Z + (z3 + Z) / (4 * df) + (5 * z5 + 16 * z3 + 3 * Z) / (96 * df * df) +
           (3 * z7 + 19 * z5 + 17 * z3 - 15 * Z) / (384 * df * df * df);
}

bool pace_forecast(const double *actual, const double *plan, size_t n, double remaining, double total, struct pace *ret)
{
    double came = 0, planned = 0, square = 0, neighbours = 0, before = 0;
    size_t cells = 0;
    for (size_t i = 0; i < n; i++)
        if (plan[i] > 0) {
            came += actual[i];
            planned += plan[i];
            cells++;
        }
    if (cells < PACE_CELLS_MIN || !(came > 0))
        return false;
    double pace = came / planned;
    bool has_before = false;
    for (size_t i = 0; i < n; i++) {
        if (!(plan[i] > 0)) {
            has_before = false;
            continue;
        }
        double residual = (actual[i] - pace * plan[i]) / sqrt(pace * plan[i]);
        square += residual * residual;
        neighbours += has_before ? residual * before : 0;
        before = residual;
        has_before = true;
    }
    double scale = square / (double)(cells - 1);
    double alike = square > 0 ? neighbours / square : 0;
    alike = alike < 0 ? 0 : alike > 0.9 ? 0.9 : alike;
    double rest = remaining > 0 ? remaining : 0;
    double variance = scale * (1 + alike) / (1 - alike) * pace * rest * (rest / planned + 1);
    double half = student((double)(cells - 1)) * sqrt(variance);
    ret->pace = pace;
    ret->at = total + pace * rest;
    ret->low = ret->at - half > total ? ret->at - half : total; /* what was sold is sold */
    ret->high = ret->at + half;
    return true;
}
