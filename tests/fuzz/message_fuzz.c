/* Any bytes as a weir.test.Everything: what is read is written, read and written again alike. */
#include <stdlib.h>

#include "everything.weir.h"

enum {
    LIMIT_BYTES = 64 << 20
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const weir_message *const type = &weir_test_everything_descriptor;

/** What was read must be writable, and readable again. */
static weir_str encode(const void *message, weir_arena *mem)
{
    weir_str bytes = {0};
    if (weir_message_encode_new(type, message, mem, &bytes) != WEIR_OK)
        abort();
    return bytes;
}

static void round_trip(weir_str input, weir_arena *mem, unsigned flags)
{
    void *first, *second;
    if (weir_message_decode(type, &first, mem, input, flags) != WEIR_OK)
        return;
    weir_str bytes = encode(first, mem);
    if (weir_message_decode(type, &second, mem, bytes, 0) != WEIR_OK)
        abort();
    if (!weir_str_eq(bytes, encode(second, mem)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    weir_arena mem;
    weir_arena_init(&mem, NULL, LIMIT_BYTES);
    round_trip(weir_str_of(data, size), &mem, 0);
    round_trip(weir_str_of(data, size), &mem, WEIR_DECODE_COPY);
    weir_arena_fini(&mem);
    return 0;
}
