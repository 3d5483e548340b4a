/* What things of a .proto are called in C. */
#ifndef NAMES_H
#define NAMES_H

#include <stdbool.h>
#include <weir/base/arena.h>

/** "SendRequest" and "pkg.SendRequest" as "send_request" and "pkg_send_request". */
const char *name_snake(weir_arena *mem, weir_str name);

/** In upper case, dots as underscores. */
const char *name_upper(weir_arena *mem, weir_str name);

/** A path as an identifier: "a-b/c" as "a_b_c". */
const char *name_of_path(weir_arena *mem, weir_str path);

/** A field's or method's name, with an underscore behind where it would be a word of C or C++. */
const char *name_member(weir_arena *mem, weir_str name);

/** A set in which every name may be declared once. */
typedef struct name_set {
    const char **names;
    size_t len;
    size_t room;
} name_set;

void names_declare(name_set *set, const char *name);
/** A name that was declared twice, or NULL; sorts the set. */
const char *names_duplicate(name_set *set);
void names_free(name_set *set);

#endif
