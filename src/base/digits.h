/** @file Decimal digits, two at a time: half the divisions of the obvious loop. */
#ifndef WEIR_BASE_DIGITS_H
#define WEIR_BASE_DIGITS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    WEIR__DIGITS_MAX = 20
}; /* of 64 bits */

/** The two digits of a number below 100. */
static inline void weir__digit_pair(char *out, unsigned number)
{
    static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                                "25262728293031323334353637383940414243444546474849"
                                "50515253545556575859606162636465666768697071727374"
                                "75767778798081828384858687888990919293949596979899";
    memcpy(out, pairs + (size_t)2 * number, 2);
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

/** How many digits a number has. */
static inline size_t weir__digits_count(uint64_t number)
{
    size_t count = 1;
    for (; number >= 10000; number /= 10000)
        count += 4;
    return count + (number >= 10) + (number >= 100) + (number >= 1000);
}

#endif
