/* Many threads on one channel and one server, with every API, all at once; meant for
 * ThreadSanitizer. Each thread has a random number generator of its own, whose seed is printed. */
#include "suite.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

enum {
    THREADS = 8,
    ROUNDS = 60
};

static const client_driver *const clients[] = {&client_callback, &client_async, &client_blocking,
                                               &client_queue};

#define PLAN(kind, ...)                                                                            \
    .method = kind, .messages = (const char *const[]){__VA_ARGS__},                                \
    .count = sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *)

/** What a thread may do, and what has to come of it. */
static const struct {
    plan plan;
    weir_status_code code;
    size_t messages;
} deeds[] = {
    {{PLAN(UNARY, "ann")}, WEIR_STATUS_OK, 1},
    {{PLAN(UNARY, "fail")}, WEIR_STATUS_ABORTED, 0},
    {{PLAN(UNARY, "cancel")}, WEIR_STATUS_CANCELLED, 0},
    {{PLAN(UNARY, "hang"), .timeout_us = WEIR_MILLISECONDS(5)}, WEIR_STATUS_DEADLINE_EXCEEDED, 0},
    {{PLAN(COLLECT, "a", "b"), .copies = 20}, WEIR_STATUS_OK, 1},
    {{PLAN(COLLECT, "hang"), .cancel = true}, WEIR_STATUS_CANCELLED, 0},
    {{PLAN(SPLIT, "letters"), .bin = "\xff"}, WEIR_STATUS_OK, 7},
    {{PLAN(SPLIT, "cancel")}, WEIR_STATUS_CANCELLED, 0},
    {{PLAN(CHAT, "x"), .copies = 50, .padding = 5000}, WEIR_STATUS_OK, 50},
    {{PLAN(CHAT, "one", "hang"), .cancel = true}, WEIR_STATUS_CANCELLED, 1},
};

typedef struct crowd {
    weir_channel *channel;
    atomic_uint next;
    unsigned seed;
    atomic_bool over;
    atomic_int wrong;
} crowd;

static void do_something(crowd *c, unsigned *random)
{
    size_t deed = (size_t)rand_r(random) % (sizeof deeds / sizeof *deeds);
    const client_driver *client =
        clients[(size_t)rand_r(random) % (sizeof clients / sizeof *clients)];
    outcome out = {.code = (weir_status_code)-1};
    client->run(c->channel, &deeds[deed].plan, &out);
    if (out.code == deeds[deed].code && out.count == deeds[deed].messages)
        return;
    print_error("%s, deed %zu: %s \"%s\", %zu messages\n", client->name, deed,
                weir_status_name(out.code), out.text, out.count);
    atomic_fetch_add(&c->wrong, 1);
}

static void *one_of_many(void *user)
{
    crowd *c = user;
    unsigned random = c->seed + atomic_fetch_add(&c->next, 1);
    for (int i = 0; i < ROUNDS; i++)
        do_something(c, &random);
    return NULL;
}

/** Looks on, as a monitor would. */
static void *watch(void *user)
{
    crowd *c = user;
    weir_connectivity state = WEIR_CONNECTIVITY_IDLE;
    while (!atomic_load(&c->over)) {
        weir_channel_wait_until(c->channel, state,
                                weir_time_add(weir_time_now(), WEIR_MILLISECONDS(1)));
        state = weir_channel_state(c->channel, true);
    }
    return NULL;
}

static void crowd_at(const server_driver *driver)
{
    pthread_t threads[THREADS], watcher;
    server_run server = {0};
    driver->start(&server);
    crowd c = {.channel = weir_channel_new(server.server.addr, NULL), .seed = (unsigned)time(NULL)};
    assert_non_null(c.channel);
    print_message("             seed %u\n", c.seed);
    assert_int_equal(pthread_create(&watcher, NULL, watch, &c), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, one_of_many, &c), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    atomic_store(&c.over, true);
    pthread_join(watcher, NULL);
    assert_int_equal(atomic_load(&c.wrong), 0);
    weir_channel_free(c.channel);
    driver->stop(&server);
}

TEST(crowd, at_a_server_with_callbacks)
{
    crowd_at(&server_callback);
}

TEST(crowd, at_a_server_that_blocks)
{
    crowd_at(&server_blocking);
}

TEST(crowd, at_a_server_with_a_queue)
{
    crowd_at(&server_queue);
}
