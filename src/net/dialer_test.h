/**
 * @file
 * Addresses that answer, refuse, or stay silent.
 */
#ifndef WEIR_NET_DIALER_TEST_H
#define WEIR_NET_DIALER_TEST_H

#include "net_test.h"

enum {
    FILLERS = 8
};

/** A bound socket; it listens when `backlog` is not negative. `*addr` gets its port. */
static inline int bound_at(const char *text, weir_addr *addr, int backlog)
{
    int on = 1;
    *addr = address(text);
    int fd = socket(addr->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (addr->storage.ss_family != AF_UNIX)
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr->storage, addr->len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&addr->storage, &addr->len), 0);
    if (backlog >= 0)
        assert_int_equal(listen(fd, backlog), 0);
    return fd;
}

/** A port of the kernel's choice at 127.0.0.1; see above. */
static inline int bound_socket(weir_addr *addr, int backlog)
{
    return bound_at("127.0.0.1:0", addr, backlog);
}

/** Does not answer: the queue of its listener is full. */
struct silent {
    weir_addr addr;
    int server, fillers[FILLERS];
};

static inline void silent_open(struct silent *s, const char *text)
{
    s->server = bound_at(text, &s->addr, 0);
    for (int i = 0; i < FILLERS; i++) {
        s->fillers[i] =
            socket(s->addr.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)!connect(s->fillers[i], (struct sockaddr *)&s->addr.storage, s->addr.len);
    }
}

static inline void silent_close(struct silent *s)
{
    for (int i = 0; i < FILLERS; i++)
        close(s->fillers[i]);
    close(s->server);
}

#endif
