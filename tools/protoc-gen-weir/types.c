/* Enums and structs: the message part of a header. */
#include "comments.h"
#include "generate.h"
#include "member.h"

/* Enums. */

const char *enum_value_symbol(const schema *s, const type *t, weir_str value)
{
    weir_arena *mem = s->mem;
    const char *local = name_snake(mem, t->enumeration->name);
    weir_str own = weir_str_from(name_upper(mem, weir_str_from(local)));
    const char *symbol = name_upper(mem, weir_str_from(t->symbol));
    if (weir_str_eq(value, own))
        return symbol;
    weir_str doubled = weir_str_from(format(mem, "%s_", own.ptr));
    if (weir_str_starts(value, doubled) && value.len > doubled.len)
        value = weir_str_of(value.ptr + doubled.len, value.len - doubled.len);
    return format(mem, "%s_%.*s", symbol, WEIR_STR_ARGS(value));
}

static void print_enum(generator *g, printer *out, const type *t)
{
    const schema *s = g->schema;
    names_declare(&g->names, t->symbol);
    names_declare(&g->names, format(s->mem, "%s_descriptor", t->symbol));
    print_comment(s, out, g->file, t->at, 0, NULL);
    print(out, "typedef enum %s {\n", t->symbol);
    for (size_t i = 0; i < t->enumeration->value.len; i++) {
        const google_protobuf_enum_value_descriptor_proto *value = &t->enumeration->value.items[i];
        const char *symbol = enum_value_symbol(s, t, value->name);
        names_declare(&g->names, symbol);
        print_comment(s, out, g->file, path_child(s->mem, t->at, PATH_ENUM_VALUE, i), 4, NULL);
        const char *comma = i + 1 < t->enumeration->value.len ? "," : "";
        if (value->number == INT32_MIN)
            print(out, "    %s = INT32_MIN%s\n", symbol, comma);
        else
            print(out, "    %s = %d%s\n", symbol, value->number, comma);
    }
    print(out, "} %s;\n\n", t->symbol);
}

/* Oneofs: an enum of cases before the struct, a union in it. */

static const char *case_symbol(const schema *s, const type *t, int oneof, weir_str field)
{
    weir_str name = t->message->oneof_decl.items[oneof].name;
    return format(s->mem, "%s_%s_%s", name_upper(s->mem, weir_str_from(t->symbol)),
                  name_upper(s->mem, name), name_upper(s->mem, field));
}

static const char *case_type(const schema *s, const type *t, int oneof)
{
    return format(s->mem, "%s_%s_case", t->symbol,
                  name_snake(s->mem, t->message->oneof_decl.items[oneof].name));
}

static void print_cases(generator *g, printer *out, const type *t, const member *members, int oneof)
{
    const schema *s = g->schema;
    const char *none = case_symbol(s, t, oneof, WEIR_STR("not_set"));
    const char *name = case_type(s, t, oneof);
    names_declare(&g->names, none);
    names_declare(&g->names, name);
    print(out, "typedef enum %s {\n    %s = 0", name, none);
    for (size_t i = 0; i < t->message->field.len; i++) {
        if (members[i].oneof != oneof)
            continue;
        const char *symbol = case_symbol(s, t, oneof, members[i].proto->name);
        names_declare(&g->names, symbol);
        print(out, ",\n    %s = %d", symbol, members[i].proto->number);
    }
    print(out, "\n} %s;\n\n", name);
}

/** The enums of the message's oneofs; those that only stand for `optional` have no members. */
static void print_all_cases(generator *g, printer *out, const type *t, const member *members)
{
    int last = NO_ONEOF;
    for (size_t i = 0; i < t->message->field.len; i++)
        if (members[i].oneof != last && members[i].oneof != NO_ONEOF)
            print_cases(g, out, t, members, last = members[i].oneof);
}

/* Structs. */

static void print_member(generator *g, printer *out, const member *m, int indent)
{
    print_comment(g->schema, out, g->file, m->at, indent, NULL);
    if (m->shape == WEIR_SHAPE_OPTIONAL)
        print(out, "%*sbool %s;\n", indent, "", m->has);
    if (m->array)
        print(out, "%*s%s %s;\n", indent, "", m->array, m->name);
    else if (m->shape == WEIR_SHAPE_REPEATED || m->shape == WEIR_SHAPE_MAP)
        print(out, "%*sstruct {\n%*s    %sitems;\n%*s    size_t len;\n%*s} %s;\n", indent, "",
              indent, "", m->c_type, indent, "", indent, "", m->name);
    else
        print(out, "%*s%s%s;\n", indent, "", m->c_type, m->name);
}

static void print_union(generator *g, printer *out, const type *t, const member *members,
                        size_t first)
{
    const schema *s = g->schema;
    int oneof = members[first].oneof;
    print_comment(s, out, g->file, path_child(s->mem, t->at, PATH_MESSAGE_ONEOF, (size_t)oneof), 4,
                  NULL);
    print(out, "    %s %s;\n    union {\n", case_type(s, t, oneof), members[first].has);
    for (size_t i = first; i < t->message->field.len; i++)
        if (members[i].oneof == oneof)
            print_member(g, out, &members[i], 8);
    print(out, "    } %s;\n", oneof_member(s, t, oneof));
}

static void print_struct(generator *g, printer *out, const type *t)
{
    const member *members = members_of(g->schema, t);
    print_all_cases(g, out, t, members);
    print_comment(g->schema, out, g->file, t->at, 0, NULL);
    print(out, "struct %s {\n", t->symbol);
    int last = NO_ONEOF;
    for (size_t i = 0; i < t->message->field.len; i++) {
        if (members[i].oneof == NO_ONEOF)
            print_member(g, out, &members[i], 4);
        else if (members[i].oneof != last)
            print_union(g, out, t, members, i);
        last = members[i].oneof;
    }
    if (!type_is_entry(t))
        print(out, "    weir_unknown unknown;\n");
    print(out, "};\n\n");
}

static const char codec[] =
    "/** Into the arena: see weir_message_encode_new(). */\n"
    "static inline WEIR_MUST_CHECK weir_err $type$_encode(\n"
    "    const $type$ *message, weir_arena *mem, weir_str *out)\n"
    "{\n"
    "    return weir_message_encode_new(&$type$_descriptor, message, mem, out);\n"
    "}\n"
    "\n"
    "/** The message points into `bytes`: see weir_message_decode(). */\n"
    "static inline WEIR_MUST_CHECK weir_err $type$_decode(\n"
    "    $type$ **out, weir_arena *mem, weir_str bytes)\n"
    "{\n"
    "    void *message = NULL;\n"
    "    weir_err err = weir_message_decode(&$type$_descriptor, &message, mem, bytes, 0);\n"
    "    if (!err)\n"
    "        *out = ($type$ *)message;\n"
    "    return err;\n"
    "}\n"
    "\n";

static void print_codec(generator *g, printer *out, const type *t)
{
    weir_arena *mem = g->schema->mem;
    const printer_var vars[] = {{"type", t->symbol}, {NULL, NULL}};
    print_template(out, codec, vars);
    names_declare(&g->names, format(mem, "%s_encode", t->symbol));
    names_declare(&g->names, format(mem, "%s_decode", t->symbol));
}

static void print_descriptors(generator *g, printer *out)
{
    const char *exported = g->schema->opts->exported;
    for (size_t i = 0; i < g->file->type_count; i++) {
        const type *t = &g->file->types[i];
        print(out, "extern %sconst %s %s_descriptor;\n", exported,
              t->message ? "weir_message" : "weir_enum", t->symbol);
    }
    print(out, "/** The file itself, for reflection. */\nextern %sconst weir_file %s;\n\n",
          exported, g->file->symbol);
    names_declare(&g->names, g->file->symbol);
}

void generate_types(generator *g, printer *out)
{
    const type *types = g->file->types;
    size_t count = g->file->type_count;
    for (size_t i = 0; i < count; i++)
        if (types[i].enumeration)
            print_enum(g, out, &types[i]);
    for (size_t i = 0; i < count; i++)
        if (types[i].message) {
            print(out, "typedef struct %s %s;\n", types[i].symbol, types[i].symbol);
            names_declare(&g->names, types[i].symbol);
            names_declare(&g->names, format(g->schema->mem, "%s_descriptor", types[i].symbol));
        }
    print(out, "\n");
    for (size_t i = 0; i < count; i++)
        if (types[i].message)
            print_struct(g, out, &types[i]);
    print_descriptors(g, out);
    for (size_t i = 0; i < count; i++)
        if (types[i].message && !type_is_entry(&types[i]))
            print_codec(g, out, &types[i]);
}
