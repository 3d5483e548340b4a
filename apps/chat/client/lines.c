#include "lines.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

/** Waits for more input and appends it. */
static bool fill(lines *self)
{
    struct pollfd fds[] = {{.fd = self->fd, .events = POLLIN},
                           {.fd = self->stop_fd, .events = POLLIN}};
    while (poll(fds, 2, -1) < 0) {
        if (errno != EINTR)
            return false;
    }
    if (fds[1].revents)
        return false;
    ssize_t got = read(self->fd, self->bytes + self->len, sizeof self->bytes - self->len);
    if (got <= 0)
        self->ended = true;
    else
        self->len += (size_t)got;
    return true;
}

static bool take(lines *self, size_t len, size_t with_end, weir_str *out)
{
    *out = weir_str_of(self->bytes, len);
    self->taken = with_end;
    return true;
}

bool lines_next(lines *self, weir_str *out)
{
    self->len -= self->taken;
    memmove(self->bytes, self->bytes + self->taken, self->len);
    self->taken = 0;
    for (;;) {
        const char *end = memchr(self->bytes, '\n', self->len);
        if (end)
            return take(self, (size_t)(end - self->bytes), (size_t)(end - self->bytes) + 1, out);
        if (self->len == sizeof self->bytes || (self->ended && self->len > 0))
            return take(self, self->len, self->len, out);
        if (self->ended || !fill(self))
            return false;
    }
}
