#include "input.h"

#include <errno.h>
#include <unistd.h>

/** Where a piece of a line that is too long ends: not within a character. */
static size_t piece(const input *self)
{
    size_t len = self->len;
    while (len > self->len - 4 && ((unsigned char)self->bytes[len - 1] & 0xc0) == 0x80)
        len--;
    bool begins = (unsigned char)self->bytes[len - 1] >= 0xc0;
    return begins && !weir_str_is_utf8(weir_str_of(self->bytes, self->len)) ? len - 1 : self->len;
}

static void take(input *self, size_t len, size_t with_end)
{
    char line[INPUT_LINE_MAX];
    memcpy(line, self->bytes, len);
    self->len -= with_end;
    memmove(self->bytes, self->bytes + with_end, self->len);
    self->line(weir_str_of(line, len), self->user);
}

static void take_lines(input *self)
{
    while (self->len > 0 && !self->paused && !self->stopped) {
        const char *end = memchr(self->bytes, '\n', self->len);
        if (end)
            take(self, (size_t)(end - self->bytes), (size_t)(end - self->bytes) + 1);
        else if (self->len == sizeof self->bytes)
            take(self, piece(self), piece(self));
        else
            return;
    }
}

static void finish(input *self)
{
    if (self->len > 0)
        take(self, self->len, self->len);
    if (self->stopped)
        return;
    input_stop(self);
    self->ended(self->user);
}

/** @return false: there is no more */
static bool fill(input *self)
{
    ssize_t got = read(STDIN_FILENO, self->bytes + self->len, sizeof self->bytes - self->len);
    if (got > 0)
        self->len += (size_t)got;
    return got > 0 || (got < 0 && (errno == EINTR || errno == EAGAIN));
}

static void go_on(input *self)
{
    take_lines(self);
    if (self->stopped || self->paused)
        return;
    if (!fill(self))
        finish(self);
    else
        take_lines(self);
}

static void on_again(weir_timer *timer, void *user)
{
    input *self = user;
    go_on(self);
    if (!self->stopped && !self->paused)
        weir_loop_after(self->loop, timer, 0, on_again, self);
}

static void on_ready(weir_watcher *watcher, unsigned events, void *user)
{
    (void)watcher;
    (void)events;
    go_on(user);
}

static void want(input *self)
{
    if (!self->is_file && weir_watcher_want(&self->watcher, WEIR_READABLE) == WEIR_OK)
        return;
    self->is_file = true;
    weir_loop_after(self->loop, &self->again, 0, on_again, self);
}

void input_start(input *self)
{
    weir_watcher_init(&self->watcher, self->loop, STDIN_FILENO, on_ready, self);
    want(self);
}

static void be_quiet(input *self)
{
    weir_loop_cancel(self->loop, &self->again);
    weir_watcher_stop(&self->watcher);
}

void input_pause(input *self)
{
    if (self->paused || self->stopped)
        return;
    self->paused = true;
    be_quiet(self);
}

/** Lines that are here already come in the next turn, so that nobody is called back within. */
static void on_resumed(weir_timer *timer, void *user)
{
    (void)timer;
    input *self = user;
    take_lines(self);
    if (!self->paused && !self->stopped)
        want(self);
}

void input_resume(input *self)
{
    if (!self->paused || self->stopped)
        return;
    self->paused = false;
    weir_loop_after(self->loop, &self->again, 0, on_resumed, self);
}

void input_stop(input *self)
{
    if (self->stopped || !self->loop)
        return;
    self->stopped = true;
    be_quiet(self);
}
