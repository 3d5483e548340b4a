/* HTTP/2 on nghttp2: construction, bytes in and out, and what the owner asks for. What comes in is
 * in h2_receive.c, what goes out in h2_send.c. */
#include "h2_nghttp2.h"
#include "h2_mem.h"

#include <stdarg.h>
#include <stdio.h>

enum {
    /* A header block to be sent. */
    MAX_FIELDS = 256,
    MAX_BLOCK_BYTES = 128 << 10,
    /* Frames waiting to be sent that a peer can cause while it does not read. */
    MAX_QUEUE = 10000,
    MAX_GOAWAY_DEBUG = 1024,
    WHY_BYTES = 160,
    /* Above the scanner's bound: the library counts each call that brings a piece of a frame. */
    LIBRARY_CONTINUATIONS = 100
};

void weir__h2_explain(weir_h2 *h2, const char *fmt, ...)
{
    if (h2->why)
        return;
    h2->why = weir_pool_get(h2->pool, WHY_BYTES);
    if (!h2->why)
        return;
    va_list args;
    va_start(args, fmt);
    vsnprintf(h2->why, WHY_BYTES, fmt, args);
    va_end(args);
}

weir_err weir__h2_out_of_memory(weir_h2 *h2)
{
    weir__h2_explain(h2, "out of memory");
    return h2->err = WEIR_ENOMEM;
}

void weir__h2_note(weir_h2 *h2, int rv)
{
    if (nghttp2_is_fatal(rv))
        weir__h2_out_of_memory(h2);
}

/** Lets a GOAWAY with `code` be the last frame. */
static weir_err end_with(weir_h2 *h2, uint32_t code)
{
    h2->err = WEIR_EPROTO;
    weir__h2_note(h2, nghttp2_session_terminate_session(h2->session, code));
    return h2->err;
}

weir_err weir__h2_calm_down(weir_h2 *h2, weir__h2_flood kind)
{
    weir__h2_explain(h2, "flood: too many %s", weir__h2_flood_name(kind));
    return end_with(h2, NGHTTP2_ENHANCE_YOUR_CALM);
}

/** For a fatal result of the library while receiving. */
static weir_err receive_failed(weir_h2 *h2, int rv)
{
    switch (rv) {
    case NGHTTP2_ERR_CALLBACK_FAILURE: /* a callback has said why */
        return h2->err != WEIR_OK ? h2->err : weir__h2_out_of_memory(h2);
    case NGHTTP2_ERR_BAD_CLIENT_MAGIC:
        weir__h2_explain(h2,
                         "the peer does not speak HTTP/2: it began without the connection preface");
        return end_with(h2, NGHTTP2_PROTOCOL_ERROR);
    case NGHTTP2_ERR_FLOODED:
        weir__h2_explain(h2, "flood: too many PING and SETTINGS frames that await an answer");
        return end_with(h2, NGHTTP2_ENHANCE_YOUR_CALM);
    case NGHTTP2_ERR_TOO_MANY_CONTINUATIONS:
        return weir__h2_calm_down(h2, WEIR__H2_FLOOD_CONTINUATION);
    default:
        return weir__h2_out_of_memory(h2);
    }
}

/** The first byte of HTTP/2 is 'P' or belongs to a short frame's length; TLS begins with a record
 * of type 22, or at once with an alert. */
static bool begins_with_tls(weir_h2 *h2, const uint8_t *bytes, size_t len)
{
    enum {
        ALERT = 21,
        HANDSHAKE = 22
    };
    if (WEIR_LIKELY(h2->heard) || len == 0)
        return false;
    h2->heard = true;
    return bytes[0] == ALERT || bytes[0] == HANDSHAKE;
}

static void tell_of_tls(weir_h2 *h2)
{
    weir__h2_explain(h2, "the peer speaks TLS, this %s is plaintext",
                     h2->role == WEIR_H2_SERVER ? "port" : "channel");
    (void)end_with(h2, NGHTTP2_PROTOCOL_ERROR);
}

/** Whether the library has decided to end the connection. It has no function that says so; but a
 * GOAWAY with an impossible stream id is an error before that and of no effect after it. */
static bool library_gave_up(const weir_h2 *h2)
{
    int32_t own_id = h2->role == WEIR_H2_SERVER ? 2 : 1;
    return nghttp2_submit_goaway(h2->session, NGHTTP2_FLAG_NONE, own_id, 0, NULL, 0) == 0;
}

void *weir__h2_stream(nghttp2_session *session, int32_t id)
{
    return nghttp2_session_get_stream_user_data(session, id);
}

void weir__h2_opened(weir_h2 *h2, int32_t id)
{
    if (id > h2->last_opened)
        h2->last_opened = id;
}

/** After a connection error there is nothing left but a GOAWAY. Taking it from the library at once
 * tells its reason. */
static weir_err say_farewell(weir_h2 *h2)
{
    h2->ending = true;
    h2->err = WEIR_EPROTO;
    return weir__h2_drain(h2, &h2->farewell, SIZE_MAX) == WEIR_OK ? WEIR_EPROTO : WEIR_ENOMEM;
}

static void apply_defaults(weir_h2_opts *opts)
{
    const weir_h2_opts defaults = {
        .max_streams = 100,
        .stream_window = 256 << 10,
        .connection_window = 1 << 20,
        .max_frame = 16 << 10,
        .header_list_bytes = 16 << 10,
        .header_list_fields = 128,
        .flood_burst = 1000,
        .flood_per_second = 100,
    };
#define WEIR__DEFAULT(field) opts->field = opts->field ? opts->field : defaults.field
    WEIR__DEFAULT(max_streams);
    WEIR__DEFAULT(stream_window);
    WEIR__DEFAULT(connection_window);
    WEIR__DEFAULT(max_frame);
    WEIR__DEFAULT(header_list_bytes);
    WEIR__DEFAULT(header_list_fields);
    WEIR__DEFAULT(flood_burst);
    WEIR__DEFAULT(flood_per_second);
#undef WEIR__DEFAULT
}

static nghttp2_session_callbacks *new_callbacks(void)
{
    nghttp2_session_callbacks *callbacks;
    if (nghttp2_session_callbacks_new(&callbacks) != 0)
        return NULL;
    weir__h2_receive_callbacks(callbacks);
    weir__h2_send_callbacks(callbacks);
    return callbacks;
}

static nghttp2_option *new_option(void)
{
    nghttp2_option *option;
    if (nghttp2_option_new(&option) != 0)
        return NULL;
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_option_set_max_send_header_block_length(option, 2 * MAX_BLOCK_BYTES);
    nghttp2_option_set_max_continuations(option, LIBRARY_CONTINUATIONS);
    /* Ours counts these, with our clock. */
    nghttp2_option_set_stream_reset_rate_limit(option, UINT64_MAX, UINT64_MAX);
    /* grpc-message may end with a space. */
    nghttp2_option_set_no_rfc9113_leading_and_trailing_ws_validation(option, 1);
    return option;
}

static int new_session(weir_h2 *h2)
{
    nghttp2_mem mem = {h2->pool, weir__h2_malloc, weir__h2_free, weir__h2_calloc, weir__h2_realloc};
    nghttp2_session_callbacks *callbacks = new_callbacks();
    nghttp2_option *option = new_option();
    nghttp2_session *session; /* the library leaves a bad pointer there when it fails */
    int rv = NGHTTP2_ERR_NOMEM;
    if (callbacks && option)
        rv = h2->role == WEIR_H2_SERVER
                 ? nghttp2_session_server_new3(&session, callbacks, h2, option, &mem)
                 : nghttp2_session_client_new3(&session, callbacks, h2, option, &mem);
    if (rv == 0)
        h2->session = session;
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    return rv;
}

static uint32_t clamp(uint32_t value, uint32_t least, uint32_t most)
{
    return value < least ? least : value > most ? most : value;
}

static int send_settings(weir_h2 *h2)
{
    const weir_h2_opts *opts = &h2->opts;
    bool server = h2->role == WEIR_H2_SERVER;
    const nghttp2_settings_entry settings[] = {
        {server ? NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS : NGHTTP2_SETTINGS_ENABLE_PUSH,
         server ? opts->max_streams : 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, clamp(opts->stream_window, 1, INT32_MAX)},
        {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, clamp(opts->max_frame, 1 << 14, (1 << 24) - 1)},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, opts->header_list_bytes},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1}, /* the server's only */
    };
    size_t count = sizeof settings / sizeof *settings - (server ? 0 : 1);
    int rv = nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, settings, count);
    if (rv == 0)
        rv = nghttp2_session_set_local_window_size(
            h2->session, NGHTTP2_FLAG_NONE, 0,
            (int32_t)clamp(opts->connection_window, 1, INT32_MAX));
    return rv;
}

weir_err weir_h2_new(weir_h2 **out, weir_h2_role role, const weir_h2_ops *ops, void *user,
                     weir_pool *pool, const weir_h2_opts *opts)
{
    weir_h2 *h2 = weir_pool_get(pool, sizeof *h2);
    if (!h2)
        return WEIR_ENOMEM;
    *h2 = (weir_h2){.role = role, .ops = ops, .user = user, .pool = pool};
    if (opts)
        h2->opts = *opts;
    apply_defaults(&h2->opts);
    weir_buf_init(&h2->farewell, pool);
    weir__h2_scan_init(&h2->scan, role == WEIR_H2_SERVER);
    weir__h2_limits_init(&h2->limits, h2->opts.flood_burst, h2->opts.flood_per_second);
    if (new_session(h2) != 0 || send_settings(h2) != 0) {
        weir_h2_free(h2);
        return WEIR_ENOMEM;
    }
    *out = h2;
    return WEIR_OK;
}

void weir_h2_free(weir_h2 *h2)
{
    if (!h2)
        return;
    nghttp2_session_del(h2->session);
    if (h2->why)
        weir_pool_put(h2->pool, h2->why, WHY_BYTES);
    weir_buf_clear(&h2->farewell);
    weir_pool_put(h2->pool, h2, sizeof *h2);
}

weir_err weir_h2_feed(weir_h2 *h2, weir_time now, const void *bytes, size_t len)
{
    if (h2->err != WEIR_OK)
        return h2->err;
    weir__h2_flood flood;
    if (begins_with_tls(h2, bytes, len)) {
        tell_of_tls(h2);
        return h2->err == WEIR_ENOMEM ? WEIR_ENOMEM : say_farewell(h2);
    }
    weir__h2_limits_advance(&h2->limits, now);
    size_t taken = weir__h2_scan_feed(&h2->scan, &h2->limits, bytes, len, &flood);
    h2->feeding = true;
    ssize_t rv = taken > 0 ? nghttp2_session_mem_recv(h2->session, bytes, taken) : 0;
    h2->feeding = false;
    if (rv < 0)
        receive_failed(h2, (int)rv);
    else if (h2->err == WEIR_OK && flood != WEIR__H2_FLOOD_NONE)
        weir__h2_calm_down(h2, flood);
    else if (nghttp2_session_get_outbound_queue_size(h2->session) > MAX_QUEUE + 4 * h2->streams)
        weir__h2_calm_down(h2, WEIR__H2_FLOOD_NONE);
    if (h2->err == WEIR_ENOMEM)
        return WEIR_ENOMEM;
    return library_gave_up(h2) ? say_farewell(h2) : WEIR_OK;
}

weir_err weir_h2_pull(weir_h2 *h2, weir_buf *out, size_t limit)
{
    if (h2->err == WEIR_ENOMEM)
        return WEIR_ENOMEM;
    bool broken = h2->err != WEIR_OK;
    if (h2->arrived > 0)
        weir__h2_note(h2, nghttp2_session_consume_connection(h2->session, h2->arrived));
    h2->arrived = 0;
    for (weir_str run; (run = weir_buf_front(&h2->farewell)).len > 0;) {
        if (weir_buf_append(out, run.ptr, run.len) != WEIR_OK)
            return weir__h2_out_of_memory(h2);
        weir_buf_retrieve(&h2->farewell, run.len);
    }
    weir_err err = weir__h2_drain(h2, out, limit);
    return err != WEIR_OK || broken ? err : h2->err;
}

bool weir_h2_wants_pull(const weir_h2 *h2)
{
    return h2->err == WEIR_ENOMEM || weir_buf_len(&h2->farewell) > 0 ||
           nghttp2_session_want_write(h2->session);
}

bool weir_h2_is_over(const weir_h2 *h2)
{
    return !weir_h2_wants_pull(h2) && !nghttp2_session_want_read(h2->session);
}

const char *weir_h2_error(const weir_h2 *h2)
{
    return h2->why ? h2->why : h2->err ? weir_err_text(h2->err) : "";
}

/** @return WEIR_EMSGSIZE: more than a peer could be expected to take */
static weir_err to_library(const weir_h2_header *headers, size_t count, nghttp2_nv *out)
{
    size_t bytes = 0;
    if (count > MAX_FIELDS)
        return WEIR_EMSGSIZE;
    for (size_t i = 0; i < count; i++) {
        const weir_h2_header *h = &headers[i];
        if (h->name.len > MAX_BLOCK_BYTES || h->value.len > MAX_BLOCK_BYTES)
            return WEIR_EMSGSIZE;
        bytes += h->name.len + h->value.len + WEIR__H2_FIELD_OVERHEAD;
        out[i] = (nghttp2_nv){
            .name = (uint8_t *)(uintptr_t)h->name.ptr, /* the library copies it */
            .namelen = h->name.len,
            .value = (uint8_t *)(uintptr_t)h->value.ptr,
            .valuelen = h->value.len,
            .flags = h->sensitive ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE,
        };
    }
    return bytes <= MAX_BLOCK_BYTES ? WEIR_OK : WEIR_EMSGSIZE;
}

static weir_err result_of(int rv)
{
    if (rv >= 0)
        return WEIR_OK;
    return nghttp2_is_fatal(rv) ? WEIR_ENOMEM : WEIR_ECLOSED;
}

weir_err weir_h2_submit_request(weir_h2 *h2, const weir_h2_header *headers, size_t count, bool body,
                                void *stream, int32_t *id_out)
{
    nghttp2_nv fields[MAX_FIELDS];
    weir_err err = to_library(headers, count, fields);
    if (err != WEIR_OK)
        return err;
    if (h2->err != WEIR_OK || !nghttp2_session_check_request_allowed(h2->session))
        return WEIR_ECLOSED;
    if (h2->streams >= weir_h2_peer_max_streams(h2))
        return WEIR_EFULL;
    const nghttp2_data_provider provider = weir__h2_body_of(stream);
    int32_t id =
        nghttp2_submit_request(h2->session, NULL, fields, count, body ? &provider : NULL, stream);
    if (id < 0)
        return result_of(id);
    h2->streams++;
    *id_out = id;
    return WEIR_OK;
}

weir_err weir_h2_submit_response(weir_h2 *h2, int32_t id, const weir_h2_header *headers,
                                 size_t count, bool body)
{
    nghttp2_nv fields[MAX_FIELDS];
    weir_err err = to_library(headers, count, fields);
    if (err != WEIR_OK)
        return err;
    const nghttp2_data_provider provider = weir__h2_body_of(weir__h2_stream(h2->session, id));
    if (!provider.source.ptr)
        return WEIR_ECLOSED;
    return result_of(
        nghttp2_submit_response(h2->session, id, fields, count, body ? &provider : NULL));
}

weir_err weir_h2_submit_trailers(weir_h2 *h2, int32_t id, const weir_h2_header *headers,
                                 size_t count)
{
    nghttp2_nv fields[MAX_FIELDS];
    weir_err err = to_library(headers, count, fields);
    if (err != WEIR_OK)
        return err;
    return result_of(nghttp2_submit_trailer(h2->session, id, fields, count));
}

void weir_h2_body_ready(weir_h2 *h2, int32_t id)
{
    weir__h2_note(h2, nghttp2_session_resume_data(h2->session, id));
}

void weir_h2_reset(weir_h2 *h2, int32_t id, uint32_t code)
{
    bool unsent = h2->role == WEIR_H2_CLIENT && id > h2->last_opened;
    if (unsent || weir__h2_stream(h2->session, id))
        weir__h2_note(h2, nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, id, code));
}

void weir_h2_consume(weir_h2 *h2, int32_t id, size_t len)
{
    weir__h2_note(h2, nghttp2_session_consume_stream(h2->session, id, len));
}

void weir_h2_goaway_notice(weir_h2 *h2, const char *debug, uint64_t ping)
{
    h2->notice_ping = ping;
    h2->notice = debug;
    weir__h2_note(h2, nghttp2_submit_shutdown_notice(h2->session));
}

void weir_h2_goaway(weir_h2 *h2, uint32_t code, weir_str debug)
{
    size_t len = debug.len < MAX_GOAWAY_DEBUG ? debug.len : MAX_GOAWAY_DEBUG;
    weir__h2_note(h2, nghttp2_submit_goaway(h2->session, NGHTTP2_FLAG_NONE,
                                            nghttp2_session_get_last_proc_stream_id(h2->session),
                                            code, (const uint8_t *)debug.ptr, len));
}

void weir_h2_ping(weir_h2 *h2, uint64_t opaque)
{
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(opaque >> (56 - 8 * i));
    weir__h2_limits_earn(&h2->limits, WEIR__H2_SENT_PING);
    weir__h2_note(h2, nghttp2_submit_ping(h2->session, NGHTTP2_FLAG_NONE, bytes));
}

bool weir_h2_take_sent(weir_h2 *h2)
{
    bool sent = h2->sent;
    h2->sent = false;
    return sent;
}

bool weir_h2_is_sent(const weir_h2 *h2, int32_t id)
{
    return id <= h2->last_opened && id != h2->never_sent;
}

size_t weir_h2_window(const weir_h2 *h2, int32_t id)
{
    int32_t stream = nghttp2_session_get_stream_remote_window_size(h2->session, id);
    int32_t connection = nghttp2_session_get_remote_window_size(h2->session);
    int32_t window = stream < connection ? stream : connection;
    return window > 0 ? (size_t)window : 0;
}

size_t weir_h2_send_window(const weir_h2 *h2)
{
    int32_t window = nghttp2_session_get_remote_window_size(h2->session);
    return window > 0 ? (size_t)window : 0;
}

size_t weir_h2_receive_window(const weir_h2 *h2)
{
    int32_t window = nghttp2_session_get_local_window_size(h2->session);
    return window > 0 ? (size_t)window : 0;
}

size_t weir_h2_streams(const weir_h2 *h2)
{
    return h2->streams;
}

uint32_t weir_h2_peer_max_streams(const weir_h2 *h2)
{
    return nghttp2_session_get_remote_settings(h2->session,
                                               NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}
