/* From bytes to a state: the event stream, the model, its past. */
#include <errno.h>
#include <math.h>

#include "tests/support/check.h"
#include "tui/history.h"
#include "tui/sse.h"
#include "tui/timeline.h"

struct seen {
    struct buf text;
};

static void note_event(void *ctx, const struct sse_event *e)
{
    struct seen *s = ctx;
    buf_printf(&s->text, "[%s|%s|" SPAN_FMT "]", e->name, e->id, SPAN_ARG(e->data));
}

/* The same whatever pieces the stream comes in. */
static void check_events(const char *stream, const char *expected)
{
    for (size_t piece = 1; piece <= strlen(stream); piece++) {
        struct sse s;
        struct seen seen;
        sse_init(&s);
        buf_init(&seen.text, 10000);
        for (size_t at = 0; at < strlen(stream); at += piece) {
            size_t n = strlen(stream) - at < piece ? strlen(stream) - at : piece;
            assert_true(sse_feed(&s, span_of(stream + at, n), note_event, &seen));
        }
        assert_string_equal(seen.text.data ? seen.text.data : "", expected);
        buf_done(&seen.text);
        sse_done(&s);
    }
}

static void events_are_cut_wherever_the_pieces_end(void **state)
{
    (void)state;
    check_events("retry: 2000\n\nid: a-1\nevent: snapshot\ndata: {}\n\n: hb\n\nevent: hb\ndata: {\"t\":1}\n\n",
                 "[snapshot|a-1|{}][hb|a-1|{\"t\":1}]");
    check_events("data: one\r\ndata: two\r\n\r\ndata:x\r\rid\ndata: y\n\n",
                 "[message||one\ntwo][message||x][message||y]");
    check_events("id: 7\nevent: delta\ndata: {\"half\"", ""); /* cut in the middle: nothing */
}

static void columns_stand_still_until_the_graph_moves_by_one(void **state)
{
    (void)state;
    struct history h;
    double before[10], now[10];
    history_init(&h);
    for (int64_t s = 1000; s < 1400; s++)
        history_note(&h, "x", s * 1000, (double)(s * s % 101));
    for (int64_t s = 1200; s < 1300; s++) { /* 40 s in 10 columns: 4 s each, from multiples of 4 s */
        assert_int_equal(history_window(&h, "x", s * 1000 + 500, 40, 10, now), 10);
        assert_int_equal(history_end_ms(s * 1000 + 500, 40, 10), (s / 4 + 1) * 4000);
        for (size_t c = 0; s > 1200 && c < 9; c++)
            check_double_bits(now[c], s % 4 == 0 ? before[c + 1] : before[c]);
        int64_t from = s / 4 * 4;
        double sum = 0;
        for (int64_t k = from; k <= s; k++)
            sum += (double)(k * k % 101);
        check_double_ulps(now[9], sum / (double)(s - from + 1), 4); /* of what there is */
        memcpy(before, now, sizeof before);
    }
    double one;
    assert_int_equal(history_window(&h, "x", 1234900, 1, 1, &one), 1); /* one second is that second */
    check_double_bits(one, 1234 * 1234 % 101);
    double fine[80]; /* narrower than a second */
    assert_int_equal(history_window(&h, "x", 1234000, 40, 80, fine), 80);
    check_double_bits(fine[79], 1234 * 1234 % 101);
    check_double_bits(fine[78], 1233 * 1233 % 101);
    history_done(&h);
}

static void an_id_counts_with_its_event_only(void **state)
{
    (void)state;
    struct sse s;
    struct seen seen;
    sse_init(&s);
    buf_init(&seen.text, 10000);
    assert_true(sse_feed(&s, SPAN("id: a-1\nevent: delta\ndata: {}\n\nid: a-2\nevent: delta\ndata: {\"cut"), note_event,
                         &seen));
    assert_string_equal(s.id, "a-1"); /* from a-2 on, the frame that was cut would be missing for ever */
    sse_reset(&s);
    assert_true(sse_feed(&s, SPAN("event: hb\ndata: {}\n\n"), note_event, &seen));
    assert_string_equal(s.id, "a-1");
    buf_done(&seen.text);
    sse_done(&s);
}

static void an_endless_line_ends_the_stream(void **state)
{
    (void)state;
    struct sse s;
    struct seen seen = {0};
    char block[65536];
    memset(block, 'x', sizeof block);
    sse_init(&s);
    bool ok = true;
    size_t fed = 0;
    for (; ok && fed < 2 * SSE_EVENT_BYTES_MAX; fed += sizeof block)
        ok = sse_feed(&s, span_of(block, sizeof block), note_event, &seen);
    assert_false(ok);
    assert_true(fed <= SSE_EVENT_BYTES_MAX + sizeof block);
    sse_done(&s);
}

static void apply(struct model *m, const char *event, const char *data)
{
    struct parse_error e;
    if (model_apply(m, event, span_str(data), &e) < 0)
        check_failed("%s: %s", data, e.text);
}

static void deltas_replace_rows_whole_and_snapshots_everything(void **state)
{
    (void)state;
    struct model m;
    check_ok(model_init(&m));
    apply(&m, "snapshot",
          "{\"t\":1000,\"sections\":{\"services\":{\"a\":{\"x\":1,\"y\":2},\"b\":{}}},\"more\":{\"services\":9800}}");
    assert_int_equal(model_more(&m, "services"), 9800);
    apply(&m, "delta",
          "{\"t\":2000,\"sections\":{\"services\":{\"a\":{\"x\":3}}},\"removed\":{\"services\":[\"b\",\"never\"],"
          "\"none\":[\"x\"]}}");
    check_double_bits(row_number(model_row(&m, "services", "a"), "x"), 3);
    assert_true(isnan(row_number(model_row(&m, "services", "a"), "y"))); /* absent is unknown, not 2 and not 0 */
    assert_null(model_row(&m, "services", "b"));
    assert_int_equal(model_more(&m, "services"), 0);
    apply(&m, "hb", "{\"t\":3000}");
    assert_int_equal(m.t_ms, 3000);
    apply(&m, "from-the-future", "not even JSON");
    assert_int_equal(m.frames, 3);
    apply(&m, "snapshot", "{\"t\":4000,\"sections\":{}}");
    assert_null(model_row(&m, "services", "a"));
    model_done(&m);
}

static void a_wrong_frame_changes_nothing(void **state)
{
    (void)state;
    static const char *const WRONG[] = {"",
                                        "{",
                                        "[]",
                                        "{\"sections\":{}}",
                                        "{\"t\":\"1\",\"sections\":{}}",
                                        "{\"t\":1,\"sections\":[]}",
                                        "{\"t\":1,\"sections\":{\"services\":7}}",
                                        "{\"t\":1,\"sections\":{},\"removed\":{\"services\":[1]}}"};
    struct model m;
    check_ok(model_init(&m));
    apply(&m, "snapshot", "{\"t\":1000,\"sections\":{\"services\":{\"a\":{\"x\":1}}}}");
    for (size_t i = 0; i < ARRAY_LEN(WRONG); i++) {
        struct parse_error e = {0};
        check_errno(model_apply(&m, "snapshot", span_str(WRONG[i]), &e), -EINVAL);
        assert_true(e.text[0] != '\0');
    }
    assert_int_equal(m.t_ms, 1000);
    assert_non_null(model_row(&m, "services", "a"));
    apply(&m, "delta",
          "{\"t\":1,\"sections\":{\"services\":{\"a\":7,\"b\":null,\"c\":[1]}}}"); /* odd rows are unknown */
    assert_true(isnan(row_number(model_row(&m, "services", "a"), "x")));
    assert_string_equal(row_text(model_row(&m, "services", "c"), "name"), "");
    model_done(&m);
}

static void infinity_is_read_and_what_is_no_number_is_unknown(void **state)
{
    (void)state;
    struct model m;
    check_ok(model_init(&m));
    apply(&m, "snapshot",
          "{\"t\":1,\"sections\":{\"s\":{\"a\":{\"i\":\"+Inf\",\"m\":\"-Inf\",\"w\":\"wide\",\"n\":null}}}}");
    const json_t *row = model_row(&m, "s", "a");
    check_double_bits(row_number(row, "i"), INFINITY);
    check_double_bits(row_number(row, "m"), -INFINITY);
    assert_true(isnan(row_number(row, "w")) && isnan(row_number(row, "n")));
    model_done(&m);
}

static void any_moment_that_was_seen_can_be_shown_again(void **state)
{
    (void)state;
    struct timeline *tl;
    check_ok(timeline_new(&tl));
    for (int i = 0; i < 100; i++) {
        char data[200];
        snprintf(data, sizeof data, "{\"t\":%d,\"sections\":{\"s\":{\"a\":{\"x\":%d}}}%s}", 1000 * (i + 1), i,
                 i == 50 ? ",\"removed\":{\"s\":[\"old\"]}" : "");
        timeline_add(tl, i == 0 ? "snapshot" : "delta", 1000 * (i + 1), span_str(data));
    }
    for (int i = 0; i < 100; i += 7) {
        struct model m;
        check_ok(timeline_at(tl, 1000 * (i + 1) + 500, &m));
        check_double_bits(row_number(model_row(&m, "s", "a"), "x"), i);
        model_done(&m);
    }
    struct model m;
    check_errno(timeline_at(tl, 999, &m), -ENOENT);
    timeline_free(tl);
    timeline_free(NULL);
}

static void what_is_dropped_from_the_past_still_counts_for_what_is_kept(void **state)
{
    (void)state;
    struct timeline *tl;
    check_ok(timeline_new(&tl));
    static char data[300000];
    timeline_add(tl, "snapshot", 1000, SPAN("{\"t\":1000,\"sections\":{\"s\":{\"kept\":{\"x\":42}}}}"));
    for (int i = 1; i < 100; i++) {
        int n =
            snprintf(data, sizeof data, "{\"t\":%d,\"sections\":{\"s\":{\"a\":{\"x\":%d,\"pad\":\"", 1000 * (i + 1), i);
        memset(data + n, 'p', 250000);
        snprintf(data + n + 250000, 100, "\"}}}}");
        timeline_add(tl, "delta", 1000 * (i + 1), span_str(data));
    }
    struct model m;
    assert_true(timeline_start_ms(tl) > 1000); /* 16 MB do not hold them all */
    check_errno(timeline_at(tl, 2000, &m), -ENOENT);
    check_ok(timeline_at(tl, 100000, &m));
    check_double_bits(row_number(model_row(&m, "s", "kept"), "x"), 42);
    check_double_bits(row_number(model_row(&m, "s", "a"), "x"), 99);
    model_done(&m);
    timeline_free(tl);
}

static void history_keeps_seconds_apart_and_gaps_open(void **state)
{
    (void)state;
    struct history h;
    double out[10];
    history_init(&h);
    for (int s = 1; s <= 10; s++)
        if (s != 4 && s != 5 && s != 6)
            history_note(&h, "k", s * 1000 + 300, s);
    assert_int_equal(history_window(&h, "k", 10900, 10, 10, out), 8); /* 4 is taken over from 3, 5 and 6 are a gap */
    check_double_bits(out[0], 1);
    check_double_bits(out[9], 10);
    check_double_bits(out[3], 3);
    assert_true(isnan(out[4]) && isnan(out[5]));
    history_note(&h, "k", 5000, 5); /* a late one */
    history_window(&h, "k", 10900, 10, 10, out);
    check_double_bits(out[4], 5);
    history_note(&h, "k", 4000000, 7); /* a long way ahead: all old ones are gone */
    assert_int_equal(history_window(&h, "k", 10900, 10, 10, out), 0);
    history_note(&h, "k", 4000000, NAN);
    assert_int_equal(history_window(&h, "unknown", 10900, 10, 10, out), 0);
    history_done(&h);
}

static void history_sums_by_beginning_and_end(void **state)
{
    (void)state;
    struct history h;
    double out[1];
    history_init(&h);
    history_note(&h, "revenue|shop/de/web/EUR", 5000, 10);
    history_note(&h, "revenue|shop/fr/web/EUR", 5000, 5);
    history_note(&h, "revenue|shop/us/web/USD", 5000, 100);
    history_note(&h, "orders|shop/de/web/EUR", 5000, 1000);
    history_window_sum(&h, "revenue|", "/EUR", 5000, 1, 1, out);
    check_double_bits(out[0], 15);
    history_done(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_are_cut_wherever_the_pieces_end),
        cmocka_unit_test(columns_stand_still_until_the_graph_moves_by_one),
        cmocka_unit_test(an_id_counts_with_its_event_only),
        cmocka_unit_test(an_endless_line_ends_the_stream),
        cmocka_unit_test(deltas_replace_rows_whole_and_snapshots_everything),
        cmocka_unit_test(a_wrong_frame_changes_nothing),
        cmocka_unit_test(infinity_is_read_and_what_is_no_number_is_unknown),
        cmocka_unit_test(any_moment_that_was_seen_can_be_shown_again),
        cmocka_unit_test(what_is_dropped_from_the_past_still_counts_for_what_is_kept),
        cmocka_unit_test(history_keeps_seconds_apart_and_gaps_open),
        cmocka_unit_test(history_sums_by_beginning_and_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
