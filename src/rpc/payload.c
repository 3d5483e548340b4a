/* Messages that are encoded once, and compressed once in each encoding, for any number of calls. */
#include <stdatomic.h>
#include <stdlib.h>

#include "call_impl.h"

/** The message in one encoding. */
typedef struct compressed {
    size_t len;
    uint8_t framed[];
} compressed;

struct weir_payload {
    atomic_size_t refs;
    const weir_message *type;
    /* By encoding: NULL until a call needs it. Any thread; the first one wins. */
    _Atomic(compressed *) compressed[WEIR_COMPRESSION_COUNT];
    bool uncompressed; /* for ever */
    size_t len;
    uint8_t framed[];
};

/** Stands where compression did not make the message smaller. */
static compressed not_smaller;

weir_err weir_payload_new(weir_payload **out, const weir_message *type, const void *message)
{
    size_t size = weir_message_size(type, message);
    if (size > UINT32_MAX - WEIR_GRPC_PREFIX)
        return WEIR_EMSGSIZE;
    weir_payload *payload = malloc(sizeof *payload + WEIR_GRPC_PREFIX + size);
    if (!payload)
        return WEIR_ENOMEM;
    atomic_init(&payload->refs, 1);
    for (int i = 0; i < WEIR_COMPRESSION_COUNT; i++)
        atomic_init(&payload->compressed[i], NULL);
    payload->type = type;
    payload->uncompressed = size < WEIR_COMPRESS_MIN_BYTES;
    payload->len = WEIR_GRPC_PREFIX + size;
    weir_grpc_prefix(payload->framed, false, (uint32_t)size);
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

static void free_compressed(compressed *form)
{
    if (form != &not_smaller)
        free(form);
}

void weir_payload_unref(weir_payload *payload)
{
    if (!payload || atomic_fetch_sub_explicit(&payload->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (int i = 0; i < WEIR_COMPRESSION_COUNT; i++)
        free_compressed(atomic_load_explicit(&payload->compressed[i], memory_order_relaxed));
    free(payload);
}

void weir_payload_set_compression(weir_payload *payload, bool on)
{
    payload->uncompressed = !on || payload->len < WEIR_GRPC_PREFIX + WEIR_COMPRESS_MIN_BYTES;
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

/** @return what the payload keeps; NULL: out of memory */
static compressed *compress(const weir_payload *payload, weir_compression compression,
                            weir_compressors *compressors)
{
    weir_str plain = weir_payload_bytes(payload);
    compressed *form = malloc(sizeof *form + payload->len);
    if (!form)
        return NULL;
    size_t len = 0;
    weir_err err = weir_compress(compressors, compression, plain, form->framed + WEIR_GRPC_PREFIX,
                                 plain.len - 1, &len);
    if (err) {
        free(form);
        return err == WEIR_EMSGSIZE ? &not_smaller : NULL;
    }
    weir_grpc_prefix(form->framed, true, (uint32_t)len);
    form->len = WEIR_GRPC_PREFIX + len;
    compressed *shrunk = realloc(form, sizeof *form + form->len);
    return shrunk ? shrunk : form;
}

/** The form that all calls share from now on. */
static compressed *compressed_once(weir_payload *payload, weir_compression compression,
                                   weir_compressors *compressors)
{
    _Atomic(compressed *) *place = &payload->compressed[compression];
    compressed *form = atomic_load_explicit(place, memory_order_acquire);
    if (form)
        return form;
    form = compress(payload, compression, compressors);
    compressed *other = NULL;
    if (!form || atomic_compare_exchange_strong_explicit(place, &other, form, memory_order_acq_rel,
                                                         memory_order_acquire))
        return form;
    free_compressed(form);
    return other;
}

weir_str weir__payload_framed_for(weir_payload *payload, weir_grpc_call *wire)
{
    weir_compression compression = weir_grpc_call_next_compression(wire);
    if (compression <= WEIR_COMPRESSION_IDENTITY || payload->uncompressed)
        return weir__payload_framed(payload);
    weir_compressors *compressors = weir_grpc_call_compressors(wire);
    const compressed *form =
        compressors ? compressed_once(payload, compression, compressors) : NULL;
    if (!form || form == &not_smaller)
        return weir__payload_framed(payload);
    return weir_str_of(form->framed, form->len);
}
