/**
 * @file
 * Registry: where servers say that they serve something, for resolvers to find. Kept up for as long
 * as the server wants it: what is lost (a session, a file that somebody removed) is registered
 * anew.
 *
 *     weir_registry_open(&registry, loop, "file:///run/weir/services", NULL, &why);
 *     weir_registry_add(&registration, registry, "chat.Room", &endpoint, on_state, NULL, &why);
 *     ...
 *     weir_registry_withdraw_all(registry, drain_the_server, NULL);
 *
 * A registry lives in one loop. Its functions are called there, except those with `_post` in their
 * names, which any thread may call while the registry lives.
 */
#ifndef WEIR_NAMING_REGISTRY_H
#define WEIR_NAMING_REGISTRY_H

#include <weir/naming/endpoint.h>
#include <weir/net/loop.h>

WEIR_BEGIN_DECLS

/** The longest name of a service, in bytes. */
#define WEIR_SERVICE_NAME_MAX 200
/** Registrations of one registry. */
#define WEIR_REGISTRATIONS_MAX 10000

typedef struct weir_registry_type weir_registry_type;
typedef struct weir_registry weir_registry;
typedef struct weir_registration weir_registration;

typedef enum weir_registration_state {
    WEIR_REGISTRATION_PENDING, /**< not yet, and it is being tried; never told */
    WEIR_REGISTRATION_ACTIVE,  /**< others can find it */
    WEIR_REGISTRATION_LOST     /**< others may not find it; it goes on being tried */
} weir_registration_state;

/**
 * Told in the loop when the state changes, never inside weir_registry_add(), and not any more after
 * weir_registry_withdraw().
 * @param why  for LOST a sentence, else ""
 */
typedef void (*weir_registration_fn)(weir_registration *registration, weir_registration_state state,
                                     const char *why, void *user);

/** The end of a withdrawal. WEIR_OK: nobody finds it any more. Else `why` says what is left behind
 * until the registry forgets it (a ZooKeeper session ends, a process's files count as stale). */
typedef void (*weir_withdrawn_fn)(weir_err err, const char *why, void *user);

/** A zeroed field means the default written beside it. */
typedef struct weir_registry_opts {
    const weir_registry_type *const *types; /**< the kinds that are known besides
                                                 weir_registry_file; NULL: none */
    size_t type_count;
    const char
        *auth; /**< "USER:PASSWORD" for registries that ask for it (zk: digest); NULL: none */
    int64_t session_us; /**< after so long without a sign of life others may take this process for
                             dead; 0: the kind's own default */
} weir_registry_opts;

/* For programs. */

/**
 * Opens the registry at `target`: "file:///PATH" or "file:/PATH", or the scheme of one of
 * opts->types ("zk://HOST:PORT,HOST:PORT/PATH"). Nothing is waited for: what cannot be reached
 * shows in the registrations' states.
 * @param out     yours: weir_registry_free()
 * @param loop    where it lives; must outlive it
 * @param target  not kept
 * @param opts    copied, its texts too; NULL is all defaults
 * @param why     a sentence on failure; may be NULL
 * @thread the loop's, or any before the loop runs
 * @errors WEIR_EINVAL: no such scheme, or the rest is not of its form. WEIR_ENOMEM. Others of the
 *         kind's open.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_registry_open(weir_registry **out, weir_loop *loop,
                                                     const char *target,
                                                     const weir_registry_opts *opts, weir_why *why);

/**
 * Ends everything that is registered, as well as it can be done without waiting: files are removed,
 * sessions closed. Withdraw first to be sure. No callback comes any more. NULL is fine.
 * @thread the loop's, or any after the loop has ended. Not inside the callbacks of a registration;
 *         inside that of weir_registry_withdraw_all() it is fine
 */
WEIR_API void weir_registry_free(weir_registry *registry);

/**
 * Registers `endpoint` under `service`, and keeps it registered until it is withdrawn.
 * @param out       valid until its withdrawal is told, or weir_registry_free()
 * @param service   "package.Service"; letters, digits and "._-", not beginning with "."; not kept
 * @param endpoint  copied; the address is what others connect to
 * @param fn        told of changes; may be NULL
 * @param user      last argument of `fn`
 * @param why       a sentence on failure; may be NULL
 * @thread the loop's, or any before the loop runs
 * @errors WEIR_EINVAL: no name of a service; an address that nobody can connect to ("0.0.0.0:80",
 *         port 0), or without a port; metadata that is no JSON object. WEIR_EFULL:
 *         WEIR_REGISTRATIONS_MAX. WEIR_ENOMEM.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_registry_add(weir_registration **out,
                                                    weir_registry *registry, const char *service,
                                                    const weir_endpoint *endpoint,
                                                    weir_registration_fn fn, void *user,
                                                    weir_why *why);

/**
 * Publishes other properties (weight, zone, metadata) of the same registration.
 * @param endpoint  copied
 * @param why       a sentence on failure, after which the old ones stay; may be NULL
 * @thread the loop's
 * @errors as weir_registry_add(). WEIR_ESTATE: it is being withdrawn
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_registration_update(weir_registration *registration,
                                                           const weir_endpoint *endpoint,
                                                           weir_why *why);

/**
 * Ends a registration. `done` comes once, in the loop, never inside this call; the registration is
 * gone before it. A second call for the same registration is a bug.
 * @param done  may be NULL
 * @thread the loop's
 */
WEIR_API void weir_registry_withdraw(weir_registration *registration, weir_withdrawn_fn done,
                                     void *user);

/**
 * Ends all registrations. `done` comes once, never inside this call, when the last one is gone,
 * those that were being withdrawn already included, with the first failure. What a server does
 * before it drains. To be called once, after the last weir_registry_add().
 * @thread the loop's
 */
WEIR_API void weir_registry_withdraw_all(weir_registry *registry, weir_withdrawn_fn done,
                                         void *user);

/**
 * weir_registry_add() from any thread; the registry must live until that has happened. A failure is
 * told as WEIR_REGISTRATION_LOST, with NULL for the registration. When the loop ends first, nothing
 * is told.
 * @thread any
 * @errors WEIR_ENOMEM: `fn` never comes
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_registry_add_post(weir_registry *registry,
                                                         const char *service,
                                                         const weir_endpoint *endpoint,
                                                         weir_registration_fn fn, void *user);

/** weir_registry_withdraw_all() from any thread, in the same way. @thread any @errors WEIR_ENOMEM:
 * `done` never comes */
WEIR_API WEIR_MUST_CHECK weir_err weir_registry_withdraw_all_post(weir_registry *registry,
                                                                  weir_withdrawn_fn done,
                                                                  void *user);

/** What is registered; the views live until it is updated or gone. @thread the loop's */
WEIR_API const weir_endpoint *weir_registration_endpoint(const weir_registration *registration);
/** @thread the loop's */
WEIR_API weir_registration_state weir_registration_state_of(const weir_registration *registration);

/**
 * "file:///PATH": the folder PATH/SERVICE has a file "ID.live" per registration, with the endpoint
 * as JSON; a resolver for "file:///PATH/SERVICE" reads it. PATH and the folder are made when they
 * are missing, folders above PATH are not. Files appear and change in one step (rename); what
 * somebody removes is put back within a second. Each stays locked (flock) by its process, so that
 * those of a killed process do not count any more; whoever registers next in that folder removes
 * them. For one machine: over NFS locks may not tell.
 */
extern WEIR_API const weir_registry_type weir_registry_file;

/* For kinds of registries. */

/** The head of a registry: the first field of its type's own struct, filled by
 * weir_registry_open(). */
struct weir_registry {
    const weir_registry_type *type;
    weir_loop *loop;
    weir_list registrations; /**< weir_registration.node */
    size_t count;            /**< of these */
    weir_timer all_gone;     /**< tells what weir_registry_withdraw_all() was given */
    weir_withdrawn_fn done;
    void *done_user;
    weir_err done_err;
    weir_why done_why;
    uint64_t added; /**< so many were */
};

/** The head of a registration: the first field of its type's own struct, filled by
 * weir_registry_add() before the type's `add` is called. */
struct weir_registration {
    weir_list node;
    weir_registry *registry;
    weir_registration_state state; /**< changed by weir_registration_tell() */
    bool withdrawn;                /**< weir_registry_withdraw() was called */
    weir_arena texts;              /**< of the fields below */
    const char *service;
    const char *id;         /**< unique to this registration of this start of the process, in hex
                                 digits and "-", at most 40 bytes: a name for its node */
    weir_endpoint endpoint; /**< as it is to be published */
    const char *json;       /**< weir_endpoint_write() of it */
    weir_registration_fn fn;
    void *user;
    weir_withdrawn_fn done;
    void *done_user;
};

/** Of an opened registry. The texts are good during `open` only. */
typedef struct weir_registry_request {
    weir_loop *loop;
    const char *target;             /**< the whole target, for messages */
    const char *authority;          /**< of "SCHEME://AUTHORITY/PATH"; "" when there is none */
    const char *path;               /**< what follows the authority's "/", or the scheme's ":" */
    const weir_registry_opts *opts; /**< never NULL */
} weir_registry_request;

/** A kind of registry. Static const, as a rule. All functions are called in the loop's thread. */
struct weir_registry_type {
    const char *scheme;
    size_t registration_size; /**< of the type's own struct, head included; weir_registry_add()
                                   allocates and clears it */
    /** Allocates and begins. The head is filled by the caller. */
    weir_err (*open)(weir_registry **out, const weir_registry_request *request, weir_why *why);
    /** Begins to register; must not call weir_registration_tell() yet. Failing is for what will
     * never work. */
    weir_err (*add)(weir_registration *registration, weir_why *why);
    /** endpoint and json have changed. */
    void (*update)(weir_registration *registration);
    /** Ends with weir_registration_gone(), exactly once, not inside this function. */
    void (*withdraw)(weir_registration *registration);
    /** Releases what the type has for a registration, not the memory itself: called when it is
     * gone, and for those that are left before `free`. */
    void (*release)(weir_registration *registration);
    /** Frees the registry; no registration is left. */
    void (*free)(weir_registry *registry);
};

/** For types: sets the state, and tells it when it has changed. @param why  for LOST a sentence
 * @thread the loop's */
WEIR_API void weir_registration_tell(weir_registration *registration, weir_registration_state state,
                                     const char *why);
/** For types: the withdrawal has ended; the registration is freed. @thread the loop's */
WEIR_API void weir_registration_gone(weir_registration *registration, weir_err err,
                                     const char *why);

WEIR_END_DECLS

#endif
