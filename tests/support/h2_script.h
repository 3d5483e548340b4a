/**
 * @file
 * A server for tests of channels that says what it is told to: blocking, frame by frame, in the
 * test's own thread.
 */
#ifndef WEIR_H2_SCRIPT_H
#define WEIR_H2_SCRIPT_H

#include "h2_frames.h"
#include "test.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/net/addr.h>

typedef struct script {
    int listener;
    int fd; /* the connection; -1: none */
    char addr[WEIR_ADDR_TEXT_MAX];
} script;

/** A frame that came. */
typedef struct script_frame {
    int type, flags;
    uint32_t id;
    size_t len;
    uint8_t payload[1 << 15];
} script_frame;

static inline void script_open(script *s)
{
    weir_addr addr;
    assert_ok(weir_addr_parse(&addr, "127.0.0.1:0", NULL));
    s->fd = -1;
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s->listener, (struct sockaddr *)&addr.storage, addr.len), 0);
    assert_int_equal(listen(s->listener, 10), 0);
    assert_int_equal(getsockname(s->listener, (struct sockaddr *)&addr.storage, &addr.len), 0);
    weir_addr_text(&addr, s->addr);
}

static inline void script_hang_up(script *s)
{
    close(s->fd);
    s->fd = -1;
}

static inline void script_close(script *s)
{
    if (s->fd >= 0)
        script_hang_up(s);
    close(s->listener);
}

/** @return false: the peer has hung up */
static inline bool script_read(script *s, void *to, size_t len)
{
    ssize_t n = len > 0 ? recv(s->fd, to, len, MSG_WAITALL) : 0;
    return n == (ssize_t)len;
}

/** Sends and forgets the bytes. */
static inline void script_say(script *s, struct bytes *b)
{
    assert_int_equal(send(s->fd, b->at, b->len, MSG_NOSIGNAL), b->len);
    bytes_free(b);
}

/** Accepts, and reads the preface; SETTINGS are the script's to send. */
static inline void script_accept(script *s)
{
    char preface[24];
    s->fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(s->fd >= 0);
    assert_true(script_read(s, preface, sizeof preface));
    assert_memory_equal(preface, "PRI * HTTP/2.0", 14);
}

/** And sends SETTINGS with one entry. */
static inline void script_greet(script *s, uint16_t setting, uint32_t value)
{
    struct bytes b = {0};
    script_accept(s);
    frame_setting(&b, setting, value);
    script_say(s, &b);
}

/** @return false: the peer has hung up */
static inline bool script_next(script *s, script_frame *f)
{
    uint8_t head[9];
    if (!script_read(s, head, sizeof head))
        return false;
    f->len = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
    f->type = head[3];
    f->flags = head[4];
    f->id = (uint32_t)head[5] << 24 | (uint32_t)head[6] << 16 | (uint32_t)head[7] << 8 | head[8];
    assert_true(f->len <= sizeof f->payload);
    return script_read(s, f->payload, f->len);
}

/** Reads up to a frame of this type. @return its stream */
static inline uint32_t script_await(script *s, int type)
{
    static script_frame f;
    do
        assert_true(script_next(s, &f));
    while (f.type != type || (type == FRAME_SETTINGS && (f.flags & FLAG_ACK)));
    return f.id;
}

/** Reads to the end of the connection. */
static inline void script_await_end(script *s)
{
    static script_frame f;
    while (script_next(s, &f))
        continue;
    script_hang_up(s);
}

/** Whether a frame comes within `ms`. */
static inline bool script_hears(script *s, int ms)
{
    struct pollfd p = {.fd = s->fd, .events = POLLIN};
    return poll(&p, 1, ms) == 1;
}

/** Answers a stream with nothing but this status. */
static inline void script_end_call(script *s, uint32_t id, const char *grpc_status)
{
    struct bytes b = {0}, block = {0};
    bytes_add(&block, "\x88", 1); /* :status 200 */
    hpack_field(&block, "content-type", "application/grpc");
    hpack_field(&block, "grpc-status", grpc_status);
    frame(&b, FRAME_HEADERS, FLAG_END_HEADERS | FLAG_END_STREAM, id, block.at, block.len);
    bytes_free(&block);
    script_say(s, &b);
}

static inline void script_reset(script *s, uint32_t id, uint32_t code)
{
    struct bytes b = {0};
    frame_u32(&b, FRAME_RST_STREAM, id, code);
    script_say(s, &b);
}

static inline void script_goaway(script *s, uint32_t last_id, uint32_t code, const char *text)
{
    struct bytes b = {0};
    frame_head(&b, 8 + strlen(text), FRAME_GOAWAY, 0, 0);
    bytes_u32(&b, last_id);
    bytes_u32(&b, code);
    bytes_add(&b, text, strlen(text));
    script_say(s, &b);
}

#endif
