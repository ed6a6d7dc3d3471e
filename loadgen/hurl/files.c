/* Files that a journey names: bodies, parts of forms, values to compare with. They lie beside the journey or below it, as in hurl. */
#include <errno.h>

#include "lib/base/file.h"
#include "lib/base/limits.h"
#include "loadgen/hurl/eval.h"

/* A journey from elsewhere must not send what is not its own. */
static bool leads_out(struct span name)
{
    struct span part;
    if (span_starts(name, SPAN("/")))
        return true;
    while (span_cut(&name, '/', &part))
        if (span_equal(part, SPAN("..")))
            return true;
    return false;
}

int hurl_file_bytes(struct hurl_scope *s, const struct hurl_template *name, struct hurl_place at, struct span *ret,
                    struct hurl_failure *why)
{
    struct span text;
    EVAL_TRY(eval_text(s, name, &text, why));
    AUTO_FREE char *wanted = span_dup(text);
    AUTO_FREE char *path = wanted ? path_beside(s->file->name, wanted) : NULL;
    if (!path)
        return -ENOMEM;
    if (leads_out(text))
        return eval_fail(why, HURL_FAILED_RUN, at, "'%.100s' is not beside the journey", wanted);
    AUTO_FREE char *bytes = NULL;
    size_t n;
    bool ok = true;
    int r = file_read(path, BODY_BYTES_MAX, &bytes, &n);
    if (r < 0)
        return eval_fail(why, HURL_FAILED_RUN, at, "'%.100s' cannot be read: %s", path, strerror(-r));
    *ret = arena_span(s->scratch, span_of(bytes, n), &ok);
    return ok ? 0 : -ENOMEM;
}
