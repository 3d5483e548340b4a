/* What can be seen of servers, channels and connections from outside. */
#include "test.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rpc_outcome.h"

enum {
    CHANNELS = 7,
    BUSY_ROUNDS = 40
};

static test_server server;
static weir_channel *channel;
static weir_arena *mem;

static void answer(weir_call *call, const text *request, void *user)
{
    (void)user;
    if (request->text.len == 0)
        assert_ok(weir_call_fail(call, WEIR_STATUS_NOT_FOUND, "nothing"));
    else
        assert_ok(weir_call_reply(call, request));
}

static const test_handler answering[METHODS] = {[UNARY] = {.open = answer}};

static void open_server(weir_server_opts opts)
{
    opts.loops = 2;
    mem = weir_arena_new();
    test_server_open(&server, answering, NULL, &opts);
}

static void open_both(void)
{
    open_server((weir_server_opts){0});
    channel = weir_channel_new(server.addr, NULL);
    assert_non_null(channel);
}

static void close_server(void)
{
    test_server_stop(&server);
    test_server_join(&server);
    weir_arena_free(mem);
}

static void close_both(void)
{
    weir_channel_free(channel);
    close_server();
}

static void ask(weir_channel *from, const char *request, weir_status_code expected)
{
    rpc_outcome call;
    rpc_outcome_start(&call, from, request, NULL);
    assert_int_equal(rpc_outcome_wait(&call), expected);
}

/** The only one of its kind. */
static weir_inspect_entity the(weir_inspect_kind kind)
{
    weir_inspect_entities found;
    assert_ok(weir_inspect_list(kind, 0, 0, mem, &found));
    assert_int_equal(found.len, 1);
    assert_true(found.end);
    return found.items[0];
}

static size_t count_of(weir_inspect_kind kind)
{
    weir_inspect_entities found;
    weir_arena *own = weir_arena_new();
    assert_ok(weir_inspect_list(kind, 0, 0, own, &found));
    weir_arena_free(own);
    return found.len;
}

/* Questions that are answered later. */

typedef struct listing {
    weir_latch done;
    weir_inspect_ref refs[WEIR_INSPECT_PAGE];
    size_t count;
    bool end;
} listing;

static void listed(weir_err err, const weir_inspect_ref *refs, size_t count, bool end, void *user)
{
    listing *l = user;
    assert_ok(err);
    memcpy(l->refs, refs, count * sizeof *refs);
    l->count = count;
    l->end = end;
    weir_latch_down(&l->done);
}

static void list_sockets(listing *l, uint64_t owner, uint64_t first, size_t max)
{
    weir_latch_init(&l->done, 1);
    assert_ok(weir_inspect_sockets_post(owner, first, max, listed, l));
    weir_latch_wait(&l->done);
    weir_latch_fini(&l->done);
}

typedef struct sight {
    weir_latch done;
    weir_inspect_socket socket;
    bool found;
} sight;

static void seen(const weir_inspect_socket *socket, void *user)
{
    sight *s = user;
    s->found = socket != NULL;
    if (socket)
        s->socket = *socket;
    weir_latch_down(&s->done);
}

static void look(sight *s, uint64_t id)
{
    weir_latch_init(&s->done, 1);
    assert_ok(weir_inspect_socket_post(id, seen, s));
    weir_latch_wait(&s->done);
    weir_latch_fini(&s->done);
}

static uint64_t only_socket(uint64_t owner)
{
    static listing l;
    list_sockets(&l, owner, 0, 0);
    assert_int_equal(l.count, 1);
    return l.refs[0].id;
}

/* Servers and channels. */

TEST(inspect, a_server_is_there_while_it_runs)
{
    assert_int_equal((mem = weir_arena_new(), count_of(WEIR_INSPECT_SERVER)), 0);
    weir_arena_free(mem);
    open_server((weir_server_opts){0});
    weir_inspect_entity found = the(WEIR_INSPECT_SERVER), again;
    assert_string_equal(found.name.ptr, server.addr);
    assert_true(found.id > 0);
    assert_true(found.created.us > 0);
    assert_int_equal(found.event_count, 1);
    weir_inspect_entity listener = the(WEIR_INSPECT_LISTENER);
    assert_int_equal(listener.id, found.child);
    char addr[WEIR_ADDR_TEXT_MAX];
    assert_string_equal(weir_addr_text(&listener.addr, addr), server.addr);
    assert_ok(weir_inspect_find(WEIR_INSPECT_SERVER, found.id, mem, &again));
    assert_err(weir_inspect_find(WEIR_INSPECT_CHANNEL, found.id, mem, &again), WEIR_ENOENT);
    assert_err(weir_inspect_find(WEIR_INSPECT_SERVER, found.id + 1, mem, &again), WEIR_ENOENT);
    test_server_stop(&server);
    test_server_join(&server);
    assert_err(weir_inspect_find(WEIR_INSPECT_SERVER, found.id, mem, &again), WEIR_ENOENT);
    assert_int_equal(count_of(WEIR_INSPECT_LISTENER), 0);
    weir_arena_free(mem);
}

TEST(inspect, a_channel_tells_its_state_and_what_has_happened)
{
    open_both();
    weir_inspect_entity found = the(WEIR_INSPECT_CHANNEL);
    assert_string_equal(found.name.ptr, server.addr);
    assert_int_equal(found.state, WEIR_CONNECTIVITY_IDLE);
    assert_int_equal(found.events[0].subchannel, found.child);
    ask(channel, "x", WEIR_STATUS_OK);
    found = the(WEIR_INSPECT_CHANNEL);
    assert_int_equal(found.state, WEIR_CONNECTIVITY_READY);
    assert_int_equal(found.event_count, 3);
    assert_string_equal(found.events[1].text.ptr, "CONNECTING");
    assert_string_equal(found.events[2].text.ptr, "READY");
    assert_true(found.events[2].at.us >= found.created.us);
    weir_inspect_entity sub = the(WEIR_INSPECT_SUBCHANNEL);
    assert_int_equal(sub.id, found.child);
    assert_int_equal(sub.state, WEIR_CONNECTIVITY_READY);
    assert_non_null(strstr(sub.events[0].text.ptr, server.addr));
    close_both();
}

TEST(inspect, why_a_channel_does_not_connect_is_told)
{
    mem = weir_arena_new();
    channel = weir_channel_new("unix:/nowhere/at/all", NULL);
    ask(channel, "x", WEIR_STATUS_UNAVAILABLE);
    weir_inspect_entity found = the(WEIR_INSPECT_CHANNEL);
    const weir_inspect_event *last = &found.events[found.event_count - 1];
    assert_int_equal(last->severity, WEIR_INSPECT_WARNING);
    assert_non_null(strstr(last->text.ptr, "TRANSIENT_FAILURE: "));
    assert_non_null(strstr(last->text.ptr, "/nowhere/at/all"));
    assert_int_equal(found.calls.started, 1);
    assert_int_equal(found.calls.failed, 1);
    assert_int_equal(the(WEIR_INSPECT_SUBCHANNEL).calls.started, 0);
    weir_channel_free(channel);
    assert_int_equal(count_of(WEIR_INSPECT_CHANNEL), 0);
    assert_int_equal(count_of(WEIR_INSPECT_SUBCHANNEL), 0);
    weir_arena_free(mem);
}

TEST(inspect, of_many_events_the_last_ones_are_remembered)
{
    mem = weir_arena_new();
    channel = weir_channel_new("unix:/nowhere",
                               &(weir_channel_opts){.backoff_us = 1000, .backoff_max_us = 1000});
    weir_channel_state(channel, true);
    weir_inspect_entity found;
    do
        found = the(WEIR_INSPECT_CHANNEL);
    while (found.events_logged < 100);
    assert_int_equal(found.event_count, 16);
    for (size_t i = 1; i < found.event_count; i++)
        assert_true(found.events[i - 1].at.us <= found.events[i].at.us);
    weir_channel_free(channel);
    weir_arena_free(mem);
}

static void check_calls(weir_inspect_kind kind, uint64_t succeeded, uint64_t failed)
{
    weir_inspect_calls calls;
    do /* a server counts the end of a call a little after its client has the answer */
        calls = the(kind).calls;
    while (calls.succeeded + calls.failed < succeeded + failed);
    assert_int_equal(calls.started, succeeded + failed);
    assert_int_equal(calls.succeeded, succeeded);
    assert_int_equal(calls.failed, failed);
    assert_true(calls.last.us > WEIR_SECONDS(1600000000));
    assert_true(calls.last.us <= weir_wall_now().us);
}

TEST(inspect, calls_are_counted_by_how_they_end)
{
    open_both();
    assert_int_equal(the(WEIR_INSPECT_SERVER).calls.last.us, 0);
    for (int i = 0; i < 3; i++)
        ask(channel, "x", WEIR_STATUS_OK);
    ask(channel, "", WEIR_STATUS_NOT_FOUND);
    check_calls(WEIR_INSPECT_SERVER, 3, 1);
    check_calls(WEIR_INSPECT_CHANNEL, 3, 1);
    check_calls(WEIR_INSPECT_SUBCHANNEL, 3, 1);
    close_both();
}

TEST(inspect, lists_come_in_pages)
{
    weir_channel *channels[CHANNELS];
    weir_inspect_entities page;
    mem = weir_arena_new();
    for (int i = 0; i < CHANNELS; i++)
        channels[i] = weir_channel_new("unix:/nowhere", NULL);
    uint64_t first = 0;
    size_t seen_count = 0;
    do {
        assert_ok(weir_inspect_list(WEIR_INSPECT_CHANNEL, first, 3, mem, &page));
        assert_int_equal(page.len, seen_count < 6 ? 3 : 1);
        for (size_t i = 0; i < page.len; i++) {
            assert_true(page.items[i].id >= first);
            first = page.items[i].id + 1;
        }
        seen_count += page.len;
        assert_int_equal(page.end, seen_count == CHANNELS);
    } while (!page.end);
    assert_ok(weir_inspect_list(WEIR_INSPECT_CHANNEL, first, 3, mem, &page));
    assert_int_equal(page.len, 0);
    assert_true(page.end);
    for (int i = 0; i < CHANNELS; i++)
        weir_channel_free(channels[i]);
    weir_arena_free(mem);
}

/* Connections. */

TEST(inspect, a_servers_connections_come_in_pages_from_all_its_loops)
{
    static listing page;
    weir_channel *channels[CHANNELS];
    open_server((weir_server_opts){0});
    uint64_t id = the(WEIR_INSPECT_SERVER).id, first = 0;
    for (int i = 0; i < CHANNELS; i++) {
        channels[i] = weir_channel_new(server.addr, NULL);
        ask(channels[i], "x", WEIR_STATUS_OK);
    }
    size_t seen_count = 0;
    do {
        list_sockets(&page, id, first, 2);
        assert_int_equal(page.count, seen_count < 6 ? 2 : 1);
        for (size_t i = 0; i < page.count; i++) {
            assert_true(page.refs[i].id >= first);
            assert_non_null(strstr(page.refs[i].name, "127.0.0.1:"));
            first = page.refs[i].id + 1;
        }
        seen_count += page.count;
        assert_int_equal(page.end, seen_count == CHANNELS);
    } while (!page.end);
    for (int i = 0; i < CHANNELS; i++)
        weir_channel_free(channels[i]);
    close_server();
}

TEST(inspect, channels_that_share_a_loop_have_their_own_connections)
{
    weir_loop_thread *thread;
    weir_channel *pair[2];
    weir_inspect_entities subs;
    sight one, other;
    open_server((weir_server_opts){0});
    assert_ok(weir_loop_thread_start(&thread, NULL));
    for (int i = 0; i < 2; i++) {
        pair[i] = weir_channel_new(server.addr,
                                   &(weir_channel_opts){.loop = weir_loop_thread_loop(thread)});
        ask(pair[i], "x", WEIR_STATUS_OK);
    }
    assert_ok(weir_inspect_list(WEIR_INSPECT_SUBCHANNEL, 0, 0, mem, &subs));
    assert_int_equal(subs.len, 2);
    look(&one, only_socket(subs.items[0].id));
    look(&other, only_socket(subs.items[1].id));
    assert_int_equal(one.socket.owner, subs.items[0].id);
    assert_int_equal(other.socket.owner, subs.items[1].id);
    for (int i = 0; i < 2; i++)
        weir_channel_free(pair[i]);
    weir_loop_thread_stop(thread);
    close_server();
}

TEST(inspect, both_ends_of_a_connection_tell_the_same)
{
    sight ours, theirs;
    char local[WEIR_ADDR_TEXT_MAX], peer[WEIR_ADDR_TEXT_MAX];
    open_both();
    ask(channel, "x", WEIR_STATUS_OK);
    ask(channel, "", WEIR_STATUS_NOT_FOUND);
    uint64_t sub = the(WEIR_INSPECT_SUBCHANNEL).id, id = the(WEIR_INSPECT_SERVER).id;
    look(&ours, only_socket(sub));
    look(&theirs, only_socket(id));
    assert_true(ours.found && theirs.found);
    assert_int_equal(ours.socket.owner, sub);
    assert_int_equal(theirs.socket.owner, id);
    assert_false(ours.socket.is_server);
    assert_true(theirs.socket.is_server);
    assert_string_equal(weir_addr_text(&ours.socket.peer, peer), server.addr);
    assert_string_equal(weir_addr_text(&theirs.socket.local, local), server.addr);
    assert_string_equal(weir_addr_text(&ours.socket.local, local),
                        weir_addr_text(&theirs.socket.peer, peer));
    assert_int_equal(ours.socket.traffic.streams_started, 2);
    assert_int_equal(ours.socket.traffic.streams_succeeded, 2);
    assert_int_equal(theirs.socket.traffic.streams_started, 2);
    assert_int_equal(theirs.socket.traffic.messages_received, 2);
    assert_int_equal(theirs.socket.traffic.messages_sent, 1);
    assert_true(theirs.socket.last_received.us > WEIR_SECONDS(1600000000));
    assert_true(theirs.socket.receive_window > 0);
    close_both();
}

TEST(inspect, keepalives_are_counted)
{
    sight s = {.found = false};
    open_server((weir_server_opts){.permit_pings_without_calls = true, .min_ping_interval_us = -1});
    channel =
        weir_channel_new(server.addr, &(weir_channel_opts){.keepalive_us = 1000,
                                                           .keepalive_floor_us = 1000,
                                                           .keepalive_permit_without_calls = true});
    ask(channel, "x", WEIR_STATUS_OK);
    uint64_t id = only_socket(the(WEIR_INSPECT_SUBCHANNEL).id);
    do
        look(&s, id);
    while (s.found && s.socket.keepalives_sent < 3);
    assert_true(s.found);
    close_both();
}

TEST(inspect, what_is_gone_is_not_found)
{
    static listing l;
    sight s;
    open_both();
    ask(channel, "x", WEIR_STATUS_OK);
    uint64_t id = the(WEIR_INSPECT_SERVER).id, sub = the(WEIR_INSPECT_SUBCHANNEL).id;
    uint64_t gone_id = only_socket(id);
    weir_channel_free(channel);
    do
        list_sockets(&l, id, 0, 0);
    while (l.count > 0);
    assert_true(l.end);
    assert_err(weir_inspect_socket_post(gone_id, seen, &s), WEIR_ENOENT);
    assert_err(weir_inspect_socket_post(0, seen, &s), WEIR_ENOENT);
    assert_err(weir_inspect_socket_post(UINT64_MAX, seen, &s), WEIR_ENOENT);
    assert_err(weir_inspect_sockets_post(sub, 0, 0, listed, &l), WEIR_ENOENT);
    assert_err(weir_inspect_sockets_post(0, 0, 0, listed, &l), WEIR_ENOENT);
    close_server();
}

TEST(inspect, a_connection_that_is_not_grpc_is_not_found)
{
    static const weir_conn_ops plain;
    int ends[2];
    weir_loop *loop;
    weir_conn *conn;
    sight s;
    assert_ok(weir_loop_new(&loop, NULL));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    assert_ok(weir_conn_open_take(&conn, loop, ends[0], NULL, &plain, NULL, NULL));
    weir_conn_set_data(conn, &s); /* is not to be read */
    weir_latch_init(&s.done, 1);
    assert_ok(weir_inspect_socket_post(weir_conn_id_of(conn).value, seen, &s));
    assert_ok(weir_loop_run_once(loop, 0));
    weir_latch_wait(&s.done);
    assert_false(s.found);
    weir_loop_free(loop);
    close(ends[1]);
}

/* Loops that do not turn. */

TEST(inspect, a_loop_that_does_not_turn_delays_the_answer_until_it_ends)
{
    static listing l;
    weir_loop *loop;
    mem = weir_arena_new();
    assert_ok(weir_loop_new(&loop, NULL));
    channel = weir_channel_new("unix:/nowhere", &(weir_channel_opts){.loop = loop});
    weir_latch_init(&l.done, 1);
    l.count = 99;
    assert_ok(weir_inspect_sockets_post(the(WEIR_INSPECT_SUBCHANNEL).id, 0, 0, listed, &l));
    assert_int_equal(l.count, 99);
    weir_channel_free(channel);
    weir_loop_free(loop);
    weir_latch_wait(&l.done);
    assert_int_equal(l.count, 0);
    assert_true(l.end);
    weir_arena_free(mem);
}

static void count_answer(weir_err err, const weir_inspect_ref *refs, size_t count, bool end,
                         void *user)
{
    (void)refs, (void)count, (void)end;
    assert_ok(err);
    ++*(int *)user;
}

TEST(inspect, questions_that_wait_are_bounded)
{
    weir_loop *loop;
    int answers = 0;
    mem = weir_arena_new();
    assert_ok(weir_loop_new(&loop, NULL));
    channel = weir_channel_new("unix:/nowhere", &(weir_channel_opts){.loop = loop});
    uint64_t id = the(WEIR_INSPECT_SUBCHANNEL).id;
    for (int i = 0; i < 64; i++)
        assert_ok(weir_inspect_sockets_post(id, 0, 0, count_answer, &answers));
    assert_err(weir_inspect_sockets_post(id, 0, 0, count_answer, &answers), WEIR_EFULL);
    assert_ok(weir_loop_run_once(loop, 0));
    assert_int_equal(answers, 64);
    assert_ok(weir_inspect_sockets_post(id, 0, 0, count_answer, &answers));
    weir_channel_free(channel);
    weir_loop_free(loop);
    assert_int_equal(answers, 65);
    weir_arena_free(mem);
}

/* Threads. */

static void *come_and_go(void *user)
{
    (void)user;
    for (int i = 0; i < BUSY_ROUNDS; i++) {
        weir_channel *own = weir_channel_new(server.addr, NULL);
        ask(own, i % 2 ? "x" : "", i % 2 ? WEIR_STATUS_OK : WEIR_STATUS_NOT_FOUND);
        weir_channel_free(own);
    }
    return NULL;
}

static void *look_around(void *user)
{
    listing *l = calloc(1, sizeof *l);
    weir_inspect_entities found;
    weir_arena *own = weir_arena_new();
    for (int i = 0; i < BUSY_ROUNDS; i++) {
        for (weir_inspect_kind kind = WEIR_INSPECT_CHANNEL; kind <= WEIR_INSPECT_LISTENER; kind++)
            assert_ok(weir_inspect_list(kind, 0, 0, own, &found));
        list_sockets(l, *(uint64_t *)user, 0, 0);
        for (size_t j = 0; j < l->count; j++) {
            sight s;
            weir_latch_init(&s.done, 1);
            if (weir_inspect_socket_post(l->refs[j].id, seen, &s) == WEIR_OK)
                weir_latch_wait(&s.done);
            weir_latch_fini(&s.done);
        }
        weir_arena_reset(own);
    }
    weir_arena_free(own);
    free(l);
    return NULL;
}

TEST(inspect, threads_may_look_while_others_come_and_go)
{
    pthread_t threads[6];
    open_server((weir_server_opts){0});
    uint64_t id = the(WEIR_INSPECT_SERVER).id;
    for (int i = 0; i < 6; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, i % 2 ? look_around : come_and_go, &id),
                         0);
    for (int i = 0; i < 6; i++)
        pthread_join(threads[i], NULL);
    check_calls(WEIR_INSPECT_SERVER, 3 * BUSY_ROUNDS / 2, 3 * BUSY_ROUNDS / 2);
    close_server();
}
