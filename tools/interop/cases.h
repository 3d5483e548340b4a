/**
 * @file
 * The interoperability cases of a client: a function for each, and what these share. What each case
 * does and checks is told in gRPC's doc/interop-test-descriptions.md, "Client".
 */
#ifndef WEIR_INTEROP_CASES_H
#define WEIR_INTEROP_CASES_H

#include "test.weir.h"

enum {
    REPLIES_WATCHED = 8,
    PAYLOAD_BYTES_MAX = 4 << 20
};

/** A case that is running. */
struct run {
    const char *name;
    weir_channel *channel;
    weir_arena *mem;    /* for replies; freed after the case */
    weir_time deadline; /* of the whole case */
    bool failed;

    /* Written by an interceptor in the channel's thread, before the reply can be read. */
    unsigned reply_count;
    bool reply_compressed[REPLIES_WATCHED];
};

/** What the soak cases do; set by the command line. */
extern struct soak_options {
    int64_t iterations;
    int64_t max_failures;
    int64_t latency_ms;      /* more is a failure */
    int64_t overall_seconds; /* 0: as long as all may take */
    int64_t request_bytes, reply_bytes;
} soak;

/** Fills `reply_compressed`; its user is the run. */
extern const weir_interceptor watch_replies;

/** One more channel to the server, without interceptors; NULL: out of memory. */
weir_channel *open_channel(const struct run *run);

/** Says what was expected when it did not hold, and then fails the case. @return `held` */
bool expect(struct run *run, bool held, const char *fmt, ...) WEIR_PRINTF(3, 4);

/** The call ended with that code; says with which one instead. */
bool expect_code(struct run *run, const char *call, const weir_status *status,
                 weir_status_code code);

/** The call ended with that code and exactly that text. */
void expect_status(struct run *run, const char *call, const weir_status *status,
                   weir_status_code code, weir_str message);

/** weir's own function succeeded. */
bool expect_ok(struct run *run, const char *what, weir_err err);

/** `payload` is there and holds `size` zeros. */
void expect_zeros(struct run *run, const char *call, const testing_payload *payload, size_t size);

/** A payload of zeros, at most PAYLOAD_BYTES_MAX. */
testing_payload payload_of(size_t size);

/** Options of a call that may last until the case's deadline; `metadata` may be NULL. */
weir_call_opts call_opts(const struct run *run, const weir_metadata *metadata);

/* Streams of StreamingOutputCall and FullDuplexCall, which have the same replies. */

/** A new FullDuplexCall; NULL, and the case failed, when there is none. */
weir_stream *open_duplex(struct run *run, const weir_metadata *metadata);

/** Sends `sent` bytes in a request for a reply of `wanted` bytes. */
void ask(struct run *run, weir_stream *duplex, size_t wanted, size_t sent);

/** The next reply holds `size` zeros. */
void read_sized(struct run *run, weir_stream *stream, size_t size);

/** No reply is left, and the call ended with OK. Frees the stream. */
void expect_end(struct run *run, weir_stream *stream);

/* The cases. */

void empty_unary(struct run *run);
void large_unary(struct run *run);
void unimplemented_method(struct run *run);
void unimplemented_service(struct run *run);

void client_streaming(struct run *run);
void server_streaming(struct run *run);
void ping_pong(struct run *run);
void empty_stream(struct run *run);

void client_compressed_unary(struct run *run);
void server_compressed_unary(struct run *run);
void client_compressed_streaming(struct run *run);
void server_compressed_streaming(struct run *run);

void custom_metadata(struct run *run);
void status_code_and_message(struct run *run);
void special_status_message(struct run *run);

void cancel_after_begin(struct run *run);
void cancel_after_first_response(struct run *run);
void timeout_on_sleeping_server(struct run *run);

void rpc_soak(struct run *run);
void channel_soak(struct run *run);

#endif
