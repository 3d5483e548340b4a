/**
 * @file
 * PINGs that keep a connection, or find out that it is dead (grpc/doc/keepalive.md), and a server's
 * patience with those of its clients. Both ends of a link use it.
 */
#ifndef WEIR_RPC_KEEPALIVE_H
#define WEIR_RPC_KEEPALIVE_H

#include <weir/base/timers.h>

typedef struct weir__link weir__link;

/** For every link of an owner. */
typedef struct weir__keepalive_opts {
    int64_t time_us;    /* without a byte from the peer, until a PING; 0: no PINGs */
    int64_t timeout_us; /* for its answer */
    bool without_calls;
    int64_t min_ping_us; /* between the peer's PINGs; 0: any number is fine */
    bool pings_without_calls;
    unsigned strikes; /* so many PINGs may come too early */
} weir__keepalive_opts;

/** Of one link. */
typedef struct weir__keepalive {
    const weir__keepalive_opts *opts; /* NULL: nothing is done */
    weir_timer timer;
    weir_time heard;  /* the last bytes from the peer */
    weir_time asked;  /* our PING; zero: none is out */
    weir_time pinged; /* the peer's last PING; zero: none since we sent something */
    unsigned strikes;
} weir__keepalive;

/** @param opts  the owner's, as it is from now on */
void weir__keepalive_start(weir__link *link, const weir__keepalive_opts *opts);
/** Our PING has been answered. */
void weir__keepalive_answered(weir__link *link);
/** Repeatable. */
void weir__keepalive_stop(weir__link *link);
/** The peer has sent a PING. One too many ends the connection with "too_many_pings". */
void weir__keepalive_pinged(weir__link *link);

#endif
