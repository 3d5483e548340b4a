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

static weir__route route_of(const weir__served *served, size_t index)
{
    const weir_method *method = &served->service->methods[index];
    weir_str path = weir_str_from(method->path);
    return (weir__route){.served = served,
                         .method = method,
                         .handler = &served->handlers[index],
                         .methods = served->methods,
                         .user = served->user,
                         .path = path,
                         .hash = hash_of(path)};
}

/** The handler of workers takes the place of the user's, which it finds behind `methods`. */
static void move_to_workers(weir__routes *routes, weir__blocking_pool *pool, bool *blocks)
{
    for (size_t i = 0; i < routes->size; i++) {
        weir__route *route = &routes->entries[i];
        if (!route->served || !route->handler->blocks || !route->handler->blocks(route->methods))
            continue;
        route->blocking =
            (weir__blocking_target){route->handler, route->methods, route->user, pool};
        route->handler = &weir__blocking_handler;
        route->methods = &route->blocking;
        *blocks = true;
    }
}

weir_err weir__routes_build(weir__routes *routes, const weir_list *services,
                            weir__blocking_pool *pool, bool *blocks)
{
    size_t count = 0;
    *blocks = false;
    weir_list_each (node, next, services)
        count += WEIR_CONTAINER_OF(node, weir__served, node)->service->method_count;
    routes->size = 8;
    while (routes->size < 2 * count)
        routes->size *= 2;
    routes->entries = calloc(routes->size, sizeof *routes->entries);
    if (!routes->entries)
        return WEIR_ENOMEM;
    weir_list_each (node, next, services) {
        const weir__served *served = WEIR_CONTAINER_OF(node, weir__served, node);
        for (size_t i = 0; i < served->service->method_count; i++) {
            weir__route route = route_of(served, i);
            insert(routes, &route);
        }
    }
    move_to_workers(routes, pool, blocks);
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
