/**
 * @file
 * Raw HTTP/2 frames for tests, good ones and bad ones.
 */
#ifndef WEIR_H2_FRAMES_H
#define WEIR_H2_FRAMES_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    FRAME_DATA,
    FRAME_HEADERS,
    FRAME_PRIORITY,
    FRAME_RST_STREAM,
    FRAME_SETTINGS,
    FRAME_PUSH_PROMISE,
    FRAME_PING,
    FRAME_GOAWAY,
    FRAME_WINDOW_UPDATE,
    FRAME_CONTINUATION
};

enum {
    FLAG_ACK = 1,
    FLAG_END_STREAM = 1,
    FLAG_END_HEADERS = 4,
    FLAG_PADDED = 8
};

/** Grows by itself; freed with bytes_free(). */
struct bytes {
    uint8_t *at;
    size_t len, room;
};

static inline void bytes_add(struct bytes *b, const void *data, size_t len)
{
    if (b->len + len > b->room) {
        b->room = 2 * (b->len + len);
        b->at = realloc(b->at, b->room);
        if (!b->at)
            abort();
    }
    if (len > 0)
        memcpy(b->at + b->len, data, len);
    b->len += len;
}

static inline void bytes_free(struct bytes *b)
{
    free(b->at);
    *b = (struct bytes){0};
}

static inline void bytes_u32(struct bytes *b, uint32_t n)
{
    const uint8_t raw[4] = {(uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};
    bytes_add(b, raw, sizeof raw);
}

static inline void frame_head(struct bytes *b, size_t len, int type, int flags, uint32_t id)
{
    const uint8_t raw[5] = {(uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len, (uint8_t)type,
                            (uint8_t)flags};
    bytes_add(b, raw, sizeof raw);
    bytes_u32(b, id);
}

static inline void frame(struct bytes *b, int type, int flags, uint32_t id, const void *payload,
                         size_t len)
{
    frame_head(b, len, type, flags, id);
    bytes_add(b, payload, len);
}

static inline void frame_data(struct bytes *b, uint32_t id, size_t len, int flags)
{
    frame_head(b, len, FRAME_DATA, flags, id);
    for (size_t i = 0; i < len; i++)
        bytes_add(b, "d", 1);
}

static inline void frame_u32(struct bytes *b, int type, uint32_t id, uint32_t value)
{
    frame_head(b, 4, type, 0, id);
    bytes_u32(b, value);
}

static inline void frame_ping(struct bytes *b)
{
    frame(b, FRAME_PING, 0, 0, "12345678", 8);
}

static inline void frame_priority(struct bytes *b, uint32_t id)
{
    frame(b, FRAME_PRIORITY, 0, id, "\0\0\0\0\x10", 5);
}

static inline void frame_setting(struct bytes *b, uint16_t id, uint32_t value)
{
    const uint8_t raw[2] = {(uint8_t)(id >> 8), (uint8_t)id};
    frame_head(b, 6, FRAME_SETTINGS, 0, 0);
    bytes_add(b, raw, 2);
    bytes_u32(b, value);
}

/** What a client begins with: preface, empty SETTINGS, and an answer to the server's SETTINGS. */
static inline void client_hello(struct bytes *b)
{
    bytes_add(b, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
    frame(b, FRAME_SETTINGS, 0, 0, NULL, 0);
    frame(b, FRAME_SETTINGS, FLAG_ACK, 0, NULL, 0);
}

/* HPACK (RFC 7541): POST http :path=/a :authority=h, from the static table. */
#define HPACK_REQUEST "\x83\x86\x04\x02/a\x01\x01h"

/** A field without indexing; lengths below 127. */
static inline void hpack_field(struct bytes *b, const char *name, const char *value)
{
    const uint8_t name_len = (uint8_t)strlen(name), value_len = (uint8_t)strlen(value);
    bytes_add(b, "\0", 1);
    bytes_add(b, &name_len, 1);
    bytes_add(b, name, name_len);
    bytes_add(b, &value_len, 1);
    bytes_add(b, value, value_len);
}

static inline void frame_request(struct bytes *b, uint32_t id, int flags)
{
    frame(b, FRAME_HEADERS, FLAG_END_HEADERS | flags, id, HPACK_REQUEST, sizeof HPACK_REQUEST - 1);
}

/** The request with one field more. */
static inline void frame_request_with(struct bytes *b, uint32_t id, const char *name,
                                      const char *value)
{
    struct bytes block = {0};
    bytes_add(&block, HPACK_REQUEST, sizeof HPACK_REQUEST - 1);
    hpack_field(&block, name, value);
    frame(b, FRAME_HEADERS, FLAG_END_HEADERS, id, block.at, block.len);
    bytes_free(&block);
}

/** A header block cut into HEADERS and CONTINUATION frames. */
static inline void frame_block(struct bytes *b, uint32_t id, const struct bytes *block, size_t cut)
{
    for (size_t at = 0; at < block->len || at == 0;) {
        size_t len = block->len - at < cut ? block->len - at : cut;
        int last = at + len == block->len ? FLAG_END_HEADERS : 0;
        frame(b, at == 0 ? FRAME_HEADERS : FRAME_CONTINUATION, last, id, block->at + at, len);
        at += len;
    }
}

/** Whether `type` is among the frames in `b`; its payload's last 32-bit word of the first 8 bytes.
 */
static inline int find_frame(const struct bytes *b, int type, uint32_t id, uint32_t *word)
{
    for (size_t at = 0; at + 9 <= b->len;) {
        const uint8_t *f = b->at + at;
        size_t len = (size_t)f[0] << 16 | (size_t)f[1] << 8 | f[2];
        uint32_t of = (uint32_t)f[5] << 24 | (uint32_t)f[6] << 16 | (uint32_t)f[7] << 8 | f[8];
        if (f[3] == type && of == id) {
            const uint8_t *w = f + 9 + (len >= 8 ? 4 : 0);
            if (word && len >= 4)
                *word = (uint32_t)w[0] << 24 | (uint32_t)w[1] << 16 | (uint32_t)w[2] << 8 | w[3];
            return 1;
        }
        at += 9 + len;
    }
    return 0;
}

#endif
