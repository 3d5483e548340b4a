/** @file Civil time as text, without a cache: safe in signal handlers. */
#ifndef WEIR_BASE_TIME_IMPL_H
#define WEIR_BASE_TIME_IMPL_H

#include <stddef.h>
#include <stdint.h>

/** Writes "2026-01-31T12:34:56." and no NUL; WEIR_WALL_TEXT_MAX bytes. @return its length */
size_t weir__second_text(char *out, int64_t second);

/** Writes six digits. */
void weir__microseconds_text(char *out, unsigned us);

#endif
