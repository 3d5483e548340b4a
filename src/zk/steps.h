/**
 * @file
 * What a recipe does with ZooKeeper, step by step: one operation at a time, each step repeated
 * until it has an answer.
 */
#ifndef WEIR_ZK_STEPS_H
#define WEIR_ZK_STEPS_H

#include <weir/zk/node.h>

typedef struct weir__zk_steps weir__zk_steps;

/** Begins one operation with `s->op`. */
typedef weir_err (*weir__zk_step_fn)(weir__zk_steps *s);

/** In the recipe's object, zeroed but for zk and failed. */
struct weir__zk_steps {
    weir_zk *zk;
    /** It cannot go on: WEIR_ECLOSED when the session has ended, WEIR_ECANCELED when it was freed,
     * else for good. Nothing is under way. Never inside weir__zk_begin(). */
    void (*failed)(weir__zk_steps *s, weir_err err, const char *why);
    weir_zk_op op;
    weir__zk_step_fn step;
    weir_timer timer; /* until the step is repeated */
};

/** Takes a step now. @errors what the operation cannot begin with; no callback comes then */
weir_err weir__zk_begin(weir__zk_steps *s, weir__zk_step_fn step);
/** Takes a step, later if it cannot be begun now. */
void weir__zk_take(weir__zk_steps *s, weir__zk_step_fn step);
/** Takes it in a moment, which differs by chance from process to process. */
void weir__zk_take_later(weir__zk_steps *s, weir__zk_step_fn step);

/** Whether the answer is one: WEIR_OK, WEIR_ENOENT, WEIR_EEXIST, WEIR_ESTATE. If not, `otherwise`
 * is taken in a moment, or failed() has been called: the object may be gone. */
bool weir__zk_answered(weir__zk_steps *s, const weir_zk_result *result, weir__zk_step_fn otherwise);

/** Nothing is under way any more. What was may be done all the same. */
void weir__zk_halt(weir__zk_steps *s);
bool weir__zk_halted(const weir__zk_steps *s);

/**
 * Deletes an ephemeral node below a folder, which this session has made or is just making. It is
 * repeated until it is sure, on memory of its own; at the session's end there is nothing to do, and
 * when memory is short the node goes with the session.
 * @param id    which the names of sequence.h begin with; all that have it are deleted
 */
void weir__zk_remove(weir_zk *zk, const char *folder, const char *id);

#endif
