/* bench-answer: what the collector's memory does while the largest answers go out: query_range with 11,000 points of as many series as
 * the samples and the memory of a query allow, read as it comes, and by a client that stops in the middle.
 *
 * Series are those of the store's measurements, 10 s apart; steps are shorter than that, so there are more points in the answer than
 * samples in the store. Memory is the process's resident one; before: after the load, before the first query.
 * BENCH_FAST=1: a tenth of the series. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "tests/support/bench.h"
#include "tests/support/check.h"
#include "tests/support/store_load.h"
#include "tests/support/store_server.h"
#include "tests/support/write_client.h"

#define SERIES 4000u
#define POINTS 11000u
#define STEP_MS 300
#define SCRAPE_MS 10000
#define ROUNDS (POINTS * STEP_MS / SCRAPE_MS)
#define MB 1e6
#define LOOK_BYTES (8u << 20) /* between two looks at the memory */

static void send_request(void *ctx, struct buf *body, unsigned samples UNUSED)
{
    char why[512] = "";
    int status = write_client_send(ctx, buf_view(body), why, sizeof why);
    if (status / 100 != 2)
        check_failed("remote write: %d: %s", status, why);
    buf_done(body);
}

static void load(const struct store_server *server, unsigned n, int64_t base_ms)
{
    struct write_client *client = write_client_new(store_server_port(server));
    struct store_load *data = store_load_new(0, n, n, 2000);
    for (unsigned round = 0; round < ROUNDS; round++)
        store_load_round(data, base_ms + (int64_t)round * SCRAPE_MS, send_request, client);
    store_load_flush(data, send_request, client);
    store_load_free(data);
    write_client_free(client);
}

static double rss(const struct store_server *server)
{
    return (double)store_server_usage(server).rss_bytes / MB;
}

struct reading {
    double bytes, most_mb, seconds;
};

/* stop_at: then the client reads no more for a second, and leaves. 0: it reads all. */
static struct reading ask(const struct store_server *server, int64_t base_ms, const char *encoding, double stop_at)
{
    struct reading got = {0};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(store_server_port(server))};
    char request[512];
    static char piece[1 << 16];
    ssize_t n;
    double looked = 0;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int len =
        snprintf(request, sizeof request,
                 "GET /api/v1/query_range?query=%%7Binstance%%3D~%%22.%%2B%%22%%7D&start=%lld.%03lld&end=%lld.%03lld"
                 "&step=0.%d HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n%s\r\n",
                 (long long)base_ms / 1000, (long long)base_ms % 1000, (long long)(base_ms + POINTS * STEP_MS) / 1000,
                 (long long)(base_ms + POINTS * STEP_MS) % 1000, STEP_MS / 100, encoding);
    int64_t began_us = mono_us();
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0 ||
        send(fd, request, (size_t)len, MSG_NOSIGNAL) != len)
        check_failed("asking: %s", strerror(errno));
    while ((n = recv(fd, piece, sizeof piece, 0)) > 0) {
        if (got.bytes == 0 && (n < 12 || memcmp(piece, "HTTP/1.1 200", 12) != 0))
            check_failed("%.*s", (int)(n < 300 ? n : 300), piece);
        got.bytes += (double)n;
        if (got.bytes - looked >= LOOK_BYTES) {
            double now = rss(server);
            looked = got.bytes;
            got.most_mb = now > got.most_mb ? now : got.most_mb;
        }
        if (stop_at > 0 && got.bytes >= stop_at) {
            sleep_us(1000000);
            got.most_mb = rss(server);
            break;
        }
    }
    if (n < 0)
        check_failed("reading: %s", strerror(errno));
    close(fd);
    got.seconds = (double)(mono_us() - began_us) / 1e6;
    return got;
}

int main(void)
{
    unsigned n = getenv("BENCH_FAST") ? SERIES / 10 : SERIES;
    struct bench *b = bench_new("answer", "Memory while large answers go out");
    struct store_server *server = store_server_start(STORE_CREST, 0);
    int64_t base_ms = unix_ms() - (int64_t)(ROUNDS + 60) * SCRAPE_MS;
    load(server, n, base_ms);
    double before = rss(server), columns = (double)n * (POINTS + 1) * (sizeof(double) + 1) / MB;
    struct reading plain = ask(server, base_ms, "", 0);
    struct reading packed = ask(server, base_ms, "Accept-Encoding: gzip\r\n", 0);
    struct reading left = ask(server, base_ms, "", plain.bytes / 2);
    sleep_us(1000000);
    double after = rss(server);
    bench_add(b, "answer: series", "", n);
    bench_add(b, "answer: points", "million", (double)n * (POINTS + 1) / 1e6);
    bench_add(b, "answer: bytes on the wire", "MB", plain.bytes / MB);
    bench_add(b, "answer: from asking to its last byte", "s", plain.seconds);
    bench_add(b, "answer, gzip: bytes on the wire", "MB", packed.bytes / MB);
    bench_add(b, "answer, gzip: from asking to its last byte", "s", packed.seconds);
    bench_add(b, "memory before", "MB", before);
    bench_add(b, "its columns in the engine (8 + 1 bytes a point)", "MB", columns);
    bench_add(b, "most memory above before, as it is read", "MB", plain.most_mb - before);
    bench_add(b, "most memory above before, gzip", "MB", packed.most_mb - before);
    bench_add(b, "memory above before, its reader stopped half-way", "MB", left.most_mb - before);
    bench_add(b, "memory above before, a second after the last has left", "MB", after - before);
    bench_add(b, "most memory by the bytes of the answer", "×", (plain.most_mb - before) / (plain.bytes / MB));
    bench_must(b, "most memory above before, as it is read", BENCH_AT_MOST, 600);
    bench_must(b, "most memory above before, gzip", BENCH_AT_MOST, 600);
    bench_must(b, "memory above before, its reader stopped half-way", BENCH_AT_MOST, 600);
    bench_must(b, "memory above before, a second after the last has left", BENCH_AT_MOST, 100);
    bench_note(b,
               "`{instance=~\".+\"}` at %u points of %d ms; the limit of a query is 512 MiB, and 600 MB are that and "
               "what allocators and the socket keep.",
               POINTS, STEP_MS);
    (void)store_server_stop(server);
    store_server_remove(server);
    return bench_finish(b);
}
