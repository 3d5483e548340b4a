/**
 * @file
 * Inside of weir_h2 on nghttp2: the only place where that library's header is included.
 *
 * A stream of the owner's hangs on the library's stream as its user data, so that there is no table
 * here. A stream without user data is one that was refused: nothing is reported for it.
 */
#ifndef WEIR_CODEC_H2_NGHTTP2_H
#define WEIR_CODEC_H2_NGHTTP2_H

#include "h2_scan.h"

#include <nghttp2/nghttp2.h>
#include <weir/codec/h2.h>

/** Bytes that a header field counts beside its name and value (RFC 9113 6.5.2). */
enum {
    WEIR__H2_FIELD_OVERHEAD = 32
};

/** The header block that is being received. */
struct block {
    void *stream; /* NULL: not reported */
    size_t fields;
    size_t bytes;
    size_t excess; /* bytes beyond the limit that are not paid for yet */
    bool too_large;
    char status; /* first digit of ":status"; 0: none seen */
};

struct weir_h2 {
    nghttp2_session *session;
    weir_h2_role role;
    const weir_h2_ops *ops;
    void *user;
    weir_pool *pool;
    weir_h2_opts opts;
    size_t streams;
    size_t arrived;      /* body bytes, since the last pull */
    int32_t last_opened; /* client: requests above are not sent yet */
    int32_t never_sent;  /* of these, the one that ended unsent last */
    struct block block;
    weir_err err;      /* once set the connection is broken */
    bool ending;       /* a GOAWAY of the library's is on its way: its text is the reason */
    bool heard;        /* the peer has sent something */
    bool feeding;      /* inside weir_h2_feed() */
    bool sent;         /* HEADERS or DATA, since the owner asked */
    uint8_t last_type; /* of the last complete frame received */
    weir__h2_scan scan;
    weir__h2_limits limits;
    weir_buf *out; /* of the pull that runs */
    size_t out_limit;
    weir_buf farewell;    /* what is left to be sent after a connection error */
    char *why;            /* of the pool; NULL: nothing is wrong */
    uint64_t notice_ping; /* to follow the notice; 0: none */
    const char *notice;   /* text of a GOAWAY that the library gives none; NULL: none */
};

/** Sets the text of weir_h2_error() unless it is set. */
WEIR_PRINTF(2, 3) void weir__h2_explain(weir_h2 *h2, const char *fmt, ...);
weir_err weir__h2_out_of_memory(weir_h2 *h2);
/** For results that can only be out of memory: the owner hears of it in the next feed or pull. */
void weir__h2_note(weir_h2 *h2, int rv);
/** Ends the connection with ENHANCE_YOUR_CALM. */
weir_err weir__h2_calm_down(weir_h2 *h2, weir__h2_flood kind);
/** The owner's stream; NULL: none. */
void *weir__h2_stream(nghttp2_session *session, int32_t id);
/** A client's stream exists for the library only when its request is sent. */
void weir__h2_opened(weir_h2 *h2, int32_t id);

void weir__h2_receive_callbacks(nghttp2_session_callbacks *callbacks);
void weir__h2_send_callbacks(nghttp2_session_callbacks *callbacks);
/** Where the body of a response or request comes from. */
nghttp2_data_provider weir__h2_body_of(void *stream);
/** Moves frames from the library to `out` until it holds `limit` bytes. */
weir_err weir__h2_drain(weir_h2 *h2, weir_buf *out, size_t limit);

#endif
