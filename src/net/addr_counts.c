/* Open addressing with linear probing; what follows a removed entry moves up, so that there are no
 * tombstones. */
#include "addr_counts.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

enum {
    FIRST_ROOM = 64
};

struct weir__addr_count {
    struct in6_addr host;
    unsigned count; /* 0: the place is free */
};

/** An IPv4 address in its IPv6 form. @return false: a unix socket's */
static bool host_of(const weir_addr *addr, struct in6_addr *out)
{
    if (addr->storage.ss_family == AF_INET6) {
        *out = ((const struct sockaddr_in6 *)&addr->storage)->sin6_addr;
        return true;
    }
    if (addr->storage.ss_family != AF_INET)
        return false;
    const struct sockaddr_in *sin = (const struct sockaddr_in *)&addr->storage;
    *out = (struct in6_addr){.s6_addr = {[10] = 0xff, [11] = 0xff}};
    memcpy(&out->s6_addr[12], &sin->sin_addr, sizeof sin->sin_addr);
    return true;
}

static uint32_t hash(const struct in6_addr *host)
{
    uint64_t halves[2];
    memcpy(halves, host, sizeof halves);
    uint64_t z = (halves[0] ^ (halves[1] >> 29) ^ halves[1]) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)((z ^ (z >> 32)) * UINT64_C(0xbf58476d1ce4e5b9) >> 32);
}

uint32_t weir__addr_hash(const weir_addr *addr)
{
    struct in6_addr host;
    return host_of(addr, &host) ? hash(&host) : 0;
}

void weir__addr_counts_init(weir__addr_counts *counts)
{
    *counts = (weir__addr_counts){.room = 0};
    pthread_mutex_init(&counts->lock, NULL);
}

void weir__addr_counts_fini(weir__addr_counts *counts)
{
    pthread_mutex_destroy(&counts->lock);
    free(counts->places);
}

/** Its place, or the free one where it would be. */
static size_t find(const weir__addr_counts *counts, const struct in6_addr *host)
{
    size_t at = hash(host) & (counts->room - 1);
    while (counts->places[at].count > 0 &&
           memcmp(&counts->places[at].host, host, sizeof *host) != 0)
        at = (at + 1) & (counts->room - 1);
    return at;
}

static weir_err grow(weir__addr_counts *counts)
{
    weir__addr_counts larger = {.room = counts->room ? counts->room * 2 : FIRST_ROOM};
    larger.places = calloc(larger.room, sizeof *larger.places);
    if (!larger.places)
        return WEIR_ENOMEM;
    for (size_t i = 0; i < counts->room; i++)
        if (counts->places[i].count > 0)
            larger.places[find(&larger, &counts->places[i].host)] = counts->places[i];
    free(counts->places);
    counts->places = larger.places;
    counts->room = larger.room;
    return WEIR_OK;
}

static weir_err count_one(weir__addr_counts *counts, const struct in6_addr *host, unsigned max)
{
    if ((counts->taken + 1) * 4 > counts->room * 3) {
        weir_err err = grow(counts);
        if (err)
            return err;
    }
    weir__addr_count *place = &counts->places[find(counts, host)];
    if (place->count >= max)
        return WEIR_EFULL;
    if (place->count++ == 0) {
        place->host = *host;
        counts->taken++;
    }
    return WEIR_OK;
}

weir_err weir__addr_counts_add(weir__addr_counts *counts, const weir_addr *addr, unsigned max)
{
    struct in6_addr host;
    if (!host_of(addr, &host))
        return WEIR_OK;
    pthread_mutex_lock(&counts->lock);
    weir_err err = count_one(counts, &host, max);
    pthread_mutex_unlock(&counts->lock);
    return err;
}

/** Entries behind a freed place that were displaced by it move up. */
static void close_gap(weir__addr_counts *counts, size_t gap)
{
    size_t mask = counts->room - 1;
    for (size_t at = (gap + 1) & mask; counts->places[at].count > 0; at = (at + 1) & mask) {
        size_t home = hash(&counts->places[at].host) & mask;
        if (((at - home) & mask) < ((at - gap) & mask))
            continue;
        counts->places[gap] = counts->places[at];
        counts->places[at].count = 0;
        gap = at;
    }
}

void weir__addr_counts_remove(weir__addr_counts *counts, const weir_addr *addr)
{
    struct in6_addr host;
    if (!host_of(addr, &host))
        return;
    pthread_mutex_lock(&counts->lock);
    size_t at = counts->room ? find(counts, &host) : 0;
    if (counts->room && counts->places[at].count > 0 && --counts->places[at].count == 0) {
        counts->taken--;
        close_gap(counts, at);
    }
    pthread_mutex_unlock(&counts->lock);
}
