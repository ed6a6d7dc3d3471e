#include "lib/wire/web_config.h"

#include <crypt.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdatomic.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/thread.h"
#include "tests/support/check.h"
#include "tests/support/identity.h"

struct folder {
    char *path;
    struct identity ca, own, other;
    char hash[2][128]; /* of "open sesame" (cost 4) and of "p:ss" (cost 8) */
};

static char *path_in(const struct folder *f, const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", f->path, name);
    return path;
}

static void put(const struct folder *f, const char *name, const char *text)
{
    check_ok(file_write(path_in(f, name), text, strlen(text)));
}

static void make_hash(const char *password, const char *prefix, unsigned cost, char out[128])
{
    char salt[128];
    struct crypt_data *data = calloc(1, sizeof *data);
    assert_non_null(crypt_gensalt_rn(prefix, cost, NULL, 0, salt, sizeof salt));
    snprintf(out, 128, "%s", crypt_r(password, salt, data));
    free(data);
}

static int make_folder(void **state)
{
    struct folder *f = calloc(1, sizeof *f);
    check_ok(dir_make_temp("crest-web", &f->path));
    identity_make(&f->ca, "ca.test", NULL);
    identity_make(&f->own, "shop.test", &f->ca);
    identity_make(&f->other, "other.test", &f->ca);
    put(f, "cert.pem", f->own.certificate_pem);
    put(f, "key.pem", f->own.key_pem);
    put(f, "other.pem", f->other.key_pem);
    put(f, "ca.pem", f->ca.certificate_pem);
    put(f, "token", "  t0ken-of-the-agent\n");
    put(f, "empty", "\n");
    put(f, "lines", "a\nb\n");
    make_hash("open sesame", "$2b$", 4, f->hash[0]);
    make_hash("p:ss", "$2y$", 8, f->hash[1]);
    *state = f;
    return 0;
}

static int remove_folder(void **state)
{
    struct folder *f = *state;
    check_ok(dir_remove(f->path));
    identity_free(&f->ca);
    identity_free(&f->own);
    identity_free(&f->other);
    free(f->path);
    free(f);
    return 0;
}

/* Load a file of that text; %1 and %2 stand for the two hashes. */
static int load(const struct folder *f, const char *text, struct web_config **wc, struct problems *ps)
{
    struct buf b;
    buf_init(&b, 1u << 20);
    for (; *text; text++) {
        if (text[0] == '%' && (text[1] == '1' || text[1] == '2'))
            buf_str(&b, f->hash[*++text - '1']);
        else
            buf_char(&b, *text);
    }
    check_ok(file_write(path_in(f, "web.yml"), b.data ? b.data : "", b.len));
    buf_done(&b);
    problems_init(ps);
    return web_config_load(path_in(f, "web.yml"), wc, ps);
}

static struct web_config *must_load(const struct folder *f, const char *text)
{
    struct problems ps;
    struct web_config *wc = NULL;
    if (load(f, text, &wc, &ps) != 0) {
        problems_print(&ps, stderr);
        check_failed("did not load:\n%s", text);
    }
    problems_done(&ps);
    return wc;
}

static void expect_user(struct web_config *wc, const char *authorization, const char *user)
{
    const char *got = "unset";
    int r = web_config_check(wc, span_str(authorization), &got);
    if (r != (user ? 0 : -EACCES) || strcmp(got, user ? user : "unset") != 0)
        check_failed("'%s': %d, %s", authorization, r, got);
}

/* ---- credentials ------------------------------------------------------------------------------------------ */

#define ALADDIN "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==" /* Aladdin:open sesame, RFC 7617's example */

static void an_empty_file_asks_for_nothing(void **state)
{
    const char *const TEXTS[] = {"", "basic_auth_users:\n", "tls_server_config: {}\nbearer_token_files: {}\n"};
    for (size_t i = 0; i < ARRAY_LEN(TEXTS); i++) {
        struct web_config *wc = must_load(*state, TEXTS[i]);
        assert_false(web_config_wants_auth(wc));
        assert_false(web_config_has_tls(wc));
        assert_null(web_config_certificate(wc));
        assert_false(web_config_requires_client_certificate(wc));
        const char *user = "unset";
        check_ok(web_config_check(wc, SPAN(""), &user));
        assert_null(user);
        web_config_free(wc);
    }
    assert_false(web_config_wants_auth(NULL));
    assert_false(web_config_has_tls(NULL));
    web_config_free(NULL);
}

static void users_come_in_with_their_password_and_no_other(void **state)
{
    struct web_config *wc = must_load(*state, "basic_auth_users:\n  Aladdin: %1\n  bob: \"%2\"\n");
    assert_true(web_config_wants_auth(wc));
    for (int round = 0; round < 2; round++) { /* the second time from memory */
        expect_user(wc, ALADDIN, "Aladdin");
        expect_user(wc, "basic  QWxhZGRpbjpvcGVuIHNlc2FtZQ== ", "Aladdin");
        expect_user(wc, "Basic Ym9iOnA6c3M=", "bob");                /* bob:p:ss */
        expect_user(wc, "Basic Ym9iOm9wZW4gc2VzYW1l", NULL);         /* bob:open sesame */
        expect_user(wc, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZXg=", NULL); /* Aladdin:open sesamex */
        expect_user(wc, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQB4", NULL); /* Aladdin:open sesame\0x */
        expect_user(wc, "Basic YWxhZGRpbjpvcGVuIHNlc2FtZQ==", NULL); /* aladdin: another name */
        expect_user(wc, "Basic QWxhZGRpbjo=", NULL);                 /* Aladdin: */
        expect_user(wc, "Basic QWxhZGRpbg==", NULL);                 /* no colon */
    }
    static const char *const BROKEN[] = {"",
                                         "Basic",
                                         "Basic ",
                                         "Basic Q",
                                         "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=",
                                         "Basic ====",
                                         "Basic QWxh ZGRp",
                                         "Basic Q=Q=",
                                         "Bearer QWxhZGRpbg",
                                         "Digest QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
                                         "QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
                                         "Basic\tQWxhZGRpbjpvcGVuIHNlc2FtZQ=="};
    for (size_t i = 0; i < ARRAY_LEN(BROKEN); i++)
        expect_user(wc, BROKEN[i], NULL);
    AUTO_FREE char *giant = malloc(100001);
    memset(giant, 'A', 100000);
    memcpy(giant, "Basic ", 6);
    giant[100000] = '\0';
    expect_user(wc, giant, NULL);
    web_config_free(wc);
}

static void a_right_password_is_slow_once_and_a_wrong_one_always(void **state)
{
    struct folder *f = *state;
    struct folder slow = *f;
    make_hash("open sesame", "$2b$", 10, slow.hash[0]);
    struct web_config *wc = must_load(&slow, "basic_auth_users: {Aladdin: '%1'}\n");
    int64_t t0 = mono_us();
    expect_user(wc, ALADDIN, "Aladdin");
    int64_t first_us = mono_us() - t0;
    t0 = mono_us();
    for (int i = 0; i < 20; i++)
        expect_user(wc, ALADDIN, "Aladdin");
    int64_t later_us = (mono_us() - t0) / 20;
    assert_true(later_us * 20 < first_us);
    t0 = mono_us();
    expect_user(wc, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZXg=", NULL);
    int64_t wrong_us = mono_us() - t0;
    t0 = mono_us();
    expect_user(wc, "Basic YWxhZGRpbjpvcGVuIHNlc2FtZQ==", NULL); /* nobody's name */
    int64_t unknown_us = mono_us() - t0;
    assert_true(wrong_us * 5 > first_us && unknown_us * 5 > first_us); /* names cannot be told by the time */
    expect_user(wc, ALADDIN, "Aladdin");
    web_config_free(wc);
}

static void tokens_come_from_files_beside_the_config(void **state)
{
    struct web_config *wc = must_load(*state, "bearer_token_files: {agent: token}\n");
    assert_true(web_config_wants_auth(wc));
    expect_user(wc, "Bearer t0ken-of-the-agent", "agent");
    expect_user(wc, "bearer t0ken-of-the-agent", "agent");
    expect_user(wc, "Bearer t0ken-of-the-agen", NULL);
    expect_user(wc, "Bearer t0ken-of-the-agentx", NULL);
    expect_user(wc, "Bearer ", NULL);
    expect_user(wc, "", NULL);
    expect_user(wc, ALADDIN, NULL);
    web_config_free(wc);
    /* passwords and tokens side by side */
    wc = must_load(*state, "basic_auth_users: {Aladdin: '%1'}\nbearer_token_files: {agent: token}\n");
    expect_user(wc, ALADDIN, "Aladdin");
    expect_user(wc, "Bearer t0ken-of-the-agent", "agent");
    expect_user(wc, "Bearer open sesame", NULL);
    web_config_free(wc);
}

struct race {
    struct web_config *wc;
    atomic_int wrong;
};

static void check_often(void *arg)
{
    struct race *race = arg;
    for (int i = 0; i < 40; i++) {
        const char *user = NULL;
        if (web_config_check(race->wc, SPAN(ALADDIN), &user) != 0 || strcmp(user, "Aladdin") != 0)
            race->wrong++;
        if (web_config_check(race->wc, SPAN("Basic QWxhZGRpbjo="), &user) == 0)
            race->wrong++;
    }
}

static void checks_may_run_in_many_threads(void **state)
{
    struct race race = {.wc = must_load(*state, "basic_auth_users: {Aladdin: '%1'}\n")};
    struct thread *threads[4];
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        check_ok(thread_start("check", check_often, &race, &threads[i]));
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        thread_join(threads[i]);
    assert_int_equal(race.wrong, 0);
    web_config_free(race.wc);
}

/* ---- TLS -------------------------------------------------------------------------------------------------- */

static void certificates_are_loaded_as_pem(void **state)
{
    struct folder *f = *state;
    struct web_config *wc = must_load(f, "tls_server_config: {cert_file: cert.pem, key_file: key.pem}\n");
    assert_true(web_config_has_tls(wc));
    assert_false(web_config_wants_auth(wc));
    check_contains(web_config_certificate(wc), "-----BEGIN CERTIFICATE-----");
    check_contains(web_config_key(wc), "PRIVATE KEY-----");
    assert_null(web_config_client_ca(wc));
    web_config_free(wc);

    wc = must_load(f, "tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\n  client_ca_file: ca.pem\n"
                      "  client_auth_type: RequireAndVerifyClientCert\n  min_version: TLS13\n");
    assert_true(web_config_requires_client_certificate(wc));
    check_contains(web_config_client_ca(wc), "-----BEGIN CERTIFICATE-----");
    web_config_free(wc);

    struct buf b; /* inline twins */
    buf_init(&b, 1u << 16);
    buf_str(&b, "tls_server_config:\n  cert: |\n");
    struct span rest = span_str(f->own.certificate_pem), line;
    while (span_cut(&rest, '\n', &line))
        buf_printf(&b, "    " SPAN_FMT "\n", SPAN_ARG(line));
    buf_str(&b, "  key_file: key.pem\n");
    wc = must_load(f, b.data);
    check_contains(web_config_certificate(wc), "-----END CERTIFICATE-----");
    web_config_free(wc);
    buf_done(&b);
}

/* What a TLS version a priority string allows, by trying it. */
static bool allows(const char *priorities, gnutls_protocol_t version)
{
    gnutls_priority_t p;
    const unsigned *list;
    bool found = false;
    check_ok(gnutls_priority_init(&p, priorities, NULL));
    int n = gnutls_priority_protocol_list(p, &list);
    for (int i = 0; i < n; i++)
        found = found || list[i] == (unsigned)version;
    n = gnutls_priority_cipher_list(p, &list);
    assert_true(n > 0);
    for (int i = 0; i < n; i++)
        assert_true(list[i] == GNUTLS_CIPHER_AES_128_GCM || list[i] == GNUTLS_CIPHER_AES_256_GCM ||
                    list[i] == GNUTLS_CIPHER_CHACHA20_POLY1305);
    n = gnutls_priority_kx_list(p, &list);
    for (int i = 0; i < n; i++)
        assert_true(list[i] != GNUTLS_KX_RSA);
    gnutls_priority_deinit(p);
    return found;
}

static void versions_become_gnutls_priorities(void **state)
{
    static const struct {
        const char *keys;
        bool tls12, tls13;
    } CASES[] = {
        {"", true, true},
        {", min_version: TLS12", true, true},
        {", min_version: TLS13", false, true},
        {", max_version: TLS12", true, false},
        {", min_version: TLS10", true, true}, /* raised, with a notice */
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        char text[256];
        snprintf(text, sizeof text, "tls_server_config: {cert_file: cert.pem, key_file: key.pem%s}\n", CASES[i].keys);
        struct web_config *wc = must_load(*state, text);
        assert_int_equal(allows(web_config_priorities(wc), GNUTLS_TLS1_2), CASES[i].tls12);
        assert_int_equal(allows(web_config_priorities(wc), GNUTLS_TLS1_3), CASES[i].tls13);
        assert_false(allows(web_config_priorities(wc), GNUTLS_TLS1_1));
        web_config_free(wc);
    }
}

/* ---- problems --------------------------------------------------------------------------------------------- */

static void each_mistake_is_named_with_its_place(void **state)
{
    static const struct {
        const char *text;
        int error;
        uint32_t line, column;
        const char *words;
    } CASES[] = {
        {"basic_auth_user: {}\n", -EINVAL, 1, 1, "did you mean 'basic_auth_users'?"},
        {"basic_auth_users:\n  bob: hunter2\n", -EINVAL, 2, 8, "the password of 'bob' is not a bcrypt hash"},
        {"basic_auth_users: {bob: '$2b$31$abcdefghijklmnopqrstuuAxc3S5jxrtQOGGrKsTjBmHFKGnwZmsq'}\n", -EINVAL, 1, 25,
         "cost over 15"},
        {"basic_auth_users: {bob: '$1$abcdefgh$0123456789012345678901'}\n", -EINVAL, 1, 25, "not a bcrypt hash"},
        {"basic_auth_users: {bob: }\n", -EINVAL, 1, 25, "needs a bcrypt hash"},
        {"basic_auth_users: {'a:b': '%1'}\n", -EINVAL, 1, 27, "no ':'"},
        {"basic_auth_users: [bob]\n", -EINVAL, 1, 19, "must be a map, not a list"},
        {"bearer_token_files: {a: gone}\n", -ENOENT, 1, 25, "No such file"},
        {"bearer_token_files: {a: empty}\n", -EINVAL, 1, 25, "is empty"},
        {"bearer_token_files: {a: lines}\n", -EINVAL, 1, 25, "more than one line"},
        {"tls_server_config: {cert_file: gone.pem, key_file: key.pem}\n", -ENOENT, 1, 32, "No such file"},
        {"tls_server_config: {cert_file: cert.pem}\n", -EINVAL, 1, 20, "needs key_file"},
        {"tls_server_config: {key_file: key.pem}\n", -EINVAL, 1, 20, "needs cert_file"},
        {"tls_server_config: {cert_file: cert.pem, key_file: other.pem}\n", -EINVAL, 1, 20,
         "the key is not the certificate's"},
        {"tls_server_config: {cert_file: token, key_file: key.pem}\n", -EINVAL, 1, 20, "no PEM text"},
        {"tls_server_config: {cert_file: cert.pem, cert: x, key_file: key.pem}\n", -EINVAL, 1, 48, "both"},
        {"tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\n  min_version: TLS14\n", -EINVAL, 4, 16,
         "unknown TLS version 'TLS14'"},
        {"tls_server_config: {cert_file: cert.pem, key_file: key.pem, min_version: TLS13, max_version: TLS12}\n",
         -EINVAL, 1, 94, "leaves no TLS version"},
        {"tls_server_config: {cert_file: cert.pem, key_file: key.pem, client_auth_type: RequireAndVerifyClientCert}\n",
         -EINVAL, 1, 79, "needs client_ca_file"},
        {"tls_server_config: {cert_file: cert.pem, key_file: key.pem, client_auth_type: RequireAnyClientCert}\n",
         -EINVAL, 1, 79, "not supported"},
        {"tls_server_config: {cert_file: cert.pem, key_file: key.pem, client_auth_type: Maybe}\n", -EINVAL, 1, 79,
         "unknown client_auth_type"},
        {"tls_server_config: {cert_file: cert.pem, key_file: key.pem, client_ca_file: ca.pem}\n", -EINVAL, 1, 20,
         "does not ask for a certificate"},
        {"tls_server_config: {cert_file: cert.pem, key_file: key.pem, client_ca_file: token, "
         "client_auth_type: RequireAndVerifyClientCert}\n",
         -EINVAL, 1, 20, "client CA has no certificate"},
        {"tls_server_config: {cert_file: cert.pem, key_file: key.pem, client_ca_file: ca.pem, "
         "client_auth_type: RequireAndVerifyClientCert, client_allowed_sans: [x]}\n",
         -EINVAL, 1, 152, "client_allowed_sans is not supported"},
        {"http_server_config: {http3: true}\n", -EINVAL, 1, 22, "unknown key 'http3'"},
        {"a: [\n", -EINVAL, 2, 1, ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct problems ps;
        struct web_config *wc = NULL;
        int r = load(*state, CASES[i].text, &wc, &ps);
        if (r != CASES[i].error || ps.n != 1 || ps.list[0].line != CASES[i].line ||
            ps.list[0].column != CASES[i].column || !strstr(ps.list[0].text, CASES[i].words)) {
            problems_print(&ps, stderr);
            check_failed("result %d for %swanted %u:%u %s", r, CASES[i].text, CASES[i].line, CASES[i].column,
                         CASES[i].words);
        }
        assert_null(wc);
        if (strstr(ps.list[0].text, "hunter2")) /* somebody wrote the password itself: do not show it around */
            check_failed("a password in a message");
        problems_done(&ps);
    }
    struct problems ps;
    struct web_config *wc = NULL;
    problems_init(&ps);
    check_errno(web_config_load("/nonexistent/web.yml", &wc, &ps), -ENOENT);
    assert_int_equal(ps.n, 1);
    problems_done(&ps);
}

static void all_mistakes_come_at_once_and_unused_keys_are_noticed(void **state)
{
    struct problems ps;
    struct web_config *wc = NULL;
    check_errno(load(*state,
                     "basic_auth_users: {a: x, b: y}\nbearer_token_files: {c: gone}\n"
                     "tls_server_config: {cert_file: gone, min_version: x}\n",
                     &wc, &ps),
                -EINVAL);
    assert_int_equal(problems_errors(&ps), 5);
    problems_done(&ps);
    check_ok(load(*state,
                  "http_server_config: {http2: true, headers: {X-Frame-Options: deny}}\nrate_limit: {burst: 5}\n"
                  "tls_server_config: {cert_file: cert.pem, key_file: key.pem, cipher_suites: [X], "
                  "prefer_server_cipher_suites: true, curve_preferences: [P256]}\n",
                  &wc, &ps));
    assert_int_equal(problems_errors(&ps), 0);
    assert_int_equal(ps.n, 6);
    problems_done(&ps);
    web_config_free(wc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_file_asks_for_nothing),
        cmocka_unit_test(users_come_in_with_their_password_and_no_other),
        cmocka_unit_test(a_right_password_is_slow_once_and_a_wrong_one_always),
        cmocka_unit_test(tokens_come_from_files_beside_the_config),
        cmocka_unit_test(checks_may_run_in_many_threads),
        cmocka_unit_test(certificates_are_loaded_as_pem),
        cmocka_unit_test(versions_become_gnutls_priorities),
        cmocka_unit_test(each_mistake_is_named_with_its_place),
        cmocka_unit_test(all_mistakes_come_at_once_and_unused_keys_are_noticed),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
