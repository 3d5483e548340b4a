/* A channel's connection: made when the first call needs it, made again when it is lost, closed
 * when nobody has used it for long. And the calls that wait for it. */
#include "channel_impl.h"

#include <stdio.h>

/* grpc/doc/connection-backoff.md */
#define BACKOFF_FACTOR 1.6
/* How long the last bytes of a closed channel may take. */
#define CLOSE_GRACE_US WEIR_SECONDS(1)
/* A server that complains of PINGs makes them rarer, up to this. */
#define KEEPALIVE_MAX_US WEIR_SECONDS(7200)

static void fail_waiting(weir_channel *channel)
{
    weir_list_each (node, next, &channel->waiting) {
        weir__client_call *cc = WEIR_CONTAINER_OF(node, weir__client_call, node);
        if (!cc->wait_for_ready)
            weir__client_call_end(cc, WEIR_STATUS_UNAVAILABLE, channel->why.text);
    }
}

/* Idleness. */

static bool has_calls(const weir_channel *channel)
{
    return !weir_list_empty(&channel->waiting) || !weir_list_empty(&channel->running) ||
           !weir_list_empty(&channel->held);
}

static void go_idle(weir_channel *channel)
{
    weir_connector_stop(channel->connector);
    channel->failing = false;
    if (channel->link)
        weir__link_close(channel->link);
    if (channel->coming)
        weir_conn_abort(channel->coming->conn, WEIR_ECANCELED);
    channel->link = channel->coming = NULL;
    weir__channel_set_state(channel, WEIR_CONNECTIVITY_IDLE);
}

static void on_maybe_idle(weir_timer *timer, void *user)
{
    weir_channel *channel = user;
    int64_t limit_us = channel->opts.idle_us;
    int64_t left_us = has_calls(channel)
                          ? limit_us
                          : limit_us - weir_time_diff(weir_loop_now(channel->loop), channel->used);
    if (left_us > 0)
        weir_loop_after(channel->loop, timer, left_us, on_maybe_idle, channel);
    else
        go_idle(channel);
}

/* Wanting one. */

void weir__channel_connect(weir_channel *channel)
{
    if (channel->link || channel->coming || channel->closing || channel->target_err)
        return;
    if (channel->opts.idle_us > 0 && !weir_timer_pending(&channel->idle)) {
        channel->used = weir_loop_now(channel->loop);
        weir_loop_after(channel->loop, &channel->idle, channel->opts.idle_us, on_maybe_idle,
                        channel);
    }
    weir_connector_start(channel->connector);
}

void weir__channel_reset_backoff(weir_channel *channel)
{
    if (channel->closing || channel->target_err)
        return;
    weir_connector_reset(channel->connector);
    if (!channel->failing || channel->coming ||
        weir_channel_state(channel, false) != WEIR_CONNECTIVITY_TRANSIENT_FAILURE)
        return;
    weir_connector_stop(channel->connector); /* it only waits */
    weir_connector_start(channel->connector);
}

static void on_attempt(weir_connector *connector WEIR_UNUSED, void *user)
{
    weir_channel *channel = user;
    channel->tries++;
    weir__channel_set_state(channel, WEIR_CONNECTIVITY_CONNECTING);
}

/* Placing calls. */

/** The connection takes no new calls; those that wait need another one. */
static void leave_link(weir_channel *channel)
{
    channel->link = NULL;
    if (channel->closing)
        return;
    weir__channel_set_state(channel, WEIR_CONNECTIVITY_IDLE);
    if (!weir_list_empty(&channel->waiting))
        weir__channel_connect(channel);
}

/** Gives waiting calls to the connection, in their order, while it takes them. */
static void place_waiting(weir_channel *channel)
{
    while (channel->link && !weir_list_empty(&channel->waiting)) {
        weir__client_call *cc = WEIR_CONTAINER_OF(channel->waiting.next, weir__client_call, node);
        weir_err err =
            channel->link->grpc ? weir__client_call_attach(cc, channel->link) : WEIR_ECLOSED;
        if (err == WEIR_EFULL)
            return;
        if (err == WEIR_ECLOSED) {
            leave_link(channel);
        } else if (err) {
            weir__client_call_end(cc, WEIR_STATUS_RESOURCE_EXHAUSTED, weir_err_text(err));
        } else {
            weir_list_remove(&cc->node);
            weir_list_append(&channel->running, &cc->node);
            channel->waiting_count--;
        }
    }
}

void weir__channel_place(weir_channel *channel, weir__client_call *cc)
{
    if (channel->waiting_count >= channel->opts.max_queued) {
        weir__client_call_end(cc, WEIR_STATUS_RESOURCE_EXHAUSTED,
                              "too many calls wait for the connection (max_queued)");
        return;
    }
    weir_list_append(&channel->waiting, &cc->node);
    channel->waiting_count++;
    if (channel->closing) {
        weir__client_call_end(cc, WEIR_STATUS_CANCELLED, "the channel is closed");
    } else if (channel->target_err) {
        weir__client_call_end(cc, WEIR_STATUS_UNAVAILABLE, channel->why.text);
    } else if (channel->link) {
        place_waiting(channel);
    } else {
        weir__channel_connect(channel);
        if (channel->failing && !cc->wait_for_ready)
            weir__client_call_end(cc, WEIR_STATUS_UNAVAILABLE, channel->why.text);
    }
}

void weir__channel_forget(weir_channel *channel, weir__client_call *cc)
{
    if (!weir_list_linked(&cc->node))
        return;
    if (!cc->call.wire && !cc->call.held)
        channel->waiting_count--;
    weir_list_remove(&cc->node);
    channel->used = weir_loop_now(channel->loop);
}

/* Events of a connection. */

/** The server's SETTINGS prove that HTTP/2 is spoken there, and say how many calls it takes. */
static void on_ready(weir_channel *channel)
{
    weir__link *link = channel->coming;
    channel->coming = NULL;
    channel->link = link;
    channel->failing = false;
    channel->tries = 0;
    weir_loop_cancel(channel->loop, &link->silence);
    weir_connector_reset(channel->connector);
    weir__keepalive_start(link, &channel->keepalive);
    weir__channel_set_state(channel, WEIR_CONNECTIVITY_READY);
}

static void on_room(weir__link *link)
{
    weir_channel *channel = link->owner;
    if (link == channel->coming)
        on_ready(channel);
    if (link == channel->link && !weir_grpc_is_open(link->grpc))
        leave_link(channel);
    place_waiting(channel);
}

static void on_goaway(weir__link *link, uint32_t code, weir_str debug)
{
    weir_channel *channel = link->owner;
    weir__keepalive_opts *keepalive = &channel->keepalive;
    if (code != WEIR_H2_ENHANCE_YOUR_CALM || !weir_str_eq(debug, WEIR_STR("too_many_pings")))
        return;
    keepalive->time_us *= 2;
    if (keepalive->time_us > KEEPALIVE_MAX_US)
        keepalive->time_us = KEEPALIVE_MAX_US;
    WEIR_LOG_WARN("%s complains of too many PINGs: one every %.0f s from now on (keepalive_us)",
                  channel->target.lookup, (double)keepalive->time_us / 1e6);
}

/** Connected, but no HTTP/2 came: as good as not connected. */
static void on_unusable(weir_channel *channel, weir_err err, const char *why)
{
    channel->coming = NULL;
    bool no_tls = channel->opts.tls && (err == WEIR_ETLS || err == WEIR_ECERT);
    if (channel->tries == 1 && err != WEIR_ETIMEDOUT && !no_tls) {
        /* A server that was stopping when we came may have a successor already. */
        weir_connector_reset(channel->connector);
        weir__channel_connect(channel);
        return;
    }
    channel->failing = true;
    int64_t retry_us = weir_connector_back_off(channel->connector);
    weir_why_set(&channel->why, err, "%s %s: %s (try %u, next in %.1f s)", channel->target.lookup,
                 no_tls ? "and we could not agree on TLS"
                        : "does not speak HTTP/2 or has closed at once",
                 why, channel->tries, (double)retry_us / 1e6);
    weir__channel_set_state(channel, WEIR_CONNECTIVITY_TRANSIENT_FAILURE);
    fail_waiting(channel);
    weir__channel_connect(channel);
}

static void on_link_down(weir__link *link, weir_err why)
{
    weir_channel *channel = link->owner;
    weir_list_remove(&link->node);
    weir__entity_log(&channel->sub, why ? WEIR_INSPECT_WARNING : WEIR_INSPECT_INFO, 0,
                     "a connection ended: %s", link->why);
    if (link == channel->coming && !channel->closing)
        on_unusable(channel, why, link->why);
    if (link == channel->link)
        leave_link(channel);
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

static weir_err make_link(weir_channel *channel, int fd, weir__link **out)
{
    weir_conn *conn;
    weir_conn_opts opts = {.tls = channel->opts.tls,
                           .tls_name = channel->tls_name,
                           .tls_alpn = "h2",
                           .tls_handshake_us = channel->opts.connect_us};
    weir_err err = weir_conn_open_take(&conn, channel->loop, fd, NULL, &conn_ops, channel, &opts);
    if (err)
        return err;
    err = weir__link_new(out, conn, WEIR_H2_CLIENT, &link_ops, channel, &channel->grpc);
    if (err)
        weir_conn_abort(conn, err);
    return err;
}

static void on_connected(weir_connector *connector WEIR_UNUSED, int fd, void *user)
{
    weir_channel *channel = user;
    weir__link *link;
    weir_err err = make_link(channel, fd, &link);
    if (err) {
        on_unusable(channel, err, weir_err_text(err));
        return;
    }
    char peer[WEIR_ADDR_TEXT_MAX];
    weir_list_append(&channel->links, &link->node);
    weir__socket_add(link);
    weir__entity_log(&channel->sub, WEIR_INSPECT_INFO, 0, "connected to %s",
                     weir_conn_peer_text(link->conn, peer));
    channel->coming = link;
    weir_loop_after(channel->loop, &link->silence, channel->opts.connect_us, on_silence, NULL);
}

static void on_failed(weir_connector *connector, weir_err why, int64_t retry_us, void *user)
{
    weir_channel *channel = user;
    channel->failing = true;
    weir_why_set(&channel->why, why, "%s (try %u, next in %.1f s)", weir_connector_why(connector),
                 channel->tries, (double)retry_us / 1e6);
    weir__entity_log(&channel->sub, WEIR_INSPECT_WARNING, 0, "%s", weir_connector_why(connector));
    weir__channel_set_state(channel, WEIR_CONNECTIVITY_TRANSIENT_FAILURE);
    fail_waiting(channel);
}

static const weir_connector_ops connector_ops = {on_connected, on_failed, on_attempt};

weir_err weir__channel_open(weir_channel *channel)
{
    const weir_channel_opts *own = &channel->opts;
    weir_connector_opts opts = {
        .timeout_us = own->connect_us,
        .backoff_us = own->backoff_us,
        .backoff_max_us = own->backoff_max_us,
        .backoff_factor = own->backoff_factor >= 1 ? own->backoff_factor : BACKOFF_FACTOR,
        .lookup.servers = channel->target.servers[0] ? channel->target.servers : NULL,
    };
    return weir_connector_new_name(&channel->connector, channel->loop, channel->target.lookup,
                                   &connector_ops, channel, &opts);
}

/** The server does not take the last bytes. */
static void on_close_grace(weir_timer *timer, void *user WEIR_UNUSED)
{
    weir_conn_abort(WEIR_CONTAINER_OF(timer, weir__link, age)->conn, WEIR_ETIMEDOUT);
}

void weir__channel_close_links(weir_channel *channel)
{
    weir_loop_cancel(channel->loop, &channel->idle);
    weir_list_each (node, next, &channel->links) {
        weir__link *link = WEIR_CONTAINER_OF(node, weir__link, node);
        weir__link_close(link);
        weir_loop_after(channel->loop, &link->age, CLOSE_GRACE_US, on_close_grace, NULL);
    }
}
