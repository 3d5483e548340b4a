/* overload-load: a server of known capacity, and clients that call it at a steady rate whatever
 * comes back. The handler waits on one of a few workers, so that the capacity is workers / time of
 * a call, on any machine. Prints for each client how many calls per second were sent, answered in
 * time, refused, and what else became of them.
 *
 * overload-load none|fixed|adaptive LOAD [SECONDS [GREEDY [WORK]]]: LOAD and GREEDY, which is
 * another client's, are multiples of the capacity; WORK is what a call takes, in milliseconds.
 * Calls have ten times that, and wait at most half as long as they have. */
#include "echo.weir.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weir/builtin/overload.h>
#include <weir/net/loop_timers.h>

enum {
    WORKERS = 8,
    CLIENTS = 2,
    WARM_UP_S = 2
};

static int work_ms = 20; /* before the start */

static double capacity(void) /* calls per second */
{
    return WORKERS * 1000.0 / work_ms;
}

/* The server. */

static weir_status work(weir_blocking_call *call, const echo_echo_request *request,
                        echo_echo_response *response, void *user)
{
    (void)call, (void)user;
    nanosleep(&(struct timespec){.tv_nsec = work_ms * 1000000L}, NULL);
    response->message = request->message;
    return WEIR_BLOCKING_OK;
}

static const echo_echo_methods methods = {.blocking = {.unary_echo = work}};

typedef struct service {
    weir_loop_thread *thread;
    weir_server *server;
    weir_overload *overload; /* NULL: no protection */
    weir_task task;
    weir_latch done;
    weir_err err;
    char addr[WEIR_ADDR_TEXT_MAX];
} service;

static void do_start(weir_task *task, weir_err err)
{
    service *s = WEIR_CONTAINER_OF(task, service, task);
    s->err =
        err ? err
            : weir_server_start(s->server, weir_loop_thread_loop(s->thread), "127.0.0.1:0", NULL);
    if (!s->err)
        weir_addr_text(weir_server_addr(s->server), s->addr);
    weir_latch_down(&s->done);
}

static void on_stopped(void *user)
{
    weir_latch_down(&((service *)user)->done);
}

static void do_stop(weir_task *task, weir_err err)
{
    service *s = WEIR_CONTAINER_OF(task, service, task);
    (void)err;
    weir_server_stop(s->server, on_stopped, s);
}

static void in_loop(service *s, weir_task_fn fn)
{
    weir_latch_init(&s->done, 1);
    weir_loop_post(weir_loop_thread_loop(s->thread), &s->task, fn);
    weir_latch_wait(&s->done);
    weir_latch_fini(&s->done);
}

static weir_err protect(service *s, const char *how)
{
    if (strcmp(how, "none") == 0)
        return WEIR_OK;
    bool adaptive = strcmp(how, "adaptive") == 0;
    weir_err err = weir_overload_new(&s->overload,
                                     &(weir_overload_opts){
                                         .adaptive = adaptive,
                                         .max_concurrent = adaptive ? 0 : WORKERS,
                                         .queue_us = WEIR_MILLISECONDS(5 * work_ms),
                                         .key = WEIR_OVERLOAD_PER_METADATA,
                                         .key_metadata = "client",
                                     },
                                     NULL);
    return err ? err : weir_server_intercept(s->server, &weir_overload_limit, s->overload);
}

static weir_err service_open(service *s, const char *how)
{
    s->server = weir_server_new(&(weir_server_opts){
        .workers = WORKERS, .workers_queue = 100000, .max_streams = 100000, .loops = 2});
    if (!s->server)
        return WEIR_ENOMEM;
    weir_err err = protect(s, how);
    if (!err)
        err = echo_echo_serve(s->server, &methods, NULL);
    if (!err)
        err = weir_loop_thread_start(&s->thread, NULL);
    if (err)
        return err;
    in_loop(s, do_start);
    return s->err;
}

static void service_close(service *s)
{
    in_loop(s, do_stop);
    weir_loop_thread_stop(s->thread);
    weir_server_free(s->server);
    weir_overload_free(s->overload);
}

/* The clients, all in one loop. */

typedef struct client {
    const char *name;
    double per_second, due;
    weir_channel *channel;
    weir_metadata metadata;
    struct load *load;
} client;

typedef struct tally {
    unsigned long long sent, good, refused, late, other;
} tally;

typedef struct load {
    weir_loop *loop;
    weir_ticker ticker;
    weir_time begin, counts, end, last;
    size_t open; /* calls */
    client clients[CLIENTS];
    tally tallies[CLIENTS];
} load;

typedef struct sent_call {
    client *client;
    bool counts; /* the server is warm */
} sent_call;

static void on_answer(const weir_status *status, const echo_echo_response *response, void *user)
{
    (void)response;
    sent_call *sent = user;
    load *l = sent->client->load;
    tally *t = &l->tallies[sent->client - l->clients];
    if (sent->counts) {
        t->good += status->code == WEIR_STATUS_OK;
        t->refused += status->code == WEIR_STATUS_RESOURCE_EXHAUSTED;
        t->late += status->code == WEIR_STATUS_DEADLINE_EXCEEDED;
    }
    free(sent);
    l->open--;
    if (l->open == 0 && !weir_time_before(weir_loop_now(l->loop), l->end))
        weir_loop_quit(l->loop);
}

static void send_one(client *c, weir_time now)
{
    static const echo_echo_request request = {.message = {"work", 4}};
    load *l = c->load;
    sent_call *sent = malloc(sizeof *sent);
    if (!sent)
        abort();
    *sent = (sent_call){c, !weir_time_before(now, l->counts)};
    weir_call_opts opts = {.timeout_us = WEIR_MILLISECONDS(10 * work_ms), .metadata = &c->metadata};
    tally *t = &l->tallies[c - l->clients];
    t->sent += sent->counts;
    if (echo_echo_unary_echo_async(c->channel, &request, on_answer, sent, &opts)) {
        t->other += sent->counts;
        free(sent);
    } else {
        l->open++;
    }
}

static void on_tick(weir_ticker *ticker, void *user)
{
    load *l = user;
    weir_time now = weir_loop_now(l->loop);
    double passed_s = (double)weir_time_diff(now, l->last) / 1e6;
    l->last = now;
    if (!weir_time_before(now, l->end)) {
        weir_ticker_stop(ticker);
        if (l->open == 0)
            weir_loop_quit(l->loop);
        return;
    }
    for (client *c = l->clients; c < l->clients + CLIENTS; c++) {
        for (c->due += c->per_second * passed_s; c->due >= 1; c->due -= 1)
            send_one(c, now);
    }
}

static weir_err load_open(load *l, const char *addr, weir_arena *mem)
{
    weir_err err = weir_loop_new(&l->loop, NULL);
    for (client *c = l->clients; !err && c < l->clients + CLIENTS; c++) {
        c->load = l;
        c->channel =
            weir_channel_new(addr, &(weir_channel_opts){.loop = l->loop, .max_queued = 100000});
        err = c->channel
                  ? weir_metadata_add(&c->metadata, mem, WEIR_STR("client"), weir_str_from(c->name))
                  : WEIR_ENOMEM;
    }
    return err;
}

static weir_err load_run(load *l, double seconds)
{
    l->begin = l->last = weir_time_now();
    l->counts = weir_time_add(l->begin, WEIR_SECONDS(WARM_UP_S));
    l->end = weir_time_add(l->counts, (int64_t)(seconds * 1e6));
    weir_ticker_start(&l->ticker, l->loop, WEIR_MILLISECONDS(1), on_tick, l);
    weir_err err = weir_loop_run(l->loop);
    for (client *c = l->clients; c < l->clients + CLIENTS; c++)
        weir_channel_free(c->channel);
    if (!err)
        err = weir_loop_run_once(l->loop, 0);
    weir_loop_free(l->loop);
    return err;
}

static void print(const load *l, double seconds)
{
    for (int i = 0; i < CLIENTS; i++) {
        const tally *t = &l->tallies[i];
        printf("%s: %.1f sent/s, %.1f good/s, %.1f refused/s, %.1f late/s, %.1f other/s\n",
               l->clients[i].name, (double)t->sent / seconds, (double)t->good / seconds,
               (double)t->refused / seconds, (double)t->late / seconds,
               (double)(t->sent - t->good - t->refused - t->late) / seconds);
    }
}

int main(int argc, char **argv)
{
    if (argc < 3 || argc > 6 || (argc > 5 && atoi(argv[5]) < 1)) {
        fprintf(stderr,
                "usage: overload-load none|fixed|adaptive LOAD [SECONDS [GREEDY [WORK]]]\n");
        return 2;
    }
    work_ms = argc > 5 ? atoi(argv[5]) : work_ms;
    double seconds = argc > 3 ? atof(argv[3]) : 5;
    load l = {
        .clients = {{.name = "modest", .per_second = atof(argv[2]) * capacity()},
                    {.name = "greedy", .per_second = argc > 4 ? atof(argv[4]) * capacity() : 0}}};
    service s = {0};
    weir_arena *mem = weir_arena_new();
    if (!mem || service_open(&s, argv[1]) || load_open(&l, s.addr, mem) || load_run(&l, seconds)) {
        fprintf(stderr, "overload-load: out of memory or descriptors\n");
        return 1;
    }
    print(&l, seconds);
    if (s.overload) {
        weir_overload_stats stats;
        weir_overload_get_stats(s.overload, &stats);
        printf("limit %u, a call takes %lld us, without load %lld us\n", stats.limit,
               (long long)stats.service_us, (long long)stats.no_load_us);
    }
    service_close(&s);
    weir_arena_free(mem);
    return 0;
}
