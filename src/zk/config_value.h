/**
 * @file
 * A configuration's values: from text to what programs read. Knows no ZooKeeper.
 */
#ifndef WEIR_ZK_CONFIG_VALUE_H
#define WEIR_ZK_CONFIG_VALUE_H

#include <weir/zk/config.h>

/** What a value's atomic holds: numbers and durations as they are, doubles by their bits. */
typedef uint64_t weir__zk_bits;

/** The text that stands for no node. */
const char *weir__zk_fallback(const weir_zk_config_item *item);

/** Without the spaces and line ends around it. */
weir_str weir__zk_trim(weir_str text);

/**
 * @param text  trimmed
 * @param out   not for STRING and JSON, which are checked only
 * @errors WEIR_EMALFORMED, WEIR_ENOMEM: `why` says what it must be
 */
weir_err weir__zk_value_read(const weir_zk_config_item *item, weir_str text, weir__zk_bits *out,
                             weir_why *why);

double weir__zk_bits_double(weir__zk_bits bits);

#endif
