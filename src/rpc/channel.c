/* A channel's connection: made when the first call needs it, made again when it is lost. */
#include <stdio.h>
#include <stdlib.h>

#include "channel_impl.h"

enum {
    DEFAULT_HIGH_WATER = 64 << 10,
    DEFAULT_QUEUED = 10000
};

#define WEIR_AGENT         "weir/0.1.0"
#define DEFAULT_CONNECT_US WEIR_SECONDS(20)
/* How long the last bytes of a closed channel may take. */
#define CLOSE_GRACE_US WEIR_SECONDS(1)

/* The connection. */

static void fail_waiting(weir_channel *channel)
{
    weir_list_each (node, next, &channel->waiting) {
        weir__client_call *cc = WEIR_CONTAINER_OF(node, weir__client_call, node);
        if (!cc->wait_for_ready)
            weir__client_call_end(cc, WEIR_STATUS_UNAVAILABLE, channel->why.text);
    }
}

static void want_connection(weir_channel *channel)
{
    if (!channel->coming && !channel->closing)
        weir_connector_start(channel->connector);
}

/** Gives waiting calls to the connection, in their order, while it takes them. */
static void place_waiting(weir_channel *channel)
{
    while (channel->link && !weir_list_empty(&channel->waiting)) {
        weir__client_call *cc = WEIR_CONTAINER_OF(channel->waiting.next, weir__client_call, node);
        weir_err err = weir__client_call_attach(cc, channel->link);
        if (err == WEIR_EFULL)
            return;
        if (err == WEIR_ECLOSED) {
            channel->link = NULL;
            want_connection(channel);
        } else if (err) {
            weir__client_call_end(cc, WEIR_STATUS_RESOURCE_EXHAUSTED, weir_err_text(err));
        } else {
            weir_list_remove(&cc->node);
            weir_list_append(&channel->running, &cc->node);
            channel->waiting_count--;
        }
    }
}

/** The server's SETTINGS prove that HTTP/2 is spoken there, and say how many calls it takes. */
static void on_ready(weir_channel *channel)
{
    weir__link *link = channel->coming;
    channel->coming = NULL;
    channel->link = link;
    channel->failing = false;
    weir_loop_cancel(channel->loop, &link->handshake);
    weir_connector_reset(channel->connector);
}

static void on_room(weir__link *link)
{
    weir_channel *channel = link->owner;
    if (link == channel->coming)
        on_ready(channel);
    if (link == channel->link && !weir_grpc_is_open(link->grpc))
        channel->link = NULL;
    if (!channel->link && !weir_list_empty(&channel->waiting))
        want_connection(channel);
    place_waiting(channel);
}

static void free_channel(weir_channel *channel)
{
    weir_connector_free(channel->connector);
    free(channel->authority);
    free(channel->user_agent);
    free(channel);
}

/** Nothing is left in the loop but the memory. */
static void finish_close(weir_channel *channel)
{
    weir_connector_free(channel->connector);
    channel->connector = NULL;
    if (channel->thread)
        weir_latch_down(&channel->closed); /* the last touch: it is freed by who waits */
    else
        free_channel(channel);
}

static void on_link_down(weir__link *link, weir_err why)
{
    weir_channel *channel = link->owner;
    weir_list_remove(&link->node);
    if (link == channel->coming) {
        channel->coming = NULL;
        channel->failing = true;
        weir_why_set(&channel->why, why, "%s does not speak HTTP/2 or has closed at once: %s",
                     channel->addr_text, why ? weir_err_text(why) : "end of the stream");
        fail_waiting(channel);
    }
    if (link == channel->link)
        channel->link = NULL;
    if (channel->closing) {
        if (weir_list_empty(&channel->links))
            finish_close(channel);
    } else if (!weir_list_empty(&channel->waiting)) {
        want_connection(channel);
    }
}

static const weir__link_ops link_ops = {.room = on_room, .down = on_link_down};

static const weir_conn_ops conn_ops = {
    .on_message = weir__link_on_message,
    .on_flush = weir__link_on_flush,
    .on_down = weir__link_on_down,
};

/** Connected, but nothing comes. */
static void on_silence(weir_timer *timer, void *user WEIR_UNUSED)
{
    weir_conn_abort(WEIR_CONTAINER_OF(timer, weir__link, handshake)->conn, WEIR_ETIMEDOUT);
}

static void on_connected(weir_connector *connector WEIR_UNUSED, int fd, void *user)
{
    weir_channel *channel = user;
    weir_conn *conn;
    weir__link *link;
    weir_err err =
        weir_conn_open_take(&conn, channel->loop, fd, &channel->addr, &conn_ops, channel, NULL);
    if (!err) {
        err = weir__link_new(&link, conn, WEIR_H2_CLIENT, &link_ops, channel, &channel->grpc);
        if (err)
            weir_conn_abort(conn, err);
    }
    if (err) {
        weir_why_set(&channel->why, err, "%s: %s", channel->addr_text, weir_err_text(err));
        fail_waiting(channel);
        return;
    }
    weir_list_append(&channel->links, &link->node);
    channel->coming = link;
    weir_loop_after(channel->loop, &link->handshake, channel->opts.connect_us, on_silence, NULL);
}

static void on_failed(weir_connector *connector WEIR_UNUSED, weir_err why, int64_t retry_us,
                      void *user)
{
    weir_channel *channel = user;
    channel->failing = true;
    weir_why_set(&channel->why, why, "cannot connect to %s: %s (next try in %.1f s)",
                 channel->addr_text, weir_err_text(why), (double)retry_us / 1e6);
    fail_waiting(channel);
}

static const weir_connector_ops connector_ops = {on_connected, on_failed};

/* Calls. */

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
        want_connection(channel);
        if (channel->failing && !cc->wait_for_ready)
            weir__client_call_end(cc, WEIR_STATUS_UNAVAILABLE, channel->why.text);
    }
}

void weir__channel_forget(weir_channel *channel, weir__client_call *cc)
{
    if (!cc->call.wire && !cc->call.held && weir_list_linked(&cc->node))
        channel->waiting_count--;
    weir_list_remove(&cc->node);
}

/* Making and ending. */

/** What stands behind the schemes of gRPC's naming document that need no resolver. */
static const char *without_scheme(const char *target)
{
    static const char *const schemes[] = {"ipv4:", "ipv6:", "dns:///", "dns:"};
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        if (strncmp(target, schemes[i], strlen(schemes[i])) == 0)
            return target + strlen(schemes[i]);
    }
    return target;
}

static void read_target(weir_channel *channel, const char *target)
{
    const char *address = without_scheme(target);
    channel->target_err = weir_addr_parse(&channel->addr, address, &channel->why);
    snprintf(channel->addr_text, sizeof channel->addr_text, "%s", address);
    if (!channel->target_err)
        weir_addr_text(&channel->addr, channel->addr_text);
    bool unix_socket = strncmp(address, "unix:", 5) == 0;
    channel->authority = strdup(channel->opts.authority ? channel->opts.authority
                                : unix_socket           ? "localhost"
                                                        : address);
}

static void set_defaults(weir_channel *channel, const weir_channel_opts *opts)
{
    if (opts)
        channel->opts = *opts;
    if (!channel->opts.max_queued)
        channel->opts.max_queued = DEFAULT_QUEUED;
    if (!channel->opts.connect_us)
        channel->opts.connect_us = DEFAULT_CONNECT_US;
    channel->grpc = (weir_grpc_opts){
        .h2 = {.stream_window = channel->opts.stream_window},
        .max_receive_bytes = channel->opts.max_receive_bytes,
        .max_send_bytes = channel->opts.max_send_bytes,
        .send_high_water = channel->opts.send_high_water,
        .call_bytes = channel->opts.call_bytes,
    };
    if (!channel->grpc.send_high_water)
        channel->grpc.send_high_water = DEFAULT_HIGH_WATER;
    weir_list_init(&channel->links);
    weir_list_init(&channel->waiting);
    weir_list_init(&channel->held);
    weir_list_init(&channel->running);
    for (size_t i = 0; i < channel->opts.interceptor_count; i++) {
        const weir_interceptor_use *use = &channel->opts.interceptors[i];
        if (weir__chain_add(&channel->chain, use->interceptor, use->user))
            break;
    }
}

static weir_err open_loop(weir_channel *channel)
{
    channel->loop = channel->opts.loop;
    if (!channel->loop) {
        weir_err err =
            weir_loop_thread_start(&channel->thread, &(weir_loop_opts){.name = "weir-channel"});
        if (err)
            return err;
        channel->loop = weir_loop_thread_loop(channel->thread);
    }
    weir_connector_opts opts = {
        .timeout_us = channel->opts.connect_us,
        .backoff_us = channel->opts.backoff_us,
        .backoff_max_us = channel->opts.backoff_max_us,
    };
    return weir_connector_new(&channel->connector, channel->loop, &channel->addr, &connector_ops,
                              channel, &opts);
}

weir_channel *weir_channel_new(const char *target, const weir_channel_opts *opts)
{
    weir_channel *channel = calloc(1, sizeof *channel);
    if (!channel)
        return NULL;
    set_defaults(channel, opts);
    read_target(channel, target);
    const char *agent = channel->opts.user_agent;
    size_t size = (agent ? strlen(agent) + 1 : 0) + sizeof WEIR_AGENT;
    channel->user_agent = malloc(size);
    if (channel->user_agent)
        snprintf(channel->user_agent, size, "%s%s" WEIR_AGENT, agent ? agent : "",
                 agent ? " " : "");
    if (!channel->authority || !channel->user_agent || open_loop(channel)) {
        weir_loop_thread_stop(channel->thread);
        free_channel(channel);
        return NULL;
    }
    return channel;
}

weir_loop *weir_channel_loop(const weir_channel *channel)
{
    return channel->loop;
}

/** The server does not take the last bytes. */
static void on_close_grace(weir_timer *timer, void *user WEIR_UNUSED)
{
    weir_conn_abort(WEIR_CONTAINER_OF(timer, weir__link, drain)->conn, WEIR_ETIMEDOUT);
}

/** Ends what runs; the connections follow, and the last one ends the channel. */
static void on_close(weir_task *task, weir_err err WEIR_UNUSED)
{
    weir_channel *channel = WEIR_CONTAINER_OF(task, weir_channel, close);
    channel->closing = true;
    weir_connector_stop(channel->connector);
    weir_list_each (node, next, &channel->waiting) {
        weir__client_call_end(WEIR_CONTAINER_OF(node, weir__client_call, node),
                              WEIR_STATUS_CANCELLED, "the channel is closed");
    }
    weir_list_each (node, next, &channel->held) {
        weir__client_call_end(WEIR_CONTAINER_OF(node, weir__client_call, node),
                              WEIR_STATUS_CANCELLED, "the channel is closed");
    }
    weir_list_each (node, next, &channel->running)
        weir_call_cancel(&WEIR_CONTAINER_OF(node, weir__client_call, node)->call);
    weir_list_each (node, next, &channel->links) {
        weir__link *link = WEIR_CONTAINER_OF(node, weir__link, node);
        weir__link_close(link);
        weir_loop_after(channel->loop, &link->drain, CLOSE_GRACE_US, on_close_grace, NULL);
    }
    if (weir_list_empty(&channel->links))
        finish_close(channel);
}

void weir_channel_free(weir_channel *channel)
{
    if (!channel)
        return;
    weir_loop_thread *thread = channel->thread;
    if (thread)
        weir_latch_init(&channel->closed, 1);
    weir_loop_post(channel->loop, &channel->close, on_close);
    if (!thread)
        return;
    weir_latch_wait(&channel->closed);
    weir_latch_fini(&channel->closed);
    weir_loop_thread_stop(thread);
    free_channel(channel);
}

bool weir__channel_would_deadlock(const weir_channel *channel)
{
    return weir_loop_in_thread(channel->loop);
}
