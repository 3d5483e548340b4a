/**
 * @file
 * Endpoints: the places at which a service can be reached, with what is known of each.
 */
#ifndef WEIR_NAMING_ENDPOINT_H
#define WEIR_NAMING_ENDPOINT_H

#include <weir/base/base.h>

WEIR_BEGIN_DECLS

/** So many fit into one list. */
#define WEIR_ENDPOINTS_MAX 100000
/** The longest address, in bytes. */
#define WEIR_ENDPOINT_ADDRESS_MAX 300

/** One place. Views end with a NUL behind them when they are in a list. */
typedef struct weir_endpoint {
    weir_str address;  /**< "HOST:PORT", "[V6]:PORT" or "unix:PATH" */
    unsigned weight;   /**< how much of the load it takes, relative to others; 0 in a list: 1 */
    weir_str zone;     /**< where it stands, for zone-first balancing; "": unknown */
    weir_str metadata; /**< the service's own, a JSON object as text; "": none */
} weir_endpoint;

/** An immutable list once it is shared; counted. */
typedef struct weir_endpoints weir_endpoints;

/** An empty list. @param out  yours: weir_endpoints_unref() @thread any @errors WEIR_ENOMEM */
WEIR_API WEIR_MUST_CHECK weir_err weir_endpoints_new(weir_endpoints **out);

/**
 * Appends a copy. An address that is there already keeps its first place, and what it had.
 * @thread one at a time, before the list is shared
 * @errors WEIR_EINVAL: the address is empty, too long, or has a blank or a control byte.
 *         WEIR_EFULL: WEIR_ENDPOINTS_MAX are there. WEIR_ENOMEM.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_endpoints_add(weir_endpoints *list,
                                                     const weir_endpoint *endpoint);

/** @thread any */
WEIR_API size_t weir_endpoints_count(const weir_endpoints *list);
/** @param index  below the count @return lives as long as the list @thread any */
WEIR_API const weir_endpoint *weir_endpoints_at(const weir_endpoints *list, size_t index);
/** The same places with the same properties, in the same order. @thread any */
WEIR_API bool weir_endpoints_equal(const weir_endpoints *a, const weir_endpoints *b);

/** One more owner. @return the list @thread any */
WEIR_API weir_endpoints *weir_endpoints_ref(weir_endpoints *list);
/** The last owner frees it. NULL is fine. @thread any */
WEIR_API void weir_endpoints_unref(weir_endpoints *list);

/**
 * Reads weir's JSON form: an object with "address" (needed), "weight" (a whole number from 1 to
 * 10000), "zone" (a string) and "metadata" (an object); other members are left alone, so that later
 * versions may add some.
 * @param arena  the views of `out` live here
 * @param why    a sentence on failure; may be NULL
 * @thread one at a time
 * @errors WEIR_EMALFORMED: not that. WEIR_ENOMEM.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_endpoint_read(weir_endpoint *out, weir_arena *arena,
                                                     weir_str json, weir_why *why);

/**
 * Writes the same form, in one line.
 * @param out  in the arena, NUL-terminated
 * @thread one at a time
 * @errors WEIR_EINVAL: the metadata is not a JSON object, or a text is not UTF-8. WEIR_ENOMEM.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_endpoint_write(weir_str *out, weir_arena *arena,
                                                      const weir_endpoint *endpoint);

WEIR_END_DECLS

#endif
