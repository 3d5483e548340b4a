/**
 * @file
 * gRPC (grpc/doc/PROTOCOL-HTTP2.md) without input or output: one end of a connection, with its
 * calls. Bytes go in with weir_grpc_feed() and come out with weir_grpc_pull(); deadlines hang on
 * the timers that the owner advances. The rpc layer drives it from a loop; a program with a loop of
 * its own may drive it itself, and tests do so in memory.
 *
 * Messages are bytes here: encoding is the owner's.
 * @thread one at a time
 */
#ifndef WEIR_CODEC_GRPC_H
#define WEIR_CODEC_GRPC_H

#include <weir/codec/compression.h>
#include <weir/codec/h2.h>
#include <weir/codec/metadata.h>
#include <weir/codec/status.h>

WEIR_BEGIN_DECLS

/** One end of a connection. */
typedef struct weir_grpc weir_grpc;
/** A call on it, until on_close has returned. */
typedef struct weir_grpc_call weir_grpc_call;

/** Events; each must be set except where "may be NULL" stands. Any function of this header but
 * weir_grpc_free() is allowed inside them. The last `user` is weir_grpc_new()'s. */
typedef struct weir_grpc_ops {
    /** Server: a request's headers are complete and in order. */
    void (*on_request)(weir_grpc_call *call, void *user);
    /** Client: the initial metadata has arrived (not before a call that fails at once). */
    void (*on_headers)(weir_grpc_call *call, void *user);
    /** A message. Good during the call of this function; to the end of the call after
     * weir_grpc_expect_one(). */
    void (*on_message)(weir_grpc_call *call, weir_str bytes, void *user);
    /** Server: the client has sent its last message. */
    void (*on_half_close)(weir_grpc_call *call, void *user);
    /** Sending is possible again after WEIR_EAGAIN. */
    void (*on_writable)(weir_grpc_call *call, void *user);
    /** The call is over, once; it is gone afterwards. At a server: what was sent, or CANCELLED,
     * DEADLINE_EXCEEDED or UNAVAILABLE when the client, the time or the connection ended it. */
    void (*on_close)(weir_grpc_call *call, const weir_status *status, void *user);
    /** The peer's SETTINGS have come, or a stream has ended. At a client a new call may fit now, or
     * (weir_grpc_is_open() false) never again here. May be NULL. */
    void (*on_room)(weir_grpc *grpc, void *user);
    /** A deadline has passed: there is something for weir_grpc_pull(). May be NULL. */
    void (*on_wake)(weir_grpc *grpc, void *user);
    /** The peer is going away (weir_grpc_is_open() is false now): its GOAWAY's code and text. May
     * be NULL. */
    void (*on_goaway)(weir_grpc *grpc, uint32_t code, weir_str debug, void *user);
    /** The peer's PING, which is answered already. May be NULL. */
    void (*on_ping)(weir_grpc *grpc, void *user);
    /** The answer to weir_grpc_ping(). May be NULL. */
    void (*on_ping_ack)(weir_grpc *grpc, void *user);
} weir_grpc_ops;

/** A zeroed field means the default written beside it. */
typedef struct weir_grpc_opts {
    weir_h2_opts h2;
    size_t max_receive_bytes; /**< of a message, compressed and after that; 0: 4 MiB */
    size_t max_send_bytes;    /**< of a message before compression; 0: 4 GiB - 1 */
    size_t send_high_water;   /**< unsent bytes of a call before WEIR_EAGAIN; 0: 64 KiB */
    size_t call_bytes;        /**< limit of a call's arena; 0: 16 MiB */
    int64_t max_call_us;  /**< server: deadline of calls that bring none or a later one; 0: none */
    int64_t call_idle_us; /**< server: a call whose client owes something (messages, or reading
                               those that wait for it) and does nothing for so long ends with
                               DEADLINE_EXCEEDED; 0: never */
    weir_compression compression;  /**< server: of answers to those that take it */
    weir_compressors *compressors; /**< borrowed; NULL: of its own, when they are needed */
} weir_grpc_opts;

/**
 * @param ops     borrowed
 * @param pool    where memory comes from; NULL: malloc
 * @param timers  deadlines hang here; borrowed
 * @param opts    copied; NULL is all defaults
 * @errors WEIR_ENOMEM
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_grpc_new(weir_grpc **out, weir_h2_role role,
                                                const weir_grpc_ops *ops, void *user,
                                                weir_pool *pool, weir_timers *timers,
                                                const weir_grpc_opts *opts);

/** Ends every call with UNAVAILABLE and `why`, with on_close, then frees. Not inside an event. */
WEIR_API void weir_grpc_free(weir_grpc *grpc, const char *why);

/** Takes what arrived. @errors as weir_h2_feed(): pull what is left, then close */
WEIR_API WEIR_MUST_CHECK weir_err weir_grpc_feed(weir_grpc *grpc, weir_time now, const void *bytes,
                                                 size_t len);
/** As weir_h2_pull(). on_writable events come inside. */
WEIR_API WEIR_MUST_CHECK weir_err weir_grpc_pull(weir_grpc *grpc, weir_buf *out, size_t limit);
WEIR_API bool weir_grpc_wants_pull(const weir_grpc *grpc);
/** Nothing is left to say, in either direction: close the connection. */
WEIR_API bool weir_grpc_is_over(const weir_grpc *grpc);
/** A sentence about what the peer did wrong; "" when nothing. */
WEIR_API const char *weir_grpc_error(const weir_grpc *grpc);
/** Whether a client may start calls here: false after GOAWAY. */
WEIR_API bool weir_grpc_is_open(const weir_grpc *grpc);
/** Calls that have not ended. */
WEIR_API size_t weir_grpc_calls(const weir_grpc *grpc);

/** What has gone over a connection since it began. Of points in time 0 says: never. */
typedef struct weir_grpc_traffic {
    uint64_t streams_started;
    uint64_t streams_succeeded; /**< the server's END_STREAM was sent, or received */
    uint64_t streams_failed;    /**< ended without it */
    uint64_t messages_sent;     /**< whole ones, as far as this layer knows: pulled */
    uint64_t messages_received;
    weir_time last_stream; /**< began */
    weir_time last_sent;
    weir_time last_received;
} weir_grpc_traffic;
WEIR_API const weir_grpc_traffic *weir_grpc_get_traffic(const weir_grpc *grpc);
/** Bytes that the peer takes now, and that it may send now, on all streams together. */
WEIR_API size_t weir_grpc_send_window(const weir_grpc *grpc);
WEIR_API size_t weir_grpc_receive_window(const weir_grpc *grpc);

/** weir_grpc_new()'s user. */
WEIR_API void *weir_grpc_user(const weir_grpc *grpc);

/**
 * Server, graceful end in two steps (RFC 9113 6.8): tells the client to go elsewhere, and sends a
 * PING. Calls already on their way are taken until its answer is there, or 5 s are over; then comes
 * weir_grpc_drain_end(). Repeatable.
 * @param reason  static, of at most 200 bytes; goes to the client
 */
WEIR_API void weir_grpc_drain(weir_grpc *grpc, const char *reason);
/** Server: no new calls from now on; the running ones finish. */
WEIR_API void weir_grpc_drain_end(weir_grpc *grpc);
/** GOAWAY with this code and text, and no new calls. */
WEIR_API void weir_grpc_goaway(weir_grpc *grpc, uint32_t code, weir_str reason);
/** on_ping_ack will come, if the peer lives. */
WEIR_API void weir_grpc_ping(weir_grpc *grpc);
/** As weir_h2_take_sent(). */
WEIR_API bool weir_grpc_take_sent(weir_grpc *grpc);
/** Ends every running call: with trailers where possible, else with RST_STREAM. */
WEIR_API void weir_grpc_end_calls(weir_grpc *grpc, weir_status_code code, weir_str message);

/** How a client's call begins. Views are copied. */
typedef struct weir_grpc_start {
    weir_str path;      /**< "/package.Service/Method" */
    weir_str authority; /**< ":authority" */
    weir_str user_agent;
    bool https;
    weir_time deadline;            /**< weir_time_never(): none */
    const weir_metadata *metadata; /**< NULL: none */
    weir_compression compression;  /**< of our messages */
    unsigned previous_attempts;    /**< gRFC A6; below 10; 0: nothing is said of them */
    void *owner;
} weir_grpc_start;

/**
 * Client: opens a call.
 * @errors WEIR_EFULL: the server allows no more at once, wait for on_room. WEIR_ECLOSED: it is
 * going away. WEIR_ENOMEM. No event comes then.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_grpc_call_start(weir_grpc_call **out, weir_grpc *grpc,
                                                       const weir_grpc_start *start);

/** How far the request of a client's call came. */
typedef enum weir_grpc_fate {
    WEIR_GRPC_SEEN,    /**< the server may have seen it */
    WEIR_GRPC_REFUSED, /**< the server says that it has not: RST_STREAM REFUSED_STREAM, or an id
                          above that of its GOAWAY */
    WEIR_GRPC_UNSENT   /**< it has not left */
} weir_grpc_fate;

/** Client, in on_close: after anything but WEIR_GRPC_SEEN the call may be made again elsewhere. */
WEIR_API weir_grpc_fate weir_grpc_call_fate(const weir_grpc_call *call);

/** Client: whether a message or the half-close was queued, sent or not. */
WEIR_API bool weir_grpc_call_has_sent(const weir_grpc_call *call);

/* Of a call. */

WEIR_API weir_grpc *weir_grpc_call_grpc(const weir_grpc_call *call);
WEIR_API void weir_grpc_call_set_owner(weir_grpc_call *call, void *owner);
WEIR_API void *weir_grpc_call_owner(const weir_grpc_call *call);
/** Freed with the call. */
WEIR_API weir_arena *weir_grpc_call_arena(weir_grpc_call *call);
WEIR_API weir_str weir_grpc_call_path(const weir_grpc_call *call);
WEIR_API weir_str weir_grpc_call_authority(const weir_grpc_call *call);
/** The peer's first metadata. */
WEIR_API const weir_metadata *weir_grpc_call_metadata(const weir_grpc_call *call);
/** The same, to be changed by the owner. */
WEIR_API weir_metadata *weir_grpc_call_edit_metadata(weir_grpc_call *call);
/** Whether our side has ended, or the stream was reset: nothing can be sent any more. */
WEIR_API bool weir_grpc_call_has_ended(const weir_grpc_call *call);
/** The server's last metadata, at a client in on_close. */
WEIR_API const weir_metadata *weir_grpc_call_trailers(const weir_grpc_call *call);
WEIR_API weir_time weir_grpc_call_deadline(const weir_grpc_call *call);
/** Queued bytes that have not been pulled. */
WEIR_API size_t weir_grpc_call_unsent(const weir_grpc_call *call);

/**
 * Exactly one message is expected from the peer (in on_request, or after weir_grpc_call_start()): a
 * second one, or none before the half-close or an OK, ends the call with UNIMPLEMENTED
 * ("cardinality violation", grpc/doc/statuscodes.md), and the message lives as long as the call.
 */
WEIR_API void weir_grpc_expect_one(weir_grpc_call *call);

/** Server: metadata of the response. @errors WEIR_ESTATE: sent already; as weir_metadata_add() */
WEIR_API WEIR_MUST_CHECK weir_err weir_grpc_add_header(weir_grpc_call *call, weir_str key,
                                                       weir_str value);
WEIR_API WEIR_MUST_CHECK weir_err weir_grpc_add_trailer(weir_grpc_call *call, weir_str key,
                                                        weir_str value);
/** Server: sends the initial metadata before the first message. @errors WEIR_ESTATE, WEIR_ENOMEM */
WEIR_API weir_err weir_grpc_send_headers(weir_grpc_call *call);

/**
 * Room for a message of `size` bytes, to be filled at once; weir_grpc_send_end() compresses it, if
 * the call's messages are compressed, and queues it.
 * @errors WEIR_EAGAIN: over the high-water mark; on_writable will come. WEIR_ESTATE: our side has
 *         ended. WEIR_EMSGSIZE, WEIR_ENOMEM.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_grpc_send_begin(weir_grpc_call *call, size_t size,
                                                       uint8_t **out);
WEIR_API void weir_grpc_send_end(weir_grpc_call *call);
/** Instead of weir_grpc_send_end(): the message is forgotten. */
WEIR_API void weir_grpc_send_drop(weir_grpc_call *call);

/* Compression of a call's messages. */

/** Server: what the answer is compressed with, if the client takes it; else identity. @errors
 * WEIR_ESTATE: headers are sent, or this is a client. WEIR_EINVAL: no such encoding */
WEIR_API WEIR_MUST_CHECK weir_err weir_grpc_call_set_compression(weir_grpc_call *call,
                                                                 weir_compression compression);
/** Whether messages from now on are compressed, in a call that has a compression: true at first. */
WEIR_API void weir_grpc_call_set_message_compression(weir_grpc_call *call, bool on);
/** The encoding of our side: what the client takes of what was asked for. */
WEIR_API weir_compression weir_grpc_call_compression(const weir_grpc_call *call);
/** The same for the next message: identity if that is to be sent as it is. */
WEIR_API weir_compression weir_grpc_call_next_compression(const weir_grpc_call *call);
/** The peer's encoding; WEIR_COMPRESSION_DEFAULT: one that weir does not know. */
WEIR_API weir_compression weir_grpc_call_peer_compression(const weir_grpc_call *call);
/** Whether the message of this on_message came compressed; in a call that expects one message,
 * whether that did. */
WEIR_API bool weir_grpc_call_message_was_compressed(const weir_grpc_call *call);
/** The contexts that the call's engine uses; NULL: out of memory. */
WEIR_API weir_compressors *weir_grpc_call_compressors(weir_grpc_call *call);

/** Whether unsent bytes are below the high-water mark; when not, on_writable will come. */
WEIR_API bool weir_grpc_is_writable(weir_grpc_call *call);
/** on_writable comes when unsent bytes are at most half of the high-water mark. */
WEIR_API void weir_grpc_want_writable(weir_grpc_call *call);

/** Length of the prefix that framed bytes begin with. */
#define WEIR_GRPC_PREFIX 5
/** Writes the prefix of a message. */
WEIR_API void weir_grpc_prefix(uint8_t out[WEIR_GRPC_PREFIX], bool compressed, uint32_t size);

/** Whether a message of `size` bytes, before compression, could be queued. @errors as
 * weir_grpc_send_begin(), but for the high-water mark */
WEIR_API WEIR_MUST_CHECK weir_err weir_grpc_send_check(const weir_grpc_call *call, size_t size);

/**
 * Queues a message by reference: `framed` begins with its prefix, is compressed already if that
 * says so (as weir_grpc_call_next_compression() tells), and stays unchanged until
 * `release(user)`, which comes once if the result is WEIR_OK. The high-water mark does not refuse
 * it: ask weir_grpc_is_writable(), or keep a bound of your own. Errors else as
 * weir_grpc_send_begin().
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_grpc_send_framed(weir_grpc_call *call, const uint8_t *framed,
                                                        size_t len, weir_buf_release_fn release,
                                                        void *user);

/** Client: our side ends after what is queued. @errors WEIR_ESTATE: ended already */
WEIR_API weir_err weir_grpc_half_close(weir_grpc_call *call);

/** Server: trailers after what is queued. @errors WEIR_ESTATE: finished already */
WEIR_API weir_err weir_grpc_finish(weir_grpc_call *call, const weir_status *status);

/** Ends the call with an error, in the way that still works: trailers, or RST_STREAM. `message` is
 * copied. A call that has ended is fine. */
WEIR_API void weir_grpc_end_call(weir_grpc_call *call, weir_status_code code, const char *message);

/** RST_STREAM CANCEL; on_close with CANCELLED follows. A call that has ended is fine. */
WEIR_API void weir_grpc_cancel(weir_grpc_call *call);

/** Nothing is delivered until weir_grpc_resume(); the peer's window stays closed meanwhile. */
WEIR_API void weir_grpc_pause(weir_grpc_call *call);
/** Delivers what was held back, inside this function. */
WEIR_API void weir_grpc_resume(weir_grpc_call *call);

WEIR_END_DECLS

#endif
