/* Logging in, and connections that end. */
#include "client_test.h"

/* Logging in. */

TEST(client, logs_in_and_is_live)
{
    bench *b = open_bench();
    go_live(b);
    assert_int_equal(b->server->logins, 1);
    assert_int_equal(b->server->hellos, 1);
    assert_string_equal(chat_client_node(b->client), "node-1");
    close_bench(b);
}

TEST(client, an_account_that_is_missing_is_registered)
{
    bench *b = open_bench();
    b->server->account = false;
    b->opts.register_missing = true;
    go_live(b);
    assert_int_equal(b->server->registers, 1);
    close_bench(b);
}

TEST(client, a_wrong_password_ends_it_and_does_not_register)
{
    bench *b = open_bench();
    b->opts.password = "wrong123";
    b->opts.register_missing = true;
    start(b);
    until(b, b->last.state == CHAT_CLIENT_ENDED);
    assert_int_equal(b->last.code, WEIR_STATUS_UNAUTHENTICATED);
    assert_int_equal(b->server->registers, 1);
    assert_err(chat_client_send_to_room(b->client, WEIR_STR("lobby"), WEIR_STR("x"), NULL, NULL),
               WEIR_ECLOSED);
    close_bench(b);
}

TEST(client, a_token_that_is_refused_is_renewed)
{
    bench *b = open_bench();
    go_live(b);
    b->server->token++;
    assert_ok(chat_client_get_profile(b->client, (weir_str){0}, on_reply, b));
    until(b, b->replies == 1);
    assert_int_equal(b->reply_code, WEIR_STATUS_OK);
    assert_int_equal(b->server->logins, 2);
    b->server->token++;
    fake_hang_up(b->server);
    until(b, b->server->hellos == 2 && live(b));
    assert_int_equal(b->server->logins, 3);
    close_bench(b);
}

TEST(client, a_token_without_a_password_ends_when_it_is_refused)
{
    bench *b = open_bench();
    b->opts.password = NULL;
    b->opts.token = "t0";
    go_live(b);
    assert_int_equal(b->server->logins, 0);
    b->server->token++;
    fake_hang_up(b->server);
    until(b, b->last.state == CHAT_CLIENT_ENDED);
    assert_int_equal(b->last.code, WEIR_STATUS_UNAUTHENTICATED);
    close_bench(b);
}

TEST(client, without_a_stream_it_only_logs_in)
{
    bench *b = open_bench();
    b->opts.calls_only = true;
    go_live(b);
    assert_int_equal(b->server->streams, 0);
    assert_ok(chat_client_get_profile(b->client, (weir_str){0}, on_reply, b));
    until(b, b->replies == 1);
    close_bench(b);
}

/* Connections. */

TEST(client, a_drain_moves_it_after_what_is_in_flight)
{
    bench *b = open_bench();
    go_live(b);
    b->server->fate = FAKE_STORES_IN_SILENCE;
    b->server->fate_count = 1;
    say(b, "a");
    until(b, b->server->sends == 1);
    fake_drain(b->server, 1);
    until(b, b->drains == 1);
    assert_int_equal(b->server->streams, 1);
    say(b, "b"); /* waits for the next stream */
    fake_answer(b->server, fake_get(b->server, 1),
                weir_str_from(fake_get(b->server, 1)->messages[0].client_id), false);
    until(b, b->server->streams == 2 && b->sent == 2);
    assert_int_equal(b->server->sends, 2);
    assert_string_equal(b->log, "1:1=a 1:2=b ");
    assert_int_equal(b->server->logins, 1);
    close_bench(b);
}

TEST(client, a_drain_moves_it_at_once_when_nothing_is_in_flight)
{
    bench *b = open_bench();
    b->opts.mark_us = WEIR_SECONDS(60);
    fake_fill(b->server, 1, 2);
    go_live(b);
    fake_drain(b->server, 1);
    until(b, b->server->hellos == 2 && live(b));
    assert_int_equal(fake_get(b->server, 1)->delivered_seq, 2);
    assert_int_equal(b->messages, 2);
    close_bench(b);
}

TEST(client, a_silent_stream_is_given_up)
{
    bench *b = open_bench();
    b->opts.heads_us = b->opts.silence_us = WEIR_MILLISECONDS(30);
    go_live(b);
    b->server->mute = true;
    until(b, b->server->streams == 2);
    b->server->mute = false;
    until(b, live(b));
    close_bench(b);
}

TEST(client, a_server_that_comes_back_is_found)
{
    bench *b = open_bench();
    char addr[WEIR_ADDR_TEXT_MAX];
    go_live(b);
    memcpy(addr, b->server->addr, sizeof addr);
    weir_server_stop(b->server->server, fake_stopped, b->server);
    fake_hang_up(b->server);
    until(b, b->server->stopped && b->last.state != CHAT_CLIENT_LIVE);
    weir_server_free(b->server->server);
    b->server->stopped = false;
    say(b, "while away");
    until(b, b->last.state == CHAT_CLIENT_WAITING);
    assert_int_equal(b->last.code, WEIR_STATUS_UNAVAILABLE);
    fake_listen(b->server, addr);
    until(b, b->sent == 1 && live(b));
    assert_int_equal(b->server->logins, 1);
    close_bench(b);
}

TEST(client, it_may_be_freed_in_its_own_callback)
{
    bench *b = open_bench();
    fake_fill(b->server, 1, 3);
    b->free_at_message = true;
    start(b);
    until(b, b->messages == 1);
    close_bench(b);
}

TEST(client, calls_end_when_it_is_freed)
{
    bench *b = open_bench();
    go_live(b);
    assert_ok(chat_client_get_profile(b->client, (weir_str){0}, on_reply, b));
    chat_client_free(b->client);
    b->client = NULL;
    until(b, b->replies == 1);
    assert_int_equal(b->reply_code, WEIR_STATUS_CANCELLED);
    close_bench(b);
}

TEST(client, a_stop_tells_how_far_it_has_come)
{
    bench *b = open_bench();
    b->opts.mark_us = WEIR_SECONDS(60);
    fake_fill(b->server, 1, 3);
    go_live(b);
    chat_client_stop(b->client);
    until(b, b->last.state == CHAT_CLIENT_ENDED);
    assert_int_equal(b->last.code, WEIR_STATUS_OK);
    assert_int_equal(fake_get(b->server, 1)->delivered_seq, 3);
    close_bench(b);
}

TEST(client, a_stop_when_the_last_is_stored_counts_it_as_delivered)
{
    bench *b = open_bench();
    b->stop_at_sent = true;
    go_live(b);
    say(b, "bye");
    until(b, b->last.state == CHAT_CLIENT_ENDED);
    assert_int_equal(fake_get(b->server, 1)->delivered_seq, 1);
    close_bench(b);
}

TEST(client, many_live_in_one_loop)
{
    enum {
        MANY = 60
    };
    bench *b = open_bench();
    chat_client *others[MANY];
    b->opts.target = b->server->addr;
    for (int i = 0; i < MANY; i++) {
        assert_ok(chat_client_new(&others[i], b->loop, &b->opts, &events, b));
        chat_client_start(others[i]);
        /* The server knows one stream: the latest. */
        until(b, chat_client_state_of(others[i]) == CHAT_CLIENT_LIVE);
    }
    for (int i = 0; i < MANY; i++)
        chat_client_free(others[i]);
    close_bench(b);
}
