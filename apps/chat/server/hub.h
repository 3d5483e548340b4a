/**
 * @file
 * Who hears what: groups (topics or rooms) and their members. A member is a call, known by its id,
 * so that a broadcast from any thread reaches calls of every loop. A message is encoded once and
 * shared.
 *
 * A member that does not read is skipped, and what it missed is counted: it delays nobody.
 * @thread any
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
    weir_list node; /* in its group */
    struct hub_group *group;
    weir_call_id call;
    atomic_ullong *missed; /* counts what the call could not take; may be shared by members */
} hub_member;

/** What became of a broadcast. */
typedef struct hub_result {
    unsigned delivered;
    unsigned dropped;
} hub_result;

/** Told when a group gets its first member, or has lost its last one; with the hub locked: it must
 * not call the hub, only note it. */
typedef void (*hub_changed_fn)(weir_str group, void *user);

/** @param changed  may be NULL @errors WEIR_ENOMEM */
WEIR_MUST_CHECK weir_err hub_new(hub **out, hub_changed_fn changed, void *user);
/** Every member must have left. NULL is fine. */
void hub_free(hub *self);

/**
 * Adds `member`, whose `call` and `missed` are set, to the group of that name.
 * @errors WEIR_ENOMEM; WEIR_EFULL: there are HUB_MAX_GROUPS groups
 */
WEIR_MUST_CHECK weir_err hub_join(hub *self, weir_str group, hub_member *member);
/** A member that never joined is fine. */
void hub_leave(hub *self, hub_member *member);

/** Sends to all members of a group. */
hub_result hub_send(hub *self, weir_str group, weir_payload *payload);
/** Sends to every member of every group, once per membership. */
hub_result hub_send_all(hub *self, weir_payload *payload);
/** Calls `fn` for each member's call; with the hub locked: it must not call the hub. */
void hub_each(hub *self, weir_str group, void (*fn)(weir_call_id call, void *user), void *user);
/** The same of all groups. */
void hub_each_of_all(hub *self, void (*fn)(weir_call_id call, void *user), void *user);
/** Members of a group now. */
size_t hub_count(hub *self, weir_str group);

#endif
