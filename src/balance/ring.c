/* Consistent hashing: backends have places on a ring of 2^64 points, and a call goes to the first
 * place at or after its own point. Places follow from a backend's address and weight, and from how
 * many there are per unit of weight, which is rounded to eight steps per power of two: a change
 * of the list moves only the keys of the backends that came or went, unless it crosses a step. */
#include "balance_impl.h"

#include <stdlib.h>

enum {
    PLACES_MIN = 1024,
    PLACES_MAX = 4096,
    PLACES_LIMIT = 8 << 20, /* as in gRFC A42 */
    STEPS = 8
};

struct place {
    uint64_t point;
    uint32_t backend;
};

struct ring {
    weir_backend *const *backends;
    struct place *places;
    size_t count;
    unsigned min, max;
};

static weir_err init(void *state, const weir_balance_config *config, uint64_t seed)
{
    struct ring *r = state;
    (void)seed; /* all clients have the same ring */
    r->max = config->ring_max ? config->ring_max : PLACES_MAX;
    if (r->max > PLACES_LIMIT)
        r->max = PLACES_LIMIT;
    r->min = config->ring_min ? config->ring_min : PLACES_MIN;
    if (r->min > r->max)
        r->min = r->max;
    return WEIR_OK;
}

static void fini(void *state)
{
    struct ring *r = state;
    free(r->places);
}

/* Setting. */

/** The next step that is not below `value`, which is positive, and the last one not above it. */
static void steps_around(double value, double *above, double *below)
{
    double unit = 1;
    while (unit * STEPS > value)
        unit /= 2;
    while (unit * STEPS * 2 <= value)
        unit *= 2;
    *below = unit * (double)(unsigned)(value / unit);
    *above = *below < value ? *below + unit : value;
}

/** Places per unit of weight: at least ring_min in all, and enough that the lightest backend has a
 * whole one, but at most ring_max. */
static double density(const struct ring *r, weir_backend *const *backends, size_t count)
{
    uint64_t total = 0, lightest = WEIR__WEIGHT_MAX;
    double above, below, most;
    for (size_t i = 0; i < count; i++) {
        uint64_t weight = weir__weight(backends[i]);
        total += weight;
        lightest = weight < lightest ? weight : lightest;
    }
    double wanted = (double)r->min / (double)total;
    if (wanted * (double)lightest < 1)
        wanted = 1 / (double)lightest;
    steps_around((double)r->max / (double)total, &above, &most);
    steps_around(wanted, &above, &below);
    return above < most ? above : most;
}

static size_t places_of(const weir_backend *backend, double density)
{
    double places = density * weir__weight(backend);
    return places < 1 ? 1 : (size_t)(places + 0.5);
}

static int by_point(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    return x->point < y->point ? -1 : x->point > y->point;
}

static weir_err set(void *state, weir_backend *const *backends, size_t count)
{
    struct ring *r = state;
    free(r->places);
    r->places = NULL;
    r->count = 0;
    if (count == 0)
        return WEIR_OK;
    double per_weight = density(r, backends, count);
    size_t room = 0;
    for (size_t i = 0; i < count; i++)
        room += places_of(backends[i], per_weight);
    r->places = malloc(room * sizeof *r->places);
    if (!r->places)
        return WEIR_ENOMEM;
    r->backends = backends;
    for (size_t i = 0; i < count; i++) {
        uint64_t state_of_points = backends[i]->hash;
        for (size_t n = places_of(backends[i], per_weight); n > 0; n--)
            r->places[r->count++] = (struct place){weir_random_next(&state_of_points), (uint32_t)i};
    }
    qsort(r->places, r->count, sizeof *r->places, by_point);
    return WEIR_OK;
}

/* Picking. */

/** The index of the first place at or after that point; the ring closes behind the last one. */
static size_t place_at(const struct ring *r, uint64_t point)
{
    size_t low = 0, high = r->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (r->places[middle].point >= point)
            high = middle;
        else
            low = middle + 1;
    }
    return low < r->count ? low : 0;
}

static weir_backend *pick_one(void *state, const weir_pick *pick)
{
    struct ring *r = state;
    size_t first = place_at(r, weir_random_mix(pick->hash)), at = first;
    while (pick->avoid_count && weir_pick_avoids(pick, r->backends[r->places[at].backend])) {
        at = at + 1 < r->count ? at + 1 : 0;
        if (at == first)
            break;
    }
    return r->backends[r->places[at].backend];
}

const weir_balancer_ops weir__ring = {.name = "consistent_hash",
                                      .bytes = sizeof(struct ring),
                                      .init = init,
                                      .set = set,
                                      .pick = pick_one,
                                      .fini = fini};
