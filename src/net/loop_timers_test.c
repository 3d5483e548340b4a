#include <weir/net/loop_timers.h>

#include "net_test.h"

#include <stdatomic.h>

/* Tickers */

struct ticks {
    weir_loop *loop;
    weir_ticker ticker;
    int count;
    int stop_at;
    int64_t slow_us; /* how long the first tick takes */
    weir_time first, last;
};

static void tick(weir_ticker *ticker, void *user)
{
    struct ticks *t = user;
    t->last = weir_time_now();
    if (t->count++ == 0)
        t->first = t->last;
    while (t->count == 1 && weir_time_diff(weir_time_now(), t->last) < t->slow_us)
        ;
    if (t->count == t->stop_at)
        weir_ticker_stop(ticker);
}

TEST(loop_timers, a_ticker_runs_until_it_is_stopped_within_its_callback)
{
    struct ticks t = {.loop = new_loop(), .stop_at = 3};
    weir_time begin = weir_time_now();
    weir_ticker_start(&t.ticker, t.loop, 5000, tick, &t);
    run_until(t.loop, t.count == 3);
    assert_true(weir_time_diff(t.first, begin) >= 5000);
    assert_true(weir_time_diff(t.last, begin) >= 15000);
    assert_int_equal(weir_loop_timers(t.loop)->pending, 0);
    weir_ticker_stop(&t.ticker);
    weir_loop_free(t.loop);
}

TEST(loop_timers, ticks_that_a_slow_callback_misses_are_left_out)
{
    struct ticks t = {.loop = new_loop(), .stop_at = 4, .slow_us = 25000};
    weir_time begin = weir_time_now();
    weir_ticker_start(&t.ticker, t.loop, 10000, tick, &t);
    run_until(t.loop, t.count == 4);
    /* At 10 ms; at 35, late; then 40 and 50: the one for 30 is left out. */
    assert_true(weir_time_diff(t.last, begin) >= 50000);
    weir_loop_free(t.loop);
}

TEST(loop_timers, a_ticker_that_is_started_again_begins_anew)
{
    struct ticks t = {.loop = new_loop(), .stop_at = 1};
    weir_ticker_start(&t.ticker, t.loop, WEIR_SECONDS(1000), tick, &t);
    weir_ticker_start(&t.ticker, t.loop, 0, tick, &t);
    run_until(t.loop, t.count == 1);
    weir_loop_free(t.loop);
}

/* Timers of other threads */

struct posted {
    weir_loop *loop;
    weir_timer_id id;
    atomic_int due, canceled;
    bool cancel_inside;
};

static void posted_fn(void *user, weir_err err)
{
    struct posted *p = user;
    if (!err && p->cancel_inside)
        assert_ok(weir_timer_cancel_post(p->id));
    atomic_fetch_add(err ? &p->canceled : &p->due, 1);
    if (err)
        assert_err(err, WEIR_ECANCELED);
}

static void in_another_thread(void (*fn)(void *user), void *user)
{
    weir_thread *thread;
    assert_ok(weir_thread_start(&thread, "other", fn, user));
    weir_thread_join(thread);
}

static void set_three(void *user)
{
    struct posted *p = user;
    assert_ok(weir_loop_after_post(p->loop, NULL, 2000, posted_fn, p));
    assert_ok(weir_loop_at_post(p->loop, NULL, (weir_time){0}, posted_fn, p));
    assert_ok(weir_loop_after_post(p->loop, &p->id, WEIR_SECONDS(1000), posted_fn, p));
}

static void cancel_it(void *user)
{
    struct posted *p = user;
    assert_ok(weir_timer_cancel_post(p->id));
    assert_ok(weir_timer_cancel_post(p->id));
}

TEST(loop_timers, another_thread_sets_and_cancels)
{
    struct posted p = {.loop = new_loop()};
    assert_ok(weir_loop_run_once(p.loop, 0));
    in_another_thread(set_three, &p);
    run_until(p.loop, atomic_load(&p.due) == 2);
    in_another_thread(cancel_it, &p);
    run_until(p.loop, atomic_load(&p.canceled) == 1);
    assert_ok(weir_timer_cancel_post(p.id));
    assert_ok(weir_timer_cancel_post((weir_timer_id){0}));
    settle(p.loop);
    assert_int_equal(atomic_load(&p.canceled), 1);
    weir_loop_free(p.loop);
    assert_ok(weir_timer_cancel_post(p.id));
}

TEST(loop_timers, a_periodic_one_may_be_cancelled_inside_its_callback)
{
    struct posted p = {.loop = new_loop(), .cancel_inside = true};
    assert_ok(weir_loop_every_post(p.loop, &p.id, 1000, posted_fn, &p));
    run_until(p.loop, atomic_load(&p.canceled) == 1);
    assert_int_equal(atomic_load(&p.due), 1);
    weir_loop_free(p.loop);
}

TEST(loop_timers, a_periodic_one_runs_again_and_again)
{
    struct posted p = {.loop = new_loop()};
    assert_ok(weir_loop_every_post(p.loop, &p.id, 1000, posted_fn, &p));
    run_until(p.loop, atomic_load(&p.due) == 5);
    weir_loop_free(p.loop);
    assert_int_equal(atomic_load(&p.canceled), 1);
}

TEST(loop_timers, those_that_a_loop_leaves_behind_are_canceled_set_or_still_on_their_way)
{
    struct posted p = {.loop = new_loop()};
    assert_ok(weir_loop_after_post(p.loop, NULL, WEIR_SECONDS(9), posted_fn, &p));
    assert_ok(weir_loop_run_once(p.loop, 0));
    assert_ok(weir_loop_after_post(p.loop, NULL, WEIR_SECONDS(9), posted_fn, &p));
    weir_loop_free(p.loop);
    assert_int_equal(atomic_load(&p.canceled), 2);
}

/** Threads that set and cancel while the loop runs theirs. */
enum {
    SETTERS = 4,
    EACH = 500
};

static void set_and_cancel(void *user)
{
    struct posted *p = user;
    for (int i = 0; i < EACH; i++) {
        weir_timer_id id;
        assert_ok(weir_loop_after_post(p->loop, &id, i % 3 * 500, posted_fn, p));
        if (i % 2)
            assert_ok(weir_timer_cancel_post(id));
    }
}

TEST(loop_timers, every_one_runs_or_is_canceled_exactly_once_whoever_is_faster)
{
    struct posted p = {.loop = new_loop()};
    weir_thread *threads[SETTERS];
    assert_ok(weir_loop_run_once(p.loop, 0));
    for (int i = 0; i < SETTERS; i++)
        assert_ok(weir_thread_start(&threads[i], "setter", set_and_cancel, &p));
    run_until(p.loop, atomic_load(&p.due) + atomic_load(&p.canceled) == SETTERS * EACH);
    for (int i = 0; i < SETTERS; i++)
        weir_thread_join(threads[i]);
    settle(p.loop);
    assert_int_equal(atomic_load(&p.due) + atomic_load(&p.canceled), SETTERS * EACH);
    weir_loop_free(p.loop);
}
