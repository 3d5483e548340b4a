/**
 * @file
 * Who hears what: groups (topics or rooms) and their members, which are calls. A message is encoded
 * once and shared; it goes to each loop in one piece, which hands it to the members that live
 * there.
 *
 * A member that does not read is skipped, and what it missed is counted: it delays nobody.
 */
#ifndef CHAT_SERVER_HUB_H
#define CHAT_SERVER_HUB_H

#include <stdatomic.h>
#include <weir/rpc/rpc.h>

typedef struct hub hub;

enum {
    HUB_MAX_GROUPS = 1 << 20
};

/** One call's membership in one group; in the caller's memory, which the hub borrows. */
typedef struct hub_member {
    weir_list node; /* in its part of the group */
    struct hub_part *part;
    weir_call_id call;
    atomic_ullong *missed; /* counts what the call could not take; may be shared by members */
} hub_member;

/** Told when a group gets its first member, or has lost its last one; with the hub locked: it must
 * not call the hub, only note it. */
typedef void (*hub_changed_fn)(weir_str group, void *user);

/** Each may be NULL; all are borrowed for the hub's life. */
typedef struct hub_opts {
    hub_changed_fn changed;
    void *user;
    atomic_ullong *pushed; /* counts messages that members took */
    atomic_ullong *missed; /* those that they were too slow for */
} hub_opts;

/** @errors WEIR_ENOMEM */
WEIR_MUST_CHECK weir_err hub_new(hub **out, const hub_opts *opts);
/** When the loops of all members have ended. NULL is fine. */
void hub_free(hub *self);

/**
 * Adds `member`, whose `call` and `missed` are set, to the group of that name. From now on it gets
 * what is sent, and perhaps what was sent just before.
 * @param loop  the call's
 * @thread the loop's
 * @errors WEIR_ENOMEM; WEIR_EFULL: there are HUB_MAX_GROUPS groups
 */
WEIR_MUST_CHECK weir_err hub_join(hub *self, weir_str group, hub_member *member, weir_loop *loop);
/** A member that never joined is fine. @thread the loop's */
void hub_leave(hub *self, hub_member *member);

/** Sends to all members of a group, in the order of one thread's calls. @thread any */
void hub_send(hub *self, weir_str group, weir_payload *payload);
/** Calls `fn` for each member's call; with the hub locked: it must not call the hub. @thread any */
void hub_each(hub *self, weir_str group, void (*fn)(weir_call_id call, void *user), void *user);
/** Members of a group now. @thread any */
size_t hub_count(hub *self, weir_str group);

#endif
