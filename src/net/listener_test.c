#include "net_test.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <weir/net/listener.h>

struct accepted {
    int fds[64];
    int count;
    bool close_listener;
};

static void accept_one(weir_listener *listener, int fd, const weir_addr *peer, void *user)
{
    struct accepted *a = user;
    assert_true(peer->len > 0);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    a->fds[a->count++] = fd;
    if (a->close_listener)
        weir_listener_close(listener);
}

static void close_all(struct accepted *a)
{
    while (a->count > 0)
        close(a->fds[--a->count]);
}

static weir_listener *listen_on(weir_loop *loop, const char *text, struct accepted *a)
{
    weir_listener *listener = NULL;
    weir_why why = {""};
    weir_addr addr = address(text);
    weir_err err = weir_listener_open(&listener, loop, &addr, accept_one, a, NULL, &why);
    if (err)
        fail_msg("%s", why.text);
    return listener;
}

TEST(listener, every_waiting_connection_is_accepted_in_one_turn)
{
    enum {
        CLIENTS = 20
    };
    static const char *const addresses[] = {"127.0.0.1:0", "[::1]:0", "unix:@weir-listener-test"};
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        struct accepted a = {.count = 0};
        int clients[CLIENTS];
        weir_loop *loop = new_loop();
        weir_listener *listener = listen_on(loop, addresses[i], &a);
        for (int c = 0; c < CLIENTS; c++)
            clients[c] = connect_to(weir_listener_addr(listener));
        assert_ok(weir_loop_run_once(loop, -1));
        assert_int_equal(a.count, CLIENTS);
        weir_listener_close(listener);
        weir_loop_free(loop);
        close_all(&a);
        for (int c = 0; c < CLIENTS; c++)
            close(clients[c]);
    }
}

TEST(listener, port_zero_becomes_a_port_and_a_taken_one_is_refused_with_a_sentence)
{
    struct accepted a = {.count = 0};
    weir_loop *loop = new_loop();
    int before = open_fds();
    weir_listener *listener = listen_on(loop, "127.0.0.1:0", &a), *second = NULL;
    char text[WEIR_ADDR_TEXT_MAX];
    weir_why why = {""};
    assert_true(weir_addr_port(weir_listener_addr(listener)) > 0);
    assert_err(
        weir_listener_open(&second, loop, weir_listener_addr(listener), accept_one, &a, NULL, &why),
        WEIR_EADDRINUSE);
    assert_null(second);
    assert_non_null(strstr(why.text, weir_addr_text(weir_listener_addr(listener), text)));
    weir_listener_close(listener);
    assert_int_equal(open_fds(), before);
    weir_loop_free(loop);
}

TEST(listener, several_share_a_port_when_they_ask_for_it)
{
    struct accepted a = {.count = 0};
    weir_loop *loop = new_loop();
    weir_listener *first, *second;
    weir_addr addr = address("127.0.0.1:0");
    weir_listener_opts opts = {.reuse_port = true};
    assert_ok(weir_listener_open(&first, loop, &addr, accept_one, &a, &opts, NULL));
    assert_ok(
        weir_listener_open(&second, loop, weir_listener_addr(first), accept_one, &a, &opts, NULL));
    weir_listener_close(first);
    weir_listener_close(second);
    weir_loop_free(loop);
}

TEST(listener, an_inherited_socket_is_taken_and_only_its_binder_removes_the_path)
{
    char folder[] = "/tmp/weir-test-XXXXXX", text[64];
    assert_non_null(mkdtemp(folder));
    snprintf(text, sizeof text, "unix:%s/socket", folder);
    weir_addr addr = address(text);
    struct accepted a = {.count = 0};
    weir_loop *loop = new_loop();
    weir_listener *listener;
    int before = open_fds();
    int bound = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(bound, (struct sockaddr *)&addr.storage, addr.len), 0);
    assert_int_equal(listen(bound, 5), 0);
    weir_listener_opts opts = {.fd = dup(bound)};
    assert_ok(weir_listener_open(&listener, loop, &addr, accept_one, &a, &opts, NULL));
    int client = connect_to(weir_listener_addr(listener));
    run_until(loop, a.count == 1);
    weir_listener_close(listener);
    assert_int_equal(access(text + 5, F_OK), 0);
    close(client);
    close_all(&a);

    opts.fd = socket(AF_INET, SOCK_STREAM, 0); /* which does not listen */
    assert_err(weir_listener_open(&listener, loop, &addr, accept_one, &a, &opts, NULL),
               WEIR_EINVAL);
    close(bound);
    assert_int_equal(open_fds(), before);
    weir_loop_free(loop);
    assert_int_equal(unlink(text + 5), 0);
    assert_int_equal(rmdir(folder), 0);
}

static void keep_peer(weir_listener *listener, int fd, const weir_addr *peer, void *user)
{
    *(weir_addr *)user = *peer;
    close(fd);
    (void)listener;
}

TEST(listener, an_ipv6_one_takes_ipv4_too_and_shows_it_as_such_unless_told_not_to)
{
    weir_loop *loop = new_loop();
    weir_listener *both, *only;
    weir_addr any = address("[::]:0"), peer = {.len = 0}, four = address("127.0.0.1:0");
    struct sockaddr_in *sin = (struct sockaddr_in *)&four.storage;
    assert_ok(weir_listener_open(&both, loop, &any, keep_peer, &peer, NULL, NULL));
    sin->sin_port = htons((uint16_t)weir_addr_port(weir_listener_addr(both)));
    int client = connect_to(&four);
    run_until(loop, peer.len > 0);
    assert_int_equal(peer.storage.ss_family, AF_INET);
    assert_int_equal(peer.len, sizeof(struct sockaddr_in));
    close(client);

    assert_ok(weir_listener_open(&only, loop, &any, keep_peer, &peer,
                                 &(weir_listener_opts){.v6_only = true}, NULL));
    sin->sin_port = htons((uint16_t)weir_addr_port(weir_listener_addr(only)));
    client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(client, (struct sockaddr *)&four.storage, four.len), -1);
    assert_int_equal(errno, ECONNREFUSED);
    close(client);
    weir_listener_close(both);
    weir_listener_close(only);
    weir_loop_free(loop);
}

TEST(listener, an_address_of_another_machine_is_refused)
{
    weir_loop *loop = new_loop();
    weir_listener *listener = NULL;
    weir_addr addr = address("192.0.2.1:0");
    assert_err(weir_listener_open(&listener, loop, &addr, accept_one, NULL, NULL, NULL),
               WEIR_EADDRNOTAVAIL);
    assert_null(listener);
    weir_loop_free(loop);
}

TEST(listener, a_unix_path_goes_with_it_and_one_left_by_a_killed_server_is_taken_over)
{
    char folder[] = "/tmp/weir-test-XXXXXX", text[64];
    assert_non_null(mkdtemp(folder));
    snprintf(text, sizeof text, "unix:%s/socket", folder);
    weir_addr addr = address(text);
    struct accepted a = {.count = 0};
    weir_loop *loop = new_loop();

    int killed = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(killed, (struct sockaddr *)&addr.storage, addr.len), 0);
    close(killed);
    weir_listener *listener = listen_on(loop, text, &a), *second = NULL;
    assert_err(weir_listener_open(&second, loop, &addr, accept_one, &a, NULL, NULL),
               WEIR_EADDRINUSE);
    weir_listener_close(listener);
    assert_int_equal(access(text + 5, F_OK), -1);
    weir_loop_free(loop);
    assert_int_equal(rmdir(folder), 0);
}

TEST(listener, it_may_be_closed_in_its_callback)
{
    struct accepted a = {.close_listener = true};
    weir_loop *loop = new_loop();
    weir_listener *listener = listen_on(loop, "127.0.0.1:0", &a);
    int first = connect_to(weir_listener_addr(listener));
    int second = connect_to(weir_listener_addr(listener));
    assert_ok(weir_loop_run_once(loop, -1));
    settle(loop);
    assert_int_equal(a.count, 1);
    weir_loop_free(loop);
    close_all(&a);
    close(first);
    close(second);
}

/** No descriptor is free from here on. */
static struct rlimit forbid_descriptors(void)
{
    struct rlimit old, few;
    getrlimit(RLIMIT_NOFILE, &old);
    few = old;
    int next = dup(0);
    close(next);
    few.rlim_cur = (rlim_t)next;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    return old;
}

static void count_warnings(const char *lines, size_t len, void *user)
{
    for (const char *at = lines; (at = memmem(at, len - (size_t)(at - lines), "refused", 7)); at++)
        ++*(int *)user;
}

TEST(listener, it_logs_refusals_once_a_second_at_most)
{
    enum {
        CLIENTS = 20
    };
    struct accepted a = {.count = 0};
    int clients[CLIENTS], warnings = 0;
    weir_log_opts log = {
        .sink = count_warnings, .sink_user = &warnings, .level = WEIR_LOG_LEVEL_INFO};
    assert_ok(weir_log_start(&log));
    weir_loop *loop = new_loop();
    weir_listener *listener = listen_on(loop, "127.0.0.1:0", &a);
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = connect_to(weir_listener_addr(listener));
    struct rlimit old = forbid_descriptors();
    assert_ok(weir_loop_run_once(loop, -1));
    for (int i = 0; i < CLIENTS; i++)
        assert_true(sees_end(clients[i]));
    setrlimit(RLIMIT_NOFILE, &old);
    weir_log_stop();
    assert_int_equal(warnings, 1);
    weir_listener_close(listener);
    weir_loop_free(loop);
    for (int i = 0; i < CLIENTS; i++)
        close(clients[i]);
}

TEST(listener, without_descriptors_it_refuses_politely_does_not_spin_and_recovers)
{
    enum {
        CLIENTS = 3
    };
    struct accepted a = {.count = 0};
    int clients[CLIENTS];
    weir_loop *loop = new_loop();
    weir_listener *listener = listen_on(loop, "127.0.0.1:0", &a);
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = connect_to(weir_listener_addr(listener));
    struct rlimit old = forbid_descriptors();
    assert_ok(weir_loop_run_once(loop, -1));
    for (int i = 0; i < CLIENTS; i++)
        assert_true(sees_end(clients[i]));
    assert_int_equal(a.count, 0);
    weir_loop_stats before, after;
    weir_loop_get_stats(loop, &before);
    assert_ok(weir_loop_run_once(loop, 0));
    weir_loop_get_stats(loop, &after);
    assert_int_equal(after.events, before.events);

    setrlimit(RLIMIT_NOFILE, &old);
    int client = connect_to(weir_listener_addr(listener));
    run_until(loop, a.count == 1);
    weir_listener_close(listener);
    weir_loop_free(loop);
    close_all(&a);
    close(client);
    for (int i = 0; i < CLIENTS; i++)
        close(clients[i]);
}
