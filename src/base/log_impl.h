/**
 * @file
 * The two halves of the log.
 *
 * Each thread that logs has a front: a chain of chunks which it fills and the writer thread
 * empties. The two meet in atomics only; the lock is for what is rare: a new front, a new chunk,
 * start, stop.
 */
#ifndef WEIR_BASE_LOG_IMPL_H
#define WEIR_BASE_LOG_IMPL_H

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <weir/base/log.h>

/** Whole lines. */
typedef struct weir__log_chunk {
    struct weir__log_chunk *next; /* set before the front moves on to it */
    size_t size;                  /* of `bytes` */
    atomic_size_t filled;         /* front: so many bytes are whole lines */
    size_t taken;                 /* writer: so many of them are written */
    char bytes[];
} weir__log_chunk;

/** A thread's queue of chunks. */
typedef struct weir__log_front {
    struct weir__log_front *next;     /* lock; the writer alone unlinks while it runs */
    weir__log_chunk *_Atomic filling; /* front: the newest chunk; NULL before the first line */
    weir__log_chunk *oldest;          /* writer, from the first chunk on */
    _Atomic uint64_t lines;           /* front */
    _Atomic uint64_t dropped;         /* front */
    atomic_bool ended;                /* its thread is gone */
    bool drained;                     /* writer: everything was written after `ended` */
} weir__log_front;

/** What both halves share. */
typedef struct weir__log {
    pthread_mutex_t lock;
    pthread_cond_t wake; /* the writer has something to do */

    /* under lock */
    bool running; /* from the start of the writer thread until after its join */
    bool filled;  /* a chunk is full, or could not be had */
    weir__log_front *fronts;
    weir__log_chunk *spare; /* empty chunks */
    size_t chunk_bytes;     /* of new chunks */
    size_t held_bytes;      /* all chunks */
    size_t limit_bytes;     /* of held_bytes */
    weir_log_stats retired; /* of fronts that are gone */

    _Atomic uint64_t lost; /* lines without a front, and lines that could not be written */
} weir__log;

extern weir__log weir__log_shared;

/**
 * Formats a line, newline included, as log.h shows it.
 * @param out  WEIR_LOG_LINE_MAX bytes
 * @return its length, at most WEIR_LOG_LINE_MAX
 */
size_t weir__log_line(char *out, weir_log_level level, const char *file, int line, const char *fmt,
                      va_list args) WEIR_PRINTF(5, 0);

/**
 * As vsnprintf without a NUL, when the format has nothing but integers and strings without flags or
 * widths, and the text fits.
 * @return its length; SIZE_MAX: it must be vsnprintf, with the same arguments
 */
size_t weir__log_format(char *out, size_t room, const char *fmt, va_list args) WEIR_PRINTF(3, 0);

/** Frees a front that is unlinked; its numbers go to `retired`. Under lock. */
void weir__log_front_free(weir__log_front *front);

/** Gives an empty chunk back for reuse. */
void weir__log_chunk_reuse(weir__log_chunk *chunk);

/** Frees the empty chunks. Under lock. */
void weir__log_free_spare(void);

/** In a child of fork(): there are no fronts, not even for this thread. Under lock. */
void weir__log_forget_fronts(void);

#endif
