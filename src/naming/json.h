/**
 * @file
 * JSON that people and other programs write, read with jansson: the one door to it. Each reader
 * names the member that is wrong in a sentence. What is read is bounded by its caller.
 */
#ifndef WEIR_NAMING_JSON_H
#define WEIR_NAMING_JSON_H

#include <jansson.h>
#include <weir/base/base.h>

/** @param out  an object: json_decref() @errors WEIR_EMALFORMED, with line and column */
WEIR_MUST_CHECK weir_err weir__json_object(json_t **out, weir_str text, weir_why *why);

/* Members of an object. One that is not there leaves *out as it was. */

/** A duration as protobuf writes it, "1.5s", not negative, to microseconds, rounded up. */
WEIR_MUST_CHECK weir_err weir__json_duration(const json_t *object, const char *name,
                                             int64_t *out_us, weir_why *why);
/** A whole number from `min` to `max`; also as a string or with ".0", as protobuf allows. */
WEIR_MUST_CHECK weir_err weir__json_whole(const json_t *object, const char *name, int64_t min,
                                          int64_t max, int64_t *out, weir_why *why);
WEIR_MUST_CHECK weir_err weir__json_number(const json_t *object, const char *name, double *out,
                                           weir_why *why);
WEIR_MUST_CHECK weir_err weir__json_bool(const json_t *object, const char *name, bool *out,
                                         weir_why *why);
/** @param out  lives as long as the object */
WEIR_MUST_CHECK weir_err weir__json_text(const json_t *object, const char *name, const char **out,
                                         weir_why *why);
/** NULL: not there, or null. */
WEIR_MUST_CHECK weir_err weir__json_member(const json_t *object, const char *name, json_type type,
                                           const json_t **out, weir_why *why);

#endif
