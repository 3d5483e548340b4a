/**
 * @file
 * The file that the log is written to: rolled when it is large or the day is over, opened anew when
 * somebody else has renamed it. Used by one thread at a time.
 */
#ifndef WEIR_BASE_LOG_FILE_H
#define WEIR_BASE_LOG_FILE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/base/err.h>
#include <weir/base/time.h>

typedef struct weir__log_file_opts {
    uint64_t roll_bytes; /* 0: no limit */
    bool roll_daily;
    unsigned keep_files; /* 0: all */
} weir__log_file_opts;

typedef struct weir__log_file {
    int fd;
    char *path; /* NULL: a descriptor of somebody else's, which is neither rolled nor closed */
    weir__log_file_opts opts;
    bool regular;  /* others, /dev/null for one, are not rolled */
    uint64_t size; /* since the last roll, or the last try */
    int64_t day;   /* since 1970, UTC: of the last write */
    weir_err err;  /* the last roll or reopening failed so, and nobody was told yet */
} weir__log_file;

/** Civil time, for the name and the day of a file; tests put another clock here. */
extern weir_wall (*weir__log_file_clock)(void);

/** The next write to any file opens it anew. Safe in signal handlers. */
extern atomic_bool weir__log_file_reopen;

/** Appends to `path`, which is copied. */
weir_err weir__log_file_open(weir__log_file *file, const char *path,
                             const weir__log_file_opts *opts);
/** stderr. */
void weir__log_file_borrow(weir__log_file *file, int fd);
void weir__log_file_close(weir__log_file *file);

/** Opens it anew if somebody asked for that. */
void weir__log_file_check(weir__log_file *file);

/**
 * Writes whole lines, rolling between them where it is due.
 * @param written  grows with each write, so that the handler of a crash knows what is left
 * @return bytes written: all but after an error that lasts
 */
size_t weir__log_file_write(weir__log_file *file, const char *lines, size_t len,
                            atomic_size_t *written);

/** Writes all it can; safe in signal handlers. @param written  as above @return bytes written */
size_t weir__log_write_fd(int fd, const char *bytes, size_t len, atomic_size_t *written);

#endif
