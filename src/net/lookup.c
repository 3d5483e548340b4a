#include <weir/net/lookup.h>

#include "lookup_ares.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    HOST_MAX = 256, /* a name has at most 253 bytes */
    SERVICE_BYTES = 1024
};

struct weir_lookup {
    weir_loop *loop;
    weir_lookup_fn fn;
    void *user;
    weir__questions *questions; /* NULL: nobody was asked */
    weir_timer limit;           /* of the whole */
    weir_timer end;             /* at once, or after the wait for the other family */
    int64_t family_wait_us;
    in_port_t port;
    weir_why why;
    weir__answers answers;
    char host[HOST_MAX];
};

/* The target */

static weir_err find_port(in_port_t *out, const char *service, weir_why *why)
{
    char numeric[16], room[SERVICE_BYTES];
    struct servent entry, *found = NULL;
    weir_addr any;
    snprintf(numeric, sizeof numeric, ":%s", service);
    if (strlen(service) + 2 <= sizeof numeric && !weir_addr_parse(&any, numeric, NULL)) {
        *out = htons((uint16_t)weir_addr_port(&any));
        return WEIR_OK;
    }
    if (getservbyname_r(service, "tcp", &entry, room, sizeof room, &found) != 0 || !found)
        return weir_why_set(why, WEIR_EINVAL, "\"%.40s\" is neither a port nor in /etc/services",
                            service);
    *out = (in_port_t)found->s_port;
    return WEIR_OK;
}

/** "HOST:PORT", where HOST is a name. */
static weir_err read_name(weir_lookup *lookup, const char *target, weir_why *why)
{
    const char *colon = strrchr(target, ':');
    size_t len = colon ? (size_t)(colon - target) : 0;
    if (len == 0 || len >= sizeof lookup->host || memchr(target, ':', len) ||
        strncmp(target, "unix:", 5) == 0)
        return weir_why_set(why, WEIR_EINVAL,
                            "\"%.60s\" is not a target: write \"name:80\", \"127.0.0.1:80\", "
                            "\"[::1]:80\" or \"unix:PATH\"",
                            target);
    memcpy(lookup->host, target, len);
    return find_port(&lookup->port, colon + 1, why);
}

/** An address needs no looking up. */
static weir_err read_target(weir_lookup *lookup, const char *target, weir_why *why)
{
    bool is_localhost = strncmp(target, "localhost:", 10) == 0;
    if (is_localhost || weir_addr_parse(&lookup->answers.addrs[0], target, NULL))
        return read_name(lookup, target, why);
    lookup->answers.count = 1;
    return WEIR_OK;
}

/* The end */

static void set_port(weir_addr *addr, in_port_t port)
{
    if (addr->storage.ss_family == AF_INET)
        ((struct sockaddr_in *)&addr->storage)->sin_port = port;
    else
        ((struct sockaddr_in6 *)&addr->storage)->sin6_port = port;
}

/** Nothing comes any more. */
static void quiet(weir_lookup *lookup)
{
    weir__questions_close(lookup->questions);
    weir_loop_cancel(lookup->loop, &lookup->limit);
    weir_loop_cancel(lookup->loop, &lookup->end);
}

static void finish(weir_lookup *lookup, weir_err err)
{
    quiet(lookup);
    if (lookup->answers.count > 0)
        err = WEIR_OK;
    if (err)
        weir_why_set(&lookup->why, err, "cannot look up \"%.80s\": %s", lookup->host,
                     weir_err_text(err));
    for (size_t i = 0; lookup->host[0] && i < lookup->answers.count; i++)
        set_port(&lookup->answers.addrs[i], lookup->port);
    lookup->fn(err, lookup->answers.addrs, lookup->answers.count, lookup->why.text, lookup->user);
    free(lookup);
}

static void on_end(weir_timer *timer WEIR_UNUSED, void *user)
{
    weir_lookup *lookup = user;
    finish(lookup, lookup->answers.err);
}

static void on_timeout(weir_timer *timer WEIR_UNUSED, void *user)
{
    finish(user, WEIR_ETIMEDOUT);
}

/** The callback waits for the loop, which comes to it at once: a time long past. */
static void end_soon(weir_lookup *lookup)
{
    weir_loop_at(lookup->loop, &lookup->end, (weir_time){0}, on_end, lookup);
}

/** c-ares is at work. */
static void on_answered(void *user)
{
    weir_lookup *lookup = user;
    if (lookup->answers.open == 0)
        end_soon(lookup);
    else if (lookup->answers.count > 0)
        weir_loop_after(lookup->loop, &lookup->end, lookup->family_wait_us, on_end, lookup);
}

/* Starting */

static int64_t or_default(int64_t value_us, int64_t default_us)
{
    return value_us > 0 ? value_us : default_us;
}

/** Numbers and /etc/hosts answer at once; in every case the callback waits for the loop. */
static weir_err begin(weir_lookup *lookup, const weir_lookup_opts *opts)
{
    weir_err err =
        lookup->answers.count > 0 ? WEIR_OK : weir__hosts_find(lookup->host, &lookup->answers);
    if (err != WEIR_ELOOKUP) {
        end_soon(lookup);
        return err;
    }
    weir_lookup_opts filled = *opts;
    filled.query_us = or_default(opts->query_us, WEIR_SECONDS(2));
    weir_loop_after(lookup->loop, &lookup->limit, or_default(opts->timeout_us, WEIR_SECONDS(10)),
                    on_timeout, lookup);
    return weir__questions_ask(&lookup->questions, lookup->loop, lookup->host, &filled,
                               &lookup->answers, on_answered, lookup);
}

weir_err weir_lookup_start(weir_lookup **out, weir_loop *loop, const char *target,
                           const weir_lookup_opts *opts, weir_lookup_fn fn, void *user,
                           weir_why *why)
{
    static const weir_lookup_opts defaults;
    weir_lookup *lookup = calloc(1, sizeof *lookup);
    if (!lookup)
        return weir_why_set(why, WEIR_ENOMEM, "%s", weir_err_text(WEIR_ENOMEM));
    opts = opts ? opts : &defaults;
    lookup->loop = loop;
    lookup->fn = fn;
    lookup->user = user;
    lookup->family_wait_us = or_default(opts->family_wait_us, WEIR_MILLISECONDS(50));
    weir_err err = read_target(lookup, target, why);
    if (!err) {
        err = begin(lookup, opts);
        if (err)
            weir_why_set(why, err, "cannot ask \"%.60s\" for \"%.60s\": %s",
                         opts->servers ? opts->servers : "/etc/resolv.conf", lookup->host,
                         weir_err_text(err));
    }
    if (err) {
        weir_lookup_cancel(lookup);
        return err;
    }
    *out = lookup;
    return WEIR_OK;
}

void weir_lookup_cancel(weir_lookup *lookup)
{
    if (!lookup)
        return;
    weir_loop_assert(lookup->loop);
    quiet(lookup);
    free(lookup);
}
