/* The work and nothing else: one thread, level-triggered epoll, read() and write(). */
#include "service.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    EVENTS_MAX = 256,
    BACKLOG = 4096
};

typedef struct conn {
    int fd;
    unsigned matched;
    char *rest; /* what the kernel did not take; NULL: nothing. Nothing is read until it is gone. */
    size_t rest_at, rest_len;
} conn;

typedef struct server {
    service service;
    int epoll;
    int listener;
} server;

static void end(conn *c)
{
    close(c->fd);
    free(c->rest);
    free(c);
}

static void watch(const server *s, conn *c, int operation, unsigned events)
{
    struct epoll_event event = {.events = events, .data.ptr = c};
    if (epoll_ctl(s->epoll, operation, c->fd, &event) != 0)
        end(c);
}

/** @return how many were taken; -1: the connection is broken */
static ssize_t write_some(const conn *c, const char *data, size_t len)
{
    ssize_t n = send(c->fd, data, len, MSG_NOSIGNAL);
    return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : n;
}

static void keep_rest(const server *s, conn *c, service_bytes rest)
{
    c->rest = malloc(rest.len);
    if (!c->rest) {
        end(c);
        return;
    }
    memcpy(c->rest, rest.ptr, rest.len);
    c->rest_at = 0;
    c->rest_len = rest.len;
    watch(s, c, EPOLL_CTL_MOD, EPOLLOUT);
}

static void write_rest(const server *s, conn *c)
{
    ssize_t n = write_some(c, c->rest + c->rest_at, c->rest_len - c->rest_at);
    if (n < 0) {
        end(c);
        return;
    }
    c->rest_at += (size_t)n;
    if (c->rest_at < c->rest_len)
        return;
    free(c->rest);
    c->rest = NULL;
    watch(s, c, EPOLL_CTL_MOD, EPOLLIN);
}

static void answer(const server *s, conn *c)
{
    char input[SERVICE_READ_MAX];
    ssize_t n = read(c->fd, input, sizeof input);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        end(c);
        return;
    }
    service_bytes reply =
        service_reply(&s->service, (service_bytes){input, (size_t)n}, &c->matched);
    ssize_t sent = reply.len > 0 ? write_some(c, reply.ptr, reply.len) : 0;
    if (sent < 0)
        end(c);
    else if ((size_t)sent < reply.len)
        keep_rest(s, c, (service_bytes){reply.ptr + sent, reply.len - (size_t)sent});
}

static void accept_all(const server *s)
{
    int fd;
    while ((fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        int on = 1;
        conn *c = calloc(1, sizeof *c);
        if (!c) {
            close(fd);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        c->fd = fd;
        watch(s, c, EPOLL_CTL_ADD, EPOLLIN);
    }
}

static int open_listener(server *s)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event event = {.events = EPOLLIN};
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->epoll < 0 || s->listener < 0 ||
        bind(s->listener, (struct sockaddr *)&addr, sizeof addr) != 0)
        return -1;
    if (listen(s->listener, BACKLOG) != 0)
        return -1;
    return epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->listener, &event);
}

static void run(const server *s)
{
    struct epoll_event events[EVENTS_MAX];
    for (;;) {
        int count = epoll_wait(s->epoll, events, EVENTS_MAX, -1);
        for (int i = 0; i < count; i++) {
            conn *c = events[i].data.ptr;
            if (!c)
                accept_all(s);
            else if (c->rest)
                write_rest(s, c);
            else
                answer(s, c);
        }
    }
}

int main(int argc, char **argv)
{
    server s = {.service = service_init(argc, argv)};
    if (open_listener(&s) != 0) {
        perror(argv[0]);
        return 1;
    }
    service_announce(s.listener);
    run(&s);
}
