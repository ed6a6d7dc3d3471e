/* Visitors: found by their cookie while they are there, forgotten when idle, and never more than the shop can hold. */
#include "shop/sessions.h"

#include <errno.h>

#include "tests/support/check.h"

static void a_visitor_is_found_by_the_cookie(void **state UNUSED)
{
    struct sessions *s = NULL;
    struct session a, b, found;
    check_ok(sessions_new(&s));
    check_ok(sessions_create(s, MARKET_JP, CHANNEL_APP, 1000, &a));
    check_ok(sessions_create(s, MARKET_DE, CHANNEL_WEB, 1000, &b));
    assert_int_equal(strlen(a.id), 32);
    assert_int_equal(strlen(a.csrf), 32);
    assert_string_not_equal(a.id, b.id);
    assert_string_not_equal(a.csrf, a.id);
    check_ok(sessions_find(s, span_str(a.id), 2000, &found));
    assert_int_equal(found.market, MARKET_JP);
    assert_int_equal(found.channel, CHANNEL_APP);
    assert_string_equal(found.csrf, a.csrf);
    check_errno(sessions_find(s, SPAN(""), 2000, &found), -ENOENT);
    check_errno(sessions_find(s, SPAN("0123456789abcdef0123456789abcdef"), 2000, &found), -ENOENT);
    check_errno(sessions_find(s, span_of(a.id, 31), 2000, &found), -ENOENT);
    sessions_free(s);
}

static void what_is_put_back_is_there_the_next_time(void **state UNUSED)
{
    struct sessions *s = NULL;
    struct session a, found;
    check_ok(sessions_new(&s));
    check_ok(sessions_create(s, MARKET_DE, CHANNEL_WEB, 1000, &a));
    a.has_address = true;
    a.checkout_started_us = 77;
    sessions_put(s, &a);
    check_ok(sessions_find(s, span_str(a.id), 1000, &found));
    assert_true(found.has_address && !found.has_shipping);
    assert_int_equal(found.checkout_started_us, 77);
    sessions_free(s);
}

static void an_idle_visitor_is_forgotten_a_busy_one_is_not(void **state UNUSED)
{
    struct sessions *s = NULL;
    struct session a, found;
    int64_t now = 1000;
    check_ok(sessions_new(&s));
    check_ok(sessions_create(s, MARKET_DE, CHANNEL_WEB, now, &a));
    for (int i = 0; i < 3; i++) {
        now += SESSION_IDLE_MS;
        check_ok(sessions_find(s, span_str(a.id), now, &found));
    }
    check_errno(sessions_find(s, span_str(a.id), now + SESSION_IDLE_MS + 1, &found), -ENOENT);
    sessions_free(s);
}

static void a_full_shop_refuses_until_somebody_has_gone(void **state UNUSED)
{
    struct sessions *s = NULL;
    struct session a, first, found;
    check_ok(sessions_new(&s));
    check_ok(sessions_create(s, MARKET_DE, CHANNEL_WEB, 0, &first));
    for (unsigned i = 1; i < SHOP_SESSIONS_MAX; i++)
        if (sessions_create(s, MARKET_DE, CHANNEL_WEB, 5000, &a) < 0)
            check_failed("visitor %u", i);
    check_errno(sessions_create(s, MARKET_DE, CHANNEL_WEB, 5000, &a), -ENOSPC);
    check_ok(sessions_find(s, span_str(first.id), 5000, &found)); /* those inside are served */
    check_errno(sessions_create(s, MARKET_DE, CHANNEL_WEB, SESSION_IDLE_MS + 4000, &a), -ENOSPC);
    check_ok(sessions_create(s, MARKET_DE, CHANNEL_WEB, SESSION_IDLE_MS + 5001, &a)); /* all have left */
    sessions_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_visitor_is_found_by_the_cookie),
        cmocka_unit_test(what_is_put_back_is_there_the_next_time),
        cmocka_unit_test(an_idle_visitor_is_forgotten_a_busy_one_is_not),
        cmocka_unit_test(a_full_shop_refuses_until_somebody_has_gone),
    };
    return cmocka_run_group_tests_name("sessions", tests, NULL, NULL);
}
