/* Periodic timers, and timers of other threads. The latter live on the heap from the post to their
 * last run, in one of the loop's slots, so that an id of one that is gone is told apart. */
#include <weir/net/loop_timers.h>

#include "loop_impl.h"

#include <stdlib.h>

enum {
    SHORTEST_PERIOD_US = 1000
};

/** The tick after `last` that is still to come. */
static weir_time next_tick(weir_time last, int64_t period_us, weir_time now)
{
    int64_t late_us = weir_time_diff(now, last);
    int64_t periods = late_us < period_us ? 1 : late_us / period_us + 1;
    return weir_time_add(last, periods * period_us);
}

static int64_t whole_period(int64_t period_us)
{
    return period_us < SHORTEST_PERIOD_US ? SHORTEST_PERIOD_US : period_us;
}

/* Tickers */

static void tick(weir_timer *timer, void *user)
{
    weir_ticker *ticker = user;
    weir_time next = next_tick(timer->when, ticker->period_us, weir_loop_now(ticker->loop));
    weir_loop_at(ticker->loop, timer, next, tick, ticker);
    ticker->fn(ticker, ticker->user);
}

void weir_ticker_start(weir_ticker *ticker, weir_loop *loop, int64_t period_us, weir_ticker_fn fn,
                       void *user)
{
    weir_ticker_stop(ticker);
    ticker->loop = loop;
    ticker->period_us = whole_period(period_us);
    ticker->fn = fn;
    ticker->user = user;
    weir_loop_after(loop, &ticker->timer, ticker->period_us, tick, ticker);
}

void weir_ticker_stop(weir_ticker *ticker)
{
    if (ticker->loop)
        weir_loop_cancel(ticker->loop, &ticker->timer);
}

/* Posted timers */

static const char timer_kind;

typedef struct posted_timer {
    /* before the post */
    weir_task task; /* the post, then the cancellation */
    weir_loop *loop;
    weir_timer_post_fn fn;
    void *user;
    int64_t period_us; /* 0: runs once */
    weir_time when;
    weir_timer_id id;

    /* the loop's */
    weir_list node;
    weir_timer timer;
} posted_timer;

static void finish(posted_timer *t, weir_err err)
{
    weir_loop_cancel(t->loop, &t->timer);
    weir_list_remove(&t->node);
    weir_slots_remove(weir_loop_slots(t->loop), t->id.value);
    t->fn(t->user, err);
    free(t);
}

static void time_has_come(weir_timer *timer, void *user)
{
    posted_timer *t = user;
    if (t->period_us == 0) {
        finish(t, WEIR_OK);
        return;
    }
    weir_time next = next_tick(timer->when, t->period_us, weir_loop_now(t->loop));
    weir_loop_at(t->loop, timer, next, time_has_come, t);
    t->fn(t->user, WEIR_OK);
}

static void set_posted(weir_task *task, weir_err err)
{
    posted_timer *t = WEIR_CONTAINER_OF(task, posted_timer, task);
    if (err) {
        finish(t, err);
        return;
    }
    weir_list_append(&t->loop->posted_timers, &t->node);
    weir_loop_at(t->loop, &t->timer, t->when, time_has_come, t);
}

void weir__loop_cancel_posted_timers(weir_loop *loop)
{
    while (!weir_list_empty(&loop->posted_timers))
        finish(WEIR_CONTAINER_OF(loop->posted_timers.next, posted_timer, node), WEIR_ECANCELED);
}

static weir_err post_timer(weir_loop *loop, weir_timer_id *id, weir_time when, int64_t period_us,
                           weir_timer_post_fn fn, void *user)
{
    posted_timer *t = calloc(1, sizeof *t);
    if (!t)
        return WEIR_ENOMEM;
    t->loop = loop;
    t->fn = fn;
    t->user = user;
    t->period_us = period_us;
    t->when = when;
    weir_err err = weir_slots_add(weir_loop_slots(loop), &timer_kind, t, weir_loop_number(loop), 0,
                                  &t->id.value);
    if (err) {
        free(t);
        return err;
    }
    if (id)
        *id = t->id;
    weir_loop_post(loop, &t->task, set_posted);
    return WEIR_OK;
}

weir_err weir_loop_at_post(weir_loop *loop, weir_timer_id *id, weir_time when,
                           weir_timer_post_fn fn, void *user)
{
    return post_timer(loop, id, when, 0, fn, user);
}

weir_err weir_loop_after_post(weir_loop *loop, weir_timer_id *id, int64_t after_us,
                              weir_timer_post_fn fn, void *user)
{
    return post_timer(loop, id, weir_time_add(weir_time_now(), after_us), 0, fn, user);
}

weir_err weir_loop_every_post(weir_loop *loop, weir_timer_id *id, int64_t period_us,
                              weir_timer_post_fn fn, void *user)
{
    period_us = whole_period(period_us);
    return post_timer(loop, id, weir_time_add(weir_time_now(), period_us), period_us, fn, user);
}

/** What another thread wants of a timer. */
typedef struct cancellation {
    weir_task task;
    weir_loop *loop;
    weir_timer_id id;
} cancellation;

static void cancel_posted(weir_task *task, weir_err err)
{
    cancellation *c = WEIR_CONTAINER_OF(task, cancellation, task);
    posted_timer *t =
        err ? NULL : weir_slots_get(weir_loop_slots(c->loop), &timer_kind, c->id.value);
    if (t)
        finish(t, WEIR_ECANCELED);
    free(c);
}

static weir_err post_cancellation(weir_loop *loop, weir_timer_id id)
{
    cancellation *c = malloc(sizeof *c);
    if (!c)
        return WEIR_ENOMEM;
    c->loop = loop;
    c->id = id;
    weir_loop_post(loop, &c->task, cancel_posted);
    return WEIR_OK;
}

weir_err weir_timer_cancel_post(weir_timer_id id)
{
    unsigned number = weir_slot_loop(id.value);
    weir_loop *loop = weir_loop_enter(number);
    if (!loop)
        return WEIR_OK;
    weir_err err = WEIR_OK;
    if (weir_slots_alive(weir_loop_slots(loop), id.value))
        err = post_cancellation(loop, id);
    weir_loop_leave(number);
    return err;
}
