#include "loadgen/outputs.h"

#include <errno.h>

#include "lib/base/file.h"
#include "lib/base/limits.h"
#include "loadgen/compare/compare.h"
#include "loadgen/report.h"

static int write_json(const struct run_config *c, const struct run_result *r, const struct report_more *more,
                      struct buf *out)
{
    report_json(out, c, r, more ? more->limit : NULL);
    return buf_error(out);
}

static int write_csv(const struct run_config *c, const struct run_result *r, const struct report_more *more,
                     struct buf *out)
{
    (void)more;
    report_csv(out, c, r);
    return buf_error(out);
}

static const struct output {
    const char *option;
    int (*write)(const struct run_config *c, const struct run_result *r, const struct report_more *more,
                 struct buf *out);
} OUTPUTS[] = {{"json", write_json}, {"csv", write_csv}, {"html", report_page}};

bool outputs_to_stdout(const struct options *o)
{
    for (size_t i = 0; i < ARRAY_LEN(OUTPUTS); i++) {
        const char *path = options_text(o, OUTPUTS[i].option);
        if (path && strcmp(path, "-") == 0)
            return true;
    }
    return false;
}

int output_put(const char *path, struct span content)
{
    if (strcmp(path, "-") == 0)
        return fwrite(content.ptr, 1, content.len, stdout) == content.len && fflush(stdout) == 0 ? 0 : -EIO;
    return file_write(path, content.ptr, content.len);
}

bool outputs_write(const struct options *o, const struct run_config *c, const struct run_result *r,
                   const struct report_more *more)
{
    bool good = true;
    for (size_t i = 0; i < ARRAY_LEN(OUTPUTS); i++) {
        const char *path = options_text(o, OUTPUTS[i].option);
        if (!path)
            continue;
        struct buf out;
        buf_init(&out, RESULT_BYTES_MAX);
        int error = OUTPUTS[i].write(c, r, more, &out);
        if (error == 0)
            error = output_put(path, buf_view(&out));
        buf_done(&out);
        if (error < 0)
            fprintf(stderr, "crest-loadgen: %s: %s\n", path, strerror(-error));
        good &= error == 0;
    }
    return good;
}

/* Both runs are read from their JSON: what is compared is what is kept. */
int outputs_compare(const struct saved_run *before, const struct run_config *c, const struct run_result *result,
                    FILE *to, struct buf *section)
{
    struct saved_run *now = NULL;
    struct comparison *comparison = NULL;
    char why[200];
    struct buf json;
    buf_init(&json, RESULT_BYTES_MAX);
    report_json(&json, c, result, NULL);
    int r = buf_error(&json);
    if (r == 0)
        r = saved_run_read(buf_view(&json), &now, why, sizeof why);
    buf_done(&json);
    if (r == 0)
        r = compare_runs(before, now, &comparison);
    if (r == 0) {
        compare_text(to, comparison);
        compare_html(section, comparison);
    }
    compare_free(comparison);
    saved_run_free(now);
    return r;
}
