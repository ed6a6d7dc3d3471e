#include "loadgen/command_options.h"

#include <errno.h>

#include "lib/base/buf.h"
#include "loadgen/hurl/parse.h"

static const char *const FLAGS[] = {"location",   "location-trusted", "compressed",   "insecure",
                                    "http1.0",    "http1.1",          "http2",        "ipv4",
                                    "ipv6",       "digest",           "netrc",        "netrc-optional",
                                    "path-as-is", "verbose",          "very-verbose", "no-jsonpath-coercion"};
static const struct {
    const char *given, *option;
    bool of_test; /* the other commands have another one of that name */
} TEXTS[] = {{"max-redirs", "max-redirs"},
             {"retry", "retry"},
             {"retry-interval", "retry-interval"},
             {"delay", "delay"},
             {"connect-timeout", "connect-timeout", .of_test = true},
             {"max-time", "max-time", .of_test = true},
             {"cacert", "cacert"},
             {"cert", "cert"},
             {"key", "key"},
             {"pinnedpubkey", "pinnedpubkey"},
             {"user", "user"},
             {"netrc-file", "netrc-file"},
             {"proxy", "proxy"},
             {"no-proxy", "no-proxy"},
             {"noproxy", "no-proxy"},
             {"unix-socket", "unix-socket"},
             {"limit-rate", "limit-rate"},
             {"verbosity", "verbosity"}};
static const char *const LISTS[] = {"header", "resolve", "connect-to"};

/* A value of the command line in a file's words: it starts no comment and no template. */
static void put_value(struct buf *line, const char *value)
{
    for (; *value; value++) {
        if (*value == '#' || *value == '\\')
            buf_char(line, '\\');
        if (*value == '{')
            buf_str(line, "\\u{7b}");
        else
            buf_char(line, *value);
    }
}

MUST_USE static int add(struct command_options *to, const char *name, const char *value, struct problems *ps)
{
    struct buf line;
    buf_init(&line, 1u << 20);
    buf_printf(&line, "%s: ", name);
    put_value(&line, value);
    int r = buf_error(&line) ? -ENOMEM : hurl_parse_option(to->file, buf_view(&line), &to->list[to->n], ps);
    buf_done(&line);
    if (r == 0)
        to->n++;
    return r;
}

MUST_USE static int add_user_agent(struct command_options *to, const char *name, struct problems *ps)
{
    struct buf header;
    buf_init(&header, 1u << 20);
    buf_printf(&header, "User-Agent: %s", name);
    int r = buf_error(&header) ? -ENOMEM : add(to, "header", header.data, ps);
    buf_done(&header);
    return r;
}

MUST_USE static int read_all(const struct options *o, struct command_options *to, struct problems *ps)
{
    size_t room = ARRAY_LEN(FLAGS) + ARRAY_LEN(TEXTS) + 1; /* user-agent is a header */
    for (size_t i = 0; i < ARRAY_LEN(LISTS); i++)
        room += options_list_count(o, LISTS[i]);
    int r = hurl_parse("command line", SPAN(""), &to->file, ps);
    if (r < 0)
        return r;
    to->list = arena_array(&to->file->arena, room, sizeof *to->list);
    if (!to->list)
        return -ENOMEM;
    for (size_t i = 0; i < ARRAY_LEN(FLAGS) && r == 0; i++)
        if (options_flag(o, FLAGS[i]))
            r = add(to, FLAGS[i], "true", ps);
    bool is_test = strcmp(options_command(o), "test") == 0;
    for (size_t i = 0; i < ARRAY_LEN(TEXTS) && r == 0; i++)
        if ((is_test || !TEXTS[i].of_test) && options_text(o, TEXTS[i].given))
            r = add(to, TEXTS[i].option, options_text(o, TEXTS[i].given), ps);
    for (size_t i = 0; i < ARRAY_LEN(LISTS); i++)
        for (size_t k = 0; k < options_list_count(o, LISTS[i]) && r == 0; k++)
            r = add(to, LISTS[i], options_list(o, LISTS[i], k), ps);
    if (r == 0 && options_text(o, "user-agent"))
        r = add_user_agent(to, options_text(o, "user-agent"), ps);
    return r;
}

int command_options_read(const struct options *o, struct command_options *ret)
{
    struct problems ps;
    *ret = (struct command_options){0};
    problems_init(&ps);
    int r = read_all(o, ret, &ps);
    problems_print(&ps, stderr);
    problems_done(&ps);
    if (r == -ENOMEM)
        fprintf(stderr, "crest-loadgen: %s\n", strerror(ENOMEM));
    return r;
}

void command_options_done(struct command_options *co)
{
    hurl_file_free(co->file);
}
