/**
 * @file
 * The two halves of the log.
 *
 * Each thread that logs has a front: a chain of chunks which it fills and the writer thread
 * empties. The two meet in atomics only; the lock is for what is rare: a new front, a new chunk,
 * start, stop.
 *
 * A third party is the handler of a crash (log_crash.c), which may come at any time, in any thread,
 * and takes no lock. Whoever writes lines, or frees or reuses what the handler walks over, does so
 * between weir__log_enter() and weir__log_leave(); the handler keeps everybody out.
 */
#ifndef WEIR_BASE_LOG_IMPL_H
#define WEIR_BASE_LOG_IMPL_H

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <weir/base/log.h>
#include <weir/base/time.h>

#include "log_file.h"

/** Whole lines. */
typedef struct weir__log_chunk {
    struct weir__log_chunk *next; /* set before the front moves on to it */
    size_t size;                  /* of `bytes` */
    atomic_size_t filled;         /* front: so many bytes are whole lines */
    atomic_size_t taken;          /* who is within enter(): so many of them are written */
    char bytes[];
} weir__log_chunk;

/** What does not change from line to line of a thread. */
typedef struct weir__log_cache {
    char thread[16]; /* its number */
    size_t thread_len;
    int64_t second;  /* of `time` */
    size_t time_len; /* 0: nothing cached yet */
    char time[32];   /* "2026-01-31T12:34:56." */
} weir__log_cache;

/** A thread's queue of chunks. */
typedef struct weir__log_front {
    struct weir__log_front *next;     /* lock; the writer alone unlinks while it runs */
    weir__log_chunk *_Atomic filling; /* front: the newest chunk; NULL before the first line */
    weir__log_chunk *oldest;          /* within enter(), from the first chunk on */
    unsigned chunks;                  /* lock: how many it holds */
    weir__log_cache cache;            /* front */
    _Atomic uint64_t lines;           /* front */
    _Atomic uint64_t dropped;         /* front */
    atomic_bool ended;                /* its thread is gone */
    bool drained;                     /* writer: everything was written after `ended` */
} weir__log_front;

/** What both halves share. */
typedef struct weir__log {
    pthread_mutex_t lock;
    pthread_cond_t wake; /* the writer has something to do */
    pthread_cond_t room; /* a chunk was given back, or the writer is gone */

    /* under lock; also read by the handler of a crash where atomic */
    atomic_bool running; /* from the start until after the writer's join */
    bool filled;         /* a chunk is full, or could not be had */
    weir__log_front *_Atomic fronts;
    weir__log_chunk *spare; /* empty chunks */
    size_t chunk_bytes;     /* of new chunks */
    size_t held_bytes;      /* all chunks */
    size_t limit_bytes;     /* of held_bytes, but for what every front may have */
    unsigned waiting;       /* producers, for `room` */
    int writer;             /* its thread, while running */
    weir_log_stats retired; /* of fronts that are gone */

    /* before the start of the writer thread */
    _Atomic int format; /* a weir_log_format; threads that log while it starts may read it */
    weir_log_when_full when_full;
    int64_t flush_us;
    weir_log_sink_fn sink;
    void *sink_user;

    weir__log_file file;    /* within enter() */
    _Atomic uint64_t bytes; /* written */
    atomic_bool silent;     /* running, and nothing was logged yet: there is no writer */
    _Atomic uint64_t lost;  /* lines without a front, and lines that could not be written */
} weir__log;

extern weir__log weir__log_shared;

/** Starts the writer's thread: a program that logs nothing stays without it, and if it has one
 * thread, its system calls are cheaper. */
void weir__log_first_line(void);

/* log_line.c, log_json.c, log_format.c: the text of a line. */

/** What a line says. */
typedef struct weir__log_entry {
    const weir__log_site *site;
    uint64_t left_out; /* lines like it, which it mentions */
    const char *fmt;
} weir__log_entry;

/**
 * Formats a line, newline included, in the format in force. Safe in signal handlers if `fmt` is
 * made of what weir__log_format() knows.
 * @param out  WEIR_LOG_LINE_MAX bytes
 * @return its length, at most WEIR_LOG_LINE_MAX
 */
size_t weir__log_line(char *out, weir__log_cache *cache, const weir__log_entry *entry,
                      va_list args);

/** The same in JSON. */
size_t weir__log_json(char *out, weir__log_cache *cache, const weir__log_entry *entry,
                      va_list args);

/** Prepares the cache of thread number `thread`. */
void weir__log_cache_init(weir__log_cache *cache, int thread);

/** Writes "2026-01-31T12:34:56.123456Z", at most 40 bytes, without a NUL. @return behind it */
char *weir__log_put_time(char *out, weir__log_cache *cache);

/**
 * The message in at most `room` bytes; one more may be written to.
 * @param controls  whether there may be control characters in it
 * @return its length
 */
size_t weir__log_put_message(char *out, size_t room, const weir__log_entry *entry, va_list args,
                             bool *controls);

/**
 * As vsnprintf without a NUL, when the format has nothing but integers and strings without flags or
 * widths, and the text fits.
 * @param controls  whether there are control characters in it
 * @return its length; SIZE_MAX: it must be vsnprintf, with the same arguments
 */
size_t weir__log_format(char *out, size_t room, const char *fmt, va_list args, bool *controls)
    WEIR_PRINTF(3, 0);

/* log_front.c, log_chunk.c: the producers' half. */

/** Frees a front that is unlinked; its numbers go to `retired`. Under lock. */
void weir__log_front_free(weir__log_front *front);

/** In a child of fork(): there are no fronts, not even for this thread. Under lock. */
void weir__log_forget_fronts(void);

/** An empty chunk for this front; NULL: full, and not to be waited for. Wakes the writer. */
weir__log_chunk *weir__log_chunk_get(weir__log_front *front);

/** The front gives an empty chunk back. */
void weir__log_chunk_reuse(weir__log_front *front, weir__log_chunk *chunk);

/** Frees a chain of chunks. Under lock. */
void weir__log_chunks_free(weir__log_chunk *chunk);

/** Frees the empty chunks. Under lock. */
void weir__log_free_spare(void);

/* log_writer.c: the other half. */

/** One round: writes what all fronts have now, and gives empty chunks back. */
void weir__log_drain(void);

/** Frees the fronts that are drained. Under lock. */
void weir__log_free_drained(void);

/** Lines not accepted or not written, since the program began. */
uint64_t weir__log_dropped(void);

/* log_crash.c */

/** Waits while the handler of a crash works. Not nested, one thread at a time. */
void weir__log_enter(void);
void weir__log_leave(void);
/** In a child of fork(), whose parent may have been within. */
void weir__log_crash_reset(void);

/* log_module.c */

/** Whether anything is logged at all. Under lock. */
void weir__log_switch(bool on);
/** The program's level. Under lock. */
void weir__log_set_main_level(weir_log_level level);

#endif
