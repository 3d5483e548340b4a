#include "robot.h"

#include <stdio.h>

enum {
    PER_TICK = 2000 /* messages: the loop must come back to its sockets */
};

int64_t robot_now_us(const robot *self)
{
    return weir_time_diff(weir_time_now(), self->start);
}

void robot_broken(robot *self, const char *what, const char *why)
{
    if (!atomic_flag_test_and_set(&self->told))
        fprintf(stderr, "weir-chat-robot: %s: %s\n", what, why);
    atomic_store(&self->broken, true);
}

static void log_in_more(worker *self)
{
    const options *opts = &self->robot->opts;
    uint32_t most = opts->logins / opts->loops + (self->index < opts->logins % opts->loops);
    while (self->logging_in < (most > 0 ? most : 1) && self->next_login < opts->users &&
           !atomic_load(&self->robot->broken)) {
        self->logging_in++;
        user *next = &self->robot->users[self->next_login];
        self->next_login += opts->loops;
        user_start(next);
    }
}

void worker_user_ready(worker *self)
{
    self->logging_in--;
    atomic_fetch_add(&self->counts.ready, 1);
    log_in_more(self);
}

/* Phases: each is a task in every worker's loop, for which the main thread waits. */

static void done(worker *self)
{
    weir_latch_down(&self->robot->all);
}

static void run_all(robot *self, weir_task_fn fn)
{
    weir_latch_init(&self->all, self->opts.loops);
    for (uint32_t i = 0; i < self->opts.loops; i++)
        weir_loop_post(self->workers[i].loop, &self->workers[i].task, fn);
    weir_latch_wait(&self->all);
    weir_latch_fini(&self->all);
}

static void begin_logins(weir_task *task, weir_err err)
{
    worker *self = WEIR_CONTAINER_OF(task, worker, task);
    if (!err)
        log_in_more(self);
    done(self);
}

weir_err workers_start(robot *self)
{
    for (uint32_t i = 0; i < self->opts.loops; i++) {
        worker *made = &self->workers[i];
        made->robot = self;
        made->index = made->next_login = i;
        weir_err err = weir_loop_thread_start(&made->thread, &(weir_loop_opts){.name = "robot"});
        while (err && i > 0)
            weir_loop_thread_stop(self->workers[--i].thread);
        if (err)
            return err;
        made->loop = weir_loop_thread_loop(made->thread);
    }
    run_all(self, begin_logins);
    return WEIR_OK;
}

static void greet(weir_task *task, weir_err err)
{
    worker *self = WEIR_CONTAINER_OF(task, worker, task);
    for (uint32_t u = self->index; !err && u < self->robot->opts.users;
         u += self->robot->opts.loops)
        user_greet(&self->robot->users[u]);
    done(self);
}

void workers_greet(robot *self)
{
    run_all(self, greet);
}

/* Sending at a rate: each worker has its share of it. A message is as late as its tick. */

static void on_tick(weir_ticker *ticker WEIR_UNUSED, void *who)
{
    worker *self = who;
    const robot *host = self->robot;
    double per_us = host->rate / 1e6 * (double)self->sender_count / (double)host->sender_count;
    int64_t now_us = robot_now_us(host);
    for (unsigned i = 0; i < PER_TICK; i++) {
        int64_t due_us = host->sending_from_us + (int64_t)((double)self->due / per_us);
        if (due_us > now_us)
            break;
        self->due++;
        user_send(self->senders[self->next_sender], due_us);
        self->next_sender = (self->next_sender + 1) % self->sender_count;
    }
}

static void send_first(worker *self)
{
    self->sending = true;
    self->due = 0;
    self->answers = self->deliveries = (histogram){0};
    if (self->robot->rate > 0) {
        weir_ticker_start(&self->ticker, self->loop, WEIR_MILLISECONDS(1), on_tick, self);
        return;
    }
    for (size_t i = 0; i < self->sender_count; i++)
        user_send(self->senders[i], robot_now_us(self->robot));
}

static void begin_sending(weir_task *task, weir_err err)
{
    worker *self = WEIR_CONTAINER_OF(task, worker, task);
    if (!err && self->sender_count > 0)
        send_first(self);
    done(self);
}

void workers_send(robot *self)
{
    self->sending_from_us = robot_now_us(self);
    run_all(self, begin_sending);
}

static void end_sending(weir_task *task, weir_err err WEIR_UNUSED)
{
    worker *self = WEIR_CONTAINER_OF(task, worker, task);
    self->sending = false;
    weir_ticker_stop(&self->ticker);
    done(self);
}

void workers_stop_sending(robot *self)
{
    run_all(self, end_sending);
}

static void collect(weir_task *task, weir_err err WEIR_UNUSED)
{
    worker *self = WEIR_CONTAINER_OF(task, worker, task);
    self->clients = (chat_client_counters){0};
    for (uint32_t u = self->index; u < self->robot->opts.users; u += self->robot->opts.loops)
        user_add_counters(&self->robot->users[u], &self->clients);
    done(self);
}

void workers_collect(robot *self)
{
    run_all(self, collect);
}

static void on_freed(weir_timer *timer WEIR_UNUSED, void *who)
{
    done(who);
}

/** What was freed needs one more turn. */
static void free_users(weir_task *task, weir_err err WEIR_UNUSED)
{
    worker *self = WEIR_CONTAINER_OF(task, worker, task);
    weir_ticker_stop(&self->ticker);
    weir_loop_after(self->loop, &self->timer, WEIR_MILLISECONDS(1), on_freed, self);
    for (uint32_t u = self->index; u < self->robot->opts.users; u += self->robot->opts.loops)
        user_free(&self->robot->users[u]);
}

void workers_end(robot *self)
{
    run_all(self, free_users);
    for (uint32_t i = 0; i < self->opts.loops; i++)
        weir_loop_thread_stop(self->workers[i].thread);
}

unsigned long workers_sum(robot *self, size_t counter)
{
    unsigned long sum = 0;
    for (uint32_t i = 0; i < self->opts.loops; i++)
        sum += atomic_load((atomic_ulong *)(void *)((char *)&self->workers[i].counts + counter));
    return sum;
}
