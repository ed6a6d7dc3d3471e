#include "tui/story.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/buf.h"

#define TAIL_BYTES 4096 /* the last lines, of which each is cut at the screen's edge */

struct story {
    char *path;
    int64_t next_look_ms;
    char text[TAIL_BYTES + 1];
    const char *lines[STORY_LINES]; /* into text, the newest first */
    struct stat seen;
};

int story_new(const char *path, struct story **ret)
{
    struct story *s = calloc(1, sizeof *s);
    if (!s || !(s->path = strdup(path))) {
        free(s);
        return -ENOMEM;
    }
    *ret = s;
    return 0;
}

void story_free(struct story *s)
{
    if (!s)
        return;
    free(s->path);
    free(s);
}

/* The newest whole lines of text: one that is not ended yet is still being written. */
static void find_lines(struct story *s)
{
    memset(s->lines, 0, sizeof s->lines);
    char *end = strrchr(s->text, '\n');
    for (size_t n = 0; end && n < STORY_LINES; n++) {
        *end = '\0';
        char *before = strrchr(s->text, '\n');
        s->lines[n] = before ? before + 1 : s->text;
        end = before;
    }
}

bool story_step(struct story *s, int64_t mono_ms)
{
    struct stat now;
    if (mono_ms < s->next_look_ms)
        return false;
    s->next_look_ms = mono_ms + STORY_EVERY_MS;
    AUTO_CLOSE int fd = open(s->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &now) < 0 || !S_ISREG(now.st_mode))
        return false; /* what was said stays said */
    if (now.st_size == s->seen.st_size && now.st_ino == s->seen.st_ino &&
        memcmp(&now.st_mtim, &s->seen.st_mtim, sizeof now.st_mtim) == 0)
        return false;
    ssize_t n = pread(fd, s->text, TAIL_BYTES, now.st_size > TAIL_BYTES ? now.st_size - TAIL_BYTES : 0);
    s->seen = now;
    s->text[n > 0 ? n : 0] = '\0';
    find_lines(s);
    return true;
}

const char *story_line(const struct story *s, size_t n)
{
    return n < STORY_LINES && s->lines[n] ? s->lines[n] : "";
}

int story_draw(const struct story *s, struct cells *c, int below)
{
    if (!s)
        return 0;
    int rows = c->h >= 36 ? STORY_LINES : c->h >= 24 ? 2 : 1;
    for (int i = 0; i < rows; i++) {
        int y = below - 1 - i;
        cells_fill(c, (struct box){0, y, c->w, 1}, ' ', i == 0 ? STYLE_NOTICE : STYLE_PLAIN);
        cells_text(c, 1, y, c->w - 2, i == 0 ? STYLE_NOTICE : STYLE_DIM, story_line(s, (size_t)i));
    }
    return rows;
}
