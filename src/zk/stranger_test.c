/* Servers that are no ZooKeeper, or not a good one. */
#include "zk_test.h"

#include <arpa/inet.h>

/** Listens at a port of its own, whose HOST:PORT it writes. */
static int listen_at(char out[32])
{
    struct sockaddr_in addr = {.sin_family = AF_INET};
    socklen_t len = sizeof addr;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof addr), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
    snprintf(out, 32, "127.0.0.1:%u", ntohs(addr.sin_port));
    return fd;
}

static int accept_one(weir_loop *loop, int listener)
{
    int fd = -1;
    run_until(loop, (fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0);
    return fd;
}

/** The answer to a new session: its length, protocol, timeout, id, password, not read-only. */
static void grant(weir_loop *loop, int fd, int32_t timeout_ms, uint32_t id)
{
    char request[100];
    const uint32_t answer[] = {
        htonl(37), 0, htonl((uint32_t)timeout_ms), 0, htonl(id), htonl(16), 1, 1, 1, 1, 0};
    run_until(loop, recv(fd, request, sizeof request, MSG_DONTWAIT) > 0);
    assert_int_equal(send(fd, answer, 41, MSG_NOSIGNAL), 41);
}

TEST(stranger, a_server_of_another_protocol_is_told)
{
    static const char *const greetings[] = {
        "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n and more of that, of any length\r\n",
        "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        "-ERR unknown command, with args beginning with: \r\n",
    };
    weir_loop *loop = new_loop();
    for (size_t i = 0; i < sizeof greetings / sizeof *greetings; i++) {
        char host[32];
        outcome o = {0};
        weir_zk *zk;
        int listener = listen_at(host);
        assert_ok(weir_zk_new(&zk, loop, host, NULL, NULL));
        assert_ok(weir_zk_get(zk, NULL, "/", NULL, note_outcome, &o));
        int fd = accept_one(loop, listener);
        assert_true(send(fd, greetings[i], strlen(greetings[i]), MSG_NOSIGNAL) > 0);
        run_until(loop, weir_zk_why(zk)[0]);
        if (!strstr(weir_zk_why(zk), "what answers is no ZooKeeper"))
            fail_msg("%s: %s", greetings[i], weir_zk_why(zk));
        assert_int_equal(weir_zk_get_state(zk), WEIR_ZK_CONNECTING);
        assert_int_equal(o.times, 0); /* it goes on trying */
        close(fd);
        fd = accept_one(loop, listener);
        close(fd);
        close(listener);
        weir_zk_free(zk);
        assert_err(o.err, WEIR_ECANCELED);
    }
    weir_loop_free(loop);
}

TEST(stranger, a_server_that_is_silent_does_not_hold_up_the_end)
{
    char host[32];
    outcome o = {0};
    weir_loop *loop = new_loop();
    weir_zk *zk;
    int listener = listen_at(host);
    assert_ok(weir_zk_new(&zk, loop, host, NULL, NULL));
    int fd = accept_one(loop, listener);
    grant(loop, fd, 10000, 7);
    run_until(loop, weir_zk_get_state(zk) == WEIR_ZK_CONNECTED);
    assert_true(weir_zk_session_id(zk) == 7);
    assert_ok(weir_zk_get(zk, NULL, "/", NULL, note_outcome, &o));
    assert_ok(weir_loop_run_once(loop, 0));
    weir_time start = weir_time_now();
    weir_zk_free(zk);
    /* The client's own end would wait for 1.5 seconds. */
    assert_true(weir_time_diff(weir_time_now(), start) < WEIR_MILLISECONDS(1400));
    assert_err(o.err, WEIR_ECANCELED);
    char bytes[200]; /* read "/", and close the session */
    ssize_t len = recv(fd, bytes, sizeof bytes, 0);
    assert_true(len > 12);
    assert_memory_equal(bytes + len - 12, "\0\0\0\10\0\0\0\1\377\377\377\365", 12);
    close(fd);
    close(listener);
    weir_loop_free(loop);
}

TEST(stranger, an_expired_session_is_followed_by_a_new_one)
{
    char host[32];
    weir_loop *loop = new_loop();
    weir_zk *zk;
    int listener = listen_at(host);
    assert_ok(weir_zk_new(&zk, loop, host, NULL, NULL));
    for (uint32_t id = 1; id <= 3; id++) {
        int fd = accept_one(loop, listener);
        grant(loop, fd, 10000, id);
        run_until(loop, weir_zk_session_id(zk) == id);
        close(fd);
        fd = accept_one(loop, listener);
        grant(loop, fd, 0, 0); /* what ZooKeeper answers to an expired one */
        run_until(loop, weir_zk_session_id(zk) == 0);
        close(fd);
    }
    close(listener);
    weir_zk_free(zk);
    weir_loop_free(loop);
}

TEST(stranger, ipv6_addresses_are_reached)
{
    struct sockaddr_in6 addr = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    socklen_t len = sizeof addr;
    char host[32];
    weir_loop *loop = new_loop();
    weir_zk *zk;
    int listener = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&addr, sizeof addr))
        skip(); /* this machine has none */
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&addr, &len), 0);
    snprintf(host, sizeof host, "[::1]:%u", ntohs(addr.sin6_port));
    assert_ok(weir_zk_new(&zk, loop, host, NULL, NULL));
    close(accept_one(loop, listener));
    close(listener);
    weir_zk_free(zk);
    weir_loop_free(loop);
}
