/**
 * @file
 * Socket addresses as text and back: "127.0.0.1:80", "[::1]:80", "unix:/run/x". Numbers only: names
 * are looked up elsewhere.
 */
#ifndef WEIR_NET_ADDR_H
#define WEIR_NET_ADDR_H

#include <sys/socket.h>
#include <weir/base/base.h>

WEIR_BEGIN_DECLS

/** A socket address by value. */
typedef struct weir_addr {
    struct sockaddr_storage storage;
    socklen_t len;
} weir_addr;

/** Bytes for any text form, the NUL included. */
#define WEIR_ADDR_TEXT_MAX 128

/**
 * Reads "127.0.0.1:80", "[::1]:80", ":80" (every IPv4 address), "localhost:80" (127.0.0.1) or
 * "unix:PATH" ("unix:@NAME" is abstract).
 * @param why  a sentence on failure; may be NULL
 * @thread any
 * @errors WEIR_EINVAL: none of these forms
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_addr_parse(weir_addr *out, const char *text, weir_why *why);

/** Writes the text form that weir_addr_parse() reads. Always NUL-terminated. @thread any */
WEIR_API const char *weir_addr_text(const weir_addr *addr, char out[WEIR_ADDR_TEXT_MAX]);

/** The port in host order; 0 for a unix socket. @thread any */
WEIR_API unsigned weir_addr_port(const weir_addr *addr);

WEIR_END_DECLS

#endif
