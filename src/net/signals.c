#include <weir/net/signals.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <weir/net/watcher.h>

struct weir_signals {
    weir_watcher watcher;
    weir_signal_fn fn;
    void *user;
    sigset_t earlier; /* the thread's mask before */
};

/** One signal a turn: the callback comes last, it may close us. */
static void take_signal(weir_watcher *watcher, unsigned events WEIR_UNUSED, void *user)
{
    weir_signals *signals = user;
    struct signalfd_siginfo info;
    if (read(watcher->fd, &info, sizeof info) == sizeof info)
        signals->fn((int)info.ssi_signo, signals->user);
}

weir_err weir_signals_open(weir_signals **out, weir_loop *loop, const sigset_t *set,
                           weir_signal_fn fn, void *user)
{
    weir_signals *signals = calloc(1, sizeof *signals);
    if (!signals)
        return WEIR_ENOMEM;
    signals->fn = fn;
    signals->user = user;
    int fd = signalfd(-1, set, SFD_NONBLOCK | SFD_CLOEXEC);
    weir_err err = fd < 0 ? weir_err_from_errno(errno) : WEIR_OK;
    if (!err) {
        weir_watcher_init(&signals->watcher, loop, fd, take_signal, signals);
        err = weir_watcher_want(&signals->watcher, WEIR_READABLE);
        if (err)
            close(fd);
    }
    if (err) {
        free(signals);
        return err;
    }
    pthread_sigmask(SIG_BLOCK, set, &signals->earlier);
    *out = signals;
    return WEIR_OK;
}

void weir_signals_close(weir_signals *signals)
{
    if (!signals)
        return;
    weir_watcher_stop(&signals->watcher);
    close(signals->watcher.fd);
    pthread_sigmask(SIG_SETMASK, &signals->earlier, NULL);
    free(signals);
}
