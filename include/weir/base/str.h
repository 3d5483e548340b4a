/**
 * @file
 * `weir_str`: a view of bytes, by value, never owning and never NUL-terminated by promise.
 * Text and binary alike. Valid as long as what it points into.
 */
#ifndef WEIR_BASE_STR_H
#define WEIR_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <weir/base/attr.h>

WEIR_BEGIN_DECLS

typedef struct weir_str {
    const char *ptr; /**< may be NULL when len is 0 */
    size_t len;      /**< bytes */
} weir_str;

#ifdef __cplusplus
/** A view of a string literal, embedded NULs included. */
#define WEIR_STR(literal) (weir_str{"" literal, sizeof(literal) - 1})
#else
/** A view of a string literal, embedded NULs included. */
#define WEIR_STR(literal) ((weir_str){"" literal, sizeof(literal) - 1})
#endif

/** For printf's "%.*s". */
#define WEIR_STR_ARGS(str) (int)(str).len, (str).ptr ? (str).ptr : ""

static inline weir_str weir_str_of(const void *ptr, size_t len)
{
    weir_str s;
    s.ptr = (const char *)ptr;
    s.len = len;
    return s;
}

/** A view of a C string; NULL is the empty view. */
static inline weir_str weir_str_from(const char *cstr)
{
    return weir_str_of(cstr, cstr ? strlen(cstr) : 0);
}

static inline bool weir_str_eq(weir_str a, weir_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool weir_str_starts(weir_str s, weir_str prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.ptr, prefix.ptr, prefix.len) == 0);
}

static inline bool weir_str_ends(weir_str s, weir_str suffix)
{
    return s.len >= suffix.len &&
           (suffix.len == 0 || memcmp(s.ptr + s.len - suffix.len, suffix.ptr, suffix.len) == 0);
}

/** Bytewise order, as strcmp's, shorter first among equals. */
WEIR_API int weir_str_cmp(weir_str a, weir_str b);

/** Whether the bytes are well-formed UTF-8 (RFC 3629: no surrogates, nothing overlong). */
WEIR_API bool weir_str_is_utf8(weir_str s);

WEIR_END_DECLS

#endif
