/* Connections from other threads, by their ids. */
#include "conn_impl.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    POST_MAX = 1 << 30,
    REFERENCE_MIN = 4096 /* longer ones are sent from where they are */
};

static const char conn_kind;

weir_err weir__conn_enrol(weir_conn *conn)
{
    weir_loop *loop = conn->watcher.loop;
    return weir_slots_add(weir_loop_slots(loop), &conn_kind, conn, weir_loop_number(loop),
                          conn->high_water, &conn->id.value);
}

void weir__conn_expel(weir_conn *conn)
{
    weir_slots_remove(weir_loop_slots(conn->watcher.loop), conn->id.value);
}

bool weir__conn_publish_unsent(weir_conn *conn)
{
    weir_slots *slots = weir_loop_slots(conn->watcher.loop);
    size_t len = weir__conn_unsent(conn);
    uint32_t unsent = (uint32_t)(len < POST_MAX ? len : POST_MAX);
    if (unsent < conn->charged) {
        weir_slots_discharge(slots, conn->id.value, conn->charged - unsent);
        conn->charged = unsent;
    } else if (unsent > conn->charged &&
               !weir_slots_charge(slots, conn->id.value, unsent - conn->charged)) {
        conn->charged = unsent; /* refused: it is full, and that is all that they need to see */
    }
    if (!conn->posted || unsent > conn->high_water / 2)
        return false;
    conn->posted = false;
    return weir_slots_unblock(slots, conn->id.value);
}

weir_conn *weir_conn_get(weir_loop *loop, weir_conn_id id)
{
    weir_loop_assert(loop);
    if (weir_slot_loop(id.value) != weir_loop_number(loop))
        return NULL;
    return weir_slots_get(weir_loop_slots(loop), &conn_kind, id.value);
}

/** What another thread wants of a connection. */
typedef struct post {
    weir_task task;
    weir_loop *loop;
    weir_conn_id id;
    size_t len;
    char bytes[];
} post;

static post *new_post(weir_loop *loop, weir_conn_id id, const void *bytes, size_t len)
{
    post *p = malloc(sizeof *p + len);
    if (!p)
        return NULL;
    p->loop = loop;
    p->id = id;
    p->len = len;
    if (len)
        memcpy(p->bytes, bytes, len);
    return p;
}

/** @param p  owned */
static void append_post(weir_conn *conn, post *p)
{
    weir_err err = WEIR_OK;
    if (conn->shutdown_asked) {
        free(p);
    } else if (p->len >= REFERENCE_MIN) {
        err = weir_buf_append_ref(&conn->out, p->bytes, p->len, free, p);
    } else {
        err = weir_buf_append(&conn->out, p->bytes, p->len);
        free(p);
    }
    /* The sender was told that its bytes are on their way. */
    if (err)
        weir__conn_end(conn, err);
    else
        weir_loop_defer(conn->watcher.loop, &conn->turn);
}

static void send_posted(weir_task *task, weir_err err)
{
    post *p = WEIR_CONTAINER_OF(task, post, task);
    weir_conn *conn = err ? NULL : weir_conn_get(p->loop, p->id);
    if (!conn) {
        free(p);
        return;
    }
    conn->charged += (uint32_t)p->len;
    conn->posted = true;
    append_post(conn, p);
}

static weir_err post_send(weir_loop *loop, weir_conn_id id, const void *bytes, size_t len)
{
    weir_slots *slots = weir_loop_slots(loop);
    weir_err err = weir_slots_charge(slots, id.value, (uint32_t)len);
    if (err)
        return err;
    post *p = new_post(loop, id, bytes, len);
    if (!p) {
        weir_slots_discharge(slots, id.value, (uint32_t)len);
        return WEIR_ENOMEM;
    }
    weir_loop_post(loop, &p->task, send_posted);
    return WEIR_OK;
}

weir_err weir_conn_send_post(weir_conn_id id, const void *bytes, size_t len)
{
    unsigned number = weir_slot_loop(id.value);
    if (len > POST_MAX)
        return WEIR_EMSGSIZE;
    weir_loop *loop = weir_loop_enter(number);
    if (!loop)
        return WEIR_ECLOSED;
    weir_err err = post_send(loop, id, bytes, len);
    weir_loop_leave(number);
    return err;
}

/** What another thread wants done with a connection. */
typedef struct run {
    weir_task task;
    weir_loop *loop;
    weir_conn_id id;
    weir_conn_run_fn fn;
    void *user;
} run;

static void run_posted(weir_task *task, weir_err err)
{
    run *r = WEIR_CONTAINER_OF(task, run, task);
    r->fn(err ? NULL : weir_conn_get(r->loop, r->id), r->user);
    free(r);
}

static weir_err post_run(weir_loop *loop, weir_conn_id id, weir_conn_run_fn fn, void *user)
{
    if (!weir_slots_alive(weir_loop_slots(loop), id.value))
        return WEIR_ECLOSED;
    run *r = malloc(sizeof *r);
    if (!r)
        return WEIR_ENOMEM;
    *r = (run){.loop = loop, .id = id, .fn = fn, .user = user};
    weir_loop_post(loop, &r->task, run_posted);
    return WEIR_OK;
}

weir_err weir_conn_run_post(weir_conn_id id, weir_conn_run_fn fn, void *user)
{
    unsigned number = weir_slot_loop(id.value);
    weir_loop *loop = weir_loop_enter(number);
    if (!loop)
        return WEIR_ECLOSED;
    weir_err err = post_run(loop, id, fn, user);
    weir_loop_leave(number);
    return err;
}

/* Ending */

static void close_it(weir_conn *conn, void *user WEIR_UNUSED)
{
    if (conn)
        weir_conn_close(conn);
}

weir_err weir_conn_close_post(weir_conn_id id)
{
    weir_err err = weir_conn_run_post(id, close_it, NULL);
    return err == WEIR_ECLOSED ? WEIR_OK : err;
}

static void abort_it(weir_conn *conn, void *user)
{
    if (conn)
        weir_conn_abort(conn, (weir_err)(intptr_t)user);
}

weir_err weir_conn_abort_post(weir_conn_id id, weir_err why)
{
    /* The reason travels as the pointer. */
    weir_err err = weir_conn_run_post(id, abort_it, (void *)(intptr_t)why);
    return err == WEIR_ECLOSED ? WEIR_OK : err;
}
