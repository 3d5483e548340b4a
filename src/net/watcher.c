#include "loop_impl.h"

void weir_watcher_init(weir_watcher *watcher, weir_loop *loop, int fd, weir_watcher_fn fn,
                       void *user)
{
    *watcher = (weir_watcher){.loop = loop, .fn = fn, .user = user, .fd = fd};
}

void weir__watcher_again(weir_watcher *watcher)
{
    weir_list_remove(&watcher->node);
    weir_list_append(&watcher->loop->again, &watcher->node);
}

static void unwatch(weir_watcher *watcher)
{
    weir__poller *poller = watcher->loop->poller;
    if (watcher->added)
        poller->ops->remove(poller, watcher);
    watcher->added = false;
    watcher->events = 0;
    weir_list_remove(&watcher->node);
}

weir_err weir_watcher_want(weir_watcher *watcher, unsigned events)
{
    weir_loop *loop = watcher->loop;
    weir__loop_assert(loop);
    if (events == watcher->events)
        return WEIR_OK;
    /* A descriptor with an error is always ready: the silent ones must leave the poller. */
    if (events == 0) {
        unwatch(watcher);
        return WEIR_OK;
    }
    unsigned char before = watcher->events;
    watcher->events = (unsigned char)events;
    weir_err err = loop->poller->ops->set(loop->poller, watcher);
    if (err) {
        watcher->events = before;
        return err;
    }
    if (!watcher->added)
        weir_list_append(&loop->watchers, &watcher->node);
    watcher->added = true;
    return WEIR_OK;
}

void weir_watcher_stop(weir_watcher *watcher)
{
    weir_loop *loop = watcher->loop;
    if (!loop)
        return;
    weir__loop_assert(loop);
    unwatch(watcher);
    for (int i = loop->ready_at; i < loop->ready_count; i++)
        if (loop->ready[i].watcher == watcher)
            loop->ready[i].watcher = NULL;
}
