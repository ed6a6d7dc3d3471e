#include "tests/support/ingest.h"

#include <stdio.h>

#include "lib/base/limits.h"
#include "lib/wire/remote_write.h"
#include "tests/support/e2e.h"

int ingest_body(const char *url, struct span body, char **ret_answer)
{
    static const char *const HEADERS[] = {"Content-Encoding: snappy", "Content-Type: " REMOTE_WRITE_CONTENT_TYPE,
                                          REMOTE_WRITE_VERSION_HEADER, NULL};
    char full[256];
    snprintf(full, sizeof full, "%s/api/v1/write", url);
    return e2e_try("POST", full, HEADERS, body, ret_answer);
}

int ingest(const char *url, const char *metric, size_t n_series, int64_t t_ms, double value)
{
    struct remote_write_encoder *e = NULL;
    struct buf body;
    struct sample sample = {t_ms, 0, value};
    buf_init(&body, BODY_BYTES_MAX);
    int r = remote_write_encoder_new(&e);
    for (size_t i = 0; r == 0 && i < n_series; i++) {
        char number[24];
        snprintf(number, sizeof number, "%zu", i);
        struct label pairs[] = {{SPAN("__name__"), span_str(metric)}, {SPAN("series"), span_str(number)}};
        r = remote_write_add(e, &(struct labels){pairs, 2}, &sample, 1);
    }
    if (r == 0)
        r = remote_write_finish(e, &body);
    if (r == 0)
        r = ingest_body(url, buf_view(&body), NULL);
    remote_write_encoder_free(e);
    buf_done(&body);
    return r;
}
