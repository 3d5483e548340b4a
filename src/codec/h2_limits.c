#include "h2_limits.h"

static const int64_t TOKEN = 1000000;

/* Peers differ: one or two WINDOW_UPDATEs for a DATA frame of 16 KiB are usual, the C core sends
 * one for every message of a stream, of which a frame may hold thousands; a stream may begin with
 * one; the C core's PING for its bandwidth estimate comes at most once for each DATA frame. A
 * server may refuse any of our requests. */
static const uint8_t earnings[WEIR__H2_DEEDS][WEIR__H2_FLOODS] = {
    [WEIR__H2_GOT_HEADERS] = {[WEIR__H2_FLOOD_PING] = 1,
                              [WEIR__H2_FLOOD_WINDOW_UPDATE] = 2,
                              [WEIR__H2_FLOOD_PRIORITY] = 1,
                              [WEIR__H2_FLOOD_OTHER] = 1},
    [WEIR__H2_GOT_DATA] = {[WEIR__H2_FLOOD_PING] = 1, [WEIR__H2_FLOOD_OTHER] = 1},
    [WEIR__H2_SENT_REQUEST] = {[WEIR__H2_FLOOD_RESET] = 1},
    [WEIR__H2_SENT_DATA] = {[WEIR__H2_FLOOD_PING] = 1},
    [WEIR__H2_SENT_PING] = {[WEIR__H2_FLOOD_PING] = 1},
    [WEIR__H2_STREAM_DONE] = {[WEIR__H2_FLOOD_RESET] = 1},
};

/* Bytes sent for which a WINDOW_UPDATE is in order, besides a few for each frame: a message of gRPC
 * has five at the least. What is earned so may add up, for a whole window can be on its way. */
enum {
    UPDATE_BYTES = 4,
    UPDATES_PER_FRAME = 4,
    UPDATES_FULL = 256 /* times the burst */
};

static void add(weir__h2_limits *limits, int kind, int64_t tokens, int64_t full)
{
    int64_t sum = limits->tokens[kind] + tokens;
    if (limits->tokens[kind] < full)
        limits->tokens[kind] = sum < full ? sum : full;
}

void weir__h2_limits_init(weir__h2_limits *limits, uint32_t burst, uint32_t per_second)
{
    limits->full = burst * TOKEN;
    limits->per_second = per_second;
    limits->last = (weir_time){0};
    for (int kind = 0; kind < WEIR__H2_FLOODS; kind++)
        limits->tokens[kind] = limits->full;
}

void weir__h2_limits_advance(weir__h2_limits *limits, weir_time now)
{
    if (!weir_time_before(limits->last, now))
        return;
    int64_t us = weir_time_diff(now, limits->last);
    limits->last = now;
    bool fills = us >= limits->full / limits->per_second;
    for (int kind = 0; kind < WEIR__H2_FLOODS; kind++)
        add(limits, kind, fills ? limits->full : us * limits->per_second, limits->full);
}

bool weir__h2_limits_take(weir__h2_limits *limits, weir__h2_flood kind)
{
    if (limits->tokens[kind] < TOKEN)
        return false;
    limits->tokens[kind] -= TOKEN;
    return true;
}

void weir__h2_limits_earn(weir__h2_limits *limits, weir__h2_deed deed)
{
    for (int kind = 0; kind < WEIR__H2_FLOODS; kind++)
        add(limits, kind, earnings[deed][kind] * TOKEN, limits->full);
}

void weir__h2_limits_sent_data(weir__h2_limits *limits, size_t len)
{
    weir__h2_limits_earn(limits, WEIR__H2_SENT_DATA);
    add(limits, WEIR__H2_FLOOD_WINDOW_UPDATE,
        (int64_t)(len / UPDATE_BYTES + UPDATES_PER_FRAME) * TOKEN, UPDATES_FULL * limits->full);
}

const char *weir__h2_flood_name(weir__h2_flood kind)
{
    static const char *const names[WEIR__H2_FLOODS] = {
        [WEIR__H2_FLOOD_NONE] = "frames whose answers are not read",
        [WEIR__H2_FLOOD_PING] = "PING frames",
        [WEIR__H2_FLOOD_SETTINGS] = "SETTINGS frames",
        [WEIR__H2_FLOOD_PRIORITY] = "PRIORITY frames",
        [WEIR__H2_FLOOD_WINDOW_UPDATE] = "WINDOW_UPDATE frames",
        [WEIR__H2_FLOOD_EMPTY_DATA] = "empty DATA frames",
        [WEIR__H2_FLOOD_RESET] = "reset streams",
        [WEIR__H2_FLOOD_OTHER] = "frames of no use",
        [WEIR__H2_FLOOD_HEADER_BYTES] = "header fields beyond the limit",
        [WEIR__H2_FLOOD_CONTINUATION] = "CONTINUATION frames",
    };
    return names[kind];
}
