/**
 * @file
 * Prefork: several processes that serve one address, and a master that keeps them running.
 *
 * The master binds the sockets, one for each worker (SO_REUSEPORT; of a unix socket there is one
 * for all), and forks. A worker that dies is started again after a delay that doubles; connections
 * that the kernel has given to its socket wait there meanwhile. The master itself runs no thread
 * and no loop, and takes these signals while it runs:
 *
 *   SIGTERM, SIGINT  workers are told to stop (SIGTERM) and killed after the grace; a second one is
 *                    passed on too, and the grace is a second then
 *   SIGQUIT          workers are told to leave (SIGQUIT): connections may end by themselves
 *   SIGHUP           reload: new workers are forked; when one is ready, its predecessor is told to
 *                    leave. The sockets stay open all the time, so that no connection is refused.
 *                    A new worker that fails before it is ready changes nothing.
 *
 * A worker whose master is gone gets SIGTERM from the kernel.
 */
#ifndef WEIR_NET_PREFORK_H
#define WEIR_NET_PREFORK_H

#include <weir/net/listener.h>

WEIR_BEGIN_DECLS

typedef struct weir_prefork weir_prefork;

/** A zeroed field means the default written beside it. */
typedef struct weir_prefork_opts {
    unsigned workers;       /**< processes; 0: one per CPU */
    int64_t backoff_us;     /**< before the first restart of a worker; doubles; 0: 100 ms */
    int64_t backoff_max_us; /**< at most so long; a worker that lived longer starts anew; 0: 10 s */
    int64_t grace_us;       /**< for workers that stop, then they are killed; 0: 15 s */
    int64_t leave_us;       /**< for workers that leave, then they are killed; 0: 65 s */
    weir_listener_opts listener;
} weir_prefork_opts;

/** What a worker process knows. */
typedef struct weir_prefork_worker {
    unsigned number;       /**< from 0; a restarted one has its predecessor's */
    int fd;                /**< listens: for weir_listener_opts.fd; the worker's to close */
    const weir_addr *addr; /**< of the socket */
    weir_prefork *master;  /* weir's own, for weir_prefork_ready() */
    unsigned place;
} weir_prefork_worker;

/** The life of a worker, in a process of its own; its result is the exit status. SIGTERM asks it to
 * stop, SIGQUIT to leave; these two and SIGHUP are blocked when it begins, so that none is lost
 * before weir_signals_open(). SIGINT, which a terminal sends to the whole group, is ignored. */
typedef int (*weir_prefork_fn)(const weir_prefork_worker *worker, void *user);

/**
 * Binds the sockets; nothing is forked yet.
 * @param out   yours until weir_prefork_free()
 * @param addr  as weir_addr_parse() reads it
 * @param opts  copied; NULL is all defaults
 * @param why   a sentence on failure; may be NULL
 * @thread the main thread
 * @errors as weir_listener_open()
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_prefork_new(weir_prefork **out, const char *addr,
                                                   const weir_prefork_opts *opts, weir_why *why);

/** The bound address. */
WEIR_API const weir_addr *weir_prefork_addr(const weir_prefork *master);

/**
 * Forks the workers and looks after them until a signal ends it and all of them have ended. Only
 * the master returns from it.
 * @param fn  runs in each worker
 * @thread the main thread; a program that forks should have no other threads
 * @errors WEIR_EAGAIN, WEIR_ENOMEM: not one worker could be forked
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_prefork_run(weir_prefork *master, weir_prefork_fn fn,
                                                   void *user);

/** Called in a worker that accepts connections now. */
WEIR_API void weir_prefork_ready(const weir_prefork_worker *worker);

/** Closes the sockets. NULL is fine. */
WEIR_API void weir_prefork_free(weir_prefork *master);

WEIR_END_DECLS

#endif
