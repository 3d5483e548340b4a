/**
 * @file
 * The text encodings of gRPC's headers: percent for grpc-message, base64 for "-bin" metadata, and
 * grpc-timeout. All results go to an arena; {NULL, 0} means that it is full.
 */
#ifndef WEIR_CODEC_TEXT_H
#define WEIR_CODEC_TEXT_H

#include <weir/base/base.h>

/** Bytes below 0x20, above 0x7E, and '%' become "%XX" (PROTOCOL-HTTP2 "Status-Message"). */
weir_str weir__percent_encode(weir_arena *arena, weir_str text);
/** Sequences that are not "%XX" stay as they are: a bad text must not lose the status. */
weir_str weir__percent_decode(weir_arena *arena, weir_str text);

/** Standard alphabet without padding, as gRPC's C core sends it. */
weir_str weir__base64_encode(weir_arena *arena, weir_str bytes);
/** Accepts padded and unpadded. @errors WEIR_EMALFORMED, WEIR_ENOMEM */
WEIR_MUST_CHECK weir_err weir__base64_decode(weir_arena *arena, weir_str text, weir_str *out);

/** Bytes that weir__timeout_format() needs, the NUL included. */
#define WEIR__TIMEOUT_TEXT_MAX 16
/** At most 8 digits and a unit, rounded up so that it is never shorter than what was asked for. */
weir_str weir__timeout_format(char out[WEIR__TIMEOUT_TEXT_MAX], int64_t timeout_us);
/** @param out_us  rounded up to a microsecond; "0n" gives 0 @errors WEIR_EMALFORMED */
WEIR_MUST_CHECK weir_err weir__timeout_parse(weir_str text, int64_t *out_us);

#endif
