/* Messages that go, and what they are answered with. */
#include "client_test.h"

/* Sending. */

TEST(client, what_it_says_is_shown_once_with_and_without_a_push)
{
    bench *b = open_bench();
    go_live(b);
    say(b, "a");
    until(b, b->sent == 1 && counters(b).echoes == 1);
    b->server->pushes = false;
    say(b, "b");
    until(b, b->sent == 2);
    assert_string_equal(b->log, "1:1=a 1:2=b ");
    assert_int_equal(b->server->histories + b->server->syncs, 0);
    close_bench(b);
}

static void say_ten(bench *b, fake_fate fate, unsigned count)
{
    go_live(b);
    b->server->fate = fate;
    b->server->fate_count = count;
    for (int i = 0; i < 10; i++)
        say(b, (char[]){(char)('a' + i), 0});
    until(b, b->sent == 10 && b->messages == 10);
    assert_string_equal(b->log, "1:1=a 1:2=b 1:3=c 1:4=d 1:5=e 1:6=f 1:7=g 1:8=h 1:9=i 1:10=j ");
    assert_int_equal(fake_get(b->server, 1)->len, 10);
    assert_int_equal(counters(b).retransmissions, count);
    assert_int_equal(counters(b).queued_now, 0);
}

TEST(client, a_stream_that_ends_before_the_store_loses_nothing)
{
    bench *b = open_bench();
    say_ten(b, FAKE_HANGS_UP, 2);
    assert_int_equal(counters(b).reconnects, 2);
    close_bench(b);
}

TEST(client, a_stream_that_ends_after_the_store_doubles_nothing)
{
    bench *b = open_bench();
    say_ten(b, FAKE_STORES_AND_HANGS_UP, 2);
    close_bench(b);
}

TEST(client, refusals_for_now_keep_the_order)
{
    bench *b = open_bench();
    b->server->refuse_code = WEIR_STATUS_UNAVAILABLE;
    say_ten(b, FAKE_REFUSES, 3);
    close_bench(b);
}

TEST(client, a_refusal_of_the_token_is_one_for_now)
{
    bench *b = open_bench();
    b->server->refuse_code = WEIR_STATUS_UNAUTHENTICATED;
    say_ten(b, FAKE_REFUSES, 1);
    assert_int_equal(b->server->logins, 2);
    close_bench(b);
}

TEST(client, an_answer_that_is_lost_is_asked_for_again)
{
    bench *b = open_bench();
    b->opts.answer_us = WEIR_MILLISECONDS(30);
    say_ten(b, FAKE_STORES_IN_SILENCE, 2);
    close_bench(b);
}

TEST(client, a_refusal_for_good_is_told_and_the_next_goes)
{
    bench *b = open_bench();
    go_live(b);
    b->server->fate = FAKE_REFUSES;
    b->server->fate_count = 1;
    b->server->refuse_code = WEIR_STATUS_PERMISSION_DENIED;
    say(b, "a");
    say(b, "b");
    until(b, b->failed == 1 && b->sent == 1);
    assert_int_equal(b->failed_code, WEIR_STATUS_PERMISSION_DENIED);
    assert_string_equal(b->log, "1:1=b ");
    close_bench(b);
}

TEST(client, what_waits_before_it_is_live_leaves_then)
{
    bench *b = open_bench();
    b->opts.target = b->server->addr;
    assert_ok(chat_client_new(&b->client, b->loop, &b->opts, &events, b));
    char id[CHAT_CLIENT_ID_MAX + 1];
    assert_ok(chat_client_send_to_room(b->client, WEIR_STR("lobby"), WEIR_STR("early"), NULL, id));
    assert_int_equal(strlen(id), 32);
    go_live(b);
    until(b, b->sent == 1);
    close_bench(b);
}

TEST(client, the_queue_is_bounded_and_ids_are_unique)
{
    bench *b = open_bench();
    b->opts.queue_max = 2;
    b->opts.target = b->server->addr;
    assert_ok(chat_client_new(&b->client, b->loop, &b->opts, &events, b));
    chat_client_send_opts own = {.client_id = WEIR_STR("mine")};
    weir_str lobby = WEIR_STR("lobby"), hello = WEIR_STR("hello");
    assert_ok(chat_client_send_to_room(b->client, lobby, hello, &own, NULL));
    assert_err(chat_client_send_to_room(b->client, lobby, hello, &own, NULL), WEIR_EEXIST);
    assert_ok(chat_client_send_to_room(b->client, lobby, hello, NULL, NULL));
    assert_err(chat_client_send_to_room(b->client, lobby, hello, NULL, NULL), WEIR_EFULL);
    assert_err(chat_client_send_to_room(b->client, lobby, WEIR_STR(""), NULL, NULL), WEIR_EINVAL);
    assert_err(chat_client_send_to_room(b->client, lobby, WEIR_STR("\xff"), NULL, NULL),
               WEIR_EUTF8);
    close_bench(b);
}

TEST(client, a_time_to_live_ends_what_is_not_answered)
{
    bench *b = open_bench();
    go_live(b);
    b->server->fate = FAKE_REFUSES;
    b->server->fate_count = 1000;
    b->server->refuse_code = WEIR_STATUS_UNAVAILABLE;
    chat_client_send_opts brief = {.ttl_us = WEIR_MILLISECONDS(40)};
    assert_ok(chat_client_send_to_room(b->client, WEIR_STR("lobby"), WEIR_STR("a"), &brief, NULL));
    until(b, b->failed == 1);
    assert_int_equal(b->failed_code, WEIR_STATUS_DEADLINE_EXCEEDED);
    assert_int_equal(counters(b).queued_now, 0);
    close_bench(b);
}

TEST(client, one_conversation_does_not_hold_up_another)
{
    bench *b = open_bench();
    fake_add(b->server, 2, CHAT_CONVERSATION_KIND_DIRECT, "bob");
    go_live(b);
    b->server->fate = FAKE_STORES_IN_SILENCE;
    b->server->fate_count = 1;
    say(b, "silent");
    assert_ok(chat_client_send_to_conversation(b->client, 1, WEIR_STR("behind"), NULL, NULL));
    assert_ok(chat_client_send_to_user(b->client, WEIR_STR("bob"), WEIR_STR("hi"), NULL, NULL));
    until(b, b->sent == 1);
    assert_string_equal(b->log, "2:1=hi ");
    assert_int_equal(b->server->sends, 2);
    close_bench(b);
}

TEST(client, marks_are_gathered)
{
    bench *b = open_bench();
    b->opts.mark_us = WEIR_MILLISECONDS(100);
    fake_fill(b->server, 1, 50);
    go_live(b);
    chat_client_mark_read(b->client, 1, 7000);
    until(b, fake_get(b->server, 1)->delivered_seq == 50);
    assert_int_equal(fake_get(b->server, 1)->read_seq, 50);
    assert_int_equal(b->server->marks, 1);
    close_bench(b);
}

TEST(client, marks_of_a_room_take_their_time)
{
    bench *b = open_bench();
    b->opts.mark_us = WEIR_MILLISECONDS(40);
    fake_add(b->server, 2, CHAT_CONVERSATION_KIND_DIRECT, "bob");
    fake_fill(b->server, 2, 5);
    fake_fill(b->server, 1, 5);
    go_live(b);
    until(b, fake_get(b->server, 2)->delivered_seq == 5);
    assert_int_equal(fake_get(b->server, 1)->delivered_seq, 0);
    until(b, fake_get(b->server, 1)->delivered_seq == 5);
    assert_int_equal(b->server->marks, 2);
    close_bench(b);
}
