/* Reading a file of endpoints, or a folder with a file for each. */
#include "endpoint_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weir/base/log.h>

#include "target.h"

static weir_err say_errno(weir_why *why, const char *path)
{
    int error = errno;
    return weir_why_set(why, weir_err_from_errno(error), "%s cannot be read: %s",
                        weir__path_end(path), strerror(error));
}

static weir_err read_bytes(int fd, const char *path, char *bytes, size_t room, size_t *out,
                           weir_why *why)
{
    size_t len = 0;
    while (len < room) {
        ssize_t n = read(fd, bytes + len, room - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return say_errno(why, path);
        if (n == 0)
            break;
        len += (size_t)n;
    }
    *out = len;
    return WEIR_OK;
}

/** @param size  as fstat(2) says; what has been appended since is left for the next time */
static weir_err parse_file(weir_endpoints *list, int fd, size_t size, const char *path,
                           weir_why *why)
{
    size_t len = 0;
    if (size > WEIR__FILE_BYTES_MAX)
        return weir_why_set(why, WEIR_EMSGSIZE, "%s is larger than %d bytes", weir__path_end(path),
                            WEIR__FILE_BYTES_MAX);
    char *bytes = malloc(size + 1);
    if (!bytes)
        return weir_why_set(why, WEIR_ENOMEM, "out of memory");
    weir_err err = read_bytes(fd, path, bytes, size, &len, why);
    if (!err && len == 0)
        err = weir_why_set(why, WEIR_EMALFORMED,
                           "%s is empty: a comment (\"#\") alone says that there are no endpoints",
                           weir__path_end(path));
    if (!err)
        err = weir__endpoints_parse(list, weir_str_of(bytes, len), path, why);
    free(bytes);
    return err;
}

/* Folders. */

typedef struct reading {
    weir_endpoints *list;
    const char *path;
    int dir;
    size_t bytes;    /* of all files */
    unsigned failed; /* files */
    weir_why why;    /* of the last one that failed */
} reading;

/** Those of weir_registry_file are locked as long as their process lives. */
static bool is_of_the_living(int fd, const char *name)
{
    if (!weir_str_ends(weir_str_from(name), WEIR_STR(".live")))
        return true;
    return flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

static weir_err load_one(reading *r, const char *name)
{
    char path[512];
    struct stat status;
    snprintf(path, sizeof path, "%s/%s", weir__path_end(r->path), name);
    int fd = openat(r->dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT ? WEIR_OK : say_errno(&r->why, path);
    weir_err err = WEIR_OK;
    if (fstat(fd, &status))
        err = say_errno(&r->why, path);
    else if (S_ISREG(status.st_mode) && is_of_the_living(fd, name)) {
        r->bytes += (size_t)status.st_size;
        err = parse_file(r->list, fd, (size_t)status.st_size, path, &r->why);
    }
    close(fd);
    return err;
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/** Not that one file's fault. */
static bool is_ours(weir_err err)
{
    return err == WEIR_ENOMEM || err == WEIR_EMFILE || err == WEIR_EFULL;
}

/** One that cannot be read does not take the others out: each has another writer. */
static weir_err load_entries(reading *r, struct dirent **entries, int count, weir_why *why)
{
    if (count > WEIR__FILE_LINES_MAX)
        return weir_why_set(why, WEIR_EMSGSIZE, "%s has more than %d files",
                            weir__path_end(r->path), WEIR__FILE_LINES_MAX);
    for (int i = 0; i < count; i++) {
        weir_err err = load_one(r, entries[i]->d_name);
        if (is_ours(err))
            return weir_why_set(why, err, "%s", r->why.text);
        if (r->bytes > WEIR__FILE_BYTES_MAX)
            return weir_why_set(why, WEIR_EMSGSIZE, "the files in %s are larger than %d bytes",
                                weir__path_end(r->path), WEIR__FILE_BYTES_MAX);
        if (err)
            r->failed++;
    }
    if (r->failed > 0 && weir_endpoints_count(r->list) == 0)
        return weir_why_set(why, WEIR_EMALFORMED, "%s", r->why.text);
    if (r->failed > 0)
        WEIR_LOG_EVERY(WEIR_LOG_LEVEL_WARN, WEIR_SECONDS(10),
                       "%u files in %s are left out, the last of them: %s", r->failed,
                       weir__path_end(r->path), r->why.text);
    return WEIR_OK;
}

static weir_err load_folder(weir_endpoints *list, int dir, const char *path, weir_why *why)
{
    struct dirent **entries;
    int count = scandirat(dir, ".", &entries, is_visible, by_name);
    if (count < 0)
        return say_errno(why, path);
    reading r = {.list = list, .path = path, .dir = dir};
    weir_err err = load_entries(&r, entries, count, why);
    while (count > 0)
        free(entries[--count]);
    free(entries);
    return err;
}

/* Either. */

static weir_err load(weir_endpoints *list, int fd, const char *path, weir_why *why)
{
    struct stat status;
    if (fstat(fd, &status))
        return say_errno(why, path);
    if (S_ISDIR(status.st_mode))
        return load_folder(list, fd, path, why);
    if (!S_ISREG(status.st_mode))
        return weir_why_set(why, WEIR_EINVAL, "%s is neither a file nor a folder",
                            weir__path_end(path));
    return parse_file(list, fd, (size_t)status.st_size, path, why);
}

weir_err weir__endpoints_load(weir_endpoints **out, const char *path, weir_why *why)
{
    weir_endpoints *list;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return say_errno(why, path);
    weir_err err = weir_endpoints_new(&list);
    if (!err) {
        err = load(list, fd, path, why);
        if (err)
            weir_endpoints_unref(list);
        else
            *out = list;
    }
    close(fd);
    return err;
}
