/* Plan files and ready mixes, by the program against the shop. */
#include "tests/support/check.h"

#include <signal.h>
#include <unistd.h>
#include <zlib.h>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/number.h"
#include "lib/base/process.h"
#include "tests/support/e2e.h"
#include "tests/support/json.h"

static struct e2e_program *gateway, *shop;

static int start_shop(void **state)
{
    (void)state;
    gateway = e2e_start("crest-shop", E2E_ARGS("gateway", "--latency", "5ms", "--jitter", "1ms", "--decline", "0"));
    shop = e2e_start("crest-shop", E2E_ARGS("--gateway", e2e_url(gateway)));
    return 0;
}

static const char *variable(void)
{
    static char text[128];
    snprintf(text, sizeof text, "host=%s", e2e_url(shop));
    return text;
}

/* The shipped plan, but for its thresholds: how fast the shop is on a test's machine is not what this is about. */
static void drop_thresholds(const char *plan)
{
    char *text;
    size_t n;
    check_ok(file_read(plan, 65536, &text, &n));
    char *at = strstr(text, "\nthresholds:");
    assert_non_null(at);
    check_ok(file_write(plan, text, (size_t)(at + 1 - text)));
    free(text);
}

static void every_ready_mix_runs_green_against_the_shop(void **state)
{
    (void)state;
    static const struct {
        const char *name, *scale, *speed, *sessions;
    } MIXES[] = {{"retail", "30", "1000", "80"},        {"magento", "30", "1000", "60"},
                 {"flash-sale", "8", "1000", "60"},     {"tpcw-browsing", "0.1", "3000", "2"},
                 {"tpcw-shopping", "0.1", "3000", "2"}, {"tpcw-ordering", "0.1", "3000", "2"}};
    for (size_t i = 0; i < ARRAY_LEN(MIXES); i++) {
        char folder[400], plan[420], out[420];
        snprintf(folder, sizeof folder, "%s", e2e_path(MIXES[i].name));
        snprintf(plan, sizeof plan, "%s/plan.yml", folder);
        snprintf(out, sizeof out, "%s/out.json", folder);
        free(e2e_run("crest-loadgen", E2E_ARGS("init", MIXES[i].name, folder), 0));
        free(e2e_run("crest-loadgen", E2E_ARGS("init", MIXES[i].name, folder), 1)); /* nothing is written over */
        free(e2e_run("crest-loadgen", E2E_ARGS("check", plan), 0));
        drop_thresholds(plan);
        if (strcmp(MIXES[i].name, "magento") == 0) /* its rare journeys, too; the others have the plan's feeds */
            free(e2e_run("crest-loadgen", E2E_ARGS("test", folder, "--variable", variable()), 0));
        free(e2e_run("crest-loadgen",
                     E2E_ARGS("run", plan, "--variable", variable(), "--scale", MIXES[i].scale, "--speed",
                              MIXES[i].speed, "--sessions", MIXES[i].sessions, "--think-scale", "0.0005", "--seed", "5",
                              "--max-lag", "1h", "--grace", "60s", "--quiet", "--json", out),
                     0));
        json_t *root = check_json_file(out), *step;
        size_t k;
        /* whole or in the warm-up: how far a hurried run comes in either is the machine's business */
        json_int_t warm = json_number_at(json_object_get(root, "warmup"), "sessions", "started");
        json_int_t started = json_number_at(root, "sessions", "started"),
                   failed = json_number_at(root, "sessions", "failed");
        assert_true(started + warm > 0);
        assert_int_equal(failed, 0);
        assert_int_equal(json_number_at(root, "sessions", "planned"),
                         started + json_number_at(root, "sessions", "dropped"));
        json_array_foreach(json_object_get(root, "steps"), k, step)
        {
            json_int_t count = json_integer_value(json_object_get(step, "count"));
            if (json_number_at(step, "outcomes", "ok") != count)
                check_failed("%s: %s", MIXES[i].name, json_string_value(json_object_get(step, "name")));
        }
        json_decref(root);
    }
    free(e2e_run("crest-loadgen", E2E_ARGS("init", "no-such-mix", e2e_path("x")), 2));
}

/* ---- what a run is written into ---- */

static size_t base64_bytes(const char *text, unsigned char *to, size_t room)
{
    static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t n = 0;
    unsigned bits = 0, have = 0;
    for (; *text && *text != '=' && *text != '\n'; text++) {
        const char *at = strchr(ALPHABET, *text);
        assert_non_null(at);
        bits = bits << 6 | (unsigned)(at - ALPHABET);
        have += 6;
        if (have >= 8) {
            have -= 8;
            assert_true(n < room);
            to[n++] = (unsigned char)(bits >> have);
        }
    }
    return n;
}

static uint32_t big_endian(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* How many values one line's histogram has, read as its format says and with nothing of ours. */
static uint64_t values_of(const char *base64)
{
    static unsigned char packed[1 << 20], plain[1 << 20];
    size_t n = base64_bytes(base64, packed, sizeof packed);
    assert_int_equal(big_endian(packed), 0x1c849314);
    assert_int_equal(big_endian(packed + 4), n - 8);
    uLongf length = sizeof plain;
    assert_int_equal(uncompress(plain, &length, packed + 8, n - 8), Z_OK);
    assert_int_equal(big_endian(plain), 0x1c849313);
    assert_int_equal(big_endian(plain + 4), length - 40);
    assert_int_equal(big_endian(plain + 12), 3);
    uint64_t sum = 0;
    for (size_t i = 40; i < length;) {
        uint64_t z = 0;
        unsigned shift = 0;
        unsigned char byte;
        do {
            byte = plain[i++];
            z |= shift == 56 ? (uint64_t)byte << 56 : (uint64_t)(byte & 0x7f) << shift;
            shift += 7;
        } while (byte & 0x80 && shift <= 56);
        if (!(z & 1)) /* an odd one is a run of empty buckets */
            sum += z >> 1;
    }
    return sum;
}

static uint64_t values_with_tag(const char *path, const char *tag)
{
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    static char line[1 << 20];
    uint64_t sum = 0;
    while (fgets(line, sizeof line, f)) {
        const char *last = strrchr(line, ',');
        if (strncmp(line, tag, strlen(tag)) == 0 && line[strlen(tag)] == ',' && last)
            sum += values_of(last + 1);
    }
    fclose(f);
    return sum;
}

/* The sum of the `count` column over lines of the step ("" for all steps). */
static uint64_t csv_count(const char *path, const char *step)
{
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    char line[1000];
    uint64_t sum = 0;
    while (fgets(line, sizeof line, f)) {
        struct span rest = span_str(line), cell[9];
        size_t n = 0;
        while (n < ARRAY_LEN(cell) && span_cut(&rest, ',', &cell[n]))
            n++;
        uint64_t count;
        if (n > 7 && span_equal(cell[3], span_str(step)) && parse_u64_span(cell[7], UINT64_MAX, &count) == 0)
            sum += count;
    }
    fclose(f);
    return sum;
}

static void a_plans_run_is_written_as_json_csv_and_histogram_log(void **state)
{
    (void)state;
    char json[400], csv[400], log[400];
    snprintf(json, sizeof json, "%s", e2e_path("out.json"));
    snprintf(csv, sizeof csv, "%s", e2e_path("out.csv"));
    snprintf(log, sizeof log, "%s", e2e_path("out.hlog"));
    e2e_write("j.hurl",
              "# @step home\nGET {{host}}/api/home\nHTTP 200\n# @step cart\nGET {{host}}/api/cart\nHTTP 200\n");
    const char *plan = e2e_write("plan.yml", "phases:\n  - {name: warm, duration: 500ms, rate: 20, warmup: true}\n"
                                             "  - {name: peak, duration: 1s, rate: 20-40, arrivals: exact}\n"
                                             "journeys: [j.hurl]\n"
                                             "traffic: [{name: bots, journeys: [j.hurl], rate: 20, think_scale: 0}]\n"
                                             "thresholds: [{phase: peak, slo: err<1%}]\n");
    free(e2e_run("crest-loadgen",
                 E2E_ARGS("run", plan, "--variable", variable(), "--max-lag", "1h", "--grace", "60s", "--quiet",
                          "--json", json, "--csv", csv, "--hdr-log", log),
                 0));
    json_t *root = check_json_file(json);
    assert_string_equal(json_string_value(json_object_get(root, "verdict")), "passed");
    assert_int_equal(json_number_at(root, "sessions", "completed"), 50); /* 30 and 20 behind the warm-up */
    assert_int_equal(json_number_at(json_object_get(root, "warmup"), "sessions", "completed"), 20);
    assert_int_equal(json_array_size(json_object_get(root, "phases")), 2);
    json_t *bots = json_array_get(json_object_get(root, "traffic"), 1);
    assert_int_equal(json_number_at(bots, "sessions", "planned"), 20);
    json_t *point;
    json_int_t started = 0;
    size_t i;
    json_array_foreach(json_object_get(root, "series"), i, point) started +=
        json_number_at(point, "sessions", "started");
    assert_int_equal(started, 70);
    json_decref(root);
    assert_int_equal(csv_count(csv, ""), 140); /* two steps each, the warm-up too */
    assert_int_equal(csv_count(csv, "cart"), 70);
    assert_int_equal(values_with_tag(log, "Tag=response"), 140);
    assert_int_equal(values_with_tag(log, "Tag=service"), 140);
    assert_int_equal(values_with_tag(log, "Tag=response:j/home"), 40);
    assert_int_equal(values_with_tag(log, "Tag=response:j-2/home"), 30);
}

static bool load_has_come(void *ctx)
{
    (void)ctx;
    char *text = e2e_get(shop, "/metrics", 200);
    bool come = strstr(text, "source=\"load\"") != NULL;
    free(text);
    return come;
}

/* Stopped for a while by somebody else, as a machine without a free core would be: not the target's doing, and the run says so. */
static void a_generator_that_stood_still_makes_its_run_void(void **state)
{
    (void)state;
    char program[512], json[400];
    snprintf(program, sizeof program, "%s/crest-loadgen", getenv("CREST_BIN") ? getenv("CREST_BIN") : "build/release");
    snprintf(json, sizeof json, "%s", e2e_path("out.json"));
    const char *file = e2e_write("j.hurl", "GET {{host}}/api/home\nHTTP 200\n");
    const char *argv[] = {program,     "run",  file,     "--variable", variable(), "--rate",  "20",  "--duration", "3s",
                          "--max-lag", "50ms", "--json", json,         "--quiet",  "--grace", "60s", NULL};
    struct process *p;
    check_ok(process_start(argv, &(struct process_options){.quiet = true}, &p));
    e2e_wait(60000, load_has_come, NULL); /* then somewhere in its three seconds: where does not matter */
    check_ok(process_signal(p, SIGSTOP));
    sleep_us(600000);
    check_ok(process_signal(p, SIGCONT));
    int status = -1;
    check_ok(process_wait(p, 120000, &status));
    process_free(p);
    json_t *root = check_json_file(json), *reason;
    assert_int_equal(status, 5);
    assert_string_equal(json_string_value(json_object_get(root, "verdict")), "void");
    bool late = false, stalled = false;
    size_t i;
    json_array_foreach(json_object_get(root, "reasons"), i, reason)
    {
        late |= strstr(json_string_value(reason), "the generator was late") != NULL;
        stalled |= strstr(json_string_value(reason), "the generator's machine stalled") != NULL;
    }
    assert_true(late && stalled);
    assert_int_equal(json_number_at(root, "sessions", "planned"), 60);
    assert_int_equal(json_number_at(root, "sessions", "completed"), 60); /* late, not lost */
    json_decref(root);
}

static void a_wrong_plan_is_refused_before_anything_is_sent(void **state)
{
    (void)state;
    const char *plan = e2e_write("bad.yml", "rat: 5\njourneys: [none.hurl]\n");
    free(e2e_run("crest-loadgen", E2E_ARGS("check", plan), 2));
    free(e2e_run("crest-loadgen", E2E_ARGS("run", plan), 2));
    e2e_write("j.hurl", "GET http://127.0.0.1:1/\n");
    plan = e2e_write("good.yml", "rate: 5\nduration: 1s\njourneys: [j.hurl]\n");
    free(e2e_run("crest-loadgen", E2E_ARGS("check", plan), 0));
    free(e2e_run("crest-loadgen", E2E_ARGS("run", plan, "--rate", "7"), 2)); /* the plan says it */
    free(e2e_run("crest-loadgen", E2E_ARGS("run", plan, plan), 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_ready_mix_runs_green_against_the_shop, start_shop, e2e_teardown),
        cmocka_unit_test_setup_teardown(a_plans_run_is_written_as_json_csv_and_histogram_log, start_shop, e2e_teardown),
        cmocka_unit_test_setup_teardown(a_generator_that_stood_still_makes_its_run_void, start_shop, e2e_teardown),
        cmocka_unit_test_teardown(a_wrong_plan_is_refused_before_anything_is_sent, e2e_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
