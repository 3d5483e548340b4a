/** @file Whether text is JSON. */
#ifndef WEIR_NAMING_JSON_TEXT_H
#define WEIR_NAMING_JSON_TEXT_H

#include <weir/base/err.h>
#include <weir/base/str.h>

WEIR_BEGIN_DECLS

/**
 * One JSON value of any kind (RFC 8259), with nothing behind it but spaces; members of an object
 * have different names. Its memory and depth (2048) are bounded by its length.
 * @param why  says in which line and column; may be NULL
 * @thread any
 * @errors WEIR_EMALFORMED, WEIR_ENOMEM
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_json_check(weir_str text, weir_why *why);

WEIR_END_DECLS

#endif
