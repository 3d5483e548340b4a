#include "h2_scan.h"

#include <string.h>

enum {
    PREFACE = 24, /* bytes of "PRI * HTTP/2.0..." */
    HEAD = 9,
    END_STREAM = 0x1,
    PADDED = 0x8,
    /* Of 16 KiB each, that is far beyond every sensible list limit. */
    MAX_CONTINUATIONS = 8
};

/* RFC 9113 section 6. */
enum {
    DATA,
    HEADERS,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    PUSH_PROMISE,
    PING,
    GOAWAY,
    WINDOW_UPDATE,
    CONTINUATION
};

void weir__h2_scan_init(weir__h2_scan *scan, bool server)
{
    *scan = (weir__h2_scan){.skip = server ? PREFACE : 0};
}

static size_t payload_len(const weir__h2_scan *scan)
{
    return (size_t)scan->head[0] << 16 | (size_t)scan->head[1] << 8 | scan->head[2];
}

/** Bytes of head that are needed to judge the frame. */
static size_t head_len(const weir__h2_scan *scan)
{
    bool padded = scan->have >= HEAD && scan->head[3] == DATA && (scan->head[4] & PADDED) != 0;
    return padded && payload_len(scan) > 0 ? HEAD + 1 : HEAD;
}

static bool data_is_useful(const weir__h2_scan *scan)
{
    size_t padding = head_len(scan) > HEAD ? 1u + scan->head[HEAD] : 0;
    return payload_len(scan) > padding || (scan->head[4] & END_STREAM) != 0;
}

static weir__h2_flood take(weir__h2_limits *limits, weir__h2_flood kind)
{
    return weir__h2_limits_take(limits, kind) ? WEIR__H2_FLOOD_NONE : kind;
}

static weir__h2_flood earn(weir__h2_limits *limits, weir__h2_deed deed)
{
    weir__h2_limits_earn(limits, deed);
    return WEIR__H2_FLOOD_NONE;
}

static weir__h2_flood judge(weir__h2_scan *scan, weir__h2_limits *limits)
{
    switch (scan->head[3]) {
    case DATA:
        return data_is_useful(scan) ? earn(limits, WEIR__H2_GOT_DATA)
                                    : take(limits, WEIR__H2_FLOOD_EMPTY_DATA);
    case HEADERS:
        scan->continuations = 0;
        return earn(limits, WEIR__H2_GOT_HEADERS);
    case CONTINUATION:
        return ++scan->continuations > MAX_CONTINUATIONS ? WEIR__H2_FLOOD_CONTINUATION
                                                         : WEIR__H2_FLOOD_NONE;
    case PRIORITY:
        return take(limits, WEIR__H2_FLOOD_PRIORITY);
    case RST_STREAM:
        return take(limits, WEIR__H2_FLOOD_RESET);
    case SETTINGS:
        return take(limits, WEIR__H2_FLOOD_SETTINGS);
    case PING:
        return take(limits, WEIR__H2_FLOOD_PING);
    case WINDOW_UPDATE:
        return take(limits, WEIR__H2_FLOOD_WINDOW_UPDATE);
    default:
        return take(limits, WEIR__H2_FLOOD_OTHER);
    }
}

size_t weir__h2_scan_feed(weir__h2_scan *scan, weir__h2_limits *limits, const uint8_t *bytes,
                          size_t len, weir__h2_flood *flood)
{
    *flood = WEIR__H2_FLOOD_NONE;
    for (size_t at = 0; at < len;) {
        size_t want = scan->skip > 0 ? scan->skip : head_len(scan) - scan->have;
        size_t got = want < len - at ? want : len - at;
        if (scan->skip > 0) {
            scan->skip -= got;
        } else {
            memcpy(scan->head + scan->have, bytes + at, got);
            scan->have = (uint8_t)(scan->have + got);
        }
        at += got;
        if (scan->have < head_len(scan))
            continue;
        if ((*flood = judge(scan, limits)) != WEIR__H2_FLOOD_NONE)
            return at;
        scan->skip = payload_len(scan) - (head_len(scan) - HEAD);
        scan->have = 0;
    }
    return len;
}
