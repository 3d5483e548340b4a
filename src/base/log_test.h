/** @file What the log's tests share: folders of their own, and what is in the files. */
#ifndef WEIR_BASE_LOG_TEST_H
#define WEIR_BASE_LOG_TEST_H

#include "test.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weir/base/log.h>

/** A folder that is removed with its files by folder_remove(). */
typedef struct folder {
    char path[40];
    char file[60]; /* for the log */
} folder;

static inline folder folder_new(void)
{
    folder f = {.path = "/tmp/weir-log-test-XXXXXX"};
    assert_non_null(mkdtemp(f.path));
    snprintf(f.file, sizeof f.file, "%s/log", f.path);
    return f;
}

/** The n-th file of the folder by name, among those whose names begin with `prefix`; or NULL. */
static inline const char *folder_file(const folder *f, const char *prefix, int n)
{
    static char path[300];
    struct dirent **names;
    int count = scandir(f->path, &names, NULL, alphasort);
    const char *found = NULL;
    for (int i = 0; i < count; i++) {
        if (strncmp(names[i]->d_name, prefix, strlen(prefix)) == 0 && names[i]->d_name[0] != '.' &&
            n-- == 0) {
            snprintf(path, sizeof path, "%s/%s", f->path, names[i]->d_name);
            found = path;
        }
        free(names[i]);
    }
    free(names);
    return found;
}

static inline void folder_remove(const folder *f)
{
    for (const char *path; (path = folder_file(f, "", 0));)
        unlink(path);
    assert_int_equal(rmdir(f->path), 0);
}

/** The whole file, NUL-terminated; to be freed. */
static inline char *file_text(const char *path)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    size_t len = (size_t)ftell(file);
    rewind(file);
    char *text = malloc(len + 1);
    assert_int_equal(fread(text, 1, len, file), len);
    text[len] = '\0';
    fclose(file);
    return text;
}

static inline int text_lines(const char *text)
{
    int lines = 0;
    for (; text && (text = strchr(text, '\n')); text++)
        lines++;
    return lines;
}

static inline int file_lines(const char *path)
{
    char *text = file_text(path);
    int lines = text_lines(text);
    free(text);
    return lines;
}

#endif
