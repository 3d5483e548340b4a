#include <stdatomic.h>
#include <stdlib.h>

#include "call_impl.h"

struct weir_payload {
    atomic_size_t refs;
    const weir_message *type;
    size_t len;
    uint8_t framed[];
};

weir_err weir_payload_new(weir_payload **out, const weir_message *type, const void *message)
{
    size_t size = weir_message_size(type, message);
    if (size > UINT32_MAX - WEIR_GRPC_PREFIX)
        return WEIR_EMSGSIZE;
    weir_payload *payload = malloc(sizeof *payload + WEIR_GRPC_PREFIX + size);
    if (!payload)
        return WEIR_ENOMEM;
    atomic_init(&payload->refs, 1);
    payload->type = type;
    payload->len = WEIR_GRPC_PREFIX + size;
    weir_grpc_prefix(payload->framed, (uint32_t)size);
    weir_err err = weir_message_encode(type, message, payload->framed + WEIR_GRPC_PREFIX, size);
    if (err) {
        free(payload);
        return err;
    }
    *out = payload;
    return WEIR_OK;
}

weir_payload *weir_payload_ref(weir_payload *payload)
{
    atomic_fetch_add_explicit(&payload->refs, 1, memory_order_relaxed);
    return payload;
}

void weir_payload_unref(weir_payload *payload)
{
    if (payload && atomic_fetch_sub_explicit(&payload->refs, 1, memory_order_acq_rel) == 1)
        free(payload);
}

weir_str weir_payload_bytes(const weir_payload *payload)
{
    return weir_str_of(payload->framed + WEIR_GRPC_PREFIX, payload->len - WEIR_GRPC_PREFIX);
}

weir_str weir__payload_framed(const weir_payload *payload)
{
    return weir_str_of(payload->framed, payload->len);
}

const weir_message *weir__payload_type(const weir_payload *payload)
{
    return payload->type;
}
