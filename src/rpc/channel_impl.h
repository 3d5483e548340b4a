/**
 * @file
 * Inside of a channel: channel.c makes and ends it, channel_target.c reads the target,
 * channel_backends.c follows what the resolver finds, channel_balance.c how the backends are,
 * channel_pick.c chooses one for each call, channel_wait.c has the calls that wait for one,
 * channel_state.c tells how it is. subchannel.c has the connections. client_start.c makes calls,
 * client_call.c has them, client_retry.c and client_hedge.c their further attempts; unary.c and
 * stream.c are the ways to make them. All but what is marked
 * lives in the channel's loop.
 */
#ifndef WEIR_RPC_CHANNEL_IMPL_H
#define WEIR_RPC_CHANNEL_IMPL_H

#include <pthread.h>
#include <stdatomic.h>
#include <weir/naming/resolver.h>
#include <weir/naming/service_config.h>
#include <weir/rpc/channel.h>

#include "call_impl.h"
#include "channel_target.h"
#include "counters.h"
#include "inspect_impl.h"
#include "intercept.h"
#include "parent.h"
#include "subchannel.h"

/** Memory within a call, so that small ones need no other. */
enum {
    WEIR__CALL_ROOM = 192
};

struct weir_channel {
    weir_channel_opts opts;   /* constant; its texts are read in weir_channel_new() only */
    weir_loop *loop;          /* constant */
    weir_loop_thread *thread; /* its own, or NULL; constant */
    weir__chain chain;        /* of interceptors, outermost first; constant */
    weir_grpc_opts grpc;
    weir__keepalive_opts keepalive; /* of new subchannels; constant */
    char *name;                     /* the target, as it was given; constant */
    weir__target target;            /* constant */
    uint64_t client;                /* of subsetting: another in each channel; constant */
    char *authority;                /* for all backends, or NULL: each has its own; constant */
    char *user_agent;               /* constant */
    char *tls_name;                 /* as `authority` */
    weir_err target_err;            /* the target, or the service config, cannot be understood */
    weir_why why;                   /* that, or why there is no connection */
    bool failing;                   /* nothing can be reached: calls that do not wait end at once */
    bool closing;
    bool wanted;     /* it is not idle */
    weir_timer idle; /* runs unless the channel is idle */
    weir_time used;  /* the end of the last call */
    weir_list waiting;
    size_t waiting_count;
    weir_list held;    /* calls that an interceptor holds */
    weir_list running; /* calls that have a connection, or wait for another attempt */
    weir_task close;
    weir_latch closed; /* nothing is left in the thread's loop */

    /* channel_backends.c */
    weir_resolver *resolver;     /* NULL: the target is the backend */
    weir_service_config *config; /* NULL: none */
    char *config_text;           /* the resolver's, as it was read */
    bool own_config;             /* the program's, which the resolver's does not replace */
    const weir_balance_config *balance;
    weir_endpoints *list; /* NULL: not known yet */
    weir_timer empty;     /* runs while the name says that it has none */
    weir__sub **subs;     /* in the list's order */
    size_t sub_count;
    weir_list leaving; /* subchannels that are not in the list any more */
    size_t ready_count, failing_count;
    uint64_t random; /* state of draws; not 0 */

    /* channel_balance.c */
    weir_balancer *balancer; /* NULL: pick_first */
    weir__sub *first;        /* pick_first: the one that is used */
    size_t trying;           /* pick_first: the one that is tried */
    bool stale;              /* the balancer has to be told */
    weir_timer sweep;        /* of outliers */

    double retry_tokens; /* gRFC A6, "throttling retry attempts" */

    weir__entity entity;
    weir__counters calls; /* loop writes, any reads */
    unsigned loop_number; /* constant */

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

typedef struct weir__tries weir__tries;

typedef struct weir__client_call {
    weir_call call;
    weir_channel *channel;
    weir_list node; /* waiting or running */
    weir__sub *sub; /* where its attempt runs; NULL: nowhere */
    weir_time picked;
    int64_t first_us;    /* after `picked`: the server's metadata came; 0: not yet */
    uint64_t hash;       /* of its key, for consistent hashing; 0: none */
    size_t max_response; /* the service config's; 0: none */
    weir__tries *tries;  /* for more than one attempt; NULL: there is but one */
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
    bool repeated;      /* once, because no server has seen it */
    bool answered;      /* the server's metadata or a message has come: no more attempts */
    bool counted;       /* as ended */
    bool decided;       /* this side has ended it: no more attempts */
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

/* client_call.c, for client_start.c */

extern const weir__call_ops weir__client_call_ops;
/** Tells the end, once, and frees. */
void weir__client_call_tell(weir__client_call *call, const weir_status *status);
/** One that nobody knows of. */
void weir__client_call_free(weir__client_call *call);
/** The interceptors may see it, and it is placed then. */
void weir__client_call_proceed(weir_call *call);

/** The engine takes the call, or says why not. */
WEIR_MUST_CHECK weir_err weir__client_call_attach(weir__client_call *call, weir__sub *sub);
/** Its connection has lost it. @return true: it goes on, because no server has seen it */
bool weir__client_call_again(weir__client_call *call);
/** Its deadline, while it has no connection. */
void weir__client_call_arm(weir__client_call *call);
/** Ends a call that has no connection. */
void weir__client_call_end(weir__client_call *call, weir_status_code code, const char *message);
/** Tells its end, as that of an attempt, whose `wire` and `link` it has. */
void weir__client_call_finish(weir__client_call *call, const weir_status *status);
/** The backend's part of the call's own attempt is over. Repeatable. */
void weir__client_call_leave(weir__client_call *call, const weir_status *status);
/** What places the call among backends: its own key, its header, or chance. */
uint64_t weir__client_call_hash(weir__client_call *call);

/** Opens an attempt on the subchannel's connection, with the request if there is one. Errors as
 * weir_grpc_call_start(). */
WEIR_MUST_CHECK weir_err weir__client_call_open(weir__client_call *call, weir__sub *sub,
                                                weir_call *owner, weir_grpc_call **out);

/* channel.c */

/** Goes on with the end of the channel when nothing is left of it in the loop. */
void weir__channel_check_closed(weir_channel *channel);
/** Whether the calling thread must not wait: it is the one that would be waited for. @thread any */
bool weir__channel_would_deadlock(const weir_channel *channel);
/** A number that nobody can foresee. */
uint64_t weir__channel_draw(weir_channel *channel);

/* channel_state.c */

void weir__channel_state_init(weir_channel *channel);
void weir__channel_state_fini(weir_channel *channel);
void weir__channel_set_state(weir_channel *channel, weir_connectivity state);

/* channel_backends.c */

/** Reads the service config, and makes the one backend of a target that is one. */
WEIR_MUST_CHECK weir_err weir__channel_open(weir_channel *channel);
/** Begins to resolve, unless that is done; what is found is connected to. */
void weir__channel_resolve(weir_channel *channel);
/** Every subchannel, and what follows the target, comes to its end. */
void weir__channel_drop_backends(weir_channel *channel);
void weir__channel_backends_fini(weir_channel *channel);
/** Whose health decides over backends; NULL: nobody's. */
const char *weir__channel_health_service(const weir_channel *channel);

/* channel_balance.c */

/** The policy of `config`, which must outlive its use. @errors WEIR_ENOMEM: all is as it was */
WEIR_MUST_CHECK weir_err weir__channel_set_policy(weir_channel *channel,
                                                  const weir_balance_config *config);
/** The balancer learns what is usable now. @return false: out of memory */
bool weir__channel_tell_balancer(weir_channel *channel);
/** There is another list, or config: the policy begins anew with the subchannels as they are. */
void weir__channel_rebalance(weir_channel *channel);
/** A subchannel's state is another now. */
void weir__channel_sub_changed(weir_channel *channel, weir__sub *sub);
/** Makes connections, unless they are there or coming. */
void weir__channel_connect(weir_channel *channel);
/** The next attempts begin now, where some wait. */
void weir__channel_reset_backoff(weir_channel *channel);
/** Each call has a place of its own, for which it waits while others go ahead. */
bool weir__channel_is_ring(const weir_channel *channel);
/** Calls can be placed, or could but for limits. */
bool weir__channel_is_ready(const weir_channel *channel);

/* channel_pick.c */

typedef enum weir__picked {
    WEIR__PICK_OK,
    WEIR__PICK_WAIT, /* for a connection, or for room on one */
    WEIR__PICK_NONE, /* circuit breakers are open */
} weir__picked;

/** Chooses where a call goes next. */
weir__picked weir__channel_pick(weir_channel *channel, const weir_pick *pick, weir__sub **out);
/** Its server takes no more at once. */
void weir__channel_sub_is_full(weir_channel *channel, weir__sub *sub);
/** It may take one more. */
void weir__channel_sub_has_room(weir_channel *channel, weir__sub *sub);
/** An attempt there has ended. The subchannel may be gone then. */
void weir__channel_sub_done(weir_channel *channel, weir__sub *sub, weir_status_code code,
                            int64_t latency_us);

/* channel_wait.c */

/** Finds a place for a new call: on a connection, in the queue, or nowhere. */
void weir__channel_place(weir_channel *channel, weir__client_call *call);
/** Gives waiting calls to connections, in their order, while they take them. */
void weir__channel_place_waiting(weir_channel *channel);
/** The channel fails: calls that do not wait for ready end. */
void weir__channel_fail_waiting(weir_channel *channel);
/** The call is over. A second time it touches nothing: the channel may be gone. */
void weir__channel_forget(weir_channel *channel, weir__client_call *call);
/** Runs the timer of idleness. */
void weir__channel_watch_idle(weir_channel *channel);

#endif
