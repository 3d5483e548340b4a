/**
 * @file
 * The inside of a queue: queue.c is its life, queue_put.c, queue_take.c and queue_item.c are what
 * is done with it, queue_claim.c gives claims up.
 */
#ifndef WEIR_ZK_QUEUE_IMPL_H
#define WEIR_ZK_QUEUE_IMPL_H

#include <weir/zk/queue.h>

#include "place.h"
#include "sequence.h"
#include "steps.h"

typedef char weir__zk_path[WEIR_ZK_PATH_MAX + 1];

/** What a claim's node says: whose it is. */
typedef struct weir__zk_claim {
    char item[WEIR__ZK_NAME_MAX];
    char id[WEIR__ZK_ID_LEN + 1]; /* "": there is none */
} weir__zk_claim;

struct weir_zk_queue {
    weir_zk *zk;
    weir_loop *loop;
    weir_zk_listener listener;
    weir_zk_queue_opts opts;
    bool freed;
    int busy; /* its memory is in use on the stack */

    weir_list puts;
    size_t put_count;

    /* Taking: a place in the line while somebody waits, and steps while it is the first. */
    weir_list takes;
    size_t take_count;
    weir__zk_place *place;
    weir__zk_steps steps;
    weir_zk_watch items_watch, claims_watch;
    bool first;
    bool again; /* something has happened while an operation was under way */
    weir__zk_claim claim;
    char (*claimed)[WEIR__ZK_NAME_MAX]; /* items that somebody has, when it looked last */
    size_t claimed_count;

    weir_list items; /* taken and not done */
    char folder[];
};

struct weir_zk_item {
    weir_list node;
    weir_zk_queue *queue;
    weir__zk_steps steps; /* of its end */
    weir_timer limit;
    weir__zk_claim claim;
    bool lost;   /* the session has ended */
    bool ending; /* it is being confirmed */
    weir_zk_queue_fn fn;
    void *user;
    size_t len;
    char data[];
};

/** "items" or "claims", and a node in it. @param name  NULL: the folder itself */
const char *weir__zk_queue_path(const weir_zk_queue *q, weir__zk_path out, const char *part,
                                const char *name);

/** After `busy` was counted up: the queue may be gone. */
void weir__zk_queue_leave(weir_zk_queue *q);

/** Each put ends with WEIR_ECANCELED. */
void weir__zk_queue_end_puts(weir_zk_queue *q);
/** Leaves the line; each take ends with WEIR_ECANCELED. */
void weir__zk_queue_take_stop(weir_zk_queue *q);
/** Steps of taking. */
void weir__zk_queue_take_init(weir_zk_queue *q);
/** The session has ended. */
void weir__zk_queue_take_lost(weir_zk_queue *q);

/** Takes over the claim. @return NULL: out of memory */
weir_zk_item *weir__zk_item_new(weir_zk_queue *q, const weir__zk_claim *claim, weir_str data);
/** Ends a confirmation; the item is gone. */
void weir__zk_item_end(weir_zk_item *item, weir_err err, const char *why);

/** Deletes a claim if it is the one that it says, until that is sure, on memory of its own.
 * @param doubtful  the create's answer has not come */
void weir__zk_claim_release(weir_zk_queue *q, const weir__zk_claim *claim, bool doubtful);

#endif
