#include "shop/faults.h"

#include <errno.h>
#include <stddef.h>

#include "lib/base/hash.h"

const struct fault_field CACHE_FIELDS[] = {{"enabled", FAULT_BOOL, offsetof(struct shop_faults, cache_enabled)},
                                           {"ttl_ms", FAULT_MS, offsetof(struct shop_faults, cache_ttl_ms)},
                                           {"origin_ms", FAULT_MS, offsetof(struct shop_faults, cache_origin_ms)},
                                           {0}};
const struct fault_field DB_FIELDS[] = {{"latency_ms", FAULT_MS, offsetof(struct shop_faults, db_latency_ms)}, {0}};
const struct fault_field SHOP_FIELDS[] = {{"latency_ms", FAULT_MS, offsetof(struct shop_faults, shop_latency_ms)},
                                          {"error_ratio", FAULT_RATIO, offsetof(struct shop_faults, shop_error_ratio)},
                                          {0}};
const struct fault_field GATEWAY_FIELDS[] = {
    {"latency_ms", FAULT_MS, offsetof(struct gateway_faults, latency_ms)},
    {"jitter_ms", FAULT_MS, offsetof(struct gateway_faults, jitter_ms)},
    {"decline_ratio", FAULT_RATIO, offsetof(struct gateway_faults, decline_ratio)},
    {"error_ratio", FAULT_RATIO, offsetof(struct gateway_faults, error_ratio)},
    {"hang_ratio", FAULT_RATIO, offsetof(struct gateway_faults, hang_ratio)},
    {"rate_limit_rps", FAULT_RATE, offsetof(struct gateway_faults, rate_limit_rps)},
    {0}};

static const struct fault_field *field_of(const struct fault_field *fields, const char *name)
{
    for (; fields->name; fields++)
        if (strcmp(fields->name, name) == 0)
            return fields;
    return NULL;
}

static bool value_fits(const struct fault_field *f, const json_t *v)
{
    switch (f->type) {
    case FAULT_MS:
        return json_is_integer(v) && json_integer_value(v) >= 0 && json_integer_value(v) <= 600000;
    case FAULT_RATIO:
        return json_is_number(v) && json_number_value(v) >= 0 && json_number_value(v) <= 1;
    case FAULT_RATE:
        return json_is_number(v) && json_number_value(v) >= 0 && json_number_value(v) <= 1e6;
    case FAULT_BOOL:
        return json_is_boolean(v);
    }
    return false;
}

int faults_read(const json_t *object, const struct fault_field *fields, void *into, char *why, size_t why_bytes)
{
    const char *name;
    json_t *v;
    if (!json_is_object(object)) {
        snprintf(why, why_bytes, "an object is wanted here");
        return -EINVAL;
    }
    json_object_foreach((json_t *)object, name, v)
    {
        const struct fault_field *f = field_of(fields, name);
        if (!f || !value_fits(f, v)) {
            snprintf(why, why_bytes, f ? "'%s' has a value out of range" : "'%s' is not a fault", name);
            return -EINVAL;
        }
    }
    json_object_foreach((json_t *)object, name, v)
    {
        const struct fault_field *f = field_of(fields, name);
        char *at = (char *)into + f->offset;
        if (f->type == FAULT_MS)
            atomic_store((atomic_llong *)(void *)at, json_integer_value(v));
        else if (f->type == FAULT_BOOL)
            atomic_store((atomic_bool *)(void *)at, json_is_true(v));
        else
            atomic_store((_Atomic double *)(void *)at, json_number_value(v));
    }
    return 0;
}

void faults_write(struct json_writer *j, const struct fault_field *fields, const void *from)
{
    jw_object(j);
    for (; fields->name; fields++) {
        const char *at = (const char *)from + fields->offset;
        jw_key(j, fields->name);
        if (fields->type == FAULT_MS)
            jw_i64(j, atomic_load((const atomic_llong *)(const void *)at));
        else if (fields->type == FAULT_BOOL)
            jw_bool(j, atomic_load((const atomic_bool *)(const void *)at));
        else
            jw_f64(j, atomic_load((const _Atomic double *)(const void *)at));
    }
    jw_end(j);
}

double random_ratio(void)
{
    static _Thread_local uint64_t state;
    if (state == 0)
        state = hash_bytes(&state, sizeof(void *), hash_seed() ^ (uint64_t)(uintptr_t)&state) | 1;
    state ^= state << 13; /* xorshift64 */
    state ^= state >> 7;
    state ^= state << 17;
    return (double)(state >> 11) * 0x1p-53;
}
