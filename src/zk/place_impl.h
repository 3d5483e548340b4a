/**
 * @file
 * The inside of a place: place.c has its life, its steps and the way out of the line, place_line.c
 * the way to its front.
 */
#ifndef WEIR_ZK_PLACE_IMPL_H
#define WEIR_ZK_PLACE_IMPL_H

#include "place.h"
#include "sequence.h"

enum {
    WEIR__PLACE_LATER_US = 20000,      /* before a step is taken again, and up to as much more */
    WEIR__PLACE_RECONNECT_US = 100000, /* all who stand in line come back at the same time */
    WEIR__PLACE_PATH_MAX = WEIR_ZK_PATH_MAX + WEIR__ZK_NAME_MAX + 2,
    WEIR__PLACE_UNSURE_PART = 6 /* of the session's timeout: the client takes two thirds of it to
                       see that a silent connection is lost */
};

typedef weir_err (*weir__place_step_fn)(weir__zk_place *p);

struct weir__zk_place {
    weir_zk *zk;
    weir_loop *loop;
    weir_zk_listener listener; /* not linked: the session was freed */
    const weir__zk_place_ops *ops;
    void *user;
    weir_zk_op op;
    weir_zk_watch watch;      /* on the node before ours, or on ours when it is the first */
    weir__place_step_fn step; /* the latest */
    weir_timer timer;         /* until it is taken again */
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

static inline bool weir__place_session_freed(const weir__zk_place *p)
{
    return !weir_list_linked(&p->listener.node);
}

/* place.c */

/** Takes a step now; later if it cannot be begun now. */
void weir__place_take(weir__zk_place *p, weir__place_step_fn step);
/** Takes it in `us` to twice as much. */
void weir__place_after(weir__zk_place *p, weir__place_step_fn step, int64_t us);
/** Whether the answer is one; if not, the step is taken again, or whatever else is to be done is
 * done: the place may be gone. */
bool weir__place_is_answer(weir__zk_place *p, const weir_zk_result *result);
const char *weir__place_path_of(const weir__zk_place *p, char out[WEIR__PLACE_PATH_MAX],
                                const char *name);
/** Nobody waits for the place any more. */
void weir__place_clean_up(weir__zk_place *p);
/** After a callback of the user. @return whether the place is still wanted */
bool weir__place_back(weir__zk_place *p);
void weir__place_fail(weir__zk_place *p, weir_err err, const char *why);

/* place_line.c */

/** Steps: makes the node; reads the line. */
weir_err weir__place_create(weir__zk_place *p);
weir_err weir__place_look(weir__zk_place *p);
/** There is no place any more: tells who had it, and lines up again. */
void weir__place_start_over(weir__zk_place *p);
/** Nothing is under way, and the place is wanted. */
bool weir__place_is_idle(const weir__zk_place *p);
void weir__place_on_watch(weir_zk_watch *watch, weir_zk_event event, void *user);

#endif
