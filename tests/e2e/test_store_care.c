/* store check, stat, export, import and backup of the real programs. */
#include "tests/support/e2e.h"

#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "tests/support/query.h"
#include "tests/support/samples.h"
#include "tests/support/writers.h"

struct wanted {
    struct writers *writers;
    uint64_t acked;
};

static bool has_written(void *ctx)
{
    const struct wanted *w = ctx;
    return writers_acked(w->writers) >= w->acked;
}

static bool has_ended(void *program)
{
    return !e2e_running(program);
}

static void write_some(struct writers *w, const struct e2e_program *collector, uint64_t acked)
{
    struct wanted wanted = {w, acked};
    writers_start(w, collector);
    e2e_wait(20000, has_written, &wanted);
}

static void a_backup_made_under_writing_starts_with_all_that_was_acknowledged(void **state)
{
    (void)state;
    char copy[512];
    int64_t now_ms = unix_ms();
    struct e2e_program *collector = e2e_start("crest-collector", E2E_ARGS("--data", e2e_path("data")));
    struct writers *first = writers_new(2, 10, now_ms - 1800000), *second = writers_new(2, 10, now_ms - 900000);
    write_some(first, collector, 200);
    writers_stop(first);
    write_some(second, collector, 20); /* and goes on */
    snprintf(copy, sizeof copy, "%s", e2e_path("copy"));
    free(e2e_run("crest-collector", E2E_ARGS("store", "backup", e2e_path("data"), copy), 0));
    char *text = e2e_run("crest-collector", E2E_ARGS("store", "check", e2e_path("data")), 0); /* while it serves */
    assert_non_null(strstr(text, ": 0 bad; "));
    free(text);
    writers_stop(second);
    free(e2e_run("crest-collector", E2E_ARGS("store", "export", e2e_path("data")), 1)); /* it serves: refused */
    e2e_stop(collector);
    free(e2e_run("crest-collector", E2E_ARGS("store", "backup", copy, copy), 1)); /* not empty */
    collector = e2e_start("crest-collector", E2E_ARGS("--data", copy));
    assert_true(writers_check(first, collector, true) >= 200);
    e2e_stop(collector);
    writers_free(first);
    writers_free(second);
}

static void a_backup_carries_deletions_and_annotations_and_check_looks_at_all_of_it(void **state)
{
    (void)state;
    char copy[512], file[600];
    const char *const *args = E2E_ARGS("--data", e2e_path("data"), "--enable-admin-api");
    struct e2e_program *collector = e2e_start("crest-collector", args);
    struct sample_batch *b = sample_batch_new();
    int64_t t_ms = unix_ms() - 5000;
    sample_batch_add(b, "secret|job=a", t_ms, 1);
    sample_batch_add(b, "kept|job=a", t_ms, 2);
    sample_batch_send(b, collector);
    free(e2e_send(collector, "POST", "/api/v1/admin/tsdb/delete_series?match[]=secret",
                  "application/x-www-form-urlencoded", "", 204));
    free(e2e_run("crest-collector", E2E_ARGS("mark", "deploy", "checkout", "v42", "--url", e2e_url(collector)), 0));
    snprintf(copy, sizeof copy, "%s", e2e_path("copy"));
    free(e2e_run("crest-collector", E2E_ARGS("store", "backup", e2e_path("data"), copy), 0)); /* while it serves */
    e2e_stop(collector);
    char *text = e2e_run("crest-collector", E2E_ARGS("store", "check", copy), 0);
    check_contains(text, " 1 deletions read");
    free(text);
    collector = e2e_start("crest-collector", E2E_ARGS("--data", copy));
    assert_true(isnan(query_value(collector, "secret")));
    assert_true(query_value(collector, "kept") == 2);
    text = e2e_get(collector, "/api/crest/v1/annotations", 200);
    check_contains(text, "v42");
    free(text);
    e2e_stop(collector);
    snprintf(file, sizeof file, "%s/state.db", copy);
    struct stat st;
    assert_int_equal(stat(file, &st), 0);
    int fd = open(file, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    char noise[4096];
    memset(noise, 0x5a, sizeof noise);
    assert_int_equal(pwrite(fd, noise, sizeof noise, 4096), sizeof noise); /* a page of it */
    close(fd);
    text = e2e_run("crest-collector", E2E_ARGS("store", "check", copy), 1);
    check_contains(text, "state.db: ");
    check_contains(text, ": 1 bad; ");
    free(text);
}

static void what_is_exported_is_imported_and_exported_the_same(void **state)
{
    (void)state;
    char *text, *again;
    char from[512], to[512], out[512];
    snprintf(from, sizeof from, "%s", e2e_path("from"));
    snprintf(to, sizeof to, "%s", e2e_path("to"));
    snprintf(out, sizeof out, "%s", e2e_path("out.txt"));
    e2e_stop(e2e_start("crest-collector", E2E_ARGS("--data", from))); /* the other folder is not there yet */
    const char *page =
        e2e_write("page.txt", "# TYPE sold counter\n# HELP sold Units.\nsold_total{shop=\"a\"} 1 1732233600\n"
                              "sold_total{shop=\"a\"} 2.5 1732233610.5\n# EOF\n");
    text = e2e_run("crest-collector", E2E_ARGS("store", "import", from, page), 0);
    assert_string_equal(text, "2 samples stored\n");
    free(text);
    text = e2e_run("crest-collector", E2E_ARGS("store", "export", from, "--match", "sold_total"), 0);
    free(e2e_run("crest-collector", E2E_ARGS("store", "import", to, e2e_write("out.txt", text)), 0));
    free(e2e_run("crest-collector", E2E_ARGS("store", "compact", to), 0));
    again = e2e_run("crest-collector", E2E_ARGS("store", "export", to), 0);
    assert_string_equal(text, again);
    free(again);
    if (e2e_have("promtool")) { /* a stranger reads it too */
        struct e2e_program *promtool = e2e_start_other((const char *const[]){
            "promtool", "tsdb", "create-blocks-from", "openmetrics", out, e2e_path("blocks"), NULL});
        e2e_wait(30000, has_ended, promtool);
        e2e_stop(promtool);
    }
    again = e2e_run("crest-collector",
                    E2E_ARGS("store", "export", to, "--from", "2024-11-22T00:00:05Z", "--to", "1732233611"), 0);
    assert_string_equal(again,
                        "# TYPE sold counter\n# HELP sold Units.\nsold_total{shop=\"a\"} 2.5 1732233610.5\n# EOF\n");
    free(again);
    free(text);
    text = e2e_run("crest-collector", E2E_ARGS("store", "stat", to, "--json", "--top", "1"), 0);
    json_t *root = json_loads(text, 0, NULL);
    assert_int_equal(json_integer_value(json_object_get(root, "samples")), 2);
    assert_string_equal(json_string_value(json_object_get(json_array_get(json_object_get(root, "metrics"), 0), "name")),
                        "sold_total");
    json_decref(root);
    free(text);
    free(e2e_run("crest-collector", E2E_ARGS("store", "import", to, e2e_write("bad.txt", "sold_total 1\n# EOF\n")), 2));
    free(e2e_run("crest-collector", E2E_ARGS("store", "check", e2e_path("nothing")), 1));
    free(e2e_run("crest-collector", E2E_ARGS("store", "wash", to), 2));

    /* a folder of something else stays as it is, whatever is asked of it */
    char other[512], head[600];
    snprintf(other, sizeof other, "%s", e2e_path("other"));
    snprintf(head, sizeof head, "%s/head.db", other);
    assert_int_equal(mkdir(other, 0700), 0);
    free(e2e_run("crest-collector", E2E_ARGS("store", "export", other), 1));
    free(e2e_run("crest-collector", E2E_ARGS("store", "compact", other), 1));
    assert_int_equal(access(head, F_OK), -1);
    e2e_write("other/letter.txt", "Dear reader");
    free(e2e_run("crest-collector", E2E_ARGS("store", "import", other, page), 1));
    assert_int_equal(access(head, F_OK), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_backup_made_under_writing_starts_with_all_that_was_acknowledged, e2e_teardown),
        cmocka_unit_test_teardown(a_backup_carries_deletions_and_annotations_and_check_looks_at_all_of_it,
                                  e2e_teardown),
        cmocka_unit_test_teardown(what_is_exported_is_imported_and_exported_the_same, e2e_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
