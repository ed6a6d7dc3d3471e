#include "tests/support/write_receiver.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/wire/remote_write.h"

#define SAMPLES_MAX 40000u

struct kept {
    char name[64];
    struct received_sample sample;
};
struct write_receiver {
    struct stub_server *server;
    pthread_mutex_t lock;
    struct stub_page answer;
    char url[96], head[4096];
    size_t requests, metadata, n;
    struct kept list[SAMPLES_MAX];
};

static void keep(struct write_receiver *w, const struct write_request *request)
{
    w->metadata += request->n_metadata;
    for (size_t i = 0; i < request->n_series; i++) {
        const struct write_series *s = &request->series[i];
        struct buf text;
        buf_init(&text, 65536);
        labels_format(&text, &s->labels);
        for (size_t k = 0; k < s->n_samples && w->n < SAMPLES_MAX; k++) {
            struct kept *kept = &w->list[w->n++];
            snprintf(kept->name, sizeof kept->name, SPAN_FMT, SPAN_ARG(labels_get(&s->labels, SPAN("__name__"))));
            kept->sample = (struct received_sample){s->samples[k].value, s->samples[k].t_ms, w->requests, {0}};
            snprintf(kept->sample.labels, sizeof kept->sample.labels, "%s", text.data);
        }
        buf_done(&text);
    }
}

static void on_request(void *ctx, const struct stub_request *r, struct stub_page *page)
{
    struct write_receiver *w = ctx;
    struct write_request *request = NULL;
    struct remote_write_report report = {0};
    pthread_mutex_lock(&w->lock);
    *page = w->answer;
    snprintf(w->head, sizeof w->head, SPAN_FMT, SPAN_ARG(r->head));
    if (page->status == 204) {
        if (remote_write_decode(REMOTE_WRITE_1, r->body, &request, &report) < 0 || report.rejected_series)
            page->status = 400;
        else
            keep(w, request);
        write_request_free(request);
    }
    w->requests++;
    pthread_mutex_unlock(&w->lock);
}

int write_receiver_start(struct write_receiver **ret)
{
    struct write_receiver *w = calloc(1, sizeof *w);
    if (!w)
        return -ENOMEM;
    pthread_mutex_init(&w->lock, NULL);
    w->answer.status = 204;
    int r = stub_server_start(0, on_request, w, &w->server);
    if (r < 0) {
        write_receiver_stop(w);
        return r;
    }
    snprintf(w->url, sizeof w->url, "%s/api/v1/write", stub_server_url(w->server));
    *ret = w;
    return 0;
}

void write_receiver_stop(struct write_receiver *w)
{
    if (!w)
        return;
    stub_server_stop(w->server);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

const char *write_receiver_url(const struct write_receiver *w)
{
    return w->url;
}

void write_receiver_answer(struct write_receiver *w, const struct stub_page *page)
{
    pthread_mutex_lock(&w->lock);
    w->answer = *page;
    pthread_mutex_unlock(&w->lock);
}

size_t write_receiver_requests(struct write_receiver *w)
{
    pthread_mutex_lock(&w->lock);
    size_t n = w->requests;
    pthread_mutex_unlock(&w->lock);
    return n;
}

size_t write_receiver_samples(struct write_receiver *w, const char *name, struct received_sample *ret, size_t max)
{
    size_t n = 0;
    pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < w->n && n < max; i++)
        if (strcmp(w->list[i].name, name) == 0)
            ret[n++] = w->list[i].sample;
    pthread_mutex_unlock(&w->lock);
    return n;
}

size_t write_receiver_metadata(struct write_receiver *w)
{
    pthread_mutex_lock(&w->lock);
    size_t n = w->metadata;
    pthread_mutex_unlock(&w->lock);
    return n;
}

void write_receiver_last_head(struct write_receiver *w, char *text, size_t bytes)
{
    pthread_mutex_lock(&w->lock);
    snprintf(text, bytes, "%s", w->head);
    pthread_mutex_unlock(&w->lock);
}
