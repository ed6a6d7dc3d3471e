#include "tests/support/promql_grammar.h"

#include <string.h>

#define PICK(r, list) ((list)[check_random_below((r), ARRAY_LEN(list))])
#define DEPTH_MAX 3

/* Difference "names leave at the end": since 3.0 __name__ goes when the query ends, so series of two metrics may meet in
 * between. Every selector names one metric. */
static const char *const METRICS[] = {"temperature", "requests_total", "restarts_total", "sparse", "flags"};
static const char *const COUNTERS[] = {"requests_total", "restarts_total"};
static const char *const MATCHERS[] = {"",
                                       "",
                                       "",
                                       "{job=\"a\"}",
                                       "{job!=\"a\"}",
                                       "{instance=~\"i[0-2]\"}",
                                       "{instance!~\"i1|i3\",job=~\"a|b\"}",
                                       "{job=~\"c.*\"}"};
static const char *const OFFSETS[] = {"", "", "", "", " offset 2m", " offset -1m"};
/* Difference "open at the left": a window's edge never has a sample. Samples lie off whole seconds; the steps of subqueries are
 * multiples of their resolution, so their windows are none of it. */
static const char *const RANGES[] = {"[1m]", "[2m]", "[5m]", "[97s]"};
static const char *const RATES[] = {"rate", "increase", "irate"};
static const char *const GAUGE_CHANGES[] = {"delta", "idelta", "deriv", "changes", "resets"};
static const char *const OVER_TIME[] = {"avg_over_time",     "min_over_time",    "max_over_time",
                                        "sum_over_time",     "count_over_time",  "last_over_time",
                                        "present_over_time", "stddev_over_time", "stdvar_over_time"};
static const char *const MAPS[] = {"abs", "sqrt", "deg", "rad", "-"};
static const char *const STEPS[] = {"ceil(", "floor(", "sgn(", "round("};
static const char *const AGGREGATIONS[] = {"sum", "avg", "min", "max", "count", "group"};
static const char *const GROUPINGS[] = {
    "", " by (job)", " by (instance)", " by (job, instance)", " without (instance)", " without (job, instance)"};
/* Difference "zero without a sign": a sum of -0 is 0 since sums are compensated. Only a quotient could show it. */
static const char *const ARITHMETIC[] = {"+", "-", "*"};
static const char *const COMPARISONS[] = {"==", "!=", "<", "<=", ">", ">="};
static const char *const SETS[] = {"and", "or", "unless"};
static const char *const NUMBERS[] = {"0", "1", "2.5", "-3", "1e3", "0.001"};

static void vector(struct check_random *r, struct buf *out, unsigned depth);

static void selector(struct check_random *r, struct buf *out)
{
    buf_printf(out, "%s%s%s", PICK(r, METRICS), PICK(r, MATCHERS), PICK(r, OFFSETS));
}

static void range_function(struct check_random *r, struct buf *out)
{
    switch (check_random_below(r, 4)) {
    case 0: /* difference "zero point": counters with gaps are so large that they were never 0 nearby */
        buf_printf(out, "%s(%s%s%s%s)", PICK(r, RATES), PICK(r, COUNTERS), PICK(r, MATCHERS), PICK(r, RANGES),
                   PICK(r, OFFSETS));
        break;
    case 1:
        buf_printf(out, "%s(%s%s%s%s)", PICK(r, GAUGE_CHANGES), PICK(r, METRICS), PICK(r, MATCHERS), PICK(r, RANGES),
                   PICK(r, OFFSETS));
        break;
    case 2:
        buf_printf(out, "quantile_over_time(0.%u, %s%s)", 1 + (unsigned)check_random_below(r, 8), PICK(r, METRICS),
                   PICK(r, RANGES));
        break;
    default:
        buf_printf(out, "%s(%s%s%s%s)", PICK(r, OVER_TIME), PICK(r, METRICS), PICK(r, MATCHERS), PICK(r, RANGES),
                   PICK(r, OFFSETS));
        break;
    }
}

/* One series for each job and instance. Difference "filtered matches": since 3.7 two matches are an error even where a comparison
 * lets neither through, so sides are unique. */
static void unique_side(struct check_random *r, struct buf *out, unsigned depth)
{
    buf_str(out, "sum by (job, instance) (");
    vector(r, out, depth + 1);
    buf_char(out, ')');
}

/* Difference "the last digit": an average is the sum by the count since 3.0 and was the mean so far of each sample. What makes a step
 * out of a last digit (round, a comparison) is asked of samples as they are, or where no average of theirs lies. */
static void off_steps(struct check_random *r, struct buf *out, unsigned depth, bool plain)
{
    if (plain) {
        selector(r, out);
        return;
    }
    buf_char(out, '(');
    vector(r, out, depth + 1);
    buf_str(out, " + 0.0123456789)");
}

static void comparison(struct check_random *r, struct buf *out, unsigned depth)
{
    bool plain = check_random_below(r, 3) == 0, with_number = check_random_below(r, 2);
    buf_str(out, with_number ? "" : "sum by (job, instance) (");
    off_steps(r, out, depth, plain);
    buf_printf(out, "%s %s %s", with_number ? "" : ")", PICK(r, COMPARISONS), check_random_below(r, 2) ? "bool " : "");
    if (with_number) {
        buf_str(out, PICK(r, NUMBERS));
    } else if (plain) {
        buf_str(out, "sum by (job, instance) (");
        selector(r, out);
        buf_char(out, ')');
    } else {
        unique_side(r, out, depth);
    }
}

static void operation(struct check_random *r, struct buf *out, unsigned depth)
{
    switch (check_random_below(r, 6)) {
    case 0:
        vector(r, out, depth + 1);
        buf_printf(out, " %s %s", check_random_below(r, 2) ? "/" : PICK(r, ARITHMETIC), PICK(r, NUMBERS));
        break;
    case 1:
        buf_printf(out, "%s %s ", PICK(r, NUMBERS), PICK(r, ARITHMETIC));
        vector(r, out, depth + 1);
        break;
    case 2:
        comparison(r, out, depth);
        break;
    case 3:
        unique_side(r, out, depth);
        buf_printf(out, " %s ", PICK(r, SETS));
        unique_side(r, out, depth);
        break;
    case 4:
        unique_side(r, out, depth);
        buf_printf(out, " %s ", PICK(r, ARITHMETIC));
        unique_side(r, out, depth);
        break;
    default:
        unique_side(r, out, depth);
        buf_printf(out, " %s on (job) group_left () sum by (job) (", PICK(r, ARITHMETIC));
        vector(r, out, depth + 1);
        buf_char(out, ')');
        break;
    }
}

static void aggregation(struct check_random *r, struct buf *out, unsigned depth)
{
    const char *grouping = PICK(r, GROUPINGS);
    switch (check_random_below(r, 8)) {
    case 0: /* of values that are never equal: ties are ordered by labels here, by chance there */
        buf_printf(out, "%s%s (%u, temperature%s)", check_random_below(r, 2) ? "topk" : "bottomk", grouping,
                   1 + (unsigned)check_random_below(r, 3), PICK(r, MATCHERS));
        return;
    case 3: /* difference "a lone NaN": its deviation is NaN now and was 0; these are numbers, and never equal: next to a
             * deviation of 0 a quotient would show nothing but rounding */
        buf_printf(out, "%s%s (temperature%s)", check_random_below(r, 2) ? "stddev" : "stdvar", grouping,
                   PICK(r, MATCHERS));
        return;
    case 1:
        buf_printf(out, "quantile%s (0.%u, ", grouping, 1 + (unsigned)check_random_below(r, 8));
        break;
    case 2:
        buf_printf(out, "count_values%s (\"v\", flags%s)", grouping, PICK(r, MATCHERS));
        return;
    default:
        buf_printf(out, "%s%s (", PICK(r, AGGREGATIONS), grouping);
        break;
    }
    vector(r, out, depth + 1);
    buf_char(out, ')');
}

static void call(struct check_random *r, struct buf *out, unsigned depth)
{
    switch (check_random_below(r, 7)) {
    case 0:
        buf_printf(out, "%s(", PICK(r, MAPS));
        vector(r, out, depth + 1);
        buf_char(out, ')');
        break;
    case 1:
        buf_str(out, "clamp(");
        vector(r, out, depth + 1);
        buf_str(out, ", -10, 50)");
        break;
    case 2:
        buf_str(out, "label_replace(");
        vector(r, out, depth + 1);
        buf_str(out, ", \"n\", \"$1-x\", \"instance\", \"i([0-9])\")");
        break;
    case 3: /* difference "nested edges": an inner subquery's steps would lie on the edges of another's windows */
        buf_printf(out, "%s((%s%s)[%s:30s])", PICK(r, OVER_TIME), PICK(r, METRICS), PICK(r, MATCHERS),
                   check_random_below(r, 2) ? "2m" : "5m");
        break;
    case 4:
        buf_printf(out, "histogram_quantile(0.%u, sum by (le%s) (rate(latency_bucket%s[5m])))",
                   1 + (unsigned)check_random_below(r, 9), check_random_below(r, 2) ? ", job" : "", PICK(r, MATCHERS));
        break;
    case 5:
        buf_str(out, "absent(");
        selector(r, out);
        buf_char(out, ')');
        break;
    default: {
        const char *step = PICK(r, STEPS);
        buf_str(out, step);
        off_steps(r, out, depth, check_random_below(r, 3) == 0);
        buf_str(out, strcmp(step, "round(") == 0 ? ", 0.5)" : ")");
        break;
    }
    }
}

static void vector(struct check_random *r, struct buf *out, unsigned depth)
{
    unsigned form = (unsigned)check_random_below(r, depth >= DEPTH_MAX ? 2 : 8);
    if (form == 0)
        selector(r, out);
    else if (form <= 2)
        range_function(r, out);
    else if (form <= 4)
        aggregation(r, out, depth);
    else if (form == 5)
        call(r, out, depth);
    else {
        buf_char(out, '(');
        operation(r, out, depth);
        buf_char(out, ')');
    }
}

void promql_random_expression(struct check_random *r, struct buf *out)
{
    vector(r, out, 0);
}
