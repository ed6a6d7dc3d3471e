/* The stream as a client sees it: what it is sent, when, and what it gets when it was away, slow, or one too many. */
#include "collector/live/live.h"

#include <errno.h>
#include <stdatomic.h>

#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/base/thread.h"
#include "tests/support/check.h"

#define SECOND 1000000ll
#define ROWS 4096

/* ---- a section whose rows the test sets ---- */
struct fake {
    struct {
        bool there;
        int value;
        double rank;
    } rows[ROWS];
    size_t pad; /* bytes that make a row large */
    int error, renders;
};

static int render_fake(void *ctx, struct frame_rows *rows)
{
    struct fake *f = ctx;
    char key[16], text[4096];
    f->renders++;
    for (size_t i = 0; i < ROWS && f->error == 0; i++) {
        if (!f->rows[i].there)
            continue;
        int n = snprintf(key, sizeof key, "k%zu", i);
        struct json_writer *j = frame_row(rows, span_of(key, (size_t)n), f->rows[i].rank);
        jw_object(j);
        jw_key(j, "v");
        jw_i64(j, f->rows[i].value);
        if (f->pad) {
            memset(text, 'x', f->pad);
            jw_key(j, "pad");
            jw_text(j, span_of(text, f->pad));
        }
        jw_end(j);
    }
    return f->error;
}

struct bed {
    struct live *live;
    struct fake a, alerts;
    int64_t us, ms;
};

static struct bed *bed_new(unsigned clients, unsigned per_address, size_t rows_max)
{
    struct bed *b = calloc(1, sizeof *b);
    assert_non_null(b);
    b->us = 1000 * SECOND;
    b->ms = 1700000000000;
    struct live_config config = {clients, per_address};
    assert_int_equal(live_new(&config, &b->live), 0);
    struct frame_source a = {.name = "a", .ctx = &b->a, .render = render_fake, .rows_max = rows_max};
    struct frame_source alerts = {.name = "alerts", .ctx = &b->alerts, .render = render_fake, .at_once = true};
    assert_int_equal(live_add_source(b->live, &a), 0);
    assert_int_equal(live_add_source(b->live, &alerts), 0);
    return b;
}

static void bed_free(struct bed *b)
{
    live_free(b->live);
    free(b);
}

static void put(struct fake *f, size_t at, int value)
{
    f->rows[at].there = true;
    f->rows[at].value = value;
}

static int64_t turn(struct bed *b, int64_t us)
{
    b->us += us;
    b->ms += us / 1000;
    return live_step(b->live, b->us, b->ms);
}

static void round_over(struct bed *b)
{
    live_tick(b->live);
    (void)turn(b, SECOND);
}

static struct live_client *join(struct bed *b, const char *last)
{
    struct live_client *c = NULL;
    assert_int_equal(live_join(b->live, "192.0.2.1", span_str(last), &c), 0);
    return c;
}

/* All there is to read, in pieces of 7 bytes or of a whole buffer; from malloc. */
static char *drain(struct live_client *c, size_t piece)
{
    struct buf out;
    buf_init(&out, 64u << 20);
    char at[16384];
    ssize_t n;
    while ((n = live_read(c, at, piece < sizeof at ? piece : sizeof at)) > 0)
        buf_bytes(&out, at, (size_t)n);
    assert_int_equal(n, 0);
    return buf_take(&out, NULL);
}

/* Asking makes the live side encode a snapshot in its next turn, unless there is one already. */
static char *first_frames(struct bed *b, struct live_client *c)
{
    struct buf out;
    buf_init(&out, 1u << 20);
    for (int i = 0; i < 2; i++) {
        char *text = drain(c, i ? 4096 : 7);
        buf_str(&out, text);
        free(text);
        (void)turn(b, 0);
    }
    char *all = buf_take(&out, NULL);
    assert_non_null(all);
    assert_int_equal(strncmp(all, "retry: 2000\n\n", 13), 0);
    return all;
}

static char *last_id_of(const char *text, char id[64])
{
    const char *at = NULL;
    for (const char *p = strstr(text, "id: "); p; p = strstr(p + 1, "\nid: "))
        at = p[0] == '\n' ? p + 5 : p + 4;
    assert_non_null(at);
    snprintf(id, 64, "%.*s", (int)strcspn(at, "\n"), at);
    return id;
}

static void expect_events(const char *text, const char *expected)
{
    char got[1024] = "";
    for (const char *p = strstr(text, "event: "); p; p = strstr(p + 1, "event: "))
        snprintf(got + strlen(got), sizeof got - strlen(got), "%s%.*s", got[0] ? " " : "", (int)strcspn(p + 7, "\n"),
                 p + 7);
    assert_string_equal(got, expected);
}

/* ---- tests ---- */
static void a_new_client_gets_every_row_as_a_snapshot(void **state)
{
    (void)state;
    struct bed *b = bed_new(0, 0, 0);
    put(&b->a, 1, 11);
    put(&b->a, 2, 22);
    struct live_client *c = join(b, "");
    char *text = first_frames(b, c);
    expect_events(text, "snapshot");
    check_contains(text, "-1\nevent: snapshot\ndata: "
                         "{\"t\":1700000000000,\"sections\":{\"a\":{\"k1\":{\"v\":11},\"k2\":{\"v\":22}}}}\n\n");
    free(text);
    live_leave(c);
    bed_free(b);
}

static void a_delta_has_what_changed_and_names_what_is_gone(void **state)
{
    (void)state;
    struct bed *b = bed_new(0, 0, 0);
    put(&b->a, 1, 11);
    put(&b->a, 2, 22);
    put(&b->a, 3, 33);
    struct live_client *c = join(b, "");
    free(first_frames(b, c));
    put(&b->a, 1, 12);
    put(&b->a, 4, 44);
    b->a.rows[2].there = false;
    round_over(b);
    char *text = drain(c, 5);
    check_contains(text, "-2\nevent: delta\ndata: "
                         "{\"t\":1700000001000,\"sections\":{\"a\":{\"k1\":{\"v\":12},\"k4\":{\"v\":44}}},\"removed\":{"
                         "\"a\":[\"k2\"]}}\n\n");
    free(text);
    round_over(b);
    text = drain(c, 4096);
    check_contains(text,
                   "\"sections\":{}}\n\n"); /* nothing changed: it leaves all the same, so that silence means trouble */
    free(text);
    live_leave(c);
    bed_free(b);
}

static void a_delta_leaves_after_a_round_and_without_one_a_second_later(void **state)
{
    (void)state;
    struct bed *b = bed_new(0, 0, 0);
    struct live_client *c = join(b, "");
    free(first_frames(b, c));
    live_tick(b->live);
    (void)turn(b, SECOND); /* a round: at once */
    assert_int_equal(b->a.renders, 2);
    live_tick(b->live);
    (void)turn(b, SECOND / 5); /* a second round right after it shares the next delta */
    assert_int_equal(b->a.renders, 2);
    assert_int_equal(turn(b, SECOND / 5), 9 * SECOND / 10); /* 1.3 s after the round without another */
    (void)turn(b, 9 * SECOND / 10);
    assert_int_equal(b->a.renders, 3);
    assert_int_equal(turn(b, 1), SECOND - 1); /* no rules at all: every second */
    live_tick(b->live);
    (void)turn(b, SECOND / 10); /* they are back: at once */
    assert_int_equal(b->a.renders, 4);
    live_leave(c);
    bed_free(b);
}

static void nobody_watching_costs_nothing(void **state)
{
    (void)state;
    struct bed *b = bed_new(0, 0, 0);
    round_over(b);
    round_over(b);
    assert_int_equal(b->a.renders, 0);
    struct live_client *c = join(b, "");
    free(first_frames(b, c));
    live_leave(c);
    int before = b->a.renders;
    for (int i = 0; i < 9; i++)
        round_over(b);
    assert_int_equal(b->a.renders, before + 9); /* who reconnects finds its deltas */
    for (int i = 0; i < 9; i++)
        round_over(b);
    assert_int_equal(b->a.renders, before + 9);
    put(&b->a, 1, 5);
    c = join(b, "");
    char *text = first_frames(b, c);
    check_contains(text, "\"k1\":{\"v\":5}"); /* not the rows of back then */
    free(text);
    live_leave(c);
    bed_free(b);
}

static void who_comes_back_gets_the_deltas_it_missed(void **state)
{
    (void)state;
    struct bed *b = bed_new(0, 0, 0);
    struct live_client *c = join(b, "");
    char *text = first_frames(b, c), id[64];
    last_id_of(text, id);
    free(text);
    live_leave(c);
    for (int i = 1; i <= 8; i++) {
        put(&b->a, 1, i);
        round_over(b);
    }
    c = join(b, id);
    text = drain(c, 100);
    expect_events(text, "delta delta delta delta delta delta delta delta");
    check_contains(text, "{\"v\":1}");
    free(text);
    live_leave(c);

    round_over(b);
    c = join(b, id); /* nine behind */
    expect_events(text = first_frames(b, c), "snapshot");
    free(text);
    live_leave(c);
    bed_free(b);
}

static void an_id_that_means_nothing_gets_a_snapshot(void **state)
{
    (void)state;
    static const char *const IDS[] = {"", "x", "0-1", "-1", "deadbeef-1", "\xff\xfe", "%s-%s"};
    struct bed *b = bed_new(0, 0, 0);
    for (size_t i = 0; i < ARRAY_LEN(IDS); i++) {
        struct live_client *c = join(b, IDS[i]);
        char *text = first_frames(b, c), id[64], ahead[80];
        expect_events(text, "snapshot");
        last_id_of(text, id);
        free(text);
        live_leave(c);
        snprintf(ahead, sizeof ahead, "%s99", id); /* of our epoch, but not sent yet */
        c = join(b, ahead);
        expect_events(text = first_frames(b, c), "snapshot");
        free(text);
        live_leave(c);
    }
    bed_free(b);
}

static void a_slow_client_ends_its_frame_and_gets_a_snapshot(void **state)
{
    (void)state;
    struct bed *b = bed_new(0, 0, 0);
    struct live_client *c = join(b, "");
    free(first_frames(b, c));
    put(&b->a, 1, 100);
    round_over(b);
    char head[10];
    assert_int_equal(live_read(c, head, sizeof head), sizeof head); /* it stops in the middle of a frame */
    for (int i = 1; i <= 20; i++) {
        put(&b->a, 1, 100 + i);
        round_over(b);
    }
    char *rest = drain(c, 33);
    check_contains(rest, "{\"v\":100}}}}\n\n"); /* the frame it had begun, to its end */
    expect_events(rest, "delta");
    free(rest);
    (void)turn(b, 0);
    char *text = drain(c, 33);
    expect_events(text, "snapshot");
    check_contains(text, "{\"v\":120}");
    free(text);
    round_over(b);
    expect_events(text = drain(c, 33), "delta");
    free(text);
    live_leave(c);
    bed_free(b);
}

static void rows_of_most_rank_are_in_frames_and_the_rest_is_counted(void **state)
{
    (void)state;
    struct bed *b = bed_new(0, 0, 200);
    for (size_t i = 0; i < 1000; i++) {
        put(&b->a, i, 1);
        b->a.rows[i].rank = 1;
    }
    b->a.rows[777].rank = 9;
    struct live_client *c = join(b, "");
    char *text = first_frames(b, c);
    check_contains(text, "\"k777\":{\"v\":1}");
    check_contains(text, "\"more\":{\"a\":800}");
    size_t n = 0;
    for (const char *p = text; (p = strstr(p, "\"v\":")); p++)
        n++;
    assert_int_equal(n, 200);
    free(text);
    b->a.rows[777].rank = 0; /* well again: it makes room for one that was not there */
    round_over(b);
    text = drain(c, 1000);
    check_contains(text, "\"removed\":{\"a\":[\"k777\"]}");
    n = 0;
    for (const char *p = text; (p = strstr(p, "\"v\":")); p++)
        n++;
    assert_int_equal(n, 1); /* of equal rank those that were there stay */
    free(text);
    live_leave(c);
    bed_free(b);
}

struct answer {
    int calls, error;
    size_t len;
    char *text;
};
static void keep_answer(void *ctx, struct span json, int error)
{
    struct answer *a = ctx;
    a->calls++;
    a->error = error;
    a->len = json.len;
    a->text = error ? NULL : span_dup(json);
}

static void a_frame_has_at_most_256_kilobytes_and_the_state_has_all(void **state)
{
    (void)state;
    struct bed *b = bed_new(0, 0, 0);
    b->a.pad = 1000;
    b->alerts.pad = 1000;
    for (size_t i = 0; i < 1000; i++)
        put(&b->a, i, 1);
    for (size_t i = 0; i < 20; i++)
        put(&b->alerts, i, 1);
    struct live_client *c = join(b, "");
    char *text = first_frames(b, c);
    assert_in_range(strlen(text), 240000, LIVE_FRAME_BYTES_MAX);
    check_contains(text, "\"alerts\":{\"k0\""); /* the small section is whole */
    check_contains(text, "\"k19\"");
    assert_null(strstr(text, "\"more\":{\"a\":1000"));
    free(text);
    for (size_t i = 0; i < 1000; i++) { /* others come and all that were there go: more than a frame, as a delta */
        b->a.rows[i].there = false;
        put(&b->a, 2000 + i, 2);
    }
    for (int k = 0; k < 3; k++) {
        round_over(b);
        text = drain(c, 16384);
        assert_in_range(strlen(text), 1, LIVE_FRAME_BYTES_MAX);
        free(text);
    }
    struct answer a = {0};
    live_state(b->live, keep_answer, &a);
    (void)turn(b, 0);
    assert_int_equal(a.calls, 1);
    assert_int_equal(a.error, 0);
    assert_true(a.len > 1000000);
    size_t n = 0;
    for (const char *p = a.text; (p = strstr(p, "\"v\":")); p++)
        n++;
    assert_int_equal(n, 1020);
    struct parse_error error;
    json_t *doc = json_read(span_of(a.text, a.len), &error);
    assert_non_null(doc);
    json_decref(doc);
    free(a.text);
    live_leave(c);
    bed_free(b);
}

static void clients_over_the_caps_are_refused_until_others_leave(void **state)
{
    (void)state;
    struct bed *b = bed_new(3, 2, 0);
    struct live_client *c[3], *more = NULL;
    assert_int_equal(live_join(b->live, "192.0.2.1", SPAN(""), &c[0]), 0);
    assert_int_equal(live_join(b->live, "192.0.2.1", SPAN(""), &c[1]), 0);
    assert_int_equal(live_join(b->live, "192.0.2.1", SPAN(""), &more), LIVE_REFUSED_ADDRESS);
    assert_int_equal(live_join(b->live, "192.0.2.2", SPAN(""), &c[2]), 0);
    assert_int_equal(live_join(b->live, "192.0.2.3", SPAN(""), &more), LIVE_REFUSED_FULL);
    assert_null(more);
    live_leave(c[0]);
    assert_int_equal(live_join(b->live, "192.0.2.1", SPAN(""), &c[0]), 0);
    for (size_t i = 0; i < 3; i++)
        live_leave(c[i]);
    bed_free(b);
}

static void an_alert_leaves_at_once_and_alone(void **state)
{
    (void)state;
    struct bed *b = bed_new(0, 0, 0);
    put(&b->a, 1, 1);
    struct live_client *c = join(b, "");
    free(first_frames(b, c));
    round_over(b);
    free(drain(c, 4096));
    put(&b->a, 1, 2);
    put(&b->alerts, 7, 1);
    live_alert(b->live);
    (void)turn(b, SECOND / 100);
    char *text = drain(c, 4096);
    expect_events(text, "alert");
    check_contains(text, "\"sections\":{\"alerts\":{\"k7\":{\"v\":1}}}}\n\n");
    free(text);
    live_alert(b->live); /* nothing changed for the console */
    (void)turn(b, SECOND / 100);
    expect_events(text = drain(c, 4096), "");
    free(text);
    b->alerts.rows[7].there = false;
    live_alert(b->live);
    (void)turn(b, SECOND / 100);
    check_contains(text = drain(c, 4096), "\"sections\":{},\"removed\":{\"alerts\":[\"k7\"]}}\n\n");
    free(text);
    live_leave(c);
    bed_free(b);
}

static void a_section_that_fails_stays_and_silence_is_a_heartbeat(void **state)
{
    (void)state;
    struct bed *b = bed_new(0, 0, 0);
    put(&b->a, 1, 1);
    put(&b->alerts, 2, 2);
    struct live_client *c = join(b, "");
    free(first_frames(b, c));
    b->a.error = -EIO;
    put(&b->alerts, 2, 3);
    round_over(b);
    char *text = drain(c, 4096);
    check_contains(text, "\"sections\":{\"alerts\":{\"k2\":{\"v\":3}}}}"); /* k1 is neither sent nor removed */
    free(text);
    b->alerts.error = -EIO;
    for (int i = 0; i < 7; i++) {
        round_over(b);
        expect_events(text = drain(c, 4096), "");
        free(text);
    }
    round_over(b);
    text = drain(c, 4096);
    expect_events(text, "hb");
    check_contains(text, "event: hb\ndata: {\"t\":1700000009000}\n\n");
    assert_null(strstr(text, "id:"));
    free(text);
    live_leave(c);
    bed_free(b);
}

/* ---- the model: whatever happens to a client, what it knows is what the collector has ---- */
struct model_client {
    struct live_client *client;
    json_t *known;
    char id[64];
    struct buf text;
};

static void apply(struct model_client *m, const char *event, json_t *data)
{
    if (strcmp(event, "hb") == 0)
        return;
    if (strcmp(event, "snapshot") == 0)
        json_object_clear(m->known);
    const char *section, *key;
    json_t *rows, *row;
    json_object_foreach(json_object_get(data, "sections"), section, rows)
    {
        if (!json_object_get(m->known, section))
            json_object_set_new(m->known, section, json_object());
        json_object_foreach(rows, key, row) json_object_set(json_object_get(m->known, section), key, row);
    }
    size_t i;
    json_object_foreach(json_object_get(data, "removed"), section, rows) json_array_foreach(rows, i, row)
        assert_int_equal(json_object_del(json_object_get(m->known, section), json_string_value(row)), 0);
}

static void read_some(struct model_client *m, size_t max)
{
    char at[2048];
    ssize_t n;
    while (max > 0 && (n = live_read(m->client, at, max < sizeof at ? max : sizeof at)) > 0) {
        buf_bytes(&m->text, at, (size_t)n);
        max -= (size_t)n;
    }
    const char *end;
    while (m->text.len && (end = strstr(m->text.data, "\n\n"))) {
        size_t len = (size_t)(end - m->text.data) + 2;
        char event[16] = "";
        const char *e = strstr(m->text.data, "event: "), *d = strstr(m->text.data, "data: "),
                   *id = strstr(m->text.data, "id: ");
        if (e && e < end) {
            snprintf(event, sizeof event, "%.*s", (int)strcspn(e + 7, "\n"), e + 7);
            struct parse_error error;
            json_t *doc = json_read(span_of(d + 6, (size_t)(end - d - 6)), &error);
            assert_non_null(doc);
            apply(m, event, doc);
            json_decref(doc);
            if (id && id < e)
                snprintf(m->id, sizeof m->id, "%.*s", (int)strcspn(id + 4, "\n"), id + 4);
        }
        buf_consume(&m->text, len);
    }
}

static void connect_again(struct bed *b, struct model_client *m)
{
    live_leave(m->client);
    buf_clear(&m->text);
    m->client = join(b, m->id);
}

static void expect_same(const struct model_client *m, const struct bed *b)
{
    const struct fake *fakes[] = {&b->a, &b->alerts};
    const char *const NAMES[] = {"a", "alerts"};
    for (size_t s = 0; s < 2; s++) {
        json_t *rows = json_object_get(m->known, NAMES[s]);
        size_t n = 0;
        for (size_t i = 0; i < 50; i++) {
            char key[16];
            snprintf(key, sizeof key, "k%zu", i);
            json_t *v = json_object_get(json_object_get(rows, key), "v");
            assert_int_equal(v != NULL, fakes[s]->rows[i].there);
            if (v)
                assert_int_equal(json_integer_value(v), fakes[s]->rows[i].value);
            n += v != NULL;
        }
        assert_int_equal(json_object_size(rows), n);
    }
}

static struct check_random random_source;
static unsigned random_below(unsigned n)
{
    return (unsigned)check_random_below(&random_source, n);
}

static void whatever_happens_a_client_knows_what_the_collector_has(void **state)
{
    (void)state;
    random_source = check_random_new("live model");
    struct bed *b = bed_new(0, 0, 0);
    struct model_client clients[4] = {0};
    for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
        clients[i].client = join(b, "");
        clients[i].known = json_object();
        buf_init(&clients[i].text, 4u << 20);
    }
    for (int step = 0; step < 3000 / (int)check_slowness(); step++) {
        struct fake *f = random_below(3) ? &b->a : &b->alerts;
        unsigned at = random_below(50);
        f->rows[at].there = random_below(3) > 0;
        f->rows[at].value = (int)random_below(5);
        struct model_client *m = &clients[random_below(4)];
        switch (random_below(5)) {
        case 0:
            live_alert(b->live);
            (void)turn(b, SECOND / 50);
            break;
        case 1:
            connect_again(b, m);
            break;
        case 2:
            read_some(m, random_below(300));
            break;
        default:
            round_over(b);
        }
        if (random_below(20))
            continue;
        round_over(b);
        for (size_t i = 0; i < ARRAY_LEN(clients); i++) { /* all catch up */
            read_some(&clients[i], SIZE_MAX);
            (void)turn(b, 0);
            read_some(&clients[i], SIZE_MAX);
            expect_same(&clients[i], b);
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
        live_leave(clients[i].client);
        json_decref(clients[i].known);
        buf_done(&clients[i].text);
    }
    bed_free(b);
}

/* ---- threads: for the sanitizer above all ---- */
struct crowd {
    struct live *live;
    atomic_bool stop;
    atomic_int snapshots, deltas, states;
};

static void count_state(void *ctx, struct span json, int error)
{
    struct crowd *w = ctx;
    if (error == 0 && json.len)
        atomic_fetch_add(&w->states, 1);
}

static void visit_main(void *arg)
{
    struct crowd *w = arg;
    char at[4096];
    while (!atomic_load(&w->stop)) {
        struct live_client *c;
        if (live_join(w->live, "192.0.2.9", SPAN(""), &c) != 0)
            continue;
        for (int i = 0; i < 40 && !atomic_load(&w->stop); i++) {
            ssize_t n = live_read(c, at, sizeof at - 1);
            at[n] = '\0';
            if (strstr(at, "event: snapshot"))
                atomic_fetch_add(&w->snapshots, 1);
            if (strstr(at, "event: delta"))
                atomic_fetch_add(&w->deltas, 1);
            live_state(w->live, count_state, w);
            usleep(5000);
        }
        live_leave(c);
    }
}

static void clients_come_and_go_while_frames_leave(void **state)
{
    (void)state;
    struct bed *b = bed_new(0, 0, 0);
    struct crowd w = {.live = b->live};
    for (size_t i = 0; i < 100; i++)
        put(&b->a, i, 1);
    struct thread *threads[4];
    assert_int_equal(live_start(b->live), 0);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(thread_start("visitor", visit_main, &w, &threads[i]), 0);
    for (int i = 0; i < 250; i++) {
        live_tick(b->live);
        live_alert(b->live);
        usleep(10000);
    }
    atomic_store(&w.stop, true);
    for (size_t i = 0; i < 4; i++)
        thread_join(threads[i]);
    live_stop(b->live);
    struct answer late = {0};
    live_state(b->live, keep_answer, &late);
    assert_int_equal(late.error, -ESHUTDOWN);
    assert_true(atomic_load(&w.snapshots) >= 4);
    assert_true(atomic_load(&w.deltas) >= 4);
    assert_true(atomic_load(&w.states) >= 4);
    bed_free(b);
}

int main(void)
{
    log_init("test_live", LOG_LEVEL_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_client_gets_every_row_as_a_snapshot),
        cmocka_unit_test(a_delta_has_what_changed_and_names_what_is_gone),
        cmocka_unit_test(a_delta_leaves_after_a_round_and_without_one_a_second_later),
        cmocka_unit_test(nobody_watching_costs_nothing),
        cmocka_unit_test(who_comes_back_gets_the_deltas_it_missed),
        cmocka_unit_test(an_id_that_means_nothing_gets_a_snapshot),
        cmocka_unit_test(a_slow_client_ends_its_frame_and_gets_a_snapshot),
        cmocka_unit_test(rows_of_most_rank_are_in_frames_and_the_rest_is_counted),
        cmocka_unit_test(a_frame_has_at_most_256_kilobytes_and_the_state_has_all),
        cmocka_unit_test(clients_over_the_caps_are_refused_until_others_leave),
        cmocka_unit_test(an_alert_leaves_at_once_and_alone),
        cmocka_unit_test(a_section_that_fails_stays_and_silence_is_a_heartbeat),
        cmocka_unit_test(whatever_happens_a_client_knows_what_the_collector_has),
        cmocka_unit_test(clients_come_and_go_while_frames_leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
