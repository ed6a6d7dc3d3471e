#include "loadgen/import/postman.h"

#include <errno.h>

#include "lib/base/limits.h"
#include "loadgen/hurl/json_text.h"
#include "loadgen/import/json_get.h"
#include "loadgen/import/names.h"
#include "loadgen/import/postman_parts.h"
#include "loadgen/import/postman_script.h"

/* ---- variables ---- */

MUST_USE static int read_values(struct postman *im, struct span list)
{
    if (!postman_is_list(list))
        return 0;
    struct json_text_walk w = json_text_walk(list);
    struct span item, key, type;
    int r = 0;
    while (r == 0 && json_text_item(&w, &item)) {
        struct span value = {0}, raw = json_get(item, "value");
        r = json_get_text(&im->d->arena, item, "key", &key);
        if (r == 0)
            r = json_get_text(&im->d->arena, item, "type", &type);
        if (r == 0 && raw.len && json_text_type(raw) == JSON_TEXT_STRING)
            r = json_text_string(&im->d->arena, raw, &value);
        else if (raw.len && json_text_type(raw) < JSON_TEXT_STRING && json_text_type(raw) != JSON_TEXT_NULL)
            value = raw;
        if (r < 0 || key.len == 0 || postman_is_disabled(item))
            continue;
        bool secret = span_equal(type, SPAN("secret")) || is_secret_name(key) || is_card_number(value);
        struct buf name;
        buf_init(&name, 256);
        put_variable_name(&name, key);
        r = buf_error(&name)
                ? -ENOMEM
                : draft_pair_add(im->d, &im->known, buf_view(&name), secret ? SPAN("") : draft_text(im->d, value));
        if (r == 0)
            r = strmap_put(&im->values, buf_view(&name), im->known.last); /* the environment wins over the collection */
        buf_done(&name);
    }
    return r;
}

/* The first request sets what has a value, is read and not kept by a script. */
MUST_USE static int set_variables(struct postman *im)
{
    struct buf line, missing;
    int r = 0;
    buf_init(&line, CONFIG_BYTES_MAX);
    buf_init(&missing, CONFIG_BYTES_MAX);
    for (const struct draft_pair *p = im->known.first; r == 0 && p; p = p->next) {
        if (strmap_get(&im->values, p->name) != p || !strmap_has(&im->used, p->name) || p->value.len == 0 ||
            strmap_has(&im->captured, p->name))
            continue;
        buf_clear(&line);
        buf_span(&line, p->name);
        buf_char(&line, '=');
        draft_quoted(&line, p->value);
        r = buf_error(&line) ? -ENOMEM
                             : draft_pair_add(im->d, &im->d->first->options, SPAN("variable"), buf_view(&line));
    }
    for (const struct draft_pair *p = im->known.first; r == 0 && p; p = p->next)
        if (strmap_get(&im->values, p->name) == p && strmap_has(&im->used, p->name) && p->value.len == 0 &&
            !strmap_has(&im->captured, p->name))
            buf_printf(&missing, "%s" SPAN_FMT, missing.len ? " " : "", SPAN_ARG(p->name));
    if (missing.len)
        problem_add(im->ps, PROBLEM_NOTICE, im->name, 0, 0, "to be set with --variable NAME=VALUE: " SPAN_FMT,
                    SPAN_ARG(buf_view(&missing)));
    buf_done(&line);
    buf_done(&missing);
    return r;
}

/* ---- scripts ---- */

MUST_USE static int read_lines(struct postman *im, struct script *s, struct span lines, struct span name)
{
    struct span line;
    int r = 0;
    while (r == 0 && span_cut(&lines, '\n', &line)) {
        bool understood = false;
        r = script_line(s, line, &understood);
        if (r == 0 && !understood)
            postman_complain(im, name, "this line of the test script is not understood", span_trim(line));
    }
    return r;
}

MUST_USE static int read_script(struct postman *im, struct draft_request *q, struct span event, struct span name)
{
    struct span exec = json_get(json_get(event, "script"), "exec"), item, lines, listen;
    struct script s = {.draft = im->d, .request = q};
    int r = json_get_text(&im->d->arena, event, "listen", &listen);
    bool test = span_equal(listen, SPAN("test")), told = false;
    struct json_text_walk w = json_text_walk(exec);
    if (exec.len && json_text_type(exec) == JSON_TEXT_STRING) {
        r = json_text_string(&im->d->arena, exec, &lines);
        if (r == 0 && test)
            return read_lines(im, &s, lines, name);
        if (r == 0 && span_trim(lines).len)
            postman_complain(im, name, "this script is not understood", listen);
        return r;
    }
    while (r == 0 && postman_is_list(exec) && json_text_item(&w, &item)) {
        lines = SPAN("");
        if (json_text_type(item) == JSON_TEXT_STRING)
            r = json_text_string(&im->d->arena, item, &lines);
        if (r == 0 && test && lines.len)
            r = read_lines(im, &s, lines, name);
        else if (r == 0 && !test && !told && span_trim(lines).len) {
            postman_complain(im, name, "this script is not understood", listen);
            told = true;
        }
    }
    return r;
}

MUST_USE static int read_events(struct postman *im, struct draft_request *q, struct span events, struct span name)
{
    struct json_text_walk w = json_text_walk(events);
    struct span event;
    int r = 0;
    while (r == 0 && postman_is_list(events) && json_text_item(&w, &event))
        if (!postman_is_disabled(event))
            r = read_script(im, q, event, name);
    return r;
}

/* ---- items ---- */

/* folder-request, without blanks. */
MUST_USE static int step_name(struct postman *im, struct span name, const struct postman_folder *folder,
                              struct span *ret)
{
    struct buf out;
    bool ok = true;
    struct span parts[] = {folder && folder->parent ? folder->name : SPAN(""), name};
    buf_init(&out, 4096);
    for (size_t p = 0; p < ARRAY_LEN(parts); p++)
        for (size_t i = 0; i <= parts[p].len && out.len < STEP_NAME_BYTES; i++) {
            char c = i < parts[p].len ? parts[p].ptr[i] : ' ';
            bool word = ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
            if (word)
                buf_char(&out, c);
            else if (out.len && out.data[out.len - 1] != '-')
                buf_char(&out, '-');
        }
    while (out.len && out.data[out.len - 1] == '-')
        buf_truncate(&out, out.len - 1);
    *ret = arena_span(&im->d->arena, buf_view(&out), &ok); /* empty: made of method and path */
    int r = buf_error(&out) || !ok ? -ENOMEM : 0;
    buf_done(&out);
    return r;
}

MUST_USE static int add_request(struct postman *im, struct span item, struct span request,
                                const struct postman_folder *folder)
{
    struct span name, method;
    struct draft_request *q = journey_add(im->d);
    if (!q) {
        problem_add(im->ps, PROBLEM_ERROR, im->name, 0, 0, "the collection has more than %u requests",
                    JOURNEY_STEPS_MAX);
        return -EINVAL;
    }
    int r = json_get_text(&im->d->arena, item, "name", &name);
    name = draft_text(im->d, name);
    bool text = json_text_type(request) == JSON_TEXT_STRING; /* a request may be just its URL */
    if (r == 0)
        r = step_name(im, name, folder, &q->step);
    if (r == 0)
        r = postman_read_url(im, text ? request : json_get(request, "url"), &q->url);
    if (r == 0)
        r = json_get_text(&im->d->arena, request, "method", &method);
    for (size_t i = 0; r == 0 && i < method.len; i++)
        if (method.ptr[i] < 'A' || method.ptr[i] > 'Z') {
            postman_complain(im, name, "a journey's methods are written in capitals", method);
            method.len = 0;
        }
    if (r < 0)
        return r;
    q->method = method;
    if (q->url.len == 0) {
        problem_add(im->ps, PROBLEM_ERROR, im->name, 0, 0, SPAN_FMT ": the request has no URL", SPAN_ARG(name));
        return -EINVAL;
    }
    r = postman_add_pairs(im, json_get(request, "header"), &q->headers);
    if (r == 0)
        r = postman_add_auth(im, q, json_get(request, "auth"), folder, name);
    if (r == 0)
        r = postman_read_body(im, q, json_get(request, "body"), name);
    for (const struct postman_folder *f = folder; r == 0 && f; f = f->parent)
        r = read_events(im, q, f->events, name);
    if (r == 0)
        r = read_events(im, q, json_get(item, "event"), name);
    for (const struct draft_pair *p = q->captures.first; r == 0 && p; p = p->next)
        r = strmap_put(&im->captured, p->name, NULL);
    return r;
}

MUST_USE static int add_items(struct postman *im, struct span list, const struct postman_folder *folder)
{
    struct json_text_walk w = json_text_walk(list);
    struct span item;
    int r = 0;
    while (r == 0 && postman_is_list(list) && json_text_item(&w, &item)) {
        struct span request = json_get(item, "request"), items = json_get(item, "item");
        struct postman_folder inner = {
            .parent = folder, .auth = json_get(item, "auth"), .events = json_get(item, "event")};
        if (request.len) {
            r = add_request(im, item, request, folder);
        } else if (postman_is_list(items)) {
            r = json_get_text(&im->d->arena, item, "name", &inner.name);
            if (r == 0)
                r = add_items(im, items, &inner);
        }
    }
    return r;
}

/* ---- the files ---- */

MUST_USE static int checked(struct postman *im, struct span text, const char *name, struct span *ret)
{
    char why[160];
    if (span_starts(text, SPAN("\xef\xbb\xbf")))
        text = span_from(text, 3);
    if (json_text_check(text, ret, why, sizeof why) == 0)
        return 0;
    problem_add(im->ps, PROBLEM_ERROR, name, 0, 0, "this is no JSON: %s", why);
    return -EINVAL;
}

int import_postman(struct span text, const char *name, struct span environment, const char *environment_name,
                   struct journey_draft *d, struct problems *ps)
{
    struct postman im = {.d = d, .ps = ps, .name = name};
    struct span root = {0}, env = {0};
    strmap_init(&im.values, HURL_VARIABLES_MAX);
    strmap_init(&im.used, HURL_VARIABLES_MAX);
    strmap_init(&im.captured, HURL_VARIABLES_MAX);
    int r = checked(&im, text, name, &root);
    if (r == 0 && environment.len)
        r = checked(&im, environment, environment_name, &env);
    if (r == 0 && !postman_is_list(json_get(root, "item"))) {
        problem_add(ps, PROBLEM_ERROR, name, 1, 1, "this is no Postman collection of version 2: it has no item list");
        r = -EINVAL;
    }
    if (r == 0)
        r = read_values(&im, json_get(root, "variable"));
    if (r == 0)
        r = read_values(&im, json_get(env, "values"));
    struct postman_folder top = {.auth = json_get(root, "auth"), .events = json_get(root, "event")};
    if (r == 0)
        r = add_items(&im, json_get(root, "item"), &top);
    if (r == 0 && d->n == 0) {
        problem_add(ps, PROBLEM_ERROR, name, 0, 0, "the collection has no request");
        r = -EINVAL;
    }
    if (r == 0)
        r = set_variables(&im);
    strmap_done(&im.values);
    strmap_done(&im.used);
    strmap_done(&im.captured);
    if (r != -ENOSPC)
        return r;
    problem_add(ps, PROBLEM_ERROR, name, 0, 0, "the collection has more than %u variables", HURL_VARIABLES_MAX);
    return -EINVAL;
}
