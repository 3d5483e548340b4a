/**
 * @file
 * A name server in the test's loop: it answers as the case says, whatever the name. With
 * `long_only` UDP gets truncated answers, and the whole ones are to be had over TCP.
 */
#ifndef WEIR_NET_LOOKUP_TEST_H
#define WEIR_NET_LOOKUP_TEST_H

#include "net_test.h"

#include <stdio.h>
#include <weir/net/watcher.h>

typedef enum manner {
    ANSWERS, /* no address at all is an answer too */
    NO_SUCH_NAME,
    SILENT,
    DEAF_ONCE /* and answers the second time */
} manner;

/** One family. Addresses are 10.0.0.x or fd00::x, with x from 1 to `count`; or `addr` if given. */
struct family {
    manner manner;
    int count;
    const char *addr;
    int asked;
};

struct name_server {
    weir_watcher udp, listener, tcp;
    bool long_only;
    struct family four, six;
    char name[256]; /* last asked for */
    char text[WEIR_ADDR_TEXT_MAX];
};

enum {
    DNS_HEADER = 12,
    DNS_TYPE_A = 1,
    DNS_TYPE_AAAA = 28,
    DNS_NXDOMAIN = 3
};

/** Length of the question's part, and its type. */
static inline size_t read_question(struct name_server *s, const uint8_t *query, int *type)
{
    size_t at = DNS_HEADER, len = 0;
    while (query[at]) {
        memcpy(s->name + len, query + at + 1, query[at]);
        len += query[at];
        s->name[len++] = '.';
        at += query[at] + 1U;
    }
    s->name[len] = '\0';
    *type = query[at + 1] << 8 | query[at + 2];
    return at + 5;
}

static inline size_t write_record(const struct family *f, int type, int number, uint8_t *out)
{
    uint8_t head[] = {0xc0, DNS_HEADER, 0, (uint8_t)type, 0, 1, 0, 0, 0, 60, 0, 0};
    size_t len = type == DNS_TYPE_A ? 4 : 16;
    uint8_t raw[16] = {0};
    raw[0] = type == DNS_TYPE_A ? 10 : 0xfd;
    raw[len - 1] = (uint8_t)number;
    if (f->addr)
        assert_int_equal(inet_pton(type == DNS_TYPE_A ? AF_INET : AF_INET6, f->addr, raw), 1);
    head[11] = (uint8_t)len;
    memcpy(out, head, sizeof head);
    memcpy(out + sizeof head, raw, len);
    return sizeof head + len;
}

static inline bool stays_silent(const struct family *f)
{
    return f->manner == SILENT || (f->manner == DEAF_ONCE && f->asked == 1);
}

/** Turns the query in `m` into its answer. @return length; 0: silence */
static inline size_t answer(struct name_server *s, uint8_t *m, bool truncate)
{
    int type;
    size_t len = read_question(s, m, &type);
    struct family *f = type == DNS_TYPE_A ? &s->four : &s->six;
    int count = truncate ? 0 : f->count;
    f->asked++;
    if (stays_silent(f))
        return 0;
    memset(m + 2, 0, DNS_HEADER - 2);
    m[2] = truncate ? 0x83 : 0x81;
    m[3] = (uint8_t)(0x80 | (f->manner == NO_SUCH_NAME ? DNS_NXDOMAIN : 0));
    m[5] = 1;
    m[7] = (uint8_t)count;
    for (int i = 1; i <= count; i++)
        len += write_record(f, type, i, m + len);
    return len;
}

static inline void on_datagram(weir_watcher *watcher, unsigned events WEIR_UNUSED, void *user)
{
    struct name_server *s = user;
    uint8_t m[4096] = {0};
    weir_addr from = {.len = sizeof from.storage};
    struct sockaddr *to = (struct sockaddr *)&from.storage;
    if (recvfrom(watcher->fd, m, 512, 0, to, &from.len) < DNS_HEADER)
        return;
    size_t len = answer(s, m, s->long_only);
    if (len > 0)
        assert_int_equal(sendto(watcher->fd, m, len, 0, to, from.len), len);
}

/** Questions with two bytes of length before each. */
static inline void on_stream(weir_watcher *watcher, unsigned events WEIR_UNUSED, void *user)
{
    uint8_t head[2], m[4096] = {0};
    if (recv(watcher->fd, head, 2, MSG_WAITALL) != 2) {
        weir_watcher_stop(watcher);
        return;
    }
    size_t len = (size_t)(head[0] << 8 | head[1]);
    assert_in_range(len, DNS_HEADER, 512);
    assert_int_equal(recv(watcher->fd, m, len, MSG_WAITALL), len);
    len = answer(user, m, false);
    head[0] = (uint8_t)(len >> 8);
    head[1] = (uint8_t)len;
    assert_int_equal(send(watcher->fd, head, 2, MSG_NOSIGNAL | MSG_MORE), 2);
    assert_int_equal(send(watcher->fd, m, len, MSG_NOSIGNAL), len);
}

/** c-ares keeps to one stream for each server. */
static inline void on_stream_open(weir_watcher *watcher, unsigned events WEIR_UNUSED, void *user)
{
    struct name_server *s = user;
    assert_int_equal(s->tcp.fd, -1);
    int fd = accept4(watcher->fd, NULL, NULL, SOCK_CLOEXEC);
    assert_true(fd >= 0);
    weir_watcher_init(&s->tcp, watcher->loop, fd, on_stream, s);
    assert_ok(weir_watcher_want(&s->tcp, WEIR_READABLE));
}

/** Bound to `addr`, and watched. */
static inline void serve(struct name_server *s, weir_watcher *watcher, weir_loop *loop, int type,
                         weir_addr *addr)
{
    struct sockaddr *at = (struct sockaddr *)&addr->storage;
    int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, at, addr->len), 0);
    assert_int_equal(getsockname(fd, at, &addr->len), 0);
    if (type == SOCK_STREAM)
        assert_int_equal(listen(fd, 8), 0);
    weir_watcher_init(watcher, loop, fd, type == SOCK_STREAM ? on_stream_open : on_datagram, s);
    assert_ok(weir_watcher_want(watcher, WEIR_READABLE));
}

/** Keeps `s->four` and `s->six`. `s->text` is what opts.servers wants. */
static inline void name_server_start(struct name_server *s, weir_loop *loop)
{
    weir_addr addr = address("127.0.0.1:0");
    s->tcp.fd = -1;
    serve(s, &s->listener, loop, SOCK_STREAM, &addr);
    serve(s, &s->udp, loop, SOCK_DGRAM, &addr);
    weir_addr_text(&addr, s->text);
}

static inline void name_server_stop(struct name_server *s)
{
    weir_watcher *const watchers[] = {&s->udp, &s->listener, &s->tcp};
    for (size_t i = 0; i < sizeof watchers / sizeof *watchers; i++) {
        if (watchers[i]->fd < 0)
            continue;
        weir_watcher_stop(watchers[i]);
        close(watchers[i]->fd);
    }
}

#endif
