#include "collector/ask_rooms.h"

#include <errno.h>
#include <sys/stat.h>

int ask_rooms_open(const char *dir, struct ask_rooms *rooms)
{
    char why[512] = "";
    struct stat st;
    *rooms = (struct ask_rooms){0};
    if (stat(dir, &st) < 0 || !S_ISDIR(st.st_mode)) { /* a typing error must not make a new store */
        fprintf(stderr, "crest-collector: %s is no data folder\n", dir);
        return -ENOENT;
    }
    struct store_config config = {.path = dir}; /* no retention: a command drops nothing */
    const struct state_room *const all[] = {&ANNOTATIONS_STATE_ROOM, &EVENTS_STATE_ROOM, &FIRINGS_STATE_ROOM};
    int r = store_open(&config, &rooms->store, why, sizeof why);
    if (r == -EWOULDBLOCK) {
        fprintf(stderr, "crest-collector: a collector has %s open: ask it with --url\n", dir);
        return r;
    }
    if (r == 0)
        r = state_open(dir, all, ARRAY_LEN(all), &rooms->state, why, sizeof why);
    if (r == 0)
        r = query_local_new(rooms->store, NULL, &rooms->query);
    if (r == 0)
        r = annotations_open(rooms->state, &rooms->annotations);
    if (r == 0)
        r = events_open(rooms->state, rooms->store, &rooms->events);
    if (r == 0)
        r = firings_open(rooms->state, &rooms->firings);
    if (r < 0)
        fprintf(stderr, "crest-collector: %s: %s\n", dir, why[0] ? why : strerror(-r));
    return r;
}

void ask_rooms_close(struct ask_rooms *rooms)
{
    query_free(rooms->query);
    store_close(rooms->store);
    state_close(rooms->state);
    annotations_free(rooms->annotations);
    events_free(rooms->events);
    firings_free(rooms->firings);
}
