#include "subchannel.h"

#include <stdio.h>
#include <stdlib.h>

#include "channel_impl.h"

/* grpc/doc/connection-backoff.md */
#define BACKOFF_FACTOR 1.6
/* How long the last bytes of a closed channel may take. */
#define CLOSE_GRACE_US WEIR_SECONDS(1)
/* A server that complains of PINGs makes them rarer, up to this. */
#define KEEPALIVE_MAX_US WEIR_SECONDS(7200)

static void set_state(weir__sub *sub, weir_connectivity state)
{
    sub->state = state;
    atomic_store_explicit(&sub->shown, state, memory_order_relaxed);
    if (!sub->removed)
        weir__channel_sub_changed(sub->channel, sub);
}

/* Wanting a connection. */

void weir__sub_connect(weir__sub *sub)
{
    if (!sub->link && !sub->coming && !sub->removed)
        weir_connector_start(sub->connector);
}

void weir__sub_reset_backoff(weir__sub *sub)
{
    weir_connector_reset(sub->connector);
    if (!sub->failing || sub->coming || sub->state != WEIR_CONNECTIVITY_TRANSIENT_FAILURE)
        return;
    weir_connector_stop(sub->connector); /* it only waits */
    weir_connector_start(sub->connector);
}

/** The connection closes when its calls have ended. */
static void let_go(weir__sub *sub)
{
    weir_connector_stop(sub->connector);
    weir__health_stop(sub);
    if (sub->link)
        weir__link_close(sub->link);
    if (sub->coming)
        weir_conn_abort(sub->coming->conn, WEIR_ECANCELED);
    sub->link = sub->coming = NULL;
}

void weir__sub_stop(weir__sub *sub)
{
    if (sub->backend.outstanding > 0)
        return; /* another policy has given it calls: it stays, unused, until the channel is idle */
    let_go(sub);
    sub->failing = false;
    if (sub->state != WEIR_CONNECTIVITY_IDLE)
        set_state(sub, WEIR_CONNECTIVITY_IDLE);
}

static void on_attempt(weir_connector *connector WEIR_UNUSED, void *user)
{
    weir__sub *sub = user;
    sub->tries++;
    set_state(sub, WEIR_CONNECTIVITY_CONNECTING);
}

void weir__sub_leave_link(weir__sub *sub)
{
    weir__health_stop(sub);
    sub->link = NULL;
    sub->full = false;
    if (!sub->channel->closing)
        set_state(sub, WEIR_CONNECTIVITY_IDLE);
}

/* Events of a connection. */

/** The server's SETTINGS prove that HTTP/2 is spoken there, and say how many calls it takes. */
static void on_ready(weir__sub *sub)
{
    weir__link *link = sub->coming;
    const char *service = weir__channel_health_service(sub->channel);
    sub->coming = NULL;
    sub->link = link;
    sub->failing = sub->full = false;
    sub->tries = 0;
    sub->ready_at = weir_loop_now(sub->channel->loop);
    weir_loop_cancel(sub->channel->loop, &link->silence);
    weir_connector_reset(sub->connector);
    weir__keepalive_start(link, &sub->keepalive);
    if (service)
        weir__health_start(sub, service);
    set_state(sub, WEIR_CONNECTIVITY_READY);
}

static void on_room(weir__link *link)
{
    weir__sub *sub = link->owner;
    if (link == sub->coming)
        on_ready(sub);
    if (link != sub->link)
        return;
    if (!weir_grpc_is_open(link->grpc))
        weir__sub_leave_link(sub);
    else
        weir__channel_sub_has_room(sub->channel, sub);
}

static void on_goaway(weir__link *link, uint32_t code, weir_str debug)
{
    weir__sub *sub = link->owner;
    weir__keepalive_opts *keepalive = &sub->keepalive;
    if (code != WEIR_H2_ENHANCE_YOUR_CALM || !weir_str_eq(debug, WEIR_STR("too_many_pings")))
        return;
    keepalive->time_us *= 2;
    if (keepalive->time_us > KEEPALIVE_MAX_US)
        keepalive->time_us = KEEPALIVE_MAX_US;
    WEIR_LOG_WARN("%s complains of too many PINGs: one every %.0f s from now on (keepalive_us)",
                  sub->lookup, (double)keepalive->time_us / 1e6);
}

/** Connected, but no HTTP/2 came: as good as not connected. */
static void on_unusable(weir__sub *sub, weir_err err, const char *why)
{
    sub->coming = NULL;
    bool no_tls = sub->channel->opts.tls && (err == WEIR_ETLS || err == WEIR_ECERT);
    if (sub->tries == 1 && err != WEIR_ETIMEDOUT && !no_tls) {
        /* A server that was stopping when we came may have a successor already. */
        weir_connector_reset(sub->connector);
        weir__sub_connect(sub);
        return;
    }
    sub->failing = true;
    int64_t retry_us = weir_connector_back_off(sub->connector);
    weir_why_set(&sub->why, err, "%s %s: %s (try %u, next in %.1f s)", sub->lookup,
                 no_tls ? "and we could not agree on TLS"
                        : "does not speak HTTP/2 or has closed at once",
                 why, sub->tries, (double)retry_us / 1e6);
    set_state(sub, WEIR_CONNECTIVITY_TRANSIENT_FAILURE);
    weir__sub_connect(sub);
}

static void on_link_down(weir__link *link, weir_err why)
{
    weir__sub *sub = link->owner;
    weir_channel *channel = sub->channel;
    weir_list_remove(&link->node);
    weir__entity_log(&sub->entity, why ? WEIR_INSPECT_WARNING : WEIR_INSPECT_INFO, 0,
                     "a connection ended: %s", link->why);
    if (link == sub->coming && !channel->closing)
        on_unusable(sub, why, link->why);
    if (link == sub->link)
        weir__sub_leave_link(sub);
    if (!weir__sub_check_removed(sub))
        return;
    if (channel->closing)
        weir__channel_check_closed(channel);
}

static const weir__link_ops link_ops = {.room = on_room, .goaway = on_goaway, .down = on_link_down};

static const weir_conn_ops conn_ops = {
    .on_message = weir__link_on_message,
    .on_flush = weir__link_on_flush,
    .on_down = weir__link_on_down,
};

/** Connected, but nothing comes. */
static void on_silence(weir_timer *timer, void *user WEIR_UNUSED)
{
    weir_conn_abort(WEIR_CONTAINER_OF(timer, weir__link, silence)->conn, WEIR_ETIMEDOUT);
}

static weir_err make_link(weir__sub *sub, int fd, weir__link **out)
{
    weir_channel *channel = sub->channel;
    weir_conn *conn;
    weir_conn_opts opts = {.tls = channel->opts.tls,
                           .tls_name = sub->tls_name,
                           .tls_alpn = "h2",
                           .tls_handshake_us = channel->opts.connect_us};
    weir_err err = weir_conn_open_take(&conn, channel->loop, fd, NULL, &conn_ops, sub, &opts);
    if (err)
        return err;
    err = weir__link_new(out, conn, WEIR_H2_CLIENT, &link_ops, sub, &channel->grpc);
    if (err)
        weir_conn_abort(conn, err);
    return err;
}

static void on_connected(weir_connector *connector WEIR_UNUSED, int fd, void *user)
{
    weir__sub *sub = user;
    weir__link *link;
    weir_err err = make_link(sub, fd, &link);
    if (err) {
        on_unusable(sub, err, weir_err_text(err));
        return;
    }
    char peer[WEIR_ADDR_TEXT_MAX];
    weir_list_append(&sub->links, &link->node);
    weir__socket_add(link);
    weir__entity_log(&sub->entity, WEIR_INSPECT_INFO, 0, "connected to %s",
                     weir_conn_peer_text(link->conn, peer));
    sub->coming = link;
    weir_loop_after(sub->channel->loop, &link->silence, sub->channel->opts.connect_us, on_silence,
                    NULL);
}

static void on_failed(weir_connector *connector, weir_err why, int64_t retry_us, void *user)
{
    weir__sub *sub = user;
    sub->failing = true;
    weir_why_set(&sub->why, why, "%s (try %u, next in %.1f s)", weir_connector_why(connector),
                 sub->tries, (double)retry_us / 1e6);
    weir__entity_log(&sub->entity, WEIR_INSPECT_WARNING, 0, "%s", weir_connector_why(connector));
    set_state(sub, WEIR_CONNECTIVITY_TRANSIENT_FAILURE);
}

static const weir_connector_ops connector_ops = {on_connected, on_failed, on_attempt};

/* Making and ending. */

/** The host of "HOST:PORT" and "[HOST]:PORT". NULL: out of memory */
static char *host_of(const char *authority)
{
    if (authority[0] == '[')
        return strndup(authority + 1, strcspn(authority + 1, "]"));
    const char *colon = strrchr(authority, ':');
    return strndup(authority, colon ? (size_t)(colon - authority) : strlen(authority));
}

/** A place in a list has its own name; that of one service is in the target. */
static bool set_names(weir__sub *sub)
{
    const weir_channel *channel = sub->channel;
    const char *authority = channel->opts.authority                 ? channel->authority
                            : channel->target.authority[0]          ? channel->target.authority
                            : strncmp(sub->lookup, "unix:", 5) == 0 ? "localhost"
                                                                    : sub->lookup;
    sub->authority = strdup(authority);
    sub->tls_name = channel->tls_name ? strdup(channel->tls_name) : host_of(authority);
    return sub->authority && sub->tls_name;
}

static weir_err open_connector(weir__sub *sub)
{
    const weir_channel *channel = sub->channel;
    const weir_channel_opts *own = &channel->opts;
    weir_connector_opts opts = {
        .timeout_us = own->connect_us,
        .backoff_us = own->backoff_us,
        .backoff_max_us = own->backoff_max_us,
        .backoff_factor = own->backoff_factor >= 1 ? own->backoff_factor : BACKOFF_FACTOR,
        .lookup.servers = channel->target.servers[0] ? channel->target.servers : NULL,
    };
    return weir_connector_new_name(&sub->connector, channel->loop, sub->lookup, &connector_ops, sub,
                                   &opts);
}

static void free_sub(weir__sub *sub)
{
    weir__entity_hide(&sub->entity);
    weir__health_stop(sub);
    weir_list_remove(&sub->node);
    weir_connector_free(sub->connector);
    weir_endpoints_unref(sub->list);
    free(sub->authority);
    free(sub->tls_name);
    free(sub);
}

weir_err weir__sub_new(weir__sub **out, weir_channel *channel, weir_endpoints *list, size_t index)
{
    weir__sub *sub = calloc(1, sizeof *sub);
    if (!sub)
        return WEIR_ENOMEM;
    sub->channel = channel;
    sub->list = weir_endpoints_ref(list);
    sub->backend.endpoint = weir_endpoints_at(list, index);
    sub->backend.hash = weir_balance_hash(sub->backend.endpoint->address);
    sub->lookup = sub->backend.endpoint->address.ptr;
    sub->keepalive = channel->keepalive;
    weir_list_init(&sub->links);
    weir__entity_init(&sub->entity, WEIR_INSPECT_SUBCHANNEL);
    if (!set_names(sub) || open_connector(sub)) {
        free_sub(sub);
        return WEIR_ENOMEM;
    }
    weir__entity_show(&sub->entity, sub->lookup);
    *out = sub;
    return WEIR_OK;
}

void weir__sub_move(weir__sub *sub, weir_endpoints *list, size_t index)
{
    weir_endpoints_ref(list);
    weir_endpoints_unref(sub->list);
    sub->list = list;
    sub->backend.endpoint = weir_endpoints_at(list, index);
    sub->lookup = sub->backend.endpoint->address.ptr;
}

bool weir__sub_check_removed(weir__sub *sub)
{
    if (!sub->removed || sub->backend.outstanding > 0)
        return false;
    if (sub->link) {
        weir__link_close(sub->link);
        sub->link = NULL;
    }
    if (!weir_list_empty(&sub->links))
        return false;
    free_sub(sub);
    return true;
}

void weir__sub_remove(weir__sub *sub)
{
    weir__link *link = sub->link;
    sub->removed = true;
    sub->usable = false;
    if (sub->backend.outstanding > 0)
        sub->link = NULL; /* it is closed after the last call */
    let_go(sub);
    sub->link = link;
    weir_list_append(&sub->channel->leaving, &sub->node);
    weir__sub_check_removed(sub);
}

/** The server does not take the last bytes. */
static void on_close_grace(weir_timer *timer, void *user WEIR_UNUSED)
{
    weir_conn_abort(WEIR_CONTAINER_OF(timer, weir__link, age)->conn, WEIR_ETIMEDOUT);
}

void weir__sub_close_links(weir__sub *sub)
{
    weir_list_each (node, next, &sub->links) {
        weir__link *link = WEIR_CONTAINER_OF(node, weir__link, node);
        weir__link_close(link);
        weir_loop_after(sub->channel->loop, &link->age, CLOSE_GRACE_US, on_close_grace, NULL);
    }
}

bool weir__sub_is_ready(const weir__sub *sub)
{
    return sub->state == WEIR_CONNECTIVITY_READY && weir__health_is_good(sub);
}
