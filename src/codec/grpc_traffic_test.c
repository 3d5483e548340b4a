/* What has gone over a connection. */
#include "test.h"

#include "grpc_testing.h"

static weir_grpc_traffic traffic_of(const end *e)
{
    return *weir_grpc_get_traffic(e->grpc);
}

static void check_streams(const end *e, uint64_t started, uint64_t succeeded, uint64_t failed)
{
    weir_grpc_traffic traffic = traffic_of(e);
    assert_int_equal(traffic.streams_started, started);
    assert_int_equal(traffic.streams_succeeded, succeeded);
    assert_int_equal(traffic.streams_failed, failed);
}

static void check_messages(const end *e, uint64_t sent, uint64_t received)
{
    weir_grpc_traffic traffic = traffic_of(e);
    assert_int_equal(traffic.messages_sent, sent);
    assert_int_equal(traffic.messages_received, received);
}

TEST(grpc_traffic, nothing_has_happened_on_a_new_connection)
{
    pair *p = pair_open(NULL, NULL);
    settle(p);
    check_streams(&p->client, 0, 0, 0);
    check_streams(&p->server, 0, 0, 0);
    check_messages(&p->client, 0, 0);
    weir_grpc_traffic traffic = traffic_of(&p->server);
    assert_int_equal(traffic.last_stream.us, 0);
    assert_int_equal(traffic.last_sent.us, 0);
    assert_int_equal(traffic.last_received.us, 0);
    pair_close(p);
}

TEST(grpc_traffic, streams_and_messages_are_counted_at_both_ends_with_their_time)
{
    pair *p = pair_open(NULL, NULL);
    p->server.act = echo;
    settle(p);
    weir_grpc_call *call = start(p, weir_time_never(), NULL);
    send(call, "one");
    settle(p);
    check_streams(&p->client, 1, 0, 0);
    check_streams(&p->server, 1, 0, 0);
    assert_int_equal(traffic_of(&p->server).last_stream.us, p->now.us);
    pass_time(p, WEIR_SECONDS(5));
    send(call, "two");
    weir_grpc_half_close(call);
    settle(p);
    check_streams(&p->client, 1, 1, 0);
    check_streams(&p->server, 1, 1, 0);
    check_messages(&p->client, 2, 2);
    check_messages(&p->server, 2, 2);
    weir_grpc_traffic traffic = traffic_of(&p->server);
    assert_int_equal(traffic.last_stream.us, p->now.us - WEIR_SECONDS(5));
    assert_int_equal(traffic.last_sent.us, p->now.us);
    assert_int_equal(traffic.last_received.us, p->now.us);
    pair_close(p);
}

static void refuse_late(end *e, weir_grpc_call *call, const char *event)
{
    (void)e;
    if (strcmp(event, "half-close") == 0)
        finish(call, WEIR_STATUS_NOT_FOUND, "no");
}

TEST(grpc_traffic, a_stream_that_ends_in_order_has_succeeded_whatever_its_status)
{
    pair *p = pair_open(NULL, NULL);
    p->server.act = refuse_late;
    weir_grpc_half_close(start(p, weir_time_never(), NULL));
    settle(p);
    check_streams(&p->client, 1, 1, 0);
    check_streams(&p->server, 1, 1, 0);
    pair_close(p);
}

TEST(grpc_traffic, a_stream_that_was_reset_or_lost_has_failed)
{
    pair *p = pair_open(NULL, NULL);
    weir_grpc_call *call = start(p, weir_time_never(), NULL);
    settle(p);
    weir_grpc_cancel(call);
    settle(p);
    check_streams(&p->client, 1, 0, 1);
    check_streams(&p->server, 1, 0, 1);
    pair_close(p);
}

TEST(grpc_traffic, the_windows_are_the_connections_own)
{
    enum {
        WINDOW = 200000
    };
    static char text[1001];
    pair *p = pair_open(NULL, &(weir_grpc_opts){.h2.connection_window = WINDOW});
    settle(p);
    assert_int_equal(weir_grpc_receive_window(p->server.grpc), WINDOW);
    assert_int_equal(weir_grpc_send_window(p->client.grpc), WINDOW);
    memset(text, 'x', sizeof text - 1);
    weir_grpc_call *call = start(p, weir_time_never(), NULL);
    settle(p);
    weir_grpc_pause(p->server.call);
    send(call, text);
    settle(p);
    assert_int_equal(weir_grpc_receive_window(p->server.grpc), WINDOW - 1005);
    assert_int_equal(weir_grpc_send_window(p->client.grpc), WINDOW - 1005);
    pair_close(p);
}
