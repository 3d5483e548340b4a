#include "tag.h"

#include <stdio.h>

weir_str tag_write(const tag *self, char out[TAG_MAX])
{
    int len = snprintf(out, TAG_MAX, "%x-%x-%x-%x-%llx", self->run, self->group, self->sender,
                       self->number, (unsigned long long)self->time_us);
    return weir_str_of(out, (size_t)len);
}

/** A hexadecimal number and the '-' behind it, which the last one does not have. */
static bool take(weir_str *text, uint64_t *out)
{
    size_t i = 0;
    for (*out = 0; i < text->len && i < 16 && text->ptr[i] != '-'; i++) {
        char c = text->ptr[i];
        if (c >= '0' && c <= '9')
            *out = *out << 4 | (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            *out = *out << 4 | (uint64_t)(c - 'a' + 10);
        else
            return false;
    }
    size_t used = i < text->len ? i + 1 : i;
    *text = weir_str_of(text->ptr + used, text->len - used);
    return i > 0;
}

bool tag_read(tag *out, weir_str text)
{
    uint64_t run, group, sender, number, time_us;
    if (!take(&text, &run) || !take(&text, &group) || !take(&text, &sender) ||
        !take(&text, &number) || !take(&text, &time_us) || text.len > 0)
        return false;
    *out =
        (tag){(uint32_t)run, (uint32_t)group, (uint32_t)sender, (uint32_t)number, (int64_t)time_us};
    return true;
}
