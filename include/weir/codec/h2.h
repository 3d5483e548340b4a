/**
 * @file
 * HTTP/2 (RFC 9113) without input or output: bytes in, bytes and events out. The narrow interface
 * behind which the framing library can be exchanged.
 *
 * One object is one end of one connection. weir_h2_feed() takes what arrived and calls back;
 * weir_h2_pull() gives what is to be sent. Functions that a callback may want (reset, consume,
 * respond) are allowed inside callbacks, and take effect in the next pull. Nothing here knows a
 * socket or a clock: time comes in with weir_h2_feed().
 *
 * Counted per connection, beyond what the framing library counts, and answered with GOAWAY
 * ENHANCE_YOUR_CALM at the bound: PING, SETTINGS, PRIORITY, WINDOW_UPDATE and empty DATA frames
 * that outrun useful ones, RST_STREAM frames, streams that this end had to reset because of the
 * peer, and the bytes of header lists beyond their limit. Header lists are counted after HPACK. A
 * message that is malformed (RFC 9113 8.1.1) is reset with PROTOCOL_ERROR; its on_close comes.
 * @thread one at a time
 */
#ifndef WEIR_CODEC_H2_H
#define WEIR_CODEC_H2_H

#include <stdint.h>
#include <weir/base/base.h>

WEIR_BEGIN_DECLS

typedef struct weir_h2 weir_h2;

typedef enum weir_h2_role {
    WEIR_H2_SERVER,
    WEIR_H2_CLIENT
} weir_h2_role;

/** RFC 9113 section 7. */
typedef enum weir_h2_code {
    WEIR_H2_NO_ERROR = 0,
    WEIR_H2_PROTOCOL_ERROR = 1,
    WEIR_H2_INTERNAL_ERROR = 2,
    WEIR_H2_FLOW_CONTROL_ERROR = 3,
    WEIR_H2_SETTINGS_TIMEOUT = 4,
    WEIR_H2_STREAM_CLOSED = 5,
    WEIR_H2_FRAME_SIZE_ERROR = 6,
    WEIR_H2_REFUSED_STREAM = 7,
    WEIR_H2_CANCEL = 8,
    WEIR_H2_COMPRESSION_ERROR = 9,
    WEIR_H2_CONNECT_ERROR = 10,
    WEIR_H2_ENHANCE_YOUR_CALM = 11,
    WEIR_H2_INADEQUATE_SECURITY = 12,
    WEIR_H2_HTTP_1_1_REQUIRED = 13
} weir_h2_code;

/** Static: "CANCEL"; "unknown" beyond the table. */
WEIR_API const char *weir_h2_code_name(uint32_t code);

typedef struct weir_h2_header {
    weir_str name; /**< lower case */
    weir_str value;
    bool sensitive; /**< never put into a compression table (RFC 7541 section 7.1.3) */
} weir_h2_header;

/** What a finished header block was. */
typedef enum weir_h2_block {
    WEIR_H2_REQUEST,       /**< at a server, opens the stream */
    WEIR_H2_INFORMATIONAL, /**< 1xx, at a client */
    WEIR_H2_RESPONSE,      /**< at a client */
    WEIR_H2_TRAILERS
} weir_h2_block;

/** Room in the body of a stream, see on_body. */
typedef struct weir_h2_body {
    size_t len;    /**< bytes that on_body_write will give */
    bool end;      /**< the body ends with them */
    bool trailers; /**< and trailers follow (weir_h2_submit_trailers() was called) */
} weir_h2_body;

/**
 * Events. `stream` is what on_open returned or weir_h2_submit_request() was given; the last `user`
 * is weir_h2_new()'s. Every callback must be set except where "may be NULL" stands.
 */
typedef struct weir_h2_ops {
    /** Server: a request begins. The result is `stream` from now on; NULL refuses (REFUSED_STREAM,
     * and no further event for it). Requests beyond max_streams are refused without asking while
     * the peer may not know the limit, and break the connection afterwards. */
    void *(*on_open)(weir_h2 *h2, int32_t id, void *user);
    /** A header field, pseudo-headers first. Views are good during the call. Fields beyond the
     * header list limits are not reported. */
    void (*on_header)(weir_h2 *h2, void *stream, weir_str name, weir_str value, void *user);
    /** The block is complete. `too_large`: fields were left out because of the limits. */
    void (*on_headers_end)(weir_h2 *h2, void *stream, weir_h2_block block, bool too_large,
                           void *user);
    /** Body bytes, good during the call. The stream's window stays closed until weir_h2_consume();
     * the connection's opens at once, so that a stream that is not read does not stop the others.
     */
    void (*on_data)(weir_h2 *h2, void *stream, const uint8_t *data, size_t len, void *user);
    /** The peer has ended its side of the stream. */
    void (*on_end)(weir_h2 *h2, void *stream, void *user);
    /** The stream is over, once, whatever the reason: `code` is the RST_STREAM code that was sent
     * or received, NO_ERROR when both sides ended it, REFUSED_STREAM also when a GOAWAY said that
     * the peer never saw it. `remote`: the code came in the peer's RST_STREAM or GOAWAY. Until it
     * comes the other events can, also after weir_h2_reset(). Not called by weir_h2_free(), nor
     * for streams that are open when a connection error ends everything. */
    void (*on_close)(weir_h2 *h2, void *stream, uint32_t code, bool remote, void *user);
    /** How much body, at most `max`, can be sent now. Nothing: len 0 and no end; the stream sleeps
     * until weir_h2_body_ready(). */
    void (*on_body)(weir_h2 *h2, void *stream, size_t max, weir_h2_body *out, void *user);
    /** Append exactly `len` bytes of body, as promised by the on_body before it, to `out`.
     * @return WEIR_ENOMEM ends the connection */
    weir_err (*on_body_write)(weir_h2 *h2, void *stream, weir_buf *out, size_t len, void *user);
    /** The peer is going away: streams above `last_id` were or will be closed with REFUSED_STREAM.
     * May be NULL. */
    void (*on_goaway)(weir_h2 *h2, int32_t last_id, uint32_t code, weir_str debug, void *user);
    /** The peer's settings arrived (weir_h2_peer_max_streams() may have changed). May be NULL. */
    void (*on_settings)(weir_h2 *h2, void *user);
    /** The answer to weir_h2_ping(). May be NULL. */
    void (*on_ping_ack)(weir_h2 *h2, uint64_t opaque, void *user);
    /** The peer's PING; its answer goes out by itself. May be NULL. */
    void (*on_ping)(weir_h2 *h2, void *user);
} weir_h2_ops;

/** A zeroed field means the default written beside it. */
typedef struct weir_h2_opts {
    uint32_t max_streams;        /**< of the peer, at once; 0: 100 */
    uint32_t stream_window;      /**< bytes; 0: 256 KiB */
    uint32_t connection_window;  /**< bytes; 0: 1 MiB */
    uint32_t max_frame;          /**< bytes that the peer may put in a frame; 0: 16 KiB */
    uint32_t header_list_bytes;  /**< after HPACK, as RFC 9113 6.5.2 counts; 0: 16 KiB */
    uint32_t header_list_fields; /**< 0: 128 */
    uint32_t flood_burst;        /**< useless frames of a kind at once; 0: 1000 */
    uint32_t flood_per_second;   /**< and then so many a second; 0: 100 */
} weir_h2_opts;

/**
 * @param out   yours until weir_h2_free()
 * @param ops   borrowed for the object's life
 * @param pool  where memory comes from (also the framing library's); NULL: malloc
 * @param opts  copied; NULL is all defaults
 * @errors WEIR_ENOMEM
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_h2_new(weir_h2 **out, weir_h2_role role,
                                              const weir_h2_ops *ops, void *user, weir_pool *pool,
                                              const weir_h2_opts *opts);

/** No callback comes. NULL is fine. Not allowed inside a callback. */
WEIR_API void weir_h2_free(weir_h2 *h2);

/**
 * Takes bytes that arrived, all of them.
 * @param now  for the flood counters
 * @errors WEIR_EPROTO: the peer broke the protocol, a GOAWAY waits in weir_h2_pull(), and the
 *         connection is to be closed when that is sent; weir_h2_error() says what. WEIR_ENOMEM.
 *         After either the object only gives its last bytes: the owner ends its own streams.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_h2_feed(weir_h2 *h2, weir_time now, const void *bytes,
                                               size_t len);

/**
 * Appends output until there is none or `limit` bytes are in `out`. Never more than `limit` plus
 * one frame. Output that does not fit stays where it is: pull again when `out` has drained.
 * @errors WEIR_ENOMEM: close the connection. WEIR_EPROTO: the peer made us reset too many streams;
 *         close the connection when `out` is sent, it ends with a GOAWAY.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_h2_pull(weir_h2 *h2, weir_buf *out, size_t limit);

/** Whether weir_h2_pull() would give something now. */
WEIR_API bool weir_h2_wants_pull(const weir_h2 *h2);

/** Neither end has anything left to say: the connection can be closed. */
WEIR_API bool weir_h2_is_over(const weir_h2 *h2);

/** A sentence about the first connection error, "" when there was none. Until weir_h2_free(). */
WEIR_API const char *weir_h2_error(const weir_h2 *h2);

/**
 * Client: opens a stream. Header bytes are copied.
 * @param body    whether on_body will be asked; without it the request ends here
 * @param stream  of the events; not NULL
 * @param id_out  the stream's id
 * @errors WEIR_EFULL: the peer's MAX_CONCURRENT_STREAMS are running. WEIR_ECLOSED: no new streams
 * on this connection (GOAWAY, or ids used up). WEIR_EMSGSIZE: more than 256 fields or 128 KiB of
 * them. WEIR_ENOMEM.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_h2_submit_request(weir_h2 *h2, const weir_h2_header *headers,
                                                         size_t count, bool body, void *stream,
                                                         int32_t *id_out);

/**
 * Server: the response's header block; `body` as above, false ends the stream with it.
 * @errors WEIR_ECLOSED: the stream is gone. WEIR_EMSGSIZE, WEIR_ENOMEM.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_h2_submit_response(weir_h2 *h2, int32_t id,
                                                          const weir_h2_header *headers,
                                                          size_t count, bool body);

/**
 * Server, inside on_body when it says `trailers`: the last header block. When it is sent and the
 * peer has not ended its side, the stream is reset with NO_ERROR (RFC 9113 8.1).
 * @errors WEIR_EMSGSIZE, WEIR_ENOMEM
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_h2_submit_trailers(weir_h2 *h2, int32_t id,
                                                          const weir_h2_header *headers,
                                                          size_t count);

/** There is body again: on_body will be asked. A stream that is gone is fine. */
WEIR_API void weir_h2_body_ready(weir_h2 *h2, int32_t id);

/** Ends a stream with RST_STREAM; on_close follows in weir_h2_pull(). Gone is fine. */
WEIR_API void weir_h2_reset(weir_h2 *h2, int32_t id, uint32_t code);

/** `len` received body bytes are done with: opens the stream's window. A stream that is gone is
 * fine. */
WEIR_API void weir_h2_consume(weir_h2 *h2, int32_t id, size_t len);

/** Server: first half of a graceful end (RFC 9113 6.8): GOAWAY with the highest id; go on for a
 * while. A PING with `ping` follows, unless that is 0: when its answer comes, the peer has seen the
 * GOAWAY. @param debug  static, of at most 200 bytes */
WEIR_API void weir_h2_goaway_notice(weir_h2 *h2, const char *debug, uint64_t ping);

/** GOAWAY with the last stream seen: no new ones; running ones may finish. */
WEIR_API void weir_h2_goaway(weir_h2 *h2, uint32_t code, weir_str debug);

/** Sends a PING. */
WEIR_API void weir_h2_ping(weir_h2 *h2, uint64_t opaque);

/** Whether HEADERS or DATA were sent since this was last asked: a peer that measures the bandwidth
 * has a reason for a PING then. */
WEIR_API bool weir_h2_take_sent(weir_h2 *h2);

/** Client: whether the request of that stream has left through weir_h2_pull(). */
WEIR_API bool weir_h2_is_sent(const weir_h2 *h2, int32_t id);

/** Body bytes that the peer's windows allow on this stream now. */
WEIR_API size_t weir_h2_window(const weir_h2 *h2, int32_t id);

/** Of the connection: bytes that the peer takes now, and that it may send now. */
WEIR_API size_t weir_h2_send_window(const weir_h2 *h2);
WEIR_API size_t weir_h2_receive_window(const weir_h2 *h2);

/** Streams open now. */
WEIR_API size_t weir_h2_streams(const weir_h2 *h2);

/** The peer's MAX_CONCURRENT_STREAMS: 100, the least that RFC 9113 advises, until its settings
 * arrive (on_settings); UINT32_MAX when these set none. */
WEIR_API uint32_t weir_h2_peer_max_streams(const weir_h2 *h2);

WEIR_END_DECLS

#endif
