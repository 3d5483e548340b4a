/**
 * @file
 * A name server in the test's loop: over UDP, and it answers as the case says, whatever the name.
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
    weir_watcher watcher;
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

static inline void name_server_asked(weir_watcher *watcher, unsigned events WEIR_UNUSED, void *user)
{
    struct name_server *s = user;
    uint8_t m[4096] = {0};
    weir_addr from = {.len = sizeof from.storage};
    struct sockaddr *to = (struct sockaddr *)&from.storage;
    int type;
    if (recvfrom(watcher->fd, m, 512, 0, to, &from.len) < DNS_HEADER)
        return;
    size_t len = read_question(s, m, &type);
    struct family *f = type == DNS_TYPE_A ? &s->four : &s->six;
    f->asked++;
    if (stays_silent(f))
        return;
    memset(m + 2, 0, DNS_HEADER - 2);
    m[2] = 0x81;
    m[3] = (uint8_t)(0x80 | (f->manner == NO_SUCH_NAME ? DNS_NXDOMAIN : 0));
    m[5] = 1;
    m[7] = (uint8_t)f->count;
    for (int i = 1; i <= f->count; i++)
        len += write_record(f, type, i, m + len);
    assert_int_equal(sendto(watcher->fd, m, len, 0, to, from.len), len);
}

/** Keeps `s->four` and `s->six`. `s->text` is what opts.servers wants. */
static inline void name_server_start(struct name_server *s, weir_loop *loop)
{
    weir_addr addr = address("127.0.0.1:0");
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr.storage, addr.len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&addr.storage, &addr.len), 0);
    weir_addr_text(&addr, s->text);
    weir_watcher_init(&s->watcher, loop, fd, name_server_asked, s);
    assert_ok(weir_watcher_want(&s->watcher, WEIR_READABLE));
}

static inline void name_server_stop(struct name_server *s)
{
    weir_watcher_stop(&s->watcher);
    close(s->watcher.fd);
}

#endif
