/* Decodes and encodes again, for differential_test.py: from stdin frames of a length (4 bytes,
 * little endian) and a weir.test.Everything; to stdout the weir_err (1 byte) and a frame with the
 * message, empty after an error. With the argument "table" no generated code is used, only the
 * tables. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "everything.weir.h"

enum {
    MAX_FRAME = 1 << 24,
    MAX_TYPES = 100
};

static struct {
    const weir_message *generated, *table;
} clones[MAX_TYPES];
static size_t clone_count;

/** The same type with nothing but its table, and so those inside it. */
static const weir_message *table_only(const weir_message *type, weir_arena *mem)
{
    for (size_t i = 0; i < clone_count; i++)
        if (clones[i].generated == type)
            return clones[i].table;
    weir_message *clone = weir_arena_alloc(mem, sizeof *clone);
    weir_field *fields = weir_arena_alloc(mem, type->field_count * sizeof *fields + 1);
    if (!clone || !fields || clone_count == MAX_TYPES)
        abort();
    *clone = *type;
    clone->measure = NULL;
    clone->write = NULL;
    clone->read = NULL;
    clone->fields = fields;
    clones[clone_count].generated = type;
    clones[clone_count++].table = clone;
    for (uint32_t i = 0; i < type->field_count; i++) {
        fields[i] = type->fields[i];
        if (fields[i].kind == WEIR_KIND_MESSAGE)
            fields[i].type.message = table_only(fields[i].type.message, mem);
    }
    return clone;
}

static bool read_frame(uint8_t *bytes, size_t *len)
{
    uint8_t head[4];
    if (fread(head, 1, sizeof head, stdin) != sizeof head)
        return false;
    *len = (size_t)head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
    return *len <= MAX_FRAME && fread(bytes, 1, *len, stdin) == *len;
}

static void write_frame(weir_err err, weir_str bytes)
{
    const uint8_t head[5] = {(uint8_t)err, (uint8_t)bytes.len, (uint8_t)(bytes.len >> 8),
                             (uint8_t)(bytes.len >> 16), (uint8_t)(bytes.len >> 24)};
    fwrite(head, 1, sizeof head, stdout);
    if (bytes.len)
        fwrite(bytes.ptr, 1, bytes.len, stdout);
}

/** The input is copied to memory of its exact size, so that a sanitizer sees a step past its end.
 */
static void answer(const weir_message *type, const uint8_t *bytes, size_t len)
{
    weir_arena mem;
    void *message;
    weir_str again = {0};
    uint8_t *exact = malloc(len ? len : 1);
    if (!exact)
        abort();
    memcpy(exact, bytes, len);
    weir_arena_init(&mem, NULL, 0);
    weir_err err = weir_message_decode(type, &message, &mem, weir_str_of(exact, len), 0);
    if (!err)
        err = weir_message_encode_new(type, message, &mem, &again);
    write_frame(err, again);
    weir_arena_fini(&mem);
    free(exact);
}

int main(int argc, char **argv)
{
    const weir_message *type = &weir_test_everything_descriptor;
    weir_arena types;
    weir_arena_init(&types, NULL, 0);
    if (argc > 1 && strcmp(argv[1], "table") == 0)
        type = table_only(type, &types);
    uint8_t *bytes = malloc(MAX_FRAME);
    for (size_t len; bytes && read_frame(bytes, &len);)
        answer(type, bytes, len);
    free(bytes);
    weir_arena_fini(&types);
    return fflush(stdout) == 0 ? 0 : 1;
}
