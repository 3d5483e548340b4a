/**
 * @file
 * One suite of calls for every API: a client driver makes a call and writes down what came of it, a
 * server driver serves test.Test. A new API is one more driver, in a file of its own.
 *
 * What every server does: Unary answers "hello X"; Collect joins what it gets; Split sends each
 * letter back; Chat echoes. A message "fail" ends any of them with ABORTED, text and details;
 * "hang" is never answered; "cancel" is cancelled by the server, "drop" loses its connection;
 * "many" is answered with MANY messages of LARGE bytes by Split. The request's "x-bin" comes back
 * as header and as trailer.
 */
#ifndef WEIR_APIS_SUITE_H
#define WEIR_APIS_SUITE_H

#include "test.h"

#include "rpc_testing.h"

enum {
    MOST_MESSAGES = 3000,
    MANY = 300,
    LARGE = 10000
};

#define FAIL_TEXT    "as told"
#define FAIL_DETAILS "\x08\x0a\x12\x01x"

/** What a client is to do. */
typedef struct plan {
    int method;
    const char *const *messages; /* sent, then half-closed; methods without a stream take one */
    size_t count;
    size_t copies;      /* each message so many times; 0: once */
    size_t padding;     /* bytes added to each */
    const char *bin;    /* "x-bin" of the request; NULL: none */
    int64_t timeout_us; /* 0: the default */
    bool cancel;        /* once the call is under way, or after the first answer if there is one */
    bool slow;          /* reads only when the server has had time to fill everything in between */
} plan;

/** What came of it. */
typedef struct outcome {
    weir_status_code code;
    char text[200];
    char details[100];
    size_t details_len;
    size_t count;                 /* messages */
    size_t bytes;                 /* of all their texts */
    char joined[200];             /* the beginning of all their texts */
    char header[50], trailer[50]; /* "x-bin" that came back; "" none */
} outcome;

typedef struct client_driver {
    const char *name;
    void (*run)(weir_channel *channel, const plan *p, outcome *out);
} client_driver;

/** One that is running. */
typedef struct server_run {
    test_server server;
    weir_queue *queue; /* of the queue's driver */
    pthread_t thread;
} server_run;

typedef struct server_driver {
    const char *name;
    void (*start)(server_run *run);
    void (*stop)(server_run *run);
} server_driver;

extern const client_driver client_callback, client_async, client_blocking, client_queue;
extern const server_driver server_callback, server_blocking, server_queue;

/* For drivers. */

/** The n-th message of the plan, in `mem`. */
text plan_message(const plan *p, size_t n, weir_arena *mem);
size_t plan_messages(const plan *p);
/** Its options; metadata in `mem`. */
weir_call_opts plan_opts(const plan *p, weir_arena *mem, weir_metadata *metadata);

void note_message(outcome *out, const text *message);
void note_status(outcome *out, const weir_status *status);
void note_bin(char to[50], const weir_metadata *from);

/** For weir_call_run_post(), or in the call's loop: its connection is gone. */
void drop_connection(weir_call *call, void *unused);

/** A status as "fail" asks for it. */
extern const weir_status told_to_fail;
static inline bool says(const text *message, const char *word)
{
    return weir_str_starts(message->text, weir_str_from(word));
}

/** Whether the call is to be answered in another way than usual, or not at all. */
static inline bool is_order(const text *message)
{
    return says(message, "fail") || says(message, "hang") || says(message, "cancel") ||
           says(message, "drop");
}

#endif
