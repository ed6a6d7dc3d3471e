#include "agent/agent.h"

#include <errno.h>
#include <pthread.h>

#include "lib/base/clock.h"
#include "lib/base/daemon.h"
#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/base/number.h"

/* Targets scraped at least every 2 s are scraped together, on the clock's grid, and what they bring within GATHER_US leaves as one batch: rules
 * see one moment of all services, one commit a second is enough, and a time stamp column serves many series. Slower targets are spread. */
#define LIVE_INTERVAL_MS 2000
#define GATHER_US 100000
#define FILE_SD_PERIOD_US 1000000
#define METADATA_PERIOD_US 300000000 /* then all of it is sent again: a receiver may have been set up anew */
#define SLOT_MARGIN_MS_MAX 5 /* a request that may take the whole interval ends this long before the next one is due */
#define USER_AGENT "User-Agent: crest-agent"

struct agent {
    struct agent_settings settings;
    struct agent_config *config;
    struct http_client *http;
    struct pair_table *pairs; /* labels of all targets' series */
    struct target **targets;
    size_t n_targets, cap_targets;
    struct sender **senders;
    size_t n_senders;
    pthread_mutex_t senders_lock; /* against /metrics while a reload changes the list */
    struct strmap metadata;       /* family -> hash of what was sent of it */
    struct sample_sink sink;
    int64_t now_us, unix_ms, sd_due_us, metadata_due_us;
    struct agent_counts counts;
};

/* ---- samples to all senders ---- */

static void sink_sample(void *ctx, const struct labels *labels, const struct sample *sample)
{
    struct agent *a = ctx;
    atomic_fetch_add_explicit(&a->counts.samples, 1, memory_order_relaxed);
    for (size_t i = 0; i < a->n_senders; i++)
        sender_add(a->senders[i], labels, sample, a->now_us);
}

static void sink_metadata(void *ctx, const struct metadata *m)
{
    struct agent *a = ctx;
    uint64_t h = hash_bytes(m->help.ptr, m->help.len, hash_seed() + (uint64_t)m->type);
    h = hash_bytes(m->unit.ptr, m->unit.len, h) | 1;
    void *known = strmap_get(&a->metadata, m->name), *now = (void *)(uintptr_t)h;
    if (known == now)
        return;
    if (strmap_put(&a->metadata, m->name, now) < 0)
        return; /* over the bound: types of such a flood are not worth more */
    for (size_t i = 0; i < a->n_senders; i++)
        sender_metadata(a->senders[i], m);
}

static void forget_metadata(struct agent *a)
{
    strmap_done(&a->metadata);
    strmap_init(&a->metadata, AGENT_METADATA_MAX);
    a->metadata_due_us = a->now_us + METADATA_PERIOD_US;
}

/* ---- targets ---- */

MUST_USE static int keep_target(struct agent *a, struct target *t)
{
    if (a->n_targets == a->cap_targets) {
        size_t cap = a->cap_targets ? a->cap_targets * 2 : 32;
        struct target **list = realloc(a->targets, cap * sizeof *list);
        if (!list)
            return -ENOMEM;
        a->targets = list;
        a->cap_targets = cap;
    }
    a->targets[a->n_targets++] = t;
    return 0;
}

struct scrape { /* a request on its way */
    struct agent *agent;
    struct target *target;
};

/* Targets of a configuration, as keys -> wanted. Known ones are adopted, new ones get a place in the interval by their key's hash, so that scrapes
 * spread and a restart keeps the order. */
struct sync {
    struct agent *a;
    struct strmap known; /* key -> old target */
    struct target **old;
    size_t n_old;
    bool reloaded;
};

MUST_USE static int sync_target(struct sync *s, const struct scrape_job *job, const struct pair_list *labels,
                                struct span address)
{
    struct agent *a = s->a;
    struct target *t = NULL;
    int r = target_new(job, labels, address, &a->config->external_labels, a->pairs, &t);
    if (r < 0 || !t)
        return r;
    struct target *old = strmap_get(&s->known, span_str(t->key));
    if (old && old->wanted) { /* the same target twice in the file */
        target_free(t);
        return 0;
    }
    if (old && !s->reloaded) {
        old->wanted = true;
        target_free(t);
        return 0;
    }
    if (old) {
        old->wanted = true;
        target_adopt(old, t, a->unix_ms, &a->sink);
        if (t->flight)
            ((struct scrape *)t->flight)->target = t;
    } else {
        int64_t offset = t->interval_ms <= LIVE_INTERVAL_MS
                             ? 0
                             : (int64_t)(labels_fingerprint(&t->labels) % (uint64_t)t->interval_ms);
        int64_t wait_ms = (offset - a->unix_ms % t->interval_ms + t->interval_ms) % t->interval_ms;
        t->due_us = a->now_us + wait_ms * 1000;
        t->grid_ms = a->unix_ms + wait_ms;
        t->phase_ms = t->grid_ms % t->interval_ms;
    }
    if (a->n_targets >= TARGETS_MAX) {
        log_warn("too many targets, the rest is not scraped", "job", "%s", job->name, "limit", "%u", TARGETS_MAX);
        target_free(t);
        return 0;
    }
    t->wanted = true;
    r = keep_target(a, t);
    if (r == 0)
        r = strmap_put(&s->known, span_str(t->key), t);
    return r;
}

MUST_USE static int sync_groups(struct sync *s, const struct scrape_job *job, const struct target_group *groups,
                                size_t n, uint64_t *count)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < groups[i].n_targets; k++) {
            if (job->target_limit && ++*count > job->target_limit) {
                log_warn("target_limit exceeded, the rest of the job is not scraped", "job", "%s", job->name);
                return 0;
            }
            int r = sync_target(s, job, &groups[i].labels, groups[i].targets[k]);
            if (r < 0)
                return r;
        }
    return 0;
}

MUST_USE static int sync_files(struct sync *s, const struct scrape_job *job, uint64_t *count)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < job->n_file_sd; i++) {
        struct file_list files = {0};
        r = file_glob(job->file_sd[i], &files);
        for (size_t k = 0; r == 0 && k < files.n; k++) {
            struct target_group *groups = NULL;
            struct problems problems;
            struct arena arena;
            size_t n = 0;
            unsigned long hidden;
            problems_init(&problems);
            arena_init(&arena, CONFIG_BYTES_MAX);
            if (agent_read_file_sd(files.paths[k], &arena, &groups, &n, &problems) == 0) {
                r = sync_groups(s, job, groups, n, count);
            } else {
                r = -EAGAIN; /* a half-written file must not take targets away */
                if (log_allow(files.paths[k], 60000, &hidden) && problems.n)
                    log_warn("file_sd file refused, its old targets stay", "file", "%s", files.paths[k], "line", "%u",
                             problems.list[0].line, "error", "%s", problems.list[0].text);
            }
            arena_done(&arena);
            problems_done(&problems);
        }
        file_list_done(&files);
    }
    return r;
}

static void drop_target(struct agent *a, struct target *t, bool adopted)
{
    if (t->request_id)
        http_cancel(a->http, t->request_id);
    if (!adopted)
        target_gone(t, a->unix_ms, &a->sink);
    target_free(t);
}

/* Make the targets what configuration and files say. -EAGAIN: a file was broken; targets not named stay. */
MUST_USE static int sync_targets(struct agent *a, bool reloaded)
{
    struct sync s = {.a = a, .old = a->targets, .n_old = a->n_targets, .reloaded = reloaded};
    int r = 0, broken = 0;
    strmap_init(&s.known, 2ul * TARGETS_MAX);
    for (size_t i = 0; r == 0 && i < s.n_old; i++) {
        s.old[i]->wanted = false;
        r = strmap_put(&s.known, span_str(s.old[i]->key), s.old[i]);
    }
    a->targets = NULL;
    a->n_targets = a->cap_targets = 0;
    for (size_t i = 0; r == 0 && i < a->config->n_jobs; i++) {
        uint64_t count = 0;
        r = sync_groups(&s, &a->config->jobs[i], a->config->jobs[i].groups, a->config->jobs[i].n_groups, &count);
        if (r == 0)
            r = sync_files(&s, &a->config->jobs[i], &count);
        if (r == -EAGAIN) {
            broken = r;
            r = 0;
        }
    }
    for (size_t i = 0; i < s.n_old; i++) {
        struct target *t = s.old[i];
        bool stays = !reloaded && (t->wanted || broken || r < 0);
        if (!stays || keep_target(a, t) < 0)
            drop_target(a, t, reloaded && t->wanted);
    }
    free(s.old);
    strmap_done(&s.known);
    atomic_store(&a->counts.targets, a->n_targets);
    return r < 0 ? r : broken;
}

/* ---- scrapes ---- */

static void on_page(void *ctx, struct http_response *response)
{
    AUTO_FREE struct scrape *flight = ctx;
    struct target *t = flight->target;
    struct agent *a = flight->agent;
    t->request_id = 0;
    t->flight = NULL;
    if (response->error == -ECANCELED)
        return;
    uint64_t failures = t->failures, duplicates = t->duplicates;
    target_take_page(t, response, mono_us() - t->started_us, &a->sink);
    atomic_fetch_add(&a->counts.scrapes, 1);
    atomic_fetch_add(&a->counts.scrape_failures, t->failures - failures);
    atomic_fetch_add(&a->counts.duplicates, t->duplicates - duplicates);
    if (t->duplicates > duplicates && duplicates == 0)
        log_warn("samples dropped: a series is twice in a page, or relabelling makes two the same", "job", "%s",
                 t->job->name, "instance", "%s", t->instance, "samples", "%llu",
                 (unsigned long long)(t->duplicates - duplicates));
}

static int64_t near_phase(const struct target *t, int64_t ms, int64_t tolerance)
{
    int64_t beyond = ((ms - t->phase_ms) % t->interval_ms + t->interval_ms) % t->interval_ms;
    int64_t off = beyond > t->interval_ms / 2 ? beyond - t->interval_ms : beyond;
    return off >= -tolerance && off <= tolerance ? ms - off : ms;
}

/* The time stamp: the schedule's when it is kept within min(interval/100, 2 ms), else the clock's. The schedule runs on the
 * monotonic clock: when the other clock was stepped or has drifted away from it, the grid follows. A machine that is busy between
 * the readings of the two looks like a step there and, a moment later, back: what comes out near the old grid is on it again. */
static int64_t scrape_time(struct target *t, int64_t late_us, int64_t unix_now_ms)
{
    int64_t tolerance = t->interval_ms / 100 < 2 ? t->interval_ms / 100 : 2;
    if (tolerance < 1)
        tolerance = 1;
    int64_t stepped = unix_now_ms - late_us / 1000 - t->grid_ms;
    if (stepped > tolerance || stepped < -tolerance)
        t->grid_ms = near_phase(t, t->grid_ms + stepped, tolerance);
    int64_t off = unix_now_ms - t->grid_ms;
    return off >= -tolerance && off <= tolerance ? t->grid_ms : unix_now_ms;
}

/* Where the timeout is as long as the interval, a target that hangs would hold up its next scrape a bit more each time. */
static int64_t request_timeout_ms(const struct target *t, int64_t late_us)
{
    int64_t margin = t->interval_ms / 100 < SLOT_MARGIN_MS_MAX ? t->interval_ms / 100 : SLOT_MARGIN_MS_MAX;
    int64_t room = t->interval_ms - late_us / 1000 - margin;
    bool worth = room >= t->timeout_ms / 10 * 9; /* started late: its time is worth more than the schedule */
    return room < t->timeout_ms && worth ? room : t->timeout_ms;
}

static void start_scrape(struct agent *a, struct target *t)
{
    char timeout[96], accept[512];
    const struct scrape_job *job = t->job;
    snprintf(timeout, sizeof timeout, "X-Prometheus-Scrape-Timeout-Seconds: %g", (double)t->timeout_ms / 1000.0);
    snprintf(accept, sizeof accept, "Accept: %s", EXPOSITION_ACCEPT);
    const char *headers[] = {accept, timeout, USER_AGENT, NULL};
    uint64_t late = (uint64_t)(a->now_us - t->due_us);
    struct http_request request = {.url = t->url,
                                   .headers = headers,
                                   .credentials = &job->credentials,
                                   .proxy = job->proxy,
                                   .timeout_ms = request_timeout_ms(t, (int64_t)late),
                                   .body_bytes_max =
                                       job->body_size_limit && job->body_size_limit < SCRAPE_BODY_BYTES_MAX
                                           ? (size_t)job->body_size_limit
                                           : SCRAPE_BODY_BYTES_MAX,
                                   .follow_redirects = job->follow_redirects,
                                   .accept_encoding = job->compression};
    struct scrape *flight = malloc(sizeof *flight);
    if (late > atomic_load(&a->counts.lateness_us_max))
        atomic_store(&a->counts.lateness_us_max, late);
    t->time_ms = scrape_time(t, (int64_t)late, a->unix_ms);
    t->started_us = mono_us();
    t->flight = flight;
    int r = -ENOMEM;
    if (flight) {
        *flight = (struct scrape){a, t};
        r = http_send(a->http, &request, on_page, flight, &t->request_id);
    }
    if (r < 0) {
        struct http_response failed = {.error = r};
        snprintf(failed.error_text, sizeof failed.error_text, "cannot send: %s", strerror(-r));
        free(flight);
        t->flight = NULL;
        t->request_id = 0;
        target_take_page(t, &failed, 0, &a->sink);
        atomic_fetch_add(&a->counts.scrapes, 1);
        atomic_fetch_add(&a->counts.scrape_failures, 1);
    }
}

static int64_t step_scrapes(struct agent *a, int64_t *ret_hold_until_us)
{
    int64_t next = INT64_MAX, hold = 0;
    uint64_t up = 0;
    for (size_t i = 0; i < a->n_targets; i++) {
        struct target *t = a->targets[i];
        if (t->due_us <= a->now_us) {
            /* With a request in flight the newest slot stays due: its scrape starts in the turn in which the request ends. */
            int64_t missed = (a->now_us - t->due_us) / (t->interval_ms * 1000), steps = missed;
            if (!t->request_id) {
                start_scrape(a, t);
                steps++;
            }
            t->due_us += steps * t->interval_ms * 1000;
            t->grid_ms += steps * t->interval_ms;
            atomic_fetch_add_explicit(&a->counts.skipped, (uint64_t)missed, memory_order_relaxed);
        }
        up += t->reported && !t->error[0];
        if (t->due_us < next && t->due_us > a->now_us) /* what waits for its request wakes with it */
            next = t->due_us;
        if (t->request_id && t->interval_ms <= LIVE_INTERVAL_MS && t->started_us + GATHER_US > a->now_us &&
            t->started_us + GATHER_US > hold)
            hold = t->started_us + GATHER_US;
    }
    atomic_store_explicit(&a->counts.targets_up, up, memory_order_relaxed);
    *ret_hold_until_us = hold;
    return next;
}

/* ---- life ---- */

static void free_senders(struct sender **list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sender_free(list[i]);
    free(list);
}

MUST_USE static int make_senders(struct agent *a, const struct agent_config *config)
{
    struct sender **list = calloc(config->n_remotes, sizeof *list);
    int r = list ? 0 : -ENOMEM;
    size_t n = 0;
    for (; r == 0 && n < config->n_remotes; n++) {
        char dir[4096];
        const struct remote_endpoint *e = &config->remotes[n];
        char again[16] = "";
        size_t same = 0;
        for (size_t i = 0; i < n; i++)
            same += strcmp(config->remotes[i].url, e->url) == 0;
        if (same)
            snprintf(again, sizeof again, "-%zu", same);
        /* A spool belongs to its endpoint, wherever that stands in the file. */
        snprintf(
            dir, sizeof dir, "%s/spool-%016llx%s", a->settings.data_dir ? a->settings.data_dir : "",
            (unsigned long long)labels_fingerprint(&(struct labels){&(struct label){SPAN("url"), span_str(e->url)}, 1}),
            again);
        r = sender_new(e, a->http, a->settings.data_dir ? dir : NULL, a->settings.spool_bytes, &list[n]);
        if (r < 0)
            log_error("cannot open the spool", "path", "%s", dir, "error", "%s",
                      r == -EBUSY ? "another process has it open" : strerror(-r));
    }
    if (r < 0) {
        free_senders(list, n);
        return r;
    }
    a->senders = list;
    a->n_senders = n;
    return 0;
}

int agent_new(const struct agent_settings *settings, int64_t now_us, int64_t unix_now_ms, struct problems *problems,
              struct agent **ret)
{
    struct agent *a = calloc(1, sizeof *a);
    if (!a)
        return -ENOMEM;
    a->settings = *settings;
    a->sink = (struct sample_sink){a, sink_sample, sink_metadata};
    a->now_us = now_us;
    a->unix_ms = unix_now_ms;
    pthread_mutex_init(&a->senders_lock, NULL);
    strmap_init(&a->metadata, AGENT_METADATA_MAX);
    int r = agent_config_load(settings->config_path, &a->config, problems);
    if (r == 0)
        r = pair_table_new(&a->pairs);
    if (r == 0)
        r = http_client_new(&a->http);
    if (r == 0)
        r = make_senders(a, a->config);
    if (r == 0)
        r = sync_targets(a, false);
    if (r < 0 && r != -EAGAIN) {
        agent_free(a);
        return r;
    }
    *ret = a;
    return 0;
}

void agent_free(struct agent *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < a->n_targets; i++) {
        if (a->targets[i]->request_id)
            http_cancel(a->http, a->targets[i]->request_id);
        target_free(a->targets[i]); /* no stale markers: a restart goes on where this one stopped */
    }
    free(a->targets);
    pair_table_free(a->pairs);
    free_senders(a->senders, a->n_senders);
    http_client_free(a->http);
    strmap_done(&a->metadata);
    agent_config_free(a->config);
    pthread_mutex_destroy(&a->senders_lock);
    free(a);
}

int agent_reload(struct agent *a, int64_t now_us, int64_t unix_now_ms, struct problems *problems)
{
    struct agent_config *fresh = NULL, *old = a->config;
    a->now_us = now_us;
    a->unix_ms = unix_now_ms;
    int r = agent_config_load(a->settings.config_path, &fresh, problems);
    if (r < 0)
        return r;
    /* The old senders put what they hold into their spools, the new ones read it from there. */
    pthread_mutex_lock(&a->senders_lock);
    free_senders(a->senders, a->n_senders);
    a->senders = NULL;
    a->n_senders = 0;
    r = make_senders(a, fresh);
    if (r < 0) {
        agent_config_free(fresh);
        int back = make_senders(a, old);
        pthread_mutex_unlock(&a->senders_lock);
        if (back < 0) {
            log_error("the old endpoints cannot be taken up again either, stopping", "error", "%s", strerror(-back));
            daemon_stop();
        }
        return r;
    }
    pthread_mutex_unlock(&a->senders_lock);
    a->config = fresh;
    a->sd_due_us = 0;
    forget_metadata(a); /* an endpoint may be new */
    r = sync_targets(a, true);
    agent_config_free(old);
    return r == -EAGAIN ? 0 : r;
}

int agent_fd(const struct agent *a)
{
    return http_client_fd(a->http);
}

int64_t agent_step(struct agent *a, int64_t now_us, int64_t unix_now_ms)
{
    a->now_us = now_us;
    a->unix_ms = unix_now_ms;
    http_client_step(a->http);
    if (now_us >= a->sd_due_us) {
        bool files = false;
        for (size_t i = 0; i < a->config->n_jobs; i++)
            files = files || a->config->jobs[i].n_file_sd;
        if (files && sync_targets(a, false) == -ENOMEM)
            log_warn("out of memory while looking at file_sd files");
        a->sd_due_us = files ? now_us + FILE_SD_PERIOD_US : INT64_MAX;
    }
    if (now_us >= a->metadata_due_us)
        forget_metadata(a);
    int64_t hold_until_us, next = step_scrapes(a, &hold_until_us);
    for (size_t i = 0; i < a->n_senders; i++) {
        int64_t due = sender_step(a->senders[i], now_us, hold_until_us);
        next = due < next ? due : next;
    }
    next = a->sd_due_us < next ? a->sd_due_us : next;
    int64_t http_ms = http_client_timeout_ms(a->http);
    if (http_ms >= 0 && now_us + http_ms * 1000 < next)
        next = now_us + http_ms * 1000;
    return next;
}

size_t agent_in_flight(const struct agent *a)
{
    return http_client_pending(a->http);
}

bool agent_idle(const struct agent *a)
{
    for (size_t i = 0; i < a->n_senders; i++)
        if (!sender_idle(a->senders[i]))
            return false;
    return true;
}

const struct agent_counts *agent_counts(const struct agent *a)
{
    return &a->counts;
}

struct sender_family {
    const char *name, *help;
    enum metric_kind kind;
    size_t offset;
};

void agent_write_metrics(struct agent *a, struct metric_writer *w)
{
    static const struct sender_family FAMILIES[] = {
        {"crest_agent_remote_samples_total", "Samples given to a remote_write endpoint.", METRIC_COUNTER,
         offsetof(struct sender_counts, samples)},
        {"crest_agent_remote_sent_samples_total", "Samples acknowledged.", METRIC_COUNTER,
         offsetof(struct sender_counts, sent_samples)},
        {"crest_agent_remote_dropped_samples_total", "Samples refused for good or without room.", METRIC_COUNTER,
         offsetof(struct sender_counts, dropped_samples)},
        {"crest_agent_remote_requests_total", "Requests answered or failed.", METRIC_COUNTER,
         offsetof(struct sender_counts, requests)},
        {"crest_agent_remote_failed_requests_total", "Requests that failed.", METRIC_COUNTER,
         offsetof(struct sender_counts, failed_requests)},
        {"crest_agent_spool_bytes", "Bytes waiting on disk.", METRIC_GAUGE,
         offsetof(struct sender_counts, spool_bytes)},
        {"crest_agent_spool_records", "Requests waiting on disk.", METRIC_GAUGE,
         offsetof(struct sender_counts, spool_records)},
        {"crest_agent_spool_dropped_samples_total", "Samples dropped from a full spool.", METRIC_COUNTER,
         offsetof(struct sender_counts, spool_dropped_samples)},
        {"crest_agent_spool_damaged_records_total", "Records of the spool that were damaged and skipped.",
         METRIC_COUNTER, offsetof(struct sender_counts, spool_damaged_records)},
    };
    struct agent_counts *c = &a->counts;
    const struct {
        const char *name, *help;
        enum metric_kind kind;
        double value;
    } OWN[] = {
        {"crest_agent_targets", "Targets scraped.", METRIC_GAUGE, (double)atomic_load(&c->targets)},
        {"crest_agent_targets_up", "Targets whose last scrape was good.", METRIC_GAUGE,
         (double)atomic_load(&c->targets_up)},
        {"crest_agent_scrapes_total", "Scrapes done.", METRIC_COUNTER, (double)atomic_load(&c->scrapes)},
        {"crest_agent_scrape_failures_total", "Scrapes that failed.", METRIC_COUNTER,
         (double)atomic_load(&c->scrape_failures)},
        {"crest_agent_scrapes_skipped_total",
         "Scrapes left out: the time of the next had come while the one before had no end or the agent stood still.",
         METRIC_COUNTER, (double)atomic_load(&c->skipped)},
        {"crest_agent_duplicate_samples_total",
         "Samples dropped: their series had one in the same page, as it stood there or after relabelling.",
         METRIC_COUNTER, (double)atomic_load(&c->duplicates)},
        {"crest_agent_samples_total", "Samples taken from targets, stale markers and reports included.", METRIC_COUNTER,
         (double)atomic_load(&c->samples)},
        {"crest_agent_scrape_lateness_max_seconds", "Worst start of a scrape behind its schedule.", METRIC_GAUGE,
         (double)atomic_load(&c->lateness_us_max) / 1e6},
    };
    for (size_t i = 0; i < ARRAY_LEN(OWN); i++) {
        metric_family(w, OWN[i].name, OWN[i].kind, OWN[i].help);
        metric_value(w, OWN[i].value, NULL);
    }
    pthread_mutex_lock(&a->senders_lock);
    for (size_t i = 0; i < ARRAY_LEN(FAMILIES); i++) {
        metric_family(w, FAMILIES[i].name, FAMILIES[i].kind, FAMILIES[i].help);
        for (size_t k = 0; k < a->n_senders; k++) {
            const char *at = (const char *)sender_counts(a->senders[k]) + FAMILIES[i].offset;
            metric_value(w, (double)atomic_load((const atomic_ullong *)(const void *)at), "url",
                         sender_url(a->senders[k]), NULL);
        }
    }
    pthread_mutex_unlock(&a->senders_lock);
}
