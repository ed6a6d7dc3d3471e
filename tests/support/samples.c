#include "tests/support/samples.h"

#include "lib/metric/sample.h"
#include "lib/wire/remote_write.h"

struct sample_batch {
    struct remote_write_encoder *encoder;
};

struct sample_batch *sample_batch_new(void)
{
    struct sample_batch *b = calloc(1, sizeof *b);
    assert_non_null(b);
    check_ok(remote_write_encoder_new(&b->encoder));
    return b;
}

void sample_batch_add(struct sample_batch *b, const char *series, int64_t t_ms, double value)
{
    struct label pairs[16];
    struct span rest = span_str(series), piece;
    size_t n = 0;
    while (span_cut(&rest, '|', &piece)) {
        size_t equals = span_find(piece, '=');
        if (n == 0)
            pairs[n++] = (struct label){SPAN("__name__"), piece};
        else if (equals + 1 < piece.len)
            pairs[n++] = (struct label){span_of(piece.ptr, equals), span_from(piece, equals + 1)};
    }
    struct sample s = {t_ms, 0, value};
    check_ok(remote_write_add(b->encoder, &(struct labels){pairs, n}, &s, 1));
}

int sample_batch_try(struct sample_batch *b, const struct e2e_program *collector, char **ret_answer)
{
    static const char *const HEADERS[] = {"Content-Encoding: snappy", "Content-Type: " REMOTE_WRITE_CONTENT_TYPE,
                                          REMOTE_WRITE_VERSION_HEADER, NULL};
    struct buf body;
    char url[256];
    buf_init(&body, 64u << 20);
    check_ok(remote_write_finish(b->encoder, &body));
    snprintf(url, sizeof url, "%s/api/v1/write", e2e_url(collector));
    int status = e2e_try("POST", url, HEADERS, buf_view(&body), ret_answer);
    buf_done(&body);
    remote_write_encoder_free(b->encoder);
    free(b);
    return status;
}

void sample_batch_send(struct sample_batch *b, const struct e2e_program *collector)
{
    AUTO_FREE char *answer = NULL;
    int status = sample_batch_try(b, collector, &answer);
    if (status != 204)
        check_failed("remote write: %d %s", status, answer ? answer : "");
}
