/* Overload protection around real calls. */
#include "test.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "rpc_outcome.h"
#include <weir/builtin/health.h>
#include <weir/builtin/overload.h>

enum {
    PARKED_MOST = 64
};

/* A server whose unary calls stay until they are let go. */
typedef struct lot {
    test_server server;
    weir_channel *channel;
    weir_arena *mem;
    weir_overload *overload;
    pthread_mutex_t lock;
    pthread_cond_t came;
    weir_call_id parked[PARKED_MOST];
    size_t count;
} lot;

static void park(weir_call *call, const text *request, void *user)
{
    (void)request;
    lot *l = user;
    pthread_mutex_lock(&l->lock);
    assert_true(l->count < PARKED_MOST);
    l->parked[l->count++] = weir_call_id_of(call);
    pthread_cond_broadcast(&l->came);
    pthread_mutex_unlock(&l->lock);
}

static void answer(weir_call *call, const text *request, void *user)
{
    (void)request, (void)user;
    weir_call_finish(call);
}

static const test_handler parking[METHODS] = {
    [UNARY] = {.open = park}, [SPLIT] = {.open = answer}, [CHAT] = {0}};

static void lot_open(lot *l, const weir_overload_opts *opts, const test_handler *handlers)
{
    *l = (lot){.mem = weir_arena_new()};
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->came, NULL);
    weir_why why;
    assert_ok(weir_overload_new(&l->overload, opts, &why));
    test_server_prepare(&l->server, "127.0.0.1:0", handlers, l,
                        &(weir_server_opts){.loops = 2, .drain_us = 1});
    assert_ok(weir_server_intercept(l->server.server, &weir_overload_limit, l->overload));
    assert_ok(weir_health_serve(l->server.server, NULL));
    test_server_go(&l->server);
    l->channel = weir_channel_new(l->server.addr, NULL);
    assert_non_null(l->channel);
}

static void lot_close(lot *l)
{
    weir_channel_free(l->channel);
    weir_arena_free(l->mem);
    test_server_stop(&l->server);
    test_server_join(&l->server);
    weir_overload_stats stats;
    weir_overload_get_stats(l->overload, &stats);
    assert_int_equal(stats.in_flight, 0);
    assert_int_equal(stats.waiting, 0);
    weir_overload_free(l->overload);
    pthread_cond_destroy(&l->came);
    pthread_mutex_destroy(&l->lock);
}

/** Until so many have come in all. */
static void wait_parked(lot *l, size_t count)
{
    pthread_mutex_lock(&l->lock);
    while (l->count < count)
        pthread_cond_wait(&l->came, &l->lock);
    assert_int_equal(l->count, count);
    pthread_mutex_unlock(&l->lock);
}

static void let_go(lot *l, size_t number)
{
    assert_ok(weir_call_reply_post(l->parked[number], &text_type, &(text){0}));
}

/** Until the server sees it so; the case's time limit ends it otherwise. */
static void wait_until(lot *l, uint32_t in_flight, uint32_t waiting)
{
    weir_overload_stats stats;
    for (;;) {
        weir_overload_get_stats(l->overload, &stats);
        if (stats.in_flight == in_flight && stats.waiting == waiting)
            return;
        sched_yield();
    }
}

static const weir_call_opts patient = {.timeout_us = -1};

static weir_status ask(lot *l, int method, const weir_call_opts *opts)
{
    void *reply;
    return weir_unary_call(l->channel, &test_methods[method], l->mem, &(text){0}, &reply, opts);
}

static void expect_refused(lot *l, const char *begin)
{
    weir_status status = ask(l, UNARY, &patient);
    assert_int_equal(status.code, WEIR_STATUS_RESOURCE_EXHAUSTED);
    assert_true(weir_str_starts(status.message, weir_str_from(begin)));
}

/* The limit. */

TEST(overload, without_a_queue_calls_beyond_the_limit_end_at_once)
{
    lot l;
    lot_open(&l, &(weir_overload_opts){.max_concurrent = 2, .no_queue = true}, parking);
    rpc_outcome first, second, third;
    rpc_outcome_start(&first, l.channel, "", &patient);
    rpc_outcome_start(&second, l.channel, "", &patient);
    wait_parked(&l, 2);
    expect_refused(&l, "overloaded: as many calls run and wait as may");
    let_go(&l, 0);
    assert_int_equal(rpc_outcome_wait(&first), WEIR_STATUS_OK);
    wait_until(&l, 1, 0);
    rpc_outcome_start(&third, l.channel, "", &patient);
    wait_parked(&l, 3);
    let_go(&l, 1);
    let_go(&l, 2);
    assert_int_equal(rpc_outcome_wait(&second), WEIR_STATUS_OK);
    assert_int_equal(rpc_outcome_wait(&third), WEIR_STATUS_OK);
    lot_close(&l);
}

TEST(overload, refused_calls_are_pushed_back)
{
    lot l;
    lot_open(&l,
             &(weir_overload_opts){
                 .max_concurrent = 1, .no_queue = true, .pushback_us = WEIR_MILLISECONDS(50)},
             parking);
    rpc_outcome first;
    rpc_outcome_start(&first, l.channel, "", &patient);
    wait_parked(&l, 1);
    weir_metadata trailers = {0};
    weir_status status =
        ask(&l, UNARY, &(weir_call_opts){.timeout_us = -1, .reply_trailers = &trailers});
    assert_int_equal(status.code, WEIR_STATUS_RESOURCE_EXHAUSTED);
    const weir_str *ms = weir_metadata_get(&trailers, WEIR_STR("grpc-retry-pushback-ms"));
    assert_non_null(ms);
    assert_in_range(atoi(ms->ptr), 40, 60);
    let_go(&l, 0);
    assert_int_equal(rpc_outcome_wait(&first), WEIR_STATUS_OK);
    lot_close(&l);
}

TEST(overload, a_client_that_honours_pushback_is_answered_in_the_end)
{
    lot l;
    lot_open(&l,
             &(weir_overload_opts){
                 .max_concurrent = 1, .no_queue = true, .pushback_us = WEIR_MILLISECONDS(500)},
             parking);
    weir_channel *channel = weir_channel_new(
        l.server.addr,
        &(weir_channel_opts){
            .service_config =
                "{\"methodConfig\":[{\"name\":[{}],\"retryPolicy\":{\"maxAttempts\":5,"
                "\"initialBackoff\":\"1000s\",\"maxBackoff\":\"1000s\",\"backoffMultiplier\":1,"
                "\"retryableStatusCodes\":[\"RESOURCE_EXHAUSTED\"]}}]}"});
    assert_non_null(channel);
    rpc_outcome first, second;
    rpc_outcome_start(&first, l.channel, "", &patient);
    wait_parked(&l, 1);
    rpc_outcome_start(&second, channel, "", &patient);
    weir_overload_stats stats;
    do
        weir_overload_get_stats(l.overload, &stats);
    while (stats.refused == 0);
    let_go(&l, 0);
    assert_int_equal(rpc_outcome_wait(&first), WEIR_STATUS_OK);
    wait_parked(&l, 2);
    let_go(&l, 1);
    assert_int_equal(rpc_outcome_wait(&second), WEIR_STATUS_OK);
    weir_channel_free(channel);
    lot_close(&l);
}

/* The queue. */

#define LONG_US WEIR_SECONDS(1000)

TEST(overload, a_call_that_waits_goes_on_when_another_ends)
{
    lot l;
    lot_open(&l, &(weir_overload_opts){.max_concurrent = 1, .queue_us = LONG_US}, parking);
    rpc_outcome calls[3];
    for (int i = 0; i < 3; i++) {
        rpc_outcome_start(&calls[i], l.channel, "", &patient);
        wait_until(&l, 1, (uint32_t)i);
    }
    for (size_t i = 0; i < 3; i++) {
        wait_parked(&l, i + 1);
        let_go(&l, i);
        assert_int_equal(rpc_outcome_wait(&calls[i]), WEIR_STATUS_OK);
    }
    lot_close(&l);
}

TEST(overload, a_call_waits_no_longer_than_it_may)
{
    lot l;
    lot_open(&l, &(weir_overload_opts){.max_concurrent = 1, .queue_us = WEIR_MILLISECONDS(5)},
             parking);
    rpc_outcome first;
    rpc_outcome_start(&first, l.channel, "", &patient);
    wait_parked(&l, 1);
    expect_refused(&l, "overloaded: as many calls run and wait as may");
    weir_overload_stats stats;
    weir_overload_get_stats(l.overload, &stats);
    assert_int_equal(stats.refused, 1);
    assert_int_equal(stats.waiting, 0);
    let_go(&l, 0);
    assert_int_equal(rpc_outcome_wait(&first), WEIR_STATUS_OK);
    lot_close(&l);
}

TEST(overload, a_call_that_ends_while_it_waits_leaves_the_queue)
{
    lot l;
    lot_open(&l, &(weir_overload_opts){.max_concurrent = 1, .queue_us = LONG_US}, parking);
    rpc_outcome first, late, lost;
    rpc_outcome_start(&first, l.channel, "", &patient);
    wait_parked(&l, 1);
    rpc_outcome_start(&late, l.channel, "", &(weir_call_opts){.timeout_us = WEIR_MILLISECONDS(20)});
    assert_int_equal(rpc_outcome_wait(&late), WEIR_STATUS_DEADLINE_EXCEEDED);
    wait_until(&l, 1, 0);
    weir_channel *other = weir_channel_new(l.server.addr, NULL);
    rpc_outcome_start(&lost, other, "", &patient);
    wait_until(&l, 1, 1);
    weir_channel_free(other);
    rpc_outcome_wait(&lost);
    wait_until(&l, 1, 0);
    let_go(&l, 0);
    assert_int_equal(rpc_outcome_wait(&first), WEIR_STATUS_OK);
    wait_until(&l, 0, 0);
    lot_close(&l);
}

TEST(overload, the_longest_waiting_makes_room)
{
    lot l;
    lot_open(&l, &(weir_overload_opts){.max_concurrent = 1, .queue = 1, .queue_us = LONG_US},
             parking);
    rpc_outcome first, second, third;
    rpc_outcome_start(&first, l.channel, "", &patient);
    wait_parked(&l, 1);
    rpc_outcome_start(&second, l.channel, "", &patient);
    wait_until(&l, 1, 1);
    rpc_outcome_start(&third, l.channel, "", &patient);
    assert_int_equal(rpc_outcome_wait(&second), WEIR_STATUS_RESOURCE_EXHAUSTED);
    let_go(&l, 0);
    wait_parked(&l, 2);
    let_go(&l, 1);
    assert_int_equal(rpc_outcome_wait(&first), WEIR_STATUS_OK);
    assert_int_equal(rpc_outcome_wait(&third), WEIR_STATUS_OK);
    lot_close(&l);
}

TEST(overload, a_server_that_stops_ends_the_calls_that_wait)
{
    lot l;
    lot_open(&l, &(weir_overload_opts){.max_concurrent = 1, .queue_us = LONG_US}, parking);
    rpc_outcome first, second;
    rpc_outcome_start(&first, l.channel, "", &patient);
    wait_parked(&l, 1);
    rpc_outcome_start(&second, l.channel, "", &patient);
    wait_until(&l, 1, 1);
    lot_close(&l); /* its drain is as short as can be */
    assert_true(rpc_outcome_wait(&first) != WEIR_STATUS_OK);
    assert_true(rpc_outcome_wait(&second) != WEIR_STATUS_OK);
}

/* What a call takes. */

static weir_status work_or_park(weir_blocking_call *call, const text *request, text *reply,
                                void *user)
{
    (void)call, (void)reply;
    lot *l = user;
    if (request->text.len > 0) {
        nanosleep(&(struct timespec){.tv_nsec = 500 * 1000000}, NULL); /* its work */
        return WEIR_BLOCKING_OK;
    }
    pthread_mutex_lock(&l->lock);
    l->count++;
    pthread_cond_broadcast(&l->came);
    while (l->count < PARKED_MOST)
        pthread_cond_wait(&l->came, &l->lock);
    pthread_mutex_unlock(&l->lock);
    return WEIR_BLOCKING_OK;
}

static void let_all_go(lot *l)
{
    pthread_mutex_lock(&l->lock);
    l->count = PARKED_MOST;
    pthread_cond_broadcast(&l->came);
    pthread_mutex_unlock(&l->lock);
}

/** Until the server knows what its calls take. */
static void teach(lot *l)
{
    weir_overload_stats stats = {0};
    while (stats.service_us == 0) {
        rpc_outcome calls[8];
        for (int i = 0; i < 8; i++)
            rpc_outcome_start(&calls[i], l->channel, "work", &patient);
        for (int i = 0; i < 8; i++)
            assert_int_equal(rpc_outcome_wait(&calls[i]), WEIR_STATUS_OK);
        weir_overload_get_stats(l->overload, &stats);
    }
    assert_true(stats.service_us >= WEIR_MILLISECONDS(500));
}

TEST(overload, a_call_with_less_time_than_one_takes_is_not_run)
{
    static const test_handler working[METHODS] = {[UNARY] = {.blocking = work_or_park}};
    lot l;
    lot_open(&l,
             &(weir_overload_opts){
                 .max_concurrent = 4, .queue_us = LONG_US, .pushback_us = WEIR_SECONDS(1)},
             working);
    teach(&l);
    rpc_outcome parked[4];
    for (int i = 0; i < 4; i++)
        rpc_outcome_start(&parked[i], l.channel, "", &patient);
    wait_parked(&l, 4);
    weir_metadata trailers = {0};
    weir_status status =
        ask(&l, UNARY,
            &(weir_call_opts){.timeout_us = WEIR_MILLISECONDS(450), .reply_trailers = &trailers});
    assert_int_equal(status.code, WEIR_STATUS_RESOURCE_EXHAUSTED);
    assert_true(weir_str_starts(status.message, WEIR_STR("overloaded: the time that is left")));
    assert_str(*weir_metadata_get(&trailers, WEIR_STR("grpc-retry-pushback-ms")), "-1");
    let_all_go(&l);
    for (int i = 0; i < 4; i++)
        assert_int_equal(rpc_outcome_wait(&parked[i]), WEIR_STATUS_OK);
    lot_close(&l);
}

TEST(overload, a_handler_that_outlives_its_call_still_counts)
{
    static const test_handler working[METHODS] = {[UNARY] = {.blocking = work_or_park}};
    lot l;
    lot_open(&l, &(weir_overload_opts){.max_concurrent = 1, .no_queue = true}, working);
    rpc_outcome late;
    rpc_outcome_start(&late, l.channel, "",
                      &(weir_call_opts){.timeout_us = WEIR_MILLISECONDS(500)});
    wait_parked(&l, 1);
    assert_int_equal(rpc_outcome_wait(&late), WEIR_STATUS_DEADLINE_EXCEEDED);
    weir_server_stats stats;
    do /* until the server has seen the end, too */
        weir_server_get_stats(l.server.server, &stats);
    while (stats.calls > 0);
    wait_until(&l, 1, 0);
    expect_refused(&l, "overloaded: as many calls");
    let_all_go(&l);
    wait_until(&l, 0, 0);
    lot_close(&l);
}

/* Which calls count. */

static weir_stream *open_chat(lot *l)
{
    weir_stream *stream;
    assert_ok(weir_stream_open(&stream, l->channel, &test_methods[CHAT], NULL, &patient));
    return stream;
}

TEST(overload, streams_count_only_if_it_is_asked_for)
{
    for (int counted = 0; counted < 2; counted++) {
        lot l;
        lot_open(&l,
                 &(weir_overload_opts){.max_concurrent = 1, .no_queue = true, .streams = counted},
                 parking);
        weir_stream *stream = open_chat(&l);
        if (counted)
            wait_until(&l, 1, 0);
        assert_int_equal(ask(&l, SPLIT, &patient).code,
                         counted ? WEIR_STATUS_RESOURCE_EXHAUSTED : WEIR_STATUS_OK);
        weir_stream_cancel(stream);
        weir_stream_free(stream);
        wait_until(&l, 0, 0);
        lot_close(&l);
    }
}

/** grpc.health.v1.Health/Check, as this test's messages go. */
static const weir_method check_health = {"Check", "/grpc.health.v1.Health/Check", WEIR_METHOD_UNARY,
                                         &text_type, &text_type};

static weir_status_code ask_health(lot *l)
{
    void *reply;
    return weir_unary_call(l->channel, &check_health, l->mem, &(text){0}, &reply, &patient).code;
}

TEST(overload, the_standard_services_answer_a_full_server)
{
    for (int counted = 0; counted < 2; counted++) {
        lot l;
        lot_open(&l,
                 &(weir_overload_opts){.max_concurrent = 1, .no_queue = true, .standard = counted},
                 parking);
        rpc_outcome first;
        rpc_outcome_start(&first, l.channel, "", &patient);
        wait_parked(&l, 1);
        assert_int_equal(ask_health(&l), counted ? WEIR_STATUS_RESOURCE_EXHAUSTED : WEIR_STATUS_OK);
        let_go(&l, 0);
        assert_int_equal(rpc_outcome_wait(&first), WEIR_STATUS_OK);
        lot_close(&l);
    }
}

TEST(overload, the_first_rule_that_fits_holds)
{
    static const weir_overload_rule rules[] = {
        {.path = "/test.Test/Split", .exempt = true},
        {.path = "/test.Test/Unary", .max_concurrent = 1},
        {.path = "/test.Test/", .exempt = true},
    };
    lot l;
    lot_open(&l,
             &(weir_overload_opts){.max_concurrent = 10,
                                   .no_queue = true,
                                   .streams = true,
                                   .rules = rules,
                                   .rule_count = 3},
             parking);
    rpc_outcome first;
    rpc_outcome_start(&first, l.channel, "", &patient);
    wait_parked(&l, 1);
    expect_refused(&l, "overloaded: ");
    weir_stream *stream = open_chat(&l);
    assert_int_equal(ask(&l, SPLIT, &patient).code, WEIR_STATUS_OK);
    wait_until(&l, 1, 0);
    let_go(&l, 0);
    assert_int_equal(rpc_outcome_wait(&first), WEIR_STATUS_OK);
    weir_stream_free(stream);
    lot_close(&l);
}

TEST(overload, a_call_may_wait_for_its_rule_and_then_for_the_server)
{
    static const weir_overload_rule rules[] = {{.path = "/test.Test/Unary", .max_concurrent = 2}};
    lot l;
    lot_open(&l,
             &(weir_overload_opts){
                 .max_concurrent = 1, .queue_us = LONG_US, .rules = rules, .rule_count = 1},
             parking);
    rpc_outcome calls[4];
    for (int i = 0; i < 4; i++)
        rpc_outcome_start(&calls[i], l.channel, "", &patient);
    for (size_t i = 0; i < 4; i++) {
        wait_parked(&l, i + 1);
        wait_until(&l, 1, i < 3 ? 1 : 0); /* others wait before the rule's gate */
        let_go(&l, i);
    }
    for (int i = 0; i < 4; i++)
        assert_int_equal(rpc_outcome_wait(&calls[i]), WEIR_STATUS_OK);
    lot_close(&l);
}

/* Options. */

static void expect_bad(const weir_overload_opts *opts, const char *part)
{
    weir_overload *none = NULL;
    weir_why why;
    assert_err(weir_overload_new(&none, opts, &why), WEIR_EINVAL);
    assert_non_null(strstr(why.text, part));
    assert_null(none);
}

TEST(overload, options_that_make_no_sense_are_refused)
{
    expect_bad(&(weir_overload_opts){0}, "nothing is limited");
    expect_bad(&(weir_overload_opts){.adaptive = true, .max_concurrent = 3, .min_concurrent = 4},
               "min_concurrent");
    expect_bad(&(weir_overload_opts){.max_concurrent = 1, .queue_us = -1}, "negative");
    expect_bad(&(weir_overload_opts){.max_concurrent = 1, .key = WEIR_OVERLOAD_PER_METADATA},
               "key_metadata");
    expect_bad(&(weir_overload_opts){.max_concurrent = 1, .key = (weir_overload_key)9}, "key");
    expect_bad(
        &(weir_overload_opts){.rules = (weir_overload_rule[]){{.path = "Unary"}}, .rule_count = 1},
        "path");
    weir_overload_free(NULL);
}

/* Several loops, workers and clients. */

enum {
    LIMIT = 3,
    THREADS = 4,
    CALLS = 300
};

typedef struct crowd {
    lot lot;
    bool hurried; /* every third call has hardly time */
    atomic_int inside, most;
    atomic_int ok, exhausted, late;
} crowd;

static crowd the_crowd;

static weir_status count_inside(weir_blocking_call *call, const text *request, text *reply,
                                void *user)
{
    (void)call, (void)request, (void)reply, (void)user;
    int inside = atomic_fetch_add(&the_crowd.inside, 1) + 1;
    int most = atomic_load(&the_crowd.most);
    while (inside > most && !atomic_compare_exchange_weak(&the_crowd.most, &most, inside))
        ;
    sched_yield();
    atomic_fetch_sub(&the_crowd.inside, 1);
    return WEIR_BLOCKING_OK;
}

static void count_status(const weir_status *status, const text *reply, void *user)
{
    (void)reply;
    atomic_fetch_add(status->code == WEIR_STATUS_OK                  ? &the_crowd.ok
                     : status->code == WEIR_STATUS_DEADLINE_EXCEEDED ? &the_crowd.late
                                                                     : &the_crowd.exhausted,
                     1);
    weir_latch_down(user);
}

static void *call_much(void *argument)
{
    crowd *c = argument;
    weir_channel *channel = weir_channel_new(c->lot.server.addr, NULL);
    weir_latch done;
    weir_latch_init(&done, CALLS);
    for (int i = 0; i < CALLS; i++) {
        weir_call_opts opts = {.timeout_us = c->hurried && i % 3 == 0 ? 500 : -1};
        assert_ok(weir_unary_start(channel, &test_methods[UNARY], &(text){0}, rpc_outcome_thunk,
                                   (weir_fn)count_status, &done, &opts));
    }
    weir_latch_wait(&done);
    weir_latch_fini(&done);
    weir_channel_free(channel);
    return NULL;
}

static void expect_crowd(const weir_overload_opts *opts, bool hurried)
{
    static const test_handler counting[METHODS] = {[UNARY] = {.blocking = count_inside}};
    the_crowd = (crowd){.hurried = hurried};
    lot_open(&the_crowd.lot, opts, counting);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, call_much, &the_crowd), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    wait_until(&the_crowd.lot, 0, 0);
    assert_int_equal(the_crowd.ok + the_crowd.exhausted + the_crowd.late, THREADS * CALLS);
    assert_true(the_crowd.ok > 0);
    lot_close(&the_crowd.lot);
}

TEST(overload, loops_and_workers_share_the_limit_exactly)
{
    weir_overload_opts fixed = {.max_concurrent = LIMIT, .queue = 50, .key = WEIR_OVERLOAD_ALL};
    expect_crowd(&fixed, false);
    assert_in_range(the_crowd.most, 1, LIMIT);
    assert_int_equal(the_crowd.late, 0);
    expect_crowd(&fixed, true); /* a worker may outlive its call */
    expect_crowd(&(weir_overload_opts){.adaptive = true, .queue = 1000}, true);
    expect_crowd(&(weir_overload_opts){.max_concurrent = LIMIT, .no_queue = true}, true);
}
