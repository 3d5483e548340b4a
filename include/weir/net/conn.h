/**
 * @file
 * Connection: a connected stream socket in a loop.
 *
 * A `weir_conn *` is good in its loop until on_down has returned. To remember a connection keep its
 * `weir_conn_id`, which never dangles. All output of a turn leaves in one system call at its end.
 */
#ifndef WEIR_NET_CONN_H
#define WEIR_NET_CONN_H

#include <weir/codec/codec.h>
#include <weir/net/addr.h>
#include <weir/net/loop.h>
#include <weir/net/tls.h>

WEIR_BEGIN_DECLS

typedef struct weir_conn weir_conn;

/** Names a connection for ever; {0} names none. Compare with weir_conn_id_eq(). */
typedef struct weir_conn_id {
    uint64_t value;
} weir_conn_id;

static inline bool weir_conn_id_eq(weir_conn_id a, weir_conn_id b)
{
    return a.value == b.value;
}

typedef enum weir_conn_state {
    WEIR_CONN_CONNECTING, /**< the TLS handshake goes on */
    WEIR_CONN_CONNECTED,
    WEIR_CONN_DISCONNECTING, /**< output is being flushed, or only one direction is closed */
    WEIR_CONN_DISCONNECTED
} weir_conn_state;

/** Callbacks, all in the connection's loop; any may be NULL. `user` is the owner's (server's or
 * connector's); weir_conn_data() is the connection's own. */
typedef struct weir_conn_ops {
    /** Once, first; with TLS when the handshake is over. */
    void (*on_up)(weir_conn *conn, void *user);
    /** Bytes arrived; take what can be used from `in`, the rest stays for the next time. With
     * opts.codec: one whole message, without what the codec puts around it; what is left in `in` is
     * dropped. A stream that the codec cannot read closes after the output is flushed, and on_down
     * says WEIR_EMSGSIZE or WEIR_EMALFORMED. */
    void (*on_message)(weir_conn *conn, weir_buf *in, void *user);
    /** The peer has ended its direction. NULL: the connection closes after the output is flushed.
     */
    void (*on_eof)(weir_conn *conn, void *user);
    /** End of a turn in which output was scheduled (weir_conn_schedule()), before the write: append
     * to `out` what is to leave now. Also when the output has drained and more was asked for. */
    void (*on_flush)(weir_conn *conn, weir_buf *out, void *user);
    /** All output has been handed to the kernel. */
    void (*on_written)(weir_conn *conn, void *user);
    /** Unsent output has grown past the high-water mark: stop sending. */
    void (*on_high_water)(weir_conn *conn, size_t unsent_bytes, void *user);
    /** And has drained to half of it: go on. Also when weir_conn_send_post() has told another
     * thread WEIR_EAGAIN. */
    void (*on_low_water)(weir_conn *conn, void *user);
    /** Once, last, if on_up was: WEIR_OK after an orderly end, else why (weir_conn_why()). `conn`
     * is gone when it returns. When a TLS handshake fails it comes without on_up at a client, and
     * not at all at a server, where a line of the log says why. */
    void (*on_down)(weir_conn *conn, weir_err why, void *user);
} weir_conn_ops;

/** A zeroed field means the default written beside it. */
typedef struct weir_conn_opts {
    weir_codec codec;  /**< where messages begin and end; zeroed: bytes as they come */
    size_t high_water; /**< unsent bytes; 0: 1 MiB */
    size_t read_max;   /**< bytes per read; 0: 64 KiB */
    int64_t idle_us;   /**< close after so long without a byte either way; 0: never */
    int64_t linger_us; /**< weir_conn_close() reads and throws away what the peer still sends, until
                            it has ended too, for at most so long: unread input would reset the
                            connection and could take our last bytes away; 0: only what is there */
    int64_t close_us;  /**< a connection that closes (weir_conn_close()) is aborted with
                            WEIR_ETIMEDOUT when the peer has taken none of the output for so long; 0:
                            60 s */
    /** Seals the connection with TLS; a context of weir_tls_client_new() makes it a client. Each
        connection takes a reference. A stream that ends without close_notify may have been cut:
       on_down says WEIR_ECONNRESET. NULL: plaintext */
    weir_tls *tls;
    const char *tls_name; /**< client: whose certificate the peer must have, a name or an address;
                               copied; NULL: where there is a target, its host */
    const char
        *tls_alpn; /**< as weir_tls_opts.alpn, at most 31 bytes, if that is NULL; NULL: none */
    int64_t tls_handshake_us; /**< it fails with WEIR_ETIMEDOUT after so long; 0: 10 s */
    bool throttle;     /**< do not read from a peer while it leaves more than high_water unread */
    bool delay;        /**< leave Nagle's algorithm on (TCP_NODELAY is set otherwise) */
    bool no_keepalive; /**< leave SO_KEEPALIVE off */
} weir_conn_opts;

/**
 * Makes a connection of a connected descriptor.
 * @param out   set before on_up
 * @param fd    a non-blocking stream socket; owned from the call on, whatever comes back
 * @param peer  copied; NULL: asked of the socket
 * @param ops   borrowed for the connection's life
 * @param opts  copied; NULL is all defaults
 * @thread the loop's; on_up comes before it returns, but not with TLS: then output waits for the
 *         handshake
 * @errors WEIR_EINVAL: not a socket; a TLS client without a name. WEIR_ENOMEM, WEIR_EFULL. No
 *         callback comes then.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_conn_open_take(weir_conn **out, weir_loop *loop, int fd,
                                                      const weir_addr *peer,
                                                      const weir_conn_ops *ops, void *user,
                                                      const weir_conn_opts *opts);

/* In the loop. */

WEIR_API weir_conn_id weir_conn_id_of(const weir_conn *conn);
/** The living connection of that id, if it is in this loop; else NULL. */
WEIR_API weir_conn *weir_conn_get(weir_loop *loop, weir_conn_id id);
WEIR_API weir_loop *weir_conn_loop(const weir_conn *conn);
WEIR_API weir_conn_state weir_conn_get_state(const weir_conn *conn);
/** What it was opened with: tells whose connection it is. */
WEIR_API const weir_conn_ops *weir_conn_callbacks(const weir_conn *conn);
/** The socket, for getsockopt(2), getsockname(2) and the like. It stays the connection's: reading,
 * writing or closing it breaks that. */
WEIR_API int weir_conn_descriptor(const weir_conn *conn);
/** The peer's address; its `len` is 0 when a unix socket's can not be had any more. */
WEIR_API weir_addr weir_conn_peer(const weir_conn *conn);
/** And as text. */
WEIR_API const char *weir_conn_peer_text(const weir_conn *conn, char out[WEIR_ADDR_TEXT_MAX]);
WEIR_API void weir_conn_set_data(weir_conn *conn, void *data);
WEIR_API void *weir_conn_data(const weir_conn *conn);
/** What the TLS handshake has found, until on_down has returned; NULL: none is over, or out of
 * memory. The first call makes it. */
WEIR_API const weir_tls_info *weir_conn_tls(weir_conn *conn);
/** In on_down: a sentence about why it ended. Until on_down has returned. */
WEIR_API const char *weir_conn_why(const weir_conn *conn);
/** Bytes that the kernel has not taken; with TLS some of them are sealed, and longer so. */
WEIR_API size_t weir_conn_unsent(const weir_conn *conn);

/**
 * Queues a copy for the end of the turn.
 * @errors WEIR_ECLOSED: closed, or weir_conn_close() was called. WEIR_ENOMEM: nothing was queued.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_conn_send(weir_conn *conn, const void *bytes, size_t len);

/**
 * Queues a copy with what the connection's codec puts around it.
 * @errors as weir_conn_send() and weir_codec_append()
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_conn_send_message(weir_conn *conn, weir_str message);

/** Moves all of `bytes` (of the loop's pool) to the output, without copying unless few bytes have
 * to wait behind others. Errors as above. */
WEIR_API WEIR_MUST_CHECK weir_err weir_conn_send_buf(weir_conn *conn, weir_buf *bytes);

/** on_flush is wanted at the end of this turn. Gone or closed is fine. */
WEIR_API void weir_conn_schedule(weir_conn *conn);

/** Stops reading until weir_conn_resume(): the peer is slowed down by TCP. */
WEIR_API void weir_conn_pause(weir_conn *conn);
/** Reads on; on_message comes again this turn for what it left in `in`, paused or not. */
WEIR_API void weir_conn_resume(weir_conn *conn);

/** Ends our direction after the output is flushed; reading goes on until the peer ends its own. */
WEIR_API void weir_conn_shutdown(weir_conn *conn);

/** Closes both after the output is flushed, within opts.close_us; input that still comes is thrown
 * away. Of the callbacks, on_written, on_high_water and on_low_water may still come; on_down
 * follows, not inside this call. */
WEIR_API void weir_conn_close(weir_conn *conn);

/** Closes now; output that is left is dropped. on_down(why) follows, not inside this call. */
WEIR_API void weir_conn_abort(weir_conn *conn, weir_err why);

/* From any thread. */

/**
 * Queues a copy; bytes of one thread arrive in its order, and a send is never torn. What was queued
 * is dropped if the connection ends, or weir_conn_shutdown() is called, before the loop sees it.
 * @thread any
 * @errors WEIR_ECLOSED: gone. WEIR_EAGAIN: over the high-water mark, counting what other threads
 *         have queued and the loop has not seen. WEIR_EMSGSIZE: longer than 1 GiB. WEIR_ENOMEM.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_conn_send_post(weir_conn_id id, const void *bytes,
                                                      size_t len);
/** weir_conn_close() in its loop. Gone is fine. @thread any @errors WEIR_ENOMEM */
WEIR_API weir_err weir_conn_close_post(weir_conn_id id);

/** weir_conn_abort() in its loop. Gone is fine. @thread any @errors WEIR_ENOMEM */
WEIR_API weir_err weir_conn_abort_post(weir_conn_id id, weir_err why);

/** Runs in the connection's loop; `conn` is NULL when it has ended on the way. */
typedef void (*weir_conn_run_fn)(weir_conn *conn, void *user);

/**
 * `fn` runs once in the connection's loop: the way back for work that another thread has done.
 * @thread any
 * @errors WEIR_ECLOSED: gone. WEIR_ENOMEM. `fn` does not run then.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_conn_run_post(weir_conn_id id, weir_conn_run_fn fn,
                                                     void *user);

WEIR_END_DECLS

#endif
