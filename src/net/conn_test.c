/* Bytes in and out of a connection. Its end is in conn_end_test.c. */
#include "conn_test.h"

static const char block[64 * 1024];

/* Echo and reading */

static void echo(struct peer *p, const char *call)
{
    if (strcmp(call, "message") == 0)
        assert_ok(weir_conn_send_buf(p->conn, p->in));
}

TEST(conn, bytes_come_in_and_go_out)
{
    struct peer p = {.hook = echo};
    open_peer(&p, SOCK_STREAM, &peer_ops, NULL);
    assert_int_equal(weir_conn_get_state(p.conn), WEIR_CONN_CONNECTED);
    peer_says(&p, "hello");
    peer_hears(&p, "hello");
    peer_says(&p, "again");
    peer_hears(&p, "again");
    close_peer(&p);
    assert_string_equal(p.calls, "up message written message written down ");
}

static void take_pairs(struct peer *p, const char *call)
{
    char pair[2];
    if (strcmp(call, "message") == 0)
        while (weir_buf_read(p->in, pair, 2))
            assert_ok(weir_conn_send(p->conn, pair, 2));
}

TEST(conn, what_a_callback_leaves_stays_for_the_next_time)
{
    struct peer p = {.hook = take_pairs};
    open_peer(&p, SOCK_STREAM, &peer_ops, NULL);
    peer_says(&p, "abc");
    peer_hears(&p, "ab");
    peer_says(&p, "d");
    peer_hears(&p, "cd");
    close_peer(&p);
}

TEST(conn, a_read_takes_at_most_read_max_in_a_turn)
{
    struct peer p = {0};
    open_peer(&p, SOCK_STREAM, &peer_ops, &(weir_conn_opts){.read_max = 1000});
    assert_int_equal(send(p.fd, block, 2500, 0), 2500);
    assert_ok(weir_loop_run_once(p.loop, -1));
    assert_int_equal(weir_buf_len(p.in), 1000);
    assert_ok(weir_loop_run_once(p.loop, -1));
    assert_int_equal(weir_buf_len(p.in), 2000);
    close_peer(&p);
}

TEST(conn, an_idle_connection_holds_no_block)
{
    struct peer p = {.hook = echo};
    open_peer(&p, SOCK_STREAM, &peer_ops, NULL);
    weir_pool_stats before, after;
    weir_pool_get_stats(weir_loop_pool(p.loop), &before);
    peer_says(&p, "hello");
    peer_hears(&p, "hello");
    weir_pool_get_stats(weir_loop_pool(p.loop), &after);
    assert_int_equal(after.used_bytes, before.used_bytes);
    close_peer(&p);
}

static void pause_at_message(struct peer *p, const char *call)
{
    if (strcmp(call, "message") == 0)
        weir_conn_pause(p->conn);
}

static size_t used_bytes(const struct peer *p)
{
    weir_pool_stats stats;
    weir_pool_get_stats(weir_loop_pool(p->loop), &stats);
    return stats.used_bytes;
}

TEST(conn, half_a_message_waits_in_little_memory)
{
    struct peer p = {0};
    open_peer(&p, SOCK_STREAM, &peer_ops, NULL);
    size_t before = used_bytes(&p);
    for (int i = 0; i < 3; i++) {
        p.calls[0] = '\0';
        peer_says(&p, "half");
        run_until(p.loop, strstr(p.calls, "message"));
    }
    assert_int_equal(weir_buf_len(p.in), 12);
    assert_true(used_bytes(&p) - before <= 2048);
    close_peer(&p);
}

TEST(conn, a_paused_one_reads_nothing_and_gets_what_was_left_over_when_it_goes_on)
{
    struct peer p = {.hook = pause_at_message};
    open_peer(&p, SOCK_STREAM, &peer_ops, NULL);
    peer_says(&p, "one");
    run_until(p.loop, strcmp(p.calls, "up message ") == 0);
    peer_says(&p, "two");
    settle(p.loop);
    assert_string_equal(p.calls, "up message ");
    assert_int_equal(weir_buf_len(p.in), 3);
    p.hook = echo;
    weir_conn_resume(p.conn);
    peer_hears(&p, "onetwo");
    close_peer(&p);
}

/* Writing */

static void answer_thrice(struct peer *p, const char *call)
{
    if (strcmp(call, "message") == 0) {
        weir_buf_clear(p->in);
        assert_ok(weir_conn_send(p->conn, "a", 1));
        assert_ok(weir_conn_send(p->conn, "bc", 2));
        weir_conn_schedule(p->conn);
    } else if (strcmp(call, "flush") == 0) {
        assert_ok(weir_buf_append(p->out, "def", 3));
    }
}

static void count_and_take(struct peer *p, const char *call)
{
    if (strcmp(call, "message") != 0)
        return;
    *(size_t *)p->user += weir_buf_len(p->in);
    weir_buf_clear(p->in);
    p->calls[0] = '\0';
}

/** An edge-triggered poller says it once, however much there is. */
TEST(conn, a_long_run_of_bytes_is_read_to_its_end)
{
    size_t got = 0;
    struct peer p = {.hook = count_and_take, .user = &got};
    open_peer(&p, SOCK_STREAM, &peer_ops, NULL);
    for (int i = 0; i < 3; i++)
        assert_int_equal(send(p.fd, block, sizeof block, MSG_NOSIGNAL), sizeof block);
    run_until(p.loop, got == 3 * sizeof block);
    close_peer(&p);
}

TEST(conn, what_was_left_comes_again_when_asked_for_without_new_bytes)
{
    struct peer p = {0};
    open_peer(&p, SOCK_STREAM, &peer_ops, NULL);
    peer_says(&p, "half");
    run_until(p.loop, strstr(p.calls, "message"));
    settle(p.loop);
    assert_string_equal(p.calls, "up message ");
    weir_conn_resume(p.conn);
    run_until(p.loop, strcmp(p.calls, "up message message ") == 0);
    close_peer(&p);
}

TEST(conn, all_output_of_a_turn_leaves_in_one_write)
{
    struct peer p = {.hook = answer_thrice};
    char got[64];
    open_peer(&p, SOCK_SEQPACKET, &peer_ops, NULL);
    peer_says(&p, "go");
    run_until(p.loop, strstr(p.calls, "written"));
    assert_int_equal(recv(p.fd, got, sizeof got, 0), 6);
    assert_memory_equal(got, "abcdef", 6);
    assert_int_equal(recv(p.fd, got, sizeof got, 0), -1);
    assert_string_equal(p.calls, "up message flush written ");
    close_peer(&p);
}

/** Queues output until the kernel takes no more. */
static void fill(struct peer *p)
{
    do {
        assert_ok(weir_conn_send(p->conn, block, sizeof block));
        assert_ok(weir_loop_run_once(p->loop, 0));
    } while (weir_conn_unsent(p->conn) == 0);
}

/** Reads until the connection has sent everything. @return bytes */
static size_t relieve(struct peer *p)
{
    static char scrap[sizeof block];
    size_t total = 0;
    while (weir_conn_unsent(p->conn) > 0) {
        ssize_t n = recv(p->fd, scrap, sizeof scrap, 0);
        total += n > 0 ? (size_t)n : 0;
        assert_ok(weir_loop_run_once(p->loop, 0));
    }
    return total;
}

TEST(conn, on_flush_waits_until_the_kernel_has_taken_the_rest)
{
    struct peer p = {0};
    open_peer(&p, SOCK_STREAM, &peer_ops, NULL);
    fill(&p);
    p.calls[0] = '\0';
    weir_conn_schedule(p.conn);
    weir_conn_schedule(p.conn);
    settle(p.loop);
    assert_string_equal(p.calls, "");
    relieve(&p);
    settle(p.loop);
    assert_string_equal(p.calls, "flush written ");
    close_peer(&p);
}

static void schedule_again(struct peer *p, const char *call)
{
    if (strcmp(call, "flush") != 0)
        return;
    assert_ok(weir_buf_append(p->out, "x", 1));
    if (strcmp(p->calls, "up flush ") == 0)
        weir_conn_schedule(p->conn);
}

TEST(conn, on_flush_that_asks_for_more_comes_again)
{
    struct peer p = {.hook = schedule_again};
    open_peer(&p, SOCK_STREAM, &peer_ops, NULL);
    weir_conn_schedule(p.conn);
    peer_hears(&p, "xx");
    close_peer(&p);
}

TEST(conn, a_slow_reader_is_told_high_and_later_low)
{
    struct peer p = {0};
    open_peer(&p, SOCK_STREAM, &peer_ops, &(weir_conn_opts){.high_water = 100000});
    fill(&p);
    assert_ok(weir_conn_send(p.conn, block, sizeof block));
    assert_ok(weir_conn_send(p.conn, block, sizeof block));
    assert_ok(weir_loop_run_once(p.loop, 0));
    assert_ok(weir_conn_send(p.conn, block, sizeof block));
    assert_ok(weir_loop_run_once(p.loop, 0));
    assert_null(strstr(p.calls, "low"));
    const char *high = strstr(p.calls, "high");
    assert_non_null(high);
    assert_null(strstr(high + 1, "high"));
    relieve(&p);
    settle(p.loop);
    const char *low = strstr(p.calls, "low");
    assert_non_null(low);
    assert_null(strstr(low + 1, "low"));
    close_peer(&p);
}

TEST(conn, much_output_arrives_whole_and_in_order)
{
    enum {
        NUMBERS = 1 << 20
    };
    struct peer p = {0};
    uint32_t numbers[4096], expected = 0;
    size_t rest = 0;
    open_peer(&p, SOCK_STREAM, &peer_ops, NULL);
    for (uint32_t i = 0; i < NUMBERS; i++)
        assert_ok(weir_conn_send(p.conn, &i, sizeof i));
    while (expected < NUMBERS) {
        assert_ok(weir_loop_run_once(p.loop, 0));
        ssize_t n = recv(p.fd, (char *)numbers + rest, sizeof numbers - rest, 0);
        size_t have = rest + (n > 0 ? (size_t)n : 0);
        for (size_t i = 0; i < have / 4; i++)
            if (numbers[i] != expected++)
                fail_msg("%u instead of %u", numbers[i], expected - 1);
        rest = have % 4;
        memmove(numbers, (char *)numbers + have - rest, rest);
    }
    close_peer(&p);
}

static void send_back(struct peer *p, const char *call)
{
    if (strcmp(call, "message") == 0)
        assert_ok(weir_conn_send_buf(p->conn, p->in));
}

TEST(conn, short_answers_that_wait_are_packed)
{
    struct peer p = {.hook = send_back};
    open_peer(&p, SOCK_STREAM, &peer_ops, NULL);
    fill(&p);
    size_t before = used_bytes(&p);
    for (int i = 0; i < 1000; i++) {
        p.calls[0] = '\0';
        peer_says(&p, "ten bytes.");
        run_until(p.loop, strstr(p.calls, "message"));
    }
    assert_true(used_bytes(&p) - before <= 2 * 16384);
    close_peer(&p);
}

TEST(conn, one_that_throttles_reads_nothing_while_its_answers_are_not_read)
{
    struct peer p = {.hook = send_back};
    open_peer(&p, SOCK_STREAM, &peer_ops,
              &(weir_conn_opts){.high_water = sizeof block, .throttle = true});
    while (!strstr(p.calls, "high")) {
        p.calls[0] = '\0';
        (void)!send(p.fd, block, sizeof block, MSG_NOSIGNAL | MSG_DONTWAIT);
        assert_ok(weir_loop_run_once(p.loop, 0));
    }
    size_t unsent = weir_conn_unsent(p.conn);
    p.calls[0] = '\0';
    (void)!send(p.fd, "more", 4, MSG_NOSIGNAL | MSG_DONTWAIT);
    settle(p.loop);
    assert_string_equal(p.calls, "");
    assert_int_equal(weir_conn_unsent(p.conn), unsent);
    p.hook = NULL;
    relieve(&p);
    run_until(p.loop, strstr(p.calls, "low") && strstr(p.calls, "message"));
    close_peer(&p);
}

/* Looking at it */

TEST(conn, its_id_finds_it_in_its_loop_only_and_while_it_lives)
{
    struct peer p = {0};
    open_peer(&p, SOCK_STREAM, &peer_ops, NULL);
    weir_loop *other = new_loop();
    weir_conn_id id = weir_conn_id_of(p.conn);
    assert_ptr_equal(weir_conn_get(p.loop, id), p.conn);
    assert_ptr_equal(weir_conn_loop(p.conn), p.loop);
    assert_null(weir_conn_get(other, id));
    assert_null(weir_conn_get(p.loop, (weir_conn_id){0}));
    weir_conn_abort(p.conn, WEIR_OK);
    assert_null(weir_conn_get(p.loop, id));
    weir_loop_free(other);
    close_peer(&p);
}

TEST(conn, its_data_is_the_users)
{
    struct peer p = {0};
    int data;
    open_peer(&p, SOCK_STREAM, &peer_ops, NULL);
    assert_null(weir_conn_data(p.conn));
    weir_conn_set_data(p.conn, &data);
    assert_ptr_equal(weir_conn_data(p.conn), &data);
    assert_int_equal(weir_conn_peer(p.conn).storage.ss_family, AF_UNIX);
    close_peer(&p);
}
