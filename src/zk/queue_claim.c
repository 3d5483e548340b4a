/* Giving up a claim. Another one may claim the item at once, under the same name; so when an answer
 * was lost, what is there is read before it is deleted again. At the session's end there is nothing
 * to do; an operation waits for the connection by itself. */
#include "queue_impl.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    TRIES = 100
};

typedef struct release {
    weir_zk *zk;
    int tries;
    char id[WEIR__ZK_ID_LEN + 1];
    weir__zk_path path;
} release;

static void look(release *r);

static bool is_lost(release *r, weir_err err)
{
    return (err == WEIR_EIO || err == WEIR_ETIMEDOUT || err == WEIR_EAGAIN || err == WEIR_ENOMEM) &&
           r->tries++ < TRIES;
}

static void on_deleted(const weir_zk_result *result, void *user)
{
    release *r = user;
    if (is_lost(r, result->err))
        look(r);
    else
        free(r);
}

static void delete (release *r)
{
    if (weir_zk_delete(r->zk, NULL, r->path, WEIR_ZK_ANY_VERSION, on_deleted, r))
        free(r);
}

static void on_found(const weir_zk_result *result, void *user)
{
    release *r = user;
    if (is_lost(r, result->err))
        look(r);
    else if (result->err == WEIR_OK && weir_str_eq(result->data, weir_str_from(r->id)))
        delete (r);
    else
        free(r);
}

static void look(release *r)
{
    if (weir_zk_get(r->zk, NULL, r->path, NULL, on_found, r))
        free(r);
}

void weir__zk_claim_release(weir_zk_queue *q, const weir__zk_claim *claim, bool doubtful)
{
    release *r = calloc(1, sizeof *r);
    if (!r)
        return; /* it goes with the session */
    r->zk = q->zk;
    weir__zk_queue_path(q, r->path, "claims", claim->item);
    snprintf(r->id, sizeof r->id, "%s", claim->id);
    if (doubtful)
        look(r);
    else
        delete (r);
}
