/**
 * @file
 * Which methods a program means.
 */
#ifndef WEIR_BUILTIN_METHOD_PATH_H
#define WEIR_BUILTIN_METHOD_PATH_H

#include <weir/base/str.h>

/** Whether `pattern` is "/pkg.Service/Method", `path` itself, or what it begins with, if that ends
 * in a "/". */
static inline bool weir__path_fits(const char *pattern, weir_str path)
{
    weir_str wanted = weir_str_from(pattern);
    return weir_str_ends(wanted, WEIR_STR("/")) ? weir_str_starts(path, wanted)
                                                : weir_str_eq(path, wanted);
}

#endif
