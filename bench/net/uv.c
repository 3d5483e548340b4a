/* libuv: writes are tried at once; what the kernel does not take is queued. */
#include "service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum {
    BACKLOG = 4096
};

typedef struct conn {
    uv_tcp_t tcp;
    unsigned matched;
} conn;

/** What the kernel did not take at once. */
typedef struct rest {
    uv_write_t request;
    char bytes[];
} rest;

static service the_service;

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void end(conn *c)
{
    if (!uv_is_closing((uv_handle_t *)&c->tcp))
        uv_close((uv_handle_t *)&c->tcp, on_closed);
}

/** One buffer for all: each read is answered before the next one. */
static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    static char input[SERVICE_READ_MAX];
    (void)handle;
    (void)suggested;
    *out = uv_buf_init(input, sizeof input);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf);

static void on_written(uv_write_t *request, int status)
{
    conn *c = request->handle->data;
    free(request->data);
    if (status != 0 || uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read) != 0)
        end(c);
}

/** Nothing is read until it is gone. */
static void write_later(conn *c, service_bytes bytes)
{
    rest *r = malloc(sizeof *r + bytes.len);
    if (!r) {
        end(c);
        return;
    }
    memcpy(r->bytes, bytes.ptr, bytes.len);
    r->request.data = r;
    uv_buf_t buf = uv_buf_init(r->bytes, (unsigned)bytes.len);
    uv_read_stop((uv_stream_t *)&c->tcp);
    if (uv_write(&r->request, (uv_stream_t *)&c->tcp, &buf, 1, on_written) != 0) {
        free(r);
        end(c);
    }
}

static void reply(conn *c, service_bytes bytes)
{
    /* libuv's buffers are not const; uv_try_write() only reads. */
    union {
        const char *in;
        char *out;
    } data = {.in = bytes.ptr};
    uv_buf_t buf = uv_buf_init(data.out, (unsigned)bytes.len);
    int n = uv_try_write((uv_stream_t *)&c->tcp, &buf, 1);
    size_t sent = n > 0 ? (size_t)n : 0;
    if (n < 0 && n != UV_EAGAIN)
        end(c);
    else if (sent < bytes.len)
        write_later(c, (service_bytes){bytes.ptr + sent, bytes.len - sent});
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    conn *c = stream->data;
    if (n < 0) {
        end(c);
        return;
    }
    service_bytes input = {buf->base, (size_t)n};
    service_bytes bytes = service_reply(&the_service, input, &c->matched);
    if (bytes.len > 0)
        reply(c, bytes);
}

static void on_connection(uv_stream_t *listener, int status)
{
    conn *c = status == 0 ? calloc(1, sizeof *c) : NULL;
    if (!c)
        return;
    if (uv_tcp_init(listener->loop, &c->tcp) != 0) {
        free(c);
        return;
    }
    c->tcp.data = c;
    if (uv_accept(listener, (uv_stream_t *)&c->tcp) != 0 || uv_tcp_nodelay(&c->tcp, 1) != 0 ||
        uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read) != 0)
        end(c);
}

static int start(uv_loop_t *loop, uv_tcp_t *listener)
{
    struct sockaddr_in addr;
    uv_os_fd_t fd;
    int err = uv_tcp_init(loop, listener);
    if (!err)
        err = uv_ip4_addr("127.0.0.1", 0, &addr);
    if (!err)
        err = uv_tcp_bind(listener, (const struct sockaddr *)&addr, 0);
    if (!err)
        err = uv_listen((uv_stream_t *)listener, BACKLOG, on_connection);
    if (!err)
        err = uv_fileno((uv_handle_t *)listener, &fd);
    if (!err)
        service_announce(fd);
    return err;
}

int main(int argc, char **argv)
{
    the_service = service_init(argc, argv);
    uv_loop_t loop;
    uv_tcp_t listener;
    int err = uv_loop_init(&loop);
    if (!err)
        err = start(&loop, &listener);
    if (err) {
        fprintf(stderr, "%s: %s\n", argv[0], uv_strerror(err));
        return 1;
    }
    return uv_run(&loop, UV_RUN_DEFAULT);
}
