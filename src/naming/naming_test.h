/**
 * @file
 * What the layer's tests share: a folder of their own, files in it, and a resolver whose events are
 * counted.
 */
#ifndef WEIR_NAMING_NAMING_TEST_H
#define WEIR_NAMING_NAMING_TEST_H

#include "net_test.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <weir/naming/naming.h>

/** What a resolver has told. */
struct told {
    int found, failed;
    weir_endpoints *list; /* last found */
    weir_err err;
    char why[sizeof(weir_why)];
};

static inline void on_found(weir_endpoints *list, const char *service_config, void *user)
{
    struct told *t = user;
    assert_null(service_config);
    t->found++;
    weir_endpoints_ref(list);
    weir_endpoints_unref(t->list);
    t->list = list;
}

static inline void on_failed(weir_err err, const char *why, void *user)
{
    struct told *t = user;
    t->failed++;
    t->err = err;
    snprintf(t->why, sizeof t->why, "%s", why);
}

static const weir_resolver_events count_events = {on_found, on_failed};

static inline weir_resolver *follow(const weir_resolver_type *type, weir_loop *loop,
                                    const char *authority, const char *path, struct told *t)
{
    weir_resolver *resolver = NULL;
    weir_why why = {""};
    weir_resolver_request request = {loop, "scheme:the-target", authority, path, &count_events, t};
    if (type->start(&resolver, &request, &why))
        fail_msg("%s", why.text);
    assert_int_equal(t->found + t->failed, 0);
    return resolver;
}

static inline void follow_no_more(weir_resolver *resolver, struct told *t)
{
    resolver->type->free(resolver);
    weir_endpoints_unref(t->list);
    t->list = NULL;
}

/** The last list is these addresses, with commas between. */
static inline bool has_found(const struct told *t, const char *addresses)
{
    char all[4096] = "";
    if (!t->list)
        return false;
    for (size_t i = 0, len = 0; i < weir_endpoints_count(t->list) && len < sizeof all - 400; i++)
        len += (size_t)snprintf(all + len, sizeof all - len, "%s%s", i ? "," : "",
                                weir_endpoints_at(t->list, i)->address.ptr);
    return strcmp(all, addresses) == 0;
}

#define assert_says(text, part)                                                                    \
    do {                                                                                           \
        if (!strstr(text, part))                                                                   \
            assert_string_equal(text, part);                                                       \
    } while (0)

/* Files. */

static char test_folder[64];

static inline const char *make_test_folder(void)
{
    snprintf(test_folder, sizeof test_folder, "/tmp/weir-naming-XXXXXX");
    assert_non_null(mkdtemp(test_folder));
    return test_folder;
}

static inline int remove_entry(const char *path, const struct stat *status WEIR_UNUSED,
                               int flag WEIR_UNUSED, struct FTW *at WEIR_UNUSED)
{
    return remove(path);
}

static inline void remove_test_folder(void)
{
    nftw(test_folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/** A path in the folder; four can be used at once. */
static inline const char *in_folder(const char *name)
{
    static char paths[4][512];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", test_folder, name);
    return path;
}

static inline void write_file(const char *name, const char *text)
{
    FILE *file = fopen(in_folder(name), "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

/** In one step. */
static inline void replace_file(const char *name, const char *text)
{
    write_file(".next", text);
    assert_int_equal(rename(in_folder(".next"), in_folder(name)), 0);
}

static inline int count_files(const char *name)
{
    int count = 0;
    DIR *dir = opendir(in_folder(name));
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        count += entry->d_name[0] != '.';
    if (dir)
        closedir(dir);
    return count;
}

#endif
