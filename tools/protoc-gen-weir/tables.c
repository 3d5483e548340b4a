/* The source file: the tables that weir/codec/message.h describes. */
#include <stdlib.h>
#include <string.h>

#include "generate.h"
#include "member.h"
#include "straight.h"

static void print_enum_table(const generator *g, printer *out, const type *t)
{
    const proto_enum *proto = t->enumeration;
    print(out, "static const weir_enum_value %s_values[] = {\n", t->symbol);
    for (size_t i = 0; i < proto->value.len; i++)
        print(out, "    {\"%.*s\", %s},\n", WEIR_STR_ARGS(proto->value.items[i].name),
              enum_value_symbol(g->schema, t, proto->value.items[i].name));
    print(out, "};\nconst weir_enum %s_descriptor = {\n", t->symbol);
    print(out, "    .name = \"%s\",\n    .values = %s_values,\n    .value_count = %zu,\n};\n\n",
          t->name, t->symbol, proto->value.len);
}

static const char *kind_name(weir_kind kind)
{
    static const char *const names[] = {
        [WEIR_KIND_DOUBLE] = "DOUBLE",     [WEIR_KIND_FLOAT] = "FLOAT",
        [WEIR_KIND_INT64] = "INT64",       [WEIR_KIND_UINT64] = "UINT64",
        [WEIR_KIND_INT32] = "INT32",       [WEIR_KIND_FIXED64] = "FIXED64",
        [WEIR_KIND_FIXED32] = "FIXED32",   [WEIR_KIND_BOOL] = "BOOL",
        [WEIR_KIND_STRING] = "STRING",     [WEIR_KIND_MESSAGE] = "MESSAGE",
        [WEIR_KIND_BYTES] = "BYTES",       [WEIR_KIND_UINT32] = "UINT32",
        [WEIR_KIND_ENUM] = "ENUM",         [WEIR_KIND_SFIXED32] = "SFIXED32",
        [WEIR_KIND_SFIXED64] = "SFIXED64", [WEIR_KIND_SINT32] = "SINT32",
        [WEIR_KIND_SINT64] = "SINT64",
    };
    return names[kind];
}

static const char *shape_name(weir_shape shape)
{
    static const char *const names[] = {"IMPLICIT", "OPTIONAL", "ENTRY", "ONEOF",
                                        "REPEATED", "PACKED",   "MAP"};
    return names[shape];
}

static void print_field(printer *out, const type *t, const member *m)
{
    print(out, "    {.name = \"%.*s\", .json_name = \"", WEIR_STR_ARGS(m->proto->name));
    print_escaped(out, m->proto->json_name);
    print(out, "\", .number = %d,\n", m->proto->number);
    if (m->refers)
        print(out, "     .type.%s = &%s_descriptor,\n",
              m->kind == WEIR_KIND_MESSAGE ? "message" : "enumeration", m->refers->symbol);
    print(out, "     .offset = offsetof(%s, %s),", t->symbol, m->designator);
    if (m->has)
        print(out, " .has = offsetof(%s, %s),", t->symbol, m->has);
    print(out, "\n     .kind = WEIR_KIND_%s, .shape = WEIR_SHAPE_%s},\n", kind_name(m->kind),
          shape_name(m->shape));
}

static int compare_numbers(const void *a, const void *b)
{
    const member *first = a, *second = b;
    return (first->proto->number > second->proto->number) -
           (first->proto->number < second->proto->number);
}

static size_t count_dense(const member *members, size_t count)
{
    size_t dense = 0;
    while (dense < count && (size_t)members[dense].proto->number == dense + 1)
        dense++;
    return dense;
}

static void print_message_table(const generator *g, printer *out, const type *t)
{
    size_t count = t->message->field.len;
    member *members = members_of(g->schema, t);
    if (count) {
        qsort(members, count, sizeof *members, compare_numbers);
        print(out, "static const weir_field %s_fields[] = {\n", t->symbol);
        for (size_t i = 0; i < count; i++)
            print_field(out, t, &members[i]);
        print(out, "};\n");
    }
    if (!type_is_entry(t))
        print_straight(g, out, t, members, count);
    print(out, "const weir_message %s_descriptor = {\n    .name = \"%s\",\n    .file = &%s,\n",
          t->symbol, t->name, g->file->symbol);
    if (count)
        print(out, "    .fields = %s_fields,\n    .field_count = %zu,\n    .dense = %zu,\n",
              t->symbol, count, count_dense(members, count));
    print(out, "    .size = sizeof(%s),\n", t->symbol);
    if (type_is_entry(t))
        print(out, "    .map_entry = true,\n};\n\n");
    else
        print(out,
              "    .unknown = offsetof(%s, unknown),\n    .measure = %s_measure,\n"
              "    .write = %s_write,\n    .read = %s_read,\n};\n\n",
              t->symbol, t->symbol, t->symbol, t->symbol);
}

/** The file's description, without the source positions, which nobody asks a server for. */
static weir_str encode_descriptor(const generator *g)
{
    proto_file proto = *g->file->proto;
    proto.source_code_info = NULL;
    weir_str bytes = {0};
    if (google_protobuf_file_descriptor_proto_encode(&proto, g->schema->mem, &bytes))
        fatal("a file's description cannot be encoded");
    return bytes;
}

static void print_descriptor_bytes(printer *out, const char *symbol, weir_str bytes)
{
    print(out, "static const uint8_t %s_bytes[] = {", symbol);
    for (size_t i = 0; i < bytes.len; i++)
        print(out, "%s%d,", i % 24 ? "" : "\n    ", (unsigned char)bytes.ptr[i]);
    print(out, "\n};\n");
}

static size_t print_import_list(const generator *g, printer *out)
{
    weir_strs imports = g->file->proto->dependency;
    if (imports.len == 0)
        return 0;
    print(out, "static const weir_file *const %s_imports[] = {\n", g->file->symbol);
    for (size_t i = 0; i < imports.len; i++)
        print(out, "    &%s,\n", schema_file(g->schema, imports.items[i])->symbol);
    print(out, "};\n");
    return imports.len;
}

static size_t print_message_list(const generator *g, printer *out)
{
    size_t count = 0;
    for (size_t i = 0; i < g->file->type_count; i++) {
        const type *t = &g->file->types[i];
        if (!t->message || type_is_entry(t))
            continue;
        if (count++ == 0)
            print(out, "static const weir_message *const %s_messages[] = {\n", g->file->symbol);
        print(out, "    &%s_descriptor,\n", t->symbol);
    }
    print(out, "%s", count ? "};\n" : "");
    return count;
}

static void print_file_table(const generator *g, printer *out)
{
    const char *symbol = g->file->symbol;
    print_descriptor_bytes(out, symbol, encode_descriptor(g));
    size_t imports = print_import_list(g, out), messages = print_message_list(g, out);
    print(out, "const weir_file %s = {\n    .name = \"%.*s\",\n", symbol,
          WEIR_STR_ARGS(g->file->proto->name));
    print(out, "    .descriptor = %s_bytes,\n    .descriptor_len = sizeof %s_bytes,\n", symbol,
          symbol);
    if (imports)
        print(out, "    .imports = %s_imports,\n    .import_count = %zu,\n", symbol, imports);
    if (messages)
        print(out, "    .messages = %s_messages,\n    .message_count = %zu,\n", symbol, messages);
    print(out, "};\n");
}

static void print_own_include(const generator *g, printer *out)
{
    const char *slash = strrchr(g->file->base, '/');
    if (g->file->shipped)
        print(out, "#include <weir/codec/%s.weir.h>\n", g->file->base);
    else
        print(out, "#include \"%s.weir.h\"\n", slash ? slash + 1 : g->file->base);
}

void generate_source(generator *g, printer *out)
{
    print(out, "/* Generated by protoc-gen-weir from %.*s; changes will be lost. */\n",
          WEIR_STR_ARGS(g->file->proto->name));
    print(out, "/* clang-format off */\n");
    print_own_include(g, out);
    print(out, "\n#include <stddef.h>\n#include <weir/codec/wire.h>\n\n");
    for (size_t i = 0; i < g->file->type_count; i++) {
        if (g->file->types[i].message)
            print_message_table(g, out, &g->file->types[i]);
        else
            print_enum_table(g, out, &g->file->types[i]);
    }
    print_file_table(g, out);
    generate_service_definitions(g, out);
}
