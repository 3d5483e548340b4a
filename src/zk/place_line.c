/* The way to the front of a line: a node, the one before it, and our own when that is the first. */
#include "place_impl.h"

#include <stdio.h>
#include <string.h>

static weir_err confirm(weir__zk_place *p);

static void on_folder(const weir_zk_result *result, void *user)
{
    weir__zk_place *p = user;
    if (weir__place_is_answer(p, result))
        weir__place_take(p, weir__place_create);
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
    if (result->err == WEIR_ECLOSED && !weir__place_session_freed(p))
        return; /* the listener is told */
    if (p->leaving)
        weir__place_clean_up(p);
    else if (result->err == WEIR_OK)
        weir__place_take(p, weir__place_look);
    else if (may_have_been_made(result->err))
        weir__place_after(p, weir__place_look, WEIR__PLACE_LATER_US);
    else if (result->err == WEIR_ENOENT)
        weir__place_take(p, make_folder);
    else
        weir__place_fail(p, result->err, result->why);
}

weir_err weir__place_create(weir__zk_place *p)
{
    char path[WEIR__PLACE_PATH_MAX], name[WEIR__ZK_NAME_MAX];
    snprintf(name, sizeof name, "%s-", p->id);
    weir_err err = weir_zk_create(p->zk, &p->op, weir__place_path_of(p, path, name), p->data,
                                  WEIR_ZK_EPHEMERAL | WEIR_ZK_SEQUENTIAL | p->flags, on_created, p);
    p->creating = err == WEIR_OK;
    return err;
}

void weir__place_start_over(weir__zk_place *p)
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
        if (!weir__place_back(p))
            return;
    }
    weir__place_take(p, weir__place_create);
}

/* Who is before us? */

static void on_previous(const weir_zk_result *result, void *user)
{
    weir__zk_place *p = user;
    if (!weir__place_is_answer(p, result))
        return;
    if (result->err == WEIR_ENOENT)
        weir__place_take(p, weir__place_look);
    else if (p->look_again)
        weir__place_after(p, weir__place_look, WEIR__PLACE_LATER_US);
}

/** Its data are not of interest, but exists would leave a watch for a node that never comes. */
static weir_err watch_previous(weir__zk_place *p, const char *previous)
{
    char path[WEIR__PLACE_PATH_MAX];
    return weir_zk_get(p->zk, &p->op, weir__place_path_of(p, path, previous), &p->watch,
                       on_previous, p);
}

/** @return whether the place is still wanted */
static bool tell_listed(weir__zk_place *p, const weir__zk_standing *s)
{
    if (!p->ops->listed)
        return true;
    p->busy++;
    p->ops->listed(p->user, s->first, s->first == s->mine);
    return weir__place_back(p);
}

static void on_listed(const weir_zk_result *result, void *user)
{
    weir__zk_place *p = user;
    if (!weir__place_is_answer(p, result))
        return;
    weir__zk_standing s = weir__zk_standing_of(result->children, result->child_count, p->id);
    if (!s.mine && p->name[0]) {
        weir__place_start_over(p); /* it was removed by hand */
        return;
    }
    if (!s.mine) {
        weir__place_take(p, weir__place_create);
        return;
    }
    snprintf(p->name, sizeof p->name, "%s", s.mine);
    if (!tell_listed(p, &s))
        return;
    weir_err err = s.previous ? watch_previous(p, s.previous) : WEIR_OK;
    if (!s.previous)
        weir__place_take(p, confirm);
    else if (err)
        weir__place_after(p, weir__place_look, WEIR__PLACE_LATER_US);
}

weir_err weir__place_look(weir__zk_place *p)
{
    p->look_again = false;
    return weir_zk_children(p->zk, &p->op, p->folder, NULL, on_listed, p);
}

static void on_confirmed(const weir_zk_result *result, void *user)
{
    weir__zk_place *p = user;
    if (!weir__place_is_answer(p, result))
        return;
    if (result->err == WEIR_ENOENT) {
        weir__place_start_over(p);
        return;
    }
    if (p->first)
        return;
    p->first = true;
    p->busy++;
    p->ops->first(p->user, result->stat.created_zxid);
    weir__place_back(p);
}

/** Our own node: when it was made, and that nobody has removed it. */
static weir_err confirm(weir__zk_place *p)
{
    char path[WEIR__PLACE_PATH_MAX];
    return weir_zk_get(p->zk, &p->op, weir__place_path_of(p, path, p->name), &p->watch,
                       on_confirmed, p);
}

bool weir__place_is_idle(const weir__zk_place *p)
{
    return !p->leaving && !p->op.request && !weir_timer_pending(&p->timer);
}

void weir__place_on_watch(weir_zk_watch *watch WEIR_UNUSED, weir_zk_event event, void *user)
{
    weir__zk_place *p = user;
    if (event != WEIR_ZK_GONE && weir__place_is_idle(p)) /* else something is being read */
        weir__place_take(p, p->first ? confirm : weir__place_look);
}
