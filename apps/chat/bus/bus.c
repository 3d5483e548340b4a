#include "bus_impl.h"

#include <string.h>

weir_err bus_open(bus **out, weir_loop *loop, const char *url, const bus_events *events,
                  weir_why *why)
{
    if (strcmp(url, "local") == 0)
        return bus_local_open(out, loop, events);
    return bus_redis_open(out, loop, url, events, why);
}
