/**
 * @file
 * A connection that knows what bytes have to come back: those it has sent.
 *
 * The content is a pattern that starts at another place for each stream and repeats after a prime
 * number of bytes, so that lost, doubled, reordered and foreign bytes are seen.
 */
#ifndef WEIR_BENCH_NET_STREAM_H
#define WEIR_BENCH_NET_STREAM_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    STREAM_BLOCK = 65536 /* the most that one system call moves */
};

typedef struct stream {
    int fd;
    bool blocked;     /* the kernel takes no more now */
    uint64_t seed;    /* where the pattern starts */
    uint64_t to_send; /* these four count bytes since the start */
    uint64_t sent;
    uint64_t received;
} stream;

int64_t now_ns(void);

/** "HOST:PORT" with an IPv4 address. @return false: it is not that */
bool stream_parse_addr(const char *text, struct sockaddr_in *out);

/**
 * Connects, and waits for it.
 * @param source  an address of this host to connect from; NULL: any
 * @return false: errno says why
 */
bool stream_open(stream *s, const struct sockaddr_in *to, const struct in_addr *source,
                 uint64_t seed);
void stream_close(stream *s);

/** Sends as much of `to_send` as the kernel takes. @return false: the connection is broken */
bool stream_send(stream *s);

/** Reads once. @return bytes, 0: none now, -1: the connection has ended or these are wrong bytes */
ssize_t stream_receive(stream *s);

#endif
