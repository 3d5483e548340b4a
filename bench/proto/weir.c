/* weir's half of the comparison: does one thing COUNT times. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.weir.h"
#include "content.h"

enum {
    OUT_BYTES = 4096
};

static const weir_message *type;
static const void *message;
static uint8_t out[OUT_BYTES];

static size_t serialize(void)
{
    size_t size = weir_message_size(type, message);
    if (size > sizeof out || weir_message_encode(type, message, out, size) != WEIR_OK)
        abort();
    return size;
}

/** A fresh arena of the kind that a call has: reset, so that its block is there. */
static void parse(weir_arena *mem, weir_str bytes)
{
    void *parsed;
    weir_arena_reset(mem);
    if (weir_message_decode(type, &parsed, mem, bytes, 0) != WEIR_OK)
        abort();
}

static void choose(const char *name)
{
    static const int64_t mentions[] = {CHAT_MENTIONS};
    static const char *const tags[] = {CHAT_TAGS};
    static weir_str tag_views[2];
    static bench_small small = {.text = {SMALL_TEXT, sizeof SMALL_TEXT - 1}};
    static bench_chat chat = {
        .id = CHAT_ID,
        .timestamp_us = CHAT_TIME,
        .kind = BENCH_KIND_IMAGE,
        .sender = {CHAT_SENDER, sizeof CHAT_SENDER - 1},
        .room = {CHAT_ROOM, sizeof CHAT_ROOM - 1},
        .body = {CHAT_BODY, sizeof CHAT_BODY - 1},
        .mentions = {mentions, sizeof mentions / sizeof mentions[0]},
        .tags = {tag_views, 2},
    };
    for (int i = 0; i < 2; i++)
        tag_views[i] = weir_str_from(tags[i]);
    bool is_chat = strcmp(name, "chat") == 0;
    type = is_chat ? &bench_chat_descriptor : &bench_small_descriptor;
    message = is_chat ? (const void *)&chat : &small;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, USAGE, argv[0]);
        return 2;
    }
    choose(argv[1]);
    long count = strtol(argv[3], NULL, 10);
    size_t size = serialize();
    if (strcmp(argv[2], "serialize") == 0) {
        for (long i = 0; i < count; i++)
            serialize();
    } else {
        weir_arena mem;
        weir_arena_init(&mem, NULL, 0);
        for (long i = 0; i < count; i++)
            parse(&mem, weir_str_of(out, size));
        weir_arena_fini(&mem);
    }
    printf("%zu\n", size);
    return 0;
}
