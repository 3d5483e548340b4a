/* Lists of endpoints. An open-addressed table finds addresses that are there already. */
#include <weir/naming/endpoint.h>

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

enum {
    FIRST_ROOM = 8,
    LIST_BYTES = 256 << 20
};

struct weir_endpoints {
    atomic_uint refs;
    size_t count, room;
    weir_endpoint *items;
    uint32_t *places; /* index + 1 of the item whose hash leads here; room * 2 of them */
    weir_arena texts;
};

weir_err weir_endpoints_new(weir_endpoints **out)
{
    weir_endpoints *list = calloc(1, sizeof *list);
    if (!list)
        return WEIR_ENOMEM;
    atomic_init(&list->refs, 1);
    weir_arena_init(&list->texts, NULL, LIST_BYTES);
    *out = list;
    return WEIR_OK;
}

weir_endpoints *weir_endpoints_ref(weir_endpoints *list)
{
    atomic_fetch_add_explicit(&list->refs, 1, memory_order_relaxed);
    return list;
}

void weir_endpoints_unref(weir_endpoints *list)
{
    if (!list || atomic_fetch_sub_explicit(&list->refs, 1, memory_order_acq_rel) > 1)
        return;
    weir_arena_fini(&list->texts);
    free(list->items);
    free(list->places);
    free(list);
}

size_t weir_endpoints_count(const weir_endpoints *list)
{
    return list->count;
}

const weir_endpoint *weir_endpoints_at(const weir_endpoints *list, size_t index)
{
    return &list->items[index];
}

static bool same(const weir_endpoint *a, const weir_endpoint *b)
{
    return weir_str_eq(a->address, b->address) && a->weight == b->weight &&
           weir_str_eq(a->zone, b->zone) && weir_str_eq(a->metadata, b->metadata);
}

bool weir_endpoints_equal(const weir_endpoints *a, const weir_endpoints *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (!same(&a->items[i], &b->items[i]))
            return false;
    return true;
}

/* Finding. */

/** FNV-1a. */
static size_t hash_of(weir_str s)
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < s.len; i++)
        hash = (hash ^ (unsigned char)s.ptr[i]) * 1099511628211u;
    return (size_t)(hash ^ hash >> 29);
}

/** The place of that address, or the empty one where it would go. */
static uint32_t *place_of(const weir_endpoints *list, weir_str address)
{
    size_t mask = list->room * 2 - 1;
    for (size_t i = hash_of(address);; i++) {
        uint32_t *place = &list->places[i & mask];
        if (*place == 0 || weir_str_eq(list->items[*place - 1].address, address))
            return place;
    }
}

static weir_err grow(weir_endpoints *list)
{
    size_t room = list->room ? list->room * 2 : FIRST_ROOM;
    uint32_t *places = calloc(room * 2, sizeof *places);
    weir_endpoint *items = places ? realloc(list->items, room * sizeof *items) : NULL;
    if (!items) {
        free(places);
        return WEIR_ENOMEM;
    }
    free(list->places);
    list->items = items;
    list->places = places;
    list->room = room;
    for (size_t i = 0; i < list->count; i++)
        *place_of(list, items[i].address) = (uint32_t)i + 1;
    return WEIR_OK;
}

/* Adding. */

static bool is_address(weir_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] <= ' ' || s.ptr[i] == 0x7f)
            return false;
    return s.len > 0 && s.len <= WEIR_ENDPOINT_ADDRESS_MAX;
}

static bool copy(weir_arena *arena, weir_str *out, weir_str s)
{
    *out = weir_arena_printf(arena, "%.*s", WEIR_STR_ARGS(s));
    return out->ptr;
}

weir_err weir_endpoints_add(weir_endpoints *list, const weir_endpoint *endpoint)
{
    weir_endpoint e = {.weight = endpoint->weight ? endpoint->weight : 1};
    if (!is_address(endpoint->address))
        return WEIR_EINVAL;
    if (list->count > 0 && *place_of(list, endpoint->address))
        return WEIR_OK;
    if (list->count >= WEIR_ENDPOINTS_MAX)
        return WEIR_EFULL;
    if (list->count == list->room && grow(list))
        return WEIR_ENOMEM;
    if (!copy(&list->texts, &e.address, endpoint->address) ||
        !copy(&list->texts, &e.zone, endpoint->zone) ||
        !copy(&list->texts, &e.metadata, endpoint->metadata))
        return WEIR_ENOMEM;
    *place_of(list, e.address) = (uint32_t)list->count + 1;
    list->items[list->count++] = e;
    return WEIR_OK;
}
