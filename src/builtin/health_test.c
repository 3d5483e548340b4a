/* What examples/services_test.py cannot arrange: slow watchers, and changes from many threads. */
#include "test.h"

#include <pthread.h>
#include <stdio.h>

#include "rpc_testing.h"
#include <weir/builtin/health.h>

#include "grpc/health/v1/health.weir.h"

typedef weir__health_health_check_request question;
typedef weir__health_health_check_response answer;

typedef struct fixture {
    test_server server;
    weir_health *health;
    weir_channel *channel;
    weir_arena *mem;
} fixture;

static void open_fixture(fixture *f, const weir_channel_opts *opts)
{
    static const test_handler nothing[METHODS];
    test_server_prepare(&f->server, "127.0.0.1:0", nothing, NULL,
                        &(weir_server_opts){.send_high_water = 1024});
    assert_ok(weir_health_serve(f->server.server, &f->health));
    test_server_go(&f->server);
    f->channel = weir_channel_new(f->server.addr, opts);
    f->mem = weir_arena_new();
}

static void close_fixture(fixture *f)
{
    weir_channel_free(f->channel);
    weir_arena_free(f->mem);
    test_server_stop(&f->server);
    test_server_join(&f->server);
}

static weir_stream *watch(fixture *f, const char *service)
{
    weir_stream *stream;
    assert_ok(weir__health_health_watch_stream_open(&stream, f->channel,
                                                    &(question){.service = weir_str_from(service)},
                                                    &(weir_call_opts){.timeout_us = -1}));
    return stream;
}

static int next_status(fixture *f, weir_stream *stream)
{
    answer *a;
    assert_ok(weir__health_health_watch_stream_read(stream, f->mem, &a));
    return (int)a->status;
}

TEST(health, a_slow_watcher_gets_the_last_of_many_changes)
{
    fixture f;
    open_fixture(&f, &(weir_channel_opts){.stream_window = 100});
    weir_stream *slow = watch(&f, "s");
    assert_int_equal(next_status(&f, slow), 3);
    for (int i = 0; i < 100000; i++)
        assert_ok(
            weir_health_set(f.health, "s", i % 2 ? WEIR_HEALTH_SERVING : WEIR_HEALTH_NOT_SERVING));
    assert_ok(weir_health_set(f.health, "s", WEIR_HEALTH_UNKNOWN));
    int told = 0;
    while (next_status(&f, slow) != WEIR_HEALTH_UNKNOWN)
        told++;
    assert_true(told < 100000);
    weir_stream_free(slow);
    close_fixture(&f);
}

static weir_status_code check(fixture *f, const char *service, int *status)
{
    answer *a = NULL;
    weir_status end = weir__health_health_check(
        f->channel, f->mem, &(question){.service = weir_str_from(service)}, &a, NULL);
    *status = a ? (int)a->status : -1;
    return end.code;
}

TEST(health, what_is_shut_down_stays_so_whatever_is_set)
{
    fixture f;
    int status;
    open_fixture(&f, NULL);
    assert_ok(weir_health_set(f.health, "s", WEIR_HEALTH_SERVING));
    weir_health_shutdown(f.health);
    assert_ok(weir_health_set(f.health, "s", WEIR_HEALTH_SERVING));
    assert_int_equal(check(&f, "s", &status), WEIR_STATUS_OK);
    assert_int_equal(status, WEIR_HEALTH_NOT_SERVING);
    assert_int_equal(check(&f, "", &status), WEIR_STATUS_OK);
    assert_int_equal(status, WEIR_HEALTH_NOT_SERVING);
    assert_int_equal(check(&f, "t", &status), WEIR_STATUS_NOT_FOUND);
    close_fixture(&f);
}

TEST(health, what_only_watchers_knew_is_forgotten_with_them)
{
    fixture f;
    int status;
    open_fixture(&f, NULL);
    for (int i = 0; i < 100; i++) {
        char name[20];
        snprintf(name, sizeof name, "service %d", i);
        weir_stream *stream = watch(&f, name);
        assert_int_equal(next_status(&f, stream), 3);
        weir_stream_free(stream);
    }
    assert_int_equal(check(&f, "service 1", &status), WEIR_STATUS_NOT_FOUND);
    assert_ok(weir_health_set(f.health, "service 1", WEIR_HEALTH_SERVING));
    assert_int_equal(check(&f, "service 1", &status), WEIR_STATUS_OK);
    close_fixture(&f);
}

enum {
    THREADS = 4,
    CHANGES = 500
};

static void *change(void *health)
{
    for (int i = 0; i < CHANGES; i++)
        assert_ok(
            weir_health_set(health, "s", i % 2 ? WEIR_HEALTH_SERVING : WEIR_HEALTH_NOT_SERVING));
    return NULL;
}

TEST(health, many_threads_change_what_many_watch)
{
    fixture f;
    weir_stream *streams[8];
    pthread_t threads[THREADS];
    open_fixture(&f, NULL);
    for (int i = 0; i < 8; i++)
        streams[i] = watch(&f, "s");
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, change, f.health), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_ok(weir_health_set(f.health, "s", WEIR_HEALTH_UNKNOWN));
    for (int i = 0; i < 8; i++) {
        while (next_status(&f, streams[i]) != WEIR_HEALTH_UNKNOWN)
            ;
        weir_stream_free(streams[i]);
    }
    close_fixture(&f);
}

TEST(health, it_is_served_once)
{
    weir_server *server = weir_server_new(NULL);
    assert_ok(weir_health_serve(server, NULL));
    assert_err(weir_health_serve(server, NULL), WEIR_EEXIST);
    weir_server_free(server);
}
