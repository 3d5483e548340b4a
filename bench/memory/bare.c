/* bench-memory-bare: a server that is nothing but the HTTP/2 library and epoll, and answers no
 * request: what a connection and a stream cost at the least with this library. */
#include <arpa/inet.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct conn {
    int fd;
    nghttp2_session *session;
};

static int poller, listener;
static nghttp2_session_callbacks *callbacks;
static nghttp2_option *option;

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void end(struct conn *conn)
{
    nghttp2_session_del(conn->session);
    close(conn->fd);
    free(conn);
}

static int flush(struct conn *conn)
{
    const uint8_t *bytes;
    ssize_t len;
    while ((len = nghttp2_session_mem_send(conn->session, &bytes)) > 0) {
        if (send(conn->fd, bytes, (size_t)len, MSG_NOSIGNAL) != len)
            return -1;
    }
    return (int)len;
}

static void accept_one(void)
{
    struct conn *conn = calloc(1, sizeof *conn);
    if (!conn)
        fail("calloc");
    conn->fd = accept(listener, NULL, NULL);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = conn};
    if (conn->fd < 0 || epoll_ctl(poller, EPOLL_CTL_ADD, conn->fd, &event) ||
        nghttp2_session_server_new2(&conn->session, callbacks, conn, option) ||
        nghttp2_submit_settings(conn->session, NGHTTP2_FLAG_NONE, NULL, 0) || flush(conn))
        fail("accept");
}

static void serve(struct conn *conn)
{
    static uint8_t bytes[64 << 10];
    ssize_t len = recv(conn->fd, bytes, sizeof bytes, 0);
    if (len <= 0 || nghttp2_session_mem_recv(conn->session, bytes, (size_t)len) < 0 || flush(conn))
        end(conn);
}

static void start(void)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof addr;
    struct epoll_event event = {.events = EPOLLIN};
    listener = socket(AF_INET, SOCK_STREAM, 0);
    poller = epoll_create1(0);
    if (listener < 0 || poller < 0 || bind(listener, (struct sockaddr *)&addr, len) ||
        listen(listener, 1024) || getsockname(listener, (struct sockaddr *)&addr, &len) ||
        epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event) ||
        nghttp2_session_callbacks_new(&callbacks) || nghttp2_option_new(&option))
        fail("start");
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_closed_streams(option, 1);
    printf("listening on 127.0.0.1:%d\n", ntohs(addr.sin_port));
    fflush(stdout);
}

int main(void)
{
    start();
    for (;;) {
        struct epoll_event event;
        if (epoll_wait(poller, &event, 1, -1) != 1)
            fail("epoll_wait");
        if (event.data.ptr)
            serve(event.data.ptr);
        else
            accept_one();
    }
}
