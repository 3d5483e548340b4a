/* Smooth weighted round robin. Backends of one weight are a group and take turns; groups are
 * scheduled as fair tasks on one processor: the n-th call of a group has a window of steps, from
 * (n-1) to n times total / weight, and of those whose window has begun the one that ends first
 * is next. This is known to keep every window (earliest deadline first, of unit jobs), so that
 * a group is always less than one call away from its share. */
#include "balance_impl.h"
#include "heap.h"

#include <stdlib.h>

enum {
    SKIP_MAX = 1024
};

struct group {
    uint32_t first, size, next;   /* members: where they begin, how many, whose turn it is */
    uint64_t weight;              /* of all members */
    uint64_t window, window_rest; /* steps from window to window: window + window_rest / weight */
    uint64_t at, at_rest;         /* where the next window begins, or the current one ends */
};

struct weighted {
    weir_backend *const *backends;
    size_t count;
    uint32_t *members; /* places of backends, by weight */
    struct group *groups;
    size_t group_count;
    weir__heap waiting, ready; /* groups by the beginning and by the end of their windows */
    uint64_t step;             /* picks, skipped ones included */
    uint64_t random;
};

static weir_err init(void *state, const weir_balance_config *config, uint64_t seed)
{
    struct weighted *w = state;
    (void)config;
    w->random = seed;
    return WEIR_OK;
}

static void forget(struct weighted *w)
{
    free(w->members);
    free(w->groups);
    weir__heap_fini(&w->waiting);
    weir__heap_fini(&w->ready);
    *w = (struct weighted){.random = w->random};
}

static void fini(void *state)
{
    forget(state);
}

/* Scheduling. */

static struct group *next_group(struct weighted *w)
{
    w->step++;
    while (w->waiting.count && w->waiting.entries[0].key <= w->step) {
        uint32_t i = weir__heap_pop(&w->waiting);
        struct group *g = &w->groups[i];
        g->at += g->window;
        g->at_rest += g->window_rest;
        if (g->at_rest >= g->weight) {
            g->at_rest -= g->weight;
            g->at++;
        }
        weir__heap_push(&w->ready, i, g->at + (g->at_rest > 0), i);
    }
    /* There is one: if all were ahead of their shares, more calls would have been made. */
    uint32_t i = weir__heap_pop(&w->ready);
    weir__heap_push(&w->waiting, i, w->groups[i].at + 1, i);
    return &w->groups[i];
}

/* Setting. */

struct member {
    uint32_t weight, place;
};

static int by_weight(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    if (x->weight != y->weight)
        return x->weight > y->weight ? -1 : 1;
    return x->place < y->place ? -1 : 1;
}

/** Writes members and the sizes of groups. @return the weight of all */
static uint64_t make_groups(struct weighted *w, struct member *sorted)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < w->count; i++)
        sorted[i] = (struct member){weir__weight(w->backends[i]), i};
    qsort(sorted, w->count, sizeof *sorted, by_weight);
    for (uint32_t i = 0; i < w->count; i++) {
        if (i == 0 || sorted[i].weight != sorted[i - 1].weight)
            w->groups[w->group_count++] = (struct group){.first = i};
        struct group *g = &w->groups[w->group_count - 1];
        w->members[i] = sorted[i].place;
        g->size++;
        g->weight += sorted[i].weight;
        total += sorted[i].weight;
    }
    return total;
}

/** All groups begin together, and some steps are skipped, so that clients do not all begin alike.
 */
static void begin(struct weighted *w, uint64_t total)
{
    for (uint32_t i = 0; i < w->group_count; i++) {
        struct group *g = &w->groups[i];
        g->next = weir_random_below(&w->random, g->size);
        g->window = total / g->weight;
        g->window_rest = total % g->weight;
        weir__heap_push(&w->waiting, i, 1, i);
    }
    uint32_t skip = total < SKIP_MAX ? (uint32_t)total : SKIP_MAX;
    for (skip = weir_random_below(&w->random, skip); skip > 0; skip--)
        next_group(w);
}

static weir_err set(void *state, weir_backend *const *backends, size_t count)
{
    struct weighted *w = state;
    forget(w);
    if (count == 0)
        return WEIR_OK;
    struct member *sorted = malloc(count * sizeof *sorted);
    w->members = malloc(count * sizeof *w->members);
    w->groups = malloc(count * sizeof *w->groups);
    if (!sorted || !w->members || !w->groups || weir__heap_init(&w->waiting, count) ||
        weir__heap_init(&w->ready, count)) {
        free(sorted);
        forget(w);
        return WEIR_ENOMEM;
    }
    w->backends = backends;
    w->count = count;
    begin(w, make_groups(w, sorted));
    free(sorted);
    return WEIR_OK;
}

/* Picking. */

static weir_backend *pick_one(void *state, const weir_pick *pick)
{
    struct weighted *w = state;
    struct group *g = next_group(w);
    for (size_t tries = 0; tries <= pick->avoid_count && tries < g->size; tries++) {
        weir_backend *backend = w->backends[w->members[g->first + g->next]];
        g->next = g->next + 1 < g->size ? g->next + 1 : 0;
        if (!weir_pick_avoids(pick, backend))
            return backend;
    }
    size_t any = weir_random_below(&w->random, (uint32_t)w->count);
    return w->backends[weir__next_allowed(w->backends, w->count, any, pick)];
}

const weir_balancer_ops weir__weighted = {.name = "weighted_round_robin",
                                          .bytes = sizeof(struct weighted),
                                          .init = init,
                                          .set = set,
                                          .pick = pick_one,
                                          .fini = fini};
