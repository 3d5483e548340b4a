/**
 * @file
 * Inside of a service config: service_config.c reads all but the balancing.
 */
#ifndef WEIR_NAMING_SERVICE_CONFIG_IMPL_H
#define WEIR_NAMING_SERVICE_CONFIG_IMPL_H

#include <weir/naming/service_config.h>

#include "json.h"

/**
 * "loadBalancingConfig" and the older "loadBalancingPolicy" of the whole config.
 * @param out    texts of it live in the arena
 * @param named  whether there was one
 */
WEIR_MUST_CHECK weir_err weir__balance_read(const json_t *config, weir_arena *arena,
                                            weir_balance_config *out, bool *named, weir_why *why);

/** A copy for the config's life. NULL: out of memory, or `text` is NULL */
const char *weir__config_text(weir_arena *arena, const char *text);

#endif
