#include <weir/base/err.h>

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct err_row {
    const char *name;
    const char *text;
    int status;
    bool retry;
} err_row;

static const err_row rows[] = {
#define ROW(name, number, text, status, retry) [number] = {"WEIR_" #name, text, status, retry},
    WEIR_ERRORS(ROW)
#undef ROW
};

static const err_row unknown = {"WEIR_E?", "an error number that weir does not have", 2, false};

static const err_row *row_of(weir_err err)
{
    size_t number = (size_t)err;
    return number < sizeof rows / sizeof *rows ? &rows[number] : &unknown;
}

const char *weir_err_name(weir_err err)
{
    return row_of(err)->name;
}

const char *weir_err_text(weir_err err)
{
    return row_of(err)->text;
}

int weir_err_status(weir_err err)
{
    return row_of(err)->status;
}

bool weir_err_retry(weir_err err)
{
    return row_of(err)->retry;
}

static const struct {
    int from;
    weir_err to;
} errnos[] = {
    {0, WEIR_OK},
    {EAGAIN, WEIR_EAGAIN},
    {EINPROGRESS, WEIR_EAGAIN},
    {EINTR, WEIR_EAGAIN},
    {EINVAL, WEIR_EINVAL},
    {EBADF, WEIR_EINVAL},
    {EAFNOSUPPORT, WEIR_EINVAL},
    {ENAMETOOLONG, WEIR_EINVAL},
    {ENOMEM, WEIR_ENOMEM},
    {ENOBUFS, WEIR_ENOMEM},
    {EPIPE, WEIR_ECLOSED},
    {ENOTCONN, WEIR_ECLOSED},
    {ESHUTDOWN, WEIR_ECLOSED},
    {ECANCELED, WEIR_ECANCELED},
    {ETIMEDOUT, WEIR_ETIMEDOUT},
    {ECONNREFUSED, WEIR_ECONNREFUSED},
    {ECONNRESET, WEIR_ECONNRESET},
    {ECONNABORTED, WEIR_ECONNRESET},
    {EADDRINUSE, WEIR_EADDRINUSE},
    {EACCES, WEIR_EACCES},
    {EPERM, WEIR_EACCES},
    {EROFS, WEIR_EACCES},
    {EMFILE, WEIR_EMFILE},
    {ENFILE, WEIR_EMFILE},
    {ENOENT, WEIR_ENOENT},
    {ENOTDIR, WEIR_ENOENT},
    {EMSGSIZE, WEIR_EMSGSIZE},
    {E2BIG, WEIR_EMSGSIZE},
    {EFBIG, WEIR_EMSGSIZE},
    {EPROTO, WEIR_EPROTO},
    {EALREADY, WEIR_ESTATE},
    {EISCONN, WEIR_ESTATE},
    {ENOSYS, WEIR_ENOTSUP},
    {EOPNOTSUPP, WEIR_ENOTSUP},
    {ENOPROTOOPT, WEIR_ENOTSUP},
    {EPROTONOSUPPORT, WEIR_ENOTSUP},
    {EHOSTUNREACH, WEIR_EUNREACH},
    {ENETUNREACH, WEIR_EUNREACH},
    {ENETDOWN, WEIR_EUNREACH},
    {EHOSTDOWN, WEIR_EUNREACH},
    {EADDRNOTAVAIL, WEIR_EADDRNOTAVAIL},
    {EEXIST, WEIR_EEXIST},
};

weir_err weir_err_from_errno(int errno_value)
{
    for (size_t i = 0; i < sizeof errnos / sizeof *errnos; i++)
        if (errnos[i].from == errno_value)
            return errnos[i].to;
    return WEIR_EIO;
}

weir_err weir_why_set(weir_why *why, weir_err err, const char *fmt, ...)
{
    if (why) {
        va_list args;
        va_start(args, fmt);
        vsnprintf(why->text, sizeof why->text, fmt, args);
        va_end(args);
    }
    return err;
}

void weir_bug_at(const char *file, int line, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    flockfile(stderr);
    fprintf(stderr, "%s:%d: ", file, line);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    funlockfile(stderr);
    va_end(args);
    abort();
}
