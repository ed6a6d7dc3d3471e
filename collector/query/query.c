#include "collector/query/query.h"

#include <errno.h>
#include <pthread.h>

#include "collector/query/fair_queue.h"
#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/base/number.h"
#include "lib/base/thread.h"

#define WORKERS_MAX 64u
#define PARSE_BYTES_MAX (256u << 20) /* tree of the longest expression we take, with room */

/* Seconds a query took, from its start on a worker; the last bucket is +Inf. */
static const double DURATION_BOUNDS[] = {0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 60};
#define DURATION_BUCKETS (ARRAY_LEN(DURATION_BOUNDS) + 1)
#define ERROR_KINDS (PROMQL_INTERNAL + 1)

struct query_stats {
    atomic_ullong ended[ERROR_KINDS]; /* by enum promql_error_kind; PROMQL_OK: answered */
    atomic_ullong refused, samples_read, duration_us;
    atomic_ullong durations[DURATION_BUCKETS];
};

struct query_job {
    struct fair_entry entry; /* first: the queue gives entries back */
    atomic_bool cancelled;
    int64_t deadline_mono_us, queued_mono_us;
    struct query_request request; /* text and origin stand behind the job */
    query_done done;
    void (*work)(void *ctx, bool cancelled); /* instead of a query */
    void *ctx;
};

struct query_worker {
    struct query_engine *engine;
    struct thread *thread;
    struct query_job *job; /* running now, under the lock */
};

struct query_engine {
    struct store *store;
    struct query_limits limits; /* none is 0 */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct fair_queue queue;
    atomic_bool stopping;
    struct query_worker workers[WORKERS_MAX];
    unsigned n_workers;
    struct query_stats stats;
};

/* ---- one query ---- */

static void count_end(struct query_engine *q, const struct promql_error *error, const struct promql_result *res,
                      int64_t us)
{
    atomic_fetch_add_explicit(&q->stats.ended[error->kind], 1, memory_order_relaxed);
    if (res)
        atomic_fetch_add_explicit(&q->stats.samples_read, res->samples_read, memory_order_relaxed);
    size_t bucket = 0;
    while (bucket < ARRAY_LEN(DURATION_BOUNDS) && (double)us > DURATION_BOUNDS[bucket] * 1e6)
        bucket++;
    atomic_fetch_add_explicit(&q->stats.durations[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&q->stats.duration_us, (unsigned long long)us, memory_order_relaxed);
}

static void set_parse_error(struct promql_error *error, int r, const struct parse_error *why)
{
    *error = (struct promql_error){
        .kind = r == -ENOMEM ? PROMQL_EXECUTION : PROMQL_BAD_DATA, .line = why->line, .column = why->column};
    snprintf(error->text, sizeof error->text, "%u:%u: %s%.*s", why->line, why->column,
             r == -EOPNOTSUPP ? "" : "parse error: ", (int)sizeof error->text - 48, why->text);
}

MUST_USE static int run(struct query_engine *q, const struct query_request *request, int64_t deadline_mono_us,
                        const atomic_bool *cancelled, void *ctx, struct promql_result **ret,
                        struct promql_error *ret_error)
{
    int64_t started_us = mono_us();
    struct arena arena;
    struct promql_expr *e = NULL;
    struct parse_error why;
    struct promql_result *res = NULL;
    *ret_error = (struct promql_error){0};
    arena_init(&arena, PARSE_BYTES_MAX);
    int r = promql_parse(request->text, &arena, &e, &why);
    int64_t parsed_us = mono_us();
    if (r < 0) {
        set_parse_error(ret_error, r, &why);
    } else {
        struct promql_params p = {.start_ms = request->start_ms,
                                  .end_ms = request->end_ms,
                                  .step_ms = request->step_ms,
                                  .lookback_ms =
                                      request->lookback_ms > 0 ? request->lookback_ms : q->limits.lookback_ms,
                                  .subquery_step_ms = q->limits.subquery_step_ms,
                                  .rollups = request->rollups,
                                  .samples_max = q->limits.samples_max,
                                  .bytes_max = q->limits.bytes_max,
                                  .deadline_mono_us = deadline_mono_us,
                                  .cancelled = cancelled,
                                  .is_gone = request->is_gone,
                                  .gone_ctx = ctx};
        r = promql_eval(q->store, e, &p, &res, ret_error);
    }
    promql_expr_done(e);
    arena_done(&arena);
    int64_t ended_us = mono_us();
    count_end(q, ret_error, res, ended_us - started_us);
    if (r == 0) {
        res->parse_us = parsed_us - started_us;
        res->eval_us = ended_us - parsed_us;
        *ret = res;
    }
    return r;
}

static int64_t deadline_of(const struct query_engine *q, const struct query_request *request)
{
    int64_t ms = q->limits.timeout_ms;
    if (request->timeout_ms > 0 && request->timeout_ms < ms)
        ms = request->timeout_ms;
    return mono_us() + ms * 1000;
}

int query_run(struct query_engine *q, const struct query_request *request, struct promql_result **ret,
              struct promql_error *ret_error)
{
    return run(q, request, deadline_of(q, request), &q->stopping, NULL, ret, ret_error);
}

/* ---- jobs ---- */

/* Whoever raises it should know which one it was. */
static void name_time_limit(const struct query_engine *q, const struct query_job *job, struct promql_error *error)
{
    int64_t ms = q->limits.timeout_ms;
    bool own = job->request.timeout_ms > 0 && job->request.timeout_ms < ms;
    size_t n = strlen(error->text);
    char text[NUMBER_TEXT_MAX];
    format_duration_ms(text, own ? job->request.timeout_ms : ms);
    snprintf(error->text + n, sizeof error->text - n, " (%s %s)", own ? "the request's timeout" : "limit", text);
}

static void end_early(struct query_engine *q, struct query_job *job, enum promql_error_kind kind, const char *text)
{
    struct promql_error error = {.kind = kind};
    snprintf(error.text, sizeof error.text, "%s", text);
    if (kind == PROMQL_TIMEOUT)
        name_time_limit(q, job, &error);
    atomic_fetch_add_explicit(&q->stats.ended[kind], 1, memory_order_relaxed);
    job->done(job->ctx, NULL, &error);
}

static void perform(struct query_engine *q, struct query_job *job)
{
    bool cancelled = atomic_load(&job->cancelled);
    if (job->work) {
        job->work(job->ctx, cancelled);
        return;
    }
    if (cancelled || (job->request.is_gone && job->request.is_gone(job->ctx))) {
        end_early(q, job, PROMQL_CANCELED, "query was canceled in query queue");
        return;
    }
    if (mono_us() >= job->deadline_mono_us) {
        end_early(q, job, PROMQL_TIMEOUT, "query timed out in query queue");
        return;
    }
    struct promql_result *res = NULL;
    struct promql_error error;
    int64_t queue_us = mono_us() - job->queued_mono_us;
    int r = run(q, &job->request, job->deadline_mono_us, &job->cancelled, job->ctx, &res, &error);
    if (r == 0)
        res->queue_us = queue_us;
    else if (error.kind == PROMQL_TIMEOUT)
        name_time_limit(q, job, &error);
    job->done(job->ctx, r < 0 ? NULL : res, r < 0 ? &error : NULL);
}

/* The next job, NULL at the end: stopping and nothing waits. */
static struct query_job *take_job(struct query_worker *w)
{
    struct query_engine *q = w->engine;
    struct query_job *job = NULL;
    pthread_mutex_lock(&q->lock);
    for (;;) {
        job = (struct query_job *)fair_queue_pop(&q->queue);
        if (job || atomic_load(&q->stopping))
            break;
        pthread_cond_wait(&q->wake, &q->lock);
    }
    if (job) {
        if (atomic_load(&q->stopping))
            atomic_store(&job->cancelled, true);
        w->job = job;
    }
    pthread_mutex_unlock(&q->lock);
    return job;
}

static void worker_main(void *arg)
{
    struct query_worker *w = arg;
    struct query_job *job;
    while ((job = take_job(w))) {
        perform(w->engine, job);
        pthread_mutex_lock(&w->engine->lock);
        w->job = NULL;
        pthread_mutex_unlock(&w->engine->lock);
        free(job);
    }
}

MUST_USE static int enqueue(struct query_engine *q, struct query_job *job)
{
    pthread_mutex_lock(&q->lock);
    int r = atomic_load(&q->stopping) ? -ESHUTDOWN : fair_queue_push(&q->queue, job->request.origin, &job->entry);
    if (r == 0)
        pthread_cond_signal(&q->wake);
    pthread_mutex_unlock(&q->lock);
    if (r < 0) {
        atomic_fetch_add_explicit(&q->stats.refused, 1, memory_order_relaxed);
        free(job);
    }
    return r;
}

/* A job with copies of text and origin behind it. */
MUST_USE static int job_new(struct span text, struct span origin, void *ctx, struct query_job **ret)
{
    if (text.len > QUERY_TEXT_BYTES_MAX || origin.len > 4096)
        return -E2BIG;
    struct query_job *job = calloc(1, sizeof *job + text.len + origin.len + 1);
    if (!job)
        return -ENOMEM;
    char *room = (char *)(job + 1);
    if (text.len)
        memcpy(room, text.ptr, text.len);
    if (origin.len)
        memcpy(room + text.len, origin.ptr, origin.len);
    job->ctx = ctx;
    job->request.text = span_of(room, text.len);
    job->request.origin = span_of(room + text.len, origin.len);
    *ret = job;
    return 0;
}

int query_submit(struct query_engine *q, const struct query_request *request, query_done done, void *ctx)
{
    struct query_job *job;
    int r = job_new(request->text, request->origin, ctx, &job);
    if (r < 0)
        return r;
    struct span text = job->request.text, origin = job->request.origin;
    job->request = *request;
    job->request.text = text;
    job->request.origin = origin;
    job->done = done;
    job->queued_mono_us = mono_us();
    job->deadline_mono_us = deadline_of(q, request);
    return enqueue(q, job);
}

int query_submit_work(struct query_engine *q, struct span origin, void (*fn)(void *ctx, bool cancelled), void *ctx)
{
    struct query_job *job;
    int r = job_new(SPAN(""), origin, ctx, &job);
    if (r < 0)
        return r;
    job->work = fn;
    return enqueue(q, job);
}

/* ---- engine ---- */

static struct query_limits resolved(const struct query_limits *given)
{
    struct query_limits l = given ? *given : (struct query_limits){0};
    l.samples_max = l.samples_max ? l.samples_max : QUERY_SAMPLES_MAX;
    l.bytes_max = l.bytes_max ? l.bytes_max : QUERY_BYTES_MAX;
    l.timeout_ms = l.timeout_ms > 0 ? l.timeout_ms : QUERY_TIMEOUT_MS;
    l.lookback_ms = l.lookback_ms > 0 ? l.lookback_ms : LOOKBACK_MS;
    l.workers = l.workers ? l.workers : (unsigned)thread_cpu_count();
    l.workers = l.workers < WORKERS_MAX ? l.workers : WORKERS_MAX;
    return l;
}

int query_local_new(struct store *s, const struct query_limits *limits, struct query_engine **ret)
{
    struct query_engine *q = calloc(1, sizeof *q);
    if (!q)
        return -ENOMEM;
    q->store = s;
    q->limits = resolved(limits);
    fair_queue_init(&q->queue, QUERY_QUEUE_MAX);
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->wake, NULL);
    for (; q->n_workers < q->limits.workers; q->n_workers++) {
        struct query_worker *w = &q->workers[q->n_workers];
        char name[16];
        snprintf(name, sizeof name, "query-%u", q->n_workers);
        w->engine = q;
        int r = thread_start(name, worker_main, w, &w->thread);
        if (r < 0) {
            query_free(q);
            return r;
        }
    }
    *ret = q;
    return 0;
}

int query_remote_new(const char *url, const struct query_limits *limits, struct query_engine **ret)
{
    (void)url;
    (void)limits;
    (void)ret;
    return -EOPNOTSUPP;
}

void query_free(struct query_engine *q)
{
    if (!q)
        return;
    pthread_mutex_lock(&q->lock);
    atomic_store(&q->stopping, true);
    for (unsigned i = 0; i < q->n_workers; i++)
        if (q->workers[i].job)
            atomic_store(&q->workers[i].job->cancelled, true);
    pthread_cond_broadcast(&q->wake);
    pthread_mutex_unlock(&q->lock);
    for (unsigned i = 0; i < q->n_workers; i++)
        thread_join(q->workers[i].thread);
    fair_queue_done(&q->queue);
    pthread_cond_destroy(&q->wake);
    pthread_mutex_destroy(&q->lock);
    free(q);
}

int64_t query_lookback_ms(const struct query_engine *q)
{
    return q->limits.lookback_ms;
}

struct store *query_store(struct query_engine *q)
{
    return q->store;
}

/* ---- stats ---- */

static double read_counter(const atomic_ullong *c)
{
    return (double)atomic_load_explicit(c, memory_order_relaxed);
}

void query_stats(const struct query_engine *q, struct metric_writer *w)
{
    static const char *const OUTCOMES[ERROR_KINDS] = {"ok", "bad_data", "execution", "timeout", "canceled", "internal"};
    struct query_engine *locked = (struct query_engine *)(uintptr_t)q; /* only its lock is used */
    pthread_mutex_lock(&locked->lock);
    size_t waiting = q->queue.n, running = 0;
    for (unsigned i = 0; i < q->n_workers; i++)
        running += q->workers[i].job != NULL;
    pthread_mutex_unlock(&locked->lock);
    metric_family(w, "crest_queries_total", METRIC_COUNTER, "Queries ended, by outcome.");
    for (size_t i = 0; i < ERROR_KINDS; i++)
        metric_value(w, read_counter(&q->stats.ended[i]), "outcome", OUTCOMES[i], NULL);
    metric_family(w, "crest_queries_refused_total", METRIC_COUNTER, "Queries refused because the queue was full.");
    metric_value(w, read_counter(&q->stats.refused), NULL);
    metric_family(w, "crest_query_samples_read_total", METRIC_COUNTER, "Samples read by answered queries.");
    metric_value(w, read_counter(&q->stats.samples_read), NULL);
    metric_family(w, "crest_queries_waiting", METRIC_GAUGE, "Queries waiting for a worker.");
    metric_value(w, (double)waiting, NULL);
    metric_family(w, "crest_queries_running", METRIC_GAUGE, "Queries that workers run now.");
    metric_value(w, (double)running, NULL);
    metric_family(w, "crest_query_duration_seconds", METRIC_HISTOGRAM,
                  "Time of a query without its wait in the queue.");
    uint64_t counts[DURATION_BUCKETS];
    for (size_t i = 0; i < DURATION_BUCKETS; i++)
        counts[i] = atomic_load_explicit(&q->stats.durations[i], memory_order_relaxed);
    metric_histogram(w, DURATION_BOUNDS, counts, ARRAY_LEN(DURATION_BOUNDS), read_counter(&q->stats.duration_us) / 1e6,
                     NULL, 0);
}
