/** @file Copies of a few bytes, without the call of memcpy() that costs more than the copying. */
#ifndef WEIR_BASE_COPY_H
#define WEIR_BASE_COPY_H

#include <string.h>

/** For lengths from `half` to twice as many: two moves, which overlap. */
#define WEIR__COPY_TWO(half, to, from, len)                                                        \
    do {                                                                                           \
        char weir__first[half], weir__last[half];                                                  \
        memcpy(weir__first, from, half);                                                           \
        memcpy(weir__last, from + len - half, half);                                               \
        memcpy(to, weir__first, half);                                                             \
        memcpy(to + len - half, weir__last, half);                                                 \
    } while (0)

/** As memcpy(); fast up to 32 bytes. @return behind the copy */
static inline char *weir__copy(char *to, const char *from, size_t len)
{
    if (len > 32)
        memcpy(to, from, len);
    else if (len >= 16)
        WEIR__COPY_TWO(16, to, from, len);
    else if (len >= 8)
        WEIR__COPY_TWO(8, to, from, len);
    else if (len >= 4)
        WEIR__COPY_TWO(4, to, from, len);
    else
        for (size_t i = 0; i < len; i++)
            to[i] = from[i];
    return to + len;
}

#endif
