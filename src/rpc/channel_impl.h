/**
 * @file
 * Inside of a channel: channel.c makes and ends it, channel_connect.c keeps its connection,
 * channel_state.c tells the state of that, channel_target.c reads the target. client_call.c has its
 * calls; unary.c and stream.c are the ways to make them. All but what is marked lives in the
 * channel's loop.
 */
#ifndef WEIR_RPC_CHANNEL_IMPL_H
#define WEIR_RPC_CHANNEL_IMPL_H

#include <pthread.h>
#include <stdatomic.h>
#include <weir/net/connector.h>
#include <weir/rpc/channel.h>

#include "call_impl.h"
#include "channel_target.h"
#include "counters.h"
#include "inspect_impl.h"
#include "intercept.h"
#include "parent.h"

/** Memory within a call, so that small ones need no other. */
enum {
    WEIR__CALL_ROOM = 192
};

struct weir_channel {
    weir_channel_opts opts;   /* constant */
    weir_loop *loop;          /* constant */
    weir_loop_thread *thread; /* its own, or NULL; constant */
    weir__chain chain;        /* of interceptors, outermost first; constant */
    weir_grpc_opts grpc;
    weir__target target; /* constant */
    char *authority;     /* constant */
    char *user_agent;    /* constant */
    char *tls_name;      /* constant */
    weir_err target_err; /* the target cannot be understood */
    weir_why why;        /* that, or why there is no connection */
    bool failing;        /* the last attempt failed: calls that do not wait end at once */
    bool closing;
    unsigned tries; /* attempts since the last connection */
    weir_connector *connector;
    weir__keepalive_opts keepalive;
    weir_timer idle;    /* runs unless the channel is idle */
    weir_time used;     /* the end of the last call */
    weir__link *link;   /* takes new calls; NULL: none does */
    weir__link *coming; /* connected, but the server's SETTINGS have not arrived */
    weir_list links;    /* every connection, also those that only finish */
    weir_list waiting;
    size_t waiting_count;
    weir_list held;    /* calls that an interceptor holds */
    weir_list running; /* calls that have a connection */
    weir_task close;
    weir_latch closed; /* nothing is left in the thread's loop */

    weir__entity entity, sub; /* itself, and the connections to its target */
    weir__counters calls;     /* loop writes, any reads */
    weir__counters attempts;  /* calls that got a connection, the same */
    unsigned loop_number;     /* constant */

    /* channel_state.c */
    atomic_int state;           /* weir_connectivity; any thread reads */
    weir_list watches;          /* loop */
    pthread_mutex_t state_lock; /* for those who wait for another state */
    pthread_cond_t state_changed;
    weir_task asked;        /* the loop is asked for something */
    atomic_uint asked_bits; /* WEIR__ASK_ */
    atomic_uint joining;    /* calls that wait for their parent's loop; any thread */
};

/** What other threads ask a channel for. */
enum {
    WEIR__ASK_CONNECT = 1,
    WEIR__ASK_RESET_BACKOFF = 2
};

/** What receives the events of a client's call: generated code, unary.c or stream.c. */
typedef struct weir__client_ops {
    void (*headers)(weir_call *call, void *user);
    /** A message, undecoded; good until the function returns, for unary calls until `closed`. */
    void (*message)(weir_call *call, weir_str bytes, void *user);
    void (*writable)(weir_call *call, void *user);
    /** Once; the call is gone afterwards. */
    void (*closed)(weir_call *call, const weir_status *status, void *user);
} weir__client_ops;

/** A message that waits for the connection. */
typedef struct weir__early {
    struct weir__early *next;
    weir_payload *payload; /* its reference goes back with `release` */
    weir_buf_release_fn release;
    void *user;
} weir__early;

typedef struct weir__client_call {
    weir_call call;
    weir_channel *channel;
    weir_list node; /* waiting or running */
    weir_task start;
    weir__child child; /* of a server's call, perhaps */
    weir_err join_err;
    weir_time began;
    weir_str request;      /* with its prefix; none: the client streams */
    weir_payload *payload; /* in which it lies when interceptors have changed it */
    weir_timer expiry;     /* while it waits */
    weir_deferred cancel;  /* the same: `early` is its end */
    weir_status early;
    weir_arena arena;
    weir_metadata metadata;
    const weir__client_ops *ops;
    void *user;
    const weir_client_handler *handler; /* generated code's, with its events and user */
    const void *events;
    void *handler_user;
    weir__early *early_first, *early_last;
    bool half_close;     /* as soon as the early messages are sent */
    bool wants_writable; /* WEIR_EAGAIN was said while waiting */
    bool wait_for_ready;
    bool expect_one;
    bool started;
    bool shown;         /* the interceptors have seen the request */
    bool sent;          /* messages that are not kept */
    bool retried;       /* once, because no server has seen it */
    bool counted;       /* as ended */
    bool cancelled;     /* or ended by an interceptor, before it had a connection */
    max_align_t room[]; /* WEIR__CALL_ROOM bytes of the arena, then the request */
} weir__client_call;

/**
 * Makes a call and posts its start: `ops->closed` comes once, unless an error is returned.
 * @param request  sent first, followed by the half-close; NULL: the client streams
 * @thread any
 */
WEIR_MUST_CHECK weir_err weir__client_call_new(weir__client_call **out, weir_channel *channel,
                                               const weir_method *method, const void *request,
                                               const weir__client_ops *ops, void *user,
                                               const weir_call_opts *opts);
void weir__client_call_go(weir__client_call *call);
/** Instead of weir__client_call_go(). */
void weir__client_call_drop(weir__client_call *call);

/** The engine takes the call, or says why not. */
WEIR_MUST_CHECK weir_err weir__client_call_attach(weir__client_call *call, weir__link *link);
/** Its connection has lost it. @return true: it goes on, because no server has seen it */
bool weir__client_call_retry(weir__client_call *call);
/** Its deadline, while it has no connection. */
void weir__client_call_arm(weir__client_call *call);
/** Ends a call that has no connection. */
void weir__client_call_end(weir__client_call *call, weir_status_code code, const char *message);

/** Makes the parts of channel_state.c. */
void weir__channel_state_init(weir_channel *channel);
void weir__channel_state_fini(weir_channel *channel);
void weir__channel_set_state(weir_channel *channel, weir_connectivity state);

/** Makes a connection, unless there is one or one is coming. */
void weir__channel_connect(weir_channel *channel);
/** The next attempt begins now, if one waits. */
void weir__channel_reset_backoff(weir_channel *channel);
/** Makes the connector. */
WEIR_MUST_CHECK weir_err weir__channel_open(weir_channel *channel);
/** Closes every connection. */
void weir__channel_close_links(weir_channel *channel);
/** Goes on with the end of the channel when nothing is left of it in the loop. */
void weir__channel_check_closed(weir_channel *channel);

/** Finds a place for a new call: on the connection, in the queue, or nowhere. */
void weir__channel_place(weir_channel *channel, weir__client_call *call);
/** Whether the calling thread must not wait: it is the one that would be waited for. @thread any */
bool weir__channel_would_deadlock(const weir_channel *channel);
/** The call is over. A second time it touches nothing: the channel may be gone. */
void weir__channel_forget(weir_channel *channel, weir__client_call *call);

#endif
