#include "test.h"

#include <stdlib.h>
#include <string.h>
#include <weir/base/timers.h>

#define MS(n)   ((weir_time){(int64_t)(n)*1000})
#define YEAR_MS ((int64_t)365 * 86400 * 1000)

static weir_timers *timers_new(weir_time now)
{
    weir_timers *timers = malloc(sizeof *timers);
    weir_timers_init(timers, now);
    return timers;
}

static void count(weir_timer *timer, void *user)
{
    assert_false(weir_timer_pending(timer));
    ++*(int *)user;
}

TEST(timers, a_timer_runs_once_at_its_time_and_not_before)
{
    weir_timers *timers = timers_new(MS(1000));
    weir_timer timer = {0};
    int runs = 0;
    weir_timers_add(timers, &timer, (weir_time){1500500}, count, &runs);
    assert_true(weir_timer_pending(&timer));
    assert_int_equal(weir_timers_advance(timers, (weir_time){1500499}), 0);
    assert_int_equal(runs, 0);
    assert_int_equal(weir_timers_advance(timers, MS(1501)), 1);
    assert_int_equal(runs, 1);
    assert_int_equal(weir_timers_advance(timers, MS(100000)), 0);
    assert_int_equal(timers->pending, 0);
    free(timers);
}

TEST(timers, a_time_already_past_means_the_next_advance)
{
    weir_timers *timers = timers_new((weir_time){5000700});
    weir_timer past = {0}, now = {0}, within_the_tick = {0};
    int runs = 0;
    weir_timers_add(timers, &past, MS(1), count, &runs);
    weir_timers_add(timers, &now, (weir_time){5000700}, count, &runs);
    weir_timers_add(timers, &within_the_tick, (weir_time){5000500}, count, &runs);
    assert_int_equal(weir_timers_wait_us(timers, (weir_time){5000700}), 0);
    assert_int_equal(weir_timers_advance(timers, (weir_time){5000700}), 3);
    assert_int_equal(weir_timers_wait_us(timers, (weir_time){5000700}), -1);
    free(timers);
}

TEST(timers, a_cancelled_timer_does_not_run)
{
    weir_timers *timers = timers_new(MS(0));
    weir_timer a = {0}, b = {0};
    int runs = 0;
    weir_timers_cancel(timers, &a);
    weir_timers_add(timers, &a, MS(10), count, &runs);
    weir_timers_add(timers, &b, MS(10), count, &runs);
    weir_timers_cancel(timers, &a);
    assert_false(weir_timer_pending(&a));
    assert_int_equal(weir_timers_advance(timers, MS(20)), 1);
    weir_timers_add(timers, &a, MS(100), count, &runs);
    weir_timers_cancel(timers, &a);
    assert_int_equal(weir_timers_wait_us(timers, MS(20)), -1);
    free(timers);
}

TEST(timers, a_pending_timer_is_moved)
{
    weir_timers *timers = timers_new(MS(0));
    weir_timer timer = {0};
    int runs = 0;
    weir_timers_add(timers, &timer, MS(10), count, &runs);
    weir_timers_add(timers, &timer, MS(10000), count, &runs);
    assert_int_equal(timers->pending, 1);
    assert_int_equal(weir_timers_advance(timers, MS(9999)), 0);
    assert_int_equal(weir_timers_advance(timers, MS(10000)), 1);
    free(timers);
}

TEST(timers, never_is_never)
{
    weir_timers *timers = timers_new(MS(0));
    weir_timer timer = {0};
    int runs = 0;
    weir_timers_add(timers, &timer, weir_time_never(), count, &runs);
    assert_int_equal(weir_timers_wait_us(timers, MS(0)), -1);
    assert_int_equal(weir_timers_advance(timers, (weir_time){INT64_MAX}), 0);
    assert_true(weir_timer_pending(&timer));
    weir_timers_cancel(timers, &timer);
    assert_int_equal(timers->pending, 0);
    free(timers);
}

TEST(timers, times_beyond_the_wheel_are_kept)
{
    static const int64_t years[] = {1, 2, 3, 4, 5, 40, 4000, 290000};
    weir_timer list[8] = {0};
    weir_timers *timers = timers_new(MS(12345));
    int runs = 0;
    for (int i = 0; i < 8; i++)
        weir_timers_add(timers, &list[i], MS(years[i] * YEAR_MS), count, &runs);
    for (int i = 0; i < 8; i++) {
        assert_true(weir_timers_wait_us(timers, timers->now) > 0);
        weir_timers_advance(timers, MS(years[i] * YEAR_MS - 1));
        assert_int_equal(runs, i);
        weir_timers_advance(timers, MS(years[i] * YEAR_MS));
        assert_int_equal(runs, i + 1);
    }
    free(timers);
}

TEST(timers, a_jump_over_everything_runs_everything)
{
    weir_timer list[8] = {0};
    weir_timers *timers = timers_new(MS(-5000));
    int runs = 0;
    for (int i = 0; i < 8; i++)
        weir_timers_add(timers, &list[i], MS(i * i * i * YEAR_MS - 2000), count, &runs);
    assert_int_equal(weir_timers_advance(timers, (weir_time){INT64_MAX}), 8);
    free(timers);
}

/** A chain of timers, each of which adds the next one. */
typedef struct chain {
    weir_timers *timers;
    weir_timer timer;
    weir_timer *victim;
    int64_t step_us;
    int runs;
} chain;

static void go_on(weir_timer *timer, void *user)
{
    chain *c = user;
    c->runs++;
    if (c->victim)
        weir_timers_cancel(c->timers, c->victim);
    weir_timers_add(c->timers, timer, weir_time_add(weir_timers_now(c->timers), c->step_us), go_on,
                    c);
}

TEST(timers, a_callback_that_adds_a_past_time_runs_once_per_advance)
{
    chain c = {.timers = timers_new(MS(0)), .step_us = -1000};
    weir_timers_add(c.timers, &c.timer, MS(5), go_on, &c);
    for (int i = 1; i <= 10; i++) {
        assert_int_equal(weir_timers_advance(c.timers, MS(1000)), 1);
        assert_int_equal(c.runs, i);
    }
    free(c.timers);
}

TEST(timers, a_callback_may_cancel_what_is_due_with_it)
{
    int runs = 0;
    weir_timer victim = {0};
    chain c = {.timers = timers_new(MS(0)), .step_us = 1000000, .victim = &victim};
    weir_timers_add(c.timers, &c.timer, MS(5), go_on, &c);
    weir_timers_add(c.timers, &victim, MS(6), count, &runs);
    assert_int_equal(weir_timers_advance(c.timers, MS(10)), 1);
    assert_int_equal(runs, 0);
    assert_false(weir_timer_pending(&victim));
    assert_int_equal(c.timers->pending, 1);
    free(c.timers);
}

TEST(timers, time_does_not_go_backwards)
{
    weir_timers *timers = timers_new(MS(100));
    weir_timer timer = {0};
    int runs = 0;
    weir_timers_advance(timers, MS(50));
    assert_int_equal(weir_timers_now(timers).us, 100000);
    weir_timers_add(timers, &timer, MS(101), count, &runs);
    assert_int_equal(weir_timers_advance(timers, MS(50)), 0);
    assert_int_equal(weir_timers_advance(timers, MS(101)), 1);
    free(timers);
}

TEST(timers, waiting_as_long_as_told_reaches_every_timer_in_few_steps)
{
    weir_timers *timers = timers_new(MS(777));
    weir_timer timer = {0};
    for (int64_t us = 1; us < (int64_t)3e13; us = us * 3 + 17) {
        int runs = 0, steps = 0;
        weir_time when = weir_time_add(timers->now, us);
        weir_timers_add(timers, &timer, when, count, &runs);
        while (runs == 0) {
            int64_t wait = weir_timers_wait_us(timers, timers->now);
            assert_true(wait >= 0);
            weir_timers_advance(timers, weir_time_add(timers->now, wait));
            assert_true(++steps <= WEIR__TIMER_LEVELS + 16);
        }
        assert_false(weir_time_before(timers->now, when));
        assert_true(weir_time_diff(timers->now, when) < 1000);
    }
    free(timers);
}

/* Random steps against a model that is a plain array. */

enum {
    MODEL_TIMERS = 300
};

typedef struct model {
    weir_timers *timers;
    struct {
        weir_timer timer;
        bool pending;
        weir_time when;
        int64_t allowed_after; /* number of the advance in which it may run first */
    } entries[MODEL_TIMERS];
    int64_t advances;
} model;

static int64_t random_us(void)
{
    static const int64_t scales[] = {10,         1000,          100000,         10000000,
                                     4000000000, 3600000000000, 200000000000000};
    int64_t scale = scales[rand() % 7];
    return (int64_t)((double)rand() / RAND_MAX * (double)scale);
}

static void model_run(weir_timer *timer, void *user);

static void model_change(model *m)
{
    int i = rand() % MODEL_TIMERS;
    if (rand() % 3 == 0) {
        weir_timers_cancel(m->timers, &m->entries[i].timer);
        m->entries[i].pending = false;
    } else {
        weir_time when = weir_time_add(weir_timers_now(m->timers), random_us() - 500);
        if (rand() % 50 == 0)
            when = weir_time_never();
        weir_timers_add(m->timers, &m->entries[i].timer, when, model_run, m);
        m->entries[i].pending = true;
        m->entries[i].when = when;
        m->entries[i].allowed_after = m->advances;
    }
}

static void model_run(weir_timer *timer, void *user)
{
    model *m = user;
    int i = 0;
    while (&m->entries[i].timer != timer)
        i++;
    assert_true(m->entries[i].pending);
    m->entries[i].pending = false;
    assert_true(m->entries[i].allowed_after < m->advances);
    assert_true(m->entries[i].when.us <= weir_timers_now(m->timers).us);
    if (rand() % 2)
        model_change(m);
}

/** Everything that a tick ago was due has run, unless it was added during the last advance. */
static void model_check(const model *m)
{
    size_t pending = 0;
    for (int i = 0; i < MODEL_TIMERS; i++) {
        assert_int_equal(m->entries[i].pending, weir_timer_pending(&m->entries[i].timer));
        if (!m->entries[i].pending)
            continue;
        pending++;
        if (m->entries[i].allowed_after < m->advances)
            assert_true(m->entries[i].when.us > m->timers->now.us - 1000);
    }
    assert_int_equal(pending, m->timers->pending);
}

TEST(timers, random_steps_agree_with_a_plain_array)
{
    model *m = calloc(1, sizeof *m);
    srand(815);
    m->timers = timers_new(MS(123456789));
    for (int step = 0; step < 60000; step++) {
        if (rand() % 4) {
            model_change(m);
        } else {
            m->advances++;
            weir_timers_advance(m->timers, weir_time_add(m->timers->now, random_us()));
            model_check(m);
        }
    }
    free(m->timers);
    free(m);
}

static int64_t previous_tick;

static void check_order(weir_timer *timer, void *user)
{
    int64_t tick = (timer->when.us + 999) / 1000;
    assert_true(tick >= previous_tick);
    previous_tick = tick;
    ++*(int *)user;
}

TEST(timers, what_is_due_runs_in_order_of_time)
{
    static weir_timer list[2000];
    weir_timers *timers = timers_new(MS(99));
    int runs = 0;
    srand(3);
    for (int i = 0; i < 2000; i++)
        weir_timers_add(timers, &list[i], weir_time_add(timers->now, random_us() + 1), check_order,
                        &runs);
    size_t ran = 0;
    for (int64_t jump = 1; ran < 2000; jump *= 7)
        ran += weir_timers_advance(timers, weir_time_add(timers->now, jump * 1000));
    assert_int_equal(runs, 2000);
    free(timers);
}

TEST(timers, a_million_may_be_pending)
{
    enum {
        MANY = 1000000
    };
    weir_timers *timers = timers_new(MS(0));
    weir_timer *many = calloc(MANY, sizeof *many);
    int runs = 0;
    for (int i = 0; i < MANY; i++)
        weir_timers_add(timers, &many[i], MS((int64_t)i * 7919 % 600000), count, &runs);
    assert_int_equal(timers->pending, MANY);
    for (int i = 0; i < MANY; i += 2)
        weir_timers_cancel(timers, &many[i]);
    assert_int_equal(timers->pending, MANY / 2);
    for (int64_t ms = 0; ms <= 600000; ms += 1000)
        weir_timers_advance(timers, MS(ms));
    assert_int_equal(runs, MANY / 2);
    assert_int_equal(timers->pending, 0);
    free(many);
    free(timers);
}
