#include "loop_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    TASKS_PER_TURN = 1024, /* so that a task that posts itself does not starve the descriptors */
    DEFER_ROUNDS = 8       /* end-of-turn work that asks for more waits for the next turn then */
};

_Thread_local char weir__this_thread;

/* Making and freeing */

static void woken(weir_watcher *watcher, unsigned events WEIR_UNUSED, void *user)
{
    weir_loop *loop = user;
    uint64_t count;
    if (read(watcher->fd, &count, sizeof count) == sizeof count)
        loop->stats.wakes++;
}

static void wake(weir_loop *loop)
{
    uint64_t one = 1;
    /* It can only fail when the counter is full, and then the loop is awake already. */
    ssize_t ignored = write(loop->wake.fd, &one, sizeof one);
    (void)ignored;
}

static weir_err new_poller(weir__poller **out, weir_poller_kind kind)
{
    return kind == WEIR_POLLER_POLL ? weir__poller_poll(out)
                                    : weir__poller_epoll(out, kind == WEIR_POLLER_EPOLL);
}

/** The poller and the descriptor by which other threads wake it. */
static weir_err open_poller(weir_loop *loop)
{
    weir_err err = new_poller(&loop->poller, loop->poller_kind);
    if (err)
        return err;
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (fd < 0) {
        err = weir_err_from_errno(errno);
    } else {
        weir_watcher_init(&loop->wake, loop, fd, woken, loop);
        err = weir_watcher_want(&loop->wake, WEIR_READABLE);
        if (err)
            close(fd);
    }
    if (err)
        loop->poller->ops->free(loop->poller);
    loop->process = getpid();
    return err;
}

static void close_poller(weir_loop *loop)
{
    weir_watcher_stop(&loop->wake);
    close(loop->wake.fd);
    loop->poller->ops->free(loop->poller);
}

/** A forked child shares the poller's kernel objects with its parent: it gets its own. */
static weir_err reopen_poller(weir_loop *loop)
{
    weir_list watchers;
    weir_list_init(&watchers);
    weir_list_remove(&loop->wake.node);
    loop->poller->ops->free(loop->poller);
    close(loop->wake.fd);
    weir_list_splice(&watchers, &loop->watchers);
    weir_list_splice(&watchers, &loop->again);
    weir_err err = open_poller(loop);
    weir_list_each (node, next, &watchers) {
        weir_watcher *watcher = WEIR_CONTAINER_OF(node, weir_watcher, node);
        watcher->added = false;
        if (!err)
            err = loop->poller->ops->set(loop->poller, watcher);
        watcher->added = !err;
    }
    weir_list_splice(&loop->watchers, &watchers);
    return err;
}

static weir_err init_parts(weir_loop *loop, const weir_loop_opts *opts)
{
    weir_err err = weir_pool_new(&loop->pool, opts ? &opts->pool : NULL);
    if (err)
        return err;
    err = open_poller(loop);
    if (!err) {
        err = weir__loop_enrol(loop);
        if (err)
            close_poller(loop);
    }
    if (!err) {
        err = weir_compressors_new(&loop->compressors, &loop->timers);
        if (err) {
            weir__loop_expel(loop);
            close_poller(loop);
        }
    }
    if (err)
        weir_pool_free(loop->pool);
    return err;
}

weir_err weir_loop_new(weir_loop **out, const weir_loop_opts *opts)
{
    weir_loop *loop = aligned_alloc(WEIR_CACHE_LINE, sizeof *loop);
    if (!loop)
        return WEIR_ENOMEM;
    *loop = (weir_loop){.now = weir_time_now(), .poller_kind = opts ? opts->poller : 0};
    weir_list_init(&loop->watchers);
    weir_list_init(&loop->again);
    weir_list_init(&loop->posted_timers);
    weir_list_init(&loop->conns);
    weir_list_init(&loop->deferred);
    weir_timers_init(&loop->timers, loop->now);
    weir_mpsc_init(&loop->tasks);
    weir_err err = init_parts(loop, opts);
    if (err) {
        free(loop);
        return err;
    }
    *out = loop;
    return WEIR_OK;
}

static weir_task *next_task(weir_loop *loop)
{
    weir_mpsc_node *node = loop->next_task ? loop->next_task : weir_mpsc_pop(&loop->tasks);
    loop->next_task = NULL;
    return node ? WEIR_CONTAINER_OF(node, weir_task, node) : NULL;
}

static void run_deferred(weir_loop *loop)
{
    for (int round = 0; round < DEFER_ROUNDS && !weir_list_empty(&loop->deferred); round++) {
        weir_list now;
        weir_list_init(&now);
        weir_list_splice(&now, &loop->deferred);
        for (weir_list *node; (node = weir_list_pop(&now));) {
            weir_deferred *work = WEIR_CONTAINER_OF(node, weir_deferred, node);
            work->fn(work);
        }
    }
}

static void cancel_tasks(weir_loop *loop)
{
    for (weir_task *task; (task = next_task(loop));)
        task->fn(task, WEIR_ECANCELED);
}

void weir_loop_free(weir_loop *loop)
{
    if (!loop)
        return;
    weir__loop_assert(loop);
    weir__loop_unlist(loop); /* nobody who has but ids posts to it from now on */
    weir__loop_cancel_posted_timers(loop);
    cancel_tasks(loop);
    if (loop->end_conns)
        loop->end_conns(loop);
    while (!weir_list_empty(&loop->deferred))
        run_deferred(loop);
    cancel_tasks(loop); /* what the ends of connections have posted */
    weir__loop_expel(loop);
    close_poller(loop);
    weir_compressors_free(loop->compressors);
    weir_pool_free(loop->pool);
    free(loop);
}

/* Running */

weir_err weir__loop_own(weir_loop *loop)
{
    if (!weir_loop_in_thread(loop))
        WEIR_BUG("a loop is run by another thread than the one that first ran it");
    if (atomic_load(&loop->owner))
        return WEIR_OK;
    atomic_store(&loop->owner, &weir__this_thread);
    return loop->process == getpid() ? WEIR_OK : reopen_poller(loop);
}

void weir__loop_disown(weir_loop *loop)
{
    atomic_store(&loop->owner, NULL);
}

int64_t weir_loop_wait_us(weir_loop *loop)
{
    atomic_store(&loop->asleep, true);
    if (!loop->next_task)
        loop->next_task = weir_mpsc_pop(&loop->tasks);
    if (loop->next_task || !weir_list_empty(&loop->deferred) || !weir_list_empty(&loop->again) ||
        atomic_load(&loop->quitting))
        return 0;
    return loop->timers.pending == 0 ? -1 : weir_timers_wait_us(&loop->timers, weir_time_now());
}

/** How long this turn may wait. From here on who queues a task wakes the loop. */
static int64_t fall_asleep(weir_loop *loop, int64_t wait_us)
{
    int64_t own_us = weir_loop_wait_us(loop);
    if (own_us < 0)
        return wait_us;
    return wait_us < 0 || own_us < wait_us ? own_us : wait_us;
}

/** What the last turn did not read to the end. */
static void run_again(weir_loop *loop)
{
    weir_list now;
    weir_list_init(&now);
    weir_list_splice(&now, &loop->again);
    for (weir_list *node; (node = weir_list_pop(&now));) {
        weir_watcher *watcher = WEIR_CONTAINER_OF(node, weir_watcher, node);
        weir_list_append(&loop->watchers, node);
        watcher->fn(watcher, WEIR_READABLE, watcher->user);
    }
}

static void run_events(weir_loop *loop)
{
    loop->stats.events += (uint64_t)loop->ready_count;
    for (loop->ready_at = 0; loop->ready_at < loop->ready_count;) {
        const weir__ready *ready = &loop->ready[loop->ready_at++];
        weir_watcher *watcher = ready->watcher;
        unsigned events = watcher ? ready->events & (watcher->events | WEIR__HANGUP) : 0;
        if (events)
            watcher->fn(watcher, events, watcher->user);
    }
    loop->ready_at = loop->ready_count = 0;
}

static void run_tasks(weir_loop *loop)
{
    weir_task *task;
    for (int i = 0; i < TASKS_PER_TURN && (task = next_task(loop)); i++) {
        loop->stats.tasks++;
        task->fn(task, WEIR_OK);
    }
}

weir_err weir_loop_run_once(weir_loop *loop, int64_t wait_us)
{
    weir_err err = weir__loop_own(loop);
    if (err)
        return err;
    int64_t limit_us = fall_asleep(loop, wait_us);
    err = loop->poller->ops->wait(loop->poller, limit_us, loop->ready, &loop->ready_count);
    atomic_store(&loop->asleep, false);
    if (err)
        return err;
    loop->now = weir_time_now();
    weir_timers_tell(&loop->timers, loop->now);
    loop->stats.turns++;
    run_again(loop);
    run_events(loop);
    loop->stats.timers += weir_timers_advance(&loop->timers, loop->now);
    run_tasks(loop);
    run_deferred(loop);
    return WEIR_OK;
}

weir_err weir_loop_run(weir_loop *loop)
{
    weir_err err = WEIR_OK;
    while (!err && !atomic_exchange(&loop->quitting, false))
        err = weir_loop_run_once(loop, -1);
    return err;
}

void weir_loop_quit(weir_loop *loop)
{
    atomic_store(&loop->quitting, true);
    if (atomic_exchange(&loop->asleep, false))
        wake(loop);
}

/* Reading */

weir_err weir_loop_descriptor(const weir_loop *loop, int *fd)
{
    if (loop->poller->fd < 0)
        return WEIR_ENOTSUP;
    *fd = loop->poller->fd;
    return WEIR_OK;
}

bool weir_loop_in_thread(const weir_loop *loop)
{
    return weir__loop_in_thread(loop);
}

weir_time weir_loop_now(const weir_loop *loop)
{
    return loop->now;
}

weir_timers *weir_loop_timers(weir_loop *loop)
{
    return &loop->timers;
}

weir_compressors *weir_loop_compressors(weir_loop *loop)
{
    return loop->compressors;
}

weir_pool *weir_loop_pool(weir_loop *loop)
{
    return loop->pool;
}

weir_slots *weir_loop_slots(weir_loop *loop)
{
    return loop->slots;
}

void weir_loop_get_stats(const weir_loop *loop, weir_loop_stats *out)
{
    *out = loop->stats;
}

/* Timers, tasks, end-of-turn work */

void weir_loop_after(weir_loop *loop, weir_timer *timer, int64_t after_us, weir_timer_fn fn,
                     void *user)
{
    weir__loop_assert(loop);
    weir_time when = after_us > 0 ? weir_time_add(weir_time_now(), after_us) : (weir_time){0};
    weir_timers_add(&loop->timers, timer, when, fn, user);
}

void weir_loop_at(weir_loop *loop, weir_timer *timer, weir_time when, weir_timer_fn fn, void *user)
{
    weir__loop_assert(loop);
    weir_timers_add(&loop->timers, timer, when, fn, user);
}

void weir_loop_cancel(weir_loop *loop, weir_timer *timer)
{
    weir__loop_assert(loop);
    weir_timers_cancel(&loop->timers, timer);
}

void weir_loop_post(weir_loop *loop, weir_task *task, weir_task_fn fn)
{
    task->fn = fn;
    weir_mpsc_push(&loop->tasks, &task->node);
    /* The first to queue something for a sleeping loop wakes it; the others find it woken. */
    if (atomic_load(&loop->asleep) && atomic_exchange(&loop->asleep, false))
        wake(loop);
}

void weir_loop_run_in(weir_loop *loop, weir_task *task, weir_task_fn fn)
{
    if (weir_loop_in_thread(loop)) {
        task->fn = fn;
        fn(task, WEIR_OK);
    } else {
        weir_loop_post(loop, task, fn);
    }
}

void weir_loop_defer(weir_loop *loop, weir_deferred *work)
{
    weir__loop_assert(loop);
    if (!weir_list_linked(&work->node))
        weir_list_append(&loop->deferred, &work->node);
}

void weir_loop_undefer(weir_loop *loop, weir_deferred *work)
{
    weir__loop_assert(loop);
    weir_list_remove(&work->node);
}
