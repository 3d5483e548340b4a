#include "dialer_test.h"
#include "lookup_test.h"

#include <weir/net/tcp_client.h>

/** A client, what its callbacks said, and what the test does in them. */
struct client {
    weir_loop *loop;
    weir_tcp_client *client; /* NULL after hook_free */
    weir_conn *conn;         /* between on_up and on_down */
    int ups, downs, failures;
    weir_err err; /* of the last on_down or on_failed */
    char why[200];
    int64_t retry_us;
    void (*hook)(struct client *c);
    const char *hook_at; /* the callback that it runs in */
};

static void call_hook(struct client *c, const char *at)
{
    if (c->hook && strcmp(c->hook_at, at) == 0)
        c->hook(c);
}

static void on_up(weir_conn *conn, void *user)
{
    struct client *c = user;
    c->ups++;
    c->conn = conn;
    assert_ptr_equal(weir_tcp_client_conn(c->client), conn);
    call_hook(c, "up");
}

static void on_message(weir_conn *conn WEIR_UNUSED, weir_buf *in, void *user)
{
    weir_buf_retrieve(in, weir_buf_len(in));
    call_hook(user, "message");
}

static void on_down(weir_conn *conn, weir_err why, void *user)
{
    struct client *c = user;
    c->downs++;
    c->err = why;
    c->conn = NULL;
    if (c->client)
        assert_ptr_equal(weir_tcp_client_conn(c->client), conn);
    call_hook(c, "down");
}

static void on_failed(weir_tcp_client *client WEIR_UNUSED, weir_err err, const char *why,
                      int64_t retry_us, void *user)
{
    struct client *c = user;
    c->failures++;
    c->err = err;
    c->retry_us = retry_us;
    snprintf(c->why, sizeof c->why, "%s", why);
    call_hook(c, "failed");
}

static const weir_conn_ops ops = {.on_up = on_up, .on_message = on_message, .on_down = on_down};

static void hook_stop(struct client *c)
{
    weir_tcp_client_stop(c->client);
    weir_tcp_client_stop(c->client);
}

static void hook_free(struct client *c)
{
    weir_tcp_client_free(c->client);
    c->client = NULL;
}

static void hook_start(struct client *c)
{
    weir_tcp_client_start(c->client);
    weir_tcp_client_start(c->client);
}

static void set_up(struct client *c, const char *target, weir_tcp_client_opts opts)
{
    if (!c->loop)
        c->loop = new_loop();
    opts.on_failed = on_failed;
    assert_ok(weir_tcp_client_new(&c->client, c->loop, target, &ops, c, &opts));
}

static void set_up_to(struct client *c, const weir_addr *addr, weir_tcp_client_opts opts)
{
    char target[WEIR_ADDR_TEXT_MAX];
    set_up(c, weir_addr_text(addr, target), opts);
}

static void tear_down(struct client *c)
{
    weir_tcp_client_free(c->client);
    c->client = NULL;
    run_until(c->loop, !c->conn);
    settle(c->loop);
    weir_loop_free(c->loop);
}

/** Nothing happens any more, and nothing is planned. */
static void assert_idle(struct client *c)
{
    settle(c->loop);
    assert_int_equal(weir_loop_timers(c->loop)->pending, 0);
}

static void try_accept(int server, int *fd)
{
    if (*fd < 0)
        *fd = accept4(server, NULL, NULL, SOCK_CLOEXEC);
}

/** Turns the loop until the server has the client's next connection. */
static int accept_from(struct client *c, int server)
{
    int fd = -1, ups = c->ups;
    run_until(c->loop, (try_accept(server, &fd), fd >= 0 && (c->conn || c->ups > ups)));
    return fd;
}

TEST(tcp_client, it_connects_talks_and_stops)
{
    struct client c = {0};
    weir_addr addr;
    int server = bound_socket(&addr, 10);
    char got[3] = "";
    set_up_to(&c, &addr, (weir_tcp_client_opts){0});
    assert_null(weir_tcp_client_conn(c.client));
    weir_tcp_client_start(c.client);
    weir_tcp_client_start(c.client);
    assert_int_equal(c.ups, 0);
    int fd = accept_from(&c, server);
    assert_ok(weir_conn_send(c.conn, "hi", 2));
    weir_tcp_client_stop(c.client); /* the bytes still leave */
    run_until(c.loop, c.downs == 1);
    assert_ok(c.err);
    assert_int_equal(recv(fd, got, 2, MSG_WAITALL), 2);
    assert_string_equal(got, "hi");
    assert_null(weir_tcp_client_conn(c.client));
    close(fd);
    tear_down(&c);
    assert_int_equal(c.ups, 1);
    close(server);
}

TEST(tcp_client, a_name_is_looked_up)
{
    struct client c = {.loop = new_loop()};
    struct name_server names = {.four = {.count = 1, .addr = "127.0.0.1"}};
    weir_addr addr;
    char target[64];
    int server = bound_socket(&addr, 10);
    name_server_start(&names, c.loop);
    snprintf(target, sizeof target, "echo.example:%u", weir_addr_port(&addr));
    set_up(&c, target, (weir_tcp_client_opts){.connector = {.lookup = {.servers = names.text}}});
    names.text[0] = '\0'; /* the client has a copy */
    weir_tcp_client_start(c.client);
    int fd = accept_from(&c, server);
    assert_string_equal(names.name, "echo.example.");
    name_server_stop(&names);
    close(fd);
    tear_down(&c);
    close(server);
}

TEST(tcp_client, it_connects_again_when_the_server_has_restarted)
{
    struct client c = {0};
    weir_addr addr;
    char text[WEIR_ADDR_TEXT_MAX];
    int server = bound_socket(&addr, 10);
    set_up_to(&c, &addr,
              (weir_tcp_client_opts){
                  .reconnect = true, .stable_us = 1, .connector = {.backoff_us = 1000}});
    weir_tcp_client_start(c.client);
    int fd = accept_from(&c, server);
    close(server);
    close(fd);
    run_until(c.loop, c.downs == 1 && c.failures >= 2);
    assert_err(c.err, WEIR_ECONNREFUSED);
    assert_non_null(strstr(c.why, weir_addr_text(&addr, text)));
    server = bound_at(text, &addr, 10);
    fd = accept_from(&c, server);
    assert_int_equal(c.ups, 2);
    close(fd);
    close(server);
    tear_down(&c);
}

TEST(tcp_client, without_reconnect_a_lost_connection_is_the_last)
{
    struct client c = {0};
    weir_addr addr;
    int server = bound_socket(&addr, 10);
    set_up_to(&c, &addr, (weir_tcp_client_opts){.stable_us = 1});
    weir_tcp_client_start(c.client);
    close(accept_from(&c, server));
    run_until(c.loop, c.downs == 1);
    assert_idle(&c);

    weir_tcp_client_start(c.client); /* unless it is started again */
    close(accept_from(&c, server));
    assert_int_equal(c.ups, 2);
    tear_down(&c);
    close(server);
}

TEST(tcp_client, a_start_in_on_down_connects_again)
{
    struct client c = {.hook = hook_start, .hook_at = "down"};
    weir_addr addr;
    int server = bound_socket(&addr, 10);
    set_up_to(&c, &addr, (weir_tcp_client_opts){.stable_us = 1});
    weir_tcp_client_start(c.client);
    for (int i = 1; i <= 3; i++) {
        close(accept_from(&c, server));
        run_until(c.loop, c.downs == i);
    }
    c.hook = NULL;
    tear_down(&c);
    close(server);
}

TEST(tcp_client, a_start_after_a_stop_waits_for_the_old_connection)
{
    struct client c = {0};
    weir_addr addr;
    int server = bound_socket(&addr, 10);
    set_up_to(&c, &addr, (weir_tcp_client_opts){.stable_us = 1});
    weir_tcp_client_start(c.client);
    int first = accept_from(&c, server);
    weir_tcp_client_stop(c.client);
    weir_tcp_client_start(c.client);
    run_until(c.loop, c.ups == 2);
    assert_int_equal(c.downs, 1);
    close(first);
    tear_down(&c);
    close(server);
}

TEST(tcp_client, connections_that_do_not_last_are_backed_off_from)
{
    struct client c = {0};
    weir_addr addr;
    int server = bound_socket(&addr, 10);
    set_up_to(&c, &addr,
              (weir_tcp_client_opts){.reconnect = true, .connector = {.backoff_us = 30000}});
    weir_tcp_client_start(c.client);
    for (int i = 1; i <= 3; i++) {
        close(accept_from(&c, server));
        run_until(c.loop, c.downs == i);
        weir_time lost = weir_time_now();
        run_until(c.loop, c.ups == i + 1);
        int64_t expected_us = 30000 << (i - 1);
        assert_true(weir_time_diff(weir_time_now(), lost) >= expected_us * 8 / 10 - 2000);
    }
    tear_down(&c);
    close(server);
}

TEST(tcp_client, a_connection_that_lasted_is_followed_at_once)
{
    struct client c = {0};
    weir_addr addr;
    int server = bound_socket(&addr, 10);
    set_up_to(&c, &addr,
              (weir_tcp_client_opts){.reconnect = true,
                                     .stable_us = 1,
                                     .connector = {.backoff_us = WEIR_SECONDS(60)}});
    weir_tcp_client_start(c.client);
    for (int i = 0; i < 3; i++)
        close(accept_from(&c, server));
    assert_int_equal(c.failures, 0);
    tear_down(&c);
    close(server);
}

/* Stopping and freeing at every stage */

static void (*const endings[])(struct client *) = {hook_stop, hook_free};

enum {
    ENDINGS = sizeof endings / sizeof *endings
};

TEST(tcp_client, it_may_end_while_the_name_is_looked_up)
{
    for (int i = 0; i < ENDINGS; i++) {
        struct client c = {.loop = new_loop()};
        struct name_server names = {.four = {.manner = SILENT}, .six = {.manner = SILENT}};
        name_server_start(&names, c.loop);
        set_up(&c, "echo.example:7",
               (weir_tcp_client_opts){.connector = {.lookup = {.servers = names.text}}});
        int before = open_fds();
        weir_tcp_client_start(c.client);
        run_until(c.loop, names.four.asked > 0);
        endings[i](&c);
        assert_int_equal(open_fds(), before);
        assert_idle(&c);
        name_server_stop(&names);
        tear_down(&c);
        assert_int_equal(c.ups + c.downs + c.failures, 0);
    }
}

TEST(tcp_client, it_may_end_while_it_connects)
{
    struct silent silent;
    silent_open(&silent, "127.0.0.1:0");
    for (int i = 0; i < ENDINGS; i++) {
        struct client c = {0};
        set_up_to(&c, &silent.addr, (weir_tcp_client_opts){0});
        int before = open_fds();
        weir_tcp_client_start(c.client);
        run_until(c.loop, open_fds() == before + 1);
        endings[i](&c);
        assert_int_equal(open_fds(), before);
        assert_idle(&c);
        tear_down(&c);
        assert_int_equal(c.ups + c.downs + c.failures, 0);
    }
    silent_close(&silent);
}

TEST(tcp_client, it_may_end_while_it_waits_for_the_next_attempt)
{
    weir_addr addr;
    int taken = bound_socket(&addr, -1);
    for (int i = 0; i < ENDINGS; i++) {
        struct client c = {0};
        set_up_to(&c, &addr, (weir_tcp_client_opts){.connector = {.backoff_us = 20000}});
        weir_tcp_client_start(c.client);
        run_until(c.loop, c.failures == 1);
        assert_in_range(c.retry_us, 16000, 24000);
        endings[i](&c);
        assert_idle(&c);
        tear_down(&c);
        assert_int_equal(c.failures, 1);
    }
    close(taken);
}

TEST(tcp_client, it_may_end_while_connected)
{
    weir_addr addr;
    int server = bound_socket(&addr, 10);
    for (int i = 0; i < ENDINGS; i++) {
        struct client c = {0};
        set_up_to(&c, &addr, (weir_tcp_client_opts){.reconnect = true, .stable_us = 1});
        weir_tcp_client_start(c.client);
        int fd = accept_from(&c, server);
        endings[i](&c);
        assert_int_equal(c.downs, 0); /* not inside the call */
        run_until(c.loop, c.downs == 1);
        assert_err(c.err, endings[i] == hook_free ? WEIR_ECANCELED : WEIR_OK);
        assert_true(sees_end(fd));
        assert_idle(&c);
        close(fd);
        tear_down(&c);
        assert_int_equal(c.ups, 1);
    }
    close(server);
}

/** Ends in the callback `at` of a connection that the server opens, writes to and closes. */
static void end_in(const char *at, void (*ending)(struct client *))
{
    struct client c = {.hook = ending, .hook_at = at};
    weir_addr addr;
    int server = bound_socket(&addr, 10);
    set_up_to(&c, &addr, (weir_tcp_client_opts){.reconnect = true, .stable_us = 1});
    weir_tcp_client_start(c.client);
    int fd = accept_from(&c, server);
    assert_int_equal(send(fd, "x", 1, MSG_NOSIGNAL), 1);
    if (strcmp(at, "down") == 0)
        close(fd);
    run_until(c.loop, c.downs == 1);
    assert_idle(&c);
    if (strcmp(at, "down") != 0)
        close(fd);
    tear_down(&c);
    assert_int_equal(c.ups, 1);
    assert_int_equal(c.downs, 1);
    close(server);
}

TEST(tcp_client, it_may_end_in_every_callback_of_its_connection)
{
    static const char *const callbacks[] = {"up", "message", "down"};
    for (size_t i = 0; i < sizeof callbacks / sizeof *callbacks; i++)
        for (int j = 0; j < ENDINGS; j++)
            end_in(callbacks[i], endings[j]);
}

TEST(tcp_client, it_may_end_in_on_failed)
{
    weir_addr addr;
    int taken = bound_socket(&addr, -1);
    for (int i = 0; i < ENDINGS; i++) {
        struct client c = {.hook = endings[i], .hook_at = "failed"};
        set_up_to(&c, &addr, (weir_tcp_client_opts){.connector = {.backoff_us = 1}});
        weir_tcp_client_start(c.client);
        run_until(c.loop, c.failures == 1);
        assert_idle(&c);
        tear_down(&c);
        assert_int_equal(c.failures, 1);
    }
    close(taken);
}

TEST(tcp_client, freeing_it_leaves_no_descriptor)
{
    int before = open_fds();
    struct client c = {0};
    weir_addr addr;
    int server = bound_socket(&addr, 10);
    set_up_to(&c, &addr, (weir_tcp_client_opts){0});
    weir_tcp_client_start(c.client);
    close(accept_from(&c, server));
    tear_down(&c);
    weir_tcp_client_free(NULL);
    close(server);
    assert_int_equal(open_fds(), before);
}
