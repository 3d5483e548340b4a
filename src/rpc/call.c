/* The public face of a call inside its loop. */
#include "call_impl.h"
#include "intercept.h"

static const char call_kind;

/** What the call's end of the method never does. */
static uint32_t never_allowed(const weir_call *call)
{
    if (call->ops->is_server)
        return WEIR__CALL_NO_HALF_CLOSE;
    return WEIR__CALL_NO_REPLY |
           (weir__client_streams(call->method) ? 0 : WEIR__CALL_NO_SEND | WEIR__CALL_NO_HALF_CLOSE);
}

weir_err weir__call_register(weir_call *call, uint32_t limit_bytes)
{
    weir_slots *slots = weir_loop_slots(call->loop);
    weir_err err = weir_slots_add(slots, &call_kind, call, weir_loop_number(call->loop),
                                  limit_bytes, &call->id.value);
    return err ? err : weir_slots_mark(slots, call->id.value, never_allowed(call), 0);
}

void weir__call_unregister(weir_call *call)
{
    weir_slots_remove(weir_loop_slots(call->loop), call->id.value);
}

weir_call *weir_call_get(weir_loop *loop, weir_call_id id)
{
    weir_loop_assert(loop);
    if (weir_slot_loop(id.value) != weir_loop_number(loop))
        return NULL;
    return weir_slots_get(weir_loop_slots(loop), &call_kind, id.value);
}

weir_call_id weir_call_id_of(const weir_call *call)
{
    return call->id;
}

weir_loop *weir_call_loop(const weir_call *call)
{
    return call->loop;
}

const weir_method *weir_call_method(const weir_call *call)
{
    return call->method;
}

void weir_call_set_data(weir_call *call, void *data)
{
    call->data = data;
}

void *weir_call_data(const weir_call *call)
{
    return call->data;
}

weir_addr weir_call_peer(const weir_call *call)
{
    static const weir_addr nobody;
    return call->link ? weir_conn_peer(call->link->conn) : nobody;
}

const weir_tls_info *weir_call_tls(const weir_call *call)
{
    return call->link ? weir_conn_tls(call->link->conn) : NULL;
}

weir_arena *weir_call_arena(weir_call *call)
{
    return call->arena;
}

weir_str weir_call_printf(weir_call *call, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    weir_str text = weir_arena_vprintf(call->arena, fmt, args);
    va_end(args);
    return text;
}

static const weir_metadata no_metadata;

const weir_metadata *weir_call_metadata(const weir_call *call)
{
    return call->wire ? weir_grpc_call_metadata(call->wire) : &no_metadata;
}

const weir_metadata *weir_call_trailers(const weir_call *call)
{
    return call->wire ? weir_grpc_call_trailers(call->wire) : &no_metadata;
}

bool weir_call_is_secure(weir_call *call)
{
    return call->ops->is_secure(call);
}

weir_str weir_call_identity(const weir_call *call)
{
    return call->identity.ptr ? call->identity : WEIR_STR("");
}

void weir_call_set_identity(weir_call *call, weir_str identity)
{
    call->identity = identity;
}

weir_time weir_call_deadline(const weir_call *call)
{
    return call->deadline;
}

int64_t weir_call_time_left_us(const weir_call *call)
{
    weir_time deadline = weir_call_deadline(call);
    if (deadline.us == WEIR_TIME_NEVER_US)
        return INT64_MAX;
    int64_t left = weir_time_diff(deadline, weir_time_now());
    return left > 0 ? left : 0;
}

weir_str weir_call_authority(const weir_call *call)
{
    return call->wire ? weir_grpc_call_authority(call->wire) : WEIR_STR("");
}

weir_err weir_call_add_header(weir_call *call, weir_str key, weir_str value)
{
    return call->ops->add_header(call, key, value);
}

weir_err weir_call_add_trailer(weir_call *call, weir_str key, weir_str value)
{
    return call->ops->is_server ? weir_grpc_add_trailer(call->wire, key, value) : WEIR_ESTATE;
}

weir_err weir_call_send_headers(weir_call *call)
{
    if (!call->ops->is_server)
        return WEIR_ESTATE;
    weir__link_wake(call->link);
    return weir_grpc_send_headers(call->wire);
}

/* Compression. */

weir_err weir_call_set_compression(weir_call *call, weir_compression compression)
{
    if (call->wire)
        return weir_grpc_call_set_compression(call->wire, compression);
    if (compression == WEIR_COMPRESSION_DEFAULT || (unsigned)compression >= WEIR_COMPRESSION_COUNT)
        return WEIR_EINVAL;
    call->compression = compression;
    return WEIR_OK;
}

weir_compression weir_call_compression(const weir_call *call)
{
    if (call->wire)
        return weir_grpc_call_compression(call->wire);
    return call->compression ? call->compression : WEIR_COMPRESSION_IDENTITY;
}

void weir_call_set_message_compression(weir_call *call, bool on)
{
    call->uncompressed = !on;
    if (call->wire)
        weir_grpc_call_set_message_compression(call->wire, on);
}

weir_compression weir_call_peer_compression(const weir_call *call)
{
    return call->wire ? weir_grpc_call_peer_compression(call->wire) : WEIR_COMPRESSION_IDENTITY;
}

bool weir_call_message_was_compressed(const weir_call *call)
{
    return call->wire && weir_grpc_call_message_was_compressed(call->wire);
}

size_t weir_call_unsent(const weir_call *call)
{
    return call->wire ? weir_grpc_call_unsent(call->wire) : 0;
}

/** A server's one message, where one is expected. */
static bool has_replied(const weir_call *call)
{
    return call->ops->is_server && !weir__server_streams(call->method) &&
           weir_grpc_call_has_sent(call->wire);
}

static weir_err send_kept(weir_call *call, const void *message);

/** Behind the interceptors. */
static weir_err send_message(weir_call *call, const void *message)
{
    if (call->keeps)
        return send_kept(call, message);
    size_t size = weir_message_size(call->sends, message);
    uint8_t *room = NULL;
    weir_err err = weir_grpc_send_begin(call->wire, size, &room);
    if (err)
        return err;
    err = weir_message_encode(call->sends, message, room, size);
    if (err) {
        weir_grpc_send_drop(call->wire);
        return err;
    }
    weir_grpc_send_end(call->wire);
    weir__link_wake(call->link);
    return WEIR_OK;
}

weir_err weir_call_send(weir_call *call, const void *message)
{
    if (!call->wire)
        return call->ops->wait_writable(call);
    if (has_replied(call))
        return WEIR_ESTATE;
    if (!weir__call_sees_sending(call))
        return send_message(call, message);
    if (!weir_grpc_is_writable(call->wire)) /* they see a message once */
        return WEIR_EAGAIN;
    message = weir__intercept_sending(call, message);
    return message ? send_message(call, message) : WEIR_OK;
}

static void release_payload(void *user)
{
    weir_payload_unref(user);
}

static weir_err queue_payload(weir_call *call, weir_payload *payload, weir_buf_release_fn release,
                              void *user)
{
    weir_err err = weir_grpc_send_check(call->wire, weir_payload_bytes(payload).len);
    if (err)
        return err;
    weir_str framed = weir__payload_framed_for(payload, call->wire);
    err = weir_grpc_send_framed(call->wire, (const uint8_t *)framed.ptr, framed.len, release, user);
    if (!err && call->keeps)
        call->ops->keep(call, payload);
    return err;
}

/** A message that may have to be sent again. */
static weir_err send_kept(weir_call *call, const void *message)
{
    weir_payload *payload;
    if (!weir_grpc_is_writable(call->wire))
        return WEIR_EAGAIN;
    weir_err err = weir_payload_new(&payload, call->sends, message);
    if (err)
        return err;
    err = queue_payload(call, payload, release_payload, payload);
    if (err)
        weir_payload_unref(payload);
    else
        weir__link_wake(call->link);
    return err;
}

weir_err weir__call_send_again(weir_call *call, weir_payload *payload)
{
    weir_str framed = weir__payload_framed_for(payload, call->wire);
    weir_err err = weir_grpc_send_framed(call->wire, (const uint8_t *)framed.ptr, framed.len,
                                         release_payload, weir_payload_ref(payload));
    if (err)
        weir_payload_unref(payload);
    return err;
}

/** What the interceptors make of a message that is encoded already. */
static weir_err send_intercepted(weir_call *call, weir_payload *payload,
                                 weir_buf_release_fn release, void *user)
{
    weir_payload *other = NULL;
    bool dropped = false;
    weir_err err = weir__intercept_payload(call, weir__payload_framed(payload), &other, &dropped);
    if (!err && !other && !dropped)
        return queue_payload(call, payload, release, user);
    if (!err && other) {
        err = queue_payload(call, other, release_payload, other);
        if (err)
            weir_payload_unref(other);
    }
    if (!err)
        release(user);
    return err;
}

weir_err weir__call_send_payload(weir_call *call, weir_payload *payload,
                                 weir_buf_release_fn release, void *user)
{
    weir_err err = WEIR_ESTATE;
    if (!has_replied(call))
        err = weir__call_sees_sending(call) ? send_intercepted(call, payload, release, user)
                                            : queue_payload(call, payload, release, user);
    if (err)
        release(user);
    else
        weir__link_wake(call->link);
    return err;
}

weir_err weir_call_send_payload(weir_call *call, weir_payload *payload)
{
    if (weir__payload_type(payload) != call->sends)
        return WEIR_EINVAL;
    if (!call->wire)
        return call->ops->wait_writable(call);
    if (!weir_grpc_is_writable(call->wire))
        return WEIR_EAGAIN;
    return weir__call_send_payload(call, payload, release_payload, weir_payload_ref(payload));
}

weir_err weir_call_reply(weir_call *call, const void *message)
{
    weir_err err = call->ops->is_server ? weir_call_send(call, message) : WEIR_ESTATE;
    return err ? err : weir_call_finish(call);
}

weir_err weir_call_finish(weir_call *call)
{
    return weir_call_finish_status(call, &(weir_status){WEIR_STATUS_OK, {0}, {0}});
}

weir_err weir_call_fail(weir_call *call, weir_status_code code, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    weir_str text = weir_arena_vprintf(call->arena, fmt, args);
    va_end(args);
    return weir_call_finish_status(call, &(weir_status){code, text, {0}});
}

weir_err weir_call_finish_status(weir_call *call, const weir_status *status)
{
    return call->ops->finish(call, status);
}

weir_err weir_call_half_close(weir_call *call)
{
    if (call->ops->is_server)
        return WEIR_ESTATE;
    if (!call->wire)
        return call->ops->half_close_early(call);
    weir__link_wake(call->link);
    weir_err err = weir_grpc_half_close(call->wire);
    return !err && call->keeps ? call->ops->half_close_early(call) : err;
}

void weir_call_cancel(weir_call *call)
{
    if (call->wire) {
        weir_grpc_cancel(call->wire);
        weir__link_wake(call->link);
    } else {
        call->ops->cancel_early(call);
    }
}

void weir_call_pause(weir_call *call)
{
    if (call->wire)
        weir_grpc_pause(call->wire);
}

void weir_call_resume(weir_call *call)
{
    if (!call->wire)
        return;
    weir_grpc_resume(call->wire);
    weir__link_wake(call->link);
}

void weir__call_malformed(weir_call *call, weir_err err)
{
    weir_status_code code =
        err == WEIR_ENOMEM ? WEIR_STATUS_RESOURCE_EXHAUSTED : WEIR_STATUS_INTERNAL;
    weir_grpc_end_call(call->wire, code, weir_err_text(err));
    weir__link_wake(call->link);
}

bool weir__call_decode(weir_call *call, weir_str bytes, weir_arena *arena, unsigned flags,
                       void **out)
{
    weir_err err = weir_message_decode(call->receives, out, arena, bytes, flags);
    if (!err)
        return true;
    weir__call_malformed(call, err);
    return false;
}
