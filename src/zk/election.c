/* Elections: a place in a line whose first leads, and for those who want to know, its data. */
#include <weir/zk/election.h>

#include "blocking.h"
#include "place.h"
#include "sequence.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct weir_zk_election {
    weir_zk *zk;
    weir_loop *loop;
    const weir_zk_election_ops *ops;
    void *user;
    weir__zk_place_opts place_opts;
    weir__zk_place *place; /* NULL: it has failed */
    weir_err failed;
    weir_why why;
    bool *freed;          /* to be set by weir_zk_election_free(); NULL: nobody asks */
    int64_t fence;        /* of the place while it is the first, sure or not; else 0 */
    _Atomic int64_t term; /* written in the loop */
    weir_list waiting;    /* threads: lead_call */

    char leader[WEIR__ZK_NAME_MAX]; /* whose data were asked for; "": nobody's */
    int64_t told_term;              /* of leader_changed */
    weir_zk_op leader_op;
    weir_zk_watch leader_watch;
    char *path; /* behind the struct, and the data behind that */
};

/** A thread in weir_zk_election_lead_until(). */
typedef struct lead_call {
    weir__zk_blocking blocking;
    weir_zk_election *election;
    weir_list node;
    weir_timer limit;
    weir_time deadline;
    int64_t term;
} lead_call;

static void end_call(lead_call *call, weir_err err, int64_t term, const char *why)
{
    weir_list_remove(&call->node);
    weir_loop_cancel(call->election->loop, &call->limit);
    call->term = term;
    weir__zk_blocking_end(&call->blocking, err, why);
}

static void end_calls(weir_zk_election *e, weir_err err, int64_t term, const char *why)
{
    weir_list_each (node, following, &e->waiting)
        end_call(WEIR_CONTAINER_OF(node, lead_call, node), err, term, why);
}

/* Leading. What a callback of the user comes behind is done before: it may free the election. */

static void lead(weir_zk_election *e)
{
    int64_t term = e->fence;
    atomic_store(&e->term, term);
    end_calls(e, WEIR_OK, term, NULL);
    if (e->ops->elected)
        e->ops->elected(e, term, e->user);
}

static void follow(weir_zk_election *e)
{
    bool led = atomic_exchange(&e->term, 0) != 0;
    if (led && e->ops->deposed)
        e->ops->deposed(e, e->user);
}

static void on_first(void *user, int64_t fence)
{
    weir_zk_election *e = user;
    e->fence = fence;
    lead(e);
}

static void on_gone(void *user)
{
    weir_zk_election *e = user;
    e->fence = 0;
    follow(e);
}

static void on_unsure(void *user)
{
    follow(user);
}

static void on_sure(void *user)
{
    lead(user);
}

/* Who leads? */

static void forget_leader(weir_zk_election *e)
{
    e->leader[0] = '\0';
    weir_zk_cancel(&e->leader_op);
    weir_zk_unwatch(&e->leader_watch);
}

static void on_leader_watch(weir_zk_watch *watch WEIR_UNUSED, weir_zk_event event WEIR_UNUSED,
                            void *user)
{
    weir_zk_election *e = user;
    forget_leader(e);
    weir__zk_place_look(e->place);
}

static void on_leader(const weir_zk_result *result, void *user)
{
    weir_zk_election *e = user;
    if (result->err == WEIR_ECANCELED)
        return;
    if (result->err) {
        forget_leader(e);
        weir__zk_place_look(e->place);
        return;
    }
    int64_t term = result->stat.created_zxid;
    if (term == e->told_term)
        return;
    e->told_term = term;
    e->ops->leader_changed(e, term, result->data, e->user);
}

static void on_listed(void *user, const char *leader, bool mine WEIR_UNUSED)
{
    weir_zk_election *e = user;
    char path[WEIR_ZK_PATH_MAX + 1];
    if (!e->ops->leader_changed || strcmp(leader, e->leader) == 0)
        return;
    forget_leader(e);
    snprintf(path, sizeof path, "%s/%s", e->path, leader);
    if (weir_zk_get(e->zk, &e->leader_op, path, &e->leader_watch, on_leader, e))
        weir__zk_place_look(e->place);
    else
        snprintf(e->leader, sizeof e->leader, "%s", leader);
}

/* Its life. */

static void on_failed(void *user, weir_err err, const char *why)
{
    weir_zk_election *e = user;
    e->place = NULL;
    e->fence = 0;
    e->failed = weir_why_set(&e->why, err, "%s", why);
    forget_leader(e);
    end_calls(e, err, 0, why);
    bool freed = false;
    e->freed = &freed;
    follow(e);
    if (freed)
        return;
    e->freed = NULL;
    if (e->ops->failed)
        e->ops->failed(e, err, why, e->user);
}

static const weir__zk_place_ops place_ops = {.listed = on_listed,
                                             .first = on_first,
                                             .gone = on_gone,
                                             .unsure = on_unsure,
                                             .sure = on_sure,
                                             .failed = on_failed};

weir_err weir_zk_election_new(weir_zk_election **out, weir_zk *zk, const char *path,
                              const weir_zk_election_ops *ops, void *user,
                              const weir_zk_election_opts *opts)
{
    static const weir_zk_election_ops no_ops;
    static const weir_zk_election_opts defaults;
    if (!opts)
        opts = &defaults;
    if (!weir__zk_place_path_fits(path) || opts->data.len > WEIR_ZK_DATA_MAX)
        return WEIR_EINVAL;
    size_t room = strlen(path) + 1;
    weir_zk_election *e = calloc(1, sizeof *e + room + opts->data.len);
    if (!e)
        return WEIR_ENOMEM;
    e->zk = zk;
    e->loop = weir_zk_loop(zk);
    e->ops = ops ? ops : &no_ops;
    e->user = user;
    e->path = memcpy(e + 1, path, room);
    if (opts->data.len > 0)
        memcpy(e->path + room, opts->data.ptr, opts->data.len);
    e->place_opts = (weir__zk_place_opts){.data = weir_str_of(e->path + room, opts->data.len),
                                          .flags = opts->secured ? WEIR_ZK_READABLE : 0,
                                          .unsure_us = opts->unsure_us};
    weir_list_init(&e->waiting);
    weir_zk_watch_init(&e->leader_watch, on_leader_watch, e);
    weir_err err = weir__zk_place_new(&e->place, zk, path, &place_ops, e, &e->place_opts);
    if (err)
        free(e);
    else
        *out = e;
    return err;
}

void weir_zk_election_free(weir_zk_election *e)
{
    if (!e)
        return;
    weir_loop_assert(e->loop);
    forget_leader(e);
    weir__zk_place_leave(e->place);
    end_calls(e, WEIR_ECANCELED, 0, "the election was freed");
    if (e->freed)
        *e->freed = true;
    free(e);
}

static weir_err resign(weir_zk_election *e)
{
    weir__zk_place *old = e->place;
    if (!old)
        return WEIR_ESTATE;
    weir_err err = weir__zk_place_new(&e->place, e->zk, e->path, &place_ops, e, &e->place_opts);
    if (err)
        return err;
    weir__zk_place_leave(old);
    on_gone(e);
    return WEIR_OK;
}

int64_t weir_zk_election_term(const weir_zk_election *e)
{
    return atomic_load(&e->term);
}

/* From other threads. */

static void begin_resign(weir__zk_blocking *b)
{
    weir__zk_blocking_end(b, resign(WEIR_CONTAINER_OF(b, lead_call, blocking)->election), NULL);
}

weir_err weir_zk_election_resign(weir_zk_election *e)
{
    lead_call call = {.election = e};
    if (weir_loop_in_thread(e->loop))
        return resign(e);
    return weir__zk_blocking_run(&call.blocking, e->loop, begin_resign, NULL);
}

static void on_limit(weir_timer *timer WEIR_UNUSED, void *user)
{
    lead_call *call = user;
    weir_zk *zk = call->election->zk;
    char why[sizeof((weir_why *)0)->text];
    if (weir_zk_get_state(zk) == WEIR_ZK_CONNECTED)
        snprintf(why, sizeof why, "others have led all the time allowed");
    else
        snprintf(why, sizeof why, "not connected in the time allowed: %.150s", weir_zk_why(zk));
    end_call(call, WEIR_ETIMEDOUT, 0, why);
}

static void begin_lead(weir__zk_blocking *b)
{
    lead_call *call = WEIR_CONTAINER_OF(b, lead_call, blocking);
    weir_zk_election *e = call->election;
    weir_list_append(&e->waiting, &call->node);
    if (!e->place)
        end_call(call, e->failed, 0, e->why.text);
    else if (atomic_load(&e->term))
        end_call(call, WEIR_OK, atomic_load(&e->term), NULL);
    else
        weir_loop_at(e->loop, &call->limit, call->deadline, on_limit, call);
}

weir_err weir_zk_election_lead_until(weir_zk_election *e, weir_time deadline, int64_t *term,
                                     weir_why *why)
{
    lead_call call = {.election = e, .deadline = deadline};
    weir_err err = weir__zk_blocking_run(&call.blocking, e->loop, begin_lead, why);
    if (err == WEIR_OK && term)
        *term = call.term;
    return err;
}
