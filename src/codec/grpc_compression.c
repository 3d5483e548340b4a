/* Compression of a call's messages (grpc/doc/compression.md): what the headers say about it, and
 * messages on their way in and out. */
#include "grpc_impl.h"

/* Headers. */

void weir__grpc_read_encoding(weir_grpc_call *call, weir_str value)
{
    call->receives = (uint8_t)weir_compression_from_name(value);
    if (call->receives == WEIR_COMPRESSION_DEFAULT)
        call->fields |= WEIR__UNKNOWN_ENCODING;
}

static weir_str without_spaces(weir_str s)
{
    while (s.len > 0 && (*s.ptr == ' ' || *s.ptr == '\t'))
        s = weir_str_of(s.ptr + 1, s.len - 1);
    while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
        s.len--;
    return s;
}

static uint8_t parse_accepted(weir_str value)
{
    uint8_t accepted = 0;
    while (value.len > 0) {
        const char *comma = memchr(value.ptr, ',', value.len);
        size_t len = comma ? (size_t)(comma - value.ptr) : value.len;
        weir_str name = without_spaces(weir_str_of(value.ptr, len));
        accepted |= (uint8_t)(1u << weir_compression_from_name(name));
        size_t used = comma ? len + 1 : len;
        value = weir_str_of(value.ptr + used, value.len - used);
    }
    return accepted;
}

void weir__grpc_read_accepted(weir_grpc_call *call, weir_str value)
{
    weir_grpc *grpc = call->grpc;
    if (!weir_str_eq(value, weir_str_of(grpc->accepted_text, grpc->accepted_len))) {
        grpc->accepted = parse_accepted(value);
        grpc->accepted_len = value.len <= WEIR__ACCEPTED_MAX ? (uint8_t)value.len : 0;
        memcpy(grpc->accepted_text, value.ptr, grpc->accepted_len);
    }
    call->accepts |= value.len > 0 ? grpc->accepted : 0;
}

/* What the owner asks and is told. */

weir_err weir_grpc_call_set_compression(weir_grpc_call *call, weir_compression compression)
{
    if (compression == WEIR_COMPRESSION_DEFAULT || (unsigned)compression >= WEIR_COMPRESSION_COUNT)
        return WEIR_EINVAL;
    if (call->grpc->role == WEIR_H2_CLIENT || call->headers_sent || call->out_ended)
        return WEIR_ESTATE;
    bool taken = call->accepts & 1u << compression;
    call->sends = (uint8_t)(taken ? compression : WEIR_COMPRESSION_IDENTITY);
    return WEIR_OK;
}

void weir_grpc_call_set_message_compression(weir_grpc_call *call, bool on)
{
    call->uncompressed = !on;
}

weir_compression weir_grpc_call_compression(const weir_grpc_call *call)
{
    return (weir_compression)call->sends;
}

weir_compression weir_grpc_call_next_compression(const weir_grpc_call *call)
{
    return call->uncompressed ? WEIR_COMPRESSION_IDENTITY : weir_grpc_call_compression(call);
}

weir_compression weir_grpc_call_peer_compression(const weir_grpc_call *call)
{
    return (weir_compression)call->receives;
}

bool weir_grpc_call_message_was_compressed(const weir_grpc_call *call)
{
    return call->in.compressed;
}

weir_compressors *weir_grpc_call_compressors(weir_grpc_call *call)
{
    weir_grpc *grpc = call->grpc;
    if (grpc->opts.compressors)
        return grpc->opts.compressors;
    if (!grpc->own_compressors && weir_compressors_new(&grpc->own_compressors, grpc->timers))
        return NULL;
    return grpc->own_compressors;
}

/* Out. */

/** Compresses into `scratch`, which has as much room as the message has bytes. */
static weir__out *compress_through(weir_grpc_call *call, weir__out *out, uint8_t *scratch)
{
    weir_compressors *compressors = weir_grpc_call_compressors(call);
    weir_str plain = weir_str_of(out->bytes + WEIR_GRPC_PREFIX, out->len - WEIR_GRPC_PREFIX);
    size_t len = 0;
    if (!compressors || weir_compress(compressors, weir_grpc_call_compression(call), plain, scratch,
                                      plain.len - 1, &len))
        return out;
    weir__out *smaller = weir__grpc_out_new(call->grpc, len);
    if (!smaller)
        return out;
    uint8_t *framed = (uint8_t *)(smaller + 1);
    weir_grpc_prefix(framed, true, (uint32_t)len);
    memcpy(framed + WEIR_GRPC_PREFIX, scratch, len);
    weir__grpc_out_free(call->grpc, out);
    return smaller;
}

/* The block that is queued is as small as what it holds: a reader who is slow must not make us keep
 * room for the messages as they were. */
weir__out *weir__grpc_compressed(weir_grpc_call *call, weir__out *out)
{
    size_t size = out->len - WEIR_GRPC_PREFIX;
    if (call->uncompressed || size < WEIR_COMPRESS_MIN_BYTES)
        return out;
    uint8_t *scratch = weir_pool_get(call->grpc->pool, size);
    if (!scratch)
        return out;
    out = compress_through(call, out, scratch);
    weir_pool_put(call->grpc->pool, scratch, size);
    return out;
}

/* In. */

bool weir__grpc_check_flag(weir_grpc_call *call)
{
    if (call->in.prefix[0] > 1)
        weir__grpc_fail(call, WEIR_STATUS_INTERNAL,
                        "a message begins with the invalid flag byte %u", call->in.prefix[0]);
    else if (call->receives == WEIR_COMPRESSION_IDENTITY)
        weir__grpc_fail(call, WEIR_STATUS_INTERNAL,
                        "a message is marked as compressed without a grpc-encoding");
    else if (call->receives == WEIR_COMPRESSION_DEFAULT)
        weir__grpc_fail(call, WEIR_STATUS_INTERNAL,
                        "a message is compressed in a way that was not offered");
    else
        return true;
    return false;
}

static void fail_decompression(weir_grpc_call *call, weir_err err, const char *why)
{
    const char *name = weir_compression_name(weir_grpc_call_peer_compression(call));
    if (err == WEIR_EMSGSIZE)
        weir__grpc_fail(call, WEIR_STATUS_RESOURCE_EXHAUSTED,
                        "a %s message is larger than the limit of %zu bytes when decompressed",
                        name, call->grpc->opts.max_receive_bytes);
    else if (err == WEIR_ENOMEM)
        weir__grpc_fail(call, WEIR_STATUS_RESOURCE_EXHAUSTED, "out of memory for a %s message",
                        name);
    else
        weir__grpc_fail(call, WEIR_STATUS_INTERNAL, "the %s data of a message %s", name, why);
}

bool weir__grpc_decompress(weir_grpc_call *call, weir_str bytes, weir_str *out)
{
    weir_grpc *grpc = call->grpc;
    weir_compressors *compressors = weir_grpc_call_compressors(call);
    uint8_t *block = NULL;
    size_t block_size = 0, len = 0;
    const char *why = "";
    weir_err err = WEIR_ENOMEM;
    if (compressors)
        err = weir_decompress(compressors, weir_grpc_call_peer_compression(call), bytes,
                              grpc->opts.max_receive_bytes, grpc->pool, &block, &block_size, &len,
                              &why);
    if (err) {
        fail_decompression(call, err, why);
        return false;
    }
    weir__grpc_in_free(call);
    call->in.block = block;
    call->in.block_size = block_size;
    *out = weir_str_of(block, len);
    return true;
}
