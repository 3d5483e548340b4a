/**
 * @file
 * What the servers under measurement answer: the bytes that came, or with `--http` a greeting for
 * each request. Both are the services of weir-echo.
 */
#ifndef WEIR_BENCH_NET_SERVICE_H
#define WEIR_BENCH_NET_SERVICE_H

#include <stdbool.h>
#include <stddef.h>

enum {
    SERVICE_READ_MAX = 65536,    /* the most that a server reads at once, as weir does */
    SERVICE_HIGH_WATER = 1 << 20 /* unsent bytes at which a server stops reading, as weir does */
};

typedef struct service {
    bool http;
    char *answers; /* as many as one read can ask for, one after another */
} service;

/** Bytes of the caller's, or of the service's. */
typedef struct service_bytes {
    const char *ptr;
    size_t len;
} service_bytes;

/** Reads the command line; a mistake, or no memory, ends the program. */
service service_init(int argc, char **argv);
/** Prints "listening on ADDR:PORT" for a bound socket. */
void service_announce(int fd);

/** One answer to a request. */
service_bytes service_hello(void);

/**
 * What to send for input of at most SERVICE_READ_MAX bytes.
 * @param matched  how much of the blank line behind a request has come; 0 at first, kept for each
 *                 connection
 */
service_bytes service_reply(const service *s, service_bytes input, unsigned *matched);

#endif
