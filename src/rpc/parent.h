/**
 * @file
 * Calls that a server's call has made: they inherit its deadline and end with it.
 *
 * The list is kept in the parent's loop. A child that lives in another loop is freed through the
 * parent's, so that nobody there comes upon memory that is gone.
 */
#ifndef WEIR_RPC_PARENT_H
#define WEIR_RPC_PARENT_H

#include "call_impl.h"

/** So many children a call may have at a time. */
enum {
    WEIR__CHILDREN_MAX = 1000
};

/** In the child; zeroed: it has no parent. */
typedef struct weir__child {
    weir_list node; /* in the parent's list; in its loop */
    weir_call_id parent;
    weir_call_id self;
    weir_time deadline; /* of the parent; set before `then` */
    weir_task task;
    void (*then)(struct weir__child *child, weir_err err);
} weir__child;

/**
 * Joins the child to the living server's call `parent`; `then` comes once, in the parent's loop or
 * in this thread: WEIR_OK, WEIR_ECLOSED: the parent has ended, or is no server's call. WEIR_EFULL:
 * WEIR__CHILDREN_MAX.
 * @thread any
 */
void weir__child_join(weir__child *child, weir_call_id parent, weir_call_id self,
                      void (*then)(weir__child *child, weir_err err));

/** The child has ended: `then` comes once, when the parent does not know it any more.
 * @thread the child's loop's */
void weir__child_leave(weir__child *child, void (*then)(weir__child *child, weir_err err));

/** The parent has ended, and so its children are cancelled. */
void weir__children_cancel(weir_call *parent);

#endif
