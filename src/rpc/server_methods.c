#include <stdlib.h>

#include "server_impl.h"

/** FNV-1a. The table holds only the program's own names, so nobody can aim at collisions. */
static uint64_t hash_of(weir_str path)
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < path.len; i++)
        hash = (hash ^ (unsigned char)path.ptr[i]) * 1099511628211u;
    return hash;
}

static void insert(weir__routes *routes, const weir__route *route)
{
    size_t at = route->hash & (routes->size - 1);
    while (routes->entries[at].served)
        at = (at + 1) & (routes->size - 1);
    routes->entries[at] = *route;
}

weir_err weir__routes_build(weir__routes *routes, const weir_list *services, bool *blocks)
{
    size_t count = 0;
    weir_list_each (node, next, services)
        count += WEIR_CONTAINER_OF(node, weir__served, node)->service->method_count;
    *blocks = false;
    routes->size = 8;
    while (routes->size < 2 * count)
        routes->size *= 2;
    routes->entries = calloc(routes->size, sizeof *routes->entries);
    if (!routes->entries)
        return WEIR_ENOMEM;
    weir_list_each (node, next, services) {
        const weir__served *served = WEIR_CONTAINER_OF(node, weir__served, node);
        for (size_t i = 0; i < served->service->method_count; i++) {
            const weir_method *method = &served->service->methods[i];
            weir_str path = weir_str_from(method->path);
            weir__route route = {.served = served,
                                 .method = method,
                                 .handler = &served->handlers[i],
                                 .path = path,
                                 .hash = hash_of(path)};
            route.blocks = route.handler->blocks && route.handler->blocks(served->methods);
            *blocks |= route.blocks;
            insert(routes, &route);
        }
    }
    return WEIR_OK;
}

void weir__routes_free(weir__routes *routes)
{
    free(routes->entries);
    *routes = (weir__routes){0};
}

const weir__route *weir__routes_find(const weir__routes *routes, weir_str path)
{
    uint64_t hash = hash_of(path);
    for (size_t at = hash & (routes->size - 1); routes->entries[at].served;
         at = (at + 1) & (routes->size - 1)) {
        const weir__route *route = &routes->entries[at];
        if (route->hash == hash && weir_str_eq(route->path, path))
            return route;
    }
    return NULL;
}
