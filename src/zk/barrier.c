/* A participant of a double barrier. Each thing that happens only begins to look anew; who is in
 * the round is in the folder's data, who is there are the nodes in it. */
#include <weir/zk/barrier.h>

#include "barrier_round.h"
#include "blocking.h"
#include "place.h"
#include "sequence.h"
#include "steps.h"
#include "wait.h"

#include <stdio.h>
#include <stdlib.h>

typedef enum barrier_state {
    OUTSIDE,
    ENTERING,
    INSIDE,
    LEAVING
} barrier_state;

struct weir_zk_barrier {
    weir__zk_steps steps;
    weir_loop *loop;
    weir_zk_listener listener;
    weir_zk_watch round_watch, node_watch;
    weir_timer limit;
    weir_zk_barrier_opts opts;
    size_t want;
    barrier_state state;
    weir_zk_barrier_fn fn;
    void *user;
    bool again;      /* something has happened while an operation was under way */
    bool has_former; /* a session ended while it was entered */
    int32_t former;  /* its number in that one */
    size_t seen;     /* who were there when it looked last */
    int32_t version; /* of the round that was read last */
    weir__zk_round round;
    char id[WEIR__ZK_ID_LEN + 1];
    char name[WEIR__ZK_NAME_MAX]; /* "": it has no node */
    char watched[WEIR__ZK_NAME_MAX];
    char folder[];
};

typedef char node_path[WEIR_ZK_PATH_MAX + 1];

static weir_err create(weir__zk_steps *s);
static weir_err read_round(weir__zk_steps *s);
static weir_err list(weir__zk_steps *s);
static weir_err list_leaving(weir__zk_steps *s);

static weir_zk_barrier *of(weir__zk_steps *s)
{
    return WEIR_CONTAINER_OF(s, weir_zk_barrier, steps);
}

static const char *path_of(const weir_zk_barrier *b, node_path out, const char *name)
{
    snprintf(out, sizeof(node_path), "%s/%s", b->folder, name);
    return out;
}

/* The end of entering or leaving. */

static void stand_still(weir_zk_barrier *b)
{
    weir__zk_halt(&b->steps);
    weir_zk_unwatch(&b->round_watch);
    weir_zk_unwatch(&b->node_watch);
    weir_loop_cancel(b->loop, &b->limit);
    b->again = false;
}

static bool session_freed(const weir_zk_barrier *b)
{
    return !weir_list_linked(&b->listener.node);
}

/** The last thing that is done: the barrier may be gone afterwards. */
static void end(weir_zk_barrier *b, barrier_state state, weir_err err, const char *why)
{
    weir_zk_barrier_fn fn = b->fn;
    bool was_there = b->state != OUTSIDE && b->id[0];
    stand_still(b);
    b->state = state;
    b->fn = NULL;
    if (state == OUTSIDE && was_there && !session_freed(b))
        weir__zk_remove(b->steps.zk, b->folder, b->id);
    if (state == OUTSIDE)
        b->id[0] = b->name[0] = '\0';
    if (fn)
        fn(b, err, err ? why : "", b->user);
}

static void on_failed(weir__zk_steps *s, weir_err err, const char *why)
{
    bool begins_anew = err == WEIR_ECLOSED && weir_zk_get_state(s->zk) != WEIR_ZK_CLOSED;
    char copy[sizeof((weir_why *)0)->text];
    if (begins_anew)
        return; /* on_state() goes on */
    snprintf(copy, sizeof copy, "%s", why);
    end(of(s), OUTSIDE, err, copy);
}

static void on_limit(weir_timer *timer WEIR_UNUSED, void *user)
{
    weir_zk_barrier *b = user;
    char why[sizeof((weir_why *)0)->text];
    bool connected = weir_zk_get_state(b->steps.zk) == WEIR_ZK_CONNECTED;
    if (!connected)
        snprintf(why, sizeof why, "not connected in the time allowed: %s",
                 weir_zk_why(b->steps.zk));
    else if (b->state == ENTERING)
        snprintf(why, sizeof why, "%zu of %zu were at %.90s in the time allowed", b->seen, b->want,
                 b->folder);
    else
        snprintf(why, sizeof why, "%zu others are in %.90s still", b->seen, b->folder);
    end(b, OUTSIDE, WEIR_ETIMEDOUT, why);
}

/* Looking again. */

static void look(weir_zk_barrier *b)
{
    if (b->steps.op.request)
        b->again = true;
    else if (b->state == LEAVING)
        weir__zk_take(&b->steps, list_leaving);
    else if (b->state == ENTERING)
        weir__zk_take(&b->steps, b->name[0] ? read_round : b->steps.step);
}

/** Nothing is to be done until a watch fires. */
static void rest(weir_zk_barrier *b)
{
    if (b->again) {
        b->again = false;
        look(b);
    }
}

static void on_watch(weir_zk_watch *watch WEIR_UNUSED, weir_zk_event event, void *user)
{
    if (event != WEIR_ZK_GONE)
        look(user);
}

static void on_watched(const weir_zk_result *result, void *user)
{
    weir_zk_barrier *b = user;
    weir__zk_step_fn next = b->state == LEAVING ? list_leaving : read_round;
    if (!weir__zk_answered(&b->steps, result, next))
        return;
    if (result->err == WEIR_ENOENT)
        weir__zk_take(&b->steps, next);
    else
        rest(b);
}

/** A read and not weir_zk_exists(), which would wait for one who never comes back. */
static weir_err watch_node(weir__zk_steps *s)
{
    node_path path;
    weir_zk_barrier *b = of(s);
    return weir_zk_get(s->zk, &s->op, path_of(b, path, b->watched), &b->node_watch, on_watched, b);
}

static void watch(weir_zk_barrier *b, const char *name)
{
    snprintf(b->watched, sizeof b->watched, "%s", name);
    weir__zk_take(&b->steps, watch_node);
}

/* Entering: a node, the round, who is there. */

static void on_folder(const weir_zk_result *result, void *user)
{
    weir_zk_barrier *b = user;
    if (!weir__zk_answered(&b->steps, result, create))
        return;
    if (result->err)
        on_failed(&b->steps, result->err, result->why);
    else
        weir__zk_take(&b->steps, create);
}

static weir_err make_folder(weir__zk_steps *s)
{
    return weir_zk_make_path(s->zk, &s->op, of(s)->folder, of(s)->opts.flags, on_folder, of(s));
}

/** Create's answer was lost. */
static void on_searched(const weir_zk_result *result, void *user)
{
    weir_zk_barrier *b = user;
    if (!weir__zk_answered(&b->steps, result, b->steps.step))
        return;
    const char *mine = weir__zk_standing_of(result->children, result->child_count, b->id).mine;
    if (mine)
        snprintf(b->name, sizeof b->name, "%s", mine);
    weir__zk_take(&b->steps, mine ? read_round : create);
}

static weir_err search(weir__zk_steps *s)
{
    return weir_zk_children(s->zk, &s->op, of(s)->folder, NULL, on_searched, of(s));
}

static void on_created(const weir_zk_result *result, void *user)
{
    weir_zk_barrier *b = user;
    if (!weir__zk_answered(&b->steps, result, search))
        return;
    if (result->err == WEIR_ENOENT) {
        weir__zk_take(&b->steps, make_folder);
    } else if (result->err) {
        on_failed(&b->steps, result->err, result->why);
    } else {
        snprintf(b->name, sizeof b->name, "%s", strrchr(result->path, '/') + 1);
        weir__zk_take(&b->steps, read_round);
    }
}

static weir_err create(weir__zk_steps *s)
{
    node_path path;
    char name[WEIR__ZK_NAME_MAX];
    weir_zk_barrier *b = of(s);
    snprintf(name, sizeof name, "%s-", b->id);
    return weir_zk_create(s->zk, &s->op, path_of(b, path, name), WEIR_STR(""),
                          WEIR_ZK_EPHEMERAL | WEIR_ZK_SEQUENTIAL | b->opts.flags, on_created, b);
}

static void on_round(const weir_zk_result *result, void *user)
{
    weir_zk_barrier *b = user;
    int32_t mine = 0;
    if (!weir__zk_answered(&b->steps, result, read_round))
        return;
    b->again = false;
    b->round.count = 0;
    if (result->err == WEIR_OK)
        weir__zk_round_read(&b->round, result->data);
    b->version = result->stat.version;
    if (b->has_former && weir__zk_round_has(&b->round, b->former))
        end(b, OUTSIDE, WEIR_ECLOSED, "the others have begun just when the session was ending");
    else if (!b->name[0])
        weir__zk_take(&b->steps, create);
    else if (weir__zk_sequence_of(b->name, &mine) && weir__zk_round_has(&b->round, mine))
        end(b, INSIDE, WEIR_OK, "");
    else
        weir__zk_take(&b->steps, list);
}

static weir_err read_round(weir__zk_steps *s)
{
    weir_zk_barrier *b = of(s);
    return weir_zk_get(s->zk, &s->op, b->folder, &b->round_watch, on_round, b);
}

/** Written by us or by another one meanwhile: what counts is there to be read. */
static void on_opened(const weir_zk_result *result, void *user)
{
    weir_zk_barrier *b = user;
    if (weir__zk_answered(&b->steps, result, read_round))
        weir__zk_take(&b->steps, read_round);
}

static weir_err open_round(weir__zk_steps *s)
{
    char text[WEIR__ZK_ROUND_TEXT];
    weir_zk_barrier *b = of(s);
    return weir_zk_set(s->zk, &s->op, b->folder, weir__zk_round_write(&b->round, text), b->version,
                       on_opened, b);
}

static void on_listed(const weir_zk_result *result, void *user)
{
    weir_zk_barrier *b = user;
    weir__zk_round next;
    if (!weir__zk_answered(&b->steps, result, read_round))
        return;
    weir__zk_muster m =
        weir__zk_muster_of(result->children, result->child_count, &b->round, b->name);
    b->seen = m.waiting;
    if (!m.mine) { /* somebody has removed it */
        b->name[0] = '\0';
        weir__zk_take(&b->steps, create);
    } else if (m.inside > 0) {
        watch(b, m.previous ? m.previous : m.lowest);
    } else if (weir__zk_round_choose(&next, b->want, result->children, result->child_count,
                                     &b->round)) {
        b->round = next;
        weir__zk_take(&b->steps, open_round);
    } else {
        rest(b); /* who comes next looks too */
    }
}

static weir_err list(weir__zk_steps *s)
{
    return weir_zk_children(s->zk, &s->op, of(s)->folder, NULL, on_listed, of(s));
}

/* Leaving: the first of the round goes last, and the others wait for it. */

static void on_deleted(const weir_zk_result *result, void *user)
{
    weir_zk_barrier *b = user;
    if (weir__zk_answered(&b->steps, result, b->steps.step))
        weir__zk_take(&b->steps, list_leaving);
}

static weir_err delete_node(weir__zk_steps *s)
{
    node_path path;
    weir_zk_barrier *b = of(s);
    return weir_zk_delete(s->zk, &s->op, path_of(b, path, b->name), WEIR_ZK_ANY_VERSION, on_deleted,
                          b);
}

static void on_listed_leaving(const weir_zk_result *result, void *user)
{
    weir_zk_barrier *b = user;
    if (!weir__zk_answered(&b->steps, result, list_leaving))
        return;
    b->again = false;
    weir__zk_muster m =
        weir__zk_muster_of(result->children, result->child_count, &b->round, b->name);
    b->seen = m.inside;
    if (m.mine && (m.inside == 0 || !m.mine_lowest)) {
        weir__zk_take(&b->steps, delete_node);
    } else if (m.inside == 0) {
        b->id[0] = '\0'; /* there is nothing to remove */
        end(b, OUTSIDE, WEIR_OK, "");
    } else {
        watch(b, m.mine ? m.highest : m.lowest);
    }
}

static weir_err list_leaving(weir__zk_steps *s)
{
    return weir_zk_children(s->zk, &s->op, of(s)->folder, NULL, on_listed_leaving, of(s));
}

/* The session. */

static void on_lost(weir_zk_barrier *b)
{
    weir__zk_halt(&b->steps);
    weir_zk_unwatch(&b->round_watch);
    weir_zk_unwatch(&b->node_watch);
    b->again = false;
    if (b->state == ENTERING) {
        if (b->name[0])
            b->has_former = weir__zk_sequence_of(b->name, &b->former);
        b->name[0] = '\0';
        weir__zk_id_make(b->id);
        weir__zk_take(&b->steps, read_round);
    } else if (b->state == LEAVING) {
        weir__zk_take(&b->steps, list_leaving);
    } else if (b->state == INSIDE && b->opts.lost) {
        b->opts.lost(b, b->opts.user);
    }
}

static void on_state(weir_zk *zk, weir_zk_state state, void *user)
{
    weir_zk_barrier *b = user;
    bool waits = b->state == ENTERING || b->state == LEAVING;
    if (state == WEIR_ZK_LOST)
        on_lost(b);
    else if (state == WEIR_ZK_CLOSED && waits)
        end(b, OUTSIDE, WEIR_EACCES, weir_zk_why(zk));
    else if (state == WEIR_ZK_CONNECTED && waits && weir__zk_halted(&b->steps))
        look(b); /* watches are hints */
}

/* The program's side. */

weir_err weir_zk_barrier_new(weir_zk_barrier **out, weir_zk *zk, const char *path, unsigned count,
                             const weir_zk_barrier_opts *opts)
{
    size_t room = strlen(path) + 1;
    if (count == 0 || count > WEIR_ZK_BARRIER_MAX || !weir__zk_place_path_fits(path))
        return WEIR_EINVAL;
    weir_zk_barrier *b = calloc(1, sizeof *b + room);
    if (!b)
        return WEIR_ENOMEM;
    b->steps.zk = zk;
    b->steps.failed = on_failed;
    b->loop = weir_zk_loop(zk);
    b->want = count;
    if (opts)
        b->opts = *opts;
    memcpy(b->folder, path, room);
    weir_zk_watch_init(&b->round_watch, on_watch, b);
    weir_zk_watch_init(&b->node_watch, on_watch, b);
    weir_zk_listen(zk, &b->listener, on_state, b);
    *out = b;
    return WEIR_OK;
}

void weir_zk_barrier_free(weir_zk_barrier *b)
{
    if (!b)
        return;
    end(b, OUTSIDE, WEIR_ECANCELED, "the barrier was freed");
    weir_zk_unlisten(&b->listener);
    free(b);
}

/** Takes the first step. */
static weir_err start(weir_zk_barrier *b, barrier_state from, weir__zk_step_fn step,
                      int64_t wait_us, weir_zk_barrier_fn fn, void *user)
{
    if (session_freed(b))
        return WEIR_ECLOSED;
    if (b->state != from)
        return WEIR_ESTATE;
    weir_err err = weir__zk_begin(&b->steps, step);
    if (err)
        return err;
    b->state = from == OUTSIDE ? ENTERING : LEAVING;
    b->seen = 0;
    b->fn = fn;
    b->user = user;
    if (wait_us != WEIR_TIME_NEVER_US)
        weir_loop_after(b->loop, &b->limit, wait_us, on_limit, b);
    return WEIR_OK;
}

weir_err weir_zk_barrier_enter(weir_zk_barrier *b, int64_t wait_us, weir_zk_barrier_fn fn,
                               void *user)
{
    if (b->state == OUTSIDE) {
        weir__zk_id_make(b->id);
        b->has_former = false;
    }
    return start(b, OUTSIDE, create, wait_us, fn, user);
}

weir_err weir_zk_barrier_leave(weir_zk_barrier *b, int64_t wait_us, weir_zk_barrier_fn fn,
                               void *user)
{
    return start(b, INSIDE, list_leaving, wait_us, fn, user);
}

/* For another thread. */

typedef struct waiting {
    weir__zk_blocking head;
    weir_zk_barrier *barrier;
    weir_time deadline;
    weir_err (*fn)(weir_zk_barrier *b, int64_t wait_us, weir_zk_barrier_fn fn, void *user);
} waiting;

static void on_end(weir_zk_barrier *b WEIR_UNUSED, weir_err err, const char *why, void *user)
{
    weir__zk_blocking_end(user, err, why);
}

static void begin(weir__zk_blocking *head)
{
    waiting *w = WEIR_CONTAINER_OF(head, waiting, head);
    weir_err err = w->fn(w->barrier, weir__zk_left_us(w->deadline), on_end, head);
    if (err)
        weir__zk_blocking_end(head, err, NULL);
}

weir_err weir_zk_barrier_enter_until(weir_zk_barrier *b, weir_time deadline, weir_why *why)
{
    waiting w = {.barrier = b, .deadline = deadline, .fn = weir_zk_barrier_enter};
    return weir__zk_blocking_run(&w.head, b->loop, begin, why);
}

weir_err weir_zk_barrier_leave_until(weir_zk_barrier *b, weir_time deadline, weir_why *why)
{
    waiting w = {.barrier = b, .deadline = deadline, .fn = weir_zk_barrier_leave};
    return weir__zk_blocking_run(&w.head, b->loop, begin, why);
}
