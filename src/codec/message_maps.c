/* Each key once, the last one that came. Done when the whole message has been read and not entry by
 * entry: an array that is searched or sorted at each of its entries would be quadratic. */
#include <stdlib.h>

#include "message_impl.h"

static int compare_u64(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int compare_i64(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int compare_keys(const weir_field *key, const char *a, const char *b)
{
    a += key->offset;
    b += key->offset;
    switch (key->kind) {
    case WEIR_KIND_STRING:
        return weir_str_cmp(str_load(a), str_load(b));
    case WEIR_KIND_BOOL:
        return *a - *b;
    case WEIR_KIND_UINT32:
    case WEIR_KIND_FIXED32:
        return compare_u64(u32_load(a), u32_load(b));
    case WEIR_KIND_INT32:
    case WEIR_KIND_SINT32:
    case WEIR_KIND_SFIXED32:
        return compare_i64((int32_t)u32_load(a), (int32_t)u32_load(b));
    case WEIR_KIND_UINT64:
    case WEIR_KIND_FIXED64:
        return compare_u64(u64_load(a), u64_load(b));
    default:
        return compare_i64((int64_t)u64_load(a), (int64_t)u64_load(b));
    }
}

/** For qsort_r over pointers into one array: equal keys stay in the order in which they came. */
static int compare_entries(const void *a, const void *b, void *key)
{
    const char *first = pointer_load(a), *second = pointer_load(b);
    int order = compare_keys(key, first, second);
    return order ? order : compare_u64((uintptr_t)first, (uintptr_t)second);
}

static bool is_tidy(const weir_message *entry, array entries)
{
    for (size_t i = 1; i < entries.len; i++) {
        const char *next = entries.items + i * entry->size;
        if (compare_keys(&entry->fields[0], next - entry->size, next) >= 0)
            return false;
    }
    return true;
}

static bool tidy_map(const weir_message *entry, void *where, weir_arena *mem)
{
    array entries = array_load(where);
    if (is_tidy(entry, entries))
        return true;
    weir_field key = entry->fields[0];
    const char **sorted = weir_arena_alloc(mem, entries.len * sizeof *sorted);
    char *items = weir_arena_alloc(mem, entries.len * entry->size);
    if (!sorted || !items)
        return false;
    for (size_t i = 0; i < entries.len; i++)
        sorted[i] = entries.items + i * entry->size;
    qsort_r(sorted, entries.len, sizeof *sorted, compare_entries, &key);
    size_t kept = 0;
    for (size_t i = 0; i < entries.len; i++)
        if (i + 1 == entries.len || compare_keys(&key, sorted[i], sorted[i + 1]) != 0)
            memcpy(items + kept++ * entry->size, sorted[i], entry->size);
    array_store(where, (array){items, kept});
    return true;
}

static bool tidy_items(const weir_message *type, array items, weir_arena *mem)
{
    for (size_t i = 0; i < items.len; i++)
        if (!weir__message_tidy_maps(type, items.items + i * type->size, mem))
            return false;
    return true;
}

static bool tidy_field(const weir_field *field, char *message, weir_arena *mem)
{
    char *where = message + field->offset;
    const weir_message *type = field->type.message;
    switch (field->shape) {
    case WEIR_SHAPE_MAP:
        return tidy_map(type, where, mem) && tidy_items(type, array_load(where), mem);
    case WEIR_SHAPE_REPEATED:
        return tidy_items(type, array_load(where), mem);
    case WEIR_SHAPE_ONEOF:
        if (u32_load(message + field->has) != field->number)
            return true;
        break;
    default:
        break;
    }
    void *child = pointer_load(where);
    return !child || weir__message_tidy_maps(type, child, mem);
}

/** As deep as the message, which has been read and so is not too deep. */
bool weir__message_tidy_maps(const weir_message *type, void *message, weir_arena *mem)
{
    for (uint32_t i = 0; i < type->field_count; i++)
        if (type->fields[i].kind == WEIR_KIND_MESSAGE &&
            !tidy_field(&type->fields[i], message, mem))
            return false;
    return true;
}
