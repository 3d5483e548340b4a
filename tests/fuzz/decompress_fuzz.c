/* Bytes of a peer as compressed data. The first byte chooses the encoding and the limit. What is
 * decompressed must come back the same after compressing it again. */
#include <stdlib.h>
#include <string.h>
#include <weir/codec/compression.h>

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void there_and_back(weir_compressors *c, weir_compression how, weir_str bytes)
{
    size_t room = bytes.len + 1000, len = 0, size = 0, back = 0;
    uint8_t *out = malloc(room), *block = NULL;
    const char *why;
    check(out != NULL);
    check(weir_compress(c, how, bytes, out, room, &len) == WEIR_OK);
    check(weir_decompress(c, how, weir_str_of(out, len), bytes.len, NULL, &block, &size, &back,
                          &why) == WEIR_OK);
    check(back == bytes.len && memcmp(block, bytes.ptr, back) == 0);
    weir_pool_put(NULL, block, size);
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    weir_compression how = (weir_compression)(WEIR_COMPRESSION_DEFLATE + data[0] % 3);
    size_t limit = (size_t)1 << data[0] / 3 % 22;
    weir_timers timers;
    weir_timers_init(&timers, (weir_time){WEIR_SECONDS(1)});
    weir_compressors *c = NULL;
    if (weir_compressors_new(&c, &timers))
        return 0;
    uint8_t *block = NULL;
    size_t block_size = 0, len = 0;
    const char *why;
    weir_err err = weir_decompress(c, how, weir_str_of(data + 1, size - 1), limit, NULL, &block,
                                   &block_size, &len, &why);
    check(err == WEIR_OK || err == WEIR_EMALFORMED || err == WEIR_EMSGSIZE);
    if (!err) {
        check(len <= limit && len <= block_size);
        there_and_back(c, how, weir_str_of(block, len));
        weir_pool_put(NULL, block, block_size);
    }
    weir_compressors_free(c);
    return 0;
}
