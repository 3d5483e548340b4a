/**
 * @file
 * Which channels of the bus this node hears: those whose hub groups have members here. Joining is
 * not at once; who needs to know that nothing is missed from now on waits at a fence.
 */
#ifndef CHAT_SERVER_CHANNELS_H
#define CHAT_SERVER_CHANNELS_H

#include "app.h"

/** @thread as app_open() */
WEIR_MUST_CHECK weir_err channels_new(struct channels **out, app *host);
/** NULL is fine. */
void channels_free(struct channels *self);

/** For hub_new(): a group of `app` has come or gone. @thread any */
void channels_changed(weir_str group, void *app);

/** In its owner's memory. */
typedef struct fence {
    /** In the app's loop: every group that was joined before channels_wait() is heard, or the bus
     * is away, or has not said so for two seconds; its last touch. WEIR_ECANCELED: the node ends.
     */
    void (*done)(struct fence *fence, weir_err err);
    struct channels *channels; /* its own, as all below */
    weir_task task;
    weir_list node;
    uint64_t number;
    weir_time until;
} fence;

/** @thread any */
void channels_wait(struct channels *self, fence *waiting);

/* What the bus says, in the app's loop. */
void channels_ready(struct channels *self, weir_str channel);
void channels_bus_changed(struct channels *self, bool up);

#endif
