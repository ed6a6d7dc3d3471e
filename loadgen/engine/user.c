#include "loadgen/engine/user.h"

#include <errno.h>

#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "loadgen/engine/answer.h"
#include "loadgen/engine/think.h"
#include "loadgen/engine/worker.h"
#include "loadgen/hurl/parse.h"
#include "loadgen/hurl/json_text.h"

int user_new(struct worker *w, struct worker_traffic *traffic, struct user **ret)
{
    struct user *u = calloc(1, sizeof *u);
    if (!u)
        return -ENOMEM;
    u->worker = w;
    u->traffic = traffic;
    arena_init(&u->keep, SESSION_BYTES_MAX);
    cookie_jar_init(&u->jar);
    request_init(&u->request);
    u->request.user_agent = traffic->of->user_agent;
    buf_init(&u->redirects, BODY_BYTES_MAX);
    *ret = u;
    return 0;
}

void user_free(struct user *u)
{
    if (!u)
        return;
    conn_close(u->conn);
    cookie_jar_done(&u->jar);
    request_done(&u->request);
    buf_done(&u->redirects);
    arena_done(&u->keep);
    free(u->scope.values);
    free(u);
}

static const struct hurl_entry *entry_of(const struct user *u)
{
    return &u->journey->file->entries[u->entry];
}

/* ---- recording ---- */

static struct run_stats *stats_of(const struct user *u)
{
    return u->worker->stats->of[u->phase];
}

static struct journey_stats *journey_stats_of(const struct user *u)
{
    return &stats_of(u)->journeys[u->journey - u->worker->config->journeys->list];
}

static void count_started(struct user *u)
{
    stats_of(u)->requests.started++;
    journey_stats_of(u)->requests.started++;
}

static void count_completed(struct user *u)
{
    stats_of(u)->requests.completed++;
    journey_stats_of(u)->requests.completed++;
}

static void count_failed(struct user *u)
{
    stats_of(u)->requests.failed++;
    journey_stats_of(u)->requests.failed++;
}

static void add_part(struct user *u, enum step_part part, int64_t us)
{
    u->parts_us[part] = (u->parts_us[part] > 0 ? u->parts_us[part] : 0) + us;
}

/* A step's hops and retries together. */
static void add_parts(struct user *u, const struct conn_response *r)
{
    if (r->dns_us > 0)
        add_part(u, PART_DNS, r->dns_us);
    if (r->connect_us > 0)
        add_part(u, PART_CONNECT, r->connect_us);
    if (r->tls_us > 0)
        add_part(u, PART_TLS, r->tls_us);
    if (r->error != CONN_OK)
        return;
    int64_t transfer_us = r->done_us - r->sent_us - r->dns_us - r->connect_us - r->tls_us - r->first_byte_us;
    add_part(u, PART_FIRST_BYTE, r->first_byte_us);
    add_part(u, PART_TRANSFER, transfer_us > 0 ? transfer_us : 0);
}

static enum step_error transport_kind(enum conn_error e)
{
    switch (e) {
    case CONN_DNS:
        return ERROR_DNS;
    case CONN_CONNECT:
        return ERROR_CONNECT;
    case CONN_TLS:
        return ERROR_TLS;
    case CONN_TIMEOUT:
        return ERROR_TIMEOUT;
    case CONN_RESET:
        return ERROR_RESET;
    default:
        return ERROR_PROTOCOL;
    }
}

struct result {
    enum step_outcome outcome;
    enum step_error error;
    struct hurl_failure why;
};

/* DESIGN §4: business is a failed assert under the asserted status; a capture, or an assert about the protocol, is "assert". */
static void judge(struct result *r)
{
    switch (r->why.kind) {
    case HURL_FAILED_STATUS:
        r->outcome = OUTCOME_STATUS;
        r->error = ERROR_STATUS;
        break;
    case HURL_FAILED_ASSERT:
        r->outcome = OUTCOME_BUSINESS;
        r->error = ERROR_BUSINESS;
        break;
    case HURL_FAILED_PROTOCOL:
    case HURL_FAILED_QUERY:
        r->outcome = OUTCOME_ASSERT;
        r->error = ERROR_ASSERT;
        break;
    case HURL_FAILED_CAPTURE:
        r->outcome = OUTCOME_ASSERT;
        r->error = ERROR_CAPTURE;
        break;
    case HURL_FAILED_RUN:
        r->outcome = OUTCOME_ASSERT;
        r->error = ERROR_JOURNEY;
        break;
    }
}

/* ---- the way through the journey ---- */

static void run_from(struct user *u, int64_t base_us);

/* The slot of a capture whose name is made of variables; what no entry reads has none. */
static uint32_t slot_of(struct user *u, const struct hurl_capture *c)
{
    struct hurl_failure why;
    struct buf name;
    if (c->slot != HURL_NO_SLOT)
        return c->slot;
    buf_init(&name, 65536);
    int slot = hurl_render(&u->scope, &c->dynamic_name, &name, &why) == 0 && buf_error(&name) == 0
                   ? hurl_slot_of(u->scope.file, buf_view(&name))
                   : -1;
    buf_done(&name);
    return slot < 0 ? HURL_NO_SLOT : (uint32_t)slot;
}

/* What the session captured with `redact`. */
MUST_USE static int add_redacted(struct user *u, struct secrets *to)
{
    const struct hurl_file *f = u->journey->file;
    int r = 0;
    for (size_t i = 0; i < f->n_entries; i++) {
        const struct hurl_response *answer = &f->entries[i].response;
        for (size_t k = 0; k < answer->n_captures && r == 0; k++) {
            uint32_t slot = answer->captures[k].redact ? slot_of(u, &answer->captures[k]) : HURL_NO_SLOT;
            if (slot != HURL_NO_SLOT)
                r = secrets_add_value(to, &u->scope.values[slot]);
        }
    }
    return r;
}

/* Why a step failed, for people: without what is shown nowhere. */
static void hide_secrets(struct user *u, char *text, size_t room)
{
    struct secrets redacted;
    secrets_init(&redacted);
    secrets_hide_in(text, room, &u->worker->config->journeys->secrets);
    if (add_redacted(u, &redacted) < 0)
        snprintf(text, room, "[not shown: there is no room for its secrets]");
    secrets_hide_in(text, room, &redacted);
    secrets_done(&redacted);
}

/* Where the session goes on behind this entry; n_entries: nowhere. */
static size_t entry_behind(struct user *u, const struct hurl_entry *e)
{
    if (u->failed || e->n_gotos == 0)
        return u->entry + 1;
    double at = rng_unit(&u->worker->rng);
    for (size_t i = 0; i < e->n_gotos; i++) {
        if (at < e->gotos[i].probability)
            return e->gotos[i].entry;
        at -= e->gotos[i].probability;
    }
    return u->entry + 1;
}

/* The step is done, one way or the other; what comes next starts from now. times < 0: it was not sent. */
static void finish_step(struct user *u, struct result *r, int64_t done_us, bool sent)
{
    const struct hurl_entry *e = entry_of(u);
    const struct run_config *c = u->worker->config;
    bool good = r->outcome == OUTCOME_OK;
    char text[STATS_SAMPLE_MAX];
    text[0] = '\0';
    if (!good)
        hide_secrets(u, r->why.text, sizeof r->why.text);
    if (!good)
        snprintf(text, sizeof text, "%s:%u:%u: %.150s", u->journey->file->name, r->why.at.line, r->why.at.column,
                 r->why.text);
    int64_t response_us = sent ? done_us - u->intended_us : -1, service_us = sent ? done_us - u->first_sent_us : -1;
    size_t step = u->journey->step_of[u->entry];
    stats_step(stats_of(u), step, r->outcome, r->error, response_us, service_us, text);
    u->done_us = done_us;
    if (sent) {
        stats_parts(stats_of(u), step, u->parts_us);
        u->response_sum_us += response_us;
        u->service_sum_us += service_us;
    }
    if (c->on_step)
        c->on_step(c->on_step_ctx, &(struct step_report){.journey = u->journey,
                                                         .entry = e,
                                                         .step = step,
                                                         .good = good,
                                                         .why = good ? NULL : &r->why,
                                                         .scope = &u->scope,
                                                         .secrets = &c->journeys->secrets,
                                                         .response_us = response_us,
                                                         .service_us = service_us,
                                                         .request = sent ? &u->request.out : NULL,
                                                         .answer = u->answer});
    u->answer = NULL;
    u->failed |= !good;
    u->steps++;
    size_t next = entry_behind(u, e);
    int64_t repeat = u->request.options.repeat;
    bool again = good && (repeat < 0 || u->repeats + 1 < (uint64_t)repeat);
    u->repeats = again ? u->repeats + 1 : 0;
    u->entry = again ? u->entry : next;
    arena_reset(&u->worker->scratch);
    run_from(u, done_us);
}

static void fail_unsent(struct user *u, enum step_outcome outcome, enum step_error error,
                        const struct hurl_failure *why, int64_t now_us)
{
    struct result r = {outcome, error, *why};
    finish_step(u, &r, now_us, false);
}

static void fail_build(struct user *u, int code, struct hurl_failure *why, int64_t now_us)
{
    if (code == -EPERM) {
        fail_unsent(u, OUTCOME_TRANSPORT, ERROR_REFUSED, why, now_us);
        return;
    }
    if (code != -EINVAL) {
        why->at = entry_of(u)->request.at;
        snprintf(why->text, sizeof why->text, "the request cannot be made: %s", strerror(-code));
    }
    fail_unsent(u, OUTCOME_ASSERT, ERROR_JOURNEY, why, now_us);
}

/* Send what stands in u->request.out, now; a failure ends the step. */
static void send_out(struct user *u, int64_t now_us)
{
    count_started(u);
    u->request.out.now_us = now_us;
    int r = conn_send(u->conn, &u->request.out);
    if (r == 0) {
        u->state = USER_IN_FLIGHT;
        worker_count(&u->worker->in_flight, 1);
        return;
    }
    count_failed(u);
    struct hurl_failure why = {.kind = HURL_FAILED_RUN, .at = entry_of(u)->request.at};
    snprintf(why.text, sizeof why.text, "the request cannot be sent: %s", strerror(-r));
    fail_unsent(u, OUTCOME_TRANSPORT, ERROR_PROTOCOL, &why, now_us);
}

static void send_step(struct user *u)
{
    struct hurl_failure why;
    hurl_failure_init(&why);
    const struct run_config *c = u->worker->config;
    const struct hurl_entry *e = entry_of(u);
    if (e->money && !u->retrying && !worker_money_allowed(u->worker, mono_us())) {
        worker_session_over(u->worker, u, SESSION_CAPPED);
        return;
    }
    u->hops = 0;
    buf_clear(&u->redirects);
    int r = request_build(&u->request, &u->scope, e, &u->jar, c, &why);
    int64_t now_us = mono_us();
    if (r < 0) {
        fail_build(u, r, &why, now_us);
        return;
    }
    if (!u->retrying) {
        u->first_sent_us = now_us;
        int64_t due_us = u->intended_us > u->ready_us ? u->intended_us : u->ready_us;
        hdr_record(stats_of(u)->lag, u->first_sent_us - due_us);
    }
    u->retrying = false;
    send_out(u, now_us);
}

/* Sleep until the intended start, or go at once; `past_us` is over already. */
static void wait_and_send(struct user *u, int64_t past_us)
{
    if (u->intended_us <= past_us || u->intended_us <= mono_us()) {
        send_step(u);
        return;
    }
    u->state = USER_WAITING;
    if (worker_schedule(u->worker, u, u->intended_us) < 0)
        worker_session_over(u->worker, u, SESSION_UNFINISHED);
}

static void begin_step(struct user *u, int64_t intended_us)
{
    u->intended_us = intended_us;
    u->phase = worker_phase_at(u->worker, intended_us);
    for (size_t i = 0; i < PARTS; i++)
        u->parts_us[i] = -1;
}

/* The next step from u->entry on that is to be run, meant to start at base + think + delay. A step that cannot even be begun is recorded and the
 * rest goes on from there. */
static void run_from(struct user *u, int64_t base_us)
{
    const struct hurl_file *f = u->journey->file;
    struct hurl_failure why;
    hurl_failure_init(&why);
    for (; u->entry < f->n_entries && u->steps < SESSION_STEPS_MAX; u->entry++) {
        const struct hurl_entry *e = entry_of(u);
        if (u->failed && !e->always)
            continue;
        u->tries = 0;
        u->retrying = false;
        begin_step(u, base_us);
        int r = entry_options_read(&u->request.options, &u->scope, e, u->worker->config, &u->request.out, &why);
        if (r < 0) {
            fail_build(u, r, &why, base_us);
            return;
        }
        if (u->request.options.skip) { /* its @goto holds: a step that is never sent may say where sessions begin */
            u->steps += e->n_gotos > 0;
            u->entry = entry_behind(u, e) - 1;
            continue;
        }
        int64_t think_us = (int64_t)((double)think_draw(&e->think, &u->worker->rng) * u->traffic->think_scale);
        begin_step(u, base_us + think_us + u->request.options.delay_ms * 1000);
        wait_and_send(u, base_us);
        return;
    }
    worker_session_over(u->worker, u, u->failed ? SESSION_FAILED : SESSION_COMPLETED);
}

void user_timer(struct user *u)
{
    send_step(u);
}

/* ---- a session ---- */

MUST_USE static int take_rows(struct user *u)
{
    struct span fields[FEED_COLUMNS_MAX];
    for (size_t i = 0; i < u->journey->n_feeds; i++) {
        const struct journey_feed *f = &u->journey->feeds[i];
        if (!feed_next(f->feed, &u->worker->rng, fields))
            return -ENODATA;
        for (size_t k = 0; k < feed_columns(f->feed); k++)
            if (f->slots[k] != UINT32_MAX)
                u->scope.values[f->slots[k]] = hurl_value_text(fields[k]); /* lives as long as the feed */
    }
    return 0;
}

int user_start(struct user *u, const struct journey *j, int64_t intended_us, int64_t ready_us)
{
    size_t n = j->file->n_variables;
    if (n > u->values_cap) {
        struct hurl_value *values = realloc(u->scope.values, n * sizeof *values);
        if (!values)
            return -ENOMEM;
        u->scope.values = values;
        u->values_cap = n;
    }
    if (n)
        memcpy(u->scope.values, j->values, n * sizeof *j->values);
    u->journey = j;
    u->scope.file = j->file;
    u->scope.keep = &u->keep;
    u->scope.scratch = &u->worker->scratch;
    u->scope.rng = &u->worker->rng;
    arena_reset(&u->keep);
    arena_reset(&u->worker->scratch);
    cookie_jar_clear(&u->jar);
    u->entry = 0;
    u->steps = u->repeats = 0;
    u->failed = false;
    u->ready_us = ready_us;
    u->arrived_us = u->done_us = intended_us;
    u->response_sum_us = u->service_sum_us = 0;
    u->phase = u->session_phase = worker_phase_at(u->worker, intended_us);
    int r = take_rows(u);
    if (r == 0)
        r = hurl_start_session(&u->scope);
    if (r < 0)
        return r;
    if (!u->conn) {
        r = conn_open(u->worker->engine, u, &u->conn);
        if (r < 0)
            return r;
    }
    stats_of(u)->sessions.started++;
    journey_stats_of(u)->sessions.started++;
    run_from(u, intended_us);
    return 0;
}

/* ---- answers ---- */

static void keep_cookies(struct user *u, struct span headers)
{
    struct span value;
    int64_t now_ms = unix_ms();
    for (size_t i = 0; hurl_header(headers, SPAN("set-cookie"), i, &value); i++)
        (void)!cookie_jar_store(&u->jar, &u->request.at, value,
                                now_ms); /* what the rules refuse, a browser would not keep either */
}

/* Try the step again after its interval. false: there are no tries left. */
static bool retry(struct user *u, int64_t now_us)
{
    int64_t allowed = u->request.options.retry;
    if (allowed >= 0 && u->tries >= (uint64_t)allowed)
        return false;
    if (u->tries >= SESSION_STEPS_MAX)
        return false;
    u->tries++;
    u->retrying = true;
    u->state = USER_WAITING;
    arena_reset(&u->worker->scratch);
    if (worker_schedule(u->worker, u, now_us + u->request.options.retry_interval_ms * 1000) < 0)
        worker_session_over(u->worker, u, SESSION_UNFINISHED);
    return true;
}

/* true: the request goes again with the answer to a Digest challenge, or its building ended the step. */
static bool authenticate(struct user *u, const struct conn_response *response, struct result *r)
{
    if (response->status != 401)
        return false;
    int code = request_answer_challenge(&u->request, &u->scope, response->headers, &u->jar, u->worker->config, &r->why);
    if (code < 0)
        fail_build(u, code, &r->why, response->done_us);
    else if (code > 0)
        send_out(u, mono_us());
    return code != 0;
}

/* true: another hop is under way, or its building ended the step. */
static bool follow(struct user *u, const struct conn_response *response, struct result *r)
{
    struct span location;
    if (!u->request.options.location || !request_redirects(response->status) ||
        !hurl_header(response->headers, SPAN("location"), 0, &location))
        return false;
    int64_t max = u->request.options.max_redirs;
    if ((max >= 0 && u->hops >= (uint64_t)max) || u->hops >= SESSION_STEPS_MAX) {
        r->outcome = OUTCOME_ASSERT;
        r->error = ERROR_REDIRECTS;
        r->why = (struct hurl_failure){.kind = HURL_FAILED_PROTOCOL, .at = entry_of(u)->request.at};
        snprintf(r->why.text, sizeof r->why.text, "more than %lld redirects", (long long)max);
        return false;
    }
    u->hops++;
    int code = request_follow(&u->request, &u->scope, location, response->status, &u->jar, u->worker->config, &r->why);
    if (code < 0) {
        fail_build(u, code, &r->why, response->done_us);
        return true;
    }
    buf_str(&u->redirects, u->hops > 1 ? ",\"" : "[\"");
    json_text_escape(&u->redirects, buf_view(&u->request.url));
    buf_char(&u->redirects, '"');
    send_out(u, mono_us());
    return true;
}

/* Nothing is asserted of it. */
static void verify_status(const struct hurl_entry *e, const struct conn_response *response, struct result *r)
{
    if (response->status < 400)
        return;
    r->why = (struct hurl_failure){.kind = HURL_FAILED_STATUS, .at = e->request.at};
    snprintf(r->why.text, sizeof r->why.text, "status %d (no response is asserted: wanted below 400)",
             response->status);
    judge(r);
}

static void verify(struct user *u, const struct conn_response *response, struct result *r)
{
    const struct hurl_entry *e = entry_of(u);
    struct answer a;
    if (!e->has_response) {
        verify_status(e, response, r);
        return;
    }
    if (u->hops)
        buf_char(&u->redirects, ']');
    answer_of(&a, response, buf_view(&u->request.url), buf_view(&u->redirects));
    int code = hurl_verify(&u->scope, e, &a.exchange, &r->why);
    hurl_exchange_done(&a.exchange);
    if (code < 0 && code != -EINVAL) {
        r->why = (struct hurl_failure){.kind = HURL_FAILED_RUN, .at = e->request.at};
        snprintf(r->why.text, sizeof r->why.text, "the response cannot be looked at: %s", strerror(-code));
    }
    if (code < 0)
        judge(r);
}

void user_response(struct user *u, const struct conn_response *response)
{
    struct run_stats *s = stats_of(u);
    struct result r;
    r.outcome = OUTCOME_OK;
    r.error = ERROR_NONE;
    hurl_failure_init(&r.why);
    u->state = USER_IDLE;
    u->answer = response;
    worker_count(&u->worker->in_flight, -1);
    s->received_bytes += response->body.len + response->headers.len;
    s->fresh_connections += response->fresh;
    add_parts(u, response);
    if (response->error != CONN_OK) {
        count_failed(u);
        r.outcome = OUTCOME_TRANSPORT;
        r.error = transport_kind(response->error);
        r.why = (struct hurl_failure){.kind = HURL_FAILED_RUN, .at = entry_of(u)->request.at};
        snprintf(r.why.text, sizeof r.why.text, "%s: %s", conn_error_name(response->error), response->error_text);
    } else {
        count_completed(u);
        if (response->sets_cookies)
            keep_cookies(u, response->headers);
        if (authenticate(u, response, &r) || follow(u, response, &r)) {
            u->answer = NULL;
            return;
        }
        if (r.outcome == OUTCOME_OK)
            verify(u, response, &r);
    }
    if (r.outcome != OUTCOME_OK && u->request.options.retry && retry(u, response->done_us)) {
        u->answer = NULL;
        return;
    }
    finish_step(u, &r, response->done_us, true);
}

void user_cut(struct user *u)
{
    worker_count(&u->worker->in_flight, -1);
    count_failed(u);
}
