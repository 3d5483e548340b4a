/**
 * @file
 * Compiler extensions: the only file of weir that names one.
 */
#ifndef WEIR_BASE_ATTR_H
#define WEIR_BASE_ATTR_H

#ifdef __cplusplus
#define WEIR_BEGIN_DECLS extern "C" {
#define WEIR_END_DECLS   }
#else
#define WEIR_BEGIN_DECLS
#define WEIR_END_DECLS
#endif

/** Exported from the shared library; everything else is hidden. */
#define WEIR_API __attribute__((visibility("default")))
/** The result says whether it worked; a caller that drops it is warned. */
#define WEIR_MUST_CHECK __attribute__((warn_unused_result))
/** Arguments are checked as printf's: `fmt_at` and `args_at` count from 1. */
#define WEIR_PRINTF(fmt_at, args_at) __attribute__((format(printf, fmt_at, args_at)))
#define WEIR_NORETURN                __attribute__((noreturn))
#define WEIR_UNUSED                  __attribute__((unused))
#define WEIR_COLD                    __attribute__((cold))
#define WEIR_LIKELY(x)               __builtin_expect(!!(x), 1)
#define WEIR_UNLIKELY(x)             __builtin_expect(!!(x), 0)
/** Two variables written by different threads stay on different cache lines. */
#define WEIR_CACHE_LINE 64
#define WEIR_ALIGNED(n) __attribute__((aligned(n)))

/** This file's name without folders, as a string literal. */
#ifdef __FILE_NAME__
#define WEIR_FILE_NAME __FILE_NAME__
#else
#define WEIR_FILE_NAME __FILE__
#endif

/** Zero bits below the lowest set bit, and above the highest, of a 64-bit value that is not 0. */
#define WEIR_CTZ64(x) ((unsigned)__builtin_ctzll(x))
#define WEIR_CLZ64(x) ((unsigned)__builtin_clzll(x))

/** 1 in a build with AddressSanitizer or ThreadSanitizer. */
#if defined(__has_feature)
#define WEIR_ASAN __has_feature(address_sanitizer)
#define WEIR_TSAN __has_feature(thread_sanitizer)
#else
#ifdef __SANITIZE_ADDRESS__
#define WEIR_ASAN 1
#else
#define WEIR_ASAN 0
#endif
#ifdef __SANITIZE_THREAD__
#define WEIR_TSAN 1
#else
#define WEIR_TSAN 0
#endif
#endif

/** The struct of `type` whose member `member` is at `ptr`. */
#define WEIR_CONTAINER_OF(ptr, type, member)                                                       \
    ((type *)(void *)((char *)(ptr) - __builtin_offsetof(type, member)))

#endif
