/* What goes out: bodies, and what follows from a frame that was sent. */
#include "h2_nghttp2.h"

#include <string.h>

enum {
    FRAME_HEAD = 9,
    GOAWAY_BYTES = 8 /* without a text */
};

static ssize_t read_body(nghttp2_session *session WEIR_UNUSED, int32_t id WEIR_UNUSED,
                         uint8_t *buf WEIR_UNUSED, size_t max, uint32_t *flags,
                         nghttp2_data_source *source, void *user)
{
    weir_h2 *h2 = user;
    weir_h2_body body = {0};
    h2->ops->on_body(h2, source->ptr, max, &body, h2->user);
    if (body.len > max)
        WEIR_BUG("on_body gave %zu bytes where %zu were asked for: give at most `max`", body.len,
                 max);
    if (body.len == 0 && !body.end && !body.trailers)
        return NGHTTP2_ERR_DEFERRED;
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (body.end || body.trailers)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (body.trailers)
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    return (ssize_t)body.len;
}

/** The body goes from its owner into the output without a copy in between. */
static int write_body(nghttp2_session *session WEIR_UNUSED, nghttp2_frame *frame WEIR_UNUSED,
                      const uint8_t *head, size_t len, nghttp2_data_source *source, void *user)
{
    weir_h2 *h2 = user;
    weir_err err = weir_buf_append(h2->out, head, FRAME_HEAD);
    size_t before = weir_buf_len(h2->out);
    if (err == WEIR_OK && len > 0)
        err = h2->ops->on_body_write(h2, source->ptr, h2->out, len, h2->user);
    if (err != WEIR_OK) {
        weir__h2_out_of_memory(h2);
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    if (weir_buf_len(h2->out) - before != len)
        WEIR_BUG("on_body_write appended %zu bytes where %zu were promised",
                 weir_buf_len(h2->out) - before, len);
    return weir_buf_len(h2->out) >= h2->out_limit ? NGHTTP2_ERR_PAUSE : 0;
}

/** Resets that the peer has brought about; those that the owner decides have other codes. */
static bool is_peers_fault(uint32_t code)
{
    return code == NGHTTP2_PROTOCOL_ERROR || code == NGHTTP2_FLOW_CONTROL_ERROR ||
           code == NGHTTP2_STREAM_CLOSED || code == NGHTTP2_FRAME_SIZE_ERROR ||
           code == NGHTTP2_REFUSED_STREAM;
}

/** A server that has said everything does not want the rest of the request (RFC 9113 8.1). */
static void sent_end(weir_h2 *h2, const nghttp2_frame *frame)
{
    int32_t id = frame->hd.stream_id;
    if (h2->role == WEIR_H2_SERVER && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0 &&
        nghttp2_session_get_stream_remote_close(h2->session, id) == 0)
        weir_h2_reset(h2, id, WEIR_H2_NO_ERROR);
}

static void sent_request(weir_h2 *h2, int32_t id)
{
    weir__h2_opened(h2, id);
    weir__h2_limits_earn(&h2->limits, WEIR__H2_SENT_REQUEST);
}

/** The library would send a PING before a GOAWAY that was submitted earlier. */
static void sent_goaway(weir_h2 *h2, const nghttp2_goaway *goaway)
{
    if (h2->notice_ping)
        weir_h2_ping(h2, h2->notice_ping);
    h2->notice_ping = 0;
    if (h2->ending)
        weir__h2_explain(h2, "%s%s%.*s", weir_h2_code_name(goaway->error_code),
                         goaway->opaque_data_len > 0 ? ": " : "", (int)goaway->opaque_data_len,
                         (const char *)goaway->opaque_data);
}

static int on_frame_send(nghttp2_session *session WEIR_UNUSED, const nghttp2_frame *frame,
                         void *user)
{
    weir_h2 *h2 = user;
    switch (frame->hd.type) {
    case NGHTTP2_DATA:
        h2->sent = true;
        weir__h2_limits_sent_data(&h2->limits, frame->hd.length);
        sent_end(h2, frame);
        break;
    case NGHTTP2_HEADERS:
        h2->sent = true;
        if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
            sent_request(h2, frame->hd.stream_id);
        sent_end(h2, frame);
        break;
    case NGHTTP2_RST_STREAM:
        if (is_peers_fault(frame->rst_stream.error_code) &&
            !weir__h2_limits_take(&h2->limits, WEIR__H2_FLOOD_RESET))
            weir__h2_calm_down(h2, WEIR__H2_FLOOD_RESET);
        break;
    case NGHTTP2_GOAWAY:
        sent_goaway(h2, &frame->goaway);
        break;
    default:
        break;
    }
    return 0;
}

void weir__h2_send_callbacks(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_send_data_callback(callbacks, write_body);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
}

nghttp2_data_provider weir__h2_body_of(void *stream)
{
    return (nghttp2_data_provider){.source.ptr = stream, .read_callback = read_body};
}

/** A GOAWAY that the library wrote says only a number: the reason is added. */
static weir_err append_goaway(weir_h2 *h2, weir_buf *out, const uint8_t *frame)
{
    const char *text = h2->why ? h2->why : h2->notice ? h2->notice : "";
    size_t len = strlen(text);
    uint8_t head[FRAME_HEAD + GOAWAY_BYTES];
    memcpy(head, frame, sizeof head);
    head[2] = (uint8_t)(GOAWAY_BYTES + len);
    weir_err err = weir_buf_append(out, head, sizeof head);
    return err ? err : weir_buf_append(out, text, len);
}

static weir_err append_frame(weir_h2 *h2, weir_buf *out, const uint8_t *frame, size_t len)
{
    if (len == FRAME_HEAD + GOAWAY_BYTES && frame[3] == NGHTTP2_GOAWAY)
        return append_goaway(h2, out, frame);
    return weir_buf_append(out, frame, len);
}

weir_err weir__h2_drain(weir_h2 *h2, weir_buf *out, size_t limit)
{
    h2->out = out;
    h2->out_limit = limit;
    while (weir_buf_len(out) < limit && nghttp2_session_want_write(h2->session)) {
        const uint8_t *frame;
        ssize_t len = nghttp2_session_mem_send(h2->session, &frame);
        if (len == 0)
            break;
        if (len < 0 || append_frame(h2, out, frame, (size_t)len) != WEIR_OK)
            return weir__h2_out_of_memory(h2);
    }
    return WEIR_OK;
}
