/* Steps that are repeated until they have an answer. */
#include "steps.h"

#include "sequence.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LATER_US = 20000 /* before a step is repeated, and up to as much more */
};

weir_err weir__zk_begin(weir__zk_steps *s, weir__zk_step_fn step)
{
    s->step = step;
    return step(s);
}

static void on_timer(weir_timer *timer WEIR_UNUSED, void *user)
{
    weir__zk_steps *s = user;
    weir__zk_take(s, s->step);
}

void weir__zk_take_later(weir__zk_steps *s, weir__zk_step_fn step)
{
    s->step = step;
    weir_loop_after(weir_zk_loop(s->zk), &s->timer, LATER_US + arc4random_uniform(LATER_US),
                    on_timer, s);
}

void weir__zk_take(weir__zk_steps *s, weir__zk_step_fn step)
{
    weir_loop_cancel(weir_zk_loop(s->zk), &s->timer);
    weir_err err = weir__zk_begin(s, step);
    if (err == WEIR_EFULL || err == WEIR_ENOMEM)
        weir__zk_take_later(s, step);
    else if (err)
        s->failed(s, err, weir_err_text(err));
}

bool weir__zk_answered(weir__zk_steps *s, const weir_zk_result *result, weir__zk_step_fn otherwise)
{
    switch (result->err) {
    case WEIR_OK:
    case WEIR_ENOENT:
    case WEIR_EEXIST:
    case WEIR_ESTATE:
        return true;
    case WEIR_EIO:
    case WEIR_ETIMEDOUT:
    case WEIR_EAGAIN:
    case WEIR_ENOMEM:
        weir__zk_take_later(s, otherwise);
        return false;
    default:
        s->failed(s, result->err, result->why);
        return false;
    }
}

void weir__zk_halt(weir__zk_steps *s)
{
    weir_zk_cancel(&s->op);
    if (weir_timer_pending(&s->timer))
        weir_loop_cancel(weir_zk_loop(s->zk), &s->timer);
}

bool weir__zk_halted(const weir__zk_steps *s)
{
    return !s->op.request && !weir_timer_pending(&s->timer);
}

/* Removing what may be there. An operation waits for the connection by itself, so it is repeated at
 * once: a timer would have to know when the session is freed. */

enum {
    REMOVAL_TRIES = 100
};

typedef struct removal {
    weir_zk *zk;
    int tries;
    size_t folder_len;
    char id[WEIR__ZK_ID_LEN + 1];
    char path[WEIR_ZK_PATH_MAX + 1];
} removal;

static void search(removal *r);

static bool worth_a_try(removal *r, weir_err err)
{
    bool again = err == WEIR_EIO || err == WEIR_ETIMEDOUT || err == WEIR_EAGAIN ||
                 err == WEIR_ENOMEM || err == WEIR_OK || err == WEIR_ENOENT;
    return again && r->tries++ < REMOVAL_TRIES;
}

static void on_deleted(const weir_zk_result *result, void *user)
{
    removal *r = user;
    r->path[r->folder_len] = '\0';
    if (worth_a_try(r, result->err))
        search(r); /* there may be another one */
    else
        free(r);
}

static void on_listed(const weir_zk_result *result, void *user)
{
    removal *r = user;
    size_t room = sizeof r->path - r->folder_len;
    const char *mine = weir__zk_standing_of(result->children, result->child_count, r->id).mine;
    if (mine && (size_t)snprintf(r->path + r->folder_len, room, "/%s", mine) < room) {
        if (weir_zk_delete(r->zk, NULL, r->path, WEIR_ZK_ANY_VERSION, on_deleted, r))
            free(r);
    } else if (result->err && result->err != WEIR_ENOENT && worth_a_try(r, result->err)) {
        search(r);
    } else {
        free(r);
    }
}

static void search(removal *r)
{
    if (weir_zk_children(r->zk, NULL, r->path, NULL, on_listed, r))
        free(r);
}

void weir__zk_remove(weir_zk *zk, const char *folder, const char *id)
{
    removal *r = calloc(1, sizeof *r);
    if (!r)
        return; /* it goes with the session */
    r->zk = zk;
    r->folder_len = (size_t)snprintf(r->path, sizeof r->path, "%s", folder);
    snprintf(r->id, sizeof r->id, "%s", id);
    search(r);
}
