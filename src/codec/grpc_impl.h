/**
 * @file
 * Inside of the gRPC engine: grpc.c owns connections, grpc_call.c the life of calls, grpc_headers.c
 * reads and writes header blocks, grpc_in.c cuts incoming bytes into messages, grpc_out.c queues
 * outgoing ones, grpc_compression.c compresses these and decompresses those.
 */
#ifndef WEIR_CODEC_GRPC_IMPL_H
#define WEIR_CODEC_GRPC_IMPL_H

#include <weir/codec/grpc.h>

/** A grpc-accept-encoding that is no longer is read once for many calls. */
#define WEIR__ACCEPTED_MAX 38

struct weir_grpc {
    weir_h2 *h2;
    weir_h2_role role;
    const weir_grpc_ops *ops;
    void *user;
    weir_pool *pool;
    weir_timers *timers;
    weir_grpc_opts opts;
    weir_list calls;
    size_t call_count;
    weir_list writable; /* calls whose on_writable is due */
    weir_list settled;  /* calls whose on_close is due */
    bool closed_to_new; /* a GOAWAY was received or sent */
    weir_timer drain;   /* the client does not answer the PING of a drain */
    const char *reason; /* of the drain; NULL: none */
    weir_grpc_traffic traffic;
    /* The last grpc-accept-encoding, which is the same in most calls of a client. */
    char accepted_text[WEIR__ACCEPTED_MAX];
    uint8_t accepted_len;
    uint8_t accepted;                  /* a bit per weir_compression */
    weir_compressors *own_compressors; /* NULL: the opts', or not needed yet */
};

/** A message, or the rest of it, on its way out: header, prefix and bytes in one pool block, or
 * borrowed bytes. */
typedef struct weir__out {
    struct weir__out *next;
    const uint8_t *bytes;
    size_t len;
    size_t block_size; /* as asked of the pool */
    weir_buf_release_fn release;
    void *user;
} weir__out;

/** The message that is being received. */
typedef struct weir__in {
    uint8_t prefix[WEIR_GRPC_PREFIX];
    uint8_t prefix_len;
    bool compressed; /* as its flag byte says */
    uint32_t need;   /* bytes of the message */
    uint32_t have;   /* of them, in `block` */
    uint8_t *block;  /* grows as bytes arrive, never to more than twice of them */
    size_t block_size;
} weir__in;

/** What a header block said, as bits. */
typedef enum weir__fields {
    WEIR__HAS_GRPC_STATUS = 1,
    WEIR__BAD_METHOD = 2,
    WEIR__BAD_CONTENT_TYPE = 4,
    WEIR__HAS_CONTENT_TYPE = 8,
    WEIR__HAS_TE = 16,
    WEIR__BAD_TIMEOUT = 32,
    WEIR__BAD_METADATA = 64,
    WEIR__NO_MEMORY = 128,
    WEIR__UNKNOWN_ENCODING = 256
} weir__fields;

struct weir_grpc_call {
    weir_grpc *grpc;
    void *owner;
    weir_list node;          /* in grpc->calls, at the end in grpc->settled */
    weir_list writable_node; /* in grpc->writable */
    int32_t id;
    weir_arena arena;
    weir_timer expiry; /* at the deadline, or to see whether the client is silent */
    weir_time deadline;
    weir_time active; /* with call_idle_us: the client did something */

    /* What the peer said. */
    weir_str path, authority;
    weir_metadata metadata; /* its first block */
    weir_metadata last;     /* the block being read; then its trailers */
    unsigned fields;        /* weir__fields of the block being read */
    int http_status;
    int grpc_status;
    weir_str grpc_message, grpc_details;
    weir__in in;
    weir_buf held; /* bytes received while paused */

    /* What we say. */
    weir_metadata headers, trailers;
    weir__out *out_first, *out_last, *out_begun;
    size_t out_bytes;
    weir_status status; /* how it ends */

    bool announced; /* the owner knows it: on_close is owed */
    bool expect_one;
    bool got_message;
    bool paused;
    bool peer_ended;    /* no more bytes from the peer */
    bool end_delivered; /* and the owner has been told */
    bool headers_sent;
    bool queued;      /* a message or a half-close, ever */
    bool out_partial; /* the first message of the queue is half sent */
    bool out_ended;   /* our side ends after the queue: finished or half-closed */
    bool end_sent;
    bool decided;        /* `status` is final */
    bool wants_writable; /* WEIR_EAGAIN was said */
    bool plain;          /* an answer in plain HTTP: no trailers */
    bool delivering;     /* inside the owner's on_message */
    bool stream_gone;    /* HTTP/2 is done with it, the owner is not */
    bool reset;          /* we sent RST_STREAM */
    weir_grpc_fate fate;
    bool uncompressed; /* messages from now on, in a call that has a compression */
    uint8_t sends;     /* weir_compression: identity, or what the peer takes */
    uint8_t receives;  /* the peer's grpc-encoding; WEIR_COMPRESSION_DEFAULT: not known */
    uint8_t accepts;   /* the peer's grpc-accept-encoding: a bit per weir_compression */
};

/* grpc.c */

/** There is output outside of weir_grpc_feed(). */
void weir__grpc_wake(weir_grpc *grpc);

/* grpc_call.c */

/** NULL: out of memory. */
weir_grpc_call *weir__grpc_call_new(weir_grpc *grpc);
/** Tells the owner, and frees. */
void weir__grpc_end_call(weir_grpc_call *call);

/** Server: the request is in order; the owner learns of it. */
void weir__grpc_announce_request(weir_grpc_call *call);

/** Fixes how the call ends, unless that is fixed already. `message` is copied. */
void weir__grpc_decide(weir_grpc_call *call, weir_status_code code, weir_str message);
void weir__grpc_decide_text(weir_grpc_call *call, weir_status_code code, const char *fmt, ...)
    WEIR_PRINTF(3, 4);
/** Ends the call with an error now: with trailers where they can be sent, else with RST_STREAM. */
void weir__grpc_fail(weir_grpc_call *call, weir_status_code code, const char *fmt, ...)
    WEIR_PRINTF(3, 4);
/** The client has sent or read something. */
static inline void weir__grpc_touch(weir_grpc_call *call)
{
    if (call->grpc->opts.call_idle_us > 0)
        call->active = weir_timers_now(call->grpc->timers);
}
static inline void weir__grpc_count_stream(weir_grpc *grpc)
{
    grpc->traffic.streams_started++;
    grpc->traffic.last_stream = weir_timers_now(grpc->timers);
}
/** A call whose stream is gone ends with the next pull, if its last message is delivered. */
void weir__grpc_settle(weir_grpc_call *call);
/** RST_STREAM; the status is decided already. */
void weir__grpc_reset(weir_grpc_call *call, uint32_t h2_code);

/* grpc_headers.c */

void weir__grpc_on_header(weir_h2 *h2, void *stream, weir_str name, weir_str value, void *user);
void weir__grpc_on_headers_end(weir_h2 *h2, void *stream, weir_h2_block block, bool too_large,
                               void *user);
/** Client: the request's header block. */
WEIR_MUST_CHECK weir_err weir__grpc_submit_request(weir_grpc_call *call,
                                                   const weir_grpc_start *start);
/** Server: the response's header block; `only`: with the status in it (Trailers-Only). */
WEIR_MUST_CHECK weir_err weir__grpc_submit_response(weir_grpc_call *call, bool only);
WEIR_MUST_CHECK weir_err weir__grpc_submit_trailers(weir_grpc_call *call);

/* grpc_compression.c */

/** Values of the headers of these names. */
void weir__grpc_read_encoding(weir_grpc_call *call, weir_str value);
void weir__grpc_read_accepted(weir_grpc_call *call, weir_str value);
/** What both ends offer, without spaces, which some peers do not expect. */
#define WEIR__GRPC_ACCEPTED WEIR_STR("identity,deflate,gzip,zstd")
/** The message in its compressed form, if that is smaller; else `out` itself. */
weir__out *weir__grpc_compressed(weir_grpc_call *call, weir__out *out);
/** Checks the flag of a message that begins. @return false: the call has been ended */
bool weir__grpc_check_flag(weir_grpc_call *call);
/** Decompresses into the call's block, in place of what is there. @return false: the call has been
 * ended */
bool weir__grpc_decompress(weir_grpc_call *call, weir_str bytes, weir_str *out);

/* grpc_in.c */

void weir__grpc_on_data(weir_h2 *h2, void *stream, const uint8_t *data, size_t len, void *user);
void weir__grpc_on_end(weir_h2 *h2, void *stream, void *user);
/** Delivers the end to the owner, once everything before it is delivered. */
void weir__grpc_peer_ended(weir_grpc_call *call);
void weir__grpc_in_free(weir_grpc_call *call);

/* grpc_out.c */

void weir__grpc_on_body(weir_h2 *h2, void *stream, size_t max, weir_h2_body *out, void *user);
weir_err weir__grpc_on_body_write(weir_h2 *h2, void *stream, weir_buf *out, size_t len, void *user);
void weir__grpc_out_clear(weir_grpc_call *call);
/** A message with room for `size` bytes behind its prefix; NULL: out of memory. */
weir__out *weir__grpc_out_new(weir_grpc *grpc, size_t size);
void weir__grpc_out_free(weir_grpc *grpc, weir__out *out);
/** Server: drops what is queued, so that a status can follow at once. @return false: it cannot,
 * because a message is half sent, the peer's windows are closed, or the end is queued already */
bool weir__grpc_out_forget(weir_grpc_call *call);
/** The message that was begun goes out without its prefix. */
void weir__grpc_out_unframe(weir_grpc_call *call);

#endif
