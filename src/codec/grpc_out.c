/* Outgoing messages: a queue per call, which HTTP/2 empties as the windows allow. */
#include "grpc_impl.h"

weir__out *weir__grpc_out_new(weir_grpc *grpc, size_t size)
{
    size_t block_size = sizeof(weir__out) + WEIR_GRPC_PREFIX + size;
    weir__out *out = weir_pool_get(grpc->pool, block_size);
    if (out)
        *out = (weir__out){.bytes = (uint8_t *)(out + 1),
                           .len = WEIR_GRPC_PREFIX + size,
                           .block_size = block_size};
    return out;
}

void weir__grpc_out_free(weir_grpc *grpc, weir__out *out)
{
    if (out->release)
        out->release(out->user);
    weir_pool_put(grpc->pool, out, out->block_size);
}

void weir__grpc_out_clear(weir_grpc_call *call)
{
    while (call->out_first) {
        weir__out *out = call->out_first;
        call->out_first = out->next;
        weir__grpc_out_free(call->grpc, out);
    }
    if (call->out_begun)
        weir__grpc_out_free(call->grpc, call->out_begun);
    call->out_last = call->out_begun = NULL;
    call->out_bytes = 0;
}

bool weir__grpc_out_forget(weir_grpc_call *call)
{
    if (call->out_ended || call->out_partial)
        return false;
    if (call->out_bytes > 0 && weir_h2_window(call->grpc->h2, call->id) == 0)
        return false;
    weir__grpc_out_clear(call);
    return true;
}

weir_err weir_grpc_send_check(const weir_grpc_call *call, size_t size)
{
    if (call->reset)
        return WEIR_ECLOSED;
    if (call->out_ended || call->out_begun)
        return WEIR_ESTATE;
    if (size > call->grpc->opts.max_send_bytes)
        return WEIR_EMSGSIZE;
    return WEIR_OK;
}

/** Sending is possible again: the owner hears of it after the pull. */
static void drained(weir_grpc_call *call)
{
    if (!call->wants_writable || call->out_bytes > call->grpc->opts.send_high_water / 2)
        return;
    call->wants_writable = false;
    if (!weir_list_linked(&call->writable_node))
        weir_list_append(&call->grpc->writable, &call->writable_node);
}

void weir_grpc_want_writable(weir_grpc_call *call)
{
    call->wants_writable = true;
    drained(call);
}

bool weir_grpc_is_writable(weir_grpc_call *call)
{
    if (call->out_bytes < call->grpc->opts.send_high_water)
        return true;
    call->wants_writable = true;
    return false;
}

static void push(weir_grpc_call *call, weir__out *out)
{
    if (call->out_first)
        call->out_last->next = out;
    else
        call->out_first = out;
    call->out_last = out;
    call->queued = true;
    call->out_bytes += out->len;
    bool server = call->grpc->role == WEIR_H2_SERVER;
    if (server && !call->headers_sent && weir__grpc_submit_response(call, false)) {
        weir__grpc_decide(call, WEIR_STATUS_RESOURCE_EXHAUSTED, WEIR_STR("out of memory"));
        weir__grpc_reset(call, WEIR_H2_INTERNAL_ERROR);
        return;
    }
    if (call->out_first == out)
        weir_h2_body_ready(call->grpc->h2, call->id);
}

void weir_grpc_prefix(uint8_t out[WEIR_GRPC_PREFIX], bool compressed, uint32_t size)
{
    out[0] = compressed;
    out[1] = (uint8_t)(size >> 24);
    out[2] = (uint8_t)(size >> 16);
    out[3] = (uint8_t)(size >> 8);
    out[4] = (uint8_t)size;
}

weir_err weir_grpc_send_begin(weir_grpc_call *call, size_t size, uint8_t **room)
{
    weir_err err = weir_grpc_send_check(call, size);
    if (err)
        return err;
    if (!weir_grpc_is_writable(call))
        return WEIR_EAGAIN;
    weir__out *out = weir__grpc_out_new(call->grpc, size);
    if (!out)
        return WEIR_ENOMEM;
    uint8_t *framed = (uint8_t *)(out + 1);
    weir_grpc_prefix(framed, false, (uint32_t)size);
    call->out_begun = out;
    *room = framed + WEIR_GRPC_PREFIX;
    return WEIR_OK;
}

void weir__grpc_out_unframe(weir_grpc_call *call)
{
    call->out_begun->bytes += WEIR_GRPC_PREFIX;
    call->out_begun->len -= WEIR_GRPC_PREFIX;
}

void weir_grpc_send_end(weir_grpc_call *call)
{
    weir__out *out = call->out_begun;
    if (!out)
        return;
    call->out_begun = NULL;
    if (call->sends > WEIR_COMPRESSION_IDENTITY)
        out = weir__grpc_compressed(call, out);
    push(call, out);
}

void weir_grpc_send_drop(weir_grpc_call *call)
{
    if (call->out_begun)
        weir__grpc_out_free(call->grpc, call->out_begun);
    call->out_begun = NULL;
}

weir_err weir_grpc_send_framed(weir_grpc_call *call, const uint8_t *framed, size_t len,
                               weir_buf_release_fn release, void *user)
{
    weir_err err = weir_grpc_send_check(call, len - WEIR_GRPC_PREFIX);
    if (err)
        return err;
    weir__out *out = weir_pool_get(call->grpc->pool, sizeof *out);
    if (!out)
        return WEIR_ENOMEM;
    *out = (weir__out){
        .bytes = framed, .len = len, .block_size = sizeof *out, .release = release, .user = user};
    push(call, out);
    return WEIR_OK;
}

weir_err weir_grpc_half_close(weir_grpc_call *call)
{
    if (call->out_ended)
        return WEIR_ESTATE;
    call->out_ended = call->queued = true;
    weir_h2_body_ready(call->grpc->h2, call->id);
    return WEIR_OK;
}

weir_err weir_grpc_add_header(weir_grpc_call *call, weir_str key, weir_str value)
{
    if (call->headers_sent || call->out_ended)
        return WEIR_ESTATE;
    return weir_metadata_add(&call->headers, &call->arena, key, value);
}

weir_err weir_grpc_add_trailer(weir_grpc_call *call, weir_str key, weir_str value)
{
    if (call->out_ended)
        return WEIR_ESTATE;
    return weir_metadata_add(&call->trailers, &call->arena, key, value);
}

weir_err weir_grpc_send_headers(weir_grpc_call *call)
{
    if (call->out_ended)
        return WEIR_ESTATE;
    return call->headers_sent ? WEIR_OK : weir__grpc_submit_response(call, false);
}

weir_err weir_grpc_finish(weir_grpc_call *call, const weir_status *status)
{
    if (call->out_ended)
        return WEIR_ESTATE;
    weir_str details = status->details;
    weir__grpc_decide(call, status->code, status->message);
    if (details.len > 0)
        call->status.details = weir_arena_copy(&call->arena, details);
    call->out_ended = true;
    weir_err err = WEIR_OK;
    if (call->headers_sent) {
        weir_h2_body_ready(call->grpc->h2, call->id);
    } else {
        bool only = call->headers.len == 0;
        call->end_sent = only;
        err = weir__grpc_submit_response(call, only);
    }
    if (err)
        weir__grpc_reset(call, WEIR_H2_INTERNAL_ERROR);
    return err;
}

void weir__grpc_on_body(weir_h2 *h2 WEIR_UNUSED, void *stream, size_t max, weir_h2_body *out,
                        void *user WEIR_UNUSED)
{
    weir_grpc_call *call = stream;
    out->len = call->out_bytes < max ? call->out_bytes : max;
    out->end = call->out_ended && out->len == call->out_bytes;
    if (!out->end)
        return;
    call->end_sent = true;
    if (call->grpc->role == WEIR_H2_SERVER && !call->plain)
        out->trailers = weir__grpc_submit_trailers(call) == WEIR_OK;
}

weir_err weir__grpc_on_body_write(weir_h2 *h2 WEIR_UNUSED, void *stream, weir_buf *buf, size_t len,
                                  void *user WEIR_UNUSED)
{
    weir_grpc_call *call = stream;
    weir__grpc_touch(call);
    call->out_bytes -= len;
    while (len > 0) {
        weir__out *out = call->out_first;
        size_t part = out->len < len ? out->len : len;
        if (weir_buf_append(buf, out->bytes, part))
            return WEIR_ENOMEM;
        out->bytes += part;
        out->len -= part;
        len -= part;
        call->out_partial = out->len > 0;
        if (out->len == 0) {
            call->grpc->traffic.messages_sent++;
            call->grpc->traffic.last_sent = weir_timers_now(call->grpc->timers);
            call->out_first = out->next;
            weir__grpc_out_free(call->grpc, out);
        }
    }
    drained(call);
    return WEIR_OK;
}
