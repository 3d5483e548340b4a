/** @file A resolver of one's own. */
#ifndef REDIS_RESOLVER_H
#define REDIS_RESOLVER_H

#include <weir/naming/resolver.h>

/** "redis://HOST:PORT/KEY": the members of the set KEY are a service's addresses. */
extern const weir_resolver_type redis_resolver;

#endif
