/* A field of a message as a member of its struct. */
#ifndef MEMBER_H
#define MEMBER_H

#include "schema.h"

enum {
    NO_ONEOF = -1
};

typedef struct member {
    const proto_field *proto;
    const char *name;       /**< "sender" */
    const char *designator; /**< for offsetof: "sender", or "body.sender" in a oneof */
    const char *has;        /**< "has_sender" or "body_case"; NULL when there is none */
    const char *c_type;     /**< of one value: "int32_t ", "const notify_sender *" */
    const char *array;      /**< a repeated scalar's type: "weir_int32s"; else NULL */
    const type *refers;     /**< of a message or enum field; of a map, the entry */
    weir_kind kind;
    weir_shape shape;
    int oneof; /**< index among the message's oneofs, or NO_ONEOF */
    path at;
} member;

/** The message's fields in the order of declaration. */
member *members_of(const schema *s, const type *t);

/** "body_case", "PACKAGE_MESSAGE_BODY": what a oneof's names are made of. */
const char *oneof_member(const schema *s, const type *t, int oneof);

static inline bool type_is_entry(const type *t)
{
    return t->message && t->message->options && t->message->options->map_entry;
}

#endif
