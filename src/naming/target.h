/**
 * @file
 * The parts of targets and addresses that several resolvers and registries read.
 */
#ifndef WEIR_NAMING_TARGET_H
#define WEIR_NAMING_TARGET_H

#include <stdio.h>
#include <weir/base/base.h>

/** Whether it is "HOST:PORT", "[V6]:PORT" or "unix:PATH", as far as can be seen. */
static inline bool weir__address_is_whole(weir_str address)
{
    if (weir_str_starts(address, WEIR_STR("unix:")))
        return address.len > 5;
    const char *colon = address.len ? memrchr(address.ptr, ':', address.len) : NULL;
    return colon && colon > address.ptr && colon + 1 < address.ptr + address.len &&
           address.ptr[address.len - 1] != ']';
}

/** "file:///PATH" leaves "PATH", "file:/PATH" leaves "/PATH": both are the same absolute path.
 * @return malloc()ed, without a "/" at the end; NULL: out of memory */
static inline char *weir__absolute_path(const char *path)
{
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/')
        len--;
    char *whole = NULL;
    return asprintf(&whole, "%s%.*s", path[0] == '/' ? "" : "/", (int)len, path) < 0 ? NULL : whole;
}

/** The end of a long path, for sentences of limited length. */
static inline const char *weir__path_end(const char *path)
{
    size_t len = strlen(path);
    return len > 90 ? path + len - 90 : path;
}

#endif
