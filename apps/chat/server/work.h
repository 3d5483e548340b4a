/**
 * @file
 * What a handler has the store do, and how that ends in a gRPC status.
 */
#ifndef CHAT_SERVER_WORK_H
#define CHAT_SERVER_WORK_H

#include "app.h"
#include "model/refusal.h"

/** A handler's job; within a struct with more in it, or as it is. */
typedef struct work {
    storage_job job;
    app *app;
    caller who; /* whose token is checked first, unless its id is 0 */
    weir_arena *mem;
    const void *request;
    void *reply;
    refusal why;
    weir_err (*run)(db *d, struct work *work);
} work;

/** Runs it and waits. @return what the handler returns */
weir_status work_run(work *self, weir_blocking_call *call);

/** Why the store did not do something. @param why  the database's own sentence; may be NULL */
weir_status work_status(weir_err err, const char *why);

#endif
