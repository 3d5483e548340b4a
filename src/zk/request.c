/* Operations: they wait for a connection, go to the client, and end once. */
#include "request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The end. */

void weir__zk_request_unlink(request *r)
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

void weir__zk_request_tell(request *r, weir_zk_result *result, const char *text)
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
        weir__zk_request_unlink(r);
    weir__zk_request_tell(r, &(weir_zk_result){.err = err}, why);
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
