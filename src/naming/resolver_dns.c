/* A name that is looked up again and again. */
#include <weir/naming/resolver.h>
#include <weir/net/lookup.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#define PERIOD_US     WEIR_SECONDS(30)
#define FIRST_WAIT_US WEIR_SECONDS(1) /* after a failure; doubled up to the period */
#define CLOSEST_US    WEIR_SECONDS(1) /* between two lookups */
/* Of targets that name none: that of HTTPS, as gRPC has it. */
#define DEFAULT_PORT "443"

enum {
    /* RFC 1035, and the port. */
    NAME_BYTES_MAX = 255 + 20
};

typedef struct dns_resolver {
    weir_resolver head;
    weir_loop *loop;
    const weir_resolver_events *events;
    void *user;
    char *name;          /* "HOST:PORT" */
    char *servers;       /* NULL: those of the machine */
    weir_lookup *lookup; /* that runs */
    weir_time begun;     /* the last one */
    weir_timer next;     /* when none runs */
    int64_t wait_us;     /* after the next failure */
    uint64_t random;
    weir_endpoints *list; /* told last */
    bool failing;         /* since then */
} dns_resolver;

static void begin(weir_timer *timer, void *user);

/* Telling. The resolver may be gone after it. */

/** Up to a tenth less, so that clients which have started together do not stay together. */
static int64_t spread(dns_resolver *r, int64_t us)
{
    return us - (int64_t)weir_random_below(&r->random, (uint32_t)(us / 10));
}

static void fail(dns_resolver *r, weir_err err, const char *why)
{
    weir_loop_after(r->loop, &r->next, spread(r, r->wait_us), begin, NULL);
    r->wait_us = r->wait_us * 2 < PERIOD_US ? r->wait_us * 2 : PERIOD_US;
    r->failing = true;
    r->events->failed(err, why, r->user);
}

static weir_err make_list(weir_endpoints **out, const weir_addr *addrs, size_t count)
{
    char text[WEIR_ADDR_TEXT_MAX];
    weir_err err = weir_endpoints_new(out);
    if (err)
        return err;
    for (size_t i = 0; i < count && !err; i++)
        err = weir_endpoints_add(
            *out, &(weir_endpoint){.address = weir_str_from(weir_addr_text(&addrs[i], text))});
    if (err)
        weir_endpoints_unref(*out);
    return err;
}

static bool has(const weir_endpoints *list, weir_str address)
{
    for (size_t i = 0; i < weir_endpoints_count(list); i++)
        if (weir_str_eq(weir_endpoints_at(list, i)->address, address))
            return true;
    return false;
}

/** In whatever order: name servers turn their answers. At most WEIR_LOOKUP_MAX. */
static bool same_addresses(const weir_endpoints *a, const weir_endpoints *b)
{
    if (weir_endpoints_count(a) != weir_endpoints_count(b))
        return false;
    for (size_t i = 0; i < weir_endpoints_count(a); i++)
        if (!has(b, weir_endpoints_at(a, i)->address))
            return false;
    return true;
}

static void succeed(dns_resolver *r, weir_endpoints *list)
{
    bool is_news = r->failing || !r->list || !same_addresses(r->list, list);
    weir_loop_after(r->loop, &r->next, spread(r, PERIOD_US), begin, NULL);
    r->wait_us = FIRST_WAIT_US;
    r->failing = false;
    if (!is_news) {
        weir_endpoints_unref(list);
        return;
    }
    weir_endpoints_unref(r->list);
    r->list = weir_endpoints_ref(list);
    r->events->found(list, NULL, r->user);
    weir_endpoints_unref(list);
}

static void on_looked_up(weir_err err, const weir_addr *addrs, size_t count, const char *why,
                         void *user)
{
    dns_resolver *r = user;
    weir_endpoints *list;
    r->lookup = NULL;
    if (!err && (err = make_list(&list, addrs, count)))
        why = weir_err_text(err);
    if (err)
        fail(r, err, why);
    else
        succeed(r, list);
}

/* Asking. */

static weir_err look_up(dns_resolver *r, weir_why *why)
{
    r->begun = weir_loop_now(r->loop);
    return weir_lookup_start(&r->lookup, r->loop, r->name,
                             &(weir_lookup_opts){.servers = r->servers}, on_looked_up, r, why);
}

static void begin(weir_timer *timer, void *user WEIR_UNUSED)
{
    dns_resolver *r = WEIR_CONTAINER_OF(timer, dns_resolver, next);
    weir_why why = {""};
    weir_err err = look_up(r, &why);
    if (err)
        fail(r, err, why.text);
}

static void dns_refresh(weir_resolver *resolver)
{
    dns_resolver *r = WEIR_CONTAINER_OF(resolver, dns_resolver, head);
    weir_time soonest = weir_time_add(r->begun, CLOSEST_US);
    if (!r->lookup && weir_time_before(soonest, r->next.when))
        weir_loop_at(r->loop, &r->next, soonest, begin, NULL);
}

/* The type. */

static bool is_name(const char *path)
{
    for (const char *p = path; *p; p++)
        if ((unsigned char)*p <= ' ' || *p == 0x7f || *p == '/' || *p == ',')
            return false;
    bool is_port_only = path[0] == ':' && path[1] != ':';
    return *path && !is_port_only && strlen(path) <= NAME_BYTES_MAX;
}

/** "HOST", "HOST:PORT", "[V6]", "[V6]:PORT" or "V6", to one with a port. */
static char *with_port(const char *host)
{
    const char *colon = strrchr(host, ':');
    bool is_bare_v6 = host[0] != '[' && colon && strchr(host, ':') != colon;
    bool has_port = !is_bare_v6 && colon && !strchr(colon, ']');
    char *whole = NULL;
    int len = is_bare_v6  ? asprintf(&whole, "[%s]:" DEFAULT_PORT, host)
              : !has_port ? asprintf(&whole, "%s:" DEFAULT_PORT, host)
                          : asprintf(&whole, "%s", host);
    return len < 0 ? NULL : whole;
}

static void dns_free(weir_resolver *resolver)
{
    dns_resolver *r = WEIR_CONTAINER_OF(resolver, dns_resolver, head);
    weir_lookup_cancel(r->lookup);
    weir_loop_cancel(r->loop, &r->next);
    weir_endpoints_unref(r->list);
    free(r->name);
    free(r->servers);
    free(r);
}

static weir_err dns_start(weir_resolver **out, const weir_resolver_request *request, weir_why *why)
{
    if (!is_name(request->path))
        return weir_why_set(why, WEIR_EINVAL, "\"%.60s\" has no name: write dns:///HOST:PORT",
                            request->target);
    dns_resolver *r = calloc(1, sizeof *r);
    if (!r)
        return weir_why_set(why, WEIR_ENOMEM, "out of memory");
    *r = (dns_resolver){.head.type = &weir_resolver_dns,
                        .loop = request->loop,
                        .events = request->events,
                        .user = request->user,
                        .name = with_port(request->path),
                        .servers = request->authority[0] ? strdup(request->authority) : NULL,
                        .wait_us = FIRST_WAIT_US};
    if (getrandom(&r->random, sizeof r->random, 0) < 0)
        r->random = (uint64_t)weir_time_now().us;
    weir_err err = WEIR_ENOMEM;
    if (r->name && (r->servers || !request->authority[0]))
        err = look_up(r, why);
    if (err == WEIR_EINVAL || err == WEIR_ENOMEM) {
        dns_free(&r->head);
        return err == WEIR_ENOMEM ? weir_why_set(why, err, "out of memory") : err;
    }
    if (err) /* /etc/resolv.conf, perhaps: not for ever */
        weir_loop_after(r->loop, &r->next, 0, begin, NULL);
    *out = &r->head;
    return WEIR_OK;
}

const weir_resolver_type weir_resolver_dns = {"dns", dns_start, dns_refresh, dns_free};
