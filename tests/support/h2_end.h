/**
 * @file
 * One end of an HTTP/2 connection for tests: a weir_h2 whose events become lines of text, and whose
 * streams send bodies of a given length.
 */
#ifndef WEIR_H2_END_H
#define WEIR_H2_END_H

#include "h2_frames.h"
#include "test.h"

#include <stdio.h>
#include <weir/codec/h2.h>

enum {
    MAX_CALLS = 4096,
    LOG_BYTES = 1 << 16
};

struct call {
    int32_t id;
    size_t to_send;  /* body bytes left */
    bool finish;     /* the body ends after them */
    bool trailers;   /* with trailers */
    size_t received; /* body bytes */
    bool open, ended, closed;
    uint32_t code;
};

struct end {
    weir_h2 *h2;
    weir_pool *pool;
    weir_time now;
    bool refuse;       /* every request */
    bool keep_windows; /* do not consume what arrives */
    bool no_log;
    const char *trailer; /* value of grpc-status */
    struct call calls[MAX_CALLS];
    size_t data_bytes; /* DATA that is not logged yet, so that any split gives the same log */
    int32_t data_id;
    size_t log_len;
    char log[LOG_BYTES];
};

static inline WEIR_PRINTF(2, 3) void end_log(struct end *e, const char *fmt, ...)
{
    char line[256];
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    if (e->no_log || len < 0 || e->log_len + (size_t)len + 1 > LOG_BYTES)
        return;
    memcpy(e->log + e->log_len, line, (size_t)len + 1);
    e->log_len += (size_t)len;
}

static inline void end_log_data(struct end *e)
{
    size_t bytes = e->data_bytes;
    e->data_bytes = 0;
    if (bytes > 0)
        end_log(e, "data %d %zu\n", e->data_id, bytes);
}

static inline struct call *end_call(struct end *e, int32_t id)
{
    return &e->calls[(id / 2) % MAX_CALLS];
}

static inline void *end_on_open(weir_h2 *h2 WEIR_UNUSED, int32_t id, void *user)
{
    struct end *e = user;
    end_log_data(e);
    end_log(e, "open %d\n", id);
    struct call *call = end_call(e, id);
    *call = (struct call){.id = id, .open = true};
    return e->refuse ? NULL : call;
}

static inline void end_on_header(weir_h2 *h2 WEIR_UNUSED, void *stream, weir_str name,
                                 weir_str value, void *user)
{
    struct call *call = stream;
    end_log_data(user);
    end_log(user, "%d %.*s=%.*s\n", call->id, WEIR_STR_ARGS(name),
            value.len < 64 ? (int)value.len : 64, value.ptr);
}

static inline void end_on_headers_end(weir_h2 *h2 WEIR_UNUSED, void *stream, weir_h2_block block,
                                      bool too_large, void *user)
{
    static const char *const names[] = {"request", "informational", "response", "trailers"};
    end_log(user, "headers %d %s%s\n", ((struct call *)stream)->id, names[block],
            too_large ? " too large" : "");
}

static inline void end_on_data(weir_h2 *h2, void *stream, const uint8_t *data WEIR_UNUSED,
                               size_t len, void *user)
{
    struct end *e = user;
    struct call *call = stream;
    if (e->data_id != call->id)
        end_log_data(e);
    e->data_id = call->id;
    e->data_bytes += len;
    call->received += len;
    if (!e->keep_windows)
        weir_h2_consume(h2, call->id, len);
}

static inline void end_on_end(weir_h2 *h2 WEIR_UNUSED, void *stream, void *user)
{
    struct call *call = stream;
    end_log_data(user);
    end_log(user, "end %d\n", call->id);
    call->ended = true;
}

static inline void end_on_close(weir_h2 *h2 WEIR_UNUSED, void *stream, uint32_t code, bool remote,
                                void *user)
{
    struct call *call = stream;
    end_log_data(user);
    end_log(user, "close %d %s%s\n", call->id, weir_h2_code_name(code), remote ? " remote" : "");
    assert_true(call->open && !call->closed);
    call->closed = true;
    call->code = code;
}

static inline void end_on_body(weir_h2 *h2, void *stream, size_t max, weir_h2_body *out, void *user)
{
    struct end *e = user;
    struct call *call = stream;
    out->len = call->to_send < max ? call->to_send : max;
    out->end = call->finish && out->len == call->to_send;
    if (!out->end || !call->trailers)
        return;
    const weir_h2_header status = {WEIR_STR("grpc-status"), weir_str_from(e->trailer), false};
    out->trailers = weir_h2_submit_trailers(h2, call->id, &status, 1) == WEIR_OK;
}

static inline weir_err end_on_body_write(weir_h2 *h2 WEIR_UNUSED, void *stream, weir_buf *out,
                                         size_t len, void *user WEIR_UNUSED)
{
    static const char zeros[16384];
    ((struct call *)stream)->to_send -= len;
    return weir_buf_append(out, zeros, len);
}

static inline void end_on_goaway(weir_h2 *h2 WEIR_UNUSED, int32_t last_id, uint32_t code,
                                 weir_str debug, void *user)
{
    end_log_data(user);
    end_log(user, "goaway %d %s %.*s\n", last_id, weir_h2_code_name(code), WEIR_STR_ARGS(debug));
}

static inline void end_on_settings(weir_h2 *h2 WEIR_UNUSED, void *user)
{
    end_log_data(user);
    end_log(user, "settings\n");
}

static inline void end_on_ping_ack(weir_h2 *h2 WEIR_UNUSED, uint64_t opaque, void *user)
{
    end_log(user, "pong %llx\n", (unsigned long long)opaque);
}

static const weir_h2_ops end_ops = {
    .on_open = end_on_open,
    .on_header = end_on_header,
    .on_headers_end = end_on_headers_end,
    .on_data = end_on_data,
    .on_end = end_on_end,
    .on_close = end_on_close,
    .on_body = end_on_body,
    .on_body_write = end_on_body_write,
    .on_goaway = end_on_goaway,
    .on_settings = end_on_settings,
    .on_ping_ack = end_on_ping_ack,
};

static inline weir_err end_try(struct end *e, weir_h2_role role, const weir_h2_opts *opts,
                               weir_pool *pool)
{
    e->pool = pool;
    e->trailer = "0";
    e->now = (weir_time){WEIR_SECONDS(1)};
    return weir_h2_new(&e->h2, role, &end_ops, e, pool, opts);
}

/** With a pool of its own. The result goes to end_free(). */
static inline struct end *end_new(weir_h2_role role, const weir_h2_opts *opts)
{
    struct end *e = calloc(1, sizeof *e);
    weir_pool *pool = NULL;
    assert_non_null(e);
    assert_ok(weir_pool_new(&pool, NULL));
    assert_ok(end_try(e, role, opts, pool));
    return e;
}

static inline void end_free(struct end *e)
{
    weir_h2_free(e->h2);
    weir_pool_free(e->pool);
    free(e);
}

static inline weir_err end_feed(struct end *e, const struct bytes *b)
{
    return weir_h2_feed(e->h2, e->now, b->at, b->len);
}

/** Feeds and forgets the bytes. */
static inline weir_err end_take(struct end *e, struct bytes *b)
{
    weir_err err = end_feed(e, b);
    b->len = 0;
    return err;
}

static inline void bytes_take(struct bytes *b, weir_buf *from)
{
    for (weir_str run; (run = weir_buf_front(from)).len > 0;) {
        bytes_add(b, run.ptr, run.len);
        weir_buf_retrieve(from, run.len);
    }
}

/** Adds up to about `limit` bytes of output to `to`. */
static inline weir_err end_pull(struct end *e, struct bytes *to, size_t limit)
{
    weir_buf out;
    weir_buf_init(&out, e->pool);
    weir_err err = weir_h2_pull(e->h2, &out, limit);
    bytes_take(to, &out);
    return err;
}

/** Carries bytes both ways until both ends are silent. */
static inline void exchange(struct end *a, struct end *b)
{
    for (bool busy = true; busy;) {
        struct bytes wire = {0};
        assert_ok(end_pull(a, &wire, SIZE_MAX));
        busy = wire.len > 0;
        assert_ok(end_take(b, &wire));
        assert_ok(end_pull(b, &wire, SIZE_MAX));
        busy = busy || wire.len > 0;
        assert_ok(end_take(a, &wire));
        bytes_free(&wire);
    }
    end_log_data(a);
    end_log_data(b);
}

/** Client: a POST of /a with `call`'s body. */
static inline weir_err end_request(struct end *e, struct call call, struct call **out)
{
    const weir_h2_header headers[] = {
        {WEIR_STR(":method"), WEIR_STR("POST"), false},
        {WEIR_STR(":scheme"), WEIR_STR("http"), false},
        {WEIR_STR(":path"), WEIR_STR("/a"), false},
        {WEIR_STR(":authority"), WEIR_STR("b"), false},
    };
    int32_t id = 0;
    struct call *slot = e->calls;
    while (slot->open && !slot->closed)
        slot++;
    *out = slot;
    bool body = call.to_send > 0 || !call.finish;
    weir_err err = weir_h2_submit_request(e->h2, headers, 4, body, slot, &id);
    if (err != WEIR_OK)
        return err;
    *slot = call;
    slot->id = id;
    slot->open = true;
    return WEIR_OK;
}

/** Server: ":status: 200" with `to_send` bytes of body and trailers. */
static inline struct call *end_respond(struct end *e, int32_t id, size_t to_send, bool finish)
{
    const weir_h2_header status = {WEIR_STR(":status"), WEIR_STR("200"), false};
    struct call *call = end_call(e, id);
    call->to_send = to_send;
    call->finish = finish;
    call->trailers = true;
    assert_ok(weir_h2_submit_response(e->h2, id, &status, 1, true));
    return call;
}

/** A server that has met its client: SETTINGS are exchanged and out of the way. */
static inline struct end *met_server(const weir_h2_opts *opts)
{
    struct end *e = end_new(WEIR_H2_SERVER, opts);
    struct bytes b = {0};
    assert_ok(end_pull(e, &b, SIZE_MAX));
    b.len = 0;
    client_hello(&b);
    assert_ok(end_take(e, &b));
    assert_ok(end_pull(e, &b, SIZE_MAX));
    bytes_free(&b);
    e->log_len = 0;
    e->log[0] = '\0';
    return e;
}

/** The server ends the connection with this code, and says so. */
static inline void assert_ends_with(struct end *e, uint32_t code)
{
    struct bytes b = {0};
    uint32_t word = UINT32_MAX;
    assert_err(weir_h2_feed(e->h2, e->now, "", 0), WEIR_EPROTO);
    weir_err err = end_pull(e, &b, SIZE_MAX);
    assert_true(err == WEIR_OK || err == WEIR_EPROTO);
    assert_true(find_frame(&b, FRAME_GOAWAY, 0, &word));
    assert_string_equal(weir_h2_code_name(word), weir_h2_code_name(code));
    assert_true(weir_h2_is_over(e->h2));
    assert_true(strlen(weir_h2_error(e->h2)) > 0);
    bytes_free(&b);
}

#endif
