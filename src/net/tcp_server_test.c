#include "net_test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <weir/net/tcp_server.h>

enum {
    LOOPS = 3,
    CLIENTS = 9
};

/** What the serving loops have seen, and the server's own side. */
struct seen {
    weir_loop *loop;
    weir_tcp_server *server;
    atomic_int up, down, timed_out, visited;
    atomic_int in_loop[LOOPS];
    bool greet; /* with more than a socket takes */
    bool stopped;
};

static void up(weir_conn *conn, void *user)
{
    static const char much[1 << 20];
    struct seen *s = user;
    for (int i = 0; i < LOOPS; i++)
        if (weir_conn_loop(conn) == weir_tcp_server_loop(s->server, (unsigned)i))
            atomic_fetch_add(&s->in_loop[i], 1);
    for (int i = 0; i < 16 && s->greet; i++)
        if (weir_conn_send(conn, much, sizeof much))
            weir_conn_abort(conn, WEIR_ENOMEM);
    atomic_fetch_add(&s->up, 1);
}

static void echo(weir_conn *conn, weir_buf *in, void *user WEIR_UNUSED)
{
    if (weir_conn_send_buf(conn, in))
        weir_buf_clear(in);
}

static void down(weir_conn *conn WEIR_UNUSED, weir_err why, void *user)
{
    struct seen *s = user;
    atomic_fetch_add(&s->down, 1);
    if (why == WEIR_ETIMEDOUT)
        atomic_fetch_add(&s->timed_out, 1);
}

static const weir_conn_ops ops = {.on_up = up, .on_message = echo, .on_down = down};

static void start(struct seen *s, const weir_tcp_server_opts *opts)
{
    weir_why why = {""};
    weir_tcp_server_opts own = *opts;
    own.loop.poller = test_poller();
    s->loop = new_loop();
    if (weir_tcp_server_start(&s->server, s->loop, "127.0.0.1:0", &ops, s, &own, &why))
        fail_msg("%s", why.text);
}

static void note_stopped(void *user)
{
    ((struct seen *)user)->stopped = true;
}

static void stop(struct seen *s, int64_t grace_us)
{
    weir_tcp_server_stop(s->server, grace_us, note_stopped, s);
    run_until(s->loop, s->stopped);
    assert_int_equal(atomic_load(&s->down), atomic_load(&s->up));
    weir_loop_free(s->loop);
}

static void connect_all(struct seen *s, int clients[CLIENTS])
{
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = connect_to(weir_tcp_server_addr(s->server));
    run_until(s->loop, atomic_load(&s->up) == CLIENTS);
    assert_int_equal(weir_tcp_server_connections(s->server), CLIENTS);
}

static void close_all(int clients[CLIENTS])
{
    for (int i = 0; i < CLIENTS; i++)
        close(clients[i]);
}

TEST(tcp_server, connections_go_round_robin_to_the_loops_and_are_served_there)
{
    int before = open_fds(), clients[CLIENTS];
    struct seen s = {0};
    start(&s, &(weir_tcp_server_opts){.loops = LOOPS});
    assert_null(weir_tcp_server_loop(s.server, LOOPS));
    connect_all(&s, clients);
    for (int i = 0; i < LOOPS; i++)
        assert_int_equal(atomic_load(&s.in_loop[i]), CLIENTS / LOOPS);
    for (int i = 0; i < CLIENTS; i++) {
        char back[5];
        assert_int_equal(send(clients[i], "hello", 5, 0), 5);
        assert_int_equal(recv(clients[i], back, 5, MSG_WAITALL), 5);
        assert_memory_equal(back, "hello", 5);
    }
    stop(&s, WEIR_SECONDS(10));
    assert_int_equal(atomic_load(&s.timed_out), 0);
    for (int i = 0; i < CLIENTS; i++)
        assert_true(sees_end(clients[i]));
    close_all(clients);
    assert_int_equal(open_fds(), before);
}

TEST(tcp_server, a_single_loop_accepts_and_serves)
{
    int before = open_fds(), clients[CLIENTS];
    struct seen s = {0};
    start(&s, &(weir_tcp_server_opts){.model = WEIR_TCP_SINGLE});
    assert_ptr_equal(weir_tcp_server_loop(s.server, 0), s.loop);
    connect_all(&s, clients);
    assert_int_equal(atomic_load(&s.in_loop[0]), CLIENTS);
    stop(&s, WEIR_SECONDS(10));
    close_all(clients);
    assert_int_equal(open_fds(), before);
}

TEST(tcp_server, every_loop_accepts_for_itself_on_a_shared_port)
{
    int before = open_fds(), clients[CLIENTS];
    struct seen s = {0};
    start(&s, &(weir_tcp_server_opts){.loops = LOOPS, .model = WEIR_TCP_REUSEPORT});
    connect_all(&s, clients);
    int served = 0;
    for (int i = 0; i < LOOPS; i++)
        served += atomic_load(&s.in_loop[i]);
    assert_int_equal(served, CLIENTS);
    weir_addr addr = *weir_tcp_server_addr(s.server);
    weir_tcp_server_pause(s.server);
    stop(&s, WEIR_SECONDS(10));
    int late = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(late, (struct sockaddr *)&addr.storage, addr.len), -1);
    close(late);
    close_all(clients);
    assert_int_equal(open_fds(), before);
}

TEST(tcp_server, the_least_connected_loop_gets_the_next_one)
{
    int clients[CLIENTS];
    struct seen s = {0};
    start(&s, &(weir_tcp_server_opts){.loops = LOOPS, .handoff = WEIR_HANDOFF_LEAST_CONNECTIONS});
    connect_all(&s, clients);
    for (int i = 0; i < LOOPS; i++)
        assert_int_equal(atomic_load(&s.in_loop[i]), CLIENTS / LOOPS);
    /* Those of the first loop leave; the next ones go there. */
    for (int i = 0; i < CLIENTS; i += LOOPS)
        close(clients[i]);
    run_until(s.loop, atomic_load(&s.down) == CLIENTS / LOOPS);
    for (int i = 0; i < CLIENTS; i += LOOPS)
        clients[i] = connect_to(weir_tcp_server_addr(s.server));
    run_until(s.loop, atomic_load(&s.up) == CLIENTS + CLIENTS / LOOPS);
    assert_int_equal(atomic_load(&s.in_loop[0]), 2 * CLIENTS / LOOPS);
    stop(&s, WEIR_SECONDS(10));
    close_all(clients);
}

TEST(tcp_server, connections_of_one_address_come_together)
{
    int clients[CLIENTS];
    struct seen s = {0};
    start(&s, &(weir_tcp_server_opts){.loops = LOOPS, .handoff = WEIR_HANDOFF_BY_ADDRESS});
    connect_all(&s, clients);
    int all = 0;
    for (int i = 0; i < LOOPS; i++)
        all += atomic_load(&s.in_loop[i]) == CLIENTS;
    assert_int_equal(all, 1);
    stop(&s, WEIR_SECONDS(10));
    close_all(clients);
}

/** From 127.0.0.`host`. */
static int connect_from(unsigned host, const weir_addr *to)
{
    struct sockaddr_in from = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + host)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof from), 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&to->storage, to->len), 0);
    return fd;
}

TEST(tcp_server, one_address_cannot_take_more_than_its_share)
{
    static const weir_tcp_model models[] = {WEIR_TCP_SINGLE, WEIR_TCP_MULTI, WEIR_TCP_REUSEPORT};
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
        struct seen s = {0};
        start(&s,
              &(weir_tcp_server_opts){.model = models[i], .loops = LOOPS, .max_per_address = 2});
        const weir_addr *to = weir_tcp_server_addr(s.server);
        int first = connect_from(1, to), second = connect_from(1, to);
        run_until(s.loop, atomic_load(&s.up) == 2);
        int refused = connect_from(1, to), other = connect_from(2, to);
        run_until(s.loop, atomic_load(&s.up) == 3);
        assert_true(sees_end(refused));
        close(first);
        run_until(s.loop, weir_tcp_server_connections(s.server) == 2);
        int again = connect_from(1, to);
        run_until(s.loop, atomic_load(&s.up) == 4);
        stop(&s, WEIR_SECONDS(10));
        close(second);
        close(refused);
        close(other);
        close(again);
    }
}

TEST(tcp_server, a_unix_socket_cannot_be_shared_by_loops)
{
    weir_loop *loop = new_loop();
    weir_tcp_server *server = NULL;
    weir_tcp_server_opts opts = {.model = WEIR_TCP_REUSEPORT};
    assert_err(weir_tcp_server_start(&server, loop, "unix:@x", &ops, NULL, &opts, NULL),
               WEIR_ENOTSUP);
    opts.model = WEIR_TCP_PREFORK;
    assert_err(weir_tcp_server_start(&server, loop, "127.0.0.1:0", &ops, NULL, &opts, NULL),
               WEIR_ENOTSUP);
    assert_null(server);
    weir_loop_free(loop);
}

TEST(tcp_server, one_that_leaves_serves_on_until_its_connections_have_ended)
{
    struct seen s = {0};
    char back;
    start(&s, &(weir_tcp_server_opts){.loops = 2});
    int stays = connect_to(weir_tcp_server_addr(s.server));
    int goes = connect_to(weir_tcp_server_addr(s.server));
    run_until(s.loop, atomic_load(&s.up) == 2);
    weir_tcp_server_leave(s.server, WEIR_SECONDS(1000), note_stopped, &s);
    close(goes);
    run_until(s.loop, atomic_load(&s.down) == 1);
    assert_int_equal(send(stays, "x", 1, 0), 1);
    assert_int_equal(recv(stays, &back, 1, 0), 1);
    assert_false(s.stopped);
    close(stays);
    run_until(s.loop, s.stopped);
    assert_int_equal(atomic_load(&s.timed_out), 0);
    weir_loop_free(s.loop);
}

TEST(tcp_server, leaving_can_be_cut_short_twice)
{
    struct seen s = {.greet = true};
    start(&s, &(weir_tcp_server_opts){.loops = 2});
    int never_reads = connect_to(weir_tcp_server_addr(s.server));
    run_until(s.loop, atomic_load(&s.up) == 1);
    for (int i = 0; i < 3; i++)
        weir_tcp_server_leave(s.server, WEIR_SECONDS(1000), note_stopped, &s);
    weir_tcp_server_stop(s.server, WEIR_SECONDS(1000), NULL, NULL);
    assert_ok(weir_loop_run_once(s.loop, 0));
    assert_false(s.stopped);
    weir_tcp_server_stop(s.server, 0, NULL, NULL);
    run_until(s.loop, s.stopped);
    assert_int_equal(atomic_load(&s.timed_out), 1);
    weir_loop_free(s.loop);
    close(never_reads);
}

TEST(tcp_server, more_than_max_connections_are_closed_at_once)
{
    struct seen s = {0};
    start(&s, &(weir_tcp_server_opts){.loops = 1, .max_connections = 1});
    int first = connect_to(weir_tcp_server_addr(s.server));
    run_until(s.loop, atomic_load(&s.up) == 1);
    int second = connect_to(weir_tcp_server_addr(s.server));
    assert_ok(weir_loop_run_once(s.loop, -1));
    assert_true(sees_end(second));
    close(first);
    run_until(s.loop, weir_tcp_server_connections(s.server) == 0);
    int third = connect_to(weir_tcp_server_addr(s.server));
    run_until(s.loop, atomic_load(&s.up) == 2);
    stop(&s, WEIR_SECONDS(10));
    close(second);
    close(third);
}

TEST(tcp_server, peers_that_never_read_are_aborted_after_the_grace)
{
    int clients[CLIENTS];
    struct seen s = {.greet = true};
    start(&s, &(weir_tcp_server_opts){.loops = LOOPS});
    connect_all(&s, clients);
    weir_time begin = weir_time_now();
    stop(&s, 50000);
    assert_true(weir_time_diff(weir_time_now(), begin) >= 50000);
    assert_int_equal(atomic_load(&s.timed_out), CLIENTS);
    close_all(clients);
}

TEST(tcp_server, a_second_stop_does_not_wait)
{
    for (int single = 0; single < 2; single++) {
        int clients[CLIENTS];
        struct seen s = {.greet = true};
        start(&s, &(weir_tcp_server_opts){.loops = LOOPS,
                                          .model = single ? WEIR_TCP_SINGLE : WEIR_TCP_MULTI});
        connect_all(&s, clients);
        weir_tcp_server_stop(s.server, WEIR_SECONDS(1000), note_stopped, &s);
        assert_ok(weir_loop_run_once(s.loop, 0));
        assert_false(s.stopped);
        weir_tcp_server_stop(s.server, 0, NULL, NULL);
        weir_tcp_server_stop(s.server, 0, NULL, NULL);
        run_until(s.loop, s.stopped);
        assert_int_equal(atomic_load(&s.timed_out), CLIENTS);
        weir_loop_free(s.loop);
        close_all(clients);
    }
}

static void visit(weir_conn *conn, void *user)
{
    weir_loop_assert(weir_conn_loop(conn));
    atomic_fetch_add(&((struct seen *)user)->visited, 1);
}

TEST(tcp_server, every_connection_can_be_visited_also_while_it_stops)
{
    for (int single = 0; single < 2; single++) {
        int clients[CLIENTS];
        struct seen s = {0};
        start(&s, &(weir_tcp_server_opts){.loops = LOOPS,
                                          .model = single ? WEIR_TCP_SINGLE : WEIR_TCP_MULTI});
        connect_all(&s, clients);
        assert_ok(weir_tcp_server_each_post(s.server, visit, &s));
        run_until(s.loop, atomic_load(&s.visited) == CLIENTS);
        weir_tcp_server_stop(s.server, WEIR_SECONDS(10), note_stopped, &s);
        assert_ok(weir_tcp_server_each_post(s.server, visit, &s));
        run_until(s.loop, s.stopped);
        weir_loop_free(s.loop);
        close_all(clients);
    }
}

TEST(tcp_server, a_paused_one_serves_on_and_accepts_no_more)
{
    struct seen s = {0};
    char back;
    start(&s, &(weir_tcp_server_opts){.loops = 1});
    weir_addr addr = *weir_tcp_server_addr(s.server);
    int client = connect_to(&addr);
    run_until(s.loop, atomic_load(&s.up) == 1);
    weir_tcp_server_pause(s.server);
    weir_tcp_server_pause(s.server);
    int late = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(late, (struct sockaddr *)&addr.storage, addr.len), -1);
    assert_int_equal(errno, ECONNREFUSED);
    assert_int_equal(send(client, "x", 1, 0), 1);
    assert_int_equal(recv(client, &back, 1, 0), 1);
    stop(&s, WEIR_SECONDS(10));
    close(client);
    close(late);
}

TEST(tcp_server, one_that_cannot_start_leaves_nothing)
{
    int before = open_fds();
    struct seen s = {0}, second = {0};
    weir_why why = {""};
    char text[WEIR_ADDR_TEXT_MAX];
    start(&s, &(weir_tcp_server_opts){.loops = 1});
    second.loop = new_loop();
    weir_addr_text(weir_tcp_server_addr(s.server), text);
    assert_err(weir_tcp_server_start(&second.server, second.loop, text, &ops, &second, NULL, &why),
               WEIR_EADDRINUSE);
    assert_err(
        weir_tcp_server_start(&second.server, second.loop, "here", &ops, &second, NULL, &why),
        WEIR_EINVAL);
    assert_null(second.server);
    weir_loop_free(second.loop);
    stop(&s, 0);
    assert_int_equal(open_fds(), before);
}
