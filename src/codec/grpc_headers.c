/* Header blocks: what a peer's say, and writing ours (PROTOCOL-HTTP2 "Requests", "Responses"). */
#include "grpc_impl.h"
#include "metadata_impl.h"
#include "text.h"

#define NAME_IS(name, literal)                                                                     \
    ((name).len == sizeof(literal) - 1 && memcmp((name).ptr, literal, sizeof(literal) - 1) == 0)

/* Reading. */

/** "application/grpc", alone or followed by "+proto" or ";charset=...". */
static bool is_grpc_content_type(weir_str value)
{
    static const weir_str grpc = {"application/grpc", 16};
    return weir_str_starts(value, grpc) &&
           (value.len == grpc.len || value.ptr[grpc.len] == '+' || value.ptr[grpc.len] == ';');
}

static int parse_number(weir_str text, int limit)
{
    int number = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return -1;
        number = number * 10 + (text.ptr[i] - '0');
        if (number > limit)
            return -1;
    }
    return text.len > 0 ? number : -1;
}

static void keep(weir_grpc_call *call, weir_str *field, weir_str value)
{
    *field = weir_arena_copy(&call->arena, value);
    if (!field->ptr) {
        *field = WEIR_STR("");
        call->fields |= WEIR__NO_MEMORY;
    }
}

static void read_timeout(weir_grpc_call *call, weir_str value)
{
    int64_t timeout_us = 0;
    if (weir__timeout_parse(value, &timeout_us))
        call->fields |= WEIR__BAD_TIMEOUT;
    else
        call->deadline = weir_time_add(weir_timers_now(call->grpc->timers), timeout_us);
}

/** A "-bin" value may be several, joined with commas. */
static weir_err push_binary(weir_grpc_call *call, weir_str key, weir_str value)
{
    for (;;) {
        const char *comma = value.len ? memchr(value.ptr, ',', value.len) : NULL;
        size_t len = comma ? (size_t)(comma - value.ptr) : value.len;
        weir_str bytes;
        weir_err err = weir__base64_decode(&call->arena, weir_str_of(value.ptr, len), &bytes);
        if (!err)
            err = weir__metadata_push(&call->last, &call->arena, key, bytes);
        if (err || !comma)
            return err;
        value = weir_str_of(comma + 1, value.len - len - 1);
        while (value.len > 0 && value.ptr[0] == ' ')
            value = weir_str_of(value.ptr + 1, value.len - 1);
    }
}

static void read_metadata(weir_grpc_call *call, weir_str name, weir_str value)
{
    weir_err err = WEIR_ENOMEM;
    weir_str key = weir_arena_copy(&call->arena, name);
    if (key.ptr && weir__metadata_is_binary(name)) {
        err = push_binary(call, key, value);
    } else if (key.ptr) {
        weir_str own = weir_arena_copy(&call->arena, value);
        if (own.ptr)
            err = weir__metadata_push(&call->last, &call->arena, key, own);
    }
    if (err)
        call->fields |= err == WEIR_ENOMEM ? WEIR__NO_MEMORY : WEIR__BAD_METADATA;
}

static void read_pseudo(weir_grpc_call *call, weir_str name, weir_str value)
{
    if (NAME_IS(name, ":path"))
        keep(call, &call->path, value);
    else if (NAME_IS(name, ":authority"))
        keep(call, &call->authority, value);
    else if (NAME_IS(name, ":method") && !NAME_IS(value, "POST"))
        call->fields |= WEIR__BAD_METHOD;
    else if (NAME_IS(name, ":status"))
        call->http_status = parse_number(value, 999);
}

/** Names that begin with "grpc-": those that are not known are not the application's. */
static void read_grpc(weir_grpc_call *call, weir_str name, weir_str value)
{
    if (NAME_IS(name, "grpc-timeout")) {
        read_timeout(call, value);
    } else if (NAME_IS(name, "grpc-encoding")) {
        weir__grpc_read_encoding(call, value);
    } else if (NAME_IS(name, "grpc-accept-encoding")) {
        weir__grpc_read_accepted(call, value);
    } else if (NAME_IS(name, "grpc-status")) {
        call->fields |= WEIR__HAS_GRPC_STATUS;
        call->grpc_status = parse_number(value, 10000);
    } else if (NAME_IS(name, "grpc-message")) {
        call->grpc_message = weir__percent_decode(&call->arena, value);
    } else if (NAME_IS(name, "grpc-status-details-bin")) {
        if (weir__base64_decode(&call->arena, value, &call->grpc_details))
            call->grpc_details = WEIR_STR("");
    } else if (NAME_IS(name, "grpc-retry-pushback-ms")) {
        read_metadata(call, name, value);
    }
}

void weir__grpc_on_header(weir_h2 *h2 WEIR_UNUSED, void *stream, weir_str name, weir_str value,
                          void *user WEIR_UNUSED)
{
    weir_grpc_call *call = stream;
    if (name.ptr[0] == ':') {
        read_pseudo(call, name, value);
    } else if (NAME_IS(name, "content-type")) {
        call->fields |= WEIR__HAS_CONTENT_TYPE;
        if (!is_grpc_content_type(value))
            call->fields |= WEIR__BAD_CONTENT_TYPE;
    } else if (NAME_IS(name, "te")) {
        if (NAME_IS(value, "trailers"))
            call->fields |= WEIR__HAS_TE;
    } else if (weir_str_starts(name, WEIR_STR("grpc-"))) {
        read_grpc(call, name, value);
    } else {
        read_metadata(call, name, value);
    }
}

/* Judging a finished block. */

/** An answer in plain HTTP for those who do not speak gRPC. */
static void refuse_http(weir_grpc_call *call, const char *http_status, weir_str text)
{
    const weir_h2_header headers[] = {
        {WEIR_STR(":status"), weir_str_from(http_status), false},
        {WEIR_STR("content-type"), WEIR_STR("text/plain; charset=utf-8"), false},
    };
    weir__grpc_decide(call, WEIR_STATUS_UNKNOWN, text);
    call->headers_sent = call->plain = true;
    uint8_t *room = NULL;
    if (weir_grpc_send_begin(call, text.len, &room) == WEIR_OK) {
        memcpy(room, text.ptr, text.len);
        weir__grpc_out_unframe(call);
        weir_grpc_send_end(call);
    }
    call->out_ended = true;
    if (weir_h2_submit_response(call->grpc->h2, call->id, headers, 2, true))
        weir__grpc_reset(call, WEIR_H2_INTERNAL_ERROR);
}

static void judge_request(weir_grpc_call *call, bool too_large)
{
    unsigned fields = call->fields;
    call->metadata = call->last;
    call->last = (weir_metadata){0};
    if (too_large)
        weir__grpc_fail(call, WEIR_STATUS_RESOURCE_EXHAUSTED,
                        "the header list is larger than the server's limit");
    else if (fields & WEIR__NO_MEMORY)
        weir__grpc_fail(call, WEIR_STATUS_RESOURCE_EXHAUSTED, "out of memory");
    else if (fields & WEIR__BAD_METHOD)
        refuse_http(call, "405", WEIR_STR("gRPC is spoken here: the method must be POST\n"));
    else if ((fields & WEIR__BAD_CONTENT_TYPE) || !(fields & WEIR__HAS_CONTENT_TYPE))
        refuse_http(call, "415",
                    WEIR_STR("gRPC is spoken here: content-type must be application/grpc\n"));
    else if (!(fields & WEIR__HAS_TE))
        weir__grpc_fail(
            call, WEIR_STATUS_INTERNAL,
            "the request lacks \"te: trailers\": a proxy in between does not speak gRPC");
    else if (fields & WEIR__BAD_TIMEOUT)
        weir__grpc_fail(call, WEIR_STATUS_INTERNAL, "grpc-timeout is malformed");
    else if (fields & WEIR__BAD_METADATA)
        weir__grpc_fail(call, WEIR_STATUS_INTERNAL, "a \"-bin\" metadata value is not base64");
    else if (fields & WEIR__UNKNOWN_ENCODING)
        weir__grpc_fail(call, WEIR_STATUS_UNIMPLEMENTED,
                        "the grpc-encoding of the request is not supported: send one of %s",
                        WEIR__GRPC_ACCEPTED.ptr);
    else
        weir__grpc_announce_request(call);
}

/** What a client makes of a block that holds the end of the call. */
static void judge_end(weir_grpc_call *call)
{
    if (call->fields & WEIR__HAS_GRPC_STATUS) {
        if (call->grpc_status < 0)
            call->grpc_status = WEIR_STATUS_UNKNOWN;
        return;
    }
    call->grpc_status = WEIR_STATUS_UNKNOWN;
    call->grpc_message = WEIR_STR("the server sent no grpc-status");
}

static void judge_response(weir_grpc_call *call)
{
    if (call->fields & WEIR__HAS_GRPC_STATUS) {
        judge_end(call); /* Trailers-Only */
    } else if (call->http_status != 200) {
        weir__grpc_fail(call, weir_status_from_http(call->http_status),
                        "the server answered with HTTP status %d", call->http_status);
    } else if (!(call->fields & WEIR__HAS_CONTENT_TYPE) ||
               (call->fields & WEIR__BAD_CONTENT_TYPE)) {
        weir__grpc_fail(
            call, WEIR_STATUS_UNKNOWN,
            "the server's answer is not gRPC: its content-type is not application/grpc");
    } else {
        call->metadata = call->last;
        call->last = (weir_metadata){0};
        call->grpc->ops->on_headers(call, call->grpc->user);
    }
}

void weir__grpc_on_headers_end(weir_h2 *h2 WEIR_UNUSED, void *stream, weir_h2_block block,
                               bool too_large, void *user WEIR_UNUSED)
{
    weir_grpc_call *call = stream;
    if (block == WEIR_H2_REQUEST) {
        judge_request(call, too_large);
    } else if (call->decided || block == WEIR_H2_INFORMATIONAL) {
        call->last = (weir_metadata){0};
    } else if (too_large || (call->fields & WEIR__NO_MEMORY)) {
        weir__grpc_fail(call, WEIR_STATUS_RESOURCE_EXHAUSTED,
                        "the header list of the answer is larger than the limit");
    } else if (call->fields & WEIR__BAD_METADATA) {
        weir__grpc_fail(call, WEIR_STATUS_INTERNAL, "a \"-bin\" metadata value is not base64");
    } else if (block == WEIR_H2_RESPONSE) {
        judge_response(call);
    } else if (call->grpc->role == WEIR_H2_CLIENT) {
        judge_end(call);
    }
    call->fields = 0;
}

/* Writing. */

typedef struct block {
    weir_h2_header *headers;
    size_t count;
    weir_err err;
} block;

static void put(block *b, weir_str name, weir_str value)
{
    b->headers[b->count++] = (weir_h2_header){name, value, false};
}

/** A block with room for `fixed` fields and the metadata, which comes last. */
static block block_new(weir_grpc_call *call, size_t fixed, const weir_metadata *metadata)
{
    size_t room = fixed + (metadata ? metadata->len : 0);
    block b = {weir_arena_alloc(&call->arena, room * sizeof(weir_h2_header)), 0, WEIR_OK};
    if (!b.headers)
        b.err = WEIR_ENOMEM;
    return b;
}

static void put_metadata(block *b, weir_grpc_call *call, const weir_metadata *metadata)
{
    for (size_t i = 0; metadata && i < metadata->len; i++) {
        weir_str value = metadata->items[i].value;
        if (weir__metadata_is_binary(metadata->items[i].key)) {
            value = weir__base64_encode(&call->arena, value);
            if (!value.ptr)
                b->err = WEIR_ENOMEM;
        }
        put(b, metadata->items[i].key, value);
    }
}

/** What a server takes is told where compression is used or was refused, not in every answer: the
 * field would cost a small call 5 % of its time (docs/decisions/0009-compression.md). */
static bool tells_compression(const weir_grpc_call *call)
{
    return call->grpc->role == WEIR_H2_CLIENT || call->sends != WEIR_COMPRESSION_IDENTITY ||
           call->receives != WEIR_COMPRESSION_IDENTITY;
}

static void put_compression(block *b, const weir_grpc_call *call)
{
    if (call->sends > WEIR_COMPRESSION_IDENTITY)
        put(b, WEIR_STR("grpc-encoding"),
            weir_str_from(weir_compression_name(weir_grpc_call_compression(call))));
    put(b, WEIR_STR("grpc-accept-encoding"), WEIR__GRPC_ACCEPTED);
}

weir_err weir__grpc_submit_request(weir_grpc_call *call, const weir_grpc_start *start)
{
    weir_grpc *grpc = call->grpc;
    block b = block_new(call, 10, start->metadata);
    if (b.err)
        return b.err;
    put(&b, WEIR_STR(":method"), WEIR_STR("POST"));
    put(&b, WEIR_STR(":scheme"), start->https ? WEIR_STR("https") : WEIR_STR("http"));
    put(&b, WEIR_STR(":path"), start->path);
    put(&b, WEIR_STR(":authority"), start->authority);
    put(&b, WEIR_STR("te"), WEIR_STR("trailers"));
    put(&b, WEIR_STR("content-type"), WEIR_STR("application/grpc"));
    put(&b, WEIR_STR("user-agent"), start->user_agent);
    put_compression(&b, call);
    char timeout[WEIR__TIMEOUT_TEXT_MAX];
    if (call->deadline.us != WEIR_TIME_NEVER_US) {
        int64_t left = weir_time_diff(call->deadline, weir_timers_now(grpc->timers));
        put(&b, WEIR_STR("grpc-timeout"), weir__timeout_format(timeout, left));
    }
    put_metadata(&b, call, start->metadata);
    if (b.err)
        return b.err;
    keep(call, &call->path, start->path);
    keep(call, &call->authority, start->authority);
    if (call->fields & WEIR__NO_MEMORY)
        return WEIR_ENOMEM;
    return weir_h2_submit_request(grpc->h2, b.headers, b.count, true, call, &call->id);
}

static void put_status(block *b, weir_grpc_call *call)
{
    static const char *const numbers[] = {"0", "1",  "2",  "3",  "4",  "5",  "6",  "7", "8",
                                          "9", "10", "11", "12", "13", "14", "15", "16"};
    size_t code = (size_t)call->status.code < 17 ? (size_t)call->status.code : WEIR_STATUS_UNKNOWN;
    put(b, WEIR_STR("grpc-status"), weir_str_from(numbers[code]));
    if (call->status.message.len > 0) {
        weir_str text = weir__percent_encode(&call->arena, call->status.message);
        if (text.ptr)
            put(b, WEIR_STR("grpc-message"), text);
    }
    if (call->status.details.len > 0) {
        weir_str text = weir__base64_encode(&call->arena, call->status.details);
        if (text.ptr)
            put(b, WEIR_STR("grpc-status-details-bin"), text);
    }
}

weir_err weir__grpc_submit_response(weir_grpc_call *call, bool only)
{
    const weir_metadata *metadata = only ? &call->trailers : &call->headers;
    block b = block_new(call, tells_compression(call) ? 7 : 5, metadata);
    if (b.err)
        return b.err;
    put(&b, WEIR_STR(":status"), WEIR_STR("200"));
    put(&b, WEIR_STR("content-type"), WEIR_STR("application/grpc"));
    if (tells_compression(call))
        put_compression(&b, call);
    if (only)
        put_status(&b, call);
    put_metadata(&b, call, metadata);
    if (b.err)
        return b.err;
    call->headers_sent = true;
    return weir_h2_submit_response(call->grpc->h2, call->id, b.headers, b.count, !only);
}

weir_err weir__grpc_submit_trailers(weir_grpc_call *call)
{
    block b = block_new(call, 3, &call->trailers);
    if (b.err)
        return b.err;
    put_status(&b, call);
    put_metadata(&b, call, &call->trailers);
    return b.err ? b.err : weir_h2_submit_trailers(call->grpc->h2, call->id, b.headers, b.count);
}
