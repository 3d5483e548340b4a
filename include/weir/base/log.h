/**
 * @file
 * Diagnostic log. Off until weir_log_start(): a library prints nothing unasked.
 *
 * The front end formats into chunks of memory that belong to the calling thread, without a lock;
 * one writer thread takes what is filled, gives the chunks back and writes in batches. Lines of one
 * thread keep their order. When producers outrun the disk, lines are dropped and counted, and the
 * next batch says how many. A line is at most WEIR_LOG_LINE_MAX bytes, cut and marked with "..."
 * beyond; line breaks within a message become spaces.
 *
 * The child of a fork() has no log until it starts its own. Not for signal handlers.
 *
 *     2026-01-31T12:34:56.123456Z INFO  4711 server.c:88 listening on 127.0.0.1:50051
 */
#ifndef WEIR_BASE_LOG_H
#define WEIR_BASE_LOG_H

#include <stddef.h>
#include <stdint.h>
#include <weir/base/attr.h>
#include <weir/base/err.h>

WEIR_BEGIN_DECLS

typedef enum weir_log_level {
    WEIR_LOG_LEVEL_TRACE,
    WEIR_LOG_LEVEL_DEBUG,
    WEIR_LOG_LEVEL_INFO,
    WEIR_LOG_LEVEL_WARN,
    WEIR_LOG_LEVEL_ERROR,
    WEIR_LOG_LEVEL_OFF
} weir_log_level;

#define WEIR_LOG_LINE_MAX 4096

/** Takes whole lines. Comes from the writer thread only. */
typedef void (*weir_log_sink_fn)(const char *lines, size_t len, void *user);

/** A zeroed field means the default written beside it. */
typedef struct weir_log_opts {
    const char *file;      /**< appended to; NULL: stderr, or `sink` */
    weir_log_sink_fn sink; /**< takes the lines instead; NULL: none */
    void *sink_user;
    weir_log_level level; /**< lines below are not formatted; 0 (TRACE) shows all: set INFO */
    size_t buffer_bytes;  /**< held for the writer at most, in all; 0: 32 MiB */
    int64_t flush_us;     /**< written at the latest after so long; 0: 3 s */
} weir_log_opts;

typedef struct weir_log_stats {
    uint64_t lines;   /**< accepted */
    uint64_t dropped; /**< not accepted because the buffers were full */
    uint64_t bytes;   /**< written */
} weir_log_stats;

/**
 * Starts the writer thread, which exit() flushes and joins if weir_log_stop() has not. Counted:
 * each start needs one weir_log_stop(), and only the first one's options count.
 * @param opts  copied; NULL: stderr at INFO
 * @thread any
 * @errors WEIR_EACCES, WEIR_ENOENT, WEIR_EIO: the file could not be opened; WEIR_ENOMEM
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_log_start(const weir_log_opts *opts);

/** The last one writes everything that was logged before it, joins the writer, closes the file. */
WEIR_API void weir_log_stop(void);

/** Waits until everything logged before is written. @thread any but the sink's */
WEIR_API void weir_log_flush(void);

/** Until the last weir_log_stop(); nothing happens before the first start. @thread any */
WEIR_API void weir_log_set_level(weir_log_level level);
/** Since the program began. @thread any */
WEIR_API void weir_log_get_stats(weir_log_stats *out);

/** Whether a line of this level would be written. @thread any */
static inline bool weir_log_enabled(weir_log_level level);

/** Behind the macros. */
WEIR_API void weir_log_write(weir_log_level level, const char *file, int line, const char *fmt, ...)
    WEIR_PRINTF(4, 5);

#define WEIR__LOG(level, ...)                                                                      \
    do {                                                                                           \
        if (weir_log_enabled(level))                                                               \
            weir_log_write(level, __FILE__, __LINE__, __VA_ARGS__);                                \
    } while (0)

#define WEIR_LOG_TRACE(...) WEIR__LOG(WEIR_LOG_LEVEL_TRACE, __VA_ARGS__)
#define WEIR_LOG_DEBUG(...) WEIR__LOG(WEIR_LOG_LEVEL_DEBUG, __VA_ARGS__)
#define WEIR_LOG_INFO(...)  WEIR__LOG(WEIR_LOG_LEVEL_INFO, __VA_ARGS__)
#define WEIR_LOG_WARN(...)  WEIR__LOG(WEIR_LOG_LEVEL_WARN, __VA_ARGS__)
#define WEIR_LOG_ERROR(...) WEIR__LOG(WEIR_LOG_LEVEL_ERROR, __VA_ARGS__)

/** The level in force, read without a lock by every log statement. */
WEIR_API extern int weir__log_level;

static inline bool weir_log_enabled(weir_log_level level)
{
    return (int)level >= __atomic_load_n(&weir__log_level, __ATOMIC_RELAXED);
}

WEIR_END_DECLS

#endif
