/** @file Metadata between the wire and the public list. */
#ifndef WEIR_CODEC_METADATA_IMPL_H
#define WEIR_CODEC_METADATA_IMPL_H

#include <weir/codec/metadata.h>

bool weir__metadata_is_binary(weir_str key);

/** Appends without copying or checking. */
WEIR_MUST_CHECK weir_err weir__metadata_push(weir_metadata *metadata, weir_arena *arena,
                                             weir_str key, weir_str value);

#endif
