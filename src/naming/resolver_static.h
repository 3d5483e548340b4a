/**
 * @file
 * A resolver that tells one list, once: for targets that hold their addresses.
 */
#ifndef WEIR_NAMING_RESOLVER_STATIC_H
#define WEIR_NAMING_RESOLVER_STATIC_H

#include <weir/naming/resolver.h>

/** @param list  the resolver's from now on, whatever comes back @errors WEIR_ENOMEM */
WEIR_MUST_CHECK weir_err weir__resolver_fixed_start(weir_resolver **out,
                                                    const weir_resolver_type *type,
                                                    const weir_resolver_request *request,
                                                    weir_endpoints *list);
/** `free` of such a type. */
void weir__resolver_fixed_free(weir_resolver *resolver);

#endif
