/**
 * @file
 * Counters against floods of HTTP/2 frames that cost work and bring nothing.
 *
 * A token bucket per kind: it holds `burst` frames at first and at most, and fills with time.
 * Useful frames earn some of the frames that well-behaved peers send along with them (a
 * WINDOW_UPDATE for DATA, a PING to measure the bandwidth), so that a busy connection is never
 * taken for a flood.
 */
#ifndef WEIR_CODEC_H2_LIMITS_H
#define WEIR_CODEC_H2_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/base/time.h>

/** Kinds of useless work. */
typedef enum weir__h2_flood {
    WEIR__H2_FLOOD_NONE, /* as a reason: a peer that does not read its answers */
    WEIR__H2_FLOOD_PING,
    WEIR__H2_FLOOD_SETTINGS,
    WEIR__H2_FLOOD_PRIORITY,
    WEIR__H2_FLOOD_WINDOW_UPDATE,
    WEIR__H2_FLOOD_EMPTY_DATA,   /* without END_STREAM */
    WEIR__H2_FLOOD_RESET,        /* by the peer, or by us because of what it did */
    WEIR__H2_FLOOD_OTHER,        /* GOAWAY and unknown types */
    WEIR__H2_FLOOD_HEADER_BYTES, /* a step of header fields beyond the list limit */
    WEIR__H2_FLOOD_CONTINUATION, /* too many in one header block; has no bucket */
    WEIR__H2_FLOODS
} weir__h2_flood;

/** What earns. */
typedef enum weir__h2_deed {
    WEIR__H2_GOT_HEADERS,
    WEIR__H2_GOT_DATA, /* with bytes or END_STREAM */
    WEIR__H2_SENT_REQUEST,
    WEIR__H2_SENT_DATA,
    WEIR__H2_SENT_PING,
    WEIR__H2_STREAM_DONE, /* ended by both sides, no reset */
    WEIR__H2_DEEDS
} weir__h2_deed;

typedef struct weir__h2_limits {
    int64_t tokens[WEIR__H2_FLOODS]; /* in millionths of a frame */
    int64_t full;                    /* the most of each, but for earned WINDOW_UPDATEs */
    int64_t per_second;
    weir_time last; /* filled up to here */
} weir__h2_limits;

/** Both numbers are at least 1. */
void weir__h2_limits_init(weir__h2_limits *limits, uint32_t burst, uint32_t per_second);
/** Fills the buckets for the time since the last call. */
void weir__h2_limits_advance(weir__h2_limits *limits, weir_time now);
/** One frame of this kind came. @return false: that was one too many */
bool weir__h2_limits_take(weir__h2_limits *limits, weir__h2_flood kind);
void weir__h2_limits_earn(weir__h2_limits *limits, weir__h2_deed deed);
/** For DATA frames that are sent. */
void weir__h2_limits_sent_data(weir__h2_limits *limits, size_t len);
/** "PING frames": for an error text. */
const char *weir__h2_flood_name(weir__h2_flood kind);

#endif
