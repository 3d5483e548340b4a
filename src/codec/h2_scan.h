/**
 * @file
 * Reads the frame headers of incoming HTTP/2 and charges each frame to the flood counters, before
 * the framing library sees it: also frames that the library drops in silence are counted.
 */
#ifndef WEIR_CODEC_H2_SCAN_H
#define WEIR_CODEC_H2_SCAN_H

#include "h2_limits.h"

#include <stddef.h>

typedef struct weir__h2_scan {
    size_t skip;           /* bytes until the next frame header */
    uint8_t head[10];      /* it, and the Pad Length of a padded DATA frame */
    uint8_t have;          /* bytes of head */
    uint8_t continuations; /* since HEADERS */
} weir__h2_scan;

/** @param server  a client's preface comes first */
void weir__h2_scan_init(weir__h2_scan *scan, bool server);

/**
 * @param flood  set to the kind that is at its bound
 * @return bytes to be taken: `len`, or those up to and with the header of the frame too many
 */
size_t weir__h2_scan_feed(weir__h2_scan *scan, weir__h2_limits *limits, const uint8_t *bytes,
                          size_t len, weir__h2_flood *flood);

#endif
