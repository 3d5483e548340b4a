#include "log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weir/base/attr.h>

#include "log_roll.h"

enum {
    WRITABLE_WAIT_MS = 1000
};

weir_wall (*weir__log_file_clock)(void) = weir_wall_now;
atomic_bool weir__log_file_reopen;

static int64_t day_of(int64_t seconds)
{
    return seconds / 86400;
}

static int64_t today(void)
{
    return day_of(weir__log_file_clock().us / WEIR_SECONDS(1));
}

/** On failure the earlier file, if any, stays in use. */
static weir_err open_by_name(weir__log_file *file)
{
    struct stat st;
    int fd = open(file->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return weir_err_from_errno(errno);
    file->regular = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    if (file->fd >= 0)
        close(file->fd);
    file->fd = fd;
    file->size = file->regular ? (uint64_t)st.st_size : 0;
    file->day = file->size > 0 ? day_of(st.st_mtim.tv_sec) : today();
    return WEIR_OK;
}

weir_err weir__log_file_open(weir__log_file *file, const char *path,
                             const weir__log_file_opts *opts)
{
    *file = (weir__log_file){.fd = -1, .path = strdup(path), .opts = *opts};
    if (!file->path)
        return WEIR_ENOMEM;
    weir_err err = open_by_name(file);
    if (err)
        free(file->path);
    return err;
}

void weir__log_file_borrow(weir__log_file *file, int fd)
{
    *file = (weir__log_file){.fd = fd};
}

void weir__log_file_close(weir__log_file *file)
{
    if (!file->path)
        return;
    close(file->fd);
    free(file->path);
    weir__log_file_borrow(file, STDERR_FILENO);
}

void weir__log_file_check(weir__log_file *file)
{
    if (!atomic_load_explicit(&weir__log_file_reopen, memory_order_relaxed))
        return;
    atomic_store(&weir__log_file_reopen, false);
    if (file->path)
        file->err = open_by_name(file);
}

size_t weir__log_write_fd(int fd, const char *bytes, size_t len, atomic_size_t *written)
{
    size_t done = 0;
    while (done < len) {
        ssize_t n = write(fd, bytes + done, len - done);
        if (n >= 0) {
            done += (size_t)n;
            atomic_fetch_add(written, (size_t)n);
        } else if (errno == EAGAIN) { /* stderr may be a pipe that somebody made non-blocking */
            struct pollfd ready = {.fd = fd, .events = POLLOUT};
            if (poll(&ready, 1, WRITABLE_WAIT_MS) <= 0)
                break;
        } else if (errno != EINTR) {
            break;
        }
    }
    return done;
}

/** After a failure the next try comes after as many bytes again, or on the next day. */
static void roll(weir__log_file *file)
{
    weir_err err = weir__log_rename(file->path, weir__log_file_clock());
    if (!err)
        err = open_by_name(file);
    if (!err && file->opts.keep_files > 0)
        weir__log_prune(file->path, file->opts.keep_files);
    if (err)
        file->size = 0;
    file->err = err;
}

/** Of `len` bytes of whole lines, those that fit below the limit, but at least one line. */
static size_t fitting(const weir__log_file *file, const char *lines, size_t len)
{
    uint64_t limit = file->opts.roll_bytes;
    uint64_t room = limit > file->size ? limit - file->size : 0;
    if (!file->regular || limit == 0 || len <= room)
        return len;
    const char *end = room > 0 ? memrchr(lines, '\n', room) : NULL;
    if (!end)
        end = memchr(lines, '\n', len);
    return end ? (size_t)(end + 1 - lines) : len;
}

static bool is_due(const weir__log_file *file, size_t len, int64_t day)
{
    if (!file->regular || file->size == 0)
        return false;
    return (file->opts.roll_daily && day != file->day) ||
           (file->opts.roll_bytes > 0 && file->size + len > file->opts.roll_bytes);
}

size_t weir__log_file_write(weir__log_file *file, const char *lines, size_t len,
                            atomic_size_t *written)
{
    size_t done = 0;
    int64_t day = file->opts.roll_daily ? today() : file->day;
    while (done < len) {
        size_t piece = fitting(file, lines + done, len - done);
        if (is_due(file, piece, day)) {
            roll(file);
            piece = fitting(file, lines + done, len - done);
        }
        size_t n = weir__log_write_fd(file->fd, lines + done, piece, written);
        done += n;
        file->size += n;
        file->day = day;
        if (n < piece)
            break;
    }
    return done;
}
