/* Messages that come: what was missed, and pushes in whatever order. */
#include "client_test.h"

/* What was missed. */

TEST(client, a_fresh_device_gets_what_was_never_delivered)
{
    bench *b = open_bench();
    fake_fill(b->server, 1, 5);
    fake_get(b->server, 1)->delivered_seq = 2;
    go_live(b);
    assert_string_equal(b->log, "1:3=3 1:4=4 1:5=5 ");
    until(b, fake_get(b->server, 1)->delivered_seq == 5);
    close_bench(b);
}

TEST(client, positions_of_a_file_go_on_where_they_were)
{
    bench *b = open_bench();
    fake_fill(b->server, 1, 5);
    fake_get(b->server, 1)->delivered_seq = 5;
    b->opts.target = b->server->addr;
    assert_ok(chat_client_new(&b->client, b->loop, &b->opts, &events, b));
    assert_ok(chat_client_set_position(b->client, (chat_client_position){1, 3}));
    assert_ok(chat_client_set_position(b->client, (chat_client_position){9, 70}));
    go_live(b);
    assert_string_equal(b->log, "1:4=4 1:5=5 ");
    chat_client_position out[1];
    assert_int_equal(chat_client_positions(b->client, out, 1), 2);
    assert_int_equal(out[0].seq, 5);
    assert_err(chat_client_set_position(b->client, out[0]), WEIR_ESTATE);
    close_bench(b);
}

TEST(client, a_position_of_another_server_hides_nothing)
{
    bench *b = open_bench();
    fake_fill(b->server, 1, 2);
    b->opts.target = b->server->addr;
    assert_ok(chat_client_new(&b->client, b->loop, &b->opts, &events, b));
    assert_ok(chat_client_set_position(b->client, (chat_client_position){1, 900}));
    go_live(b);
    fake_fill(b->server, 1, 1);
    fake_push(b->server, 1, 3);
    until(b, b->messages == 1);
    assert_string_equal(b->log, "1:3=3 ");
    close_bench(b);
}

TEST(client, a_push_ahead_of_the_first_heads_is_shown_once)
{
    bench *b = open_bench();
    fake_fill(b->server, 1, 3);
    b->server->early = 1;
    b->opts.target = b->server->addr;
    assert_ok(chat_client_new(&b->client, b->loop, &b->opts, &events, b));
    assert_ok(chat_client_set_position(b->client, (chat_client_position){1, 3}));
    go_live(b);
    fake_heads(b->server, 0);
    fake_fill(b->server, 1, 1);
    fake_push(b->server, 1, 5);
    until(b, b->messages >= 2);
    assert_string_equal(b->log, "1:4=4 1:5=5 ");
    close_bench(b);
}

TEST(client, marks_ahead_of_the_first_heads_are_fine)
{
    bench *b = open_bench();
    b->server->early_mark = true;
    go_live(b);
    assert_int_equal(counters(b).refused_frames, 0);
    close_bench(b);
}

TEST(client, much_is_pulled_in_pages)
{
    bench *b = open_bench();
    fake_fill(b->server, 1, 1100);
    go_live(b);
    assert_int_equal(b->messages, 1100);
    assert_int_equal(b->server->syncs, 3);
    assert_int_equal(counters(b).duplicates, 0);
    close_bench(b);
}

TEST(client, a_live_message_does_not_pass_what_was_not_pulled_yet)
{
    bench *b = open_bench();
    fake_fill(b->server, 1, 3);
    b->server->hold_sync = true;
    start(b);
    until(b, b->server->syncs == 1);
    fake_fill(b->server, 1, 2);
    fake_push(b->server, 1, 4);
    fake_push(b->server, 1, 5);
    fake_heads(b->server, 0);
    b->server->mute = true; /* a round trip: the pushes have been there when it is over */
    chat_client_check(b->client);
    until(b, b->server->heads_requests == 1);
    assert_string_equal(b->log, "");
    assert_int_equal(chat_client_state_of(b->client), CHAT_CLIENT_SYNCING);
    fake_release_sync(b->server);
    until(b, live(b));
    assert_string_equal(b->log, "1:1=1 1:2=2 1:3=3 1:4=4 1:5=5 ");
    close_bench(b);
}

TEST(client, pulls_that_fail_are_repeated)
{
    bench *b = open_bench();
    fake_fill(b->server, 1, 3);
    b->server->pull_code = WEIR_STATUS_UNAVAILABLE;
    start(b);
    until(b, b->server->syncs == 3);
    b->server->pull_code = WEIR_STATUS_OK;
    until(b, live(b));
    assert_int_equal(b->messages, 3);
    close_bench(b);
}

TEST(client, what_the_server_does_not_have_any_more_is_passed_over)
{
    bench *b = open_bench();
    fake_fill(b->server, 1, 6);
    go_live(b);
    b->log[0] = 0;
    fake_fill(b->server, 1, 4);
    fake_get(b->server, 1)->first_seq = 9;
    fake_push(b->server, 1, 10);
    until(b, b->messages == 8);
    assert_string_equal(b->log, "1:9=9 1:10=10 ");
    assert_int_equal(counters(b).holes, 2);
    close_bench(b);
}

/* Pushes. */

TEST(client, pushes_that_overtake_each_other_are_sorted_without_a_pull)
{
    bench *b = open_bench();
    b->opts.gap_us = WEIR_SECONDS(5);
    go_live(b);
    fake_fill(b->server, 1, 4);
    const uint64_t order[] = {3, 1, 1, 4, 3, 2, 2};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        fake_push(b->server, 1, order[i]);
    until(b, b->messages == 4 && counters(b).duplicates == 3);
    assert_string_equal(b->log, "1:1=1 1:2=2 1:3=3 1:4=4 ");
    assert_int_equal(b->server->histories + b->server->syncs, 0);
    close_bench(b);
}

TEST(client, a_gap_is_pulled)
{
    bench *b = open_bench();
    go_live(b);
    fake_fill(b->server, 1, 3);
    fake_push(b->server, 1, 3);
    until(b, b->messages == 3);
    assert_string_equal(b->log, "1:1=1 1:2=2 1:3=3 ");
    assert_int_equal(b->server->histories, 1);
    assert_int_equal(counters(b).gaps_pulled, 1);
    close_bench(b);
}

TEST(client, early_messages_beyond_the_bound_are_pulled_later)
{
    bench *b = open_bench();
    b->opts.held_max = 3;
    go_live(b);
    fake_fill(b->server, 1, 10);
    for (uint64_t seq = 2; seq <= 10; seq++)
        fake_push(b->server, 1, seq);
    until(b, b->messages == 10);
    assert_int_equal(counters(b).held_dropped, 6);
    close_bench(b);
}

TEST(client, a_push_of_an_unknown_conversation_waits_for_its_position)
{
    bench *b = open_bench();
    go_live(b);
    fake_add(b->server, 2, CHAT_CONVERSATION_KIND_DIRECT, "bob");
    fake_fill(b->server, 2, 2);
    fake_push(b->server, 2, 2);
    until(b, b->messages == 2);
    assert_string_equal(b->log, "2:1=1 2:2=2 ");
    close_bench(b);
}

TEST(client, a_new_conversation_is_shown_though_another_device_was_quicker)
{
    bench *b = open_bench();
    go_live(b);
    fake_add(b->server, 2, CHAT_CONVERSATION_KIND_DIRECT, "bob");
    fake_fill(b->server, 2, 2);
    fake_get(b->server, 2)->delivered_seq = 2;
    fake_push(b->server, 2, 1);
    fake_tell(b->server, 2);
    until(b, b->messages == 2);
    assert_string_equal(b->log, "2:1=1 2:2=2 ");
    close_bench(b);
}

TEST(client, a_lost_push_is_found_by_the_next_heads)
{
    bench *b = open_bench();
    b->opts.heads_us = WEIR_MILLISECONDS(50);
    go_live(b);
    fake_fill(b->server, 1, 2);
    until(b, b->messages == 2);
    assert_true(b->server->heads_requests > 0);
    close_bench(b);
}

TEST(client, heads_that_tell_of_missed_frames_are_followed_at_once)
{
    bench *b = open_bench();
    b->opts.gap_us = WEIR_SECONDS(10);
    fake_add(b->server, 2, CHAT_CONVERSATION_KIND_DIRECT, "bob");
    fake_add(b->server, 3, CHAT_CONVERSATION_KIND_GROUP, "");
    go_live(b);
    for (uint64_t id = 1; id <= 3; id++)
        fake_fill(b->server, id, 2);
    fake_heads(b->server, 6);
    until(b, b->messages == 6);
    assert_int_equal(b->server->syncs, 1);
    close_bench(b);
}

TEST(client, one_that_was_left_and_joined_again_shows_nothing_twice)
{
    bench *b = open_bench();
    fake_fill(b->server, 1, 2);
    go_live(b);
    fake_conversation *lobby = fake_get(b->server, 1);
    fake_frame(b->server, &(chat_server_frame){.frame_case = CHAT_SERVER_FRAME_FRAME_LEFT,
                                               .frame = {.left = 1}});
    fake_fill(b->server, 1, 1);
    lobby->delivered_seq = 0;
    fake_tell(b->server, 1);
    until(b, b->messages == 3);
    assert_string_equal(b->log, "1:1=1 1:2=2 [left 1] 1:3=3 ");
    close_bench(b);
}
