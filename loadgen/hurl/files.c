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

int hurl_file_path(const char *journey, const char *root, struct span name, char **ret)
{
    if (leads_out(name))
        return -EPERM;
    struct buf path;
    buf_init(&path, 1u << 20);
    AUTO_FREE char *plain = span_dup(name);
    AUTO_FREE char *beside = plain && !root ? path_beside(journey, plain) : NULL;
    if (root)
        buf_printf(&path, "%s/", root);
    buf_str(&path, beside ? beside : plain ? plain : "");
    *ret = buf_error(&path) || !plain || (!root && !beside) ? NULL : span_dup(buf_view(&path));
    buf_done(&path);
    return *ret ? 0 : -ENOMEM;
}

int hurl_file_bytes(struct hurl_scope *s, const struct hurl_template *name, struct hurl_place at, struct span *ret,
                    struct hurl_failure *why)
{
    struct span text;
    AUTO_FREE char *path = NULL;
    EVAL_TRY(eval_text(s, name, &text, why));
    int r = hurl_file_path(s->file->name, s->file_root, text, &path);
    if (r == -EPERM)
        return eval_fail(why, HURL_FAILED_RUN, at, "'%.*s' is not beside the journey",
                         (int)(text.len > 100 ? 100 : text.len), text.ptr);
    if (r < 0)
        return r;
    AUTO_FREE char *bytes = NULL;
    size_t n;
    bool ok = true;
    r = file_read(path, BODY_BYTES_MAX, &bytes, &n);
    if (r < 0)
        return eval_fail(why, HURL_FAILED_RUN, at, "'%.100s' cannot be read: %s", path, strerror(-r));
    *ret = arena_span(s->scratch, span_of(bytes, n), &ok);
    return ok ? 0 : -ENOMEM;
}
