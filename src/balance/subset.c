/* Rendezvous: each client orders the backends in its own random way and takes the first ones. */
#include "balance_impl.h"

static uint64_t order_of(uint64_t hash, uint64_t client)
{
    return weir_random_mix(hash ^ client);
}

static size_t count_up_to(const uint64_t *hashes, size_t count, uint64_t client, uint64_t last)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++)
        found += order_of(hashes[i], client) <= last;
    return found;
}

/** The least place up to which there are `size` of them: found by halves, which needs no memory. */
static uint64_t last_of(const uint64_t *hashes, size_t count, size_t size, uint64_t client)
{
    uint64_t low = 0, high = UINT64_MAX;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        size_t found = count_up_to(hashes, count, client, middle);
        if (found == size)
            return middle;
        if (found > size)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

void weir_balance_subset(const uint64_t *hashes, size_t count, size_t size, uint64_t client,
                         bool *chosen)
{
    uint64_t key = client;
    key = weir_random_next(&key);
    uint64_t last = size > 0 && size < count ? last_of(hashes, count, size, key) : UINT64_MAX;
    for (size_t i = 0; i < count; i++) {
        chosen[i] = size > 0 && order_of(hashes[i], key) <= last;
        size -= chosen[i];
    }
}
