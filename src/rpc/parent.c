#include "parent.h"

/** In the parent's loop. */
static weir_err join(weir__child *child, weir_loop *loop)
{
    weir_call *parent = weir_call_get(loop, child->parent);
    if (!parent || !parent->ops->is_server)
        return WEIR_ECLOSED;
    if (parent->child_count == WEIR__CHILDREN_MAX)
        return WEIR_EFULL;
    if (!weir_list_linked(&parent->children))
        weir_list_init(&parent->children);
    weir_list_append(&parent->children, &child->node);
    parent->child_count++;
    child->deadline = parent->deadline;
    return WEIR_OK;
}

static void leave(weir__child *child, weir_loop *loop)
{
    weir_call *parent = weir_call_get(loop, child->parent);
    if (parent && weir_list_linked(&child->node))
        parent->child_count--;
    weir_list_remove(&child->node);
}

/** The loop in whose thread the task runs is the parent's: the id says so. */
static weir_loop *loop_of(const weir__child *child)
{
    unsigned number = weir_slot_loop(child->parent.value);
    weir_loop *loop = weir_loop_enter(number);
    if (loop)
        weir_loop_leave(number);
    return loop;
}

static void run_join(weir_task *task, weir_err err)
{
    weir__child *child = WEIR_CONTAINER_OF(task, weir__child, task);
    child->then(child, err ? WEIR_ECLOSED : join(child, loop_of(child)));
}

static void run_leave(weir_task *task, weir_err err)
{
    weir__child *child = WEIR_CONTAINER_OF(task, weir__child, task);
    if (!err)
        leave(child, loop_of(child));
    child->then(child, WEIR_OK);
}

/** Runs `fn` in the parent's loop: at once when this is its thread, and also when it is gone. */
static void run_there(weir__child *child, weir_task_fn fn)
{
    unsigned number = weir_slot_loop(child->parent.value);
    weir_loop *loop = weir_loop_enter(number);
    bool here = loop && weir_loop_in_thread(loop);
    if (loop && !here)
        weir_loop_post(loop, &child->task, fn);
    if (loop)
        weir_loop_leave(number);
    if (!loop || here)
        fn(&child->task, loop ? WEIR_OK : WEIR_ECANCELED);
}

void weir__child_join(weir__child *child, weir_call_id parent, weir_call_id self,
                      void (*then)(weir__child *child, weir_err err))
{
    child->parent = parent;
    child->self = self;
    child->then = then;
    run_there(child, run_join);
}

void weir__child_leave(weir__child *child, void (*then)(weir__child *child, weir_err err))
{
    child->then = then;
    run_there(child, run_leave);
}

void weir__children_cancel(weir_call *parent)
{
    if (!weir_list_linked(&parent->children))
        return;
    for (weir_list *node; (node = weir_list_pop(&parent->children));)
        weir_call_cancel_post(WEIR_CONTAINER_OF(node, weir__child, node)->self);
    parent->child_count = 0;
}
