/* A folder as registry: PATH/SERVICE/ID.live, locked for as long as its process lives. */
#include <weir/naming/registry.h>
#include <weir/net/loop_timers.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "target.h"

/* How often it is looked whether the files are still there. */
#define CHECK_US WEIR_SECONDS(1)

enum {
    /* A file that is being written, and whose writer is gone. */
    ABANDONED_S = 60
};

typedef struct folder {
    weir_registry head;
    char *path;
    weir_ticker check;
} folder;

typedef struct file {
    weir_registration head;
    weir_timer soon; /* to write, or to tell that it is gone */
    int fd;          /* locked; -1: nothing is there */
    bool begun;
} file;

static folder *folder_of(const weir_registration *registration)
{
    return WEIR_CONTAINER_OF(registration->registry, folder, head);
}

static file *file_of(weir_registration *registration)
{
    return WEIR_CONTAINER_OF(registration, file, head);
}

/* Paths. False: too long. */

static bool folder_path(const weir_registration *r, char out[PATH_MAX])
{
    return snprintf(out, PATH_MAX, "%s/%s", folder_of(r)->path, r->service) < PATH_MAX;
}

static bool live_path(const weir_registration *r, char out[PATH_MAX])
{
    return snprintf(out, PATH_MAX, "%s/%s/%s.live", folder_of(r)->path, r->service, r->id) <
           PATH_MAX;
}

/** Resolvers do not look at names that begin with a ".". */
static bool draft_path(const weir_registration *r, char out[PATH_MAX])
{
    return snprintf(out, PATH_MAX, "%s/%s/.%s.draft", folder_of(r)->path, r->service, r->id) <
           PATH_MAX;
}

/* What dead processes have left behind. */

static bool is_abandoned(const char *name, const struct stat *status)
{
    weir_str s = weir_str_from(name);
    if (name[0] != '.')
        return weir_str_ends(s, WEIR_STR(".live"));
    return weir_str_ends(s, WEIR_STR(".draft")) && status->st_mtime + ABANDONED_S < time(NULL);
}

static void sweep_one(int dir, const char *name)
{
    struct stat status;
    if (fstatat(dir, name, &status, AT_SYMLINK_NOFOLLOW) || !S_ISREG(status.st_mode) ||
        !is_abandoned(name, &status))
        return;
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        unlinkat(dir, name, 0);
    close(fd);
}

static void sweep(const weir_registration *r)
{
    char path[PATH_MAX];
    DIR *dir = folder_path(r, path) ? opendir(path) : NULL;
    if (!dir)
        return;
    for (struct dirent *entry; (entry = readdir(dir));)
        sweep_one(dirfd(dir), entry->d_name);
    closedir(dir);
}

/* Writing. */

static weir_err say_errno(weir_why *why, const char *what, const char *path)
{
    int error = errno;
    return weir_why_set(why, weir_err_from_errno(error), "%s %s: %s", what, weir__path_end(path),
                        strerror(error));
}

static weir_err make_folders(const weir_registration *r, weir_why *why)
{
    char path[PATH_MAX];
    const char *outer = folder_of(r)->path;
    if (!folder_path(r, path))
        return weir_why_set(why, WEIR_EINVAL, "the path of the registry is too long");
    if (mkdir(outer, 0755) && errno != EEXIST)
        return say_errno(why, "cannot make the folder", outer);
    if (mkdir(path, 0755) && errno != EEXIST)
        return say_errno(why, "cannot make the folder", path);
    return WEIR_OK;
}

static bool write_all(int fd, const char *text)
{
    for (size_t len = strlen(text); len > 0;) {
        ssize_t n = write(fd, text, len);
        if (n < 0)
            return false;
        text += n;
        len -= (size_t)n;
    }
    return true;
}

/** A locked file under its final name, replacing the one that was there. */
static weir_err publish(const weir_registration *r, int *out, weir_why *why)
{
    char draft[PATH_MAX], live[PATH_MAX];
    if (!draft_path(r, draft) || !live_path(r, live))
        return weir_why_set(why, WEIR_EINVAL, "the path of the registry is too long");
    int fd = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return say_errno(why, "cannot write", draft);
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && write_all(fd, r->json) && write_all(fd, "\n") &&
        rename(draft, live) == 0) {
        *out = fd;
        return WEIR_OK;
    }
    weir_err err = say_errno(why, "cannot write", live);
    unlink(draft);
    close(fd);
    return err;
}

/** Writes it, and tells how that went. */
static void put(file *f)
{
    weir_why why = {""};
    int fd = -1;
    weir_err err = make_folders(&f->head, &why);
    if (!err)
        err = publish(&f->head, &fd, &why);
    if (err) {
        weir_registration_tell(&f->head, WEIR_REGISTRATION_LOST, why.text);
        return;
    }
    if (f->fd >= 0)
        close(f->fd);
    f->fd = fd;
    weir_registration_tell(&f->head, WEIR_REGISTRATION_ACTIVE, "");
}

static bool is_first_of_service(const weir_registration *r)
{
    weir_list_each (node, following, &r->registry->registrations) {
        const weir_registration *other = WEIR_CONTAINER_OF(node, weir_registration, node);
        if (strcmp(other->service, r->service) == 0)
            return other == r;
    }
    return true;
}

static void put_soon(weir_timer *timer, void *user WEIR_UNUSED)
{
    file *f = WEIR_CONTAINER_OF(timer, file, soon);
    if (!f->begun && is_first_of_service(&f->head))
        sweep(&f->head);
    f->begun = true;
    put(f);
}

static bool is_there(const file *f)
{
    char path[PATH_MAX];
    struct stat own, found;
    return f->fd >= 0 && live_path(&f->head, path) && fstat(f->fd, &own) == 0 &&
           stat(path, &found) == 0 && own.st_ino == found.st_ino && own.st_dev == found.st_dev;
}

static void check(weir_ticker *ticker, void *user WEIR_UNUSED)
{
    folder *dir = WEIR_CONTAINER_OF(ticker, folder, check);
    weir_list_each (node, following, &dir->head.registrations) {
        file *f = file_of(WEIR_CONTAINER_OF(node, weir_registration, node));
        if (!f->head.withdrawn && !is_there(f))
            weir_loop_after(dir->head.loop, &f->soon, 0, put_soon, NULL);
    }
}

/* The type. */

static weir_err file_add(weir_registration *registration, weir_why *why WEIR_UNUSED)
{
    file *f = file_of(registration);
    f->fd = -1;
    weir_loop_after(registration->registry->loop, &f->soon, 0, put_soon, NULL);
    return WEIR_OK;
}

static void file_update(weir_registration *registration)
{
    weir_loop_after(registration->registry->loop, &file_of(registration)->soon, 0, put_soon, NULL);
}

static weir_err take_away(file *f, weir_why *why)
{
    char path[PATH_MAX];
    weir_err err = WEIR_OK;
    if (f->fd < 0)
        return err;
    if (live_path(&f->head, path) && unlink(path) && errno != ENOENT)
        err = say_errno(why, "cannot remove", path);
    close(f->fd);
    f->fd = -1;
    return err;
}

static void gone_soon(weir_timer *timer, void *user WEIR_UNUSED)
{
    file *f = WEIR_CONTAINER_OF(timer, file, soon);
    weir_why why = {""};
    weir_err err = take_away(f, &why);
    weir_registration_gone(&f->head, err, why.text);
}

static void file_withdraw(weir_registration *registration)
{
    weir_loop_after(registration->registry->loop, &file_of(registration)->soon, 0, gone_soon, NULL);
}

static void file_release(weir_registration *registration)
{
    file *f = file_of(registration);
    weir_loop_cancel(registration->registry->loop, &f->soon);
    take_away(f, NULL);
}

static weir_err file_open(weir_registry **out, const weir_registry_request *request, weir_why *why)
{
    if (request->authority[0] != '\0')
        return weir_why_set(why, WEIR_EINVAL,
                            "\"%.60s\" names a host, and files are of this one: write "
                            "\"file:///PATH\"",
                            request->target);
    folder *dir = calloc(1, sizeof *dir);
    if (dir)
        dir->path = weir__absolute_path(request->path);
    if (!dir || !dir->path) {
        free(dir);
        return weir_why_set(why, WEIR_ENOMEM, "out of memory");
    }
    weir_ticker_start(&dir->check, request->loop, CHECK_US, check, NULL);
    *out = &dir->head;
    return WEIR_OK;
}

static void file_free(weir_registry *registry)
{
    folder *dir = WEIR_CONTAINER_OF(registry, folder, head);
    weir_ticker_stop(&dir->check);
    free(dir->path);
    free(dir);
}

const weir_registry_type weir_registry_file = {
    .scheme = "file",
    .registration_size = sizeof(file),
    .open = file_open,
    .add = file_add,
    .update = file_update,
    .withdraw = file_withdraw,
    .release = file_release,
    .free = file_free,
};
