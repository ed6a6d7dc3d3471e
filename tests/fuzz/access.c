/* access.c - any bytes as the files that say where load may go and with which password: a host is allowed only when its name stands in the file, and a netrc
 * file gives one login with its password, or nothing. */
#include <errno.h>
#include <stdlib.h>

#include "lib/base/file.h"
#include "loadgen/engine/allow_hosts.h"
#include "loadgen/engine/netrc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int __real_file_read(const char *path, size_t max_bytes, char **ret_data, size_t *ret_len);
int __wrap_file_read(const char *path, size_t max_bytes, char **ret_data, size_t *ret_len);

static struct span input; /* while a target runs: the netrc file */

int __wrap_file_read(const char *path, size_t max_bytes, char **ret_data, size_t *ret_len)
{
    if (!input.ptr) /* the corpus */
        return __real_file_read(path, max_bytes, ret_data, ret_len);
    *ret_data = span_dup(input);
    *ret_len = input.len;
    return *ret_data ? 0 : -ENOMEM;
}

static bool has_word(struct span text, struct span word)
{
    for (size_t i = 0; i + word.len <= text.len; i++)
        if (span_equal_nocase(span_of(text.ptr + i, word.len), word))
            return true;
    return false;
}

static void check_hosts(struct span text)
{
    static const struct {
        const char *host, *needed; /* what the file must have for it, beside a star */
    } HOSTS[] = {{"shop.test", "test"}, {"a.b.example", "example"}, {"10.0.0.1", "1"}, {"[2001:db8::1]", "1"}};
    struct problems ps;
    struct allow_hosts *a = NULL;
    problems_init(&ps);
    int r = allow_hosts_parse("hosts", text, &a, &ps);
    if ((r == 0) != (problems_errors(&ps) == 0) && r != -ENOMEM)
        abort();
    for (size_t i = 0; r == 0 && i < ARRAY_LEN(HOSTS); i++)
        if (allow_hosts_permits(a, span_str(HOSTS[i].host), 443) && !has_word(text, span_str(HOSTS[i].needed)))
            abort();
    if (r == 0 && !allow_hosts_permits(a, SPAN("127.0.0.1"), 80))
        abort();
    allow_hosts_free(a);
    problems_done(&ps);
}

static void check_netrc(struct span text, struct span login)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    int r = netrc_find("netrc", SPAN("shop.test"), login, &out);
    struct span found = buf_view(&out);
    if (r < 0 && r != -ENOENT && r != -ENOMEM)
        abort();
    if ((r == 0) != (span_find(found, ':') < found.len))
        abort();
    if (r == 0 && login.len && (!span_starts(found, login) || found.ptr[login.len] != ':'))
        abort();
    if (r == 0 && !has_word(text, SPAN("default")) && !has_word(text, SPAN("machine")))
        abort();
    buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct span text = span_of(n ? (const char *)data : "", n);
    check_hosts(text);
    input = text;
    check_netrc(text, SPAN(""));
    check_netrc(text, SPAN("ann"));
    input = (struct span){0};
    return 0;
}
