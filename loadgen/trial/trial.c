#include "loadgen/trial/trial.h"

#include <errno.h>

#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "loadgen/engine/answer.h"
#include "loadgen/engine/request.h"
#include "loadgen/hurl/json_text.h"

#define SLICE_US 50000 /* how long it may not look whether it is to stop */

/* An answer's own copy: the connection's is gone when its callback returns. */
struct kept_response {
    struct conn_response r;
    struct buf head, body, raw, error;
    char ip[64];
    bool there;
};
struct trial {
    const struct trial_config *c;
    const struct journey *journey;
    struct conn_engine *engine;
    struct conn *conn;
    struct kept_response answer;
    struct request request;
    struct cookie_jar jar;
    struct hurl_scope scope;
    struct arena keep, scratch;
    struct rng rng;
    struct buf redirects;
    struct trial_call last;
    const struct hurl_entry *entry; /* the one that runs */
    bool sent;                      /* last is filled */
    struct trial_result *result;
    int broken; /* -errno: the trial cannot go on */
};

static bool is_stopped(struct trial *t)
{
    const struct trial_listener *l = t->c->listener;
    t->result->stopped |= l->stopped && l->stopped(l->ctx);
    return t->result->stopped;
}

/* ---- telling ---- */

static void note_outcome(struct trial *t, const struct hurl_failure *why)
{
    bool asserted =
        why->kind == HURL_FAILED_STATUS || why->kind == HURL_FAILED_ASSERT || why->kind == HURL_FAILED_PROTOCOL;
    enum trial_outcome outcome = asserted ? TRIAL_ASSERT : TRIAL_RUNTIME;
    if (outcome > t->result->outcome)
        t->result->outcome = outcome;
}

static void tell_result(void *ctx, struct hurl_place at, const struct hurl_failure *why)
{
    struct trial *t = ctx;
    if (why)
        note_outcome(t, why);
    if (t->c->listener->result)
        t->c->listener->result(t->c->listener->ctx, t->entry, at, why);
}

static void tell_captured(void *ctx, struct span name, const struct hurl_value *v, bool redact)
{
    struct trial *t = ctx;
    if (redact) {
        int r = secrets_add_value(t->c->secrets, v);
        if (r < 0)
            t->broken = r; /* it would be shown */
    }
    if (t->c->listener->captured)
        t->c->listener->captured(t->c->listener->ctx, name, v);
}

/* A failure of the run itself, not of an assert. */
static void tell_failure(struct trial *t, struct hurl_failure *why)
{
    if (why->at.line == 0)
        why->at = t->entry->request.at;
    why->kind = HURL_FAILED_RUN;
    tell_result(t, why->at, why);
}

/* ---- one request ---- */

static void on_response(void *user, const struct conn_response *r)
{
    struct trial *t = user;
    struct kept_response *k = &t->answer;
    buf_clear(&k->head);
    buf_clear(&k->body);
    buf_clear(&k->raw);
    buf_clear(&k->error);
    buf_span(&k->head, r->headers);
    buf_span(&k->body, r->body);
    bool same = r->raw.ptr == r->body.ptr;
    if (!same)
        buf_span(&k->raw, r->raw);
    buf_str(&k->error, r->error_text ? r->error_text : "");
    snprintf(k->ip, sizeof k->ip, "%s", r->ip ? r->ip : "");
    k->r = *r;
    k->r.headers = buf_view(&k->head);
    k->r.body = buf_view(&k->body);
    k->r.raw = same ? k->r.body : buf_view(&k->raw);
    k->r.error_text = k->error.len ? k->error.data : "";
    k->r.ip = k->ip;
    if (t->c->body_bytes_max && r->error == CONN_OK && r->raw.len > t->c->body_bytes_max) {
        k->r.error = CONN_TOO_LARGE;
        k->r.error_text = "the body is over --max-filesize";
    }
    k->there = true; /* the certificate lives as long as the engine */
    if (buf_error(&k->head) || buf_error(&k->body) || buf_error(&k->raw))
        t->broken = -ENOMEM;
}

static void tell_call(struct trial *t)
{
    if (t->c->listener->call)
        t->c->listener->call(t->c->listener->ctx, &t->last, t->request.options.verbosity);
}

/* What a secret is part of says as much: "Basic" and a password in other letters. */
static void hide_credentials(struct trial *t)
{
    static const struct span NAME = SPAN_INIT("Authorization: ");
    for (size_t i = 0; t->c->secrets->n && i < t->request.out.n_headers; i++) {
        struct span line = span_str(t->request.out.headers[i]);
        if (!span_starts(line, NAME))
            continue;
        int r = secrets_add(t->c->secrets,
                            span_trim(span_from(line, NAME.len + span_find(span_from(line, NAME.len), ' '))));
        if (r < 0)
            t->broken = r;
    }
}

/* Sends what stands in the request and waits. false: stopped, broken, or why says it. */
static bool exchange(struct trial *t, struct hurl_failure *why)
{
    t->answer.there = false;
    t->result->requests++;
    hide_credentials(t);
    t->last = (struct trial_call){&t->request.out, &t->answer.r, buf_view(&t->request.url), unix_ms()};
    int r = conn_send(t->conn, &t->request.out);
    while (r == 0 && !t->answer.there && !is_stopped(t))
        r = conn_engine_wait(t->engine, SLICE_US);
    if (r < 0) {
        why->at = (struct hurl_place){0};
        snprintf(why->text, sizeof why->text, "the request cannot be sent: %s", strerror(-r));
        return false;
    }
    if (!t->answer.there || t->broken < 0)
        return false;
    t->sent = true;
    tell_call(t);
    if (t->answer.r.error == CONN_OK)
        return true;
    why->at = t->entry->request.url.at;
    snprintf(why->text, sizeof why->text, "HTTP connection: %s: %s", conn_error_name(t->answer.r.error),
             t->answer.r.error_text);
    return false;
}

static void keep_cookies(struct trial *t)
{
    struct url url;
    const char *reason;
    struct span value;
    if (t->c->no_cookie_store || url_parse(&url, buf_view(&t->request.url), &reason) < 0)
        return;
    for (size_t i = 0; hurl_header(t->answer.r.headers, SPAN("set-cookie"), i, &value); i++)
        (void)!cookie_jar_store(&t->jar, &url, value, unix_ms()); /* what the rules refuse, a browser would not keep */
}

static void note_redirect(struct trial *t, unsigned hops)
{
    buf_str(&t->redirects, hops ? ",\"" : "[\"");
    json_text_escape(&t->redirects, buf_view(&t->request.url));
    buf_char(&t->redirects, '"');
}

/* 1: another request is ready in t->request; 0: the answer is the last; -EINVAL with *why. */
MUST_USE static int next_hop(struct trial *t, unsigned *hops, struct hurl_failure *why)
{
    struct request *rq = &t->request;
    const struct conn_response *r = &t->answer.r;
    struct span location;
    if (r->status == 401) {
        int code = request_answer_challenge(rq, &t->scope, r->headers, &t->jar, t->c->run, why);
        if (code != 0)
            return code;
    }
    if (!rq->options.location || !request_redirects(r->status) ||
        !hurl_header(r->headers, SPAN("location"), 0, &location))
        return 0;
    int64_t max = rq->options.max_redirs;
    if ((max >= 0 && *hops >= (uint64_t)max) || *hops >= SESSION_STEPS_MAX) {
        snprintf(why->text, sizeof why->text, "too many redirects: more than %lld", (long long)max);
        return -EINVAL;
    }
    int code = request_follow(rq, &t->scope, location, r->status, &t->jar, t->c->run, why);
    if (code < 0)
        return code;
    note_redirect(t, (*hops)++);
    return 1;
}

/* The entry's requests up to the last answer. false: *why says what went wrong, or the trial ends. */
static bool ask(struct trial *t, struct hurl_failure *why)
{
    unsigned hops = 0;
    buf_clear(&t->redirects);
    t->sent = false;
    int r = request_build(&t->request, &t->scope, t->entry, &t->jar, t->c->run, why);
    for (bool more = r == 0; more; more = r == 1) {
        if (!exchange(t, why))
            return false;
        keep_cookies(t);
        r = next_hop(t, &hops, why);
    }
    if (hops)
        buf_char(&t->redirects, ']');
    if (r < 0 && r != -EINVAL && r != -EPERM)
        snprintf(why->text, sizeof why->text, "the request cannot be made: %s", strerror(-r));
    return r == 0;
}

/* ---- one entry ---- */

static void wait_until(struct trial *t, int64_t due_us)
{
    for (int64_t left; (left = due_us - mono_us()) > 0 && !is_stopped(t);)
        sleep_us(left < SLICE_US ? left : SLICE_US);
}

/* Captures and asserts of the answer. Unless it is the last try, a failure is not told. */
static bool verify(struct trial *t, bool last_try)
{
    const struct hurl_listener listener = {t, tell_result, tell_captured};
    struct hurl_failure why = {0};
    struct answer a;
    answer_of(&a, &t->answer.r, buf_view(&t->request.url), buf_view(&t->redirects));
    int r = 0;
    if (!last_try && !t->c->no_assert)
        r = hurl_verify(&t->scope, t->entry, &a.exchange, &why);
    if (r == 0)
        r = hurl_verify_all(&t->scope, t->entry, &a.exchange, !t->c->no_assert, &listener, &why);
    hurl_exchange_done(&a.exchange);
    if (r < 0 && r != -EINVAL)
        t->broken = r;
    return r == 0;
}

/* One run of the entry, tried again as its options say. */
static bool run_once(struct trial *t)
{
    const struct entry_options *o = &t->request.options;
    for (uint64_t tries = 0;; tries++) {
        struct hurl_failure why = {0};
        bool last = o->retry >= 0 && tries >= (uint64_t)o->retry;
        bool good = ask(t, &why);
        if (t->broken < 0 || t->result->stopped)
            return false;
        bool asked = good;
        good = good && verify(t, last);
        if (good || last) {
            if (!asked)
                tell_failure(t, &why);
            return good;
        }
        arena_reset(&t->scratch);
        wait_until(t, mono_us() + o->retry_interval_ms * 1000);
        if (is_stopped(t))
            return false;
    }
}

static bool run_entry(struct trial *t, size_t index)
{
    const struct trial_listener *l = t->c->listener;
    struct hurl_failure why = {0};
    t->entry = &t->journey->file->entries[index];
    t->sent = false;
    int r = entry_options_read(&t->request.options, &t->scope, t->entry, t->c->run, &t->request.out, &why);
    if (r == 0 && t->request.options.skip)
        return true;
    if (l->begin)
        l->begin(l->ctx, index, t->entry);
    int64_t start_us = mono_us();
    bool good = r == 0;
    if (r < 0) {
        if (r != -EINVAL)
            snprintf(why.text, sizeof why.text, "the options cannot be read: %s", strerror(-r));
        tell_failure(t, &why);
    } else {
        wait_until(t, start_us + t->request.options.delay_ms * 1000);
        start_us = mono_us();
        good = !is_stopped(t) && run_once(t);
    }
    struct trial_entry e = {.index = index,
                            .entry = t->entry,
                            .good = good,
                            .duration_us = mono_us() - start_us,
                            .last = t->sent ? &t->last : NULL,
                            .options = &t->request.options};
    if (l->end)
        l->end(l->ctx, &e);
    arena_reset(&t->scratch);
    return good;
}

/* ---- the journey ---- */

MUST_USE static int start(struct trial *t)
{
    const struct journey *j = t->journey;
    const struct run_config *run = t->c->run;
    struct conn_config conn = {.on_response = on_response, .user_agent = "crest-loadgen", .ca_file = run->ca_file};
    struct span fields[FEED_COLUMNS_MAX];
    size_t n = j->file->n_variables;
    t->scope.values = calloc(n + 1, sizeof *t->scope.values);
    if (!t->scope.values)
        return -ENOMEM;
    memcpy(t->scope.values, j->values, n * sizeof *j->values);
    for (size_t i = 0; i < j->n_feeds; i++) {
        const struct journey_feed *f = &j->feeds[i];
        if (!feed_next(f->feed, &t->rng, fields))
            return -ENODATA;
        for (size_t k = 0; k < feed_columns(f->feed); k++)
            if (f->slots[k] != UINT32_MAX)
                t->scope.values[f->slots[k]] = hurl_value_text(fields[k]);
    }
    int r = t->c->cookies ? cookie_jar_read(&t->jar, span_str(t->c->cookies), unix_ms()) : 0;
    if (r == 0)
        r = hurl_start_session(&t->scope);
    if (r == 0)
        r = conn_engine_new(&CONN_CURL, &conn,
                            &t->engine); /* speaks all that hurl speaks, HTTP/2 where TLS offers it */
    return r < 0 ? r : conn_open(t->engine, t, &t->conn);
}

static void run_entries(struct trial *t)
{
    const struct trial_config *c = t->c;
    size_t n = t->journey->file->n_entries, from = c->from_entry ? c->from_entry - 1 : 0;
    size_t to = c->to_entry && c->to_entry < n ? c->to_entry : n;
    bool good = true;
    for (size_t i = from; i < to && (good || c->continue_on_error); i++) {
        /* repeat is one of the entry's options: they are read anew each time, as their variables may have changed */
        for (uint64_t done = 0; !is_stopped(t) && t->broken == 0; done++) {
            good = run_entry(t, i);
            int64_t repeat = t->request.options.repeat;
            if ((!good && !c->continue_on_error) || (repeat >= 0 && done + 1 >= (uint64_t)repeat))
                break;
        }
        if (t->result->stopped || t->broken < 0)
            return;
    }
}

int trial_run(const struct journey *j, const struct trial_config *c, struct trial_result *ret)
{
    struct trial_result result = {0};
    struct trial t = {.c = c, .journey = j, .result = &result};
    arena_init(&t.keep, SESSION_BYTES_MAX);
    arena_init(&t.scratch, STEP_BYTES_MAX);
    cookie_jar_init(&t.jar);
    request_init(&t.request);
    buf_init(&t.redirects, BODY_BYTES_MAX);
    buf_init(&t.answer.head, BODY_BYTES_MAX);
    buf_init(&t.answer.body, BODY_BYTES_MAX);
    buf_init(&t.answer.raw, BODY_BYTES_MAX);
    buf_init(&t.answer.error, BODY_BYTES_MAX);
    rng_seed(&t.rng, c->run->seed);
    t.scope = (struct hurl_scope){
        .file = j->file, .keep = &t.keep, .scratch = &t.scratch, .rng = &t.rng, .file_root = c->file_root};
    int64_t start_us = mono_us();
    int r = start(&t);
    if (r == 0) {
        run_entries(&t);
        r = t.broken;
    }
    result.duration_us = mono_us() - start_us;
    if (r == 0 && c->cookies_out)
        cookie_jar_write(&t.jar, c->cookies_out);
    conn_close(t.conn);
    conn_engine_free(t.engine);
    buf_done(&t.answer.head);
    buf_done(&t.answer.body);
    buf_done(&t.answer.raw);
    buf_done(&t.answer.error);
    buf_done(&t.redirects);
    request_done(&t.request);
    cookie_jar_done(&t.jar);
    arena_done(&t.keep);
    arena_done(&t.scratch);
    free(t.scope.values);
    if (r == 0)
        *ret = result;
    return r;
}
