/* Who finds the gate full queues and looks again; who leaves looks for waiters after it is out. One
 * of the two sees the other, because both write first and read then (sequentially consistent). */
#include "overload_gate.h"

/* `served`: a window's calls in the upper bits, the sum of their times in microseconds below. */
#define COUNT_SHIFT 40
#define SUM_MASK    ((UINT64_C(1) << COUNT_SHIFT) - 1)
#define TIME_MOST   WEIR_SECONDS(60)

weir_err weir__overload_gate_init(weir__overload_gate *gate, const weir__overload_gate_opts *opts,
                                  weir_time now)
{
    weir_err err = weir__overload_queue_init(&gate->queue, opts->queue, opts->lines, opts->fifo_us);
    if (err)
        return err;
    weir__overload_limit_init(&gate->learner, &opts->limit, now);
    gate->window_begin = now;
    gate->timed = opts->limit.adaptive || opts->queue > 0;
    gate->wake = opts->wake;
    pthread_mutex_init(&gate->lock, NULL);
    atomic_init(&gate->in_flight, 0);
    atomic_init(&gate->peak, 0);
    atomic_init(&gate->served, 0);
    atomic_init(&gate->limit, weir__overload_limit_now(&gate->learner));
    atomic_init(&gate->waiting, 0);
    atomic_init(&gate->look_us, now.us);
    atomic_init(&gate->since_us, now.us);
    atomic_init(&gate->refused, 0);
    atomic_init(&gate->late, 0);
    return WEIR_OK;
}

void weir__overload_gate_fini(weir__overload_gate *gate)
{
    weir__overload_queue_fini(&gate->queue);
    pthread_mutex_destroy(&gate->lock);
}

static bool take_place(weir__overload_gate *gate)
{
    unsigned inside = atomic_load(&gate->in_flight);
    while (inside < atomic_load(&gate->limit)) {
        if (!atomic_compare_exchange_weak(&gate->in_flight, &inside, inside + 1))
            continue;
        if (gate->timed && inside >= atomic_load_explicit(&gate->peak, memory_order_relaxed))
            atomic_store_explicit(&gate->peak, inside + 1, memory_order_relaxed);
        return true;
    }
    return false;
}

bool weir__overload_gate_enter(weir__overload_gate *gate)
{
    return atomic_load(&gate->waiting) == 0 && take_place(gate);
}

/* Waiting. */

/** Under lock: `waiter` is out of the queue. */
static void decide(weir__overload_gate *gate, weir__overload_waiter *waiter,
                   weir__overload_verdict verdict)
{
    waiter->verdict = verdict;
    atomic_store(&gate->waiting, (unsigned)gate->queue.count);
    if (verdict == WEIR__OVERLOAD_NO_ROOM)
        atomic_fetch_add_explicit(&gate->refused, 1, memory_order_relaxed);
    else if (verdict == WEIR__OVERLOAD_TOO_LATE)
        atomic_fetch_add_explicit(&gate->late, 1, memory_order_relaxed);
}

/** Under lock. */
static bool is_too_late(const weir__overload_gate *gate, const weir__overload_waiter *waiter,
                        weir_time now)
{
    weir_time soonest = weir_time_add(now, (int64_t)gate->learner.service_us);
    return weir_time_before(waiter->deadline, soonest);
}

/** Under lock, with a place: who gets it, or is told that it is too late. NULL: nobody waits. */
static weir__overload_waiter *call_in(weir__overload_gate *gate, weir_time now)
{
    weir__overload_waiter *next = weir__overload_queue_pop(&gate->queue, now);
    if (next)
        decide(gate, next,
               is_too_late(gate, next, now) ? WEIR__OVERLOAD_TOO_LATE : WEIR__OVERLOAD_MAY_RUN);
    return next;
}

/**
 * One verdict. A call that cannot be told for want of memory keeps its place until it gives up.
 * @return false: nobody waits, or there is no place
 */
static bool serve_one(weir__overload_gate *gate, weir_time now)
{
    weir_call_id id = {0};
    pthread_mutex_lock(&gate->lock);
    if (take_place(gate)) {
        weir__overload_waiter *next = call_in(gate, now);
        if (next)
            id = next->id;
        if (!next || next->verdict != WEIR__OVERLOAD_MAY_RUN)
            atomic_fetch_sub(&gate->in_flight, 1);
    }
    pthread_mutex_unlock(&gate->lock);
    if (id.value != 0)
        gate->wake(id); /* gone: it will leave */
    return id.value != 0;
}

static void serve(weir__overload_gate *gate, weir_time now)
{
    while (atomic_load(&gate->waiting) > 0 && serve_one(gate, now))
        ;
}

/** Under lock. @return who has its verdict already: itself, or who makes room; NULL: nobody */
static weir__overload_waiter *queue_up(weir__overload_gate *gate, weir__overload_waiter *waiter,
                                       uint32_t key, weir_time now)
{
    waiter->verdict = WEIR__OVERLOAD_WAITS;
    if (is_too_late(gate, waiter, now)) {
        decide(gate, waiter, WEIR__OVERLOAD_TOO_LATE);
        return waiter;
    }
    weir__overload_waiter *out = weir__overload_queue_push(&gate->queue, waiter, key, now);
    if (out)
        decide(gate, out, WEIR__OVERLOAD_NO_ROOM);
    atomic_store(&gate->waiting, (unsigned)gate->queue.count);
    return out;
}

void weir__overload_gate_wait(weir__overload_gate *gate, weir__overload_waiter *waiter,
                              uint32_t key, weir_time now)
{
    pthread_mutex_lock(&gate->lock);
    const weir__overload_waiter *out = queue_up(gate, waiter, key, now);
    weir_call_id loser = out ? out->id : (weir_call_id){0};
    pthread_mutex_unlock(&gate->lock);
    if (loser.value != 0)
        gate->wake(loser);
    serve(gate, now);
}

weir__overload_verdict weir__overload_gate_give_up(weir__overload_gate *gate,
                                                   weir__overload_waiter *waiter)
{
    pthread_mutex_lock(&gate->lock);
    weir__overload_queue_remove(&gate->queue, waiter);
    atomic_store(&gate->waiting, (unsigned)gate->queue.count);
    weir__overload_verdict verdict = waiter->verdict;
    pthread_mutex_unlock(&gate->lock);
    return verdict;
}

weir__overload_verdict weir__overload_gate_verdict(weir__overload_gate *gate,
                                                   const weir__overload_waiter *waiter)
{
    pthread_mutex_lock(&gate->lock);
    weir__overload_verdict verdict = waiter->verdict;
    pthread_mutex_unlock(&gate->lock);
    return verdict;
}

/* Windows. */

static void count(weir__overload_gate *gate, int64_t took_us)
{
    uint64_t sum = atomic_load_explicit(&gate->served, memory_order_relaxed) & SUM_MASK;
    if (sum > SUM_MASK / 2) /* no room; what is there is enough */
        return;
    uint64_t us = took_us < 0 ? 0 : took_us < TIME_MOST ? (uint64_t)took_us : TIME_MOST;
    atomic_fetch_add_explicit(&gate->served, UINT64_C(1) << COUNT_SHIFT | us, memory_order_relaxed);
}

/** Under lock. */
static void look(weir__overload_gate *gate, weir_time now)
{
    uint64_t served = atomic_load(&gate->served);
    uint32_t calls = (uint32_t)(served >> COUNT_SHIFT);
    weir__overload_window window = {
        .begin = gate->window_begin,
        .count = calls,
        .mean_us = calls > 0 ? (double)(served & SUM_MASK) / calls : 0,
        .peak = atomic_load(&gate->peak),
        .in_flight = atomic_load(&gate->in_flight),
    };
    int64_t wait_us = 0;
    bool anew = weir__overload_limit_window(&gate->learner, &window, now, &wait_us);
    if (anew) {
        gate->window_begin = now;
        atomic_store(&gate->served, 0);
        atomic_store(&gate->peak, window.in_flight);
        if (gate->learner.phase != WEIR__OVERLOAD_LEARNS)
            atomic_store(&gate->since_us, now.us);
    }
    atomic_store(&gate->limit, weir__overload_limit_now(&gate->learner));
    atomic_store(&gate->look_us, weir_time_add(now, wait_us).us);
}

static void measure(weir__overload_gate *gate, weir_time entered, weir_time now)
{
    if (entered.us != WEIR_TIME_NEVER_US && entered.us >= atomic_load(&gate->since_us))
        count(gate, weir_time_diff(now, entered));
    if (now.us < atomic_load_explicit(&gate->look_us, memory_order_relaxed))
        return;
    pthread_mutex_lock(&gate->lock);
    if (now.us >= atomic_load(&gate->look_us)) /* nobody else has meanwhile */
        look(gate, now);
    pthread_mutex_unlock(&gate->lock);
}

void weir__overload_gate_leave(weir__overload_gate *gate, weir_time entered, weir_time now)
{
    atomic_fetch_sub(&gate->in_flight, 1);
    if (gate->timed)
        measure(gate, entered, now);
    serve(gate, now);
}

void weir__overload_gate_learned(weir__overload_gate *gate, int64_t *no_load_us,
                                 int64_t *service_us)
{
    pthread_mutex_lock(&gate->lock);
    *no_load_us = (int64_t)gate->learner.no_load_us;
    *service_us = (int64_t)gate->learner.service_us;
    pthread_mutex_unlock(&gate->lock);
}
