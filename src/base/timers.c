/* The levels are the digits of a tick number in base 64. A timer lies at the highest digit in which
 * its tick differs from the current one, in the slot of that digit. So everything in a level comes
 * before everything in the levels above it, the slots of a level come in order, and none lies
 * behind the current tick: the next slot of use is the lowest bit of the lowest busy level. */
#include <weir/base/timers.h>

enum {
    TICK_US = 1000,
    DIGIT_BITS = 6,
    DIGIT_MASK = WEIR__TIMER_SLOTS - 1,
    WHEEL_BITS = DIGIT_BITS * WEIR__TIMER_LEVELS
};

static int64_t floor_tick(weir_time t)
{
    return t.us / TICK_US - (t.us % TICK_US < 0);
}

/** The first tick at which `when` has come: rounded up, so that no timer runs early. */
static int64_t ceil_tick(weir_time when)
{
    return when.us / TICK_US + (when.us % TICK_US > 0);
}

static int64_t clear_low_bits(int64_t tick, unsigned bits)
{
    return tick & ~(((int64_t)1 << bits) - 1);
}

/** The first tick of the wheel's turn that `tick` is in. */
static int64_t turn_of(int64_t tick)
{
    return clear_low_bits(tick, WHEEL_BITS);
}

static weir_timer *timer_of(weir_list *node)
{
    return WEIR_CONTAINER_OF(node, weir_timer, node);
}

void weir_timers_init(weir_timers *timers, weir_time now)
{
    *timers = (weir_timers){.clock = now, .now = now, .tick = floor_tick(now)};
    for (int level = 0; level < WEIR__TIMER_LEVELS; level++)
        for (int slot = 0; slot < WEIR__TIMER_SLOTS; slot++)
            weir_list_init(&timers->slots[level][slot]);
    weir_list_init(&timers->due);
    weir_list_init(&timers->far);
    weir_list_init(&timers->never);
}

static void link_in_wheel(weir_timers *timers, weir_timer *timer, int64_t tick)
{
    unsigned highest = 63 - WEIR_CLZ64((uint64_t)(tick ^ timers->tick));
    unsigned level = highest / DIGIT_BITS;
    unsigned slot = (unsigned)(tick >> (DIGIT_BITS * level)) & DIGIT_MASK;
    timer->level = (unsigned char)level;
    timer->slot = (unsigned char)slot;
    timers->busy[level] |= (uint64_t)1 << slot;
    weir_list_append(&timers->slots[level][slot], &timer->node);
}

static void link_timer(weir_timers *timers, weir_timer *timer)
{
    int64_t tick = ceil_tick(timer->when);
    timer->level = WEIR__TIMER_LEVELS;
    if (timer->when.us == WEIR_TIME_NEVER_US)
        weir_list_append(&timers->never, &timer->node);
    else if (timer->when.us <= timers->now.us || tick <= timers->tick)
        weir_list_append(&timers->due, &timer->node);
    else if (turn_of(tick) != turn_of(timers->tick))
        weir_list_append(&timers->far, &timer->node);
    else
        link_in_wheel(timers, timer, tick);
}

void weir_timers_add(weir_timers *timers, weir_timer *timer, weir_time when, weir_timer_fn fn,
                     void *user)
{
    weir_timers_cancel(timers, timer);
    timer->when = when;
    timer->fn = fn;
    timer->user = user;
    link_timer(timers, timer);
    timers->pending++;
}

void weir_timers_cancel(weir_timers *timers, weir_timer *timer)
{
    if (!weir_timer_pending(timer))
        return;
    weir_list_remove(&timer->node);
    timers->pending--;
    if (timer->level < WEIR__TIMER_LEVELS &&
        weir_list_empty(&timers->slots[timer->level][timer->slot]))
        timers->busy[timer->level] &= ~((uint64_t)1 << timer->slot);
}

/** The lowest busy level; WEIR__TIMER_LEVELS: the wheel is empty. */
static unsigned lowest_level(const weir_timers *timers)
{
    unsigned level = 0;
    while (level < WEIR__TIMER_LEVELS && !timers->busy[level])
        level++;
    return level;
}

/** The first tick of the first busy slot of `level`. */
static int64_t first_tick(const weir_timers *timers, unsigned level)
{
    unsigned shift = DIGIT_BITS * level;
    return clear_low_bits(timers->tick, shift + DIGIT_BITS) |
           (int64_t)WEIR_CTZ64(timers->busy[level]) << shift;
}

static void relink_all(weir_timers *timers, weir_list *from)
{
    weir_list moving;
    weir_list_init(&moving);
    weir_list_splice(&moving, from);
    for (weir_list *node; (node = weir_list_pop(&moving));)
        link_timer(timers, timer_of(node));
}

/** The wheel is empty: goes on to the turn of the earliest far timer, if it begins by `end`. */
static void take_from_far(weir_timers *timers, int64_t end)
{
    int64_t earliest = INT64_MAX;
    weir_list_each (node, next, &timers->far) {
        int64_t tick = ceil_tick(timer_of(node)->when);
        if (tick < earliest)
            earliest = tick;
    }
    timers->tick = turn_of(earliest) < end ? turn_of(earliest) : end;
    relink_all(timers, &timers->far);
}

/** Moves what is due by `end` into the list `due`, in order; nothing runs yet. */
static void collect_due(weir_timers *timers, int64_t end)
{
    while (timers->pending > 0 && timers->tick < end) {
        unsigned level = lowest_level(timers);
        if (level < WEIR__TIMER_LEVELS) {
            int64_t tick = first_tick(timers, level);
            if (tick > end)
                break;
            unsigned slot = WEIR_CTZ64(timers->busy[level]);
            timers->tick = tick;
            timers->busy[level] &= ~((uint64_t)1 << slot);
            relink_all(timers, &timers->slots[level][slot]);
        } else if (!weir_list_empty(&timers->far)) {
            take_from_far(timers, end);
        } else {
            break;
        }
    }
    if (timers->tick < end)
        timers->tick = end;
}

size_t weir_timers_advance(weir_timers *timers, weir_time now)
{
    if (weir_time_before(now, timers->now))
        now = timers->now;
    collect_due(timers, floor_tick(now));
    timers->now = now;
    weir_timers_tell(timers, now);

    weir_list running; /* what callbacks add to `due` waits for the next advance */
    weir_list_init(&running);
    weir_list_splice(&running, &timers->due);
    size_t count = 0;
    for (weir_list *node; (node = weir_list_pop(&running)); count++) {
        weir_timer *timer = timer_of(node);
        timers->pending--;
        timer->fn(timer, timer->user);
    }
    return count;
}

int64_t weir_timers_wait_us(const weir_timers *timers, weir_time now)
{
    if (!weir_list_empty(&timers->due))
        return 0;
    unsigned level = lowest_level(timers);
    int64_t tick;
    if (level < WEIR__TIMER_LEVELS)
        tick = first_tick(timers, level);
    else if (!weir_list_empty(&timers->far))
        tick = turn_of(timers->tick) + ((int64_t)1 << WHEEL_BITS);
    else
        return -1;
    int64_t at_us = tick < INT64_MAX / TICK_US ? tick * TICK_US : INT64_MAX;
    return at_us > now.us ? at_us - now.us : 0;
}
