#include "conn_test.h"

static void open_lines(struct peer *p)
{
    open_peer(p, SOCK_STREAM, &peer_ops, &(weir_conn_opts){.codec = weir_codec_line(10)});
}

static void answer_message(struct peer *p, const char *call)
{
    if (strcmp(call, "message") != 0)
        return;
    size_t len = weir_buf_len(p->in);
    assert_ok(weir_conn_send_message(p->conn, weir_str_of(weir_buf_pullup(p->in, len), len)));
}

TEST(conn_codec, each_message_comes_alone_and_whole)
{
    struct peer p = {.hook = answer_message};
    open_lines(&p);
    peer_says(&p, "one\r\ntwo\nthr");
    peer_hears(&p, "one\ntwo\n");
    peer_says(&p, "ee\n");
    peer_hears(&p, "three\n");
    close_peer(&p);
}

static void pause_at_message(struct peer *p, const char *call)
{
    if (strcmp(call, "message") == 0)
        weir_conn_pause(p->conn);
}

TEST(conn_codec, a_pause_holds_the_messages_that_have_arrived)
{
    struct peer p = {.hook = pause_at_message};
    open_lines(&p);
    peer_says(&p, "1\n2\n3\n");
    run_until(p.loop, strcmp(p.calls, "up message ") == 0);
    settle(p.loop);
    assert_string_equal(p.calls, "up message ");
    weir_conn_resume(p.conn);
    run_until(p.loop, strcmp(p.calls, "up message message ") == 0);
    p.hook = answer_message;
    weir_conn_resume(p.conn);
    peer_hears(&p, "3\n");
    close_peer(&p);
}

TEST(conn_codec, what_is_too_long_ends_the_connection_after_the_answers)
{
    struct peer p = {.hook = answer_message};
    open_lines(&p);
    peer_says(&p, "good\n01234567890\n");
    peer_hears(&p, "good\n");
    run_until(p.loop, p.conn == NULL);
    assert_err(p.why, WEIR_EMSGSIZE);
    assert_non_null(strstr(p.calls, "up message "));
    close_peer(&p);
}

static void close_at_message(struct peer *p, const char *call)
{
    if (strcmp(call, "message") == 0)
        weir_conn_close(p->conn);
}

TEST(conn_codec, no_message_comes_after_a_close)
{
    struct peer p = {.hook = close_at_message};
    open_lines(&p);
    peer_says(&p, "1\n2\n3\n");
    run_until(p.loop, p.conn == NULL);
    assert_string_equal(p.calls, "up message down ");
    close_peer(&p);
}
