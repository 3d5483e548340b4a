/**
 * @file
 * Accounts in the database. All functions run within a transaction.
 */
#ifndef CHAT_MODEL_ACCOUNTS_H
#define CHAT_MODEL_ACCOUNTS_H

#include "refusal.h"
#include "store/db.h"

/** Who makes a call, as the token says. */
typedef struct caller {
    uint64_t id;
    uint64_t generation; /**< of the account's tokens: a changed password begins a new one */
    char name[33];
} caller;

typedef struct account {
    uint64_t id;
    weir_str name;
    weir_str password; /**< as password.h makes it */
    weir_str display_name;
    weir_str about;
    uint64_t generation;
    int64_t last_seen_us;
} account;

/** @errors WEIR_EEXIST: the name is taken (or the id). Else as db.h. */
WEIR_MUST_CHECK weir_err accounts_add(db *d, const account *added);
/** @param out  its texts in `mem` @errors WEIR_ENOENT: nobody has that name */
WEIR_MUST_CHECK weir_err accounts_find(db *d, weir_str name, weir_arena *mem, account *out);
/** Only the id. @errors WEIR_ENOENT */
WEIR_MUST_CHECK weir_err accounts_id_of(db *d, weir_str name, uint64_t *id);
/** Whether the caller's token is still good. @errors WEIR_EACCES: it is not */
WEIR_MUST_CHECK weir_err accounts_check(db *d, const caller *who);
WEIR_MUST_CHECK weir_err accounts_set_profile(db *d, uint64_t id, weir_str display_name,
                                              weir_str about);
/** Ends older tokens: the generation grows by one. */
WEIR_MUST_CHECK weir_err accounts_set_password(db *d, uint64_t id, weir_str password);
WEIR_MUST_CHECK weir_err accounts_set_last_seen(db *d, uint64_t id, int64_t us);

/** A value that all nodes share; made of `made` by the first one that asks.
 * @param out  in `mem` */
WEIR_MUST_CHECK weir_err settings_get_or_make(db *d, weir_str name, weir_str made, weir_arena *mem,
                                              weir_str *out);
/** A number for a node that starts, different from that of the 1,023 that started last. */
WEIR_MUST_CHECK weir_err nodes_add(db *d, weir_str name, int64_t now_us, uint64_t *number);

#endif
