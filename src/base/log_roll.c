#include "log_roll.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    NAMES_TRIED = 1000
};

/** "2026-01-31T12:34:56.123456Z" becomes "20260131-123456.123456". */
static void stamp_text(char *out, weir_wall at)
{
    char text[WEIR_WALL_TEXT_MAX];
    weir_wall_text(at, text);
    for (const char *c = text; *c != 'Z'; c++) {
        if (*c == 'T')
            *out++ = '-';
        else if (*c != '-' && *c != ':')
            *out++ = *c;
    }
    *out = '\0';
}

weir_err weir__log_rename(const char *path, weir_wall now)
{
    char name[PATH_MAX], stamp[WEIR_WALL_TEXT_MAX];
    for (int i = 0; i < NAMES_TRIED; i++) {
        stamp_text(stamp, (weir_wall){now.us + i});
        int len = snprintf(name, sizeof name, "%s.%s.%d", path, stamp, (int)getpid());
        if (len < 0 || (size_t)len >= sizeof name)
            return WEIR_EINVAL;
        if (access(name, F_OK) != 0)
            return rename(path, name) == 0 ? WEIR_OK : weir_err_from_errno(errno);
    }
    return WEIR_EEXIST;
}

/** Whether `name` is `base` with a stamp and a process behind it. */
static bool is_rolled(const char *name, const char *base)
{
    static const char form[] = ".dddddddd-dddddd.dddddd.d";
    size_t len = strlen(base);
    if (strncmp(name, base, len) != 0)
        return false;
    name += len;
    for (const char *f = form; *f; f++, name++) {
        bool digit = *name >= '0' && *name <= '9';
        if (*f == 'd' ? !digit : *name != *f)
            return false;
    }
    return name[strspn(name, "0123456789")] == '\0';
}

/**
 * One pass over the folder.
 * @param oldest  its name; NAME_MAX + 1 bytes
 * @return how many there are
 */
static unsigned find_oldest(DIR *folder, const char *base, char *oldest)
{
    unsigned count = 0;
    rewinddir(folder);
    for (const struct dirent *entry; (entry = readdir(folder));) {
        if (!is_rolled(entry->d_name, base))
            continue;
        if (count++ == 0 || strcmp(entry->d_name, oldest) < 0)
            memcpy(oldest, entry->d_name, strlen(entry->d_name) + 1);
    }
    return count;
}

void weir__log_prune(const char *path, unsigned keep)
{
    char name[PATH_MAX], oldest[NAME_MAX + 1];
    const char *slash = strrchr(path, '/');
    int len = slash ? (int)(slash - path) + 1 : 2;
    snprintf(name, sizeof name, "%.*s", len, slash ? path : "./");
    DIR *folder = opendir(name);
    if (!folder)
        return;
    while (find_oldest(folder, slash ? slash + 1 : path, oldest) > keep)
        if (unlinkat(dirfd(folder), oldest, 0) != 0)
            break;
    closedir(folder);
}
