/* A full disk: 503 with the reason, nothing acknowledged is lost, reading goes on, and ingest comes back with the space. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/limits.h"
#include "lib/wire/http_client.h"
#include "lib/wire/remote_write.h"
#include "tests/support/ingest.h"
#include "tests/support/query.h"

#define DISK "size=24m"
#define FILLER_BYTES (14u << 20)
#define SERIES 500

/* A small disk that only this process and what it starts can see; it goes with us. */
static bool mount_small_disk(const char *path)
{
    if (unshare(CLONE_NEWNS) < 0) {
        if (unshare(CLONE_NEWUSER | CLONE_NEWNS) <
            0) /* not root: a user namespace gives the right, where it is allowed */
            return false;
    } else if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
        return false;
    }
    return mount("tmpfs", path, "tmpfs", 0, DISK) == 0;
}

static void fill(const char *path)
{
    static char block[65536];
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    for (size_t n = 0; n < FILLER_BYTES; n += sizeof block)
        assert_int_equal(write(fd, block, sizeof block), sizeof block);
}

/* The sender is told when to try again, and that nothing was written. */
static void check_refusal(const struct e2e_program *p, int64_t t_ms)
{
    static const char *const HEADERS[] = {"Content-Encoding: snappy", "Content-Type: " REMOTE_WRITE_CONTENT_TYPE, NULL};
    struct label pairs[] = {{SPAN("__name__"), SPAN("refused")}};
    struct sample sample = {t_ms, 0, 1};
    struct remote_write_encoder *e;
    struct http_response response;
    struct buf body;
    char url[128];
    buf_init(&body, BODY_BYTES_MAX);
    check_ok(remote_write_encoder_new(&e));
    check_ok(remote_write_add(e, &(struct labels){pairs, 1}, &sample, 1));
    check_ok(remote_write_finish(e, &body));
    (void)snprintf(url, sizeof url, "%s/api/v1/write", e2e_url(p));
    check_ok(http_fetch(&(struct http_request){.url = url, .headers = HEADERS, .body = buf_view(&body)}, &response));
    assert_int_equal(response.status, 503);
    check_contains(response.headers.data, "\nretry-after: 1\n");
    check_contains(response.headers.data, "\nx-prometheus-remote-write-samples-written: 0\n");
    check_contains(response.body.data, "nothing was stored: ");
    http_response_done(&response);
    remote_write_encoder_free(e);
    buf_done(&body);
}

static void a_full_disk_loses_nothing_and_comes_back(void **state UNUSED)
{
    char disk[1024], data[1100], filler[1100];
    snprintf(disk, sizeof disk, "%s", e2e_path("disk"));
    snprintf(data, sizeof data, "%s/collector", disk);
    snprintf(filler, sizeof filler, "%s/filler", disk);
    check_ok(dir_make(disk));
    if (!mount_small_disk(disk)) {
        print_message("no small disk can be mounted here: %s\n", strerror(errno));
        skip();
    }
    fill(filler);
    struct e2e_program *p = e2e_start("crest-collector", E2E_ARGS("--data", data));
    int64_t base = unix_ms() - 3000000, i = 0, acknowledged = 0;
    int status = 204;
    for (; i < 20000 && status == 204; i++) {
        /* Values that do not compress: the disk is full sooner. */
        status = ingest(e2e_url(p), "disk", SERIES, base + i, (double)((uint64_t)i * 2654435761u % 1000003) / 7);
        acknowledged += status == 204;
    }
    assert_int_equal(status, 503);
    assert_true(acknowledged > 10);
    print_message("full after %lld requests of %u samples\n", (long long)acknowledged, SERIES);
    assert_int_equal(ingest(e2e_url(p), "disk", SERIES, base + i, 1), 503);
    check_refusal(p, base + i);
    free(e2e_get(p, "/-/healthy", 200));
    char *page = e2e_get(p, "/metrics", 200);
    assert_true(page_value(page, "crest_write_refused_total{reason=\"not_stored\"}") >= 2);
    free(page);
    assert_true(query_value(p, "count(count_over_time(disk[1h]))") == SERIES); /* reading goes on */
    assert_true(query_value(p, "min(count_over_time(disk[1h]))") == (double)acknowledged);
    assert_true(query_value(p, "max(count_over_time(disk[1h]))") == (double)acknowledged);

    assert_int_equal(unlink(filler), 0); /* somebody makes room */
    int64_t since = mono_us();
    do {
        sleep_us(50000);
        status = ingest(e2e_url(p), "disk", SERIES, base + i, 1);
    } while (status == 503 && mono_us() - since < 10000000 * (int64_t)check_slowness());
    assert_int_equal(status, 204);
    acknowledged++;
    print_message("back %lld ms after there was room\n", (long long)(mono_us() - since) / 1000);
    assert_true(query_value(p, "min(count_over_time(disk[1h]))") == (double)acknowledged);
    e2e_kill(p);
    p = e2e_start("crest-collector", E2E_ARGS("--data", data));
    assert_true(query_value(p, "min(count_over_time(disk[1h]))") == (double)acknowledged);
    assert_true(query_value(p, "max(count_over_time(disk[1h]))") == (double)acknowledged);
    e2e_stop(p);
    (void)umount2(disk, MNT_DETACH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_full_disk_loses_nothing_and_comes_back, e2e_teardown),
    };
    return cmocka_run_group_tests_name("disk", tests, NULL, NULL);
}
