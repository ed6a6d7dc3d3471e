#include "loadgen/live.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/base/daemon.h"
#include "lib/term/term.h"
#include "loadgen/live_view.h"

#define CTRL_C 3 /* the terminal sends it as a key */

struct live {
    struct terminal *terminal;
    struct cells cells;
    struct live_view view;
    enum graph_mode mode;
    bool any; /* a tick has come */
};

static void draw(struct live *l)
{
    if (!l->any)
        return;
    int w = term_width(l->terminal), h = term_height(l->terminal);
    if ((l->cells.w != w || l->cells.h != h) && cells_resize(&l->cells, w, h) < 0)
        return;
    live_view_draw(&l->view, &l->cells, l->mode);
    term_draw(l->terminal, &l->cells);
}

int live_open(const struct run_config *config, double planned_s, struct live **ret)
{
    static const enum graph_mode BEST[] = {
        [TERM_ASCII] = GRAPH_ASCII, [TERM_BLOCK] = GRAPH_BLOCK, [TERM_BRAILLE] = GRAPH_BRAILLE};
    const char *why;
    struct live *l = calloc(1, sizeof *l);
    if (!l)
        return -ENOMEM;
    int r = live_view_init(&l->view, config, planned_s);
    if (r == 0)
        r = term_open(&(struct term_options){.no_mouse = true, .on_stop = daemon_on_stop}, &l->terminal, &why);
    if (r == 0)
        r = cells_init(&l->cells, term_width(l->terminal), term_height(l->terminal));
    if (r < 0) {
        live_close(l);
        return r;
    }
    l->mode = BEST[term_glyphs_of(NULL)];
    l->cells.ascii = l->mode == GRAPH_ASCII;
    *ret = l;
    return 0;
}

void live_close(struct live *l)
{
    if (!l)
        return;
    term_close(l->terminal);
    cells_done(&l->cells);
    live_view_done(&l->view);
    free(l);
}

void live_tick(struct live *l, const struct run_tick *tick)
{
    if (live_view_update(&l->view, tick) < 0)
        return; /* without memory for a second's view the last one stays */
    l->any = true;
    draw(l);
}

bool live_poll(struct live *l, unsigned stops)
{
    struct term_event event;
    bool asked = false;
    bool changed = stops != l->view.stops;
    while (term_read(l->terminal, &event) == 1) {
        changed |= event.type == TERM_EVENT_RESIZE;
        asked |= event.type == TERM_EVENT_KEY && (event.key == CTRL_C || event.key == 'q');
    }
    l->view.stops = stops;
    if (changed)
        draw(l);
    return asked;
}
