#include "schema.h"

#include <stdlib.h>
#include <string.h>

#include "names.h"
#include "printer.h"

path path_child(weir_arena *mem, path parent, int32_t field, size_t index)
{
    int32_t *items = allocate(mem, parent.len + 2, sizeof *items);
    for (size_t i = 0; i < parent.len; i++)
        items[i] = parent.items[i];
    items[parent.len] = field;
    items[parent.len + 1] = (int32_t)index;
    return (path){items, parent.len + 2};
}

/* Types of a file, nested ones flattened. */

static size_t count_types(const proto_message *message)
{
    size_t count = 1 + message->enum_type.len;
    for (size_t i = 0; i < message->nested_type.len; i++)
        count += count_types(&message->nested_type.items[i]);
    return count;
}

static type *add_type(schema *s, file *in, const char *scope, weir_str name, path at)
{
    type *t = &in->types[in->type_count++];
    const char *full = format(s->mem, "%s%.*s", scope, WEIR_STR_ARGS(name));
    size_t package = in->proto->package.len ? in->proto->package.len + 1 : 0;
    const char *local = name_snake(s->mem, weir_str_from(full + package));
    *t = (type){.in = in, .name = full, .at = at};
    t->symbol = format(s->mem, "%s%s", in->prefix, local);
    return t;
}

static void add_enum(schema *s, file *in, const char *scope, const proto_enum *proto, path at)
{
    add_type(s, in, scope, proto->name, at)->enumeration = proto;
}

static void add_message(schema *s, file *in, const char *scope, const proto_message *proto, path at)
{
    type *t = add_type(s, in, scope, proto->name, at);
    t->message = proto;
    const char *inside = format(s->mem, "%s.", t->name);
    for (size_t i = 0; i < proto->enum_type.len; i++)
        add_enum(s, in, inside, &proto->enum_type.items[i],
                 path_child(s->mem, at, PATH_MESSAGE_ENUM, i));
    for (size_t i = 0; i < proto->nested_type.len; i++)
        add_message(s, in, inside, &proto->nested_type.items[i],
                    path_child(s->mem, at, PATH_MESSAGE_NESTED, i));
}

static void add_types(schema *s, file *in)
{
    const proto_file *proto = in->proto;
    size_t count = proto->enum_type.len;
    for (size_t i = 0; i < proto->message_type.len; i++)
        count += count_types(&proto->message_type.items[i]);
    in->types = allocate(s->mem, count, sizeof *in->types);
    const char *scope =
        proto->package.len ? format(s->mem, "%.*s.", WEIR_STR_ARGS(proto->package)) : "";
    for (size_t i = 0; i < proto->enum_type.len; i++)
        add_enum(s, in, scope, &proto->enum_type.items[i],
                 path_child(s->mem, (path){0}, PATH_FILE_ENUM, i));
    for (size_t i = 0; i < proto->message_type.len; i++)
        add_message(s, in, scope, &proto->message_type.items[i],
                    path_child(s->mem, (path){0}, PATH_FILE_MESSAGE, i));
    s->type_count += count;
}

/** Whether weir itself has the generated code, in <weir/codec/...>. */
static bool is_shipped(weir_str name)
{
    return weir_str_starts(name, WEIR_STR("google/protobuf/")) ||
           weir_str_eq(name, WEIR_STR("google/rpc/status.proto")) ||
           weir_str_eq(name, WEIR_STR("google/rpc/error_details.proto"));
}

static void add_file(schema *s, const proto_file *proto)
{
    file *f = &s->files[s->file_count++];
    weir_str name = proto->name, suffix = WEIR_STR(".proto");
    f->proto = proto;
    f->shipped = is_shipped(name);
    f->proto3 = weir_str_eq(proto->syntax, WEIR_STR("proto3"));
    if (weir_str_ends(name, suffix))
        name.len -= suffix.len;
    f->base = format(s->mem, "%.*s", WEIR_STR_ARGS(name));
    f->symbol = format(s->mem, "%s_file", name_of_path(s->mem, name));
    const char *prefix =
        s->opts->prefix && !f->shipped ? s->opts->prefix : name_snake(s->mem, proto->package);
    f->prefix = *prefix ? format(s->mem, "%s_", prefix) : "";
    add_types(s, f);
}

static int compare_types(const void *a, const void *b)
{
    return strcmp((*(type *const *)a)->name, (*(type *const *)b)->name);
}

static void sort_types(schema *s)
{
    size_t count = 0;
    s->by_name = allocate(s->mem, s->type_count, sizeof(type *));
    for (size_t i = 0; i < s->file_count; i++)
        for (size_t j = 0; j < s->files[i].type_count; j++)
            s->by_name[count++] = &s->files[i].types[j];
    if (count)
        qsort(s->by_name, count, sizeof(type *), compare_types);
}

void schema_init(schema *s, weir_arena *mem, const options *opts, const proto_request *request)
{
    *s = (schema){.mem = mem, .opts = opts};
    s->files = allocate(mem, request->proto_file.len, sizeof *s->files);
    for (size_t i = 0; i < request->proto_file.len; i++)
        add_file(s, &request->proto_file.items[i]);
    sort_types(s);
}

const file *schema_file(const schema *s, weir_str name)
{
    for (size_t i = 0; i < s->file_count; i++)
        if (weir_str_eq(s->files[i].proto->name, name))
            return &s->files[i];
    return NULL;
}

static int compare_name(const void *name, const void *element)
{
    return weir_str_cmp(*(const weir_str *)name, weir_str_from((*(type *const *)element)->name));
}

const type *schema_type(const schema *s, weir_str name)
{
    if (name.len && name.ptr[0] == '.')
        name = weir_str_of(name.ptr + 1, name.len - 1);
    type **found = bsearch(&name, s->by_name, s->type_count, sizeof(type *), compare_name);
    if (!found)
        fatal("the request lacks the type of a field");
    return *found;
}
