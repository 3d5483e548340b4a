#include "member.h"

#include "names.h"
#include "printer.h"

typedef struct c_types {
    const char *value, *array;
} c_types;

static const c_types scalars[] = {
    [WEIR_KIND_DOUBLE] = {"double ", "weir_doubles"},
    [WEIR_KIND_FLOAT] = {"float ", "weir_floats"},
    [WEIR_KIND_INT64] = {"int64_t ", "weir_int64s"},
    [WEIR_KIND_UINT64] = {"uint64_t ", "weir_uint64s"},
    [WEIR_KIND_INT32] = {"int32_t ", "weir_int32s"},
    [WEIR_KIND_FIXED64] = {"uint64_t ", "weir_uint64s"},
    [WEIR_KIND_FIXED32] = {"uint32_t ", "weir_uint32s"},
    [WEIR_KIND_BOOL] = {"bool ", "weir_bools"},
    [WEIR_KIND_STRING] = {"weir_str ", "weir_strs"},
    [WEIR_KIND_BYTES] = {"weir_str ", "weir_strs"},
    [WEIR_KIND_UINT32] = {"uint32_t ", "weir_uint32s"},
    [WEIR_KIND_ENUM] = {NULL, "weir_int32s"},
    [WEIR_KIND_SFIXED32] = {"int32_t ", "weir_int32s"},
    [WEIR_KIND_SFIXED64] = {"int64_t ", "weir_int64s"},
    [WEIR_KIND_SINT32] = {"int32_t ", "weir_int32s"},
    [WEIR_KIND_SINT64] = {"int64_t ", "weir_int64s"},
};

static bool is_packed(const member *m, bool proto3)
{
    if (m->kind == WEIR_KIND_STRING || m->kind == WEIR_KIND_BYTES || m->kind == WEIR_KIND_MESSAGE)
        return false;
    const google_protobuf_field_options *given = m->proto->options;
    return given && given->has_packed ? given->packed : proto3;
}

static weir_shape shape_of(const member *m, const type *t)
{
    if (m->proto->label == GOOGLE_PROTOBUF_FIELD_DESCRIPTOR_PROTO_LABEL_REPEATED) {
        if (m->refers && type_is_entry(m->refers))
            return WEIR_SHAPE_MAP;
        return is_packed(m, t->in->proto3) ? WEIR_SHAPE_PACKED : WEIR_SHAPE_REPEATED;
    }
    if (m->oneof != NO_ONEOF)
        return WEIR_SHAPE_ONEOF;
    if (type_is_entry(t))
        return WEIR_SHAPE_ENTRY;
    bool tracked = m->proto->proto3_optional || !t->in->proto3;
    return tracked && m->kind != WEIR_KIND_MESSAGE ? WEIR_SHAPE_OPTIONAL : WEIR_SHAPE_IMPLICIT;
}

static void name_member_parts(const schema *s, const type *t, member *m)
{
    m->name = name_member(s->mem, m->proto->name);
    m->designator = m->name;
    if (m->shape == WEIR_SHAPE_OPTIONAL)
        m->has = format(s->mem, "has_%.*s", WEIR_STR_ARGS(m->proto->name));
    if (m->shape == WEIR_SHAPE_ONEOF) {
        const char *in = oneof_member(s, t, m->oneof);
        weir_str plain = t->message->oneof_decl.items[m->oneof].name;
        m->has = format(s->mem, "%.*s_case", WEIR_STR_ARGS(plain));
        m->designator = format(s->mem, "%s.%s", in, m->name);
    }
}

static void choose_types(const schema *s, member *m)
{
    if (m->kind == WEIR_KIND_MESSAGE)
        m->c_type = format(s->mem, "const %s *", m->refers->symbol);
    else if (m->kind == WEIR_KIND_ENUM)
        m->c_type = format(s->mem, "%s ", m->refers->symbol);
    else
        m->c_type = scalars[m->kind].value;
    if (m->shape == WEIR_SHAPE_REPEATED || m->shape == WEIR_SHAPE_PACKED)
        m->array = m->kind == WEIR_KIND_MESSAGE ? NULL : scalars[m->kind].array;
}

static member member_of(const schema *s, const type *t, size_t index)
{
    const proto_field *proto = &t->message->field.items[index];
    member m = {.proto = proto, .kind = (weir_kind)proto->type, .oneof = NO_ONEOF};
    m.at = path_child(s->mem, t->at, PATH_MESSAGE_FIELD, index);
    if (m.kind == WEIR_KIND_MESSAGE || m.kind == WEIR_KIND_ENUM)
        m.refers = schema_type(s, proto->type_name);
    if (proto->has_oneof_index && !proto->proto3_optional)
        m.oneof = proto->oneof_index;
    m.shape = shape_of(&m, t);
    name_member_parts(s, t, &m);
    choose_types(s, &m);
    return m;
}

member *members_of(const schema *s, const type *t)
{
    size_t count = t->message->field.len;
    member *members = allocate(s->mem, count, sizeof *members);
    for (size_t i = 0; i < count; i++)
        members[i] = member_of(s, t, i);
    return members;
}

const char *oneof_member(const schema *s, const type *t, int oneof)
{
    return name_member(s->mem, t->message->oneof_decl.items[oneof].name);
}
