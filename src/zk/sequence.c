/* The order of sequential nodes. */
#include "sequence.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <weir/base/base.h>

void weir__zk_id_make(char id[WEIR__ZK_ID_LEN + 1])
{
    uint64_t bits;
    if (getrandom(&bits, sizeof bits, 0) != (ssize_t)sizeof bits) { /* a kernel without it */
        uint64_t seed = (uint64_t)weir_wall_now().us ^ (uint64_t)(uintptr_t)id;
        bits = weir_random_next(&seed) ^ weir_random_mix((uint64_t)weir_thread_id());
    }
    snprintf(id, WEIR__ZK_ID_LEN + 1, "%016" PRIx64, bits);
}

bool weir__zk_sequence_of(const char *name, int32_t *sequence)
{
    size_t len = strlen(name);
    if (len <= WEIR__ZK_ID_LEN + 1 || len >= WEIR__ZK_NAME_MAX || name[WEIR__ZK_ID_LEN] != '-')
        return false;
    const char *digits = name + WEIR__ZK_ID_LEN + 1;
    size_t sign = digits[0] == '-';
    if (digits[sign] == '\0' || digits[sign + strspn(digits + sign, "0123456789")] != '\0')
        return false;
    errno = 0;
    long long number = strtoll(digits, NULL, 10);
    if (errno || number < INT32_MIN || number > INT32_MAX)
        return false;
    *sequence = (int32_t)number;
    return true;
}

bool weir__zk_sequence_before(int32_t a, int32_t b)
{
    return (int32_t)((uint32_t)a - (uint32_t)b) < 0;
}

/** Keeps the earlier one. */
static void earlier(const char **name, int32_t *sequence, const char *other, int32_t number)
{
    if (*name && !weir__zk_sequence_before(number, *sequence))
        return;
    *name = other;
    *sequence = number;
}

weir__zk_standing weir__zk_standing_of(const char *const *names, size_t count, const char *id)
{
    weir__zk_standing s = {0};
    int32_t number, first = 0, mine = 0, previous = 0;
    for (size_t i = 0; i < count; i++) {
        if (!weir__zk_sequence_of(names[i], &number))
            continue;
        earlier(&s.first, &first, names[i], number);
        if (strncmp(names[i], id, WEIR__ZK_ID_LEN) == 0)
            earlier(&s.mine, &mine, names[i], number);
    }
    for (size_t i = 0; s.mine && i < count; i++) {
        if (!weir__zk_sequence_of(names[i], &number) || !weir__zk_sequence_before(number, mine))
            continue;
        if (s.previous && weir__zk_sequence_before(number, previous))
            continue;
        s.previous = names[i];
        previous = number;
    }
    return s;
}
