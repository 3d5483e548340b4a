/**
 * @file
 * How weir-echo finds the messages in a stream of bytes.
 */
#ifndef WEIR_TOOLS_ECHO_FRAMING_H
#define WEIR_TOOLS_ECHO_FRAMING_H

#include <weir/base/buf.h>

enum {
    FRAMING_MAX = 1 << 20
};

struct framing {
    /** Bytes of the first whole message; 0: it is not complete yet; -1: it never will be. */
    int64_t (*next)(const struct framing *framing, const weir_buf *in);
    size_t fixed; /* length of every message, for "fixed:N" */
};

/**
 * Reads "raw", "line", "length" or "fixed:N".
 * @return false: none of these
 */
bool framing_read(struct framing *out, const char *text);

#endif
