#include "app.h"

#include <stdio.h>

weir_str chat_next_id(app *self, char out[CHAT_ID_MAX])
{
    unsigned long long now = (unsigned long long)weir_wall_now().us << 4;
    unsigned long long last = atomic_load(&self->last_id), next;
    do
        next = now > last ? now : last + 1;
    while (!atomic_compare_exchange_weak(&self->last_id, &last, next));
    int len = snprintf(out, CHAT_ID_MAX, "%016llx", next);
    return weir_str_of(out, (size_t)len);
}

bool chat_name_is_valid(weir_str name, size_t max)
{
    if (name.len == 0 || name.len > max)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        if ((unsigned char)name.ptr[i] < 0x20 || name.ptr[i] == 0x7f)
            return false;
    }
    return true;
}
