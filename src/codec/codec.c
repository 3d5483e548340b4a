#include <weir/codec/codec.h>

enum {
    VARINT_MAX = 10,
    LOOK = 256 /* bytes that are looked at together */
};

weir_codec weir_codec_fixed(size_t len)
{
    return (weir_codec){WEIR_CODEC_FIXED, 0, len ? len : 1};
}

weir_codec weir_codec_prefix(unsigned width, size_t max_bytes)
{
    unsigned known = width == 1 || width == 2 || width == 8 ? width : 4;
    return (weir_codec){WEIR_CODEC_PREFIX, known, max_bytes};
}

weir_codec weir_codec_varint(size_t max_bytes)
{
    return (weir_codec){WEIR_CODEC_VARINT, 0, max_bytes};
}

weir_codec weir_codec_line(size_t max_bytes)
{
    return (weir_codec){WEIR_CODEC_LINE, 0, max_bytes};
}

weir_codec weir_codec_json(size_t max_bytes)
{
    return (weir_codec){WEIR_CODEC_JSON, 0, max_bytes};
}

/* Lengths in front. */

/** A length of `width` bytes was read. */
static weir_err counted(const weir_codec *codec, const weir_buf *in, size_t width, uint64_t len,
                        weir_codec_message *out)
{
    if (len > codec->max_bytes)
        return WEIR_EMSGSIZE;
    if (weir_buf_len(in) - width < len)
        return WEIR_EAGAIN;
    *out = (weir_codec_message){width, (size_t)len, width + (size_t)len};
    return WEIR_OK;
}

static weir_err next_prefix(const weir_codec *codec, const weir_buf *in, weir_codec_message *out)
{
    uint8_t bytes[8];
    uint64_t len = 0;
    if (!weir_buf_peek(in, bytes, codec->width))
        return WEIR_EAGAIN;
    for (unsigned i = 0; i < codec->width; i++)
        len = len << 8 | bytes[i];
    return counted(codec, in, codec->width, len, out);
}

static weir_err next_varint(const weir_codec *codec, const weir_buf *in, weir_codec_message *out)
{
    uint8_t bytes[VARINT_MAX];
    size_t have = weir_buf_len(in) < VARINT_MAX ? weir_buf_len(in) : VARINT_MAX;
    uint64_t len = 0;
    weir_buf_peek(in, bytes, have);
    for (size_t i = 0; i < have; i++) {
        if (i == VARINT_MAX - 1 && bytes[i] > 1)
            return WEIR_EMALFORMED; /* beyond 64 bits */
        len |= (uint64_t)(bytes[i] & 0x7f) << 7 * i;
        if (bytes[i] < 0x80)
            return counted(codec, in, i + 1, len, out);
    }
    return have < VARINT_MAX ? WEIR_EAGAIN : WEIR_EMALFORMED;
}

/* Ends behind. */

static weir_err next_line(const weir_codec *codec, weir_codec_state *state, const weir_buf *in,
                          weir_codec_message *out)
{
    int64_t at = weir_buf_find(in, state->scanned, WEIR_STR("\n"));
    size_t len = at < 0 ? weir_buf_len(in) : (size_t)at;
    state->scanned = len;
    if (at < 0) /* the last byte may be the "\r" of the line's end */
        return len > codec->max_bytes && len - codec->max_bytes > 1 ? WEIR_EMSGSIZE : WEIR_EAGAIN;
    char before = 0;
    if (len > 0)
        weir_buf_peek_at(in, len - 1, &before, 1);
    size_t text = before == '\r' ? len - 1 : len;
    if (text > codec->max_bytes)
        return WEIR_EMSGSIZE;
    *out = (weir_codec_message){0, text, len + 1};
    return WEIR_OK;
}

/** One byte of JSON. @return WEIR_OK: it ends the object; WEIR_EAGAIN: go on */
static weir_err json_byte(weir_codec_state *state, char c)
{
    if (state->in_string) {
        if (state->escaped)
            state->escaped = false;
        else if (c == '\\')
            state->escaped = true;
        else if (c == '"')
            state->in_string = false;
    } else if (c == '{' || (c == '[' && state->depth > 0)) {
        state->depth++;
    } else if (c == '}' || c == ']') {
        if (state->depth == 0)
            return WEIR_EMALFORMED;
        return --state->depth == 0 ? WEIR_OK : WEIR_EAGAIN;
    } else if (state->depth == 0) {
        if (c != ' ' && c != '\t' && c != '\r' && c != '\n')
            return WEIR_EMALFORMED;
        state->begun++;
    } else if (c == '"') {
        state->in_string = true;
    }
    return WEIR_EAGAIN;
}

static weir_err next_json(const weir_codec *codec, weir_codec_state *state, const weir_buf *in,
                          weir_codec_message *out)
{
    char bytes[LOOK];
    while (state->scanned < weir_buf_len(in)) {
        size_t left = weir_buf_len(in) - state->scanned, count = left < LOOK ? left : LOOK;
        weir_buf_peek_at(in, state->scanned, bytes, count);
        for (size_t i = 0; i < count; i++) {
            weir_err err = json_byte(state, bytes[i]);
            state->scanned++;
            if (err == WEIR_EAGAIN && state->scanned < codec->max_bytes)
                continue;
            if (err != WEIR_OK)
                return err == WEIR_EAGAIN ? WEIR_EMSGSIZE : err;
            *out =
                (weir_codec_message){state->begun, state->scanned - state->begun, state->scanned};
            return WEIR_OK;
        }
    }
    return WEIR_EAGAIN;
}

static weir_err find(const weir_codec *codec, weir_codec_state *state, const weir_buf *in,
                     weir_codec_message *out)
{
    size_t len = weir_buf_len(in);
    switch (codec->kind) {
    case WEIR_CODEC_NONE:
        *out = (weir_codec_message){0, len, len};
        return len > 0 ? WEIR_OK : WEIR_EAGAIN;
    case WEIR_CODEC_FIXED:
        *out = (weir_codec_message){0, codec->max_bytes, codec->max_bytes};
        return len >= codec->max_bytes ? WEIR_OK : WEIR_EAGAIN;
    case WEIR_CODEC_PREFIX:
        return next_prefix(codec, in, out);
    case WEIR_CODEC_VARINT:
        return next_varint(codec, in, out);
    case WEIR_CODEC_LINE:
        return next_line(codec, state, in, out);
    case WEIR_CODEC_JSON:
        return next_json(codec, state, in, out);
    }
    return WEIR_EINVAL;
}

weir_err weir_codec_next(const weir_codec *codec, weir_codec_state *state, const weir_buf *in,
                         weir_codec_message *out)
{
    weir_codec_message message = {0, 0, 0};
    weir_err err = find(codec, state, in, &message);
    if (!err) {
        *state = (weir_codec_state){0};
        *out = message;
    }
    return err;
}

/* Writing. */

static size_t put_length(const weir_codec *codec, uint64_t len, uint8_t bytes[VARINT_MAX])
{
    if (codec->kind == WEIR_CODEC_PREFIX) {
        for (unsigned i = 0; i < codec->width; i++)
            bytes[i] = (uint8_t)(len >> 8 * (codec->width - 1 - i));
        return codec->width;
    }
    size_t count = 0;
    for (; len >= 0x80; len >>= 7)
        bytes[count++] = (uint8_t)(len | 0x80);
    bytes[count++] = (uint8_t)len;
    return count;
}

/** Whether the length fits into the bytes in front of it. */
static bool fits_width(const weir_codec *codec, size_t len)
{
    return codec->kind != WEIR_CODEC_PREFIX || codec->width == 8 ||
           len < (uint64_t)1 << 8 * codec->width;
}

static weir_err append_two(weir_buf *out, weir_str first, weir_str second)
{
    weir_buf both;
    weir_buf_init(&both, out->pool);
    weir_err err = weir_buf_append(&both, first.ptr, first.len);
    if (!err)
        err = weir_buf_append(&both, second.ptr, second.len);
    if (err)
        weir_buf_clear(&both);
    else
        weir_buf_move(out, &both);
    return err;
}

weir_err weir_codec_append(const weir_codec *codec, weir_buf *out, weir_str message)
{
    uint8_t length[VARINT_MAX];
    bool limited = codec->kind != WEIR_CODEC_NONE;
    if ((limited && message.len > codec->max_bytes) || !fits_width(codec, message.len))
        return WEIR_EMSGSIZE;
    switch (codec->kind) {
    case WEIR_CODEC_FIXED:
        if (message.len != codec->max_bytes)
            return WEIR_EMSGSIZE;
        break;
    case WEIR_CODEC_PREFIX:
    case WEIR_CODEC_VARINT:
        return append_two(out, weir_str_of(length, put_length(codec, message.len, length)),
                          message);
    case WEIR_CODEC_LINE:
        if (message.len && memchr(message.ptr, '\n', message.len))
            return WEIR_EINVAL;
        return append_two(out, message, WEIR_STR("\n"));
    case WEIR_CODEC_NONE:
    case WEIR_CODEC_JSON:
        break;
    }
    return weir_buf_append(out, message.ptr, message.len);
}
