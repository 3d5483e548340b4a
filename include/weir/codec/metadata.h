/**
 * @file
 * Call metadata: ordered, repeated keys allowed, values of "-bin" keys as raw bytes
 * (grpc/doc/PROTOCOL-HTTP2.md, "Custom-Metadata").
 */
#ifndef WEIR_CODEC_METADATA_H
#define WEIR_CODEC_METADATA_H

#include <weir/base/base.h>

WEIR_BEGIN_DECLS

typedef struct weir_metadata_entry {
    weir_str key;   /**< lower case */
    weir_str value; /**< raw bytes when the key ends in "-bin", else printable ASCII */
} weir_metadata_entry;

/** Zeroed is empty. Entries live in the arena that they were added with. */
typedef struct weir_metadata {
    weir_metadata_entry *items;
    size_t len;
    size_t room;
} weir_metadata;

/**
 * Appends a copy.
 * @param key  letters a-z, digits, "-", "_" and "."; upper case is refused. Names that begin with
 *             "grpc-" (but for "grpc-retry-pushback-ms") or ":" and those that HTTP/2 and gRPC use
 * themselves are reserved.
 * @thread one at a time
 * @errors WEIR_EINVAL: key or value has a byte that is not allowed, or the key is reserved.
 *         WEIR_ENOMEM.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_metadata_add(weir_metadata *metadata, weir_arena *arena,
                                                    weir_str key, weir_str value);

/** Appends a copy of all of `from`, as it is. @errors WEIR_ENOMEM: some may have been appended */
WEIR_API WEIR_MUST_CHECK weir_err weir_metadata_append(weir_metadata *metadata, weir_arena *arena,
                                                       const weir_metadata *from);

/** Takes away every entry with that key. @return how many there were */
WEIR_API size_t weir_metadata_remove(weir_metadata *metadata, weir_str key);

/** The first value of `key`; NULL when there is none. */
WEIR_API const weir_str *weir_metadata_get(const weir_metadata *metadata, weir_str key);

WEIR_END_DECLS

#endif
