#include "loadgen/rehearsal/walk.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/base/limits.h"

#define MASS_LEFT 1e-9 /* of sessions still on their way: what they would add is below every digit that is shown */

/* Never sent: its @goto holds all the same. */
static bool is_skipped(const struct hurl_entry *e)
{
    for (size_t i = 0; i < e->request.n_options; i++) {
        const struct hurl_option *o = &e->request.options[i];
        if (o->def->kind == HURL_OPTION_SKIP && o->text.n == 0 && o->boolean)
            return true;
    }
    return false;
}

/* Where the sessions that end entry i go: over @goto in its order, the rest to the entry behind (engine/user.c draws the same). */
static void move_on(const struct hurl_file *f, size_t i, double mass, double *next)
{
    const struct hurl_entry *e = &f->entries[i];
    double left = mass;
    for (size_t k = 0; k < e->n_gotos; k++) {
        double part = mass * e->gotos[k].probability;
        part = part < left ? part : left;
        next[e->gotos[k].entry] += part;
        left -= part;
    }
    next[i + 1] += left;
}

/* One step of all sessions: `at` says how many stand before each entry, the last of them are over. */
static double advance(const struct hurl_file *f, bool stop_at_money, const double *at, double *next, double *visits,
                      struct walk *w)
{
    double moving = 0;
    for (size_t i = 0; i <= f->n_entries; i++)
        next[i] = 0;
    for (size_t i = 0; i < f->n_entries; i++) {
        const struct hurl_entry *e = &f->entries[i];
        if (!(at[i] > 0))
            continue;
        bool sent = !is_skipped(e);
        if (stop_at_money && sent && e->money) {
            w->buys += at[i];
            continue;
        }
        if (!stop_at_money && sent) {
            w->requests += at[i];
            w->payments += e->money ? at[i] : 0;
            visits[i] += at[i];
        }
        move_on(f, i, at[i], next);
    }
    for (size_t i = 0; i < f->n_entries; i++)
        moving += next[i];
    return moving;
}

int walk_of(const struct hurl_file *f, struct walk *ret)
{
    struct walk w = {0};
    size_t n = f->n_entries + 1;
    double *lists = calloc(3 * n, sizeof *lists);
    if (!lists)
        return -ENOMEM;
    double *visits = lists + 2 * n;
    for (int stop_at_money = 0; stop_at_money < 2; stop_at_money++) {
        double *at = lists, *next = lists + n;
        for (size_t i = 0; i < n; i++)
            at[i] = i == 0;
        for (size_t step = 0; step < SESSION_STEPS_MAX; step++) {
            double moving = advance(f, stop_at_money, at, next, visits, &w), *swap = at;
            at = next;
            next = swap;
            if (moving < MASS_LEFT)
                break;
        }
    }
    w.buys = w.buys < 1 - MASS_LEFT ? w.buys : 1;
    w.orders = w.buys; /* on whichever of its @money steps */
    for (size_t i = 0; i < f->n_entries; i++)
        if (f->entries[i].money && visits[i] > w.orders)
            w.orders = visits[i];
    free(lists);
    *ret = w;
    return 0;
}
