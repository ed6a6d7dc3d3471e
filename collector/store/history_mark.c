/* The progress file of a history import: what is finished, and how far the name at hand has come.
 *
 *   crest history import 1 to TO_MS from URL
 *   done MATCH UNTIL_MS NAME        a finished name, percent-encoded
 *   next MATCH NEXT_MS NAME         the last line: all before NEXT_MS is stored; overwritten in place
 *
 * A line is written after the store has acknowledged what it tells, so a lost one costs a window that comes twice. Both kinds
 * of a name's line have the same length; a torn one is not read. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/store/history_inside.h"
#include "lib/base/file.h"
#include "lib/base/number.h"
#include "lib/wire/url.h"

#define MARK_BYTES_MAX (256u << 20)
#define NAMES_MAX 10000000u
#define LINE_BYTES_MAX (512u << 10) /* a name of 64 KB, percent-encoded */
#define HEAD "crest history import 1 to "

static void put_key(struct buf *out, size_t match, struct span name)
{
    buf_printf(out, "%zu ", match);
    url_encode(out, name);
}

static uint64_t hash_of(const struct history *h)
{
    struct buf text;
    buf_init(&text, LINE_BYTES_MAX);
    buf_printf(&text, "%" PRId64 " %" PRId64 " %s", h->from_ms, h->to_is_now ? INT64_MAX : h->to_ms, h->url);
    for (size_t i = 0; i < h->n_selections; i++)
        history_selector(&text, &h->selections[i], SPAN(""));
    uint64_t hash = hash_bytes(text.data, text.len, 0);
    buf_done(&text);
    return hash;
}

/* "done 0 00000001732233600000 up" or "next …". true: the name is finished, and more may follow. */
static bool take_line(struct history_mark *m, struct span line)
{
    struct span rest = line, word, match, time;
    int64_t ms;
    bool more = false;
    if (!span_cut(&rest, ' ', &word) || !span_cut(&rest, ' ', &match) || !span_cut(&rest, ' ', &time) || !rest.len ||
        parse_i64_span(time, 0, INT64_MAX, &ms) < 0)
        return false;
    struct buf text;
    buf_init(&text, LINE_BYTES_MAX);
    buf_printf(&text, SPAN_FMT " " SPAN_FMT, SPAN_ARG(match), SPAN_ARG(rest));
    if (!buf_error(&text) && span_equal(word, SPAN("done"))) {
        more = strmap_put(&m->done, buf_view(&text), NULL) == 0;
        m->end += more ? (off_t)line.len + 1 : 0;
    } else if (!buf_error(&text) && span_equal(word, SPAN("next"))) {
        m->at = buf_take(&text, NULL);
        m->at_ms = ms;
    }
    buf_done(&text);
    return more;
}

/* true: the file is one of ours and was read. */
static bool take_file(struct history_mark *m, struct history *h, struct span text)
{
    struct span rest = text, line, to;
    int64_t to_ms;
    if (span_find(rest, '\n') == rest.len || !span_cut(&rest, '\n', &line) || !span_starts(line, SPAN(HEAD)))
        return false;
    m->end = (off_t)line.len + 1;
    line = span_from(line, strlen(HEAD));
    if (!span_cut(&line, ' ', &to) || parse_i64_span(to, 0, INT64_MAX, &to_ms) < 0)
        return false;
    h->to_ms = to_ms;
    while (rest.len && span_find(rest, '\n') < rest.len && span_cut(&rest, '\n', &line) && take_line(m, line))
        continue; /* behind the first that is not finished may be the rest of a longer line */
    return true;
}

static int begin_file(struct history_mark *m, const struct history *h)
{
    struct buf head;
    buf_init(&head, LINE_BYTES_MAX);
    buf_printf(&head, HEAD "%" PRId64 " from ", h->to_ms);
    buf_printf(&head, "%s\n", h->url);
    int r = buf_error(&head);
    if (r == 0)
        r = file_write(m->path, head.data, head.len);
    m->end = (off_t)head.len;
    buf_done(&head);
    return r;
}

int history_mark_open(struct history_mark *m, struct history *h, char *why, size_t why_bytes)
{
    char *text = NULL;
    size_t n = 0;
    *m = (struct history_mark){.fd = -1};
    strmap_init(&m->done, NAMES_MAX);
    if (asprintf(&m->path, "%s/import-%016" PRIx64 ".progress", h->dir, hash_of(h)) < 0) {
        m->path = NULL;
        return -ENOMEM;
    }
    int r = file_read(m->path, MARK_BYTES_MAX, &text, &n);
    if (r == 0)
        h->resumed = take_file(m, h, span_of(text, n));
    free(text);
    if (r == -ENOENT || (r == 0 && !h->resumed))
        r = begin_file(m, h);
    if (r == 0 && (m->fd = open(m->path, O_WRONLY | O_CLOEXEC)) < 0)
        r = -errno;
    if (r < 0)
        (void)snprintf(why, why_bytes, "%s: %s", m->path, strerror(-r));
    return r;
}

bool history_mark_done(const struct history_mark *m, size_t match, struct span name, int64_t *ret_next_ms)
{
    struct buf key;
    buf_init(&key, LINE_BYTES_MAX);
    put_key(&key, match, name);
    bool done = strmap_has(&m->done, buf_view(&key));
    if (!done && m->at && span_equal(buf_view(&key), span_str(m->at)))
        *ret_next_ms = m->at_ms;
    buf_done(&key);
    return done;
}

int history_mark_put(struct history_mark *m, size_t match, struct span name, int64_t next_ms, bool finished)
{
    struct buf line;
    buf_init(&line, LINE_BYTES_MAX);
    buf_printf(&line, "%s %zu %020" PRId64 " ", finished ? "done" : "next", match, next_ms);
    url_encode(&line, name);
    buf_char(&line, '\n');
    int r = buf_error(&line);
    ssize_t n = r == 0 ? pwrite(m->fd, line.data, line.len, m->end) : 0;
    if (r == 0 && n != (ssize_t)line.len)
        r = n < 0 ? -errno : -ENOSPC;
    if (r == 0 && finished)
        m->end += (off_t)line.len;
    buf_done(&line);
    return r;
}

void history_mark_close(struct history_mark *m, bool complete)
{
    if (m->fd >= 0)
        close(m->fd);
    if (complete && m->path)
        (void)unlink(m->path);
    strmap_done(&m->done);
    free(m->path);
    free(m->at);
}
