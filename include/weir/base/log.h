/**
 * @file
 * Diagnostic log. Off until weir_log_start(): a library prints nothing unasked.
 *
 * The front end formats into chunks of memory that belong to the calling thread, without a lock;
 * one writer thread takes what is filled, gives the chunks back and writes in batches. Lines of one
 * thread keep their order. When producers outrun the disk, lines are dropped and counted, and the
 * next batch says how many; or, if the program chooses so, producers wait. A line is at most
 * WEIR_LOG_LINE_MAX bytes, cut and marked with "..." beyond; line breaks within a message become
 * spaces (in JSON: escapes).
 *
 *     2026-01-31T12:34:56.123456Z INFO  4711 server.c:88 listening on 127.0.0.1:50051
 *     {"time":"2026-01-31T12:34:56.123456Z","level":"INFO","thread":4711,"module":"net",
 *      "file":"server.c","line":88,"message":"listening on 127.0.0.1:50051"}   (in one line)
 *
 * A source file says to which module it belongs with `#define WEIR_LOG_MODULE "net"` before it
 * includes this header, or on the compiler's command line. Each module may have a level of its own.
 *
 * Statements below WEIR_LOG_MIN_LEVEL, which a program may define, leave no code; their arguments
 * are still checked.
 *
 * The child of a fork() has no log until it starts its own. Not for signal handlers, but for
 * weir_log_reopen().
 */
#ifndef WEIR_BASE_LOG_H
#define WEIR_BASE_LOG_H

#include <stdbool.h>
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

/** What a line looks like. */
typedef enum weir_log_format {
    WEIR_LOG_TEXT,
    WEIR_LOG_JSON
} weir_log_format;

/** What a log call does when the buffers are full. */
typedef enum weir_log_when_full {
    WEIR_LOG_DROP, /**< counts the line as dropped and returns at once */
    WEIR_LOG_BLOCK /**< waits for the writer; the sink's own lines are dropped all the same */
} weir_log_when_full;

#define WEIR_LOG_LINE_MAX 4096

/** So many modules have levels of their own; files of further ones follow the program's level. */
#define WEIR_LOG_MODULES_MAX 64
/** Bytes of a module's name, the NUL included. */
#define WEIR_LOG_MODULE_NAME_MAX 32

/** Takes whole lines. Comes from the writer thread only. */
typedef void (*weir_log_sink_fn)(const char *lines, size_t len, void *user);

/** A zeroed field means the default written beside it. */
typedef struct weir_log_opts {
    const char *file; /**< appended to; opened by this name again later; NULL: stderr, or sink */
    weir_log_sink_fn sink; /**< takes the lines instead; NULL: none */
    void *sink_user;
    weir_log_level level;   /**< lines below are not formatted; 0 (TRACE) shows all: set INFO */
    weir_log_format format; /**< 0: text */
    weir_log_when_full when_full; /**< 0: lines are dropped and counted */
    /** Held for the writer at most, in all, but two chunks of 64 KiB or less that every thread may
        have in any case; 0: 32 MiB */
    size_t buffer_bytes;
    int64_t flush_us; /**< written at the latest after so long; 0: 3 s */

    /** The file never grows beyond: before that it is renamed to "FILE.20260131-123456.123456.PID",
        the time in UTC, and a new one begun; 0: it grows */
    uint64_t roll_bytes;
    bool roll_daily;     /**< the same for what is written after midnight UTC; false: no */
    unsigned keep_files; /**< renamed ones beyond so many are removed, the oldest first; 0: none */
} weir_log_opts;

typedef struct weir_log_stats {
    uint64_t lines;   /**< accepted */
    uint64_t dropped; /**< not accepted because the buffers were full, or not written */
    uint64_t bytes;   /**< written */
} weir_log_stats;

/**
 * Opens the output. The writer's thread starts with the first line; exit() flushes and joins it if
 * weir_log_stop() has not. Counted: each start needs one weir_log_stop(), and only the first one's
 * options count.
 * @param opts  copied; NULL: stderr at INFO
 * @thread any
 * @errors WEIR_EACCES, WEIR_ENOENT, WEIR_EIO: the file could not be opened; WEIR_ENOMEM
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_log_start(const weir_log_opts *opts);

/** The last one writes everything that was logged before it, joins the writer, closes the file. */
WEIR_API void weir_log_stop(void);

/** Waits until everything logged before is written. @thread any but the sink's */
WEIR_API void weir_log_flush(void);

/**
 * The file is opened anew by its name before the next write, within `flush_us` if there is none:
 * for logrotate, which has renamed it. If that fails, the old file stays in use and a line says
 * why.
 * @thread any; signal handlers too
 */
WEIR_API void weir_log_reopen(void);

/**
 * From now on SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGABRT write what is still in memory and a line
 * with the signal's name, then happen as they would have: the earlier handler or the core dump and
 * exit status follow. A signal that is ignored stays so. Lines go to the file; with a sink, which a
 * signal handler cannot call, to stderr. A call that was not finished leaves no line.
 *
 * The calling thread gets an alternate signal stack, if it has none and is the first to ask, so
 * that its stack overflows are covered; in threads without one they are not, other crashes are.
 * Until the process ends; asking again does nothing.
 * @thread any
 */
WEIR_API void weir_log_flush_on_crash(void);

/** Until the last weir_log_stop(); nothing happens before the first start. @thread any */
WEIR_API void weir_log_set_level(weir_log_level level);

/**
 * A level for one module, whatever the program's is; also before its files have logged, and before
 * the start.
 * @param module  copied
 * @thread any
 * @errors WEIR_EINVAL: the name is empty or too long. WEIR_EFULL: WEIR_LOG_MODULES_MAX are known
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_log_set_module_level(const char *module,
                                                            weir_log_level level);

/**
 * All levels from one text, such as a command line has: "info,net=debug,rpc=warn". A level without
 * a name is the program's, as by weir_log_set_level(); modules that are not named follow it again.
 * Nothing has changed after an error.
 * @param levels  trace, debug, info, warn, error or off; separated by commas without spaces
 * @param why     says what is wrong; NULL is fine
 * @thread any
 * @errors WEIR_EINVAL: not such a text. WEIR_EFULL: too many modules
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_log_set_levels(const char *levels, weir_why *why);

/** Since the program began. @thread any */
WEIR_API void weir_log_get_stats(weir_log_stats *out);

/** Whether this file's lines of this level would be written. @thread any */
static inline bool weir_log_enabled(weir_log_level level);

/** For callers with a place of their own; the macros below are faster. Does not ask for the level.
 */
WEIR_API void weir_log_write(weir_log_level level, const char *file, int line, const char *fmt, ...)
    WEIR_PRINTF(4, 5);

#ifndef WEIR_LOG_MIN_LEVEL
#define WEIR_LOG_MIN_LEVEL WEIR_LOG_LEVEL_TRACE
#endif

#define WEIR_LOG_TRACE(...) WEIR__LOG(WEIR_LOG_LEVEL_TRACE, __VA_ARGS__)
#define WEIR_LOG_DEBUG(...) WEIR__LOG(WEIR_LOG_LEVEL_DEBUG, __VA_ARGS__)
#define WEIR_LOG_INFO(...)  WEIR__LOG(WEIR_LOG_LEVEL_INFO, __VA_ARGS__)
#define WEIR_LOG_WARN(...)  WEIR__LOG(WEIR_LOG_LEVEL_WARN, __VA_ARGS__)
#define WEIR_LOG_ERROR(...) WEIR__LOG(WEIR_LOG_LEVEL_ERROR, __VA_ARGS__)

/**
 * At most one line per interval from this place, in all threads; the next one that is written ends
 * with how many were left out: "... (17 more left out)".
 */
#define WEIR_LOG_EVERY(level, interval_us, ...)                                                    \
    do {                                                                                           \
        static weir__log_limit weir__limit;                                                        \
        uint64_t weir__left_out;                                                                   \
        if ((level) >= WEIR_LOG_MIN_LEVEL && weir_log_enabled(level) &&                            \
            weir__log_due(&weir__limit, interval_us, &weir__left_out)) {                           \
            WEIR__LOG_SITE(level);                                                                 \
            weir__log_write_counted(&weir__site, weir__left_out, __VA_ARGS__);                     \
        }                                                                                          \
    } while (0)

/* What the macros are made of. */

/** A log statement: what is known of it when it is compiled. */
typedef struct weir__log_site {
    const char *module; /* NULL: none */
    const char *file;
    const char *place; /* "file.c:88 " */
    unsigned place_len;
    int line;
    weir_log_level level;
} weir__log_site;

/** The level in force for a module, read without a lock by every log statement. */
typedef struct weir__log_module {
    int level; /* negative: this file has not asked yet which module is its own */
} weir__log_module;

/** Behind WEIR_LOG_EVERY. Zeroed at first. */
typedef struct weir__log_limit {
    int64_t next_us; /* no line before this */
    uint64_t left_out;
} weir__log_limit;

WEIR_API extern weir__log_module weir__log_main; /* files without a module */

/** Sets `*here` to the named module's, and says whether a line of this level would be written. */
WEIR_API bool weir__log_join(weir__log_module **here, const char *name, weir_log_level level);
WEIR_API bool weir__log_due(weir__log_limit *limit, int64_t interval_us, uint64_t *left_out);
WEIR_API void weir__log_write(const weir__log_site *site, const char *fmt, ...) WEIR_PRINTF(2, 3);
WEIR_API void weir__log_write_counted(const weir__log_site *site, uint64_t left_out,
                                      const char *fmt, ...) WEIR_PRINTF(3, 4);

#define WEIR__LOG_TEXT_OF(x) #x
#define WEIR__LOG_TEXT(x)    WEIR__LOG_TEXT_OF(x)
#define WEIR__LOG_PLACE      WEIR_FILE_NAME ":" WEIR__LOG_TEXT(__LINE__) " "

#define WEIR__LOG_SITE(level)                                                                      \
    static const weir__log_site weir__site = {                                                     \
        WEIR__LOG_MODULE_NAME,       WEIR_FILE_NAME, WEIR__LOG_PLACE,                              \
        sizeof(WEIR__LOG_PLACE) - 1, __LINE__,       (level)}

#define WEIR__LOG(level, ...)                                                                      \
    do {                                                                                           \
        if ((level) >= WEIR_LOG_MIN_LEVEL && weir_log_enabled(level)) {                            \
            WEIR__LOG_SITE(level);                                                                 \
            weir__log_write(&weir__site, __VA_ARGS__);                                             \
        }                                                                                          \
    } while (0)

#ifdef WEIR_LOG_MODULE
#define WEIR__LOG_MODULE_NAME WEIR_LOG_MODULE
WEIR_API extern weir__log_module weir__log_unknown;
static weir__log_module *weir__log_here = &weir__log_unknown;

static inline bool weir_log_enabled(weir_log_level level)
{
    const weir__log_module *module = __atomic_load_n(&weir__log_here, __ATOMIC_RELAXED);
    int lowest = __atomic_load_n(&module->level, __ATOMIC_RELAXED);
    return (int)level >= lowest &&
           (WEIR_LIKELY(lowest >= 0) || weir__log_join(&weir__log_here, WEIR_LOG_MODULE, level));
}
#else
#define WEIR__LOG_MODULE_NAME NULL

static inline bool weir_log_enabled(weir_log_level level)
{
    return (int)level >= __atomic_load_n(&weir__log_main.level, __ATOMIC_RELAXED);
}
#endif

WEIR_END_DECLS

#endif
