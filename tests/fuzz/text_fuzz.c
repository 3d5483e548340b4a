/* The texts in gRPC's headers: what a peer sends is decoded without harm, and what we write is read
 * back the same. Also what programs add as metadata. */
#include <stdlib.h>
#include <string.h>
#include <weir/codec/metadata.h>

#include "text.h"

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void timeouts(weir_str text)
{
    int64_t us = 0, again = 0;
    if (weir__timeout_parse(text, &us))
        return;
    check(us >= 0 && text.len <= 9);
    char out[WEIR__TIMEOUT_TEXT_MAX];
    weir_str formatted = weir__timeout_format(out, us);
    check(weir__timeout_parse(formatted, &again) == WEIR_OK && again >= us);
}

static void percent(weir_arena *mem, weir_str text)
{
    weir_str decoded = weir__percent_decode(mem, text);
    check(decoded.ptr != NULL && decoded.len <= text.len && decoded.ptr[decoded.len] == '\0');
    weir_str encoded = weir__percent_encode(mem, text);
    for (size_t i = 0; i < encoded.len; i++)
        check(encoded.ptr[i] >= 0x20 && encoded.ptr[i] <= 0x7e);
    check(weir_str_eq(weir__percent_decode(mem, encoded), text));
}

static void base64(weir_arena *mem, weir_str text)
{
    weir_str bytes, back;
    weir_err err = weir__base64_decode(mem, text, &bytes);
    check(err == WEIR_OK || err == WEIR_EMALFORMED);
    check(err != WEIR_OK || bytes.len <= text.len);
    check(weir__base64_decode(mem, weir__base64_encode(mem, text), &back) == WEIR_OK);
    check(weir_str_eq(back, text));
}

/** The key ends at the first '='. */
static void metadata(weir_arena *mem, weir_str text)
{
    const char *equals = text.len ? memchr(text.ptr, '=', text.len) : NULL;
    size_t key_len = equals ? (size_t)(equals - text.ptr) : text.len;
    weir_str key = weir_str_of(text.ptr, key_len);
    weir_str value = equals ? weir_str_of(equals + 1, text.len - key_len - 1) : WEIR_STR("");
    weir_metadata list = {0};
    weir_err err = weir_metadata_add(&list, mem, key, value);
    check(err == WEIR_OK || err == WEIR_EINVAL);
    check(list.len == (err == WEIR_OK));
    if (err)
        return;
    check(!weir_str_starts(key, WEIR_STR("grpc-")) && !weir_str_starts(key, WEIR_STR(":")));
    check(weir_metadata_add(&list, mem, key, value) == WEIR_OK);
    const weir_str *found = weir_metadata_get(&list, key);
    check(found && weir_str_eq(*found, value));
    check(weir_metadata_remove(&list, key) == 2 && list.len == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    weir_arena mem;
    weir_arena_init(&mem, NULL, 0);
    /* A copy of its own, so that a read past the end is seen. */
    char *copy = malloc(size ? size : 1);
    check(copy != NULL);
    if (size > 0)
        memcpy(copy, data, size);
    weir_str text = weir_str_of(copy, size);
    timeouts(text);
    percent(&mem, text);
    base64(&mem, text);
    metadata(&mem, text);
    free(copy);
    weir_arena_fini(&mem);
    return 0;
}
