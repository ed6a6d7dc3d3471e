#include "loadgen/engine/entry_options.h"

#include <errno.h>
#include <stdarg.h>
#include <unistd.h>

#include "lib/base/file.h"
#include "lib/base/limits.h"
#include "lib/base/number.h"
#include "loadgen/hurl/parse.h"

#define MAX_REDIRS 50 /* hurl's default */
#define RETRY_INTERVAL_MS 1000
#define OPTIONS_BYTES_MAX (1u << 20) /* texts of one entry's options */
#define ROUTES_MAX 64u               /* resolve and connect-to lines of one request */

#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        int try_r = (call);                                                                                            \
        if (try_r < 0)                                                                                                 \
            return try_r;                                                                                              \
    } while (0)

void entry_options_init(struct entry_options *o)
{
    *o = (struct entry_options){0};
    arena_init(&o->texts, OPTIONS_BYTES_MAX);
}

void entry_options_done(struct entry_options *o)
{
    arena_done(&o->texts);
}

PRINTF_LIKE(3, 4)
static int fail(struct hurl_failure *why, struct hurl_place at, const char *format, ...)
{
    why->kind = HURL_FAILED_RUN;
    why->at = at;
    va_list args;
    va_start(args, format);
    vsnprintf(why->text, sizeof why->text, format, args);
    va_end(args);
    return -EINVAL;
}

/* The value of an option that is a template: read as the option's type. */
MUST_USE static int rendered_option(struct hurl_scope *s, const struct hurl_option *o, struct hurl_option *ret,
                                    struct hurl_failure *why)
{
    *ret = *o;
    if (o->text.n == 0 || o->def->type == HURL_OPTION_TEXT)
        return 0;
    struct span word;
    TRY(hurl_text(s, &o->text, &word, why));
    word = span_trim(word);
    int r = 0;
    if (o->def->type == HURL_OPTION_BOOL)
        r = parse_bool(word, &ret->boolean);
    else if (o->def->type == HURL_OPTION_TIME)
        r = hurl_option_time(o->def, word, &ret->integer);
    else
        r = parse_i64_span(word, -1, INT32_MAX, &ret->integer);
    if (r == 0)
        return 0;
    static const char *const WANTED[] = {[HURL_OPTION_BOOL] = "true or false",
                                         [HURL_OPTION_TIME] = "a time such as 500ms or 10s",
                                         [HURL_OPTION_COUNT] = "a whole number"};
    return fail(why, o->at, "%s is %s, not '%.*s'", o->def->name, WANTED[o->def->type],
                (int)(word.len > 80 ? 80 : word.len), word.ptr);
}

/* The option's text, kept until the next read. */
MUST_USE static int keep_text(struct entry_options *to, struct hurl_scope *s, const struct hurl_option *o,
                              const char **ret, struct hurl_failure *why)
{
    struct span text;
    TRY(hurl_text(s, &o->text, &text, why));
    const char *kept = arena_dup(&to->texts, span_trim(text));
    if (!kept)
        return -ENOMEM;
    if (!*kept)
        return fail(why, o->at, "%s needs a value", o->def->name);
    *ret = kept;
    return 0;
}

/* A file that an option names: from the working directory, as in hurl and curl, else beside the journey. */
MUST_USE static int find_file(struct entry_options *to, const struct hurl_scope *s, const char *name, const char **ret)
{
    if (access(name, F_OK) == 0) {
        *ret = name;
        return 0;
    }
    AUTO_FREE char *path = path_beside(s->file->name, name);
    const char *kept = path ? arena_dup(&to->texts, span_str(path)) : NULL;
    if (!kept)
        return -ENOMEM;
    *ret = kept;
    return 0;
}

MUST_USE static int keep_path(struct entry_options *to, struct hurl_scope *s, const struct hurl_option *o,
                              const char **ret, struct hurl_failure *why)
{
    const char *name;
    TRY(keep_text(to, s, o, &name, why));
    return find_file(to, s, name, ret);
}

/* One more line of resolve or connect-to. */
MUST_USE static int keep_line(struct entry_options *to, struct hurl_scope *s, const struct hurl_option *o,
                              const char ***lines, const char *const **route, size_t *n, struct hurl_failure *why)
{
    const char *text;
    TRY(keep_text(to, s, o, &text, why));
    if (*n == ROUTES_MAX)
        return fail(why, o->at, "more than %u lines of %s", ROUTES_MAX, o->def->name);
    if (*n == 0)
        *lines = arena_array(&to->texts, ROUTES_MAX, sizeof **lines);
    if (!*lines)
        return -ENOMEM;
    (*lines)[(*n)++] = text;
    *route = *lines;
    to->routed = true;
    return 0;
}

/* file or file:password; a colon of the name itself is written \:. */
MUST_USE static int keep_certificate(struct entry_options *to, struct hurl_scope *s, const struct hurl_option *o,
                                     struct hurl_failure *why)
{
    const char *text;
    TRY(keep_text(to, s, o, &text, why));
    char *file = arena_dup(&to->texts, span_str(text)), *end = file;
    if (!file)
        return -ENOMEM;
    while (*text && *text != ':') {
        if (text[0] == '\\' && text[1] == ':')
            text++;
        *end++ = *text++;
    }
    *end = '\0';
    to->route.key_password = *text == ':' ? text + 1 : NULL;
    return find_file(to, s, file, &to->route.cert_file);
}

static int verbosity_of(const struct hurl_option *o, const char *text)
{
    static const char *const LEVELS[] = {"brief", "verbose", "debug"};
    if (o->def->kind != HURL_OPTION_VERBOSITY)
        return o->boolean ? (o->def->kind == HURL_OPTION_VERY_VERBOSE ? 2 : 1) : 0;
    for (int i = 0; i < (int)ARRAY_LEN(LEVELS); i++)
        if (strcmp(text, LEVELS[i]) == 0)
            return i;
    return -1;
}

MUST_USE static int read_verbosity(struct entry_options *to, struct hurl_scope *s, const struct hurl_option *o,
                                   struct hurl_failure *why)
{
    const char *text = "";
    if (o->def->kind == HURL_OPTION_VERBOSITY)
        TRY(keep_text(to, s, o, &text, why));
    to->verbosity = verbosity_of(o, text);
    return to->verbosity < 0 ? fail(why, o->at, "verbosity is brief, verbose or debug, not '%.80s'", text) : 0;
}

MUST_USE static int set_variable(struct hurl_scope *s, const struct hurl_option *o, struct hurl_failure *why)
{
    struct hurl_value v;
    TRY(hurl_operand_value(s, &o->value, &v, why));
    return hurl_value_keep(s->keep, &v, &s->values[o->slot]);
}

static void set_http(struct conn_request *out, bool on, enum conn_http version)
{
    if (on)
        out->http = version;
    else if (out->http == version)
        out->http = CONN_HTTP_ANY;
}

static void set_family(struct conn_request *out, bool on, enum conn_family family)
{
    if (on)
        out->family = family;
    else if (out->family == family)
        out->family = CONN_FAMILY_ANY;
}

/* Those that say how a connection is made. */
MUST_USE static int apply_route(struct entry_options *to, struct hurl_scope *s, const struct hurl_option *o,
                                struct hurl_failure *why)
{
    struct conn_route *route = &to->route;
    to->routed = true;
    switch (o->def->kind) {
    case HURL_OPTION_PROXY:
        return keep_text(to, s, o, &route->proxy, why);
    case HURL_OPTION_NO_PROXY:
        return keep_text(to, s, o, &route->no_proxy, why);
    case HURL_OPTION_UNIX_SOCKET:
        return keep_text(to, s, o, &route->unix_socket, why);
    case HURL_OPTION_PINNED_KEY:
        return keep_text(to, s, o, &route->pinned_key, why);
    case HURL_OPTION_CA_FILE:
        return keep_path(to, s, o, &route->ca_file, why);
    case HURL_OPTION_CERT:
        return keep_certificate(to, s, o, why);
    case HURL_OPTION_KEY:
        return keep_path(to, s, o, &route->key_file, why);
    case HURL_OPTION_RESOLVE:
        return keep_line(to, s, o, &to->resolve, &route->resolve, &route->n_resolve, why);
    default:
        return keep_line(to, s, o, &to->connect_to, &route->connect_to, &route->n_connect_to, why);
    }
}

MUST_USE static int apply_option(struct entry_options *to, struct hurl_scope *s, const struct hurl_option *written,
                                 struct conn_request *out, struct hurl_failure *why)
{
    struct hurl_option o;
    TRY(rendered_option(s, written, &o, why));
    switch (o.def->kind) {
    case HURL_OPTION_LOCATION:
        to->location = o.boolean;
        break;
    case HURL_OPTION_LOCATION_TRUSTED:
        to->location_trusted = o.boolean;
        to->location |= o.boolean;
        break;
    case HURL_OPTION_MAX_REDIRS:
        to->max_redirs = o.integer;
        break;
    case HURL_OPTION_RETRY:
        to->retry = o.integer;
        break;
    case HURL_OPTION_RETRY_INTERVAL:
        to->retry_interval_ms = o.integer;
        break;
    case HURL_OPTION_DELAY:
        to->delay_ms = o.integer;
        break;
    case HURL_OPTION_REPEAT:
        to->repeat = o.integer;
        break;
    case HURL_OPTION_SKIP:
        to->skip = o.boolean;
        break;
    case HURL_OPTION_VARIABLE:
        return set_variable(s, &o, why);
    case HURL_OPTION_COMPRESSED:
        out->compressed = o.boolean;
        break;
    case HURL_OPTION_INSECURE:
        out->insecure = o.boolean;
        break;
    case HURL_OPTION_CONNECT_TIMEOUT:
        out->connect_timeout_ms = o.integer > 0 ? o.integer : 1;
        break;
    case HURL_OPTION_MAX_TIME:
        out->timeout_ms = o.integer > 0 ? o.integer : 1;
        break;
    case HURL_OPTION_HTTP10:
        set_http(out, o.boolean, CONN_HTTP_10);
        break;
    case HURL_OPTION_HTTP11:
        set_http(out, o.boolean, CONN_HTTP_11);
        break;
    case HURL_OPTION_HTTP2:
        set_http(out, o.boolean, CONN_HTTP_2);
        break;
    case HURL_OPTION_IPV4:
        set_family(out, o.boolean, CONN_FAMILY_4);
        break;
    case HURL_OPTION_IPV6:
        set_family(out, o.boolean, CONN_FAMILY_6);
        break;
    case HURL_OPTION_PATH_AS_IS:
        out->path_as_is = o.boolean;
        break;
    case HURL_OPTION_LIMIT_RATE:
        out->limit_rate = o.integer;
        break;
    case HURL_OPTION_DIGEST:
        to->digest = o.boolean;
        break;
    case HURL_OPTION_NETRC:
        to->netrc = o.boolean;
        break;
    case HURL_OPTION_NETRC_OPTIONAL:
        to->netrc_optional = o.boolean;
        break;
    case HURL_OPTION_NETRC_FILE:
        return keep_path(to, s, &o, &to->netrc_file, why);
    case HURL_OPTION_USER:
        return keep_text(to, s, &o, &to->user, why);
    case HURL_OPTION_OUTPUT:
        return keep_text(to, s, &o, &to->output, why);
    case HURL_OPTION_NO_COERCION:
        s->no_coercion = o.boolean;
        break;
    case HURL_OPTION_VERBOSE:
    case HURL_OPTION_VERY_VERBOSE:
    case HURL_OPTION_VERBOSITY:
        return read_verbosity(to, s, &o, why);
    case HURL_OPTION_PROXY:
    case HURL_OPTION_NO_PROXY:
    case HURL_OPTION_UNIX_SOCKET:
    case HURL_OPTION_PINNED_KEY:
    case HURL_OPTION_CA_FILE:
    case HURL_OPTION_CERT:
    case HURL_OPTION_KEY:
    case HURL_OPTION_RESOLVE:
    case HURL_OPTION_CONNECT_TO:
        return apply_route(to, s, &o, why);
    case HURL_OPTION_REFUSED: /* check.c let only a template through */
        return o.boolean ? fail(why, o.at, "supported by hurl, not by crest: option %s", o.def->name) : 0;
    case HURL_OPTION_HEADER: /* request_build reads it */
        break;
    }
    return 0;
}

int entry_options_read(struct entry_options *o, struct hurl_scope *s, const struct hurl_entry *e,
                       const struct run_config *c, struct conn_request *out, struct hurl_failure *why)
{
    struct arena texts = o->texts;
    arena_reset(&texts);
    *o = (struct entry_options){
        .max_redirs = MAX_REDIRS, .repeat = 1, .retry_interval_ms = RETRY_INTERVAL_MS, .texts = texts};
    *out = (struct conn_request){.timeout_ms = c->max_time_ms, .connect_timeout_ms = c->connect_timeout_ms};
    s->no_coercion = false;
    for (size_t i = 0; i < c->n_options; i++)
        TRY(apply_option(o, s, &c->options[i], out, why));
    for (size_t i = 0; i < e->request.n_options; i++)
        TRY(apply_option(o, s, &e->request.options[i], out, why));
    out->route = o->routed ? &o->route : NULL;
    return 0;
}
