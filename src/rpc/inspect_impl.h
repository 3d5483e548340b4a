/**
 * @file
 * What channels, servers and links have within them so that they can be inspected: inspect.c knows
 * every channel and server, inspect_socket.c the connections of each loop.
 */
#ifndef WEIR_RPC_INSPECT_IMPL_H
#define WEIR_RPC_INSPECT_IMPL_H

#include <weir/rpc/inspect.h>

enum {
    WEIR__EVENTS = 16,     /* of a channel or server that are remembered */
    WEIR__EVENT_TEXT = 104 /* bytes of each */
};

typedef struct weir__event {
    weir_wall at;
    uint64_t subchannel;
    weir_inspect_severity severity;
    char text[WEIR__EVENT_TEXT];
} weir__event;

/** Within its owner. But for kind and id, under the lock of inspect.c. */
typedef struct weir__entity {
    weir_list node;
    weir_inspect_kind kind;
    uint64_t id;
    weir_wall created;
    char name[WEIR_ADDR_TEXT_MAX];
    uint64_t logged;
    weir__event events[WEIR__EVENTS]; /* number n is at n % WEIR__EVENTS */
} weir__entity;

/** Gives it an id and no past. It may be logged to from now on, and is seen once it is shown. */
void weir__entity_init(weir__entity *entity, weir_inspect_kind kind);
void weir__entity_show(weir__entity *entity, const char *name);
/** Nobody looks at it when this returns. Repeatable. */
void weir__entity_hide(weir__entity *entity);
/** Not for what happens with every call. */
void weir__entity_log(weir__entity *entity, weir_inspect_severity severity, uint64_t subchannel,
                      const char *fmt, ...) WEIR_PRINTF(4, 5);

/**
 * The numbers of the loops in which the connections of a server or subchannel live.
 * @param out  at most `max` are written
 * @return how many there are; 0: no such server or subchannel
 */
size_t weir__inspect_loops(uint64_t owner, unsigned *out, size_t max);

/** Within a link: its loop's. */
typedef struct weir__socket {
    weir_list node;
    uint64_t keepalives_sent;
} weir__socket;

typedef struct weir__link weir__link;

void weir__socket_add(weir__link *link);
/** Repeatable. */
void weir__socket_remove(weir__link *link);

/** What a point on the monotonic clock is in civil time; 0 stays 0. */
weir_wall weir__inspect_wall(weir_time t);

#endif
