/**
 * @file
 * Many users of a chat server, and what they see.
 *
 * The plan (groups and who is in them) is made before anything runs. Then each worker, a loop with
 * its thread, has every n-th user, and all that a user does happens there. The main thread says
 * when the next phase begins and reads the counters.
 */
#ifndef CHAT_ROBOT_ROBOT_H
#define CHAT_ROBOT_ROBOT_H

#include <chat_client.h>
#include <stdatomic.h>
#include <stddef.h>

#include "histogram.h"
#include "options.h"
#include "tag.h"

enum {
    ROBOT_SENDERS = 16, /* of a group; the others only listen */
    ROBOT_NAME = 64
};

struct robot;
struct user;

/** A room, or a conversation of two. */
typedef struct group {
    uint32_t index;
    uint32_t members;
    uint32_t senders;
    uint32_t peers[2];  /* of two: users */
    atomic_uint stored; /* messages acknowledged to their senders */
} group;

/** A user in a group. */
typedef struct membership {
    struct user *user;
    group *group;
    uint32_t sender;        /* its index; ROBOT_SENDERS: it only listens */
    atomic_uint sent;       /* by it */
    uint64_t last_seq;      /* that it has seen */
    atomic_uint received;   /* of this run */
    uint32_t *last_numbers; /* of each sender, that it has seen */
} membership;

typedef struct user {
    struct worker *worker;
    uint32_t index;
    chat_client *client;
    membership *in;
    uint32_t in_count;
    uint32_t joined; /* of them */
    bool joining;
    bool ready;
    weir_timer again; /* joins once more after a refusal for now */
} user;

/** What a worker's users have counted. Its loop writes; atomic, so that the main thread can look.
 */
typedef struct counts {
    atomic_ulong ready;      /* users */
    atomic_ulong greeted;    /* direct conversations that were made */
    atomic_ulong stored;     /* sends acknowledged */
    atomic_ulong failed;     /* sends refused for good */
    atomic_ulong unsent;     /* the client's queue was full */
    atomic_ulong received;   /* messages of this run */
    atomic_ulong repeated;   /* seen twice */
    atomic_ulong disordered; /* after a later one of the same sender */
    atomic_ulong missing;    /* seqs left out */
} counts;

typedef struct worker {
    struct robot *robot;
    weir_loop_thread *thread;
    weir_loop *loop;
    uint32_t index;
    uint32_t next_login;  /* user */
    uint32_t logging_in;  /* now */
    membership **senders; /* of this worker's users, in the order in which they take turns */
    size_t sender_count;
    size_t next_sender;
    weir_task task; /* the phase that begins */
    weir_ticker ticker;
    weir_timer timer;
    uint64_t due; /* messages so far */
    bool sending;
    counts counts;
    histogram answers;            /* from when it was due to the sender's acknowledgement */
    histogram deliveries;         /* to a member */
    chat_client_counters clients; /* of all, when they were last collected */
} worker;

/** One message to a large room. */
typedef struct fan_out {
    atomic_uint missing; /* members */
    atomic_uint number;  /* of the message */
    int64_t *took_us;    /* of each user */
    weir_task task;
} fan_out;

typedef struct robot {
    options opts;
    uint32_t run;
    weir_time start; /* times are counted from it */
    unsigned rate;   /* of the run */
    int64_t sending_from_us;
    group *groups;
    uint32_t group_count;
    user *users;
    membership *memberships;
    size_t membership_count;
    size_t sender_count;
    worker *workers;
    fan_out fan_out;
    weir_latch all;     /* workers have done what they were told */
    atomic_flag told;   /* the first error was printed */
    atomic_flag waited; /* the first reason to try again was printed */
    atomic_bool broken;
} robot;

/** plan.c: who is in what. @return false: out of memory */
bool plan_make(robot *self);
void plan_free(robot *self);
void plan_user_name(const robot *self, uint32_t index, char out[ROBOT_NAME]);
void plan_room_name(const robot *self, const group *room, char out[ROBOT_NAME]);

/* user.c @thread the worker's */
void user_start(user *self);
void user_add_counters(const user *self, chat_client_counters *to);
void user_free(user *self);
/** The next message of that sender. @param due_us  when it is due, for its latency */
void user_send(membership *from, int64_t due_us);
/** The first message of a conversation of two, which makes it; not counted. */
void user_greet(user *self);

/* worker.c @thread the main one */
/** Threads, and the first logins. @errors as weir_loop_thread_start() */
WEIR_MUST_CHECK weir_err workers_start(robot *self);
void workers_greet(robot *self);
void workers_send(robot *self);
void workers_stop_sending(robot *self);
/** What the clients have counted, into worker.clients. */
void workers_collect(robot *self);
/** Frees all clients and ends the threads; what they counted stays. */
void workers_end(robot *self);
/** A user is ready: the next one may log in. @thread the worker's */
void worker_user_ready(worker *self);
/** Of all workers. @param counter  offsetof(counts, ...) */
unsigned long workers_sum(robot *self, size_t counter);
int64_t robot_now_us(const robot *self);
/** Says it, the first time, and ends the run. @thread any */
void robot_broken(robot *self, const char *what, const char *why);

/** fan_out.c: the whole run. @return false: a message did not reach everybody */
bool fan_out_run(robot *self);
/** A member has it. @thread a worker's */
void fan_out_received(robot *self, uint32_t member, const tag *of);

/** What was counted while messages were sent. */
typedef struct period {
    unsigned rate; /* that was asked for */
    double seconds;
    unsigned long stored, received;
} period;

/* report.c */
/** Messages that were stored and did not reach a member. When everything is over. */
unsigned long report_lost(const robot *self);
/** Prints the result. @return whether nothing was lost, repeated or out of order */
bool report_run(robot *self, const period *of);

#endif
