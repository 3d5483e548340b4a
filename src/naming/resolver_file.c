/* Follows a file or a folder: inotify tells that something has happened, a look every two seconds
 * finds what it does not tell (other file systems, folders that are made later). */
#include <weir/naming/resolver.h>
#include <weir/net/loop_timers.h>
#include <weir/net/watcher.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "endpoint_file.h"
#include "target.h"

/* Between the first sign of a change and reading: writers need more than one step. */
#define CALM_US WEIR_MILLISECONDS(50)
#define LOOK_US WEIR_SECONDS(2)

enum {
    CHANGES = IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB | IN_CREATE | IN_DELETE | IN_MOVED_FROM |
              IN_MOVED_TO | IN_MOVE_SELF | IN_DELETE_SELF,
    EVENT_BYTES = 4096
};

/** Two files with the same are taken for the same content. */
typedef struct mark {
    dev_t dev;
    ino_t ino;
    off_t size;
    struct timespec written, changed;
} mark;

typedef struct file_resolver {
    weir_resolver head;
    weir_loop *loop;
    const weir_resolver_events *events;
    void *user;
    char *path;
    int own, parent;      /* inotify's watches; -1: none */
    weir_watcher inotify; /* fd -1: there is none, and looks must do */
    weir_timer soon;      /* reads */
    weir_ticker look;
    bool dirty; /* to be read, whatever the mark says */
    mark seen;
    bool is_folder;       /* whose own mark says nothing of the files' content and locks */
    weir_endpoints *list; /* last told */
    bool failing;         /* what was told last is `why` */
    bool passing;         /* and it may pass without a change of the file */
    weir_why why;
} file_resolver;

/* Telling. */

/** The resolver may be gone after it. */
static void tell_failure(file_resolver *r, weir_err err, const weir_why *why)
{
    if (r->failing && strcmp(r->why.text, why->text) == 0)
        return;
    r->failing = true;
    r->why = *why;
    weir_why told = *why;
    r->events->failed(err, told.text, r->user);
}

/** The same. */
static void tell_list(file_resolver *r, weir_endpoints *list)
{
    bool is_news = r->failing || !r->list || !weir_endpoints_equal(r->list, list);
    r->failing = false;
    if (!is_news) {
        weir_endpoints_unref(list);
        return;
    }
    weir_endpoints_unref(r->list);
    r->list = list;
    weir_endpoints_ref(list);
    r->events->found(list, NULL, r->user);
    weir_endpoints_unref(list);
}

/* Watching. */

static void watch(file_resolver *r, int *place, const char *path)
{
    if (r->inotify.fd < 0)
        return;
    int now = inotify_add_watch(r->inotify.fd, path, CHANGES);
    if (*place >= 0 && *place != now)
        inotify_rm_watch(r->inotify.fd, *place);
    *place = now;
}

/** Where they lead to now: either may have been replaced. */
static void watch_both(file_resolver *r)
{
    char *slash = strrchr(r->path, '/');
    watch(r, &r->own, r->path);
    if (slash == r->path) {
        watch(r, &r->parent, "/");
        return;
    }
    *slash = '\0';
    watch(r, &r->parent, r->path);
    *slash = '/';
}

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/** Whether it looks different from the last time. */
static bool has_changed(file_resolver *r)
{
    struct stat s;
    mark now = {0};
    r->is_folder = false;
    if (stat(r->path, &s) == 0) {
        r->is_folder = S_ISDIR(s.st_mode);
        now = (mark){s.st_dev, s.st_ino, s.st_size, s.st_mtim, s.st_ctim};
    }
    bool same = now.dev == r->seen.dev && now.ino == r->seen.ino && now.size == r->seen.size &&
                same_time(now.written, r->seen.written) && same_time(now.changed, r->seen.changed);
    r->seen = now;
    return !same;
}

/** The resolver may be gone after it. */
static void read_again(weir_timer *timer, void *user WEIR_UNUSED)
{
    file_resolver *r = WEIR_CONTAINER_OF(timer, file_resolver, soon);
    weir_endpoints *list;
    weir_why why = {""};
    watch_both(r);
    bool changed = has_changed(r);
    if (!changed && !r->dirty)
        return;
    r->dirty = false;
    weir_err err = weir__endpoints_load(&list, r->path, &why);
    r->passing = err && err != WEIR_EMALFORMED && err != WEIR_EMSGSIZE;
    if (err)
        tell_failure(r, err, &why);
    else
        tell_list(r, list);
}

static void read_soon(file_resolver *r)
{
    if (!weir_timer_pending(&r->soon))
        weir_loop_after(r->loop, &r->soon, CALM_US, read_again, NULL);
}

static void look(weir_ticker *ticker, void *user WEIR_UNUSED)
{
    file_resolver *r = WEIR_CONTAINER_OF(ticker, file_resolver, look);
    r->dirty = r->dirty || r->passing || r->is_folder;
    if (!weir_timer_pending(&r->soon))
        weir_loop_after(r->loop, &r->soon, 0, read_again, NULL);
}

/** Not by names: a link on the way may be what is replaced. */
static void on_inotify(weir_watcher *watcher, unsigned events WEIR_UNUSED, void *user)
{
    file_resolver *r = user;
    _Alignas(struct inotify_event) char bytes[EVENT_BYTES];
    ssize_t len = read(watcher->fd, bytes, sizeof bytes);
    for (char *at = bytes; at < bytes + (len > 0 ? len : 0);) {
        const struct inotify_event *event = (const struct inotify_event *)(void *)at;
        if (event->wd != r->parent)
            r->dirty = true;
        at += sizeof *event + event->len;
    }
    read_soon(r);
}

/** Without it, looks do. */
static void open_inotify(file_resolver *r)
{
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    weir_watcher_init(&r->inotify, r->loop, fd, on_inotify, r);
    if (fd >= 0 && weir_watcher_want(&r->inotify, WEIR_READABLE)) {
        close(fd);
        r->inotify.fd = -1;
    }
}

/* The type. */

static weir_err file_start(weir_resolver **out, const weir_resolver_request *request, weir_why *why)
{
    if (request->authority[0] != '\0')
        return weir_why_set(why, WEIR_EINVAL,
                            "\"%.60s\" names a host, and files are of this one: write "
                            "\"file:///PATH\"",
                            request->target);
    if (request->path[0] == '\0')
        return weir_why_set(why, WEIR_EINVAL, "\"%.60s\" has no path", request->target);
    file_resolver *r = calloc(1, sizeof *r);
    char *path = r ? weir__absolute_path(request->path) : NULL;
    if (!path) {
        free(r);
        return weir_why_set(why, WEIR_ENOMEM, "out of memory");
    }
    *r = (file_resolver){.head.type = &weir_resolver_file,
                         .loop = request->loop,
                         .events = request->events,
                         .user = request->user,
                         .path = path,
                         .own = -1,
                         .parent = -1,
                         .dirty = true};
    open_inotify(r);
    weir_loop_after(r->loop, &r->soon, 0, read_again, NULL);
    weir_ticker_start(&r->look, r->loop, LOOK_US, look, NULL);
    *out = &r->head;
    return WEIR_OK;
}

static void file_free(weir_resolver *resolver)
{
    file_resolver *r = WEIR_CONTAINER_OF(resolver, file_resolver, head);
    weir_loop_cancel(r->loop, &r->soon);
    weir_ticker_stop(&r->look);
    weir_watcher_stop(&r->inotify);
    if (r->inotify.fd >= 0)
        close(r->inotify.fd);
    weir_endpoints_unref(r->list);
    free(r->path);
    free(r);
}

const weir_resolver_type weir_resolver_file = {"file", file_start, NULL, file_free};
