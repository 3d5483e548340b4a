/* Connections with TLS: up, and bytes. */
#include "conn_tls_test.h"

#include <pthread.h>

/* Up */

static void say_hello(size_t at_once)
{
    struct heard heard = {0};
    struct wire w = {
        .at_once = at_once, .client = {.hook = hear_all, .user = &heard}, .server = {.hook = echo}};
    open_up(&w, NULL);
    assert_string_equal(w.client.calls, "up ");
    assert_ok(weir_conn_send(w.client.conn, "hello", 5));
    carry_until(&w, heard.len == 5);
    assert_string_equal(heard.text, "hello");
    close_wire(&w);
}

TEST(conn_tls, on_up_comes_after_the_handshake_and_bytes_go_through)
{
    say_hello(0);
}

TEST(conn_tls, the_wire_may_be_as_slow_as_it_likes)
{
    say_hello(1);
}

TEST(conn_tls, both_ends_see_what_the_handshake_has_found)
{
    struct wire w = {0};
    weir_tls_opts alice = {
        .ca_file = CERT("ca"), .cert_file = CERT("alice"), .key_file = KEY("alice")};
    weir_tls_opts asking = {
        .cert_file = CERT("server"), .key_file = KEY("server"), .client_ca_file = CERT("ca")};
    open_wire(&w, &asking, &alice, &(weir_conn_opts){.tls_alpn = "h2"});
    assert_null(weir_conn_tls(w.server.conn));
    assert_int_equal(weir_conn_get_state(w.server.conn), WEIR_CONN_CONNECTING);
    carry_until(&w, is_up(&w.client) && is_up(&w.server));
    assert_int_equal(weir_conn_get_state(w.server.conn), WEIR_CONN_CONNECTED);
    const weir_tls_info *info = weir_conn_tls(w.server.conn);
    assert_string_equal(info->subject, "CN=alice,O=weir");
    assert_string_equal(info->alpn, "h2");
    assert_true(info->verified);
    assert_ptr_equal(info, weir_conn_tls(w.server.conn));
    assert_string_equal(weir_conn_tls(w.client.conn)->subject, "CN=server,O=weir");
    close_wire(&w);
}

TEST(conn_tls, output_before_the_handshake_waits_for_it)
{
    struct heard heard = {0};
    struct wire w = {.server = {.hook = hear_all, .user = &heard}};
    open_wire(&w, NULL, NULL, &(weir_conn_opts){.high_water = 3});
    assert_ok(weir_conn_send(w.client.conn, "early", 5));
    weir_conn_schedule(w.client.conn);
    carry_until(&w, heard.len == 5);
    assert_string_equal(heard.text, "early");
    assert_memory_equal(w.client.calls, "up flush ", 9);
    close_wire(&w);
}

static void pause_at_up(struct peer *p, const char *call)
{
    if (strcmp(call, "up") == 0)
        weir_conn_pause(p->conn);
    hear_all(p, call);
}

TEST(conn_tls, a_pause_in_on_up_keeps_what_came_with_the_handshake)
{
    struct heard heard = {0};
    struct wire w = {.server = {.hook = pause_at_up, .user = &heard}};
    open_wire(&w, NULL, NULL, NULL);
    weir_conn_pause(w.client.conn); /* of no effect on the handshake */
    assert_ok(weir_conn_send(w.client.conn, "early", 5));
    carry_until(&w, is_up(&w.server));
    for (int i = 0; i < 5; i++)
        turn(&w);
    assert_int_equal(heard.len, 0);
    weir_conn_resume(w.server.conn);
    carry_until(&w, heard.len == 5);
    close_wire(&w);
}

/* Many bytes */

enum {
    MUCH = 8 << 20
};

static void fill(struct peer *p, size_t *left)
{
    while (*left > 0 && weir_conn_unsent(p->conn) < 256 << 10) {
        assert_ok(weir_conn_send(p->conn, block, sizeof block));
        *left -= sizeof block;
    }
}

TEST(conn_tls, much_goes_both_ways_at_once)
{
    struct heard at_client = {0}, at_server = {0};
    struct wire w = {.client = {.hook = hear_all, .user = &at_client},
                     .server = {.hook = hear_all, .user = &at_server}};
    open_up(&w, NULL);
    size_t from_client = MUCH, from_server = MUCH;
    weir_time limit = weir_time_add(weir_time_now(), WEIR_SECONDS(60));
    while ((at_client.len < MUCH || at_server.len < MUCH) &&
           weir_time_before(weir_time_now(), limit)) {
        fill(&w.client, &from_client);
        fill(&w.server, &from_server);
        turn(&w);
    }
    assert_int_equal(at_client.len, MUCH);
    assert_int_equal(at_server.len, MUCH);
    /* 22 bytes a record, which has nearly 16 KiB */
    assert_true(w.to_client < MUCH + MUCH / 400);
    close_wire(&w);
}

TEST(conn_tls, a_slow_reader_fills_the_output_and_empties_it)
{
    struct heard heard = {0};
    struct wire w = {.client = {.hook = hear_all, .user = &heard}};
    open_up(&w, &(weir_conn_opts){.high_water = 1 << 20});
    weir_conn_pause(w.client.conn);
    w.server.calls[0] = '\0';
    for (int i = 0; i < MUCH / (int)sizeof block; i++)
        assert_ok(weir_conn_send(w.server.conn, block, sizeof block));
    for (int i = 0; i < 20; i++)
        turn(&w);
    assert_string_equal(w.server.calls, "high ");
    assert_true(weir_conn_unsent(w.server.conn) > 4 << 20);
    weir_conn_resume(w.client.conn);
    carry_until(&w, heard.len == MUCH);
    assert_string_equal(w.server.calls, "high low written ");
    assert_int_equal(weir_conn_unsent(w.server.conn), 0);
    close_wire(&w);
}

TEST(conn_tls, who_does_not_read_is_not_read_from)
{
    struct wire w = {.server = {.hook = echo}};
    open_up(&w, &(weir_conn_opts){.high_water = 64 << 10, .throttle = true});
    weir_conn_pause(w.client.conn);
    for (int i = 0; i < 64; i++)
        assert_ok(weir_conn_send(w.client.conn, block, sizeof block));
    for (int i = 0; i < 200; i++) {
        turn(&w);
        w.server.calls[0] = '\0';
    }
    assert_true(weir_conn_unsent(w.server.conn) < 512 << 10);
    assert_true(weir_conn_unsent(w.client.conn) > 1 << 20);
    struct heard heard = {0};
    w.client.hook = hear_all;
    w.client.user = &heard;
    weir_conn_resume(w.client.conn);
    while (heard.len < 64 * sizeof block) {
        turn(&w);
        w.server.calls[0] = '\0';
    }
    close_wire(&w);
}

TEST(conn_tls, small_pieces_of_a_turn_share_a_record)
{
    struct heard heard = {0};
    struct wire w = {.client = {.hook = hear_all, .user = &heard}};
    open_up(&w, NULL);
    for (int i = 0; i < 5; i++)
        turn(&w);
    w.to_client = 0;
    for (int i = 0; i < 100; i++) {
        weir_buf piece;
        weir_buf_init(&piece, weir_loop_pool(w.loop));
        assert_ok(weir_buf_append(&piece, block, 10));
        assert_ok(weir_conn_send_buf(w.server.conn, &piece));
    }
    carry_until(&w, heard.len == 1000);
    assert_int_equal(w.to_client, 1000 + 22);
    close_wire(&w);
}

struct poster {
    weir_conn_id id;
    size_t taken;
};

static void *post_much(void *user)
{
    struct poster *poster = user;
    while (poster->taken < MUCH) {
        weir_err err = weir_conn_send_post(poster->id, block, 1000);
        if (err && err != WEIR_EAGAIN)
            break;
        poster->taken += err ? 0 : 1000;
    }
    return NULL;
}

TEST(conn_tls, other_threads_send_through_it)
{
    struct heard heard = {0};
    struct wire w = {.client = {.hook = hear_all, .user = &heard}};
    open_up(&w, &(weir_conn_opts){.high_water = 64 << 10});
    struct poster poster = {.id = weir_conn_id_of(w.server.conn)};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, post_much, &poster), 0);
    carry_until(&w, heard.len >= MUCH);
    pthread_join(thread, NULL);
    assert_int_equal(heard.len, poster.taken);
    close_wire(&w);
}
