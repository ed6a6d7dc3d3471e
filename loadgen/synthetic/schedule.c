#include "loadgen/synthetic/schedule.h"

#include "lib/base/hash.h"

#define SEED 0x637265737473796eu /* fixed: places are the same after a restart */

struct schedule schedule_of(struct span prober, struct span journey, int64_t every_ms)
{
    uint64_t hash = hash_bytes(journey.ptr, journey.len, hash_bytes(prober.ptr, prober.len, SEED));
    int64_t room_ms = every_ms - every_ms / 10;
    return (struct schedule){hash, every_ms, (int64_t)(hash % (uint64_t)room_ms)};
}

int64_t schedule_due_ms(const struct schedule *s, int64_t k)
{
    int64_t jitter_max_ms = s->every_ms / 10;
    int64_t jitter_ms = jitter_max_ms ? (int64_t)(hash_bytes(&k, sizeof k, s->hash) % (uint64_t)jitter_max_ms) : 0;
    return k * s->every_ms + s->phase_ms + jitter_ms;
}

int64_t schedule_first(const struct schedule *s, int64_t now_ms)
{
    int64_t k = now_ms / s->every_ms;
    return schedule_due_ms(s, k) >= now_ms ? k : k + 1;
}
