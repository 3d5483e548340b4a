/* Flow control and its arithmetic (RFC 9113 section 6.9). */
#include "h2_end.h"

static struct end *server, *client;
static struct bytes wire;

static struct call *request(size_t to_send)
{
    struct call *call;
    assert_ok(end_request(client, (struct call){.to_send = to_send, .finish = true}, &call));
    return call;
}

/** A server with stream 1 open towards a peer made of raw bytes. */
static struct call *raw_stream(const weir_h2_opts *opts, size_t to_send)
{
    server = met_server(opts);
    wire.len = 0;
    frame_request(&wire, 1, 0);
    assert_ok(end_take(server, &wire));
    return to_send ? end_respond(server, 1, to_send, true) : end_call(server, 1);
}

static size_t sent(struct call *call, size_t of)
{
    assert_ok(end_pull(server, &wire, SIZE_MAX));
    return of - call->to_send;
}

TEST(h2_flow, a_slow_consumer_stops_its_sender_until_it_consumes)
{
    server = end_new(WEIR_H2_SERVER, &(weir_h2_opts){.stream_window = 100000});
    client = end_new(WEIR_H2_CLIENT, NULL);
    server->keep_windows = true;
    exchange(client, server);
    struct call *call = request(300000);
    exchange(client, server);
    assert_int_equal(end_call(server, 1)->received, 100000);
    weir_h2_consume(server->h2, 1, 100000);
    exchange(client, server);
    assert_int_equal(end_call(server, 1)->received, 200000);
    weir_h2_consume(server->h2, 1, 100000);
    exchange(client, server);
    assert_int_equal(end_call(server, 1)->received, 300000);
    assert_true(end_call(server, 1)->ended && !call->closed);
    end_free(client);
    end_free(server);
}

TEST(h2_flow, streams_that_are_not_consumed_do_not_stop_the_others)
{
    server = end_new(WEIR_H2_SERVER,
                     &(weir_h2_opts){.stream_window = 70000, .connection_window = 70000});
    client = end_new(WEIR_H2_CLIENT, NULL);
    server->keep_windows = true;
    exchange(client, server);
    for (int i = 0; i < 3; i++)
        request(100000);
    struct call *last = request(70000);
    exchange(client, server);
    for (int32_t id = 1; id <= 5; id += 2)
        assert_int_equal(end_call(server, id)->received, 70000);
    assert_int_equal(end_call(server, 7)->received, 70000);
    assert_true(end_call(server, 7)->ended);
    weir_h2_reset(client->h2, last->id, WEIR_H2_CANCEL);
    exchange(client, server);
    weir_h2_consume(server->h2, 1, 70000);
    exchange(client, server);
    assert_int_equal(end_call(server, 1)->received, 100000);
    end_free(client);
    end_free(server);
}

TEST(h2_flow, a_window_that_shrinks_below_zero_must_be_filled_first)
{
    struct call *call = raw_stream(NULL, 70000);
    assert_int_equal(sent(call, 70000), 65535);
    frame_setting(&wire, 4, 0); /* the stream's window is now -65535 */
    frame_u32(&wire, FRAME_WINDOW_UPDATE, 0, 65535);
    frame_u32(&wire, FRAME_WINDOW_UPDATE, 1, 65535);
    assert_ok(weir_h2_feed(server->h2, server->now, wire.at + wire.len - 13 * 2 - 15, 13 * 2 + 15));
    assert_int_equal(sent(call, 70000), 65535);
    wire.len = 0;
    frame_u32(&wire, FRAME_WINDOW_UPDATE, 1, 1);
    assert_ok(end_take(server, &wire));
    assert_int_equal(sent(call, 70000), 65536);
    wire.len = 0;
    frame_setting(&wire, 4, 10000);
    assert_ok(end_take(server, &wire));
    assert_int_equal(sent(call, 70000), 70000);
    end_free(server);
    bytes_free(&wire);
}

TEST(h2_flow, a_stream_window_beyond_its_bound_resets_the_stream)
{
    struct call *call = raw_stream(NULL, 70000);
    assert_int_equal(sent(call, 70000), 65535);
    wire.len = 0;
    frame_u32(&wire, FRAME_WINDOW_UPDATE, 1, INT32_MAX);
    frame_u32(&wire, FRAME_WINDOW_UPDATE, 1, 1);
    assert_ok(end_take(server, &wire));
    assert_ok(end_pull(server, &wire, SIZE_MAX));
    assert_true(call->closed);
    assert_int_equal(call->code, WEIR_H2_FLOW_CONTROL_ERROR);
    end_free(server);
    bytes_free(&wire);
}

TEST(h2_flow, a_connection_window_beyond_its_bound_ends_the_connection)
{
    raw_stream(NULL, 0);
    frame_u32(&wire, FRAME_WINDOW_UPDATE, 0, INT32_MAX);
    assert_err(end_take(server, &wire), WEIR_EPROTO);
    assert_ends_with(server, WEIR_H2_FLOW_CONTROL_ERROR);
    end_free(server);
    bytes_free(&wire);
}

TEST(h2_flow, an_initial_window_beyond_its_bound_ends_the_connection)
{
    raw_stream(NULL, 0);
    frame_setting(&wire, 4, 0x80000000u);
    assert_err(end_take(server, &wire), WEIR_EPROTO);
    assert_ends_with(server, WEIR_H2_FLOW_CONTROL_ERROR);
    end_free(server);
    bytes_free(&wire);
}

TEST(h2_flow, a_window_update_of_nothing_ends_the_connection)
{
    raw_stream(NULL, 0);
    frame_u32(&wire, FRAME_WINDOW_UPDATE, 1, 0);
    assert_err(end_take(server, &wire), WEIR_EPROTO);
    assert_ends_with(server, WEIR_H2_PROTOCOL_ERROR);
    end_free(server);
    bytes_free(&wire);
}

TEST(h2_flow, a_peer_that_ignores_a_streams_window_loses_the_stream)
{
    struct call *call = raw_stream(&(weir_h2_opts){.stream_window = 10000}, 0);
    server->keep_windows = true;
    frame_data(&wire, 1, 9000, 0);
    frame_data(&wire, 1, 1001, 0);
    frame_data(&wire, 1, 9000, 0);
    assert_ok(end_take(server, &wire));
    assert_ok(end_pull(server, &wire, SIZE_MAX));
    assert_true(call->closed && call->received <= 10001);
    assert_int_equal(call->code, WEIR_H2_FLOW_CONTROL_ERROR);
    end_free(server);
    bytes_free(&wire);
}

TEST(h2_flow, a_peer_that_ignores_the_connections_window_loses_the_connection)
{
    raw_stream(&(weir_h2_opts){.stream_window = 1 << 20, .connection_window = 70000}, 0);
    server->keep_windows = true;
    for (int i = 0; i < 5; i++)
        frame_data(&wire, 1, 16000, 0);
    assert_err(end_take(server, &wire), WEIR_EPROTO);
    assert_ends_with(server, WEIR_H2_FLOW_CONTROL_ERROR);
    end_free(server);
    bytes_free(&wire);
}

TEST(h2_flow, padding_is_consumed_by_itself)
{
    struct call *call = raw_stream(&(weir_h2_opts){.stream_window = 10000}, 0);
    static uint8_t padded[201] = {200};
    for (int i = 0; i < 200; i++)
        frame(&wire, FRAME_DATA, FLAG_PADDED, 1, padded, sizeof padded);
    frame_data(&wire, 1, 3, FLAG_END_STREAM);
    for (size_t at = 0; at < wire.len; at += 210) {
        struct bytes out = {0};
        size_t len = wire.len - at < 210 ? wire.len - at : 210;
        assert_ok(weir_h2_feed(server->h2, server->now, wire.at + at, len));
        assert_ok(end_pull(server, &out, SIZE_MAX));
        bytes_free(&out);
    }
    assert_true(call->ended);
    assert_int_equal(call->received, 3);
    end_free(server);
    bytes_free(&wire);
}
