/** @file Decimal digits, two at a time: half the divisions of the obvious loop. */
#ifndef WEIR_BASE_DIGITS_H
#define WEIR_BASE_DIGITS_H

#include <stdint.h>

enum {
    WEIR__DIGITS_MAX = 20
}; /* of 64 bits */

/** The two digits of a number below 100. */
static inline void weir__digit_pair(char *out, unsigned number)
{
    out[0] = (char)('0' + number / 10);
    out[1] = (char)('0' + number % 10);
}

/** Writes the digits of `number` so that they end at `end`. @return the first of them */
static inline char *weir__digits_before(char *end, uint64_t number)
{
    for (; number >= 100; number /= 100)
        weir__digit_pair(end -= 2, (unsigned)(number % 100));
    if (number >= 10)
        weir__digit_pair(end -= 2, (unsigned)number);
    else
        *--end = (char)('0' + number);
    return end;
}

#endif
