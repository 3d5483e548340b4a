/**
 * @file
 * The inside of a session, and the one door to ZooKeeper's client.
 *
 * The client calls back from within zookeeper_process(), zookeeper_interest() and
 * zookeeper_close(); what may not happen there (closing the handle, freeing the session) is noted
 * and done by weir__zk_leave(), when nothing of it is on the stack any more.
 */
#ifndef WEIR_ZK_ZK_CLIENT_H
#define WEIR_ZK_ZK_CLIENT_H

#include <weir/net/lookup.h>
#include <weir/net/watcher.h>
#include <weir/zk/node.h>

/* The client declares what is loop-friendly only without this. */
#undef THREADED
#include <zookeeper/zookeeper.h>

enum {
    WEIR__ZK_HOSTS = 16,      /* more are refused */
    WEIR__ZK_HOST_TEXT = 256, /* of one, the NUL included */
    WEIR__ZK_SERVERS = 4096   /* bytes of their numbers in all */
};

/** Names, and the numbers behind them. */
typedef struct weir__zk_hosts {
    weir_zk *zk;
    char names[WEIR__ZK_HOSTS][WEIR__ZK_HOST_TEXT];
    size_t count;
    struct weir__zk_host_lookup {
        struct weir__zk_hosts *hosts;
        weir_lookup *lookup;
    } lookups[WEIR__ZK_HOSTS];
    unsigned pending;
    bool named;                     /* there are names, whose addresses may change */
    char servers[WEIR__ZK_SERVERS]; /* "127.0.0.1:2181,::1:2181", as the client wants it */
    weir_why why;
} weir__zk_hosts;

struct weir_zk {
    weir_loop *loop;
    zhandle_t *handle; /* NULL: between two sessions */
    weir_zk_state state;
    int busy;            /* callbacks on the stack */
    bool freed, dead;    /* to do when that is 0; the handle is of no use any more, */
    bool refused, bogus; /* because of the credentials, or because it is no ZooKeeper */
    weir_list listeners;
    weir_list *next_listener; /* while they are told: weir_zk_unlisten() steps over it */

    weir_list again;   /* reads whose connection was lost: before those that wait */
    weir_list waiting; /* for a connection, or for fewer to be under way */
    weir_list sent;
    weir_list ending; /* of a session that has ended */
    size_t count, sent_count;
    weir_list arms;

    weir_watcher watcher;
    weir_timer timer;
    weir_deferred turn;
    weir_time not_before; /* of the next attempt to connect */
    int64_t delay_us;
    unsigned failures; /* since it was connected */

    weir__zk_hosts hosts;
    char chroot[WEIR_ZK_PATH_MAX + 1];
    size_t chroot_len;
    int64_t session_us, granted_us, operation_us;
    size_t operations;
    char *auth;
    int64_t id;
    weir_why why;
};

/* A session's ends: session.c. */

static inline void weir__zk_enter(weir_zk *zk)
{
    zk->busy++;
}

/** @return false: the session or its handle is gone */
bool weir__zk_leave(weir_zk *zk);
/** At the end of this turn: send what waits, and see what the client waits for. */
void weir__zk_soon(weir_zk *zk);
/** The client's state is another one: one of ZOO_..._STATE. */
void weir__zk_on_state(weir_zk *zk, int state);
/** The hosts' addresses are known, or `err`. */
void weir__zk_on_hosts(weir_zk *zk, weir_err err);

/* session_io.c */

/** A handle, which connects. */
weir_err weir__zk_open(weir_zk *zk);
/** Ends the client's session without waiting for anybody; its completions come within. */
void weir__zk_close(weir_zk *zk);
/** The client did not get through. */
void weir__zk_failed(weir_zk *zk, int code);
/** What the client wants to wait for. */
void weir__zk_step(weir_zk *zk);
/** A length between 0 and `us`. */
int64_t weir__zk_jitter(int64_t us);

/* session_hosts.c */

weir_err weir__zk_hosts_read(weir__zk_hosts *hosts, weir_zk *zk, const char *text, weir_why *why);
/** weir__zk_on_hosts() follows, perhaps inside this call. Nothing happens when it runs already. */
void weir__zk_hosts_start(weir__zk_hosts *hosts);
void weir__zk_hosts_stop(weir__zk_hosts *hosts);

/* request.c */

/** Every operation that there is now ends. */
void weir__zk_end_requests(weir_zk *zk, weir_err err, const char *why);

/* request_client.c */

/** Gives the client what waits. */
void weir__zk_send(weir_zk *zk);

/* watch.c */

/** What the client knows of a watch: lives until it has fired there, or the handle is closed. */
typedef struct weir__zk_arm {
    weir_list node;
    weir_zk_watch *watch; /* NULL: nobody wants to know any more */
    unsigned requests;    /* that will set it */
    bool client;          /* has it */
    bool set;             /* from the user's view */
    int kind;
    char path[];
} weir__zk_arm;

/** @return NULL: out of memory */
weir__zk_arm *weir__zk_arm_of(weir_zk *zk, weir_zk_watch *watch, int kind, const char *path);
/** A request that will not be told of its end: the watch is not set by it. */
void weir__zk_arm_unwanted(weir__zk_arm *arm);
/** A request is over. @param client  the client has the watch now */
void weir__zk_arm_done(weir__zk_arm *arm, bool client);
void weir__zk_on_watch(zhandle_t *handle, int type, int state, const char *path, void *user);
/** The handle is closed: watches fire, or (told is false) are forgotten. */
void weir__zk_end_arms(weir_zk *zk, bool tell);

/* error.c */

weir_err weir__zk_err(int code);
/** A sentence, without a full stop. */
const char *weir__zk_err_text(int code);

#endif
