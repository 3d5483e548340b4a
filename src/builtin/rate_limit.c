/* GCRA: each slot holds the time at which its bucket would be empty again. A call moves it on by
 * one interval, and is refused if that lies further ahead than the burst. */
#include <weir/builtin/rate_limit.h>

#include <stdatomic.h>
#include <stdlib.h>

#include "client_key.h"

enum {
    DEFAULT_SLOTS = 4096,
    MOST_SLOTS = 1 << 24
};

struct weir_rate_limiter {
    weir_rate_key key;
    int64_t interval_ns; /* per call */
    int64_t burst_ns;
    uint32_t mask;
    atomic_llong empty_ns[]; /* any thread */
};

static uint32_t slots_of(const weir_rate_limit_opts *opts)
{
    if (opts->key == WEIR_RATE_ALL && !opts->slots)
        return 1;
    uint32_t wanted = opts->slots ? opts->slots : DEFAULT_SLOTS, slots = 1;
    while (slots < wanted && slots < MOST_SLOTS)
        slots *= 2;
    return slots;
}

weir_err weir_rate_limiter_new(weir_rate_limiter **out, const weir_rate_limit_opts *opts)
{
    if (!(opts->per_second > 1e-6 && opts->per_second <= 1e9))
        return WEIR_EINVAL;
    uint32_t slots = slots_of(opts);
    weir_rate_limiter *limiter = calloc(1, sizeof *limiter + slots * sizeof *limiter->empty_ns);
    if (!limiter)
        return WEIR_ENOMEM;
    double burst = opts->burst ? opts->burst : opts->per_second > 1 ? opts->per_second : 1;
    limiter->key = opts->key;
    limiter->interval_ns = (int64_t)(1e9 / opts->per_second);
    limiter->burst_ns = (int64_t)(burst * (double)limiter->interval_ns);
    limiter->mask = slots - 1;
    *out = limiter;
    return WEIR_OK;
}

void weir_rate_limiter_free(weir_rate_limiter *limiter)
{
    free(limiter);
}

/** Who finds keys that share a place shares its limit, which is less for them. */
static uint32_t place_of(const weir_rate_limiter *limiter, weir_str key)
{
    return weir__client_hash(key) & limiter->mask;
}

bool weir_rate_limiter_take(weir_rate_limiter *limiter, weir_str key, weir_time now,
                            int64_t *wait_us)
{
    atomic_llong *slot = &limiter->empty_ns[place_of(limiter, key)];
    long long now_ns = now.us * 1000, empty = atomic_load_explicit(slot, memory_order_relaxed);
    for (;;) {
        long long next = (empty > now_ns ? empty : now_ns) + limiter->interval_ns;
        if (next - now_ns > limiter->burst_ns) {
            if (wait_us)
                *wait_us = (next - now_ns - limiter->burst_ns + 999) / 1000;
            return false;
        }
        if (atomic_compare_exchange_weak_explicit(slot, &empty, next, memory_order_relaxed,
                                                  memory_order_relaxed))
            return true;
    }
}

static void limit(weir_call *call, void *state WEIR_UNUSED, void *user)
{
    weir_rate_limiter *limiter = user;
    weir_addr peer;
    weir_str key = WEIR_STR("");
    if (limiter->key == WEIR_RATE_PER_METHOD) {
        key = weir_str_from(weir_call_method(call)->path);
    } else if (limiter->key == WEIR_RATE_PER_IDENTITY) {
        key = weir_call_identity(call);
    } else if (limiter->key == WEIR_RATE_PER_ADDRESS) {
        peer = weir_call_peer(call);
        key = weir__client_address(&peer);
    }
    int64_t wait_us;
    if (!weir_rate_limiter_take(limiter, key, weir_loop_now(weir_call_loop(call)), &wait_us))
        weir_call_fail(call, WEIR_STATUS_RESOURCE_EXHAUSTED, "too many calls: try again in %lld ms",
                       (long long)(wait_us + 999) / 1000);
}

const weir_interceptor weir_rate_limit = {.name = "rate-limit", .open = limit};
