/* A simulated server in virtual time: workers that take so long for a call, a backlog before them,
 * and the gate before that. Clients call at a steady rate, whatever comes back (open loop). */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

#include "overload_gate.h"

enum {
    TICK_US = 250,
    CALLS = 4096, /* at a time */
    CLIENTS = 4,
    WORKERS_MOST = 64
};

typedef enum sim_state {
    SIM_FREE,
    SIM_WAITS,   /* in the gate's queue */
    SIM_BACKLOG, /* in, but no worker is free */
    SIM_RUNS
} sim_state;

typedef struct sim_call {
    weir__overload_waiter waiter;
    sim_state state;
    bool over; /* its deadline has passed while it ran */
    unsigned client;
    weir_time arrived, deadline, entered, ends;
} sim_call;

typedef struct sim_client {
    double per_second, due;
    int64_t deadline_us;
    uint64_t sent, good; /* answered within the deadline */
} sim_client;

typedef struct sim {
    weir__overload_gate *gate; /* NULL: no protection */
    weir_time now;
    unsigned workers, busy;
    int64_t service_us;
    bool varies; /* service times from 0 to twice that */
    int64_t queue_us;
    uint64_t random;
    sim_client clients[CLIENTS];
    sim_call calls[CALLS];
    size_t top;              /* none is in use from here on */
    uint32_t backlog[CALLS]; /* ring of calls, oldest first */
    size_t backlog_first, backlog_count;
    uint64_t woken[2 * CALLS];
    size_t woken_count;
} sim;

static sim *running; /* for wake() */

static weir_err wake(weir_call_id id)
{
    assert_true(running->woken_count < 2 * CALLS);
    running->woken[running->woken_count++] = id.value;
    return WEIR_OK;
}

static double random_of(sim *s) /* 0 to 1 */
{
    s->random = s->random * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (double)(s->random >> 40) / (double)(1 << 24);
}

static sim *sim_open(unsigned workers, int64_t service_us)
{
    sim *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->now = (weir_time){WEIR_SECONDS(1000)};
    s->workers = workers;
    s->service_us = service_us;
    s->queue_us = WEIR_MILLISECONDS(100);
    s->random = 1;
    running = s;
    return s;
}

static void sim_protect(sim *s, bool adaptive, double most, size_t queue)
{
    weir__overload_gate_opts opts = {.limit = {.adaptive = adaptive,
                                               .min = 4,
                                               .max = most,
                                               .tolerance = 1.25,
                                               .window_us = WEIR_MILLISECONDS(100),
                                               .probe_us = WEIR_SECONDS(30)},
                                     .queue = queue,
                                     .lines = 16,
                                     .fifo_us = s->queue_us,
                                     .wake = wake};
    s->gate = aligned_alloc(WEIR_CACHE_LINE, sizeof *s->gate);
    assert_non_null(s->gate);
    assert_ok(weir__overload_gate_init(s->gate, &opts, s->now));
}

static void sim_close(sim *s)
{
    if (s->gate)
        weir__overload_gate_fini(s->gate);
    free(s->gate);
    free(s);
}

/* The life of a simulated call. */

static void leave(sim *s, sim_call *c)
{
    if (s->gate)
        weir__overload_gate_leave(s->gate, c->entered, s->now);
}

static void enter(sim *s, sim_call *c)
{
    c->state = SIM_BACKLOG;
    c->entered = s->now;
    s->backlog[(s->backlog_first + s->backlog_count++) % CALLS] = (uint32_t)(c - s->calls);
}

static void arrive(sim *s, unsigned client)
{
    sim_call *c = s->calls;
    while (c->state != SIM_FREE)
        assert_true(++c < s->calls + CALLS);
    if (c == s->calls + s->top)
        s->top++;
    *c = (sim_call){.client = client, .arrived = s->now};
    c->deadline = weir_time_add(s->now, s->clients[client].deadline_us);
    c->waiter.id.value = (uint64_t)(c - s->calls) + 1;
    c->waiter.deadline = c->deadline;
    s->clients[client].sent++;
    if (!s->gate || weir__overload_gate_enter(s->gate)) {
        enter(s, c);
    } else {
        c->state = SIM_WAITS;
        weir__overload_gate_wait(s->gate, &c->waiter, client, s->now);
    }
}

static void hear_verdicts(sim *s)
{
    for (size_t i = 0; i < s->woken_count; i++) {
        sim_call *c = &s->calls[s->woken[i] - 1];
        if (c->state != SIM_WAITS)
            continue;
        weir__overload_verdict verdict = weir__overload_gate_verdict(s->gate, &c->waiter);
        if (verdict == WEIR__OVERLOAD_MAY_RUN)
            enter(s, c);
        else if (verdict != WEIR__OVERLOAD_WAITS)
            c->state = SIM_FREE;
    }
    s->woken_count = 0;
}

static void look_at(sim *s, sim_call *c)
{
    bool late = !weir_time_before(s->now, c->deadline);
    if (c->state == SIM_WAITS) {
        bool impatient = weir_time_diff(s->now, c->arrived) >= s->queue_us;
        if ((late || impatient) &&
            weir__overload_gate_give_up(s->gate, &c->waiter) == WEIR__OVERLOAD_WAITS)
            c->state = SIM_FREE;
        return;
    }
    if (c->state == SIM_RUNS && !weir_time_before(s->now, c->ends)) {
        s->busy--;
        c->state = SIM_FREE;
        leave(s, c);
        if (c->over)
            return;
        s->clients[c->client].good++;
    } else if (c->state != SIM_FREE && late && !c->over) {
        c->over = true; /* a worker that works on it does not know */
        if (c->state == SIM_BACKLOG)
            leave(s, c);
    }
}

static void start_work(sim *s)
{
    while (s->busy < s->workers && s->backlog_count > 0) {
        sim_call *c = &s->calls[s->backlog[s->backlog_first]];
        s->backlog_first = (s->backlog_first + 1) % CALLS;
        s->backlog_count--;
        c->state = c->over ? SIM_FREE : SIM_RUNS;
        if (c->over)
            continue;
        double factor = s->varies ? 2 * random_of(s) : 1;
        c->ends = weir_time_add(s->now, (int64_t)((double)s->service_us * factor));
        s->busy++;
    }
}

static void sim_run(sim *s, double seconds)
{
    for (int64_t ticks = (int64_t)(seconds * 1e6 / TICK_US); ticks > 0; ticks--) {
        s->now = weir_time_add(s->now, TICK_US);
        for (size_t i = 0; i < s->top; i++)
            look_at(s, &s->calls[i]);
        while (s->top > 0 && s->calls[s->top - 1].state == SIM_FREE)
            s->top--;
        for (unsigned i = 0; i < CLIENTS; i++) {
            s->clients[i].due += s->clients[i].per_second * TICK_US / 1e6;
            for (; s->clients[i].due >= 1; s->clients[i].due -= 1)
                arrive(s, i);
        }
        hear_verdicts(s);
        start_work(s);
    }
}

/** What each client had, from now on. */
static void sim_count_anew(sim *s)
{
    for (unsigned i = 0; i < CLIENTS; i++)
        s->clients[i].sent = s->clients[i].good = 0;
}

/* Goodput. 8 workers of 20 ms: 400 calls/s. */

enum {
    WORKERS = 8,
    CAPACITY = 400
};

typedef enum protection {
    NONE,
    FIXED,
    ADAPTIVE
} protection;

/** @return good calls of one client, in a second, at so many times the capacity */
static double goodput(protection how, double times, int64_t deadline_us, bool varies)
{
    sim *s = sim_open(WORKERS, WEIR_MILLISECONDS(20));
    s->varies = varies;
    if (how != NONE)
        sim_protect(s, how == ADAPTIVE, how == ADAPTIVE ? 1000 : WORKERS, 256);
    s->clients[0] = (sim_client){.per_second = times * CAPACITY, .deadline_us = deadline_us};
    sim_run(s, 2);
    sim_count_anew(s);
    sim_run(s, 33); /* longer than between two measurements */
    double good = (double)s->clients[0].good / 33;
    sim_close(s);
    return good;
}

static void expect_goodput(bool varies)
{
    const int64_t deadline_us = WEIR_MILLISECONDS(120);
    double none = goodput(NONE, 2, deadline_us, varies);
    double fixed = goodput(FIXED, 2, deadline_us, varies);
    double adaptive = goodput(ADAPTIVE, 2, deadline_us, varies);
    printf("# of %d calls/s at twice the capacity: unprotected %.0f, fixed limit %.0f, adaptive "
           "%.0f\n",
           CAPACITY, none, fixed, adaptive);
    assert_true(none < 0.5 * CAPACITY);
    assert_true(fixed > 0.95 * CAPACITY);
    assert_true(adaptive > 0.95 * CAPACITY);
    assert_true(goodput(ADAPTIVE, 4, deadline_us, varies) > 0.95 * CAPACITY);
}

TEST(overload_gate, at_twice_the_capacity_a_server_keeps_its_goodput)
{
    expect_goodput(false);
}

TEST(overload_gate, also_when_calls_take_different_times)
{
    expect_goodput(true);
}

TEST(overload_gate, below_the_capacity_nothing_is_refused)
{
    double sent = 0.7 * CAPACITY;
    assert_true(goodput(FIXED, 0.7, WEIR_SECONDS(1), true) > 0.999 * sent);
    assert_true(goodput(ADAPTIVE, 0.7, WEIR_SECONDS(1), true) > 0.99 * sent);
}

/* The limit. */

static void expect_limit(sim *s, double least, double most)
{
    double sum = 0;
    for (int i = 0; i < 100; i++) {
        sim_run(s, 0.1);
        sum += atomic_load(&s->gate->limit);
    }
    if (sum / 100 < least || sum / 100 > most)
        fail_msg("the limit is %.1f in the mean, not from %.1f to %.1f", sum / 100, least, most);
}

TEST(overload_gate, an_adaptive_limit_finds_the_capacity_and_stays)
{
    for (unsigned workers = 4; workers <= WORKERS_MOST; workers *= 4) {
        sim *s = sim_open(workers, WEIR_MILLISECONDS(20));
        sim_protect(s, true, 1000, 256);
        s->clients[0] = (sim_client){.per_second = workers * 100, .deadline_us = WEIR_SECONDS(1)};
        sim_run(s, 10);
        for (int i = 0; i < 9; i++)
            expect_limit(s, workers, 2.0 * workers + 4);
        sim_close(s);
    }
}

TEST(overload_gate, an_adaptive_limit_follows_a_latency_that_changes)
{
    sim *s = sim_open(16, WEIR_MILLISECONDS(10));
    sim_protect(s, true, 1000, 256);
    s->clients[0] = (sim_client){.per_second = 3000, .deadline_us = WEIR_SECONDS(1)};
    sim_run(s, 10);
    expect_limit(s, 16, 36);
    s->service_us = WEIR_MILLISECONDS(50); /* what it waits for has become slower */
    sim_run(s, 20);
    expect_limit(s, 16, 36);
    s->service_us = WEIR_MILLISECONDS(10);
    sim_run(s, 35); /* the next measurement tells */
    expect_limit(s, 16, 36);
    s->workers = 5; /* and now fewer at a time */
    sim_run(s, 20);
    expect_limit(s, 5, 14);
    sim_close(s);
}

/* Fairness. */

TEST(overload_gate, a_greedy_client_takes_nothing_from_a_modest_one)
{
    for (int adaptive = 0; adaptive < 2; adaptive++) {
        sim *s = sim_open(WORKERS, WEIR_MILLISECONDS(20));
        s->varies = true;
        sim_protect(s, adaptive, adaptive ? 1000 : WORKERS, 64);
        s->clients[0] = (sim_client){.per_second = 10 * CAPACITY, .deadline_us = 200000};
        s->clients[1] = (sim_client){.per_second = 0.25 * CAPACITY, .deadline_us = 200000};
        sim_run(s, 2);
        sim_count_anew(s);
        sim_run(s, 33);
        uint64_t lost = s->clients[1].sent - s->clients[1].good;
        printf("# modest: %llu of %llu lost; greedy: %llu/s\n", (unsigned long long)lost,
               (unsigned long long)s->clients[1].sent, (unsigned long long)s->clients[0].good / 33);
        assert_true(lost * 100 < s->clients[1].sent);
        assert_true((double)s->clients[0].good > 33 * 0.65 * CAPACITY); /* what is left */
        sim_close(s);
    }
}

/* What must hold after everything. */

TEST(overload_gate, when_all_is_over_nobody_is_inside)
{
    sim *s = sim_open(WORKERS, WEIR_MILLISECONDS(20));
    s->varies = true;
    sim_protect(s, true, 1000, 64);
    for (unsigned i = 0; i < CLIENTS; i++)
        s->clients[i] =
            (sim_client){.per_second = 500, .deadline_us = WEIR_MILLISECONDS(20 + 30 * i)};
    sim_run(s, 10);
    assert_true(atomic_load(&s->gate->waiting) > 0);
    assert_true(atomic_load(&s->gate->late) > 0);
    assert_true(atomic_load(&s->gate->refused) > 0);
    for (unsigned i = 0; i < CLIENTS; i++)
        s->clients[i].per_second = 0;
    sim_run(s, 1);
    assert_int_equal(atomic_load(&s->gate->in_flight), 0);
    assert_int_equal(atomic_load(&s->gate->waiting), 0);
    assert_int_equal(s->gate->queue.count, 0);
    sim_close(s);
}
