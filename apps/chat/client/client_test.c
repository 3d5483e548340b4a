/* The client against a server that misbehaves on purpose, both in one loop. */
#include "chat_client.h"

#include <stdio.h>
#include <stdlib.h>

#include "fake_server.h"

typedef struct bench {
    weir_loop *loop;
    fake_server *server;
    chat_client *client;
    chat_client_opts opts;
    char log[16384]; /* "1:1=hello " per message; what else happens in [] */
    unsigned messages, sent, failed, drains, replies;
    uint32_t failed_code;
    chat_client_status last;
    bool free_at_message, stop_at_sent;
    weir_status_code reply_code;
} bench;

static void note(bench *b, const char *fmt, ...)
{
    size_t len = strlen(b->log);
    va_list args;
    va_start(args, fmt);
    vsnprintf(b->log + len, sizeof b->log - len, fmt, args);
    va_end(args);
}

static void on_status(chat_client *client, const chat_client_status *status, void *user)
{
    (void)client;
    bench *b = user;
    b->last = *status;
}

static void on_message(chat_client *client, const chat_message *m, void *user)
{
    bench *b = user;
    b->messages++;
    if (b->messages <= 100)
        note(b, "%d:%d=%.*s ", (int)m->conversation, (int)m->seq, WEIR_STR_ARGS(m->text));
    if (b->free_at_message) {
        chat_client_free(client);
        b->client = NULL;
    }
}

static void on_sent(chat_client *client, const chat_sent *sent, void *user)
{
    (void)sent;
    bench *b = user;
    b->sent++;
    if (b->stop_at_sent)
        chat_client_stop(client);
}

static void on_failed(chat_client *client, const chat_send_failed *failed, void *user)
{
    (void)client;
    bench *b = user;
    b->failed++;
    b->failed_code = failed->code;
}

static void on_left(chat_client *client, uint64_t conversation, void *user)
{
    (void)client;
    note(user, "[left %d] ", (int)conversation);
}

static void on_drain(chat_client *client, uint32_t after_ms, void *user)
{
    (void)client;
    (void)after_ms;
    ((bench *)user)->drains++;
}

static void on_reply(chat_client *client, const weir_status *status, const void *reply, void *user)
{
    (void)client;
    (void)reply;
    bench *b = user;
    b->replies++;
    b->reply_code = status->code;
}

static const chat_client_events events = {.status = on_status,
                                          .message = on_message,
                                          .sent = on_sent,
                                          .failed = on_failed,
                                          .left = on_left,
                                          .drain = on_drain};

/** Until the condition holds; a test that waits for ever is ended by its time limit. */
#define until(b, condition)                                                                        \
    do {                                                                                           \
        weir_time until_limit = weir_time_add(weir_time_now(), WEIR_SECONDS(60));                  \
        while (!(condition)) {                                                                     \
            assert_ok(weir_loop_run_once((b)->loop, WEIR_MILLISECONDS(50)));                       \
            if (!weir_time_before(weir_time_now(), until_limit))                                   \
                fail_msg("never: %s; log: %s", #condition, (b)->log);                              \
        }                                                                                          \
    } while (0)

static bench *open_bench(void)
{
    bench *b = calloc(1, sizeof *b);
    b->server = calloc(1, sizeof *b->server);
    assert_ok(weir_loop_new(&b->loop, NULL));
    b->server->loop = b->loop;
    b->server->account = b->server->pushes = true;
    fake_add(b->server, 1, CHAT_CONVERSATION_KIND_ROOM, "lobby");
    fake_listen(b->server, "127.0.0.1:0");
    b->opts = (chat_client_opts){.name = "ann",
                                 .password = "secret12",
                                 .seed = 7,
                                 .gap_us = WEIR_MILLISECONDS(20),
                                 .mark_us = WEIR_MILLISECONDS(5),
                                 .backoff_us = WEIR_MILLISECONDS(4),
                                 .backoff_max_us = WEIR_MILLISECONDS(50)};
    return b;
}

static void start(bench *b)
{
    b->opts.target = b->server->addr;
    if (!b->client)
        assert_ok(chat_client_new(&b->client, b->loop, &b->opts, &events, b));
    chat_client_start(b->client);
}

static bool live(const bench *b)
{
    return chat_client_state_of(b->client) == CHAT_CLIENT_LIVE;
}

static void go_live(bench *b)
{
    start(b);
    until(b, live(b));
}

static chat_client_counters counters(const bench *b)
{
    chat_client_counters out;
    chat_client_get_counters(b->client, &out);
    return out;
}

static void close_bench(bench *b)
{
    chat_client_free(b->client);
    weir_server_stop(b->server->server, fake_stopped, b->server);
    until(b, b->server->stopped);
    weir_server_free(b->server->server);
    assert_ok(weir_loop_run_once(b->loop, 0));
    weir_loop_free(b->loop);
    free(b->server);
    free(b);
}

static void say(bench *b, const char *text)
{
    assert_ok(
        chat_client_send_to_room(b->client, WEIR_STR("lobby"), weir_str_from(text), NULL, NULL));
}

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
