/* What the client is given, and what it answers. */
#include "request.h"

#include <stdlib.h>
#include <string.h>

/** So many are under way at once: enough to fill the wire, and few for a server to hold. */
enum {
    WINDOW = 256
};

/* What the client answers. */

static bool only_reads(const request *r)
{
    return r->kind == GET || r->kind == EXISTS || r->kind == CHILDREN || r->kind == MAKE_PATH;
}

static bool is_lost(int code)
{
    return weir__zk_err(code) == WEIR_EIO && code != ZSYSTEMERROR;
}

/** One step of MAKE_PATH: down to what exists, then up again. @return whether there is a next */
static bool next_step(request *r, int code)
{
    if (code == ZNONODE) {
        while (r->cut > 0 && r->path[--r->cut] != '/')
            ;
        return r->cut > 0;
    }
    if ((code != ZOK && code != ZNODEEXISTS) || r->cut == r->path_len)
        return false;
    r->cut += 1 + strcspn(r->path + r->cut + 1, "/");
    return true;
}

/** The same request once more, before those that wait. */
static void put_back(request *r)
{
    r->sent = false;
    r->zk->sent_count--;
    weir_list_remove(&r->node);
    weir_list_append(&r->zk->again, &r->node);
    weir__zk_soon(r->zk);
}

static void complete(request *r, int code, weir_zk_result *result)
{
    bool again = !r->told &&
                 ((is_lost(code) && only_reads(r)) || (r->kind == MAKE_PATH && next_step(r, code)));
    if (again) {
        put_back(r);
        return;
    }
    if (r->kind == MAKE_PATH && code == ZNODEEXISTS)
        code = ZOK;
    weir__zk_request_unlink(r);
    if (r->arm)
        weir__zk_arm_done(r->arm, code == ZOK || (r->kind == EXISTS && code == ZNONODE));
    result->err = weir__zk_err(code);
    weir__zk_request_tell(r, result, weir__zk_err_text(code));
    free(r);
}

static weir_zk_stat stat_of(const struct Stat *stat)
{
    if (!stat)
        return (weir_zk_stat){0};
    return (weir_zk_stat){.created_zxid = stat->czxid,
                          .changed_zxid = stat->mzxid,
                          .created_ms = stat->ctime,
                          .changed_ms = stat->mtime,
                          .ephemeral_owner = stat->ephemeralOwner,
                          .version = stat->version,
                          .child_version = stat->cversion,
                          .child_count = stat->numChildren,
                          .data_len = stat->dataLength};
}

/** The client hands its user's pointer back as const. */
static request *own(const void *data)
{
    return (request *)(uintptr_t)data;
}

static void on_void(int code, const void *data)
{
    complete(own(data), code, &(weir_zk_result){0});
}

static void on_stat(int code, const struct Stat *stat, const void *data)
{
    complete(own(data), code, &(weir_zk_result){.stat = stat_of(stat)});
}

static void on_string(int code, const char *path, const void *data)
{
    request *r = own(data);
    weir_zk_result result = {0};
    if (path && r->kind == CREATE && strlen(path) > r->zk->chroot_len)
        result.path = path + r->zk->chroot_len;
    complete(r, code, &result);
}

static void on_data(int code, const char *bytes, int len, const struct Stat *stat, const void *data)
{
    request *r = own(data);
    weir_zk_result result = {.stat = stat_of(stat)};
    char *copy = NULL;
    if (code == ZOK && !r->told) {
        size_t size = len > 0 ? (size_t)len : 0; /* -1: null */
        copy = malloc(size + 1);
        if (!copy) {
            code = ZMARSHALLINGERROR;
        } else {
            memcpy(copy, size ? bytes : "", size);
            copy[size] = '\0';
            result.data = weir_str_of(copy, size);
        }
    }
    complete(r, code, &result);
    free(copy);
}

static void on_children(int code, const struct String_vector *names, const struct Stat *stat,
                        const void *data)
{
    weir_zk_result result = {.stat = stat_of(stat)};
    if (code == ZOK && names && names->count > 0) {
        result.children = (const char *const *)names->data;
        result.child_count = (size_t)names->count;
    }
    complete(own(data), code, &result);
}

/* To the client. */

static char world[] = "world", anyone[] = "anyone", auth[] = "auth", nobody[] = "";
static struct ACL open_acl[] = {{0x1f, {world, anyone}}};
static struct ACL creator_acl[] = {{0x1f, {auth, nobody}}, {1, {world, anyone}}};

static struct ACL_vector acl_of(unsigned flags)
{
    if (flags & WEIR_ZK_PRIVATE)
        return (struct ACL_vector){1, creator_acl};
    if (flags & WEIR_ZK_READABLE)
        return (struct ACL_vector){2, creator_acl};
    return (struct ACL_vector){1, open_acl};
}

static int send_make_path(request *r)
{
    char path[WEIR_ZK_PATH_MAX + 1];
    struct ACL_vector acl = acl_of(r->flags);
    memcpy(path, r->path, r->cut);
    path[r->cut] = '\0';
    return zoo_acreate(r->zk->handle, path, NULL, -1, &acl, 0, on_string, r);
}

static int give(request *r)
{
    zhandle_t *handle = r->zk->handle;
    watcher_fn watch = r->arm ? weir__zk_on_watch : NULL;
    struct ACL_vector acl = acl_of(r->flags);
    int mode = (int)(r->flags & (WEIR_ZK_EPHEMERAL | WEIR_ZK_SEQUENTIAL));
    switch (r->kind) {
    case CREATE:
        return zoo_acreate(handle, r->path, r->data, (int)r->data_len, &acl, mode, on_string, r);
    case MAKE_PATH:
        return send_make_path(r);
    case GET:
        return zoo_awget(handle, r->path, watch, r->arm, on_data, r);
    case SET:
        return zoo_aset(handle, r->path, r->data, (int)r->data_len, r->version, on_stat, r);
    case DELETE:
        return zoo_adelete(handle, r->path, r->version, on_void, r);
    case EXISTS:
        return zoo_awexists(handle, r->path, watch, r->arm, on_stat, r);
    default:
        return zoo_awget_children2(handle, r->path, watch, r->arm, on_children, r);
    }
}

void weir__zk_send(weir_zk *zk)
{
    while (zk->state == WEIR_ZK_CONNECTED && !zk->dead && zk->sent_count < WINDOW) {
        weir_list *node = weir_list_pop(&zk->again);
        if (!node)
            node = weir_list_pop(&zk->waiting);
        if (!node)
            return;
        request *r = request_of(node);
        weir_list_append(&zk->sent, node);
        r->sent = true;
        zk->sent_count++;
        int code = give(r);
        if (code == ZINVALIDSTATE) { /* it tells of that itself */
            put_back(r);
            return;
        }
        if (code != ZOK)
            complete(r, code, &(weir_zk_result){0});
        else if (zoo_state(zk->handle) != ZOO_CONNECTED_STATE) /* it does not tell of this one */
            weir__zk_on_state(zk, ZOO_CONNECTING_STATE);
    }
}
