/* Every way to make a server work for nothing, with a peer that reads all answers, and some with
 * one that reads none. */
#include "h2_end.h"

enum {
    FLOOD = 20000
};

static struct end *server;
static struct bytes wire;

typedef void (*attack_fn)(int round);

/** Runs rounds of an attack; the server answers after each. @return rounds that it bore */
static int bear(attack_fn attack, int rounds)
{
    for (int i = 0; i < rounds; i++) {
        wire.len = 0;
        attack(i);
        weir_err err = end_take(server, &wire);
        if (err == WEIR_OK)
            err = end_pull(server, &wire, SIZE_MAX);
        if (err != WEIR_OK) {
            assert_err(err, WEIR_EPROTO);
            return i;
        }
    }
    return rounds;
}

/** A flood is borne for a while, and then ended with ENHANCE_YOUR_CALM. */
static void assert_flood(attack_fn attack)
{
    server = met_server(NULL);
    server->no_log = true;
    int borne = bear(attack, FLOOD);
    assert_in_range(borne, 100, 2100);
    assert_err(weir_h2_feed(server->h2, server->now, "", 0), WEIR_EPROTO);
    assert_non_null(strstr(weir_h2_error(server->h2), "flood: too many"));
    assert_ok(end_pull(server, &wire, SIZE_MAX));
    uint32_t code = 0;
    assert_true(find_frame(&wire, FRAME_GOAWAY, 0, &code));
    assert_int_equal(code, WEIR_H2_ENHANCE_YOUR_CALM);
    assert_true(weir_h2_is_over(server->h2));
    end_free(server);
    bytes_free(&wire);
}

static uint32_t id_of(int round)
{
    return 2 * (uint32_t)round + 1;
}

static void ping(int round WEIR_UNUSED)
{
    frame_ping(&wire);
}

static void settings(int round WEIR_UNUSED)
{
    frame_setting(&wire, 4, 65535);
}

static void empty_settings(int round WEIR_UNUSED)
{
    frame(&wire, FRAME_SETTINGS, 0, 0, NULL, 0);
}

static void priority(int round)
{
    frame_priority(&wire, id_of(round));
}

static void window_update(int round WEIR_UNUSED)
{
    frame_u32(&wire, FRAME_WINDOW_UPDATE, 0, 1);
}

static void empty_data(int round)
{
    if (round == 0)
        frame_request(&wire, 1, 0);
    frame_data(&wire, 1, 0, 0);
}

static void unknown(int round WEIR_UNUSED)
{
    frame(&wire, 0xbe, 0, 0, "x", 1);
}

static void rapid_reset(int round)
{
    frame_request(&wire, id_of(round), 0);
    frame_u32(&wire, FRAME_RST_STREAM, id_of(round), WEIR_H2_CANCEL);
}

TEST(h2_flood, pings)
{
    assert_flood(ping);
}

TEST(h2_flood, settings)
{
    assert_flood(settings);
    assert_flood(empty_settings);
}

TEST(h2_flood, priorities)
{
    assert_flood(priority);
}

TEST(h2_flood, window_updates)
{
    assert_flood(window_update);
}

TEST(h2_flood, empty_data)
{
    assert_flood(empty_data);
}

TEST(h2_flood, unknown_frames)
{
    assert_flood(unknown);
}

TEST(h2_flood, rapid_resets)
{
    assert_flood(rapid_reset);
}

/* "MadeYouReset": the peer lets us send the RST_STREAM. */

static void made_by_window_overflow(int round)
{
    frame_request(&wire, id_of(round), 0);
    frame_u32(&wire, FRAME_WINDOW_UPDATE, id_of(round), INT32_MAX);
}

static void made_by_bad_header(int round)
{
    frame_request_with(&wire, id_of(round), "Upper", "case");
}

static void made_by_connection_header(int round)
{
    frame_request_with(&wire, id_of(round), "connection", "close");
}

static void made_by_content_length(int round)
{
    frame_request_with(&wire, id_of(round), "content-length", "1");
    frame_data(&wire, id_of(round), 2, 0);
}

static void made_by_end_without_enough(int round)
{
    frame_request_with(&wire, id_of(round), "content-length", "2");
    frame_data(&wire, id_of(round), 1, FLAG_END_STREAM);
}

TEST(h2_flood, resets_that_the_peer_makes_us_send)
{
    assert_flood(made_by_window_overflow);
    assert_flood(made_by_bad_header);
    assert_flood(made_by_connection_header);
    assert_flood(made_by_content_length);
    assert_flood(made_by_end_without_enough);
}

TEST(h2_flood, data_after_the_end_of_a_stream_ends_the_connection)
{
    server = met_server(NULL);
    frame_request(&wire, 1, FLAG_END_STREAM);
    frame_data(&wire, 1, 1, 0);
    assert_err(end_take(server, &wire), WEIR_EPROTO);
    assert_ends_with(server, WEIR_H2_STREAM_CLOSED);
    end_free(server);
    bytes_free(&wire);
}

static void refused(int round)
{
    frame_request(&wire, id_of(round), 0);
}

TEST(h2_flood, refused_requests_before_the_limit_is_known)
{
    server = end_new(WEIR_H2_SERVER, NULL);
    server->no_log = true;
    bytes_add(&wire, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
    frame(&wire, FRAME_SETTINGS, 0, 0, NULL, 0);
    assert_ok(end_take(server, &wire));
    assert_in_range(bear(refused, FLOOD), 1000, 1300);
    assert_int_equal(weir_h2_streams(server->h2), 100);
    end_free(server);
    bytes_free(&wire);
}

TEST(h2_flood, requests_beyond_a_known_limit_end_the_connection)
{
    server = met_server(NULL);
    for (int i = 0; i < 101; i++)
        frame_request(&wire, id_of(i), 0);
    assert_err(end_take(server, &wire), WEIR_EPROTO);
    assert_ends_with(server, WEIR_H2_PROTOCOL_ERROR);
    end_free(server);
    bytes_free(&wire);
}

/** The peer sends and never reads: what waits for it stays small. */
static void assert_bounded_unread(attack_fn attack)
{
    weir_pool_stats before, after;
    server = met_server(&(weir_h2_opts){.flood_burst = 1000000});
    server->no_log = true;
    weir_pool_get_stats(server->pool, &before);
    weir_err err = WEIR_OK;
    for (int i = 0; i < 100000 && err == WEIR_OK; i++) {
        wire.len = 0;
        attack(i);
        err = end_take(server, &wire);
    }
    weir_pool_get_stats(server->pool, &after);
    assert_err(err, WEIR_EPROTO);
    assert_true(after.used_bytes - before.used_bytes < 8 << 20);
    end_free(server);
    bytes_free(&wire);
}

TEST(h2_flood, a_peer_that_reads_nothing_is_cut_off)
{
    assert_bounded_unread(ping);
    assert_bounded_unread(settings);
    assert_bounded_unread(made_by_bad_header);
}

TEST(h2_flood, a_reset_stream_leaves_no_memory)
{
    weir_pool_stats before, after;
    server = met_server(NULL);
    server->no_log = true;
    assert_int_equal(bear(rapid_reset, 10), 10);
    weir_pool_get_stats(server->pool, &before);
    for (int i = 10; i < 900; i++)
        rapid_reset(i);
    assert_ok(end_take(server, &wire));
    weir_pool_get_stats(server->pool, &after);
    assert_int_equal(after.used_bytes, before.used_bytes);
    end_free(server);
    bytes_free(&wire);
}

TEST(h2_flood, continuations)
{
    struct bytes block = {0};
    server = met_server(NULL);
    bytes_add(&block, HPACK_REQUEST, sizeof HPACK_REQUEST - 1);
    for (int i = 0; i < 100; i++)
        hpack_field(&block, "a", "b");
    frame_block(&wire, 1, &block, block.len / 8);
    assert_ok(end_take(server, &wire));
    frame_block(&wire, 3, &block, block.len / 20);
    assert_err(end_take(server, &wire), WEIR_EPROTO);
    assert_ends_with(server, WEIR_H2_ENHANCE_YOUR_CALM);
    bytes_free(&block);
    end_free(server);
    bytes_free(&wire);
}

TEST(h2_flood, settings_with_too_many_entries)
{
    static const uint8_t entries[33 * 6];
    server = met_server(NULL);
    frame(&wire, FRAME_SETTINGS, 0, 0, entries, sizeof entries);
    assert_err(end_take(server, &wire), WEIR_EPROTO);
    assert_ends_with(server, WEIR_H2_ENHANCE_YOUR_CALM);
    end_free(server);
    bytes_free(&wire);
}

/* Peers that mean well. */

static void one_second_of_pings(int round WEIR_UNUSED)
{
    server->now = weir_time_add(server->now, WEIR_SECONDS(1));
    for (int i = 0; i < 90; i++)
        frame_ping(&wire);
}

TEST(h2_flood, a_steady_trickle_is_no_flood)
{
    server = met_server(NULL);
    assert_int_equal(bear(one_second_of_pings, 200), 200);
    end_free(server);
    bytes_free(&wire);
}

static void bandwidth_probe(int round)
{
    if (round == 0)
        frame_request(&wire, 1, 0);
    frame_data(&wire, 1, 1000, 0);
    frame_ping(&wire);
}

static void call_with_answer(int round)
{
    frame_request(&wire, id_of(round), FLAG_END_STREAM);
    frame_u32(&wire, FRAME_WINDOW_UPDATE, 0, 1000);
    if (round > 0) {
        end_respond(server, (int32_t)id_of(round - 1), 1000, true);
        frame_u32(&wire, FRAME_WINDOW_UPDATE, id_of(round - 1), 1000);
        frame_ping(&wire);
    }
}

TEST(h2_flood, a_busy_peer_is_no_flood)
{
    server = met_server(NULL);
    server->no_log = true;
    assert_int_equal(bear(bandwidth_probe, FLOOD), FLOOD);
    end_free(server);
    server = met_server(NULL);
    server->no_log = true;
    assert_int_equal(bear(call_with_answer, FLOOD), FLOOD);
    end_free(server);
    bytes_free(&wire);
}

TEST(h2_flood, a_client_that_reads_in_small_pieces_is_no_flood)
{
    server = met_server(NULL);
    frame_setting(&wire, 4, INT32_MAX);
    frame_u32(&wire, FRAME_WINDOW_UPDATE, 0, 1 << 30);
    frame_request(&wire, 1, FLAG_END_STREAM);
    assert_ok(end_take(server, &wire));
    struct call *call = end_respond(server, 1, 200 << 20, true);
    while (call->to_send > 0) {
        struct bytes out = {0};
        assert_ok(end_pull(server, &out, 16384));
        bytes_free(&out);
        for (int i = 0; i < 2; i++) {
            frame_u32(&wire, FRAME_WINDOW_UPDATE, 0, 4096);
            frame_u32(&wire, FRAME_WINDOW_UPDATE, 1, 4096);
        }
        assert_ok(end_take(server, &wire));
    }
    end_free(server);
    bytes_free(&wire);
}

TEST(h2_flood, a_client_that_gives_room_back_for_every_small_message_is_no_flood)
{
    server = met_server(NULL);
    frame_setting(&wire, 4, INT32_MAX);
    frame_u32(&wire, FRAME_WINDOW_UPDATE, 0, 1 << 30);
    frame_request(&wire, 1, FLAG_END_STREAM);
    assert_ok(end_take(server, &wire));
    struct call *call = end_respond(server, 1, 1 << 20, true);
    while (call->to_send > 0) {
        struct bytes out = {0};
        assert_ok(end_pull(server, &out, 16384));
        bytes_free(&out);
        for (int i = 0; i < 16384 / 5; i++)
            frame_u32(&wire, FRAME_WINDOW_UPDATE, 1, 5);
        assert_ok(end_take(server, &wire));
    }
    end_free(server);
    bytes_free(&wire);
}
