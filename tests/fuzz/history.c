/* history.c - any bytes as the JSON that another Prometheus answers with: refused with words, or samples within the window that keep the
 * data model's rules. The first byte picks which answer. */
#include <errno.h>
#include <string.h>

#include "collector/store/history_inside.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define FROM_MS INT64_C(1732233600000)
#define TO_MS INT64_C(1732237200000)

static void check_answer(const struct history_answer *a)
{
    uint64_t samples = 0;
    for (size_t i = 0; i < a->request->n_series; i++) {
        const struct write_series *s = &a->request->series[i];
        const char *why;
        if (labels_check(&s->labels, &why) < 0 || s->n_samples == 0)
            abort();
        samples += s->n_samples;
        for (size_t k = 0; k < s->n_samples; k++)
            if (s->samples[k].t_ms < FROM_MS || s->samples[k].t_ms > TO_MS)
                abort();
    }
    if (samples != a->samples)
        abort();
}

static void check_names(const struct history_names *names)
{
    for (size_t i = 0; i < names->n; i++)
        if (names->list[i].len == 0 || (i && span_compare(names->list[i - 1], names->list[i]) > 0))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct span family = SPAN_INIT("orders_total");
    const struct history_names known = {.list = &family, .n = 1};
    const struct history_window window = {NULL, SPAN("up"), FROM_MS, TO_MS};
    struct history_answer answer = {0};
    struct history_names names = {0};
    struct write_request *metadata = NULL;
    char why[256] = "";
    if (n == 0)
        return 0;
    struct span body = span_of((const char *)data + 1, n - 1);
    int r;
    switch (data[0] % 3) {
    case 0:
        r = history_read_matrix(body, &window, &answer, why, sizeof why);
        if (r == 0)
            check_answer(&answer);
        write_request_free(answer.request);
        break;
    case 1:
        r = history_read_names(body, &names, why, sizeof why);
        if (r == 0)
            check_names(&names);
        history_names_done(&names);
        break;
    default:
        r = history_read_metadata(body, &known, &metadata, why, sizeof why);
        for (size_t i = 0; r == 0 && i < metadata->n_metadata; i++)
            if (span_search(family, metadata->metadata[i].name) != 0)
                abort(); /* nobody asked for it */
        write_request_free(metadata);
    }
    if (r < 0 && (r != -EBADMSG || !why[0]) && r != -EFBIG && r != -ENOMEM)
        abort();
    return 0;
}
