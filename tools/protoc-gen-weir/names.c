#include "names.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "printer.h"

/* Reserved in C or in C++, usual macros, and weir's own member; sorted. */
/* clang-format off */
static const char *const reserved[] = {
    "NULL", "alignas", "alignof", "and", "and_eq", "asm", "assert", "auto", "bitand", "bitor",
    "bool", "break", "case", "catch", "char", "char16_t", "char32_t", "char8_t", "class",
    "co_await", "co_return", "co_yield", "compl", "concept", "const", "const_cast", "consteval",
    "constexpr", "constinit", "continue", "decltype", "default", "delete", "do", "double",
    "dynamic_cast", "else", "enum", "errno", "explicit", "export", "extern", "false", "float",
    "for", "friend", "goto", "if", "inline", "int", "linux", "long", "mutable", "namespace", "new",
    "noexcept", "not", "not_eq", "nullptr", "operator", "or", "or_eq", "private", "protected",
    "public", "register", "reinterpret_cast", "requires", "restrict", "return", "short", "signed",
    "sizeof", "static", "static_assert", "static_cast", "stderr", "stdin", "stdout", "struct",
    "switch", "template", "this", "thread_local", "throw", "true", "try", "typedef", "typeid",
    "typename", "union", "unix", "unknown", "unsigned", "using", "virtual", "void", "volatile",
    "wchar_t", "while", "xor", "xor_eq",
};
/* clang-format on */

static bool begins_word(weir_str name, size_t i)
{
    if (i == 0 || !isupper((unsigned char)name.ptr[i]))
        return false;
    unsigned char before = (unsigned char)name.ptr[i - 1];
    bool lower_follows = i + 1 < name.len && islower((unsigned char)name.ptr[i + 1]);
    return islower(before) || isdigit(before) || (isupper(before) && lower_follows);
}

const char *name_snake(weir_arena *mem, weir_str name)
{
    char *out = allocate(mem, 2, name.len + 1), *at = out;
    for (size_t i = 0; i < name.len; i++) {
        if (begins_word(name, i))
            *at++ = '_';
        *at++ = name.ptr[i] == '.' ? '_' : (char)tolower((unsigned char)name.ptr[i]);
    }
    return out;
}

const char *name_upper(weir_arena *mem, weir_str name)
{
    char *out = allocate(mem, 1, name.len + 1);
    for (size_t i = 0; i < name.len; i++)
        out[i] = name.ptr[i] == '.' ? '_' : (char)toupper((unsigned char)name.ptr[i]);
    return out;
}

const char *name_of_path(weir_arena *mem, weir_str path)
{
    bool digit = path.len && isdigit((unsigned char)path.ptr[0]);
    char *out = allocate(mem, 1, path.len + 2), *at = out;
    if (digit)
        *at++ = '_';
    for (size_t i = 0; i < path.len; i++)
        *at++ = isalnum((unsigned char)path.ptr[i]) ? path.ptr[i] : '_';
    return out;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char *name_member(weir_arena *mem, weir_str name)
{
    const char *plain = format(mem, "%.*s", WEIR_STR_ARGS(name));
    bool taken = bsearch(&plain, reserved, sizeof reserved / sizeof reserved[0], sizeof reserved[0],
                         compare_names);
    return taken ? format(mem, "%s_", plain) : plain;
}

void names_declare(name_set *set, const char *name)
{
    if (set->len == set->room) {
        set->room = set->room * 2 + 64;
        set->names = realloc(set->names, set->room * sizeof *set->names);
        if (!set->names)
            fatal("out of memory");
    }
    set->names[set->len++] = name;
}

const char *names_duplicate(name_set *set)
{
    if (set->len)
        qsort(set->names, set->len, sizeof *set->names, compare_names);
    for (size_t i = 1; i < set->len; i++)
        if (strcmp(set->names[i - 1], set->names[i]) == 0)
            return set->names[i];
    return NULL;
}

void names_free(name_set *set)
{
    free(set->names);
    *set = (name_set){0};
}
