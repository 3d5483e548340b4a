/* A place in a line. One operation is under way at a time; each step leads to the next. */
#include "place.h"

#include "sequence.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/base.h>

enum {
    LATER_US = 20000,      /* before a step is taken again, and up to as much more */
    RECONNECT_US = 100000, /* all who stand in line come back at the same time */
    PATH_MAX_ = WEIR_ZK_PATH_MAX + WEIR__ZK_NAME_MAX + 2,
    UNSURE_PART = 6 /* of the session's timeout: the client takes two thirds of it to see that a
                       silent connection is lost */
};

typedef weir_err (*step_fn)(weir__zk_place *p);

struct weir__zk_place {
    weir_zk *zk;
    weir_loop *loop;
    weir_zk_listener listener; /* not linked: the session was freed */
    const weir__zk_place_ops *ops;
    void *user;
    weir_zk_op op;
    weir_zk_watch watch; /* on the node before ours, or on ours when it is the first */
    step_fn step;        /* the latest */
    weir_timer timer;    /* until it is taken again */
    weir_timer unsure_timer;
    int64_t unsure_us;
    unsigned flags;
    int busy; /* callbacks of the user on the stack */
    bool leaving;
    bool creating; /* a create is under way: its answer is waited for, come what may */
    bool doubtful; /* a create's answer was lost: there may be nodes that we do not know */
    bool first, unsure;
    bool look_again; /* when what is under way has ended */
    uint64_t random;
    char id[WEIR__ZK_ID_LEN + 1];
    char name[WEIR__ZK_NAME_MAX]; /* "": there is none that we know */
    weir_str data;
    char folder[];
};

static weir_err create(weir__zk_place *p);
static weir_err look(weir__zk_place *p);
static weir_err confirm(weir__zk_place *p);

/* Steps. */

static void destroy(weir__zk_place *p)
{
    weir_zk_cancel(&p->op);
    weir_zk_unwatch(&p->watch);
    weir_zk_unlisten(&p->listener);
    weir_loop_cancel(p->loop, &p->timer);
    weir_loop_cancel(p->loop, &p->unsure_timer);
    free(p);
}

static bool session_freed(const weir__zk_place *p)
{
    return !weir_list_linked(&p->listener.node);
}

static void fail(weir__zk_place *p, weir_err err, const char *why);
static void take(weir__zk_place *p, step_fn step);

static void on_timer(weir_timer *timer WEIR_UNUSED, void *user)
{
    weir__zk_place *p = user;
    if (!session_freed(p))
        take(p, p->step);
    else if (p->leaving)
        destroy(p);
}

static void after(weir__zk_place *p, step_fn step, int64_t us)
{
    p->step = step;
    us += weir_random_below(&p->random, (uint32_t)us + 1);
    weir_loop_after(p->loop, &p->timer, us, on_timer, p);
}

static void take(weir__zk_place *p, step_fn step)
{
    p->step = step;
    weir_err err = step(p);
    if (err == WEIR_EFULL || err == WEIR_ENOMEM)
        after(p, step, LATER_US);
    else if (err && p->leaving)
        destroy(p);
    else if (err)
        fail(p, err, weir_err_text(err));
}

/** Whether the answer is one; if not, the step is taken again, or whatever else is to be done is
 * done. */
static bool is_answer(weir__zk_place *p, const weir_zk_result *result)
{
    switch (result->err) {
    case WEIR_OK:
    case WEIR_ENOENT:
        return true;
    case WEIR_EIO:
    case WEIR_ETIMEDOUT:
    case WEIR_EAGAIN:
    case WEIR_ENOMEM:
        after(p, p->step, LATER_US);
        return false;
    case WEIR_ECLOSED: /* the listener is told that it is lost */
        return false;
    default:
        if (p->leaving)
            destroy(p);
        else
            fail(p, result->err, result->why);
        return false;
    }
}

static const char *path_of(const weir__zk_place *p, char out[PATH_MAX_], const char *name)
{
    snprintf(out, PATH_MAX_, "%s/%s", p->folder, name);
    return out;
}

/* The way out. */

static weir_err erase(weir__zk_place *p);

static void on_erased(const weir_zk_result *result, void *user)
{
    weir__zk_place *p = user;
    if (!is_answer(p, result))
        return;
    p->name[0] = '\0';
    if (p->doubtful)
        take(p, erase);
    else
        destroy(p);
}

static void on_searched(const weir_zk_result *result, void *user)
{
    weir__zk_place *p = user;
    if (!is_answer(p, result))
        return;
    weir__zk_standing s = weir__zk_standing_of(result->children, result->child_count, p->id);
    if (!s.mine) {
        destroy(p);
        return;
    }
    snprintf(p->name, sizeof p->name, "%s", s.mine);
    take(p, erase);
}

/** Deletes the node that we know; without one, looks whether there is any. */
static weir_err erase(weir__zk_place *p)
{
    char path[PATH_MAX_];
    if (p->name[0])
        return weir_zk_delete(p->zk, &p->op, path_of(p, path, p->name), WEIR_ZK_ANY_VERSION,
                              on_erased, p);
    return weir_zk_children(p->zk, &p->op, p->folder, NULL, on_searched, p);
}

/** Nobody waits for the place any more. */
static void clean_up(weir__zk_place *p)
{
    if (session_freed(p) || (!p->name[0] && !p->doubtful))
        destroy(p);
    else
        take(p, erase);
}

void weir__zk_place_leave(weir__zk_place *p)
{
    if (!p || p->leaving)
        return;
    p->leaving = true;
    weir_loop_cancel(p->loop, &p->unsure_timer);
    if (p->creating)
        return;
    weir_zk_cancel(&p->op);
    weir_zk_unwatch(&p->watch);
    weir_loop_cancel(p->loop, &p->timer);
    if (!p->busy)
        clean_up(p);
}

/** After a callback of the user. @return whether the place is still wanted */
static bool back(weir__zk_place *p)
{
    p->busy--;
    if (!p->leaving || p->busy > 0)
        return !p->leaving;
    clean_up(p);
    return false;
}

static void fail(weir__zk_place *p, weir_err err, const char *why)
{
    char copy[sizeof((weir_why *)0)->text];
    snprintf(copy, sizeof copy, "%s", why);
    p->busy++;
    weir__zk_place_leave(p);
    p->ops->failed(p->user, err, copy);
    back(p);
}

/* The way in. */

static void on_folder(const weir_zk_result *result, void *user)
{
    weir__zk_place *p = user;
    if (is_answer(p, result))
        take(p, create);
}

static weir_err make_folder(weir__zk_place *p)
{
    return weir_zk_make_path(p->zk, &p->op, p->folder, p->flags, on_folder, p);
}

static bool may_have_been_made(weir_err err)
{
    return err == WEIR_EIO || err == WEIR_ETIMEDOUT || err == WEIR_EAGAIN || err == WEIR_ENOMEM;
}

static void on_created(const weir_zk_result *result, void *user)
{
    weir__zk_place *p = user;
    p->creating = false;
    if (result->err == WEIR_OK)
        snprintf(p->name, sizeof p->name, "%s", strrchr(result->path, '/') + 1);
    if (may_have_been_made(result->err))
        p->doubtful = true;
    if (result->err == WEIR_ECLOSED && !session_freed(p))
        return; /* the listener is told */
    if (p->leaving)
        clean_up(p);
    else if (result->err == WEIR_OK)
        take(p, look);
    else if (may_have_been_made(result->err))
        after(p, look, LATER_US);
    else if (result->err == WEIR_ENOENT)
        take(p, make_folder);
    else
        fail(p, result->err, result->why);
}

static weir_err create(weir__zk_place *p)
{
    char path[PATH_MAX_], name[WEIR__ZK_NAME_MAX];
    snprintf(name, sizeof name, "%s-", p->id);
    weir_err err = weir_zk_create(p->zk, &p->op, path_of(p, path, name), p->data,
                                  WEIR_ZK_EPHEMERAL | WEIR_ZK_SEQUENTIAL | p->flags, on_created, p);
    p->creating = err == WEIR_OK;
    return err;
}

/** There is no place any more: tells who had it, and lines up again. */
static void start_over(weir__zk_place *p)
{
    bool was_first = p->first;
    weir_zk_cancel(&p->op);
    weir_zk_unwatch(&p->watch);
    weir_loop_cancel(p->loop, &p->timer);
    weir_loop_cancel(p->loop, &p->unsure_timer);
    p->first = p->unsure = p->creating = false;
    p->name[0] = '\0';
    if (was_first) {
        p->busy++;
        p->ops->gone(p->user);
        if (!back(p))
            return;
    }
    take(p, create);
}

/* Who is before us? */

static void on_previous(const weir_zk_result *result, void *user)
{
    weir__zk_place *p = user;
    if (!is_answer(p, result))
        return;
    if (result->err == WEIR_ENOENT)
        take(p, look);
    else if (p->look_again)
        after(p, look, LATER_US);
}

/** Its data are not of interest, but exists would leave a watch for a node that never comes. */
static weir_err watch_previous(weir__zk_place *p, const char *previous)
{
    char path[PATH_MAX_];
    return weir_zk_get(p->zk, &p->op, path_of(p, path, previous), &p->watch, on_previous, p);
}

/** @return whether the place is still wanted */
static bool tell_listed(weir__zk_place *p, const weir__zk_standing *s)
{
    if (!p->ops->listed)
        return true;
    p->busy++;
    p->ops->listed(p->user, s->first, s->first == s->mine);
    return back(p);
}

static void on_listed(const weir_zk_result *result, void *user)
{
    weir__zk_place *p = user;
    if (!is_answer(p, result))
        return;
    weir__zk_standing s = weir__zk_standing_of(result->children, result->child_count, p->id);
    if (!s.mine && p->name[0]) {
        start_over(p); /* it was removed by hand */
        return;
    }
    if (!s.mine) {
        take(p, create);
        return;
    }
    snprintf(p->name, sizeof p->name, "%s", s.mine);
    if (!tell_listed(p, &s))
        return;
    weir_err err = s.previous ? watch_previous(p, s.previous) : WEIR_OK;
    if (!s.previous)
        take(p, confirm);
    else if (err)
        after(p, look, LATER_US);
}

static weir_err look(weir__zk_place *p)
{
    p->look_again = false;
    return weir_zk_children(p->zk, &p->op, p->folder, NULL, on_listed, p);
}

static void on_confirmed(const weir_zk_result *result, void *user)
{
    weir__zk_place *p = user;
    if (!is_answer(p, result))
        return;
    if (result->err == WEIR_ENOENT) {
        start_over(p);
        return;
    }
    if (p->first)
        return;
    p->first = true;
    p->busy++;
    p->ops->first(p->user, result->stat.created_zxid);
    back(p);
}

/** Our own node: when it was made, and that nobody has removed it. */
static weir_err confirm(weir__zk_place *p)
{
    char path[PATH_MAX_];
    return weir_zk_get(p->zk, &p->op, path_of(p, path, p->name), &p->watch, on_confirmed, p);
}

static bool is_idle(const weir__zk_place *p)
{
    return !p->leaving && !p->op.request && !weir_timer_pending(&p->timer);
}

static void on_watch(weir_zk_watch *watch WEIR_UNUSED, weir_zk_event event, void *user)
{
    weir__zk_place *p = user;
    if (event != WEIR_ZK_GONE && is_idle(p)) /* else something is being read */
        take(p, p->first ? confirm : look);
}

void weir__zk_place_look(weir__zk_place *p)
{
    if (is_idle(p) && p->name[0])
        after(p, look, LATER_US);
    else
        p->look_again = true;
}

/* The session. */

static void on_unsure(weir_timer *timer WEIR_UNUSED, void *user)
{
    weir__zk_place *p = user;
    p->unsure = true;
    p->busy++;
    p->ops->unsure(p->user);
    back(p);
}

static void on_disconnected(weir__zk_place *p)
{
    int64_t us = p->unsure_us > 0 ? p->unsure_us : weir_zk_session_us(p->zk) / UNSURE_PART;
    if (p->first && !p->leaving)
        weir_loop_after(p->loop, &p->unsure_timer, us, on_unsure, p);
}

static void on_connected(weir__zk_place *p)
{
    weir_loop_cancel(p->loop, &p->unsure_timer);
    if (p->name[0] && is_idle(p)) /* the watch is a hint */
        after(p, look, RECONNECT_US / 2);
    if (!p->unsure)
        return;
    p->unsure = false;
    p->busy++;
    p->ops->sure(p->user);
    back(p);
}

static void on_state(weir_zk *zk, weir_zk_state state, void *user)
{
    weir__zk_place *p = user;
    bool over = state == WEIR_ZK_LOST || state == WEIR_ZK_CLOSED;
    if (over && p->leaving) {
        destroy(p);
    } else if (state == WEIR_ZK_LOST) {
        p->doubtful = false;
        weir__zk_id_make(p->id);
        start_over(p);
    } else if (state == WEIR_ZK_CLOSED) {
        fail(p, WEIR_EACCES, weir_zk_why(zk));
    } else if (state == WEIR_ZK_DISCONNECTED) {
        on_disconnected(p);
    } else if (state == WEIR_ZK_CONNECTED && !p->leaving) {
        on_connected(p);
    }
}

bool weir__zk_place_path_fits(const char *folder)
{
    size_t len = strlen(folder);
    return folder[0] == '/' && len > 1 && folder[len - 1] != '/' &&
           len + 1 + WEIR__ZK_NAME_MAX <= WEIR_ZK_PATH_MAX;
}

weir_err weir__zk_place_new(weir__zk_place **out, weir_zk *zk, const char *folder,
                            const weir__zk_place_ops *ops, void *user,
                            const weir__zk_place_opts *opts)
{
    size_t room = strlen(folder) + 1;
    if (opts->data.len > WEIR_ZK_DATA_MAX)
        return WEIR_EINVAL;
    weir__zk_place *p = calloc(1, sizeof *p + room + opts->data.len);
    if (!p)
        return WEIR_ENOMEM;
    *p = (weir__zk_place){.zk = zk,
                          .loop = weir_zk_loop(zk),
                          .ops = ops,
                          .user = user,
                          .step = create,
                          .unsure_us = opts->unsure_us,
                          .flags = opts->flags};
    memcpy(p->folder, folder, room);
    if (opts->data.len > 0)
        memcpy(p->folder + room, opts->data.ptr, opts->data.len);
    p->data = weir_str_of(p->folder + room, opts->data.len);
    p->random = (uint64_t)weir_time_now().us ^ (uint64_t)(uintptr_t)p;
    weir__zk_id_make(p->id);
    weir_zk_watch_init(&p->watch, on_watch, p);
    weir_err err = create(p);
    if (err) {
        free(p);
        return err;
    }
    weir_zk_listen(zk, &p->listener, on_state, p);
    *out = p;
    return WEIR_OK;
}
