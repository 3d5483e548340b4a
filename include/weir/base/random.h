/**
 * @file
 * Random numbers that a seed repeats (splitmix64): for jitter and spreading, never for secrets.
 */
#ifndef WEIR_BASE_RANDOM_H
#define WEIR_BASE_RANDOM_H

#include <stdint.h>
#include <weir/base/attr.h>

WEIR_BEGIN_DECLS

/** Makes neighbours and patterns look random; one to one. @thread any */
static inline uint64_t weir_random_mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/** 64 random bits. @param state  any seed at first @thread one at a time for a state */
static inline uint64_t weir_random_next(uint64_t *state)
{
    return weir_random_mix(*state += UINT64_C(0x9e3779b97f4a7c15));
}

/** From 0 to `limit` - 1, as even as 32 bits allow. @param limit  1 or more
 * @thread one at a time for a state */
static inline uint32_t weir_random_below(uint64_t *state, uint32_t limit)
{
    return (uint32_t)((weir_random_next(state) >> 32) * limit >> 32);
}

WEIR_END_DECLS

#endif
