/* What the peer sent, from nghttp2's callbacks to the owner's. */
#include "h2_nghttp2.h"

/* What a header list beyond its limit costs: one of flood_burst for so many bytes. */
enum {
    EXCESS_STEP = 64 << 10
};

/** Streams share the connection fairly: incremental, and whatever urgency the peer asks for. */
static int share_fairly(nghttp2_session *session, int32_t id)
{
    const nghttp2_extpri fair = {.urgency = NGHTTP2_EXTPRI_DEFAULT_URGENCY, .inc = 1};
    return nghttp2_session_change_extpri_stream_priority(session, id, &fair, 1);
}

static int open_stream(weir_h2 *h2, int32_t id)
{
    void *stream = h2->ops->on_open(h2, id, h2->user);
    if (!stream) {
        weir__h2_note(h2, nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, id,
                                                    NGHTTP2_REFUSED_STREAM));
        return h2->err ? NGHTTP2_ERR_CALLBACK_FAILURE : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    h2->streams++;
    h2->block.stream = stream;
    weir__h2_note(h2, nghttp2_session_set_stream_user_data(h2->session, id, stream));
    weir__h2_note(h2, share_fairly(h2->session, id));
    return h2->err ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    weir_h2 *h2 = user;
    h2->block = (struct block){0};
    if (frame->hd.type != NGHTTP2_HEADERS)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* a push, which we have forbidden */
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        return open_stream(h2, frame->hd.stream_id);
    h2->block.stream = weir__h2_stream(session, frame->hd.stream_id);
    return 0;
}

/** A field beyond the limits is decoded, because the table must stay right, and dropped; but the
 * time for that is not for nothing. */
static int drop_field(weir_h2 *h2, size_t bytes)
{
    h2->block.too_large = true;
    h2->block.excess += bytes;
    for (; h2->block.excess >= EXCESS_STEP; h2->block.excess -= EXCESS_STEP) {
        if (!weir__h2_limits_take(&h2->limits, WEIR__H2_FLOOD_HEADER_BYTES)) {
            weir__h2_calm_down(h2, WEIR__H2_FLOOD_HEADER_BYTES);
            return NGHTTP2_ERR_CALLBACK_FAILURE;
        }
    }
    return 0;
}

static int on_header(nghttp2_session *session WEIR_UNUSED, const nghttp2_frame *frame WEIR_UNUSED,
                     const uint8_t *name, size_t name_len, const uint8_t *value, size_t value_len,
                     uint8_t flags WEIR_UNUSED, void *user)
{
    weir_h2 *h2 = user;
    struct block *block = &h2->block;
    if (!block->stream)
        return 0;
    size_t bytes = name_len + value_len + WEIR__H2_FIELD_OVERHEAD;
    block->bytes += bytes;
    block->fields++;
    weir_str field = weir_str_of(name, name_len);
    if (weir_str_eq(field, WEIR_STR(":status")) && value_len > 0)
        block->status = (char)value[0];
    if (block->bytes > h2->opts.header_list_bytes || block->fields > h2->opts.header_list_fields)
        return drop_field(h2, bytes);
    h2->ops->on_header(h2, block->stream, field, weir_str_of(value, value_len), h2->user);
    return 0;
}

/** Bytes that RFC 9110 forbids make the message malformed; the library would drop the field. */
static int on_invalid_header(nghttp2_session *session WEIR_UNUSED,
                             const nghttp2_frame *frame WEIR_UNUSED,
                             const uint8_t *name WEIR_UNUSED, size_t name_len WEIR_UNUSED,
                             const uint8_t *value WEIR_UNUSED, size_t value_len WEIR_UNUSED,
                             uint8_t flags WEIR_UNUSED, void *user WEIR_UNUSED)
{
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static weir_h2_block block_kind(const weir_h2 *h2, const nghttp2_frame *frame)
{
    if (h2->role == WEIR_H2_SERVER)
        return frame->headers.cat == NGHTTP2_HCAT_REQUEST ? WEIR_H2_REQUEST : WEIR_H2_TRAILERS;
    if (h2->block.status == 0)
        return WEIR_H2_TRAILERS;
    return h2->block.status == '1' ? WEIR_H2_INFORMATIONAL : WEIR_H2_RESPONSE;
}

static void received_end(weir_h2 *h2, const nghttp2_frame *frame)
{
    void *stream = weir__h2_stream(h2->session, frame->hd.stream_id);
    if (stream && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
        h2->ops->on_end(h2, stream, h2->user);
}

static void received_headers(weir_h2 *h2, const nghttp2_frame *frame)
{
    if (h2->block.stream)
        h2->ops->on_headers_end(h2, h2->block.stream, block_kind(h2, frame), h2->block.too_large,
                                h2->user);
    received_end(h2, frame);
}

static void received_settings(weir_h2 *h2, const nghttp2_frame *frame)
{
    if ((frame->hd.flags & NGHTTP2_FLAG_ACK) == 0 && h2->ops->on_settings)
        h2->ops->on_settings(h2, h2->user);
}

static void received_ping(weir_h2 *h2, const nghttp2_frame *frame)
{
    if ((frame->hd.flags & NGHTTP2_FLAG_ACK) == 0) {
        if (h2->ops->on_ping)
            h2->ops->on_ping(h2, h2->user);
        return;
    }
    if (!h2->ops->on_ping_ack)
        return;
    uint64_t opaque = 0;
    for (int i = 0; i < 8; i++)
        opaque = opaque << 8 | frame->ping.opaque_data[i];
    h2->ops->on_ping_ack(h2, opaque, h2->user);
}

static void received_goaway(weir_h2 *h2, const nghttp2_goaway *goaway)
{
    if (h2->ops->on_goaway)
        h2->ops->on_goaway(h2, goaway->last_stream_id, goaway->error_code,
                           weir_str_of(goaway->opaque_data, goaway->opaque_data_len), h2->user);
}

static int on_frame_recv(nghttp2_session *session WEIR_UNUSED, const nghttp2_frame *frame,
                         void *user)
{
    weir_h2 *h2 = user;
    h2->last_type = frame->hd.type;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        received_headers(h2, frame);
        break;
    case NGHTTP2_DATA:
        received_end(h2, frame);
        break;
    case NGHTTP2_SETTINGS:
        received_settings(h2, frame);
        break;
    case NGHTTP2_PING:
        received_ping(h2, frame);
        break;
    case NGHTTP2_GOAWAY:
        received_goaway(h2, &frame->goaway);
        break;
    default:
        break;
    }
    return h2->err == WEIR_ENOMEM ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int on_data(nghttp2_session *session, uint8_t flags WEIR_UNUSED, int32_t id,
                   const uint8_t *data, size_t len, void *user)
{
    weir_h2 *h2 = user;
    void *stream = weir__h2_stream(session, id);
    h2->arrived += len;
    if (stream)
        h2->ops->on_data(h2, stream, data, len, h2->user);
    return h2->err == WEIR_ENOMEM ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
    weir_h2 *h2 = user;
    void *stream = weir__h2_stream(session, id);
    if (!stream)
        return 0;
    h2->streams--;
    if (!weir_h2_is_sent(h2, id))
        h2->never_sent = id;
    weir__h2_opened(h2, id);
    bool remote =
        h2->feeding && (h2->last_type == NGHTTP2_RST_STREAM || h2->last_type == NGHTTP2_GOAWAY);
    if (code == NGHTTP2_NO_ERROR && !remote)
        weir__h2_limits_earn(&h2->limits, WEIR__H2_STREAM_DONE);
    h2->ops->on_close(h2, stream, code, remote, h2->user);
    return 0;
}

void weir__h2_receive_callbacks(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, on_invalid_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
}
