/* What cannot be said in C, or is not proto3, is refused with a sentence. */
#include "generate.h"
#include "member.h"

/* proto2 in which only what proto3 has matters: descriptors are described in it. */
static bool is_allowed_proto2(const file *f)
{
    return weir_str_eq(f->proto->name, WEIR_STR("google/protobuf/descriptor.proto")) ||
           weir_str_eq(f->proto->name, WEIR_STR("google/protobuf/compiler/plugin.proto"));
}

static void declare_oneofs(const schema *s, const type *t, name_set *names)
{
    const member *members = members_of(s, t);
    int last = NO_ONEOF;
    for (size_t i = 0; i < t->message->field.len; i++) {
        if (members[i].oneof == NO_ONEOF || members[i].oneof == last)
            continue;
        last = members[i].oneof;
        names_declare(names, oneof_member(s, t, last));
        names_declare(names, members[i].has);
    }
}

static const char *check_members(const schema *s, const type *t)
{
    name_set names = {0};
    const member *members = members_of(s, t);
    if (!type_is_entry(t))
        names_declare(&names, "unknown");
    declare_oneofs(s, t, &names);
    for (size_t i = 0; i < t->message->field.len; i++) {
        if (members[i].oneof != NO_ONEOF)
            continue; /* the compiler checks the names in a union */
        names_declare(&names, members[i].name);
        if (members[i].has)
            names_declare(&names, members[i].has);
    }
    const char *twice = names_duplicate(&names);
    const char *why = twice ? format(s->mem,
                                     "%s: two members of struct %s would be called \"%s\": "
                                     "rename a field of %s",
                                     t->in->base, t->symbol, twice, t->name)
                            : NULL;
    names_free(&names);
    return why;
}

const char *check_file(const schema *s, const file *f)
{
    if (!f->proto3 && !is_allowed_proto2(f))
        return format(s->mem,
                      "%.*s: weir's messages are proto3; put syntax = \"proto3\"; at the top, or "
                      "leave this file out",
                      WEIR_STR_ARGS(f->proto->name));
    for (size_t i = 0; i < f->type_count; i++) {
        const char *why = f->types[i].message ? check_members(s, &f->types[i]) : NULL;
        if (why)
            return why;
    }
    return NULL;
}
