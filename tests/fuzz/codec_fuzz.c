/* The first byte chooses a codec, the second one the sizes of the pieces; every cut must give the
 * same messages as the whole. */
#include <stdint.h>
#include <stdlib.h>
#include <weir/codec/codec.h>

enum {
    MAX_BYTES = 1000
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static weir_codec codec_of(uint8_t choice)
{
    switch (choice % 6) {
    case 0:
        return weir_codec_fixed(1 + choice % 9);
    case 1:
        return weir_codec_prefix(1u << choice % 4, MAX_BYTES);
    case 2:
        return weir_codec_varint(MAX_BYTES);
    case 3:
        return weir_codec_line(MAX_BYTES);
    case 4:
        return weir_codec_json(MAX_BYTES);
    default:
        return (weir_codec){0};
    }
}

/** A checksum over the messages and how it ended; `step` 0: all bytes at once. */
static uint64_t read_all(const weir_codec *codec, const uint8_t *data, size_t size, size_t step)
{
    uint64_t sum = 0;
    weir_codec_state state = {0};
    weir_buf in;
    weir_buf_init(&in, NULL);
    weir_err err = WEIR_EAGAIN;
    for (size_t at = 0; at < size && err == WEIR_EAGAIN;) {
        size_t part = step && step < size - at ? step : size - at;
        if (weir_buf_append(&in, data + at, part))
            abort();
        at += part;
        weir_codec_message message;
        while (!(err = weir_codec_next(codec, &state, &in, &message))) {
            if (message.skip + message.len > message.total || message.total > weir_buf_len(&in) ||
                message.total == 0)
                abort();
            sum = sum * 31 + message.len + 1;
            weir_buf_retrieve(&in, message.total);
        }
    }
    weir_buf_clear(&in);
    return sum * 31 + (uint64_t)err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    weir_codec codec = codec_of(data[0]);
    if (codec.kind == WEIR_CODEC_NONE)
        return 0;
    uint64_t whole = read_all(&codec, data + 2, size - 2, 0);
    if (whole != read_all(&codec, data + 2, size - 2, 1 + data[1] % 40))
        abort();
    return 0;
}
