#include "loadgen/workers/order.h"

#include <errno.h>

#include "lib/base/file.h"
#include "lib/base/limits.h"
#include "lib/base/number.h"
#include "loadgen/hurl/base64.h"
#include "loadgen/workers/stats_codec.h"

static const char *const ORDER_OPTIONS[] = {
    "rate",    "stages",          "users",    "duration", "sessions",    "arrivals",   "warmup",   "scale",
    "speed",   "threads",         "target",   "variable", "think-scale", "money-rate", "max-open", "grace",
    "max-lag", "connect-timeout", "max-time", "run-id",   "seed",        "http2",      "weights",  NULL};

static bool takes(struct span name)
{
    for (size_t i = 0; ORDER_OPTIONS[i]; i++)
        if (span_equal(name, span_str(ORDER_OPTIONS[i])))
            return true;
    return false;
}

bool order_takes(const char *name)
{
    return takes(span_str(name));
}

/* ---- writing ---- */

static void base64_word(struct buf *out, struct span s)
{
    buf_char(out, ' ');
    base64_encode(out, s, false);
}

void order_begin(struct buf *out, unsigned segment, unsigned segments, int64_t start_ms)
{
    buf_printf(out, "segment %u %u\nstart %lld\n", segment, segments, (long long)start_ms);
}

void order_option(struct buf *out, const char *name, const char *value)
{
    struct buf text;
    buf_init(&text, ORDER_BYTES_MAX);
    buf_printf(&text, "--%s", name);
    if (value) {
        buf_char(&text, '=');
        buf_str(&text, value);
    }
    buf_str(out, "arg");
    base64_word(out, buf_view(&text));
    buf_char(out, '\n');
    if (buf_error(&text) && !out->error)
        out->error = buf_error(&text);
    buf_done(&text);
}

void order_operand(struct buf *out, struct span name)
{
    buf_str(out, "operand");
    base64_word(out, name);
    buf_char(out, '\n');
}

void order_secret(struct buf *out, struct span text)
{
    buf_str(out, "secret");
    base64_word(out, text);
    buf_char(out, '\n');
}

void order_file(struct buf *out, struct span name, struct span bytes)
{
    buf_str(out, "file");
    base64_word(out, name);
    base64_word(out, bytes);
    buf_char(out, '\n');
}

/* ---- reading ---- */

/* The next word's bytes, NUL-terminated, from malloc; NULL: there is none, or it is no base64. */
static char *take_text(struct span *line, size_t *ret_len)
{
    struct span word;
    struct buf b;
    buf_init(&b, ORDER_BYTES_MAX);
    char *text = NULL;
    if (take_word(line, &word) && base64_decode(&b, word, false) == 0)
        text = buf_take(&b, ret_len);
    buf_done(&b);
    return text;
}

/* Below the folder: relative, and no way up. */
static bool is_inside(struct span name)
{
    struct span rest = name, piece;
    if (name.len == 0 || name.ptr[0] == '/' || name.ptr[0] == '-' || span_find(name, '\0') < name.len)
        return false;
    while (span_cut(&rest, '/', &piece))
        if (piece.len == 0 || span_equal(piece, SPAN("..")) || span_equal(piece, SPAN(".")))
            return false;
    return true;
}

static bool is_wanted(struct span option)
{
    if (!span_starts(option, SPAN("--")))
        return false;
    option = span_from(option, 2);
    return takes(span_of(option.ptr, span_find(option, '=')));
}

MUST_USE static int write_inside(const char *folder, struct span name, const char *bytes, size_t n)
{
    struct buf path;
    buf_init(&path, 8192);
    buf_printf(&path, "%s/" SPAN_FMT, folder, SPAN_ARG(name));
    int r = buf_error(&path);
    for (size_t i = path.len; r == 0 && i-- > strlen(folder) + 1;)
        if (path.data[i] == '/') {
            path.data[i] = '\0';
            r = dir_make(path.data);
            path.data[i] = '/';
            break;
        }
    if (r == 0)
        r = file_write(path.data, bytes, n);
    buf_done(&path);
    return r;
}

MUST_USE static int add_arg(struct order *o, char *text)
{
    char **args = realloc(o->args, (o->n_args + 1) * sizeof *args);
    if (!args) {
        free(text);
        return -ENOMEM;
    }
    o->args = args;
    o->args[o->n_args++] = text;
    return 0;
}

/* The run's environment, ended by NULL. */
MUST_USE static int add_secret(struct order *o, struct span text)
{
    struct buf entry;
    char **env = realloc(o->env, (o->n_env + 2) * sizeof *env);
    if (!env)
        return -ENOMEM;
    o->env = env;
    env[o->n_env] = NULL;
    buf_init(&entry, ORDER_BYTES_MAX);
    buf_str(&entry, "HURL_SECRET_");
    buf_span(&entry, text);
    char *kept = buf_error(&entry) ? NULL : buf_take(&entry, NULL);
    buf_done(&entry);
    if (!kept)
        return -ENOMEM;
    env[o->n_env++] = kept;
    env[o->n_env] = NULL;
    return 0;
}

MUST_USE static int take_line(struct order *o, struct span line, const char *folder)
{
    struct span what, word, count;
    uint64_t segment, segments;
    size_t n = 0, bytes_n = 0;
    if (!take_word(&line, &what))
        return 0;
    if (span_equal(what, SPAN("segment"))) {
        if (!take_word(&line, &word) || !take_word(&line, &count) ||
            parse_u64_span(count, WORKERS_MAX, &segments) < 0 || segments == 0 ||
            parse_u64_span(word, segments - 1, &segment) < 0)
            return -EINVAL;
        o->segment = (unsigned)segment;
        o->segments = (unsigned)segments;
        return 0;
    }
    if (span_equal(what, SPAN("start")))
        return take_word(&line, &word) ? parse_i64_span(word, 0, INT64_MAX / 2000, &o->start_ms) : -EINVAL;
    char *text = take_text(&line, &n);
    struct span name = text ? span_of(text, n) : SPAN("");
    int r = -EINVAL;
    if (text && o->n_args < ORDER_ARGS_MAX && span_find(name, '\0') == n &&
        ((span_equal(what, SPAN("arg")) && is_wanted(name)) || (span_equal(what, SPAN("operand")) && is_inside(name))))
        return add_arg(o, text);
    if (text && o->n_env < ORDER_ARGS_MAX && span_equal(what, SPAN("secret")) && span_find(name, '\0') == n &&
        span_find(name, '=') < n)
        r = add_secret(o, name);
    if (text && span_equal(what, SPAN("file")) && is_inside(name)) {
        char *bytes = take_text(&line, &bytes_n);
        r = bytes ? write_inside(folder, name, bytes, bytes_n) : -EINVAL;
        free(bytes);
    }
    free(text);
    return r;
}

int order_take(struct span text, const char *folder, struct order *ret, char *why, size_t why_bytes)
{
    struct order o = {0};
    struct span line;
    int r = 0;
    for (unsigned n = 1; r == 0 && span_cut(&text, '\n', &line); n++) {
        r = take_line(&o, line, folder);
        if (r < 0)
            snprintf(why, why_bytes, "line %u of the order ('%.*s') is not understood or not allowed: %s", n,
                     (int)(line.len < 8 ? line.len : 8), line.ptr, strerror(-r));
    }
    if (r == 0 && (o.segments == 0 || o.n_args == 0)) {
        snprintf(why, why_bytes, "the order names no segment or no files");
        r = -EINVAL;
    }
    if (r < 0)
        order_done(&o);
    else
        *ret = o;
    return r;
}

void order_done(struct order *o)
{
    for (size_t i = 0; i < o->n_args; i++)
        free(o->args[i]);
    free(o->args);
    for (size_t i = 0; i < o->n_env; i++)
        free(o->env[i]);
    free(o->env);
    *o = (struct order){0};
}
