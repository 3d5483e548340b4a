/**
 * @file
 * What bench-net-load can do to a server. Each prints `name value` lines and returns an exit
 * status; all that goes wrong is said in one line on stderr.
 */
#ifndef WEIR_BENCH_NET_LOAD_H
#define WEIR_BENCH_NET_LOAD_H

#include "options.h"
#include "stream.h"

typedef struct load {
    const struct program *program;
    struct sockaddr_in to;
    struct in_addr source; /* 0.0.0.0: any */
    int64_t connections;
    int64_t size_bytes; /* of a message */
    int64_t pipeline;   /* messages under way on each connection */
    int64_t duration_us;
    int64_t requests; /* ends after so many instead; 0: after the time */
    bool http;        /* held connections ask for a greeting, not for an echo */
} load;

/** Each connection sends messages and waits for their echoes. Prints rates and latencies. */
int load_echo(const load *l);

/** One connection keeps the server as busy as it can; another one sends a small message each
 * millisecond, if the one before has come back. Prints the latencies of the small ones. */
int load_fairness(const load *l);

/** Opens connections, each answered once, prints "holding N", and ends with its standard input. */
int load_hold(const load *l);

/** connect() of `load`, said when it fails. */
bool load_connect(const load *l, stream *s, uint64_t seed);

#endif
