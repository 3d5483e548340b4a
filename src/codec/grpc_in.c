/* Incoming bytes, cut into messages (PROTOCOL-HTTP2 "Length-Prefixed-Message"). */
#include "grpc_impl.h"

enum {
    FIRST_BLOCK = 4096
};

void weir__grpc_in_free(weir_grpc_call *call)
{
    if (call->in.block)
        weir_pool_put(call->grpc->pool, call->in.block, call->in.block_size);
    call->in.block = NULL;
    call->in.block_size = 0;
}

/** Whether the owner still wants messages. */
static bool is_listening(const weir_grpc_call *call)
{
    bool answered = call->grpc->role == WEIR_H2_SERVER && call->out_ended;
    return call->announced && !call->reset && !answered && !call->decided;
}

/** `message` is the call's own or lies in the input. */
static void deliver(weir_grpc_call *call, weir_str message)
{
    if (call->in.compressed && !weir__grpc_decompress(call, message, &message))
        return;
    call->got_message = true;
    call->grpc->traffic.messages_received++;
    call->grpc->traffic.last_received = weir_timers_now(call->grpc->timers);
    call->grpc->ops->on_message(call, message, call->grpc->user);
}

/** Room for more of the message: what the peer announces is not believed before it is sent. */
static bool grow_block(weir_grpc_call *call)
{
    weir__in *in = &call->in;
    size_t size = in->block_size ? 2 * in->block_size : FIRST_BLOCK;
    if (size > in->need)
        size = in->need;
    uint8_t *block = weir_pool_get(call->grpc->pool, size);
    if (!block) {
        weir__grpc_fail(call, WEIR_STATUS_RESOURCE_EXHAUSTED, "out of memory for a message");
        return false;
    }
    if (in->have > 0)
        memcpy(block, in->block, in->have);
    weir__grpc_in_free(call);
    in->block = block;
    in->block_size = size;
    return true;
}

/** Whether the prefix announces a message that may come. */
static bool check_prefix(weir_grpc_call *call)
{
    weir__in *in = &call->in;
    in->need = (uint32_t)in->prefix[1] << 24 | (uint32_t)in->prefix[2] << 16 |
               (uint32_t)in->prefix[3] << 8 | in->prefix[4];
    in->have = 0;
    if (call->expect_one && call->got_message) {
        weir__grpc_fail(call, WEIR_STATUS_UNIMPLEMENTED,
                        "cardinality violation: a second message where one was expected");
        return false;
    }
    in->compressed = in->prefix[0] != 0;
    if (in->compressed && !weir__grpc_check_flag(call))
        return false;
    if (in->need <= call->grpc->opts.max_receive_bytes)
        return true;
    weir__grpc_fail(call, WEIR_STATUS_RESOURCE_EXHAUSTED,
                    "a message of %lu bytes is larger than the limit of %zu",
                    (unsigned long)in->need, call->grpc->opts.max_receive_bytes);
    return false;
}

static size_t take_prefix(weir_grpc_call *call, const uint8_t *data, size_t len)
{
    weir__in *in = &call->in;
    size_t want = WEIR_GRPC_PREFIX - in->prefix_len;
    size_t got = len < want ? len : want;
    memcpy(in->prefix + in->prefix_len, data, got);
    in->prefix_len = (uint8_t)(in->prefix_len + got);
    return got;
}

/** The message lies in the input whole: no copy, unless it has to outlive the input. */
static void deliver_whole(weir_grpc_call *call, const uint8_t *data)
{
    weir__in *in = &call->in;
    in->prefix_len = 0;
    if (!call->expect_one || in->need == 0 || in->compressed) {
        deliver(call, weir_str_of(data, in->need));
        if (in->compressed && !call->expect_one)
            weir__grpc_in_free(call);
        return;
    }
    uint8_t *own = weir_arena_alloc(&call->arena, in->need);
    if (!own) {
        weir__grpc_fail(call, WEIR_STATUS_RESOURCE_EXHAUSTED, "out of memory for a message");
        return;
    }
    memcpy(own, data, in->need);
    deliver(call, weir_str_of(own, in->need));
}

/** Adds a piece to the message; the last one delivers it. */
static size_t take_piece(weir_grpc_call *call, const uint8_t *data, size_t len)
{
    weir__in *in = &call->in;
    if (in->have == in->block_size && !grow_block(call))
        return len;
    size_t room = in->block_size - in->have;
    size_t got = len < room ? len : room;
    memcpy(in->block + in->have, data, got);
    in->have += (uint32_t)got;
    if (in->have == in->need) {
        in->prefix_len = 0;
        deliver(call, weir_str_of(in->block, in->need));
        if (!call->expect_one)
            weir__grpc_in_free(call);
        in->have = 0;
    }
    return got;
}

/** @return bytes used; fewer than `len` only when the owner paused */
static size_t take(weir_grpc_call *call, const uint8_t *data, size_t len)
{
    weir__in *in = &call->in;
    size_t used = 0;
    while (used < len && !call->paused) {
        if (!is_listening(call))
            return len;
        if (in->prefix_len < WEIR_GRPC_PREFIX) {
            used += take_prefix(call, data + used, len - used);
            if (in->prefix_len < WEIR_GRPC_PREFIX || !check_prefix(call))
                continue;
            if (len - used >= in->need) {
                size_t size = in->need;
                deliver_whole(call, data + used);
                used += size;
            }
        } else {
            used += take_piece(call, data + used, len - used);
        }
    }
    return used;
}

void weir__grpc_on_data(weir_h2 *h2, void *stream, const uint8_t *data, size_t len,
                        void *user WEIR_UNUSED)
{
    weir_grpc_call *call = stream;
    size_t used = 0;
    weir__grpc_touch(call);
    if (weir_buf_len(&call->held) == 0) {
        call->delivering = true;
        used = take(call, data, len);
        call->delivering = false;
        weir_h2_consume(h2, call->id, used);
    }
    if (used < len && weir_buf_append(&call->held, data + used, len - used))
        weir__grpc_fail(call, WEIR_STATUS_RESOURCE_EXHAUSTED, "out of memory for held messages");
}

/** What a client's call ends with when everything has arrived. */
static void decide_client(weir_grpc_call *call)
{
    if (call->grpc_status < 0)
        weir__grpc_decide(call, WEIR_STATUS_UNKNOWN, WEIR_STR("the server sent no grpc-status"));
    else if (call->grpc_status == WEIR_STATUS_OK && call->in.prefix_len > 0)
        weir__grpc_decide(call, WEIR_STATUS_INTERNAL, WEIR_STR("the last message was cut off"));
    else if (call->grpc_status == WEIR_STATUS_OK && call->expect_one && !call->got_message)
        weir__grpc_decide(call, WEIR_STATUS_UNIMPLEMENTED,
                          WEIR_STR("cardinality violation: status OK without a message"));
    else if (!call->decided)
        call->status.details = call->grpc_details;
    weir_status_code code = call->grpc_status <= WEIR_STATUS_UNAUTHENTICATED
                                ? (weir_status_code)call->grpc_status
                                : WEIR_STATUS_UNKNOWN;
    weir__grpc_decide(call, code, call->grpc_message);
    if (!call->end_sent)
        weir__grpc_reset(call, WEIR_H2_NO_ERROR);
}

static void end_server(weir_grpc_call *call)
{
    if (call->in.prefix_len > 0)
        weir__grpc_fail(call, WEIR_STATUS_INTERNAL, "the last message was cut off");
    else if (call->expect_one && !call->got_message)
        weir__grpc_fail(call, WEIR_STATUS_UNIMPLEMENTED,
                        "cardinality violation: no message where one was expected");
    else
        call->grpc->ops->on_half_close(call, call->grpc->user);
}

void weir__grpc_peer_ended(weir_grpc_call *call)
{
    if (call->end_delivered || weir_buf_len(&call->held) > 0)
        return;
    call->end_delivered = true;
    if (call->grpc->role == WEIR_H2_CLIENT)
        decide_client(call);
    else if (is_listening(call))
        end_server(call);
}

void weir__grpc_on_end(weir_h2 *h2 WEIR_UNUSED, void *stream, void *user WEIR_UNUSED)
{
    weir_grpc_call *call = stream;
    call->peer_ended = true;
    weir__grpc_peer_ended(call);
}

void weir_grpc_pause(weir_grpc_call *call)
{
    call->paused = true;
}

void weir_grpc_resume(weir_grpc_call *call)
{
    call->paused = false;
    weir__grpc_touch(call);
    if (call->delivering)
        return;
    call->delivering = true;
    while (!call->paused && weir_buf_len(&call->held) > 0) {
        weir_str front = weir_buf_front(&call->held);
        size_t used = take(call, (const uint8_t *)front.ptr, front.len);
        weir_buf_retrieve(&call->held, used);
        weir_h2_consume(call->grpc->h2, call->id, used);
    }
    call->delivering = false;
    if (call->peer_ended && weir_buf_len(&call->held) == 0) {
        weir__grpc_peer_ended(call);
        weir__grpc_settle(call);
    }
}
