/* The demo itself: a whole sale on a terminal, whose figures agree; an interrupt of its lines, and a viewer who leaves. None leaves a process or a
 * file behind, but the report. */
#include "tests/support/e2e.h"
#include "tests/support/tmux.h"

#include <dirent.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/number.h"
#include "lib/base/process.h"
#include "lib/wire/json.h"

#define SECONDS 80
#define SALE_MS 150000 /* the sale, and what a busy machine adds */
#define STOP_MS 12000
#define PROGRAMS 6u /* gateway, shop, collector, agent, load generator, the demo */

/* The demo's programs inherit this variable, so each of them is found, whoever its parent is by then. */
static char mark[64], temporary[1100], report[1100];

static bool carries_mark(const char *pid)
{
    char path[320];
    AUTO_FREE char *text = NULL;
    size_t n = 0;
    snprintf(path, sizeof path, "/proc/%s/environ", pid);
    return file_read(path, 1u << 20, &text, &n) == 0 && memmem(text, n, mark, strlen(mark) + 1) != NULL;
}

static unsigned marked_processes(void)
{
    unsigned count = 0;
    uint64_t pid;
    DIR *d = opendir("/proc");
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        if (parse_u64(e->d_name, UINT64_MAX, &pid) == 0 && carries_mark(e->d_name))
            count++;
    closedir(d);
    return count;
}

static bool is_empty_folder(const char *path)
{
    unsigned entries = 0;
    DIR *d = opendir(path);
    assert_non_null(d);
    while (readdir(d))
        entries++;
    closedir(d);
    return entries == 2; /* . and .. */
}

/* A folder and a mark of its own for the next demo. */
static void prepare(void)
{
    snprintf(mark, sizeof mark, "CREST_DEMO_TEST=%d-%lld", (int)getpid(), (long long)mono_us());
    snprintf(temporary, sizeof temporary, "TMPDIR=%s", e2e_path("tmp"));
    snprintf(report, sizeof report, "%s", e2e_path("report.html"));
    check_ok(dir_make(e2e_path("tmp")));
}

static const char *programs(void)
{
    const char *bin = getenv("CREST_BIN");
    return bin && *bin ? bin : "build/release";
}

static struct process *start_demo(const char *log_path)
{
    char program[4096];
    struct process *p = NULL;
    prepare();
    snprintf(program, sizeof program, "%s/crest-demo", programs());
    const char *argv[] = {program,    "--bin", programs(),     "--source", "shop/demo",
                          "--report", report,  "--free-ports", NULL};
    const char *env[] = {"DEMO_SECONDS=80", mark, temporary, NULL};
    check_ok(
        process_start(argv, &(struct process_options){.log_path = log_path, .stdout_path = log_path, .env = env}, &p));
    return p;
}

/* In a terminal of 120x40, whose settings are kept to be compared with those afterwards. */
static struct tmux *start_demo_on_a_terminal(void)
{
    char line[8192];
    prepare();
    struct tmux *t = tmux_start("t", 120, 40);
    snprintf(line, sizeof line,
             "clear; stty -g >%s\nenv DEMO_SECONDS=%d %s %s %s/crest-demo --bin %s --report %s --free-ports\n"
             "echo \"its status was $?.\"; stty -g >%s\n",
             e2e_path("before"), SECONDS, mark, temporary, programs(), programs(), report, e2e_path("after"));
    const char *script = e2e_write("demo.sh", line);
    snprintf(line, sizeof line, ". %s", script);
    tmux_line(t, line);
    return t;
}

/* All that was printed, also what has scrolled away, without the breaks at the terminal's edge. */
static char *printed(struct tmux *t)
{
    return tmux_command(t, "capture-pane", "-p", "-J", "-S", "-");
}

static void wait_until_printed(struct tmux *t, const char *words, int64_t ms)
{
    int64_t deadline = mono_us() + ms * 1000 * check_patience();
    for (;;) {
        AUTO_FREE char *text = printed(t);
        if (strstr(text, words))
            return;
        if (mono_us() > deadline)
            check_failed("'%s' was not printed:\n%s", words, text);
        sleep_us(200000);
    }
}

static void check_terminal_is_as_before(struct tmux *t)
{
    AUTO_FREE char *modes = tmux_format(t, "#{alternate_on} #{cursor_flag} #{mouse_any_flag} #{keypad_flag}");
    AUTO_FREE char *before = NULL, *after = NULL;
    assert_string_equal(modes, "0 1 0 0");
    tmux_line(t, "echo stty is \"written\"");
    tmux_see(t, "stty is written");
    check_ok(file_read(e2e_path("before"), 4096, &before, NULL));
    check_ok(file_read(e2e_path("after"), 4096, &after, NULL));
    assert_string_equal(before, after);
}

static void check_nothing_is_left(void)
{
    assert_int_equal(marked_processes(), 0);
    assert_true(is_empty_folder(e2e_path("tmp")));
}

/* The demo's story so far, for a test to look at or to show; from malloc. */
static void read_story(const char *path, char **ret)
{
    if (file_read(path, 1u << 20, ret, NULL) < 0)
        check_failed("%s cannot be read", path);
}

/* ---- what is told ---- */

/* The collector's address, as the story's first line gives it. */
static void address_of(const char *story, char *url, size_t n)
{
    const char *at = strstr(story, "the page");
    at = at ? strstr(at, "http://") : NULL;
    if (!at)
        check_failed("the page's address is missing:\n%s", story);
    snprintf(url, n, "%.*s", (int)(7 + strcspn(at + 7, "/ \n")), at);
}

/* The event is known as soon as the address is, with plan and last event. */
static void check_event_is_known(const char *story)
{
    char url[256], path[320];
    AUTO_FREE char *body = NULL;
    address_of(story, url, sizeof url);
    snprintf(path, sizeof path, "%s/api/crest/v1/events/demo-sale", url);
    int status = e2e_try("GET", path, NULL, (struct span){0}, &body);
    if (status != 200)
        check_failed("%s: %d", path, status);
    json_t *answer = json_loads(body, 0, NULL);
    json_t *markets = json_object_get(json_object_get(answer, "data"), "markets"), *market;
    const char *name;
    assert_int_equal(json_object_size(markets), 2);
    json_object_foreach(markets, name, market)
    {
        static const char *const CURVES[] = {"plan", "last"};
        for (size_t i = 0; i < ARRAY_LEN(CURVES); i++)
            assert_true(json_number_value(
                            json_array_get(json_object_get(json_object_get(market, CURVES[i]), "orders"), 0)) > 0);
    }
    json_decref(answer);
}

/* Where these words stand behind `from`; fails the test when they do not. */
static const char *find_after(const char *story, const char *from, const char *words)
{
    const char *at = strstr(from, words);
    if (!at)
        check_failed("'%s' is missing, or does not come after what it should come after:\n%s", words, story);
    return at;
}

/* Named before it happens; then it happens, then it is paged. */
static void check_faults_are_named_before(const char *story)
{
    static const char *const FAULTS[][2] = {
        {"doors open", NULL},
        {"the payment gateway slows down", "PAGE after"},
        {"the gateway declines 20 %", "(PaymentDeclines)"},
        {"the gateway is well again", "resolved"},
        {"the catalogue cache is lost", "(CacheLost)"},
        {"the cache is back", NULL},
        {"flash sale", "(Oversold)"},
        {"a delivery of", "Oversold"},
        {"the collector is killed", "the collector is back"},
    };
    for (size_t i = 0; i < ARRAY_LEN(FAULTS); i++) {
        char before[128], now[128];
        snprintf(before, sizeof before, "s: %s", FAULTS[i][0]);
        snprintf(now, sizeof now, "NOW  %s", FAULTS[i][0]);
        const char *at = find_after(story, story, before);
        check_contains(at, "Watch ");
        at = find_after(story, at, now);
        if (FAULTS[i][1])
            find_after(story, at, FAULTS[i][1]);
    }
}

/* The ledger's figure in a line of the books. */
static int64_t ledger_of(const char *story, const char *figure)
{
    const char *books = find_after(story, story, "The books"), *at = find_after(story, books, figure);
    at = find_after(story, at, "ledger") + strlen("ledger");
    int64_t value = 0;
    at += strspn(at, " ");
    check_ok(parse_i64_span(span_of(at, strspn(at, "0123456789")), 0, INT64_MAX, &value));
    return value;
}

/* 4536810 with 2 decimals: "45,368.10". */
static void group_digits(char *text, size_t n, int64_t minor, int decimals)
{
    int64_t unit = decimals == 2 ? 100 : 1, major = minor / unit;
    char digits[32];
    size_t used = 0, len = (size_t)snprintf(digits, sizeof digits, "%" PRId64, major);
    for (size_t i = 0; i < len && used + 2 < n; i++) {
        text[used++] = digits[i];
        if ((len - 1 - i) % 3 == 0 && i + 1 < len)
            text[used++] = ',';
    }
    text[used] = '\0';
    if (decimals)
        snprintf(text + used, n - used, ".%02" PRId64, minor % unit);
}

/* "248 orders, 49,174.20 EUR": how many orders stand before the money, which is the ledger's to the cent. */
static uint64_t orders_before(const char *html, const char *money, const char *story)
{
    const char *at = strstr(html, money), *word = NULL;
    if (!at)
        check_failed("the report does not say '%s':\n%s", money, story);
    for (const char *next = at - html > 40 ? at - 40 : html; (next = strstr(next, " orders")) && next < at; next++)
        word = next;
    if (!word)
        check_failed("no orders stand before '%s' in '%.80s'", money, at - html > 40 ? at - 40 : html);
    uint64_t count = 0, unit = 1;
    for (; word > html && strchr("0123456789,", word[-1]); word--)
        if (word[-1] != ',') {
            count += (uint64_t)(word[-1] - '0') * unit;
            unit *= 10;
        }
    return count;
}

static void check_report_equals_the_ledger(const char *story)
{
    static const struct {
        const char *figure, *currency;
        int decimals;
    } MARKETS[] = {{"revenue EUR", "EUR", 2}, {"revenue JPY", "JPY", 0}};
    AUTO_FREE char *html = NULL;
    check_contains(story, report);
    check_ok(file_read(report, 16u << 20, &html, NULL));
    uint64_t orders = 0;
    for (size_t i = 0; i < ARRAY_LEN(MARKETS); i++) {
        char money[64], words[100];
        group_digits(money, sizeof money, ledger_of(story, MARKETS[i].figure), MARKETS[i].decimals);
        snprintf(words, sizeof words, "%s %s", money, MARKETS[i].currency);
        orders += orders_before(html, words, story);
    }
    assert_int_equal(orders, ledger_of(story, "orders "));
    check_contains(html, "the payment gateway slows down to 3 s"); /* on its time-line */
    check_contains(html, "doors open");
}

static void check_books(const char *story)
{
    static const char *const FIGURES[] = {"orders", "units", "revenue EUR", "revenue JPY", "declines"};
    const char *books = find_after(story, story, "The books");
    for (size_t i = 0; i < ARRAY_LEN(FIGURES); i++) {
        const char *at = find_after(story, books, FIGURES[i]), *query = strchr(at, '\n');
        if (!query || !memmem(at, (size_t)(query - at), " equal", 6) ||
            strncmp(query, "\n      sum(commerce_", 20) != 0)
            check_failed("%s is not shown as equal with its query:\n%s", FIGURES[i], story);
        if (memmem(query, strcspn(query + 1, "\n"), "increase", 8))
            check_failed("%s is extrapolated:\n%s", FIGURES[i], story);
    }
    check_contains(story, ": filled");
    if (!strstr(story, "load run verdict: passed") && !strstr(story, "load run verdict: void")) /* too busy a machine */
        check_failed("the load has no verdict:\n%s", story);
    assert_null(strstr(story, "NOT RESOLVED"));
}

/* ---- the sale ---- */

/* The page that fires is on top, the story's newest line just above the keys. */
static bool shows_page_and_story(struct tmux *t)
{
    AUTO_FREE char *screen = tmux_screen(t);
    const char *page = strstr(screen, "PAGE shop: payment-gateway does not answer"), *keys = strstr(screen, "? Help");
    if (!page || !keys)
        return false;
    size_t rows_above = 0;
    for (const char *c = screen; c < page; c++)
        rows_above += *c == '\n';
    const char *story = keys; /* three rows of it, a line for messages, the keys */
    for (int row = 0; row < 5 && story > screen; row++)
        for (story--; story > screen && story[-1] != '\n'; story--)
            ;
    const char *told = strstr(story, "PAGE after");
    return rows_above <= 2 && told && told < keys;
}

/* What went wrong stands at the end, and a message has no room for all. */
static const char *the_end_of(const char *story)
{
    const char *books = strstr(story, "The gap"), *faults = strstr(story, "Faults:");
    return books && (strstr(books, "NOT FILLED") || strstr(books, "DIFFERENT")) ? books : faults ? faults : story;
}

static void watch_the_sale(struct tmux *t)
{
    wait_until_printed(t, "turns into crest-tui", E2E_START_MS);
    AUTO_FREE char *first = printed(t);
    find_after(first, find_after(first, first, "ssh -L "), "@");
    check_event_is_known(first);
    int64_t deadline = mono_us() + 40000000ll * check_patience();
    while (!shows_page_and_story(t)) {
        if (mono_us() > deadline) {
            AUTO_FREE char *screen = tmux_screen(t);
            check_failed("the page on top and its line below were not seen together:\n%s", screen);
        }
        sleep_us(100000);
    }
}

static void a_sale_on_a_terminal_is_told_before_it_happens_and_every_figure_agrees(void **state)
{
    (void)state;
    if (!e2e_have("tmux"))
        skip();
    struct tmux *t = start_demo_on_a_terminal();
    watch_the_sale(t);
    wait_until_printed(t, "its status was", SALE_MS);
    AUTO_FREE char *story = printed(t);
    if (!strstr(story, "every figure agrees") || !strstr(story, "its status was 0."))
        check_failed("the demo did not end well:\n%s", the_end_of(story));
    check_faults_are_named_before(story);
    check_books(story);
    check_report_equals_the_ledger(story);
    check_terminal_is_as_before(t);
    check_nothing_is_left();
    tmux_stop(t);
}

static void a_viewer_who_presses_ctrl_c_leaves_everything_clean(void **state)
{
    (void)state;
    if (!e2e_have("tmux"))
        skip();
    struct tmux *t = start_demo_on_a_terminal();
    wait_until_printed(t, " live ", E2E_START_MS);
    wait_until_printed(t, "s  in 3 s: ", E2E_START_MS); /* whatever is next */
    tmux_keys(t, "C-c");
    wait_until_printed(t, "its status was 0.", STOP_MS);
    AUTO_FREE char *story = printed(t);
    check_contains(story, "in 3 s: doors open"); /* what was told meanwhile is not lost */
    check_contains(story, "left before its end");
    check_terminal_is_as_before(t);
    check_nothing_is_left();
    tmux_stop(t);
}

static bool said(const char *path, const char *words)
{
    AUTO_FREE char *text = NULL;
    return file_read(path, 1u << 20, &text, NULL) == 0 && strstr(text, words) != NULL;
}

static void an_interrupt_stops_everything_it_started(void **state)
{
    (void)state;
    const char *log = e2e_path("demo.log");
    struct process *p = start_demo(log);
    int status = -1;
    int64_t deadline = mono_us() + 30000000ll * check_patience();
    while (!said(log, "warm-up") && process_running(p) && mono_us() < deadline)
        sleep_us(50000);
    AUTO_FREE char *story = NULL, *all = NULL;
    read_story(log, &story);
    check_event_is_known(story); /* lines, without a terminal */
    assert_null(memchr(story, 0x1b, strlen(story)));
    unsigned running = marked_processes(); /* the load generator has been started before the line was said */
    if (running < PROGRAMS)
        check_failed("%u processes of %u:\n%s", running, PROGRAMS, story);
    assert_int_equal(process_signal(p, SIGINT), 0);
    int r = process_wait(p, STOP_MS * (int64_t)check_patience(), &status);
    unsigned left = marked_processes();
    read_story(log, &all);
    if (r < 0 || status != 130 || left > 0)
        check_failed("wait %d, status %d, %u processes left:\n%s", r, status, left, all);
    process_free(p);
    check_nothing_is_left();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(an_interrupt_stops_everything_it_started, e2e_teardown),
        cmocka_unit_test_teardown(a_viewer_who_presses_ctrl_c_leaves_everything_clean, e2e_teardown),
        cmocka_unit_test_teardown(a_sale_on_a_terminal_is_told_before_it_happens_and_every_figure_agrees, e2e_teardown),
    };
    return cmocka_run_group_tests_name("demo", tests, NULL, NULL);
}
