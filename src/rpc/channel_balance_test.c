/* Channels with several backends: who gets the calls, and what happens when some go away. */
#include "test.h"

#include "backends.h"

#include <sched.h>
#include <stdlib.h>

static backends bs;

static const weir_channel_opts round_robin = {.balance = "round_robin", .backoff_us = 20000};

static int sum_asked(void)
{
    int sum = 0;
    for (int i = 0; i < bs.count; i++)
        sum += atomic_load(&bs.all[i].asked);
    return sum;
}

static void forget_asked(void)
{
    for (int i = 0; i < bs.count; i++)
        atomic_store(&bs.all[i].asked, 0);
}

TEST(channel_balance, pick_first_uses_the_first_that_can_be_reached)
{
    backends_start(&bs, 3);
    backend_stop(&bs.all[0]);
    bs.all[0].server.thread = NULL;
    backends_open(&bs, NULL);
    for (int i = 0; i < 20; i++)
        assert_int_equal(backends_ask(&bs, NULL, NULL), 1);
    backends_close(&bs);
}

TEST(channel_balance, pick_first_goes_on_to_the_next_one_when_its_connection_is_lost)
{
    backends_start(&bs, 2);
    backends_open(&bs, NULL);
    assert_int_equal(backends_ask(&bs, NULL, NULL), 0);
    backend_stop(&bs.all[0]);
    bs.all[0].server.thread = NULL;
    assert_int_equal(backends_ask(&bs, &(weir_call_opts){.wait_for_ready = true}, NULL), 1);
    backends_close(&bs);
}

TEST(channel_balance, none_that_can_be_reached_is_told_with_the_last_reason)
{
    weir_status status;
    backends_start(&bs, 2);
    for (int i = 0; i < 2; i++) {
        backend_stop(&bs.all[i]);
        bs.all[i].server.thread = NULL;
    }
    backends_open(&bs, NULL);
    assert_int_equal(backends_ask(&bs, NULL, &status), -WEIR_STATUS_UNAVAILABLE);
    assert_non_null(strstr(weir_status_text(&status), "none of 2 endpoints can be reached"));
    weir_channel_free(bs.channel);
    backends_open(&bs, &round_robin);
    assert_int_equal(backends_ask(&bs, NULL, &status), -WEIR_STATUS_UNAVAILABLE);
    assert_non_null(strstr(weir_status_text(&status), "none of 2 backends can be reached"));
    backends_close(&bs);
}

TEST(channel_balance, round_robin_gives_each_the_same)
{
    backends_start(&bs, 3);
    backends_open(&bs, &round_robin);
    backends_await(&bs, 3);
    forget_asked();
    for (int i = 0; i < 30; i++)
        assert_true(backends_ask(&bs, NULL, NULL) >= 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(atomic_load(&bs.all[i].asked), 10);
    backends_close(&bs);
}

TEST(channel_balance, a_backend_that_goes_away_loses_no_call_and_comes_back_to_its_share)
{
    char addr[WEIR_ADDR_TEXT_MAX];
    backends_start(&bs, 3);
    backends_open(&bs, &round_robin);
    backends_await(&bs, 3);
    strcpy(addr, bs.all[1].server.addr);
    backend_stop(&bs.all[1]);
    for (int i = 0; i < 30; i++)
        assert_true(backends_ask(&bs, NULL, NULL) != -WEIR_STATUS_UNAVAILABLE);
    backend_start(&bs.all[1], addr);
    backends_await(&bs, 3);
    forget_asked();
    for (int i = 0; i < 30; i++)
        assert_true(backends_ask(&bs, NULL, NULL) >= 0);
    assert_int_equal(atomic_load(&bs.all[1].asked), 10);
    assert_int_equal(sum_asked(), 30);
    backends_close(&bs);
}

TEST(channel_balance, a_ring_waits_for_the_place_of_a_call_and_keeps_to_it)
{
    int place[20];
    char key[20];
    backends_start(&bs, 4);
    for (int round = 0; round < 5; round++) {
        backends_open(&bs, &(weir_channel_opts){.balance = "weir_consistent_hash"});
        for (int i = 0; i < 20; i++) {
            snprintf(key, sizeof key, "user-%d", i);
            int who = backends_ask(&bs, &(weir_call_opts){.hash_key = weir_str_from(key)}, NULL);
            assert_true(who >= 0);
            if (round == 0)
                place[i] = who;
            assert_int_equal(who, place[i]);
        }
        weir_channel_free(bs.channel);
    }
    for (int i = 1; i < 20 && place[i] == place[0]; i++)
        assert_int_not_equal(i, 19);
    bs.channel = NULL;
    backends_close(&bs);
}

TEST(channel_balance, a_ring_goes_on_without_a_backend_that_is_gone)
{
    backends_start(&bs, 2);
    backend_stop(&bs.all[0]);
    bs.all[0].server.thread = NULL;
    backends_open(&bs, &(weir_channel_opts){.balance = "weir_consistent_hash"});
    for (int i = 0; i < 50; i++)
        assert_int_equal(backends_ask(&bs, NULL, NULL), 1);
    backends_close(&bs);
}

/* A resolver of one's own, whose list the test changes. */

typedef struct told {
    weir_resolver head;
    const weir_resolver_events *events;
    void *user;
    weir_loop *loop;
} told;

static told *resolver;
static weir_latch started;

extern const weir_resolver_type told_type;

static weir_err told_start(weir_resolver **out, const weir_resolver_request *request, weir_why *why)
{
    if (strcmp(request->path, "refused") == 0)
        return weir_why_set(why, WEIR_EINVAL, "not this one");
    assert_string_equal(request->authority, "somewhere");
    assert_string_equal(request->path, "service");
    resolver = calloc(1, sizeof *resolver);
    *resolver = (told){{&told_type}, request->events, request->user, request->loop};
    *out = &resolver->head;
    weir_latch_down(&started);
    return WEIR_OK;
}

static void told_free(weir_resolver *head)
{
    assert_ptr_equal(head, &resolver->head);
    free(resolver);
    resolver = NULL;
}

const weir_resolver_type told_type = {"told", told_start, NULL, told_free};
static const weir_resolver_type *const told_types[] = {&told_type};

/** What the resolver is to say. */
typedef struct saying {
    weir_task task;
    weir_endpoints *list; /* NULL: it fails */
    const char *config;
    weir_latch said;
} saying;

static void say(weir_task *task, weir_err err)
{
    saying *s = WEIR_CONTAINER_OF(task, saying, task);
    assert_ok(err);
    if (s->list)
        resolver->events->found(s->list, s->config, resolver->user);
    else
        resolver->events->failed(WEIR_ETIMEDOUT, "the registry is away", resolver->user);
    weir_latch_down(&s->said);
}

static void tell(saying *s)
{
    weir_latch_init(&s->said, 1);
    weir_loop_post(weir_channel_loop(bs.channel), &s->task, say);
    weir_latch_wait(&s->said);
    weir_latch_fini(&s->said);
    weir_endpoints_unref(s->list);
}

/** The backends whose bits are set. */
static void tell_list(unsigned bits, const char *config)
{
    saying s = {.config = config};
    assert_ok(weir_endpoints_new(&s.list));
    for (int i = 0; i < bs.count; i++)
        if (bits & 1u << i)
            assert_ok(weir_endpoints_add(
                s.list, &(weir_endpoint){.address = weir_str_from(bs.all[i].server.addr)}));
    tell(&s);
}

static void open_told(int count, weir_channel_opts opts)
{
    backends_start(&bs, count);
    opts.resolvers = told_types;
    opts.resolver_count = 1;
    weir_latch_init(&started, 1);
    bs.channel = weir_channel_new("told://somewhere/service", &opts);
    weir_channel_state(bs.channel, true);
    weir_latch_wait(&started);
    weir_latch_fini(&started);
    assert_true(weir_channel_wait_until(bs.channel, WEIR_CONNECTIVITY_IDLE, weir_time_never()));
}

TEST(channel_balance, calls_wait_for_the_first_list_and_follow_each_new_one)
{
    open_told(3, round_robin);
    assert_int_equal(weir_channel_state(bs.channel, false), WEIR_CONNECTIVITY_CONNECTING);
    tell_list(1u << 0, NULL);
    assert_int_equal(backends_ask(&bs, NULL, NULL), 0);
    tell_list(1u << 1 | 1u << 2, NULL);
    for (int i = 0; i < 10; i++)
        assert_true(backends_ask(&bs, NULL, NULL) > 0);
    backends_close(&bs);
    assert_null(resolver);
}

TEST(channel_balance, a_backend_that_leaves_the_list_finishes_what_it_has)
{
    open_told(2, round_robin);
    tell_list(1u << 0, NULL);
    assert_int_equal(backends_ask(&bs, NULL, NULL), 0);
    atomic_store(&bs.all[0].hold, 1);
    weir_arena *mem = weir_arena_new();
    weir_stream *stream;
    assert_ok(weir_stream_open(&stream, bs.channel, &test_methods[UNARY],
                               &(text){.text = WEIR_STR("?")}, NULL));
    while (atomic_load(&bs.all[0].asked) < 2)
        sched_yield();
    tell_list(1u << 1, NULL);
    assert_int_equal(backends_ask(&bs, NULL, NULL), 1);
    assert_int_equal(atomic_load(&bs.all[0].cancelled), 0);
    weir_stream_cancel(stream);
    weir_status status = weir_stream_finish(stream, mem);
    assert_int_equal(status.code, WEIR_STATUS_CANCELLED);
    weir_stream_free(stream);
    weir_arena_free(mem);
    backends_close(&bs);
}

TEST(channel_balance, a_resolver_that_fails_leaves_the_last_list)
{
    weir_status status;
    open_told(1, round_robin);
    tell(&(saying){.list = NULL});
    assert_int_equal(backends_ask(&bs, NULL, &status), -WEIR_STATUS_UNAVAILABLE);
    assert_non_null(strstr(weir_status_text(&status),
                           "told://somewhere/service cannot be resolved: the registry is away"));
    tell_list(1, NULL);
    assert_int_equal(backends_ask(&bs, NULL, NULL), 0);
    tell(&(saying){.list = NULL});
    assert_int_equal(backends_ask(&bs, NULL, NULL), 0);
    backends_close(&bs);
}

TEST(channel_balance, an_empty_list_is_told_to_calls_until_there_is_another)
{
    weir_status status;
    open_told(1, (weir_channel_opts){.balance = "round_robin", .empty_list_us = -1});
    tell_list(1, NULL);
    assert_int_equal(backends_ask(&bs, NULL, NULL), 0);
    tell_list(0, NULL);
    assert_int_equal(backends_ask(&bs, NULL, &status), -WEIR_STATUS_UNAVAILABLE);
    assert_non_null(strstr(weir_status_text(&status), "has no endpoints now"));
    tell_list(1, NULL);
    assert_int_equal(backends_ask(&bs, NULL, NULL), 0);
    backends_close(&bs);
}

TEST(channel_balance, an_empty_list_is_not_believed_at_once)
{
    open_told(1, round_robin);
    tell_list(1, NULL);
    assert_int_equal(backends_ask(&bs, NULL, NULL), 0);
    tell_list(0, NULL);
    assert_int_equal(backends_ask(&bs, NULL, NULL), 0);
    backends_close(&bs);

    weir_status status;
    open_told(1, (weir_channel_opts){.balance = "round_robin", .empty_list_us = 1000});
    tell_list(1, NULL);
    assert_int_equal(backends_ask(&bs, NULL, NULL), 0);
    tell_list(0, NULL);
    while (backends_ask(&bs, NULL, &status) >= 0)
        sched_yield();
    assert_non_null(strstr(weir_status_text(&status), "has no endpoints now"));
    backends_close(&bs);
}

TEST(channel_balance, the_names_own_service_config_is_followed_unless_the_program_has_one)
{
    const char *config = "{\"loadBalancingConfig\":[{\"round_robin\":{}}]}";
    open_told(2, (weir_channel_opts){0});
    tell_list(3, config);
    backends_await(&bs, 2);
    backends_close(&bs);

    open_told(2, (weir_channel_opts){.balance = "pick_first"});
    tell_list(3, config);
    for (int i = 0; i < 10; i++)
        assert_int_equal(backends_ask(&bs, NULL, NULL), 0);
    backends_close(&bs);
}

TEST(channel_balance, another_policy_leaves_running_calls_alone)
{
    weir_stream *streams[2];
    open_told(2, (weir_channel_opts){0});
    tell_list(3, "{\"loadBalancingConfig\":[{\"round_robin\":{}}]}");
    backends_await(&bs, 2);
    for (int i = 0; i < 2; i++) {
        atomic_store(&bs.all[i].asked, 0);
        atomic_store(&bs.all[i].hold, 1);
    }
    for (int i = 0; i < 2; i++)
        assert_ok(weir_stream_open(&streams[i], bs.channel, &test_methods[UNARY],
                                   &(text){.text = WEIR_STR("?")}, NULL));
    while (!atomic_load(&bs.all[0].asked) || !atomic_load(&bs.all[1].asked))
        sched_yield();
    tell_list(3, "{\"loadBalancingConfig\":[{\"pick_first\":{}}]}");
    atomic_store(&bs.all[0].hold, 0);
    assert_int_equal(backends_ask(&bs, NULL, NULL), 0);
    for (int i = 0; i < 2; i++) {
        weir_stream_cancel(streams[i]);
        assert_int_equal(weir_stream_finish(streams[i], bs.mem).code, WEIR_STATUS_CANCELLED);
        weir_stream_free(streams[i]);
    }
    backends_close(&bs);
}

TEST(channel_balance, a_target_that_its_resolver_refuses_is_told_to_every_call)
{
    weir_status status;
    backends_start(&bs, 0);
    bs.channel = weir_channel_new(
        "told:refused", &(weir_channel_opts){.resolvers = told_types, .resolver_count = 1});
    for (int i = 0; i < 2; i++) {
        assert_int_equal(backends_ask(&bs, NULL, &status), -WEIR_STATUS_UNAVAILABLE);
        assert_non_null(strstr(weir_status_text(&status), "is refused: not this one"));
    }
    backends_close(&bs);
}

TEST(channel_balance, a_list_that_flaps_loses_no_call)
{
    open_told(3, round_robin);
    tell_list(7, NULL);
    backends_await(&bs, 3);
    for (unsigned i = 0; i < 200; i++) {
        tell_list(1u << i % 3 | 1u << (i + 1) % 3, NULL);
        assert_true(backends_ask(&bs, NULL, NULL) >= 0);
    }
    backends_close(&bs);
}
