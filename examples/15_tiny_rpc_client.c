/* Calls 14-tiny-rpc-server: `15-tiny-rpc-client 127.0.0.1:8000 2 WORD...` reverses each word. All
 * calls are sent at once; an answer finds its call by its id; each has a timeout of its own. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <weir/net/net.h>

enum {
    ID_BYTES = 4,
    HEAD_BYTES = ID_BYTES + 1,
    FRAME_MAX = 4096
};

/** Pending while its timer is. */
typedef struct call {
    weir_timer timer;
    struct client *client;
    const char *word;
} call;

typedef struct client {
    weir_loop *loop;
    char method;
    uint32_t count;
    uint32_t left; /* pending calls */
    bool failed;
    call calls[]; /* the index is the id */
} client;
