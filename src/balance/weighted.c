/* Smooth weighted round robin. Backends of one weight are a class and take turns; classes are
 * scheduled as fair tasks on one processor: the n-th call of a class has a window of steps, from
 * (n-1) to n times total / weight, and of those whose window has begun the one that ends first
 * is next. So no class is a call ahead of its share, nor, but for where it begins, behind it. */
#include "balance_impl.h"
#include "heap.h"

#include <stdlib.h>

struct class
{
    uint32_t first, size, next;   /* members: where they begin, how many, whose turn it is */
    uint64_t weight;              /* of all members */
    uint64_t window, window_rest; /* steps from window to window: window + window_rest / weight */
    uint64_t at, at_rest;         /* where the next window begins, or the current one ends */
};

struct weighted {
    weir_backend *const *backends;
    size_t count;
    uint32_t *members; /* places of backends, by weight */
    struct class *classes;
    size_t class_count;
    weir__heap waiting, ready; /* classes by the beginning and by the end of their windows */
    uint64_t step;             /* picks since the list was set, and something */
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
    free(w->classes);
    weir__heap_fini(&w->waiting);
    weir__heap_fini(&w->ready);
    *w = (struct weighted){.random = w->random};
}

static void fini(void *state)
{
    forget(state);
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

/** Writes members and the sizes of classes. @return the weight of all */
static uint64_t make_classes(struct weighted *w, struct member *sorted)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < w->count; i++)
        sorted[i] = (struct member){weir__weight(w->backends[i]), i};
    qsort(sorted, w->count, sizeof *sorted, by_weight);
    for (uint32_t i = 0; i < w->count; i++) {
        if (i == 0 || sorted[i].weight != sorted[i - 1].weight)
            w->classes[w->class_count++] = (struct class){.first = i};
        struct class *c = &w->classes[w->class_count - 1];
        w->members[i] = sorted[i].place;
        c->size++;
        c->weight += sorted[i].weight;
        total += sorted[i].weight;
    }
    return total;
}

/** A class by weight: what has the first call. */
static uint32_t draw_class(struct weighted *w, uint64_t total)
{
    uint64_t at = (weir_random_next(&w->random) >> 40) * total >> 24;
    for (uint32_t i = 0; i + 1 < w->class_count; i++) {
        if (at < w->classes[i].weight)
            return i;
        at -= w->classes[i].weight;
    }
    return (uint32_t)w->class_count - 1;
}

/** The first window began so long ago, in steps times weight: less than the total. */
static void begin_class(struct weighted *w, uint32_t index, uint64_t total, uint64_t ago)
{
    struct class *c = &w->classes[index];
    c->next = weir_random_below(&w->random, c->size);
    c->window = total / c->weight;
    c->window_rest = total % c->weight;
    c->at = total - (ago + c->weight - 1) / c->weight;
    c->at_rest = ago % c->weight ? c->weight - ago % c->weight : 0;
    weir__heap_push(&w->waiting, index, c->at + 1, index);
}

/** As if it had been running for long: one class is in the last step of its window, which makes it
 * the first to be picked, the others are anywhere before that. */
static void begin(struct weighted *w, uint64_t total)
{
    const uint64_t golden = UINT64_C(0x9e3779b97f4a7c15);
    uint64_t phase = weir_random_next(&w->random);
    uint32_t first = draw_class(w, total);
    w->step = total;
    for (uint32_t i = 0; i < w->class_count; i++) {
        uint64_t weight = w->classes[i].weight;
        uint64_t part = i == first ? weight : total - weight;
        uint64_t ago = ((phase += golden) >> 40) * part >> 24;
        begin_class(w, i, total, i == first ? total - weight + ago : ago);
    }
}

static weir_err set(void *state, weir_backend *const *backends, size_t count)
{
    struct weighted *w = state;
    forget(w);
    if (count == 0)
        return WEIR_OK;
    struct member *sorted = malloc(count * sizeof *sorted);
    w->members = malloc(count * sizeof *w->members);
    w->classes = malloc(count * sizeof *w->classes);
    if (!sorted || !w->members || !w->classes || weir__heap_init(&w->waiting, count) ||
        weir__heap_init(&w->ready, count)) {
        free(sorted);
        forget(w);
        return WEIR_ENOMEM;
    }
    w->backends = backends;
    w->count = count;
    begin(w, make_classes(w, sorted));
    free(sorted);
    return WEIR_OK;
}

/* Picking. */

static struct class *next_class(struct weighted *w)
{
    w->step++;
    while (w->waiting.count && w->waiting.entries[0].key <= w->step) {
        uint32_t i = weir__heap_pop(&w->waiting);
        struct class *c = &w->classes[i];
        c->at += c->window;
        c->at_rest += c->window_rest;
        if (c->at_rest >= c->weight) {
            c->at_rest -= c->weight;
            c->at++;
        }
        weir__heap_push(&w->ready, i, c->at + (c->at_rest > 0), i);
    }
    /* Classes that are all ahead of their shares would have had more calls than were made. */
    uint32_t i = weir__heap_pop(&w->ready);
    weir__heap_push(&w->waiting, i, w->classes[i].at + 1, i);
    return &w->classes[i];
}

static weir_backend *pick_one(void *state, const weir_pick *pick)
{
    struct weighted *w = state;
    struct class *c = next_class(w);
    for (size_t tries = 0; tries <= pick->avoid_count && tries < c->size; tries++) {
        weir_backend *backend = w->backends[w->members[c->first + c->next]];
        c->next = c->next + 1 < c->size ? c->next + 1 : 0;
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
