/* e2e.h - end-to-end tests start real crest programs, talk HTTP with them and end them by their process id.
 *
 *   struct e2e_program *shop = e2e_start("crest-shop", E2E_ARGS("--stock", "5"));    // listens on a free port
 *   e2e_wait(5000, shop_is_ready, shop);                                             // until it holds or time is up
 *   char *page = e2e_get(shop, "/metrics", 200);                                     // fails the test on another status
 *   free(page);
 *   e2e_stop(shop);                                                                  // must end by itself with 0
 *
 * Everything that goes wrong fails the running test and shows the end of the program's log. Programs are those of
 * $CREST_BIN (default build/release), so the same tests run sanitized ones. What a failed test leaves running,
 * e2e_teardown ends: give it to cmocka as the teardown of each test. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "tests/support/check.h"

#define E2E_START_MS 20000 /* for a sanitized program on a busy machine */
#define E2E_ARGS(...)                                                                                                  \
    (const char *const[])                                                                                              \
    {                                                                                                                  \
        __VA_ARGS__, NULL                                                                                              \
    }

struct e2e_program;

/* Start $CREST_BIN/NAME with these arguments and "--listen 127.0.0.1:0", and wait for its listening line. A command
 * comes first: e2e_start("crest-shop", E2E_ARGS("gateway")). args may be NULL. */
struct e2e_program *e2e_start(const char *name, const char *const *args);
/* The same on a port of the caller's choice (a restart); 0: a free one. */
struct e2e_program *e2e_start_at(const char *name, const char *const *args, uint16_t port);
/* Any other program (a Debian server, a script): argv[0] from PATH or /usr/sbin; not waited for. */
struct e2e_program *e2e_start_other(const char *const *argv);
/* Is the command installed? Tests of a peer begin with `if (!e2e_have("promtool")) skip();` */
bool e2e_have(const char *command);

uint16_t e2e_port(const struct e2e_program *p);
const char *e2e_url(const struct e2e_program *p); /* "http://127.0.0.1:PORT", lives as long as p */
pid_t e2e_pid(const struct e2e_program *p);
bool e2e_running(struct e2e_program *p);
char *e2e_log(const struct e2e_program *p); /* its stderr so far, from malloc */
/* A port that nobody listens on now. */
uint16_t e2e_free_port(void);

/* SIGTERM; must end with exit code 0 within 10 s (sanitizers and leaks make it another). Frees p. */
void e2e_stop(struct e2e_program *p);
/* As e2e_stop with the exit code that is expected. */
void e2e_stop_expecting(struct e2e_program *p, int status);
/* kill -9. Frees p. */
void e2e_kill(struct e2e_program *p);
void e2e_signal(struct e2e_program *p, int signal_number);
/* Run a crest program to its end (no --listen is added): its stdout, from malloc; fails when the exit code is another. */
char *e2e_run(const char *name, const char *const *args, int expected_status);
/* cmocka teardown: kills what still runs. */
int e2e_teardown(void **state);

/* One request; the body from malloc. Fails the test when the status is another (0: any 2xx) or no answer comes. */
char *e2e_get(const struct e2e_program *p, const char *path, int expected_status);
char *e2e_send(const struct e2e_program *p, const char *method, const char *path, const char *content_type,
               const char *body, int expected_status);
/* The same without failing: the status, or a negative errno; *ret_body (may be NULL) from malloc, NULL without answer. */
int e2e_try(const char *method, const char *url, const char *const *headers, struct span body, char **ret_body);

/* Call `holds` every 10 ms until it is true; fails the test when it is not within timeout_ms times
 * check_patience(). Returns the milliseconds that it took. */
#define e2e_wait(timeout_ms, holds, ctx) e2e_wait_at(timeout_ms, holds, ctx, #holds, __FILE__, __LINE__)
int64_t e2e_wait_at(int64_t timeout_ms, bool (*holds)(void *ctx), void *ctx, const char *what, const char *file,
                    int line);

/* A folder below this run's $TMPDIR; valid until the test ends. Removed by e2e_teardown. */
const char *e2e_folder(void);
/* FOLDER/NAME; eight of them are valid at a time. */
const char *e2e_path(const char *name);
/* Write a file into the folder and return its path. */
const char *e2e_write(const char *name, const char *text);
