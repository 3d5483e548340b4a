/**
 * @file
 * Resolver: follows a name, and tells the endpoints behind it whenever they change. A channel has
 * one, chosen by the scheme of its target. A program adds its own kind with a
 * weir_resolver_type in weir_channel_opts.resolvers.
 */
#ifndef WEIR_NAMING_RESOLVER_H
#define WEIR_NAMING_RESOLVER_H

#include <weir/naming/endpoint.h>
#include <weir/net/loop.h>

WEIR_BEGIN_DECLS

typedef struct weir_resolver_type weir_resolver_type;

/** The head of a resolver: the first field of its type's own struct. */
typedef struct weir_resolver {
    const weir_resolver_type *type;
} weir_resolver;

/** Who is told. The functions come in the loop, any number of times, never inside `start`, and not
 * after `free`. */
typedef struct weir_resolver_events {
    /**
     * The list as it is now; an empty one says that the service has no endpoints.
     * @param list            borrowed: take a reference to keep it
     * @param service_config  JSON (grpc/doc/service_config.md), for the target's owner sets none of
     *                        its own; NULL: the name has none
     */
    void (*found)(weir_endpoints *list, const char *service_config, void *user);
    /** It could not be found out: who has a list keeps it. @param why  a sentence */
    void (*failed)(weir_err err, const char *why, void *user);
} weir_resolver_events;

/** What is resolved, and for whom. The texts are good during `start` only. */
typedef struct weir_resolver_request {
    weir_loop *loop;       /**< where the resolver lives */
    const char *target;    /**< the whole target, for messages */
    const char *authority; /**< of "SCHEME://AUTHORITY/PATH"; "" when there is none */
    const char *path;      /**< what follows the authority's "/", or the scheme's ":" */
    const weir_resolver_events *events; /**< borrowed until `free` */
    void *user;                         /**< of the events */
} weir_resolver_request;

/** A kind of resolver. Static const, as a rule. */
struct weir_resolver_type {
    const char *scheme; /**< "redis" for "redis://..." */
    /**
     * Begins. @param out  the channel frees it
     * @param why  a sentence on failure
     * @return WEIR_EINVAL when the target is not of its form; after any error nothing runs
     */
    weir_err (*start)(weir_resolver **out, const weir_resolver_request *request, weir_why *why);
    /** Connections fail: a resolver that asks from time to time asks again soon. May be NULL. */
    void (*refresh)(weir_resolver *resolver);
    void (*free)(weir_resolver *resolver);
};

/** "static:///HOST:PORT,HOST:PORT": a list that stays. Also "ipv4:A,B" and "ipv6:[A]:P,[B]:P". */
extern WEIR_API const weir_resolver_type weir_resolver_static;
extern WEIR_API const weir_resolver_type weir_resolver_ipv4;
extern WEIR_API const weir_resolver_type weir_resolver_ipv6;

/**
 * "file:///PATH" or "file:/PATH", absolute either way: a file that is watched (inotify, and a look
 * every 2 s for what that does not tell). A line is an address ("HOST:PORT", "unix:PATH"), perhaps
 * followed by "weight=N" and "zone=NAME", or an endpoint as JSON (weir_endpoint_read()); "#" begins
 * a comment. At most 16 MiB and 10,000 lines. A change is read 50 ms after its first sign, so that
 * it may come in several steps; better write another file and rename it.
 *
 * A file with a line that cannot be read fails as a whole, so that half a list is never taken: the
 * last good list stays, and `failed` names file and line. So does a file without a byte, which may
 * be one that is just being written: a comment alone says that there are no endpoints. A missing
 * file is found when it appears.
 *
 * PATH may be a folder: each file in it whose name does not begin with "." has one or more
 * endpoints, at most 10,000 files and 16 MiB in all; those that cannot be read are left out, with a
 * warning in the log, since each may have another writer. "NAME.live" are those of
 * weir_registry_file: they count only while the process that wrote them lives.
 */
extern WEIR_API const weir_resolver_type weir_resolver_file;

/**
 * "dns:///HOST:PORT", "dns:HOST:PORT", "dns://NAMESERVER/HOST:PORT": every address of the name, at
 * most WEIR_LOOKUP_MAX, looked up again every 30 s, after a failure sooner (1 s, doubled each
 * time), and at once, but at most once a second, when connections fail. Without a port: 443. Told
 * when the addresses differ, not when only their order does. SRV records are not asked for.
 */
extern WEIR_API const weir_resolver_type weir_resolver_dns;

/** "unix:PATH" (relative or absolute), "unix:///PATH", "unix-abstract:NAME": one endpoint,
 * "unix:PATH" or "unix:@NAME"; at most 107 bytes, without blanks. */
extern WEIR_API const weir_resolver_type weir_resolver_unix;
extern WEIR_API const weir_resolver_type weir_resolver_unix_abstract;

WEIR_END_DECLS

#endif
