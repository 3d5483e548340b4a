/* Compression of whole messages, with contexts that are kept while they are used. */
#include <stdlib.h>

#include "compress_impl.h"

enum {
    FIRST_BLOCK = 1024
};

#define IDLE_US WEIR_SECONDS(1)

static const struct {
    weir_str name;
    const weir__compression_ops *ops; /* NULL: nothing is done */
} encodings[WEIR_COMPRESSION_COUNT] = {
    [WEIR_COMPRESSION_DEFAULT] = {{"identity", 8}, NULL},
    [WEIR_COMPRESSION_IDENTITY] = {{"identity", 8}, NULL},
    [WEIR_COMPRESSION_DEFLATE] = {{"deflate", 7}, &weir__deflate_ops},
    [WEIR_COMPRESSION_GZIP] = {{"gzip", 4}, &weir__gzip_ops},
    [WEIR_COMPRESSION_ZSTD] = {{"zstd", 4}, &weir__zstd_ops},
};

struct weir_compressors {
    weir_timers *timers;
    weir_timer idle; /* pending while there are contexts */
    bool used;       /* since it was set */
    void *compressors[WEIR_COMPRESSION_COUNT];
    void *decompressors[WEIR_COMPRESSION_COUNT];
};

static const weir__compression_ops *ops_of(weir_compression compression)
{
    return (unsigned)compression < WEIR_COMPRESSION_COUNT ? encodings[compression].ops : NULL;
}

const char *weir_compression_name(weir_compression compression)
{
    return encodings[(unsigned)compression < WEIR_COMPRESSION_COUNT ? compression : 0].name.ptr;
}

weir_compression weir_compression_from_name(weir_str name)
{
    for (int i = WEIR_COMPRESSION_IDENTITY; i < WEIR_COMPRESSION_COUNT; i++) {
        if (weir_str_eq(name, encodings[i].name))
            return (weir_compression)i;
    }
    return WEIR_COMPRESSION_DEFAULT;
}

/* Contexts. */

weir_err weir_compressors_new(weir_compressors **out, weir_timers *timers)
{
    weir_compressors *c = calloc(1, sizeof *c);
    if (!c)
        return WEIR_ENOMEM;
    c->timers = timers;
    *out = c;
    return WEIR_OK;
}

static void free_contexts(weir_compressors *c)
{
    for (int i = 0; i < WEIR_COMPRESSION_COUNT; i++) {
        if (c->compressors[i])
            encodings[i].ops->compressor_close(c->compressors[i]);
        if (c->decompressors[i])
            encodings[i].ops->decompressor_close(c->decompressors[i]);
        c->compressors[i] = c->decompressors[i] = NULL;
    }
}

void weir_compressors_free(weir_compressors *compressors)
{
    if (!compressors)
        return;
    weir_timers_cancel(compressors->timers, &compressors->idle);
    free_contexts(compressors);
    free(compressors);
}

size_t weir_compressors_contexts(const weir_compressors *compressors)
{
    size_t count = 0;
    for (int i = 0; i < WEIR_COMPRESSION_COUNT; i++)
        count +=
            (compressors->compressors[i] != NULL) + (size_t)(compressors->decompressors[i] != NULL);
    return count;
}

static void on_idle(weir_timer *timer, void *user)
{
    weir_compressors *c = user;
    if (!c->used) {
        free_contexts(c);
        return;
    }
    c->used = false;
    weir_timers_add(c->timers, timer, weir_time_add(weir_timers_now(c->timers), IDLE_US), on_idle,
                    c);
}

/** They are used: the timer is set once, not every time. */
static void touch(weir_compressors *c)
{
    c->used = true;
    if (!weir_timer_pending(&c->idle))
        weir_timers_add(c->timers, &c->idle, weir_time_add(weir_timers_now(c->timers), IDLE_US),
                        on_idle, c);
}

/* Compressing. */

weir_err weir_compress(weir_compressors *compressors, weir_compression compression,
                       weir_str message, uint8_t *out, size_t room, size_t *len)
{
    const weir__compression_ops *ops = ops_of(compression);
    if (!ops)
        return WEIR_EINVAL;
    void **context = &compressors->compressors[compression];
    if (!*context)
        *context = ops->compressor_open();
    if (!*context)
        return WEIR_ENOMEM;
    touch(compressors);
    size_t written = ops->compress(*context, message, out, room);
    if (written == 0)
        return WEIR_EMSGSIZE;
    *len = written;
    return WEIR_OK;
}

/* Decompressing. */

/** What comes out, so far. */
typedef struct output {
    weir_pool *pool;
    uint8_t *block;
    size_t size;
    size_t len;
    size_t max; /* of `size` */
} output;

static void output_free(output *out)
{
    if (out->block)
        weir_pool_put(out->pool, out->block, out->size);
}

static weir_err output_grow(output *out, size_t hint)
{
    if (out->size == out->max)
        return WEIR_EMSGSIZE;
    size_t size = out->size ? out->size : hint / 2;
    size = size > out->max / 2 ? out->max : 2 * size;
    uint8_t *block = weir_pool_get(out->pool, size);
    if (!block)
        return WEIR_ENOMEM;
    if (out->len > 0)
        memcpy(block, out->block, out->len);
    output_free(out);
    out->block = block;
    out->size = size;
    return WEIR_OK;
}

/** What the last step means for the message. */
static weir_err judge(weir__progress progress, size_t left, const char **why)
{
    switch (progress) {
    case WEIR__PROGRESS_FULL:
        return WEIR_OK;
    case WEIR__PROGRESS_NO_MEMORY:
        return WEIR_ENOMEM;
    case WEIR__PROGRESS_END:
        *why = "is followed by other bytes";
        return left > 0 ? WEIR_EMALFORMED : WEIR_OK;
    case WEIR__PROGRESS_CUT:
        *why = "is cut off";
        return WEIR_EMALFORMED;
    case WEIR__PROGRESS_CORRUPT:
        break;
    }
    *why = "is corrupt, or needs more memory than weir gives it";
    return WEIR_EMALFORMED;
}

static weir_err decompress_all(const weir__compression_ops *ops, void *context, output *out,
                               size_t hint, const char **why)
{
    weir__progress progress = WEIR__PROGRESS_FULL;
    while (progress == WEIR__PROGRESS_FULL) {
        weir_err err = output_grow(out, hint);
        if (err)
            return err;
        size_t len = 0;
        progress = ops->decompress(context, out->block + out->len, out->size - out->len, &len);
        out->len += len;
        err = judge(progress, ops->decompressor_left(context), why);
        if (err)
            return err;
    }
    return out->len == out->max ? WEIR_EMSGSIZE : WEIR_OK;
}

weir_err weir_decompress(weir_compressors *compressors, weir_compression compression,
                         weir_str bytes, size_t limit_bytes, weir_pool *pool, uint8_t **block,
                         size_t *block_size, size_t *len, const char **why)
{
    const weir__compression_ops *ops = ops_of(compression);
    *why = "";
    if (!ops)
        return WEIR_EINVAL;
    void **context = &compressors->decompressors[compression];
    if (!*context)
        *context = ops->decompressor_open();
    if (!*context)
        return WEIR_ENOMEM;
    touch(compressors);
    /* One byte more than the limit shows that there is more. */
    output out = {.pool = pool, .max = limit_bytes < SIZE_MAX ? limit_bytes + 1 : SIZE_MAX};
    ops->decompressor_begin(*context, bytes);
    weir_err err = decompress_all(ops, *context, &out, FIRST_BLOCK + 4 * bytes.len, why);
    if (err) {
        output_free(&out);
        return err;
    }
    *block = out.block;
    *block_size = out.size;
    *len = out.len;
    return WEIR_OK;
}
