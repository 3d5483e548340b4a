#include "db_sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    PATH_BYTES = 4096
};

static weir_err path_join(char *out, const char *path, const char *ending, weir_why *why)
{
    if (snprintf(out, PATH_BYTES, "%s%s", path, ending) >= PATH_BYTES)
        return weir_why_set(why, WEIR_EINVAL, "the path is too long: %.200s", path);
    return WEIR_OK;
}

static weir_err sync_path(const char *path, int flags, weir_why *why)
{
    int fd = open(path, flags | O_CLOEXEC);
    int failed = fd < 0 || fsync(fd) != 0 ? errno : 0;
    if (fd >= 0)
        close(fd);
    return failed ? weir_why_set(why, weir_err_from_errno(failed), "%s: %s", path, strerror(failed))
                  : WEIR_OK;
}

/** The new file takes the old one's place, also after a loss of power. */
static weir_err replace(const char *from, const char *to, weir_why *why)
{
    weir_err err = sync_path(from, O_RDONLY, why);
    if (err)
        return err;
    if (rename(from, to) != 0)
        return weir_why_set(why, weir_err_from_errno(errno), "%s: %s", to, strerror(errno));
    char folder[PATH_BYTES];
    err = path_join(folder, to, "", why);
    return err ? err : sync_path(dirname(folder), O_RDONLY | O_DIRECTORY, why);
}

/** The first word of the first row that a pragma gives. */
static int ask(sqlite3 *handle, const char *pragma, char *out, size_t size)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(handle, pragma, -1, &statement, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        snprintf(out, size, "%s", (const char *)sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
    return code == SQLITE_ROW ? SQLITE_OK : code;
}

/** All pages in one step: a snapshot, which those who write meanwhile do not begin anew. */
static weir_err copy_pages(sqlite3 *from, sqlite3 *to, const char *path, weir_why *why)
{
    char pages[32] = "";
    int code = ask(from, "PRAGMA page_count", pages, sizeof pages);
    if (code != SQLITE_OK)
        return db_sqlite_why(from, code, "what is copied", why);
    if (strcmp(pages, "0") == 0) /* to SQLite an empty file is an empty database */
        return weir_why_set(why, WEIR_EMALFORMED, "what is copied is empty");
    sqlite3_backup *copying = sqlite3_backup_init(to, "main", from, "main");
    if (!copying)
        return db_sqlite_why(to, sqlite3_errcode(to), path, why);
    sqlite3_backup_step(copying, -1);
    code = sqlite3_backup_finish(copying);
    return code == SQLITE_OK ? WEIR_OK : db_sqlite_why(to, code, path, why);
}

/** Copies a database as of now into a new file, which is durable only after replace(). */
static weir_err copy(const char *from_path, const char *to_path, weir_why *why)
{
    sqlite3 *from = NULL, *to = NULL;
    weir_err err = WEIR_OK;
    unlink(to_path);
    int fd = open(to_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return weir_why_set(why, weir_err_from_errno(errno), "%s: %s", to_path, strerror(errno));
    close(fd);
    int code = db_sqlite_open_file(&from, from_path, SQLITE_OPEN_READWRITE);
    if (code != SQLITE_OK)
        err = db_sqlite_why(from, code, from_path, why);
    if (!err) {
        code = db_sqlite_open_file(&to, to_path, SQLITE_OPEN_READWRITE);
        if (code == SQLITE_OK)
            code = sqlite3_exec(to, "PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF", NULL,
                                NULL, NULL);
        err = code == SQLITE_OK ? copy_pages(from, to, to_path, why)
                                : db_sqlite_why(to, code, to_path, why);
    }
    sqlite3_close(from);
    sqlite3_close(to);
    return err;
}

weir_err db_sqlite_backup(const char *url, const char *file, weir_why *why)
{
    char partial[PATH_BYTES];
    weir_err err = path_join(partial, file, ".partial", why);
    if (err)
        return err;
    err = copy(db_sqlite_path(url), partial, why);
    if (!err)
        err = replace(partial, file, why);
    if (err)
        unlink(partial);
    return err;
}

static weir_err check(const char *path, weir_why *why)
{
    sqlite3 *handle = NULL;
    char said[200] = "";
    int code = db_sqlite_open_file(&handle, path, SQLITE_OPEN_READWRITE);
    if (code == SQLITE_OK)
        code = ask(handle, "PRAGMA integrity_check(1)", said, sizeof said);
    weir_err err = WEIR_OK;
    if (code != SQLITE_OK)
        err = db_sqlite_why(handle, code, path, why);
    else if (strcmp(said, "ok") != 0)
        err = weir_why_set(why, WEIR_EMALFORMED, "the backup is not sound: %s", said);
    sqlite3_close(handle);
    return err;
}

/**
 * Merges the log into the database and locks it. Both need that nobody else has it open.
 * @return WEIR_OK also for what is no database any more: that is a reason to restore one
 */
static weir_err take_over(sqlite3 **out, const char *path, weir_why *why)
{
    char mode[16] = "";
    int code = db_sqlite_open_file(out, path, SQLITE_OPEN_READWRITE);
    if (code == SQLITE_OK) {
        sqlite3_busy_timeout(*out, 0);
        code = ask(*out, "PRAGMA journal_mode = DELETE", mode, sizeof mode);
    }
    if (code == SQLITE_OK && strcmp(mode, "delete") != 0)
        code = SQLITE_BUSY;
    if (code == SQLITE_OK)
        code = sqlite3_exec(*out, "BEGIN EXCLUSIVE", NULL, NULL, NULL);
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return WEIR_OK;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return weir_why_set(why, WEIR_ESTATE, "%s is in use: stop the program that uses it", path);
    default:
        return db_sqlite_why(*out, code, path, why);
    }
}

/** What is left of a database that cannot be opened must not be taken for the new one's. */
static void remove_logs(const char *path)
{
    static const char *const endings[] = {"-wal", "-shm", "-journal"};
    char file[PATH_BYTES];
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        if (!path_join(file, path, endings[i], NULL))
            unlink(file);
    }
}

static weir_err put_in_place(const char *partial, const char *path, weir_why *why)
{
    if (access(path, F_OK) != 0) {
        remove_logs(path);
        return replace(partial, path, why);
    }
    sqlite3 *old = NULL;
    weir_err err = take_over(&old, path, why);
    if (!err) {
        remove_logs(path);
        err = replace(partial, path, why);
    }
    sqlite3_close(old);
    return err;
}

weir_err db_sqlite_restore(const char *url, const char *file, weir_why *why)
{
    const char *path = db_sqlite_path(url);
    char partial[PATH_BYTES];
    weir_err err = path_join(partial, path, ".restored", why);
    if (!err && access(file, R_OK) != 0)
        err = weir_why_set(why, weir_err_from_errno(errno), "%s: %s", file, strerror(errno));
    if (err)
        return err;
    err = copy(file, partial, why);
    if (!err)
        err = check(partial, why);
    if (!err)
        err = put_in_place(partial, path, why);
    if (err)
        unlink(partial);
    return err;
}
