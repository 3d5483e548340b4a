/**
 * @file
 * Subchannel: one backend of a channel, with its connection: made when the channel wants it, made
 * again when it is lost. It tells the channel of every change; which calls it gets is the
 * channel's business. Lives in the channel's loop.
 */
#ifndef WEIR_RPC_SUBCHANNEL_H
#define WEIR_RPC_SUBCHANNEL_H

#include <weir/balance/outlier.h>
#include <weir/net/connector.h>
#include <weir/rpc/channel.h>

#include "call_impl.h"
#include "counters.h"

typedef struct weir__health weir__health;

typedef struct weir__sub {
    weir_backend backend; /* what balancers see; `outstanding` counts attempts */
    weir_list node;       /* in the channel's `leaving`, once it is removed */
    weir_channel *channel;
    weir_endpoints *list; /* in which its endpoint is */
    const char *lookup;   /* where it is: text of the endpoint */
    char *authority;      /* ":authority" of its calls */
    char *tls_name;
    weir_connector *connector;
    weir_connectivity state; /* loop */
    atomic_int shown;        /* the same, for inspection; any thread reads */
    weir_why why;            /* why there is no connection */
    unsigned tries;          /* attempts since the last connection */
    weir__keepalive_opts keepalive;
    weir__link *link;                    /* takes new calls; NULL: none does */
    weir__link *coming;                  /* connected, but the server's SETTINGS have not arrived */
    weir_list links;                     /* every connection, also those that only finish */
    bool failing;                        /* no connection since the last failed attempt */
    bool full;                           /* the server takes no more at once */
    bool removed;                        /* it is not in the list any more: what runs finishes */
    bool usable;                         /* the balancer has it */
    bool counted_ready, counted_failing; /* in the channel's counts */
    bool kept;                           /* channel_backends.c: it is in the new list too */
    size_t next_index;                   /* and there */
    weir_time ready_at;                  /* when the connection was */
    weir__health *health;
    weir_outlier outlier;
    weir_breaker breaker;
    weir__entity entity;
    weir__counters attempts; /* calls that got a connection; loop writes, any reads */
} weir__sub;

/** @param index  of its endpoint in `list`, of which a reference is taken @errors WEIR_ENOMEM */
WEIR_MUST_CHECK weir_err weir__sub_new(weir__sub **out, weir_channel *channel, weir_endpoints *list,
                                       size_t index);
/** The same place in another list. */
void weir__sub_move(weir__sub *sub, weir_endpoints *list, size_t index);
/** Makes a connection, unless there is one or one is coming. */
void weir__sub_connect(weir__sub *sub);
/** The next attempt begins now, if one waits. */
void weir__sub_reset_backoff(weir__sub *sub);
/** No connection is wanted. One that has calls stays. */
void weir__sub_stop(weir__sub *sub);
/** No new calls; it is freed when what runs has finished, or now: then it is gone. */
void weir__sub_remove(weir__sub *sub);
/** Its connection takes no new calls, as the engine says. */
void weir__sub_leave_link(weir__sub *sub);
/** Every connection is closed, soon. */
void weir__sub_close_links(weir__sub *sub);
/** The last call of a removed one may have ended. @return it is freed */
bool weir__sub_check_removed(weir__sub *sub);

/** Connected, and not known to be ill. */
bool weir__sub_is_ready(const weir__sub *sub);

/* sub_health.c: the health service decides (gRFC A17). */

/** Asks for `service` on the new connection. */
void weir__health_start(weir__sub *sub, const char *service);
/** Repeatable. */
void weir__health_stop(weir__sub *sub);
/** Not known to be ill: serving, or not asked, or the server knows no health service. */
bool weir__health_is_good(const weir__sub *sub);

#endif
