/**
 * @file
 * What the layer's tests share: plain sockets for the other side, and a count of open descriptors.
 */
#ifndef WEIR_NET_NET_TEST_H
#define WEIR_NET_NET_TEST_H

#include "run_until.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/net/addr.h>
#include <weir/net/loop.h>

/** As many turns as it takes until nothing is ready. */
static inline void settle(weir_loop *loop)
{
    weir_loop_stats before, after = {0};
    do {
        before = after;
        assert_ok(weir_loop_run_once(loop, 0));
        weir_loop_get_stats(loop, &after);
    } while (after.events != before.events || after.tasks != before.tasks);
}

static inline int open_fds(void)
{
    int count = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

/** Both ends non-blocking. @param type  SOCK_STREAM, or SOCK_SEQPACKET to see single writes */
static inline void socket_pair(int type, int fds[2])
{
    assert_int_equal(socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
}

static inline weir_addr address(const char *text)
{
    weir_addr addr;
    assert_ok(weir_addr_parse(&addr, text, NULL));
    return addr;
}

/** A connected, blocking socket. */
static inline int connect_to(const weir_addr *addr)
{
    int fd = socket(addr->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&addr->storage, addr->len), 0);
    return fd;
}

/** Waits for the end of the stream, at most a minute, dropping what comes before. */
static inline bool sees_end(int fd)
{
    char scrap[4096];
    struct pollfd p = {.fd = fd, .events = POLLIN};
    while (poll(&p, 1, 60000) == 1) {
        ssize_t n = recv(fd, scrap, sizeof scrap, 0);
        if (n <= 0)
            return n == 0 || errno == ECONNRESET;
    }
    return false;
}

#endif
