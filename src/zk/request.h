/**
 * @file
 * An operation between its user and the client: request.c has its life, request_client.c what the
 * client does with it.
 */
#ifndef WEIR_ZK_REQUEST_H
#define WEIR_ZK_REQUEST_H

#include "zk_client.h"

typedef enum request_kind {
    CREATE,
    MAKE_PATH,
    GET,
    SET,
    DELETE,
    EXISTS,
    CHILDREN
} request_kind;

typedef struct weir__zk_request {
    weir_list node;
    weir_zk *zk;
    request_kind kind;
    bool sent; /* the client has it, and will complete it */
    bool told; /* nobody waits for its end any more */
    unsigned flags;
    int32_t version;
    weir_zk_fn fn;
    void *user;
    weir_zk_op *op;
    weir__zk_arm *arm;
    weir_timer timeout;
    size_t path_len, data_len;
    size_t cut; /* of MAKE_PATH: the bytes of the path that is made now */
    char *data;
    char path[]; /* the chroot included */
} request;

static inline request *request_of(weir_list *node)
{
    return WEIR_CONTAINER_OF(node, request, node);
}

/** It leaves its list. */
void weir__zk_request_unlink(request *r);
/** Its callback comes, unless nobody waits for it. @param text  of the error */
void weir__zk_request_tell(request *r, weir_zk_result *result, const char *text);

#endif
