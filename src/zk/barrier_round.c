/* Who makes a round, and who is there. */
#include "barrier_round.h"

#include "sequence.h"

#include <stdio.h>

void weir__zk_round_read(weir__zk_round *round, weir_str text)
{
    size_t i = 0;
    round->count = 0;
    while (i < text.len) {
        bool negative = text.ptr[i] == '-';
        int64_t number = 0;
        size_t begin = i += negative;
        for (; i < text.len && i < begin + 10 && text.ptr[i] >= '0' && text.ptr[i] <= '9'; i++)
            number = number * 10 + (text.ptr[i] - '0');
        number = negative ? -number : number;
        bool ends = i == text.len || text.ptr[i] == ' ';
        if (i == begin || !ends || number < INT32_MIN || number > INT32_MAX ||
            round->count == WEIR_ZK_BARRIER_MAX) {
            round->count = 0;
            return;
        }
        round->members[round->count++] = (int32_t)number;
        i++;
    }
}

weir_str weir__zk_round_write(const weir__zk_round *round, char out[WEIR__ZK_ROUND_TEXT])
{
    size_t used = 0;
    for (size_t i = 0; i < round->count; i++)
        used += (size_t)snprintf(out + used, WEIR__ZK_ROUND_TEXT - used, "%s%d", i ? " " : "",
                                 (int)round->members[i]);
    return weir_str_of(out, used);
}

bool weir__zk_round_has(const weir__zk_round *round, int32_t sequence)
{
    for (size_t i = 0; i < round->count; i++)
        if (round->members[i] == sequence)
            return true;
    return false;
}

/** Keeps the later, or the earlier, of two names. */
static void keep(const char **name, int32_t *kept, const char *other, int32_t number, bool later)
{
    bool before = weir__zk_sequence_before(number, *kept);
    if (*name && before == later)
        return;
    *name = other;
    *kept = number;
}

weir__zk_muster weir__zk_muster_of(const char *const *names, size_t count,
                                   const weir__zk_round *round, const char *my_name)
{
    weir__zk_muster m = {0};
    int32_t number, mine = 0, previous = 0, lowest = 0, highest = 0;
    bool named = my_name && weir__zk_sequence_of(my_name, &mine);
    for (size_t i = 0; i < count; i++) {
        if (!weir__zk_sequence_of(names[i], &number))
            continue;
        bool inside = weir__zk_round_has(round, number);
        bool is_mine = named && number == mine;
        m.mine |= is_mine;
        m.waiting += !inside;
        if (!inside && named && weir__zk_sequence_before(number, mine))
            keep(&m.previous, &previous, names[i], number, true);
        if (!inside || is_mine)
            continue;
        m.inside++;
        keep(&m.lowest, &lowest, names[i], number, false);
        keep(&m.highest, &highest, names[i], number, true);
    }
    m.mine_lowest = m.mine && (!m.lowest || weir__zk_sequence_before(mine, lowest));
    return m;
}

/** Puts a number among the first `want` ones. */
static void insert(weir__zk_round *next, size_t want, int32_t number)
{
    size_t i = next->count;
    while (i > 0 && weir__zk_sequence_before(number, next->members[i - 1]))
        i--;
    if (i == want)
        return;
    size_t kept = next->count < want ? next->count : want - 1;
    memmove(next->members + i + 1, next->members + i, (kept - i) * sizeof *next->members);
    next->members[i] = number;
    next->count = kept + 1;
}

bool weir__zk_round_choose(weir__zk_round *next, size_t want, const char *const *names,
                           size_t count, const weir__zk_round *round)
{
    int32_t number;
    next->count = 0;
    for (size_t i = 0; i < count; i++)
        if (weir__zk_sequence_of(names[i], &number) && !weir__zk_round_has(round, number))
            insert(next, want, number);
    return next->count == want;
}
