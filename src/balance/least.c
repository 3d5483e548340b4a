/* Least outstanding: the backend with the fewest calls for its weight. Of equals the one that has
 * been at it for longest, so that idle backends take turns and a slow one is not first in line. */
#include "balance_impl.h"
#include "heap.h"

enum {
    CHOICES_MAX = 10 /* gRFC A48 */
};

struct least {
    weir_backend *const *backends;
    size_t count;
    unsigned choices; /* 0: all, in the heap */
    weir__heap heap;  /* places, by load */
    uint64_t changes;
    uint64_t random;
};

static weir_err init(void *state, const weir_balance_config *config, uint64_t seed)
{
    struct least *l = state;
    l->choices = config->choices < CHOICES_MAX ? config->choices : CHOICES_MAX;
    l->random = seed;
    return WEIR_OK;
}

static void fini(void *state)
{
    struct least *l = state;
    weir__heap_fini(&l->heap);
}

static uint64_t load_of(const weir_backend *backend, unsigned more)
{
    return (((uint64_t)backend->outstanding + more) << 24) / weir__weight(backend);
}

static weir_err set(void *state, weir_backend *const *backends, size_t count)
{
    struct least *l = state;
    weir__heap_fini(&l->heap);
    if (l->choices == 0 && weir__heap_init(&l->heap, count))
        return WEIR_ENOMEM;
    l->backends = backends;
    l->count = count;
    if (l->choices || !count)
        return WEIR_OK;
    size_t at = weir_random_below(&l->random, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        weir__heap_push(&l->heap, (uint32_t)at, load_of(backends[at], 0), ++l->changes);
        at = at + 1 < count ? at + 1 : 0;
    }
    return WEIR_OK;
}

/** The least one, after those whose load has changed behind our back have found their places. */
static uint32_t least_of_all(struct least *l)
{
    for (;;) {
        const weir__heap_entry *top = &l->heap.entries[0];
        uint64_t load = load_of(l->backends[top->item], 0);
        if (load == top->key)
            return top->item;
        weir__heap_move(&l->heap, top->item, load, top->tie);
    }
}

/** Those to be avoided are out of the heap for the moment. */
static uint32_t least_allowed(struct least *l, const weir_pick *pick)
{
    size_t hidden = 0;
    uint32_t first = least_of_all(l), item = first;
    while (weir_pick_avoids(pick, l->backends[item])) {
        weir__heap_pop(&l->heap);
        hidden++;
        if (l->heap.count == 0) {
            item = first;
            break;
        }
        item = least_of_all(l);
    }
    while (hidden-- > 0)
        weir__heap_unpop(&l->heap);
    return item;
}

static weir_backend *least_of_some(struct least *l, const weir_pick *pick)
{
    weir_backend *best = NULL;
    for (unsigned i = 0; i < l->choices; i++) {
        size_t at = weir_random_below(&l->random, (uint32_t)l->count);
        weir_backend *b = l->backends[weir__next_allowed(l->backends, l->count, at, pick)];
        if (!best || load_of(b, 0) < load_of(best, 0))
            best = b;
    }
    return best;
}

static weir_backend *pick_one(void *state, const weir_pick *pick)
{
    struct least *l = state;
    if (l->choices)
        return least_of_some(l, pick);
    uint32_t item = pick->avoid_count ? least_allowed(l, pick) : least_of_all(l);
    weir__heap_move(&l->heap, item, load_of(l->backends[item], 1), ++l->changes);
    return l->backends[item];
}

static void done(void *state, weir_backend *backend, const weir_outcome *outcome)
{
    struct least *l = state;
    (void)outcome;
    if (!l->choices)
        weir__heap_move(&l->heap, backend->place, load_of(backend, 0), ++l->changes);
}

const weir_balancer_ops weir__least_outstanding = {.name = "least_outstanding",
                                                   .bytes = sizeof(struct least),
                                                   .init = init,
                                                   .set = set,
                                                   .pick = pick_one,
                                                   .done = done,
                                                   .fini = fini};
