/* query.h - what a collector's query API says, for end-to-end tests.
 *
 *   double v = query_value(collector, "sum(up)");                 // NAN when the answer is empty
 *   json_t *result = query(collector, "up[1m]");                   // data.result, the caller json_decref()s
 *   query_wait(collector, "up == 1", 5000);                        // until the answer has a series
 *
 * And sets of samples as sorted lines "labels value", so that a page and an answer can be compared whole:
 *
 *   struct sample_lines page = {0}, told = {0};
 *   sample_lines_from_page(&page, EXPOSITION_TEXT, text, "job", "instance");
 *   sample_lines_from_result(&told, result, min_ms, max_ms);
 *   sample_lines_check_equal(&page, &told, "what is compared");
 *   sample_lines_done(&page); */
#pragma once

#include <jansson.h>

#include "lib/metric/exposition.h"
#include "tests/support/e2e.h"

/* An instant query now, or at a time (ms): data.result. Fails the test on an error. */
json_t *query(const struct e2e_program *collector, const char *expression);
json_t *query_at(const struct e2e_program *collector, const char *expression, int64_t time_ms);
/* The one value of an answer; NAN when it is empty; fails the test on several. */
double query_value(const struct e2e_program *collector, const char *expression);
/* How many samples of a range selector's answer have this value, as the answer writes it. */
size_t query_count(const struct e2e_program *collector, const char *expression, const char *value);
/* A label of the only series of an answer, copied into text; "" when there is none. */
const char *query_label(const struct e2e_program *collector, const char *expression, const char *label, char *text,
                        size_t bytes);
/* Ask every 10 ms until the answer has a series; fails the test when it has none within timeout_ms times
 * check_patience(). Returns the milliseconds that it took. */
#define query_wait(collector, expression, timeout_ms)                                                                  \
    query_wait_at(collector, expression, timeout_ms, __FILE__, __LINE__)
int64_t query_wait_at(const struct e2e_program *collector, const char *expression, int64_t timeout_ms, const char *file,
                      int line);
/* The parsed body of a GET; the caller json_decref()s. */
json_t *get_json(const struct e2e_program *p, const char *path, int expected_status);
/* The value of a series on a /metrics page ("name{labels}" as it stands there), NAN when absent. */
double page_value(const char *page, const char *series);

struct sample_line {
    char *text;   /* name{labels} value */
    int64_t t_ms; /* of the page: its own time stamp, or -1; of an answer: the sample's */
};
struct sample_lines {
    struct sample_line *list;
    size_t n, cap;
};
/* Every sample of a page as it should be stored by a scrape of job at instance: labels of the page that collide become
 * exported_NAME; of a series twice in a page the first counts. */
void sample_lines_from_page(struct sample_lines *lines, enum exposition_format format, struct span page,
                            const char *job, const char *instance);
/* Samples of an answer (vector or matrix) with min_ms <= t <= max_ms. What the agent adds itself (up, scrape_*,
 * crest_agent_target_info) is left out. */
void sample_lines_from_result(struct sample_lines *lines, const json_t *result, int64_t min_ms, int64_t max_ms);
void sample_lines_check_equal(struct sample_lines *expected, struct sample_lines *got, const char *what);
void sample_lines_done(struct sample_lines *lines);
