/* Operations: they wait for a connection, go to the client, and end once. */
#include "zk_client.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** So many are under way at once: enough to fill the wire, and few for a server to hold. */
enum {
    WINDOW = 256
};

typedef enum request_kind {
    CREATE,
    MAKE_PATH,
    GET,
    SET,
    DELETE,
    EXISTS,
    CHILDREN
} request_kind;

typedef struct weir__zk_request {
    weir_list node;
    weir_zk *zk;
    request_kind kind;
    bool sent; /* the client has it, and will complete it */
    bool told; /* nobody waits for its end any more */
    unsigned flags;
    int32_t version;
    weir_zk_fn fn;
    void *user;
    weir_zk_op *op;
    weir__zk_arm *arm;
    weir_timer timeout;
    size_t path_len, data_len;
    size_t cut; /* of MAKE_PATH: the bytes of the path that is made now */
    char *data;
    char path[]; /* the chroot included */
} request;

static request *request_of(weir_list *node)
{
    return WEIR_CONTAINER_OF(node, request, node);
}

/* The end. */

static void unlink_request(request *r)
{
    if (r->sent)
        r->zk->sent_count--;
    r->sent = false;
    r->zk->count--;
    weir_list_remove(&r->node);
    weir_loop_cancel(r->zk->loop, &r->timeout);
}

/** Nobody will be told from now on. */
static void settle(request *r)
{
    r->told = true;
    weir_loop_cancel(r->zk->loop, &r->timeout);
    if (r->op)
        r->op->request = NULL;
    r->op = NULL;
}

static void tell(request *r, weir_zk_result *result, const char *text)
{
    char why[WEIR_ZK_PATH_MAX + 200] = "";
    if (r->told)
        return;
    settle(r);
    if (!result->path)
        result->path = r->path + r->zk->chroot_len;
    if (result->err)
        snprintf(why, sizeof why, "%s: %s", r->path, text);
    result->why = why;
    if (r->fn)
        r->fn(result, r->user);
    result->why = NULL;
}

/** It ends before the client has completed it, which may have it still. */
static void end(request *r, weir_err err, const char *why)
{
    if (r->arm)
        weir__zk_arm_unwanted(r->arm);
    bool sent = r->sent;
    if (!sent)
        unlink_request(r);
    tell(r, &(weir_zk_result){.err = err}, why);
    if (sent)
        return; /* `r` may be gone if the session is */
    if (r->arm)
        weir__zk_arm_done(r->arm, false);
    free(r);
}

void weir_zk_cancel(weir_zk_op *op)
{
    request *r = op->request;
    if (!r)
        return;
    settle(r);
    end(r, WEIR_ECANCELED, "");
}

static void on_timeout(weir_timer *timer WEIR_UNUSED, void *user)
{
    request *r = user;
    weir_zk *zk = r->zk;
    char why[sizeof zk->why.text + 100];
    if (r->sent)
        snprintf(why, sizeof why, "%s", "no answer in the time allowed: it may have been done");
    else if (zk->why.text[0])
        snprintf(why, sizeof why, "not connected in the time allowed: %s", zk->why.text);
    else
        snprintf(why, sizeof why, "its turn did not come in the time allowed");
    weir__zk_enter(zk);
    end(r, WEIR_ETIMEDOUT, why);
    weir__zk_leave(zk);
}

void weir__zk_end_requests(weir_zk *zk, weir_err err, const char *why)
{
    weir_list *node;
    weir_list_splice(&zk->ending, &zk->sent);
    weir_list_splice(&zk->ending, &zk->again);
    weir_list_splice(&zk->ending, &zk->waiting);
    while ((node = zk->ending.next) != &zk->ending) {
        request *r = request_of(node);
        if (r->sent) { /* the client still has to give it back */
            weir_list_remove(node);
            weir_list_append(&zk->sent, node);
        }
        if (!r->told)
            end(r, err, why);
    }
}

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
    unlink_request(r);
    if (r->arm)
        weir__zk_arm_done(r->arm, code == ZOK || (r->kind == EXISTS && code == ZNONODE));
    result->err = weir__zk_err(code);
    tell(r, result, weir__zk_err_text(code));
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

/* From the user. */

/** What is asked, in the order of weir_zk_create()'s arguments. */
typedef struct question {
    request_kind kind;
    const char *path;
    weir_str data;
    unsigned flags;
    int32_t version;
    weir_zk_watch *watch;
} question;

static weir_err check(const weir_zk *zk, const question *q)
{
    size_t len = strlen(q->path);
    bool sequential = q->flags & WEIR_ZK_SEQUENTIAL;
    if (zk->freed || zk->state == WEIR_ZK_CLOSED)
        return WEIR_ECLOSED;
    if (q->path[0] != '/' || zk->chroot_len + len > WEIR_ZK_PATH_MAX ||
        (len > 1 && q->path[len - 1] == '/' && !sequential) || q->data.len > WEIR_ZK_DATA_MAX)
        return WEIR_EINVAL;
    if ((q->flags & (WEIR_ZK_PRIVATE | WEIR_ZK_READABLE)) && !zk->auth)
        return WEIR_EINVAL;
    return zk->count < zk->operations ? WEIR_OK : WEIR_EFULL;
}

/** "/" below a chroot is the chroot itself. */
static size_t write_path(const weir_zk *zk, char *out, const char *path)
{
    if (zk->chroot_len > 0 && strcmp(path, "/") == 0)
        path = "";
    return (size_t)sprintf(out, "%s%s", zk->chroot, path);
}

static weir_err ask(weir_zk *zk, weir_zk_op *op, const question *q, weir_zk_fn fn, void *user)
{
    weir_err err = check(zk, q);
    if (err)
        return err;
    size_t room = zk->chroot_len + strlen(q->path) + 1;
    request *r = calloc(1, sizeof *r + room + q->data.len);
    if (!r)
        return WEIR_ENOMEM;
    *r = (request){.zk = zk,
                   .kind = q->kind,
                   .flags = q->flags,
                   .version = q->version,
                   .fn = fn,
                   .user = user,
                   .op = op,
                   .data_len = q->data.len};
    r->path_len = r->cut = write_path(zk, r->path, q->path);
    r->data = r->path + room;
    if (q->data.len > 0)
        memcpy(r->data, q->data.ptr, q->data.len);
    if (q->watch && !(r->arm = weir__zk_arm_of(zk, q->watch, (int)q->kind, r->path))) {
        free(r);
        return WEIR_ENOMEM;
    }
    if (op)
        op->request = r;
    zk->count++;
    weir_list_append(&zk->waiting, &r->node);
    weir_loop_after(zk->loop, &r->timeout, zk->operation_us, on_timeout, r);
    weir__zk_soon(zk);
    return WEIR_OK;
}

weir_err weir_zk_create(weir_zk *zk, weir_zk_op *op, const char *path, weir_str data,
                        unsigned flags, weir_zk_fn fn, void *user)
{
    return ask(zk, op, &(question){.kind = CREATE, .path = path, .data = data, .flags = flags}, fn,
               user);
}

weir_err weir_zk_make_path(weir_zk *zk, weir_zk_op *op, const char *path, unsigned flags,
                           weir_zk_fn fn, void *user)
{
    flags &= WEIR_ZK_READABLE | WEIR_ZK_PRIVATE;
    return ask(zk, op, &(question){.kind = MAKE_PATH, .path = path, .flags = flags}, fn, user);
}

weir_err weir_zk_get(weir_zk *zk, weir_zk_op *op, const char *path, weir_zk_watch *watch,
                     weir_zk_fn fn, void *user)
{
    return ask(zk, op, &(question){.kind = GET, .path = path, .watch = watch}, fn, user);
}

weir_err weir_zk_set(weir_zk *zk, weir_zk_op *op, const char *path, weir_str data, int32_t version,
                     weir_zk_fn fn, void *user)
{
    return ask(zk, op, &(question){.kind = SET, .path = path, .data = data, .version = version}, fn,
               user);
}

weir_err weir_zk_delete(weir_zk *zk, weir_zk_op *op, const char *path, int32_t version,
                        weir_zk_fn fn, void *user)
{
    return ask(zk, op, &(question){.kind = DELETE, .path = path, .version = version}, fn, user);
}

weir_err weir_zk_exists(weir_zk *zk, weir_zk_op *op, const char *path, weir_zk_watch *watch,
                        weir_zk_fn fn, void *user)
{
    return ask(zk, op, &(question){.kind = EXISTS, .path = path, .watch = watch}, fn, user);
}

weir_err weir_zk_children(weir_zk *zk, weir_zk_op *op, const char *path, weir_zk_watch *watch,
                          weir_zk_fn fn, void *user)
{
    return ask(zk, op, &(question){.kind = CHILDREN, .path = path, .watch = watch}, fn, user);
}
