#include "balance_impl.h"

#include <string.h>

size_t weir__zone_filter(weir_backend **out, const char *zone, weir_backend *const *all,
                         size_t count)
{
    const weir_str wanted = weir_str_from(zone ? zone : "");
    size_t found = 0;
    for (size_t i = 0; wanted.len && i < count; i++)
        if (weir_str_eq(all[i]->endpoint->zone, wanted))
            out[found++] = all[i];
    if (found || !count)
        return found;
    memcpy(out, all, count * sizeof *out);
    return count;
}
