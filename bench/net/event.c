/* libevent: bufferevents; an echo moves the input's memory into the output. */
#include "service.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>

enum {
    BACKLOG = 4096
};

static service the_service;

static void on_event(struct bufferevent *conn, short events, void *user)
{
    (void)user;
    if (events & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
        bufferevent_free(conn);
}

static void answer_http(struct bufferevent *conn, struct evbuffer *input)
{
    service_bytes hello = service_hello();
    struct evbuffer_ptr end;
    while ((end = evbuffer_search(input, "\r\n\r\n", 4, NULL)).pos >= 0) {
        evbuffer_drain(input, (size_t)end.pos + 4);
        bufferevent_write(conn, hello.ptr, hello.len);
    }
}

static void on_read(struct bufferevent *conn, void *user)
{
    (void)user;
    struct evbuffer *input = bufferevent_get_input(conn);
    if (the_service.http)
        answer_http(conn, input);
    else
        bufferevent_write_buffer(conn, input);
    if (evbuffer_get_length(bufferevent_get_output(conn)) > SERVICE_HIGH_WATER)
        bufferevent_disable(conn, EV_READ);
}

/** All output is gone. */
static void on_written(struct bufferevent *conn, void *user)
{
    (void)user;
    if (!(bufferevent_get_enabled(conn) & EV_READ))
        bufferevent_enable(conn, EV_READ);
}

static void on_connection(struct evconnlistener *listener, evutil_socket_t fd,
                          struct sockaddr *peer, int peer_len, void *user)
{
    (void)peer;
    (void)peer_len;
    (void)user;
    int on = 1;
    struct bufferevent *conn =
        bufferevent_socket_new(evconnlistener_get_base(listener), fd, BEV_OPT_CLOSE_ON_FREE);
    if (!conn) {
        evutil_closesocket(fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    bufferevent_setcb(conn, on_read, on_written, on_event, NULL);
    bufferevent_setwatermark(conn, EV_READ, 0, SERVICE_READ_MAX);
    bufferevent_enable(conn, EV_READ | EV_WRITE);
}

int main(int argc, char **argv)
{
    the_service = service_init(argc, argv);
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct event_base *base = event_base_new();
    struct evconnlistener *listener =
        base ? evconnlistener_new_bind(base, on_connection, NULL, LEV_OPT_CLOSE_ON_FREE, BACKLOG,
                                       (struct sockaddr *)&addr, sizeof addr)
             : NULL;
    if (!listener) {
        fprintf(stderr, "%s: cannot listen\n", argv[0]);
        return 1;
    }
    service_announce(evconnlistener_get_fd(listener));
    return event_base_dispatch(base);
}
