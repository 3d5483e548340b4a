#include "straight.h"

#include <weir/codec/wire.h>

/* How a kind is written and read: expressions, and what is known of it beforehand. */
typedef struct kind_code {
    const char *value; /* of $m$, as the functions of weir/codec/wire.h take it */
    const char *taken; /* of `wide` or `narrow`, as they give it; $t$ is the type */
    const char *put;   /* weir_wire_put_<this>() and weir_wire_put_<this>_field() */
    weir_wire_type wire;
} kind_code;

static const kind_code kinds[] = {
    [WEIR_KIND_DOUBLE] = {"weir_wire_double_bits($m$)", "weir_wire_double(wide)", "fixed64",
                          WEIR_WIRE_FIXED64},
    [WEIR_KIND_FLOAT] = {"weir_wire_float_bits($m$)", "weir_wire_float(narrow)", "fixed32",
                         WEIR_WIRE_FIXED32},
    [WEIR_KIND_INT64] = {"(uint64_t)$m$", "(int64_t)wide", "varint", WEIR_WIRE_VARINT},
    [WEIR_KIND_UINT64] = {"$m$", "wide", "varint", WEIR_WIRE_VARINT},
    [WEIR_KIND_INT32] = {"weir_wire_int32($m$)", "(int32_t)(uint32_t)wide", "varint",
                         WEIR_WIRE_VARINT},
    [WEIR_KIND_FIXED64] = {"$m$", "wide", "fixed64", WEIR_WIRE_FIXED64},
    [WEIR_KIND_FIXED32] = {"$m$", "narrow", "fixed32", WEIR_WIRE_FIXED32},
    [WEIR_KIND_BOOL] = {"$m$", "wide != 0", "varint", WEIR_WIRE_VARINT},
    [WEIR_KIND_STRING] = {"$m$", NULL, "bytes", WEIR_WIRE_BYTES},
    [WEIR_KIND_BYTES] = {"$m$", NULL, "bytes", WEIR_WIRE_BYTES},
    [WEIR_KIND_UINT32] = {"$m$", "(uint32_t)wide", "varint", WEIR_WIRE_VARINT},
    [WEIR_KIND_ENUM] = {"weir_wire_int32((int32_t)$m$)", "($t$)(int32_t)(uint32_t)wide", "varint",
                        WEIR_WIRE_VARINT},
    [WEIR_KIND_SFIXED32] = {"(uint32_t)$m$", "(int32_t)narrow", "fixed32", WEIR_WIRE_FIXED32},
    [WEIR_KIND_SFIXED64] = {"(uint64_t)$m$", "(int64_t)wide", "fixed64", WEIR_WIRE_FIXED64},
    [WEIR_KIND_SINT32] = {"weir_wire_zigzag($m$)", "(int32_t)weir_wire_unzigzag((uint32_t)wide)",
                          "varint", WEIR_WIRE_VARINT},
    [WEIR_KIND_SINT64] = {"weir_wire_zigzag($m$)", "weir_wire_unzigzag(wide)", "varint",
                          WEIR_WIRE_VARINT},
    [WEIR_KIND_MESSAGE] = {NULL, NULL, NULL, WEIR_WIRE_BYTES},
};

static bool is_array(const member *m)
{
    return m->shape >= WEIR_SHAPE_REPEATED;
}

static uint32_t tag_of(const member *m)
{
    return (uint32_t)m->proto->number << 3 | (uint32_t)kinds[m->kind].wire;
}

/** What must hold for the field to be written. */
static const char *condition(weir_arena *mem, const member *m)
{
    if (m->shape == WEIR_SHAPE_OPTIONAL)
        return format(mem, "m->%s", m->has);
    if (m->shape == WEIR_SHAPE_ONEOF)
        return format(mem, "m->%s == %d", m->has, m->proto->number);
    if (m->kind == WEIR_KIND_STRING || m->kind == WEIR_KIND_BYTES)
        return format(mem, "m->%s.len", m->designator);
    if (m->kind == WEIR_KIND_DOUBLE)
        return format(mem, "weir_wire_double_bits(m->%s)", m->designator);
    if (m->kind == WEIR_KIND_FLOAT)
        return format(mem, "weir_wire_float_bits(m->%s)", m->designator);
    return format(mem, "m->%s", m->designator);
}

/** The kind's value expression with `place` filled in. */
static const char *value_of(weir_arena *mem, const member *m, const char *place)
{
    printer text = {0};
    const printer_var vars[] = {{"m", place}, {NULL, NULL}};
    print_template(&text, kinds[m->kind].value, vars);
    const char *value = format(mem, "%.*s", (int)text.len, text.ptr);
    printer_free(&text);
    return value;
}

/** Bytes of the value at `place`, without its tag. */
static const char *size_of(weir_arena *mem, const member *m, const char *place)
{
    if (m->kind == WEIR_KIND_MESSAGE)
        return format(mem, "weir_wire_nested_size(&%s_descriptor, %s%s, depth)", m->refers->symbol,
                      is_array(m) ? "&" : "", place);
    if (m->kind == WEIR_KIND_BOOL)
        return "1";
    switch (kinds[m->kind].wire) {
    case WEIR_WIRE_BYTES:
        return format(mem, "weir_wire_framed_size(%s.len)", place);
    case WEIR_WIRE_FIXED64:
        return "8";
    case WEIR_WIRE_FIXED32:
        return "4";
    default:
        return format(mem, "weir_wire_varint_size(%s)", value_of(mem, m, place));
    }
}

/** The call that writes the value at `place` and its tag. */
static const char *put_of(weir_arena *mem, const member *m, const char *place)
{
    if (m->kind == WEIR_KIND_MESSAGE)
        return format(mem, "weir_wire_put_nested(w, at, %u, &%s_descriptor, %s%s, depth)",
                      tag_of(m), m->refers->symbol, is_array(m) ? "&" : "", place);
    return format(mem, "weir_wire_put_%s_field(w, at, %u, %s)", kinds[m->kind].put, tag_of(m),
                  value_of(mem, m, place));
}

static const char packed_measure[] = "    if ($m$.len) {\n"
                                     "        size_t len = 0;\n"
                                     "        for (size_t i = 0; i < $m$.len; i++)\n"
                                     "            len += $size$;\n"
                                     "        size += $tag_size$ + weir_wire_framed_size(len);\n"
                                     "    }\n";

static const char fixed_measure[] =
    "    if ($m$.len)\n"
    "        size += $tag_size$ + weir_wire_framed_size($m$.len * $size$);\n";

static const char array_measure[] = "    for (size_t i = 0; i < $m$.len; i++)\n"
                                    "        size += $tag_size$ + $size$;\n";

static const char value_measure[] = "    if ($condition$)\n"
                                    "        size += $tag_size$ + $size$;\n";

static const char packed_write[] = "    if ($m$.len) {\n"
                                   "        const uint8_t *end = at;\n"
                                   "        for (size_t i = $m$.len; i-- > 0;)\n"
                                   "            at = weir_wire_put_$kind$(w, at, $value$);\n"
                                   "        at = weir_wire_put_length(w, at, $tag$, end);\n"
                                   "    }\n";

static const char array_write[] = "    for (size_t i = $m$.len; i-- > 0;)\n"
                                  "        at = $put$;\n";

static const char value_write[] = "    if ($condition$)\n"
                                  "        at = $put$;\n";

static bool has_fixed_size(const member *m)
{
    return kinds[m->kind].wire != WEIR_WIRE_VARINT || m->kind == WEIR_KIND_BOOL;
}

static void print_field_code(weir_arena *mem, printer *out, const member *m, bool writing)
{
    bool packed = m->shape == WEIR_SHAPE_PACKED;
    uint32_t tag = packed ? (uint32_t)m->proto->number << 3 | WEIR_WIRE_BYTES : tag_of(m);
    const char *base = format(mem, "m->%s", m->designator);
    const char *place = is_array(m) ? format(mem, "%s.items[i]", base) : base;
    bool message = m->kind == WEIR_KIND_MESSAGE;
    const printer_var vars[] = {
        {"m", base},
        {"condition", is_array(m) ? "" : condition(mem, m)},
        {"tag", format(mem, "%u", tag)},
        {"tag_size", format(mem, "%zu", weir_wire_varint_size(tag))},
        {"size", size_of(mem, m, place)},
        {"kind", message ? "" : kinds[m->kind].put},
        {"value", message ? "" : value_of(mem, m, place)},
        {"put", put_of(mem, m, place)},
        {NULL, NULL},
    };
    const char *text;
    if (writing)
        text = packed ? packed_write : is_array(m) ? array_write : value_write;
    else if (packed)
        text = has_fixed_size(m) ? fixed_measure : packed_measure;
    else
        text = is_array(m) ? array_measure : value_measure;
    print_template(out, text, vars);
}

static const char measure_begin[] =
    "static size_t $type$_measure(const void *message, unsigned depth)\n"
    "{\n"
    "    const $type$ *m = message;\n"
    "    size_t size = weir_wire_unknown_size(m->unknown);\n"
    "    (void)depth;\n";

static const char write_begin[] =
    "    return size;\n"
    "}\n"
    "static uint8_t *$type$_write(\n"
    "    weir_wire_writer *w, uint8_t *at, const void *message, unsigned depth)\n"
    "{\n"
    "    const $type$ *m = message;\n"
    "    (void)depth;\n"
    "    at = weir_wire_put_unknown(w, at, m->unknown);\n";

static const char write_end[] = "    return at;\n"
                                "}\n";

static const char read_begin[] =
    "static const uint8_t *$type$_read(\n"
    "    weir_wire_reader *r, void *message, const uint8_t *at, const uint8_t *end, unsigned depth)\n"
    "{\n"
    "    $type$ *m = message;\n"
    "    uint64_t wide = 0;\n"
    "    uint32_t narrow = 0, tag = 0;\n"
    "    (void)m, (void)wide, (void)narrow;\n"
    "    while (at && at < end) {\n"
    "        const uint8_t *value = weir_wire_read_tag(at, end, &tag);\n"
    "        switch (value ? tag : 0) {\n";

static const char read_end[] =
    "        default:\n"
    "            at = weir_wire_take_other(r, &$type$_descriptor, message, at, end, depth);\n"
    "        }\n"
    "    }\n"
    "    return at;\n"
    "}\n";

static const char *take_of(weir_arena *mem, const type *t, const member *m, size_t index)
{
    if (is_array(m))
        return format(
            mem, "at = weir_wire_take_items(r, &%s_fields[%zu], m, tag & 7, value, end, depth)",
            t->symbol, index);
    switch (m->kind) {
    case WEIR_KIND_MESSAGE:
        return format(mem,
                      "at = weir_wire_take_child(r, &%s_descriptor, &m->%s, value, end, depth)",
                      m->refers->symbol, m->designator);
    case WEIR_KIND_STRING:
        return format(mem, "at = weir_wire_take_string(r, value, end, &m->%s)", m->designator);
    case WEIR_KIND_BYTES:
        return format(mem, "at = weir_wire_take_bytes(r, value, end, &m->%s)", m->designator);
    default:
        return format(mem, "at = weir_wire_take_%s(r, value, end, &%s)", kinds[m->kind].put,
                      kinds[m->kind].wire == WEIR_WIRE_FIXED32 ? "narrow" : "wide");
    }
}

/** A case of the switch over tags. Arrays of numbers come packed or not. */
static void print_read_case(weir_arena *mem, printer *out, const type *t, const member *m,
                            size_t index)
{
    uint32_t packed = (uint32_t)m->proto->number << 3 | WEIR_WIRE_BYTES;
    print(out, "        case %u:\n", tag_of(m));
    if (is_array(m) && tag_of(m) != packed)
        print(out, "        case %u:\n", packed);
    if (m->shape == WEIR_SHAPE_ONEOF)
        print(out, "            weir_wire_choose(&%s_fields[%zu], m);\n", t->symbol, index);
    if (m->shape == WEIR_SHAPE_OPTIONAL)
        print(out, "            m->%s = true;\n", m->has);
    print(out, "            %s;\n", take_of(mem, t, m, index));
    if (!is_array(m) && kinds[m->kind].taken) {
        printer text = {0};
        const printer_var vars[] = {{"t", m->refers ? m->refers->symbol : ""}, {NULL, NULL}};
        print_template(&text, kinds[m->kind].taken, vars);
        print(out, "            m->%s = %.*s;\n", m->designator, (int)text.len, text.ptr);
        printer_free(&text);
    }
    print(out, "            break;\n");
}

void print_straight(const generator *g, printer *out, const type *t, const member *members,
                    size_t count)
{
    const printer_var vars[] = {{"type", t->symbol}, {NULL, NULL}};
    print_template(out, measure_begin, vars);
    for (size_t i = 0; i < count; i++)
        print_field_code(g->schema->mem, out, &members[i], false);
    print_template(out, write_begin, vars);
    for (size_t i = count; i-- > 0;)
        print_field_code(g->schema->mem, out, &members[i], true);
    print_template(out, write_end, vars);
    print_template(out, read_begin, vars);
    for (size_t i = 0; i < count; i++)
        print_read_case(g->schema->mem, out, t, &members[i], i);
    print_template(out, read_end, vars);
}
