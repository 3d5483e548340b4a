/* A place in a line: its life, its session, and the way out. One operation is under way at a time;
 * each step leads to the next. */
#include "place_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/base.h>

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

static void on_timer(weir_timer *timer WEIR_UNUSED, void *user)
{
    weir__zk_place *p = user;
    if (!weir__place_session_freed(p))
        weir__place_take(p, p->step);
    else if (p->leaving)
        destroy(p);
}

void weir__place_after(weir__zk_place *p, weir__place_step_fn step, int64_t us)
{
    p->step = step;
    us += weir_random_below(&p->random, (uint32_t)us + 1);
    weir_loop_after(p->loop, &p->timer, us, on_timer, p);
}

void weir__place_take(weir__zk_place *p, weir__place_step_fn step)
{
    p->step = step;
    weir_err err = step(p);
    if (err == WEIR_EFULL || err == WEIR_ENOMEM)
        weir__place_after(p, step, WEIR__PLACE_LATER_US);
    else if (err && p->leaving)
        destroy(p);
    else if (err)
        weir__place_fail(p, err, weir_err_text(err));
}

bool weir__place_is_answer(weir__zk_place *p, const weir_zk_result *result)
{
    switch (result->err) {
    case WEIR_OK:
    case WEIR_ENOENT:
        return true;
    case WEIR_EIO:
    case WEIR_ETIMEDOUT:
    case WEIR_EAGAIN:
    case WEIR_ENOMEM:
        weir__place_after(p, p->step, WEIR__PLACE_LATER_US);
        return false;
    case WEIR_ECLOSED: /* the listener is told that it is lost */
        return false;
    default:
        if (p->leaving)
            destroy(p);
        else
            weir__place_fail(p, result->err, result->why);
        return false;
    }
}

const char *weir__place_path_of(const weir__zk_place *p, char out[WEIR__PLACE_PATH_MAX],
                                const char *name)
{
    snprintf(out, WEIR__PLACE_PATH_MAX, "%s/%s", p->folder, name);
    return out;
}

/* The way out. */

static weir_err erase(weir__zk_place *p);

static void on_erased(const weir_zk_result *result, void *user)
{
    weir__zk_place *p = user;
    if (!weir__place_is_answer(p, result))
        return;
    p->name[0] = '\0';
    if (p->doubtful)
        weir__place_take(p, erase);
    else
        destroy(p);
}

static void on_searched(const weir_zk_result *result, void *user)
{
    weir__zk_place *p = user;
    if (!weir__place_is_answer(p, result))
        return;
    weir__zk_standing s = weir__zk_standing_of(result->children, result->child_count, p->id);
    if (!s.mine) {
        destroy(p);
        return;
    }
    snprintf(p->name, sizeof p->name, "%s", s.mine);
    weir__place_take(p, erase);
}

/** Deletes the node that we know; without one, looks whether there is any. */
static weir_err erase(weir__zk_place *p)
{
    char path[WEIR__PLACE_PATH_MAX];
    if (p->name[0])
        return weir_zk_delete(p->zk, &p->op, weir__place_path_of(p, path, p->name),
                              WEIR_ZK_ANY_VERSION, on_erased, p);
    return weir_zk_children(p->zk, &p->op, p->folder, NULL, on_searched, p);
}

void weir__place_clean_up(weir__zk_place *p)
{
    if (weir__place_session_freed(p) || (!p->name[0] && !p->doubtful))
        destroy(p);
    else
        weir__place_take(p, erase);
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
        weir__place_clean_up(p);
}

bool weir__place_back(weir__zk_place *p)
{
    p->busy--;
    if (!p->leaving || p->busy > 0)
        return !p->leaving;
    weir__place_clean_up(p);
    return false;
}

void weir__place_fail(weir__zk_place *p, weir_err err, const char *why)
{
    char copy[sizeof((weir_why *)0)->text];
    snprintf(copy, sizeof copy, "%s", why);
    p->busy++;
    weir__zk_place_leave(p);
    p->ops->failed(p->user, err, copy);
    weir__place_back(p);
}

void weir__zk_place_look(weir__zk_place *p)
{
    if (weir__place_is_idle(p) && p->name[0])
        weir__place_after(p, weir__place_look, WEIR__PLACE_LATER_US);
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
    weir__place_back(p);
}

static void on_disconnected(weir__zk_place *p)
{
    int64_t us =
        p->unsure_us > 0 ? p->unsure_us : weir_zk_session_us(p->zk) / WEIR__PLACE_UNSURE_PART;
    if (p->first && !p->leaving)
        weir_loop_after(p->loop, &p->unsure_timer, us, on_unsure, p);
}

static void on_connected(weir__zk_place *p)
{
    weir_loop_cancel(p->loop, &p->unsure_timer);
    if (p->name[0] && weir__place_is_idle(p)) /* the watch is a hint */
        weir__place_after(p, weir__place_look, WEIR__PLACE_RECONNECT_US / 2);
    if (!p->unsure)
        return;
    p->unsure = false;
    p->busy++;
    p->ops->sure(p->user);
    weir__place_back(p);
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
        weir__place_start_over(p);
    } else if (state == WEIR_ZK_CLOSED) {
        weir__place_fail(p, WEIR_EACCES, weir_zk_why(zk));
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
                          .step = weir__place_create,
                          .unsure_us = opts->unsure_us,
                          .flags = opts->flags};
    memcpy(p->folder, folder, room);
    if (opts->data.len > 0)
        memcpy(p->folder + room, opts->data.ptr, opts->data.len);
    p->data = weir_str_of(p->folder + room, opts->data.len);
    p->random = (uint64_t)weir_time_now().us ^ (uint64_t)(uintptr_t)p;
    weir__zk_id_make(p->id);
    weir_zk_watch_init(&p->watch, weir__place_on_watch, p);
    weir_err err = weir__place_create(p);
    if (err) {
        free(p);
        return err;
    }
    weir_zk_listen(zk, &p->listener, on_state, p);
    *out = p;
    return WEIR_OK;
}
