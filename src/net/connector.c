#include <weir/net/connector.h>

#include "connector_backoff.h"

#include <stdlib.h>
#include <string.h>
#include <weir/net/dialer.h>

typedef enum connector_state {
    IDLE,
    WAITING,   /* for the delay to pass */
    ATTEMPTING /* the lookup, the dialer, or the timer of a failure at once */
} connector_state;

struct weir_connector {
    weir_loop *loop;
    const weir_connector_ops *ops;
    void *user;
    connector_state state;
    weir_err failure;    /* of an attempt that failed at once */
    weir_timer timer;    /* the delay, or a failure at once */
    weir_time earliest;  /* for the next attempt */
    weir_time limit;     /* of this attempt */
    weir_lookup *lookup; /* at most one of these two is not NULL */
    weir_dialer *dialer;
    weir__backoff backoff;
    weir_why why; /* of the last failure */
    weir_connector_opts opts;
    char *servers; /* opts.lookup.servers */
    char *target;  /* NULL: `addr` */
    weir_addr addr;
};

static void begin_attempt(weir_connector *connector);

static void drop_attempt(weir_connector *connector)
{
    weir_loop_cancel(connector->loop, &connector->timer);
    weir_lookup_cancel(connector->lookup);
    connector->lookup = NULL;
    weir_dialer_cancel(connector->dialer);
    connector->dialer = NULL;
}

/* Failing */

static void on_delay_over(weir_timer *timer WEIR_UNUSED, void *user)
{
    begin_attempt(user);
}

static void wait_until(weir_connector *connector, weir_time when)
{
    connector->state = WAITING;
    weir_loop_at(connector->loop, &connector->timer, when, on_delay_over, connector);
}

int64_t weir_connector_back_off(weir_connector *connector)
{
    int64_t retry_us = weir__backoff_next(&connector->backoff);
    connector->earliest = weir_time_add(weir_time_now(), retry_us);
    return retry_us;
}

/** The callback comes last: it may free the connector. */
static void attempt_failed(weir_connector *connector, weir_err err)
{
    int64_t retry_us = weir_connector_back_off(connector);
    wait_until(connector, connector->earliest);
    if (connector->ops->on_failed)
        connector->ops->on_failed(connector, err, retry_us, connector->user);
}

static void on_failed_at_once(weir_timer *timer WEIR_UNUSED, void *user)
{
    weir_connector *connector = user;
    attempt_failed(connector, connector->failure);
}

static void fail_later(weir_connector *connector, weir_err err)
{
    connector->failure = err;
    weir_loop_at(connector->loop, &connector->timer, (weir_time){0}, on_failed_at_once, connector);
}

/* An attempt: looking up, then dialing */

static int64_t left_us(const weir_connector *connector)
{
    int64_t left_us = weir_time_diff(connector->limit, weir_time_now());
    return left_us > 0 ? left_us : 1;
}

/** The callback comes last: it may free the connector. */
static void on_dialed(weir_err err, int fd, const weir_addr *peer, void *user)
{
    weir_connector *connector = user;
    char text[WEIR_ADDR_TEXT_MAX];
    connector->dialer = NULL;
    if (err) {
        weir_why_set(&connector->why, err, "cannot connect to %s: %s", weir_addr_text(peer, text),
                     weir_err_text(err));
        attempt_failed(connector, err);
        return;
    }
    connector->state = IDLE;
    connector->ops->on_connected(connector, fd, connector->user);
}

static void dial(weir_connector *connector, const weir_addr *addrs, size_t count)
{
    weir_dialer_opts opts = {.timeout_us = left_us(connector),
                             .stagger_us = connector->opts.stagger_us};
    weir_err err = weir_dialer_start(&connector->dialer, connector->loop, addrs, count, &opts,
                                     on_dialed, connector);
    if (err) {
        weir_why_set(&connector->why, err, "%s", weir_err_text(err));
        fail_later(connector, err);
    }
}

static void on_looked_up(weir_err err, const weir_addr *addrs, size_t count, const char *why,
                         void *user)
{
    weir_connector *connector = user;
    connector->lookup = NULL;
    if (err) {
        weir_why_set(&connector->why, err, "%s", why);
        attempt_failed(connector, err);
    } else {
        dial(connector, addrs, count);
    }
}

static void look_up(weir_connector *connector)
{
    weir_lookup_opts opts = connector->opts.lookup;
    if (opts.timeout_us <= 0 || opts.timeout_us > connector->opts.timeout_us)
        opts.timeout_us = connector->opts.timeout_us;
    weir_err err = weir_lookup_start(&connector->lookup, connector->loop, connector->target, &opts,
                                     on_looked_up, connector, &connector->why);
    if (err)
        fail_later(connector, err);
}

/** No callback but on_attempt comes before it returns. */
static void begin_attempt(weir_connector *connector)
{
    weir_time now = weir_time_now();
    connector->state = ATTEMPTING;
    connector->earliest = weir_time_add(now, connector->backoff.next_us);
    connector->limit = weir_time_add(now, connector->opts.timeout_us);
    if (weir_time_before(connector->limit, connector->earliest))
        connector->limit = connector->earliest;
    if (connector->ops->on_attempt)
        connector->ops->on_attempt(connector, connector->user);
    if (connector->target)
        look_up(connector);
    else
        dial(connector, &connector->addr, 1);
}

/* Making and ending */

static int64_t or_default(int64_t value_us, int64_t default_us)
{
    return value_us > 0 ? value_us : default_us;
}

static weir_err copy_text(char **out, const char *text)
{
    *out = text ? strdup(text) : NULL;
    return text && !*out ? WEIR_ENOMEM : WEIR_OK;
}

static weir_err set_opts(weir_connector *connector, const weir_connector_opts *opts)
{
    static const weir_connector_opts defaults;
    connector->opts = opts ? *opts : defaults;
    opts = &connector->opts;
    connector->opts.timeout_us = or_default(opts->timeout_us, WEIR_SECONDS(20));
    weir__backoff_init(&connector->backoff, or_default(opts->backoff_us, WEIR_SECONDS(1)),
                       or_default(opts->backoff_max_us, WEIR_SECONDS(120)), opts->backoff_factor,
                       opts->seed ? opts->seed
                                  : (uint64_t)weir_time_now().us ^ (uintptr_t)connector);
    weir_err err = copy_text(&connector->servers, opts->lookup.servers);
    connector->opts.lookup.servers = connector->servers;
    return err;
}

/** @param target  NULL: to `addr` */
static weir_err make(weir_connector **out, weir_loop *loop, const char *target,
                     const weir_addr *addr, const weir_connector_ops *ops, void *user,
                     const weir_connector_opts *opts)
{
    weir_connector *connector = calloc(1, sizeof *connector);
    if (!connector)
        return WEIR_ENOMEM;
    connector->loop = loop;
    connector->ops = ops;
    connector->user = user;
    if (addr)
        connector->addr = *addr;
    weir_err err = copy_text(&connector->target, target);
    if (!err)
        err = set_opts(connector, opts);
    if (err) {
        weir_connector_free(connector);
        return err;
    }
    *out = connector;
    return WEIR_OK;
}

weir_err weir_connector_new(weir_connector **out, weir_loop *loop, const weir_addr *addr,
                            const weir_connector_ops *ops, void *user,
                            const weir_connector_opts *opts)
{
    return make(out, loop, NULL, addr, ops, user, opts);
}

weir_err weir_connector_new_name(weir_connector **out, weir_loop *loop, const char *target,
                                 const weir_connector_ops *ops, void *user,
                                 const weir_connector_opts *opts)
{
    return make(out, loop, target, NULL, ops, user, opts);
}

void weir_connector_start(weir_connector *connector)
{
    weir_loop_assert(connector->loop);
    if (connector->state != IDLE)
        return;
    if (weir_time_before(weir_time_now(), connector->earliest))
        wait_until(connector, connector->earliest);
    else
        begin_attempt(connector);
}

const char *weir_connector_why(const weir_connector *connector)
{
    return connector->why.text;
}

void weir_connector_reset(weir_connector *connector)
{
    weir__backoff_reset(&connector->backoff);
    connector->earliest = (weir_time){0};
}

void weir_connector_stop(weir_connector *connector)
{
    weir_loop_assert(connector->loop);
    drop_attempt(connector);
    connector->state = IDLE;
}

void weir_connector_free(weir_connector *connector)
{
    if (!connector)
        return;
    weir_connector_stop(connector);
    free(connector->target);
    free(connector->servers);
    free(connector);
}
