/* What a connection does when both ends behave. */
#include "h2_end.h"

static struct end *server, *client;

static void connect_ends(const weir_h2_opts *server_opts)
{
    server = end_new(WEIR_H2_SERVER, server_opts);
    client = end_new(WEIR_H2_CLIENT, NULL);
    exchange(client, server);
    server->log_len = client->log_len = 0;
    server->log[0] = client->log[0] = '\0';
}

static void free_ends(void)
{
    end_free(client);
    end_free(server);
}

#define assert_log(end, text) assert_string_equal((end)->log, text)

TEST(h2, a_request_has_a_response_with_body_and_trailers)
{
    struct call *call;
    connect_ends(NULL);
    assert_ok(end_request(client, (struct call){.to_send = 5, .finish = true}, &call));
    exchange(client, server);
    assert_log(server, "open 1\n1 :method=POST\n1 :scheme=http\n1 :path=/a\n1 :authority=b\n"
                       "headers 1 request\ndata 1 5\nend 1\n");
    end_respond(server, 1, 7, true);
    exchange(client, server);
    assert_log(client, "1 :status=200\nheaders 1 response\ndata 1 7\n1 grpc-status=0\n"
                       "headers 1 trailers\nend 1\nclose 1 NO_ERROR\n");
    assert_true(end_call(server, 1)->closed);
    assert_int_equal(weir_h2_streams(server->h2), 0);
    assert_int_equal(weir_h2_streams(client->h2), 0);
    free_ends();
}

TEST(h2, a_request_without_body_ends_at_once)
{
    struct call *call;
    connect_ends(NULL);
    assert_ok(end_request(client, (struct call){.finish = true}, &call));
    exchange(client, server);
    assert_true(end_call(server, 1)->ended);
    const weir_h2_header status = {WEIR_STR(":status"), WEIR_STR("404"), false};
    assert_ok(weir_h2_submit_response(server->h2, 1, &status, 1, false));
    exchange(client, server);
    assert_log(client, "1 :status=404\nheaders 1 response\nend 1\nclose 1 NO_ERROR\n");
    free_ends();
}

TEST(h2, both_bodies_flow_at_once_and_whole)
{
    struct call *call;
    connect_ends(NULL);
    assert_ok(end_request(client, (struct call){.to_send = 3000000, .finish = true}, &call));
    struct bytes wire = {0};
    assert_ok(end_pull(client, &wire, 1));
    assert_ok(end_take(server, &wire));
    end_respond(server, 1, 5000000, true);
    exchange(client, server);
    assert_int_equal(end_call(server, 1)->received, 3000000);
    assert_int_equal(call->received, 5000000);
    assert_int_equal(call->code, WEIR_H2_NO_ERROR);
    bytes_free(&wire);
    free_ends();
}

TEST(h2, a_sleeping_body_goes_on_when_it_is_ready)
{
    struct call *call;
    connect_ends(NULL);
    assert_ok(end_request(client, (struct call){.to_send = 3}, &call));
    exchange(client, server);
    assert_int_equal(end_call(server, 1)->received, 3);
    assert_false(weir_h2_wants_pull(client->h2));
    call->to_send = 4;
    call->finish = true;
    weir_h2_body_ready(client->h2, call->id);
    assert_true(weir_h2_wants_pull(client->h2));
    exchange(client, server);
    assert_int_equal(end_call(server, 1)->received, 7);
    assert_true(end_call(server, 1)->ended);
    weir_h2_body_ready(client->h2, 99);
    free_ends();
}

TEST(h2, streams_share_the_connection)
{
    struct call *first, *second;
    connect_ends(&(weir_h2_opts){.stream_window = 1 << 20});
    assert_ok(end_request(client, (struct call){.finish = true}, &first));
    assert_ok(end_request(client, (struct call){.finish = true}, &second));
    exchange(client, server);
    end_respond(server, 1, 1000000, true);
    end_respond(server, 3, 1000000, true);
    struct bytes wire = {0};
    assert_ok(end_pull(server, &wire, 150000));
    assert_ok(end_take(client, &wire));
    assert_true(first->received > 30000 && second->received > 30000);
    bytes_free(&wire);
    free_ends();
}

TEST(h2, pull_gives_at_most_a_frame_above_its_limit)
{
    struct call *call;
    connect_ends(NULL);
    assert_ok(end_request(client, (struct call){.to_send = 60000, .finish = true}, &call));
    for (struct bytes wire = {0}; weir_h2_wants_pull(client->h2); bytes_free(&wire)) {
        assert_ok(end_pull(client, &wire, 20000));
        assert_true(wire.len <= 20000 + 16384 + 9);
        assert_ok(end_take(server, &wire));
    }
    assert_int_equal(end_call(server, 1)->received, 60000);
    free_ends();
}

TEST(h2, either_side_resets)
{
    struct call *call;
    connect_ends(NULL);
    assert_ok(end_request(client, (struct call){.to_send = 1}, &call));
    exchange(client, server);
    client->log_len = server->log_len = 0;
    weir_h2_reset(client->h2, call->id, WEIR_H2_CANCEL);
    exchange(client, server);
    assert_log(client, "close 1 CANCEL\n");
    assert_log(server, "close 1 CANCEL remote\n");

    assert_ok(end_request(client, (struct call){.to_send = 1}, &call));
    exchange(client, server);
    client->log_len = server->log_len = 0;
    weir_h2_reset(server->h2, call->id, WEIR_H2_INTERNAL_ERROR);
    weir_h2_reset(server->h2, call->id, WEIR_H2_CANCEL);
    exchange(client, server);
    assert_log(server, "close 3 INTERNAL_ERROR\n");
    assert_log(client, "close 3 INTERNAL_ERROR remote\n");
    weir_h2_reset(server->h2, call->id, WEIR_H2_CANCEL);
    assert_false(weir_h2_wants_pull(server->h2));
    free_ends();
}

TEST(h2, a_request_that_was_not_sent_yet_can_be_reset)
{
    struct call *call;
    connect_ends(NULL);
    assert_ok(end_request(client, (struct call){.finish = true}, &call));
    weir_h2_reset(client->h2, call->id, WEIR_H2_CANCEL);
    exchange(client, server);
    assert_log(client, "close 1 CANCEL\n");
    assert_log(server, "");
    weir_h2_reset(client->h2, 1, WEIR_H2_CANCEL);
    exchange(client, server);
    assert_int_equal(weir_h2_streams(client->h2), 0);
    free_ends();
}

TEST(h2, a_refused_request_says_so)
{
    struct call *call;
    connect_ends(NULL);
    server->refuse = true;
    assert_ok(end_request(client, (struct call){.to_send = 9, .finish = true}, &call));
    exchange(client, server);
    assert_log(client, "close 1 REFUSED_STREAM remote\n");
    assert_log(server, "open 1\n");
    assert_int_equal(weir_h2_streams(server->h2), 0);
    free_ends();
}

TEST(h2, an_early_answer_is_complete_at_the_client)
{
    struct call *call;
    connect_ends(NULL);
    assert_ok(end_request(client, (struct call){.to_send = 1}, &call));
    exchange(client, server);
    client->log_len = server->log_len = 0;
    end_respond(server, 1, 0, true);
    exchange(client, server);
    assert_log(client, "1 :status=200\nheaders 1 response\n1 grpc-status=0\nheaders 1 trailers\n"
                       "end 1\nclose 1 NO_ERROR remote\n");
    assert_log(server, "close 1 NO_ERROR\n");
    free_ends();
}

TEST(h2, informational_responses_come_before_the_final_one)
{
    struct call *call;
    struct bytes b = {0};
    connect_ends(NULL);
    assert_ok(end_request(client, (struct call){.finish = true}, &call));
    exchange(client, server);
    frame(&b, FRAME_HEADERS, FLAG_END_HEADERS, 1,
          "\x08\x03"
          "103",
          5);
    frame(&b, FRAME_HEADERS, FLAG_END_HEADERS, 1, "\x88", 1);
    frame(&b, FRAME_HEADERS, FLAG_END_HEADERS | FLAG_END_STREAM, 1, "\0\1a\1b", 5);
    assert_ok(end_take(client, &b));
    assert_log(client, "1 :status=103\nheaders 1 informational\n1 :status=200\n"
                       "headers 1 response\n1 a=b\nheaders 1 trailers\nend 1\n"
                       "close 1 NO_ERROR\n");
    bytes_free(&b);
    free_ends();
}

TEST(h2, a_full_peer_takes_no_more_requests_until_one_ends)
{
    struct call *call[3];
    connect_ends(&(weir_h2_opts){.max_streams = 2});
    assert_int_equal(weir_h2_peer_max_streams(client->h2), 2);
    assert_ok(end_request(client, (struct call){.to_send = 1}, &call[0]));
    assert_ok(end_request(client, (struct call){.to_send = 1}, &call[1]));
    assert_err(end_request(client, (struct call){.to_send = 1}, &call[2]), WEIR_EFULL);
    weir_h2_reset(client->h2, call[0]->id, WEIR_H2_CANCEL);
    exchange(client, server);
    assert_ok(end_request(client, (struct call){.to_send = 1}, &call[2]));
    exchange(client, server);
    assert_int_equal(weir_h2_streams(server->h2), 2);
    free_ends();
}

TEST(h2, max_streams_may_go_from_zero_to_one)
{
    struct call *call;
    struct bytes b = {0};
    client = end_new(WEIR_H2_CLIENT, NULL);
    assert_int_equal(weir_h2_peer_max_streams(client->h2), 100);
    frame_setting(&b, 3, 0);
    assert_ok(end_take(client, &b));
    assert_err(end_request(client, (struct call){.finish = true}, &call), WEIR_EFULL);
    frame_setting(&b, 3, 1);
    assert_ok(end_take(client, &b));
    assert_log(client, "settings\nsettings\n");
    assert_ok(end_request(client, (struct call){.finish = true}, &call));
    bytes_free(&b);
    end_free(client);
}

TEST(h2, requests_go_out_before_the_servers_settings_arrive)
{
    struct call *call;
    struct bytes b = {0};
    client = end_new(WEIR_H2_CLIENT, NULL);
    assert_ok(end_request(client, (struct call){.to_send = 2, .finish = true}, &call));
    assert_ok(end_pull(client, &b, SIZE_MAX));
    assert_true(
        find_frame(&(struct bytes){.at = b.at + 24, .len = b.len - 24}, FRAME_DATA, 1, NULL));
    bytes_free(&b);
    end_free(client);
}

TEST(h2, a_graceful_end_lets_running_calls_finish)
{
    struct call *running, *late;
    connect_ends(NULL);
    assert_ok(end_request(client, (struct call){.finish = true}, &running));
    exchange(client, server);
    client->log_len = 0;
    weir_h2_goaway_notice(server->h2, "soon", 7);
    exchange(client, server);
    assert_log(client, "goaway 2147483647 NO_ERROR soon\n");
    assert_non_null(strstr(server->log, "pong 7\n"));
    assert_err(end_request(client, (struct call){.finish = true}, &late), WEIR_ECLOSED);
    weir_h2_goaway(server->h2, WEIR_H2_NO_ERROR, WEIR_STR("bye"));
    exchange(client, server);
    assert_non_null(strstr(client->log, "goaway 1 NO_ERROR bye\n"));
    assert_false(weir_h2_is_over(server->h2));
    end_respond(server, 1, 3, true);
    exchange(client, server);
    assert_int_equal(running->received, 3);
    assert_int_equal(running->code, WEIR_H2_NO_ERROR);
    assert_true(weir_h2_is_over(server->h2));
    assert_true(weir_h2_is_over(client->h2));
    free_ends();
}

TEST(h2, requests_that_a_goaway_left_behind_are_refused)
{
    struct call *first, *second;
    struct bytes b = {0};
    connect_ends(NULL);
    assert_ok(end_request(client, (struct call){.finish = true}, &first));
    exchange(client, server);
    assert_ok(end_request(client, (struct call){.finish = true}, &second));
    assert_ok(end_pull(client, &b, SIZE_MAX));
    b.len = 0;
    weir_h2_goaway(server->h2, WEIR_H2_NO_ERROR, WEIR_STR(""));
    assert_ok(end_pull(server, &b, SIZE_MAX));
    assert_ok(end_take(client, &b));
    assert_true(second->closed && !first->closed);
    assert_int_equal(second->code, WEIR_H2_REFUSED_STREAM);
    bytes_free(&b);
    free_ends();
}

TEST(h2, a_request_that_has_not_left_when_a_goaway_comes_is_refused_and_unsent)
{
    struct call *call;
    connect_ends(NULL);
    weir_h2_goaway(server->h2, WEIR_H2_NO_ERROR, WEIR_STR("bye"));
    struct bytes b = {0};
    assert_ok(end_pull(server, &b, SIZE_MAX));
    assert_ok(end_request(client, (struct call){.finish = true}, &call));
    assert_ok(end_take(client, &b));
    assert_ok(end_pull(client, &b, SIZE_MAX));
    assert_true(call->closed);
    assert_int_equal(call->code, WEIR_H2_REFUSED_STREAM);
    bytes_free(&b);
    free_ends();
}

TEST(h2, a_ping_comes_back)
{
    connect_ends(NULL);
    weir_h2_ping(client->h2, 0x123456789abcdef0u);
    exchange(client, server);
    assert_log(client, "pong 123456789abcdef0\n");
    free_ends();
}

TEST(h2, a_header_list_that_nobody_would_take_is_not_sent)
{
    static char big[129 << 10];
    static weir_h2_header many[257];
    int32_t id;
    connect_ends(NULL);
    for (size_t i = 0; i < 257; i++)
        many[i] = (weir_h2_header){WEIR_STR("a"), WEIR_STR("b"), false};
    const weir_h2_header one = {WEIR_STR("a"), weir_str_of(big, sizeof big), false};
    assert_err(weir_h2_submit_request(client->h2, many, 257, false, big, &id), WEIR_EMSGSIZE);
    assert_err(weir_h2_submit_request(client->h2, &one, 1, false, big, &id), WEIR_EMSGSIZE);
    assert_err(weir_h2_submit_response(server->h2, 1, many, 1, false), WEIR_ECLOSED);
    free_ends();
}

TEST(h2, sensitive_fields_stay_out_of_the_table)
{
    struct call *call;
    connect_ends(NULL);
    assert_ok(end_request(client, (struct call){.finish = true}, &call));
    exchange(client, server);
    const weir_h2_header headers[] = {
        {WEIR_STR(":status"), WEIR_STR("200"), false},
        {WEIR_STR("token"), WEIR_STR("{}{}{}"), true},
    };
    assert_ok(weir_h2_submit_response(server->h2, 1, headers, 2, false));
    struct bytes b = {0};
    assert_ok(end_pull(server, &b, SIZE_MAX));
    assert_non_null(memchr(b.at + 9, 0x10, b.len - 9)); /* literal, never indexed */
    bytes_free(&b);
    free_ends();
}

TEST(h2, every_code_has_a_name)
{
    assert_string_equal(weir_h2_code_name(WEIR_H2_CANCEL), "CANCEL");
    assert_string_equal(weir_h2_code_name(WEIR_H2_HTTP_1_1_REQUIRED), "HTTP_1_1_REQUIRED");
    assert_string_equal(weir_h2_code_name(14), "unknown");
}
